import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../support/clock.ts';
import { type Datagram, type Party, VirtualNet, type Weather } from '../../support/net.ts';
import { SeededRandom } from '../../support/random.ts';

const at = (address: string, port = 500) => ({ address, port });
const [A, B] = [at('10.0.0.1'), at('10.0.0.2')];

/** A host that only listens, and says what it is told. */
function host(address: string) {
  const [heard, out]: [{ readonly at: number; readonly d: Datagram }[], Datagram[]] = [[], []];
  const self: Party & { readonly heard: typeof heard; say(...d: Datagram[]): void; alarm: number | undefined; rang: number[] } = {
    addresses: [address],
    heard,
    alarm: undefined,
    rang: [],
    say: (...d) => out.push(...d),
    datagram: (d, now) => heard.push({ at: now, d }),
    tick: (now) => {
      self.rang.push(now);
      self.alarm = undefined;
    },
    deadline: () => self.alarm,
    take: () => out.splice(0),
  };
  return self;
}

function wire(weather: Partial<Weather> = {}, seed = 'net') {
  const clock = new VirtualClock({ now: 100 });
  const net = new VirtualNet({ clock, random: new SeededRandom(seed), weather });
  const [a, b] = [host(A.address), host(B.address)];
  net.attach(a, b);
  return { clock, net, a, b };
}

const hundred = Array.from({ length: 100 }, (_, i): Datagram => ({ from: A, to: B, octets: Uint8Array.of(i) }));

describe('VirtualNet', () => {
  it('delivers in order after the delay, and time stands where the last one arrived', () => {
    const { clock, net, a, b } = wire();
    a.say(...hundred);
    net.run();
    expect(b.heard.map(({ d }) => d.octets[0])).toEqual(hundred.map((_, i) => i));
    expect(new Set(b.heard.map((h) => h.at))).toEqual(new Set([105]));
    expect([clock.now, a.heard.length]).toEqual([105, 0]);
  });

  it('loses, doubles and reorders as often as it should, and the same again with the same seed', () => {
    const storm = { delay: [1, 100], loss: 0.3, duplicate: 0.3 } as const;
    const arrivals = (seed: string) => {
      const { net, a, b } = wire(storm, seed);
      a.say(...hundred);
      net.run();
      return b.heard.map(({ d }) => d.octets[0] ?? -1);
    };
    const once = arrivals('x');
    expect(arrivals('x')).toEqual(once);
    expect(arrivals('y')).not.toEqual(once);
    expect(new Set(once).size).toBeGreaterThan(50);
    expect(new Set(once).size).toBeLessThan(90);
    expect(once.length).toBeGreaterThan(new Set(once).size);
    expect(once).not.toEqual([...once].sort((x, y) => x - y));
  });

  it('hands out copies: nobody sees what another does to his octets', () => {
    const { net, a, b } = wire({ duplicate: 1 });
    const octets = Uint8Array.of(1);
    a.say({ from: A, to: B, octets });
    net.collect();
    octets[0] = 9;
    net.run();
    const [first, second] = b.heard;
    expect(first?.d.octets).toEqual(Uint8Array.of(1));
    if (first) first.d.octets[0] = 7;
    expect(second?.d.octets).toEqual(Uint8Array.of(1));
  });

  it('wakes who has a deadline, and stops at the moment it is told to', () => {
    const { clock, net, a } = wire();
    a.alarm = 400;
    expect(net.run({ ms: 250 })).toBe(false);
    expect([clock.now, a.rang]).toEqual([350, []]);
    expect(net.run({ until: () => a.rang.length > 0 })).toBe(true);
    expect([clock.now, a.rang]).toEqual([400, [400]]);
  });

  it('a filter takes what it wants, and the record says so', () => {
    const { net, a, b } = wire();
    net.filter = (d) => d.octets[0] !== 3;
    a.say(...hundred.slice(0, 5));
    net.run();
    expect(b.heard.map(({ d }) => d.octets[0])).toEqual([0, 1, 2, 4]);
    expect(net.passages.map((p) => p.lost)).toEqual([false, false, false, true, false]);
  });

  it('a NAT gives each port one of its own, and takes back what comes to it', () => {
    const { net, a, b } = wire();
    net.nat({ inside: [A.address], outside: '192.0.2.9' });
    a.say({ from: A, to: B, octets: Uint8Array.of(1) }, { from: { ...A, port: 4500 }, to: B, octets: Uint8Array.of(2) });
    net.run();
    const [first, second] = b.heard.map(({ d }) => d.from);
    expect(first?.address).toBe('192.0.2.9');
    expect(second?.port).not.toBe(first?.port);
    b.say(
      { from: B, to: first ?? A, octets: Uint8Array.of(3) },
      { from: B, to: { address: '192.0.2.9', port: 9 }, octets: Uint8Array.of(4) },
    );
    net.run();
    expect(a.heard.map(({ d }) => [d.octets[0], d.to])).toEqual([[3, A]]);
    net.rebootNats();
    a.say({ from: A, to: B, octets: Uint8Array.of(5) });
    net.run();
    expect(b.heard.at(-1)?.d.from.port).not.toBe(first?.port);
  });

  it('says so when there is no rest', () => {
    const { net, a, b } = wire();
    b.datagram = () => b.say({ from: B, to: A, octets: Uint8Array.of(1) });
    a.datagram = () => a.say({ from: A, to: B, octets: Uint8Array.of(1) });
    a.say({ from: A, to: B, octets: Uint8Array.of(1) });
    expect(() => net.run()).toThrow(/no rest/);
  });
});

describe('VirtualClock and SeededRandom', () => {
  it('time does not go back, and both clocks go together', () => {
    const clock = new VirtualClock({ unix: 1000 });
    clock.advance(2500);
    expect(clock.clocks).toEqual({ now: 2500, unix: 1002 });
    expect(() => clock.advanceTo(2000)).toThrow(RangeError);
  });

  it('chance follows from the seed, and children from their names', () => {
    const draw = (random: SeededRandom) => [...random.octets(40)];
    expect(draw(new SeededRandom('a'))).toEqual(draw(new SeededRandom('a')));
    expect(draw(new SeededRandom('a'))).not.toEqual(draw(new SeededRandom('b')));
    const parent = new SeededRandom('a');
    const before = draw(parent.child('x'));
    parent.octets(100);
    expect(draw(parent.child('x'))).toEqual(before);
    expect(draw(parent.child('y'))).not.toEqual(before);
  });

  it('numbers stay within their bounds and use all of them', () => {
    const random = new SeededRandom('a');
    const drawn = Array.from({ length: 300 }, () => random.below(7));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    const heads = Array.from({ length: 1000 }, () => random.chance(0.25)).filter((h) => h).length;
    expect(heads).toBeGreaterThan(200);
    expect(heads).toBeLessThan(300);
    expect(() => random.pick([])).toThrow(RangeError);
    expect(['a', 'b']).toContain(random.pick(['a', 'b']));
  });
});
