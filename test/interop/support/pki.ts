/**
 * Authorities and certificates for the tests, made by strongSwan's `pki`: another implementation than ours writes what ours
 * must read. Keys and certificates are PEM text.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './processes.ts';

export type KeyKind = 'rsa-2048' | 'rsa-3072' | 'ecdsa-256' | 'ecdsa-384' | 'ed25519';
export type Credential = { readonly certificate: string; readonly key: string; readonly subject: string };
export type Authority = Credential & {
  issue(o: Leaf): Promise<Credential>;
  intermediate(o: { readonly cn: string; readonly key: KeyKind }): Promise<Authority>;
};
export type Leaf = {
  readonly cn: string;
  readonly key: KeyKind;
  /** Subject alternative names: host names, addresses, e-mail addresses. */
  readonly names?: readonly string[];
  readonly usage?: 'serverAuth' | 'clientAuth';
  /** Days; below zero it has already ended. */
  readonly days?: number;
};

/** A self-signed root. */
export async function authority(o: { readonly cn: string; readonly key: KeyKind }): Promise<Authority> {
  const key = await generate(o.key);
  const subject = `C=XX, O=Lab, CN=${o.cn}`;
  const certificate = await inFolder({ 'own.key': key }, (at) =>
    pki(['--self', '--ca', '--in', at('own.key'), '--type', 'priv', '--dn', subject, '--lifetime', '30', '--outform', 'pem']),
  );
  return withPowers({ certificate, key, subject });
}

function withPowers(self: Credential): Authority {
  return {
    ...self,
    issue: async (o) => {
      const names = (o.names ?? []).flatMap((name) => ['--san', name]);
      const usage = o.usage === undefined ? [] : ['--flag', o.usage];
      return await sign(self, o.key, o.cn, [...names, ...usage, ...lifetime(o.days ?? 30)]);
    },
    intermediate: async (o) => withPowers(await sign(self, o.key, o.cn, ['--ca', '--lifetime', '30'])),
  };
}

async function sign(issuer: Credential, kind: KeyKind, cn: string, more: readonly string[]): Promise<Credential> {
  const key = await generate(kind);
  const subject = `C=XX, O=Lab, CN=${cn}`;
  const files = { 'ca.pem': issuer.certificate, 'ca.key': issuer.key, 'own.key': key };
  const certificate = await inFolder(files, (at) =>
    pki(
      [
        '--issue',
        '--cacert',
        at('ca.pem'),
        '--cakey',
        at('ca.key'),
        '--in',
        at('own.key'),
        '--type',
        'priv',
        '--dn',
        subject,
      ].concat(more, ['--outform', 'pem']),
    ),
  );
  return { certificate, key, subject };
}

function lifetime(days: number): readonly string[] {
  if (days >= 0) return ['--lifetime', `${days}`];
  const stamp = (offset: number) => {
    const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(new Date(Date.now() + offset * 86_400_000).toISOString()) ?? [];
    return `${day}.${month}.${year?.slice(2)} 00:00:00`;
  };
  return ['--not-before', stamp(days - 30), '--not-after', stamp(days)];
}

async function generate(kind: KeyKind): Promise<string> {
  const [type = '', size] = kind.split('-');
  return await pki(['--gen', '--type', type, ...(size === undefined ? [] : ['--size', size]), '--outform', 'pem']);
}

async function pki(args: readonly string[]): Promise<string> {
  return await must('pki', args, { seconds: 60 });
}

async function inFolder<T>(
  files: Readonly<Record<string, string>>,
  work: (at: (name: string) => string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-pki-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
    return await work((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
