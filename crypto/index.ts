// The door of crypto/: algorithms by their IANA numbers, secrets, FortiOS' words for proposals, signatures and certificates.
// It knows no IKE message. Nothing is handed out that did not work when it was tried: an algorithm the running OpenSSL lacks
// is simply not there.
import { randomFillSync } from 'node:crypto';
import { nodeCipher } from './aead.ts';
import type { Cipher, CryptoBackend, Group, Prf } from './backend.ts';
import { nodeGroup } from './dh.ts';
import { nodePrf, nodeSha1, nodeSha256 } from './prf.ts';

export { booleanValue, context, contextPrimitive, type Der, DerReader, oidText, smallInteger, Tag, timeValue } from './asn1.ts';
export type { Cipher, CryptoBackend, Group, KeyPair, Opener, Prf, Sealer } from './backend.ts';
export { type CertificateOrder, type Issued, issueCertificate, type KeyType } from './issue.ts';
export { type KeyKind, loadPrivateKey, type PrivateKey } from './keys.ts';
export { knownAnswers } from './knownAnswers.ts';
export * from './legacy.ts';
export { constantTimeEqual, Secret } from './secret.ts';
export { type KnownAnswer, selfTest } from './selftest.ts';
export { chooseSignature, makeSignature, type SignatureChoice, type SignatureWish, verifySignature } from './sign.ts';
export { espKeyOctets } from './suite.ts';
export {
  type EspProposal,
  espProposalWords,
  type IkeProposal,
  ikeProposalWords,
  parseEspProposal,
  parseIkeProposal,
  type UnservedWord,
} from './words.ts';
export { belongsTo, type Certificate, certificateMatches, chainFor, readCertificate, readPem } from './x509.ts';
export { nameLine, nameText, readName } from './x509Name.ts';
export { type PathVerdict, servesAsClient, validatePath } from './x509Path.ts';

/** The backend that does the work: node:crypto, each algorithm tried once at its first use and remembered. */
export const nodeBackend: CryptoBackend = {
  name: 'node:crypto',
  cipher: (encr, keyLength, integ) =>
    remembered(ciphers, key(encr, keyLength, integ), () => works(nodeCipher(encr, keyLength, integ), tryCipher)),
  prf: (id) => remembered(prfs, id, () => works(nodePrf(id), tryPrf)),
  group: (id) => remembered(groups, id, () => works(nodeGroup(id), tryGroup)),
  sha1: nodeSha1,
};

/** The cipher of these transforms for SK payloads and ESP; undefined when there is none, or the two do not go together. */
export function cipher(encr: number, keyLength: number, integ: number): Cipher | undefined {
  return nodeBackend.cipher(encr, keyLength, integ);
}

/** The PRF of this transform id; undefined when there is none. */
export function prf(id: number): Prf | undefined {
  return nodeBackend.prf(id);
}

/** The Diffie-Hellman group of this transform id; undefined when there is none. */
export function group(id: number): Group | undefined {
  return nodeBackend.group(id);
}

/** SHA-1 over the parts in order: NAT detection (§2.23), CERTREQ (§3.7). */
export const sha1 = nodeSha1;

/** SHA-256: fingerprints. */
export const sha256 = nodeSha256;

/** `n` octets from the system's generator, drawn in pages: 0.2 µs instead of 2.5 µs for a nonce. */
export function randomOctets(n: number): Uint8Array {
  if (n > page.length) return randomFillSync(new Uint8Array(n));
  if (drawn + n > page.length) {
    randomFillSync(page);
    drawn = 0;
  }
  const octets = page.slice(drawn, drawn + n);
  page.fill(0, drawn, drawn + n); // what was handed out is nobody's to find here
  drawn += n;
  return octets;
}

const page = new Uint8Array(2048);
let drawn = page.length;

const ciphers = new Map<number, Cipher | undefined>();
const prfs = new Map<number, Prf | undefined>();
const groups = new Map<number, Group | undefined>();

/** Three transform ids of 16 bits in one number. */
function key(encr: number, keyLength: number, integ: number): number {
  return (encr * 0x10000 + keyLength) * 0x10000 + integ;
}

/** A peer chooses what is looked up, so only what exists is remembered: the tables end where the registry ends. */
function remembered<K, V>(
  table: Map<K, V | undefined>,
  at: K,
  make: () => { spec: boolean; value: V | undefined },
): V | undefined {
  if (table.has(at)) return table.get(at);
  const { spec, value } = make();
  if (spec) table.set(at, value);
  return value;
}

function works<V>(value: V | undefined, attempt: (value: V) => void): { spec: boolean; value: V | undefined } {
  if (value === undefined) return { spec: false, value };
  try {
    attempt(value);
    return { spec: true, value };
  } catch {
    return { spec: true, value: undefined };
  }
}

function tryCipher(one: Cipher): void {
  const plaintext = new Uint8Array(one.blockOctets);
  const message = new Uint8Array(one.ivOctets + plaintext.length + one.icvOctets);
  const keys = [new Uint8Array(one.encrKeyOctets), new Uint8Array(one.integKeyOctets)] as const;
  one.sealer(...keys).seal(message, 0, plaintext, new Uint8Array(one.ivOctets));
  if (!one.opener(...keys).open(message, 0)) throw new Error(`${one.name} does not open what it sealed`);
}

function tryPrf(one: Prf): void {
  const octets = new Uint8Array(one.keyOctets);
  if (one.derive(octets, octets, octets, 1).length !== 1 || one.mac(octets, octets).length !== one.keyOctets)
    throw new Error(one.name);
}

function tryGroup(one: Group): void {
  const pair = one.generate();
  if (!pair.agree(pair.publicValue)) throw new Error(`${one.name} does not agree`);
}
