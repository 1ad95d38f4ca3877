// ESP's encryption on libcrypto: a context for each SA and direction, keyed once, and a handful of calls a packet, straight in
// the caller's buffers. All lengths have been checked by esp.ts.
import { ESP_HEADER, type EspBackend, type EspSpec, espBackend, extend, type Worker, writeHigh } from './esp.ts';
import type { Libcrypto } from './libcrypto.ts';
import { type Boxed, boxed, CipherContext, MacContext, prepareTag, put, slot, TAG_AT } from './nativeContext.ts';
import type { HashName } from './suite.ts';

export function nativeEsp(lib: Libcrypto): EspBackend {
  prepareTag(lib);
  return espBackend('libcrypto', (spec, esn, encrKey, integKey, seals) => {
    const { mode, keyOctets, hash } = spec;
    const cipher = mode === 'null' ? undefined : new CipherContext(lib, { mode, keyOctets }, seals);
    try {
      if (cipher) withKey(lib, encrKey.subarray(0, keyOctets), (at) => cipher.begin(at, 0));
      if (hash) return new WithHmac(lib, spec, hash, esn, integKey, cipher);
      if (cipher) return new Aead(lib, spec, esn, encrKey.subarray(keyOctets), cipher);
      throw new RangeError(`${spec.name} protects nothing`);
    } catch (error) {
      cipher?.free();
      throw error;
    }
  });
}

/** The key is in the scratch memory while `use` runs. */
function withKey(lib: Libcrypto, key: Uint8Array, use: (at: number) => void): void {
  try {
    use(put(lib, key, slot.key));
  } finally {
    lib.memory.octets.fill(0, slot.key, slot.key + key.length);
  }
}

class Aead implements Worker {
  readonly #lib: Libcrypto;
  readonly #spec: EspSpec;
  readonly #esn: boolean;
  readonly #salt: Uint8Array;
  readonly #cipher: CipherContext;
  readonly #at: Boxed;

  constructor(lib: Libcrypto, spec: EspSpec, esn: boolean, salt: Uint8Array, cipher: CipherContext) {
    this.#lib = lib;
    this.#spec = spec;
    this.#esn = esn;
    this.#salt = salt.slice();
    this.#cipher = cipher;
    this.#at = boxed(lib);
  }

  seal(input: Uint8Array, from: number, length: number, packet: Uint8Array, at: number, high: number): void {
    const head = at + ESP_HEADER + this.#spec.ivOctets;
    const start = this.#lib.placeOf(packet, head);
    this.#nonce(packet, at);
    this.#tagAt(start + length);
    this.#cipher.beginSeal(this.#at.iv ?? 0);
    this.#associated(packet, at, high);
    this.#cipher.update(this.#lib.placeOf(input, from), length, start);
    this.#cipher.sealed();
  }

  open(packet: Uint8Array, at: number, length: number, high: number, output: Uint8Array, to: number): boolean {
    const head = at + ESP_HEADER + this.#spec.ivOctets;
    const start = this.#lib.placeOf(packet, head);
    this.#nonce(packet, at);
    this.#tagAt(start + length);
    this.#cipher.beginOpen(this.#at.iv ?? 0);
    this.#associated(packet, at, high);
    this.#cipher.update(start, length, this.#lib.placeOf(output, to));
    if (this.#cipher.verified()) return true;
    output.fill(0, to, to + length); // what nobody has vouched for is nobody's to read
    return false;
  }

  dispose(): void {
    this.#cipher.free();
    this.#salt.fill(0);
    this.#lib.memory.octets.fill(0, slot.iv, slot.iv + 16);
  }

  /** Written to memory, since an argument to C would be a number in a box again. */
  #tagAt(address: number): void {
    const { view } = this.#lib.memory;
    view.setUint32(TAG_AT, address, true);
    view.setUint32(TAG_AT + 4, address / 2 ** 32, true);
  }

  /** salt | IV, into its slot. */
  #nonce(packet: Uint8Array, at: number): void {
    const { octets } = this.#lib.memory;
    const salt = this.#salt;
    for (let i = 0; i < salt.length; i++) octets[slot.iv + i] = salt[i] ?? 0;
    const { ivOctets } = this.#spec;
    for (let i = 0; i < ivOctets; i++) octets[slot.iv + salt.length + i] = packet[at + ESP_HEADER + i] ?? 0;
  }

  /** What is authenticated besides the ciphertext. */
  #associated(packet: Uint8Array, at: number, high: number): void {
    const { octets } = this.#lib.memory;
    if (this.#esn) extend(octets, slot.aad, packet, at, high);
    // Copied, because its own address would need a box, which costs more.
    else for (let i = 0; i < ESP_HEADER; i++) octets[slot.aad + i] = packet[at + i] ?? 0;
    this.#cipher.aad(this.#at.aad ?? 0, this.#esn ? ESP_HEADER + 4 : ESP_HEADER);
  }
}

class WithHmac implements Worker {
  readonly #lib: Libcrypto;
  readonly #spec: EspSpec;
  readonly #esn: boolean;
  readonly #cipher: CipherContext | undefined;
  readonly #mac: MacContext;

  constructor(
    lib: Libcrypto,
    spec: EspSpec,
    hash: HashName,
    esn: boolean,
    integKey: Uint8Array,
    cipher: CipherContext | undefined,
  ) {
    this.#lib = lib;
    this.#spec = spec;
    this.#esn = esn;
    this.#cipher = cipher;
    const mac = new MacContext(lib, hash);
    this.#mac = mac;
    withKey(lib, integKey, (at) => mac.key(at, integKey.length));
  }

  seal(input: Uint8Array, from: number, length: number, packet: Uint8Array, at: number, high: number): void {
    const { octets } = this.#lib.memory;
    const { ivOctets, icvOctets } = this.#spec;
    const address = this.#lib.addressOf(packet) + at;
    const start = at + ESP_HEADER + ivOctets;
    if (this.#cipher) {
      this.#cipher.begin(0, address + ESP_HEADER);
      this.#cipher.update(this.#lib.addressOf(input) + from, length, address + ESP_HEADER + ivOctets);
    } else if (input !== packet || from !== start) copy(input, from, length, packet, start);
    this.#authenticate(address, ESP_HEADER + ivOctets + length, high);
    for (let i = 0; i < icvOctets; i++) packet[start + length + i] = octets[slot.mac + i] ?? 0;
  }

  open(packet: Uint8Array, at: number, length: number, high: number, output: Uint8Array, to: number): boolean {
    const { memory, call, addressOf } = this.#lib;
    const { ivOctets, icvOctets } = this.#spec;
    const address = addressOf(packet) + at;
    const start = ESP_HEADER + ivOctets;
    this.#authenticate(address, start + length, high);
    if (call.CRYPTO_memcmp(memory.address + slot.mac, address + start + length, icvOctets) !== 0) return false;
    if (this.#cipher) {
      this.#cipher.begin(0, address + ESP_HEADER);
      this.#cipher.update(address + start, length, addressOf(output) + to);
    } else if (output !== packet || to !== at + start) copy(packet, at + start, length, output, to);
    return true;
  }

  dispose(): void {
    this.#cipher?.free();
    this.#mac.free();
  }

  /** The MAC is in its slot afterwards. */
  #authenticate(address: number, length: number, high: number): void {
    const { octets, address: scratch } = this.#lib.memory;
    this.#mac.again();
    this.#mac.update(address, length);
    if (this.#esn) {
      writeHigh(octets, slot.aad, high);
      this.#mac.update(scratch + slot.aad, 4);
    }
    this.#mac.final(scratch + slot.mac);
  }
}

/** The same octets, when nothing encrypts them. */
function copy(from: Uint8Array, at: number, length: number, to: Uint8Array, start: number): void {
  to.set(from.subarray(at, at + length), start);
}
