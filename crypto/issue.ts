/**
 * A small certificate authority: makes keys and certificates for the lab, for tests and for first steps without a PKI.
 * Written for issuing what we want to see validated, and what we want to see refused, so it checks nothing.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { bitString, context, contextPrimitive, der, integer, octetString, oid, sequence, Tag } from './asn1.ts';
import { algorithmIdentifier, type Scheme, signWith } from './scheme.ts';
import { readPem } from './x509.ts';
import { COMMON_NAME, EMAIL_ADDRESS } from './x509Name.ts';

export type KeyType = 'rsa2048' | 'rsa3072' | 'rsa4096' | 'p256' | 'p384' | 'p521' | 'ed25519' | 'ed448';

/** A certificate and its private key, both PEM; the key is PKCS #8 and not encrypted. */
export type Issued = { readonly certificate: string; readonly key: string };

export type CertificateOrder = {
  /**
   * Pairs from the most significant: `[['O', 'Example'], ['CN', 'laptop']]`. A type is a short name or an object
   * identifier; with a plus in front it joins the pair before.
   */
  readonly subject: readonly (readonly [type: string, value: string])[];
  /** Who signs; absent: self-signed. */
  readonly issuer?: Issued;
  /** The kind of key to make, or one that exists (PEM). */
  readonly key: KeyType | { readonly pem: string };
  /** Seconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** basicConstraints; `pathLength` limits the intermediates below. Absent: an end entity. */
  readonly ca?: { readonly pathLength?: number };
  readonly dns?: readonly string[];
  readonly emails?: readonly string[];
  /** Four or sixteen octets each. */
  readonly addresses?: readonly Uint8Array[];
  readonly uris?: readonly string[];
  /** Names of `PURPOSE`, or object identifiers. */
  readonly eku?: readonly string[];
  /** Absent: what the role needs. The first two octets of the extension; 0 leaves it out. */
  readonly keyUsage?: number;
  /** Subtrees by kind, as they are encoded: `{ dns: ['example.com'] }`. */
  readonly permitted?: Subtrees;
  readonly excluded?: Subtrees;
  /** More extensions, appended as they are. */
  readonly extensions?: readonly { readonly id: string; readonly critical: boolean; readonly value: Uint8Array }[];
  /** How the issuer signs; absent: SHA-256 with PKCS #1, the hash of its curve, or EdDSA. */
  readonly scheme?: Scheme;
  /** Absent: sixteen random octets. */
  readonly serial?: Uint8Array;
};

export type Subtrees = {
  readonly dns?: readonly string[];
  readonly emails?: readonly string[];
  readonly addresses?: readonly Uint8Array[];
};

/** Makes the key, if none is given, and the certificate (version 3). Throws when the order makes no sense to OpenSSL. */
export function issueCertificate(order: CertificateOrder): Issued {
  const key = typeof order.key === 'string' ? makeKey(order.key) : createPrivateKey(order.key.pem);
  const publicKey = createPublicKey(key);
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  const [authority] = order.issuer === undefined ? [] : readPem(order.issuer.certificate);
  const signer = order.issuer === undefined ? key : createPrivateKey(order.issuer.key);
  const scheme = order.scheme ?? defaultScheme(signer);

  const subject = nameDer(order.subject);
  const ownId = keyId(spki);
  const authorityId = authority === undefined ? ownId : (unhexed(authority.fields.subjectKeyId) ?? authority.keyHash);
  const tbs = sequence(
    der(context(0), integer(2)),
    integer(order.serial ?? Uint8Array.of(0x10, ...randomBytes(15))),
    algorithmIdentifier(scheme),
    authority === undefined ? subject : authority.subjectDer,
    sequence(time(order.notBefore), time(order.notAfter)),
    subject,
    spki,
    der(context(3), sequence(...extensions(order, ownId, authorityId))),
  );
  const whole = sequence(tbs, algorithmIdentifier(scheme), bitString(signWith(scheme, signer, tbs)));
  return { certificate: pem('CERTIFICATE', whole), key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** Purposes of extendedKeyUsage that VPN certificates have. */
export const PURPOSE: Readonly<Record<string, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  ipsecIKE: '1.3.6.1.5.5.7.3.17',
  ikeIntermediate: '1.3.6.1.5.5.8.2.2',
};

/** PEM (RFC 7468) around DER octets. */
export function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function makeKey(type: KeyType): KeyObject {
  switch (type) {
    case 'rsa2048':
    case 'rsa3072':
    case 'rsa4096':
      return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(3)) }).privateKey;
    case 'p256':
    case 'p384':
    case 'p521':
      return generateKeyPairSync('ec', { namedCurve: `P-${type.slice(1)}` }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'ed448':
      return generateKeyPairSync('ed448').privateKey;
  }
}

function defaultScheme(key: KeyObject): Scheme {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
    case 'ed448':
      return { kind: 'eddsa', curve: key.asymmetricKeyType };
    case 'ec': {
      const curve = key.asymmetricKeyDetails?.namedCurve;
      return { kind: 'ecdsa', hash: curve === 'secp521r1' ? 'sha512' : curve === 'secp384r1' ? 'sha384' : 'sha256', form: 'der' };
    }
    default:
      return { kind: 'rsa-pkcs1', hash: 'sha256' };
  }
}

function extensions(order: CertificateOrder, ownId: Uint8Array, authorityId: Uint8Array): readonly Uint8Array[] {
  const { ca, eku = [], permitted, excluded } = order;
  const keyUsage = order.keyUsage ?? (ca === undefined ? 0x8000 : 0x0600);
  const names = [
    ...(order.dns ?? []).map((name) => der(0x82, ascii(name))),
    ...(order.emails ?? []).map((name) => der(0x81, ascii(name))),
    ...(order.uris ?? []).map((name) => der(0x86, ascii(name))),
    ...(order.addresses ?? []).map((address) => der(0x87, address)),
  ];
  const pathLength = ca?.pathLength === undefined ? [] : [integer(ca.pathLength)];
  return [
    ...(ca === undefined ? [] : [extension('2.5.29.19', true, sequence(TRUE, ...pathLength))]),
    ...(keyUsage === 0 ? [] : [extension('2.5.29.15', true, keyUsageBits(keyUsage))]),
    ...(eku.length === 0
      ? []
      : [extension('2.5.29.37', false, sequence(...eku.map((purpose) => oid(PURPOSE[purpose] ?? purpose))))]),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', false, sequence(...names))]),
    ...(permitted === undefined && excluded === undefined
      ? []
      : [extension('2.5.29.30', true, sequence(...subtrees(0, permitted), ...subtrees(1, excluded)))]),
    extension('2.5.29.14', false, octetString(ownId)),
    extension('2.5.29.35', false, sequence(der(contextPrimitive(0), authorityId))),
    ...(order.extensions ?? []).map(({ id, critical, value }) => extension(id, critical, value)),
  ];
}

const extension = (id: string, critical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value));

/** Named bits: DER cuts the zeros at the end. */
function keyUsageBits(bits: number): Uint8Array {
  const octets = (bits & 0xff) === 0 ? [bits >> 8] : [bits >> 8, bits & 0xff];
  const last = octets.at(-1) ?? 0;
  const unused = [0, 1, 2, 3, 4, 5, 6, 7].find((n) => (last >> n) & 1) ?? 0;
  return der(Tag.bitString, Uint8Array.of(unused, ...octets));
}

function subtrees(n: number, trees: Subtrees | undefined): readonly Uint8Array[] {
  if (trees === undefined) return [];
  const bases = [
    ...(trees.dns ?? []).map((base) => der(0x82, ascii(base))),
    ...(trees.emails ?? []).map((base) => der(0x81, ascii(base))),
    ...(trees.addresses ?? []).map((base) => der(0x87, base)),
  ];
  return [der(context(n), ...bases.map((base) => sequence(base)))];
}

function nameDer(pairs: CertificateOrder['subject']): Uint8Array {
  const rdns: Uint8Array[][] = [];
  for (const [type, value] of pairs) {
    const short = type.replace(/^\+/, '');
    const id = TYPES[short] ?? short;
    const tag = short === 'C' ? Tag.printableString : id === EMAIL_ADDRESS ? Tag.ia5String : Tag.utf8String;
    const pair = sequence(oid(id), der(tag, new TextEncoder().encode(value)));
    if (type === short) rdns.push([pair]);
    else rdns.at(-1)?.push(pair);
  }
  return sequence(...rdns.map((set) => der(Tag.set, ...set.sort(Buffer.compare))));
}

const TYPES: Readonly<Record<string, string>> = {
  CN: COMMON_NAME,
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  emailAddress: EMAIL_ADDRESS,
};

/** RFC 5280 §4.1.2.5: two digits of the year until 2049, four from then on. */
function time(seconds: number): Uint8Array {
  const digits = new Date(seconds * 1000).toISOString().replace(/\D/g, '').slice(0, 14);
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050
    ? der(Tag.utcTime, ascii(`${digits.slice(2)}Z`))
    : der(Tag.generalizedTime, ascii(`${digits}Z`));
}

/** RFC 5280 §4.2.1.2 method 1, but over the whole SubjectPublicKeyInfo: it only has to be the same on both sides. */
const keyId = (spki: Uint8Array): Uint8Array => new Uint8Array(createHash('sha1').update(spki).digest());
const unhexed = (text: string | undefined): Uint8Array | undefined =>
  text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'hex'));
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const TRUE = Uint8Array.of(Tag.boolean, 1, 0xff);
