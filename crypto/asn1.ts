/**
 * DER (X.690), as much as certificates and signature algorithms need: a strict reader, the maker functions, and the
 * object identifiers that more than one file names.
 *
 * Only definite, minimal lengths and one-octet tags. Every element advances; nesting is followed by the caller, field by
 * field, so that no input can make us recurse.
 */

/** Octets that are no DER, or not what should stand there. The message says what, never the octets. */
export class NotDer extends Error {
  override readonly name = 'NotDer';
}

export type Der = {
  readonly tag: number;
  /** The contents. */
  readonly value: Uint8Array;
  /** Tag, length and contents, as received. */
  readonly whole: Uint8Array;
};

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The tag of `[n]`: constructed (EXPLICIT, or IMPLICIT over a SEQUENCE) or primitive (IMPLICIT over a string). */
export const context = (n: number): number => 0xa0 | n;
export const contextPrimitive = (n: number): number => 0x80 | n;

/** Walks over the elements of one level. Throws NotDer. */
export class DerReader {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** The one element that these octets are, to its last octet. */
  static only(octets: Uint8Array, tag: number): DerReader {
    const outer = new DerReader(octets);
    const inner = outer.enter(tag);
    outer.end();
    return inner;
  }

  get done(): boolean {
    return this.#at === this.#octets.length;
  }

  next(): Der {
    const octets = this.#octets;
    const start = this.#at;
    const [tag, first] = [octets[start], octets[start + 1]];
    if (tag === undefined || first === undefined) throw new NotDer('ends too early');
    if ((tag & 0x1f) === 0x1f) throw new NotDer('a tag of several octets');
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 3) throw new NotDer('a length that is indefinite or absurd');
      length = 0;
      for (const octet of octets.subarray(at, at + count)) length = (length << 8) | octet;
      if (length < 0x80 || length >> (8 * (count - 1)) === 0) throw new NotDer('a length that is not minimal');
      at += count;
    }
    const end = at + length;
    if (end > octets.length) throw new NotDer('ends too early');
    this.#at = end;
    return { tag, value: octets.subarray(at, end), whole: octets.subarray(start, end) };
  }

  /** The next element if it has this tag. */
  optional(tag: number): Der | undefined {
    return this.#octets[this.#at] === tag ? this.next() : undefined;
  }

  expect(tag: number): Der {
    const element = this.next();
    if (element.tag !== tag) throw new NotDer(`tag ${element.tag} where ${tag} should be`);
    return element;
  }

  /** The contents of the next element, which must have this tag. */
  enter(tag: number): DerReader {
    return new DerReader(this.expect(tag).value);
  }

  /** All elements that are left, at most `limit`. */
  rest(limit: number): readonly Der[] {
    const elements: Der[] = [];
    while (!this.done) {
      if (elements.length === limit) throw new NotDer(`more than ${limit} elements`);
      elements.push(this.next());
    }
    return elements;
  }

  end(): void {
    if (!this.done) throw new NotDer('octets behind the last element');
  }
}

/** `1.2.840.113549` from the contents of an OBJECT IDENTIFIER; at most 64 octets. */
export function oidText({ value }: Der): string {
  if (value.length === 0 || value.length > 64 || (value.at(-1) ?? 0) >= 0x80) throw new NotDer('a broken object identifier');
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of value) {
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new NotDer('an object identifier with a huge arc');
    if (octet >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** A non-negative INTEGER of at most four octets. */
export function smallInteger({ value }: Der): number {
  const [first = 0x80, second = 0] = value;
  if (first >= 0x80 || value.length > 4) throw new NotDer('an integer out of bounds');
  if (value.length > 1 && first === 0 && second < 0x80) throw new NotDer('an integer that is not minimal');
  return value.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** DER has one octet for TRUE, 0xff; other software writes others. */
export function booleanValue({ value }: Der): boolean {
  if (value.length !== 1) throw new NotDer('a broken boolean');
  return value[0] !== 0;
}

/** The octets of a BIT STRING that has no unused bits. */
export function bitOctets({ value }: Der): Uint8Array {
  if (value[0] !== 0) throw new NotDer('a bit string that ends inside an octet');
  return value.subarray(1);
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, in seconds since 1970. */
export function timeValue({ tag, value }: Der): number {
  const text = String.fromCharCode(...value.subarray(0, 16));
  const [, digits] = (tag === Tag.utcTime ? /^(\d{12})Z$/ : tag === Tag.generalizedTime ? /^(\d{14})Z$/ : /^$/).exec(text) ?? [];
  if (digits === undefined) throw new NotDer('a time in no form of RFC 5280');
  // RFC 5280 §4.1.2.5.1: years from 50 on are of the last century.
  const full = digits.length === 14 ? digits : `${Number(digits.slice(0, 2)) >= 50 ? '19' : '20'}${digits}`;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [0, 4, 6, 8, 10, 12].map((at) =>
    Number(full.slice(at, at === 0 ? 4 : at + 2)),
  );
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const back = new Date(time).toISOString().replace(/\D/g, '').slice(0, 14);
  if (back !== full) throw new NotDer('a time that no calendar has');
  return time / 1000;
}

// Makers. Lengths are at most three octets, as the reader wants them.

/** An element with this tag around these parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const size = body.length;
  const head =
    size < 0x80
      ? [tag, size]
      : size < 0x100
        ? [tag, 0x81, size]
        : size < 0x10000
          ? [tag, 0x82, size >> 8, size & 0xff]
          : [tag, 0x83, size >> 16, (size >> 8) & 0xff, size & 0xff];
  const whole = new Uint8Array(head.length + size);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(Tag.sequence, ...parts);

export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const octets = [40 * first + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) groups.unshift((high & 0x7f) | 0x80);
    return groups;
  });
  return der(Tag.oid, Uint8Array.from(octets));
}

/** A non-negative INTEGER from its octets, big end first, or from a small number. */
export function integer(value: number | Uint8Array): Uint8Array {
  const octets = typeof value === 'number' ? bigEndian(value) : value;
  const start = octets.findIndex((octet) => octet !== 0);
  const minimal = start < 0 ? Uint8Array.of(0) : octets.subarray(start);
  return der(Tag.integer, ...((minimal[0] ?? 0) >= 0x80 ? [Uint8Array.of(0), minimal] : [minimal]));
}

const bigEndian = (n: number): Uint8Array => Uint8Array.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);

export const bitString = (octets: Uint8Array): Uint8Array => der(Tag.bitString, Uint8Array.of(0), octets);
export const octetString = (octets: Uint8Array): Uint8Array => der(Tag.octetString, octets);
export const NULL: Uint8Array = Uint8Array.of(Tag.null, 0);
