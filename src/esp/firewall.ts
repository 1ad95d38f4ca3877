/**
 * `config firewall policy` between a phase1-interface and the inside, stateful as FortiOS is: the first policy that matches a
 * new flow decides, none means no; what belongs to an accepted flow passes both ways until it has been idle for too long.
 *
 * A profile that no policy names is open to and from the inside, never from client to client. Later fragments carry no ports:
 * they share the fate of their first fragment, and are dropped when that was not seen.
 */
import type { FirewallRule, FirewallService } from '../config/index.ts';
import type { PostureTag } from '../posture/index.ts';
import { type FlowKey, Flows } from './flows.ts';
import { Inner, Protocol } from './ip.ts';
import { holdsDestination, holdsSource, type Span, spanOf } from './ranges.ts';

/** Idle flows are forgotten (ms). */
const IDLE = { tcp: 3_600_000, other: 180_000, icmp: 60_000, fragments: 30_000 };
const FRAGMENTS = 0x10000;

/** Whose flow it is: one authenticated client. */
export type Holder = {
  /** Never given twice; another number when its rights change. */
  readonly number: number;
  readonly profile: string;
  readonly user: string | undefined;
  readonly groups: readonly string[];
  readonly tags: readonly PostureTag[];
};

type Rule = FirewallRule & { readonly src: readonly Span[]; readonly dst: readonly Span[] };

/** Does a policy name this phase1-interface, whatever it is about? If none does, it is open to the inside and from there. */
export const isRuled = (rules: readonly FirewallRule[], tunnel: string): boolean =>
  rules.some(({ srcintf, dstintf }) => names(srcintf, tunnel) || names(dstintf, tunnel));

export class Firewall {
  readonly #rules: readonly Rule[];
  readonly #tunnels: ReadonlySet<string>;
  readonly #flows: Flows;
  readonly #open: ReadonlySet<string>;
  readonly #quoted = new Inner();
  readonly #key: FlowKey = { owner: 0, kind: 0, ports: 0, a0: 0, a1: 0, a2: 0, a3: 0, b0: 0, b1: 0, b2: 0, b3: 0 };

  /**
   * @param rules all of them in their order
   * @param tunnels names of phase1-interfaces: every other interface is the inside
   */
  constructor(rules: readonly FirewallRule[], tunnels: readonly string[], mostFlows: number) {
    this.#rules = rules.map((rule) => ({ ...rule, src: rule.from.map(spanOf), dst: rule.to.map(spanOf) }));
    this.#tunnels = new Set(tunnels);
    this.#flows = new Flows(mostFlows);
    this.#open = new Set(tunnels.filter((name) => !isRuled(rules, name)));
  }

  get flows(): number {
    return this.#flows.count;
  }

  /** A packet of a client to the inside, or to another client (`to`). */
  fromClient(b: Uint8Array, p: Inner, from: Holder, to: Holder | undefined, now: number): boolean {
    if (to === undefined && this.#open.has(from.profile)) return true;
    if (this.#known(p, from, false, now)) return true;
    if (to !== undefined && this.#known(p, to, true, now)) return true;
    if (p.fragment === 'later') return false;
    if (p.complaint && this.#about(b, p, from, to, now)) return true;
    if (!this.#allows(p, from, to)) return false;
    this.#remember(p, from, false, now);
    return true;
  }

  /** A packet of the inside to a client. */
  toClient(b: Uint8Array, p: Inner, to: Holder, now: number): boolean {
    if (this.#open.has(to.profile)) return true;
    if (this.#known(p, to, true, now)) return true;
    if (p.fragment === 'later') return false;
    if (p.complaint && this.#about(b, p, to, to, now)) return true;
    if (!this.#allows(p, undefined, to)) return false;
    this.#remember(p, to, true, now);
    return true;
  }

  #known(p: Inner, holder: Holder, towards: boolean, now: number): boolean {
    if (p.fragment === 'later') return this.#flows.touch(this.#fragments(p, holder, towards), now, IDLE.fragments);
    if (!this.#flows.touch(this.#flow(p, holder, towards), now, idleOf(p))) return false;
    if (p.fragment === 'first') this.#flows.add(this.#fragments(p, holder, towards), now, IDLE.fragments);
    return true;
  }

  #remember(p: Inner, holder: Holder, towards: boolean, now: number): void {
    this.#flows.add(this.#flow(p, holder, towards), now, idleOf(p));
    if (p.fragment === 'first') this.#flows.add(this.#fragments(p, holder, towards), now, IDLE.fragments);
  }

  /** An ICMP complaint belongs to the flow of the packet that it quotes, which went the other way. */
  #about(b: Uint8Array, p: Inner, one: Holder, other: Holder | undefined, now: number): boolean {
    const q = this.#quoted;
    const at = p.l4 + 8;
    if (!q.parse(b, at, p.at + p.length - at, true) || q.fragment === 'later') return false;
    // Who complains of a packet has had it: the quoted source is whom it complains to.
    if (q.version !== p.version || q.s0 !== p.d0 || q.s1 !== p.d1 || q.s2 !== p.d2 || q.s3 !== p.d3) return false;
    for (const holder of [one, other ?? one])
      if (this.#known(q, holder, false, now) || this.#known(q, holder, true, now)) return true;
    return false;
  }

  /** The key as seen from the holder: `towards` turns a packet that goes to it. */
  #flow(p: Inner, holder: Holder, towards: boolean): FlowKey {
    const key = this.#ends(p, holder, towards);
    key.kind = (p.protocol << 8) | p.version;
    key.ports = (towards ? (p.dport << 16) | p.sport : (p.sport << 16) | p.dport) >>> 0;
    return key;
  }

  #fragments(p: Inner, holder: Holder, towards: boolean): FlowKey {
    const key = this.#ends(p, holder, towards);
    key.kind = FRAGMENTS * (towards ? 3 : 1) + ((p.version === 4 ? p.protocol << 8 : 0) | p.version);
    key.ports = p.fragmentId;
    return key;
  }

  #ends(p: Inner, { number }: Holder, towards: boolean): FlowKey {
    const key = this.#key;
    key.owner = number;
    key.a0 = towards ? p.d0 : p.s0;
    key.a1 = towards ? p.d1 : p.s1;
    key.a2 = towards ? p.d2 : p.s2;
    key.a3 = towards ? p.d3 : p.s3;
    key.b0 = towards ? p.s0 : p.d0;
    key.b1 = towards ? p.s1 : p.d1;
    key.b2 = towards ? p.s2 : p.d2;
    key.b3 = towards ? p.s3 : p.d3;
    return key;
  }

  /** The first policy that fits a new flow. */
  #allows(p: Inner, from: Holder | undefined, to: Holder | undefined): boolean {
    for (const rule of this.#rules) {
      if (!this.#interfaces(rule.srcintf, from) || !this.#interfaces(rule.dstintf, to)) continue;
      if (!rule.src.some((span) => holdsSource(span, p)) || !rule.dst.some((span) => holdsDestination(span, p))) continue;
      if (!rule.services.some((service) => serves(service, p))) continue;
      if (!entitled(rule, from)) continue;
      return rule.accept;
    }
    return false;
  }

  #interfaces(list: readonly string[], holder: Holder | undefined): boolean {
    if (holder !== undefined) return names(list, holder.profile);
    return list.some((name) => name === 'any' || !this.#tunnels.has(name));
  }
}

const names = (list: readonly string[], name: string): boolean => list.includes(name) || list.includes('any');

/** Users, groups and tags are of the one who speaks; from the inside nobody has any. */
function entitled({ users, groups, tags }: Rule, from: Holder | undefined): boolean {
  if (users.length + groups.length > 0) {
    const known = from?.user !== undefined && users.includes(from.user);
    if (!known && !groups.some((group) => from?.groups.includes(group))) return false;
  }
  return tags.every((set) => set.some((tag) => from?.tags.some((held) => sameTag(held, tag))));
}

const sameTag = (a: PostureTag, b: PostureTag): boolean => a.ems === b.ems && a.type === b.type && a.name === b.name;

function serves(s: FirewallService, p: Inner): boolean {
  if (s.protocol !== 0 && s.protocol !== p.protocol) return false;
  if (p.icmp >= 0) return (s.icmpType < 0 || p.icmp >>> 8 === s.icmpType) && (s.icmpCode < 0 || (p.icmp & 255) === s.icmpCode);
  return p.dport >= s.startPort && p.dport <= s.endPort && p.sport >= s.startSource && p.sport <= s.endSource;
}

function idleOf({ protocol }: Inner): number {
  if (protocol === Protocol.TCP) return IDLE.tcp;
  return protocol === Protocol.ICMP || protocol === Protocol.ICMPv6 ? IDLE.icmp : IDLE.other;
}
