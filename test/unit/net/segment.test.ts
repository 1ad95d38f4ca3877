/** TCP segments and runs of UDP as a TUN device gives them: cut into packets, or refused for not being what their header says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Segmenter } from '../../../src/net/segment.ts';
import { VNET } from '../../../src/net/vnet.ts';
import { ACK, CWR, FIN, octets, PSH, plainSum, tcp, udp, upperSum } from './packets.ts';

const ECN = 0x80;
const [HEAD, TAIL] = [24, 64];

type Header = { readonly type?: number; readonly size?: number; readonly headers?: number; readonly start?: number };

/** A segment behind its header, as it is read: octets of earlier reads lie behind it. */
function segment(packet: Uint8Array, { type = 1, size = 1000, headers = 40, start = 20 }: Header = {}): Uint8Array {
  const b = new Uint8Array(VNET + packet.length + 2000).fill(0xdd);
  const v = new DataView(b.buffer);
  v.setUint16(0, 0x100 | type);
  for (const [i, value] of [headers, size, start, 16].entries()) v.setUint16(2 + i * 2, value, true);
  b.set(packet, VNET);
  return b;
}

function cut(b: Uint8Array, length: number): Uint8Array[] | undefined {
  const out: Uint8Array[] = [];
  const done = new Segmenter(HEAD, TAIL, (p, at, n) => out.push(p.slice(at, at + n))).cut(b, VNET, length);
  expect(done || out.length === 0).toBe(true);
  return done ? out : undefined;
}

const pieces = (packet: Uint8Array, header?: Header, length = packet.length) => cut(segment(packet, header), length);

/** The data of pieces whose lengths and checksums are right. */
function data(all: readonly Uint8Array[] | undefined, transport = 20): number[] {
  return (all ?? []).flatMap((p) => {
    const v = new DataView(p.buffer);
    expect(transport === 20 ? v.getUint16(2) : 40 + v.getUint16(4)).toBe(p.length);
    if (transport === 20) expect(plainSum(p, 0, 20)).toBe(0xffff);
    expect(upperSum(p, transport)).toBe(0xffff);
    return [...p.subarray(transport + 20)];
  });
}

describe('a segment', () => {
  it('has FIN and PSH in its last piece, CWR in its first', () => {
    const out = pieces(tcp({ payload: octets(2500), flags: ACK | PSH | FIN | CWR }), { type: 1 | ECN });
    expect(out?.map((p) => p[33])).toEqual([ACK | CWR, ACK, ACK | PSH | FIN]);
    expect(data(out)).toEqual([...octets(2500)]);
  });

  it.each([false, true])('is whole in its pieces, whatever size they have (IPv6 %s)', (six) => {
    const payload = octets(2000);
    const [type, transport] = six ? [4, 40] : [1, 20];
    for (const size of [1, 2, 3, 999, 1000, 1001, 1999, 2000, 2001, 0xffff]) {
      const out = pieces(tcp({ six, payload }), { type, size });
      expect(out).toHaveLength(Math.ceil(2000 / size));
      expect(data(out, transport)).toEqual([...payload]);
    }
  });

  it('of 64 KB goes in one piece, if that is what its header says', () => {
    const packet = tcp({ payload: octets(65_495) });
    expect(pieces(packet, { size: 0xffff })).toEqual([packet]);
  });

  it('has no more than so many pieces: one wrong number makes no 64,000 packets', () => {
    const largest = tcp({ payload: octets(65_495) });
    expect(pieces(largest, { size: 16 })).toHaveLength(4094);
    for (const size of [1, 2, 15]) expect(pieces(largest, { size })).toBe(undefined);
    expect(pieces(tcp({ payload: octets(4096) }), { size: 1 })).toHaveLength(4096);
    expect(pieces(tcp({ payload: octets(4097) }), { size: 1 })).toBe(undefined);
  });

  it('is cut by what it is: hints of its header about lengths and checksums count for nothing', () => {
    const packet = tcp({ payload: octets(2500) });
    const out = pieces(packet);
    for (const header of [{ headers: 0 }, { headers: 0xffff }, { start: 0 }, { start: 0xffff }])
      expect(pieces(packet, header)).toEqual(out);
  });
});

describe('datagrams of one size', () => {
  it.each([false, true])('are what they were, each with its length and checksum (IPv6 %s)', (six) => {
    const transport = six ? 40 : 20;
    const payload = octets(2000);
    for (const size of [1, 2, 999, 1000, 1999, 2000, 0xffff]) {
      const out = pieces(udp({ six, payload, id: 0xffff }), { type: 5, size, headers: transport + 8 });
      expect(out).toEqual(
        Array.from({ length: Math.ceil(2000 / size) }, (_, n) =>
          udp({ six, payload: payload.subarray(n * size, (n + 1) * size), id: (0xffff + n) & 0xffff }),
        ),
      );
    }
  });

  it('say that they have a checksum, also where it is zero (RFC 768)', () => {
    // The second octets of the payload that make the sum what it may not be.
    const zero = udp({ payload: Uint8Array.of(0, 0) });
    const sum = new DataView(zero.buffer).getUint16(26);
    const payload = Uint8Array.of(sum >> 8, sum, sum >> 8, sum);
    for (const one of pieces(udp({ payload, id: 0 }), { type: 5, size: 2, headers: 28 }) ?? [])
      expect(new DataView(one.buffer).getUint16(26)).toBe(0xffff);
    expect(pieces(udp({ payload }), { type: 5, size: 2, headers: 28 })).toHaveLength(2);
  });
});

describe('a packet of IPv6 with extension headers', () => {
  /** Of these types, eight octets each, between IPv6 and what was behind it. */
  const extended = (packet: Uint8Array, ...types: number[]) => {
    const next = [...types.slice(1), packet[6] ?? 0];
    const headers = next.flatMap((type) => [type, 0, 1, 4, 0, 0, 0, 0]);
    const b = Uint8Array.from([...packet.subarray(0, 40), ...headers, ...packet.subarray(40)]);
    b[6] = types[0] ?? 0;
    new DataView(b.buffer).setUint16(4, b.length - 40);
    return b;
  };
  const payload = octets(2000);
  const parts = [payload.subarray(0, 1500), payload.subarray(1500)] as const;

  it.each([[[0]], [[60]], [[0, 60]]])('of types %j keeps them in each piece', (types) => {
    const six = true;
    expect(pieces(extended(tcp({ six, payload }), ...types), { type: 4, size: 1500 })).toEqual([
      extended(tcp({ six, payload: parts[0] }), ...types),
      extended(tcp({ six, payload: parts[1], seq: 1501 }), ...types),
    ]);
    expect(pieces(extended(udp({ six, payload }), ...types), { type: 5, size: 1500 })).toEqual(
      parts.map((part) => extended(udp({ six, payload: part }), ...types)),
    );
  });

  it.each([43, 44, 51, 59])('of type %i is refused: what is behind it may be something else', (type) => {
    expect(pieces(extended(tcp({ six: true, payload }), type), { type: 4 })).toBe(undefined);
    expect(pieces(extended(tcp({ six: true, payload }), 0, type), { type: 4 })).toBe(undefined);
  });

  it('is refused where they do not end within it', () => {
    const packet = extended(tcp({ six: true, payload: octets(100) }), 0, 60);
    for (const [at, octet] of [
      [41, 255],
      [49, 30],
      [48, 60],
    ] as const) {
      const b = packet.slice();
      b[at] = octet;
      expect(pieces(b, { type: 4, size: 30 })).toBe(undefined);
    }
    for (let length = 0; length < packet.length; length++) expect(pieces(packet, { type: 4, size: 30 }, length)).toBe(undefined);
  });
});

describe('refused is', () => {
  const packet = tcp({ payload: octets(2500) });
  const changed = (at: number, ...to: number[]) => {
    const b = packet.slice();
    b.set(to, at);
    return b;
  };

  it.each<[string, Uint8Array, Header]>([
    ['what is not IPv6', packet, { type: 4 }],
    ['what is not IPv4', tcp({ six: true, payload: octets(2500) }), { type: 1 }],
    ['no type', packet, { type: 0 }],
    ['ECN without a type', packet, { type: ECN }],
    ['UDP fragments', packet, { type: 3 }],
    ['TCP as UDP', packet, { type: 5 }],
    ['UDP as TCP', udp({ payload: octets(2500) }), { type: 1 }],
    ['UDP over IPv6 as TCP', udp({ six: true, payload: octets(2500) }), { type: 4 }],
    ['UDP with ECN, which is of TCP', udp({ payload: octets(2500) }), { type: 5 | ECN }],
    ['UDP without data', udp(), { type: 5 }],
    ['a type that nobody knows', packet, { type: 0x7f }],
    ['two types', packet, { type: 1 | 4 }],
    ['pieces of nothing', packet, { size: 0 }],
    ['another protocol', changed(9, 17), {}],
    ['a header of IP that is too short', changed(0, 0x44), {}],
    ['a header of IP that is longer than all', changed(0, 0x4f), {}],
    ['a TCP header that is too short', changed(32, 0x40), {}],
    ['a length that is smaller than what came', changed(2, 0, 40), {}],
    ['a length that is larger', changed(2, 0xff, 0xff), {}],
    ['no length at all', changed(2, 0, 0), {}],
    ['headers and no data', tcp(), {}],
  ])('%s', (_, b, header) => {
    expect(pieces(b, header)).toBe(undefined);
  });

  it.each([false, true])('one that was cut anywhere: what lies behind it is not read (IPv6 %s)', (six) => {
    const whole = tcp({ six, payload: octets(100) });
    for (let length = 0; length < whole.length; length++)
      expect(pieces(whole, { type: six ? 4 : 1, size: 30 }, length)).toBe(undefined);
    const datagrams = udp({ six, payload: octets(100) });
    for (let length = 0; length < datagrams.length; length++)
      expect(pieces(datagrams, { type: 5, size: 30 }, length)).toBe(undefined);
    // Its own length agrees, and the TCP header says that there is more of it than came.
    const short = tcp({ six });
    short[(six ? 40 : 20) + 12] = 0xf0;
    expect(pieces(short, { type: six ? 4 : 1, size: 30 })).toBe(undefined);
  });

  it('or cut, and never more than came, whatever octets there are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: VNET + 1, maxLength: 200 }), (b) => {
        for (const p of cut(b, b.length - VNET) ?? []) expect(p.length).toBeLessThanOrEqual(b.length);
      }),
    );
    const good = segment(packet);
    const run = segment(udp({ payload: octets(2500) }), { type: 5 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: VNET + 27 }), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const b = run.slice();
        b[at] = octet;
        const out = cut(b, 2528) ?? [];
        expect(out.reduce((sum, p) => sum + p.length - 28, 0)).toBeLessThanOrEqual(2528 + out.length * 100);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: VNET + 59 }), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const b = good.slice();
        b[at] = octet;
        const out = cut(b, packet.length) ?? [];
        expect(out.reduce((sum, p) => sum + p.length - 20, 0)).toBeLessThanOrEqual(packet.length + out.length * 100);
        expect(out.length).toBeLessThanOrEqual(2500);
      }),
    );
  });
});
