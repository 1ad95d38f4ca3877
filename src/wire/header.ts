/**
 * The IKE header (RFC 7296 §3.1), and what a datagram is before it is a message: RFC 3948 §2.
 *
 *   |                       IKE SA Initiator's SPI  (8 octets)      |
 *   |                       IKE SA Responder's SPI  (8 octets)      |
 *   |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
 *   |                          Message ID                           |
 *   |                            Length                             |
 */
import { type IkeSpi, ikeSpi, Malformed, Reader, spiOctets, type Writer } from './bytes.ts';
import { limits } from './limits.ts';

export const HEADER_OCTETS = 28;
const MARKER_OCTETS = 4; // RFC 3948 §2.2: non-ESP marker
const LEAST_ESP = 8; // SPI and sequence number
const FIRST_ESP_SPI = 256; // RFC 4303 §2.1: 1 to 255 are reserved
const VERSION_2_0 = 0x20;
const FLAG_INITIATOR = 0x08;
const FLAG_RESPONSE = 0x20;

export type Header = {
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  /** type of the first payload, 0 = none */
  readonly next: number;
  readonly major: number;
  readonly minor: number;
  readonly exchange: number;
  /** the sender is the original initiator of the IKE SA */
  readonly initiator: boolean;
  readonly response: boolean;
  readonly messageId: number;
  /** octets of the whole message */
  readonly length: number;
};

/** What a message of ours says about itself, before its payloads are known. */
export type Envelope = Pick<Header, 'SPIi' | 'SPIr' | 'exchange' | 'initiator' | 'response' | 'messageId'>;

export type Classified =
  | { readonly kind: 'ike'; readonly octets: Uint8Array }
  | { readonly kind: 'esp'; readonly spi: number }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'junk'; readonly why: string };

/**
 * What a UDP payload is. `natt`: it came to the NAT-T port, where IKE has four zero octets in front (§2.23, RFC 3948 §2.2)
 * and ESP has none. The octets of an IKE message are a view without the marker. Never throws.
 */
export function classify(datagram: Uint8Array, natt: boolean): Classified {
  if (datagram.length === 1 && datagram[0] === 0xff) return { kind: 'keepalive' }; // RFC 3948 §2.3
  if (!natt) return ikeOrJunk(datagram);
  if (datagram.length < LEAST_ESP) return { kind: 'junk', why: 'too short' };
  const spi = new Reader(datagram).u32();
  if (spi === 0) return ikeOrJunk(datagram.subarray(MARKER_OCTETS));
  return spi < FIRST_ESP_SPI ? { kind: 'junk', why: 'reserved ESP SPI' } : { kind: 'esp', spi };
}

/** Is a datagram of the NAT-T port, octets[at…at+length), what `classify` calls ESP? For many packets: nothing is made. */
export function isEsp(octets: Uint8Array, at: number, length: number): boolean {
  if (length < LEAST_ESP) return false;
  // An SPI from 256 on has an octet in its first three.
  return ((octets[at] as number) | (octets[at + 1] as number) | (octets[at + 2] as number)) !== 0;
}

function ikeOrJunk(octets: Uint8Array): Classified {
  return octets.length < HEADER_OCTETS ? { kind: 'junk', why: 'too short' } : { kind: 'ike', octets };
}

/**
 * Header of an IKE message given without marker. Malformed when it is shorter than a header, longer than limits.message, or
 * not as long as it says. Versions are told, not judged; V and reserved flags are ignored.
 */
export function decodeHeader(octets: Uint8Array): Header {
  const r = new Reader(octets);
  const SPIi = ikeSpi(r.take(8));
  const SPIr = ikeSpi(r.take(8));
  const next = r.u8();
  const version = r.u8();
  const exchange = r.u8();
  const flags = r.u8();
  const messageId = r.u32();
  const length = r.u32();
  if (length !== octets.length) throw new Malformed(`header says ${length} octets, datagram has ${octets.length}`);
  if (length > limits.message) throw new Malformed(`message of ${length} octets`);
  return {
    SPIi,
    SPIr,
    next,
    major: version >>> 4,
    minor: version & 0x0f,
    exchange,
    initiator: (flags & FLAG_INITIATOR) !== 0,
    response: (flags & FLAG_RESPONSE) !== 0,
    messageId,
    length,
  };
}

/** Writes the header of a version 2.0 message of `length` octets whose first payload has type `next`. */
export function writeHeader(w: Writer, envelope: Envelope, next: number, length: number): void {
  const flags = (envelope.initiator ? FLAG_INITIATOR : 0) | (envelope.response ? FLAG_RESPONSE : 0);
  w.put(spiOctets(envelope.SPIi)).put(spiOctets(envelope.SPIr));
  w.u8(next).u8(VERSION_2_0).u8(envelope.exchange).u8(flags).u32(envelope.messageId).u32(length);
}

/** The message with the non-ESP marker in front, as it goes out of the NAT-T port (RFC 3948 §2.2). */
export function withMarker(octets: Uint8Array): Uint8Array {
  const result = new Uint8Array(MARKER_OCTETS + octets.length);
  result.set(octets, MARKER_OCTETS);
  return result;
}
