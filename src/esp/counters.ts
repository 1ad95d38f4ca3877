/** What is counted: for each SA and for all of them, by direction, and every drop by its reason. */

/** Why a packet goes no further. `dummy` is no fault: RFC 4303 §2.6 wants it dropped in silence. */
const REASONS = [
  'short',
  'unknown-spi',
  'replay',
  'old',
  'integrity',
  'padding',
  'next-header',
  'dummy',
  'malformed',
  'source',
  'selector',
  'valve-shut',
  'quarantine',
  'firewall',
  'fragment',
  'no-route',
  'multicast',
  'too-big',
  'ttl',
  'lifetime',
  'exhausted',
] as const;

export type DropReason = (typeof REASONS)[number];

export type Counters = {
  inPackets: number;
  inOctets: number;
  outPackets: number;
  outOctets: number;
  /** Packets that were dropped, by direction: those from the client, and those to it. */
  inErrors: number;
  outErrors: number;
  readonly drops: Record<DropReason, number>;
};

export const newCounters = (): Counters => ({
  inPackets: 0,
  inOctets: 0,
  outPackets: 0,
  outOctets: 0,
  inErrors: 0,
  outErrors: 0,
  drops: noDrops(),
});

/** A copy that no later packet changes. */
export const copyOf = (c: Counters): Counters => ({ ...c, drops: { ...c.drops } });

/** Adds `more` to `sum`. */
export function add(sum: Counters, more: Counters): void {
  sum.inPackets += more.inPackets;
  sum.inOctets += more.inOctets;
  sum.outPackets += more.outPackets;
  sum.outOctets += more.outOctets;
  sum.inErrors += more.inErrors;
  sum.outErrors += more.outErrors;
  for (const reason of REASONS) sum.drops[reason] += more.drops[reason];
}

// The cast is the maker's: the list has every key.
const noDrops = () => Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
