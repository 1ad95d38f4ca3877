/**
 * Datagrams that belong to no SA yet: IKE_SA_INIT, wrong versions, unknown SPIs. What is answered here is answered without
 * state, and rate-limited where anybody could make us answer somebody else (RFC 7296 §2.5, §2.6, §2.21.4).
 */
import type { Group, KeyPair } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import { encodeMessage, type Header, type IkeSpi, NO_SPI, notify } from '../wire/index.ts';
import type { AdmissionControl, Cookies } from './cookie.ts';
import type { Counters } from './counters.ts';
import { freshSpi } from './env.ts';
import { type InitEnv, initPayloads, saInit } from './exchange/saInit.ts';
import type { Where } from './exchange.ts';
import { freshSlot, type Life } from './life.ts';
import type { IkeChoice } from './negotiate.ts';
import type { Path, Suite } from './sa.ts';
import type { Slab } from './slab.ts';
import { id8, sayDaemon, saySent } from './wireTalk.ts';
import type { World } from './world.ts';

/** Unprotected error answers a second, all peers together: a flood must not make us a reflector. */
const STATELESS_PER_SECOND = 50;

export class FrontDoor {
  readonly #world: World;
  readonly #life: Life;
  readonly #counters: Counters;
  #second = 0;
  #left = STATELESS_PER_SECOND;

  constructor(world: World, life: Life, counters: Counters) {
    this.#world = world;
    this.#life = life;
    this.#counters = counters;
  }

  /** Takes an IKE_SA_INIT request: a retransmission gets the same octets, a new one goes through admission. */
  init(header: Header, octets: Uint8Array, path: Path): void {
    const world = this.#world;
    if (header.response || !header.initiator || header.SPIr !== NO_SPI || header.messageId !== 0 || header.SPIi === NO_SPI)
      return this.#counters.drop('init');
    const { table, clocks, out } = world;
    const initKey = `${header.SPIi}|${path.remote.address}|${path.remote.port}`;
    const known = table.byInit(initKey);
    if (known !== undefined && 'opening' in known.sa && sameOctets(known.sa.opening.request, octets)) {
      this.#life.env(known).say('sa', phrases.retransmitDetected);
      this.#counters.count('retransmit');
      return out.send(path, [known.sa.opening.response]);
    }
    this.#counters.count('IKE_SA_INIT');
    if (world.closing) return this.#counters.drop('closing');
    if (table.size - this.#life.closed >= world.config.settings.saMax) return this.#counters.drop('sa-max');
    const payloads = initPayloads(header, octets);
    const id = world.lastId + world.lane.count;
    const env = new FrontEnv(world, header, id);
    if (typeof payloads === 'string') {
      env.say('sa', phrases.malformed, payloads);
      return this.#counters.drop('malformed');
    }
    const outcome = saInit({ header, octets, payloads, path, id }, env);
    if (outcome.kind === 'drop') return this.#counters.drop('init');
    world.lastId = id;
    if (outcome.kind === 'answer') {
      const { reason, why } = outcome;
      const [remote, local] = [path.remote.address, path.local.address];
      if (reason !== undefined) out.push({ do: 'tell', event: { kind: 'init-refused', remote, local, reason, why } });
      out.send(path, [outcome.octets]);
      return env.saySent(outcome.tag, outcome.octets, path);
    }
    const slot = freshSlot(outcome.sa, { path });
    slot.window.next = 1;
    slot.initKey = initKey;
    slot.expires = clocks.now + (outcome.sa.candidates[0]?.negotiateTimeout ?? 30) * 1000;
    table.add(slot);
    world.admission.opened(path.remote.address);
    slot.counted = true;
    this.#life.schedule(slot);
    if (world.exportKeys) out.keys(outcome.sa.basis);
    out.send(path, [outcome.response]);
    saySent(world, slot, 'SA_INIT_RESPONSE', [outcome.response], path, undefined);
  }

  /** §2.5: a higher major version gets INVALID_MAJOR_VERSION, in the clear. */
  wrongVersion(header: Header, path: Path): void {
    this.#counters.drop('version');
    sayDaemon(this.#world, phrases.majorVersion, header.major);
    if (header.major > 2 && !header.response) this.#answer(header, path, 'INVALID_MAJOR_VERSION');
  }

  /** §2.21.4: a request for no SA of ours; the answer is a hint that nobody can authenticate. */
  unknownSpi(header: Header, path: Path): void {
    this.#counters.drop('unknown-spi');
    sayDaemon(this.#world, phrases.invalidSpi, header.SPIi, header.SPIr, id8(header.messageId));
    if (!header.response) this.#answer(header, path, 'INVALID_IKE_SPI');
  }

  #answer(header: Header, path: Path, name: 'INVALID_MAJOR_VERSION' | 'INVALID_IKE_SPI'): void {
    const second = Math.floor(this.#world.clocks.now / 1000);
    if (this.#second !== second) [this.#second, this.#left] = [second, STATELESS_PER_SECOND];
    if (this.#left === 0) return this.#counters.drop('stateless-limit');
    this.#left -= 1;
    const { SPIi, SPIr, exchange, messageId, initiator } = header;
    const envelope = { SPIi, SPIr, exchange, initiator: !initiator, response: true, messageId };
    this.#world.out.send(path, [encodeMessage(envelope, [notify(name)])]);
  }
}

/** What the handler of IKE_SA_INIT may know and do: there is no SA yet to bind it to. */
class FrontEnv implements InitEnv {
  readonly #world: World;
  readonly #header: Header;
  readonly #id: number;
  #name: string | undefined;

  constructor(world: World, header: Header, id: number) {
    this.#world = world;
    this.#header = header;
    this.#id = id;
  }

  get now(): number {
    return this.#world.clocks.now;
  }
  get config(): Config {
    return this.#world.config;
  }
  get debug(): boolean {
    return this.#world.debug;
  }
  get encapsulates(): boolean {
    return this.#world.encapsulates;
  }
  get admission(): AdmissionControl {
    return this.#world.admission;
  }
  get cookies(): Cookies {
    return this.#world.cookies;
  }
  get slab(): Slab {
    return this.#world.slab;
  }

  say<A extends readonly unknown[]>(where: Where | 'daemon', phrase: (...args: A) => phrases.Phrase, ...args: A): void {
    if (this.#world.debug) this.#world.out.push({ do: 'say', scope: this.#scope(where), line: phrase(...args) });
  }
  rename(name: string): void {
    this.#name = name;
  }
  saySent(tag: string, octets: Uint8Array, { local, remote }: Path): void {
    const id = `${this.#header.SPIi}/${NO_SPI}`;
    const path = { from: `${local.address}:${local.port}`, to: `${remote.address}:${remote.port}` };
    this.say('sa', phrases.sentMessage, tag, path, octets.length, id);
  }
  country(address: string): string | undefined {
    return this.#world.country(address);
  }
  random(n: number): Uint8Array {
    return this.#world.entropy.octets(n);
  }
  keyPair(group: Group): KeyPair {
    return this.#world.entropy.keyPair(group);
  }
  ikeSpi(): IkeSpi {
    return freshSpi(this.#world);
  }
  suite(choice: IkeChoice): Suite {
    return this.#world.suites.ike(choice);
  }

  #scope(where: Where | 'daemon'): phrases.Scope {
    const name = this.#name;
    if (where === 'daemon') return { kind: 'daemon' };
    if (where === 'error') return name === undefined ? { kind: 'error' } : { kind: 'error', name };
    if (typeof where === 'object' && 'bare' in where) return { kind: 'gateway', name: where.bare };
    if (name === undefined) return { kind: 'spi', SPIi: this.#header.SPIi, SPIr: NO_SPI, id: this.#id };
    return where === 'gateway' ? { kind: 'gateway', name } : { kind: 'gateway', name, id: this.#id };
  }
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((o, i) => o === b[i]);
}
