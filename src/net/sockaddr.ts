/** struct sockaddr_in and sockaddr_in6 of Linux, and addresses as text (RFC 5952). */
import { constants } from 'node:os';

export const [AF_INET, AF_INET6] = [2, 10];
/** Octets of the larger one. */
export const SOCKADDR = 28;
const SIZE = { 4: 16, 6: 28 } as const;

/** Writes an address into `to` at `at`; gives its length. The text must be an address: 0 when it is none. */
export function writeSockaddr(to: Uint8Array, at: number, address: string, port: number): number {
  const octets = address.includes(':') ? parse6(address) : parse4(address);
  if (octets === undefined) return 0;
  const size = octets.length === 4 ? SIZE[4] : SIZE[6];
  to.fill(0, at, at + size);
  to[at] = octets.length === 4 ? AF_INET : AF_INET6;
  to[at + 2] = port >> 8;
  to[at + 3] = port & 0xff;
  to.set(octets, at + (octets.length === 4 ? 4 : 8));
  return size;
}

/** The port, in host order. */
export const portAt = (from: Uint8Array, at: number): number => ((from[at + 2] ?? 0) << 8) | (from[at + 3] ?? 0);

/** The address as text; a link-local one has its zone's number behind it. */
export function addressAt(from: Uint8Array, at: number): string {
  if (from[at] === AF_INET) return `${from[at + 4]}.${from[at + 5]}.${from[at + 6]}.${from[at + 7]}`;
  const zone = (from[at + 24] ?? 0) | ((from[at + 25] ?? 0) << 8) | ((from[at + 26] ?? 0) << 16);
  return zone === 0 ? text6(from, at + 8) : `${text6(from, at + 8)}%${zone}`;
}

/** RFC 5952: the longest run of zeros, the first of several, and of two groups at least, is `::`. */
function text6(from: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((from[at + 2 * i] ?? 0) << 8) | (from[at + 2 * i + 1] ?? 0));
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff)
    return `::ffff:${from[at + 12]}.${from[at + 13]}.${from[at + 14]}.${from[at + 15]}`;
  let [start, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - i > length) [start, length] = [i, end - i];
    if (end > i) i = end;
  }
  const words = (part: readonly number[]) => part.map((g) => g.toString(16)).join(':');
  return start < 0 ? words(groups) : `${words(groups.slice(0, start))}::${words(groups.slice(start + length))}`;
}

function parse4(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(4);
  let [part, digits, n] = [0, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    const c = i === text.length ? 46 : text.charCodeAt(i);
    if (c === 46) {
      if (digits === 0 || n > 255 || part > 3) return undefined;
      octets[part++] = n;
      digits = n = 0;
    } else if (c >= 48 && c <= 57 && digits < 3) {
      n = n * 10 + c - 48;
      digits += 1;
    } else return undefined;
  }
  return part === 4 ? octets : undefined;
}

function parse6(text: string): Uint8Array | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const four = parse4(dotted[2] ?? '');
    if (four === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = four;
    return parse6(`${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const [left = '', right, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const words = (part: string): readonly string[] => (part === '' ? [] : part.split(':'));
  const [head, tail] = [words(left), words(right ?? '')];
  const missing = 8 - head.length - tail.length;
  if (right === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  const octets = new Uint8Array(16);
  for (const [i, word] of all.entries()) {
    if (!/^[0-9a-f]{1,4}$/i.test(word)) return undefined;
    const n = Number.parseInt(word, 16);
    octets[2 * i] = n >> 8;
    octets[2 * i + 1] = n & 0xff;
  }
  return octets;
}

/** The errno of a name; 0 when this system has none of it. */
export const errnoOf = (name: keyof typeof constants.errno): number => constants.errno[name] ?? 0;
