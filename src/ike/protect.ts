/**
 * SK and SKF payloads with the keys of an SA (RFC 7296 §3.14, RFC 7383): `protect` makes the datagrams of one message,
 * `unprotect` gives payloads that are proven to come from the peer. The reassembly queue is bounded in count and octets.
 */
import {
  decodePayloads,
  type Envelope,
  encodePayloads,
  frame,
  limits,
  type Message,
  type Payload,
  type Sealed,
} from '../wire/index.ts';
import type { Basis, Instant } from './sa.ts';

/** RFC 7383 §2.6 leaves the limit to us: Windows has been seen sending 29 fragments. */
export const FRAGMENTS_MAX = 64;
const REASSEMBLY_OCTETS_MAX = limits.message;
/** RFC 7383 §2.6: fragments that do not become a message in time are discarded (ms). */
const REASSEMBLY_TIME = 10_000;

/** The parts of one fragmented request or response that have come so far. */
export type Reassembly = {
  readonly messageId: number;
  readonly until: Instant;
  readonly total: number;
  readonly parts: (Uint8Array | undefined)[];
  first: number;
  have: number;
  octets: number;
};

/** What is kept between messages: the IV counter of our direction, and parts of a request and of an answer. */
export type Channel = { iv: number; reassembly: Reassembly | undefined; answers: Reassembly | undefined };

/** What stands in a message that passed its integrity check. Malformed is thrown by the codecs, after the check. */
export type Unprotected =
  | { readonly kind: 'verified'; readonly first: number; readonly plain: Uint8Array; readonly fragments: number }
  | { readonly kind: 'fragment'; readonly number: number; readonly total: number }
  | { readonly kind: 'drop'; readonly reason: 'integrity' | 'padding' | 'fragment'; readonly why: string };

/**
 * Verifies and decrypts one datagram's SK or SKF payload.
 *
 * @returns the plaintext once it is whole; `fragment` while parts are missing; `drop` when integrity fails or a bound is
 *   passed. Nothing of the SA has changed before the integrity check succeeded.
 */
export function unprotect(
  basis: Basis,
  channel: Channel,
  octets: Uint8Array,
  { header }: Message,
  sealed: Sealed,
  now: Instant,
): Unprotected {
  const { cipher } = basis.suite;
  const [encr, integ] = basis.initiator ? [basis.keys.SK_er, basis.keys.SK_ar] : [basis.keys.SK_ei, basis.keys.SK_ai];
  const padded = cipher.opener(encr, integ).open(octets, sealed.body);
  if (padded === undefined) return { kind: 'drop', reason: 'integrity', why: 'integrity check failed' };
  const plain = unpad(padded);
  if (plain === undefined) return { kind: 'drop', reason: 'padding', why: 'pad length is longer than the payload' };
  const queue = header.response ? 'answers' : 'reassembly';
  if (sealed.kind === 'SK') {
    if (channel[queue]?.messageId === header.messageId) channel[queue] = undefined;
    return { kind: 'verified', first: sealed.first, plain, fragments: 0 };
  }
  if (!basis.fragmentation) return part('a fragment, and fragmentation was not negotiated');
  return gather(channel, queue, header.messageId, sealed, plain, now);
}

const part = (why: string): Unprotected => ({ kind: 'drop', reason: 'fragment', why });

/** The payloads of a verified plaintext. Throws Malformed. */
export const payloadsOf = (message: { readonly first: number; readonly plain: Uint8Array }): readonly Payload[] =>
  decodePayloads(message.first, message.plain);

/** RFC 7383 §2.6: one message at a time; a larger total replaces what is there, a smaller one is stale. */
function gather(
  channel: Channel,
  of: 'reassembly' | 'answers',
  messageId: number,
  { first, fragment, fragments }: Sealed,
  plain: Uint8Array,
  now: Instant,
): Unprotected {
  if (fragment < 1 || fragment > fragments) return part(`fragment ${fragment} of ${fragments}`);
  if (fragments > FRAGMENTS_MAX) return part(`${fragments} fragments, at most ${FRAGMENTS_MAX} are taken`);
  let queue = channel[of];
  if (queue === undefined || queue.messageId !== messageId || queue.total < fragments || queue.until <= now) {
    const parts = new Array<Uint8Array | undefined>(fragments).fill(undefined);
    queue = { messageId, until: now + REASSEMBLY_TIME, total: fragments, parts, first: 0, have: 0, octets: 0 };
    channel[of] = queue;
  }
  if (queue.total > fragments) return part('fragment of an earlier, coarser split');
  if (queue.parts[fragment - 1] !== undefined) return part(`fragment ${fragment} came twice`);
  if (queue.octets + plain.length > REASSEMBLY_OCTETS_MAX) {
    channel[of] = undefined;
    return part(`message larger than ${REASSEMBLY_OCTETS_MAX} octets`);
  }
  queue.parts[fragment - 1] = plain;
  queue.octets += plain.length;
  queue.have += 1;
  if (fragment === 1) queue.first = first;
  if (queue.have < queue.total) return { kind: 'fragment', number: fragment, total: fragments };
  channel[of] = undefined;
  const whole = new Uint8Array(queue.octets);
  let at = 0;
  for (const piece of queue.parts) {
    if (piece === undefined) continue;
    whole.set(piece, at);
    at += piece.length;
  }
  return { kind: 'verified', first: queue.first, plain: whole, fragments };
}

/** §3.14: the last octet is the Pad Length; padding may hold anything. */
function unpad(padded: Uint8Array): Uint8Array | undefined {
  const pad = padded[padded.length - 1];
  if (pad === undefined || pad + 1 > padded.length) return undefined;
  return padded.subarray(0, padded.length - 1 - pad);
}

/** What a message costs around its plaintext: IKE header, SK header; SKF has four octets more. */
const SK_OVERHEAD = 28 + 4;
const SKF_OVERHEAD = SK_OVERHEAD + 4;

/**
 * Protects one message.
 *
 * @param most octets an IKE message may have before it is split (RFC 7383 §2.5.1); 0 never splits
 * @param random gives n random octets (the IV of CBC suites, §3.14; AEAD suites count, RFC 5282 §3.1)
 * @returns one datagram, or the fragments in order; without the non-ESP marker
 */
export function protect(
  basis: Basis,
  channel: Channel,
  envelope: Envelope,
  payloads: readonly Payload[],
  most: number,
  random: (n: number) => Uint8Array,
): readonly Uint8Array[] {
  const { first, octets } = encodePayloads(payloads);
  const { cipher } = basis.suite;
  const around = cipher.ivOctets + cipher.icvOctets;
  const block = Math.max(1, cipher.blockOctets);
  const padded = (n: number) => Math.ceil((n + 1) / block) * block;
  const [encr, integ] = basis.initiator ? [basis.keys.SK_ei, basis.keys.SK_ai] : [basis.keys.SK_er, basis.keys.SK_ar];
  const sealer = cipher.sealer(encr, integ);
  const seal = (part: Uint8Array, next: number, fragment?: { readonly number: number; readonly total: number }) => {
    const length = padded(part.length);
    const plain = new Uint8Array(length);
    plain.set(part);
    plain[length - 1] = length - 1 - part.length;
    const made = frame(envelope, next, around + length, fragment);
    sealer.seal(made.octets, made.body, plain, cipher.aead ? counter(channel) : random(cipher.ivOctets));
    return made.octets;
  };
  const whole = SK_OVERHEAD + around + padded(octets.length);
  const room = Math.floor((most - SKF_OVERHEAD - around) / block) * block - 1;
  const split = most !== 0 && whole > most && basis.fragmentation && room >= 1;
  const total = split ? Math.ceil(octets.length / room) : 1;
  const datagrams = split
    ? Array.from({ length: total }, (_, i) =>
        seal(octets.subarray(i * room, (i + 1) * room), i === 0 ? first : 0, { number: i + 1, total }),
      )
    : [seal(octets, first)];
  return datagrams;
}

/** RFC 5282 §3.1: the 8-octet IV of an AEAD must never repeat under one key; a counter cannot. */
function counter(channel: Channel): Uint8Array {
  const iv = new Uint8Array(8);
  const view = new DataView(iv.buffer);
  view.setUint32(0, Math.floor(channel.iv / 0x1_0000_0000));
  view.setUint32(4, channel.iv >>> 0);
  channel.iv += 1;
  return iv;
}
