import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressAt, portAt, SOCKADDR, writeSockaddr } from '../../../src/net/sockaddr.ts';

const round = (address: string, port = 500) => {
  const raw = new Uint8Array(SOCKADDR + 2).fill(0xaa);
  const length = writeSockaddr(raw, 1, address, port);
  return { length, address: addressAt(raw, 1), port: portAt(raw, 1), before: raw[0], after: raw[SOCKADDR + 1] };
};

describe('struct sockaddr', () => {
  it.each([
    ['192.0.2.1', 16],
    ['0.0.0.0', 16],
    ['255.255.255.255', 16],
    ['::', 28],
    ['::1', 28],
    ['2001:db8::1', 28],
    ['2001:db8:0:1::', 28],
    ['1:0:0:2::3', 28],
    ['1:2:3:4:5:6:7:8', 28],
    ['::ffff:192.0.2.1', 28],
  ])('%s is written and read again', (address, length) => {
    expect(round(address, 4500)).toEqual({ length, address, port: 4500, before: 0xaa, after: 0xaa });
  });

  it('has the layout of Linux', () => {
    const raw = new Uint8Array(SOCKADDR);
    writeSockaddr(raw, 0, '192.0.2.1', 500);
    expect([...raw.subarray(0, 8)]).toEqual([2, 0, 1, 0xf4, 192, 0, 2, 1]);
    writeSockaddr(raw, 0, '::1', 4500);
    expect([...raw.subarray(0, 9), raw[23]]).toEqual([10, 0, 0x11, 0x94, 0, 0, 0, 0, 0, 1]);
  });

  it('an address of either family is spelled as the platform spells it (RFC 5952)', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.array(fc.constantFrom(0, 0, 1, 0xff), { minLength: 16, maxLength: 16 }).map((a) => Uint8Array.from(a)),
    );
    fc.assert(
      fc.property(octets, (a) => {
        fc.pre(a.length === 4 || a.subarray(0, 12).some((o) => o !== 0)); // ::192.0.2.1, which RFC 4291 has given up
        const groups = Array.from({ length: a.length / 2 }, (_, i) =>
          (((a[2 * i] ?? 0) << 8) | (a[2 * i + 1] ?? 0)).toString(16),
        );
        const text = a.length === 4 ? a.join('.') : groups.join(':');
        const plain = new SocketAddress({ address: text, family: a.length === 4 ? 'ipv4' : 'ipv6' }).address;
        expect(round(text).address).toBe(plain);
        expect(round(plain).address).toBe(plain);
      }),
    );
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    '1..2.3',
    '0001.2.3.4',
    'a.b.c.d',
    ':',
    ':::',
    '1:2',
    '1::2::3',
    'g::1',
    '12345::',
    'x',
  ])('what is no address is not written: %j', (text) => expect(round(text)).toMatchObject({ length: 0 }));

  it('a zone is kept, so that nobody takes it for an address that can be answered', () => {
    const raw = new Uint8Array(SOCKADDR);
    writeSockaddr(raw, 0, 'fe80::1', 500);
    raw[24] = 2;
    expect(addressAt(raw, 0)).toBe('fe80::1%2');
  });
});
