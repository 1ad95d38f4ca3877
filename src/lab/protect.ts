/**
 * Protected messages from the client's end: the Encrypted payload (RFC 7296 §3.14) and its fragments (RFC 7383 §2.5, §2.6).
 * Bounds: fragments as many as the codec admits, a reassembled chain no longer than a message, one message at a time.
 */
import type { Cipher, Opener, Sealer } from '../../crypto/index.ts';
import {
  concat,
  decodeMessage,
  decodePayloads,
  type Envelope,
  encodeMessage,
  encodePayloads,
  frame,
  type Header,
  hex,
  limits,
  Malformed,
  type Payload,
  PayloadType,
} from '../wire/index.ts';
import type { Strike } from './impair.ts';

/** How one end of an IKE SA seals and opens. */
export type Channel = {
  readonly cipher: Cipher;
  readonly sealer: Sealer;
  readonly opener: Opener;
  readonly random: (n: number) => Uint8Array;
  /** Number of the next AEAD nonce. */
  counter: number;
  /** IVs of the peer's last messages, each with the ICV that it went with. */
  readonly ivs: Map<string, string>;
  /** The peer has used an IV for two messages: with a counter mode that gives the key away. */
  repeatedIv: boolean;
};

/** Octets of an IKE message that fit a datagram of this many, IP and UDP headers and the non-ESP marker taken off. */
export const roomFor = (mtu: number, address: string): number => mtu - (address.includes(':') ? 40 : 20) - 8 - 4;

/** Seals a message; gives the datagrams, without marker: one, or fragments when it is longer than `room` (0: never). */
export function seal(
  channel: Channel,
  meant: Envelope,
  payloads: readonly Payload[],
  room: number,
  strike: Strike,
): readonly Uint8Array[] {
  const envelope = strike.envelope(meant);
  const clear = strike.clear();
  const { first, octets } = encodePayloads(strike.payloads(payloads));
  const whole = HEADERS + sealedLength(channel.cipher, octets.length);
  if (room === 0 || whole <= room) return strike.datagrams([sealOne(channel, envelope, clear, first, octets, strike)]);
  const { ivOctets, icvOctets, blockOctets } = channel.cipher;
  const inside = room - HEADERS - 4 - ivOctets - icvOctets;
  const size = Math.max(1, inside - (inside % blockOctets) - 1);
  const total = Math.ceil(octets.length / size);
  if (total > limits.fragments) throw new RangeError(`a message of ${octets.length} octets needs ${total} fragments`);
  const datagrams: Uint8Array[] = [];
  for (let number = 1; number <= total; number++) {
    const piece = octets.subarray((number - 1) * size, number * size);
    datagrams.push(sealOne(channel, envelope, number === 1 ? clear : [], first, piece, strike, { number, total }));
  }
  return strike.datagrams(datagrams);
}

const HEADERS = 32; // IKE header and generic header of SK

function sealedLength(cipher: Cipher, inner: number): number {
  const padded = Math.ceil((inner + 1) / cipher.blockOctets) * cipher.blockOctets;
  return cipher.ivOctets + padded + cipher.icvOctets;
}

type Fragment = { readonly number: number; readonly total: number };

function sealOne(
  channel: Channel,
  envelope: Envelope,
  clear: readonly Payload[],
  first: number,
  inner: Uint8Array,
  strike: Strike,
  fragment?: Fragment,
): Uint8Array {
  const { cipher, sealer } = channel;
  const length = sealedLength(cipher, inner.length);
  const { octets, body } =
    clear.length === 0 ? frame(envelope, first, length, fragment) : frameBehind(clear, envelope, first, length, fragment);
  const plaintext = new Uint8Array(length - cipher.ivOctets - cipher.icvOctets);
  plaintext.set(inner);
  plaintext[plaintext.length - 1] = plaintext.length - inner.length - 1;
  strike.header(octets, body);
  sealer.seal(octets, body, plaintext, nextIv(channel));
  return octets;
}

/** As `frame`, with payloads in the clear in front: nobody needs it but who wants to see it refused or ignored. */
function frameBehind(clear: readonly Payload[], envelope: Envelope, first: number, length: number, fragment?: Fragment) {
  const numbers = fragment === undefined ? 0 : 4;
  const type = fragment === undefined ? PayloadType.SK : PayloadType.SKF;
  const sk: Payload = { kind: 'UNKNOWN', type, critical: false, data: new Uint8Array(numbers + length) };
  const octets = encodeMessage(envelope, [...clear, sk]);
  const body = octets.length - length;
  octets[body - numbers - 4] = first;
  if (fragment !== undefined) {
    const view = new DataView(octets.buffer, octets.byteOffset);
    view.setUint16(body - 4, fragment.number);
    view.setUint16(body - 2, fragment.total);
  }
  return { octets, body };
}

/** AEAD: a counter, never the same twice under one key. CBC: unpredictable (RFC 3602 §3). */
function nextIv(channel: Channel): Uint8Array {
  const { aead, ivOctets } = channel.cipher;
  if (!aead) return channel.random(ivOctets);
  const iv = new Uint8Array(ivOctets);
  new DataView(iv.buffer).setUint32(ivOctets - 4, channel.counter);
  channel.counter += 1;
  return iv;
}

export type Opened =
  | { readonly kind: 'message'; readonly payloads: readonly Payload[]; readonly clear: readonly Payload[] }
  /** Authentic, but not in the form the RFC gives it. */
  | { readonly kind: 'malformed'; readonly why: string }
  /** A fragment, kept until the others are here; `first` is number 1 (RFC 7383 §2.6.1). */
  | { readonly kind: 'fragment'; readonly first: boolean }
  | { readonly kind: 'drop'; readonly why: string };

/** The fragments of one message that have come so far. */
export class Reassembly {
  #messageId = -1;
  #total = 0;
  #first = 0;
  #clear: readonly Payload[] = [];
  #octets = 0;
  #parts = new Map<number, Uint8Array>();

  /** Keeps an authentic fragment. Gives the whole when it was the last one missing; a text says why it was not kept. */
  add(messageId: number, fragment: Fragment, first: number, clear: readonly Payload[], plaintext: Uint8Array) {
    if (messageId !== this.#messageId || fragment.total > this.#total) this.#begin(messageId, fragment.total);
    if (this.#octets + plaintext.length > limits.message) return 'fragments of a message that is too long';
    this.#parts.set(fragment.number, plaintext);
    this.#octets += plaintext.length;
    if (fragment.number === 1) [this.#first, this.#clear] = [first, clear];
    if (this.#parts.size < this.#total) return undefined;
    const ordered = Array.from({ length: this.#total }, (_, i) => this.#parts.get(i + 1) ?? new Uint8Array(0));
    const whole = { first: this.#first, clear: this.#clear, octets: concat(...ordered) };
    this.#begin(-1, 0);
    return whole;
  }

  /** RFC 7383 §2.6: of an older set, or here already. Asked before the ICV is checked. */
  wants(messageId: number, { number, total }: Fragment): boolean {
    if (messageId !== this.#messageId) return true;
    return total > this.#total || (total === this.#total && !this.#parts.has(number));
  }

  #begin(messageId: number, total: number): void {
    this.#messageId = messageId;
    this.#total = total;
    this.#octets = 0;
    this.#parts = new Map();
  }
}

/** Opens a protected message. Nothing of the peer is believed before the integrity check. Throws nothing for any octets. */
export function open(channel: Channel, octets: Uint8Array, header: Header, parts: Reassembly | undefined): Opened {
  try {
    const { sealed, payloads: clear } = decodeMessage(octets, header);
    if (sealed === undefined) return { kind: 'drop', why: 'not protected' };
    if (sealed.kind === 'SK') {
      const inner = unpadded(openAt(channel, octets, sealed.body));
      return typeof inner === 'string' ? refused(inner) : inside(sealed.first, inner, clear);
    }
    const fragment = { number: sealed.fragment, total: sealed.fragments };
    if (parts === undefined) return { kind: 'drop', why: 'fragment without agreement' };
    if (!parts.wants(header.messageId, fragment)) return { kind: 'drop', why: 'fragment once more' };
    const inner = unpadded(openAt(channel, octets, sealed.body));
    if (typeof inner === 'string') return refused(inner);
    const whole = parts.add(header.messageId, fragment, sealed.first, clear, inner);
    if (whole === undefined) return { kind: 'fragment', first: fragment.number === 1 };
    return typeof whole === 'string' ? { kind: 'drop', why: whole } : inside(whole.first, whole.octets, whole.clear);
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'drop', why: error.message };
    throw error;
  }
}

function openAt(channel: Channel, octets: Uint8Array, body: number): Uint8Array | undefined {
  const plaintext = channel.opener.open(octets, body);
  if (plaintext === undefined) return undefined;
  const iv = hex(octets.subarray(body, body + channel.cipher.ivOctets));
  const icv = hex(octets.subarray(octets.length - channel.cipher.icvOctets));
  const before = channel.ivs.get(iv);
  if (before !== undefined && before !== icv) channel.repeatedIv = true;
  channel.ivs.set(iv, icv);
  const oldest = channel.ivs.size > MOST_IVS ? channel.ivs.keys().next().value : undefined;
  if (oldest !== undefined) channel.ivs.delete(oldest);
  return plaintext;
}
const MOST_IVS = 256;

const NOT_AUTHENTIC = 'integrity check failed';

const refused = (why: string): Opened => (why === NOT_AUTHENTIC ? { kind: 'drop', why } : { kind: 'malformed', why });

/** §3.14: the last octet counts the padding in front of it. */
function unpadded(plaintext: Uint8Array | undefined): Uint8Array | string {
  if (plaintext === undefined) return NOT_AUTHENTIC;
  const length = plaintext.length - 1 - (plaintext.at(-1) ?? 0);
  return length < 0 ? 'more padding than plaintext' : plaintext.subarray(0, length);
}

function inside(first: number, octets: Uint8Array, clear: readonly Payload[]): Opened {
  try {
    return { kind: 'message', payloads: decodePayloads(first, octets), clear };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', why: error.message };
    throw error;
  }
}
