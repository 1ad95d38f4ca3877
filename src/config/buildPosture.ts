/** `postern posture`, and what `postern profile` adds to a profile's tags: the gate's settings, rules and private numbers. */
import { formatPostureTag, type PostureTag } from '../posture/index.ts';
import { resolve } from './buildAddress.ts';
import type { Context, Phase1Entry } from './context.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store, singleOf } from './interpret.ts';
import type { Fctems, GatewayMatch, LostAction, PostureSettings, Profile } from './model.ts';
import { nearest } from './nearest.ts';
import { phase1 } from './schemaPhase1.ts';
import { posternPosture, posternProfile } from './schemaPostern.ts';
import { shown } from './setting.ts';
import { type Entry, get, isGarbled, isSet, placeOf } from './table.ts';

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
  for (const entry of entriesOf(store, posternProfile)) checkRules(entry, store, findings);
  for (const { name, match } of profiles) {
    const entry = entryAt(store, phase1, name);
    if (match.kind !== 'ztna' || entry === undefined) continue;
    if (servers.some(({ enabled }) => enabled)) checkTags(entry, match.rule.tags, servers, findings);
    else if (match.rule.tags.length > 0) tellNobodyAsked(entry, match.rule.tags, servers, findings);
  }
}

function checkRules(entry: Entry<(typeof posternProfile)['words']>, store: Store, findings: Findings): void {
  const name = entry.key.text;
  const profile = entryAt(store, phase1, name);
  if (profile === undefined) {
    const all = entriesOf(store, phase1).map(({ key }) => key.text);
    const message = `postern profile: no phase1-interface ${shown(name)} is defined`;
    findings.error('reference', entry.key, message, nearest(name, all));
    return;
  }
  if (get(profile, 'remote-gw-match') !== 'ztna' && entry.given.size > 0 && !isGarbled(profile, 'remote-gw-match'))
    findings.warn(
      'conflict',
      entry.key,
      `postern profile ${shown(name)} does nothing: ${shown(name)} asks for no posture tags, set remote-gw-match ztna`,
    );
  else if (isSet(entry, 'quarantine-destination') && get(entry, 'posture-lost') !== 'quarantine')
    findings.warn(
      'conflict',
      placeOf(entry, 'quarantine-destination'),
      `the quarantine-destination of ${shown(name)} does nothing: set posture-lost quarantine`,
    );
}

/** No EMS is asked at all. Token keys of a server with status disable do not count. */
function tellNobodyAsked(entry: Phase1Entry, tags: readonly PostureTag[], servers: readonly Fctems[], findings: Findings): void {
  const idle = servers.find(({ number }) => tags.some(({ ems }) => ems === number));
  const mend =
    idle === undefined
      ? `add EMS ${tags[0]?.ems ?? 1} under 'config endpoint-control fctems'`
      : `set status enable for ${shown(idle.key)} under 'config endpoint-control fctems'`;
  findings.warn(
    'missing',
    placeOf(entry, 'remote-gw-ztna-tags'),
    `${shown(entry.key.text)} refuses every client, since no EMS is enabled that could tell of tags: ${mend}`,
  );
}

function checkTags(entry: Phase1Entry, tags: readonly PostureTag[], servers: readonly Fctems[], findings: Findings): void {
  for (const [i, tag] of tags.entries()) {
    const server = servers.find(({ number }) => number === tag.ems);
    if (server?.enabled === true) continue;
    const why =
      server === undefined
        ? `no server has the number ${tag.ems}, set ems-id ${tag.ems}`
        : `${shown(server.key)} has status disable, set status enable`;
    findings.warn(
      'reference',
      placeOf(entry, 'remote-gw-ztna-tags', i),
      `no client of ${shown(entry.key.text)} passes by ${formatPostureTag(tag)}: ${why}`,
    );
  }
}
