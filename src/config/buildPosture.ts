/** `endpoint-control fctems` and the tables of `postern` that belong to the gate: EMS servers, rules, private numbers. */
import { addressText } from '../wire/index.ts';
import { isZero } from './address.ts';
import { resolve } from './buildAddress.ts';
import type { Certificates } from './buildCertificates.ts';
import type { Context, Phase1Entry } from './context.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store, singleOf } from './interpret.ts';
import type { Fctems, GatewayMatch, LostAction, PostureSettings, Profile } from './model.ts';
import { nearest } from './nearest.ts';
import { phase1 } from './schemaPhase1.ts';
import { posternEms, posternPosture, posternProfile } from './schemaPostern.ts';
import { certificateCa, fctems } from './schemaUser.ts';
import { shown } from './setting.ts';
import { tellEncrypted } from './statuses.ts';
import { type Entry, get, isSet, placeOf } from './table.ts';

/** FortiOS 7.6: ems-id 1-7. */
const MOST = 7;
/** Numbers whose meaning is known. */
const TAKEN: readonly number[] = [61520, 61689, 61696, 61697];

export function buildPosture(store: Store, findings: Findings): PostureSettings {
  const entry = singleOf(store, posternPosture);
  const words = ['ztna-tag-notify', 'tags-success-notify', 'tags-failure-notify'] as const;
  for (const [i, word] of words.entries()) {
    const number = get(entry, word);
    if (number === 0) continue;
    if (TAKEN.includes(number))
      findings.error('value', placeOf(entry, word), `${word}: ${number} is the number of another Fortinet notify`);
    if (number >= 16384 && number < 40960)
      findings.error('value', placeOf(entry, word), `${word}: ${number} is not for private use: 8192-16383 or 40960-65535`);
    const twin = words.slice(0, i).find((other) => get(entry, other) === number);
    if (twin !== undefined) findings.error('conflict', placeOf(entry, word), `${word} and ${twin} have one number, ${number}`);
  }
  const orNone = (number: number) => (number === 0 ? undefined : number);
  const [geoip, serialNumber] = [get(entry, 'geoip-database'), get(entry, 'serial-number')];
  if (serialNumber !== '' && !/^[A-Za-z0-9._-]+$/.test(serialNumber))
    findings.error('value', placeOf(entry, 'serial-number'), 'a serial number is made of letters, digits, dots and lines');
  return {
    lookupWait: get(entry, 'lookup-wait'),
    probation: get(entry, 'probation'),
    learn: get(entry, 'ztna-tag-learn'),
    ztnaTagNotify: orNone(get(entry, 'ztna-tag-notify')),
    successNotify: orNone(get(entry, 'tags-success-notify')),
    failureNotify: orNone(get(entry, 'tags-failure-notify')),
    geoip: geoip === '' ? undefined : geoip,
    serialNumber: serialNumber === '' ? undefined : serialNumber,
  };
}

type FctemsEntry = Entry<(typeof fctems)['words']>;

/** The servers, each with its number: ems-id, else the number it is edited by, else its place in the file. */
export function buildFctems(store: Store, certificates: Certificates, findings: Findings): readonly Fctems[] {
  const entries = entriesOf(store, fctems);
  for (const entry of entriesOf(store, posternEms)) {
    if (entryAt(store, fctems, entry.key.text) !== undefined) continue;
    const meant = nearest(
      entry.key.text,
      entries.map(({ key }) => key.text),
    );
    findings.error(
      'reference',
      entry.key,
      `postern ems: no server ${shown(entry.key.text)} is defined under 'config endpoint-control fctems'`,
      meant,
    );
  }
  for (const entry of entries.slice(MOST))
    findings.error('limit', entry.key, `the server ${shown(entry.key.text)} is one too many: ${MOST} EMS servers are served`);
  const taken = new Map<number, string>();
  const own = entries.slice(0, MOST).map((entry) => ({ entry, number: numberOf(entry) }));
  for (const { entry, number } of own) {
    if (number === undefined) continue;
    const twin = taken.get(number);
    if (twin !== undefined)
      findings.error(
        'conflict',
        placeOf(entry, 'ems-id'),
        `${shown(twin)} and ${shown(entry.key.text)} are both EMS number ${number}`,
      );
    taken.set(number, entry.key.text);
  }
  let next = 1;
  return own.map(({ entry, number }) => {
    let mine = number;
    if (mine === undefined) {
      while (taken.has(next)) next += 1;
      mine = next;
      next += 1;
      if (get(entry, 'status'))
        findings.warn(
          'missing',
          entry.key,
          `the server ${shown(entry.key.text)} has no number: by its place in the file it is EMS ${mine} (EMS${mine}_ZTNA_…)`,
          `set ems-id ${mine}`,
        );
    }
    return fctemsOf(entry, mine, store, certificates, findings);
  });
}

function numberOf(entry: FctemsEntry): number | undefined {
  const id = get(entry, 'ems-id');
  if (id !== 0) return id;
  return /^[1-7]$/.test(entry.key.text) ? Number(entry.key.text) : undefined;
}

function fctemsOf(entry: FctemsEntry, number: number, store: Store, certificates: Certificates, findings: Findings): Fctems {
  const key = entry.key.text;
  const more = entryAt(store, posternEms, key);
  const enabled = get(entry, 'status');
  const cloud = get(entry, 'fortinetone-cloud-authentication');
  const access = get(entry, 'cloud-authentication-access-key');
  const tell = (word: Parameters<typeof placeOf<(typeof fctems)['words']>>[1], message: string) =>
    findings.error('missing', isSet(entry, word) ? placeOf(entry, word) : entry.key, message);
  if (enabled) {
    tellEncrypted(entry, findings);
    if (get(entry, 'server') === '')
      tell(
        'server',
        cloud
          ? `EMS Cloud ${shown(key)} needs its address here: set server NAME`
          : `${shown(key)} has no address: set server NAME`,
      );
    if (cloud && access.kind === 'none')
      tell(
        'cloud-authentication-access-key',
        `EMS Cloud ${shown(key)} needs its access key: set cloud-authentication-access-key`,
      );
    if (!get(entry, 'pull-tags'))
      findings.warn(
        'conflict',
        placeOf(entry, 'pull-tags'),
        `without pull-tags EMS ${number} says nothing of any device: its tags never match`,
      );
  }
  const authority = get(entry, 'verifying-ca');
  const local = more === undefined ? '' : get(more, 'certificate');
  const sourceIp = get(entry, 'source-ip');
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
    verifyingCa: [
      ...(authority === ''
        ? []
        : (certificates.authority(authority, placeOf(entry, 'verifying-ca'), `verifying-ca of ${shown(key)}`) ?? [])),
      ...oldCertificate(entry, store, certificates, findings),
    ],
    driver: more === undefined ? 'native' : get(more, 'driver'),
    tokenKeys: more === undefined ? [] : get(more, 'token-key'),
    clientCertificate:
      more === undefined || local === ''
        ? undefined
        : certificates.local(local, placeOf(more, 'certificate'), `certificate of postern ems ${shown(key)}`),
    line: entry.key.line,
  };
}

/** `certificate`, as old releases have it; a backup often lacks what it names. */
function oldCertificate(entry: FctemsEntry, store: Store, certificates: Certificates, findings: Findings) {
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

/** `remote-gw-match ztna` of a profile, with what `postern profile` says of it. */
export function ztnaMatch(entry: Phase1Entry, context: Context): Extract<GatewayMatch, { readonly kind: 'ztna' }> {
  const more = entryAt(context.store, posternProfile, entry.key.text);
  return {
    kind: 'ztna',
    rule: {
      tags: get(entry, 'remote-gw-ztna-tags'),
      emsSnCheck: get(entry, 'ems-sn-check'),
      unknownDevice: more === undefined ? 'deny' : get(more, 'unknown-device'),
      uidBinding: more === undefined ? 'address' : get(more, 'uid-binding'),
    },
    lost: more === undefined ? { do: 'delete' } : lostOf(more, context),
  };
}

function lostOf(entry: Entry<(typeof posternProfile)['words']>, context: Context): LostAction {
  const action = get(entry, 'posture-lost');
  if (action !== 'quarantine') return { do: action };
  const names = get(entry, 'quarantine-destination');
  const purpose = `quarantine-destination of ${shown(entry.key.text)}`;
  const to = names.flatMap((name, i) => resolve(context, name, 4, placeOf(entry, 'quarantine-destination', i), purpose) ?? []);
  return { do: 'quarantine', to };
}

/** What does not fit together once everything is built: tags of an EMS that nobody asks, rules of a profile that is not there. */
export function checkPosture(profiles: readonly Profile[], servers: readonly Fctems[], store: Store, findings: Findings): void {
  for (const entry of entriesOf(store, posternProfile)) {
    if (entryAt(store, phase1, entry.key.text) !== undefined) continue;
    const meant = nearest(
      entry.key.text,
      entriesOf(store, phase1).map(({ key }) => key.text),
    );
    findings.error('reference', entry.key, `postern profile: no phase1-interface ${shown(entry.key.text)} is defined`, meant);
  }
  for (const { name, match } of profiles) {
    if (match.kind !== 'ztna') continue;
    const entry = entryAt(store, phase1, name);
    if (entry === undefined) continue;
    const place = placeOf(entry, 'remote-gw-ztna-tags');
    for (const number of new Set(match.rule.tags.map((tag) => tag.ems))) {
      const server = servers.find((s) => s.number === number);
      if (server?.enabled === true) continue;
      const how = server === undefined ? `no server is EMS ${number}` : `EMS ${number} (${shown(server.key)}) has status disable`;
      findings.warn(
        'reference',
        place,
        `tags of ${shown(name)} are of EMS ${number}, and ${how}: no client passes by them`,
        server === undefined ? `config endpoint-control fctems, edit NAME, set ems-id ${number}` : 'set status enable',
      );
    }
  }
}
