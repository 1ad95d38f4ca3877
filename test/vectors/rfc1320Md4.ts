/** MD4: RFC 1320 §A.5. */
import { expect } from 'vitest';
import { md4 } from '../../crypto/index.ts';
import { hex } from '../../src/wire/index.ts';

export const file = 'rfc1320-md4.json';

export function run(data: { readonly digests: readonly { readonly message: string; readonly md4: string }[] }): void {
  for (const { message, md4: digest } of data.digests) expect(hex(md4(new TextEncoder().encode(message)))).toBe(digest);
}
