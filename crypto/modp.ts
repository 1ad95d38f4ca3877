// MODP Diffie-Hellman on node:crypto (RFC 3526, RFC 2409 for groups 1 and 2), with the checks of RFC 6989 §2.1. OpenSSL knows groups 5 and
// up by name and then takes short exponents; for 1 and 2 Node's createDiffieHellmanGroup would test primality for 20 ms, so these two, and
// private values given from outside, go through PKCS#8 and SPKI.
import { createDiffieHellmanGroup, createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto';
import type { Group, KeyPair } from './backend.ts';
import { modpPrime } from './modpPrime.ts';
import { fromBigInt, leftPad, plain, toBigInt } from './octets.ts';
import { checkPrivate, type GroupSpec } from './suite.ts';

export function nodeModp(spec: GroupSpec): Pick<Group, 'generate' | 'fromPrivate'> {
  const { id, openssl, publicOctets } = spec;
  const prime = fromBigInt(modpPrime(id) ?? 0n, publicOctets);
  const fromPrivate = (octets: Uint8Array) => fromDer(spec, prime, octets);
  const named = id >= 5;
  return {
    fromPrivate,
    generate() {
      if (!named) return fromPrivate(plain(randomBytes(spec.privateOctets)));
      const dh = createDiffieHellmanGroup(openssl);
      dh.generateKeys();
      return {
        publicValue: leftPad(dh.getPublicKey(), publicOctets),
        agree: (peer) => (inRange(peer, prime) ? leftPad(dh.computeSecret(peer), publicOctets) : undefined),
      };
    },
  };
}

/** 1 < y < p-1, and exactly as long as the prime (§3.4): what RFC 6989 §2.1 asks of a group with a safe prime. */
export function inRange(y: Uint8Array, prime: Uint8Array): boolean {
  if (y.length !== prime.length) return false;
  const last = y.length - 1;
  const differ = y.findIndex((octet, at) => octet !== prime[at]);
  // The primes are odd: p-1 differs from p in the lowest bit of the last octet only.
  const belowLast =
    differ !== -1 && (y[differ] ?? 0) < (prime[differ] ?? 0) && !(differ === last && (y[last] ?? 0) + 1 === prime[last]);
  return belowLast && ((y[last] ?? 0) > 1 || y.subarray(0, last).some((octet) => octet !== 0));
}

function fromDer(spec: GroupSpec, prime: Uint8Array, octets: Uint8Array): KeyPair {
  checkPrivate(spec, octets);
  if (toBigInt(octets) < 2n) throw new RangeError(`a private value of ${spec.name} is above 1`);
  const algorithm = der(0x30, dhKeyAgreement, der(0x30, integer(prime), integer(two)));
  const key = Buffer.from(der(0x30, integer(zero), algorithm, der(0x04, integer(octets))));
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  // An SPKI ends with the public value, and no field behind it.
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicValue: plain(spki.subarray(spki.length - prime.length)).slice(),
    agree(peer) {
      if (!inRange(peer, prime)) return undefined;
      const theirs = der(0x30, algorithm, der(0x03, zero, integer(peer)));
      const publicKey = createPublicKey({ key: Buffer.from(theirs), format: 'der', type: 'spki' });
      return leftPad(diffieHellman({ privateKey, publicKey }), prime.length);
    },
  };
}

/** 1.2.840.113549.1.3.1, PKCS#3. */
const dhKeyAgreement = Uint8Array.of(0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01);
const zero = Uint8Array.of(0);
const two = Uint8Array.of(2);

/** One DER value: tag, length, the parts. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from(head), content]);
}

/** An unsigned integer without needless zeros, with the one that keeps it positive. */
function integer(octets: Uint8Array): Uint8Array {
  const from = octets.findIndex((octet, at) => octet !== 0 || at === octets.length - 1);
  const bare = octets.subarray(Math.max(from, 0));
  return der(0x02, ...((bare[0] ?? 0) >= 0x80 ? [zero] : []), bare);
}
