import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold, hop, Inner, sum16 } from '../../../src/esp/ip.ts';
import { clampMss, complain, fragment } from '../../../src/esp/tooBig.ts';
import { ip4, ip6, syn, udp, upperSum } from './packets.ts';

const A = '2001:db8:0:0:0:0:0:1';
const B = '2001:db8:0:0:0:0:0:2';
const parsed = (b: Uint8Array): Inner => {
  const p = new Inner();
  expect(p.parse(b, 0, b.length)).toBe(true);
  return p;
};
const refused = (b: Uint8Array) => expect(new Inner().parse(b, 0, b.length)).toBe(false);

describe('inner packets', () => {
  it('tell addresses, protocol and ports', () => {
    const packet = ip4('10.0.0.1', '10.9.0.2', 17, udp(1000, 53));
    expect(parsed(packet)).toMatchObject({ version: 4, s3: 0x0a000001, d3: 0x0a090002, protocol: 17, sport: 1000, dport: 53 });
    expect(parsed(ip6(A, B, 17, udp(1000, 53)))).toMatchObject({ version: 6, s0: 0x20010db8, d3: 2, sport: 1000, dport: 53 });
  });
  it('may be followed by padding for traffic flow confidentiality', () => {
    const packet = ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2));
    const padded = new Uint8Array(200);
    padded.set(packet);
    expect(parsed(padded).length).toBe(packet.length);
  });
  it('every cut is refused', () => {
    for (const whole of [ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2)), ip6(A, B, 17, udp(1, 2))])
      for (let n = 0; n < whole.length; n += 1) refused(whole.slice(0, n));
  });
  it('nothing beyond the packet is read or makes it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x45, 0x4f, 0x60), (noise, first) => {
        noise[0] = first;
        const p = new Inner();
        const one = p.parse(noise, 0, noise.length);
        const longer = new Uint8Array(noise.length + 64).fill(0xff);
        longer.set(noise);
        const q = new Inner();
        expect(q.parse(longer, 0, noise.length)).toBe(one);
        if (one) expect({ ...q }).toEqual({ ...p });
        if (one) expect(p.l4 <= p.length && p.length <= noise.length).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
  it('source routes, routing headers of type 0 and endless extension headers are refused', () => {
    const routed = ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2));
    const optioned = new Uint8Array(routed.length + 4);
    optioned.set(routed.subarray(0, 20));
    optioned.set([131, 3, 4, 0], 20);
    optioned.set(routed.subarray(20), 24);
    optioned[0] = 0x46;
    optioned[3] = optioned.length;
    refused(optioned);
    refused(ip6(A, B, 43, Uint8Array.from([17, 0, 0, 0, 0, 0, 0, 0, ...udp(1, 2)])));
    const chain = (n: number) =>
      ip6(
        A,
        B,
        60,
        Uint8Array.from([
          ...Array.from({ length: n }, (_, i) => [i === n - 1 ? 17 : 60, ...Array(7).fill(0)]).flat(),
          ...udp(1, 2),
        ]),
      );
    expect(parsed(chain(8)).dport).toBe(2);
    refused(chain(9));
  });
  it('fragments are told; one that begins inside a header is refused (RFC 1858)', () => {
    expect(parsed(ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2), { more: true })).fragment).toBe('first');
    expect(parsed(ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2), { offset: 64 }))).toMatchObject({ fragment: 'later', dport: 0 });
    refused(ip4('10.0.0.1', '10.9.0.2', 6, udp(1, 2), { offset: 8 }));
    refused(ip4('10.0.0.1', '10.9.0.2', 6, udp(1, 2, 0), { more: true }));
    refused(ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2), { offset: 65_528 }));
  });
  it('a hop takes one from the TTL and keeps the checksum', () => {
    for (let ttl = 2; ttl < 256; ttl += 1) {
      const packet = ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2), { ttl });
      expect(hop(packet, parsed(packet))).toBe(true);
      expect([packet[8], fold(sum16(packet, 0, 20))]).toEqual([ttl - 1, 0]);
    }
    const last = ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 2), { ttl: 1 });
    expect(hop(last, parsed(last))).toBe(false);
  });
});

describe('what does not fit', () => {
  it.each([0, 1, 2, 3])('the MSS of a SYN is lowered behind %i no-operations, and the checksum holds', (before) => {
    for (const make of [(t: Uint8Array) => ip4('10.0.0.1', '10.9.0.2', 6, t), (t: Uint8Array) => ip6(A, B, 6, t)]) {
      const packet = make(syn(1460, before));
      const p = parsed(packet);
      new DataView(packet.buffer).setUint16(p.l4 + 16, upperSum(packet));
      expect(upperSum(packet)).toBe(0);
      clampMss(packet, p, 1400);
      const most = p.version === 4 ? 1360 : 1340;
      expect(new DataView(packet.buffer).getUint16(p.l4 + 22 + before)).toBe(most);
      expect(upperSum(packet)).toBe(0);
      const again = packet.slice();
      clampMss(packet, p, 1400);
      expect(packet).toEqual(again);
    }
  });
  it('the sender is told, with checksums that hold', () => {
    const out = new Uint8Array(1280);
    const four = ip4('10.9.0.2', '10.0.0.1', 17, udp(1, 2, 1400), { df: true });
    const told4 = out.slice(0, complain(out, four, parsed(four), 1400));
    expect([fold(sum16(told4, 0, 20)), fold(sum16(told4, 20, told4.length - 20))]).toEqual([0, 0]);
    expect(parsed(told4)).toMatchObject({ s3: 0x0a000001, d3: 0x0a090002, icmp: 0x304, complaint: true });
    expect([told4[26], told4[27]]).toEqual([5, 120]);
    const six = ip6(A, B, 17, udp(1, 2, 1400));
    const told6 = out.slice(0, complain(out, six, parsed(six), 1400));
    expect([told6.length, upperSum(told6), parsed(told6).icmp]).toEqual([1280, 0, 0x200]);
    expect(complain(out, told4, parsed(told4), 1400)).toBe(0);
  });
  it('IPv4 is cut into pieces that make the whole again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 4000 }), fc.integer({ min: 68, max: 900 }), (octets, mtu) => {
        const packet = ip4('10.9.0.2', '10.0.0.1', 17, udp(1, 2, octets));
        const out = new Uint8Array(5000);
        const whole = new Uint8Array(packet.length - 20);
        let last = 0;
        fragment(packet, parsed(packet), mtu, out, 30, (n) => {
          const piece = out.slice(30, 30 + n);
          const flags = new DataView(piece.buffer).getUint16(6);
          expect([n <= mtu, fold(sum16(piece, 0, 20))]).toEqual([true, 0]);
          whole.set(piece.subarray(20), (flags & 0x1fff) * 8);
          if ((flags & 0x2000) === 0) last = (flags & 0x1fff) * 8 + n - 20;
        });
        expect([whole, last]).toEqual([packet.slice(20), packet.length - 20]);
      }),
      { numRuns: 50 },
    );
  });
});
