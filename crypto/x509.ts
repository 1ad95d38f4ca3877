/**
 * X.509 certificates (RFC 5280): reading them, putting them in order, comparing them with IKE identities.
 *
 *   Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
 *   TBSCertificate ::= SEQUENCE { [0] version, serial, signature, issuer, validity, subject, subjectPublicKeyInfo,
 *                                 [1] [2] unique ids, [3] extensions }
 *
 * Two parsers must agree that something is a certificate: OpenSSL's, which also gives the key, and the strict walk here,
 * which gives the fields as they stand. Nothing read here is trusted before `validatePath` has said so.
 */
import { hash, type KeyObject, X509Certificate } from 'node:crypto';
import { bitOctets, context, contextPrimitive, DerReader, NotDer, Tag, timeValue } from './asn1.ts';
import { judgeKey, type KeyKind, type PrivateKey, sameKey } from './keys.ts';
import { readAlgorithmIdentifier, type Scheme } from './scheme.ts';
import { type Extensions, readExtensions } from './x509Extensions.ts';
import {
  type Attribute,
  COMMON_NAME,
  comparableName,
  EMAIL_ADDRESS,
  hex,
  isPlain,
  nameText,
  readName,
  sameDns,
  sameEmail,
  singleText,
} from './x509Name.ts';

export type Certificate = {
  readonly der: Uint8Array;
  /** `C = CA, O = Example, CN = laptop`; safe to print. */
  readonly subject: string;
  readonly issuer: string;
  readonly subjectDer: Uint8Array;
  readonly issuerDer: Uint8Array;
  /** The common name, if there is exactly one and it can be printed. */
  readonly cn?: string;
  /** Of subjectAltName; only names that can be printed. */
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  /** Four or sixteen octets each. */
  readonly addresses: readonly Uint8Array[];
  readonly publicKey: KeyObject;
  /** `other`: a key that may not be used here. */
  readonly keyKind: KeyKind | 'other';
  /** Seconds since 1970; the certificate is valid in both of these seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Hexadecimal. */
  readonly serial: string;
  readonly isCa: boolean;
  /** SHA-1 of the SubjectPublicKeyInfo, as CERTREQ names authorities (§3.7). */
  readonly keyHash: Uint8Array;
  /** Object identifiers of extendedKeyUsage. */
  readonly eku: readonly string[];
  /** What only path validation needs. */
  readonly fields: CertificateFields;
};

export type CertificateFields = Extensions & {
  /** The signed octets, and what was signed with. */
  readonly tbs: Uint8Array;
  readonly scheme: Scheme | { readonly why: string };
  readonly signature: Uint8Array;
  readonly subjectName: readonly Attribute[];
  /** Comparable forms of the two names. */
  readonly subjectKey: string;
  readonly issuerKey: string;
};

/** Longer certificates are refused unread. */
export const MAX_CERTIFICATE = 16_384;

/**
 * The certificate in these octets (DER). Throws an Error that says in plain words why there is none. Clients come back:
 * the certificates read last are remembered by their exact octets, and the same octets give the same object.
 */
export function readCertificate(octets: Uint8Array): Certificate {
  if (octets.length > MAX_CERTIFICATE)
    throw new Error(`a certificate of ${octets.length} octets is too long (${MAX_CERTIFICATE} at most)`);
  const digest = hash('sha256', octets, 'base64');
  const known = recent.get(digest);
  if (known !== undefined) return known;
  try {
    const certificate = Object.freeze(read(octets.slice())); // views of the copy live as long as the certificate
    recent.set(digest, certificate);
    const oldest = recent.size > MAX_RECENT ? recent.keys().next().value : undefined;
    if (oldest !== undefined) recent.delete(oldest);
    return certificate;
  } catch (error) {
    throw new Error(`not a usable X.509 certificate: ${error instanceof NotDer ? error.message : 'OpenSSL cannot read it'}`);
  }
}

const recent = new Map<string, Certificate>();
const MAX_RECENT = 512;

/** All certificates in a PEM text, in its order; whatever else it holds is passed over. Throws as `readCertificate`. */
export function readPem(text: string): readonly Certificate[] {
  if (text.length > MAX_PEM) throw new Error(`a text of ${text.length} characters is too long for certificates`);
  const blocks = [...text.matchAll(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END /g)];
  if (blocks.length === 0) throw new Error('no certificate in PEM format');
  return blocks.map(([, body = ''], i) => {
    try {
      return readCertificate(new Uint8Array(Buffer.from(body, 'base64')));
    } catch (error) {
      const which = blocks.length === 1 ? '' : `certificate ${i + 1} of ${blocks.length}: `;
      throw new Error(`${which}${error instanceof Error ? error.message : 'unreadable'}`);
    }
  });
}

/** The leaf and the intermediates of `pool` that lead from it to a root, which is left out: what to send in CERT payloads. */
export function chainFor(leaf: Certificate, pool: readonly Certificate[]): readonly Certificate[] {
  const chain = [leaf];
  for (let last = leaf; chain.length < MAX_CHAIN; ) {
    const issuer = pool.find((cert) => mayHaveIssued(cert, last) && !isSelfIssued(cert) && !chain.includes(cert));
    if (issuer === undefined || isSelfIssued(last)) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

const MAX_PEM = 4_194_304;

/** Longest chain, leaf and root included. */
export const MAX_CHAIN = 8;

/** By names and key identifiers; the signature is another question. */
export function mayHaveIssued(issuer: Certificate, subject: Certificate): boolean {
  if (issuer.fields.subjectKey !== subject.fields.issuerKey) return false;
  const { subjectKeyId } = issuer.fields;
  const { authorityKeyId } = subject.fields;
  return subjectKeyId === undefined || authorityKeyId === undefined || subjectKeyId === authorityKeyId;
}

export const isSelfIssued = ({ fields }: Certificate): boolean => fields.subjectKey === fields.issuerKey;

/** Is this the certificate of that private key? */
export const belongsTo = (cert: Certificate, key: PrivateKey): boolean => sameKey(cert.publicKey, key);

/**
 * Does the certificate bear this IKE identity (§3.5; RFC 4945 §3.1)? Addresses and names are sought in subjectAltName;
 * where it has none of their kind, a host name may stand in the common name and a mail address in the subject. A
 * distinguished name is the subject. KEY_ID is nothing that a certificate can say.
 */
export function certificateMatches(cert: Certificate, idType: number, data: Uint8Array): boolean {
  if (data.length > MAX_IDENTITY) return false;
  const name = String.fromCharCode(...data);
  switch (idType) {
    case ID.ipv4:
    case ID.ipv6:
      return (
        data.length === (idType === ID.ipv4 ? 4 : 16) && cert.addresses.some((address) => Buffer.compare(address, data) === 0)
      );
    case ID.fqdn:
      return (cert.dns.length > 0 ? cert.dns : [cert.cn ?? '']).some((dns) => sameDns(dns, name));
    case ID.email: {
      const fallback = singleText(cert.fields.subjectName, EMAIL_ADDRESS) ?? cert.cn ?? '';
      return (cert.emails.length > 0 ? cert.emails : [fallback]).some((email) => sameEmail(email, name));
    }
    case ID.dn:
      return sameName(cert, data);
    default:
      return false;
  }
}

const MAX_IDENTITY = 4096;
const ID = { ipv4: 1, fqdn: 2, email: 3, ipv6: 5, dn: 9 } as const;

const isAddress = ({ length }: Uint8Array): boolean => length === 4 || length === 16;

function sameName(cert: Certificate, octets: Uint8Array): boolean {
  try {
    return cert.fields.subjectName.length > 0 && comparableName(readName(octets)) === cert.fields.subjectKey;
  } catch {
    return false;
  }
}

function read(octets: Uint8Array): Certificate {
  const outer = DerReader.only(octets, Tag.sequence);
  const tbs = outer.expect(Tag.sequence);
  const algorithm = outer.expect(Tag.sequence).whole;
  const signature = bitOctets(outer.expect(Tag.bitString));
  outer.end();

  const r = new DerReader(tbs.value);
  const version = r.optional(context(0));
  const serial = r.expect(Tag.integer).value;
  const innerAlgorithm = r.expect(Tag.sequence).whole;
  // RFC 5280 §4.1.1.2: what is signed names the algorithm too, so that nobody can exchange it.
  if (Buffer.compare(algorithm, innerAlgorithm) !== 0) throw new NotDer('two different signature algorithms');
  const issuerDer = r.expect(Tag.sequence).whole;
  const validity = r.enter(Tag.sequence);
  const [notBefore, notAfter] = [timeValue(validity.next()), timeValue(validity.next())];
  validity.end();
  const subjectDer = r.expect(Tag.sequence).whole;
  const spki = r.expect(Tag.sequence).whole;
  r.optional(contextPrimitive(1));
  r.optional(contextPrimitive(2));
  const block = r.optional(context(3));
  r.end();
  if (block !== undefined && (version === undefined || version.value[2] !== 2))
    throw new NotDer('extensions in a certificate that is not version 3');
  const extensions = readExtensions(block);

  const subjectName = readName(subjectDer);
  const issuerName = readName(issuerDer);
  const altNames = extensions.altNames;
  const texts = (kind: 'dns' | 'email') =>
    altNames.flatMap((name) => (name.kind === kind && isPlain(name.text) ? [name.text] : []));
  const cn = singleText(subjectName, COMMON_NAME);
  const { publicKey } = new X509Certificate(octets);
  const key = judgeKey(publicKey);
  return {
    der: octets,
    subject: nameText(subjectName),
    issuer: nameText(issuerName),
    subjectDer,
    issuerDer,
    ...(cn === undefined ? {} : { cn }),
    dns: texts('dns'),
    emails: texts('email'),
    addresses: altNames.flatMap((name) => (name.kind === 'address' && isAddress(name.octets) ? [name.octets] : [])),
    publicKey,
    keyKind: 'why' in key ? 'other' : key.kind,
    notBefore,
    notAfter,
    serial: hex(serial, 64),
    isCa: extensions.isCa,
    keyHash: new Uint8Array(hash('sha1', spki, 'buffer')),
    eku: extensions.eku,
    fields: {
      ...extensions,
      tbs: tbs.whole,
      scheme: readAlgorithmIdentifier(algorithm),
      signature,
      subjectName,
      subjectKey: comparableName(subjectName),
      issuerKey: comparableName(issuerName),
    },
  };
}
