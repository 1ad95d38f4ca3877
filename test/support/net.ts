/**
 * A network without wires: delivers datagrams between parties in virtual time, with delay, loss, duplicates and reorder out of a
 * seeded generator, and through NATs. Whatever happens in it happens again with the same seed.
 */
import type { VirtualClock } from './clock.ts';
import type { SeededRandom } from './random.ts';

export type Endpoint = { readonly address: string; readonly port: number };
export type Datagram = { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array };

/** One host. What it sends it hands out by `take`, after every call. */
export type Party = {
  readonly addresses: readonly string[];
  datagram(d: Datagram, now: number): void;
  tick(now: number): void;
  deadline(): number | undefined;
  take(): readonly Datagram[];
};

export type Weather = {
  /** ms, the least and the most: different delays reorder. */
  readonly delay: readonly [number, number];
  /** Shares of all datagrams, 0 to 1. */
  readonly loss: number;
  readonly duplicate: number;
};
export const FAIR: Weather = { delay: [5, 5], loss: 0, duplicate: 0 };

/** A NAT: hosts behind `inside` addresses appear as `outside`, each port mapped to one of its own. */
export type Nat = { readonly inside: readonly string[]; readonly outside: string };

/** A datagram in the record: as it was sent, and what became of it. */
export type Passage = Datagram & { readonly at: number; readonly lost: boolean };

type Travelling = { readonly arrives: number; readonly order: number; readonly datagram: Datagram };
type Mapping = { readonly nat: Nat; readonly inside: Endpoint; readonly outside: Endpoint };

const MOST_STEPS = 100_000;

export class VirtualNet {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #parties: Party[] = [];
  readonly #nats: Nat[] = [];
  #mappings: Mapping[] = [];
  #travelling: Travelling[] = [];
  #order = 0;
  #nextPort = 40_000;
  /** May be changed at any time: for what is sent from then on. */
  weather: Weather;
  /** Says which datagrams never arrive, beside those that the weather takes. */
  filter: (d: Datagram) => boolean = () => true;
  /** All that was sent, in order. */
  readonly passages: Passage[] = [];

  constructor(o: { readonly clock: VirtualClock; readonly random: SeededRandom; readonly weather?: Partial<Weather> }) {
    this.#clock = o.clock;
    this.#random = o.random.child('net');
    this.weather = { ...FAIR, ...o.weather };
  }

  attach(...parties: readonly Party[]): void {
    this.#parties.push(...parties);
  }

  nat(nat: Nat): void {
    this.#nats.push(nat);
  }

  /** The NATs forget their mappings, as after a restart: the next datagram gets a new port. */
  rebootNats(): void {
    this.#mappings = [];
  }

  /** Takes what the parties want to send. `run` does it too; needed only to look at the wire before anything has arrived. */
  collect(): void {
    for (const party of this.#parties) for (const datagram of party.take()) this.#send(datagram);
  }

  /** Puts a datagram on the wire that no party has sent. */
  inject(datagram: Datagram): void {
    this.#send(datagram);
  }

  /**
   * Lets time pass until `until` holds, nothing travels and nobody waits for anything, or so many ms are over. Gives true when
   * `until` held. Throws when the parties never come to rest.
   */
  run({
    until = () => false,
    ms = Number.POSITIVE_INFINITY,
  }: {
    readonly until?: () => boolean;
    readonly ms?: number;
  } = {}): boolean {
    const end = this.#clock.now + ms;
    for (let step = 0; step < MOST_STEPS; step++) {
      this.collect();
      if (until()) return true;
      const next = this.#next();
      if (next === undefined || next > end) {
        if (end !== Number.POSITIVE_INFINITY) this.#clock.advanceTo(end);
        return false;
      }
      this.#clock.advanceTo(Math.max(next, this.#clock.now));
      this.#deliver();
      for (const party of this.#parties)
        if ((party.deadline() ?? Number.POSITIVE_INFINITY) <= this.#clock.now) party.tick(this.#clock.now);
    }
    throw new Error(`no rest after ${MOST_STEPS} steps`);
  }

  #next(): number | undefined {
    const moments = this.#travelling.map((t) => t.arrives);
    for (const party of this.#parties) {
      const due = party.deadline();
      if (due !== undefined) moments.push(due);
    }
    return moments.length === 0 ? undefined : Math.min(...moments);
  }

  #deliver(): void {
    const { now } = this.#clock;
    const arrived = this.#travelling.filter((t) => t.arrives <= now).sort((a, b) => a.arrives - b.arrives || a.order - b.order);
    this.#travelling = this.#travelling.filter((t) => t.arrives > now);
    for (const { datagram } of arrived) {
      const inside = this.#intoNat(datagram);
      if (inside !== undefined) this.#at(inside.to.address)?.datagram(inside, now);
      this.collect();
    }
  }

  #send(sent: Datagram): void {
    const datagram = this.#outOfNat({ ...sent, octets: sent.octets.slice() });
    const { loss, duplicate } = this.weather;
    const lost = !this.filter(datagram) || this.#random.chance(loss);
    this.passages.push({ ...datagram, at: this.#clock.now, lost });
    if (lost) return;
    this.#travel(datagram);
    if (this.#random.chance(duplicate)) this.#travel({ ...datagram, octets: datagram.octets.slice() });
  }

  #travel(datagram: Datagram): void {
    const [least, most] = this.weather.delay;
    const arrives = this.#clock.now + least + this.#random.fraction() * (most - least);
    this.#travelling.push({ arrives, order: this.#order, datagram });
    this.#order += 1;
  }

  #at(address: string): Party | undefined {
    return this.#parties.find((p) => p.addresses.includes(address));
  }

  #outOfNat(datagram: Datagram): Datagram {
    const nat = this.#nats.find((n) => n.inside.includes(datagram.from.address));
    if (nat === undefined || nat.inside.includes(datagram.to.address)) return datagram;
    const { from } = datagram;
    const known = this.#mappings.find((m) => m.nat === nat && same(m.inside, from));
    if (known !== undefined) return { ...datagram, from: known.outside };
    const mapping = { nat, inside: from, outside: { address: nat.outside, port: this.#nextPort } };
    this.#nextPort += 1;
    this.#mappings.push(mapping);
    return { ...datagram, from: mapping.outside };
  }

  /** What comes to a NAT's outside goes to the host that has the port; nobody's port: lost. */
  #intoNat(datagram: Datagram): Datagram | undefined {
    if (!this.#nats.some((n) => n.outside === datagram.to.address)) return datagram;
    const mapping = this.#mappings.find((m) => same(m.outside, datagram.to));
    return mapping && { ...datagram, to: mapping.inside };
  }
}

const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;

/** A client as a party: anything that takes datagrams with the way they came. */
export function party(
  address: string,
  client: {
    datagram(octets: Uint8Array, now: number, way: { readonly from: Endpoint; readonly to: Endpoint }): void;
    tick(now: number): void;
    deadline(): number | undefined;
    take(): readonly Datagram[];
  },
): Party {
  return {
    addresses: [address],
    datagram: ({ octets, from, to }, now) => client.datagram(octets, now, { from, to }),
    tick: (now) => client.tick(now),
    deadline: () => client.deadline(),
    take: () => client.take(),
  };
}
