// Diffie-Hellman on node:crypto: ECP (RFC 5903), brainpool (RFC 6932), X25519 and X448 (RFC 8031); MODP is in modp.ts.
// Measured on Node 26: KeyObjects, public values raw, are the cheapest way for the Montgomery curves, createECDH for the
// others, where a KeyObject's import and export cost more than they save.
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type ECDH,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { Group, KeyPair } from './backend.ts';
import { nodeModp } from './modp.ts';
import { fromBigInt, plain, toBigInt } from './octets.ts';
import { checkPrivate, type GroupSpec, groupSpecs } from './suite.ts';

export function nodeGroup(id: number): Group | undefined {
  const spec = groupSpecs.find((one) => one.id === id);
  if (!spec) return undefined;
  const { name, publicOctets, privateOctets, weak } = spec;
  return { id, name, publicOctets, privateOctets, weak, ...primitives(spec) };
}

function primitives(spec: GroupSpec): Pick<Group, 'generate' | 'fromPrivate'> {
  if (spec.kind === 'modp') return nodeModp(spec);
  return spec.kind === 'ec' ? nodeEc(spec) : nodeMontgomery(spec);
}

/** The KE payload carries x | y (RFC 5903 §7), OpenSSL wants them behind 0x04; the shared secret is x alone (§9). */
function nodeEc(spec: GroupSpec): Pick<Group, 'generate' | 'fromPrivate'> {
  const pair = (ecdh: ECDH): KeyPair => ({
    publicValue: plain(ecdh.getPublicKey()).slice(1),
    agree(peer) {
      if (peer.length !== spec.publicOctets) return undefined;
      const point = new Uint8Array(peer.length + 1);
      point[0] = 4;
      point.set(peer, 1);
      try {
        return plain(ecdh.computeSecret(point)); // throws for a point that is not on the curve; infinity has no such form
      } catch {
        return undefined;
      }
    },
  });
  return {
    generate() {
      const ecdh = createECDH(spec.openssl);
      ecdh.generateKeys();
      return pair(ecdh);
    },
    fromPrivate(octets) {
      const ecdh = createECDH(spec.openssl);
      ecdh.setPrivateKey(scalar(spec, octets));
      return pair(ecdh);
    },
  };
}

/**
 * Any octets as a scalar of the curve: reduced by its order, so that seeded octets always do (half of all octets would be too
 * much for a brainpool curve, nearly all for P-521). Zero alone is refused.
 */
function scalar(spec: GroupSpec, octets: Uint8Array): Uint8Array {
  checkPrivate(spec, octets);
  const value = toBigInt(octets) % (orders[spec.id] ?? 1n);
  if (value === 0n) throw new RangeError(`zero is no private value of ${spec.name}`);
  return fromBigInt(value, octets.length);
}

/** Orders of the base points: RFC 5903 §3, RFC 5639 §3. OpenSSL has them too, but tells them to nobody through Node. */
const orders: Readonly<Record<number, bigint>> = {
  19: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  20: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  21: wide(
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa',
    '51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  ),
  28: 0xa9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7n,
  29: 0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565n,
  30: wide(
    'aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870',
    '553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069',
  ),
};

function wide(...hex: readonly string[]): bigint {
  return BigInt(`0x${hex.join('')}`);
}

/** How a Montgomery key passes in and out of node:crypto. */
export type KeyForm = {
  generate(curve: Curve): { readonly publicValue: Uint8Array; readonly privateKey: KeyObject };
  /** The octets of a public key. */
  export(key: KeyObject): Uint8Array;
  /** Throws for octets that are no key. */
  import(curve: Curve, octets: Uint8Array): KeyObject;
};
type Curve = 'x25519' | 'x448';

/** Node 26: raw octets, 6 µs cheaper a handshake than JWK. */
export const rawForm: KeyForm = {
  generate(curve) {
    const publicKeyEncoding = { format: 'raw-public' };
    // The typings know the raw formats for import and export, not yet as an encoding of generateKeyPairSync, and infer a
    // KeyObject.
    const pair: unknown = generateKeyPairSync(curve as 'x25519', { publicKeyEncoding } as object);
    const { publicKey, privateKey } = pair as { publicKey: Uint8Array; privateKey: KeyObject };
    return { publicValue: plain(publicKey), privateKey };
  },
  export: (key) => plain(key.export({ format: 'raw-public' })),
  import: (curve, octets) => createPublicKey({ key: Buffer.from(octets), format: 'raw-public', asymmetricKeyType: curve }),
};

/** Node before 26: JWK, which is cheaper than SPKI. */
export const jwkForm: KeyForm = {
  generate(curve) {
    const { publicKey, privateKey } = generateKeyPairSync(curve as 'x25519'); // one overload a curve, all alike
    return { publicValue: jwkForm.export(publicKey), privateKey };
  },
  export: (key) => plain(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')),
  import: (curve, octets) =>
    createPublicKey({
      key: { kty: 'OKP', crv: curve.toUpperCase(), x: Buffer.from(octets).toString('base64url') },
      format: 'jwk',
    }),
};

export function nodeMontgomery(spec: GroupSpec, form = bestForm()): Pick<Group, 'generate' | 'fromPrivate'> {
  const curve = spec.openssl === 'x448' ? 'x448' : 'x25519';
  const pair = (publicValue: Uint8Array, privateKey: KeyObject): KeyPair => ({
    publicValue,
    agree(peer) {
      if (peer.length !== spec.publicOctets) return undefined;
      try {
        // OpenSSL refuses an all-zero result, which is what a point of small order gives (RFC 7748 §6, RFC 8031 §2.3).
        return plain(diffieHellman({ privateKey, publicKey: form.import(curve, peer) }));
      } catch {
        return undefined;
      }
    },
  });
  return {
    generate() {
      const { publicValue, privateKey } = form.generate(curve);
      return pair(publicValue, privateKey);
    },
    fromPrivate(octets) {
      checkPrivate(spec, octets);
      const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8[curve], octets]), format: 'der', type: 'pkcs8' });
      return pair(form.export(createPublicKey(privateKey)), privateKey);
    },
  };
}

function bestForm(): KeyForm {
  try {
    rawForm.generate('x25519');
    return rawForm;
  } catch {
    return jwkForm;
  }
}

/** What stands in front of the 32 or 56 octets of a PKCS#8 private key (RFC 8410 §7). */
const pkcs8 = {
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  x448: Buffer.from('3046020100300506032b656f043a0438', 'hex'),
};
