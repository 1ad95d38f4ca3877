/**
 * What a TUN device leaves to us of TCP and UDP: up to 64 KB are cut into packets as the network may carry them. Headers are
 * those of the whole, with the length and identification of each piece, and TCP's sequence number and flags.
 */
import { get16, get32, put16, put32, viewOf } from './octets.ts';
import { summable } from './simd.ts';
import { checksum, signIpv4, sumOf } from './sum.ts';
import { CWR, checksumOf, FIN, headersOf, leastHeader, PSH, pseudoSum, TCP, UDP } from './transport.ts';
import { Views } from './views.ts';
import { GSO, gsoSize, gsoType, VNET } from './vnet.ts';

/** Larger than any piece: a device's MTU has 16 bits. */
const ROOM = 0xffff;
/** Of one whole: 64 KB in pieces of 16 octets, which is what the least MTU of IPv4, 68, leaves to TCP with timestamps. */
const MOST_PIECES = 4096;

/** Takes a piece; its octets are the taker's only during the call. */
export type TakePacket = (octets: Uint8Array, at: number, length: number) => void;

export class Segmenter {
  readonly #piece: Uint8Array;
  readonly #words: DataView;
  readonly #at: number;
  readonly #take: TakePacket;
  readonly #views = new Views();

  /** Pieces come with `headroom` octets before and `tailroom` behind them. */
  constructor(headroom: number, tailroom: number, take: TakePacket) {
    this.#at = (headroom + 3) & ~3; // so that what is summed lies on words
    this.#piece = summable(this.#at + ROOM + tailroom);
    this.#words = viewOf(this.#piece);
    this.#take = take;
  }

  /**
   * Cuts the TCP segment, or the UDP datagrams, of b[at…at+length), whose virtio header is right before it.
   *
   * @returns false when it is not what that header says; then nothing was taken
   */
  cut(b: Uint8Array, at: number, length: number): boolean {
    const size = gsoSize(b, at - VNET);
    const six = (b[at] as number) >>> 4 === 6;
    const protocol = gsoType(b, at - VNET) === GSO.udp ? UDP : TCP;
    const transport = transportOf(b, at, length, six, protocol);
    const headers = checkedHeaders(b, at, length, six, protocol, transport);
    if (headers < 0) return false;
    const piece = this.#piece;
    const words = this.#words;
    const to = this.#at;
    const head = b.subarray(at, at + headers);
    const sum = to + transport + checksumOf(protocol);
    for (let from = headers, n = 0; from < length; from += size, n++) {
      const octets = Math.min(size, length - from);
      piece.set(head, to); // anew: a taker may write over what it was given
      piece.set(this.#views.of(b, at + from, octets), to + headers);
      const upper = headers - transport + octets;
      if (six) put16(piece, to + 4, transport - 40 + upper);
      else ipv4(words, to, transport, headers + octets, n);
      if (protocol === UDP) put16(piece, to + transport + 4, upper);
      else tcp(piece, to + transport, from - headers, n === 0, from + size >= length);
      put16(piece, sum, 0);
      const check = checksum(pseudoSum(words, to, six, protocol, upper) + sumOf(piece, to + transport, upper));
      put16(piece, sum, protocol === UDP && check === 0 ? 0xffff : check); // zero would mean none (RFC 768)
      this.#take(piece, to, headers + octets);
    }
    return true;
  }
}

/** The octets of all headers; negative: the packet is not what its virtio header says. */
function checkedHeaders(b: Uint8Array, at: number, length: number, six: boolean, protocol: number, transport: number): number {
  const size = gsoSize(b, at - VNET);
  if (!six && (b[at] as number) >>> 4 !== 4) return -1;
  if (protocol === TCP && (gsoType(b, at - VNET) & ~GSO.ecn) !== (six ? GSO.tcp6 : GSO.tcp4)) return -1;
  const least = transport + leastHeader(protocol);
  if (transport < 20 || length < least || size === 0) return -1;
  if ((six ? 40 + get16(b, at + 4) : get16(b, at + 2)) !== length) return -1; // no octet that is none of the packet
  const headers = headersOf(b, at, transport, protocol);
  if (headers < least || headers >= length || headers + Math.min(size, length - headers) > ROOM) return -1;
  // Pieces may be as small as their sender made them: the kernel joins what arrived. Only their number has a bound.
  return length - headers > size * MOST_PIECES ? -1 : headers;
}

/**
 * Where the header of a protocol begins; 0: another one is there. Options of IPv6 are passed by, hop by hop and of the
 * destination (RFC 8200 §4.3, §4.6). No routing header is: checksums are of an address that is not in the packet then (§8.1).
 */
function transportOf(b: Uint8Array, at: number, length: number, six: boolean, protocol: number): number {
  if (!six) return b[at + 9] === protocol ? ((b[at] as number) & 15) * 4 : 0;
  let next = b[at + 6] as number;
  let transport = 40;
  while ((next === HOP_BY_HOP || next === DESTINATION) && transport + 8 <= length) {
    next = b[at + transport] as number;
    transport += ((b[at + transport + 1] as number) + 1) * 8;
  }
  return next === protocol ? transport : 0;
}
const [HOP_BY_HOP, DESTINATION] = [0, 60];

/** The sequence number, of the octet at `offset`; flags: FIN and PSH are the last piece's, CWR the first's (RFC 3168 §6.1.2). */
function tcp(b: Uint8Array, at: number, offset: number, first: boolean, last: boolean): void {
  put32(b, at + 4, get32(b, at + 4) + offset);
  b[at + 13] = (b[at + 13] as number) & (last ? 0xff : ~(FIN | PSH)) & (first ? 0xff : ~CWR);
}

/** Length, identification and checksum of piece n; `header` octets of IPv4 header. */
function ipv4(b: DataView, at: number, header: number, length: number, n: number): void {
  b.setUint16(at + 2, length);
  b.setUint16(at + 4, b.getUint16(at + 4) + n);
  signIpv4(b, at, header);
}
