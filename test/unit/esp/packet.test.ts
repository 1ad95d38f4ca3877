import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestInner, pad, unpad } from '../../../src/esp/packet.ts';

describe('ESP trailer (RFC 4303 §2.4)', () => {
  it('is read back, whatever the length and the block', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.constantFrom(1, 4, 16), (length, block) => {
        const b = new Uint8Array(400);
        const whole = pad(b, 8, length, block, 4);
        expect(whole % Math.max(4, block)).toBe(0);
        expect([unpad(b, 8, whole), b[8 + whole - 1]]).toEqual([length, 4]);
      }),
    );
  });
  it('is refused when the padding is not 1, 2, 3… or longer than the packet', () => {
    const b = new Uint8Array(16);
    const whole = pad(b, 0, 7, 16, 4);
    for (let i = 7; i < whole - 2; i += 1) {
      const bad = b.slice();
      bad[i] = (bad[i] ?? 0) ^ 0x80;
      expect(unpad(bad, 0, whole)).toBe(-1);
    }
    expect([unpad(new Uint8Array([9, 4]), 0, 2), unpad(b, 0, 1), unpad(b, 0, 0)]).toEqual([-1, -1, -1]);
  });
  it('the largest inner packet fills its room and one octet more does not', () => {
    for (const blockOctets of [1, 16])
      for (let room = 600; room < 640; room += 1) {
        const sizes = { ivOctets: 8, icvOctets: 16, blockOctets };
        const most = largestInner(room, sizes);
        const octets = (n: number) => 8 + 8 + 16 + pad(new Uint8Array(700), 0, n, blockOctets, 4);
        expect([octets(most) <= room, octets(most + 1) > room]).toEqual([true, true]);
      }
  });
});
