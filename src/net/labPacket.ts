/** IP packets as the lab host takes and makes them: whole ones only, with a checksum that is right (RFC 791, RFC 8200). */
import { get16, put16, viewOf } from './octets.ts';
import { checksum, signIpv4, sumOf } from './sum.ts';
import { TCP, UDP } from './transport.ts';

export const Protocol = { ICMP: 1, TCP, UDP, ICMPv6: 58 } as const;

export type LabPacket = {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** What the protocol has; a copy. */
  readonly payload: Uint8Array;
};

/** Reads one; or why it is none. */
export function readPacket(b: Uint8Array, at: number, length: number): LabPacket | 'malformed' | 'checksum' | 'fragment' {
  const octets = b.subarray(at, at + length);
  switch ((octets[0] ?? 0) >>> 4) {
    case 4:
      return read4(octets);
    case 6:
      return read6(octets);
    default:
      return 'malformed';
  }
}

function read4(o: Uint8Array): ReturnType<typeof readPacket> {
  const header = ((o[0] ?? 0) & 15) * 4;
  const total = get16(o, 2);
  if (header < 20 || total < header || total > o.length) return 'malformed';
  if (checksum(sumOf(o, 0, header)) !== 0) return 'checksum';
  if ((get16(o, 6) & 0x3fff) !== 0) return 'fragment';
  return { source: o.slice(12, 16), destination: o.slice(16, 20), protocol: o[9] ?? 0, payload: o.slice(header, total) };
}

function read6(o: Uint8Array): ReturnType<typeof readPacket> {
  const total = 40 + get16(o, 4);
  if (o.length < 40 || total > o.length) return 'malformed';
  let [next, at] = [o[6] ?? 0, 40];
  for (let headers = 0; OPTIONS.includes(next); headers += 1) {
    const octets = 8 * ((o[at + 1] ?? 0) + 1);
    if (headers === MOST_HEADERS || at + octets > total) return 'malformed';
    [next, at] = [o[at] ?? 0, at + octets];
  }
  if (next === FRAGMENT) return 'fragment';
  return { source: o.slice(8, 24), destination: o.slice(24, 40), protocol: next, payload: o.slice(at, total) };
}

/** Hop-by-hop and destination options say nothing to an echo. */
const OPTIONS: readonly number[] = [0, 60];
const FRAGMENT = 44;
const MOST_HEADERS = 8;

/** Is the checksum over payload and pseudo header right? ICMP of IPv4 has no pseudo header. */
export const sound = ({ source, destination, protocol, payload }: LabPacket): boolean =>
  checksum(sumOf(payload, 0, payload.length) + headSum(source, destination, protocol, payload.length)) === 0;

/** Writes the checksum of a payload into it, at this place. */
export function sign({ source, destination, protocol, payload }: LabPacket, at: number): void {
  put16(payload, at, 0);
  const sum = checksum(sumOf(payload, 0, payload.length) + headSum(source, destination, protocol, payload.length));
  put16(payload, at, protocol === Protocol.UDP && sum === 0 ? 0xffff : sum); // RFC 768: zero says that there is none
}

const headSum = (source: Uint8Array, destination: Uint8Array, protocol: number, octets: number): number =>
  protocol === Protocol.ICMP
    ? 0
    : sumOf(source, 0, source.length) + sumOf(destination, 0, destination.length) + protocol + octets;

/**
 * Writes a packet into a buffer of its own.
 *
 * @returns the buffer and the octets of the packet in it, which begins at `headroom`
 */
export function writePacket(
  { source, destination, protocol, payload }: LabPacket,
  headroom: number,
  tailroom: number,
): { readonly buffer: Uint8Array; readonly length: number } {
  const four = source.length === 4;
  const header = four ? 20 : 40;
  const length = header + payload.length;
  const buffer = new Uint8Array(headroom + length + tailroom);
  const o = buffer.subarray(headroom, headroom + length);
  if (four) {
    o[0] = 0x45;
    put16(o, 2, length);
    o[8] = HOPS;
    o[9] = protocol;
  } else {
    o[0] = 0x60;
    put16(o, 4, payload.length);
    o[6] = protocol;
    o[7] = HOPS;
  }
  o.set(source, four ? 12 : 8);
  o.set(destination, four ? 16 : 24);
  if (four) signIpv4(viewOf(o), 0, header);
  o.set(payload, header);
  return { buffer, length };
}

const HOPS = 64;
