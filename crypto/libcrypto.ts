// The calls of OpenSSL's libcrypto that Node itself is linked with and does not offer as they are: contexts that are kept, and
// nothing allocated for an operation. The one file of crypto that calls C: every length is right here, or the process is lost.
import { createRequire } from 'node:module';

/** An address inside of libcrypto; never 0n where a function is given one. */
export type Pointer = bigint;

/** 1: done. Anything else: refused, and OpenSSL's queue of errors has been emptied. */
type Status = number;

export type Libcrypto = {
  readonly cipher: (name: string) => Pointer;
  readonly cipherContext: () => Pointer;
  /** A null cipher or key keeps what was there. Octets must have the lengths that the cipher wants. */
  readonly encryptInit: (ctx: Pointer, cipher: Pointer | null, key: Uint8Array | null, iv: Uint8Array) => Status;
  readonly decryptInit: (ctx: Pointer, cipher: Pointer | null, key: Uint8Array | null, iv: Uint8Array) => Status;
  readonly noPadding: (ctx: Pointer) => Status;
  /** Feed associated data. */
  readonly encryptAad: (ctx: Pointer, octets: Uint8Array) => Status;
  readonly decryptAad: (ctx: Pointer, octets: Uint8Array) => Status;
  /** `to` has room for `from` and one block. */
  readonly encrypt: (ctx: Pointer, to: Uint8Array, from: Uint8Array) => Status;
  readonly decrypt: (ctx: Pointer, to: Uint8Array, from: Uint8Array) => Status;
  /** The end of an encryption with a tag of `tag.length` octets. */
  readonly encryptFinal: (ctx: Pointer, tag: Uint8Array) => Status;
  /** 1 only when the tag fits. */
  readonly decryptFinal: (ctx: Pointer, tag: Uint8Array) => Status;
  readonly freeCipher: (ctx: Pointer) => void;
  readonly digest: (name: string) => Pointer;
  /** One-shot hash. `to` has room for it. */
  readonly hash: (digest: Pointer, to: Uint8Array, octets: Uint8Array) => Status;
  /** An HMAC context for a hash, without a key. */
  readonly hmacContext: (digest: string) => Pointer;
  /** A null key begins anew with the one before. */
  readonly hmacInit: (ctx: Pointer, key: Uint8Array | null) => Status;
  readonly hmacUpdate: (ctx: Pointer, octets: Uint8Array) => Status;
  /** `to` has room for the whole output. */
  readonly hmacFinal: (ctx: Pointer, to: Uint8Array) => Status;
  readonly freeHmac: (ctx: Pointer) => void;
  /** A generator of keys of one kind. */
  readonly generator: (kind: string) => Pointer;
  readonly generate: (generator: Pointer) => Pointer;
  readonly publicOf: (key: Pointer, to: Uint8Array) => Status;
  readonly privateOf: (key: Pointer, to: Uint8Array) => Status;
  /** 0n: these octets are no such key. */
  readonly importPublic: (kind: string, octets: Uint8Array) => Pointer;
  readonly importPrivate: (kind: string, octets: Uint8Array) => Pointer;
  readonly agree: (key: Pointer, peer: Pointer, to: Uint8Array) => Status;
  readonly freeKey: (key: Pointer) => void;
};

type Koffi = typeof import('koffi');
export type LoadedLibcrypto = { readonly libcrypto: Libcrypto } | { readonly why: string };
let loaded: LoadedLibcrypto | undefined;

/** The calls, or why there are none. The first call decides. */
export function loadLibcrypto(): LoadedLibcrypto {
  loaded ??= load();
  return loaded;
}

function load(): LoadedLibcrypto {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return { libcrypto: bindings(koffi) };
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    return { why: code === 'MODULE_NOT_FOUND' ? 'the optional package koffi is not installed' : String(error) };
  }
}

const [SET_TAG, GET_TAG] = [0x11, 0x10];

function bindings(koffi: Koffi): Libcrypto {
  const c = koffi.load(null);
  const clear = c.func('void ERR_clear_error()');
  const checked = (status: number): Status => {
    if (status !== 1) clear();
    return status;
  };
  const there = (pointer: Pointer | null, what: string): Pointer => {
    if (pointer !== null && pointer !== 0n) return pointer;
    clear();
    throw new Error(`libcrypto has no ${what}`);
  };
  // Scratch for lengths that C writes: nobody reads them, since all are known here.
  const [length, size] = [new Int32Array(new ArrayBuffer(8)), new BigUint64Array(new ArrayBuffer(8))];
  const made = new BigUint64Array(new ArrayBuffer(8));
  const kept: Uint8Array[] = [];
  return { ...cipherCalls(), ...digestCalls(), ...keyCalls() };

  function cipherCalls() {
    const fetch = c.func('void *EVP_CIPHER_fetch(void *ctx, const char *name, const char *properties)');
    const create = c.func('void *EVP_CIPHER_CTX_new()');
    const free = c.func('void EVP_CIPHER_CTX_free(void *ctx)');
    const padding = c.func('int EVP_CIPHER_CTX_set_padding(void *ctx, int on)');
    const control = c.func('int EVP_CIPHER_CTX_ctrl(void *ctx, int type, int n, void *octets)');
    const init = 'void *ctx, void *cipher, const void *key, const void *iv, const void *params';
    const encryptInit = c.func(`int EVP_EncryptInit_ex2(${init})`);
    const decryptInit = c.func(`int EVP_DecryptInit_ex2(${init})`);
    const update = 'void *ctx, void *to, void *length, const void *from, int n';
    const encryptUpdate = c.func(`int EVP_EncryptUpdate(${update})`);
    const decryptUpdate = c.func(`int EVP_DecryptUpdate(${update})`);
    const encryptFinal = c.func('int EVP_EncryptFinal_ex(void *ctx, void *to, void *length)');
    const decryptFinal = c.func('int EVP_DecryptFinal_ex(void *ctx, void *to, void *length)');
    const rest = new Uint8Array(new ArrayBuffer(32));
    const room = (to: Uint8Array, from: Uint8Array) => {
      if (to.length < from.length) throw new RangeError('no room for the result');
    };
    return {
      cipher: (name: string) => there(fetch(null, name, null), name),
      cipherContext: () => there(create(), 'cipher context'),
      encryptInit: (ctx: Pointer, cipher: Pointer | null, key: Uint8Array | null, iv: Uint8Array) =>
        checked(encryptInit(ctx, cipher, key, iv, null)),
      decryptInit: (ctx: Pointer, cipher: Pointer | null, key: Uint8Array | null, iv: Uint8Array) =>
        checked(decryptInit(ctx, cipher, key, iv, null)),
      noPadding: (ctx: Pointer) => checked(padding(ctx, 0)),
      encryptAad: (ctx: Pointer, octets: Uint8Array) => checked(encryptUpdate(ctx, null, length, octets, octets.length)),
      decryptAad: (ctx: Pointer, octets: Uint8Array) => checked(decryptUpdate(ctx, null, length, octets, octets.length)),
      encrypt(ctx: Pointer, to: Uint8Array, from: Uint8Array) {
        room(to, from);
        return checked(encryptUpdate(ctx, to, length, from, from.length));
      },
      decrypt(ctx: Pointer, to: Uint8Array, from: Uint8Array) {
        room(to, from);
        return checked(decryptUpdate(ctx, to, length, from, from.length));
      },
      encryptFinal(ctx: Pointer, tag: Uint8Array) {
        if (encryptFinal(ctx, rest, length) !== 1) return checked(0);
        return checked(control(ctx, GET_TAG, tag.length, tag));
      },
      decryptFinal(ctx: Pointer, tag: Uint8Array) {
        if (control(ctx, SET_TAG, tag.length, tag) !== 1) return checked(0);
        return checked(decryptFinal(ctx, rest, length));
      },
      freeCipher: (ctx: Pointer) => void free(ctx),
    };
  }

  function digestCalls() {
    const fetch = c.func('void *EVP_MD_fetch(void *ctx, const char *name, const char *properties)');
    const digest = c.func('int EVP_Digest(const void *octets, size_t n, void *to, void *length, void *md, void *engine)');
    const fetchMac = c.func('void *EVP_MAC_fetch(void *ctx, const char *name, const char *properties)');
    const create = c.func('void *EVP_MAC_CTX_new(void *mac)');
    const free = c.func('void EVP_MAC_CTX_free(void *ctx)');
    const set = c.func('int EVP_MAC_CTX_set_params(void *ctx, const void *params)');
    const init = c.func('int EVP_MAC_init(void *ctx, const void *key, size_t n, const void *params)');
    const update = c.func('int EVP_MAC_update(void *ctx, const void *octets, size_t n)');
    const final = c.func('int EVP_MAC_final(void *ctx, void *to, void *length, size_t room)');
    return {
      digest: (name: string) => there(fetch(null, name, null), name),
      hash: (md: Pointer, to: Uint8Array, octets: Uint8Array) => checked(digest(octets, octets.length, to, length, md, null)),
      hmacContext(name: string) {
        const ctx = there(create(there(fetchMac(null, 'HMAC', null), 'HMAC')), 'HMAC context');
        if (checked(set(ctx, textParam('digest', name))) !== 1) throw new Error(`libcrypto has no HMAC with ${name}`);
        return ctx;
      },
      hmacInit: (ctx: Pointer, key: Uint8Array | null) => checked(init(ctx, key, key?.length ?? 0, null)),
      hmacUpdate: (ctx: Pointer, octets: Uint8Array) => checked(update(ctx, octets, octets.length)),
      hmacFinal: (ctx: Pointer, to: Uint8Array) => checked(final(ctx, to, size, to.length)),
      freeHmac: (ctx: Pointer) => void free(ctx),
    };
  }

  /** struct OSSL_PARAM[2]: one text, and the end. */
  function textParam(name: string, value: string) {
    const text = (word: string) => {
      const octets = new Uint8Array(new ArrayBuffer(word.length + 1));
      for (let i = 0; i < word.length; i++) octets[i] = word.charCodeAt(i);
      return octets;
    };
    const words = [text(name), text(value)] as const;
    kept.push(...words); // their addresses are in C's hands
    const octets = new Uint8Array(new ArrayBuffer(80));
    const view = new DataView(octets.buffer);
    view.setBigUint64(0, koffi.address(words[0]), true);
    view.setUint32(8, 4, true); // OSSL_PARAM_UTF8_STRING
    view.setBigUint64(16, koffi.address(words[1]), true);
    view.setBigUint64(24, BigInt(value.length), true);
    return octets;
  }

  function keyCalls() {
    const kindContext = c.func('void *EVP_PKEY_CTX_new_from_name(void *ctx, const char *name, const char *properties)');
    const keyContext = c.func('void *EVP_PKEY_CTX_new_from_pkey(void *ctx, void *key, const char *properties)');
    const freeContext = c.func('void EVP_PKEY_CTX_free(void *ctx)');
    const keygenInit = c.func('int EVP_PKEY_keygen_init(void *ctx)');
    const generate = c.func('int EVP_PKEY_generate(void *ctx, void *key)');
    const free = c.func('void EVP_PKEY_free(void *key)');
    const rawPublic = c.func('int EVP_PKEY_get_raw_public_key(void *key, void *to, void *size)');
    const rawPrivate = c.func('int EVP_PKEY_get_raw_private_key(void *key, void *to, void *size)');
    const raw = 'void *ctx, const char *name, const char *properties, const void *octets, size_t n';
    const newPublic = c.func(`void *EVP_PKEY_new_raw_public_key_ex(${raw})`);
    const newPrivate = c.func(`void *EVP_PKEY_new_raw_private_key_ex(${raw})`);
    const deriveInit = c.func('int EVP_PKEY_derive_init(void *ctx)');
    const setPeer = c.func('int EVP_PKEY_derive_set_peer_ex(void *ctx, void *peer, int validate)');
    const derive = c.func('int EVP_PKEY_derive(void *ctx, void *to, void *size)');
    const found = (pointer: Pointer | null): Pointer => {
      if (pointer === null || pointer === 0n) clear();
      return pointer ?? 0n;
    };
    return {
      generator(kind: string) {
        const ctx = there(kindContext(null, kind, null), kind);
        if (checked(keygenInit(ctx)) !== 1) throw new Error(`libcrypto makes no keys of ${kind}`);
        return ctx;
      },
      generate(generator: Pointer) {
        made[0] = 0n;
        if (checked(generate(generator, made)) !== 1) throw new Error('libcrypto makes no key');
        return there(made[0], 'key');
      },
      publicOf(key: Pointer, to: Uint8Array) {
        size[0] = BigInt(to.length);
        return checked(rawPublic(key, to, size));
      },
      privateOf(key: Pointer, to: Uint8Array) {
        size[0] = BigInt(to.length);
        return checked(rawPrivate(key, to, size));
      },
      importPublic: (kind: string, octets: Uint8Array) => found(newPublic(null, kind, null, octets, octets.length)),
      importPrivate: (kind: string, octets: Uint8Array) => found(newPrivate(null, kind, null, octets, octets.length)),
      agree(key: Pointer, peer: Pointer, to: Uint8Array) {
        const ctx = there(keyContext(null, key, null), 'key context');
        size[0] = BigInt(to.length);
        const done = deriveInit(ctx) === 1 && setPeer(ctx, peer, 0) === 1 && derive(ctx, to, size) === 1;
        freeContext(ctx);
        return checked(done && size[0] === BigInt(to.length) ? 1 : 0);
      },
      freeKey: (key: Pointer) => void free(key),
    };
  }
}
