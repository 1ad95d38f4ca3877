import { describe, expect, it } from 'vitest';
import {
  cipher,
  espProposalWords,
  espSizes,
  ikeProposalWords,
  parseEspProposal,
  parseIkeProposal,
  prf,
  type UnservedWord,
} from '../../../crypto/index.ts';

describe('Phase 1 words', () => {
  it('are all that FortiOS knows, and three families of ours', () => {
    const classic = ['des', '3des', 'aes128', 'aes192', 'aes256', 'aria128', 'aria192', 'aria256', 'seed'].flatMap((encryption) =>
      ['md5', 'sha1', 'sha256', 'sha384', 'sha512'].map((hash) => `${encryption}-${hash}`),
    );
    const combined = ['aes128gcm', 'aes192gcm', 'aes256gcm', 'chacha20poly1305'].flatMap((aead) =>
      ['prfsha1', 'prfsha256', 'prfsha384', 'prfsha512'].map((hash) => `${aead}-${hash}`),
    );
    expect(ikeProposalWords).toEqual([...classic, ...combined]);
  });

  it.each([
    ['aes128-sha256', { encr: 12, keyLength: 128, integ: 12, prf: 5 }],
    ['aes192-sha512', { encr: 12, keyLength: 192, integ: 14, prf: 7 }],
    ['aes256-sha1', { encr: 12, keyLength: 256, integ: 2, prf: 2 }],
    ['aes256-sha384', { encr: 12, keyLength: 256, integ: 13, prf: 6 }],
    ['aes128gcm-prfsha256', { encr: 20, keyLength: 128, integ: 0, prf: 5 }],
    ['aes192gcm-prfsha512', { encr: 20, keyLength: 192, integ: 0, prf: 7 }],
    ['aes256gcm-prfsha384', { encr: 20, keyLength: 256, integ: 0, prf: 6 }],
    ['chacha20poly1305-prfsha256', { encr: 28, keyLength: 0, integ: 0, prf: 5 }],
  ])('%s', (word, meaning) => {
    expect(parseIkeProposal(word)).toEqual({ word, ...meaning });
  });

  it('with AES-CBC name the PRF of the same hash', () => {
    for (const [hash, id] of [
      ['sha1', 2],
      ['sha256', 5],
      ['sha384', 6],
      ['sha512', 7],
    ] as const) {
      expect(parseIkeProposal(`aes256-${hash}`)).toMatchObject({ prf: id });
    }
  });
});

describe('Phase 2 words', () => {
  it('are all that FortiOS knows, and aes192gcm', () => {
    const hashes = ['null', 'md5', 'sha1', 'sha256', 'sha384', 'sha512'];
    const classic = ['null', 'des', '3des', 'aes128', 'aes192', 'aes256', 'aria128', 'aria192', 'aria256', 'seed'].flatMap(
      (encryption) => hashes.map((hash) => `${encryption}-${hash}`),
    );
    expect(espProposalWords).toEqual([
      ...classic.filter((word) => word !== 'null-null'),
      'aes128gcm',
      'aes192gcm',
      'aes256gcm',
      'chacha20poly1305',
    ]);
  });

  it.each([
    ['aes128-sha1', { encr: 12, keyLength: 128, integ: 2 }],
    ['aes256-sha512', { encr: 12, keyLength: 256, integ: 14 }],
    ['aes128gcm', { encr: 20, keyLength: 128, integ: 0 }],
    ['aes192gcm', { encr: 20, keyLength: 192, integ: 0 }],
    ['aes256gcm', { encr: 20, keyLength: 256, integ: 0 }],
    ['chacha20poly1305', { encr: 28, keyLength: 0, integ: 0 }],
    ['null-sha1', { encr: 11, keyLength: 0, integ: 2 }],
    ['null-sha256', { encr: 11, keyLength: 0, integ: 12 }],
  ])('%s', (word, meaning) => {
    expect(parseEspProposal(word)).toEqual({ word, ...meaning });
  });
});

describe('Words of both phases', () => {
  it.each([
    ['des-md5', /DES/],
    ['des-sha256', /DES/],
    ['3des-sha256', /3DES/],
    ['aes256-md5', /MD5/],
    ['aria256-sha256', /ARIA/],
    ['seed-sha1', /SEED/],
  ])('%s is known, refused, and says why', (word, why) => {
    expect(parseIkeProposal(word)).toEqual({ word, unserved: expect.stringMatching(why) });
    expect(parseEspProposal(word)).toEqual({ word, unserved: expect.stringMatching(why) });
  });

  it('ESP without authentication is refused, and says why; IKE knows neither', () => {
    expect(parseEspProposal('aes256-null')).toEqual({ word: 'aes256-null', unserved: expect.stringMatching(/authenticate/) });
    expect(parseIkeProposal('null-sha256')).toBeUndefined();
    expect(parseIkeProposal('aes256-null')).toBeUndefined();
  });

  it.each([
    '',
    'aes',
    'aes256',
    'AES256-SHA256',
    'aes256-sha257',
    'aes256-sha256 ',
    'null-null',
    'aes512-sha256',
    'constructor',
    '__proto__',
    'toString',
  ])('%j is none', (word) => {
    expect(parseIkeProposal(word)).toBeUndefined();
    expect(parseEspProposal(word)).toBeUndefined();
  });

  it('one phase does not take the other one’s form of an AEAD', () => {
    expect(parseIkeProposal('aes256gcm')).toBeUndefined();
    expect(parseEspProposal('aes256gcm-prfsha384')).toBeUndefined();
  });

  it('what is listed parses, under its own name', () => {
    for (const word of ikeProposalWords) expect(parseIkeProposal(word)).toMatchObject({ word });
    for (const word of espProposalWords) expect(parseEspProposal(word)).toMatchObject({ word });
  });

  it('what is served can be run', () => {
    const phase1 = ikeProposalWords.map(parseIkeProposal).flatMap(served);
    const phase2 = espProposalWords.map(parseEspProposal).flatMap(served);
    expect([phase1.length, phase2.length]).toEqual([28, 20]);
    for (const { word, encr, keyLength, integ, prf: id } of phase1) {
      expect(cipher(encr, keyLength, integ), word).toBeDefined();
      expect(prf(id), word).toBeDefined();
    }
    for (const { word, encr, keyLength, integ } of phase2) expect(espSizes(encr, keyLength, integ), word).toBeDefined();
  });
});

function served<T extends object>(word: T | UnservedWord | undefined): readonly T[] {
  return word === undefined || 'unserved' in word ? [] : [word];
}
