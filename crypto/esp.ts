// ESP's encryption (RFC 4303 §3.2): one object for each SA and direction, which works in the caller's buffers and allocates no
// more than its backend forces it to. AES-GCM RFC 4106, ChaCha20-Poly1305 RFC 7634, AES-CBC RFC 3602 and NULL RFC 2410 with HMAC
// (RFC 2404, RFC 4868). Padding, sequence numbers and the replay window are the data plane's.
//
//   SPI (4) | sequence number, lower half (4) | IV | ciphertext | ICV
//
// AEAD authenticates SPI | [upper half |] lower half; HMAC authenticates all in front of the ICV | [upper half]. The upper half
// is there with extended sequence numbers only.
import { type CipherSpec, checkKeys, cipherSpec } from './suite.ts';

/** What `open` gives when the ICV does not fit or the length cannot be. */
export const BAD = -1;

/** Octets in front of the IV. */
export const ESP_HEADER = 8;

export type EspSizes = {
  readonly name: string;
  readonly aead: boolean;
  /** 8 for AEAD, where it must never repeat (the sequence number may be it); 16 for CBC, unpredictable; 0 for NULL. */
  readonly ivOctets: number;
  readonly icvOctets: number;
  /** The padded plaintext is a multiple of this and of 4 (RFC 4303 §2.4). */
  readonly blockOctets: number;
  /** Octets to take of KEYMAT, salt included. */
  readonly encrKeyOctets: number;
  readonly integKeyOctets: number;
};

export type EspTransform = {
  readonly encr: number;
  /** Bits; 0 where the transform has none. */
  readonly keyLength: number;
  /** 0 for AEAD. */
  readonly integ: number;
  /** Extended sequence numbers. */
  readonly esn: boolean;
};

export type EspSealer = EspSizes & {
  /**
   * packet[packetAt…) holds SPI, sequence number and IV already; ciphertext and ICV are written behind them. The plaintext is
   * input[inputAt…inputAt+length): at the very place where the ciphertext goes, or apart from the packet. `high` is the upper
   * half of the sequence number. Gives the octets of the whole packet.
   *
   * @throws RangeError when a region is not inside its buffer, or the two overlap otherwise: our fault, never a peer's
   */
  seal(input: Uint8Array, inputAt: number, length: number, packet: Uint8Array, packetAt: number, high: number): number;
  /** Wipes the keys. Again does nothing; `seal` throws from now on. */
  dispose(): void;
};

export type EspOpener = EspSizes & {
  /**
   * packet[packetAt…packetAt+length) is the packet. Its padded plaintext goes to output[outputAt…): to the very place of the
   * ciphertext, or apart from the packet. Gives its octets, or BAD; then there are zeros at the output, or what was there before.
   *
   * @throws RangeError as `seal`
   */
  open(packet: Uint8Array, packetAt: number, length: number, high: number, output: Uint8Array, outputAt: number): number;
  /** As in a sealer. */
  dispose(): void;
};

/** Who encrypts: node:crypto (espNode.ts) or libcrypto (espNative.ts). */
export type EspBackend = {
  readonly name: string;
  /** undefined: no such combination of transforms. Throws RangeError for keys of another length. Copies the keys. */
  sealer(transform: EspTransform, encrKey: Uint8Array, integKey: Uint8Array): EspSealer | undefined;
  /** As `sealer`. */
  opener(transform: EspTransform, encrKey: Uint8Array, integKey: Uint8Array): EspOpener | undefined;
};

export type EspSpec = Omit<CipherSpec, 'mode'> & { readonly mode: CipherSpec['mode'] | 'null' };

const NULL = 11;
const AES_CBC = 12;

export function espSpec(encr: number, keyLength: number, integ: number): EspSpec | undefined {
  if (encr !== NULL) return cipherSpec(encr, keyLength, integ);
  const cbc = keyLength === 0 ? cipherSpec(AES_CBC, 128, integ) : undefined;
  if (!cbc) return undefined;
  const name = cbc.name.replace(/^[^/]+/, 'NULL');
  return { ...cbc, name, encr, keyLength, mode: 'null', keyOctets: 0, ivOctets: 0, blockOctets: 1 };
}

/** The measures of a transform; undefined when there is none, or the two do not go together. */
export function espSizes(encr: number, keyLength: number, integ: number): EspSizes | undefined {
  const spec = espSpec(encr, keyLength, integ);
  return spec && sizesOf(spec);
}

function sizesOf({ name, hash, ivOctets, icvOctets, blockOctets, keyOctets, saltOctets, integKeyOctets }: EspSpec): EspSizes {
  const encrKeyOctets = keyOctets + saltOctets;
  return { name, aead: hash === undefined, ivOctets, icvOctets, blockOctets, encrKeyOctets, integKeyOctets };
}

/** What one backend does with a packet, lengths being right. All places are absolute in their buffer. */
export type Worker = {
  /** `at`: of the packet; `from`: of the plaintext. */
  seal(input: Uint8Array, from: number, length: number, packet: Uint8Array, at: number, high: number): void;
  /** `length`: of the ciphertext. */
  open(packet: Uint8Array, at: number, length: number, high: number, output: Uint8Array, to: number): boolean;
  dispose(): void;
};

/** Puts the checks that all backends share in front of what they do differently. */
export function espBackend(
  name: string,
  work: (spec: EspSpec, esn: boolean, encrKey: Uint8Array, integKey: Uint8Array, seals: boolean) => Worker,
): EspBackend {
  const guarded = ({ encr, keyLength, integ, esn }: EspTransform, encrKey: Uint8Array, integKey: Uint8Array, seals: boolean) => {
    const spec = espSpec(encr, keyLength, integ);
    if (!spec) return undefined;
    checkKeys(spec, encrKey, integKey);
    return new Guarded(spec, work(spec, esn, encrKey, integKey, seals));
  };
  return {
    name,
    sealer: (transform, encrKey, integKey) => guarded(transform, encrKey, integKey, true),
    opener: (transform, encrKey, integKey) => guarded(transform, encrKey, integKey, false),
  };
}

class Guarded implements EspSealer, EspOpener {
  readonly name: string;
  readonly aead: boolean;
  readonly ivOctets: number;
  readonly icvOctets: number;
  readonly blockOctets: number;
  readonly encrKeyOctets: number;
  readonly integKeyOctets: number;
  #worker: Worker | undefined;

  constructor(spec: EspSpec, worker: Worker) {
    const sizes = sizesOf(spec);
    this.name = sizes.name;
    this.aead = sizes.aead;
    this.ivOctets = sizes.ivOctets;
    this.icvOctets = sizes.icvOctets;
    this.blockOctets = sizes.blockOctets;
    this.encrKeyOctets = sizes.encrKeyOctets;
    this.integKeyOctets = sizes.integKeyOctets;
    this.#worker = worker;
  }

  seal(input: Uint8Array, inputAt: number, length: number, packet: Uint8Array, packetAt: number, high: number): number {
    const start = ESP_HEADER + this.ivOctets;
    const whole = start + length + this.icvOctets;
    within(input, inputAt, length);
    within(packet, packetAt, whole);
    if (length % this.blockOctets !== 0) throw new RangeError(`${this.name} takes multiples of ${this.blockOctets} octets`);
    apart(input, inputAt, length, packet, packetAt, whole, packetAt + start);
    this.#live().seal(input, inputAt, length, packet, packetAt, high);
    return whole;
  }

  open(packet: Uint8Array, packetAt: number, length: number, high: number, output: Uint8Array, outputAt: number): number {
    within(packet, packetAt, length);
    const start = ESP_HEADER + this.ivOctets;
    const inside = length - start - this.icvOctets;
    const worker = this.#live();
    if (inside < 0 || inside % this.blockOctets !== 0) return BAD;
    within(output, outputAt, inside);
    apart(output, outputAt, inside, packet, packetAt, length, packetAt + start);
    return worker.open(packet, packetAt, inside, high, output, outputAt) ? inside : BAD;
  }

  dispose(): void {
    this.#worker?.dispose();
    this.#worker = undefined;
  }

  #live(): Worker {
    if (!this.#worker) throw new Error(`${this.name} was used after it was disposed of`);
    return this.#worker;
  }
}

/** No packet is larger, and C's int holds it. */
const MOST = 0x10000 + 1024;

/** Every length on its way to C comes through here. A buffer that was transferred has no octets, so nothing is within it. */
function within(octets: Uint8Array, at: number, length: number): void {
  if (!Number.isInteger(at) || !Number.isInteger(length) || at < 0 || length < 0 || length > MOST || at + length > octets.length)
    throw new RangeError(`no ${length} octets at ${at} of ${octets.length}`);
}

/** `octets[at…at+length)` is either where the ciphertext is or has nothing in common with the packet. */
function apart(
  octets: Uint8Array,
  at: number,
  length: number,
  packet: Uint8Array,
  packetAt: number,
  whole: number,
  ciphertextAt: number,
): void {
  // Asking for a buffer costs more than all else here: as a rule both are one array.
  if (octets !== packet && octets.buffer !== packet.buffer) return;
  const mine = octets.byteOffset + at;
  const theirs = packet.byteOffset + packetAt;
  if (mine === packet.byteOffset + ciphertextAt || mine + length <= theirs || theirs + whole <= mine) return;
  throw new RangeError('plaintext and packet overlap');
}

/**
 * Chaining for a CBC context that is never begun anew: it goes on from the last block it has seen, `last`, as if that were the
 * IV. So the first block of the next packet is given to it with `last` and the packet's own IV mixed in, and what it makes is
 * what a fresh context under that IV would have made. The same on the way back.
 */
export function chain(block: Uint8Array, at: number, last: Uint8Array, packet: Uint8Array, ivAt: number): void {
  for (let i = 0; i < last.length; i++) block[at + i] = (block[at + i] ?? 0) ^ (last[i] ?? 0) ^ (packet[ivAt + i] ?? 0);
}

/** SPI | upper half | lower half (RFC 4106 §5, RFC 7634 §2.1). */
export function extend(into: Uint8Array, to: number, packet: Uint8Array, at: number, high: number): void {
  for (let i = 0; i < 4; i++) {
    into[to + i] = packet[at + i] ?? 0;
    into[to + 8 + i] = packet[at + 4 + i] ?? 0;
  }
  writeHigh(into, to + 4, high);
}

export function writeHigh(into: Uint8Array, to: number, high: number): void {
  into[to] = high >>> 24;
  into[to + 1] = high >>> 16;
  into[to + 2] = high >>> 8;
  into[to + 3] = high;
}
