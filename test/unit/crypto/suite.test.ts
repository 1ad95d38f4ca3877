import { describe, expect, it } from 'vitest';
import { cipher, espSizes, group, prf } from '../../../crypto/index.ts';
import { cipherSpecs, groupSpecs, prfSpecs } from '../../../crypto/suite.ts';

const names = (specs: readonly { readonly name: string }[]) => specs.map(({ name }) => name);

describe('The registry', () => {
  it('holds these ciphers, and this OpenSSL has them all', () => {
    const served = cipherSpecs.filter((one) => cipher(one.encr, one.keyLength, one.integ));
    expect(names(served)).toEqual(names(cipherSpecs));
    expect(new Set(names(served))).toEqual(
      new Set([
        ...[128, 192, 256].flatMap((bits) => [
          `AES_CBC_${bits}/HMAC_SHA1_96`,
          `AES_CBC_${bits}/HMAC_SHA2_256_128`,
          `AES_CBC_${bits}/HMAC_SHA2_384_192`,
          `AES_CBC_${bits}/HMAC_SHA2_512_256`,
          `AES_GCM_16_${bits}`,
        ]),
        'CHACHA20_POLY1305',
      ]),
    );
  });

  it('holds these PRFs, whose keys are as long as their output', () => {
    expect(prfSpecs.map(({ id }) => prf(id)?.name)).toEqual([
      'PRF_HMAC_SHA1',
      'PRF_HMAC_SHA2_256',
      'PRF_HMAC_SHA2_384',
      'PRF_HMAC_SHA2_512',
    ]);
    for (const { id, keyOctets } of prfSpecs) expect(prf(id)?.mac(new Uint8Array(1), new Uint8Array(1))).toHaveLength(keyOctets);
  });

  it('holds these groups, and marks those below 2048 bits as weak (RFC 8247 §2.4)', () => {
    expect(groupSpecs.map(({ id }) => id)).toEqual([1, 2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 28, 29, 30, 31, 32]);
    expect(groupSpecs.filter(({ weak }) => weak).map(({ id }) => id)).toEqual([1, 2, 5]);
    expect(group(14)).toMatchObject({ id: 14, name: 'MODP2048', publicOctets: 256, weak: false });
  });

  it.each([
    ['AES-CBC without integrity', 12, 256, 0],
    ['AES-CBC without a key length', 12, 0, 12],
    ['AES-CBC with a key length of no AES', 12, 160, 12],
    ['AES-CBC with HMAC-MD5-96', 12, 128, 1],
    ['AES-GCM with integrity of its own', 20, 256, 12],
    ['AES-GCM without a key length', 20, 0, 0],
    ['AES-GCM with an 8-octet ICV', 18, 256, 0],
    ['ChaCha20-Poly1305 with 128 bits', 28, 128, 0],
    ['3DES', 3, 0, 2],
    ['nothing', 0, 0, 0],
    ['numbers out of range', 65_536 + 12, 256, 12],
    ['no numbers', Number.NaN, Number.NaN, Number.NaN],
  ])('does not have %s', (_, encr, keyLength, integ) => {
    expect(cipher(encr, keyLength, integ)).toBeUndefined();
    expect(espSizes(encr, keyLength, integ)).toBeUndefined();
  });

  it('encrypts IKE with no NULL, which ESP has', () => {
    expect(cipher(11, 0, 12)).toBeUndefined();
    expect(espSizes(11, 0, 12)).toMatchObject({ name: expect.stringMatching(/^NULL/), ivOctets: 0, icvOctets: 16 });
  });

  it('has no other PRF and no other group', () => {
    for (const id of [0, 1, 3, 4, 8, 65_535, -1, Number.NaN]) expect(prf(id), `PRF ${id}`).toBeUndefined();
    for (const id of [0, 3, 4, 13, 22, 23, 24, 25, 26, 27, 33, 34, 35, 65_535, Number.NaN])
      expect(group(id), `group ${id}`).toBeUndefined();
  });

  it('takes a Key Length of 256 with ChaCha20-Poly1305 from peers that send one, as the same cipher', () => {
    const [plain, explicit] = [cipher(28, 0, 0), cipher(28, 256, 0)];
    expect({ ...explicit, keyLength: 0 }).toEqual({ ...plain, sealer: expect.any(Function), opener: expect.any(Function) });
  });

  it('remembers what it has tried: the same question has the same answer', () => {
    expect(cipher(20, 256, 0)).toBe(cipher(20, 256, 0));
    expect(group(31)).toBe(group(31));
    expect(prf(5)).toBe(prf(5));
    expect(cipher(20, 256, 0)).not.toBe(cipher(20, 128, 0));
  });

  it.each([
    [20, 128, 0, { encr: 20, integ: 0 }],
    [20, 256, 0, { encr: 36, integ: 0 }],
    [28, 0, 0, { encr: 36, integ: 0 }],
    [12, 128, 2, { encr: 16, integ: 20 }],
    [12, 192, 13, { encr: 24, integ: 48 }],
    [12, 256, 14, { encr: 32, integ: 64 }],
    [11, 0, 12, { encr: 0, integ: 32 }],
  ])('takes from KEYMAT for %i/%i/%i what RFC 7296 §2.17 and RFC 4106 §8.1 say', (encr, keyLength, integ, octets) => {
    const { encrKeyOctets, integKeyOctets } = espSizes(encr, keyLength, integ) ?? {};
    expect({ encr: encrKeyOctets, integ: integKeyOctets }).toEqual(octets);
  });

  it('measures on the wire', () => {
    expect(cipher(20, 256, 0)).toMatchObject({
      aead: true,
      ivOctets: 8,
      icvOctets: 16,
      blockOctets: 1,
      encrKeyOctets: 36,
      integKeyOctets: 0,
    });
    expect(cipher(12, 256, 13)).toMatchObject({
      aead: false,
      ivOctets: 16,
      icvOctets: 24,
      blockOctets: 16,
      encrKeyOctets: 32,
      integKeyOctets: 48,
    });
    expect(cipher(12, 128, 2)).toMatchObject({ icvOctets: 12, integKeyOctets: 20 });
  });
});
