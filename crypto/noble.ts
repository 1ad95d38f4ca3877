// The second implementation: ciphers, PRFs and SHA-1 from @noble, which shares no line with OpenSSL; groups are in
// nobleDh.ts. It judges the first one in tests and never serves a peer: it is 15 to 90 times slower, and JavaScript promises
// no constant time.
import { cbc, gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import type { CHash } from '@noble/hashes/utils.js';
import type { Cipher, CryptoBackend, Opener, Prf, Sealer } from './backend.ts';
import { nobleGroup } from './nobleDh.ts';
import { join } from './octets.ts';
import {
  type CipherSpec,
  canOpen,
  checkKeys,
  checkLengths,
  cipherSpec,
  describeCipher,
  type HashName,
  prfSpecs,
} from './suite.ts';

export const nobleBackend: CryptoBackend = {
  name: '@noble',
  cipher: nobleCipher,
  prf: noblePrf,
  group: nobleGroup,
  sha1: (...parts) => sha1(join(parts)),
};

const hashes: Readonly<Record<HashName, CHash>> = { sha1, sha256, sha384, sha512 };

function nobleCipher(encr: number, keyLength: number, integ: number): Cipher | undefined {
  const spec = cipherSpec(encr, keyLength, integ);
  if (!spec) return undefined;
  const make = (encrKey: Uint8Array, integKey: Uint8Array) => {
    checkKeys(spec, encrKey, integKey);
    return spec.hash ? withHmac(spec, hashes[spec.hash], encrKey, integKey) : aead(spec, encrKey);
  };
  return { ...describeCipher(spec), sealer: make, opener: make };
}

function aead(spec: CipherSpec, keys: Uint8Array): Sealer & Opener {
  const { keyOctets, ivOctets } = spec;
  const cipher = (iv: Uint8Array, aad: Uint8Array) => {
    const nonce = join([keys.subarray(keyOctets), iv]);
    return spec.mode === 'gcm'
      ? gcm(keys.subarray(0, keyOctets), nonce, aad)
      : chacha20poly1305(keys.subarray(0, keyOctets), nonce, aad);
  };
  return {
    seal(message, body, plaintext, iv) {
      checkLengths(spec, message, body, plaintext, iv);
      message.set(join([iv, cipher(iv, message.subarray(0, body)).encrypt(plaintext)]), body);
    },
    open(message, body) {
      if (!canOpen(spec, message, body)) return undefined;
      const iv = message.subarray(body, body + ivOctets);
      try {
        return cipher(iv, message.subarray(0, body)).decrypt(message.subarray(body + ivOctets));
      } catch {
        return undefined;
      }
    },
  };
}

function withHmac(spec: CipherSpec, hash: CHash, encrKey: Uint8Array, integKey: Uint8Array): Sealer & Opener {
  const { ivOctets, icvOctets } = spec;
  const icvOf = (covered: Uint8Array) => hmac(hash, integKey, covered).subarray(0, icvOctets);
  return {
    seal(message, body, plaintext, iv) {
      checkLengths(spec, message, body, plaintext, iv);
      const icv = message.length - icvOctets;
      message.set(join([iv, cbc(encrKey, iv, { disablePadding: true }).encrypt(plaintext)]), body);
      message.set(icvOf(message.subarray(0, icv)), icv);
    },
    open(message, body) {
      if (!canOpen(spec, message, body)) return undefined;
      const icv = message.length - icvOctets;
      const differ = icvOf(message.subarray(0, icv)).reduce((bits, octet, at) => bits | (octet ^ (message[icv + at] ?? 0)), 0);
      if (differ !== 0) return undefined;
      const iv = message.subarray(body, body + ivOctets);
      return cbc(encrKey, iv, { disablePadding: true }).decrypt(message.subarray(body + ivOctets, icv));
    },
  };
}

/** `derive` is the HKDF of @noble (RFC 5869), so it owes nothing to a loop of ours; `plus` takes keys shorter than HKDF would. */
function noblePrf(id: number): Prf | undefined {
  const spec = prfSpecs.find((one) => one.id === id);
  if (!spec) return undefined;
  const hash = hashes[spec.hash];
  const check = (octets: number) => {
    if (octets > 255 * spec.keyOctets)
      throw new RangeError(`prf+ ends at ${255 * spec.keyOctets} octets, ${octets} were asked for`);
  };
  return {
    id,
    name: spec.name,
    keyOctets: spec.keyOctets,
    mac: (key, ...data) => hmac(hash, key, join(data)),
    plus(key, seed, octets) {
      check(octets);
      const blocks: Uint8Array[] = [];
      for (let count = 1; (count - 1) * spec.keyOctets < octets; count++)
        blocks.push(hmac(hash, key, join([...blocks.slice(-1), seed, Uint8Array.of(count)])));
      return join(blocks).slice(0, octets);
    },
    derive(salt, ikm, info, octets) {
      check(octets);
      return octets === 0 ? new Uint8Array() : hkdf(hash, ikm, salt, info, octets);
    },
  };
}
