import { describe, expect, it } from 'vitest';
import { type Lease, type LeaseProfile, Leases } from '../../../src/ike/leases.ts';
import { addressOctets, addressText } from '../../../src/wire/index.ts';
import { timed } from '../../support/cpu.ts';

const octets = (address: string): Uint8Array => addressOctets(address) ?? new Uint8Array(0);
const range = (text: string) => {
  const [start = '', end = start] = text.split('-');
  return { start: octets(start), end: octets(end) };
};
const pool = (ranges: readonly string[], exclude: readonly string[] = []) => ({
  ranges: ranges.map(range),
  exclude: exclude.map(range),
});
const profile = (name: string, ipv4?: ReturnType<typeof pool>, ipv6?: ReturnType<typeof pool>): LeaseProfile => ({
  name,
  modeCfg: { ipv4, ipv6 },
});
const text = (lease: Lease | undefined): string | undefined => lease && addressText(lease.address);

const LINGER = 10;
const small = () => new Leases([profile('ra', pool(['10.10.1.1-10.10.1.3']))], LINGER);

describe('leases', () => {
  it('go up through the ranges, each address once, and end with the pool', () => {
    const leases = new Leases([profile('ra', pool(['10.10.1.254-10.10.2.1', '10.10.9.9']))], LINGER);
    const taken = Array.from({ length: 6 }, (_, i) => text(leases.take('ra', 4, `user${i}`, 0)));
    expect(taken).toEqual(['10.10.1.254', '10.10.1.255', '10.10.2.0', '10.10.2.1', '10.10.9.9', undefined]);
    expect([leases.used('ra', 4), leases.size('ra', 4)]).toEqual([5, 5]);
  });

  it('leave out what is excluded, across the ends of ranges too', () => {
    const excluded = pool(['10.0.0.1-10.0.0.9', '10.0.0.20-10.0.0.21'], ['10.0.0.3-10.0.0.4', '10.0.0.8-10.0.0.20', '192.0.2.1']);
    const leases = new Leases([profile('ra', excluded)], LINGER);
    const taken = Array.from({ length: 7 }, (_, i) => text(leases.take('ra', 4, `user${i}`, 0)));
    expect(taken).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.5', '10.0.0.6', '10.0.0.7', '10.0.0.21', undefined]);
  });

  it('count a range that stands twice once', () => {
    const leases = new Leases([profile('ra', pool(['10.0.0.1-10.0.0.3', '10.0.0.2-10.0.0.4', '10.0.0.1']))], LINGER);
    expect(leases.size('ra', 4)).toBe(4);
  });

  it('are none without a pool, and none of a pool with nothing in it', () => {
    const leases = new Leases(
      [profile('ra', pool(['10.0.0.1'], ['10.0.0.0-10.0.0.9'])), { name: 'none', modeCfg: undefined }],
      LINGER,
    );
    expect(leases.take('ra', 4, 'user', 0)).toBeUndefined();
    for (const name of ['ra', 'none', 'unknown']) {
      expect(leases.take(name, 6, 'user', 0)).toBeUndefined();
      expect([leases.used(name, 6), leases.size(name, 6)]).toEqual([0, 0]);
    }
  });

  it('of one identity are two addresses for two SAs', () => {
    const leases = small();
    expect([text(leases.take('ra', 4, 'anna', 0)), text(leases.take('ra', 4, 'anna', 0))]).toEqual(['10.10.1.1', '10.10.1.2']);
    expect(leases.used('ra', 4)).toBe(2);
  });

  it('do not begin at the front again while there are addresses that nobody had', () => {
    const leases = small();
    const first = leases.take('ra', 4, 'anna', 0);
    if (first) leases.release(first, 0);
    expect(text(leases.take('ra', 4, 'bert', 100_000))).toBe('10.10.1.2');
    expect(text(leases.take('ra', 4, 'carl', 100_000))).toBe('10.10.1.3');
    expect(text(leases.take('ra', 4, 'dora', 100_000))).toBe('10.10.1.1');
  });

  it('come back once: a second release changes nothing, also when somebody else has the address', () => {
    const leases = small();
    const first = leases.take('ra', 4, 'anna', 0);
    if (first === undefined) throw new Error('no lease');
    leases.release(first, 0);
    const again = leases.take('ra', 4, 'anna', 0);
    expect(text(again)).toBe('10.10.1.1');
    leases.release(first, 0);
    expect(leases.used('ra', 4)).toBe(1);
    expect(text(leases.take('ra', 4, 'anna', 0))).toBe('10.10.1.2');
    leases.release({ address: octets('10.10.1.2') }, 0);
    expect(leases.used('ra', 4)).toBe(2);
  });
});

describe('an identity', () => {
  const used = (leases: Leases, identity: string, now: number): string | undefined => {
    const lease = leases.take('ra', 4, identity, now);
    if (lease) leases.release(lease, now);
    return text(lease);
  };

  it('gets its last address again, long after its linger, while nobody needs it', () => {
    const leases = small();
    used(leases, 'anna', 0);
    used(leases, 'bert', 0);
    expect(used(leases, 'bert', 1_000_000)).toBe('10.10.1.2');
    expect(used(leases, 'anna', 1_000_000)).toBe('10.10.1.1');
  });

  it('keeps its address from others for as long as it lingers and others are free', () => {
    const leases = new Leases([profile('ra', pool(['10.10.1.1-10.10.1.2']))], LINGER);
    used(leases, 'anna', 5);
    const [bert, carl] = [leases.take('ra', 4, 'bert', 6), leases.take('ra', 4, 'carl', 7)];
    expect([text(bert), text(carl)]).toEqual(['10.10.1.2', '10.10.1.1']); // rather anna's than none
    expect(leases.take('ra', 4, 'anna', 8)).toBeUndefined();
  });

  it('loses it to others when they need it, the one that is gone the longest first', () => {
    const leases = small();
    for (const [i, name] of ['anna', 'bert', 'carl'].entries()) used(leases, name, i);
    used(leases, 'anna', 10); // back and gone again: now the last of the three
    expect(text(leases.take('ra', 4, 'dora', 100_000))).toBe('10.10.1.2');
    expect(text(leases.take('ra', 4, 'bert', 100_000))).toBe('10.10.1.3');
    expect(text(leases.take('ra', 4, 'anna', 100_000))).toBe('10.10.1.1');
  });

  it('with two SAs gets both addresses back, the last one first', () => {
    const leases = small();
    const [a, b] = [leases.take('ra', 4, 'anna', 0), leases.take('ra', 4, 'anna', 0)];
    if (a) leases.release(a, 1);
    if (b) leases.release(b, 2);
    expect([
      text(leases.take('ra', 4, 'anna', 3)),
      text(leases.take('ra', 4, 'anna', 3)),
      text(leases.take('ra', 4, 'anna', 3)),
    ]).toEqual(['10.10.1.2', '10.10.1.1', '10.10.1.3']);
  });

  it('does not get back what somebody else has taken since', () => {
    const leases = small();
    const [a, b] = [leases.take('ra', 4, 'anna', 0), leases.take('ra', 4, 'anna', 0)];
    if (a) leases.release(a, 1);
    if (b) leases.release(b, 2);
    expect(text(leases.take('ra', 4, 'bert', 100_000))).toBe('10.10.1.3');
    expect(text(leases.take('ra', 4, 'carl', 100_000))).toBe('10.10.1.1');
    expect(text(leases.take('ra', 4, 'anna', 100_000))).toBe('10.10.1.2');
    expect(leases.take('ra', 4, 'anna', 100_000)).toBeUndefined();
  });

  it('with no linger still finds its address while it is free', () => {
    const leases = new Leases([profile('ra', pool(['10.10.1.1-10.10.1.2']))], 0);
    used(leases, 'anna', 0);
    used(leases, 'bert', 0);
    expect(used(leases, 'anna', 0)).toBe('10.10.1.1');
    expect(text(leases.take('ra', 4, 'carl', 0))).toBe('10.10.1.2');
  });

  it('is forgotten when too many came after it; its address is not lost', () => {
    const leases = new Leases([profile('ra', pool(['10.10.1.1-10.10.1.4']))], LINGER, 2);
    for (const name of ['anna', 'bert', 'carl', 'dora']) used(leases, name, 0);
    expect(text(leases.take('ra', 4, 'dora', 1))).toBe('10.10.1.4');
    expect(text(leases.take('ra', 4, 'carl', 1))).toBe('10.10.1.3');
    expect(text(leases.take('ra', 4, 'emil', 1))).toBe('10.10.1.1');
    expect(text(leases.take('ra', 4, 'fred', 1))).toBe('10.10.1.2');
    expect(leases.take('ra', 4, 'gina', 1)).toBeUndefined();
  });
});

describe('pools', () => {
  it('of two profiles with the same addresses are one', () => {
    const same = pool(['10.10.1.1-10.10.1.2']);
    const leases = new Leases([profile('a', same), profile('b', same)], LINGER);
    expect(text(leases.take('a', 4, 'anna', 0))).toBe('10.10.1.1');
    expect(text(leases.take('b', 4, 'bert', 0))).toBe('10.10.1.2');
    expect(leases.take('a', 4, 'carl', 0)).toBeUndefined();
    expect([leases.used('a', 4), leases.used('b', 4)]).toEqual([2, 2]);
  });

  it('that overlap give no address twice, and one lends what lingers in the other when it has nothing else', () => {
    const leases = new Leases([profile('a', pool(['10.0.0.1-10.0.0.2'])), profile('b', pool(['10.0.0.2-10.0.0.3']))], LINGER);
    const taken = [leases.take('a', 4, 'anna', 0), leases.take('a', 4, 'bert', 0), leases.take('b', 4, 'carl', 0)];
    expect(taken.map(text)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(leases.take('b', 4, 'dora', 0)).toBeUndefined();
    expect([leases.used('a', 4), leases.used('b', 4)]).toEqual([2, 2]);
    if (taken[1]) leases.release(taken[1], 0);
    expect([leases.used('a', 4), leases.used('b', 4)]).toEqual([1, 1]);
    expect(text(leases.take('b', 4, 'dora', 1))).toBe('10.0.0.2');
    expect(leases.take('a', 4, 'bert', LINGER * 1000)).toBeUndefined();
  });

  it('of two families know nothing of each other', () => {
    const leases = new Leases([profile('ra', pool(['10.0.0.1']), pool(['2001:db8::1']))], LINGER);
    expect([text(leases.take('ra', 4, 'anna', 0)), text(leases.take('ra', 6, 'anna', 0))]).toEqual(['10.0.0.1', '2001:db8::1']);
    expect([leases.used('ra', 4), leases.used('ra', 6)]).toEqual([1, 1]);
  });

  it('reach to the last address of a family', () => {
    const leases = new Leases(
      [profile('ra', pool(['255.255.255.254-255.255.255.255']), pool(['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']))],
      LINGER,
    );
    expect([0, 1, 2].map((i) => text(leases.take('ra', 4, `${i}`, 0)))).toEqual([
      '255.255.255.254',
      '255.255.255.255',
      undefined,
    ]);
    expect([0, 1].map((i) => text(leases.take('ra', 6, `${i}`, 0)))).toEqual([
      'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      undefined,
    ]);
  });

  it('of IPv6 carry over from word to word and may be as large as they like', () => {
    const leases = new Leases(
      [
        profile('carry', undefined, pool(['2001:db8::ffff:ffff:ffff:fffe-2001:db8:0:1::1'])),
        profile(
          'huge',
          undefined,
          pool(['2001:db8:1::-2001:db8:1:ffff:ffff:ffff:ffff:ffff', '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']),
        ),
      ],
      LINGER,
    );
    expect(['a', 'b', 'c', 'd', 'e'].map((id) => text(leases.take('carry', 6, id, 0)))).toEqual([
      '2001:db8::ffff:ffff:ffff:fffe',
      '2001:db8::ffff:ffff:ffff:ffff',
      '2001:db8:0:1::',
      '2001:db8:0:1::1',
      undefined,
    ]);
    expect(leases.size('huge', 6)).toBe(2 * 2 ** 32);
    expect(text(leases.take('huge', 6, 'a', 0))).toBe('::');
  });

  it('of a /8 cost no more than their leases: 50 000 taken, given back and taken again in a moment', () => {
    const leases = new Leases([profile('ra', pool(['10.0.0.0-10.255.255.255']))], LINGER);
    const all = (now: number) => Array.from({ length: 50_000 }, (_, i) => leases.take('ra', 4, `user${i}`, now));
    const { value, ms } = timed(() => {
      const taken = all(0);
      for (const lease of taken) if (lease) leases.release(lease, 1);
      return { taken, again: all(2) };
    });
    expect(ms).toBeLessThan(4000);
    expect(value.again.every((lease, i) => text(lease) === text(value.taken[i]))).toBe(true);
  });

  it('that are full of lingering addresses give away the one that is free the longest', () => {
    const leases = new Leases([profile('ra', pool(['10.0.0.0-10.0.255.255']))], LINGER);
    const taken = Array.from({ length: 65_536 }, (_, i) => leases.take('ra', 4, `user${i}`, 0));
    for (const lease of taken.slice(0, 3)) if (lease) leases.release(lease, 0);
    const given = ['x', 'y', 'z', 'none'].map((who) => text(leases.take('ra', 4, who, 1)));
    expect(given).toEqual(['10.0.0.0', '10.0.0.1', '10.0.0.2', text(undefined)]);
  });
});
