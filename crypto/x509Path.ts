/**
 * Is there a chain from a peer's certificate to an authority that we trust (RFC 5280 §6)?
 *
 * Three steps. A bounded search for the chain, by names, key identifiers and signatures: what a peer sends may be long,
 * circular or beside the point, and pkijs would follow all of it. Then our own checks, each where pkijs is silent: path
 * length, key usage of the leaf, critical extensions nobody understands, constraints it cannot parse, key sizes, SHA-1.
 * Last, pkijs validates that one chain: names, dates, authorities, policies, constraints. It asks back for each signature
 * through its crypto engine, which here is OpenSSL: pkijs knows no EdDSA.
 *
 * Revocation is not looked at.
 */
import { webcrypto } from 'node:crypto';
import type { ICryptoEngine, Certificate as ParsedCertificate } from 'pkijs';
import { judgeKey } from './keys.ts';
import { schemeName, verifyWith } from './scheme.ts';
import { type Certificate, isSelfIssued, MAX_CHAIN, mayHaveIssued } from './x509.ts';
import { constraintFault } from './x509Constraints.ts';
import { KeyUsage } from './x509Extensions.ts';

export type PathVerdict =
  /** Leaf first, trust anchor last. */
  { readonly ok: true; readonly chain: readonly Certificate[] } | { readonly ok: false; readonly why: string };

/**
 * Validates `leaf` for an IKE signature at the moment `at` (seconds since 1970). Never rejects: whatever is wrong with
 * the certificates is a verdict, in plain words, safe to print.
 */
export async function validatePath(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly Certificate[],
  at: number,
): Promise<PathVerdict> {
  if (anchors.length === 0) return no('no authority is trusted here');
  if (intermediates.length > MAX_INTERMEDIATES)
    return no(`${intermediates.length} intermediate certificates, more than ${MAX_INTERMEDIATES}`);
  const before = verified.get(leaf)?.find((one) => stillHolds(one, intermediates, anchors, at));
  if (before !== undefined) return { ok: true, chain: before.chain };

  const search = findChains(leaf, intermediates, anchors);
  let first: string | undefined;
  for (const chain of search.chains) {
    const fault = ownFault(chain, at) ?? (await libraryFault(chain, at));
    if (fault === undefined) {
      const from = Math.max(...chain.map((cert) => cert.notBefore));
      const until = Math.min(...chain.map((cert) => cert.notAfter));
      verified.set(leaf, [{ chain, from, until }, ...(verified.get(leaf) ?? [])].slice(0, MAX_CHAINS));
      return { ok: true, chain };
    }
    first ??= fault;
  }
  return no(first ?? search.why);
}

const no = (why: string): PathVerdict => ({ ok: false, why });

type Chain = readonly Certificate[];
type Verified = { readonly chain: Chain; readonly from: number; readonly until: number };

/**
 * A chain that was found good is good for as long as all its certificates are valid: nothing else in the verdict depends
 * on time. It counts again when everything it is made of is here again. pkijs takes milliseconds, this microseconds.
 */
const verified = new WeakMap<Certificate, readonly Verified[]>();

function stillHolds({ chain, from, until }: Verified, intermediates: Chain, anchors: Chain, at: number): boolean {
  const [anchor, ...others] = chain.toReversed();
  if (at < from || at > until || anchor === undefined || !anchors.includes(anchor)) return false;
  return others.slice(0, -1).every((cert) => intermediates.includes(cert) || anchors.includes(cert));
}

/** All chains from the leaf to an anchor whose signatures hold, or where the nearest one broke off. */
function findChains(
  leaf: Certificate,
  intermediates: Chain,
  anchors: Chain,
): { readonly chains: readonly Chain[]; readonly why: string } {
  const isAnchor = (cert: Certificate) => anchors.some((anchor) => sameOctets(anchor.der, cert.der));
  const chains: Chain[] = [];
  let why = '';
  let tries = MAX_SIGNATURES;
  const extend = (chain: Chain, last: Certificate): void => {
    if (isAnchor(last)) {
      chains.push(chain);
      return;
    }
    const issuers = [...anchors, ...intermediates].filter((cert) => mayHaveIssued(cert, last) && !chain.includes(cert));
    if (issuers.length === 0) why ||= `nobody here knows the issuer '${last.issuer}' of '${last.subject}'`;
    else if (chain.length === MAX_CHAIN) why ||= `a chain of more than ${MAX_CHAIN} certificates`;
    else {
      for (const issuer of issuers) {
        if (chains.length === MAX_CHAINS || tries-- <= 0) return;
        const fault = signatureFault(last, issuer);
        if (fault === undefined) extend([...chain, issuer], issuer);
        else why ||= fault;
      }
    }
  };
  extend([leaf], leaf);
  return { chains, why: why || 'too many certificates to try' };
}

/** Each pair is computed once: the search asks, then pkijs asks again. */
function signatureFault(cert: Certificate, issuer: Certificate): string | undefined {
  const answers = signatures.get(cert) ?? new WeakMap<Certificate, { readonly why: string | undefined }>();
  signatures.set(cert, answers);
  const answer = answers.get(issuer) ?? { why: checkSignature(cert, issuer) };
  answers.set(issuer, answer);
  return answer.why;
}
const signatures = new WeakMap<Certificate, WeakMap<Certificate, { readonly why: string | undefined }>>();

function checkSignature({ subject, fields }: Certificate, issuer: Certificate): string | undefined {
  const { scheme, tbs, signature } = fields;
  if ('why' in scheme) return `'${subject}' is signed in a way that is not accepted: ${scheme.why}`;
  const key = judgeKey(issuer.publicKey);
  if ('why' in key) return `'${issuer.subject}' has an unusable key: ${key.why}`;
  const right = verifyWith(scheme, issuer.publicKey, tbs, signature);
  return right ? undefined : `'${subject}' is not signed by '${issuer.subject}'`;
}

/** What we check ourselves. */
function ownFault(chain: Chain, at: number): string | undefined {
  for (const [i, cert] of chain.entries()) {
    const fault =
      dateFault(cert, at) ??
      keyFault(cert, i === chain.length - 1) ??
      (i === 0 ? leafFault(cert) : authorityFault(cert, chain.slice(1, i)));
    if (fault !== undefined) return `'${cert.subject}' ${fault}`;
    // Self-issued authorities are not excepted, unlike in RFC 5280 §6.1.3 (b): pkijs does not except them either.
    for (const below of chain.slice(0, i)) {
      const name = cert.fields.constraints === undefined ? undefined : constraintFault(below, cert.fields.constraints);
      if (name !== undefined) return `'${below.subject}' breaks the name constraints of '${cert.subject}': ${name}`;
    }
  }
  return undefined;
}

function dateFault({ notBefore, notAfter }: Certificate, at: number): string | undefined {
  if (at < notBefore) return `is not valid before ${day(notBefore)}`;
  return at > notAfter ? `expired on ${day(notAfter)}` : undefined;
}
const day = (time: number): string => new Date(time * 1000).toISOString().replace('.000Z', 'Z');

/** Nobody relies on the signature of the last one, which is trusted as it is. */
function keyFault({ publicKey, fields }: Certificate, isLast: boolean): string | undefined {
  const key = judgeKey(publicKey);
  if ('why' in key) return `has an unusable key: ${key.why}`;
  const [unknown] = fields.unknownCritical;
  if (unknown !== undefined) return `has a critical extension that is not known here: ${unknown}`;
  if (isLast) return undefined;
  return 'hash' in fields.scheme && fields.scheme.hash === 'sha1'
    ? `is signed with ${schemeName(fields.scheme)}, which proves nothing any more`
    : undefined;
}

/**
 * True when a certificate's extended key usage lets a client use it: there is none, or it has a purpose of clients, of IPsec,
 * or any (RFC 4945 §5.1.3.12). A web server's is no client's.
 */
export const servesAsClient = ({ eku }: Certificate): boolean =>
  eku.length === 0 || eku.some((purpose) => purpose !== SERVER_AUTH && PURPOSES.has(purpose));

function leafFault({ fields, eku }: Certificate): string | undefined {
  const { keyUsage, ekuCritical } = fields;
  // RFC 4945 §5.1.3.2
  if (keyUsage !== undefined && (keyUsage & (KeyUsage.digitalSignature | KeyUsage.contentCommitment)) === 0)
    return 'may not sign: its key usage has neither digitalSignature nor nonRepudiation';
  // RFC 4945 §5.1.3.12 advises against the extension; real certificates have those of TLS. Only a critical one binds.
  if (ekuCritical && !eku.some((purpose) => PURPOSES.has(purpose)))
    return 'may not be used for IKE: its extended key usage is critical and for something else';
  return undefined;
}

function authorityFault({ isCa, fields }: Certificate, between: Chain): string | undefined {
  if (!isCa) return 'is not a certificate authority';
  if (fields.keyUsage !== undefined && (fields.keyUsage & KeyUsage.keyCertSign) === 0)
    return 'may not sign certificates: its key usage has no keyCertSign';
  const length = between.filter((cert) => !isSelfIssued(cert)).length;
  if (fields.pathLength !== undefined && length > fields.pathLength)
    return `allows ${fields.pathLength} intermediate certificates, there are ${length}`;
  return undefined;
}

/** What pkijs says against the chain. */
async function libraryFault(chain: Chain, at: number): Promise<string | undefined> {
  const pki = await import('pkijs'); // 60 ms at the first certificate instead of at every start
  const parse = (cert: Certificate): ParsedCertificate => {
    const before = authorities.get(cert);
    if (before !== undefined) return before;
    const parsed = pki.Certificate.fromBER(cert.der);
    if (cert.isCa) authorities.set(cert, parsed); // large, slow to make, and few
    return parsed;
  };
  let known: readonly { readonly cert: Certificate; readonly parsed: ParsedCertificate }[];
  try {
    known = chain.map((cert) => ({ cert, parsed: parse(cert) }));
  } catch {
    return `the chain of '${chain[0]?.subject}' holds a certificate that pkijs cannot read`;
  }
  const engine = new pki.CryptoEngine({ name: 'postern', crypto: webcrypto });
  // The hook that pkijs documents for other engines: it names the issuer by its parsed key, and the signed octets.
  engine.verifyWithPublicKey = (data, _signature, publicKeyInfo) => {
    const signed = known.find(({ parsed }) => sameOctets(parsed.tbsView, data));
    const issuer = known.find(({ parsed }) => parsed.subjectPublicKeyInfo === publicKeyInfo);
    return Promise.resolve(
      signed !== undefined && issuer !== undefined && signatureFault(signed.cert, issuer.cert) === undefined,
    );
  };
  const parsed = known.map((pair) => pair.parsed);
  const validation = new pki.CertificateChainValidationEngine({
    trustedCerts: parsed.slice(-1),
    certs: parsed.length === 1 ? parsed : parsed.slice(0, -1).reverse(), // the leaf last
    checkDate: new Date(at * 1000),
  });
  // Its type lacks members that Node's newest WebCrypto has and that nothing here calls.
  const verdict = await validation.verify({}, engine as unknown as ICryptoEngine);
  return verdict.result ? undefined : `the chain of '${chain[0]?.subject}' is refused: ${verdict.resultMessage}`;
}

const authorities = new WeakMap<Certificate, ParsedCertificate>();

function sameOctets(a: ArrayBuffer | Uint8Array, b: ArrayBuffer | Uint8Array): boolean {
  return Buffer.compare(new Uint8Array(a), new Uint8Array(b)) === 0;
}

const MAX_INTERMEDIATES = 8;
/** Signatures tried in one search, for a peer that is still nobody: a chain needs seven, cross-signed authorities more. */
const MAX_SIGNATURES = 16;
const MAX_CHAINS = 4;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
/** anyExtendedKeyUsage; TLS server and client; IPsec end system, tunnel, user, IKE; Apple's and Microsoft's IKE intermediate. */
const PURPOSES: ReadonlySet<string> = new Set([
  '2.5.29.37.0',
  SERVER_AUTH,
  '1.3.6.1.5.5.7.3.2',
  '1.3.6.1.5.5.7.3.5',
  '1.3.6.1.5.5.7.3.6',
  '1.3.6.1.5.5.7.3.7',
  '1.3.6.1.5.5.7.3.17',
  '1.3.6.1.5.5.8.2.2',
]);
