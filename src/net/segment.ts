/**
 * What a TUN device leaves to us of TCP: a segment of up to 64 KB is cut into packets as the network may carry them. Headers are
 * those of the whole, with the length, the sequence number, the identification and the flags of each piece.
 */
import { get16, get32, put16, put32, viewOf } from './octets.ts';
import { summable } from './simd.ts';
import { checksum, signIpv4, sumOf } from './sum.ts';
import { CWR, FIN, headersOf, PSH, pseudoSum, TCP } from './tcp.ts';
import { Views } from './views.ts';
import { GSO, gsoSize, gsoType, VNET } from './vnet.ts';

/** Larger than any piece: a device's MTU has 16 bits. */
const ROOM = 0xffff;
/** Of one segment: 64 KB in pieces of 16 octets, which is what the least MTU of IPv4, 68, leaves to TCP with timestamps. */
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
   * Cuts the TCP segment of b[at…at+length), whose virtio header is right before it.
   *
   * @returns false when it is not what that header says; then nothing was taken
   */
  cut(b: Uint8Array, at: number, length: number): boolean {
    const type = gsoType(b, at - VNET) & ~GSO.ecn;
    const six = type === GSO.tcp6;
    const size = gsoSize(b, at - VNET);
    const transport = six ? 40 : ((b[at] as number) & 15) * 4;
    const version = (b[at] as number) >>> 4;
    if (!(six ? version === 6 && b[at + 6] === TCP : type === GSO.tcp4 && version === 4 && b[at + 9] === TCP)) return false;
    if (transport < 20 || length < transport + 20 || size === 0) return false;
    if ((six ? 40 + get16(b, at + 4) : get16(b, at + 2)) !== length) return false; // no octet that is none of the packet
    const headers = headersOf(b, at, transport);
    if (headers < transport + 20 || headers >= length || headers + Math.min(size, length - headers) > ROOM) return false;
    // Pieces may be as small as their sender made them: the kernel joins what arrived. Only their number has a bound.
    if (length - headers > size * MOST_PIECES) return false;
    const piece = this.#piece;
    const words = this.#words;
    const to = this.#at;
    const head = b.subarray(at, at + headers);
    const flags = b[at + transport + 13] as number;
    for (let from = headers, n = 0; from < length; from += size, n++) {
      const octets = Math.min(size, length - from);
      piece.set(head, to); // anew: a taker may write over what it was given
      piece.set(this.#views.of(b, at + from, octets), to + headers);
      if (six) put16(piece, to + 4, headers - transport + octets);
      else ipv4(words, to, transport, headers + octets, n);
      const seq = to + transport + 4;
      put32(piece, seq, get32(piece, seq) + from - headers);
      // FIN and PSH are the last one's, CWR is the first one's (RFC 3168 §6.1.2).
      piece[seq + 9] = flags & (from + size < length ? ~(FIN | PSH) : 0xff) & (n === 0 ? 0xff : ~CWR);
      put16(piece, seq + 12, 0);
      const segment = headers - transport + octets;
      put16(piece, seq + 12, checksum(pseudoSum(words, to, six, segment) + sumOf(piece, to + transport, segment)));
      this.#take(piece, to, headers + octets);
    }
    return true;
  }
}

/** Length, identification and checksum of piece n; `header` octets of IPv4 header. */
function ipv4(b: DataView, at: number, header: number, length: number, n: number): void {
  b.setUint16(at + 2, length);
  b.setUint16(at + 4, b.getUint16(at + 4) + n);
  signIpv4(b, at, header);
}
