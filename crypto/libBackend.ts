// The second backend that serves peers: the same OpenSSL as node:crypto's, called without the objects in between. Contexts are
// there once for each algorithm and take a key for each message; what libcrypto does not gain stays with node:crypto.
import type { Cipher, CryptoBackend, Group, KeyPair, Opener, Prf, Sealer } from './backend.ts';
import { nodeGroup } from './dh.ts';
import type { Libcrypto, Pointer } from './libcrypto.ts';
import { constantTimeEqual } from './secret.ts';
import {
  type CipherSpec,
  canOpen,
  checkKeys,
  checkLengths,
  checkPrivate,
  cipherSpec,
  describeCipher,
  type GroupSpec,
  groupSpecs,
  type HashName,
  type PrfSpec,
  prfSpecs,
} from './suite.ts';

/** Throws when this libcrypto lacks something that all suites need. */
export function libcryptoBackend(lib: Libcrypto): CryptoBackend {
  const hmacs = new Map<HashName, Hmac>();
  const hmac = (hash: HashName): Hmac => {
    const there = hmacs.get(hash);
    if (there !== undefined) return there;
    const made = new Hmac(lib, hash);
    hmacs.set(hash, made);
    return made;
  };
  const sha1 = lib.digest('SHA1');
  return {
    name: 'libcrypto',
    cipher(encr, keyLength, integ) {
      const spec = cipherSpec(encr, keyLength, integ);
      return spec && cipherOf(lib, spec, hmac);
    },
    prf(id) {
      const spec = prfSpecs.find((one) => one.id === id);
      return spec && prfOf(spec, hmac(spec.hash));
    },
    group(id) {
      const spec = groupSpecs.find((one) => one.id === id);
      return spec?.kind === 'montgomery' ? montgomery(lib, spec) : nodeGroup(id);
    },
    sha1(...parts) {
      const digest = new Uint8Array(20);
      must(lib.hash(sha1, digest, joined(parts)));
      return digest;
    },
  };
}

/** A refusal here is a fault of ours: lengths are checked, and whether a tag fits is asked elsewhere. */
function must(status: number): void {
  if (status !== 1) throw new Error('libcrypto refused an operation that cannot fail');
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

const OUTPUT: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };
const NO_OCTETS = new Uint8Array(1).subarray(0, 0);

/** One context of HMAC with one hash; each use begins with a key. */
class Hmac {
  readonly octets: number;
  readonly #lib: Libcrypto;
  readonly #ctx: Pointer;

  constructor(lib: Libcrypto, hash: HashName) {
    this.#lib = lib;
    this.octets = OUTPUT[hash];
    this.#ctx = lib.hmacContext(hash.toUpperCase());
  }

  /** null: the key of the use before. */
  begin(key: Uint8Array | null): void {
    must(this.#lib.hmacInit(this.#ctx, key?.length === 0 ? NO_OCTETS : key));
  }

  update(octets: Uint8Array): void {
    must(this.#lib.hmacUpdate(this.#ctx, octets));
  }

  /** `to` has room for the whole output. */
  end(to: Uint8Array): void {
    must(this.#lib.hmacFinal(this.#ctx, to));
  }
}

function prfOf({ id, name, keyOctets }: PrfSpec, hmac: Hmac): Prf {
  const prf: Prf = {
    id,
    name,
    keyOctets,
    mac(key, ...data) {
      const to = new Uint8Array(hmac.octets);
      hmac.begin(key);
      for (const part of data) hmac.update(part);
      hmac.end(to);
      return to;
    },
    plus(key, seed, octets) {
      if (octets > 255 * keyOctets) throw new RangeError(`prf+ ends at ${255 * keyOctets} octets, ${octets} were asked for`);
      // Whole blocks, of which the last may be more than was asked for.
      const blocks = Math.ceil(octets / keyOctets);
      const out = new Uint8Array(blocks * keyOctets);
      const counter = new Uint8Array(1);
      for (let n = 1; n <= blocks; n++) {
        hmac.begin(n === 1 ? key : null);
        if (n > 1) hmac.update(out.subarray((n - 2) * keyOctets, (n - 1) * keyOctets));
        hmac.update(seed);
        counter[0] = n;
        hmac.update(counter);
        hmac.end(out.subarray((n - 1) * keyOctets, n * keyOctets));
      }
      return out.length === octets ? out : out.slice(0, octets);
    },
    derive: (salt, ikm, info, octets) => prf.plus(prf.mac(salt, ikm), info, octets),
  };
  return prf;
}

function cipherOf(lib: Libcrypto, spec: CipherSpec, hmac: (hash: HashName) => Hmac): Cipher {
  const { hash, mode, keyOctets } = spec;
  const name = mode === 'chacha20-poly1305' ? 'ChaCha20-Poly1305' : `AES-${keyOctets * 8}-${mode.toUpperCase()}`;
  const machine: Machine = {
    ...{ lib, spec, algorithm: lib.cipher(name) },
    sealing: lib.cipherContext(),
    opening: lib.cipherContext(),
    hmac: hash === undefined ? undefined : hmac(hash),
    nonce: new Uint8Array(spec.saltOctets + spec.ivOctets),
  };
  const make = (encrKey: Uint8Array, integKey: Uint8Array) => {
    checkKeys(spec, encrKey, integKey);
    return hash === undefined ? new Aead(machine, encrKey) : new CbcHmac(machine, encrKey, integKey);
  };
  return { ...describeCipher(spec), sealer: make, opener: make };
}

/** What all messages of one algorithm share. */
type Machine = {
  readonly lib: Libcrypto;
  readonly spec: CipherSpec;
  readonly algorithm: Pointer;
  readonly sealing: Pointer;
  readonly opening: Pointer;
  readonly hmac: Hmac | undefined;
  readonly nonce: Uint8Array;
};

/** Nonce = salt | IV (RFC 7634 §2, RFC 4106 §4); the associated data is all in front of the IV (RFC 5282 §5.1). */
class Aead implements Sealer, Opener {
  readonly #machine: Machine;
  readonly #encrKey: Uint8Array;

  constructor(machine: Machine, encrKey: Uint8Array) {
    this.#machine = machine;
    this.#encrKey = encrKey;
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    const { lib, spec, algorithm, sealing } = this.#machine;
    checkLengths(spec, message, body, plaintext, iv);
    const icv = message.length - spec.icvOctets;
    message.set(iv, body);
    must(lib.encryptInit(sealing, algorithm, this.#key(), this.#nonce(iv)));
    must(lib.encryptAad(sealing, message.subarray(0, body)));
    must(lib.encrypt(sealing, message.subarray(body + iv.length, icv), plaintext));
    must(lib.encryptFinal(sealing, message.subarray(icv)));
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    const { lib, spec, algorithm, opening } = this.#machine;
    if (!canOpen(spec, message, body)) return undefined;
    const ciphertext = body + spec.ivOctets;
    const icv = message.length - spec.icvOctets;
    const plaintext = new Uint8Array(icv - ciphertext);
    must(lib.decryptInit(opening, algorithm, this.#key(), this.#nonce(message.subarray(body, ciphertext))));
    must(lib.decryptAad(opening, message.subarray(0, body)));
    must(lib.decrypt(opening, plaintext, message.subarray(ciphertext, icv)));
    if (lib.decryptFinal(opening, message.subarray(icv)) === 1) return plaintext;
    plaintext.fill(0); // nobody may look at what is not authentic
    return undefined;
  }

  #key(): Uint8Array {
    return this.#encrKey.subarray(0, this.#machine.spec.keyOctets);
  }

  #nonce(iv: Uint8Array): Uint8Array {
    const { spec, nonce } = this.#machine;
    for (let i = 0; i < spec.saltOctets; i++) nonce[i] = this.#encrKey[spec.keyOctets + i] ?? 0;
    nonce.set(iv, spec.saltOctets);
    return nonce;
  }
}

/** The ICV covers the message from its first octet up to the ICV (§3.14), and is judged before anything is decrypted. */
class CbcHmac implements Sealer, Opener {
  readonly #machine: Machine;
  readonly #encrKey: Uint8Array;
  readonly #integKey: Uint8Array;

  constructor(machine: Machine, encrKey: Uint8Array, integKey: Uint8Array) {
    this.#machine = machine;
    this.#encrKey = encrKey;
    this.#integKey = integKey;
  }

  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
    const { lib, spec, algorithm, sealing } = this.#machine;
    checkLengths(spec, message, body, plaintext, iv);
    const icv = message.length - spec.icvOctets;
    message.set(iv, body);
    must(lib.encryptInit(sealing, algorithm, this.#encrKey, iv));
    must(lib.noPadding(sealing)); // padding is the caller's (§3.14): whole blocks all come out at once
    must(lib.encrypt(sealing, message.subarray(body + iv.length, icv), plaintext));
    message.set(this.#icv(message.subarray(0, icv)), icv);
  }

  open(message: Uint8Array, body: number): Uint8Array | undefined {
    const { lib, spec, algorithm, opening } = this.#machine;
    if (!canOpen(spec, message, body)) return undefined;
    const ciphertext = body + spec.ivOctets;
    const icv = message.length - spec.icvOctets;
    if (!constantTimeEqual(this.#icv(message.subarray(0, icv)), message.subarray(icv))) return undefined;
    const plaintext = new Uint8Array(icv - ciphertext);
    must(lib.decryptInit(opening, algorithm, this.#encrKey, message.subarray(body, ciphertext)));
    must(lib.noPadding(opening));
    must(lib.decrypt(opening, plaintext, message.subarray(ciphertext, icv)));
    return plaintext;
  }

  #icv(covered: Uint8Array): Uint8Array {
    const { hmac, spec } = this.#machine;
    if (hmac === undefined) throw new RangeError('this cipher has no HMAC');
    const icv = new Uint8Array(hmac.octets);
    hmac.begin(this.#integKey);
    hmac.update(covered);
    hmac.end(icv);
    return icv.subarray(0, spec.icvOctets);
  }
}

/** A key pair that was thrown away unused takes its key in libcrypto with it. */
const abandoned = new FinalizationRegistry<() => void>((free) => free());

/** X25519 and X448. */
function montgomery(lib: Libcrypto, spec: GroupSpec): Group {
  const { id, name, publicOctets, privateOctets, weak } = spec;
  const kind = spec.openssl.toUpperCase();
  const generator = lib.generator(kind);
  const agreeing = (key: Pointer, peer: Uint8Array): Uint8Array | undefined => {
    const theirs = lib.importPublic(kind, peer);
    if (theirs === 0n) return undefined;
    const shared = new Uint8Array(publicOctets);
    // OpenSSL refuses an all-zero result, which is what a point of small order gives (RFC 7748 §6, RFC 8031 §2.3).
    const status = lib.agree(key, theirs, shared);
    lib.freeKey(theirs);
    return status === 1 ? shared : undefined;
  };
  const pairOf = (made: Pointer): KeyPair => {
    const publicValue = new Uint8Array(publicOctets);
    must(lib.publicOf(made, publicValue));
    let key = made;
    let own: Uint8Array | undefined;
    const free = () => {
      if (key !== 0n) lib.freeKey(key);
      key = 0n;
    };
    const pair: KeyPair = {
      publicValue,
      agree(peer) {
        if (peer.length !== publicOctets) return undefined;
        // A pair agrees once, as a rule: its key goes with that. For once more there are the octets.
        if (key === 0n && own !== undefined) key = lib.importPrivate(kind, own);
        const shared = agreeing(key, peer);
        if (own === undefined) {
          own = new Uint8Array(privateOctets);
          must(lib.privateOf(key, own));
          abandoned.unregister(pair);
        }
        free();
        return shared;
      },
    };
    abandoned.register(pair, () => lib.freeKey(made), pair);
    return pair;
  };
  return {
    ...{ id, name, publicOctets, privateOctets, weak },
    generate: () => pairOf(lib.generate(generator)),
    fromPrivate(octets) {
      checkPrivate(spec, octets);
      const key = lib.importPrivate(kind, octets);
      if (key === 0n) throw new RangeError(`these octets are no private value of ${name}`);
      return pairOf(key);
    },
  };
}
