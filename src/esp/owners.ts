/**
 * Who is behind an inner address: a client with its children, newest first. Found by one hash look-up however many there are;
 * a child without a lease whose selectors are wider than single addresses is looked for in a list.
 */
import type { PostureTag } from '../posture/index.ts';
import { add, type Counters, newCounters } from './counters.ts';
import type { Holder } from './firewall.ts';
import type { Inner } from './ip.ts';
import { isSource, type Words, wordsOf } from './ranges.ts';
import type { EspChild, Sa } from './sa.ts';

export type Owner = Holder & {
  number: number;
  readonly gateway: string;
  user: string | undefined;
  groups: readonly string[];
  tags: readonly PostureTag[];
  readonly leases: Words[];
  /** Everything that it is found by. */
  readonly listed: Words[];
  /** Newest first, but for the one that is awaited. */
  readonly children: Sa[];
  /** The last one, which the client may not have yet: nothing is sent on it while there is another. */
  awaited: Sa | undefined;
  /** Children that have been replaced, or will be deleted for another: they still hear. */
  readonly retired: Sa[];
  /** The last authentic packet of the client, the first one sent to it since, and the last one; infinite: none. */
  heard: number;
  unanswered: number;
  sent: number;
  /** What children that are gone have carried. */
  readonly past: Counters;
};

type Entry = { readonly words: Words; readonly owner: Owner; next: Entry | undefined };

export class Owners {
  readonly #byName = new Map<string, Owner>();
  readonly #byAddress = new Map<number, Entry>();
  /** Owners of no single address. */
  readonly #wide = new Set<Owner>();
  #last = 0;

  /** The client of a child, which is new when it has no other child. */
  of({ gateway, profile, user, groups = [] }: EspChild): Owner {
    const known = this.#byName.get(gateway);
    if (known !== undefined) {
      known.user = user;
      known.groups = groups;
      return known;
    }
    const owner: Owner = {
      ...{ number: this.#number(), gateway, profile, user, groups, tags: [], leases: [], listed: [], children: [], retired: [] },
      awaited: undefined,
      ...{ heard: Number.NEGATIVE_INFINITY, unanswered: Number.POSITIVE_INFINITY, sent: Number.NEGATIVE_INFINITY },
      past: newCounters(),
    };
    this.#byName.set(gateway, owner);
    return owner;
  }

  add(sa: Sa, { leases, awaited = false, redundant = false }: EspChild): void {
    const { owner } = sa;
    if (redundant && owner.children.length > 0) {
      owner.retired.push(sa);
      return;
    }
    if (awaited) this.arrived(owner); // who asks for the next one has had our last answer
    if (awaited && owner.children.length > 0) {
      owner.children.push(sa);
      owner.awaited = sa;
    } else owner.children.unshift(sa);
    const addresses = leases.length > 0 ? leases.map(wordsOf) : sa.TSi.hosts;
    if (addresses === undefined) this.#wide.add(owner);
    for (const words of addresses ?? []) {
      // What we have given to one, no other gets by claiming it.
      if (leases.length === 0 && this.#leased(words, owner)) continue;
      if (leases.length > 0 && !owner.leases.some((w) => same(w, words))) owner.leases.push(words);
      if (!owner.listed.some((w) => same(w, words))) owner.listed.push(words);
      // The latest holder of an address is its holder.
      this.#unlist(words);
      const key = hash(words.version, words.w0, words.w1, words.w2, words.w3);
      this.#byAddress.set(key, { words, owner, next: this.#byAddress.get(key) });
    }
  }

  /** The client has what was awaited. */
  arrived(owner: Owner): void {
    const { awaited } = owner;
    if (awaited === undefined) return;
    owner.awaited = undefined;
    if (takeOut(owner.children, awaited)) owner.children.unshift(awaited);
  }

  /**
   * Nothing is sent on it any more; what is awaited takes its place only where nothing else is left: if we put it down for one
   * of ours, the client may not have the other yet. False: the client would have no child left.
   */
  retire(sa: Sa): boolean {
    const { children, retired } = sa.owner;
    if (retired.includes(sa)) return true;
    if (children.length < 2) return false;
    if (!takeOut(children, sa)) return false;
    retired.push(sa);
    return true;
  }

  remove(sa: Sa): void {
    const { owner } = sa;
    takeOut(owner.children, sa);
    takeOut(owner.retired, sa);
    add(owner.past, sa.counters);
    if (owner.children.length > 0) return;
    if (this.#byName.get(owner.gateway) === owner) this.#byName.delete(owner.gateway);
    this.#wide.delete(owner);
    for (const words of owner.listed) this.#unlist(words, owner);
  }

  /** New rights: flows that were allowed by the old ones are judged again. */
  entitle(owner: Owner, tags: readonly PostureTag[]): void {
    const spell = (all: readonly PostureTag[]) =>
      all
        .map(({ ems, type, name }) => `${ems} ${type} ${name}`)
        .sort()
        .join('\n');
    if (spell(owner.tags) === spell(tags)) return;
    owner.tags = tags;
    owner.number = this.#number();
  }

  destination(p: Inner): Owner | undefined {
    let entry = this.#byAddress.get(hash(p.version, p.d0, p.d1, p.d2, p.d3));
    for (; entry !== undefined; entry = entry.next) {
      const { version, w0, w1, w2, w3 } = entry.words;
      if (w3 === p.d3 && w0 === p.d0 && w1 === p.d1 && w2 === p.d2 && version === p.version) return entry.owner;
    }
    if (this.#wide.size === 0) return undefined;
    for (const owner of this.#wide) for (const sa of owner.children) if (sa.TSi.destination(p)) return owner;
    return undefined;
  }

  /** RFC 4301 §5.2: the source must be the client's own address; of one that we gave none, no address that we gave to another. */
  ownSource(owner: Owner, p: Inner): boolean {
    const { leases } = owner;
    if (leases.length === 0) {
      const entry = this.#byAddress.get(hash(p.version, p.s0, p.s1, p.s2, p.s3));
      return entry === undefined || !this.#leased({ version: p.version, w0: p.s0, w1: p.s1, w2: p.s2, w3: p.s3 }, owner);
    }
    for (const words of leases) if (isSource(words, p)) return true;
    return false;
  }

  /** Another client has it as its lease. */
  #leased(words: Words, owner: Owner): boolean {
    let entry = this.#byAddress.get(hash(words.version, words.w0, words.w1, words.w2, words.w3));
    for (; entry !== undefined; entry = entry.next)
      if (same(entry.words, words)) return entry.owner !== owner && entry.owner.leases.some((lease) => same(lease, words));
    return false;
  }

  #number(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Takes an address from its holder, or only from this one. */
  #unlist(words: Words, owner?: Owner): void {
    const key = hash(words.version, words.w0, words.w1, words.w2, words.w3);
    let left: Entry | undefined;
    for (let entry = this.#byAddress.get(key); entry !== undefined; entry = entry.next)
      if (!same(entry.words, words) || (owner !== undefined && entry.owner !== owner)) left = { ...entry, next: left };
    if (left === undefined) this.#byAddress.delete(key);
    else this.#byAddress.set(key, left);
  }
}

function takeOut(from: Sa[], sa: Sa): boolean {
  const at = from.indexOf(sa);
  if (at >= 0) from.splice(at, 1);
  return at >= 0;
}

const same = (a: Words, b: Words): boolean =>
  a.version === b.version && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;

const hash = (version: number, w0: number, w1: number, w2: number, w3: number): number =>
  version === 4 ? w3 | 0 : (Math.imul(w0, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca6b) ^ Math.imul(w2, 0xc2b2ae35) ^ w3) | 0;
