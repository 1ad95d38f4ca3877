import { createDiffieHellmanGroup } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Cipher, type Group, nodeBackend, type Prf } from '../../../crypto/index.ts';
import { modpPrime } from '../../../crypto/modpPrime.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { cipherSpecs, groupSpecs, prfSpecs } from '../../../crypto/suite.ts';

/** What an algorithm says of itself, without what it does. */
const words = (algorithm: Cipher | Prf | Group | undefined) =>
  algorithm && Object.fromEntries(Object.entries(algorithm).filter(([, value]) => typeof value !== 'function'));

describe('The second implementation', () => {
  it('has every algorithm of the registry, and says the same of each', () => {
    for (const { encr, keyLength, integ, name } of cipherSpecs) {
      expect(words(nobleBackend.cipher(encr, keyLength, integ)), name).toEqual(words(nodeBackend.cipher(encr, keyLength, integ)));
      expect(words(nobleBackend.cipher(encr, keyLength, integ)), name).toMatchObject({ encr, integ, keyLength });
    }
    for (const { id, name } of prfSpecs) {
      expect(words(nobleBackend.prf(id)), name).toEqual(words(nodeBackend.prf(id)));
      expect(words(nobleBackend.prf(id)), name).toMatchObject({ id });
    }
    for (const { id, name } of groupSpecs) {
      expect(words(nobleBackend.group(id)), name).toEqual(words(nodeBackend.group(id)));
      expect(words(nobleBackend.group(id)), name).toMatchObject({ id });
    }
  });

  it('has no other', () => {
    expect(nobleBackend.cipher(3, 0, 2)).toBeUndefined();
    expect(nobleBackend.prf(1)).toBeUndefined();
    expect(nobleBackend.group(22)).toBeUndefined();
  });

  it('generates pairs of its own', () => {
    const group = nobleBackend.group(31);
    expect(group?.generate().publicValue).toHaveLength(32);
    expect(group?.generate().publicValue).not.toEqual(group?.generate().publicValue);
  });
});

describe('MODP primes', () => {
  it.each([1, 2])('of group %i, computed from π, are those of OpenSSL (RFC 2409 §6)', (id) => {
    expect(modpPrime(id)?.toString(16)).toBe(createDiffieHellmanGroup(`modp${id}`).getPrime('hex'));
  });

  it('are there for MODP groups only', () => {
    for (const id of [0, 3, 19, 31]) expect(modpPrime(id)).toBeUndefined();
  });
});
