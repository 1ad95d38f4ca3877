/**
 * Zero-trust tokens (JWT, RFC 7519; JWS, RFC 7515): what EMS knows of a device, signed by it. RS256 and nothing else, by keys
 * that are pinned for each EMS; nothing that stands in the token chooses how it is verified. Never throws: a bad token is a
 * report.
 */
import { createHash, createPublicKey, KeyObject } from 'node:crypto';
import { compactVerify, importJWK, importSPKI, importX509, type CryptoKey as JoseKey } from 'jose';
import { formatPostureTag, type PostureTag, parsePostureTag, type TokenReport, type UnixTime } from '../posture/index.ts';
import { plainSerial } from './fields.ts';
import { strictJson } from './strictJson.ts';

/** A public key that may have signed tokens of one EMS. */
export type TokenKey = {
  /** SHA-256 of its SubjectPublicKeyInfo, 16 hexadecimal digits: for people. */
  readonly id: string;
  readonly key: JoseKey;
};
type Keyring = { readonly ems: number; readonly keys: readonly TokenKey[] };

const TOKEN_MAX = 16_384;
/** Keys of one text: each is tried on each token. */
const KEYS_MAX = 16;
const TAGS_MAX = 256;
/** Seconds that the clock of EMS may be ahead of ours. */
const AHEAD = 60;
/** Tokens that a verifier keeps. */
const REMEMBERED = 4096;

/**
 * Reads public keys: PEM (`PUBLIC KEY` or `CERTIFICATE`, several), a JWK, or a JWK set.
 *
 * @throws Error in people's words: no key, more than 16, one that is private, not RSA, for something else than RS256 signatures,
 *   of fewer than 2048 or more than 8192 bits, with a public exponent below 3. One such key refuses the whole text
 */
export async function readTokenKeys(text: string): Promise<readonly TokenKey[]> {
  const found = text.includes('-----BEGIN ') ? pemsOf(text) : jwksOf(text);
  if (found.length === 0) throw new Error('there is no token key in it');
  if (found.length > KEYS_MAX) throw new Error(`more than ${KEYS_MAX} token keys at once`);
  return await Promise.all(found.map(async (read) => tokenKey(await read().catch(unreadable))));
}

type Import = () => Promise<JoseKey | Uint8Array>;

function pemsOf(text: string): readonly Import[] {
  const labels = [...text.matchAll(/-----BEGIN ([^-\n]*)-----/g)].map(([, label = '']) => label);
  if (labels.some((label) => label.includes('PRIVATE KEY'))) throw new Error(PRIVATE);
  const other = labels.find((label) => label !== 'PUBLIC KEY' && label !== 'CERTIFICATE');
  if (other !== undefined) throw new Error(`a token key is PEM 'PUBLIC KEY' or 'CERTIFICATE', not '${printable(other)}'`);
  const pems = text.match(/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g) ?? [];
  if (pems.length !== labels.length) throw new Error('a token key in PEM is cut');
  return pems.map((pem) => () => (pem.includes('CERTIFICATE') ? importX509(pem, 'RS256') : importSPKI(pem, 'RS256')));
}

function jwksOf(text: string): readonly Import[] {
  const json = strictJson(new TextEncoder().encode(text));
  if (!isObject(json)) throw new Error('a token key is PEM (PUBLIC KEY or CERTIFICATE) or a JWK');
  const jwks = Array.isArray(json['keys']) ? (json['keys'] as readonly unknown[]) : [json];
  return jwks.map((jwk) => {
    if (!isObject(jwk) || jwk['kty'] !== 'RSA') throw new Error('a token key must be RSA');
    const { n, e, d, alg = 'RS256', use = 'sig' } = jwk;
    if (d !== undefined) throw new Error(PRIVATE);
    if (alg !== 'RS256' || use !== 'sig') throw new Error('a token key must be for RS256 signatures');
    if (typeof n !== 'string' || typeof e !== 'string') return unreadable;
    return () => importJWK({ kty: 'RSA', n, e }, 'RS256');
  });
}

const PRIVATE = 'this is a private key: a token key is public';

const printable = (text: string): string => text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?');

// Promises that fail, as those of jose: who awaits them sees one error for all that cannot be read.
const unreadable = (): Promise<never> => Promise.reject(new Error('a token key cannot be read, or is no RSA key'));

function tokenKey(key: JoseKey | Uint8Array): TokenKey {
  if (key instanceof Uint8Array) throw new Error(PRIVATE);
  const object = KeyObject.from(key);
  const { modulusLength = 0, publicExponent = 0n } = object.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 8192)
    throw new Error(`a token key has 2048 to 8192 bits, this one ${modulusLength}`);
  if (publicExponent < 3n || publicExponent % 2n === 0n) throw new Error('a token key has an odd public exponent of 3 or more');
  const spki = createPublicKey({ key: object.export({ type: 'spki', format: 'der' }), type: 'spki', format: 'der' });
  return {
    id: createHash('sha256')
      .update(spki.export({ type: 'spki', format: 'der' }))
      .digest('hex')
      .slice(0, 16),
    key,
  };
}

/** What a token that was verified says, without its time having been judged. */
type Claims = {
  readonly ems: number;
  readonly uid: string;
  readonly tags: readonly PostureTag[];
  readonly certSn: string;
  readonly issued: UnixTime;
  readonly until: UnixTime;
  /** `nbf` (RFC 7519 §4.1.5), where there is one; else 0. */
  readonly from: UnixTime;
};

export class TokenVerifier {
  /** Tokens that were verified: an SA's is judged again and again. The one longest not seen is forgotten for a new one. */
  readonly #verified = new Map<string, Claims>();
  readonly #most: number;

  constructor(most = REMEMBERED) {
    this.#most = most;
  }

  /** What the token says, or why it does not count. `now` in seconds since 1970; at its hour a token is dead. */
  async verify(octets: Uint8Array, keyrings: readonly Keyring[], now: UnixTime): Promise<TokenReport> {
    const token = withoutNuls(octets);
    if (token.length > TOKEN_MAX) return bad('too large');
    const rings = keyrings.map(({ ems, keys }) => `${ems}:${keys.map(({ id }) => id).join()}`).join(';');
    // The same token under other keys is another one. No NUL is in `rings`, so that the two cannot run into each other.
    const name = createHash('sha256').update(`${rings}\0`).update(token).digest('base64');
    const known = this.#verified.get(name);
    const claims = known ?? (await claimsOf(token, keyrings));
    if ('why' in claims) return bad(claims.why);
    this.#remember(name, claims);
    const { from, ...told } = claims;
    if (told.until <= now) return bad('expired');
    if (told.issued > now + AHEAD) return bad('issued in the future');
    if (from > now + AHEAD) return bad('not valid yet');
    return { kind: 'valid', ...told };
  }

  #remember(name: string, claims: Claims): void {
    this.#verified.delete(name);
    this.#verified.set(name, claims);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > this.#most && oldest !== undefined) this.#verified.delete(oldest);
  }
}

const bad = (why: string): TokenReport => ({ kind: 'bad', why });
type Bad = { readonly why: string };

function withoutNuls(octets: Uint8Array): Uint8Array {
  let end = octets.length;
  while (end > 0 && octets[end - 1] === 0) end -= 1;
  return octets.subarray(0, end);
}

async function claimsOf(octets: Uint8Array, keyrings: readonly Keyring[]): Promise<Claims | Bad> {
  const token = new TextDecoder('latin1').decode(octets);
  const [head, body, signature, ...more] = token.split('.');
  const [header, payload] = [segment(head), segment(body)];
  if (header === undefined || payload === undefined || segment(signature) === undefined || more.length > 0)
    return { why: 'not three base64url segments' };
  const flaw = headerFlaw(strictJson(header));
  if (flaw !== undefined) return { why: flaw };
  const said = strictJson(payload);
  if (said === undefined) return { why: 'its claims are no JSON, name something twice, or are too deep' };
  const ems = await signerOf(token, keyrings);
  if (ems === undefined) return { why: 'no configured EMS signed it' };
  return read(said, ems);
}

/** The octets of a segment in its one canonical spelling (RFC 7515 §2), or undefined. */
function segment(text: string | undefined): Uint8Array | undefined {
  if (text === undefined || text === '' || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const octets = Buffer.from(text, 'base64url');
  return octets.toString('base64url') === text ? octets : undefined;
}

/** A key that the token itself brings, and extensions that we would have to understand, are reason enough to refuse it. */
const FORBIDDEN = ['jwk', 'jku', 'x5c', 'x5u', 'x5t', 'crit', 'b64', 'zip', 'enc'] as const;

function headerFlaw(header: unknown): string | undefined {
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return 'its header is no JSON object';
  const { alg } = header as { readonly alg?: unknown };
  if (alg !== 'RS256') return 'algorithm other than RS256';
  const brought = FORBIDDEN.find((name) => Object.hasOwn(header, name));
  return brought === undefined ? undefined : `its header has '${brought}'`;
}

/** Whose key verifies it; every pinned key is tried, whatever `kid` says. */
async function signerOf(token: string, keyrings: readonly Keyring[]): Promise<number | undefined> {
  for (const { ems, keys } of keyrings) {
    for (const { key } of keys) {
      try {
        await compactVerify(token, key, { algorithms: ['RS256'] });
        return ems;
      } catch {
        // another key, or nobody's
      }
    }
  }
  return undefined;
}

function read(said: unknown, ems: number): Claims | Bad {
  if (!isObject(said) || !isObject(said['endpoint'])) return { why: 'claims of the wrong type' };
  const { endpoint, exp, iat, nbf = 0 } = said;
  const { uid, tags, ztna_cert_sn: serial } = endpoint as Json;
  if (typeof uid !== 'string' || !/^[0-9A-Fa-f]{32}$/.test(uid)) return { why: 'endpoint.uid is not 32 hexadecimal digits' };
  if (!isTime(exp) || !isTime(iat) || exp <= iat) return { why: 'exp or iat is missing or senseless' };
  if (nbf !== 0 && !isTime(nbf)) return { why: 'nbf is senseless' };
  if (serial !== undefined && serial !== null && (typeof serial !== 'string' || !/^[0-9A-Fa-f:]{0,128}$/.test(serial)))
    return { why: 'ztna_cert_sn of the wrong type' };
  if (!Array.isArray(tags) || tags.length > TAGS_MAX) return { why: 'endpoint.tags of the wrong type, or too many' };
  const held = tagsOf(tags, ems);
  if (held === undefined) return { why: 'a tag of the wrong type' };
  return { ems, uid: uid.toUpperCase(), tags: held, certSn: plainSerial(serial ?? ''), issued: iat, until: exp, from: nbf };
}

/** Those that a profile could want; undefined when one is of the wrong type. */
function tagsOf(tags: readonly unknown[], ems: number): readonly PostureTag[] | undefined {
  const held: PostureTag[] = [];
  for (const tag of tags) {
    if (!isObject(tag)) return undefined;
    const { name, type: number, levl: level = null } = tag;
    if (typeof name !== 'string' || !isInteger(number)) return undefined;
    if (level !== null && typeof level !== 'string' && typeof level !== 'number') return undefined;
    const type = TYPES.get(number);
    const wanted = type === undefined ? undefined : parsePostureTag(formatPostureTag({ ems, type, name }));
    if (wanted !== undefined) held.push(wanted);
  }
  return held;
}

/** 2 (outbreak) and 4 (fabric) are no tags that a profile could want. */
const TYPES: ReadonlyMap<number, PostureTag['type']> = new Map([
  [1, 'ZTNA'],
  [3, 'CLASS'],
]);

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isTime = (value: unknown): value is number => isInteger(value) && value > 0;
