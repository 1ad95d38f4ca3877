/** The MODP primes as RFC 3526 prints them, against the ones computed from their definition and OpenSSL's own. */
import { createDiffieHellmanGroup } from 'node:crypto';
import { expect } from 'vitest';
import { modpPrime } from '../../crypto/modpPrime.ts';
import { hex } from '../../src/wire/index.ts';

export const file = 'rfc3526-modp.json';

export function run({ primes }: { readonly primes: readonly { readonly group: number; readonly prime: string }[] }): void {
  expect(primes.map(({ group }) => group)).toEqual([5, 14, 15, 16, 17, 18]);
  for (const { group, prime } of primes) {
    expect(modpPrime(group)?.toString(16)).toBe(prime);
    expect(hex(createDiffieHellmanGroup(`modp${group}`).getPrime())).toBe(prime);
  }
}
