import { describe, expect, it } from 'vitest';
import { type InnerNetwork, labHost } from '../../../src/net/index.ts';
import { checksum, sumOf } from '../../../src/net/sum.ts';
import { ip4, ip6, udp, upperSum, v4, v6 } from '../esp/packets.ts';

const HERE = '10.50.0.1';
const HERE6 = 'fd50:0:0:0:0:0:0:1';
const CLIENT = '10.212.134.100';
const CLIENT6 = 'fd00:0:0:0:0:0:0:9';

type Host = {
  readonly host: InnerNetwork;
  readonly out: Uint8Array[];
  readonly say: (packet: Uint8Array) => readonly Uint8Array[];
};

function host(more: { readonly connections?: number } = {}): Host {
  const out: Uint8Array[] = [];
  const made = labHost({
    prefixes: [
      { start: v4('10.50.0.0'), end: v4('10.50.0.255') },
      { start: v6('fd50:0:0:0:0:0:0:0'), end: v6('fd50:0:0:0:0:0:0:ffff') },
    ],
    onPacket: (b, at, length) => {
      expect(at).toBeGreaterThanOrEqual(24);
      expect(b.length - at - length).toBeGreaterThanOrEqual(64);
      out.push(b.slice(at, at + length));
    },
    ...more,
  });
  return {
    ...{ host: made, out },
    say: (packet) => {
      const before = out.length;
      const b = new Uint8Array(packet.length + 9);
      b.set(packet, 5);
      expect(made.send(b, 5, packet.length)).toBe(true);
      return out.slice(before);
    },
  };
}

/** Writes the checksum of what an IP packet carries. */
function signed(packet: Uint8Array, at: number): Uint8Array {
  const four = (packet[0] ?? 0) >>> 4 === 4;
  const head = four ? 20 : 40;
  packet.fill(0, head + at, head + at + 2);
  const icmp = four && packet[9] === 1;
  const sum = icmp ? checksum(sumOf(packet, head, packet.length - head)) : upperSum(packet);
  new DataView(packet.buffer).setUint16(head + at, sum);
  return packet;
}
const echo4 = (to = HERE) => signed(ip4(CLIENT, to, 1, Uint8Array.of(8, 0, 0, 0, 0, 5, 0, 9, 1, 2, 3)), 2);
const echo6 = () => signed(ip6(CLIENT6, HERE6, 58, Uint8Array.of(128, 0, 0, 0, 0, 5, 0, 9, 1, 2, 3)), 2);
const udp4 = (from = 4000, to = 7) => signed(ip4(CLIENT, HERE, 17, udp(from, to)), 6);
const udp6 = () => signed(ip6(CLIENT6, HERE6, 17, udp(4000, 7)), 6);

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
type Words = {
  readonly seq: number;
  readonly ack?: number;
  readonly flags: number;
  readonly window?: number;
  readonly data?: Uint8Array;
  readonly port?: number;
  readonly from?: number;
};
function tcp({ seq, ack = 0, flags, window = 65_535, data = new Uint8Array(0), port = 7, from = 5000 }: Words): Uint8Array {
  const o = new Uint8Array(20 + data.length);
  const view = new DataView(o.buffer);
  view.setUint16(0, from);
  view.setUint16(2, port);
  view.setUint32(4, seq >>> 0);
  view.setUint32(8, ack >>> 0);
  o[12] = 0x50;
  o[13] = flags;
  view.setUint16(14, window);
  o.set(data, 20);
  return signed(ip4(CLIENT, HERE, 6, o), 16);
}
function heard(packet: Uint8Array | undefined) {
  if (packet === undefined) throw new Error('nothing was said');
  expect(checksum(sumOf(packet, 0, 20))).toBe(0);
  expect(upperSum(packet)).toBe(0);
  const view = new DataView(packet.buffer, packet.byteOffset + 20);
  return {
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: view.getUint8(13),
    data: packet.slice(20 + (view.getUint8(12) >>> 4) * 4),
  };
}
/** A connection that stands; gives what comes next of theirs. */
function connect(h: Host, from = 5000): number {
  const [synAck] = h.say(tcp({ seq: 99, flags: SYN, from }));
  const s = heard(synAck);
  expect(s).toMatchObject({ flags: SYN | ACK, ack: 100 });
  const next = (s.seq + 1) >>> 0;
  expect(h.say(tcp({ seq: 100, ack: next, flags: ACK, from }))).toEqual([]);
  return next;
}

describe('echo', () => {
  it.each([
    ['ICMP', echo4, 'labIcmp', 0],
    ['UDP', udp4, 'labUdp', undefined],
  ])('by %s over IPv4, to the one who asked', (_, make, counter, type) => {
    const h = host();
    const [answer] = h.say(make());
    if (answer === undefined) throw new Error('no answer');
    expect(answer.slice(12, 16)).toEqual(v4(HERE));
    expect(answer.slice(16, 20)).toEqual(v4(CLIENT));
    expect(checksum(sumOf(answer, 0, 20))).toBe(0);
    if (type !== undefined) expect(answer[20]).toBe(type);
    expect(answer.slice(28)).toEqual(make().slice(28));
    expect(h.host.counters()).toMatchObject({ labReceived: 1, labSent: 1, [counter]: 1 });
  });

  it.each([
    ['ICMPv6', echo6, 'labIcmp'],
    ['UDP', udp6, 'labUdp'],
  ])('by %s over IPv6', (_, make, counter) => {
    const h = host();
    const [answer] = h.say(make());
    if (answer === undefined) throw new Error('no answer');
    expect(answer.slice(8, 24)).toEqual(v6(HERE6));
    expect(answer.slice(24, 40)).toEqual(v6(CLIENT6));
    expect(upperSum(answer)).toBe(0);
    expect(answer.slice(48)).toEqual(make().slice(48));
    expect(h.host.counters()).toMatchObject({ [counter]: 1 });
  });

  it('no flipped bit and no cut of any packet is answered as if it were whole', () => {
    for (const make of [echo4, udp4, echo6, udp6, () => tcp({ seq: 99, flags: SYN })]) {
      const h = host();
      const whole = make();
      for (let bit = 0; bit < 8 * whole.length; bit += 1) {
        const bad = whole.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        // IPv6 has no checksum over class, flow label and hop limit.
        const free = whole[0] === 0x60 && ((bit >= 0 && bit < 32) || bit >> 3 === 7);
        if (!free) expect(h.say(bad)).toEqual([]);
      }
      for (let length = 0; length < whole.length; length += 1) expect(h.say(whole.slice(0, length))).toEqual([]);
      expect(h.say(whole)).toHaveLength(1);
    }
  });

  it.each([
    ['another address', echo4('10.51.0.1'), 'labElsewhere'],
    ['a fragment', ip4(CLIENT, HERE, 1, new Uint8Array(16), { more: true }), 'labFragment'],
    ['a reply', signed(ip4(CLIENT, HERE, 1, Uint8Array.of(0, 0, 0, 0, 0, 5, 0, 9)), 2), 'labUnserved'],
    ['another port', udp4(4000, 53), 'labUnserved'],
    ['another echo service', udp4(7, 7), 'labUnserved'],
    ['the name of everybody', signed(ip4('255.255.255.255', HERE, 1, Uint8Array.of(8, 0, 0, 0, 0, 5, 0, 9)), 2), 'labElsewhere'],
    ['another protocol', ip4(CLIENT, HERE, 47, new Uint8Array(8)), 'labUnserved'],
  ])('is not for %s', (_, packet, counter) => {
    const h = host();
    expect(h.say(packet)).toEqual([]);
    expect(h.host.counters()).toMatchObject({ [counter]: 1, labSent: 0 });
  });

  it('ends with the host', async () => {
    const { host: made } = host();
    await made.close();
    expect(made.send(echo4(), 0, echo4().length)).toBe(false);
  });
});

describe('TCP (RFC 9293)', () => {
  const data = Uint8Array.of(1, 2, 3, 4);

  it('shakes hands, gives back what it gets, and ends when we do', () => {
    const h = host();
    const next = connect(h);
    expect(heard(h.say(tcp({ seq: 100, ack: next, flags: ACK, data }))[0])).toMatchObject({ seq: next, ack: 104, data });
    expect(heard(h.say(tcp({ seq: 104, ack: next + 4, flags: ACK | FIN }))[0])).toMatchObject({ ack: 105, flags: ACK | FIN });
    expect(h.host.counters()).toMatchObject({ labConnections: 1 });
    h.say(tcp({ seq: 105, ack: next + 5, flags: ACK }));
    expect(h.host.counters()).toMatchObject({ labConnections: 0 });
  });

  it('takes data in order only, and says what it waits for', () => {
    const h = host();
    const next = connect(h);
    expect(heard(h.say(tcp({ seq: 104, ack: next, flags: ACK, data }))[0])).toMatchObject({ ack: 100, data: new Uint8Array(0) });
    expect(heard(h.say(tcp({ seq: 100, ack: next, flags: ACK, data }))[0])).toMatchObject({ ack: 104, data });
  });

  it('says again what was lost: when it hears something twice, at a probe, at a third duplicate ACK', () => {
    const h = host();
    const next = connect(h);
    h.say(tcp({ seq: 100, ack: next, flags: ACK, data }));
    expect(heard(h.say(tcp({ seq: 100, ack: next, flags: ACK, data }))[0])).toMatchObject({ seq: next, data });
    expect(heard(h.say(tcp({ seq: 103, ack: next, flags: ACK }))[0])).toMatchObject({ seq: next, data });
    const duplicate = tcp({ seq: 104, ack: next, flags: ACK });
    const said = [1, 2, 3, 4].map(() => h.say(duplicate).length);
    expect(said.reduce((sum, n) => sum + n, 0)).toBe(1);
  });

  it('says its SYN again for a SYN that comes again', () => {
    const h = host();
    const first = heard(h.say(tcp({ seq: 99, flags: SYN }))[0]);
    expect(heard(h.say(tcp({ seq: 99, flags: SYN }))[0])).toEqual(first);
  });

  it("keeps to the peer's window, and goes on when it opens", () => {
    const h = host();
    const next = connect(h);
    const [part] = h.say(tcp({ seq: 100, ack: next, flags: ACK, data, window: 3 }));
    expect(heard(part).data).toEqual(data.slice(0, 3));
    expect(heard(h.say(tcp({ seq: 104, ack: next + 3, flags: ACK, window: 9 }))[0]).data).toEqual(data.slice(3));
  });

  it('says when there is room again for who was told that there is none', () => {
    const h = host();
    const next = connect(h);
    let seq = 100;
    let window = 1;
    for (; window > 0; window = new DataView(h.out.at(-1)?.buffer ?? new ArrayBuffer(40)).getUint16(34))
      seq = heard(h.say(tcp({ seq, ack: next, flags: ACK, window: 0, data: new Uint8Array(1024) })).at(-1)).ack;
    const echoed = h.say(tcp({ seq, ack: next, flags: ACK })).reduce((sum, p) => sum + heard(p).data.length, 0);
    expect(echoed).toBe(32_768);
    const [update, more] = h.say(tcp({ seq, ack: next + echoed, flags: ACK }));
    expect(heard(update)).toMatchObject({ ack: seq, data: new Uint8Array(0) });
    expect(new DataView(update?.buffer ?? new ArrayBuffer(40)).getUint16(34)).toBe(32_768);
    expect(more).toBeUndefined();
  });

  it('is reset where nothing listens, and where there is no connection; a RST is not answered', () => {
    const h = host();
    expect(heard(h.say(tcp({ seq: 99, flags: SYN, port: 80 }))[0])).toMatchObject({ flags: RST | ACK, seq: 0, ack: 100 });
    expect(heard(h.say(tcp({ seq: 99, ack: 55, flags: ACK }))[0])).toMatchObject({ flags: RST, seq: 55 });
    expect(h.say(tcp({ seq: 99, flags: RST }))).toEqual([]);
  });

  it('ends by a RST with the number that comes next, and by no other', () => {
    const h = host();
    connect(h);
    h.say(tcp({ seq: 101, flags: RST }));
    expect(h.host.counters()).toMatchObject({ labConnections: 1 });
    h.say(tcp({ seq: 100, flags: RST }));
    expect(h.host.counters()).toMatchObject({ labConnections: 0 });
  });

  it('holds so many connections: one more ends the one that was quiet for longest', () => {
    const h = host({ connections: 2 });
    const [first, second] = [connect(h, 5001), connect(h, 5002)];
    h.say(tcp({ seq: 100, ack: first, flags: ACK, data, from: 5001 }));
    connect(h, 5003);
    expect(h.host.counters()).toMatchObject({ labConnections: 2 });
    expect(heard(h.say(tcp({ seq: 100, ack: second, flags: ACK, data, from: 5002 }))[0])).toMatchObject({ flags: RST });
  });

  it('holds so many octets of one that does not listen', () => {
    const h = host();
    const next = connect(h);
    let seq = 100;
    for (let i = 0; i < 64; i += 1) {
      const [answer] = h.say(tcp({ seq, ack: next, flags: ACK, window: 0, data: new Uint8Array(1000) }));
      seq = heard(answer).ack;
    }
    expect(seq).toBe(100 + 32_768);
  });
});
