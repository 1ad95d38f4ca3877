/** What a handler may know and do, bound to one SA: the `Env` of exchange.ts over the engine's world. */
import type { Group, KeyPair } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import type { Event, Reason, Subject } from '../log/events.ts';
import type { Phrase, Scope } from '../log/phrases/index.ts';
import type { Rival } from '../posture/index.ts';
import { addressText, type IkeSpi, ikeSpi, NO_SPI, printable } from '../wire/index.ts';
import type { Env, SaEvent, Where } from './exchange.ts';
import { personOf } from './gate.ts';
import { type Ends, type KeyRing, rekeyedKeys } from './keys.ts';
import { mark } from './lane.ts';
import type { Lease } from './leases.ts';
import type { Life } from './life.ts';
import type { IkeChoice } from './negotiate.ts';
import type { Ousting } from './outbox.ts';
import { lowest } from './own.ts';
import { type Basis, type EspSuite, type Established, type IkeSa, nameOf, type Path, type Suite } from './sa.ts';
import type { Slot } from './slot.ts';
import type { World } from './world.ts';

export class SlotEnv implements Env {
  readonly #world: World;
  readonly #slot: Slot;
  readonly #life: Life;
  readonly #leases: Lease[] = [];
  readonly #rings: KeyRing[] = [];
  #name: string;
  #instance: { readonly profile: string; readonly index: number } | undefined;

  constructor(world: World, slot: Slot, life: Life) {
    this.#world = world;
    this.#slot = slot;
    this.#life = life;
    this.#name = nameOf(slot.sa);
  }

  get now(): number {
    return this.#world.clocks.now;
  }
  get unix(): number {
    return this.#world.clocks.unix;
  }
  get config(): Config {
    return this.#world.config;
  }
  get path(): Path {
    return this.#slot.path;
  }
  get debug(): boolean {
    return this.#world.debug;
  }
  get encapsulates(): boolean {
    return this.#world.encapsulates;
  }
  get busy(): Env['busy'] {
    const under = this.#slot.own?.current?.pending.request.do;
    return under === 'dpd' || under === 'notify' ? undefined : under;
  }

  say<A extends readonly unknown[]>(where: Where, phrase: (...args: A) => Phrase, ...args: A): void {
    if (!this.#world.debug) return;
    this.#world.out.push({ do: 'say', scope: this.#scope(where), line: phrase(...args) });
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

  espSpi(): number {
    const { entropy, table, lane } = this.#world;
    for (;;) {
      const o = mark(entropy.octets(4), lane);
      const spi = new DataView(o.buffer, o.byteOffset, 4).getUint32(0);
      if (spi >= 256 && table.byEsp(spi) === undefined) return spi; // RFC 4303 §2.1: 1-255 are reserved
    }
  }

  ikeSpi(): IkeSpi {
    return freshSpi(this.#world);
  }

  lease(profile: string, family: 4 | 6, identity: string): Lease | undefined {
    const lease = this.#world.leases.take(profile, family, identity, this.now);
    if (lease !== undefined) this.#leases.push(lease);
    return lease;
  }
  leased(profile: string, family: 4 | 6): number {
    return this.#world.leases.used(profile, family);
  }

  deriveIke(suite: Suite, shared: Uint8Array, ends: Ends, old: Basis): KeyRing {
    const ring = rekeyedKeys(old, suite, shared, ends, this.#world.slab);
    this.#rings.push(ring);
    return ring;
  }
  suite(choice: IkeChoice): Suite {
    return this.#world.suites.ike(choice);
  }
  espSuite(choice: Omit<EspSuite, 'text'>): EspSuite {
    return this.#world.suites.esp(choice);
  }

  rename(name: string): void {
    this.#name = name;
  }
  saNumber(): number {
    this.#world.lastId += this.#world.lane.count;
    return this.#world.lastId;
  }
  childNumber(): number {
    this.#world.lastChild += this.#world.lane.count;
    return this.#world.lastChild;
  }
  instance(profile: string): string {
    const index = this.#world.table.takeInstance(profile);
    this.#instance = { profile, index };
    return `${profile}_${index}`;
  }

  rival(uid: string, person: string, before: number): Rival | undefined {
    for (const slot of this.#world.table.byUid(uid)) {
      if (slot === this.#slot || slot.sa.at !== 'established' || slot.sa.since >= before) continue;
      const other = personOf(slot.sa.proof);
      if (other !== person) return { user: other };
    }
    return this.#world.elsewhere.rival(uid, person, before);
  }
  others(key: string): readonly string[] {
    const { table, elsewhere } = this.#world;
    const here = table.byKey(key).filter((slot) => slot !== this.#slot && slot.sa.at === 'established');
    return [...here.map(({ sa }) => nameOf(sa)), ...elsewhere.names(key)];
  }
  drop(key: string, name: string, how: Ousting['how'], reason: Reason): void {
    const slot = this.#world.table.keyed(key, name);
    if (slot === undefined) this.#world.out.push({ do: 'oust', name, key, how, reason });
    else this.#life.oust(slot, { how, reason });
  }

  rivalled(old: number, Ni: Uint8Array, Nr: Uint8Array): void {
    const pending = this.#slot.own?.current?.pending;
    if (pending?.request.do === 'rekey-child' && pending.request.spiIn === old)
      pending.rival = { lowest: lowest(Ni, Nr).slice() };
  }

  tell(event: SaEvent): void {
    // The cast joins what the mapped type took apart: every SaEvent with a Subject is an Event.
    this.#world.out.push({ do: 'tell', event: { ...subjectOf(this.#slot, this.#name), ...event } as Event });
  }

  /** Gives back what a handler took and neither the SA that came of it nor its successor holds. */
  settle(sa: IkeSa, successor?: Established): void {
    const { leases, table, slab } = this.#world;
    const kept = sa.at === 'established' ? sa : undefined;
    for (const lease of this.#leases) if (lease !== kept?.lease4 && lease !== kept?.lease6) leases.release(lease, this.now);
    for (const ring of this.#rings) if (ring !== successor?.basis.keys) ring.release(slab);
    this.#leases.length = this.#rings.length = 0;
    const taken = this.#instance;
    if (taken === undefined) return;
    this.#instance = undefined;
    if (kept === undefined) table.giveInstance(taken.profile, taken.index);
    else this.#slot.index = taken.index;
  }

  #scope(where: Where): Scope {
    const name = this.#name;
    const { id } = this.#slot.sa.basis;
    if (where === 'sa') return { kind: 'gateway', name, id };
    if (where === 'gateway') return { kind: 'gateway', name };
    if (where === 'error') return { kind: 'error', name };
    if ('bare' in where) return { kind: 'gateway', name: where.bare };
    const { child, phase2 } = where;
    return phase2 === undefined ? { kind: 'gateway', name, id, child } : { kind: 'gateway', name, id, child, phase2 };
  }
}

/** A random SPI of ours that no SA has. */
export function freshSpi({ entropy, table, lane }: World): IkeSpi {
  for (;;) {
    const spi = ikeSpi(mark(entropy.octets(8), lane));
    if (spi !== NO_SPI && table.bySpi(spi) === undefined) return spi;
  }
}

const endpoint = ({ address, port }: Path['local']): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Who an event is about, with what is known by now. */
export function subjectOf({ sa, path, had }: Slot, gateway: string): Subject {
  const base = { gateway, sa: sa.basis.id, remote: endpoint(path.remote), local: endpoint(path.local) };
  if (sa.at === 'at-gate') {
    const { proof, client } = sa;
    const uid = client?.uid;
    const user = proof.user === undefined ? {} : { user: proof.user };
    return { ...base, peerId: proof.idText, ...user, ...(uid === undefined ? {} : { fctUid: uid }) };
  }
  if (sa.at === 'eap' || sa.at === 'eap-proven') return sa.user === undefined ? base : { ...base, user: printable(sa.user, 64) };
  if (sa.at !== 'established') return base;
  const { proof, client, lease4, lease6 } = sa;
  const address = (lease4 ?? lease6)?.address ?? had;
  return {
    ...base,
    peerId: proof.idText,
    ...(proof.user === undefined ? {} : { user: proof.user }),
    ...(proof.group === undefined ? {} : { group: proof.group }),
    ...(client?.uid === undefined ? {} : { fctUid: client.uid }),
    ...(address === undefined ? {} : { assigned: addressText(address) }),
  };
}
