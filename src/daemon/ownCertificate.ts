/**
 * Who we are to EMS: a serial number, and a client certificate whose CN it is. Made once where none is configured, and kept in
 * the state directory, because an EMS administrator authorises this very certificate.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueCertificate, randomOctets, readPem } from '../../crypto/index.ts';
import { codeOf, EnvironmentRefused } from '../net/index.ts';

export type OwnCertificate = {
  readonly serial: string;
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** It was made now: no EMS has seen it yet. */
  readonly fresh: boolean;
};

const FILE = 'ems-client.pem';
const YEARS = 10;

/**
 * Gives the certificate of the state directory; makes one when there is none, or when it bears another serial number than is
 * configured.
 *
 * @param state undefined: nothing is kept, the certificate is another one at every start
 * @param serialNumber `set serial-number`; without it one is drawn
 * @throws EnvironmentRefused when it can neither be read nor written
 */
export async function ownCertificate(
  state: string | undefined,
  serialNumber: string | undefined,
  unix: number,
): Promise<OwnCertificate> {
  const kept = state === undefined ? undefined : await read(join(state, FILE));
  if (kept !== undefined && (serialNumber === undefined || serialNumber === kept.serial)) return kept;
  const serial = serialNumber ?? `PSTRN${Array.from(randomOctets(11), (o) => o % 10).join('')}`;
  const made = issueCertificate({
    subject: [
      ['O', 'Postern'],
      ['CN', serial],
    ],
    key: 'rsa2048',
    notBefore: unix - 86_400,
    notAfter: unix + YEARS * 365 * 86_400,
    eku: ['clientAuth'],
  });
  if (state !== undefined) await write(join(state, FILE), `${made.certificate.trim()}\n${made.key.trim()}\n`);
  return { serial, ...made, fresh: true };
}

async function read(path: string): Promise<OwnCertificate | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, codeOf(error));
  }
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(text)?.[0];
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/.exec(text)?.[0];
  if (certificate === undefined || key === undefined) throw unusable(path, 'no certificate and key in it');
  try {
    const serial = readPem(certificate)[0]?.cn;
    if (serial === undefined) throw unusable(path, 'its certificate has no CN');
    return { serial, certificate, key, fresh: false };
  } catch (error) {
    if (error instanceof EnvironmentRefused) throw error;
    throw unusable(path, 'its certificate cannot be read');
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw unusable(path, codeOf(error));
  }
}

const unusable = (path: string, why: string): EnvironmentRefused =>
  new EnvironmentRefused(
    'ESTATE',
    `Our client certificate for EMS, ${path}, cannot be used: ${why}.`,
    'Mend its rights, or remove it: a new one is made, which the EMS administrator must authorise again.',
  );
