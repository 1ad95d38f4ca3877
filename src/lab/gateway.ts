/**
 * The gateway's first AUTH (RFC 7296 §2.15, RFC 7427): is it who it should be?
 */
import { type Certificate, certificateMatches, constantTimeEqual, readCertificate, verifySignature } from '../../crypto/index.ts';
import { AuthMethod, CertEncoding, describeIdentity, equal, type Payload } from '../wire/index.ts';
import { type Core, type IkeSa, type Intro, violation } from './core.ts';
import { authOctets, sharedKeyAuth } from './keys.ts';
import { all, one } from './octets.ts';
import type { GatewayAuth } from './options.ts';

/** Why IDr, CERT and AUTH do not prove the gateway; undefined when they do, and then the core knows who it is. */
export function judgeGateway(core: Core, sa: IkeSa, intro: Intro, payloads: readonly Payload[]): string | undefined {
  const { gateway, gatewayId } = core.o;
  const [IDr, AUTH] = [one(payloads, 'IDr'), one(payloads, 'AUTH')];
  if (IDr === undefined || AUTH === undefined) return 'IKE_AUTH response without IDr or AUTH';
  if (gatewayId !== undefined && (gatewayId.idType !== IDr.idType || !equal(gatewayId.data, IDr.data)))
    return `the gateway is '${describeIdentity(IDr.idType, IDr.data).text}', another one than expected`;
  const octets = authOctets(sa.prf, intro.message2, intro.Ni, sa.keys.SK_pr, IDr);
  const proof =
    gateway.kind === 'psk' ? bySecret(sa, gateway, AUTH, octets) : byCertificate(core, gateway, IDr, AUTH, octets, payloads);
  if ('why' in proof) return proof.why;
  core.gatewayId = { idType: IDr.idType, data: IDr.data.slice() };
  core.gatewayProof = proof.name;
  return undefined;
}

type Proof = { readonly name: string } | { readonly why: string };
type Auth = Extract<Payload, { kind: 'AUTH' }>;

function bySecret(sa: IkeSa, { psk }: Extract<GatewayAuth, { kind: 'psk' }>, { method, data }: Auth, octets: Uint8Array): Proof {
  if (method !== AuthMethod.SHARED_KEY) return { why: `the gateway uses AUTH method ${method} instead of the pre-shared key` };
  if (!constantTimeEqual(data, sharedKeyAuth(sa.prf, psk.expose(), octets)))
    return { why: 'the AUTH of the gateway is wrong: another pre-shared key, or a forgery' };
  return { name: 'pre-shared key' };
}

/** The first certificate holds the key of AUTH (§3.6), belongs to IDr, and is one that we take. */
function byCertificate(
  core: Core,
  gateway: Extract<GatewayAuth, { kind: 'certificate' }>,
  IDr: Extract<Payload, { kind: 'IDr' }>,
  { method, data }: Auth,
  octets: Uint8Array,
  payloads: readonly Payload[],
): Proof {
  const chain = readChain(core, payloads);
  if ('why' in chain) return chain;
  const [leaf, ...intermediates] = chain.certificates;
  if (leaf === undefined) return { why: 'the gateway sent no certificate' };
  core.certificates = chain.certificates;
  const refusal = judgeLeaf(gateway, leaf, intermediates);
  if (refusal !== undefined) return { why: `the certificate of the gateway: ${refusal}` };
  if (!certificateMatches(leaf, IDr.idType, IDr.data)) return { why: 'the certificate of the gateway is not for its IDr' };
  const { signatureHashes } = core.o;
  if (method === AuthMethod.DIGITAL_SIGNATURE && signatureHashes.length === 0)
    return { why: 'AUTH method 14, and we sent no SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4)' };
  const verdict = verifySignature(leaf, method, data, octets, signatureHashes);
  return verdict.ok ? { name: verdict.name } : { why: `the AUTH of the gateway: ${verdict.why}` };
}

function judgeLeaf(
  { accepts }: Extract<GatewayAuth, { kind: 'certificate' }>,
  leaf: Certificate,
  intermediates: readonly Certificate[],
): string | undefined {
  if (typeof accepts === 'function') return accepts(leaf, intermediates);
  return accepts.some(({ der }) => equal(der, leaf.der)) ? undefined : 'none that we know';
}

function readChain(
  core: Core,
  payloads: readonly Payload[],
): { readonly certificates: readonly Certificate[] } | { readonly why: string } {
  const certificates: Certificate[] = [];
  for (const { encoding, data } of all(payloads, 'CERT')) {
    if (encoding !== CertEncoding.X509_SIGNATURE) {
      violation(core, `CERT of encoding ${encoding}`);
      continue;
    }
    try {
      certificates.push(readCertificate(data));
    } catch (error) {
      return { why: `the certificate of the gateway: ${error instanceof Error ? error.message : 'unreadable'}` };
    }
  }
  return { certificates };
}
