/** X25519 and X448: RFC 7748 §5.2 and §6, RFC 8031 appendix A, and what has small order. */
import { expect } from 'vitest';
import { nodeBackend } from '../../crypto/index.ts';
import { nobleBackend } from '../../crypto/noble.ts';
import type { KnownAnswer } from '../../crypto/selftest.ts';
import { hex, unhex } from '../../src/wire/index.ts';
import { libcryptoBackend } from '../support/libcrypto.ts';
import { run as runAnswers } from './answers.ts';

export const file = 'rfc7748-montgomery.json';

type Iteration = { readonly group: number; readonly start: string; readonly once: string; readonly thousand: string };

export function run(data: { readonly answers: readonly KnownAnswer[]; readonly iterations: readonly Iteration[] }): void {
  runAnswers(data);
  for (const { group, start, once, thousand } of data.iterations) {
    expect(iterate(nodeBackend, group, start, 1)).toBe(once);
    expect(iterate(libcryptoBackend, group, start, 1)).toBe(once);
    expect(iterate(nobleBackend, group, start, 1)).toBe(once);
    expect(iterate(nodeBackend, group, start, 1000)).toBe(thousand);
    expect(iterate(libcryptoBackend, group, start, 1000)).toBe(thousand);
  }
}

/** §5.2: k and u begin alike; each round, k becomes the product and u the old k. */
function iterate(backend: typeof nodeBackend, id: number, start: string, times: number): string | undefined {
  let [k, u] = [unhex(start), unhex(start)];
  for (let round = 0; round < times; round++) {
    const product = backend.group(id)?.fromPrivate(k).agree(u);
    if (!product) return undefined;
    [k, u] = [product, k];
  }
  return hex(k);
}
