/**
 * The client's end of ESP in tunnel mode (RFC 4303), independent of the gateway's: it judges what the data plane sends by a
 * window, an inference of extended numbers and a reading of the trailer of its own. It follows the children of the client;
 * one that is gone is still heard for a while, since packets were under way when it went.
 *
 * Sequence numbers are exact up to 2^53.
 */
import { type EspOpener, type EspSealer, espOpener, espSealer } from '../../crypto/index.ts';
import type { TrafficSelector } from '../wire/index.ts';
import type { Child } from './core.ts';
import { type InnerPacket, readInner } from './inner.ts';
import { compare, fromU32, u32 } from './octets.ts';

const REASONS = [
  ...['short', 'unknown-spi', 'replay', 'old', 'integrity', 'padding', 'next-header', 'dummy', 'malformed', 'selector'],
  ...['no-child', 'exhausted', 'unencapsulated'],
] as const;
/** Why a packet went no further; the last three are of packets of ours. */
export type EspDrop = (typeof REASONS)[number];

export type EspCounters = {
  readonly inPackets: number;
  readonly outPackets: number;
  /** Only reasons that there were. */
  readonly drops: Readonly<Partial<Record<EspDrop, number>>>;
};

type End = {
  readonly child: Child;
  readonly opener: EspOpener;
  readonly sealer: EspSealer;
  readonly window: Seen;
  /** Of an AEAD: where its IVs begin; they are no sequence numbers. */
  readonly iv: readonly [number, number];
  sent: number;
  /** Something authentic has come. */
  heard: boolean;
  /** When it went. */
  goneAt: number | undefined;
};

/** ms that a child is still heard after it has gone. */
const LINGER = 30_000;
const HALF = 2 ** 32;
const HEADER = 8;
const LAST = { plain: HALF - 1, esn: 2 ** 53 - 1 };

export class EspEnd {
  readonly #random: (n: number) => Uint8Array;
  readonly #ends = new Map<number, End>();
  readonly #drops = new Map<EspDrop, number>();
  #in = 0;
  #out = 0;

  constructor(random: (n: number) => Uint8Array) {
    this.#random = random;
  }

  get counters(): EspCounters {
    const drops = Object.fromEntries(REASONS.flatMap((r) => (this.#drops.has(r) ? [[r, this.#drops.get(r)]] : [])));
    return { inPackets: this.#in, outPackets: this.#out, drops };
  }

  /** Takes up children that are new, lets go of those that went long ago; without any left all are over at once. */
  follow(children: readonly Child[], now: number): void {
    for (const child of children) if (!this.#ends.has(child.spiIn) && !child.transport) this.#take(child);
    for (const [spi, end] of this.#ends) {
      if (children.some((c) => c === end.child)) continue;
      end.goneAt ??= now;
      if (children.length > 0 && now - end.goneAt < LINGER) continue;
      this.#ends.delete(spi);
      end.opener.dispose();
      end.sealer.dispose();
    }
  }

  /** The next packet of this child has this number: to come to the end of all numbers in a test. */
  skipTo(spiIn: number, number: number): void {
    const end = this.#ends.get(spiIn);
    if (end !== undefined && number > end.sent) end.sent = number - 1;
  }

  /** An ESP packet for an inner one, by the child whose selectors hold it; or why there is none. */
  seal(packet: Uint8Array): Uint8Array | EspDrop {
    const p = readInner(packet);
    if (p === undefined || p.length !== packet.length) return this.drop('malformed');
    const end = this.#outward(p);
    if (end === undefined) return this.drop('no-child');
    const { child, sealer } = end;
    if (end.sent === (child.suite.esn ? LAST.esn : LAST.plain)) return this.drop('exhausted');
    end.sent += 1;
    const start = HEADER + sealer.ivOctets;
    const align = Math.max(4, sealer.blockOctets);
    const padded = Math.ceil((packet.length + 2) / align) * align;
    const o = new Uint8Array(start + padded + sealer.icvOctets);
    o.set(u32(child.spiOut));
    o.set(u32(end.sent % HALF), 4);
    o.set(this.#iv(end), HEADER);
    o.set(packet, start);
    const padding = padded - packet.length - 2;
    for (let i = 1; i <= padding; i += 1) o[start + packet.length + i - 1] = i;
    o[start + padded - 2] = padding;
    o[start + padded - 1] = p.source.length === 4 ? 4 : 41;
    sealer.seal(o, start, padded, o, 0, Math.floor(end.sent / HALF));
    this.#out += 1;
    return o;
  }

  /** The inner packet of an ESP packet of the gateway's; or why there is none. */
  open(octets: Uint8Array): Uint8Array | EspDrop {
    const end = this.#ends.get(fromU32(octets));
    if (octets.length < HEADER) return this.drop('short');
    if (end === undefined) return this.drop('unknown-spi');
    const { opener, window } = end;
    const start = HEADER + opener.ivOctets;
    const inside = octets.length - start - opener.icvOctets;
    if (inside < 2) return this.drop('short');
    const number = window.whole(fromU32(octets.subarray(4)));
    const late = window.judge(number);
    if (late !== undefined) return this.drop(late);
    const plain = new Uint8Array(inside);
    const opened = opener.open(octets, 0, octets.length, Math.floor(number / HALF), plain, 0);
    if (opened < 0) return this.drop('integrity');
    window.mark(number);
    end.heard = true;
    const [padding, next] = [plain[inside - 2] ?? 0, plain[inside - 1] ?? 0];
    const length = inside - 2 - padding;
    if (length < 0 || plain.subarray(length, inside - 2).some((octet, i) => octet !== i + 1)) return this.drop('padding');
    if (next === NO_NEXT_HEADER) return this.drop('dummy');
    if (next !== 4 && next !== 41) return this.drop('next-header');
    const p = readInner(plain.subarray(0, length));
    if (p === undefined) return this.drop('malformed');
    if ((p.source.length === 4) !== (next === 4)) return this.drop('next-header');
    if (!holds(end.child, { ends: p, ours: 'destination' })) return this.drop('selector');
    this.#in += 1;
    return plain.slice(0, p.length);
  }

  /** Counts a packet that went no further. */
  drop(why: EspDrop): EspDrop {
    this.#drops.set(why, (this.#drops.get(why) ?? 0) + 1);
    return why;
  }

  #take(child: Child): void {
    const { encr, keyLength, integ, esn } = child.suite;
    const opener = espOpener({ encr, keyLength, integ, esn }, child.keys.in.encr, child.keys.in.integ);
    const sealer = espSealer({ encr, keyLength, integ, esn }, child.keys.out.encr, child.keys.out.integ);
    // espSuite has looked.
    if (opener === undefined || sealer === undefined) throw new RangeError('a child suite without algorithms');
    const iv = [fromU32(this.#random(4)), fromU32(this.#random(4))] as const;
    this.#ends.set(child.spiIn, {
      ...{ child, opener, sealer, window: new Seen(esn), iv },
      ...{ sent: 0, heard: false, goneAt: undefined },
    });
  }

  /**
   * The newest child that holds the packet. One that the gateway made carries nothing of ours before something has come through
   * it, while there is another: our answer may be lost, and then the gateway does not have it yet (RFC 7296 §2.8).
   */
  #outward(p: InnerPacket): End | undefined {
    const fitting = [...this.#ends.values()]
      .reverse()
      .filter((e) => e.goneAt === undefined && holds(e.child, { ends: p, ours: 'source' }));
    const usable = fitting.filter(({ child }) => child.state !== 'deleting');
    return usable.find((e) => e.heard || e.child.madeBy === 'us') ?? usable[0];
  }

  /** For CBC by chance; for AEAD a count from anywhere that never comes again under one key. */
  #iv({ sealer, iv: [high, low], sent }: End): Uint8Array {
    if (!sealer.aead) return this.#random(sealer.ivOctets);
    const n = low + sent;
    return Uint8Array.of(...u32((high + Math.floor(n / HALF)) % HALF), ...u32(n % HALF));
  }
}

const NO_NEXT_HEADER = 59;

/** Numbers that have come, the last WINDOW of them told apart: each has a place that holds the last number that came to it. */
class Seen {
  readonly #esn: boolean;
  readonly #places = new Float64Array(WINDOW);
  #top = 0;

  constructor(esn: boolean) {
    this.#esn = esn;
  }

  /** The whole number of a packet that shows the lower half of it (RFC 4303 Appendix A2.1); -1: one before the first. */
  whole(low: number): number {
    if (!this.#esn) return low;
    const [Th, Tl] = [Math.floor(this.#top / HALF), this.#top % HALF];
    const bottom = Tl - WINDOW + 1;
    if (bottom >= 0) return (low >= bottom ? Th : Th + 1) * HALF + low;
    return low >= bottom + HALF ? (Th - 1) * HALF + low : Th * HALF + low;
  }

  judge(number: number): 'replay' | 'old' | undefined {
    if (number <= 0 || number > LAST.esn || number <= this.#top - WINDOW) return 'old';
    return this.#places[number % WINDOW] === number ? 'replay' : undefined;
  }

  mark(number: number): void {
    this.#places[number % WINDOW] = number;
    this.#top = Math.max(this.#top, number);
  }
}
const WINDOW = 1024;

type Way = { readonly ends: InnerPacket; readonly ours: 'source' | 'destination' };

/** Do the selectors of a child hold a packet, both sides of it? */
function holds({ TSi, TSr }: Child, { ends, ours }: Way): boolean {
  const theirs = ours === 'source' ? 'destination' : 'source';
  const side = (selectors: readonly TrafficSelector[], which: 'source' | 'destination') =>
    selectors.some((ts) => holdsEnd(ts, ends[which], ends.protocol, ends.ports?.[which]));
  return side(TSi, ours) && side(TSr, theirs);
}

function holdsEnd(ts: TrafficSelector, address: Uint8Array, protocol: number, port: number | undefined): boolean {
  if (ts.type === 'other' || ts.start.length !== address.length) return false;
  if (compare(address, ts.start) < 0 || compare(address, ts.end) > 0) return false;
  if (ts.protocol !== 0 && ts.protocol !== protocol) return false;
  if (ts.startPort === 0 && ts.endPort === 0xffff) return true;
  return port !== undefined && port >= ts.startPort && port <= ts.endPort;
}
