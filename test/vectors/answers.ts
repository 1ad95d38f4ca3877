/** Known answers of ciphers, PRFs and groups: each holds for both ways to OpenSSL and for @noble, which has no line of it. */
import { expect } from 'vitest';
import { nodeBackend } from '../../crypto/index.ts';
import { nobleBackend } from '../../crypto/noble.ts';
import { type KnownAnswer, selfTest } from '../../crypto/selftest.ts';
import { libcryptoBackend } from '../support/libcrypto.ts';

export const file = [
  'rfc2202-hmac-sha1.json',
  'rfc3602-aes-cbc.json',
  'rfc4106-aes-gcm.json',
  'rfc4231-hmac.json',
  'rfc4868-hmac.json',
  'rfc5869-prf-plus.json',
  'rfc5903-ecp.json',
  'rfc6932-brainpool.json',
  'rfc7296-keys.json',
  'rfc7296-natd.json',
  'rfc7634-chacha20-poly1305.json',
];

export function run({ answers }: { readonly answers: readonly KnownAnswer[] }): void {
  expect(answers.length).toBeGreaterThan(0);
  expect(selfTest(nodeBackend, answers)).toEqual([]);
  expect(selfTest(libcryptoBackend, answers)).toEqual([]);
  expect(selfTest(nobleBackend, answers)).toEqual([]);
}
