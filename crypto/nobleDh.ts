// The second implementation of Diffie-Hellman: curves from @noble, MODP by our own modular exponentiation over big integers.
// For tests: nothing here runs in constant time.

import { x448 } from '@noble/curves/ed448.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { brainpoolP256r1, brainpoolP384r1, brainpoolP512r1 } from '@noble/curves/misc.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { randomBytes } from '@noble/curves/utils.js';
import type { Group, KeyPair } from './backend.ts';
import { modpPrime } from './modpPrime.ts';
import { fromBigInt, join, toBigInt } from './octets.ts';
import { checkPrivate, type GroupSpec, groupSpecs } from './suite.ts';

type Weierstrass = typeof p256;

const curves: Readonly<Record<number, Weierstrass>> = {
  19: p256,
  20: p384,
  21: p521,
  28: brainpoolP256r1,
  29: brainpoolP384r1,
  30: brainpoolP512r1,
};

export function nobleGroup(id: number): Group | undefined {
  const spec = groupSpecs.find((one) => one.id === id);
  if (!spec) return undefined;
  const { name, publicOctets, privateOctets, weak } = spec;
  const curve = curves[id];
  const prime = modpPrime(id);
  const make = curve ? weierstrass(spec, curve) : prime ? modp(spec, prime) : montgomery(spec, id === 31 ? x25519 : x448);
  const fromPrivate = (octets: Uint8Array) => {
    checkPrivate(spec, octets);
    return make(octets);
  };
  return { id, name, publicOctets, privateOctets, weak, fromPrivate, generate: () => make(randomBytes(privateOctets)) };
}

function weierstrass(spec: GroupSpec, { Point }: Weierstrass): (octets: Uint8Array) => KeyPair {
  return (octets) => {
    const scalar = toBigInt(octets) % Point.Fn.ORDER;
    if (scalar === 0n) throw new RangeError(`zero is no private value of ${spec.name}`);
    return {
      publicValue: Point.BASE.multiply(scalar).toBytes(false).slice(1),
      agree(peer) {
        if (peer.length !== spec.publicOctets) return undefined;
        try {
          const point = Point.fromBytes(join([Uint8Array.of(4), peer]));
          point.assertValidity();
          return point.multiply(scalar).toBytes(true).slice(1);
        } catch {
          return undefined;
        }
      },
    };
  };
}

function montgomery(spec: GroupSpec, curve: typeof x25519): (octets: Uint8Array) => KeyPair {
  return (octets) => ({
    publicValue: curve.getPublicKey(octets),
    agree(peer) {
      if (peer.length !== spec.publicOctets) return undefined;
      try {
        return curve.getSharedSecret(octets, peer);
      } catch {
        return undefined;
      }
    },
  });
}

function modp(spec: GroupSpec, prime: bigint): (octets: Uint8Array) => KeyPair {
  return (octets) => {
    const x = toBigInt(octets);
    if (x < 2n) throw new RangeError(`a private value of ${spec.name} is above 1`);
    return {
      publicValue: fromBigInt(power(2n, x, prime), spec.publicOctets),
      agree(peer) {
        const y = toBigInt(peer);
        const good = peer.length === spec.publicOctets && y > 1n && y < prime - 1n;
        return good ? fromBigInt(power(y, x, prime), spec.publicOctets) : undefined;
      },
    };
  };
}

/** base^exponent mod modulus: square and multiply from the lowest bit. */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base % modulus, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus)
    if (rest & 1n) result = (result * square) % modulus;
  return result;
}
