/**
 * Signature schemes and their AlgorithmIdentifiers (RFC 7427 appendix A, RFC 4055, RFC 5758, RFC 8410), as they stand in
 * AUTH payloads of method 14 and in certificates.
 *
 *   AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
 *   RSASSA-PSS-params   ::= SEQUENCE { [0] hash, [1] MGF1 with its hash, [2] salt length, [3] trailer field }
 */
import { constants, type KeyObject, sign, verify } from 'node:crypto';
import { context, DerReader, der, integer, NotDer, NULL, oid, oidText, sequence, smallInteger, Tag } from './asn1.ts';
import type { KeyKind } from './keys.ts';

export type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export type Scheme =
  | { readonly kind: 'rsa-pkcs1'; readonly hash: HashName }
  | { readonly kind: 'rsa-pss'; readonly hash: HashName; readonly salt: number }
  /** `form`: DER in certificates and method 14, the raw pair r | s in RFC 4754. */
  | { readonly kind: 'ecdsa'; readonly hash: HashName; readonly form: 'der' | 'raw' }
  | { readonly kind: 'eddsa'; readonly curve: 'ed25519' | 'ed448' };

/** The key kind that a scheme needs. */
export function keyKindOf(scheme: Scheme): KeyKind {
  switch (scheme.kind) {
    case 'rsa-pkcs1':
    case 'rsa-pss':
      return 'rsa';
    case 'ecdsa':
      return 'ecdsa';
    case 'eddsa':
      return scheme.curve;
  }
}

/** `RSA-PSS with SHA-256`, for log lines. */
export function schemeName(scheme: Scheme): string {
  switch (scheme.kind) {
    case 'rsa-pkcs1':
      return `RSA with ${HASHES[scheme.hash].name}`;
    case 'rsa-pss':
      return `RSA-PSS with ${HASHES[scheme.hash].name}`;
    case 'ecdsa':
      return `ECDSA with ${HASHES[scheme.hash].name}`;
    case 'eddsa':
      return scheme.curve === 'ed25519' ? 'Ed25519' : 'Ed448';
  }
}

/** Hash of a number of the "IKEv2 Hash Algorithms" registry and back; 5, Identity, is the number of EdDSA (RFC 8420). */
export function hashOfNumber(number: number): HashName | undefined {
  return HASH_NAMES.find((hash) => HASHES[hash].number === number);
}
export function hashNumber(scheme: Scheme): number {
  return scheme.kind === 'eddsa' ? IDENTITY : HASHES[scheme.hash].number;
}
export const IDENTITY = 5;

export const hashOctets = (hash: HashName): number => HASHES[hash].octets;

/** The AlgorithmIdentifier in DER. PSS parameters that have their default value are left out, as DER wants. */
export function algorithmIdentifier(scheme: Scheme): Uint8Array {
  switch (scheme.kind) {
    case 'rsa-pkcs1':
      return sequence(oid(HASHES[scheme.hash].rsa), NULL);
    case 'ecdsa':
      return sequence(oid(HASHES[scheme.hash].ecdsa));
    case 'eddsa':
      return sequence(oid(scheme.curve === 'ed25519' ? OID.ed25519 : OID.ed448));
    case 'rsa-pss': {
      const hash = sequence(oid(HASHES[scheme.hash].oid), NULL);
      const named = scheme.hash === 'sha1' ? [] : [der(context(0), hash), der(context(1), sequence(oid(OID.mgf1), hash))];
      const salt = scheme.salt === 20 ? [] : [der(context(2), integer(scheme.salt))];
      return sequence(oid(OID.pss), sequence(...named, ...salt));
    }
  }
}

/** The scheme that an AlgorithmIdentifier names, or why it is none of ours. Never throws. */
export function readAlgorithmIdentifier(octets: Uint8Array): Scheme | { readonly why: string } {
  try {
    const reader = DerReader.only(octets, Tag.sequence);
    const algorithm = oidText(reader.expect(Tag.oid));
    const parameters = reader.done ? undefined : reader.next();
    reader.end();
    if (algorithm === OID.pss) return readPss(parameters?.whole);
    const scheme = BY_OID.get(algorithm);
    if (scheme === undefined) return { why: `signature algorithm ${algorithm} is not known here` };
    const nullParameters = parameters?.tag === Tag.null && parameters.value.length === 0;
    // RFC 7427 §3: NULL or nothing, whichever of the two the other end prefers.
    if (parameters !== undefined && !nullParameters) return { why: `signature algorithm ${algorithm} with parameters` };
    return scheme;
  } catch (error) {
    if (error instanceof NotDer) return { why: `broken AlgorithmIdentifier: ${error.message}` };
    throw error;
  }
}

function readPss(octets: Uint8Array | undefined): Scheme | { readonly why: string } {
  if (octets === undefined) return { why: 'RSA-PSS without parameters' };
  const reader = DerReader.only(octets, Tag.sequence);
  const field = (n: number): Uint8Array | undefined => reader.optional(context(n))?.value;
  const [hashField, maskField, saltField, trailerField] = [field(0), field(1), field(2), field(3)];
  reader.end();

  const hash = hashField === undefined ? 'sha1' : readHash(hashField);
  const maskHash = maskField === undefined ? 'sha1' : readMask(maskField);
  if (hash === undefined || maskHash === undefined) return { why: 'RSA-PSS with a hash or mask function that is not known here' };
  if (hash !== maskHash) return { why: 'RSA-PSS with two different hashes' };
  const salt = saltField === undefined ? 20 : onlyInteger(saltField);
  if (salt > MAX_SALT) return { why: `RSA-PSS with a salt of ${salt} octets` };
  // FortiOS writes the trailer field out although 1 is its default.
  if (trailerField !== undefined && onlyInteger(trailerField) !== 1) return { why: 'RSA-PSS with another trailer than 1' };
  return { kind: 'rsa-pss', hash, salt };
}

function readHash(octets: Uint8Array): HashName | undefined {
  const reader = DerReader.only(octets, Tag.sequence);
  const algorithm = oidText(reader.expect(Tag.oid));
  if (!reader.done && reader.expect(Tag.null).value.length !== 0) return undefined;
  reader.end();
  return HASH_NAMES.find((hash) => HASHES[hash].oid === algorithm);
}

function readMask(octets: Uint8Array): HashName | undefined {
  const reader = DerReader.only(octets, Tag.sequence);
  if (oidText(reader.expect(Tag.oid)) !== OID.mgf1) return undefined;
  const hash = readHash(reader.next().whole);
  reader.end();
  return hash;
}

function onlyInteger(octets: Uint8Array): number {
  const reader = new DerReader(octets);
  const value = smallInteger(reader.expect(Tag.integer));
  reader.end();
  return value;
}

/** Signs with a key of the right kind. */
export function signWith(scheme: Scheme, key: KeyObject, octets: Uint8Array): Uint8Array {
  return new Uint8Array(sign(digestOf(scheme), octets, optionsOf(scheme, key)));
}

/** Is this the signature? False as well for everything that OpenSSL cannot read as one. */
export function verifyWith(scheme: Scheme, key: KeyObject, octets: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(digestOf(scheme), octets, optionsOf(scheme, key), signature);
  } catch {
    return false;
  }
}

const digestOf = (scheme: Scheme): HashName | null => (scheme.kind === 'eddsa' ? null : scheme.hash);

function optionsOf(scheme: Scheme, key: KeyObject) {
  switch (scheme.kind) {
    case 'rsa-pkcs1':
      return { key, padding: constants.RSA_PKCS1_PADDING };
    case 'rsa-pss':
      return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.salt };
    case 'ecdsa':
      return { key, dsaEncoding: scheme.form === 'der' ? ('der' as const) : ('ieee-p1363' as const) };
    case 'eddsa':
      return { key };
  }
}

const HASH_NAMES = ['sha1', 'sha256', 'sha384', 'sha512'] as const satisfies readonly HashName[];

const HASHES = {
  sha1: hash(1, 'SHA-1', 20, '1.3.14.3.2.26', '1.2.840.113549.1.1.5', '1.2.840.10045.4.1'),
  sha256: hash(2, 'SHA-256', 32, '2.16.840.1.101.3.4.2.1', '1.2.840.113549.1.1.11', '1.2.840.10045.4.3.2'),
  sha384: hash(3, 'SHA-384', 48, '2.16.840.1.101.3.4.2.2', '1.2.840.113549.1.1.12', '1.2.840.10045.4.3.3'),
  sha512: hash(4, 'SHA-512', 64, '2.16.840.1.101.3.4.2.3', '1.2.840.113549.1.1.13', '1.2.840.10045.4.3.4'),
} satisfies Record<HashName, unknown>;

function hash(number: number, name: string, octets: number, oid: string, rsa: string, ecdsa: string) {
  return { number, name, octets, oid, rsa, ecdsa };
}

const OID = {
  pss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
} as const;

const BY_OID: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ...HASH_NAMES.flatMap((hash): [string, Scheme][] => [
    [HASHES[hash].rsa, { kind: 'rsa-pkcs1', hash }],
    [HASHES[hash].ecdsa, { kind: 'ecdsa', hash, form: 'der' }],
  ]),
  [OID.ed25519, { kind: 'eddsa', curve: 'ed25519' }],
  [OID.ed448, { kind: 'eddsa', curve: 'ed448' }],
]);

/** The longest salt that a modulus of 8192 bits has room for beside SHA-1; each key bounds it further. */
const MAX_SALT = 1024 - 20 - 2;
