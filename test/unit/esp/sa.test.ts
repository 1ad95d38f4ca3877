import { describe, expect, it } from 'vitest';
import type { EspChild } from '../../../src/esp/index.ts';
import { Owners } from '../../../src/esp/owners.ts';
import { Sa } from '../../../src/esp/sa.ts';
import { ip4, udp, v4 } from './packets.ts';
import { client, GCM, host, World } from './world.ts';

const made = (esn: boolean, limits: Pick<EspChild, 'soft' | 'hard'> = {}): Sa => {
  const { child } = client(1, { ...GCM, esn }, limits);
  return new Sa(child, new Owners().of(child), 64, 1500, 0);
};

describe('sequence numbers (RFC 4303 §3.3.3)', () => {
  it('never wrap; the last sixteenth asks for a rekey, the last one is the end', () => {
    const sa = made(false);
    sa.sequence = 0xf000_0000 - 1;
    expect([sa.passed(0), sa.next(), sa.passed(0), sa.passed(0)]).toEqual([undefined, 0xf000_0000, 'soft', undefined]);
    sa.sequence = 0xffff_fffe;
    expect([sa.next(), sa.passed(0), sa.next(), sa.next(), sa.ended]).toEqual([0xffff_ffff, 'hard', 0, 0, true]);
  });
  it('with ESN go on where 32 bits end', () => {
    const sa = made(true);
    sa.sequence = 0xffff_ffff;
    expect([sa.next(), sa.passed(0)]).toEqual([2 ** 32, undefined]);
  });
  it('a number of the client near its end asks for a rekey too', () => {
    const sa = made(false);
    sa.window.mark(0xf800_0000, 0);
    expect(sa.passed(0)).toBe('soft');
  });
});

describe('so many octets', () => {
  const hard = 5_242_880;
  const limits = { hard: { octets: hard }, soft: { octets: hard * 0.9 } };
  const PACKET = 1300;

  /** Packets at a pace, octets a second, until a share of the limit is reached. @returns it, or that at the soft end */
  function carry(sa: Sa, pace: number, clock: { now: number }, until = 1, way: 'inOctets' | 'outOctets' = 'outOctets'): number {
    while (sa.counters[way] < until * hard) {
      sa.counters[way] += PACKET;
      clock.now += (PACKET / pace) * 1000;
      const kind = sa.passed(clock.now);
      if (kind !== undefined) {
        expect(kind).toBe('soft');
        return sa.counters[way] / hard;
      }
    }
    return sa.counters[way] / hard;
  }

  it.each([
    ['slow', 50_000, 0.9, 0.901],
    ['with three seconds left in the last tenth', 170_000, 0.9, 0.901],
    ['with three seconds left near the end', 230_000, 0.87, 0.9],
    ['with three seconds left in the middle', 650_000, 0.62, 0.69],
    ['of a gigabit a second', 125_000_000, 0.5, 0.501],
  ])('ask for a rekey in time, %s', (_, pace, from, to) => {
    for (const way of ['inOctets', 'outOctets'] as const) {
      const share = carry(made(false, limits), pace, { now: 1000 }, 1, way);
      expect(share).toBeGreaterThanOrEqual(from);
      expect(share).toBeLessThan(to);
    }
  });

  it('ask for it never before half, and once', () => {
    const sa = made(false, limits);
    const clock = { now: 0 };
    expect(carry(sa, 1e9, clock, 0.499)).toBeLessThan(0.5);
    expect(carry(sa, 1e9, clock)).toBeLessThan(0.501);
    sa.counters.outOctets = hard - 1;
    expect(sa.passed(clock.now)).toBeUndefined();
    sa.counters.outOctets = hard;
    expect([sa.passed(clock.now), sa.passed(clock.now)]).toEqual(['hard', undefined]);
  });

  it('a client that was idle for hours and begins to hurry is noticed two sixteenths later at most', () => {
    for (const share of [0.3, 0.5, 0.6, 0.8]) {
      const sa = made(false, limits);
      const clock = { now: 0 };
      carry(sa, 10_000, clock, share);
      clock.now += 3_600_000;
      const soft = carry(sa, 125_000_000, clock);
      expect(soft).toBeLessThan(Math.max(0.5, share) + 2 / 16 + 0.001);
      expect(soft).toBeLessThan(0.901);
    }
  });

  it('one that hurried and is slow again has all of it', () => {
    const sa = made(false, limits);
    const clock = { now: 0 };
    carry(sa, 125_000_000, clock, 0.4);
    clock.now += 60_000;
    expect(carry(sa, 50_000, clock)).toBeGreaterThanOrEqual(0.9);
  });

  it('without a soft end, or without a hard one: as far as there is one', () => {
    expect(carry(made(false, { hard: { octets: hard } }), 125_000_000, { now: 0 })).toBeLessThan(0.501);
    expect(carry(made(false, { soft: { octets: hard * 0.9 } }), 125_000_000, { now: 0 })).toBeGreaterThanOrEqual(0.9);
    const sa = made(false);
    sa.counters.inOctets = 2 ** 50;
    expect(sa.passed(0)).toBeUndefined();
  });
});

describe('many clients', () => {
  it('each finds its own, and none is left behind when all have gone', () => {
    const w = new World();
    const one = client(1);
    const lease = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    for (let n = 1; n <= 3000; n += 1) {
      const address = v4(lease(n));
      w.plane.install({ ...one.child, spiIn: 5000 + n, gateway: `g${n}`, leases: [address], TSi: [host(address)] }, 0);
    }
    for (const n of [1, 1500, 3000]) {
      expect(w.out(ip4('192.0.2.9', lease(n), 17, udp(1, 2)))).toBe('valve-shut');
      expect(w.plane.snapshot().sas.find(({ spiIn }) => spiIn === 5000 + n)?.counters.drops['valve-shut']).toBe(1);
    }
    for (let n = 1; n <= 3000; n += 1) w.plane.remove(5000 + n);
    expect(w.out(ip4('192.0.2.9', lease(7), 17, udp(1, 2)))).toBe('no-route');
    expect(w.plane.snapshot().sas).toEqual([]);
  });
});
