/**
 * Asymmetric keys: which ones may sign or verify anything here, and reading private keys from PEM.
 *
 * One rule for every key, ours and the peers', in AUTH payloads and in certificate chains: RSA of 2048 to 8192 bits with
 * a public exponent of 65537 or more, the NIST curves of RFC 4754, Ed25519, Ed448.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

export type KeyKind = 'rsa' | 'ecdsa' | 'ed25519' | 'ed448';

/** `bits`: of the RSA modulus or of the curve. */
export type PrivateKey = { readonly kind: KeyKind; readonly bits: number; readonly key: KeyObject };

/** Kind and size of a key, or why it is of no use here. */
export function judgeKey(key: KeyObject): { readonly kind: KeyKind; readonly bits: number } | { readonly why: string } {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < 2048) return { why: `RSA key of ${modulusLength} bits, fewer than 2048` };
      if (modulusLength > 8192) return { why: `RSA key of ${modulusLength} bits, more than 8192` };
      if (publicExponent < 65537n) return { why: `RSA key with public exponent ${publicExponent}, less than 65537` };
      // A huge exponent makes a verification as dear as a signature.
      if (publicExponent >= 1n << 64n) return { why: 'RSA key with a public exponent of more than 64 bits' };
      return { kind: 'rsa', bits: modulusLength };
    case 'ec': {
      const bits = CURVES[namedCurve];
      return bits === undefined
        ? { why: `key on curve ${namedCurve}, which is none of P-256, P-384, P-521` }
        : { kind: 'ecdsa', bits };
    }
    case 'ed25519':
      return { kind: 'ed25519', bits: 256 };
    case 'ed448':
      return { kind: 'ed448', bits: 448 };
    default:
      return { why: `key of type ${key.asymmetricKeyType ?? 'unknown'}, which cannot sign for IKE` };
  }
}

/**
 * The private key in a PEM text (PKCS #8, PKCS #1 or SEC 1, encrypted or not). Throws an Error that says in plain words
 * what is wrong: no key, a missing or wrong passphrase, a key that `judgeKey` refuses.
 */
export function loadPrivateKey(pem: string, passphrase?: string): PrivateKey {
  const key = readPrivateKey(pem, passphrase);
  const verdict = judgeKey(key);
  if ('why' in verdict) throw new Error(`this private key cannot be used: ${verdict.why}`);
  return { ...verdict, key };
}

/** Does this public key belong to that private key? */
export function sameKey(publicKey: KeyObject, privateKey: PrivateKey): boolean {
  return createPublicKey(privateKey.key).equals(publicKey);
}

/** What people call it: `RSA-2048`, `P-256`, `Ed25519`. */
export function keyName({ kind, bits }: { readonly kind: KeyKind; readonly bits: number }): string {
  return { rsa: `RSA-${bits}`, ecdsa: `P-${bits}`, ed25519: 'Ed25519', ed448: 'Ed448' }[kind];
}

const CURVES: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521 };

function readPrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  if (pem.length > MAX_PEM) throw new Error(`a private key of ${pem.length} characters is not plausible`);
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    const other = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem)?.[1];
    throw new Error(
      other === undefined ? 'no private key in PEM format' : `a private key is wanted here, this is a ${other.toLowerCase()}`,
    );
  }
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
  if (encrypted && passphrase === undefined) throw new Error('the private key is encrypted and no password is given');
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    // OpenSSL's words name its source files and help nobody.
    throw new Error(
      encrypted ? 'the password does not open the private key' : 'the private key is damaged or of an unknown kind',
    );
  }
}

const MAX_PEM = 32_768;
