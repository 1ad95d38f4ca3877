// MODP Diffie-Hellman on node:crypto (RFC 3526, RFC 2409 for groups 1 and 2), with the checks of RFC 6989 §2.1. OpenSSL knows
// groups 5 and up by name and then takes short exponents; for 1 and 2 Node's createDiffieHellmanGroup would test primality
// for 20 ms, so these two, and private values given from outside, go through PKCS#8 and SPKI.
import { createDiffieHellmanGroup, createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto';
import { bitOctets, bitString, DerReader, integer, octetString, oid, sequence, Tag } from './asn1.ts';
import type { Group, KeyPair } from './backend.ts';
import { modpPrime } from './modpPrime.ts';
import { fromBigInt, leftPad, plain, toBigInt } from './octets.ts';
import { checkPrivate, type GroupSpec } from './suite.ts';

export function nodeModp(spec: GroupSpec): Pick<Group, 'generate' | 'fromPrivate'> {
  const { id, openssl, publicOctets } = spec;
  const prime = modpPrime(id) ?? 0n;
  const [one, minusOne] = [fromBigInt(1n, publicOctets), fromBigInt(prime - 1n, publicOctets)];
  // 1 < y < p-1, and exactly as long as the prime (§3.4): what RFC 6989 §2.1 asks of a group with a safe prime.
  const good = (y: Uint8Array) => y.length === publicOctets && Buffer.compare(y, one) > 0 && Buffer.compare(y, minusOne) < 0;
  const guard = ({ publicValue, agree }: KeyPair): KeyPair => ({ publicValue, agree: (y) => (good(y) ? agree(y) : undefined) });
  const algorithm = sequence(dhKeyAgreement, sequence(integer(fromBigInt(prime, publicOctets)), integer(2)));
  const fromPrivate = (octets: Uint8Array) => guard(fromDer(spec, algorithm, octets));
  const named = id >= 5;
  return {
    fromPrivate,
    generate() {
      if (!named) return fromPrivate(plain(randomBytes(spec.privateOctets)));
      const dh = createDiffieHellmanGroup(openssl);
      dh.generateKeys();
      const agree = (peer: Uint8Array) => leftPad(dh.computeSecret(peer), publicOctets);
      return guard({ publicValue: leftPad(dh.getPublicKey(), publicOctets), agree });
    },
  };
}

/** The pair by way of PKCS#8 and SPKI, both around the same PKCS#3 `algorithm`; peers are judged by the caller. */
function fromDer(spec: GroupSpec, algorithm: Uint8Array, octets: Uint8Array): KeyPair {
  checkPrivate(spec, octets);
  if (toBigInt(octets) < 2n) throw new RangeError(`a private value of ${spec.name} is above 1`);
  const key = Buffer.from(sequence(integer(0), algorithm, octetString(integer(octets))));
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const spki = DerReader.only(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }), Tag.sequence);
  spki.expect(Tag.sequence);
  const y = new DerReader(bitOctets(spki.expect(Tag.bitString))).expect(Tag.integer).value;
  return {
    publicValue: fromBigInt(toBigInt(y), spec.publicOctets),
    agree(peer) {
      const theirs = Buffer.from(sequence(algorithm, bitString(integer(peer))));
      const publicKey = createPublicKey({ key: theirs, format: 'der', type: 'spki' });
      return plain(diffieHellman({ privateKey, publicKey })); // Node keeps the zeros in front here
    },
  };
}

const dhKeyAgreement = oid('1.2.840.113549.1.3.1');
