import { describe, expect, it } from 'vitest';
import { AdmissionControl, COOKIE_ROTATION, Cookies } from '../../../src/ike/cookie.ts';
import { addressOctets, hex, ikeSpi, unhex } from '../../../src/wire/index.ts';

const octets = (address: string): Uint8Array => addressOctets(address) ?? new Uint8Array(0);
const Ni = new Uint8Array(32).fill(7);
const SPIi = ikeSpi(unhex('bfe7d806646696e2'));
const peer = octets('192.0.2.7');

/** Octets that count up: each draw differs from the last, each run is the same. */
function counting(): (n: number) => Uint8Array {
  let next = 0;
  return (n) => Uint8Array.from({ length: n }, () => next++ & 0xff);
}
const cookies = (now = 0) => new Cookies(counting(), now);

describe('stateless cookies (RFC 7296 §2.6)', () => {
  it('are accepted from whom they were given to', () => {
    const jar = cookies();
    const cookie = jar.make(Ni, peer, SPIi, 5);
    expect(cookie).toHaveLength(33); // §2.6: 1 to 64 octets
    expect(jar.check(cookie, Ni, peer, SPIi, 6)).toBe(true);
    expect(jar.check(jar.make(Ni, octets('2001:db8::7'), SPIi, 5), Ni, octets('2001:db8::7'), SPIi, 6)).toBe(true);
  });

  it('are accepted from nobody else: nonce, address and SPI are in them', () => {
    const jar = cookies();
    const cookie = jar.make(Ni, peer, SPIi, 0);
    expect(jar.check(cookie, new Uint8Array(32).fill(8), peer, SPIi, 1)).toBe(false);
    expect(jar.check(cookie, Ni, octets('192.0.2.8'), SPIi, 1)).toBe(false);
    expect(jar.check(cookie, Ni, peer, ikeSpi(unhex('bfe7d806646696e3')), 1)).toBe(false);
  });

  it('of two requests whose parts run together alike differ', () => {
    const jar = cookies();
    const six = octets('2001:db8::c000:207');
    const joined = new Uint8Array([...six.subarray(4), ...Ni]);
    expect(hex(jar.make(Ni, six, SPIi, 0))).not.toBe(hex(jar.make(joined, six.subarray(0, 4), SPIi, 0)));
  });

  it('survive one change of the secret, and not two', () => {
    const jar = cookies();
    const cookie = jar.make(Ni, peer, SPIi, COOKIE_ROTATION - 1);
    expect(jar.check(cookie, Ni, peer, SPIi, COOKIE_ROTATION)).toBe(true);
    expect(jar.make(Ni, peer, SPIi, COOKIE_ROTATION)[0]).not.toBe(cookie[0]);
    expect(jar.check(cookie, Ni, peer, SPIi, 2 * COOKIE_ROTATION - 1)).toBe(true);
    expect(jar.check(cookie, Ni, peer, SPIi, 2 * COOKIE_ROTATION)).toBe(false);
  });

  it('are over after a long silence, too', () => {
    const jar = cookies();
    const cookie = jar.make(Ni, peer, SPIi, 0);
    expect(jar.check(cookie, Ni, peer, SPIi, 2 * COOKIE_ROTATION)).toBe(false);
  });

  it('the version goes round without two secrets under one number', () => {
    const jar = cookies();
    const versions = Array.from({ length: 600 }, (_, i) => jar.make(Ni, peer, SPIi, i * COOKIE_ROTATION)[0] ?? -1);
    expect(versions.every((version, i) => i === 0 || version === ((versions[i - 1] ?? 0) + 1) % 256)).toBe(true);
  });

  it('any octets may come in their place', () => {
    const jar = cookies();
    const good = jar.make(Ni, peer, SPIi, 0);
    for (const bad of [
      new Uint8Array(0),
      good.subarray(0, 1),
      good.subarray(0, 32),
      new Uint8Array([...good, 0]),
      new Uint8Array(64),
    ])
      expect(jar.check(bad, Ni, peer, SPIi, 1)).toBe(false);
    const flipped = good.slice();
    flipped[32] = (flipped[32] ?? 0) ^ 1;
    expect(jar.check(flipped, Ni, peer, SPIi, 1)).toBe(false);
    const other = good.slice();
    other[0] = ((other[0] ?? 0) + 1) & 0xff;
    expect(jar.check(other, Ni, peer, SPIi, 1)).toBe(false);
  });

  it('of another gateway, or of one before its restart, are none', () => {
    const before = new Cookies((n) => new Uint8Array(n).fill(1), 0).make(Ni, peer, SPIi, 0);
    const after = new Cookies((n) => new Uint8Array(n).fill(1).fill(2, 1), 0);
    expect(after.make(Ni, peer, SPIi, 0)[0]).toBe(before[0]);
    expect(after.check(before, Ni, peer, SPIi, 0)).toBe(false);
  });
});

describe('admission of IKE_SA_INIT (RFC 7296 §2.6)', () => {
  const limits = { halfOpenCookie: 3, halfOpenPerAddress: 4, halfOpenMax: 6 };
  const address = (i: number): string => `192.0.2.${i}`;

  it('admits while there are few half-open SAs, asks for a cookie from the threshold on, drops at the limit', () => {
    const control = new AdmissionControl(limits);
    const verdicts = Array.from({ length: 7 }, (_, i) => {
      const verdict = control.judge(octets(address(i)));
      if (typeof verdict === 'string') control.opened(address(i));
      return typeof verdict === 'string' ? verdict : verdict.drop;
    });
    expect(verdicts).toEqual(['admit', 'admit', 'admit', 'cookie', 'cookie', 'cookie', '6 half-open SAs, the limit']);
    expect(control.halfOpen).toBe(6);
  });

  it('asks a source with half of its share for a cookie, and drops what goes beyond', () => {
    const control = new AdmissionControl({ ...limits, halfOpenCookie: 100, halfOpenMax: 100 });
    const verdicts = Array.from({ length: 5 }, () => {
      const verdict = control.judge(address(1));
      if (typeof verdict === 'string') control.opened(address(1));
      return typeof verdict === 'string' ? verdict : verdict.drop;
    });
    expect(verdicts).toEqual(['admit', 'admit', 'cookie', 'cookie', '4 half-open SAs of this address, the limit']);
    expect(control.judge(address(2))).toBe('admit');
  });

  it('counts down when an SA is settled, whatever became of it', () => {
    const control = new AdmissionControl(limits);
    for (const i of [1, 1, 1, 1]) control.opened(address(i));
    expect(control.judge(address(1))).toHaveProperty('drop');
    control.settled(address(1));
    expect(control.judge(address(1))).toBe('cookie');
    for (const i of [1, 1, 1]) control.settled(address(i));
    expect(control.judge(address(1))).toBe('admit');
    expect([control.halfOpen, control.sources]).toEqual([0, 0]);
  });

  it('settling what was not opened changes nothing', () => {
    const control = new AdmissionControl(limits);
    control.opened(address(1));
    control.settled(address(2));
    expect(control.halfOpen).toBe(1);
    control.settled(address(1));
    control.settled(address(1));
    expect(control.halfOpen).toBe(0);
  });

  it('counts an IPv6 source by its /64, text and octets alike', () => {
    const control = new AdmissionControl({ ...limits, halfOpenPerAddress: 2, halfOpenCookie: 100 });
    control.opened('2001:db8:0:1::1');
    control.opened(octets('2001:db8:0:1:ffff::2'));
    expect(control.judge(octets('2001:db8:0:1::3'))).toHaveProperty('drop');
    expect(control.judge(octets('2001:db8:0:2::1'))).toBe('admit');
    control.settled('2001:db8:0:1:8000::9');
    expect(control.judge('2001:db8:0:1::3')).toBe('cookie');
    expect(control.sources).toBe(1);
  });

  it('does not take the first half of an IPv6 address for an IPv4 one', () => {
    const control = new AdmissionControl({ ...limits, halfOpenPerAddress: 1 });
    control.opened('192.0.2.1');
    expect(control.judge('c000:201::1')).toBe('admit');
  });

  it('keeps no more sources than half-open SAs', () => {
    const control = new AdmissionControl({ halfOpenCookie: 1, halfOpenPerAddress: 10, halfOpenMax: 50 });
    for (let i = 0; i < 5000; i++) {
      const source = octets(`10.0.${i >> 8}.${i & 255}`);
      if (typeof control.judge(source) === 'string') control.opened(source);
    }
    expect([control.halfOpen, control.sources]).toEqual([50, 50]);
  });
});
