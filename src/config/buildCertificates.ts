/** `vpn certificate …` → certificates and keys. PEM is read by crypto; what it cannot read is told at its setting. */
import { belongsTo, type Certificate, chainFor, loadPrivateKey, type PrivateKey, readPem } from '../../crypto/index.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import type { LocalCertificate } from './model.ts';
import { certificateCa, certificateLocal } from './schemaUser.ts';
import { shown } from './setting.ts';
import { tellEncrypted } from './statuses.ts';
import { type Entry, get, isGarbled, isSet, placeOf } from './table.ts';

export type Certificates = {
  /** A named one of ours; undefined has been told. Every name is read once. */
  local(name: string, place: Word, purpose: string): LocalCertificate | undefined;
  /** The authority of that name; undefined has been told. */
  authority(name: string, place: Word, purpose: string): readonly Certificate[] | undefined;
  readonly authorities: readonly Certificate[];
};

export function buildCertificates(store: Store, findings: Findings): Certificates {
  const authorities = new Map(entriesOf(store, certificateCa).map((entry) => [entry.key.text, readAuthority(entry, findings)]));
  const all = [...authorities.values()].flat();
  const locals = new Map<string, LocalCertificate | undefined>();
  return {
    authorities: all,
    authority(name, place, purpose) {
      const found = authorities.get(name);
      if (found === undefined)
        findings.error(
          'reference',
          place,
          `${purpose}: the authority ${shown(name)} is not defined: add it under 'config vpn certificate ca'`,
        );
      return found;
    },
    local(name, place, purpose) {
      const entry = entryAt(store, certificateLocal, name);
      if (entry === undefined) {
        findings.error(
          'reference',
          place,
          `${purpose}: ${shown(name)} is not defined: add it with its key under 'config vpn certificate local'`,
        );
        return undefined;
      }
      if (!locals.has(name)) locals.set(name, readLocal(entry, all, findings));
      return locals.get(name);
    },
  };
}

type Local = Entry<(typeof certificateLocal)['words']>;

function readAuthority(entry: Entry<(typeof certificateCa)['words']>, findings: Findings): readonly Certificate[] {
  if (!isSet(entry, 'ca')) {
    if (!isGarbled(entry, 'ca'))
      findings.error(
        'missing',
        entry.key,
        `the authority ${shown(entry.key.text)} has no certificate: set ca "-----BEGIN CERTIFICATE-----…"`,
      );
    return [];
  }
  return attempt(() => readPem(get(entry, 'ca')), findings, placeOf(entry, 'ca'), entry) ?? [];
}

function readLocal(entry: Local, authorities: readonly Certificate[], findings: Findings): LocalCertificate | undefined {
  tellEncrypted(entry, findings);
  const name = entry.key.text;
  if (!isSet(entry, 'certificate') && !isGarbled(entry, 'certificate'))
    findings.error(
      'missing',
      entry.key,
      `the certificate ${shown(name)} is empty: set certificate "-----BEGIN CERTIFICATE-----…"`,
    );
  const certificates = isSet(entry, 'certificate')
    ? attempt(() => readPem(get(entry, 'certificate')), findings, placeOf(entry, 'certificate'), entry)
    : undefined;
  const key = readKey(entry, findings);
  const [leaf, ...more] = certificates ?? [];
  if (leaf === undefined || key === undefined) return undefined;
  if (!belongsTo(leaf, key)) {
    findings.error(
      'conflict',
      placeOf(entry, 'private-key'),
      `the private key of ${shown(name)} is not the key of its certificate (${leaf.subject})`,
    );
    return undefined;
  }
  return { name, chain: chainFor(leaf, [...more, ...authorities]), key };
}

function readKey(entry: Local, findings: Findings): PrivateKey | undefined {
  const pem = get(entry, 'private-key');
  const opens = get(entry, 'password');
  if (pem.kind === 'none' && !isGarbled(entry, 'private-key'))
    findings.error(
      'missing',
      entry.key,
      `the certificate ${shown(entry.key.text)} has no key: set private-key "-----BEGIN PRIVATE KEY-----…"`,
    );
  if (pem.kind !== 'clear' || opens.kind === 'encrypted') return undefined; // what is encrypted has been told
  const passphrase = opens.kind === 'clear' ? opens.value : undefined;
  return attempt(() => loadPrivateKey(pem.value, passphrase), findings, placeOf(entry, 'private-key'), entry);
}

/** Runs a reader of crypto, whose errors are words for people. */
function attempt<T>(
  read: () => T,
  findings: Findings,
  place: Word,
  { table, key }: { readonly table: { readonly path: string }; readonly key: Word },
): T | undefined {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be read';
    findings.error('value', { ...place, text: key.text }, `${table.path} ${shown(key.text)}: ${why}`);
    return undefined;
  }
}
