/**
 * IP addresses: text ↔ octets. IPv6 text is written as RFC 5952 §4 and §5 say, read as RFC 4291 §2.2 says. No zones,
 * no prefixes.
 */
import { hex } from './bytes.ts';

/** 4 octets of '10.0.0.1', 16 of '2001:db8::1'; undefined when it is no address. '010.0.0.1' and '10.1' are none. */
export function addressOctets(text: string): Uint8Array | undefined {
  return text.includes(':') ? ipv6Octets(text) : ipv4Octets(text);
}

/** 4 octets as dotted decimal, 16 as RFC 5952; any other length as 0x and hex digits. Never throws. */
export function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return ipv4Text(octets);
  return octets.length === 16 ? ipv6Text(octets) : `0x${hex(octets.subarray(0, 16))}`;
}

/** By hand: it is asked a dozen times a handshake, and a regular expression costs more than the rest of it. */
function ipv4Octets(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(4);
  let part = 0;
  let value = -1; // -1: no digit of this part yet
  for (let i = 0; i <= text.length; i++) {
    const digit = i === text.length ? DOT : text.charCodeAt(i) - ZERO;
    if (digit === DOT) {
      if (value < 0 || part > 3) return undefined;
      octets[part] = value;
      part += 1;
      value = -1;
    } else if (digit < 0 || digit > 9 || value === 0) return undefined;
    else {
      value = Math.max(value, 0) * 10 + digit;
      if (value > 255) return undefined;
    }
  }
  return part === 4 ? octets : undefined;
}

const ZERO = 0x30;
const DOT = 0x2e - ZERO;

function ipv6Octets(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const front = groups(halves[0] ?? '', halves.length === 1);
  const back = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (front === undefined || back === undefined) return undefined;
  const missing = 8 - front.length - back.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const octets = new Uint8Array(16);
  for (const [i, group] of front.entries()) put16(octets, 2 * i, group);
  for (const [i, group] of back.entries()) put16(octets, 2 * (i + 8 - back.length), group);
  return octets;
}

/** 16-bit groups between colons; the last may be dotted decimal when it ends the address */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const result: number[] = [];
  const words = text.split(':');
  for (const [i, word] of words.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(word)) {
      result.push(Number.parseInt(word, 16));
      continue;
    }
    const tail = last && i === words.length - 1 ? ipv4Octets(word) : undefined;
    if (tail === undefined) return undefined;
    result.push(get16(tail, 0), get16(tail, 2));
  }
  return result;
}

function ipv4Text(octets: Uint8Array): string {
  return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`;
}

function ipv6Text(octets: Uint8Array): string {
  if (isMapped(octets)) return `::ffff:${ipv4Text(octets.subarray(12))}`; // RFC 5952 §5
  const words = Array.from({ length: 8 }, (_, i) => get16(octets, 2 * i));
  const gap = longestZeros(words);
  const text = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  return gap === undefined ? text(0, 8) : `${text(0, gap.start)}::${text(gap.start + gap.length, 8)}`;
}

/** the first of the longest runs of zero groups; one zero alone is not shortened (RFC 5952 §4.2) */
function longestZeros(words: readonly number[]): { start: number; length: number } | undefined {
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best.length > 1 ? best : undefined;
}

function isMapped(octets: Uint8Array): boolean {
  return octets.subarray(0, 10).every((octet) => octet === 0) && octets[10] === 0xff && octets[11] === 0xff;
}

function get16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

function put16(octets: Uint8Array, at: number, n: number): void {
  octets[at] = n >>> 8;
  octets[at + 1] = n & 0xff;
}
