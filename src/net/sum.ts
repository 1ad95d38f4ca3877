/**
 * The Internet checksum (RFC 1071) at speed, for packets that the kernel leaves to us: sums of 16-bit words modulo 65,535, four
 * octets at a time. A 32-bit word is worth the sum of its halves, since 2^16 is 1 modulo 65,535; and a sum over words of the
 * machine's own byte order is the right one with its octets swapped (§2 (B)).
 */

let buffer: ArrayBufferLike | undefined;
let words: Uint32Array = new Uint32Array(0);

/** The same octets as 32-bit words, made once for a buffer that is used again and again. */
function wordsOf(b: Uint8Array): Uint32Array {
  if (b.buffer !== buffer) {
    buffer = b.buffer;
    words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  }
  return words;
}

/**
 * The sum of `length` octets of `b` at `at`, as big-endian 16-bit words, an odd octet at the end filled up with zero.
 *
 * @returns 0…65535, not complemented
 */
export function sumOf(b: Uint8Array, at: number, length: number): number {
  const start = b.byteOffset + at;
  if ((start & 3) !== 0 || length < 16) return slowly(b, at, length);
  const w = wordsOf(b);
  const end = (start + length) >>> 2;
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = start >>> 2;
  for (; i + 4 <= end; i += 4) {
    s0 += w[i] as number;
    s1 += w[i + 1] as number;
    s2 += w[i + 2] as number;
    s3 += w[i + 3] as number;
  }
  for (; i < end; i++) s0 += w[i] as number;
  // Exact: 2^32 for each of at most 2^14 words.
  const folded = (s0 + s1 + s2 + s3) % 0xffff;
  const swapped = ((folded & 0xff) << 8) | (folded >>> 8);
  const rest = length & 3;
  return fold16(swapped + (rest === 0 ? 0 : slowly(b, at + length - rest, rest)));
}

function slowly(b: Uint8Array, at: number, length: number): number {
  let sum = 0;
  const even = at + (length & ~1);
  for (let i = at; i < even; i += 2) sum += ((b[i] as number) << 8) | (b[i + 1] as number);
  if ((length & 1) !== 0) sum += (b[even] as number) << 8;
  return fold16(sum);
}

/** A sum in 16 bits, the carries added again. */
export function fold16(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}

export const get16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number);

export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}
