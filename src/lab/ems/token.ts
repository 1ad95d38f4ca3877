/** Zero-trust tokens of the emulated EMS (docs/ems-api.md §5): RS256 with its own RSA-2048 key; old keys stay while needed. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { CompactSign } from 'jose';
import { type EmsEndpoint, EmsRefused, TAG_TYPES } from './record.ts';

export type TokenWish = {
  /** Seconds; the EMS' own without it. Negative: a token that was dead when it was signed. */
  readonly lifetime?: number;
  /** Seconds since 1970; now without it. */
  readonly issuedAt?: number;
};
/** A signing key as it is kept: PKCS #8, and until when somebody may hold a token that it signed (seconds since 1970). */
export type SavedTokenKey = { readonly key: string; readonly until: number };

type SigningKey = { readonly key: KeyObject; readonly pem: string; until: number };

const generate = promisify(generateKeyPair);
const MOST_KEYS = 8;
/** A year: longer than that is a typing error. */
const MOST_LIFETIME = 366 * 86_400;

export class TokenIssuer {
  #keys: SigningKey[];
  readonly #lifetime: number;
  readonly #now: () => number;

  private constructor(keys: SigningKey[], lifetime: number, now: () => number) {
    this.#keys = keys;
    this.#lifetime = lifetime;
    this.#now = now;
  }

  /**
   * @param saved the keys of an earlier life, the one in use first; without any a new one is made
   * @param lifetime of a token, seconds
   * @param now seconds since 1970
   */
  static async open(saved: readonly SavedTokenKey[], lifetime: number, now: () => number): Promise<TokenIssuer> {
    const keys = saved.map(({ key, until }) => signingKey(createPrivateKey(key), until));
    return new TokenIssuer(keys.length === 0 ? [await freshKey()] : keys, readLifetime(lifetime), now);
  }

  /** The public keys, PEM, the one in use first. */
  publicKeys(): readonly string[] {
    this.#forgetOld();
    return this.#keys.map(({ pem }) => pem);
  }

  /** A new key signs from now on; the old one can still be verified with until its last token has ended. */
  async rotate(): Promise<void> {
    this.#keys.unshift(await freshKey());
    this.#forgetOld();
  }

  /** The token of this device as it stands: a JWS in compact form. */
  async issue({ uid, tags, certSn }: EmsEndpoint, wish: TokenWish): Promise<string> {
    const [signing] = this.#keys;
    if (signing === undefined) throw new Error('there is always a key');
    const iat = wish.issuedAt ?? this.#now();
    const exp = iat + readLifetime(wish.lifetime ?? this.#lifetime);
    const told = tags
      .filter(({ type }) => type === 'zero_trust' || type === 'classification')
      .map(({ name, type }) => ({ name, type: TAG_TYPES[type], levl: null }));
    const claims = { endpoint: { uid, tags: told, nwifs: null, ztna_cert_sn: certSn, owner: null }, exp, iat };
    signing.until = Math.max(signing.until, exp);
    const octets = new TextEncoder().encode(JSON.stringify(claims));
    return await new CompactSign(octets).setProtectedHeader({ alg: 'RS256', typ: 'JWT' }).sign(signing.key);
  }

  /** Holds private keys: for a private file alone. */
  saved(): readonly SavedTokenKey[] {
    return this.#keys.map(({ key, until }) => ({ key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), until }));
  }

  #forgetOld(): void {
    const now = this.#now();
    this.#keys = this.#keys.filter(({ until }, i) => i === 0 || (i < MOST_KEYS && until > now));
  }
}

async function freshKey(): Promise<SigningKey> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 });
  return signingKey(privateKey, 0);
}

function signingKey(key: KeyObject, until: number): SigningKey {
  return { key, pem: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(), until };
}

function readLifetime(seconds: number): number {
  if (!Number.isSafeInteger(seconds) || Math.abs(seconds) > MOST_LIFETIME)
    throw new EmsRefused('bad-request', `a token lives a whole number of seconds, at most ${MOST_LIFETIME}, not ${seconds}`);
  return seconds;
}
