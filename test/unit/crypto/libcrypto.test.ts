/** libcrypto called directly: there, chosen at start, and no worse for what is wrong. */
import { describe, expect, it } from 'vitest';
import { chooseBackend, cipher, directBackend, group, knownAnswers, nodeBackend, sha1 } from '../../../crypto/index.ts';
import { lacksLibcrypto, serving } from '../../support/backends.ts';

describe('libcrypto', () => {
  it('can be called on this machine, or there is a reason', () => {
    if (lacksLibcrypto === undefined) expect(serving.map(({ name }) => name)).toEqual(['node:crypto', 'libcrypto']);
    else expect([lacksLibcrypto, process.env['CI']]).toEqual([expect.stringMatching(/./), undefined]);
  });

  it('is chosen when it gives the known answers, and not when it gives another one', () => {
    const [, direct] = serving;
    if (direct === undefined) return expect(chooseBackend()).toEqual({ name: 'node:crypto', why: lacksLibcrypto });
    expect(chooseBackend()).toEqual({ name: 'libcrypto' });
    expect(cipher(20, 256, 0)?.name).toBe('AES_GCM_16_256');
    const [answer] = knownAnswers.filter(({ kind }) => kind === 'sha1');
    const wrong = {
      ...(answer ?? { kind: 'sha1', name: 'SHA-1', data: '' }),
      digest: '00'.repeat(20),
    } as (typeof knownAnswers)[number];
    expect(chooseBackend([wrong])).toEqual({ name: 'node:crypto', why: expect.stringMatching(/^libcrypto: .*wrong digest/) });
    expect(sha1(Uint8Array.of(1))).toEqual(nodeBackend.sha1(Uint8Array.of(1)));
    chooseBackend();
  });

  it('is tried algorithm by algorithm, and each is made once', () => {
    const direct = directBackend();
    if ('why' in direct) return;
    expect(direct.cipher(20, 128, 0)).toBe(direct.cipher(20, 128, 0));
    expect(direct.cipher(99, 128, 0)).toBeUndefined();
    expect(direct.group(31)).toBe(direct.group(31));
    expect(direct.prf(1)).toBeUndefined();
  });

  it('thousands of pairs that are thrown away, used or not, leave the process as it was', () => {
    const montgomery = group(31);
    if (montgomery === undefined) throw new Error('no X25519');
    const peer = montgomery.generate().publicValue;
    const rss = () => process.memoryUsage.rss();
    const round = () => {
      for (let i = 0; i < 2000; i++) montgomery.generate().agree(peer);
    };
    round();
    const before = rss();
    for (let i = 0; i < 3; i++) round();
    expect(rss() - before).toBeLessThan(32 * 1024 * 1024);
  });

  it('messages of two SAs and both directions do not get into each other’s way', () => {
    for (const backend of serving) {
      const gcm = backend.cipher(20, 256, 0);
      const cbc = backend.cipher(12, 128, 12);
      if (gcm === undefined || cbc === undefined) throw new Error(`${backend.name} lacks a cipher`);
      for (const one of [gcm, cbc]) {
        const key = (n: number) =>
          [new Uint8Array(one.encrKeyOctets).fill(n), new Uint8Array(one.integKeyOctets).fill(n)] as const;
        const [a, b] = [one.sealer(...key(1)), one.sealer(...key(2))];
        const iv = new Uint8Array(one.ivOctets);
        const seal = (by: typeof a, fill: number) => {
          const message = new Uint8Array(8 + one.ivOctets + 32 + one.icvOctets);
          by.seal(message, 8, new Uint8Array(32).fill(fill), iv);
          return message;
        };
        const [first, second] = [seal(a, 5), seal(b, 6)];
        expect(seal(a, 5)).toEqual(first);
        expect(one.opener(...key(1)).open(first, 8)?.[0]).toBe(5);
        expect(one.opener(...key(1)).open(second, 8)).toBeUndefined();
        expect(one.opener(...key(2)).open(second, 8)?.[0]).toBe(6);
        expect(one.opener(...key(1)).open(first, 8)?.[31]).toBe(5);
      }
    }
  });
});
