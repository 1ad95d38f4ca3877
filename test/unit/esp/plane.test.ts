import { describe, expect, it } from 'vitest';
import { ESP_HEADER } from '../../../crypto/index.ts';
import { HEADROOM, TAILROOM } from '../../../src/esp/index.ts';
import { echo, ip4, ip6, udp, v4, v6 } from './packets.ts';
import { CBC, clearance, client, everything, GCM, host, path, World } from './world.ts';

const hello = ip4('10.0.0.1', '10.9.0.2', 17, udp(1000, 53));
const answer = ip4('10.9.0.2', '10.0.0.1', 17, udp(53, 1000));

describe('packets through an SA', () => {
  it.each([GCM, CBC, { ...GCM, esn: true }, { ...CBC, esn: true }, { ...GCM, encr: 28 }])('both ways, %o', (transform) => {
    const w = new World();
    const c = client(1, transform);
    w.connect(c);
    expect([w.in(c.seal(hello)), w.out(answer)]).toEqual([undefined, undefined]);
    expect(w.inside).toEqual([hello]);
    expect(c.open(w.outside[0]?.octets ?? answer)).toEqual(answer);
    expect(w.plane.snapshot().sas).toMatchObject([
      { counters: { inPackets: 1, inOctets: hello.length, outPackets: 1, outOctets: answer.length }, sequence: 1, highest: 1 },
    ]);
  });
  it('are sealed where they lie when there is room', () => {
    const w = new World();
    const c = client(1);
    w.connect(c);
    const b = new Uint8Array(HEADROOM + answer.length + TAILROOM);
    b.set(answer, HEADROOM);
    expect(w.plane.outbound(b, HEADROOM, answer.length, 0)).toBeUndefined();
    expect(c.open(w.outside[0]?.octets ?? b)).toEqual(answer);
    expect(b.subarray(HEADROOM, HEADROOM + answer.length)).not.toEqual(answer);
  });
  it('every cut and every flipped bit is refused, and moves no window', () => {
    for (const transform of [GCM, CBC]) {
      const w = new World();
      const c = client(1, transform);
      w.connect(c);
      const good = c.seal(hello);
      for (let n = 0; n < good.length; n += 1) expect(w.in(good.slice(0, n))).toBeDefined();
      for (let bit = 0; bit < good.length * 8; bit += 1) {
        const bad = good.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(w.in(bad)).toBeDefined();
      }
      expect([w.inside.length, w.plane.seen(1001)?.heard, w.in(good)]).toEqual([0, undefined, undefined]);
    }
  });
  it('padding for traffic flow confidentiality is cut off, dummies are dropped in silence', () => {
    const w = new World();
    const c = client(1);
    w.connect(c);
    expect([w.in(c.seal(hello, { tail: 40 })), w.in(c.seal(new Uint8Array(30), { next: 59 }))]).toEqual([undefined, 'dummy']);
    expect(w.inside).toEqual([hello]);
  });
});

describe('what is dropped', () => {
  const w = new World();
  const c = client(1);
  w.connect(c);
  const first = c.seal(hello);
  it.each([
    ['unknown-spi', () => [Uint8Array.from([0, 0, 9, 9, ...first.slice(4)])]],
    ['short', () => [first.slice(0, 7)]],
    ['short', () => [first.slice(0, ESP_HEADER + 8 + 16 + 1)]],
    ['replay', () => [first, first]],
    ['old', () => [c.seal(hello, { number: 5000 }), c.seal(hello, { number: 2 })]],
    ['next-header', () => [c.seal(hello, { number: 5001, next: 6 })]],
    ['next-header', () => [c.seal(hello, { number: 5002, next: 41 })]],
    ['malformed', () => [c.seal(hello.slice(0, 24), { number: 5003 })]],
    ['source', () => [c.seal(ip4('10.0.0.2', '10.9.0.2', 17, udp(1, 2)), { number: 5004 })]],
    ['source', () => [c.seal(ip6('2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:2', 17, udp(1, 2)), { number: 5005 })]],
  ] as const)('%s', (reason, make) => {
    const [packet = first, last] = make();
    if (last !== undefined) w.in(packet.slice());
    const before = w.plane.snapshot().total.drops[reason];
    expect(w.in((last ?? packet).slice())).toBe(reason);
    expect(w.plane.snapshot().total.drops[reason]).toBe(before + 1);
  });
  it.each([0, 1, 3, 200, 255])('padding: a pad length of %i that is not so', (padding) => {
    const v = new World();
    const one = client(2);
    v.connect(one);
    const odd = ip4('10.0.0.2', '10.9.0.2', 17, udp(1, 2, 16)); // two octets of padding
    expect(v.in(one.seal(odd, { padding }))).toBe(padding === 0 ? undefined : 'padding');
  });
  it('what nobody has a lease for, and what no selector holds', () => {
    const v = new World();
    const narrow = client(1, GCM, { TSr: [{ ...host(v4('10.9.0.2')), protocol: 17, startPort: 53, endPort: 53 }] });
    v.connect(narrow);
    expect(v.out(ip4('10.9.0.2', '10.0.0.9', 17, udp(53, 1)))).toBe('no-route');
    for (const to of ['224.0.0.1', '239.255.255.250', '255.255.255.255'])
      expect(v.out(ip4('10.9.0.2', to, 17, udp(53, 1)))).toBe('multicast');
    for (const to of ['ff02::16', 'fe80::1', 'febf::1']) expect(v.out(ip6('fd50::1', to, 17, udp(53, 1)))).toBe('multicast');
    for (const to of ['fec0::1', 'fd10::1']) expect(v.out(ip6('fd50::1', to, 17, udp(53, 1)))).toBe('no-route');
    for (const to of ['223.255.255.255', '240.0.0.1']) expect(v.out(ip4('10.9.0.2', to, 17, udp(53, 1)))).toBe('no-route');
    expect(v.out(ip4('10.9.0.2', '10.0.0.1', 17, udp(54, 1)))).toBe('selector');
    expect(v.out(ip4('10.9.0.2', '10.0.0.1', 17, udp(53, 1)))).toBeUndefined();
    expect(v.in(narrow.seal(ip4('10.0.0.1', '10.9.0.3', 17, udp(1, 53))))).toBe('selector');
    expect(v.in(narrow.seal(ip4('10.0.0.1', '10.9.0.2', 17, udp(1, 53), { offset: 64 })))).toBe('fragment');
  });
  it('a later fragment needs a selector of all ports, or of OPAQUE ones, beside whatever others there are', () => {
    const dns = { ...host(v4('10.9.0.2')), protocol: 17, startPort: 53, endPort: 53 };
    const opaque = { ...host(v4('10.9.0.4')), startPort: 65_535, endPort: 0 };
    const [v, mixed] = [new World(), client(1, GCM, { TSr: [dns, host(v4('10.9.0.3')), opaque] })];
    v.connect(mixed);
    const goes = (inside: string, offset: number) => [
      v.in(mixed.seal(ip4('10.0.0.1', inside, 17, udp(1, 9), { offset }))),
      v.out(ip4(inside, '10.0.0.1', 17, udp(9, 1), { offset })),
    ];
    expect(goes('10.9.0.2', 64)).toEqual(['fragment', 'fragment']);
    expect([...goes('10.9.0.3', 64), ...goes('10.9.0.3', 0)]).toEqual([undefined, undefined, undefined, undefined]);
    expect([...goes('10.9.0.4', 64), ...goes('10.9.0.4', 0)]).toEqual([undefined, undefined, 'selector', 'selector']);
    v.connect(client(1, GCM, { spiIn: 5001, TSr: [dns], spiOut: 6001 }));
    expect(v.out(ip4('10.9.0.3', '10.0.0.1', 17, udp(9, 1), { offset: 64 }))).toBeUndefined();
  });
});

describe('the valve', () => {
  it('is shut at first; opens for a clearance; quarantine leaves what it names; removal is the end', () => {
    const w = new World();
    const c = client(1);
    w.plane.install(c.child, 0);
    expect([w.in(c.seal(hello)), w.out(answer)]).toEqual(['valve-shut', 'valve-shut']);
    w.plane.open(1001, clearance);
    expect([w.in(c.seal(hello)), w.out(answer)]).toEqual([undefined, undefined]);
    w.plane.quarantine(1001, [{ start: v4('10.9.0.3'), end: v4('10.9.0.3') }]);
    expect([w.in(c.seal(hello)), w.out(answer)]).toEqual(['quarantine', 'quarantine']);
    expect(w.in(c.seal(ip4('10.0.0.1', '10.9.0.3', 17, udp(1, 2))))).toBeUndefined();
    expect(w.out(ip4('10.9.0.3', '10.0.0.1', 17, udp(1, 2)))).toBeUndefined();
    w.plane.remove(1001);
    expect([w.in(c.seal(hello)), w.out(answer)]).toEqual(['unknown-spi', 'no-route']);
    expect(w.plane.snapshot().total.drops['valve-shut']).toBe(2);
  });
});

describe('SAs that follow each other', () => {
  it('the newest sends, the old one is heard until it is removed', () => {
    const w = new World();
    const old = client(1);
    const fresh = client(1, GCM, { spiIn: 3001, spiOut: 4001 });
    w.connect(old, fresh);
    w.out(answer);
    expect([...(w.outside[0]?.octets.slice(0, 4) ?? [])]).toEqual([0, 0, 0x0f, 0xa1]);
    expect(w.in(old.seal(hello))).toBeUndefined();
    w.plane.remove(1001);
    expect([w.in(old.seal(hello)), w.in(fresh.seal(hello)), w.out(answer)]).toEqual(['unknown-spi', undefined, undefined]);
  });
  it('a lease that went over to another client stays with it when the first one ends', () => {
    const w = new World();
    const next = client(2, GCM, { leases: [v4('10.0.0.1')], TSi: [host(v4('10.0.0.1'))] });
    w.connect(client(1), next);
    w.plane.remove(1001);
    expect(w.out(answer)).toBeUndefined();
    expect(next.open(w.outside[0]?.octets ?? answer)).toEqual(answer);
  });
  it('a lease cannot be claimed by a client that has none, nor spoken for', () => {
    for (const thief of [
      client(2, GCM, { leases: [], TSi: [host(v4('10.0.0.1'))] }),
      client(2, GCM, { leases: [], TSi: [{ ...everything(), start: v4('10.0.0.0'), end: v4('10.0.0.255') }] }),
    ]) {
      const w = new World();
      const owner = client(1);
      w.connect(owner, thief);
      expect(w.out(answer)).toBeUndefined();
      expect(owner.open(w.outside[0]?.octets ?? answer)).toEqual(answer);
      expect([w.in(thief.seal(hello)), w.in(owner.seal(hello))]).toEqual(['source', undefined]);
      // And what is claimed first goes to its lessee all the same.
      const late = new World();
      late.connect(thief, owner);
      expect([late.out(answer), late.in(thief.seal(hello))]).toEqual([undefined, 'source']);
      expect(owner.open(late.outside[0]?.octets ?? answer)).toEqual(answer);
    }
  });
  it('a child without a lease is found by its selectors', () => {
    const w = new World();
    const wide = client(1, GCM, { leases: [], TSi: [{ ...everything(), start: v4('10.0.0.0'), end: v4('10.0.0.255') }] });
    w.connect(wide);
    expect([w.out(answer), w.in(wide.seal(hello))]).toEqual([undefined, undefined]);
    w.plane.remove(1001);
    expect(w.out(answer)).toBe('no-route');
  });
});

describe('limits', () => {
  it('soft is told once, hard ends the SA', () => {
    const w = new World();
    const c = client(1, GCM, { soft: { packets: 2 }, hard: { octets: 4 * answer.length } });
    w.connect(c);
    for (let n = 0; n < 4; n += 1) expect(w.out(answer)).toBeUndefined();
    expect(w.plane.take().map(({ kind }) => kind)).toEqual(['soft', 'hard']);
    expect([w.out(answer), w.in(c.seal(hello)), w.plane.take()]).toEqual(['selector', 'lifetime', []]);
  });
});

describe('where the client is', () => {
  it('is told once when a newer authentic packet comes from elsewhere; answers follow only a move', () => {
    const w = new World();
    const c = client(1);
    w.connect(c);
    const [first, second, third] = [c.seal(hello), c.seal(hello), c.seal(hello)];
    const there = path('203.0.113.9', 1234);
    w.in(second);
    w.in(first, there); // older
    expect(w.plane.take()).toEqual([]);
    w.in(
      Uint8Array.from(third, (o, i) => (i === 30 ? o ^ 1 : o)),
      there,
    );
    expect(w.plane.take()).toEqual([]);
    w.in(third, there);
    w.in(c.seal(hello), there);
    expect(w.plane.take()).toEqual([{ kind: 'moved', spi: 1001, gateway: 'dial_1', path: there }]);
    w.plane.move(1001, there);
    w.out(answer);
    expect(w.outside.map((o) => o.path)).toEqual([there]);
  });
  it('NAT keepalives are sent when nothing else was', () => {
    const w = new World();
    w.connect(client(1, GCM, { keepalive: 20_000 }), client(2));
    w.plane.tick(19_999);
    expect(w.outside).toEqual([]);
    w.plane.tick(20_000);
    w.plane.tick(30_000);
    expect(w.outside).toEqual([{ octets: Uint8Array.of(0xff), path: path() }]);
  });
});

describe('sizes', () => {
  const big = (df: boolean) => ip4('10.9.0.2', '10.0.0.1', 17, udp(1, 2, 1450), { df });
  it('a packet with DF is refused and its sender told, a hundred times a second', () => {
    const w = new World();
    w.connect(client(1));
    for (let n = 0; n < 150; n += 1) expect(w.out(big(true))).toBe('too-big');
    expect(w.inside.length).toBe(100);
    w.now = 1000;
    w.out(big(true));
    expect(w.inside.length).toBe(101);
  });
  it('one without is cut, and no outer packet is larger than its MTU', () => {
    const w = new World();
    const c = client(1);
    w.connect(c);
    expect(w.out(big(false))).toBeUndefined();
    expect(w.outside.map(({ octets }) => octets.length + 28 <= 1500)).toEqual([true, true]);
    expect(w.outside.map(({ octets }) => c.open(octets).length - 20).reduce((a, b) => a + b)).toBe(1458);
  });
  it('an echo of the largest size passes', () => {
    const w = new World();
    w.connect(client(1));
    const mtu = w.plane.snapshot().sas[0]?.mtu ?? 0;
    const body = new Uint8Array(mtu - 20);
    body.set(echo(8, 1));
    expect(w.out(ip4('10.9.0.2', '10.0.0.1', 1, body, { df: true }))).toBeUndefined();
    expect(w.outside[0]?.octets.length).toBeLessThanOrEqual(1472);
  });
});

describe('the MTU of the path', () => {
  const sizes = (w: World) => w.plane.snapshot().sas.map(({ mtu, outerMtu }) => [outerMtu, mtu]);

  it('is asked for at the start, when the client moves, and again and again', () => {
    let outer: number | undefined = 1400;
    const w = new World([], { pathMtu: ({ remote }) => (remote.port === 4501 ? 1300 : outer) });
    w.connect(client(1), client(2));
    expect(sizes(w).map(([o]) => o)).toEqual([1400, 1400]);
    w.plane.move(1001, { ...path(), remote: { ...path().remote, port: 4501 } });
    expect(sizes(w).map(([o]) => o)).toEqual([1300, 1400]);
    outer = 1280;
    w.plane.tick(1000);
    expect(sizes(w).map(([o]) => o)).toEqual([1300, 1280]);
    outer = undefined;
    w.plane.tick(2000);
    expect(sizes(w).map(([o]) => o)).toEqual([1300, 1500]);
  });

  it('of many SAs is asked for some at a time, each in its turn', () => {
    let asked = 0;
    const w = new World([], {
      pathMtu: () => {
        asked += 1;
        return 1500 - Math.floor(asked / 1000);
      },
    });
    for (let n = 1; n <= 200; n++) w.plane.install(client(1, GCM, { spiIn: 5000 + n, spiOut: 9000 + n }).child, 0);
    asked = 0;
    w.plane.tick(1000);
    expect(asked).toBe(64);
    asked = 1000;
    for (let i = 2; i <= 5; i++) w.plane.tick(i * 1000);
    expect(new Set(sizes(w).map(([o]) => o))).toEqual(new Set([1499]));
  });

  it('leaves IPv6 the 1280 octets that it may count on', () => {
    const w = new World([], { pathMtu: () => 1280 });
    const lease = v6('2001:db8:0:0:0:0:0:1');
    w.connect(client(1, GCM, { leases: [lease], TSi: [host(lease)], TSr: [everything(16)] }));
    const big = (octets: number) => ip6('2001:db8:9:0:0:0:0:9', '2001:db8:0:0:0:0:0:1', 17, new Uint8Array(octets - 40));
    expect([w.out(big(1280)), w.out(big(1281))]).toEqual([undefined, 'too-big']);
  });
});
