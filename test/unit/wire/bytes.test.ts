import { describe, expect, it } from 'vitest';
import { concat, equal, hex, ikeSpi, Malformed, NO_SPI, Reader, spiOctets, unhex, Writer } from '../../../src/wire/index.ts';

describe('Reader', () => {
  it('reads big-endian numbers', () => {
    const r = new Reader(unhex('01 0203 fffefdfc'));
    expect([r.u8(), r.u16(), r.u32()]).toEqual([1, 0x0203, 0xfffefdfc]);
    expect(r.left).toBe(0);
  });

  it.each([
    ['u8', 0, (r: Reader) => r.u8()],
    ['u16', 1, (r: Reader) => r.u16()],
    ['u32', 3, (r: Reader) => r.u32()],
    ['take', 4, (r: Reader) => r.take(5)],
    ['sub', 4, (r: Reader) => r.sub(5)],
    ['skip', 4, (r: Reader) => r.skip(5)],
  ] as const)('%s refuses when an octet is missing, and moves nowhere', (_, size, step) => {
    const r = new Reader(new Uint8Array(size));
    expect(() => step(r)).toThrow(Malformed);
    expect(r.left).toBe(size);
  });

  it('hands out views, not copies', () => {
    const octets = unhex('0102030405');
    const view = new Reader(octets).take(3);
    octets[0] = 0xff;
    expect(hex(view)).toBe('ff0203');
  });

  it('confines a part to its octets and goes on behind it', () => {
    const r = new Reader(unhex('0102030405'));
    const part = r.sub(2);
    expect(hex(part.rest())).toBe('0102');
    expect(() => part.u8()).toThrow(Malformed);
    expect(r.u8()).toBe(3);
  });

  it('does not end while octets are left', () => {
    const r = new Reader(unhex('01'));
    expect(() => r.end()).toThrow(Malformed);
    r.u8();
    expect(() => r.end()).not.toThrow();
  });
});

describe('Writer', () => {
  it('writes big-endian numbers', () => {
    expect(hex(new Writer().u8(1).u16(0x0203).u32(0xfffefdfc).finish())).toBe('010203fffefdfc');
  });

  it('grows without losing what was written', () => {
    const w = new Writer();
    for (let i = 0; i < 5000; i++) w.u8(i & 0xff);
    const octets = w.put(new Uint8Array(9000).fill(7)).finish();
    expect(octets.length).toBe(14000);
    expect(octets[4999]).toBe(4999 & 0xff);
    expect(octets[13999]).toBe(7);
  });

  it('patches a length that was written before', () => {
    expect(hex(new Writer().u16(0).u8(9).patch16(0, 0xabcd).finish())).toBe('abcd09');
  });

  it('patches only what was written', () => {
    expect(() => new Writer().u8(0).patch16(0, 1)).toThrow(RangeError);
    expect(() => new Writer().u16(0).patch16(-1, 1)).toThrow(RangeError);
  });

  it.each([
    ['u8', (w: Writer) => w.u8(256)],
    ['u8', (w: Writer) => w.u8(-1)],
    ['u8', (w: Writer) => w.u8(1.5)],
    ['u16', (w: Writer) => w.u16(65536)],
    ['u32', (w: Writer) => w.u32(2 ** 32)],
    ['u32', (w: Writer) => w.u32(Number.NaN)],
    ['patch16', (w: Writer) => w.u16(0).patch16(0, 70000)],
  ] as const)('%s refuses a number that does not fit', (_, step) => {
    expect(() => step(new Writer())).toThrow(RangeError);
  });

  it('gives octets that no later Writer touches', () => {
    const first = new Writer().u32(0x01020304).finish();
    new Writer().u32(0xffffffff).finish();
    expect(hex(first)).toBe('01020304');
  });

  it('leaves nothing of an earlier message where it writes zeros', () => {
    new Writer().put(new Uint8Array(64).fill(0xaa)).finish();
    expect(hex(new Writer().zero(4).finish())).toBe('00000000');
  });

  it('shares nothing with another Writer that is open at the same time', () => {
    const a = new Writer().u8(1);
    const b = new Writer().u8(2);
    a.u8(3);
    b.u8(4);
    expect([hex(a.finish()), hex(b.finish())]).toEqual(['0103', '0204']);
  });
});

describe('octets as text', () => {
  it('hex and unhex are one another undone', () => {
    expect(hex(unhex('00ff10a5'))).toBe('00ff10a5');
    expect(hex(unhex('DE AD\n be ef'))).toBe('deadbeef');
  });

  it.each(['0', 'zz', '0x00', '00-11'])('%s is not hex', (text) => {
    expect(() => unhex(text)).toThrow(RangeError);
  });

  it('an IKE SPI is 16 hex digits, and its octets come back', () => {
    const octets = unhex('bfe7d806646696e2');
    expect(ikeSpi(octets)).toBe('bfe7d806646696e2');
    expect(spiOctets(ikeSpi(octets))).toEqual(octets);
    expect(spiOctets(NO_SPI)).toEqual(new Uint8Array(8));
  });

  it('an IKE SPI has 8 octets', () => {
    expect(() => ikeSpi(new Uint8Array(4))).toThrow(RangeError);
  });

  it('concat joins, equal compares length and content', () => {
    expect(hex(concat(unhex('01'), unhex(''), unhex('0203')))).toBe('010203');
    expect(equal(unhex('0102'), unhex('0102'))).toBe(true);
    expect(equal(unhex('0102'), unhex('0103'))).toBe(false);
    expect(equal(unhex('0102'), unhex('010203'))).toBe(false);
  });
});
