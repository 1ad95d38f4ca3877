/** Known answers of ciphers, PRFs and groups: each holds for node:crypto, libcrypto and @noble. */
import { expect } from 'vitest';
import { type KnownAnswer, selfTest } from '../../crypto/selftest.ts';
import { backends } from '../support/backends.ts';

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
  for (const backend of backends) expect(selfTest(backend, answers)).toEqual([]);
}
