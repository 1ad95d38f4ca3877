/**
 * ESP framing (RFC 4303 §2), everything in the caller's buffer and nothing allocated:
 *   | SPI (4) | sequence number (4) | IV | payload | padding 1,2,3… | pad length (1) | next header (1) | ICV |
 */

/** Next headers of tunnel mode: IPv4, IPv6, and none, which marks a dummy packet (§2.6). */
export const NextHeader = { IPv4: 4, IPv6: 41, NONE: 59 } as const;

/** Octets that an inner packet wants before and behind it to be sealed where it lies. */
export const HEADROOM = 24;
export const TAILROOM = 64;

/** SPI and sequence number. */
export const ESP_HEADER = 8;

type Sizes = { readonly ivOctets: number; readonly icvOctets: number; readonly blockOctets: number };

/** The largest inner packet whose ESP packet has at most `room` octets. */
export function largestInner(room: number, { ivOctets, icvOctets, blockOctets }: Sizes): number {
  const align = Math.max(4, blockOctets);
  return Math.floor((room - ESP_HEADER - ivOctets - icvOctets) / align) * align - 2;
}

/**
 * Writes padding, pad length and next header behind an inner packet.
 *
 * @returns octets of the plaintext: packet and trailer, a multiple of the block and of 4 (§2.4)
 */
export function pad(buffer: Uint8Array, at: number, length: number, blockOctets: number, nextHeader: number): number {
  const align = Math.max(4, blockOctets);
  const whole = Math.ceil((length + 2) / align) * align;
  const padding = whole - length - 2;
  let p = at + length;
  for (let i = 1; i <= padding; i += 1) buffer[p++] = i;
  buffer[p] = padding;
  buffer[p + 1] = nextHeader;
  return whole;
}

/**
 * Reads the trailer of an opened packet; the padding is looked at (§2.4: "SHOULD inspect").
 *
 * @returns octets before the padding, or -1: pad length beyond the packet, or padding that is not 1, 2, 3…
 */
export function unpad(buffer: Uint8Array, at: number, length: number): number {
  if (length < 2) return -1;
  const padding = buffer[at + length - 2] ?? 0;
  const payload = length - 2 - padding;
  if (payload < 0) return -1;
  let wrong = 0;
  for (let i = 0; i < padding; i += 1) wrong |= (buffer[at + payload + i] ?? 0) ^ (i + 1);
  return wrong === 0 ? payload : -1;
}

export const read32 = (b: Uint8Array, at: number): number =>
  (((b[at] ?? 0) << 24) | ((b[at + 1] ?? 0) << 16) | ((b[at + 2] ?? 0) << 8) | (b[at + 3] ?? 0)) >>> 0;

export function write32(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}
