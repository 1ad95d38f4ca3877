/**
 * The frame of the Encrypted payload (RFC 7296 §3.14) and of its fragments (RFC 7383 §2.5). The encryption itself is in crypto.
 *
 *   | Next Payload  |C|  RESERVED   |         Payload Length        |
 *   |        Fragment Number        |        Total Fragments        |    SKF only
 *   ~  Initialization Vector, Encrypted payloads | padding, ICV      ~
 *
 * Everything in front of the IV is authenticated and not encrypted.
 */
import { Malformed, type Reader, Writer } from './bytes.ts';
import { type Envelope, HEADER_OCTETS, writeHeader } from './header.ts';
import { limits } from './limits.ts';
import { PayloadType } from './numbers.ts';

export type Sealed = {
  readonly kind: 'SK' | 'SKF';
  /** type of the first payload inside; of fragments, only the first one's counts */
  readonly first: number;
  /** offset in the message of the IV, and length of what is authenticated in the clear */
  readonly body: number;
  /** 1 to fragments; 0 of 0 in an SK */
  readonly fragment: number;
  readonly fragments: number;
};

const SK_HEAD = 4;
const SKF_HEAD = 8;

/** Reads the Encrypted payload that `type` says comes next. Malformed when it does not end the message. */
export function readSealed(type: number, r: Reader): Sealed {
  const whole = r.left;
  const first = r.u8();
  r.skip(1); // critical bit: ignored, §2.5
  const length = r.u16();
  if (length !== whole) throw new Malformed(`Encrypted payload of ${length} octets where the message has ${whole} left`);
  if (type === PayloadType.SK) return { kind: 'SK', first, body: r.at, fragment: 0, fragments: 0 };
  const fragment = r.u16();
  const fragments = r.u16();
  if (fragment === 0 || fragment > fragments) throw new Malformed(`fragment ${fragment} of ${fragments}`);
  if (fragments > limits.fragments) throw new Malformed(`${fragments} fragments`);
  return { kind: 'SKF', first, body: r.at, fragment, fragments };
}

/**
 * A message whose only payload is SK, or SKF when a fragment is given. `bodyLength` counts IV, padded ciphertext and ICV;
 * these octets begin at `body` and are zero, for the sealer to write. `first` is the type of the first payload inside;
 * fragments after the first one say 0 instead (RFC 7383 §2.5).
 */
export function frame(
  envelope: Envelope,
  first: number,
  bodyLength: number,
  fragment?: { readonly number: number; readonly total: number },
): { readonly octets: Uint8Array; readonly body: number } {
  const head = fragment === undefined ? SK_HEAD : SKF_HEAD;
  const body = HEADER_OCTETS + head;
  const w = new Writer();
  writeHeader(w, envelope, fragment === undefined ? PayloadType.SK : PayloadType.SKF, body + bodyLength);
  w.u8(fragment !== undefined && fragment.number > 1 ? 0 : first)
    .zero(1)
    .u16(head + bodyLength);
  if (fragment !== undefined) w.u16(fragment.number).u16(fragment.total);
  w.zero(bodyLength);
  return { octets: w.finish(), body };
}
