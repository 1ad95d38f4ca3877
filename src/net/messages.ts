/**
 * Memory for many datagrams in one system call: struct mmsghdr of 64-bit Linux (recvmmsg(2), sendmmsg(2)), each with one
 * struct iovec, one socket address and one control message, made once and used for every call. A message may be a run of
 * datagrams of one size to, or from, one address, which the control message tells (udp(7), UDP_SEGMENT and UDP_GRO).
 *
 *     mmsghdr   name * 8 | name length 4 | . 4 | iovec * 8 | iovecs 8 | control * 8 | control length 8
 *               flags 4 | . 4 | length 4 | . 4
 *     iovec     base * 8 | length 8
 *     control   length 8 | level 4 | type 4 | size of the datagrams 2 (4 when it comes from the kernel) | .
 */
import { get16, same } from './octets.ts';
import { summable } from './simd.ts';
import { AF_INET, readSockaddr, SOCKADDR, writeSockaddr } from './sockaddr.ts';
import type { Endpoint } from './sockets.ts';
import { Views } from './views.ts';

/** Datagrams of one call. */
export const BATCH = 64;
/** No UDP datagram is longer than this. */
export const LONGEST = 65_535;

/** In units of four octets, as the arrays below have them. */
const HEADER = 16;
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const LENGTH = 14;
const IOVEC = 4;
const CONTROL = 8;
/** In octets: CMSG_SPACE of an int, CMSG_LEN of a short as the kernel takes it, and of an int as the kernel gives it. */
const CONTROL_SPACE = 24;
const SEGMENT_CONTROL = 18;
const GRO_CONTROL = 20;
/** udp(7) */
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** Where datagrams lie in the memory for what arrives: on words, for whoever sums them. */
const STRIDE = 65_536;
/** In octets; larger than either socket address. */
const NAME = 32;

type AddressOf = (octets: Uint8Array) => number;

/** What Inbox and Outbox share: one header, iovec and name for each datagram, and one piece of memory for their octets. */
class Messages {
  readonly headers = new Uint8Array(new ArrayBuffer(BATCH * HEADER * 4));
  readonly words = new Uint32Array(this.headers.buffer);
  readonly iovecs = new Uint32Array(new ArrayBuffer(BATCH * IOVEC * 4));
  readonly names = new Uint8Array(new ArrayBuffer(BATCH * NAME));
  readonly controls = new Uint32Array(new ArrayBuffer(BATCH * CONTROL * 4));
  readonly octets: Uint8Array;
  readonly #base: number;

  constructor(octets: Uint8Array, addressOf: AddressOf) {
    this.octets = octets;
    this.#base = addressOf(this.octets);
    const names = addressOf(this.names);
    const iovecs = addressOf(new Uint8Array(this.iovecs.buffer));
    const controls = addressOf(new Uint8Array(this.controls.buffer));
    for (let i = 0; i < BATCH; i++) {
      putPointer(this.words, i * HEADER, names + i * NAME);
      putPointer(this.words, i * HEADER + 8, controls + i * CONTROL * 4);
      putPointer(this.words, i * HEADER + 4, iovecs + i * IOVEC * 4);
      this.words[i * HEADER + 6] = 1;
    }
  }

  /** Datagram i lies at `at`. */
  place(i: number, at: number, length: number): void {
    putPointer(this.iovecs, i * IOVEC, this.#base + at);
    this.iovecs[i * IOVEC + 2] = length;
  }
}

// A pointer has at most 48 bits here, so that it is a number; in memory it is two halves, the lower one first.
function putPointer(into: Uint32Array, at: number, pointer: number): void {
  into[at] = pointer;
  into[at + 1] = pointer / 2 ** 32;
}

/** Room for what arrives: each message may be as long as UDP allows, untouched pages cost nothing. */
export class Inbox {
  /** What `size` speaks of lies here. */
  readonly octets: Uint8Array;
  readonly #messages: Messages;
  readonly #known = new Map<number, Endpoint>();
  #address = 0;
  #port = 0;
  #addressed: Endpoint | undefined;
  readonly #last = new Uint8Array(NAME);
  #lastFrom: Endpoint | undefined;

  constructor(addressOf: AddressOf) {
    this.#messages = new Messages(summable(BATCH * STRIDE), addressOf);
    this.octets = this.#messages.octets;
    for (let i = 0; i < BATCH; i++) this.#messages.place(i, i * STRIDE, LONGEST);
    this.reset(BATCH);
  }

  get headers(): Uint8Array {
    return this.#messages.headers;
  }

  /** To be done before a receive, for as many as the last one filled: the kernel has written over these lengths. */
  reset(count: number): void {
    const { words } = this.#messages;
    for (let i = 0; i < count; i++) {
      words[i * HEADER + NAME_LENGTH] = NAME;
      words[i * HEADER + CONTROL_LENGTH] = CONTROL_SPACE;
    }
  }

  /** Who sent message i: the same object for the same sender, as long as there are not too many. */
  from(i: number): Endpoint {
    const { names } = this.#messages;
    const at = i * NAME;
    if (names[at] === AF_INET) {
      const port = get16(names, at + 2);
      const address = (get16(names, at + 4) << 16) | get16(names, at + 6);
      // Most datagrams follow one of the same sender; to find another takes a number that is neither small nor cheap to hash.
      if (address === this.#address && port === this.#port && this.#addressed !== undefined) return this.#addressed;
      const key = (address >>> 0) * 0x10000 + port;
      let from = this.#known.get(key);
      if (from === undefined) {
        if (this.#known.size >= MOST_KNOWN) this.#known.clear();
        from = readSockaddr(names, at);
        this.#known.set(key, from);
      }
      this.#address = address;
      this.#port = port;
      this.#addressed = from;
      return from;
    }
    if (this.#lastFrom === undefined || !same(names, at, this.#last, 0, SOCKADDR[6])) {
      this.#last.set(names.subarray(at, at + SOCKADDR[6]));
      this.#lastFrom = readSockaddr(names, at);
    }
    return this.#lastFrom;
  }

  /** Where message i begins in `octets`. */
  at(i: number): number {
    return i * STRIDE;
  }

  length(i: number): number {
    return this.#messages.words[i * HEADER + LENGTH] as number;
  }

  /** Octets of each datagram of message i, the last of which may be shorter; all of it, when nothing whole and true says less. */
  size(i: number): number {
    const { words, controls } = this.#messages;
    const length = this.length(i);
    const given = words[i * HEADER + CONTROL_LENGTH] as number;
    if (given < GRO_CONTROL || given > CONTROL_SPACE) return length;
    const c = i * CONTROL;
    // A control message that was cut (MSG_CTRUNC) says its own, smaller length; behind it lies what an earlier call left.
    if (controls[c] !== GRO_CONTROL || controls[c + 1] !== 0) return length;
    const size = controls[c + 4] as number;
    return controls[c + 2] === SOL_UDP && controls[c + 3] === UDP_GRO && size > 0 && size < length ? size : length;
  }
}

/** Senders that are remembered. */
const MOST_KNOWN = 16_384;

/** Datagrams on their way out, copied one behind the other; those of one size to one address become one message. */
export class Outbox {
  readonly #views = new Views();
  readonly #messages: Messages;
  readonly #segments = new Uint16Array(BATCH);
  readonly #sizes = new Uint16Array(BATCH);
  readonly #starts = new Uint32Array(BATCH);
  /** Octets of a first message that was split, and where they begin. */
  #rest = 0;
  #restAt = 0;
  #count = 0;
  #first = 0;
  #end = 0;
  /** Of the message that may grow: undefined when the last one may not. */
  #address: Uint8Array | undefined;
  #port = 0;

  constructor(addressOf: AddressOf, size = 4 * STRIDE) {
    this.#messages = new Messages(new Uint8Array(new ArrayBuffer(size)), addressOf);
    const { controls } = this.#messages;
    for (let c = 0; c < controls.length; c += CONTROL) controls.set([SEGMENT_CONTROL, 0, SOL_UDP, UDP_SEGMENT], c);
  }

  /** Of the messages that have not gone. */
  get headers(): Uint8Array {
    const { headers } = this.#messages;
    return this.#first === 0 ? headers : headers.subarray(this.#first * HEADER * 4);
  }

  /** Messages that may go in one call. */
  get count(): number {
    return this.#rest > 0 ? 1 : this.#count - this.#first;
  }

  /** Datagrams of the first message that has not gone, and octets of each but the last. */
  get segments(): number {
    return this.#rest > 0 ? 1 : (this.#segments[this.#first] as number);
  }
  get size(): number {
    return this.#sizes[this.#first] as number;
  }

  clear(): void {
    this.#count = 0;
    this.#first = 0;
    this.#end = 0;
    this.#rest = 0;
    this.#address = undefined;
  }

  /** So many messages have gone. @returns the datagrams in them */
  gone(messages: number): number {
    if (this.#rest > 0 && messages > 0) {
      this.#restAt += this.size;
      this.#rest = Math.max(0, this.#rest - this.size);
      if (this.#rest > 0) this.#step();
      else this.#first += 1;
      if (this.#first === this.#count) this.clear();
      return 1;
    }
    let datagrams = 0;
    for (let i = 0; i < messages; i++) datagrams += this.#segments[this.#first + i] as number;
    this.#first += messages;
    if (this.#first === this.#count) this.clear();
    return datagrams;
  }

  /** The first message cannot go as a run: from now on its datagrams are messages of their own, one at a time. */
  split(): void {
    this.#rest = this.#messages.iovecs[this.#first * IOVEC + 2] as number;
    this.#restAt = this.#starts[this.#first] as number;
    this.#address = undefined;
    this.#step();
  }

  #step(): void {
    const i = this.#first;
    this.#messages.place(i, this.#restAt, Math.min(this.#rest, this.size));
    this.#messages.words[i * HEADER + CONTROL_LENGTH] = 0;
  }

  /**
   * Takes octets[at…at+length). An empty outbox takes every datagram up to LONGEST.
   *
   * @param longest datagrams up to this size may be joined to one message; 0: none
   * @returns false: no room, send first
   */
  add(octets: Uint8Array, at: number, length: number, address: Uint8Array, port: number, longest = 0): boolean {
    const { words, names, iovecs, controls, octets: all } = this.#messages;
    const end = this.#end;
    if (end + length > all.length) return false;
    const grows = this.#grows(length, address, port, longest);
    if (!grows && this.#count === BATCH) return false;
    all.set(this.#views.of(octets, at, length), end);
    this.#end = end + length;
    if (grows) {
      const i = this.#count - 1;
      iovecs[i * IOVEC + 2] = this.#end - (this.#starts[i] as number);
      this.#segments[i] = (this.#segments[i] as number) + 1;
      words[i * HEADER + CONTROL_LENGTH] = CONTROL_SPACE;
      controls[i * CONTROL + 4] = this.#sizes[i] as number;
      if (length < (this.#sizes[i] as number)) this.#address = undefined; // a shorter one is the last
      return true;
    }
    const i = this.#count;
    this.#messages.place(i, end, length);
    writeSockaddr(names, i * NAME, address, port);
    words[i * HEADER + NAME_LENGTH] = address.length === 16 ? SOCKADDR[6] : SOCKADDR[4];
    words[i * HEADER + CONTROL_LENGTH] = 0;
    this.#segments[i] = 1;
    this.#sizes[i] = length;
    this.#starts[i] = end;
    this.#address = address;
    this.#port = port;
    this.#count += 1;
    return true;
  }

  #grows(length: number, address: Uint8Array, port: number, longest: number): boolean {
    if (this.#address !== address || this.#port !== port || length > longest) return false;
    const i = this.#count - 1;
    const size = this.#sizes[i] as number;
    return (
      length > 0 && // an empty one would be no part of a run, and none would be sent
      length <= size &&
      size <= longest &&
      this.#end + length - (this.#starts[i] as number) <= MOST_RUN &&
      (this.#segments[i] as number) < MOST_SEGMENTS
    );
  }
}

/** UDP_MAX_SEGMENTS, and what fits a UDP datagram over IPv4 and IPv6. */
const MOST_SEGMENTS = 64;
const MOST_RUN = 65_000;
