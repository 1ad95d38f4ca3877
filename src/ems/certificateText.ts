/**
 * A certificate as a person is asked to judge it: in the layout of `execute fctems verify`, its extensions named and printed as
 * OpenSSL prints them. Reads any certificate that is DER (X.690, RFC 5280 §4.1), believes nothing in it, and prints none of its
 * octets that a terminal could take for something else.
 */
import { createHash } from 'node:crypto';
import { booleanValue, context, type Der, DerReader, nameText, oidText, readName, Tag, timeValue } from '../../crypto/index.ts';
import { colons, extensionName, extensionText, magnitude } from './extensionText.ts';

const INDENT = ' '.repeat(8);
const DEEPER = ' '.repeat(16);
const MOST = 64;
const BASIC_CONSTRAINTS = '2.5.29.19';

/**
 * The lines, from Subject to the last extension.
 *
 * @throws Error when it is no certificate
 */
export function certificateText(der: Uint8Array): string {
  const { subject, issuer, from, to, version, serial, extensions } = read(der);
  const authority = extensions.find(({ id }) => id === BASIC_CONSTRAINTS);
  const root =
    subject === issuer && authority !== undefined && extensionText(authority.id, authority.value).startsWith('CA:TRUE');
  const lines = [
    `Subject:     ${subject}`,
    `Issuer:      ${issuer}`,
    `Valid from:  ${timeText(from)}`,
    `Valid to:    ${timeText(to)}`,
    `Fingerprint: ${colons(createHash('md5').update(der).digest())}`,
    `Root CA:     ${root ? 'Yes' : 'No'}`,
    `Version:     ${version}`,
    'Serial Num:',
    `${INDENT}${colons(serial).toLowerCase()}`,
    'Extensions:',
  ];
  const blocks = extensions.map(({ id, critical, value }) => [
    `${DEEPER}Name:     ${extensionName(id)}`,
    `${DEEPER}Critical: ${critical ? 'yes' : 'no'}`,
    `${DEEPER}Content:`,
    // OpenSSL prints what takes more than one line without regard for where it stands.
    `${DEEPER}${extensionText(id, value)}`,
    '',
  ]);
  return `${[...lines.map((line) => INDENT + line), ...blocks.flat()].join('\n')}\n`;
}

type Extension = { readonly id: string; readonly critical: boolean; readonly value: Uint8Array };

function read(octets: Uint8Array) {
  const tbs = DerReader.only(octets, Tag.sequence).enter(Tag.sequence);
  const version = tbs.optional(context(0));
  const serial = tbs.expect(Tag.integer).value;
  tbs.expect(Tag.sequence);
  const issuer = nameText(readName(tbs.expect(Tag.sequence).whole));
  const validity = tbs.enter(Tag.sequence);
  const [from, to] = [timeValue(validity.next()), timeValue(validity.next())];
  const subject = nameText(readName(tbs.expect(Tag.sequence).whole));
  tbs.expect(Tag.sequence);
  const block = tbs.rest(3).find(({ tag }) => tag === context(3));
  return {
    ...{ subject, issuer, from, to },
    version: (version?.value[2] ?? 0) + 1, // the INTEGER inside, 0 for version 1
    serial: magnitude(serial),
    extensions: block === undefined ? [] : DerReader.only(block.value, Tag.sequence).rest(MOST).map(readExtension),
  };
}

function readExtension({ whole }: Der): Extension {
  const reader = DerReader.only(whole, Tag.sequence);
  const id = oidText(reader.expect(Tag.oid));
  const flag = reader.optional(Tag.boolean);
  return { id, critical: flag !== undefined && booleanValue(flag), value: reader.expect(Tag.octetString).value };
}

/** '2027-12-02 18:08:13  GMT' */
const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/^(.*)T(.*)\.000Z$/, '$1 $2  GMT');
