/**
 * Judging traffic selectors (RFC 7296 §2.9): what the gateway gives back must lie inside what was offered, each address of it.
 */
import type { TrafficSelector } from '../wire/index.ts';
import { compare, selectorText } from './octets.ts';

type Range = Exclude<TrafficSelector, { type: 'other' }>;

/** Why these selectors are no narrowing of the offered ones; undefined when they are one. */
export function outside(chosen: readonly TrafficSelector[], offered: readonly TrafficSelector[]): string | undefined {
  const bad = chosen.find((ts) => !inside(ts, offered));
  return bad === undefined ? undefined : `${selectorText(bad)} is outside what was offered`;
}

/** Offered selectors that touch each other count as one: a range may span two of them. */
function inside(ts: TrafficSelector, offered: readonly TrafficSelector[]): boolean {
  if (ts.type === 'other' || compare(ts.start, ts.end) > 0) return false;
  const fitting = offered
    .filter((o): o is Range => o.type === ts.type && covers(o, ts))
    .sort((a, b) => compare(a.start, b.start));
  let from: Uint8Array | undefined = ts.start;
  for (const o of fitting) {
    if (from === undefined) return true;
    if (compare(o.start, from) > 0) return false;
    if (compare(o.end, from) >= 0) from = compare(o.end, ts.end) >= 0 ? undefined : after(o.end);
  }
  return from === undefined;
}

/** The address behind this one; there is one, since a larger one is wanted. */
function after(address: Uint8Array): Uint8Array {
  const next = address.slice();
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i] ?? 0) + 1; // the array takes it modulo 256
    if (next[i] !== 0) break;
  }
  return next;
}

/** Protocol and ports; OPAQUE ports (65535-0) are inside ANY and themselves only. */
function covers(o: Range, ts: Range): boolean {
  if (o.protocol !== 0 && o.protocol !== ts.protocol) return false;
  if (o.startPort === 0 && o.endPort === 0xffff) return true;
  if (o.startPort > o.endPort || ts.startPort > ts.endPort) return o.startPort === ts.startPort && o.endPort === ts.endPort;
  return o.startPort <= ts.startPort && ts.endPort <= o.endPort;
}
