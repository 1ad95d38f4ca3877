/** What is known of TCP (RFC 9293 §3.1) wherever packets are looked at. */
import { fold16, sumOfWords } from './sum.ts';

export const TCP = 6;
export const [FIN, SYN, RST, PSH, ACK, CWR] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x80] as const;

/** Octets of an IP packet's headers at `at`, TCP's included, whose header begins `transport` octets further on. */
export const headersOf = (b: Uint8Array, at: number, transport: number): number =>
  transport + ((b[at + transport + 12] as number) >>> 4) * 4;

/** The pseudo header's sum (RFC 9293 §3.1, RFC 8200 §8.1) for `octets` of TCP in an IP packet at `at`; folded. */
export function pseudoSum(b: DataView, at: number, six: boolean, octets: number): number {
  return fold16((six ? sumOfWords(b, at + 8, 32) : sumOfWords(b, at + 12, 8)) + TCP + octets);
}
