// The OpenSSL inside the running Node, called without node:crypto in between. Node is linked against it statically and exports
// its symbols; koffi calls them in 0.04 µs when all it has to hand over are numbers. This file finds the functions and keeps
// the memory that they may touch; what is done with them is in native*.ts. Nothing here is shared between threads: each has its
// own copy of the module, of the scratch memory and of every context.

/** What a C function takes and gives: `pointer` is an address as a number, `text` a name, ending included. */
type Kind = 'int' | 'size' | 'pointer' | 'text' | 'nothing';
type Given<K> = K extends 'text' ? string : number;
type Call<T extends readonly Kind[]> = (...given: { -readonly [I in keyof T]: Given<T[I]> }) => number;
type Functions = { readonly [N in keyof typeof signatures]: Call<(typeof signatures)[N][1]> };

/** Every function that is called, as OpenSSL 3 declares it: public, and not deprecated. */
const signatures = {
  CRYPTO_memcmp: ['int', ['pointer', 'pointer', 'size']],
  ERR_clear_error: ['nothing', []],
  EVP_CIPHER_CTX_ctrl: ['int', ['pointer', 'int', 'int', 'pointer']],
  EVP_CIPHER_CTX_free: ['nothing', ['pointer']],
  EVP_CIPHER_CTX_get_params: ['int', ['pointer', 'pointer']],
  EVP_CIPHER_CTX_new: ['pointer', []],
  EVP_CIPHER_CTX_set_padding: ['int', ['pointer', 'int']],
  EVP_CIPHER_fetch: ['pointer', ['pointer', 'text', 'pointer']],
  EVP_CipherFinal_ex: ['int', ['pointer', 'pointer', 'pointer']],
  EVP_CipherInit_ex2: ['int', ['pointer', 'pointer', 'pointer', 'pointer', 'int', 'pointer']],
  EVP_CipherUpdate: ['int', ['pointer', 'pointer', 'pointer', 'pointer', 'int']],
  EVP_DecryptInit_ex2: ['int', ['pointer', 'pointer', 'pointer', 'pointer', 'pointer']],
  EVP_Digest: ['int', ['pointer', 'size', 'pointer', 'pointer', 'pointer', 'pointer']],
  EVP_EncryptInit_ex2: ['int', ['pointer', 'pointer', 'pointer', 'pointer', 'pointer']],
  EVP_MAC_CTX_free: ['nothing', ['pointer']],
  EVP_MAC_CTX_new: ['pointer', ['pointer']],
  EVP_MAC_fetch: ['pointer', ['pointer', 'text', 'pointer']],
  EVP_MAC_final: ['int', ['pointer', 'pointer', 'pointer', 'size']],
  EVP_MAC_init: ['int', ['pointer', 'pointer', 'size', 'pointer']],
  EVP_MAC_update: ['int', ['pointer', 'pointer', 'size']],
  EVP_MD_fetch: ['pointer', ['pointer', 'text', 'pointer']],
  EVP_PKEY_CTX_free: ['nothing', ['pointer']],
  EVP_PKEY_CTX_new: ['pointer', ['pointer', 'pointer']],
  EVP_PKEY_CTX_new_from_name: ['pointer', ['pointer', 'text', 'pointer']],
  EVP_PKEY_derive: ['int', ['pointer', 'pointer', 'pointer']],
  EVP_PKEY_derive_init: ['int', ['pointer']],
  EVP_PKEY_derive_set_peer: ['int', ['pointer', 'pointer']],
  EVP_PKEY_free: ['nothing', ['pointer']],
  EVP_PKEY_fromdata: ['int', ['pointer', 'pointer', 'int', 'pointer']],
  EVP_PKEY_fromdata_init: ['int', ['pointer']],
  EVP_PKEY_get_raw_public_key: ['int', ['pointer', 'pointer', 'pointer']],
  EVP_PKEY_new_raw_private_key_ex: ['pointer', ['pointer', 'text', 'pointer', 'pointer', 'size']],
  EVP_PKEY_new_raw_public_key_ex: ['pointer', ['pointer', 'text', 'pointer', 'pointer', 'size']],
} as const satisfies Record<string, readonly [Kind, readonly Kind[]]>;

const types: Readonly<Record<Kind, string>> = {
  int: 'int',
  size: 'size_t',
  pointer: 'uintptr_t',
  text: 'str',
  nothing: 'void',
};

/** What `set` has room for, one slot an operation; behind it `data`. */
const SCRATCH = 4096;
/** Octets of a message, larger than any IKE message may be. */
const DATA = 0x10000 + 1024;

export type Libcrypto = {
  readonly call: Functions;
  readonly memory: Scratch;
  /**
   * The address of the first octet. It holds while the caller holds `octets`: memory of an ArrayBuffer never moves. Whoever
   * passes it on has looked at `octets.length` in the same breath, which is 0 once the buffer has been transferred.
   */
  addressOf(octets: Uint8Array): number;
  /** The same of the octet at `at`, for what is asked again and again: where packets lie. */
  placeOf(octets: Uint8Array, at: number): number;
};

/** Memory for keys, IVs, lengths and messages on their way to a function; each user wipes what it put there. */
export type Scratch = { readonly octets: Uint8Array; readonly view: DataView; readonly address: number; readonly data: number };

/** The functions; a sentence that says why not, when there are none. */
export async function openLibcrypto(load = () => import('koffi')): Promise<Libcrypto | string> {
  try {
    const { default: koffi } = await load();
    const library = koffi.load(null);
    const major = library.func('OPENSSL_version_major', 'uint', [])();
    if (major !== 3) return `OpenSSL ${major} is not known`;
    if (koffi.sizeof('void *') !== 8 || new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) return 'this processor is not known';
    const call = Object.fromEntries(
      Object.entries(signatures).map(([name, [gives, takes]]) => [
        name,
        library.func(
          name,
          types[gives],
          takes.map((kind) => types[kind]),
        ),
      ]),
    ) as unknown as Functions; // the table that made the functions is the table that made their types
    const addresses = new WeakMap<ArrayBufferLike, number>();
    const find = ({ buffer, byteOffset }: Uint8Array): number => {
      // Asking for `buffer` takes small arrays out of the heap, where they could move.
      let base = addresses.get(buffer);
      if (base === undefined) {
        base = Number(koffi.address(buffer));
        if (!Number.isSafeInteger(base)) throw new RangeError('an address that no number can hold');
        addresses.set(buffer, base);
      }
      return base + byteOffset;
    };
    // The last one is remembered: asking an array for its buffer costs more than all else here. A compiler may find an array dead
    // once its address is known: the two that a call can need are held until others come.
    let [last, lastAt]: [Uint8Array | undefined, number] = [undefined, 0];
    const held: (Uint8Array | undefined)[] = [];
    const addressOf = (octets: Uint8Array): number => {
      if (octets === last) return lastAt;
      const at = find(octets);
      held[0] = last;
      last = octets;
      lastAt = at;
      return at;
    };
    const octets = new Uint8Array(new ArrayBuffer(SCRATCH + DATA));
    const memory = { octets, view: new DataView(octets.buffer), address: addressOf(octets), data: SCRATCH };
    const places = new Places(addressOf);
    return { call, memory, addressOf, placeOf: (octets, at) => places.of(octets, at) };
  } catch (error) {
    return error instanceof Error ? error.message.split('\n', 1).join('') : 'koffi cannot be loaded';
  }
}

/**
 * Addresses of octets inside of arrays. Each is a number in a box, sixteen octets for the collector; and packets lie at the same
 * places again and again. So boxes are kept, in a table of fixed size where the newest has its place; with them their arrays.
 */
class Places {
  readonly #find: (octets: Uint8Array) => number;
  readonly #of: (Uint8Array | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #at = new Int32Array(PLACES);
  /** Begins with what is no number: a list of numbers alone would hold them without their boxes. */
  readonly #address: (number | undefined)[] = new Array(PLACES).fill(undefined);

  constructor(find: (octets: Uint8Array) => number) {
    this.#find = find;
  }

  of(octets: Uint8Array, at: number): number {
    const i = (at >>> 10) & (PLACES - 1);
    if (this.#at[i] !== at || this.#of[i] !== octets) {
      this.#address[i] = this.#find(octets) + at;
      this.#of[i] = octets;
      this.#at[i] = at;
    }
    return this.#address[i] ?? 0; // always from there, in its box
  }
}
/** Four megabytes by the kilobyte, which is what a call may receive: each packet of some length has a place for itself. */
const PLACES = 4096;

/** A new object of OpenSSL's; throws where OpenSSL gives none. */
export function made(lib: Libcrypto, what: string, pointer: number): number {
  if (Number.isSafeInteger(pointer) && pointer !== 0) return pointer;
  throw refused(lib, what);
}

/** An error of OpenSSL's is a thrown refusal; its queue belongs to the thread, and node:crypto reads it too: it is emptied. */
export function refused(lib: Libcrypto, what: string): Error {
  lib.call.ERR_clear_error();
  return new Error(`OpenSSL refuses ${what}`);
}
