/**
 * AUTH signatures (RFC 7296 §2.15): which method and scheme a key and a peer agree on, making and verifying them.
 *
 *   method 1        RSA PKCS #1 v1.5 with SHA-1 (§3.8)
 *   methods 9-11    ECDSA on P-256, P-384, P-521 with SHA-256, -384, -512 (RFC 4754): r | s, each as long as the curve
 *   method 14       | ASN.1 length (1) | AlgorithmIdentifier | signature |  (RFC 7427 §3); EdDSA by RFC 8420
 */
import { DerReader, Tag } from './asn1.ts';
import { judgeKey, type KeyKind, keyName, type PrivateKey } from './keys.ts';
import {
  algorithmIdentifier,
  hashNumber,
  hashOctets,
  hashOfNumber,
  IDENTITY,
  keyKindOf,
  readAlgorithmIdentifier,
  type Scheme,
  schemeName,
  signWith,
  verifyWith,
} from './scheme.ts';
import type { Certificate } from './x509.ts';

export type SignatureMethod = 1 | 9 | 10 | 11 | 14;

export type SignatureChoice = {
  readonly method: SignatureMethod;
  /** For log lines: `RSA with SHA-256`. */
  readonly name: string;
  readonly scheme: Scheme;
  /** What stands before the signature in the AUTH data; empty for the classic methods. */
  readonly prefix: Uint8Array;
};

/** The hashes we want to sign with (numbers of the IANA registry, the preferred first), and the RSA padding of method 14. */
export type SignatureWish = { readonly hashes: readonly number[]; readonly rsaFormat: 'pkcs1' | 'pss' };

/**
 * How to sign for this peer. `offered` is its SIGNATURE_HASH_ALGORITHMS, undefined when it sent none.
 * Method 14 with a hash that both sides want, else the classic method of the key, else why neither is possible.
 */
export function chooseSignature(
  key: PrivateKey,
  offered: readonly number[] | undefined,
  wish: SignatureWish,
): SignatureChoice | { readonly why: string } {
  if (key.kind === 'ed25519' || key.kind === 'ed448') {
    // RFC 8420 §2: EdDSA must not be sent to a peer that has not offered Identity.
    if (offered?.includes(IDENTITY)) return choice(14, { kind: 'eddsa', curve: key.kind });
    const has = offered === undefined ? 'no SIGNATURE_HASH_ALGORITHMS' : 'a hash list without Identity';
    return { why: `the peer sent ${has}, so our ${keyName(key)} key cannot sign for it: use an RSA or ECDSA certificate` };
  }
  const hash = offered === undefined ? undefined : commonHash(key, offered, wish.hashes);
  if (hash === undefined) return classic(key);
  if (key.kind === 'ecdsa') return choice(14, { kind: 'ecdsa', hash, form: 'der' });
  return choice(14, wish.rsaFormat === 'pss' ? { kind: 'rsa-pss', hash, salt: hashOctets(hash) } : { kind: 'rsa-pkcs1', hash });
}

/** The AUTH data over `octets` (the signed octets of §2.15). The key must be the one that the choice was made for. */
export function makeSignature({ scheme, prefix }: SignatureChoice, key: PrivateKey, octets: Uint8Array): Uint8Array {
  const signature = signWith(scheme, key.key, octets);
  if (prefix.length === 0) return signature;
  const data = new Uint8Array(prefix.length + signature.length);
  data.set(prefix);
  data.set(signature, prefix.length);
  return data;
}

/**
 * Is `data`, sent under `method`, a signature over `octets` by the key of this certificate? `offered` is the
 * SIGNATURE_HASH_ALGORITHMS that we sent: method 14 may use nothing else (RFC 7427 §4). Says nothing about the
 * certificate's own worth: that is `validatePath`.
 */
export function verifySignature(
  cert: Certificate,
  method: number,
  data: Uint8Array,
  octets: Uint8Array,
  offered?: readonly number[],
): { readonly ok: true; readonly name: string } | { readonly ok: false; readonly why: string } {
  const key = judgeKey(cert.publicKey);
  if ('why' in key) return no(`the key of the certificate is refused: ${key.why}`);
  const claim = method === 14 ? readClaim(data) : classicClaim(method, data);
  if ('why' in claim) return no(method === 14 && isBare(key, data) ? BARE : claim.why);

  const { scheme, signature } = claim;
  const name = schemeName(scheme);
  if (keyKindOf(scheme) !== key.kind) return no(`${name} by a certificate whose key is ${keyName(key)}`);
  if (method !== 14 && scheme.kind === 'ecdsa' && classicBits(method) !== key.bits)
    return no(`AUTH method ${method} by a certificate whose key is ${keyName(key)}`);
  if (method === 14 && offered !== undefined && !offered.includes(hashNumber(scheme)))
    return no(`${name}, which we did not offer`);
  if (scheme.kind === 'rsa-pss' && scheme.salt > Math.ceil((key.bits - 1) / 8) - hashOctets(scheme.hash) - 2)
    // RFC 8017 §9.1.1

    return no(`RSA-PSS with a salt of ${scheme.salt} octets, too long for ${keyName(key)}`);
  const length = signatureOctets(scheme, key.bits);
  if (length !== undefined && signature.length !== length)
    return no(`${name} with a signature of ${signature.length} octets, not ${length}`);
  return verifyWith(scheme, cert.publicKey, octets, signature) ? { ok: true, name } : no(`${name}: the signature is wrong`);
}

const no = (why: string) => ({ ok: false, why }) as const;

type Claim = { readonly scheme: Scheme; readonly signature: Uint8Array };

/** Splits the data of method 14. */
function readClaim(data: Uint8Array): Claim | { readonly why: string } {
  const length = data[0] ?? 0;
  if (length === 0 || 1 + length >= data.length)
    return { why: `AlgorithmIdentifier of ${length} octets in ${data.length} octets of AUTH data` };
  const scheme = readAlgorithmIdentifier(data.subarray(1, 1 + length));
  return 'why' in scheme ? scheme : { scheme, signature: data.subarray(1 + length) };
}

function classicClaim(method: number, data: Uint8Array): Claim | { readonly why: string } {
  const scheme = CLASSIC.get(method);
  return scheme === undefined ? { why: `AUTH method ${method} is no signature that we know` } : { scheme, signature: data };
}

/** FortiClient 7.4.4 and 7.4.5 forget the AlgorithmIdentifier: the data is nothing but the signature. */
function isBare(key: { readonly kind: KeyKind; readonly bits: number }, data: Uint8Array): boolean {
  const field = Math.ceil(key.bits / 8);
  switch (key.kind) {
    case 'rsa':
      return data.length === field;
    case 'ecdsa':
      return data.length === 2 * field || isPairOfIntegers(data);
    case 'ed25519':
      return data.length === 64;
    case 'ed448':
      return data.length === 114;
  }
}

function isPairOfIntegers(data: Uint8Array): boolean {
  try {
    const pair = DerReader.only(data, Tag.sequence).rest(2);
    return pair.length === 2 && pair.every(({ tag }) => tag === Tag.integer);
  } catch {
    return false;
  }
}
const BARE =
  'the AUTH data is a bare signature without AlgorithmIdentifier (RFC 7427 §3): ' +
  'a fault of FortiClient 7.4.4 and 7.4.5, update it or use a pre-shared key';

/** How many octets a signature has, where the scheme fixes it. */
function signatureOctets(scheme: Scheme, bits: number): number | undefined {
  switch (scheme.kind) {
    case 'rsa-pkcs1':
    case 'rsa-pss':
      return Math.ceil(bits / 8);
    case 'ecdsa':
      return scheme.form === 'raw' ? 2 * Math.ceil(bits / 8) : undefined;
    case 'eddsa':
      return scheme.curve === 'ed25519' ? 64 : 114;
  }
}

/** The hash to sign with: for ECDSA the one as strong as the curve if it can be, else in the order of our wish, SHA-1 last. */
function commonHash(key: PrivateKey, offered: readonly number[], wished: readonly number[]) {
  const common = wished.filter((number) => offered.includes(number) && hashOfNumber(number) !== undefined);
  const natural = key.kind === 'ecdsa' ? common.find((number) => number === NATURAL[key.bits]) : undefined;
  const number = natural ?? common.find((candidate) => candidate !== SHA1) ?? common[0];
  return number === undefined ? undefined : hashOfNumber(number);
}
const SHA1 = 1;
const NATURAL: Readonly<Record<number, number>> = { 256: 2, 384: 3, 521: 4 };

function classic(key: PrivateKey): SignatureChoice | { readonly why: string } {
  if (key.kind === 'rsa') return RSA_SHA1;
  return (
    ECDSA.find((choice) => classicBits(choice.method) === key.bits) ?? {
      why: `no AUTH method without a hash list for ${keyName(key)}`,
    }
  );
}

const classicBits = (method: number): number | undefined => ({ 9: 256, 10: 384, 11: 521 })[method];

function choice(method: SignatureMethod, scheme: Scheme): SignatureChoice {
  const name = schemeName(scheme);
  return { method, name, scheme, prefix: method === 14 ? prefixOf(scheme) : EMPTY };
}

/** Length octet and AlgorithmIdentifier: made once for each scheme. */
function prefixOf(scheme: Scheme): Uint8Array {
  const name = schemeName(scheme);
  const known = prefixes.get(name);
  if (known !== undefined) return known;
  const identifier = algorithmIdentifier(scheme);
  const prefix = Uint8Array.of(identifier.length, ...identifier);
  prefixes.set(name, prefix);
  return prefix;
}
/** Bounded by the number of schemes: a name says all that our own prefixes depend on. */
const prefixes = new Map<string, Uint8Array>();

const EMPTY = new Uint8Array(0);
const RSA_SHA1 = choice(1, { kind: 'rsa-pkcs1', hash: 'sha1' });
const ECDSA = [
  choice(9, { kind: 'ecdsa', hash: 'sha256', form: 'raw' }),
  choice(10, { kind: 'ecdsa', hash: 'sha384', form: 'raw' }),
  choice(11, { kind: 'ecdsa', hash: 'sha512', form: 'raw' }),
];
const CLASSIC: ReadonlyMap<number, Scheme> = new Map([RSA_SHA1, ...ECDSA].map(({ method, scheme }) => [method, scheme]));
