/**
 * Memory for many datagrams in one system call: struct mmsghdr of 64-bit Linux (recvmmsg(2), sendmmsg(2)), each with one
 * struct iovec and one socket address, made once and used for every call.
 *
 *     mmsghdr   name * 8 | name length 4 | . 4 | iovec * 8 | iovecs 8 | control * 8 | control length 8
 *               flags 4 | . 4 | length 4 | . 4
 *     iovec     base * 8 | length 8
 */
import { readSockaddr, SOCKADDR, writeSockaddr } from './sockaddr.ts';
import type { Endpoint } from './sockets.ts';

/** Datagrams of one call. */
export const BATCH = 64;
/** No UDP datagram is longer than this. */
export const LONGEST = 65_535;

/** In units of four octets, as the arrays below have them. */
const HEADER = 16;
const NAME_LENGTH = 2;
const LENGTH = 14;
const IOVEC = 4;
/** In octets; larger than either socket address. */
const NAME = 32;

type AddressOf = (octets: Uint8Array) => number;

/** What Inbox and Outbox share: one header, iovec and name for each datagram, and one piece of memory for their octets. */
class Messages {
  readonly headers = new Uint8Array(new ArrayBuffer(BATCH * HEADER * 4));
  readonly words = new Uint32Array(this.headers.buffer);
  readonly iovecs = new Uint32Array(new ArrayBuffer(BATCH * IOVEC * 4));
  readonly names = new Uint8Array(new ArrayBuffer(BATCH * NAME));
  readonly octets: Uint8Array;
  readonly #base: number;

  constructor(size: number, addressOf: AddressOf) {
    this.octets = new Uint8Array(new ArrayBuffer(size));
    this.#base = addressOf(this.octets);
    const names = addressOf(this.names);
    const iovecs = addressOf(new Uint8Array(this.iovecs.buffer));
    for (let i = 0; i < BATCH; i++) {
      putPointer(this.words, i * HEADER, names + i * NAME);
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

/** Room for what arrives: each datagram may be as long as UDP allows, untouched pages cost nothing. */
export class Inbox {
  readonly #messages: Messages;

  constructor(addressOf: AddressOf) {
    this.#messages = new Messages(BATCH * LONGEST, addressOf);
    for (let i = 0; i < BATCH; i++) this.#messages.place(i, i * LONGEST, LONGEST);
    this.reset(BATCH);
  }

  get headers(): Uint8Array {
    return this.#messages.headers;
  }

  /** To be done before a receive, for as many as the last one filled: the kernel has written the lengths of its names. */
  reset(count: number): void {
    for (let i = 0; i < count; i++) this.#messages.words[i * HEADER + NAME_LENGTH] = NAME;
  }

  from(i: number): Endpoint {
    return readSockaddr(this.#messages.names, i * NAME);
  }

  /** A view, until the next receive. */
  octets(i: number): Uint8Array {
    const at = i * LONGEST;
    return this.#messages.octets.subarray(at, at + (this.#messages.words[i * HEADER + LENGTH] ?? 0));
  }
}

/** Datagrams on their way out, copied one behind the other. */
export class Outbox {
  readonly #messages: Messages;
  #count = 0;
  #end = 0;

  constructor(addressOf: AddressOf) {
    this.#messages = new Messages(4 * LONGEST, addressOf);
  }

  get headers(): Uint8Array {
    return this.#messages.headers;
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
    this.#end = 0;
  }

  /** False: no room, send first. An empty outbox takes every datagram up to LONGEST. */
  add(octets: Uint8Array, address: Uint8Array, port: number): boolean {
    const { words, names, octets: all } = this.#messages;
    const i = this.#count;
    if (i === BATCH || this.#end + octets.length > all.length) return false;
    all.set(octets, this.#end);
    this.#messages.place(i, this.#end, octets.length);
    writeSockaddr(names, i * NAME, address, port);
    words[i * HEADER + NAME_LENGTH] = address.length === 16 ? SOCKADDR[6] : SOCKADDR[4];
    this.#count += 1;
    this.#end += octets.length;
    return true;
  }
}
