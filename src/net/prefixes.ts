/** Address ranges as CIDR prefixes: what routes and packet filters are written in. */

/** Both ends included, 4 or 16 octets each, start ≤ end. */
export type AddressRange = { readonly start: Uint8Array; readonly end: Uint8Array };

/** The fewest prefixes that are this range and nothing else, in order: '10.10.1.1/32', '10.10.1.2/31' … */
export function prefixesOf({ start, end }: AddressRange): readonly string[] {
  const bits = 8 * start.length;
  const [last, prefixes]: [bigint, string[]] = [numberOf(end), []];
  for (let first = numberOf(start); first <= last; ) {
    let size = 0;
    while (size < bits && (first >> BigInt(size)) % 2n === 0n && first + (1n << BigInt(size + 1)) - 1n <= last) size += 1;
    prefixes.push(`${textOf(first, start.length)}/${bits - size}`);
    first += 1n << BigInt(size);
  }
  return prefixes;
}

const numberOf = (octets: Uint8Array): bigint => octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);

function textOf(number: bigint, octets: number): string {
  const digits = number.toString(16).padStart(2 * octets, '0');
  if (octets === 16) return (digits.match(/.{4}/g) ?? []).join(':');
  return (digits.match(/../g) ?? []).map((two) => Number.parseInt(two, 16)).join('.');
}
