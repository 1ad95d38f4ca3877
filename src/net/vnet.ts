/**
 * The header that a TUN device puts in front of a packet when it was opened with IFF_VNET_HDR: struct virtio_net_hdr in the
 * machine's byte order, ten octets (Virtual I/O Device 1.2 §5.1.6).
 *
 *     flags 1 | GSO type 1 | header length 2 | GSO size 2 | checksum start 2 | checksum offset 2
 *
 * It says that what is behind it is larger than any packet may be, and is to be cut into pieces of GSO size: a TCP segment, or
 * the data of UDP datagrams; and that a checksum is not there yet, but for the sum of the pseudo header.
 */
import { put16 } from './octets.ts';
import { sumOf } from './sum.ts';
import { checksumOf, UDP } from './transport.ts';

export const VNET = 10;

const NEEDS_CSUM = 1;
export const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const;

export const gsoType = (b: Uint8Array, at: number): number => b[at + 1] as number;
export const gsoSize = (b: Uint8Array, at: number): number => little(b, at + 4);

const little = (b: Uint8Array, at: number): number => (b[at] as number) | ((b[at + 1] as number) << 8);

function putLittle(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
}

/** A packet that is whole. */
export function writePlain(b: Uint8Array, at: number): void {
  for (let i = 0; i < VNET; i++) b[at + i] = 0;
}

/** What the kernel may cut, of TCP or UDP; its checksum field has the folded sum of the pseudo header. */
export function writeWhole(
  b: Uint8Array,
  at: number,
  six: boolean,
  protocol: number,
  headers: number,
  transport: number,
  size: number,
): void {
  b[at] = NEEDS_CSUM;
  b[at + 1] = protocol === UDP ? GSO.udp : six ? GSO.tcp6 : GSO.tcp4;
  putLittle(b, at + 2, headers);
  putLittle(b, at + 4, size);
  putLittle(b, at + 6, transport);
  putLittle(b, at + 8, checksumOf(protocol));
}
/** No header of IP is shorter: nothing of it is written over. */
const LEAST_IP = 20;

/**
 * Finishes the checksum of a packet at `at` behind its header, where that asks for it.
 *
 * @returns false when the header cannot be true of the packet
 */
export function complete(b: Uint8Array, header: number, at: number, length: number): boolean {
  if (((b[header] as number) & NEEDS_CSUM) === 0) return true;
  const start = little(b, header + 6);
  const offset = little(b, header + 8);
  if (start < LEAST_IP || start + offset + 2 > length) return false;
  const field = at + start + offset;
  // The field's own octets are the sum of the pseudo header, and part of what is summed.
  const sum = ~sumOf(b, at + start, length - start) & 0xffff;
  put16(b, field, sum === 0 ? 0xffff : sum); // for UDP, zero would mean none (RFC 768); for all others both are the same
  return true;
}
