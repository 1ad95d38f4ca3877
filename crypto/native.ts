// The second backend: IKE's ciphers, PRFs, SHA-1 and X25519 on the functions of libcrypto.ts. One context for each algorithm is
// kept and keyed anew for every use, then keyed with zeros: no key stays behind, nothing has to be freed, and an IKE SA owns
// nothing of OpenSSL's. Octets go through the scratch memory, which is wiped where they were secret. Groups other than X25519
// are node:crypto's: they gain less than a tenth, since their time is the curve's or the prime's.
import type { Cipher, CryptoBackend, Group, Opener, Prf, Sealer } from './backend.ts';
import { type Libcrypto, refused } from './libcrypto.ts';
import { CipherContext, digest, hashOctets, MacContext, once, put, slot } from './nativeContext.ts';
import { nativeGroup } from './nativeDh.ts';
import {
  type CipherSpec,
  canOpen,
  checkKeys,
  checkLengths,
  cipherSpec,
  describeCipher,
  type HashName,
  type PrfSpec,
  prfSpecs,
} from './suite.ts';

/** `fallback` has the groups that gain nothing, and messages that are too long for the scratch memory. */
export function nativeBackend(lib: Libcrypto, fallback: CryptoBackend): CryptoBackend {
  const ciphers = new Map<CipherSpec, Cipher>();
  const macs = new Macs(lib);
  const prfs = new Map(
    prfSpecs.map((spec) => {
      const other = fallback.prf(spec.id);
      return [spec.id, other && nativePrf(lib, spec, macs, other)] as const;
    }),
  );
  const groups = new Map<number, Group>();
  return {
    name: 'libcrypto',
    cipher(encr, keyLength, integ) {
      const spec = cipherSpec(encr, keyLength, integ);
      const other = spec && fallback.cipher(encr, keyLength, integ);
      if (!spec || !other) return undefined;
      return once(ciphers, spec, () => nativeCipher(lib, spec, other, macs));
    },
    prf: (id) => prfs.get(id),
    group: (id) => {
      const other = fallback.group(id);
      return other && once(groups, id, () => nativeGroup(lib, other) ?? other);
    },
    sha1: (...parts) => nativeDigest(lib, 'sha1', parts) ?? fallback.sha1(...parts),
  };
}

/** Octets that the data part of the scratch memory has. */
const room = ({ memory }: Libcrypto): number => memory.octets.length - memory.data;

function nativeDigest(lib: Libcrypto, hash: HashName, parts: readonly Uint8Array[]): Uint8Array | undefined {
  const { octets, address, data } = lib.memory;
  let end = data;
  for (const part of parts) {
    if (part.length > octets.length - end) return undefined;
    octets.set(part, end);
    end += part.length;
  }
  if (lib.call.EVP_Digest(address + data, end - data, address + slot.mac, 0, digest(lib, hash), 0) !== 1)
    throw refused(lib, hash);
  return octets.slice(slot.mac, slot.mac + hashOctets[hash]);
}

/** One MAC context for each hash, shared by ciphers and PRFs: no use of it outlasts a call. */
class Macs {
  readonly #lib: Libcrypto;
  readonly #contexts = new Map<HashName, MacContext>();

  constructor(lib: Libcrypto) {
    this.#lib = lib;
  }

  /** Under a key of any length, which is in no memory of ours afterwards. */
  keyed(hash: HashName, key: Uint8Array): MacContext {
    const lib = this.#lib;
    const context = once(this.#contexts, hash, () => new MacContext(lib, hash));
    if (key.length > room(lib)) throw new RangeError('a key of that length is a mistake');
    const { octets, data } = lib.memory;
    context.key(put(lib, key, data), key.length);
    octets.fill(0, data, data + key.length);
    return context;
  }

  /** Forgets the key. */
  forget(context: MacContext): void {
    const { octets, address } = this.#lib.memory;
    octets.fill(0, slot.mac, slot.mac + context.octets);
    context.key(address + slot.mac, context.octets);
  }

  /** Any number of octets, by way of the scratch memory. */
  update(context: MacContext, part: Uint8Array): void {
    const { octets, address, data } = this.#lib.memory;
    const most = room(this.#lib);
    for (let at = 0; at < part.length; at += most) {
      const piece = part.length <= most ? part : part.subarray(at, at + most);
      octets.set(piece, data);
      context.update(address + data, piece.length);
      octets.fill(0, data, data + piece.length);
    }
  }

  final(context: MacContext, most = context.octets): Uint8Array {
    const { octets, address } = this.#lib.memory;
    context.final(address + slot.mac);
    return octets.slice(slot.mac, slot.mac + most);
  }
}

/**
 * T1 = prf(K, S | 01), Tn = prf(K, Tn-1 | S | n), as in prf.ts: Tn-1, S and n lie side by side, so a block is one update.
 * `derive` is the extract step and this.
 */
function nativePrf(lib: Libcrypto, { id, name, hash, keyOctets }: PrfSpec, macs: Macs, other: Prf): Prf {
  const { octets: memory, address, data } = lib.memory;
  const mac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
    const context = macs.keyed(hash, key);
    for (const part of parts) macs.update(context, part);
    const result = macs.final(context);
    macs.forget(context);
    return result;
  };
  const plus = (key: Uint8Array, seed: Uint8Array, octets: number): Uint8Array => {
    if (octets > 255 * keyOctets || seed.length > room(lib) - keyOctets - 1) return other.plus(key, seed, octets);
    const out = new Uint8Array(octets);
    const context = macs.keyed(hash, key);
    const counter = data + keyOctets + seed.length;
    memory.set(seed, data + keyOctets);
    for (let at = 0, count = 1; at < octets; at += keyOctets, count++) {
      memory[counter] = count;
      const from = count === 1 ? data + keyOctets : data;
      if (count > 1) context.again();
      context.update(address + from, counter + 1 - from);
      context.final(address + data);
      out.set(memory.subarray(data, data + Math.min(keyOctets, octets - at)), at);
    }
    memory.fill(0, data, counter + 1);
    macs.forget(context);
    return out;
  };
  return {
    id,
    name,
    keyOctets,
    mac,
    plus,
    derive(salt, ikm, info, octets) {
      const extracted = mac(salt, ikm);
      const derived = plus(extracted, info, octets);
      extracted.fill(0);
      return derived;
    },
  };
}

function nativeCipher(lib: Libcrypto, spec: CipherSpec, other: Cipher, macs: Macs): Cipher {
  const contexts = { seal: new CipherContext(lib, spec, true), open: new CipherContext(lib, spec, false) };
  const make = (encrKey: Uint8Array, integKey: Uint8Array): Sealer & Opener => {
    checkKeys(spec, encrKey, integKey);
    const one = new NativeCipher(lib, spec, contexts, macs, encrKey, integKey);
    return {
      seal: (message, body, plaintext, iv) =>
        message.length > room(lib)
          ? other.sealer(encrKey, integKey).seal(message, body, plaintext, iv)
          : one.seal(message, body, plaintext, iv),
      open: (message, body) =>
        message.length > room(lib) ? other.opener(encrKey, integKey).open(message, body) : one.open(message, body),
    };
  };
  return { ...describeCipher(spec), sealer: make, opener: make };
}

/** One message in the scratch memory, encrypted or decrypted where it lies. */
class NativeCipher implements Sealer, Opener {
  readonly #lib: Libcrypto;
  readonly #spec: CipherSpec;
  readonly #contexts: { readonly seal: CipherContext; readonly open: CipherContext };
  readonly #macs: Macs;
  readonly #encrKey: Uint8Array;
  readonly #integKey: Uint8Array;

  constructor(
    lib: Libcrypto,
    spec: CipherSpec,
    contexts: { readonly seal: CipherContext; readonly open: CipherContext },
    macs: Macs,
    encrKey: Uint8Array,
    integKey: Uint8Array,
  ) {
    this.#lib = lib;
    this.#spec = spec;
    this.#contexts = contexts;
    this.#macs = macs;
    this.#encrKey = encrKey;
    this.#integKey = integKey;
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    checkLengths(this.#spec, message, body, plaintext, iv);
    const { octets, address, data } = this.#lib.memory;
    const { hash, icvOctets } = this.#spec;
    const start = body + iv.length;
    const icv = message.length - icvOctets;
    message.set(iv, body);
    octets.set(plaintext, data + start);
    const context = this.#contexts.seal;
    this.#begin(context, iv);
    if (!hash && body > 0) context.aad(put(this.#lib, message.subarray(0, body), data), body);
    context.update(address + data + start, plaintext.length, address + data + start);
    if (!hash) context.seal(address + data + icv);
    this.#forget(context);
    message.set(octets.subarray(data + start, data + message.length - (hash ? icvOctets : 0)), start);
    octets.fill(0, data + start, data + icv);
    if (hash) message.set(this.#mac(hash, message.subarray(0, icv)), icv);
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    if (!canOpen(this.#spec, message, body)) return undefined;
    const { octets, address, data } = this.#lib.memory;
    const { hash, ivOctets, icvOctets } = this.#spec;
    const start = body + ivOctets;
    const icv = message.length - icvOctets;
    if (hash && !this.#fits(this.#mac(hash, message.subarray(0, icv)), message, icv)) return undefined;
    put(this.#lib, message, data);
    const context = this.#contexts.open;
    this.#begin(context, message.subarray(body, start));
    if (!hash) context.aad(address + data, body);
    context.update(address + data + start, icv - start, address + data + start);
    const good = hash !== undefined || context.verify(address + data + icv);
    this.#forget(context);
    const plaintext = good ? octets.slice(data + start, data + icv) : undefined; // not looked at before its tag was judged
    octets.fill(0, data + start, data + icv);
    return plaintext;
  }

  /** Nonce = salt | IV for AEAD (RFC 7634 §2, RFC 4106 §4), the IV alone for CBC. */
  #begin(context: CipherContext, iv: Uint8Array): void {
    const { octets, address } = this.#lib.memory;
    const { keyOctets, saltOctets } = this.#spec;
    const key = put(this.#lib, this.#encrKey, slot.key);
    for (let i = 0; i < saltOctets; i++) octets[slot.iv + i] = octets[slot.key + keyOctets + i] ?? 0;
    octets.set(iv, slot.iv + saltOctets);
    context.begin(key, address + slot.iv);
    octets.fill(0, slot.key, slot.key + keyOctets + saltOctets);
  }

  /** The key's slot is zeros by now; the IV's has the salt. */
  #forget(context: CipherContext): void {
    const { octets, address } = this.#lib.memory;
    octets.fill(0, slot.iv, slot.iv + 16);
    context.begin(address + slot.key, address + slot.iv);
  }

  #mac(hash: HashName, covered: Uint8Array): Uint8Array {
    const context = this.#macs.keyed(hash, this.#integKey);
    this.#macs.update(context, covered);
    const icv = this.#macs.final(context, this.#spec.icvOctets);
    this.#macs.forget(context);
    return icv;
  }

  /** In constant time. */
  #fits(icv: Uint8Array, message: Uint8Array, at: number): boolean {
    const { address } = this.#lib.memory;
    put(this.#lib, icv, slot.mac);
    const theirs = put(this.#lib, message.subarray(at), slot.key);
    return this.#lib.call.CRYPTO_memcmp(address + slot.mac, theirs, icv.length) === 0;
  }
}
