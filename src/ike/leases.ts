/**
 * Addresses given to clients (RFC 7296 §2.19, §3.15). An address has one holder at most, also where the pools of several
 * profiles overlap. An identity gets its last address again while that is free; for `linger` after its release nobody else gets
 * it. Nothing here grows with the size of a pool: a pool is a few intervals of numbers, a lease one small object.
 */
import { compareOctets, hex } from '../wire/index.ts';

/** Addresses of one family, both ends included, start ≤ end: `Range` of the configuration. */
type AddressRange = { readonly start: Uint8Array; readonly end: Uint8Array };
type LeasePool = { readonly ranges: readonly AddressRange[]; readonly exclude: readonly AddressRange[] };
/** `Profile` of the configuration fits. */
export type LeaseProfile = {
  readonly name: string;
  readonly modeCfg: { readonly ipv4: LeasePool | undefined; readonly ipv6: LeasePool | undefined } | undefined;
};

/** An address in use, until it is given back to `Leases.release`. */
export type Lease = {
  /** 4 or 16 octets, made anew at every call. */
  readonly address: Uint8Array;
};

/** Released addresses that are remembered for their last holders, per pool. */
const REMEMBERED_MAX = 65_536;
/** Addresses looked at for one that nobody had, before one is taken that somebody may come back for. */
const LOOK = 1024;
/** Addresses of one range that are used: more than this gateway will ever have clients. */
const RANGE_MAX = 2 ** 32;

export class Leases {
  #linger: number;
  readonly #remembered: number;
  readonly #pools = new Map<string, Pool>();
  readonly #spaces: Space[] = [];
  readonly #text: string;

  /**
   * @param profiles their pools; the same addresses in two profiles are one pool
   * @param linger seconds
   * @param remembered released addresses remembered per pool at most: the oldest is forgotten, whatever its linger
   */
  constructor(profiles: readonly LeaseProfile[], linger: number, remembered: number = REMEMBERED_MAX) {
    this.#linger = linger * 1000;
    this.#remembered = remembered;
    this.#text = textOf(profiles);
    for (const family of [4, 6] as const) {
      const configured = profiles.flatMap(({ name, modeCfg }) => {
        const pool = family === 4 ? modeCfg?.ipv4 : modeCfg?.ipv6;
        return pool === undefined ? [] : [{ key: keyOf(name, family), ...pool }];
      });
      const space = new Space(configured.flatMap(({ ranges }) => ranges));
      this.#spaces.push(space);
      for (const { key, ranges, exclude } of configured) this.#pools.set(key, space.pool(ranges, exclude));
    }
  }

  /**
   * An address of the profile's pool, or undefined: there is no pool, or nothing left in it for this identity. An identity that
   * holds an address gets another one.
   *
   * @param now monotonic ms
   */
  take(profile: string, family: 4 | 6, identity: string, now: number): Lease | undefined {
    const pool = this.#pools.get(keyOf(profile, family));
    const at =
      pool &&
      (pool.last(identity, now) ??
        pool.unknown() ??
        pool.oldest(now) ??
        pool.any(identity, now) ??
        pool.oldest(Number.POSITIVE_INFINITY) ?? // rather somebody's old address than none
        pool.any(identity, Number.POSITIVE_INFINITY));
    return at === undefined ? undefined : pool?.take(at, identity);
  }

  /**
   * The leases under a new configuration: these while the pools are the same, else new ones. Into those the leases that stay are
   * adopted; what was remembered for those who have left is forgotten.
   */
  under(profiles: readonly LeaseProfile[], linger: number): Leases {
    if (textOf(profiles) !== this.#text) return new Leases(profiles, linger, this.#remembered);
    this.#linger = linger * 1000;
    return this;
  }

  /** The lease of the same address for the same identity among these; undefined: the pool has it no longer, or not free. */
  adopt(profile: string, family: 4 | 6, lease: Lease): Lease | undefined {
    const pool = this.#pools.get(keyOf(profile, family));
    if (!(lease instanceof Held) || pool === undefined) return undefined;
    const at = pool.space.numberOf(lease.address);
    return at !== undefined && pool.isFree(at) ? pool.take(at, lease.identity) : undefined;
  }

  /** Gives an address back at `now` (monotonic ms). What is not, or no longer, in use changes nothing. */
  release(lease: Lease, now: number): void {
    if (lease instanceof Held) lease.pool.release(lease, now + this.#linger, this.#remembered);
  }

  /** Addresses that are leased, all pools together. */
  get total(): number {
    return this.#spaces.reduce((sum, space) => sum + space.leased.size, 0);
  }

  /** Addresses of the profile's pool in use; 0 when it has none. */
  used(profile: string, family: 4 | 6): number {
    return this.#pools.get(keyOf(profile, family))?.used ?? 0;
  }

  /** Addresses that the profile's pool has. */
  size(profile: string, family: 4 | 6): number {
    return this.#pools.get(keyOf(profile, family))?.size ?? 0;
  }
}

/** Equal for equal pools of equal names. */
const textOf = (profiles: readonly LeaseProfile[]): string =>
  JSON.stringify(
    profiles.map(({ name, modeCfg }) => [
      name,
      ...[modeCfg?.ipv4, modeCfg?.ipv6].map((pool) => [pool?.ranges ?? [], pool?.exclude ?? []].map((all) => all.map(rangeText))),
    ]),
  );
const rangeText = ({ start, end }: AddressRange): string => `${hex(start)}-${hex(end)}`;

const keyOf = (profile: string, family: 4 | 6): string => `${family} ${profile}`;

/** The one that holds address number `at` of its space: three words beside what every object has. */
class Held implements Lease {
  readonly pool: Pool;
  readonly at: number;
  readonly identity: string;

  constructor(pool: Pool, at: number, identity: string) {
    this.pool = pool;
    this.at = at;
    this.identity = identity;
  }

  get address(): Uint8Array {
    return this.pool.space.address(this.at);
  }
}

/** Both ends included. */
type Interval = { readonly from: number; readonly to: number };
type Segment = AddressRange & { readonly base: number };

/** The addresses of all pools of one family, numbered from 0 without the gaps between them. */
class Space {
  readonly #segments: readonly Segment[];
  readonly #pools: Pool[] = [];
  readonly leased = new Map<number, Held>();

  constructor(ranges: readonly AddressRange[]) {
    this.#segments = number(ranges.map(capped));
  }

  /** The pool of these addresses; the one that is there when it is the same. */
  pool(ranges: readonly AddressRange[], exclude: readonly AddressRange[]): Pool {
    const intervals = subtract(
      union(ranges.map(capped).flatMap((r) => this.#numbers(r))),
      exclude.flatMap((r) => this.#numbers(r)),
    );
    const same = (p: Pool) =>
      p.intervals.length === intervals.length &&
      p.intervals.every(({ from, to }, i) => from === intervals[i]?.from && to === intervals[i]?.to);
    const there = this.#pools.find(same);
    if (there !== undefined) return there;
    const made = new Pool(this, intervals);
    for (const other of this.#pools) other.meet(made);
    this.#pools.push(made);
    return made;
  }

  /** The number of an address; undefined: none of ours. */
  numberOf(address: Uint8Array): number | undefined {
    return this.#numbers({ start: address, end: address })[0]?.from;
  }

  address(at: number): Uint8Array {
    const segment = this.#segments.findLast(({ base }) => base <= at) ?? { start: new Uint8Array(4), base: 0 };
    return plus(segment.start, at - segment.base);
  }

  /** The numbers of what this range and our segments have in common. */
  #numbers({ start, end }: AddressRange): readonly Interval[] {
    return this.#segments.flatMap((segment) => {
      const first = compareOctets(start, segment.start) < 0 ? segment.start : start;
      const last = compareOctets(end, segment.end) > 0 ? segment.end : end;
      if (compareOctets(first, last) > 0) return [];
      return [{ from: segment.base + minus(first, segment.start), to: segment.base + minus(last, segment.start) }];
    });
  }
}

type Remembered = {
  readonly identity: string;
  /** Monotonic ms until which it is reserved. */
  readonly until: number;
  /** An address that the same identity gave back earlier. */
  readonly previous: number | undefined;
};

class Pool {
  readonly space: Space;
  readonly intervals: readonly Interval[];
  readonly size: number;
  used = 0;
  /** In order of release. No address is leased and remembered at once. */
  readonly #released = new Map<number, Remembered>();
  readonly #last = new Map<string, number>();
  /** This one and those that have addresses in common with it. */
  readonly #around: Pool[] = [this];
  /** Where the search for a fresh address goes on. */
  #next: number;
  #interval = 0;

  constructor(space: Space, intervals: readonly Interval[]) {
    this.space = space;
    this.intervals = intervals;
    this.size = intervals.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    this.#next = intervals[0]?.from ?? 0;
  }

  /** Tells two pools of each other when they overlap. */
  meet(other: Pool): void {
    const overlap = this.intervals.some((a) => other.intervals.some((b) => a.from <= b.to && b.from <= a.to));
    if (!overlap) return;
    this.#around.push(other);
    other.#around.push(this);
  }

  /** What this identity gave back last. */
  last(identity: string, now: number): number | undefined {
    const at = this.#last.get(identity);
    return at === undefined || this.#reserved(at, identity, now) ? undefined : at;
  }

  /** An address that nobody holds or is remembered for, if one is near. */
  unknown(): number | undefined {
    return this.#allKnown() ? undefined : this.#search(LOOK, (at) => !this.#around.some((pool) => pool.#released.has(at)));
  }

  /** Of the remembered ones the one that has been free the longest, its linger being over. */
  oldest(now: number): number | undefined {
    for (const [at, { until }] of this.#released) {
      if (until > now) return undefined; // those behind it were released later
      if (!this.#reserved(at, undefined, now)) return at;
    }
    return undefined;
  }

  /** Any address that is neither held nor reserved for others. Of so many numbers one at least is nobody's. */
  any(identity: string, now: number): number | undefined {
    if (this.#allKnown()) return undefined;
    const known = this.#around.reduce((sum, pool) => sum + pool.#released.size, this.used);
    return this.#search(known + 1, (at) => !this.#reserved(at, identity, now));
  }

  /** It is of this pool, and nobody holds it. */
  isFree(at: number): boolean {
    return this.#has(at) && !this.space.leased.has(at);
  }

  take(at: number, identity: string): Lease {
    const lease = new Held(this, at, identity);
    this.space.leased.set(at, lease);
    for (const pool of this.#around) {
      if (!pool.#has(at)) continue;
      pool.used += 1;
      pool.#forget(at);
    }
    return lease;
  }

  release(lease: Held, until: number, remembered: number): void {
    const { at, identity } = lease;
    if (this.space.leased.get(at) !== lease) return;
    this.space.leased.delete(at);
    for (const pool of this.#around) if (pool.#has(at)) pool.used -= 1;
    this.#released.set(at, { identity, until, previous: this.#last.get(identity) });
    this.#last.set(identity, at);
    if (this.#released.size <= remembered) return;
    for (const oldest of this.#released.keys()) return this.#forget(oldest);
  }

  #forget(at: number): void {
    const was = this.#released.get(at);
    if (was === undefined) return;
    const { identity, previous } = was;
    this.#released.delete(at);
    if (this.#last.get(identity) !== at) return;
    if (previous !== undefined && this.#released.get(previous)?.identity === identity) this.#last.set(identity, previous);
    else this.#last.delete(identity);
  }

  /** Every address is held or remembered. */
  #allKnown(): boolean {
    return this.#around.length === 1 && this.used + this.#released.size >= this.size;
  }

  #reserved(at: number, identity: string | undefined, now: number): boolean {
    return this.#around.some((pool) => {
      const was = pool.#released.get(at);
      return was !== undefined && was.until > now && was.identity !== identity;
    });
  }

  /** The next address, at most `steps` further on and once around, that is not leased and passes. */
  #search(steps: number, passes: (at: number) => boolean): number | undefined {
    if (this.used >= this.size) return undefined;
    for (let left = Math.min(steps, this.size); left > 0; left--) {
      const at = this.#next;
      this.#advance();
      if (!this.space.leased.has(at) && passes(at)) return at;
    }
    return undefined;
  }

  #advance(): void {
    this.#next += 1;
    if (this.#next <= (this.intervals[this.#interval]?.to ?? 0)) return;
    this.#interval = (this.#interval + 1) % this.intervals.length;
    this.#next = this.intervals[this.#interval]?.from ?? 0;
  }

  #has(at: number): boolean {
    return this.intervals.some(({ from, to }) => from <= at && at <= to);
  }
}

function capped({ start, end }: AddressRange): AddressRange {
  return minus(end, start) < RANGE_MAX ? { start, end } : { start, end: plus(start, RANGE_MAX - 1) };
}

/** Joins what overlaps, so that an address in two pools has one number. */
function number(ranges: readonly AddressRange[]): readonly Segment[] {
  const segments: Segment[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => compareOctets(a.start, b.start))) {
    const before = segments.at(-1);
    if (before === undefined || compareOctets(start, before.end) > 0) {
      segments.push({ start, end, base: before === undefined ? 0 : before.base + minus(before.end, before.start) + 1 });
    } else if (compareOctets(end, before.end) > 0) segments[segments.length - 1] = { ...before, end };
  }
  return segments;
}

function union(intervals: readonly Interval[]): readonly Interval[] {
  const joined: Interval[] = [];
  for (const { from, to } of intervals.toSorted((a, b) => a.from - b.from)) {
    const before = joined.at(-1);
    if (before === undefined || from > before.to + 1) joined.push({ from, to });
    else if (to > before.to) joined[joined.length - 1] = { from: before.from, to };
  }
  return joined;
}

function subtract(intervals: readonly Interval[], gone: readonly Interval[]): readonly Interval[] {
  return union(gone).reduce<readonly Interval[]>(
    (left, hole) =>
      left.flatMap(({ from, to }) => {
        if (hole.to < from || hole.from > to) return [{ from, to }];
        return [
          { from, to: hole.from - 1 },
          { from: hole.to + 1, to },
        ].filter((part) => part.from <= part.to);
      }),
    intervals,
  );
}

/** a - b for a ≥ b; beyond 2^40 only that it is more. */
function minus(a: Uint8Array, b: Uint8Array): number {
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    if (difference > 2 ** 40) return difference; // what follows cannot bring it back below RANGE_MAX
    difference = difference * 256 + (a[i] ?? 0) - (b[i] ?? 0);
  }
  return difference;
}

/** address + n, n < 2^40. */
function plus(address: Uint8Array, n: number): Uint8Array {
  const sum = address.slice();
  let carry = n;
  for (let i = sum.length - 1; i >= 0 && carry > 0; i--) {
    carry += sum[i] ?? 0;
    sum[i] = carry % 256;
    carry = Math.floor(carry / 256);
  }
  return sum;
}
