/**
 * Whole messages: header, payloads in the clear, and the Encrypted payload as a frame (RFC 7296 §3).
 */
import { Reader, Writer } from './bytes.ts';
import { readSealed, type Sealed } from './encrypted.ts';
import { type Envelope, HEADER_OCTETS, type Header, writeHeader } from './header.ts';
import { type Payload, payloadType, readChain, writeChain } from './payload.ts';

export type Message = {
  readonly header: Header;
  /** in the clear, in front of the Encrypted payload if there is one */
  readonly payloads: readonly Payload[];
  readonly sealed: Sealed | undefined;
};

/**
 * A message without marker, and the header that decodeHeader read from it. Malformed when the chain does not end with the
 * message, or an Encrypted payload is not the last (§3.14). Nothing is verified here.
 */
export function decodeMessage(octets: Uint8Array, header: Header): Message {
  const r = new Reader(octets, HEADER_OCTETS);
  const { payloads, stop } = readChain(header.next, r);
  if (stop !== 0) return { header, payloads, sealed: readSealed(stop, r) };
  r.end();
  return { header, payloads, sealed: undefined };
}

const LENGTH_AT = 26; // low half of the header's length

/** A message without protection, as in IKE_SA_INIT. RangeError when it would be longer than 65535 octets. */
export function encodeMessage(envelope: Envelope, payloads: readonly Payload[]): Uint8Array {
  const w = new Writer();
  const first = payloads[0];
  writeHeader(w, envelope, first === undefined ? 0 : payloadType(first), 0);
  writeChain(w, payloads);
  return w.patch16(LENGTH_AT, w.length).finish();
}
