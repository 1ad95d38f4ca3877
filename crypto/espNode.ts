// ESP's encryption on node:crypto: always there. node:crypto makes a context for each AEAD packet and each HMAC, which is most
// of what it costs; of AES-CBC one context lives as long as the SA.
import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type Decipheriv,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { chain, ESP_HEADER, type EspBackend, type EspSpec, espBackend, extend, type Worker, writeHigh } from './esp.ts';
import type { HashName } from './suite.ts';

export const nodeEsp: EspBackend = espBackend('node:crypto', (spec, esn, encrKey, integKey, seals) =>
  spec.hash ? new WithHmac(spec, spec.hash, esn, encrKey, integKey, seals) : new Aead(spec, esn, encrKey),
);

/** See aead.ts: the values are the four names that OpenSSL has, the literal is the typings' stand-in for them. */
type AeadName = 'aes-256-gcm';
const tag = { authTagLength: 16 };

class Aead implements Worker {
  readonly #algorithm: AeadName;
  readonly #spec: EspSpec;
  readonly #key: KeyObject;
  readonly #nonce: Uint8Array;
  /** SPI | upper half | lower half, with extended sequence numbers. */
  readonly #extended: Uint8Array | undefined;

  constructor(spec: EspSpec, esn: boolean, encrKey: Uint8Array) {
    const { mode, keyOctets, saltOctets, ivOctets } = spec;
    this.#spec = spec;
    this.#algorithm = (mode === 'gcm' ? `aes-${keyOctets * 8}-gcm` : mode) as AeadName;
    this.#key = createSecretKey(encrKey.subarray(0, keyOctets));
    this.#nonce = new Uint8Array(saltOctets + ivOctets);
    this.#nonce.set(encrKey.subarray(keyOctets));
    this.#extended = esn ? new Uint8Array(ESP_HEADER + 4) : undefined;
  }

  seal(input: Uint8Array, from: number, length: number, packet: Uint8Array, at: number, high: number): void {
    const start = at + ESP_HEADER + this.#spec.ivOctets;
    const cipher = createCipheriv(this.#algorithm, this.#key, this.#nonceOf(packet, at), tag);
    cipher.setAAD(this.#aad(packet, at, high));
    packet.set(cipher.update(input.subarray(from, from + length)), start);
    cipher.final();
    packet.set(cipher.getAuthTag(), start + length);
  }

  open(packet: Uint8Array, at: number, length: number, high: number, output: Uint8Array, to: number): boolean {
    const start = at + ESP_HEADER + this.#spec.ivOctets;
    const icv = start + length;
    const decipher = createDecipheriv(this.#algorithm, this.#key, this.#nonceOf(packet, at), tag);
    decipher.setAAD(this.#aad(packet, at, high));
    decipher.setAuthTag(packet.subarray(icv, icv + this.#spec.icvOctets));
    const plaintext = decipher.update(packet.subarray(start, icv));
    try {
      decipher.final(); // throws when the tag does not fit: only behind this line may the plaintext be looked at
    } catch {
      return false;
    }
    output.set(plaintext, to);
    return true;
  }

  dispose(): void {
    this.#nonce.fill(0); // the salt; the key goes with its KeyObject, which Node wipes when it is collected
  }

  #nonceOf(packet: Uint8Array, at: number): Uint8Array {
    const { saltOctets, ivOctets } = this.#spec;
    for (let i = 0; i < ivOctets; i++) this.#nonce[saltOctets + i] = packet[at + ESP_HEADER + i] ?? 0;
    return this.#nonce;
  }

  #aad(packet: Uint8Array, at: number, high: number): Uint8Array {
    if (!this.#extended) return packet.subarray(at, at + ESP_HEADER);
    extend(this.#extended, 0, packet, at, high);
    return this.#extended;
  }
}

/** Encrypt-then-MAC: AES-CBC, or nothing, and an HMAC that is judged first. */
class WithHmac implements Worker {
  readonly #spec: EspSpec;
  readonly #hash: HashName;
  readonly #esn: boolean;
  readonly #integKey: KeyObject;
  readonly #cipher: Cipheriv | Decipheriv | undefined;
  readonly #last = new Uint8Array(16);
  readonly #next = new Uint8Array(16);
  readonly #high = new Uint8Array(4);

  constructor(spec: EspSpec, hash: HashName, esn: boolean, encrKey: Uint8Array, integKey: Uint8Array, seals: boolean) {
    this.#spec = spec;
    this.#hash = hash;
    this.#esn = esn;
    this.#integKey = createSecretKey(integKey);
    if (spec.mode === 'null') return;
    const begin: typeof createCipheriv | typeof createDecipheriv = seals ? createCipheriv : createDecipheriv;
    this.#cipher = begin(`aes-${spec.keyLength}-cbc`, encrKey, this.#last).setAutoPadding(false);
  }

  seal(input: Uint8Array, from: number, length: number, packet: Uint8Array, at: number, high: number): void {
    const iv = at + ESP_HEADER;
    const start = iv + this.#spec.ivOctets;
    const icv = start + length;
    packet.set(input.subarray(from, from + length), start);
    if (this.#cipher && length > 0) {
      chain(packet, start, this.#last, packet, iv);
      packet.set(this.#cipher.update(packet.subarray(start, icv)), start);
      this.#last.set(packet.subarray(icv - 16, icv));
    }
    packet.set(this.#icv(packet.subarray(at, icv), high), icv);
  }

  open(packet: Uint8Array, at: number, length: number, high: number, output: Uint8Array, to: number): boolean {
    const iv = at + ESP_HEADER;
    const start = iv + this.#spec.ivOctets;
    const icv = start + length;
    const theirs = packet.subarray(icv, icv + this.#spec.icvOctets);
    if (!timingSafeEqual(this.#icv(packet.subarray(at, icv), high), theirs)) return false;
    if (!this.#cipher || length === 0) {
      output.set(packet.subarray(start, icv), to);
      return true;
    }
    this.#next.set(packet.subarray(icv - 16, icv)); // before the plaintext may overwrite it
    output.set(this.#cipher.update(packet.subarray(start, icv)), to);
    chain(output, to, this.#last, packet, iv);
    this.#last.set(this.#next);
    return true;
  }

  dispose(): void {
    this.#last.fill(0); // the keys go with their objects, which Node wipes when they are collected
  }

  #icv(covered: Uint8Array, high: number): Uint8Array {
    const hmac = createHmac(this.#hash, this.#integKey).update(covered);
    if (this.#esn) {
      writeHigh(this.#high, 0, high);
      hmac.update(this.#high);
    }
    return hmac.digest().subarray(0, this.#spec.icvOctets);
  }
}
