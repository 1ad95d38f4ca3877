/**
 * Just enough IPv4 and IPv6: the bounds of an inner packet, its addresses, fragment, protocol and ports. One `Inner` is filled
 * again for every packet. An address is four 32-bit words, so that both families compare alike; an IPv4 address is the last.
 */
import { read32 } from './packet.ts';

export const Protocol = { ICMP: 1, TCP: 6, UDP: 17, SCTP: 132, ICMPv6: 58, UDPLITE: 136 } as const;

/** IPv6 extension headers that are followed. */
const MOST_EXTENSIONS = 8;
const Extension = { HOP_BY_HOP: 0, ROUTING: 43, FRAGMENT: 44, DESTINATION: 60 } as const;
/** IPv4 options that send a packet elsewhere than its header says. */
const SOURCE_ROUTES = [131, 137];

export type Fragment = 'whole' | 'first' | 'later';

export class Inner {
  version: 4 | 6 = 4;
  at = 0;
  /** Octets of the packet by its own word; what follows is padding for traffic flow confidentiality (RFC 4303 §2.7). */
  length = 0;
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;
  protocol = 0;
  /** Where the upper layer begins. */
  l4 = 0;
  /** Ports; the identifier in both for ICMP echoes, 0 for what has none. */
  sport = 0;
  dport = 0;
  /** Type and code in one number (RFC 4301 §4.4.1.1), or -1. */
  icmp = -1;
  /** An ICMP message that quotes the packet it is about. */
  complaint = false;
  fragment: Fragment = 'whole';
  fragmentId = 0;

  /**
   * Reads one packet.
   *
   * @param quoted the packet is cut short, as an ICMP message quotes it
   * @returns false when it is no packet that a gateway may pass on; then the fields mean nothing
   */
  parse(b: Uint8Array, at: number, room: number, quoted = false): boolean {
    this.at = at;
    this.sport = 0;
    this.dport = 0;
    this.icmp = -1;
    this.complaint = false;
    this.fragment = 'whole';
    this.fragmentId = 0;
    if (room < 20 || at + room > b.length) return false;
    const version = (b[at] ?? 0) >>> 4;
    if (version === 4) return this.#ipv4(b, at, room, quoted);
    return version === 6 && room >= 40 && this.#ipv6(b, at, room, quoted);
  }

  #ipv4(b: Uint8Array, at: number, room: number, quoted: boolean): boolean {
    const header = ((b[at] ?? 0) & 15) * 4;
    const total = read16(b, at + 2);
    if (header < 20 || header > room || total < header || (total > room && !quoted)) return false;
    if (header > 20 && sourceRouted(b, at + 20, at + header)) return false;
    this.version = 4;
    this.length = Math.min(total, room);
    this.s0 = this.s1 = this.s2 = this.d0 = this.d1 = this.d2 = 0;
    this.s3 = read32(b, at + 12);
    this.d3 = read32(b, at + 16);
    this.protocol = b[at + 9] ?? 0;
    this.l4 = at + header;
    const flags = read16(b, at + 6);
    const offset = (flags & 0x1fff) * 8;
    this.fragmentId = read16(b, at + 4);
    if (offset > 0) return this.#later(offset, total - header);
    if ((flags & 0x2000) !== 0) this.fragment = 'first';
    return this.#upper(b, quoted);
  }

  #ipv6(b: Uint8Array, at: number, room: number, quoted: boolean): boolean {
    const total = 40 + read16(b, at + 4);
    if (total > room && !quoted) return false;
    this.version = 6;
    this.length = Math.min(total, room);
    this.s0 = read32(b, at + 8);
    this.s1 = read32(b, at + 12);
    this.s2 = read32(b, at + 16);
    this.s3 = read32(b, at + 20);
    this.d0 = read32(b, at + 24);
    this.d1 = read32(b, at + 28);
    this.d2 = read32(b, at + 32);
    this.d3 = read32(b, at + 36);
    return this.#extensions(b, at, at + this.length, quoted);
  }

  #extensions(b: Uint8Array, at: number, end: number, quoted: boolean): boolean {
    let next = b[at + 6] ?? 0;
    let p = at + 40;
    for (let left = MOST_EXTENSIONS; isExtension(next); left -= 1) {
      if (left === 0 || p + 8 > end) return false;
      if (next === Extension.ROUTING && b[p + 2] === 0) return false; // RFC 5095
      const fragment = next === Extension.FRAGMENT;
      const flags = fragment ? read16(b, p + 2) : 0;
      if (fragment) this.fragmentId = read32(b, p + 4);
      next = b[p] ?? 0;
      p += fragment ? 8 : ((b[p + 1] ?? 0) + 1) * 8;
      if (p > end) return false;
      if (!fragment) continue;
      this.protocol = next;
      this.l4 = p;
      if (flags >>> 3 > 0) return this.#later(flags & 0xfff8, end - p);
      if ((flags & 1) !== 0) this.fragment = 'first';
    }
    this.protocol = next;
    this.l4 = p;
    return this.#upper(b, quoted);
  }

  /** RFC 1858: nobody sends a fragment that begins inside a header, but to hide one. */
  #later(offset: number, octets: number): boolean {
    this.fragment = 'later';
    return offset >= 24 && offset + octets <= 0xffff;
  }

  #upper(b: Uint8Array, quoted: boolean): boolean {
    const left = this.at + this.length - this.l4;
    const { l4 } = this;
    switch (this.protocol) {
      case Protocol.TCP:
      case Protocol.UDP:
      case Protocol.UDPLITE:
      case Protocol.SCTP:
        if (left < (this.protocol === Protocol.TCP && !quoted ? 20 : 8)) return false;
        this.sport = read16(b, l4);
        this.dport = read16(b, l4 + 2);
        return true;
      case Protocol.ICMP:
      case Protocol.ICMPv6:
        if ((this.protocol === Protocol.ICMP) !== (this.version === 4)) return false;
        if (left < 8) return false;
        this.#icmp(b, b[l4] ?? 0, b[l4 + 1] ?? 0);
        return true;
      default:
        return true;
    }
  }

  #icmp(b: Uint8Array, type: number, code: number): void {
    this.icmp = (type << 8) | code;
    const v4 = this.version === 4;
    const echo = v4 ? type === 0 || type === 8 : type === 128 || type === 129;
    if (echo) this.sport = this.dport = read16(b, this.l4 + 4);
    this.complaint = v4 ? type === 3 || type === 11 || type === 12 : type >= 1 && type <= 4;
  }
}

export const read16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);

export function write16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

/** Sum of 16-bit words for the Internet checksum (RFC 1071), not folded. */
export function sum16(b: Uint8Array, at: number, length: number, start = 0): number {
  let sum = start;
  const even = at + (length & ~1);
  for (let i = at; i < even; i += 2) sum += ((b[i] ?? 0) << 8) | (b[i + 1] ?? 0);
  return (length & 1) === 0 ? sum : sum + ((b[even] ?? 0) << 8);
}

/** Folds a sum to the 16 bits that stand in a header. */
export function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + Math.floor(s / 0x10000);
  return ~s & 0xffff;
}

/** Puts a 16-bit word in the place of another in what a checksum covers (RFC 1624). */
export function amend(b: Uint8Array, checksumAt: number, was: number, is: number): void {
  const sum = (~read16(b, checksumAt) & 0xffff) + (~was & 0xffff) + is;
  write16(b, checksumAt, fold(sum));
}

/** To a group, to everybody, or to this link alone: what a machine says on each of its devices. */
export function toMany({ version, d0, d3 }: Inner): boolean {
  if (version === 6) return d0 >>> 24 === 0xff || d0 >>> 22 === 0x3fa;
  return d3 >>> 28 === 14 || d3 >>> 0 === 0xffff_ffff;
}

/** Takes one from TTL or hop limit. False when it is used up. */
export function hop(b: Uint8Array, { version, at }: Inner): boolean {
  if (version === 6) {
    const limit = b[at + 7] ?? 0;
    if (limit <= 1) return false;
    b[at + 7] = limit - 1;
    return true;
  }
  const word = read16(b, at + 8);
  if (word >>> 8 <= 1) return false;
  write16(b, at + 8, word - 0x100);
  amend(b, at + 10, word, word - 0x100);
  return true;
}

const isExtension = (next: number): boolean =>
  next === Extension.HOP_BY_HOP || next === Extension.ROUTING || next === Extension.FRAGMENT || next === Extension.DESTINATION;

function sourceRouted(b: Uint8Array, from: number, end: number): boolean {
  for (let p = from; p < end; ) {
    const kind = b[p] ?? 0;
    if (kind === 0) return false;
    if (SOURCE_ROUTES.includes(kind)) return true;
    const length = kind === 1 ? 1 : (b[p + 1] ?? 0);
    if (length < 1 || (kind !== 1 && length < 2)) return true; // options that cannot be read
    p += length;
  }
  return false;
}
