/**
 * Messages and identities as text for logs. Everything comes from a peer: what is printed is bounded and holds no control
 * character.
 */
import { addressText } from './address.ts';
import { distinguishedNameText } from './dn.ts';
import { limits } from './limits.ts';
import { IdType, idTypeName, payloadName } from './numbers.ts';
import type { Payload } from './payload.ts';
import { boundedHex, plainText, printable } from './text.ts';

const MOST_IDENTITY = 256; // characters

/**
 * Type and text of an Identification payload (§3.5). The type is IANA's label, but USER_FQDN for RFC822_ADDR as FortiOS logs
 * it, or the number. The text is an address, a name, a distinguished name, or hex digits when the data is none of what the
 * type says. Never throws.
 */
export function describeIdentity(idType: number, data: Uint8Array): { readonly type: string; readonly text: string } {
  const type = idType === IdType.RFC822_ADDR ? 'USER_FQDN' : idTypeName(idType);
  return { type, text: identityText(idType, data) };
}

function identityText(idType: number, data: Uint8Array): string {
  switch (idType) {
    case IdType.IPV4_ADDR:
      return data.length === 4 ? addressText(data) : boundedHex(data, MOST_IDENTITY);
    case IdType.IPV6_ADDR:
      return data.length === 16 ? addressText(data) : boundedHex(data, MOST_IDENTITY);
    case IdType.FQDN:
    case IdType.RFC822_ADDR:
      return printable(data, MOST_IDENTITY);
    case IdType.DER_ASN1_DN:
      return printable(distinguishedNameText(data) ?? boundedHex(data, MOST_IDENTITY), 2 * MOST_IDENTITY);
    default:
      return plainText(data) === undefined ? boundedHex(data, MOST_IDENTITY) : printable(data, MOST_IDENTITY);
  }
}

/**
 * The payloads by their RFC notation in one line: 'IDi N(INITIAL_CONTACT) CP SA TSi TSr'. Unknown ones by number: N(40960),
 * TYPE(200).
 */
export function describePayloads(payloads: readonly Payload[]): string {
  const words = payloads.slice(0, limits.payloads).map(word);
  if (payloads.length > limits.payloads) words.push('…');
  return words.join(' ');
}

function word(payload: Payload): string {
  switch (payload.kind) {
    case 'N':
      return `N(${payload.name === 'UNKNOWN' ? payload.type : payload.name})`;
    case 'UNKNOWN':
      return `TYPE(${payloadName(payload.type)})`;
    default:
      return payload.kind;
  }
}
