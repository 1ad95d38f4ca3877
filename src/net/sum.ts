/**
 * The Internet checksum (RFC 1071) at speed, for packets that the kernel leaves to us: sums of 16-bit words modulo 65,535, four
 * octets at a time. A 32-bit word is worth the sum of its halves, since 2^16 is 1 modulo 65,535; and a sum over words of the
 * machine's own byte order is the right one with its octets swapped (§2 (B)).
 */
import { type SumWords, sumWords } from './simd.ts';

const known = new WeakMap<ArrayBufferLike, Uint32Array>();

/** The same octets as 32-bit words, made once for a buffer that is used again and again. */
function wordsOf({ buffer }: Uint8Array): Uint32Array {
  const there = known.get(buffer);
  if (there !== undefined) return there;
  const words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  known.set(buffer, words);
  return words;
}

/**
 * The sum of `length` octets of `b` at `at`, as big-endian 16-bit words, an odd octet at the end filled up with zero.
 *
 * @returns 0…65535, not complemented
 */
export function sumOf(b: Uint8Array, at: number, length: number): number {
  const start = b.byteOffset + at;
  if (length >= VECTORS) {
    if (b !== last) {
      last = b;
      vectors = sumWords(b.buffer);
    }
    if (vectors !== undefined) {
      const whole = length & ~15;
      const sum = swap(folded(vectors(start, start + whole)));
      return fold16(sum + slowly(b, at + whole, length - whole));
    }
  }
  if ((start & 3) !== 0 || length < WORDS) return slowly(b, at, length);
  const w = wordsOf(b);
  const end = (start + length) >>> 2;
  // Halves are summed apart, so that no sum leaves the 31 bits that are fast: a packet has at most 2^14 words.
  // No list stands for several names here: not every compiler of V8's does without making it.
  let low0 = 0;
  let high0 = 0;
  let low1 = 0;
  let high1 = 0;
  let i = start >>> 2;
  for (; i + 4 <= end; i += 4) {
    const a = w[i] as number;
    const c = w[i + 1] as number;
    const d = w[i + 2] as number;
    const e = w[i + 3] as number;
    low0 = (low0 + (a & 0xffff) + (c & 0xffff)) | 0;
    high0 = (high0 + (a >>> 16) + (c >>> 16)) | 0;
    low1 = (low1 + (d & 0xffff) + (e & 0xffff)) | 0;
    high1 = (high1 + (d >>> 16) + (e >>> 16)) | 0;
  }
  let sum = low0 + high0 + low1 + high1;
  for (; i < end; i++) sum += ((w[i] as number) & 0xffff) + ((w[i] as number) >>> 16);
  const rest = length & 3;
  return fold16(swap(folded(sum)) + (rest === 0 ? 0 : slowly(b, at + length - rest, rest)));
}

/** What was summed last, and what sums it: asking a view for its buffer costs as much as summing it. */
let last: Uint8Array | undefined;
let vectors: SumWords | undefined;

/** From this many octets on a call costs less than a loop, and asking a view for its buffer less than halving the loop does. */
const VECTORS = 128;
const WORDS = 64;

/** Of less than 2^32, as the carries leave it, which is 0 for nothing but zeros (RFC 1071 §2). A division would cost more. */
function folded(sum: number): number {
  const once = (sum >>> 16) + (sum & 0xffff);
  return (once >>> 16) + (once & 0xffff);
}

const swap = (word: number): number => ((word & 0xff) << 8) | (word >>> 8);

function slowly(b: Uint8Array, at: number, length: number): number {
  let sum = 0;
  const even = at + (length & ~1);
  for (let i = at; i < even; i += 2) sum += ((b[i] as number) << 8) | (b[i + 1] as number);
  if ((length & 1) !== 0) sum += (b[even] as number) << 8;
  return fold16(sum);
}

/** The sum of whole words of four octets, few of them, such as a header's. */
export function sumOfWords(b: DataView, at: number, length: number): number {
  let sum = 0;
  for (let i = at; i < at + length; i += 4) {
    const word = b.getInt32(i);
    sum += (word >>> 16) + (word & 0xffff);
  }
  return fold16(sum);
}

/** What stands in a checksum's field; over octets that have it in place it is 0 when it is right. */
export const checksum = (sum: number): number => 0xffff - fold16(sum);

/** A sum in 16 bits, the carries added again. */
export function fold16(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}

/** Writes the checksum of an IPv4 header of so many octets into it. */
export function signIpv4(b: DataView, at: number, header: number): void {
  b.setUint16(at + 10, 0);
  b.setUint16(at + 10, checksum(sumOfWords(b, at, header)));
}
