/**
 * Sums of octets at the speed of the machine's vectors: 16 octets a step, which JavaScript has no words for and WebAssembly has.
 * The module is so small that it is written out here; where it is not taken, `sum.ts` does without.
 *
 *     (func (param $at i32) (param $end i32) (result i32) (local $sums v128)
 *       (block (loop
 *         (br_if 1 (i32.gt_u (i32.add (local.get $at) (i32.const 64)) (local.get $end)))
 *         (local.set $sums (i32x4.add (local.get $sums) (i32x4.extadd_pairwise_i16x8_u (v128.load (local.get $at)))))
 *         …the same with offset=16, 32 and 48…
 *         (local.set $at (i32.add (local.get $at) (i32.const 64)))
 *         (br 0)))
 *       (…a second loop by single steps of 16…)
 *       (the sum of the four lanes of $sums))
 */

/** The sum of the 16-bit words, in the machine's byte order, of all whole 16 octets from `at` before `end`; modulo 2^32. */
export type SumWords = (at: number, end: number) => number;

/** What we use of it: its types are in none of the libraries that we compile against. */
declare const WebAssembly: {
  Module: new (octets: Uint8Array) => object;
  Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
  Instance: new (module: object, imports: object) => { readonly exports: { readonly s: SumWords } };
};

const add = (offset: number) => [0x20, 0x02, 0x20, 0x00, 0xfd, 0x00, 0x00, offset, 0xfd, 0x7f, 0xfd, 0xae, 0x01, 0x21, 0x02];
/** The constant of 64 takes two octets (LEB128, signed). */
const loop = (step: readonly number[], offsets: readonly number[]) => [
  ...[0x02, 0x40, 0x03, 0x40, 0x20, 0x00, 0x41, ...step, 0x6a, 0x20, 0x01, 0x4b, 0x0d, 0x01],
  ...offsets.flatMap(add),
  ...[0x20, 0x00, 0x41, ...step, 0x6a, 0x21, 0x00, 0x0c, 0x00, 0x0b, 0x0b],
];
const CODE = [
  ...[0x01, 0x01, 0x7b],
  ...loop([0xc0, 0x00], [0, 16, 32, 48]), // a loop looks for interrupts each time: a quarter of what one by one takes
  ...loop([0x10], [0]),
  ...[0x20, 0x02, 0xfd, 0x1b, 0x00, 0x20, 0x02, 0xfd, 0x1b, 0x01, 0x6a],
  ...[0x20, 0x02, 0xfd, 0x1b, 0x02, 0x6a, 0x20, 0x02, 0xfd, 0x1b, 0x03, 0x6a, 0x0b],
];
const leb = (n: number): readonly number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const BODY = [...leb(CODE.length), ...CODE];
/** Magic and version; one type; memory "m" "m" is imported; one function of that type, exported as "s"; its code. */
const MODULE = [
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f],
  ...[0x02, 0x08, 0x01, 0x01, 0x6d, 0x01, 0x6d, 0x02, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x73, 0x00, 0x00],
  ...[0x0a, ...leb(BODY.length + 1), 0x01, ...BODY],
];
const PAGE = 65_536;

const sums = new WeakMap<ArrayBufferLike, SumWords>();
let compiled: object | undefined;

/** Zeroed octets, at least so many, whose sums are fast where that can be. Each takes address space: for few, large buffers. */
export function summable(octets: number): Uint8Array {
  const pages = Math.ceil(octets / PAGE);
  try {
    compiled ??= new WebAssembly.Module(Uint8Array.from(MODULE));
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { s } = new WebAssembly.Instance(compiled, { m: { m: memory } }).exports;
    sums.set(memory.buffer, s);
    return new Uint8Array(memory.buffer);
  } catch {
    return new Uint8Array(new ArrayBuffer(pages * PAGE)); // no vectors, or no address space for one more
  }
}

/** What sums the octets of a buffer that `summable` made. */
export const sumWords = (buffer: ArrayBufferLike): SumWords | undefined => sums.get(buffer);
