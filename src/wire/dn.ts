/**
 * An X.500 Distinguished Name in DER (RFC 5280 §4.1.2.4) as a line of text, 'C = CA, O = Example, CN = laptop'. For logs:
 * comparing names is for crypto. Reads no more than a bounded name and gives up on anything odd.
 *
 *   Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
 */
import { hex, Malformed, Reader } from './bytes.ts';
import { boundedHex, printable } from './text.ts';

const SEQUENCE = 0x30;
const SET = 0x31;
const OID = 0x06;
const BMP_STRING = 0x1e;
const TEXTS = [0x0c, 0x12, 0x13, 0x14, 0x16, 0x1a]; // UTF8, Numeric, Printable, Teletex, IA5, Visible
const MOST_ATTRIBUTES = 32;
const MOST_VALUE = 128; // characters

/** attribute types by the hex digits of their OIDs: those of RFC 4519 and RFC 5280 §4.1.2.4 */
const shortNames: ReadonlyMap<string, string> = new Map([
  ['550403', 'CN'],
  ['550404', 'SN'],
  ['550405', 'serialNumber'],
  ['550406', 'C'],
  ['550407', 'L'],
  ['550408', 'ST'],
  ['550409', 'street'],
  ['55040a', 'O'],
  ['55040b', 'OU'],
  ['55040c', 'title'],
  ['55042a', 'GN'],
  ['55042e', 'dnQualifier'],
  ['2a864886f70d010901', 'emailAddress'],
  ['0992268993f22c640101', 'UID'],
  ['0992268993f22c640119', 'DC'],
]);

/** undefined when the octets are not one whole name of at most 32 attributes */
export function distinguishedNameText(der: Uint8Array): string | undefined {
  try {
    const r = new Reader(der);
    const name = element(r, SEQUENCE);
    r.end();
    const parts: string[] = [];
    while (name.left > 0) {
      const set = element(name, SET);
      while (set.left > 0) {
        if (parts.length === MOST_ATTRIBUTES) return undefined;
        parts.push(attributeText(element(set, SEQUENCE)));
      }
    }
    return parts.join(', ');
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function attributeText(r: Reader): string {
  const oid = hex(element(r, OID).rest());
  const tag = r.u8();
  const value = r.sub(derLength(r)).rest();
  r.end();
  return `${shortNames.get(oid) ?? `OID ${oid.slice(0, 40)}`} = ${valueText(tag, value)}`;
}

function valueText(tag: number, value: Uint8Array): string {
  if (TEXTS.includes(tag)) return printable(value, MOST_VALUE);
  if (tag !== BMP_STRING || value.length % 2 !== 0) return boundedHex(value, MOST_VALUE);
  const r = new Reader(value.subarray(0, 2 * MOST_VALUE + 2));
  let text = '';
  while (r.left > 0) text += String.fromCharCode(r.u16());
  return printable(text, MOST_VALUE);
}

function element(r: Reader, tag: number): Reader {
  const found = r.u8();
  if (found !== tag) throw new Malformed(`DER tag ${found} where ${tag} belongs`);
  return r.sub(derLength(r));
}

/** definite lengths up to 65535; DER has no others that a name needs */
function derLength(r: Reader): number {
  const head = r.u8();
  if (head < 0x80) return head;
  if (head === 0x81) return r.u8();
  if (head === 0x82) return r.u16();
  throw new Malformed(`DER length octet ${head}`);
}
