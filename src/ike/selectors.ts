/**
 * Traffic selectors of a child SA (RFC 7296 §2.9, §2.9.2, §3.13.1): what the peer offers, cut to what policy permits. The
 * result is never wider than either.
 */
import { compareOctets, type TrafficSelector, TsType } from '../wire/index.ts';

/** Addresses of one family, with protocol (0 = any) and ports: `SelectorRange` of the configuration fits. */
export type SelectorRange = {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
};
/** `src`: our side, for TSr; `dst`: the client's, for TSi. */
export type SelectorPolicy = {
  readonly name: string;
  readonly src: readonly SelectorRange[];
  readonly dst: readonly SelectorRange[];
};

export type Sides = { readonly TSi: readonly TrafficSelector[]; readonly TSr: readonly TrafficSelector[] };
/** `old`: the selectors of the child that a rekey replaces. */
export type SelectorOffer = Sides & { readonly old?: Sides | undefined };
export type Assigned = { readonly ipv4: Uint8Array | undefined; readonly ipv6: Uint8Array | undefined };
export type NarrowOptions = {
  /** Addresses are assigned: the client's side is its lease, whatever else it offers. */
  readonly modeCfg: boolean;
  /** mode-cfg-allow-client-selector: the client's own selectors are good, too, within `dst`; "everything" is still the lease. */
  readonly allowClientSelector: boolean;
};

/** A selector with addresses. */
export type RangeSelector = Exclude<TrafficSelector, { readonly type: 'other' }>;

export type Narrowed<P extends SelectorPolicy = SelectorPolicy> = {
  readonly phase2: P;
  readonly TSi: readonly RangeSelector[];
  readonly TSr: readonly RangeSelector[];
  /** FortiOS' words for the match with the phase 2: `subset`, all of the offer lies in it; `intersection`, a part. */
  readonly rule: 'subset' | 'intersection';
  /** Which rule of §2.9 was applied: 2 the whole offer, 3 a part with the first selectors in it, 4 a part without them. */
  readonly rfcRule: 2 | 3 | 4;
  /** More would be acceptable in an SA of its own: ADDITIONAL_TS_POSSIBLE. */
  readonly additional: boolean;
};

/** Selectors of one side of an answer at most; what is beyond is left out, which only narrows. */
export const SELECTORS_MAX = 64;

/**
 * Narrows an offer.
 *
 * @param policies phase 2 in configured order; one that takes the offer's first selectors comes before one that does not (§2.9)
 * @param assigned addresses of the client, 4 and 16 octets
 * @returns undefined when nothing is acceptable, or when a rekey would come out narrower than what it replaces (§2.9.2):
 *   TS_UNACCEPTABLE
 */
export function narrow<P extends SelectorPolicy>(
  offer: SelectorOffer,
  policies: readonly P[],
  assigned: Assigned,
  options: NarrowOptions,
): Narrowed<P> | undefined {
  const offered = { TSi: usable(offer.TSi), TSr: usable(offer.TSr) };
  let best: Narrowed<P> | undefined;
  let others = false;
  for (const phase2 of policies) {
    const narrowed = narrowTo(phase2, offer, offered, assigned, options);
    if (narrowed === undefined) continue;
    if (best === undefined) best = narrowed;
    else if (narrowed.rfcRule < best.rfcRule && best.rfcRule === 4) [best, others] = [narrowed, true];
    else others ||= !(within(narrowed.TSi, best.TSi) && within(narrowed.TSr, best.TSr));
  }
  return best && { ...best, additional: best.additional || others };
}

/** True when every selector of `inner` lies in one of `outer`. Selectors of unknown types never do. */
export function within(inner: readonly TrafficSelector[], outer: readonly TrafficSelector[]): boolean {
  const ranges = usable(outer);
  return inner.every((ts) => ts.type !== 'other' && ranges.some((range) => covers(range, ts)));
}

type Offered = { readonly TSi: readonly RangeSelector[]; readonly TSr: readonly RangeSelector[] };

function narrowTo<P extends SelectorPolicy>(
  phase2: P,
  { old, ...given }: SelectorOffer,
  offered: Offered,
  assigned: Assigned,
  options: NarrowOptions,
): Narrowed<P> | undefined {
  const client = clientSide(offered.TSi, phase2.dst, assigned, options);
  const ours = intersect(offered.TSr, phase2.src);
  const TSi = client.all.filter((a) => ours.all.some((b) => a.type === b.type));
  const TSr = ours.all.filter((b) => client.all.some((a) => a.type === b.type)); // a family on one side alone carries nothing
  if (TSi.length === 0 || TSr.length === 0) return undefined;
  if (old !== undefined && !(within(old.TSi, TSi) && within(old.TSr, TSr))) return undefined;
  const subset = inside(offered.TSi, phase2.dst) && inside(offered.TSr, phase2.src);
  const first = holdsFirst(given.TSi, TSi) && holdsFirst(given.TSr, TSr);
  const whole = within(given.TSi, TSi) && within(given.TSr, TSr);
  return {
    phase2,
    TSi,
    TSr,
    rule: subset ? 'subset' : 'intersection',
    rfcRule: whole ? 2 : first ? 3 : 4,
    additional: client.more || ours.more,
  };
}

/** The client's side. With a lease it is that address and no other: what its packets may come from. */
function clientSide(
  offered: readonly RangeSelector[],
  dst: readonly SelectorRange[],
  { ipv4, ipv6 }: Assigned,
  { modeCfg, allowClientSelector }: NarrowOptions,
): Cut {
  if (!modeCfg) return intersect(offered, dst);
  const leases = [ipv4, ipv6].flatMap((address) =>
    address === undefined
      ? []
      : dst.flatMap((range) => (contains(range, address) ? [{ ...range, start: address, end: address }] : [])),
  );
  if (!allowClientSelector) return intersect(offered, leases);
  const [all, own] = [offered.filter(isEverything), offered.filter((ts) => !isEverything(ts))];
  const [lease, custom] = [intersect(all, leases), intersect(own, dst)];
  const both = intersect([...lease.all, ...custom.all], [...leases, ...dst]);
  return { all: both.all, more: lease.more || custom.more || both.more };
}

type Cut = { readonly all: readonly RangeSelector[]; readonly more: boolean };

/** What both have, without selectors that another one covers, in the order of the offer. */
function intersect(offered: readonly RangeSelector[], policy: readonly SelectorRange[]): Cut {
  let all: RangeSelector[] = [];
  let more = false;
  for (const ts of offered) {
    for (const range of policy) {
      const both = common(ts, range);
      if (both === undefined || all.some((one) => covers(one, both))) continue;
      all = all.filter((one) => !covers(both, one));
      if (all.length < SELECTORS_MAX) all.push(both);
      else more = true;
    }
  }
  return { all, more };
}

function common(ts: RangeSelector, range: SelectorRange): RangeSelector | undefined {
  if (ts.start.length !== range.start.length) return undefined;
  const protocol = ts.protocol === 0 ? range.protocol : ts.protocol;
  if (range.protocol !== 0 && range.protocol !== protocol) return undefined;
  const ports = commonPorts(ts, range);
  if (ports === undefined || compareOctets(ts.start, range.end) > 0 || compareOctets(range.start, ts.end) > 0) return undefined;
  // What the peer sent is a view of its datagram: the answer lives as long as the SA and must not hold on to that.
  const start = compareOctets(ts.start, range.start) > 0 ? ts.start.slice() : range.start;
  const end = compareOctets(ts.end, range.end) < 0 ? ts.end.slice() : range.end;
  return { type: ts.type, protocol, ...ports, start, end };
}

type Ports = { readonly startPort: number; readonly endPort: number };

/** OPAQUE (65535-0: the ports cannot be seen) fits into a policy for all ports only (RFC 4301 §4.4.1.1). */
function commonPorts(ts: Ports, range: Ports): Ports | undefined {
  if (isOpaque(ts) || isOpaque(range)) {
    const fits = (isOpaque(ts) || allPorts(ts)) && (isOpaque(range) || allPorts(range));
    return fits ? { startPort: 65535, endPort: 0 } : undefined;
  }
  const startPort = Math.max(ts.startPort, range.startPort);
  const endPort = Math.min(ts.endPort, range.endPort);
  return startPort > endPort ? undefined : { startPort, endPort };
}

function covers(outer: SelectorRange, inner: SelectorRange): boolean {
  return (
    outer.start.length === inner.start.length &&
    (outer.protocol === 0 || outer.protocol === inner.protocol) &&
    portsCover(outer, inner) &&
    compareOctets(outer.start, inner.start) <= 0 &&
    compareOctets(outer.end, inner.end) >= 0
  );
}

function portsCover(outer: Ports, inner: Ports): boolean {
  if (isOpaque(inner)) return isOpaque(outer) || allPorts(outer);
  return outer.startPort <= inner.startPort && outer.endPort >= inner.endPort;
}

const isOpaque = ({ startPort, endPort }: Ports): boolean => startPort === 65535 && endPort === 0;
const allPorts = ({ startPort, endPort }: Ports): boolean => startPort === 0 && endPort === 65535;
const isEverything = ({ start, end }: RangeSelector): boolean => start.every((o) => o === 0) && end.every((o) => o === 0xff);
const contains = ({ start, end }: SelectorRange, address: Uint8Array): boolean =>
  start.length === address.length && compareOctets(start, address) <= 0 && compareOctets(address, end) <= 0;
const inside = (offered: readonly RangeSelector[], policy: readonly SelectorRange[]): boolean =>
  offered.every((ts) => policy.some((range) => covers(range, ts)));

/** §2.9: the answer includes the initiator's first choice. One of an unknown type is passed over. */
function holdsFirst(offered: readonly TrafficSelector[], answer: readonly RangeSelector[]): boolean {
  const [first] = usable(offered);
  return first !== undefined && answer.some((ts) => covers(ts, first));
}

/** §2.9 passes over unknown types; a range that ends before it starts holds nothing. */
function usable(selectors: readonly TrafficSelector[]): RangeSelector[] {
  return selectors.filter((ts): ts is RangeSelector => {
    if (ts.type === 'other') return false;
    const size = ts.type === TsType.IPV4_ADDR_RANGE ? 4 : 16;
    if (ts.start.length !== size || ts.end.length !== size) return false;
    return compareOctets(ts.start, ts.end) <= 0;
  });
}
