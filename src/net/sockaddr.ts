/** struct sockaddr_in and sockaddr_in6 of Linux (ip(7), ipv6(7)), and the text of their addresses (RFC 5952). */
import type { Endpoint } from './sockets.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Octets of either kind. */
export const SOCKADDR = { 4: 16, 6: 28 } as const;

/**
 * Writes a socket address at `at`:
 *
 *     IPv4   family 2 | port 2 | address 4 | zero 8
 *     IPv6   family 2 | port 2 | flow 4 | address 16 | scope 4
 *
 * All but the family in network order; of flow and scope we say nothing.
 */
export function writeSockaddr(into: Uint8Array, at: number, address: Uint8Array, port: number): void {
  const six = address.length === 16;
  into.fill(0, at, at + (six ? SOCKADDR[6] : SOCKADDR[4]));
  into[at] = six ? AF_INET6 : AF_INET;
  into[at + 2] = port >> 8;
  into[at + 3] = port;
  into.set(address, at + (six ? 8 : 4));
}

/** Reads what `writeSockaddr` writes; an address with a scope has its number behind a `%`. */
export function readSockaddr(from: Uint8Array, at: number): Endpoint {
  const octet = (i: number): number => from[at + i] ?? 0;
  const port = (octet(2) << 8) | octet(3);
  if (octet(0) === AF_INET) return { address: `${octet(4)}.${octet(5)}.${octet(6)}.${octet(7)}`, port };
  const words = Array.from({ length: 8 }, (_, i) => (octet(8 + 2 * i) << 8) | octet(9 + 2 * i));
  const scope = new DataView(from.buffer, from.byteOffset + at).getUint32(24, true);
  return { address: scope === 0 ? textOf(words) : `${textOf(words)}%${scope}`, port };
}

/** RFC 5952 §4: small letters, no leading zeros, the first longest run of two or more zeros left out. */
function textOf(words: readonly number[]): string {
  let [begin, longest] = [0, 1];
  for (let i = 0; i < words.length; i++) {
    let end = i;
    while (words[end] === 0) end += 1;
    if (end - i > longest) [begin, longest] = [i, end - i];
  }
  const hex = words.map((word) => word.toString(16));
  if (longest < 2) return hex.join(':');
  return `${hex.slice(0, begin).join(':')}::${hex.slice(begin + longest).join(':')}`;
}

/** An address in text as octets: 4 of '10.0.0.1', 16 of '2001:db8::1'; undefined when it is neither. */
export function addressOctets(text: string): Uint8Array | undefined {
  if (!text.includes(':')) return octets4(text);
  const url = URL.parse(`udp6://[${text}]/`);
  if (url === null) return undefined;
  // The canonical text has hexadecimal groups only, and at most one '::'.
  const [head = '', tail = ''] = url.hostname.slice(1, -1).split('::');
  const groups = (half: string) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail)];
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

// For every datagram that is sent: no array and no pattern in between.
function octets4(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(4);
  let [part, value, digits] = [0, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : DOT;
    if (c === DOT) {
      if (digits === 0 || value > 255 || part > 3) return undefined;
      octets[part] = value;
      [part, value, digits] = [part + 1, 0, 0];
    } else {
      if (c < ZERO || c > ZERO + 9 || digits === 3) return undefined;
      value = 10 * value + c - ZERO;
      digits += 1;
    }
  }
  return part === 4 ? octets : undefined;
}

const DOT = 0x2e;
const ZERO = 0x30;
