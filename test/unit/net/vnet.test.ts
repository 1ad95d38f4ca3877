/** The virtio header of a TUN device: what it may say of a packet, and what is refused because it cannot be true. */
import { describe, expect, it } from 'vitest';
import { complete, gsoSize, gsoType, VNET, writePlain, writeWhole } from '../../../src/net/vnet.ts';
import { octets, plainSum, tcp, upperSum } from './packets.ts';

const NEEDS_CSUM = 1;
const AT = 12;

/** A packet behind its header, in the middle of other octets. */
function behind(packet: Uint8Array, start: number, offset: number, flags = NEEDS_CSUM) {
  const b = new Uint8Array(AT + packet.length + 20).fill(0xee);
  b.set(packet, AT);
  const v = new DataView(b.buffer, AT - VNET);
  v.setUint16(0, flags); // and no GSO
  v.setUint16(2, 0xffff, true); // the length of headers: a hint, and nobody takes it
  v.setUint16(4, 0, true);
  v.setUint16(6, start, true);
  v.setUint16(8, offset, true);
  return {
    b,
    done: (length = packet.length) => complete(b, AT - VNET, AT, length),
    packet: () => b.slice(AT, AT + packet.length),
  };
}

/** With the sum of the pseudo header where the checksum will be, as the kernel leaves it. */
function unfinished(packet: Uint8Array, transport: number): Uint8Array {
  const b = packet.slice();
  const addresses = transport === 40 ? plainSum(b, 8, 32) : plainSum(b, 12, 8);
  new DataView(b.buffer).setUint16(transport + 16, plainSum(b, 0, 0, addresses + 6 + b.length - transport));
  return b;
}

describe('a checksum that is to be finished', () => {
  it.each([false, true])('is that of the packet, whatever its length is (IPv6 %s)', (six) => {
    const transport = six ? 40 : 20;
    for (const length of [0, 1, 2, 3, 127, 128, 1000, 1001]) {
      const packet = tcp({ six, payload: octets(length) });
      const p = behind(unfinished(packet, transport), transport, 16, NEEDS_CSUM << 8);
      expect(p.done()).toBe(true);
      expect(p.packet()).toEqual(packet);
      expect(upperSum(p.packet(), transport)).toBe(0xffff);
    }
  });

  it('of zero is written as its other form, since UDP says none by it (RFC 768)', () => {
    const packet = new Uint8Array(28);
    packet.set([0xff, 0xff], 20);
    const p = behind(packet, 20, 6, NEEDS_CSUM << 8);
    expect(p.done()).toBe(true);
    expect([...p.packet().subarray(26)]).toEqual([0xff, 0xff]);
  });

  it('that nobody asked for is not touched, whatever else stands there', () => {
    for (const flags of [0, 2, 4, 0xfe]) {
      const p = behind(tcp(), 0xffff, 0xffff, flags << 8);
      expect(p.done()).toBe(true);
      expect(p.packet()).toEqual(tcp());
    }
  });

  it.each([
    ['begins behind the packet', 40, 0],
    ['begins far behind it', 0xffff, 0],
    ['is behind the packet', 20, 20],
    ['is half behind it', 20, 19],
    ['is far behind it', 20, 0xffff],
    ['is so far that the sum has more than 16 bits', 0xffff, 0xffff],
    ['is in the header of IP', 0, 16],
    ['is summed from within it', 19, 16],
  ])('and %s: refused, and nothing is written', (_, start, offset) => {
    const p = behind(tcp(), start, offset, NEEDS_CSUM << 8);
    const before = p.b.slice();
    expect(p.done()).toBe(false);
    expect(p.b).toEqual(before);
  });

  it('of a packet that was cut anywhere is within what is there, or refused', () => {
    for (let length = 0; length < 40; length++) {
      const p = behind(tcp(), 20, 16, NEEDS_CSUM << 8);
      const before = p.b.slice();
      expect(p.done(length)).toBe(length >= 38);
      if (length < 38) expect(p.b).toEqual(before);
      else expect(p.b.subarray(AT + length)).toEqual(before.subarray(AT + length));
    }
  });
});

describe('a header that is written', () => {
  it.each([
    ['TCP', false, 6, 40, 20, [1, 1, 40, 0, 0x68, 0x05, 20, 0, 16, 0]],
    ['TCP', true, 6, 72, 40, [1, 4, 72, 0, 0x68, 0x05, 40, 0, 16, 0]],
    ['UDP', false, 17, 28, 20, [1, 5, 28, 0, 0x68, 0x05, 20, 0, 6, 0]],
    ['UDP', true, 17, 48, 40, [1, 5, 48, 0, 0x68, 0x05, 40, 0, 6, 0]],
  ] as const)('tells how to cut %s (IPv6 %s)', (_, six, protocol, headers, transport, expected) => {
    const b = new Uint8Array(VNET + 2).fill(0xee);
    writeWhole(b, 1, six, protocol, headers, transport, 1384);
    expect([...b]).toEqual([0xee, ...expected, 0xee]);
    expect([gsoType(b, 1), gsoSize(b, 1)]).toEqual([expected[1], 1384]);
  });

  it('says nothing of a packet that is whole', () => {
    const b = new Uint8Array(VNET + 2).fill(0xee);
    writePlain(b, 1);
    expect([...b]).toEqual([0xee, ...new Array<number>(VNET).fill(0), 0xee]);
  });
});
