/** Packets of TCP and UDP that are joined for the kernel, and cut as it gives them: what goes in comes out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Coalescer } from '../../../src/net/coalesce.ts';
import { Segmenter } from '../../../src/net/segment.ts';
import { VNET } from '../../../src/net/vnet.ts';
import { ACK, CWR, ECE, FIN, type Ip, octets, PSH, SYN, stream, type Tcp, tcp, URG, udp } from './packets.ts';

type Written = { readonly octets: Uint8Array; readonly packets: number };

function joiner(taken: (w: Written) => boolean = () => true, runs = true) {
  const written: Written[] = [];
  const coalescer = new Coalescer((b, at, length, packets) => {
    const w = { octets: b.slice(at, at + length), packets };
    written.push(w);
    return taken(w);
  }, runs);
  /** From the middle of a buffer, as packets lie when they were opened there. */
  const add = (packet: Uint8Array, at = 16) => {
    const b = new Uint8Array(at + packet.length + 9).fill(0xee);
    b.set(packet, at);
    return coalescer.add(b, at, packet.length);
  };
  return { written, coalescer, add };
}

/** What a kernel would put on the wire. */
function apart({ octets: b }: Written): Uint8Array[] {
  if (b[1] === 0) {
    expect([...b.subarray(0, VNET)]).toEqual(new Array(VNET).fill(0));
    return [b.slice(VNET)];
  }
  const out: Uint8Array[] = [];
  const segmenter = new Segmenter(24, 64, (piece, at, length) => {
    expect(at).toBeGreaterThanOrEqual(24);
    expect(piece.length - at - length).toBeGreaterThanOrEqual(64);
    out.push(piece.slice(at, at + length));
    piece.fill(0xdd, at - 24, at + length + 64); // sealed where it lies
  });
  expect(segmenter.cut(b, VNET, b.length - VNET)).toBe(true);
  return out;
}

const TIMESTAMPS = [1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4];

describe('packets of one flow', () => {
  it.each([false, true])('become one segment, and the very packets again (IPv6 %s)', (six) => {
    const { written, coalescer, add } = joiner();
    const packets = stream(40_000, 1348, { six, options: TIMESTAMPS, seq: 0xffff_0000, id: 65_530, flags: ACK | PSH });
    for (const packet of packets) expect(add(packet)).toBe(true);
    coalescer.flush();
    expect(written.map((w) => w.packets)).toEqual([packets.length]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  it('that may be fragmented keep their identifications: only what counts up is joined', () => {
    const { written, coalescer, add } = joiner();
    const packet = (n: number, id: number) => tcp({ seq: 1 + n * 100, id, fragment: 0, payload: octets(100, n) });
    const packets = [65_535, 0, 1, 7, 5, 6, 6].map((id, n) => packet(n, id));
    for (const one of packets) add(one);
    coalescer.flush();
    expect(written.map((w) => w.packets)).toEqual([3, 1, 2, 1]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  it('whatever their sizes, options and numbers are', () => {
    fc.assert(
      fc.property(
        fc.record({
          six: fc.boolean(),
          size: fc.integer({ min: 1, max: 9000 }),
          length: fc.integer({ min: 1, max: 70_000 }),
          options: fc.constantFrom([], TIMESTAMPS),
          seq: fc.integer({ min: 0, max: 0xffff_ffff }),
          push: fc.boolean(),
          at: fc.integer({ min: 0, max: 24 }),
        }),
        ({ six, size, length, options, seq, push, at }) => {
          const { written, coalescer, add } = joiner();
          const whole = Math.min(length, size * 60);
          const packets = stream(whole, size, { six, options, seq, flags: push ? ACK | PSH : ACK });
          for (const packet of packets) add(packet, at);
          coalescer.flush();
          expect(written.flatMap(apart)).toEqual(packets);
          expect(written.reduce((sum, w) => sum + w.packets, 0)).toBe(packets.length);
          for (const { octets: b } of written) expect(b.length).toBeLessThanOrEqual(VNET + 65_535);
          expect(coalescer.pending).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of many flows at once arrive once each, every flow in its order', () => {
    const { written, coalescer, add } = joiner();
    const flows = Array.from({ length: 12 }, (_, i) => stream(5000, 1000, { port: 1000 + i }));
    for (let n = 0; n < 5; n++) for (const flow of flows) add(flow[n] as Uint8Array);
    coalescer.flush();
    const out = written.flatMap(apart);
    for (const [i, flow] of flows.entries())
      expect(out.filter((p) => new DataView(p.buffer).getUint16(20) === 1000 + i)).toEqual(flow);
    expect(out).toHaveLength(60);
  });
});

describe('a packet that is not the next piece', () => {
  const size = 1000;
  const first = stream(2 * size, size);
  const next = { seq: 1 + 2 * size, payload: octets(size, 9), id: 2 };
  const wrong = tcp(next);
  wrong[60] = (wrong[60] ?? 0) ^ 1;
  const wrongHeader = tcp(next);
  wrongHeader[10] = (wrongHeader[10] ?? 0) ^ 1;
  const others: readonly (readonly [string, Uint8Array])[] = [
    ['a gap', tcp({ ...next, seq: 5000 })],
    ['said again', tcp({ ...next, seq: 1 })],
    ['a wrong checksum', wrong],
    ['a wrong checksum of IP', wrongHeader],
    ['another acknowledgement', tcp({ ...next, ack: 8 })],
    ['another window', tcp({ ...next, window: 501 })],
    ['other options', tcp({ ...next, options: TIMESTAMPS })],
    ['another TTL', tcp({ ...next, ttl: 63 })],
    ['another type of service', tcp({ ...next, tos: 3 })],
    ['a longer one', tcp({ ...next, payload: octets(size + 1) })],
    ['no data', tcp({ ...next, payload: new Uint8Array() })],
    ['may be fragmented', tcp({ ...next, fragment: 0 })],
    ['a fragment', tcp({ ...next, fragment: 0x2000 })],
    ...[FIN, SYN, URG, ECE, CWR].map((flag) => [`flag ${flag}`, tcp({ ...next, flags: ACK | flag })] as const),
  ];
  it.each(others)('%s: goes by itself, behind what came before', (_, packet) => {
    const { written, coalescer, add } = joiner();
    for (const one of [...first, packet]) add(one);
    coalescer.flush();
    expect(written.map((w) => w.packets)).toEqual([2, 1]);
    expect(written.flatMap(apart)).toEqual([...first, packet]);
  });

  it('and a first one with a wrong checksum is not joined either', () => {
    const { written, coalescer, add } = joiner();
    const [one, two] = stream(2000, 1000) as [Uint8Array, Uint8Array];
    one[50] = (one[50] ?? 0) ^ 0x40;
    for (const packet of [one, two]) add(packet);
    coalescer.flush();
    expect(written.flatMap(apart)).toEqual([one, two]);
    expect(written.map((w) => w.packets)).toEqual([1, 1]);
  });

  it('nothing follows one that was pushed, or a shorter one', () => {
    const { written, coalescer, add } = joiner();
    const packets = [
      tcp({ payload: octets(500), flags: ACK | PSH }),
      tcp({ seq: 501, payload: octets(500) }),
      tcp({ seq: 1001, payload: octets(400) }),
      tcp({ seq: 1401, payload: octets(500) }),
    ];
    for (const packet of packets) add(packet);
    coalescer.flush();
    expect(written.map((w) => w.packets)).toEqual([1, 2, 1]);
  });
});

describe('datagrams of one flow', () => {
  const datagrams = (count: number, size: number, o: Ip = {}) =>
    Array.from({ length: count }, (_, n) => udp({ ...o, id: ((o.id ?? 0) + n) & 0xffff, payload: octets(size, n) }));
  const joined = (packets: readonly Uint8Array[], runs = true) => {
    const { written, coalescer, add } = joiner(undefined, runs);
    for (const packet of packets) expect(add(packet)).toBe(true);
    coalescer.flush();
    return written;
  };
  const counts = (written: readonly Written[]) => written.map((w) => w.packets);

  it.each([false, true])('become one, and the very datagrams again (IPv6 %s)', (six) => {
    const packets = datagrams(40, 1200, { six, id: 65_530 });
    const written = joined(packets);
    expect(counts(written)).toEqual([40]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  it('whatever their sizes are, in their order', () => {
    fc.assert(
      fc.property(
        fc.record({ six: fc.boolean(), sizes: fc.array(fc.constantFrom(1, 7, 100, 101, 1400, 9000), { maxLength: 60 }) }),
        ({ six, sizes }) => {
          const packets = sizes.map((size, id) => udp({ six, id, payload: octets(size, id) }));
          const written = joined(packets);
          expect(written.flatMap(apart)).toEqual(packets);
          for (const { octets: b } of written) expect(b.length).toBeLessThanOrEqual(VNET + 65_535);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are no more than the kernel makes of one: 64, or 64 KB', () => {
    expect(counts(joined(datagrams(150, 100)))).toEqual([64, 64, 22]);
    expect(counts(joined(datagrams(20, 9000)))).toEqual([7, 7, 6]);
  });

  it('end with a shorter one; a longer one begins anew', () => {
    const packets = [500, 500, 400, 500, 600, 600].map((size, id) => udp({ id, payload: octets(size, id) }));
    expect(counts(joined(packets))).toEqual([3, 1, 2]);
  });

  it('that may be fragmented keep their identifications', () => {
    const packets = [65_535, 0, 1, 7, 6].map((id) => udp({ id, fragment: 0, payload: octets(100, id) }));
    const written = joined(packets);
    expect(counts(written)).toEqual([3, 1, 1]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  it('are not those of TCP between the same ports', () => {
    const packets = [...datagrams(2, 100), ...stream(200, 100), ...datagrams(2, 100, { id: 2 })];
    const written = joined(packets);
    expect(counts(written)).toEqual([4, 2]);
    expect(written.flatMap(apart)).toEqual([...packets.slice(0, 2), ...packets.slice(4), ...packets.slice(2, 4)]);
  });

  it('go one by one where the kernel takes no runs of them', () => {
    const packets = datagrams(3, 100);
    const written = joined(packets, false);
    expect(counts(written)).toEqual([1, 1, 1]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  const next = { id: 2, payload: octets(100, 9) };
  const changed = (at: number, ...to: number[]) => {
    const b = udp(next);
    b.set(to, at);
    return b;
  };
  it.each<readonly [string, Uint8Array]>([
    ['none has a checksum that had none', changed(26, 0, 0)],
    ['a wrong checksum', changed(60, 0x55)],
    ['a wrong checksum of IP', changed(10, 0x55)],
    ['a length of its own that is smaller', changed(24, 0, 100)],
    ['a length of its own that is larger', changed(24, 1, 0)],
    ['another TTL', udp({ ...next, ttl: 63 })],
    ['another type of service', udp({ ...next, tos: 3 })],
    ['no data', udp({ ...next, payload: new Uint8Array() })],
    ['may be fragmented', udp({ ...next, fragment: 0 })],
    ['a fragment', udp({ ...next, fragment: 0x2000 })],
  ])('%s: goes by itself, behind what came before', (_, packet) => {
    const packets = [...datagrams(2, 100), packet];
    const written = joined(packets);
    expect(counts(written)).toEqual([2, 1]);
    expect(written.flatMap(apart)).toEqual(packets);
  });

  it('a first one with a wrong checksum is not joined either', () => {
    const packets = [changed(60, 0x55), udp({ ...next, id: 3 })];
    const written = joined(packets);
    expect(counts(written)).toEqual([1, 1]);
    expect(written.flatMap(apart)).toEqual(packets);
  });
});

it('a segment that the device does not take is lost as a whole, and told', () => {
  const { written, coalescer, add } = joiner(({ packets }) => packets === 1);
  const packets = stream(3000, 1000);
  for (const packet of packets) expect(add(packet)).toBe(true);
  expect(add(tcp({ seq: 9, flags: ACK | FIN }))).toBe(false);
  expect(written.map((w) => w.packets)).toEqual([3, 1]);
  coalescer.flush();
  expect(written).toHaveLength(2);
});

describe('the bounds', () => {
  it('a packet as long as IP has is taken, and nothing joins it', () => {
    const { written, coalescer, add } = joiner();
    const largest = tcp({ payload: octets(65_495) });
    const plain = largest.slice();
    plain[9] = 17;
    expect([add(largest), add(tcp({ seq: 1 + 65_495, payload: octets(1) })), add(plain)]).toEqual([true, true, true]);
    coalescer.flush();
    expect(written.map((w) => [w.packets, w.octets.length - VNET])).toEqual([
      [1, 65_535],
      [1, 65_535],
      [1, 41],
    ]);
  });

  it.each([
    [false, 65_535 - 40],
    [true, 65_535 - 60],
  ])('a segment is filled to the last octet, and the next one begins another (IPv6 %s)', (six, most) => {
    const { written, coalescer, add } = joiner();
    const size = six ? 1310 : 1190; // by which the most cannot be divided
    const packets = stream(most + 100, size, { six });
    const whole = Math.floor(most / size);
    const last = packets.slice(0, whole).reduce((sum, p) => sum + p.length - (six ? 60 : 40), 0);
    for (const packet of packets.slice(0, whole)) add(packet);
    // One that fits to the octet, then one more.
    const fits = tcp({ six, seq: 1 + last, id: whole, payload: octets(most - last) });
    const over = tcp({ six, seq: 1 + most, id: whole + 1, payload: octets(1) });
    for (const packet of [fits, over]) add(packet);
    coalescer.flush();
    expect(written.map((w) => w.packets)).toEqual([whole + 1, 1]);
    expect(written[0]?.octets).toHaveLength(VNET + 65_535);
    expect(written.flatMap(apart)).toEqual([...packets.slice(0, whole), fits, over]);
  });

  it.each([
    ['TCP', tcp],
    ['UDP', udp],
  ])(
    'a packet of %s that was cut anywhere passes by as it is, and what lies behind it is not read',
    (_, make: (o: Tcp) => Uint8Array) => {
      for (const six of [false, true]) {
        const packet = make({ six, seq: 101, payload: octets(40) });
        for (let length = 1; length < packet.length; length++) {
          const { written, coalescer } = joiner();
          const first = make({ six, payload: octets(100) });
          expect(coalescer.add(first, 0, first.length)).toBe(true);
          expect(coalescer.add(packet, 0, length)).toBe(true);
          coalescer.flush();
          expect(written.map((w) => w.packets)).toEqual([1, 1]);
          const out = written.map(({ octets: b }) => b.slice(VNET));
          expect(out).toContainEqual(first);
          expect(out).toContainEqual(packet.slice(0, length));
        }
      }
    },
  );
});
