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
  readonly #chunk: Uint8Array;
  readonly #at: number;

  constructor(spec: CipherSpec, encrKey: Uint8Array) {
    this.#spec = spec;
    this.#at = reserve(encrKey.length);
    this.#chunk = chunk;
    chunk.set(encrKey, this.#at);
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

  wipe(): void {
    this.#chunk.fill(0, this.#at, this.#at + this.#spec.keyOctets + this.#spec.saltOctets);
  }

  #algorithm(): AeadName {
    const { mode, keyOctets } = this.#spec;
    // See AeadName: the value is one of the four that OpenSSL knows, the literal is the typings' stand-in for all of them.
    return (mode === 'gcm' ? `aes-${keyOctets * 8}-gcm` : mode) as AeadName;
  }

  #key(): Uint8Array {
    return this.#chunk.subarray(this.#at, this.#at + this.#spec.keyOctets);
  }

  #nonce(iv: Uint8Array): Uint8Array {
    const { keyOctets, saltOctets } = this.#spec;
    const nonce = new Uint8Array(saltOctets + iv.length);
    nonce.set(this.#chunk.subarray(this.#at + keyOctets, this.#at + keyOctets + saltOctets));
    nonce.set(iv, saltOctets);
    return nonce;
  }
}

/** The ICV covers the message from its first octet up to the ICV (§3.14), and is judged before anything is decrypted. */
class CbcHmac implements Sealer, Opener {
  readonly #spec: CipherSpec;
  readonly #hash: HashName;
  readonly #chunk: Uint8Array;
  readonly #at: number;

  constructor(spec: CipherSpec, hash: HashName, encrKey: Uint8Array, integKey: Uint8Array) {
    this.#spec = spec;
    this.#hash = hash;
    this.#at = reserve(encrKey.length + integKey.length);
    this.#chunk = chunk;
    chunk.set(encrKey, this.#at);
    chunk.set(integKey, this.#at + encrKey.length);
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    checkLengths(this.#spec, message, body, plaintext, iv);
    const icv = message.length - this.#spec.icvOctets;
    message.set(iv, body);
    // Whole blocks all come out of update(); final() would only make a block of padding that nobody wants.
    message.set(createCipheriv(this.#algorithm(), this.#key(), iv).update(plaintext), body + iv.length);
    message.set(this.#icv(message.subarray(0, icv)), icv);
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    if (!canOpen(this.#spec, message, body)) return undefined;
    const ciphertext = body + this.#spec.ivOctets;
    const icv = message.length - this.#spec.icvOctets;
    if (!timingSafeEqual(this.#icv(message.subarray(0, icv)), message.subarray(icv))) return undefined;
    // Padding is the caller's (§3.14), so OpenSSL must not hold the last block back to look for its own.
    const decipher = createDecipheriv(this.#algorithm(), this.#key(), message.subarray(body, ciphertext)).setAutoPadding(false);
    return plain(decipher.update(message.subarray(ciphertext, icv)));
  }

  wipe(): void {
    this.#chunk.fill(0, this.#at, this.#at + this.#spec.keyOctets + this.#spec.integKeyOctets);
  }

  #algorithm(): string {
    return `aes-${this.#spec.keyLength}-cbc`;
  }

  #key(): Uint8Array {
    return this.#chunk.subarray(this.#at, this.#at + this.#spec.keyOctets);
  }

  #icv(covered: Uint8Array): Uint8Array {
    const { keyOctets, integKeyOctets, icvOctets } = this.#spec;
    const key = this.#chunk.subarray(this.#at + keyOctets, this.#at + keyOctets + integKeyOctets);
    return createHmac(this.#hash, key).update(covered).digest().subarray(0, icvOctets);
  }
}

/**
 * Keys lie one behind the other in shared chunks: a Uint8Array of its own costs a key 1 KB of process memory, a place in a
 * chunk 0.1 KB. Nothing is handed back: a chunk goes when the last sealer or opener that points into it goes.
 */
const chunkOctets = 4096;
let chunk = new Uint8Array(chunkOctets);
let filled = 0;

/** Makes sure that `chunk` has this many octets left, and gives where they begin. */
function reserve(octets: number): number {
  if (filled + octets > chunkOctets) {
    chunk = new Uint8Array(chunkOctets);
    filled = 0;
  }
  filled += octets;
  return filled - octets;
}
