/** The checksum of IP, ICMP, UDP and TCP (RFC 1071), and the pseudo header in front of the last three. */

/** The sum of 16-bit words on top of another; an odd octet at the end is the upper half of a word. */
export function sum16(b: Uint8Array, at: number, octets: number, sum = 0): number {
  let total = sum;
  const end = at + octets;
  for (let i = at; i + 1 < end; i += 2) total += ((b[i] ?? 0) << 8) | (b[i + 1] ?? 0);
  if (octets % 2 === 1) total += (b[end - 1] ?? 0) << 8;
  return total;
}

/** What goes into the field; over octets with their checksum in place it is 0 when that is right. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000);
  return 0xffff - folded;
}

/** The part of a checksum that comes from addresses, protocol and length (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoSum(source: Uint8Array, destination: Uint8Array, protocol: number, octets: number): number {
  return sum16(source, 0, source.length, sum16(destination, 0, destination.length, protocol + octets));
}
