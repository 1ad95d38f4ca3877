import { describe, expect, it } from 'vitest';
import { authenticatorResponse, md4, msk, ntPasswordHash, ntResponse } from '../../../crypto/index.ts';
import { Secret } from '../../../crypto/secret.ts';
import { hex } from '../../../src/wire/index.ts';

const utf16 = (text: string) => new Uint8Array(Buffer.from(text, 'utf16le'));

const round = {
  authenticatorChallenge: new Uint8Array(16).fill(1),
  peerChallenge: new Uint8Array(16).fill(2),
  userName: new TextEncoder().encode('alice'),
};

describe('MD4 (RFC 1320)', () => {
  it('pads on both sides of a block boundary', () => {
    // That many letters a; the digests are those of `openssl dgst -md4 -provider legacy` (OpenSSL 3.0).
    expect(Object.fromEntries([55, 56, 63, 64, 65, 119, 120].map((n) => [n, hex(md4(new Uint8Array(n).fill(0x61)))]))).toEqual({
      55: 'c889c81dd86c4d2e025778944ea02881',
      56: 'd5f9a9e9257077a5f08b0b92f348b0ad',
      63: '7ea3da77432d44c323671097d1348fc8',
      64: '52f5076fabd22680234a3fa9f9dc5732',
      65: '330e377bf231f3cacfecc2c182fe7e5b',
      119: 'e65dd227ccef97fa1d34d70189120f76',
      120: 'b03ddbd470b47c013e0c7ab2ddd763db',
    });
  });

  it('leaves its input alone', () => {
    const message = new Uint8Array(20).fill(7);
    md4(message);
    expect(message).toEqual(new Uint8Array(20).fill(7));
  });
});

describe('NtPasswordHash (RFC 2759 §8.3)', () => {
  it.each([['clientPass'], ['pässwörd'], ['密码'], ['🔑 key'], ['']])('is MD4 over UTF-16LE: %s', (password) => {
    expect(hex(ntPasswordHash(Secret.utf8(password)).expose())).toBe(hex(md4(utf16(password))));
  });

  it('leaves the password alone', () => {
    const password = Secret.utf8('clientPass');
    ntPasswordHash(password);
    expect(password.equals(Secret.utf8('clientPass'))).toBe(true);
  });
});

describe('MS-CHAPv2 answers', () => {
  const hash = ntPasswordHash(Secret.utf8('secret'));
  const response = ntResponse(round, hash);

  it('depend on both challenges, the name and the password', () => {
    const changed = [
      ntResponse({ ...round, authenticatorChallenge: new Uint8Array(16) }, hash),
      ntResponse({ ...round, peerChallenge: new Uint8Array(16) }, hash),
      ntResponse({ ...round, userName: new TextEncoder().encode('Alice') }, hash),
      ntResponse(round, ntPasswordHash(Secret.utf8('Secret'))),
    ];
    expect(new Set([response, ...changed].map(hex)).size).toBe(5);
  });

  it('have 24 octets, 42 characters and 64 octets', () => {
    expect(response.length).toBe(24);
    expect(authenticatorResponse(round, hash, response)).toMatch(/^S=[0-9A-F]{40}$/);
    expect(msk(hash, response).length).toBe(64);
  });

  it('the two halves of the MSK differ: one key each way', () => {
    const key = msk(hash, response).expose();
    expect(hex(key.subarray(0, 16))).not.toBe(hex(key.subarray(16, 32)));
  });
});
