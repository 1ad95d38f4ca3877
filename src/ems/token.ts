/**
 * Zero-trust tokens (JWT, RFC 7519; JWS, RFC 7515): what EMS knows of a device, signed by it. RS256 and nothing else, by keys
 * that are pinned for each EMS; nothing that stands in the token chooses how it is verified. Never throws: a bad token is a
 * report.
 */
import { createHash, createPublicKey, KeyObject } from 'node:crypto';
import { compactVerify, importJWK, importSPKI, importX509, type CryptoKey as JoseKey, type JWK } from 'jose';
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
const TAGS_MAX = 256;
/** Seconds that the clock of EMS may be ahead of ours. */
const AHEAD = 60;
const REMEMBERED = 4096;

/**
 * Reads public keys: PEM (`PUBLIC KEY` or `CERTIFICATE`, several), a JWK, or a JWK set. Throws an Error in people's words: no
 * key, not RSA, fewer than 2048 or more than 8192 bits, a public exponent below 3.
 */
export async function readTokenKeys(text: string): Promise<readonly TokenKey[]> {
  const pems = text.match(/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[\s\S]+?-----END \1-----/g);
  if (pems !== null) {
    return await Promise.all(
      pems.map(async (pem) =>
        tokenKey(await (pem.includes('CERTIFICATE') ? importX509(pem, 'RS256') : importSPKI(pem, 'RS256')).catch(unreadable)),
      ),
    );
  }
  const json = strictJson(new TextEncoder().encode(text));
  if (typeof json !== 'object' || json === null) throw new Error('a token key is PEM (PUBLIC KEY or CERTIFICATE) or a JWK');
  const jwks = 'keys' in json && Array.isArray(json.keys) ? (json.keys as readonly unknown[]) : [json];
  return await Promise.all(
    jwks.map(async (jwk) => {
      if (typeof jwk !== 'object' || jwk === null || !('kty' in jwk) || jwk.kty !== 'RSA')
        throw new Error('a token key must be RSA');
      const { n, e } = jwk as JWK;
      const key = await importJWK({ kty: 'RSA', n: n ?? '', e: e ?? '' }, 'RS256').catch(unreadable);
      if (key instanceof Uint8Array) throw new Error('a token key must be a public key');
      return tokenKey(key);
    }),
  );
}

const unreadable = (): never => {
  throw new Error('a token key cannot be read, or is no RSA key');
};

function tokenKey(key: JoseKey): TokenKey {
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
};

export class TokenVerifier {
  /** Tokens that were verified: an SA's is judged again and again. The oldest is forgotten for a new one. */
  readonly #verified = new Map<string, Claims>();

  /** What the token says, or why it does not count. `now` in seconds since 1970; at its hour a token is dead. */
  async verify(octets: Uint8Array, keyrings: readonly Keyring[], now: UnixTime): Promise<TokenReport> {
    const token = withoutNuls(octets);
    if (token.length > TOKEN_MAX) return bad('too large');
    const rings = keyrings.map(({ ems, keys }) => `${ems}:${keys.map(({ id }) => id).join()}`).join(';');
    const name = `${createHash('sha256').update(token).digest('base64')} ${rings}`;
    const known = this.#verified.get(name);
    const claims = known ?? (await claimsOf(token, keyrings));
    if ('why' in claims) return bad(claims.why);
    if (known === undefined) this.#remember(name, claims);
    if (claims.until <= now) return bad('expired');
    if (claims.issued > now + AHEAD) return bad('issued in the future');
    return { kind: 'valid', ...claims };
  }

  #remember(name: string, claims: Claims): void {
    this.#verified.set(name, claims);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > REMEMBERED && oldest !== undefined) this.#verified.delete(oldest);
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
  const { endpoint, exp, iat } = said;
  const { uid, tags, ztna_cert_sn: serial } = endpoint as Json;
  if (typeof uid !== 'string' || !/^[0-9A-Fa-f]{32}$/.test(uid)) return { why: 'endpoint.uid is not 32 hexadecimal digits' };
  if (!isTime(exp) || !isTime(iat) || exp <= iat) return { why: 'exp or iat is missing or senseless' };
  if (serial !== undefined && serial !== null && (typeof serial !== 'string' || !/^[0-9A-Fa-f:]{0,128}$/.test(serial)))
    return { why: 'ztna_cert_sn of the wrong type' };
  if (!Array.isArray(tags) || tags.length > TAGS_MAX) return { why: 'endpoint.tags of the wrong type, or too many' };
  const held: PostureTag[] = [];
  for (const tag of tags as readonly unknown[]) {
    if (!isObject(tag) || typeof tag['name'] !== 'string' || !Number.isSafeInteger(tag['type']))
      return { why: 'a tag of the wrong type' };
    const type = TYPES.get(tag['type'] as number); // an integer, as just seen
    const wanted = type === undefined ? undefined : parsePostureTag(formatPostureTag({ ems, type, name: tag['name'] }));
    if (wanted !== undefined) held.push(wanted);
  }
  return { ems, uid: uid.toUpperCase(), tags: held, certSn: plainSerial(serial ?? ''), issued: iat, until: exp };
}

/** 2 (outbreak) and 4 (fabric) are no tags that a profile could want. */
const TYPES: ReadonlyMap<number, PostureTag['type']> = new Map([
  [1, 'ZTNA'],
  [3, 'CLASS'],
]);

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
