// The door of crypto/: algorithms by their IANA numbers, secrets, FortiOS' words for proposals, signatures and certificates.
// It knows no IKE message. Nothing is handed out that did not work when it was tried: an algorithm the running OpenSSL lacks
// is simply not there.
import type { Cipher, Group, Prf } from './backend.ts';
import { serving } from './choice.ts';
import type { EspOpener, EspSealer, EspTransform } from './esp.ts';
import { nodeSha256 } from './prf.ts';

export { booleanValue, context, contextPrimitive, type Der, DerReader, oidText, smallInteger, Tag, timeValue } from './asn1.ts';
export type { Cipher, CryptoBackend, Group, KeyPair, Opener, Prf, Sealer } from './backend.ts';
export { type Choice, chooseBackend } from './choice.ts';
export { BAD, ESP_HEADER, type EspOpener, type EspSealer, type EspSizes, type EspTransform, espSizes } from './esp.ts';
export { type CertificateOrder, type Issued, issueCertificate, type KeyType } from './issue.ts';
export { type KeyKind, loadPrivateKey, type PrivateKey } from './keys.ts';
export { knownAnswers } from './knownAnswers.ts';
export * from './legacy.ts';
export { nodeBackend } from './node.ts';
export { randomOctets } from './random.ts';
export { constantTimeEqual, Secret } from './secret.ts';
export { hasAnswer, type KnownAnswer, selfTest } from './selftest.ts';
export { chooseSignature, makeSignature, type SignatureChoice, type SignatureWish, verifySignature } from './sign.ts';
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

/** The cipher of these transforms for SK payloads and ESP; undefined when there is none, or the two do not go together. */
export function cipher(encr: number, keyLength: number, integ: number): Cipher | undefined {
  return serving.backend.cipher(encr, keyLength, integ);
}

/** The PRF of this transform id; undefined when there is none. */
export function prf(id: number): Prf | undefined {
  return serving.backend.prf(id);
}

/** The Diffie-Hellman group of this transform id; undefined when there is none. */
export function group(id: number): Group | undefined {
  return serving.backend.group(id);
}

/** SHA-1 over the parts in order: NAT detection (§2.23), CERTREQ (§3.7). */
export function sha1(...parts: readonly Uint8Array[]): Uint8Array {
  return serving.backend.sha1(...parts);
}

/** SHA-256: fingerprints. */
export const sha256 = nodeSha256;

/** ESP's outbound side of an SA; undefined as in `cipher`. Throws RangeError for keys of another length. Copies the keys. */
export function espSealer(transform: EspTransform, encrKey: Uint8Array, integKey: Uint8Array): EspSealer | undefined {
  return serving.esp.sealer(transform, encrKey, integKey);
}

/** ESP's inbound side, as `espSealer`. */
export function espOpener(transform: EspTransform, encrKey: Uint8Array, integKey: Uint8Array): EspOpener | undefined {
  return serving.esp.opener(transform, encrKey, integKey);
}
