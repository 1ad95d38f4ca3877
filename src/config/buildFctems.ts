/** `endpoint-control fctems` with `postern ems`: the EMS servers, each with its number, its trust and its token keys. */
import { addressText } from '../wire/index.ts';
import { isZero } from './address.ts';
import type { Certificates } from './buildCertificates.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Fctems } from './model.ts';
import { nearest } from './nearest.ts';
import { posternEms } from './schemaPostern.ts';
import { certificateCa, fctems } from './schemaUser.ts';
import { shown } from './setting.ts';
import { tellEncrypted } from './statuses.ts';
import { type Entry, get, isGarbled, placeOf } from './table.ts';

/** FortiOS 7.6: ems-id 1-7. */
const MOST = 7;

type FctemsEntry = Entry<(typeof fctems)['words']>;
type EmsEntry = Entry<(typeof posternEms)['words']>;
type Build = { readonly store: Store; readonly certificates: Certificates; readonly findings: Findings };

/** The servers in the order of the file, at most seven, each with a number. */
export function buildFctems(build: Build): readonly Fctems[] {
  const { store, findings } = build;
  const entries = entriesOf(store, fctems);
  checkNames(entries, store, findings);
  for (const entry of entries.slice(MOST))
    findings.error('limit', entry.key, `the server ${shown(entry.key.text)} is one too many: ${MOST} EMS servers are served`);
  const served = entries.slice(0, MOST);
  const numbers = numbersOf(served, findings);
  return served.map((entry) => fctemsOf(entry, numbers.get(entry) ?? 0, build));
}

function checkNames(entries: readonly FctemsEntry[], store: Store, findings: Findings): void {
  for (const { key } of entriesOf(store, posternEms)) {
    if (entryAt(store, fctems, key.text) !== undefined) continue;
    const message = `postern ems: no server ${shown(key.text)} is defined under 'config endpoint-control fctems'`;
    findings.error(
      'reference',
      key,
      message,
      nearest(
        key.text,
        entries.map((entry) => entry.key.text),
      ),
    );
  }
}

/**
 * The n of `EMSn_ZTNA_name`: ems-id, else the number that a server is edited by, else its place in the file among the enabled
 * ones, past the numbers that are taken. Those with status disable come last.
 */
function numbersOf(entries: readonly FctemsEntry[], findings: Findings): ReadonlyMap<FctemsEntry, number> {
  const numbers = new Map<FctemsEntry, number>();
  const owners = new Map<number, FctemsEntry>();
  for (const entry of entries) {
    const number = ownNumber(entry);
    if (number === undefined) continue;
    const twin = owners.get(number);
    if (twin !== undefined)
      findings.error(
        'conflict',
        placeOf(entry, 'ems-id'),
        `${shown(twin.key.text)} and ${shown(entry.key.text)} are both EMS number ${number}`,
      );
    owners.set(number, entry);
    numbers.set(entry, number);
  }
  const nameless = entries.filter((entry) => !numbers.has(entry));
  for (const entry of [...nameless.filter(isEnabled), ...nameless.filter((one) => !isEnabled(one))]) {
    let number = 1;
    while (owners.has(number)) number++;
    owners.set(number, entry);
    numbers.set(entry, number);
    if (isEnabled(entry) && !isGarbled(entry, 'ems-id')) tellPlace(entry, number, findings);
  }
  return numbers;
}

const isEnabled = (entry: FctemsEntry): boolean => get(entry, 'status');

function ownNumber(entry: FctemsEntry): number | undefined {
  const id = get(entry, 'ems-id');
  if (id !== 0) return id;
  return /^[1-7]$/.test(entry.key.text) ? Number(entry.key.text) : undefined;
}

function tellPlace({ key }: FctemsEntry, number: number, findings: Findings): void {
  const beyond = /^\d+$/.test(key.text);
  const why = beyond ? `${shown(key.text)} is no number of an EMS (1-${MOST})` : `the server ${shown(key.text)} has no number`;
  const message = `${why}, by its place it is EMS ${number} (EMS${number}_ZTNA_…): set ems-id ${number}`;
  findings.warn(beyond ? 'limit' : 'missing', key, message);
}

function fctemsOf(entry: FctemsEntry, number: number, build: Build): Fctems {
  const { store } = build;
  const key = entry.key.text;
  const more = entryAt(store, posternEms, key);
  const enabled = isEnabled(entry);
  const cloud = get(entry, 'fortinetone-cloud-authentication');
  const access = get(entry, 'cloud-authentication-access-key');
  const sourceIp = get(entry, 'source-ip');
  if (enabled) checkServed(entry, number, build);
  return {
    key,
    number,
    name: get(entry, 'name') === '' ? key : get(entry, 'name'),
    enabled,
    server: get(entry, 'server'),
    port: get(entry, 'https-port'),
    serialNumber: get(entry, 'serial-number'),
    tenantId: get(entry, 'tenant-id'),
    sourceIp: isZero(sourceIp) ? undefined : addressText(sourceIp),
    accessKey: cloud && access.kind === 'clear' ? access.value : undefined,
    pullTags: get(entry, 'pull-tags'),
    callTimeout: get(entry, 'call-timeout'),
    outOfSync: get(entry, 'out-of-sync-threshold'),
    websocket: !get(entry, 'websocket-override'),
    verifyingCa: [...authority(entry, build), ...oldCertificate(entry, build)],
    driver: more === undefined ? 'native' : get(more, 'driver'),
    tokenKeys: more === undefined ? [] : tokenKeysOf(more, build),
    clientCertificate: more === undefined ? undefined : clientCertificate(more, build),
    line: entry.key.line,
  };
}

/** What a server that is to be asked cannot do without. */
function checkServed(entry: FctemsEntry, number: number, { findings }: Build): void {
  const key = shown(entry.key.text);
  const cloud = get(entry, 'fortinetone-cloud-authentication');
  if (get(entry, 'server') === '')
    findings.error(
      'missing',
      entry.key,
      cloud
        ? `EMS Cloud ${key} needs its address too, as nobody here looks it up at the vendor's: set server NAME`
        : `${key} has no address: set server NAME`,
    );
  if (cloud) tellEncrypted(entry, findings);
  if (cloud && get(entry, 'cloud-authentication-access-key').kind === 'none')
    findings.error('missing', entry.key, `EMS Cloud ${key} needs its access key: set cloud-authentication-access-key`);
  if (!get(entry, 'pull-tags'))
    findings.warn(
      'conflict',
      placeOf(entry, 'pull-tags'),
      `without pull-tags EMS ${number} says nothing of any device: its tags never match`,
    );
}

/** `verifying-ca`. A server that is not asked may lack it. */
function authority(entry: FctemsEntry, { store, certificates }: Build): Fctems['verifyingCa'] {
  const name = get(entry, 'verifying-ca');
  if (name === '' || (!isEnabled(entry) && entryAt(store, certificateCa, name) === undefined)) return [];
  return certificates.authority(name, placeOf(entry, 'verifying-ca'), `verifying-ca of ${shown(entry.key.text)}`) ?? [];
}

/** `certificate`, as old releases have it; a backup often lacks what it names. */
function oldCertificate(entry: FctemsEntry, { store, certificates, findings }: Build): Fctems['verifyingCa'] {
  const name = get(entry, 'certificate');
  if (name === '') return [];
  const place = placeOf(entry, 'certificate');
  if (entryAt(store, certificateCa, name) !== undefined) return certificates.authority(name, place, 'certificate') ?? [];
  findings.warn(
    'reference',
    place,
    [
      `the certificate ${shown(name)} of ${shown(entry.key.text)} is not defined under 'config vpn certificate ca':`,
      "accept the server's certificate by 'execute fctems verify'",
    ].join(' '),
  );
  return [];
}

function clientCertificate(more: EmsEntry, { certificates }: Build): Fctems['clientCertificate'] {
  const name = get(more, 'certificate');
  if (name === '') return undefined;
  return certificates.local(name, placeOf(more, 'certificate'), `certificate of postern ems ${shown(more.key.text)}`);
}

/** Looked at for what they are; whether they are good keys is seen when they are read. */
function tokenKeysOf(more: EmsEntry, { findings }: Build): readonly string[] {
  const keys = get(more, 'token-key');
  for (const [i, text] of keys.entries()) {
    const looks = looksOf(text);
    const where = `token-key number ${i + 1} of postern ems ${shown(more.key.text)}`;
    // The line of a private key is not shown: the finding stands at the name.
    if (looks === 'private')
      findings.error('value', more.key, `${where} is a private key, which belongs to EMS alone: set its public key`);
    if (looks === 'unknown')
      findings.error(
        'value',
        { ...placeOf(more, 'token-key', i), text: 'token-key' },
        `${where} is no public key: PEM (PUBLIC KEY or CERTIFICATE) or an RSA JWK, in quotes`,
      );
  }
  return keys;
}

function looksOf(text: string): 'public' | 'private' | 'unknown' {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return 'private';
  if (/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/.test(text)) return 'public';
  const jwks = jwksOf(text);
  if (jwks.some((jwk) => 'd' in jwk || 'p' in jwk)) return 'private';
  return jwks.length > 0 && jwks.every((jwk) => 'kty' in jwk && jwk.kty === 'RSA') ? 'public' : 'unknown';
}

/** The keys of a JWK or a JWK set; none when the text is neither. */
function jwksOf(text: string): readonly object[] {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== 'object' || json === null) return [];
    const all: readonly unknown[] = 'keys' in json && Array.isArray(json.keys) ? json.keys : [json];
    return all.filter((one): one is object => typeof one === 'object' && one !== null);
  } catch {
    return [];
  }
}
