import { afterAll, describe, expect, it, vi } from 'vitest';

const decrypted = vi.hoisted(() => ({ times: 0 }));
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const createDecipheriv = (...parts: Parameters<typeof real.createDecipheriv>) => {
    decrypted.times++;
    return real.createDecipheriv(...parts);
  };
  return { ...real, createDecipheriv };
});
// Test files share a process: crypto has been loaded with the real module, and must be again for whoever comes next.
vi.resetModules();
afterAll(() => {
  vi.doUnmock('node:crypto');
  vi.resetModules();
});
const { cipher } = await import('../../../crypto/index.ts');

describe('AES-CBC with HMAC', () => {
  it('decrypts nothing before the ICV fits: there is no padding to probe', () => {
    const aes = cipher(12, 128, 12);
    const message = new Uint8Array(8 + 16 + 32 + 16);
    const keys = [new Uint8Array(16), new Uint8Array(32)] as const;
    aes?.sealer(...keys).seal(message, 8, new Uint8Array(32), new Uint8Array(16));
    const forged = message.slice();
    forged[40] = 1;

    decrypted.times = 0;
    expect(aes?.opener(...keys).open(forged, 8)).toBeUndefined();
    expect(aes?.opener(...keys).open(message.subarray(0, 60), 8)).toBeUndefined();
    expect(decrypted.times).toBe(0);
    expect(aes?.opener(...keys).open(message, 8)).toEqual(new Uint8Array(32));
    expect(decrypted.times).toBe(1);
  });
});
