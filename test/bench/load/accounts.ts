/**
 * Where every packet went: from hop to hop, what left one is what came to the next, less what somebody has counted as dropped.
 *
 *   in    clients ─ socket ─► daemon ─ data plane ─► inside
 *   out                       inside ─ data plane ─► daemon ─ socket ─► clients
 *
 * An echo goes both ways. What no counter explains is a fault of the gateway, or of these accounts.
 */
import type { Counts, Direction } from './protocol.ts';

export type Hop = {
  readonly name: string;
  readonly left: number;
  readonly came: number;
  /** Drops by the name of their counter. */
  readonly drops: Counts;
  /** The kernel's count of what did not fit a socket: each may have been a whole run of packets. */
  readonly full: number;
};

/** What is counted on the way, since some beginning. */
export type Ledger = {
  readonly clientsSent: number;
  readonly clientsReceived: number;
  readonly keepalives: number;
  /** What the clients' sockets refused to send. */
  readonly refused: Counts;
  /** By the kernel, where sockets were full: the gateway's, and the clients'. */
  readonly fullGateway: number;
  readonly fullClients: number;
  readonly gateway: Counts;
};

/** UDP_MAX_SEGMENTS. */
const MOST_RUN = 64;

export function hops(direction: Direction, l: Ledger): readonly Hop[] {
  const of = (name: string) => l.gateway[name] ?? 0;
  const dropped = (pick: (name: string) => boolean): Counts =>
    Object.fromEntries(Object.entries(l.gateway).filter(([name, n]) => n !== 0 && pick(name)));
  // Reasons are for both ways together; the sums by direction are what has to come out.
  const inward: readonly Hop[] = [
    { name: 'clients → daemon', left: l.clientsSent, came: of('received'), drops: {}, full: l.fullGateway },
    {
      ...{ name: 'daemon → data plane', left: of('received'), came: of('inPackets'), full: 0 },
      drops: { inErrors: of('inErrors'), 'esp-dummy': of('esp-dummy') },
    },
    { name: 'data plane → inside', left: of('inPackets'), came: of('insideDelivered'), drops: {}, full: 0 },
  ];
  const outward: readonly Hop[] = [
    {
      ...{ name: 'inside → data plane', left: of('insideSent'), came: of('outPackets'), full: 0 },
      drops: { outErrors: of('outErrors') },
    },
    {
      ...{ name: 'data plane → socket', left: of('outPackets'), came: of('sent') - l.keepalives, full: 0 },
      drops: dropped((name) => name === 'queueFull' || name === 'noSocket' || name.startsWith('failed_')),
    },
    { name: 'socket → clients', left: of('sent') - l.keepalives, came: l.clientsReceived, drops: {}, full: l.fullClients },
  ];
  return [...(direction === 'out' ? [] : inward), ...(direction === 'in' ? [] : outward)];
}

/** Packets that left and neither came nor were counted as dropped; below zero: that came from nowhere. */
export function unexplained({ left, came, drops, full }: Hop): number {
  const missing = left - came - Object.values(drops).reduce((sum, n) => sum + n, 0);
  return missing - Math.min(Math.max(missing, full), full * MOST_RUN);
}

/** What was lost, by name: for people. */
export function losses(direction: Direction, l: Ledger): readonly string[] {
  const reasons = Object.entries(l.gateway).filter(([name, n]) => n > 0 && name.startsWith('esp-'));
  const elsewhere = hops(direction, l).flatMap(({ name, drops, full }) => [
    ...Object.entries(drops).filter(([reason, n]) => n > 0 && !reason.startsWith('esp-') && !reason.endsWith('Errors')),
    ...(full > 0 ? [[`socket full, ${name}`, full] as const] : []),
  ]);
  const refused = Object.entries(l.refused).filter(([, n]) => n > 0);
  return [...reasons, ...elsewhere, ...refused.map(([why, n]) => [`clients: ${why}`, n] as const)].map(([r, n]) => `${n} × ${r}`);
}

/** What nobody can explain, and what must not be at all: for people. */
export function faults(direction: Direction, l: Ledger, wrong: number): readonly string[] {
  const strange = hops(direction, l).flatMap((hop) => {
    const n = unexplained(hop);
    return n === 0 ? [] : [`${hop.name}: ${hop.left} left, ${hop.came} came, ${n} unexplained`];
  });
  const bad = wrong + (l.gateway['insideWrong'] ?? 0);
  const faulty = Object.entries(l.gateway).filter(([name, n]) => n > 0 && /fault/i.test(name));
  return [
    ...strange,
    ...(bad > 0 ? [`${bad} packets are not what they should be`] : []),
    ...faulty.map(([name, n]) => `${n} × ${name}`),
  ];
}

/** What `after` has more than `before`. */
export const grown = (before: Counts, after: Counts): Counts =>
  Object.fromEntries(Object.entries(after).map(([name, n]) => [name, n - (before[name] ?? 0)]));

/**
 * The kernel's drops at UDP sockets of these ports: the last column of /proc/net/udp.
 *
 *     sl local_address:port … drops
 */
export function socketDrops(text: string, ports: readonly number[]): number {
  let drops = 0;
  for (const line of text.trim().split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (ports.includes(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16))) drops += Number(fields.at(-1));
  }
  return drops;
}
