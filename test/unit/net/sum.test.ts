/** The Internet checksum by vectors, by words and octet by octet is the same. */
import { describe, expect, it } from 'vitest';
import { summable, sumWords } from '../../../src/net/simd.ts';
import { sumOf } from '../../../src/net/sum.ts';
import { plainSum } from './packets.ts';

function filled(b: Uint8Array): Uint8Array {
  for (let i = 0, x = 1; i < b.length; i++) {
    x = (x * 1_103_515_245 + 12_345) & 0x7fffffff;
    b[i] = x >>> 16;
  }
  return b;
}

describe('sumOf', () => {
  it('has vectors here', () => {
    expect(sumWords(summable(100).buffer)).toBeTypeOf('function');
  });

  for (const [what, make] of [
    ['vectors', () => summable(70_000)],
    ['words', () => new Uint8Array(new ArrayBuffer(70_000))],
    ['a view that begins anywhere', () => new Uint8Array(new ArrayBuffer(70_003), 3)],
  ] as const) {
    it(`gives the sum by ${what}`, () => {
      const b = filled(make());
      for (const at of [0, 1, 2, 3, 24, 57])
        for (let length = 0; length < 300; length++)
          expect([at, length, sumOf(b, at, length)]).toEqual([at, length, plainSum(b, at, length)]);
      for (const length of [1400, 1460, 8959, 65_535]) expect(sumOf(b, 4, length)).toBe(plainSum(b, 4, length));
    });

    it(`carries by ${what}`, () => {
      const b = make().fill(0xff);
      expect(sumOf(b, 4, 65_535)).toBe(0xff00); // an odd octet is the upper half of a word
      expect(sumOf(b, 0, 65_536)).toBe(0xffff); // 0 stands for nothing but zeros
      expect(sumOf(make(), 0, 65_536)).toBe(0);
    });
  }

  it('gives RFC 1071 §3 its example', () => {
    expect(sumOf(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7), 0, 8)).toBe(0xddf2);
  });
});
