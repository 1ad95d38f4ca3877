/**
 * Packets that do not fit a tunnel: the TCP MSS is clamped so that most never come; IPv4 without DF is fragmented (RFC 791);
 * for the others the sender is told (RFC 1191, RFC 8200 §5).
 */
import { amend, fold, type Inner, Protocol, read16, sum16, write16 } from './ip.ts';
import { write32 } from './packet.ts';

/** An IPv4 complaint quotes little, an IPv6 one as much as fits the least MTU. */
const QUOTE = { 4: 28, 6: 1280 - 48 } as const;
export const COMPLAINT_OCTETS = 1280;

/** Lowers the MSS of a SYN to what the tunnel carries. Reads nothing beyond the packet. */
export function clampMss(b: Uint8Array, inner: Inner, mtu: number): void {
  if (inner.protocol !== Protocol.TCP || inner.fragment === 'later') return;
  const { l4 } = inner;
  if (((b[l4 + 13] ?? 0) & 2) === 0) return;
  const p = findMss(b, l4 + 20, Math.min(l4 + ((b[l4 + 12] ?? 0) >>> 4) * 4, inner.at + inner.length));
  if (p < 0) return;
  const mss = read16(b, p + 2);
  const most = mtu - (inner.version === 4 ? 40 : 60);
  if (mss <= most) return;
  write16(b, p + 2, most);
  // A word at an odd place lies crosswise in the sum.
  const odd = ((p - l4) & 1) === 1;
  amend(b, l4 + 16, odd ? swap(mss) : mss, odd ? swap(most) : most);
}

/** Where the MSS option of a TCP header begins, or -1. */
function findMss(b: Uint8Array, from: number, end: number): number {
  for (let p = from; p + 4 <= end; ) {
    const kind = b[p] ?? 0;
    if (kind === 0) return -1;
    if (kind === 1) {
      p += 1;
      continue;
    }
    const length = b[p + 1] ?? 0;
    if (kind === 2) return length === 4 ? p : -1;
    if (length < 2) return -1;
    p += length;
  }
  return -1;
}

const swap = (word: number): number => ((word & 0xff) << 8) | (word >>> 8);

/**
 * Writes "fragmentation needed" or "packet too big" for a packet; it comes from where the packet was going, an address that is
 * routed to us.
 *
 * @returns octets written, or 0 where no complaint may be made: about a complaint, a later fragment, a multicast
 */
export function complain(out: Uint8Array, b: Uint8Array, inner: Inner, mtu: number): number {
  const { version, at, length } = inner;
  if (inner.complaint || inner.fragment === 'later') return 0;
  if (version === 4 ? inner.d3 >>> 28 === 14 || inner.s3 === 0 : inner.d0 >>> 24 === 255) return 0;
  if (version === 4) {
    const quote = Math.min(length, Math.max(QUOTE[4], inner.l4 - at + 8));
    out.fill(0, 0, 28);
    out[0] = 0x45;
    write16(out, 2, 28 + quote);
    out[8] = 64;
    out[9] = Protocol.ICMP;
    out.set(b.subarray(at + 16, at + 20), 12);
    out.set(b.subarray(at + 12, at + 16), 16);
    write16(out, 10, fold(sum16(out, 0, 20)));
    out[20] = 3;
    out[21] = 4;
    write16(out, 26, mtu);
    out.set(b.subarray(at, at + quote), 28);
    write16(out, 22, fold(sum16(out, 20, 8 + quote)));
    return 28 + quote;
  }
  const quote = Math.min(length, QUOTE[6]);
  out.fill(0, 0, 48);
  out[0] = 0x60;
  write16(out, 4, 8 + quote);
  out[6] = Protocol.ICMPv6;
  out[7] = 64;
  out.set(b.subarray(at + 24, at + 40), 8);
  out.set(b.subarray(at + 8, at + 24), 24);
  out[40] = 2;
  write32(out, 44, mtu);
  out.set(b.subarray(at, at + quote), 48);
  write16(out, 42, fold(sum16(out, 8, 40 + quote) + Protocol.ICMPv6 + 8 + quote));
  return 48 + quote;
}

/** IPv4 only: may we cut it? */
export const mayFragment = (b: Uint8Array, { version, at }: Inner): boolean =>
  version === 4 && (read16(b, at + 6) & 0x4000) === 0;

/**
 * Cuts an IPv4 packet; each piece is handed over in `out` from `outAt` and is gone after the call.
 *
 * @returns false when not even eight octets fit beside the header
 */
export function fragment(
  b: Uint8Array,
  { at, length, l4 }: Inner,
  mtu: number,
  out: Uint8Array,
  outAt: number,
  each: (octets: number) => void,
): boolean {
  const header = l4 - at;
  const step = Math.floor((mtu - header) / 8) * 8;
  if (step < 8) return false;
  const flags = read16(b, at + 6);
  const last = at + length;
  for (let p = l4; p < last; p += step) {
    const octets = Math.min(step, last - p);
    out.set(b.subarray(at, l4), outAt);
    out.set(b.subarray(p, p + octets), outAt + header);
    if (p > l4) dropOptions(out, outAt + 20, outAt + header);
    const more = p + octets < last ? 0x2000 : flags & 0x2000;
    write16(out, outAt + 2, header + octets);
    write16(out, outAt + 6, (flags & 0x8000) | more | ((flags & 0x1fff) + (p - l4) / 8));
    write16(out, outAt + 10, 0);
    write16(out, outAt + 10, fold(sum16(out, outAt, header)));
    each(header + octets);
  }
  return true;
}

/** Options without the copied flag stay in the first fragment; elsewhere they become no-operations. */
function dropOptions(b: Uint8Array, from: number, end: number): void {
  for (let p = from; p < end; ) {
    const kind = b[p] ?? 0;
    if (kind === 0) return;
    const length = kind === 1 ? 1 : Math.max(2, b[p + 1] ?? 0);
    if ((kind & 0x80) === 0) b.fill(1, p, Math.min(p + length, end));
    p += length;
  }
}
