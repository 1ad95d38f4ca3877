import { createCipheriv, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Cipher, nodeBackend } from '../../../crypto/index.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { cipherSpecs } from '../../../crypto/suite.ts';
import { libcryptoBackend } from '../../support/libcrypto.ts';

const header = 12;

const ciphers = [nodeBackend, libcryptoBackend, nobleBackend].flatMap((backend) =>
  cipherSpecs.map(({ name, encr, keyLength, integ }) => ({
    title: `${name} (${keyLength}) by ${backend.name}`,
    cipher: existing(backend.cipher(encr, keyLength, integ)),
  })),
);

describe.each(ciphers)('$title', ({ cipher }) => {
  const keys = [counting(cipher.encrKeyOctets, 1), counting(cipher.integKeyOctets, 101)] as const;
  const plaintext = counting(cipher.blockOctets, 50);
  const sealed = seal(cipher, keys, plaintext);
  const open = (message: Uint8Array, body = header) => cipher.opener(...keys).open(message, body);

  it('opens what it sealed, into octets of its own', () => {
    const message = sealed.slice();
    const opened = open(message);
    expect(opened).toEqual(plaintext);
    opened?.fill(0);
    expect(message).toEqual(sealed);
    expect(open(message)).toEqual(plaintext);
  });

  it('leaves the header readable and hides the plaintext', () => {
    expect(sealed.subarray(0, header)).toEqual(counting(header, 200));
    const longer = seal(cipher, keys, counting(4 * cipher.blockOctets + 12 * cipher.blockOctets, 50));
    expect(Buffer.from(longer).includes(counting(16, 50))).toBe(false);
  });

  it('refuses every flipped bit, in header, IV, ciphertext and ICV', () => {
    const opener = cipher.opener(...keys);
    const passed = Array.from({ length: 8 * sealed.length }, (_, bit) => bit).filter((bit) => {
      const forged = sealed.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return opener.open(forged, header) !== undefined;
    });
    expect(passed).toEqual([]);
  });

  it('refuses every cut and every octet more', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(open(sealed.slice(0, length)), `${length} octets`).toBeUndefined();
    expect(open(Uint8Array.from([...sealed, 0]))).toBeUndefined();
    expect(open(Uint8Array.from([...sealed, ...new Uint8Array(cipher.blockOctets)]))).toBeUndefined();
  });

  it('refuses an empty plaintext, authentic as it may be: a Pad Length has to be in it (RFC 7296 §3.14)', () => {
    expect(open(authenticButEmpty(cipher, keys))).toBeUndefined();
  });

  it('refuses a body that begins elsewhere, outside the message too', () => {
    for (const body of [0, header - 1, header + 1, sealed.length, sealed.length + 1, -1, Number.NaN])
      expect(open(sealed, body), `${body}`).toBeUndefined();
  });

  it('refuses another key', () => {
    const [encrKey, integKey] = [keys[0].slice(), keys[1].slice()];
    // The salt counts as key: the last octet of the encryption key is its last octet.
    const changed = cipher.aead ? encrKey : integKey;
    changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
    expect(cipher.opener(encrKey, integKey).open(sealed, header)).toBeUndefined();
  });

  it('another IV gives another ciphertext', () => {
    const other = seal(cipher, keys, plaintext, counting(cipher.ivOctets, 78));
    const from = header + cipher.ivOctets;
    expect(other.subarray(from)).not.toEqual(sealed.subarray(from));
    expect(open(other)).toEqual(plaintext);
  });

  it('refuses to seal what does not fit: that is our mistake', () => {
    const sealer = cipher.sealer(...keys);
    const attempt =
      (length: number, octets: number, ivOctets = cipher.ivOctets) =>
      () =>
        sealer.seal(new Uint8Array(length), header, new Uint8Array(octets), new Uint8Array(ivOctets));
    const { blockOctets, ivOctets } = cipher;
    expect(attempt(sealed.length, blockOctets)).not.toThrow();
    expect(attempt(sealed.length - 1, blockOctets)).toThrow(RangeError);
    expect(attempt(sealed.length + 1, blockOctets)).toThrow(RangeError);
    expect(attempt(sealed.length, blockOctets, ivOctets - 1)).toThrow(RangeError);
    expect(attempt(sealed.length - blockOctets, 0)).toThrow(RangeError);
    if (blockOctets > 1) expect(attempt(sealed.length + 1, blockOctets + 1)).toThrow(RangeError);
  });

  it('refuses keys of a wrong length', () => {
    const { encrKeyOctets, integKeyOctets } = cipher;
    for (const [encr, integ] of [
      [encrKeyOctets - 1, integKeyOctets],
      [encrKeyOctets + 1, integKeyOctets],
      [encrKeyOctets, integKeyOctets + 1],
      [0, 0],
    ] as const) {
      expect(() => cipher.sealer(new Uint8Array(encr), new Uint8Array(integ))).toThrow(RangeError);
      expect(() => cipher.opener(new Uint8Array(encr), new Uint8Array(integ))).toThrow(RangeError);
    }
  });

  it('opens nothing once its keys are wiped: they are the caller’s, and nobody has a copy', () => {
    const [encrKey, integKey] = [keys[0].slice(), keys[1].slice()];
    const opener = cipher.opener(encrKey, integKey);
    expect(opener.open(sealed, header)).toEqual(plaintext);
    encrKey.fill(0);
    integKey.fill(0);
    expect(opener.open(sealed, header)).toBeUndefined();
  });
});

function seal(
  cipher: Cipher,
  keys: readonly [Uint8Array, Uint8Array],
  plaintext: Uint8Array,
  iv = counting(cipher.ivOctets, 77),
): Uint8Array {
  const message = new Uint8Array(header + cipher.ivOctets + plaintext.length + cipher.icvOctets);
  message.set(counting(header, 200));
  cipher.sealer(...keys).seal(message, header, plaintext, iv);
  return message;
}

/** Header, IV and a good ICV around no ciphertext at all: our sealers refuse to make it, OpenSSL does not. */
function authenticButEmpty(cipher: Cipher, [encrKey, integKey]: readonly [Uint8Array, Uint8Array]): Uint8Array {
  const front = Uint8Array.from([...counting(header, 200), ...counting(cipher.ivOctets, 77)]);
  const hash = { 2: 'sha1', 12: 'sha256', 13: 'sha384', 14: 'sha512' }[cipher.integ];
  if (hash)
    return Uint8Array.from([...front, ...createHmac(hash, integKey).update(front).digest().subarray(0, cipher.icvOctets)]);
  const nonce = Uint8Array.from([...encrKey.subarray(-4), ...front.subarray(header)]);
  const key = encrKey.subarray(0, -4);
  // The typings want one literal for each mode.
  const algorithm = (cipher.encr === 28 ? 'chacha20-poly1305' : `aes-${8 * key.length}-gcm`) as 'aes-256-gcm';
  const empty = createCipheriv(algorithm, key, nonce, { authTagLength: 16 }).setAAD(front.subarray(0, header));
  empty.final();
  return Uint8Array.from([...front, ...empty.getAuthTag()]);
}

function counting(octets: number, from: number): Uint8Array {
  return Uint8Array.from({ length: octets }, (_, at) => from + at);
}

function existing<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the registry lacks it');
  return value;
}
