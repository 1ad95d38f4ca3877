/** Address ranges and traffic selectors in the form that packets are compared with: four words at each end. */
import type { Range } from '../config/index.ts';
import type { Inner } from './ip.ts';
import { read32 } from './packet.ts';

/** A traffic selector (§3.13.1): protocol 0 is any, ports as on the wire; ICMP's port is type and code (RFC 4301 §4.4.1.1). */
export type Selector = Range & { readonly protocol: number; readonly startPort: number; readonly endPort: number };

export type Words = {
  readonly version: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
};
export type Span = { readonly start: Words; readonly end: Words };

export function wordsOf(octets: Uint8Array): Words {
  if (octets.length === 4) return { version: 4, w0: 0, w1: 0, w2: 0, w3: read32(octets, 0) };
  return { version: 6, w0: read32(octets, 0), w1: read32(octets, 4), w2: read32(octets, 8), w3: read32(octets, 12) };
}

export const spanOf = ({ start, end }: Range): Span => ({ start: wordsOf(start), end: wordsOf(end) });

export const holdsSource = ({ start, end }: Span, p: Inner): boolean =>
  start.version === p.version &&
  notAbove(start.w0, start.w1, start.w2, start.w3, p.s0, p.s1, p.s2, p.s3) &&
  notAbove(p.s0, p.s1, p.s2, p.s3, end.w0, end.w1, end.w2, end.w3);

export const holdsDestination = ({ start, end }: Span, p: Inner): boolean =>
  start.version === p.version &&
  notAbove(start.w0, start.w1, start.w2, start.w3, p.d0, p.d1, p.d2, p.d3) &&
  notAbove(p.d0, p.d1, p.d2, p.d3, end.w0, end.w1, end.w2, end.w3);

export const isSource = (w: Words, p: Inner): boolean =>
  w.version === p.version && w.w3 === p.s3 && w.w0 === p.s0 && w.w1 === p.s1 && w.w2 === p.s2;

function notAbove(a0: number, a1: number, a2: number, a3: number, b0: number, b1: number, b2: number, b3: number): boolean {
  if (a0 !== b0) return a0 < b0;
  if (a1 !== b1) return a1 < b1;
  if (a2 !== b2) return a2 < b2;
  return a3 <= b3;
}

/** The selectors of one side. */
export class Selectors {
  readonly #all: readonly { readonly span: Span; readonly protocol: number; readonly from: number; readonly to: number }[];

  constructor(selectors: readonly Selector[]) {
    this.#all = selectors.map((s) => ({ span: spanOf(s), protocol: s.protocol, from: s.startPort, to: s.endPort }));
  }

  /** The one address that they name, whatever the ports. */
  get hosts(): readonly Words[] | undefined {
    const single = this.#all.every(
      ({ span: { start: s, end: e } }) => s.w0 === e.w0 && s.w1 === e.w1 && s.w2 === e.w2 && s.w3 === e.w3,
    );
    return single ? this.#all.map(({ span }) => span.start) : undefined;
  }

  source(p: Inner): boolean {
    for (const s of this.#all) if (fits(s, p, p.sport) && holdsSource(s.span, p)) return true;
    return false;
  }

  destination(p: Inner): boolean {
    for (const s of this.#all) if (fits(s, p, p.dport) && holdsDestination(s.span, p)) return true;
    return false;
  }
}

/** A later fragment has no port: only selectors of all ports hold it, or of those that cannot be seen, OPAQUE (RFC 4301 §7). */
function fits({ protocol, from, to }: { protocol: number; from: number; to: number }, p: Inner, port: number): boolean {
  if (protocol !== 0 && protocol !== p.protocol) return false;
  if (from === 0 && to === 0xffff) return true;
  if (p.fragment === 'later') return from === 0xffff && to === 0;
  const value = p.icmp >= 0 ? p.icmp : port;
  return value >= from && value <= to;
}
