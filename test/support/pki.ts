/**
 * A PKI for tests: one family of certificates for each kind of key, made when first asked for and then kept. The clock is
 * fixed; keys and serial numbers are random, and no test looks at them.
 */
import {
  type Certificate,
  type CertificateOrder,
  type Issued,
  issueCertificate,
  type KeyType,
  readPem,
} from '../../crypto/index.ts';

/** The moment at which everything below is valid, in seconds since 1970. */
export const NOW = 1_800_000_000;
export const DAY = 86_400;

export type Pair = Issued & { readonly cert: Certificate };

/** A certificate valid from a year before NOW to a year after, with its parsed form. */
export function issue(order: Partial<CertificateOrder> & { readonly cn: string }): Pair {
  const { cn, ...rest } = order;
  const whole = {
    subject: [
      ['O', 'Lab'],
      ['CN', cn],
    ],
    key: 'p256',
    notBefore: NOW - 365 * DAY,
    notAfter: NOW + 365 * DAY,
    ...rest,
  } as const;
  const issued = issueCertificate(whole);
  return { ...issued, cert: only(issued.certificate) };
}

/** The one certificate in this PEM. */
export function only(pem: string): Certificate {
  const [cert, second] = readPem(pem);
  if (cert === undefined || second !== undefined) throw new Error('not exactly one certificate');
  return cert;
}

export type Family = { readonly root: Pair; readonly intermediate: Pair; readonly server: Pair; readonly client: Pair };

/** Root, intermediate, a server (`vpn.lab.test`) and a client (`client.lab.test`) below it, all with keys of one kind. */
export function family(key: KeyType): Family {
  const before = families.get(key);
  if (before !== undefined) return before;
  const root = issue({ cn: `Root ${key}`, key, ca: {} });
  const intermediate = issue({ cn: `Intermediate ${key}`, key, ca: { pathLength: 0 }, issuer: root });
  const leaf = (name: string, eku: string) =>
    issue({ cn: name, key, issuer: intermediate, dns: [name], emails: [`admin@${name}`], eku: [eku] });
  const made = { root, intermediate, server: leaf('vpn.lab.test', 'serverAuth'), client: leaf('client.lab.test', 'clientAuth') };
  families.set(key, made);
  return made;
}
const families = new Map<KeyType, Family>();

/** The same octets with one of them changed, counted from the end when negative. */
export function damaged(octets: Uint8Array, at: number): Uint8Array {
  const copy = octets.slice();
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
