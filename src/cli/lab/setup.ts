/**
 * What the lab needs once: a pre-shared key, two users, a CA and the gateway's certificate, and the configuration that
 * holds them. Made with the first start, kept in the state directory, so that a configured client stays configured.
 */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueCertificate, randomOctets } from '../../../crypto/index.ts';
import { codeOf, EnvironmentRefused } from '../../net/index.ts';
import { type LabEmsPlace, type LabSecrets, labConfig } from './config.ts';

export type Lab = {
  readonly directory: string;
  readonly config: string;
  readonly ca: string;
  readonly secrets: LabSecrets;
  /** True when this start made it. */
  readonly fresh: boolean;
};

/**
 * Gives the lab of a state directory, and makes it when it is not there.
 *
 * @param ems what a new configuration says of the lab's EMS
 * @throws EnvironmentRefused when the directory cannot be written, or holds half a lab
 */
export async function labIn(directory: string, ems: LabEmsPlace): Promise<Lab> {
  const at = (name: string) => join(directory, name);
  const paths = { directory, config: at('postern.conf'), ca: at('ca.pem') };
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const known = await readSecrets(at('secrets.json'));
    if (known !== undefined) {
      await Promise.all([stat(paths.config), stat(paths.ca)]);
      return { ...paths, secrets: known, fresh: false };
    }
    const secrets: LabSecrets = { psk: password(24), users: USERS.map((name) => ({ name, password: password(12) })) };
    const { authority, gateway } = certificates(Math.floor(Date.now() / 1000));
    const write = (path: string, text: string, mode: number) => writeFile(path, text, { mode });
    await write(paths.ca, authority.certificate, 0o644);
    await write(paths.config, labConfig(secrets, gateway, ems, GATEWAY), 0o600);
    await write(at('secrets.json'), `${JSON.stringify(secrets, undefined, 2)}\n`, 0o600); // last: with it the lab is whole
    return { ...paths, secrets, fresh: true };
  } catch (error) {
    if (error instanceof EnvironmentRefused) throw error;
    throw new EnvironmentRefused(
      codeOf(error),
      `Cannot keep the lab in ${directory}: ${codeOf(error)}.`,
      `Name a directory that this user may write with --state DIR; remove ${directory} to start anew.`,
    );
  }
}

/** The gateway's name in its certificate and in IDr. */
export const GATEWAY = 'vpn.postern.lab';
const USERS = ['alice', 'bob'] as const;

/** RSA, since every client has it; the dates leave room for a client whose clock is a day behind. */
function certificates(now: number) {
  const [notBefore, year] = [now - 86400, 365 * 86400];
  const authority = issueCertificate({
    subject: [['CN', 'Postern lab CA']],
    key: 'rsa2048',
    notBefore,
    notAfter: now + 10 * year,
    ca: { pathLength: 0 },
  });
  const gateway = issueCertificate({
    subject: [['CN', GATEWAY]],
    issuer: authority,
    key: 'rsa2048',
    notBefore,
    notAfter: now + 2 * year,
    dns: [GATEWAY],
    eku: ['serverAuth', 'ikeIntermediate'],
  });
  return { authority, gateway };
}

async function readSecrets(path: string): Promise<LabSecrets | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const found: unknown = JSON.parse(text);
  if (isSecrets(found)) return found;
  throw new EnvironmentRefused(
    'EINVAL',
    `${path} is not what the lab wrote.`,
    'Remove it to start anew: clients then need the new secrets.',
  );
}

function isSecrets(value: unknown): value is LabSecrets {
  if (typeof value !== 'object' || value === null || !('psk' in value) || !('users' in value)) return false;
  return typeof value.psk === 'string' && Array.isArray(value.users) && value.users.every(isUser);
}

function isUser(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    'password' in value &&
    typeof value.name === 'string' &&
    typeof value.password === 'string'
  );
}

/** Random letters and digits that nobody mistakes for each other; 5 bits each, so 12 of them are 60 bits. */
function password(length: number): string {
  return Array.from(randomOctets(length), (octet) => 'abcdefghjkmnpqrstuvwxyz23456789x'.charAt(octet & 31)).join('');
}
