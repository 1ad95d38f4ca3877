/**
 * Octets in and out: Reader, Writer, small codecs. Everything is big-endian (RFC 7296 §3.1) and exact: a read gives what was
 * asked for or throws Malformed, never less.
 *
 * Octets that a Reader hands out are views of the datagram, not copies: what outlives the datagram must be copied by who
 * keeps it.
 */

/** The peer's octets do not have the form the RFC gives them. Thrown by codecs only; its text never quotes the peer. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/**
 * A kind of value on the wire. `read` throws Malformed; `write` throws RangeError when a value does not fit its field (our
 * bug).
 */
export type Codec<T> = { read(r: Reader): T; write(w: Writer, value: T): void };
export type Decoded<C> = C extends Codec<infer T> ? T : never;

export const NO_OCTETS: Uint8Array = new Uint8Array(0);

/** Reads octets from front to end. Every method throws Malformed when fewer octets are left than it needs. */
export class Reader {
  readonly #octets: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(octets: Uint8Array, start = 0, end = octets.length) {
    this.#octets = octets;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  /** offset of the next octet in the octets the outermost Reader was made of */
  get at(): number {
    return this.#at;
  }

  u8(): number {
    return this.#octets[this.#advance(1)] ?? 0; // #advance has checked that it is there
  }

  u16(): number {
    const at = this.#advance(2);
    return ((this.#octets[at] ?? 0) << 8) | (this.#octets[at + 1] ?? 0);
  }

  u32(): number {
    const at = this.#advance(4);
    const o = this.#octets;
    return (((o[at] ?? 0) << 24) | ((o[at + 1] ?? 0) << 16) | ((o[at + 2] ?? 0) << 8) | (o[at + 3] ?? 0)) >>> 0;
  }

  /** the next n octets, as a view */
  take(n: number): Uint8Array {
    const at = this.#advance(n);
    return this.#octets.subarray(at, at + n);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  skip(n: number): void {
    this.#advance(n);
  }

  /** a Reader of exactly the next n octets; this one goes on behind them */
  sub(n: number): Reader {
    const at = this.#advance(n);
    return new Reader(this.#octets, at, at + n);
  }

  /** Malformed unless everything was read */
  end(): void {
    if (this.#at !== this.#end) throw new Malformed(`${this.left} octets too many`);
  }

  #advance(n: number): number {
    const at = this.#at;
    if (n > this.#end - at) throw new Malformed(`${n} octets wanted, ${this.#end - at} left`);
    this.#at = at + n;
    return at;
  }
}

const FIRST_SIZE = 2048; // nearly all IKE messages fit
const MOST_SPARE = 16_384;

/**
 * Octets that no Writer is using. Allocating a buffer costs more than encoding a message into it, so a Writer takes this one
 * if it is there and gives it back when it has finished. It holds what was last written: encoded payloads, never keys.
 */
let spare: Uint8Array | undefined;

/**
 * Writes octets into one growing buffer, front to end; `finish` ends it. A number that does not fit its field is a
 * RangeError: octets are never cut silently.
 */
export class Writer {
  #octets: Uint8Array;
  #length = 0;

  constructor() {
    this.#octets = spare ?? new Uint8Array(FIRST_SIZE);
    spare = undefined;
  }

  get length(): number {
    return this.#length;
  }

  u8(n: number): this {
    if (n >>> 0 !== n || n > 0xff) throw new RangeError(`${n} is not an octet`);
    const at = this.#room(1);
    this.#octets[at] = n;
    return this;
  }

  u16(n: number): this {
    this.#put16(this.#room(2), n);
    return this;
  }

  u32(n: number): this {
    if (n >>> 0 !== n) throw new RangeError(`${n} does not fit 4 octets`);
    const at = this.#room(4);
    this.#octets[at] = n >>> 24;
    this.#octets[at + 1] = n >>> 16;
    this.#octets[at + 2] = n >>> 8;
    this.#octets[at + 3] = n;
    return this;
  }

  put(octets: Uint8Array): this {
    const at = this.#room(octets.length);
    this.#octets.set(octets, at);
    return this;
  }

  /** n octets of zero */
  zero(n: number): this {
    const at = this.#room(n);
    this.#octets.fill(0, at, at + n);
    return this;
  }

  /** overwrites two octets written before: a length, once it is known */
  patch16(at: number, n: number): this {
    if (at < 0 || at + 2 > this.#length) throw new RangeError(`nothing written at ${at}`);
    this.#put16(at, n);
    return this;
  }

  /** what was written, in octets of its own; the Writer is empty after it */
  finish(): Uint8Array {
    const result = this.#octets.slice(0, this.#length);
    if (this.#octets.length <= MOST_SPARE) spare = this.#octets;
    this.#octets = NO_OCTETS;
    this.#length = 0;
    return result;
  }

  #put16(at: number, n: number): void {
    if (n >>> 0 !== n || n > 0xffff) throw new RangeError(`${n} does not fit 2 octets`);
    this.#octets[at] = n >>> 8;
    this.#octets[at + 1] = n;
  }

  #room(n: number): number {
    const at = this.#length;
    if (at + n > this.#octets.length) {
      const wider = new Uint8Array(Math.max(2 * this.#octets.length, at + n, FIRST_SIZE));
      wider.set(this.#octets);
      this.#octets = wider;
    }
    this.#length = at + n;
    return at;
  }
}

/** A codec that knows how many octets it takes: who calls it checks the length first and can choose another reading. */
export type Sized<T> = Codec<T> & { readonly min: number; readonly max: number };

/** No value. Octets that stand there all the same are skipped, as RFC 9242 §3.1 demands of its notify. */
export const nothing: Sized<undefined> = {
  min: 0,
  max: Number.POSITIVE_INFINITY,
  read(r) {
    r.skip(r.left);
    return undefined;
  },
  write: (w) => w,
};

export const u8: Sized<number> = { min: 1, max: 1, read: (r) => r.u8(), write: (w, n) => w.u8(n) };
export const u16: Sized<number> = { min: 2, max: 2, read: (r) => r.u16(), write: (w, n) => w.u16(n) };
export const u32: Sized<number> = { min: 4, max: 4, read: (r) => r.u32(), write: (w, n) => w.u32(n) };

/** a row of 2-octet numbers, as many as are there, at most `count` */
export const u16s = (count: number): Sized<readonly number[]> => ({
  min: 0,
  max: 2 * count,
  read(r) {
    const numbers: number[] = [];
    while (r.left > 0) numbers.push(r.u16());
    return numbers;
  },
  write(w, numbers) {
    for (const n of numbers) w.u16(n);
  },
});

/** all octets that are left, at least min and at most max of them */
export const octets = (min = 0, max = 0xffff): Sized<Uint8Array> => ({
  min,
  max,
  read: (r) => r.rest(),
  write: (w, o) => w.put(o),
});

const hexOf: readonly string[] = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'));

/** lower-case hex digits, two an octet */
export function hex(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i++) text += hexOf[octets[i] ?? 0];
  return text;
}

/**
 * octets of hex digits; white space between them is skipped. RangeError when it is not hex: for constants and tools, not for
 * peers.
 */
export function unhex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new RangeError('not hex digits');
  const result = new Uint8Array(digits.length / 2);
  for (let i = 0; i < result.length; i++) result[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return result;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const result = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Same octets? Not in constant time: never for secrets or what is checked against one. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

declare const spi: unique symbol;
/** SPI of an IKE SA: 16 lower-case hex digits. Printable as it is, and a Map key. */
export type IkeSpi = string & { readonly [spi]: 'IKE' };

/** what a header carries where no SPI was chosen yet */
export const NO_SPI = '0000000000000000' as IkeSpi; // 16 hex digits

/** RangeError unless there are 8 octets. */
export function ikeSpi(octets: Uint8Array): IkeSpi {
  if (octets.length !== 8) throw new RangeError(`an IKE SPI has 8 octets, not ${octets.length}`);
  return spiText(octets) as IkeSpi; // the maker of the brand
}

/** In one piece, because it is looked up at once: digits added one by one make a tree of strings that a Map has to flatten. */
function spiText(o: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0] = [pair(o, 0), pair(o, 1), pair(o, 2), pair(o, 3)];
  const [e = 0, f = 0, g = 0, h = 0] = [pair(o, 4), pair(o, 5), pair(o, 6), pair(o, 7)];
  const x = 0xff;
  return String.fromCharCode(
    a >> 8,
    a & x,
    b >> 8,
    b & x,
    c >> 8,
    c & x,
    d >> 8,
    d & x,
    e >> 8,
    e & x,
    f >> 8,
    f & x,
    g >> 8,
    g & x,
    h >> 8,
    h & x,
  );
}

/** The character codes of an octet's two hex digits, the first one times 256. */
function pair(octets: Uint8Array, at: number): number {
  const octet = octets[at] ?? 0;
  const [high, low] = [octet >>> 4, octet & 15];
  return ((high < 10 ? 0x30 : 0x57) + high) * 256 + (low < 10 ? 0x30 : 0x57) + low;
}

export function spiOctets(spi: IkeSpi): Uint8Array {
  const result = new Uint8Array(8);
  for (let i = 0; i < 8; i++) result[i] = (digit(spi.charCodeAt(2 * i)) << 4) | digit(spi.charCodeAt(2 * i + 1));
  return result;
}

/** value of one lower-case hex digit, given as character code */
function digit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** Octet by octet: negative, 0 or positive; of two that begin alike the shorter is the lower. Addresses compare as numbers. */
export function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const both = Math.min(a.length, b.length);
  for (let i = 0; i < both; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
