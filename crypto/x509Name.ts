/**
 * Names in certificates: distinguished names (RFC 5280 §4.1.2.4) as text and for comparison, and the names of
 * subjectAltName (RFC 5280 §4.2.1.6).
 *
 *   Name        ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
 *   GeneralName ::= CHOICE { rfc822Name [1], dNSName [2], directoryName [4], URI [6], iPAddress [7], … }
 */
import { type Der, DerReader, NotDer, oidText, Tag } from './asn1.ts';

/** One `type = value` of a name; `text` is undefined when the value is no string. `joined`: in one RDN with the one before. */
export type Attribute = {
  readonly type: string;
  readonly text: string | undefined;
  readonly value: Der;
  readonly joined: boolean;
};

/** The attributes of a name, in order, from the most significant. Throws NotDer; at most 64. */
export function readName(octets: Uint8Array): readonly Attribute[] {
  const attributes: Attribute[] = [];
  for (const rdn of DerReader.only(octets, Tag.sequence).rest(MAX_ATTRIBUTES)) {
    if (rdn.tag !== Tag.set) throw new NotDer('a name whose parts are no sets');
    const pairs = new DerReader(rdn.value).rest(MAX_ATTRIBUTES);
    if (pairs.length === 0) throw new NotDer('a name with an empty part');
    for (const [i, pair] of pairs.entries()) {
      if (pair.tag !== Tag.sequence || attributes.length === MAX_ATTRIBUTES)
        throw new NotDer('a name that is broken or too long');
      const reader = new DerReader(pair.value);
      const type = oidText(reader.expect(Tag.oid));
      const value = reader.next();
      reader.end();
      attributes.push({ type, text: stringText(value), value, joined: i > 0 });
    }
  }
  return attributes;
}

/** `C = CA, O = "Example, Inc.", CN = laptop`: as FortiOS and OpenSSL print it, safe to print, at most 512 characters. */
export function nameText(attributes: readonly Attribute[]): string {
  const parts = attributes.map(({ type, text, value, joined }, i) => {
    const separator = i === 0 ? '' : joined ? ' + ' : ', ';
    return `${separator}${SHORT_NAMES.get(type) ?? type} = ${text === undefined ? `#${hex(value.whole, 32)}` : quoted(text)}`;
  });
  return bounded(parts.join(''), MAX_TEXT);
}

/** `/C=CA/O=Example/CN=laptop`: as OpenSSL prints a name among other names, safe to print, at most 512 characters. */
export function nameLine(attributes: readonly Attribute[]): string {
  const parts = attributes.map(({ type, text, value }) => {
    const shown = text === undefined ? `#${hex(value.whole, 32)}` : printable(text.replace(/[/\\]/g, '\\$&'));
    return `/${SHORT_NAMES.get(type) ?? type}=${shown}`;
  });
  return bounded(parts.join(''), MAX_TEXT);
}

/**
 * The name as RFC 5280 §7.1 compares it: two names are equal when these texts are. Strings of whatever type count by
 * their characters, without regard to case and to how many spaces there are; other values octet for octet.
 */
export function comparableName(attributes: readonly Attribute[]): string {
  const rdns: string[][] = [];
  for (const { type, text, value, joined } of attributes) {
    const pair = `${type}=${text === undefined ? `#${hex(value.whole)}` : JSON.stringify(prepared(text))}`;
    if (joined) rdns.at(-1)?.push(pair);
    else rdns.push([pair]);
  }
  return rdns.map((pairs) => pairs.sort().join('+')).join(',');
}

/** The text of an attribute if the name has it exactly once and it can be printed. */
export function singleText(attributes: readonly Attribute[], type: string): string | undefined {
  const [only, second] = attributes.filter((attribute) => attribute.type === type);
  return only?.text !== undefined && second === undefined && isPlain(only.text) ? only.text : undefined;
}

export const COMMON_NAME = '2.5.4.3';
export const EMAIL_ADDRESS = '1.2.840.113549.1.9.1';

/** One of subjectAltName, or the base of a name constraint. Text as it stands in the certificate: compare it, do not print it. */
export type GeneralName =
  | { readonly kind: 'email' | 'dns' | 'uri'; readonly text: string }
  | { readonly kind: 'directory'; readonly name: readonly Attribute[] }
  /** Four or sixteen octets; twice as many in a constraint: address and mask. */
  | { readonly kind: 'address'; readonly octets: Uint8Array }
  | { readonly kind: 'other'; readonly tag: number };

/** Throws NotDer. */
export function readGeneralName({ tag, value }: Der): GeneralName {
  switch (tag) {
    case 0x81:
      return { kind: 'email', text: ia5(value) };
    case 0x82:
      return { kind: 'dns', text: ia5(value) };
    case 0x86:
      return { kind: 'uri', text: ia5(value) };
    case 0x87:
      if (![4, 8, 16, 32].includes(value.length)) throw new NotDer(`an address of ${value.length} octets`);
      return { kind: 'address', octets: value };
    case 0xa4:
      return { kind: 'directory', name: readName(value) };
    default:
      return { kind: 'other', tag };
  }
}

/** RFC 5280 §7.5: the host part without regard to case, the local part with it. */
export function sameEmail(a: string, b: string): boolean {
  const [at, bt] = [a.lastIndexOf('@'), b.lastIndexOf('@')];
  return at > 0 && at === bt && a.slice(0, at) === b.slice(0, bt) && sameDns(a.slice(at + 1), b.slice(bt + 1));
}

/** Without regard to case (ASCII: internationalised names are in their `xn--` form) and to a final dot. */
export const sameDns = (a: string, b: string): boolean => a.length > 0 && foldDns(a) === foldDns(b);
export const foldDns = (name: string): string => lowerAscii(name).replace(/\.$/, '');

/** No control, format or unassigned character, no line end: fit to be printed, and not to be confused with an escape. */
export const isPlain = (text: string): boolean => !UNPRINTABLE.test(text);

/** `text` fit to be printed: what cannot be is escaped, what is too long is cut. */
export const bounded = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1)}…`);

export function hex(octets: Uint8Array, max = Number.POSITIVE_INFINITY): string {
  return Array.from(octets.subarray(0, max), (octet) => octet.toString(16).padStart(2, '0')).join('');
}

/** The characters of a string value; undefined for another type or for octets that its type does not allow. */
function stringText({ tag, value }: Der): string | undefined {
  try {
    switch (tag) {
      case Tag.utf8String:
        return utf8.decode(value);
      case Tag.printableString:
      case Tag.ia5String:
        return ia5(value);
      case Tag.teletexString:
        return String.fromCharCode(...value.subarray(0, MAX_VALUE)); // Latin-1 in practice
      case Tag.bmpString:
        return utf16.decode(value);
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function ia5(value: Uint8Array): string {
  if (value.length > MAX_VALUE || value.some((octet) => octet > 0x7f)) throw new NotDer('a string that is not ASCII or too long');
  return String.fromCharCode(...value);
}

/** Escapes what cannot be printed; quotes what would look like more than one value (RFC 2253 §2.4). */
function quoted(text: string): string {
  const safe = printable(text.replace(/["\\]/g, '\\$&'));
  return /[,+"\\<>;=]|^[# ]| $/.test(text) || text === '' ? `"${safe}"` : safe;
}

const printable = (text: string): string => text.replace(UNPRINTABLE_ALL, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);

/** RFC 4518 in short: compatible characters, one case, single spaces. */
const prepared = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();

const lowerAscii = (text: string): string => text.replace(/[A-Z]/g, (c) => c.toLowerCase());

const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.4', 'SN'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'street'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.12', 'title'],
  ['2.5.4.42', 'GN'],
  ['2.5.4.46', 'dnQualifier'],
  [EMAIL_ADDRESS, 'emailAddress'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
]);

const MAX_ATTRIBUTES = 64;
const MAX_VALUE = 1024;
const MAX_TEXT = 512;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const UNPRINTABLE_ALL = /[\p{C}\p{Zl}\p{Zp}]/gu;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true });
