/** What a handler may know and do, bound to one SA: the `Env` of exchange.ts over the engine's world. */
import type { Group, KeyPair } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import type { Event, Reason, Subject } from '../log/events.ts';
import type { Phrase, Scope } from '../log/phrases/index.ts';
import { addressText, type IkeSpi, ikeSpi, NO_SPI } from '../wire/index.ts';
import type { Env, SaEvent, Where } from './exchange.ts';
import { type Ends, type KeyRing, rekeyedKeys } from './keys.ts';
import type { Lease } from './leases.ts';
import type { IkeChoice } from './negotiate.ts';
import { lowest, type OwnRequest } from './own.ts';
import { type Basis, type EspSuite, type Established, type IkeSa, nameOf, type Path, type Suite } from './sa.ts';
import type { Slot } from './slot.ts';
import type { World } from './world.ts';

/** Which of our requests a rekey by the peer would collide with (§2.25). */
const COLLIDES: { readonly [R in OwnRequest['do']]: Env['busy'] } = {
  'rekey-ike': 'rekey-ike',
  'rekey-child': 'rekey-child',
  'delete-ike': 'delete',
  'delete-child': undefined,
  dpd: undefined,
};

export class SlotEnv implements Env {
  readonly #world: World;
  readonly #slot: Slot;
  readonly #drop: (slot: Slot, reason: Reason, why: string) => void;
  readonly #leases: Lease[] = [];
  #name: string;
  #index = -1;

  constructor(world: World, slot: Slot, drop: (slot: Slot, reason: Reason, why: string) => void) {
    this.#world = world;
    this.#slot = slot;
    this.#drop = drop;
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
  get busy(): Env['busy'] {
    const under = this.#slot.own?.current?.pending.request.do;
    return under === undefined ? undefined : COLLIDES[under];
  }

  say<A extends readonly unknown[]>(where: Where, phrase: (...args: A) => Phrase, ...args: A): void {
    if (!this.#world.debug) return;
    this.#world.out.push({ do: 'say', scope: this.#scope(where), line: phrase(...args) });
  }

  random(n: number): Uint8Array {
    return this.#world.entropy.octets(n);
  }
  keyPair(group: Group): KeyPair {
    return this.#world.entropy.keyPair(group);
  }

  espSpi(): number {
    const { entropy, table } = this.#world;
    for (;;) {
      const o = entropy.octets(4);
      const spi = new DataView(o.buffer, o.byteOffset, 4).getUint32(0);
      if (spi >= 256 && !table.hasEsp(spi)) return spi; // RFC 4303 §2.1: 1-255 are reserved
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
    return rekeyedKeys(old, suite, shared, ends, this.#world.slab);
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
  childNumber(): number {
    this.#world.lastChild += 1;
    return this.#world.lastChild;
  }
  instance(profile: string): string {
    this.#index = this.#world.table.takeInstance(profile);
    return `${profile}_${this.#index}`;
  }

  others(key: string): readonly Established[] {
    return this.#world.table
      .byKey(key)
      .filter((slot) => slot !== this.#slot)
      .flatMap(({ sa }) => (sa.at === 'established' ? [sa] : []));
  }
  drop(sa: Established, reason: Reason): void {
    const slot = this.#world.table.byKey(sa.proof.key).find((s) => s.sa === sa);
    if (slot !== undefined) this.#drop(slot, reason, 'replaced by a newer SA of the same peer');
  }

  rivalled(old: number, made: number, Ni: Uint8Array, Nr: Uint8Array): void {
    const pending = this.#slot.own?.current?.pending;
    if (pending?.request.do === 'rekey-child' && pending.request.spiIn === old)
      pending.rival = { made, lowest: lowest(Ni, Nr).slice() };
  }

  tell(event: SaEvent): void {
    // The cast joins what the mapped type took apart: every SaEvent with a Subject is an Event.
    this.#world.out.push({ do: 'tell', event: { ...subjectOf(this.#slot, this.#name), ...event } as Event });
  }

  /** Gives back what a handler took and the SA that came of it does not hold. */
  settle(sa: IkeSa): void {
    const kept = sa.at === 'established' ? sa : undefined;
    for (const lease of this.#leases)
      if (lease !== kept?.lease4 && lease !== kept?.lease6) this.#world.leases.release(lease, this.now);
    if (this.#index < 0) return;
    if (kept === undefined) {
      const at = this.#name.lastIndexOf('_');
      this.#world.table.giveInstance(this.#name.slice(0, at), this.#index);
    } else this.#slot.index = this.#index;
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
export function freshSpi({ entropy, table }: World): IkeSpi {
  for (;;) {
    const spi = ikeSpi(entropy.octets(8));
    if (spi !== NO_SPI && table.bySpi(spi) === undefined) return spi;
  }
}

const endpoint = ({ address, port }: Path['local']): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Who an event is about, with what is known by now. */
export function subjectOf({ sa, path }: Slot, gateway: string): Subject {
  const base = { gateway, sa: sa.basis.id, remote: endpoint(path.remote), local: endpoint(path.local) };
  if (sa.at !== 'established') return base;
  const { proof, client, lease4, lease6 } = sa;
  const address = lease4 ?? lease6;
  return {
    ...base,
    peerId: proof.idText,
    ...(proof.user === undefined ? {} : { user: proof.user }),
    ...(proof.group === undefined ? {} : { group: proof.group }),
    ...(client?.uid === undefined ? {} : { fctUid: client.uid }),
    ...(address === undefined ? {} : { assigned: addressText(address.address) }),
  };
}
