import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Views } from '../../../src/net/views.ts';

const buffers = [0, 1].map((n) => Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >>> 8) + n) & 0xff));

it('shows what is there, whatever was asked for before', () => {
  const views = new Views();
  const place = fc.tuple(fc.nat(1), fc.nat({ max: 150_000 }), fc.nat({ max: 2000 }));
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 50 }), (places) => {
      for (const [n, at, length] of [...places, ...places]) {
        const octets = buffers[n] ?? new Uint8Array();
        expect(Buffer.compare(views.of(octets, at, length), octets.subarray(at, at + length))).toBe(0);
      }
    }),
  );
});

it('is one and the same for the same place, and follows what is written there', () => {
  const views = new Views();
  const [octets = new Uint8Array()] = buffers;
  const view = views.of(octets, 65_536 + 40, 1400);
  octets[65_536 + 40] = 0x5a;
  expect(views.of(octets, 65_536 + 40, 1400)).toBe(view);
  expect(view[0]).toBe(0x5a);
});
