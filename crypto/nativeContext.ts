// Contexts of OpenSSL with their rules: what is fetched is fetched once for the life of the process, what is made is freed by its
// owner. All arguments are addresses; whoever calls has checked the lengths.
import { type Libcrypto, made, refused } from './libcrypto.ts';
import type { CipherSpec, HashName } from './suite.ts';

const GET_TAG = 0x10;
const SET_TAG = 0x11;
const TAG = 16;

/** Slots of the scratch memory: what a function writes besides its result, and where an IV or a MAC lies for a moment. */
export const slot = {
  length: 0,
  nothing: 16,
  iv: 48,
  mac: 64,
  key: 128,
  aad: 288,
  object: 304,
  params: 320,
  /** Parameters of their own, whose only change is where the tag lies. */
  tagParams: 480,
  names: 640,
  tagName: 1024,
} as const;

/**
 * Addresses that go to C with every packet. A number of their size lives in a box, and a field that has only ever held numbers
 * keeps none: each call would make its own, a hundred octets a packet. A field that was something else before keeps the box.
 */
export class Boxed {
  length: number | undefined = undefined;
  nothing: number | undefined = undefined;
  iv: number | undefined = undefined;
  aad: number | undefined = undefined;
  tagParams: number | undefined = undefined;

  constructor({ memory: { address } }: Libcrypto) {
    this.length = address + slot.length;
    this.nothing = address + slot.nothing;
    this.iv = address + slot.iv;
    this.aad = address + slot.aad;
    this.tagParams = address + slot.tagParams;
  }
}

/** One cipher in one direction. Not usable after `free`. */
export class CipherContext {
  readonly #lib: Libcrypto;
  readonly #at: Boxed;
  /** 0 when it is free. In a box: see `Boxed`. */
  #context: number | undefined = undefined;

  constructor(lib: Libcrypto, { mode, keyOctets }: Pick<CipherSpec, 'mode' | 'keyOctets'>, encrypts: boolean) {
    this.#lib = lib;
    this.#at = boxed(lib);
    const name = mode === 'chacha20-poly1305' ? 'ChaCha20-Poly1305' : `AES-${keyOctets * 8}-${mode.toUpperCase()}`;
    const cipher = fetched(lib, `cipher ${name}`, () => lib.call.EVP_CIPHER_fetch(0, name, 0));
    this.#context = made(lib, 'a context', lib.call.EVP_CIPHER_CTX_new());
    this.#check(lib.call.EVP_CipherInit_ex2(this.#live(), cipher, 0, 0, encrypts ? 1 : 0, 0), name);
    this.#check(lib.call.EVP_CIPHER_CTX_set_padding(this.#live(), 0), name); // the padding is the caller's
  }

  /** A new key, or a new IV under the old one: 0 leaves what is there. */
  begin(key: number, iv: number): void {
    this.#check(this.#lib.call.EVP_CipherInit_ex2(this.#live(), 0, key, iv, -1, 0), 'a key or an IV');
  }

  aad(at: number, length: number): void {
    if (length > 0)
      this.#check(this.#lib.call.EVP_CipherUpdate(this.#live(), 0, this.#at.length ?? 0, at, length), 'associated data');
  }

  update(from: number, length: number, to: number): void {
    if (length > 0) this.#check(this.#lib.call.EVP_CipherUpdate(this.#live(), to, this.#at.length ?? 0, from, length), 'octets');
  }

  /** Ends an encryption: the tag goes to `tag`. */
  seal(tag: number): void {
    const { nothing = 0, length = 0 } = this.#at;
    const { EVP_CipherFinal_ex: final, EVP_CIPHER_CTX_ctrl: control } = this.#lib.call;
    this.#check(final(this.#live(), nothing, length), 'to finish');
    this.#check(control(this.#live(), GET_TAG, TAG, tag), 'a tag');
  }

  /** As `begin` with a new IV, for an encryption that ends with `sealed`. */
  beginSeal(iv: number): void {
    this.#check(this.#lib.call.EVP_EncryptInit_ex2(this.#live(), 0, 0, iv, 0), 'an IV');
  }

  /** Ends an encryption: the tag goes where `tagParams` say. */
  sealed(): void {
    const { nothing = 0, length = 0, tagParams = 0 } = this.#at;
    this.#check(this.#lib.call.EVP_CipherFinal_ex(this.#live(), nothing, length), 'to finish');
    this.#check(this.#lib.call.EVP_CIPHER_CTX_get_params(this.#live(), tagParams), 'a tag');
  }

  /** As `begin` with a new IV, for a decryption that must end with the tag that `tagParams` name: all in one call. */
  beginOpen(iv: number): void {
    this.#check(this.#lib.call.EVP_DecryptInit_ex2(this.#live(), 0, 0, iv, this.#at.tagParams ?? 0), 'an IV or a tag');
  }

  /** Ends a decryption: false when the tag does not fit. */
  verify(tag: number): boolean {
    this.#check(this.#lib.call.EVP_CIPHER_CTX_ctrl(this.#live(), SET_TAG, TAG, tag), 'a tag');
    return this.verified();
  }

  /** The same after `beginOpen`. */
  verified(): boolean {
    const { nothing = 0, length = 0 } = this.#at;
    if (this.#lib.call.EVP_CipherFinal_ex(this.#live(), nothing, length) === 1) return true;
    this.#lib.call.ERR_clear_error();
    return false;
  }

  /** OpenSSL wipes the key schedule. */
  free(): void {
    if (this.#context) this.#lib.call.EVP_CIPHER_CTX_free(this.#context);
    this.#context = 0;
  }

  /** A null pointer would take the process with it. */
  #live(): number {
    const context = this.#context;
    if (!context) throw new Error('a cipher was used after it was disposed of');
    return context;
  }

  #check(result: number, what: string): void {
    if (result !== 1) throw refused(this.#lib, what);
  }
}

/** One HMAC. Not usable after `free`. */
export class MacContext {
  readonly octets: number;
  readonly #lib: Libcrypto;
  #context: number;

  constructor(lib: Libcrypto, hash: HashName) {
    this.#lib = lib;
    this.octets = hashOctets[hash];
    const hmac = fetched(lib, 'HMAC', () => lib.call.EVP_MAC_fetch(0, 'HMAC', 0));
    this.#context = made(lib, 'a context', lib.call.EVP_MAC_CTX_new(hmac));
    const { octets, address } = lib.memory;
    octets.set(utf8.encode(`digest\0${hash}\0`), slot.names);
    parameter(lib, 0, slot.names, UTF8, slot.names + 'digest\0'.length, hash.length);
    endOfParameters(lib, 1);
    octets.fill(0, slot.key, slot.key + 16); // any key will do to begin with
    this.#check(lib.call.EVP_MAC_init(this.#live(), address + slot.key, 16, address + slot.params));
  }

  /** A new key, which stays until the next. */
  key(at: number, length: number): void {
    this.#check(this.#lib.call.EVP_MAC_init(this.#live(), at, length, 0));
  }

  /** Another MAC under the same key. */
  again(): void {
    this.#check(this.#lib.call.EVP_MAC_init(this.#live(), 0, 0, 0));
  }

  update(at: number, length: number): void {
    if (length > 0) this.#check(this.#lib.call.EVP_MAC_update(this.#live(), at, length));
  }

  /** Writes all `octets` of the MAC. */
  final(to: number): void {
    this.#check(this.#lib.call.EVP_MAC_final(this.#live(), to, this.#lib.memory.address + slot.length, this.octets));
  }

  /** OpenSSL wipes the key. */
  free(): void {
    if (this.#context !== 0) this.#lib.call.EVP_MAC_CTX_free(this.#context);
    this.#context = 0;
  }

  #live(): number {
    if (this.#context === 0) throw new Error('a MAC was used after it was disposed of');
    return this.#context;
  }

  #check(result: number): void {
    if (result !== 1) throw refused(this.#lib, 'a MAC');
  }
}

export const hashOctets: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/** Copies `octets` to where `offset` of the scratch memory is, and gives the address. */
export function put({ memory }: Libcrypto, octets: Uint8Array, offset: number): number {
  memory.octets.set(octets, offset);
  return memory.address + offset;
}

/** The algorithm behind `EVP_Digest`. */
export const digest = (lib: Libcrypto, hash: HashName): number =>
  fetched(lib, hash, () => lib.call.EVP_MD_fetch(0, hash.toUpperCase(), 0));

/** Writes entry `n` of the OSSL_PARAM array in the scratch memory: key, type, data, size, and the size that comes back. */
export function parameter({ memory }: Libcrypto, n: number, name: number, type: number, data: number, size: number): void {
  const { view, address } = memory;
  const at = slot.params + n * PARAMETER;
  view.setBigUint64(at, BigInt(address + name), true);
  view.setBigUint64(at + 8, BigInt(type), true);
  view.setBigUint64(at + 16, BigInt(address + data), true);
  view.setBigUint64(at + 24, BigInt(size), true);
  view.setBigUint64(at + 32, 0n, true);
}

/** Where in the scratch memory the address of the tag stands, in two halves. */
export const TAG_AT = slot.tagParams + 16;

/** What `beginOpen` and `sealed` need beside that, written once into the scratch memory. */
export function prepareTag(lib: Libcrypto): void {
  const { octets, view, address } = lib.memory;
  octets.set(utf8.encode('tag\0'), slot.tagName);
  octets.fill(0, slot.tagParams, slot.tagParams + 2 * PARAMETER); // the second entry has no name: the end
  view.setBigUint64(slot.tagParams, BigInt(address + slot.tagName), true);
  view.setUint32(slot.tagParams + 8, OCTETS, true);
  view.setUint32(slot.tagParams + 24, TAG, true);
}

/** The array ends with an entry without a name. */
export function endOfParameters({ memory }: Libcrypto, n: number): void {
  memory.octets.fill(0, slot.params + n * PARAMETER, slot.params + (n + 1) * PARAMETER);
}

export const OCTETS = 5;
const UTF8 = 4;
const PARAMETER = 40;
const utf8 = new TextEncoder();

/** What was fetched stays for the life of the process: a handful of algorithms, never freed. */
function fetched(lib: Libcrypto, name: string, fetch: () => number): number {
  return once(
    once(algorithms, lib, () => new Map<string, number>()),
    name,
    () => made(lib, name, fetch()),
  );
}
const algorithms = new Map<Libcrypto, Map<string, number>>();
const boxes = new Map<Libcrypto, Boxed>();
/** Where these slots are, for calls that come with every packet. */
export const boxed = (lib: Libcrypto): Boxed => once(boxes, lib, () => new Boxed(lib));

/** What the table has at `key`, made at the first time. */
export function once<K, V>(table: Map<K, V>, key: K, make: () => V): V {
  const there = table.get(key);
  if (there !== undefined) return there;
  const value = make();
  table.set(key, value);
  return value;
}
