/** What is known of TCP (RFC 9293 §3.1) and UDP (RFC 768) wherever packets are looked at. */
import { fold16, sumOfWords } from './sum.ts';

export const TCP = 6;
export const UDP = 17;
export const [FIN, SYN, RST, PSH, ACK, CWR] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x80] as const;
/** Octets of a header: of TCP's at the least. */
export const TCP_HEADER = 20;
export const UDP_HEADER = 8;
export const leastHeader = (protocol: number): number => (protocol === UDP ? UDP_HEADER : TCP_HEADER);

/** Octets of an IP packet's headers at `at`, with those of TCP or UDP, which begin `transport` octets further on. */
export const headersOf = (b: Uint8Array, at: number, transport: number, protocol: number): number =>
  transport + (protocol === UDP ? UDP_HEADER : ((b[at + transport + 12] as number) >>> 4) * 4);

/** Where the checksum is, from the beginning of TCP or UDP. */
export const checksumOf = (protocol: number): number => (protocol === UDP ? 6 : 16);

/** The pseudo header's sum (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1) for `octets` of a protocol in an IP packet at `at`; folded. */
export function pseudoSum(b: DataView, at: number, six: boolean, protocol: number, octets: number): number {
  return fold16((six ? sumOfWords(b, at + 8, 32) : sumOfWords(b, at + 12, 8)) + protocol + octets);
}
