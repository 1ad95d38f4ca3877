import { describe, expect, it } from 'vitest';
import { nodeBackend, sha1 } from '../../../crypto/index.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { prfSpecs } from '../../../crypto/suite.ts';
import { libcryptoBackend } from '../../support/libcrypto.ts';

const hex = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString('hex');
const text = (words: string) => new TextEncoder().encode(words);

const prfs = [nodeBackend, libcryptoBackend, nobleBackend].flatMap((backend) =>
  prfSpecs.map(({ id, name }) => {
    const prf = backend.prf(id);
    if (!prf) throw new Error(`no ${name}`);
    return { title: `${name} by ${backend.name}`, prf };
  }),
);

describe.each(prfs)('$title (RFC 7296 §2.13)', ({ prf }) => {
  const [key, seed] = [text('key'), text('seed')];

  it('takes data in parts as it takes them whole', () => {
    expect(hex(prf.mac(key, text('a'), text(''), text('bc')))).toBe(hex(prf.mac(key, text('abc'))));
    expect(hex(prf.mac(key))).toBe(hex(prf.mac(key, text(''))));
    expect(hex(prf.mac(key, text('abc')))).not.toBe(hex(prf.mac(text('kez'), text('abc'))));
  });

  it('chains prf+ by hand: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2)', () => {
    const T1 = prf.mac(key, seed, Uint8Array.of(1));
    const T2 = prf.mac(key, T1, seed, Uint8Array.of(2));
    const T3 = prf.mac(key, T2, seed, Uint8Array.of(3));
    expect(hex(prf.plus(key, seed, 3 * prf.keyOctets))).toBe(hex(T1) + hex(T2) + hex(T3));
  });

  it('a shorter stream is the beginning of a longer one', () => {
    const whole = hex(prf.plus(key, seed, 200));
    for (const octets of [0, 1, prf.keyOctets - 1, prf.keyOctets, prf.keyOctets + 1, 199]) {
      expect(hex(prf.plus(key, seed, octets)), `${octets}`).toBe(whole.slice(0, 2 * octets));
    }
  });

  it('ends at 255 blocks, where the counter would begin anew', () => {
    expect(prf.plus(key, seed, 255 * prf.keyOctets)).toHaveLength(255 * prf.keyOctets);
    expect(() => prf.plus(key, seed, 255 * prf.keyOctets + 1)).toThrow(RangeError);
    expect(() => prf.derive(key, seed, seed, 255 * prf.keyOctets + 1)).toThrow(RangeError);
  });

  it.each([0, 1, 80, 1023, 1024, 1025, 5000])('derives as prf+(prf(salt, ikm), info), info of %i octets', (length) => {
    const info = new Uint8Array(length).fill(7);
    for (const octets of [0, 1, 300]) {
      expect(hex(prf.derive(key, seed, info, octets))).toBe(hex(prf.plus(prf.mac(key, seed), info, octets)));
    }
  });

  it('derives from empty nonces and secrets as well', () => {
    const none = new Uint8Array();
    expect(hex(prf.derive(none, none, none, 40))).toBe(hex(prf.plus(prf.mac(none, none), none, 40)));
  });

  it('leaves what it is given as it was', () => {
    prf.plus(key, seed, 100);
    prf.derive(key, seed, seed, 100);
    expect([key, seed]).toEqual([text('key'), text('seed')]);
  });

  it('gives octets that are no Buffer', () => {
    for (const octets of [prf.mac(key, seed), prf.plus(key, seed, 9), prf.derive(key, seed, seed, 9)]) {
      expect(octets.constructor).toBe(Uint8Array);
    }
  });
});

describe('SHA-1', () => {
  it('takes parts as one text', () => {
    expect(hex(sha1(text('ab'), text('c')))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d'); // FIPS 180-2 appendix A.1
    expect(hex(sha1(text('abc')))).toBe(hex(nobleBackend.sha1(text('a'), text('bc'))));
    expect(hex(sha1())).toBe('da39a3ee5e6b4b0d3255bfef95601890afd80709');
  });
});
