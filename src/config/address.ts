/** Arithmetic on addresses of either family: masks, ranges, prefixes. Octets go in network order. */
import { compareOctets } from '../wire/index.ts';
import type { Prefix, Range } from './model.ts';

export const isZero = (octets: Uint8Array): boolean => octets.every((octet) => octet === 0);

/** The number of leading ones of a mask; undefined when a one follows a zero. */
export function lengthOfMask(mask: Uint8Array): number | undefined {
  const bits = Array.from(mask, (octet) => octet.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.replace(/0+$/, '').length : undefined;
}

export const maskOfLength = (length: number, octets = 4): Uint8Array => masked(new Uint8Array(octets).fill(255), length);

/** The address with every bit beyond `length` cleared. */
export const masked = (address: Uint8Array, length: number): Uint8Array =>
  address.map((octet, i) => octet & hostless(length - 8 * i));

/** The last address of a prefix. */
export const lastOf = ({ address, length }: Prefix): Uint8Array =>
  address.map((octet, i) => octet | (~hostless(length - 8 * i) & 255));

const hostless = (bits: number): number => (bits >= 8 ? 255 : bits <= 0 ? 0 : (255 << (8 - bits)) & 255);

export const rangeOf = (prefix: Prefix): Range => ({ start: masked(prefix.address, prefix.length), end: lastOf(prefix) });

/** Does it hold every address of its family? */
export const isWhole = ({ start, end }: Range): boolean => isZero(start) && end.every((octet) => octet === 0xff);

export const overlap = (a: Range, b: Range): boolean =>
  a.start.length === b.start.length && compareOctets(a.start, b.end) <= 0 && compareOctets(b.start, a.end) <= 0;

export const toNumber = (octets: Uint8Array): bigint => octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);

export function fromNumber(value: bigint, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  let rest = value;
  for (let i = length - 1; i >= 0; i--) {
    octets[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return octets;
}

/** How many addresses a range has. */
export const sizeOf = ({ start, end }: Range): bigint => toNumber(end) - toNumber(start) + 1n;

/** How many addresses of `ranges` (which may overlap) are not in `exclude`. */
export function available(ranges: readonly Range[], exclude: readonly Range[]): bigint {
  const left = subtract(merged(ranges), merged(exclude));
  return left.reduce((sum, { first, last }) => sum + (last - first + 1n), 0n);
}

type Span = { readonly first: bigint; readonly last: bigint };

/** Sorted, without overlaps. */
function merged(ranges: readonly Range[]): readonly Span[] {
  const spans = ranges.map(({ start, end }) => ({ first: toNumber(start), last: toNumber(end) }));
  spans.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const out: Span[] = [];
  for (const span of spans) {
    const before = out.at(-1);
    if (before === undefined || span.first > before.last + 1n) out.push(span);
    else if (span.last > before.last) out[out.length - 1] = { first: before.first, last: span.last };
  }
  return out;
}

/** Both sorted and without overlaps. */
function subtract(from: readonly Span[], holes: readonly Span[]): readonly Span[] {
  const out: Span[] = [];
  let next = 0;
  for (const { first, last } of from) {
    let at = first;
    while (next < holes.length && (holes[next]?.last ?? 0n) < at) next++;
    for (let i = next; i < holes.length; i++) {
      const hole = holes[i];
      if (hole === undefined || hole.first > last) break;
      if (hole.first > at) out.push({ first: at, last: hole.first - 1n });
      at = hole.last + 1n;
      if (at <= last) next = i + 1; // a hole that reaches beyond this span may reach into the next
    }
    if (at <= last) out.push({ first: at, last });
  }
  return out;
}

/** The fewest prefixes that cover exactly these addresses. */
export function prefixesOf({ start, end }: Range): readonly Prefix[] {
  const bits = start.length * 8;
  const last = toNumber(end);
  const out: Prefix[] = [];
  for (let first = toNumber(start); first <= last; ) {
    let free = 0; // bits that may vary
    while (free < bits && (first & (1n << BigInt(free))) === 0n && first + (1n << BigInt(free + 1)) - 1n <= last) free++;
    out.push({ address: fromNumber(first, start.length), length: bits - free });
    first += 1n << BigInt(free);
  }
  return out;
}
