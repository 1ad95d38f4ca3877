/** One child SA as the data plane holds it: both directions, its valve, its limits and what it has carried. */
import type { Range } from '../config/index.ts';
import { type Counters, newCounters } from './counters.ts';
import type { Inner } from './ip.ts';
import type { Owner } from './owners.ts';
import { ESP_HEADER, largestInner } from './packet.ts';
import { holdsDestination, holdsSource, type Selector, Selectors, type Span, spanOf } from './ranges.ts';
import { ReplayWindow } from './replay.ts';

export type Endpoint = { readonly address: string; readonly port: number };
export type Path = { readonly local: Endpoint; readonly remote: Endpoint; readonly natt: boolean };

type Sizes = { readonly ivOctets: number; readonly icvOctets: number; readonly blockOctets: number; readonly aead: boolean };
/** What `crypto` gives for one direction; the packet begins with SPI, sequence number and IV. */
export type Sealer = Sizes & {
  seal(input: Uint8Array, inputAt: number, length: number, packet: Uint8Array, packetAt: number, high: number): number;
  dispose(): void;
};
export type Opener = Sizes & {
  open(packet: Uint8Array, packetAt: number, length: number, high: number, output: Uint8Array, outputAt: number): number;
  dispose(): void;
};

/**
 * Octets and packets, each direction by itself. Undefined: no limit. A soft end of octets is the latest: a rekey takes its time,
 * in which a fast client carries more than what lies between soft and hard.
 */
export type Limits = { readonly octets?: number | undefined; readonly packets?: number | undefined };

/** A child SA to install. The ciphers are the data plane's from then on: it disposes of them. */
export type EspChild = {
  readonly spiIn: number;
  readonly spiOut: number;
  /** The name of the client's instance, the same for all its children and through rekeys. */
  readonly gateway: string;
  readonly profile: string;
  readonly user?: string | undefined;
  readonly groups?: readonly string[];
  /** The inner addresses of the client; none: whatever TSi says. */
  readonly leases: readonly Uint8Array[];
  /** The client's side and ours. */
  readonly TSi: readonly Selector[];
  readonly TSr: readonly Selector[];
  readonly esn: boolean;
  /** False where phase2 says `set replay disable`. */
  readonly replay: boolean;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly path: Path;
  /**
   * The client asked for it, and has our answer only when something comes on it or it puts another child down for it: until
   * then it is sent to by another child that fits, if there is one (RFC 7296 §2.8).
   */
  readonly awaited?: boolean;
  /** It will be deleted for another that was made at the same time: it is heard, and not sent on (RFC 7296 §2.8.1). */
  readonly redundant?: boolean | undefined;
  /** Milliseconds between NAT keepalives; given only when we are behind NAT (RFC 3948 §4). */
  readonly keepalive?: number | undefined;
  readonly soft?: Limits;
  readonly hard?: Limits;
};

/** Numbers of the last sixteenth are the rekey's time; the last one is never passed (RFC 4303 §3.3.3). */
const LAST = { plain: 0xffff_ffff, esn: 2 ** 53 - 1 };
/** What a rekey may take, ms: a request that is lost is said again after two seconds. */
const REKEY = 3000;
/** The pace is looked at from half of what may be carried on, and whenever so much of it has been carried since. */
const FIRST_LOOK = 1 / 2;
const NEXT_LOOK = 1 / 16;

export class Sa {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly owner: Owner;
  readonly TSi: Selectors;
  readonly TSr: Selectors;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly window: ReplayWindow;
  readonly counters: Counters = newCounters();
  readonly keepalive: number;
  readonly installed: number;
  path: Path;
  /** A place that the client was seen at and nobody has acted on. */
  seenAt: Path | undefined;
  valve: 'shut' | 'open' | 'quarantine' = 'shut';
  #remaining: readonly Span[] = [];
  /** The last number sent. */
  sequence = 0;
  /** Largest inner packet. */
  mtu = 0;
  #outerMtu = 0;
  lastOut: number;
  ended = false;
  toldSoft = false;
  readonly #last: number;
  readonly #soft: Bounds;
  readonly #hard: Bounds;
  /** Octets at which the pace is looked at next; those, and the moment, of the last look. */
  #look: number;
  #looked = 0;
  #lookedAt: number;

  constructor(child: EspChild, owner: Owner, window: number, outerMtu: number, now: number) {
    this.spiIn = child.spiIn;
    this.spiOut = child.spiOut;
    this.owner = owner;
    this.TSi = new Selectors(child.TSi);
    this.TSr = new Selectors(child.TSr);
    this.opener = child.opener;
    this.sealer = child.sealer;
    this.window = new ReplayWindow(window, child.esn, child.replay);
    this.keepalive = child.keepalive ?? Number.POSITIVE_INFINITY;
    this.installed = now;
    this.lastOut = now;
    this.path = child.path;
    this.outerMtu = outerMtu;
    this.#last = child.esn ? LAST.esn : LAST.plain;
    this.#soft = boundsOf(child.soft);
    this.#hard = boundsOf(child.hard);
    this.#look = Math.min(this.#soft.octets, this.#hard.octets * FIRST_LOOK);
    this.#lookedAt = now;
  }

  /** What the path carries; set anew whenever the path is, or may be, another. */
  get outerMtu(): number {
    return this.#outerMtu;
  }
  set outerMtu(octets: number) {
    this.#outerMtu = octets;
    this.mtu = mtuOf(this.path, this.sealer, octets);
  }

  restrict(to: readonly Range[]): void {
    this.valve = 'quarantine';
    this.#remaining = to.map(spanOf);
  }

  /** Is the inside's end of a packet one that remains in quarantine? */
  remains(p: Inner, inbound: boolean): boolean {
    for (const span of this.#remaining) if (inbound ? holdsDestination(span, p) : holdsSource(span, p)) return true;
    return false;
  }

  /** A number for the next packet, or 0 when there is none left. */
  next(): number {
    if (this.sequence >= this.#last) return 0;
    this.sequence += 1;
    return this.sequence;
  }

  /** Which limit has been passed since the last time this said something. Past a hard one the SA is over. */
  passed(now: number): 'soft' | 'hard' | undefined {
    const { inOctets, outOctets, inPackets, outPackets } = this.counters;
    const octets = Math.max(inOctets, outOctets);
    const packets = Math.max(inPackets, outPackets);
    const number = Math.max(this.sequence, this.window.top);
    if (this.sequence >= this.#last || octets >= this.#hard.octets || packets >= this.#hard.packets) {
      if (this.ended) return undefined;
      this.ended = true;
      return 'hard';
    }
    if (this.toldSoft) return undefined;
    const due = number >= this.#last * 0.9375 || packets >= this.#soft.packets;
    if (!due && (octets < this.#look || !this.#nearEnd(octets, now))) return undefined;
    this.toldSoft = true;
    return 'soft';
  }

  /** Is the soft end reached, or would the hard one be before a rekey is done, at the pace since the last look? */
  #nearEnd(octets: number, now: number): boolean {
    const { octets: hard } = this.#hard;
    const { octets: soft } = this.#soft;
    if (octets >= soft) return true;
    const near = (octets - this.#looked) * REKEY >= (hard - octets) * (now - this.#lookedAt);
    this.#looked = octets;
    this.#lookedAt = now;
    this.#look = Math.min(soft, octets + hard * NEXT_LOOK);
    return near;
  }
}

type Bounds = { readonly octets: number; readonly packets: number };

const boundsOf = ({ octets = Number.POSITIVE_INFINITY, packets = Number.POSITIVE_INFINITY }: Limits = {}): Bounds => ({
  octets,
  packets,
});

/** What an inner packet may have for its outer one to keep to `outerMtu`; never less than IPv4 demands of a link. */
function mtuOf({ remote, natt }: Path, sealer: Sizes, outerMtu: number): number {
  const outer = (remote.address.includes(':') ? 40 : 20) + (natt ? ESP_HEADER : 0); // a UDP header has eight octets too
  return Math.max(576, largestInner(outerMtu - outer, sealer));
}
