/**
 * The extensions of a certificate (RFC 5280 §4.2) under the names and in the words of OpenSSL. What is not known here, or is not
 * what its name promises, stands as hexadecimal digits.
 */
import {
  booleanValue,
  context,
  contextPrimitive,
  type Der,
  DerReader,
  nameLine,
  oidText,
  readName,
  smallInteger,
  Tag,
} from '../../crypto/index.ts';

/** Elements of a list that are read, and octets of what is shown as digits. */
const MOST = 512;
const DIGITS = 128;

/** 'X509v3 Key Usage', or the object identifier. */
export const extensionName = (id: string): string => kinds.get(id)?.name ?? id;

/** Its contents; lines after the first begin where OpenSSL lets them begin. Never throws. */
export function extensionText(id: string, value: Uint8Array): string {
  const read = kinds.get(id)?.read;
  try {
    if (read !== undefined) return read(value);
  } catch {
    // It is not what it should be: as it stands.
  }
  return colons(value.subarray(0, DIGITS)) + (value.length > DIGITS ? '…' : '');
}

/** 'AB:CD:EF' */
export const colons = (octets: Uint8Array): string =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, '0').toUpperCase()).join(':');

/** The octets of a serial number without the one that only says that it is positive. */
export const magnitude = (serial: Uint8Array): Uint8Array => (serial.length > 1 && serial[0] === 0 ? serial.subarray(1) : serial);

function basicConstraints(value: Uint8Array): string {
  const reader = DerReader.only(value, Tag.sequence);
  const flag = reader.optional(Tag.boolean);
  const length = reader.optional(Tag.integer);
  reader.end();
  const limit = length === undefined ? '' : `, pathlen:${smallInteger(length)}`;
  return `CA:${flag !== undefined && booleanValue(flag) ? 'TRUE' : 'FALSE'}${limit}`;
}

const USAGES = [
  ...['Digital Signature', 'Non Repudiation', 'Key Encipherment', 'Data Encipherment', 'Key Agreement', 'Certificate Sign'],
  ...['CRL Sign', 'Encipher Only', 'Decipher Only'],
];

function keyUsage(value: Uint8Array): string {
  const [, ...octets] = only(value, Tag.bitString);
  const set = USAGES.filter((_, bit) => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
  return set.join(', ');
}

const PURPOSES: ReadonlyMap<string, string> = new Map([
  ['1.3.6.1.5.5.7.3.1', 'TLS Web Server Authentication'],
  ['1.3.6.1.5.5.7.3.2', 'TLS Web Client Authentication'],
  ['1.3.6.1.5.5.7.3.3', 'Code Signing'],
  ['1.3.6.1.5.5.7.3.4', 'E-mail Protection'],
  ['1.3.6.1.5.5.7.3.5', 'IPSec End System'],
  ['1.3.6.1.5.5.7.3.6', 'IPSec Tunnel'],
  ['1.3.6.1.5.5.7.3.7', 'IPSec User'],
  ['1.3.6.1.5.5.7.3.8', 'Time Stamping'],
  ['1.3.6.1.5.5.7.3.9', 'OCSP Signing'],
  ['1.3.6.1.5.5.7.3.17', 'ipsec Internet Key Exchange'],
  ['2.5.29.37.0', 'Any Extended Key Usage'],
]);

const extendedKeyUsage = (value: Uint8Array): string =>
  sequenceOf(value)
    .map((purpose) => oidText(purpose))
    .map((id) => PURPOSES.get(id) ?? id)
    .join(', ');

function authorityKey(value: Uint8Array): string {
  const reader = DerReader.only(value, Tag.sequence);
  const [key, issuer, serial] = [
    reader.optional(contextPrimitive(0)),
    reader.optional(context(1)),
    reader.optional(contextPrimitive(2)),
  ];
  reader.end();
  return [
    ...(key === undefined ? [] : [`keyid:${colons(key.value)}`]),
    ...(issuer === undefined ? [] : names(new DerReader(issuer.value).rest(MOST))),
    ...(serial === undefined ? [] : [`serial:${colons(magnitude(serial.value))}`]),
  ].join('\n');
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['1.3.6.1.5.5.7.48.1', 'OCSP'],
  ['1.3.6.1.5.5.7.48.2', 'CA Issuers'],
]);

const access = (value: Uint8Array): string =>
  sequenceOf(value)
    .map(({ whole }) => {
      const reader = DerReader.only(whole, Tag.sequence);
      const method = oidText(reader.expect(Tag.oid));
      return `${METHODS.get(method) ?? method} - ${name(reader.next())}`;
    })
    .join('\n');

function distributionPoints(value: Uint8Array): string {
  const lines = sequenceOf(value).flatMap(({ whole }) => {
    const point = DerReader.only(whole, Tag.sequence).expect(context(0));
    const full = new DerReader(point.value).expect(context(0));
    return ['Full Name:', ...names(new DerReader(full.value).rest(MOST)).map((one) => `  ${one}`)];
  });
  return lines.join('\n');
}

const CPS = '1.3.6.1.5.5.7.2.1';

const policies = (value: Uint8Array): string =>
  sequenceOf(value)
    .flatMap(({ whole }) => {
      const reader = DerReader.only(whole, Tag.sequence);
      const policy = oidText(reader.expect(Tag.oid));
      const qualifiers = reader.optional(Tag.sequence);
      const stated = qualifiers === undefined ? [] : new DerReader(qualifiers.value).rest(MOST).flatMap(statement);
      return [`Policy: ${policy}`, ...stated];
    })
    .join('\n');

function statement({ whole }: Der): readonly string[] {
  const reader = DerReader.only(whole, Tag.sequence);
  const kind = oidText(reader.expect(Tag.oid));
  return kind === CPS ? [`  CPS: ${plain(reader.expect(Tag.ia5String).value)}`] : [`  Unknown Qualifier: ${kind}`];
}

const names = (all: readonly Der[]): readonly string[] => all.map(name);

/** A GeneralName (RFC 5280 §4.2.1.6). */
function name({ tag, value }: Der): string {
  switch (tag) {
    case 0x81:
      return `email:${plain(value)}`;
    case 0x82:
      return `DNS:${plain(value)}`;
    case 0x86:
      return `URI:${plain(value)}`;
    case 0x87:
      return `IP Address:${address(value)}`;
    case 0x88:
      return `Registered ID:${oidText({ tag: Tag.oid, value, whole: value })}`;
    case 0xa0:
      return 'othername:<unsupported>';
    case 0xa3:
      return 'X400Name:<unsupported>';
    case 0xa4:
      return `DirName:${nameLine(readName(value))}`;
    case 0xa5:
      return 'EdiPartyName:<unsupported>';
    default:
      throw new Error('no general name');
  }
}

/** IPv6 in eight groups, in capitals, as OpenSSL has it. */
function address(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) return '<invalid>';
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  return groups.map((group) => group.toString(16).toUpperCase()).join(':');
}

/** Text of a certificate: a comma in it must not look like the next name, nor anything like an order to the terminal. */
function plain(octets: Uint8Array): string {
  const text = String.fromCharCode(...octets.subarray(0, 1024));
  return /^[!-~]*$/.test(text) && !/[",]/.test(text)
    ? text
    : `"${text.replace(/["\\]/g, '\\$&').replace(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

const sequenceOf = (value: Uint8Array): readonly Der[] => DerReader.only(value, Tag.sequence).rest(MOST);

function only(value: Uint8Array, tag: number): Uint8Array {
  const reader = new DerReader(value);
  const { value: inner } = reader.expect(tag);
  reader.end();
  return inner;
}

type Kind = { readonly name: string; readonly read?: (value: Uint8Array) => string };

const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['2.5.29.14', { name: 'X509v3 Subject Key Identifier', read: (value) => colons(only(value, Tag.octetString)) }],
  ['2.5.29.15', { name: 'X509v3 Key Usage', read: keyUsage }],
  ['2.5.29.17', { name: 'X509v3 Subject Alternative Name', read: (value) => names(sequenceOf(value)).join(', ') }],
  ['2.5.29.18', { name: 'X509v3 Issuer Alternative Name', read: (value) => names(sequenceOf(value)).join(', ') }],
  ['2.5.29.19', { name: 'X509v3 Basic Constraints', read: basicConstraints }],
  ['2.5.29.30', { name: 'X509v3 Name Constraints' }],
  ['2.5.29.31', { name: 'X509v3 CRL Distribution Points', read: distributionPoints }],
  ['2.5.29.32', { name: 'X509v3 Certificate Policies', read: policies }],
  ['2.5.29.35', { name: 'X509v3 Authority Key Identifier', read: authorityKey }],
  ['2.5.29.37', { name: 'X509v3 Extended Key Usage', read: extendedKeyUsage }],
  ['1.3.6.1.5.5.7.1.1', { name: 'Authority Information Access', read: access }],
  ['1.3.6.1.5.5.7.1.24', { name: 'TLS Feature' }],
  ['1.3.6.1.4.1.11129.2.4.2', { name: 'CT Precertificate SCTs' }],
  ['2.16.840.1.113730.1.1', { name: 'Netscape Cert Type' }],
  ['2.16.840.1.113730.1.13', { name: 'Netscape Comment', read: (value) => plain(only(value, Tag.ia5String)) }],
]);
