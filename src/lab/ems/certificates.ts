/** The emulated EMS' own authority and server certificate, and the ones that it shows when it is told to be wrong. */
import { X509Certificate } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { type Issued, issueCertificate } from '../../../crypto/index.ts';
import { addressOctets } from '../../wire/index.ts';

/** All PEM. `chain`: the authorities between server and CA, the one that signed the server first. */
export type EmsCertificates = { readonly ca: Issued; readonly chain: readonly Issued[]; readonly server: Issued };
/** What a TLS server shows. */
export type Shown = { readonly key: string; readonly cert: string };

export type CertificateWish = {
  readonly serial: string;
  /** DNS names and addresses that clients call it by. */
  readonly names: readonly string[];
  /** Seconds since 1970. */
  readonly now: number;
  /** With an authority between the CA and the server. */
  readonly intermediate?: boolean;
};

const DAY = 86_400;

/** Makes a CA and a server certificate. The dates leave room for a client whose clock is a day behind. */
export function makeEmsCertificates({ serial, names, now, intermediate }: CertificateWish): EmsCertificates {
  const ca = authority(`EMS CA ${serial}`, now, undefined);
  const between = intermediate === true ? [authority(`EMS issuing CA ${serial}`, now, ca)] : [];
  return { ca, chain: between, server: serverOf(between[0] ?? ca, serial, names, now) };
}

export function shown({ server, chain }: EmsCertificates): Shown {
  return { key: server.key, cert: [server, ...chain].map(({ certificate }) => certificate).join('') };
}

/** The same names, signed by a CA of the same name that nobody trusts. */
export function ofWrongCa(wish: CertificateWish): Shown {
  return shown(makeEmsCertificates(wish));
}

/** The same names, signed by the same CA, another key. */
export function withChangedKey({ ca, chain }: EmsCertificates, { serial, names, now }: CertificateWish): Shown {
  return shown({ ca, chain, server: serverOf(chain[0] ?? ca, serial, names, now) });
}

/** What a client may call a server by that listens on this address. */
export function namesOf(address: string): readonly string[] {
  const all = address === '0.0.0.0' || address === '::';
  const own = all ? Object.values(networkInterfaces()).flatMap((list) => list?.map((a) => a.address) ?? []) : [address];
  // A scope ('fe80::1%eth0') is no part of an address in a certificate; fifty names are enough for any machine.
  return [...new Set(['localhost', '127.0.0.1', '::1', ...own.filter((a) => addressOctets(a) !== undefined)])].slice(0, 50);
}

/** SHA-256, capital hexadecimal digits. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(':', '');
}

function authority(cn: string, now: number, issuer: Issued | undefined): Issued {
  return issueCertificate({
    subject: [['CN', cn]],
    key: 'p256',
    notBefore: now - DAY,
    notAfter: now + 3650 * DAY,
    ca: {},
    ...(issuer === undefined ? {} : { issuer }),
  });
}

function serverOf(issuer: Issued, serial: string, names: readonly string[], now: number): Issued {
  const octets = names.map(addressOctets);
  return issueCertificate({
    subject: [['CN', serial]],
    issuer,
    key: 'p256',
    notBefore: now - DAY,
    notAfter: now + 825 * DAY,
    dns: names.filter((_, i) => octets[i] === undefined),
    addresses: octets.filter((o) => o !== undefined),
    eku: ['serverAuth'],
  });
}
