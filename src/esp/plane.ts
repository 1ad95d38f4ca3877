/**
 * The data plane: ESP in tunnel mode between the outer network and the inside. Pure and synchronous: packets go in with the
 * time, and come out through the two functions of `Sink` before the call returns; what IKE should know waits in `take`.
 *
 *   inbound:  SPI → window → open → mark → trailer → inner packet → valve → source → selectors → firewall → inside
 *   outbound: inner packet → lease address → selectors → valve → firewall → size → number → seal → path
 */
import type { FirewallRule, Range } from '../config/index.ts';
import type { Clearance } from '../posture/index.ts';
import { add, type Counters, copyOf, type DropReason, newCounters } from './counters.ts';
import { Firewall } from './firewall.ts';
import { hop, Inner, toMany } from './ip.ts';
import { type Owner, Owners } from './owners.ts';
import { ESP_HEADER, HEADROOM, NextHeader, pad, read32, TAILROOM, unpad, write32 } from './packet.ts';
import { holdsDestination, type Span, spanOf } from './ranges.ts';
import { REPLAYED } from './replay.ts';
import { Retired } from './retired.ts';
import { type EspChild, type Path, Sa } from './sa.ts';
import { COMPLAINT_OCTETS, clampMss, complain, fragment, mayFragment } from './tooBig.ts';

/** Where packets go. The octets are the caller's only during the call. */
export type Sink = {
  /** An inner packet for the inside; ten octets before it, if there are so many, may be written over. */
  inner(octets: Uint8Array, at: number, length: number): void;
  /** An ESP packet or a NAT keepalive, as UDP payload where the path is `natt`, else as payload of IP protocol 50. */
  outer(octets: Uint8Array, at: number, length: number, path: Path): void;
};

/** What IKE and the journal should know. */
export type PlaneEvent =
  /** `soft`: time to rekey. `hard`: the SA carries nothing more. */
  | { readonly kind: 'soft' | 'hard'; readonly spi: number; readonly gateway: string }
  /** An authentic packet, newer than all before, came from elsewhere; `move` makes us answer there. */
  | { readonly kind: 'moved'; readonly spi: number; readonly gateway: string; readonly path: Path };

export type PlaneOptions = {
  readonly sink: Sink;
  /** Fills the octets: IVs of CBC. */
  readonly random: (octets: Uint8Array) => void;
  readonly rules: readonly FirewallRule[];
  /** Names of all phase1-interfaces. */
  readonly tunnels: readonly string[];
  /** Addresses of clients, leased or not: none of these is in the inside. */
  readonly clients?: readonly Range[];
  /** Numbers in the window against replays; 2048. */
  readonly window?: number;
  /** What an outer packet on this path may have; undefined: nobody knows, and 1500 is taken. Asked again and again. */
  readonly pathMtu?: (path: Path) => number | undefined;
  /** Flows that are remembered at most; 65536. */
  readonly flows?: number;
};

/** Moments; undefined: never. `unanswered`: the first packet to the client since it was last heard. */
export type Seen = {
  readonly heard: number | undefined;
  readonly unanswered: number | undefined;
  readonly sent: number | undefined;
};

export type SaView = {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly gateway: string;
  readonly profile: string;
  readonly valve: Sa['valve'];
  readonly sequence: number;
  readonly highest: number;
  readonly mtu: number;
  /** What its path carries. */
  readonly outerMtu: number;
  readonly window: number;
  readonly replay: boolean;
  /** Its soft limit is passed: a rekey is due. */
  readonly soft: boolean;
  readonly counters: Counters;
};
/** A client over all its children, also those that are gone. */
export type ClientView = {
  readonly gateway: string;
  readonly counters: Counters;
  /** When it was heard and sent to; undefined: never. */
  readonly lastIn: number | undefined;
  readonly lastOut: number | undefined;
};
export type PlaneView = {
  readonly total: Counters;
  readonly flows: number;
  readonly sas: readonly SaView[];
  readonly clients: readonly ClientView[];
};

const KEEPALIVE = new Uint8Array([0xff]);
const MOST_PACKET = 0xffff;
const ETHERNET = 1500;
/** Paths that are looked at in a tick. */
const PATHS = 64;
/** RFC 8200 §5: no link has less; what cannot be carried whole is fragmented outside. */
const LEAST6 = 1280;
/** Complaints about size in a second. */
const MOST_COMPLAINTS = 100;
const HALF = 0x1_0000_0000;

export class DataPlane {
  readonly #options: PlaneOptions;
  /** By the SPI as a signed number: half of the unsigned ones would need a box, and a hash by the runtime, for each packet. */
  readonly #bySpi = new Map<number, Sa>();
  #looked = this.#bySpi.values();
  readonly #retired = new Retired();
  readonly #owners = new Owners();
  readonly #inner = new Inner();
  readonly #total = newCounters();
  readonly #scratch = new Uint8Array(HEADROOM + MOST_PACKET + TAILROOM);
  readonly #complaint = new Uint8Array(COMPLAINT_OCTETS);
  readonly #ivs = new Uint8Array(4096);
  #ivAt = 4096;
  #firewall: Firewall;
  #clients: readonly Span[];
  #window: number;
  #events: PlaneEvent[] = [];
  #complaints = 0;
  #complaintsFrom = Number.NEGATIVE_INFINITY;

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.#firewall = new Firewall(options.rules, options.tunnels, options.flows ?? 65_536);
    this.#clients = (options.clients ?? []).map(spanOf);
    this.#window = options.window ?? 2048;
  }

  /** Other policies and pools; every flow is judged again. Another window is that of the next SAs. */
  reload(
    rules: readonly FirewallRule[],
    tunnels: readonly string[],
    clients: readonly Range[] = [],
    window = this.#window,
  ): void {
    this.#clients = clients.map(spanOf);
    this.#window = window;
    this.#firewall = new Firewall(rules, tunnels, this.#options.flows ?? 65_536);
  }

  /** Takes a child SA, its valve shut. One of the same SPI is replaced. */
  install(child: EspChild, now: number): void {
    this.remove(child.spiIn);
    const sa = new Sa(child, this.#owners.of(child), this.#window, this.#outerMtu(child.path), now);
    this.#bySpi.set(sa.spiIn | 0, sa);
    this.#owners.add(sa, child);
  }

  /** Opens a valve; policies go by what the client holds from now on. */
  open(spi: number, by: Clearance): void {
    const sa = this.#bySpi.get(spi | 0);
    if (sa === undefined) return;
    sa.valve = 'open';
    this.#owners.entitle(sa.owner, by.held);
  }

  /** Only these inner destinations, and answers from there. */
  quarantine(spi: number, to: readonly Range[]): void {
    const sa = this.#bySpi.get(spi | 0);
    if (sa === undefined) return;
    sa.restrict(to);
    this.#owners.entitle(sa.owner, []);
    this.#removeRetired(sa.owner, sa);
  }

  /** A rekey has put another child in its place: what the client has sent on it is still taken for a while. */
  retire(spi: number, now: number): void {
    const sa = this.#bySpi.get(spi | 0);
    if (sa === undefined || !this.#owners.retire(sa)) return this.remove(spi);
    this.#retired.add(sa, now);
  }

  /** The end of a child SA, at once; and of what was replaced, when it was the client's last. */
  remove(spi: number): void {
    const sa = this.#bySpi.get(spi | 0);
    if (sa === undefined) return;
    this.#bySpi.delete(spi | 0);
    this.#retired.forget(sa);
    this.#owners.remove(sa);
    if (sa.owner.children.length === 0) this.#removeRetired(sa.owner);
    sa.opener.dispose();
    sa.sealer.dispose();
  }

  #removeRetired(owner: Owner, except?: Sa): void {
    for (const sa of [...owner.retired]) if (sa !== except) this.remove(sa.spiIn);
  }

  /** The client of this SA is elsewhere now: all its children answer there. */
  move(spi: number, path: Path): void {
    for (const sa of this.#bySpi.get(spi | 0)?.owner.children ?? []) {
      sa.path = path;
      sa.seenAt = undefined;
      sa.outerMtu = this.#outerMtu(path);
    }
  }

  /**
   * An ESP packet from outside; it is opened where it lies.
   *
   * @returns why it went no further, or undefined
   */
  inbound(b: Uint8Array, at: number, length: number, from: Path, now: number): DropReason | undefined {
    if (length < ESP_HEADER) return this.#dropIn(undefined, 'short');
    const sa = this.#bySpi.get(read32(b, at) | 0);
    if (sa === undefined) return this.#dropIn(undefined, 'unknown-spi');
    if (sa.ended) return this.#dropIn(sa, 'lifetime');
    const { opener, window } = sa;
    if (length < ESP_HEADER + opener.ivOctets + opener.icvOctets + 2) return this.#dropIn(sa, 'short');
    const low = read32(b, at + 4);
    const high = window.look(low);
    if (high < 0) return this.#dropIn(sa, high === REPLAYED ? 'replay' : 'old');
    const payload = at + ESP_HEADER + opener.ivOctets;
    const plain = opener.open(b, at, length, high, b, payload);
    if (plain < 0) return this.#dropIn(sa, 'integrity');
    const newest = window.mark(low, high);
    sa.owner.heard = now;
    sa.owner.unanswered = Number.POSITIVE_INFINITY;
    if (sa.owner.awaited === sa) this.#owners.arrived(sa.owner);
    if (newest && !samePath(from, sa.path)) this.#seen(sa, from);
    const octets = unpad(b, payload, plain);
    if (octets < 0) return this.#dropIn(sa, 'padding');
    const reason = this.#received(sa, b, payload, octets, b[payload + plain - 1] ?? 0, now);
    if (reason !== undefined) this.#dropIn(sa, reason);
    this.#limits(sa, now);
    return reason;
  }

  /**
   * A packet of the inside. It is sealed where it lies when its buffer has `HEADROOM` octets before and `TAILROOM` behind it:
   * they are written over. Without them it is copied.
   *
   * @returns why it went no further, or undefined
   */
  outbound(b: Uint8Array, at: number, length: number, now: number): DropReason | undefined {
    const p = this.#inner;
    if (!p.parse(b, at, length)) return this.#dropOut(undefined, 'malformed');
    const owner = this.#owners.destination(p);
    if (owner === undefined) return this.#dropOut(undefined, toMany(p) ? 'multicast' : 'no-route');
    const sa = childFor(owner, p);
    if (sa === undefined) return this.#dropOut(undefined, unseen(p, 'selector'));
    if (sa.valve === 'shut') return this.#dropOut(sa, 'valve-shut');
    if (sa.valve === 'quarantine' && !sa.remains(p, false)) return this.#dropOut(sa, 'quarantine');
    if (!this.#firewall.toClient(b, p, owner, now)) return this.#dropOut(sa, unseen(p, 'firewall'));
    const roomy = at >= HEADROOM && at + length + TAILROOM <= b.length;
    const reason = this.#fit(sa, b, roomy, now);
    if (reason !== undefined) this.#dropOut(sa, reason);
    this.#limits(sa, now);
    return reason;
  }

  /**
   * Sends the NAT keepalives that are due (RFC 3948 §4), ends what was retired, and looks at the paths of some SAs in turn; once
   * in a second is often enough.
   */
  tick(now: number): void {
    this.#lookAtPaths();
    for (const sa of this.#retired.over(now)) this.remove(sa.spiIn);
    for (const sa of this.#bySpi.values()) {
      if (now - sa.lastOut < sa.keepalive || !sa.path.natt || sa.owner.children[0] !== sa) continue;
      sa.lastOut = now;
      this.#options.sink.outer(KEEPALIVE, 0, 1, sa.path);
    }
  }

  /** A path's MTU may have changed. As many at a time as cost nobody a packet, then the next ones. */
  #lookAtPaths(): void {
    for (let left = Math.min(PATHS, this.#bySpi.size); left > 0; left--) {
      let next = this.#looked.next();
      if (next.done) {
        this.#looked = this.#bySpi.values();
        next = this.#looked.next();
      }
      if (!next.done) next.value.outerMtu = this.#outerMtu(next.value.path);
    }
  }

  #outerMtu(path: Path): number {
    return this.#options.pathMtu?.(path) ?? ETHERNET;
  }

  /** Gives what happened since the last time. */
  take(): readonly PlaneEvent[] {
    if (this.#events.length === 0) return NOTHING;
    const taken = this.#events;
    this.#events = [];
    return taken;
  }

  /** When the client of this SA was heard and sent to, by any of its children; undefined: no such SA. */
  seen(spi: number): Seen | undefined {
    const owner = this.#bySpi.get(spi | 0)?.owner;
    if (owner === undefined) return undefined;
    return { heard: finite(owner.heard), unanswered: finite(owner.unanswered), sent: finite(owner.sent) };
  }

  snapshot(): PlaneView {
    const sas = [...this.#bySpi.values()].map((sa) => ({
      spiIn: sa.spiIn,
      spiOut: sa.spiOut,
      gateway: sa.owner.gateway,
      profile: sa.owner.profile,
      valve: sa.valve,
      sequence: sa.sequence,
      highest: sa.window.top,
      mtu: sa.mtu,
      outerMtu: sa.outerMtu,
      window: sa.window.size,
      replay: sa.window.enforced,
      soft: sa.toldSoft,
      counters: copyOf(sa.counters),
    }));
    const clients = new Set([...this.#bySpi.values()].map((sa) => sa.owner));
    return { total: copyOf(this.#total), flows: this.#firewall.flows, sas, clients: [...clients].map(clientView) };
  }

  #received(sa: Sa, b: Uint8Array, at: number, octets: number, nextHeader: number, now: number): DropReason | undefined {
    if (nextHeader === NextHeader.NONE) return 'dummy';
    if (nextHeader !== NextHeader.IPv4 && nextHeader !== NextHeader.IPv6) return 'next-header';
    const p = this.#inner;
    if (!p.parse(b, at, octets)) return 'malformed';
    if ((p.version === 4) !== (nextHeader === NextHeader.IPv4)) return 'next-header';
    const { owner } = sa;
    if (sa.valve === 'shut') return 'valve-shut';
    if (!this.#owners.ownSource(owner, p)) return 'source';
    if (!sa.TSi.source(p) || !sa.TSr.destination(p)) return unseen(p, 'selector');
    if (sa.valve === 'quarantine' && !sa.remains(p, true)) return 'quarantine';
    const to = this.#owners.destination(p);
    if (to === undefined && this.#ofClients(p)) return 'no-route';
    if (!this.#firewall.fromClient(b, p, owner, to, now)) return unseen(p, 'firewall');
    sa.counters.inPackets += 1;
    sa.counters.inOctets += p.length;
    this.#total.inPackets += 1;
    this.#total.inOctets += p.length;
    clampMss(b, p, sa.mtu);
    if (to !== undefined) return this.#across(to, b, now);
    this.#options.sink.inner(b, at, p.length);
    return undefined;
  }

  /** A client's address, and no client of ours has it. */
  #ofClients(p: Inner): boolean {
    for (const span of this.#clients) if (holdsDestination(span, p)) return true;
    return false;
  }

  /** From client to client, which is a hop. */
  #across(to: Owner, b: Uint8Array, now: number): DropReason | undefined {
    const p = this.#inner;
    const sa = childFor(to, p);
    if (sa === undefined) return unseen(p, 'selector');
    if (sa.valve !== 'open') return sa.valve === 'shut' ? 'valve-shut' : 'quarantine';
    if (!hop(b, p)) return 'ttl';
    const reason = this.#fit(sa, b, false, now); // what lies behind it may be the next datagram
    this.#limits(sa, now);
    return reason;
  }

  /** Sends the parsed packet through an SA, whole, in pieces, or not at all. */
  #fit(sa: Sa, b: Uint8Array, roomy: boolean, now: number): DropReason | undefined {
    const p = this.#inner;
    const mtu = p.version === 6 ? Math.max(LEAST6, sa.mtu) : sa.mtu;
    clampMss(b, p, mtu);
    const scratch = this.#scratch;
    if (p.length > mtu) {
      if (mayFragment(b, p)) return this.#pieces(sa, b, now);
      this.#complain(b, mtu, now);
      return 'too-big';
    }
    if (roomy) return this.#seal(sa, b, p.at, p.length, p.version, now);
    copy(b, p.at, scratch, HEADROOM, p.length);
    return this.#seal(sa, scratch, HEADROOM, p.length, p.version, now);
  }

  /** By itself, since a closure would cost every packet an object. */
  #pieces(sa: Sa, b: Uint8Array, now: number): DropReason | undefined {
    let reason: DropReason | undefined;
    const each = (octets: number) => {
      reason ??= this.#seal(sa, this.#scratch, HEADROOM, octets, 4, now);
    };
    return fragment(b, this.#inner, sa.mtu, this.#scratch, HEADROOM, each) ? reason : 'too-big';
  }

  #seal(sa: Sa, b: Uint8Array, at: number, length: number, version: 4 | 6, now: number): DropReason | undefined {
    if (sa.ended) return 'lifetime';
    const number = sa.next();
    if (number === 0) return 'exhausted';
    const { sealer } = sa;
    const { ivOctets } = sealer;
    const start = at - ivOctets - ESP_HEADER;
    const high = Math.floor(number / HALF);
    write32(b, start, sa.spiOut);
    write32(b, start + 4, number);
    if (sealer.aead) {
      // A counter is a fine IV for these (RFC 4106 §3.1, RFC 7634 §2), and no key sees a number twice.
      write32(b, start + 8, high);
      write32(b, start + 12, number);
    } else if (ivOctets > 0) this.#iv(b, start + ESP_HEADER, ivOctets);
    const plain = pad(b, at, length, sealer.blockOctets, version === 4 ? NextHeader.IPv4 : NextHeader.IPv6);
    const octets = sealer.seal(b, at, plain, b, start, high);
    sa.lastOut = now;
    const { owner } = sa;
    owner.sent = now;
    if (owner.unanswered > now) owner.unanswered = now;
    sa.counters.outPackets += 1;
    sa.counters.outOctets += length;
    this.#total.outPackets += 1;
    this.#total.outOctets += length;
    this.#options.sink.outer(b, start, octets, sa.path);
    return undefined;
  }

  #iv(b: Uint8Array, at: number, octets: number): void {
    const ivs = this.#ivs;
    if (this.#ivAt + octets > ivs.length) {
      this.#options.random(ivs);
      this.#ivAt = 0;
    }
    copy(ivs, this.#ivAt, b, at, octets);
    this.#ivAt += octets;
  }

  #complain(b: Uint8Array, mtu: number, now: number): void {
    if (now - this.#complaintsFrom >= 1000) {
      this.#complaintsFrom = now;
      this.#complaints = 0;
    }
    if (this.#complaints >= MOST_COMPLAINTS) return;
    const octets = complain(this.#complaint, b, this.#inner, mtu);
    const p = this.#inner;
    if (octets === 0 || !p.parse(this.#complaint, 0, octets)) return;
    this.#complaints += 1;
    const to = this.#owners.destination(p);
    if (to === undefined) return this.#options.sink.inner(this.#complaint, 0, octets);
    const sa = childFor(to, p); // one client is too big for another: the inside has never seen the packet
    if (sa?.valve === 'open') this.#fit(sa, this.#complaint, false, now);
  }

  #seen(sa: Sa, from: Path): void {
    if (sa.seenAt !== undefined && samePath(from, sa.seenAt)) return;
    const path = { local: { ...from.local }, remote: { ...from.remote }, natt: from.natt };
    sa.seenAt = path;
    this.#events.push({ kind: 'moved', spi: sa.spiIn, gateway: sa.owner.gateway, path });
  }

  #limits(sa: Sa, now: number): void {
    const kind = sa.passed(now);
    if (kind !== undefined) this.#events.push({ kind, spi: sa.spiIn, gateway: sa.owner.gateway });
  }

  #dropIn(sa: Sa | undefined, reason: DropReason): DropReason {
    if (reason === 'dummy') return this.#drop(sa, reason);
    this.#total.inErrors += 1;
    if (sa !== undefined) sa.counters.inErrors += 1;
    return this.#drop(sa, reason);
  }

  #dropOut(sa: Sa | undefined, reason: DropReason): DropReason {
    this.#total.outErrors += 1;
    if (sa !== undefined) sa.counters.outErrors += 1;
    return this.#drop(sa, reason);
  }

  #drop(sa: Sa | undefined, reason: DropReason): DropReason {
    this.#total.drops[reason] += 1;
    if (sa !== undefined) sa.counters.drops[reason] += 1;
    return reason;
  }
}

/** Why a packet fits nothing: a later fragment has no ports to be judged by. */
const unseen = ({ fragment: part }: Inner, reason: 'selector' | 'firewall'): DropReason =>
  part === 'later' ? 'fragment' : reason;
const finite = (at: number): number | undefined => (Number.isFinite(at) ? at : undefined);
const NOTHING: readonly PlaneEvent[] = [];

function clientView({ gateway, past, children, retired, heard, sent }: Owner): ClientView {
  const counters = copyOf(past);
  for (const sa of [...children, ...retired]) add(counters, sa.counters);
  return { gateway, counters, lastIn: finite(heard), lastOut: finite(sent) };
}

/** The newest child whose selectors hold a packet to the client; an awaited one only if no other does. */
function childFor({ children }: Owner, p: Inner): Sa | undefined {
  for (const sa of children) if (!sa.ended && sa.TSi.destination(p) && sa.TSr.source(p)) return sa;
  return undefined;
}

const samePath = (a: Path, b: Path): boolean =>
  a.natt === b.natt &&
  a.remote.port === b.remote.port &&
  a.local.port === b.local.port &&
  a.remote.address === b.remote.address &&
  a.local.address === b.local.address;

function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  to.set(from.subarray(fromAt, fromAt + length), toAt);
}
