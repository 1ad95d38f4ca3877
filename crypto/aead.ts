// Encryption of the SK payload and of ESP on node:crypto: AES-GCM (RFC 5282, RFC 4106), ChaCha20-Poly1305 (RFC 7634) and
// AES-CBC with HMAC, encrypt-then-MAC (RFC 7296 §3.14, RFC 4303), behind one shape. Contexts live for one message: at two
// messages a handshake a kept context would cost more than it saves.
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { Cipher, Opener, Sealer } from './backend.ts';
import { plain } from './octets.ts';
import { type CipherSpec, canOpen, checkKeys, checkLengths, cipherSpec, describeCipher, type HashName } from './suite.ts';

export function nodeCipher(encr: number, keyLength: number, integ: number): Cipher | undefined {
  const spec = cipherSpec(encr, keyLength, integ);
  if (!spec) return undefined;
  const { hash } = spec;
  const make = (encrKey: Uint8Array, integKey: Uint8Array) => {
    checkKeys(spec, encrKey, integKey);
    return hash ? new CbcHmac(spec, hash, encrKey, integKey) : new Aead(spec, encrKey);
  };
  return { ...describeCipher(spec), sealer: make, opener: make };
}

/**
 * OpenSSL's names come out of the table at run time; the typings, one overload a mode, want to see a literal: they see this
 * one.
 */
type AeadName = 'aes-256-gcm';
const tag = { authTagLength: 16 };

/** Nonce = salt | IV (RFC 7634 §2, RFC 4106 §4); the associated data is all in front of the IV (RFC 5282 §5.1). */
class Aead implements Sealer, Opener {
  readonly #spec: CipherSpec;
  readonly #encrKey: Uint8Array;

  constructor(spec: CipherSpec, encrKey: Uint8Array) {
    this.#spec = spec;
    this.#encrKey = encrKey;
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    checkLengths(this.#spec, message, body, plaintext, iv);
    const cipher = createCipheriv(this.#algorithm(), this.#key(), this.#nonce(iv), tag);
    cipher.setAAD(message.subarray(0, body));
    message.set(iv, body);
    message.set(cipher.update(plaintext), body + iv.length);
    cipher.final();
    message.set(cipher.getAuthTag(), message.length - this.#spec.icvOctets);
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    if (!canOpen(this.#spec, message, body)) return undefined;
    const ciphertext = body + this.#spec.ivOctets;
    const icv = message.length - this.#spec.icvOctets;
    const decipher = createDecipheriv(this.#algorithm(), this.#key(), this.#nonce(message.subarray(body, ciphertext)), tag);
    decipher.setAAD(message.subarray(0, body));
    decipher.setAuthTag(message.subarray(icv));
    const plaintext = decipher.update(message.subarray(ciphertext, icv));
    try {
      decipher.final(); // throws when the tag does not fit: only behind this line may the plaintext be looked at
    } catch {
      return undefined;
    }
    return plain(plaintext);
  }

  #algorithm(): AeadName {
    const { mode, keyOctets } = this.#spec;
    // See AeadName: the value is one of the four that OpenSSL knows, the literal is the typings' stand-in for all of them.
    return (mode === 'gcm' ? `aes-${keyOctets * 8}-gcm` : mode) as AeadName;
  }

  #key(): Uint8Array {
    return this.#encrKey.subarray(0, this.#spec.keyOctets);
  }

  #nonce(iv: Uint8Array): Uint8Array {
    const { keyOctets, saltOctets } = this.#spec;
    const nonce = new Uint8Array(saltOctets + iv.length);
    for (let i = 0; i < saltOctets; i++) nonce[i] = this.#encrKey[keyOctets + i] ?? 0;
    nonce.set(iv, saltOctets);
    return nonce;
  }
}

/** The ICV covers the message from its first octet up to the ICV (§3.14), and is judged before anything is decrypted. */
class CbcHmac implements Sealer, Opener {
  readonly #spec: CipherSpec;
  readonly #hash: HashName;
  readonly #encrKey: Uint8Array;
  readonly #integKey: Uint8Array;

  constructor(spec: CipherSpec, hash: HashName, encrKey: Uint8Array, integKey: Uint8Array) {
    this.#spec = spec;
    this.#hash = hash;
    this.#encrKey = encrKey;
    this.#integKey = integKey;
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    checkLengths(this.#spec, message, body, plaintext, iv);
    const icv = message.length - this.#spec.icvOctets;
    message.set(iv, body);
    // Whole blocks all come out of update(); final() would only make a block of padding that nobody wants.
    message.set(createCipheriv(this.#algorithm(), this.#encrKey, iv).update(plaintext), body + iv.length);
    message.set(this.#icv(message.subarray(0, icv)), icv);
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    if (!canOpen(this.#spec, message, body)) return undefined;
    const ciphertext = body + this.#spec.ivOctets;
    const icv = message.length - this.#spec.icvOctets;
    if (!timingSafeEqual(this.#icv(message.subarray(0, icv)), message.subarray(icv))) return undefined;
    // Padding is the caller's (§3.14), so OpenSSL must not hold the last block back to look for its own.
    const decipher = createDecipheriv(this.#algorithm(), this.#encrKey, message.subarray(body, ciphertext)).setAutoPadding(false);
    return plain(decipher.update(message.subarray(ciphertext, icv)));
  }

  #algorithm(): string {
    return `aes-${this.#spec.keyLength}-cbc`;
  }

  #icv(covered: Uint8Array): Uint8Array {
    return createHmac(this.#hash, this.#integKey).update(covered).digest().subarray(0, this.#spec.icvOctets);
  }
}
