/** Configuration mode of a profile: addresses to give away, DNS, split tunnels (RFC 7296 §2.19, §3.15). */

import { compareOctets } from '../wire/index.ts';
import { available, isZero, overlap, prefixesOf, sizeOf } from './address.ts';
import { type Family, type Named, resolve } from './buildAddress.ts';
import type { Context, Phase1Entry } from './context.ts';
import type { Findings } from './findings.ts';
import { singleOf } from './interpret.ts';
import type { ModeCfg, Pool, Prefix, Profile, Range } from './model.ts';
import { excludeRange4, excludeRange6 } from './schemaPhase1.ts';
import { systemDns } from './schemaSystem.ts';
import { shown } from './setting.ts';
import { get, inner, isGarbled, isSet, placeOf } from './table.ts';

/** Addresses that one pool may have; a lease table of this size is still small. */
const MAX_POOL = 1n << 20n;
/** Prefixes that one answer may carry. */
const MAX_PREFIXES = 250;

export function buildModeCfg(entry: Phase1Entry, context: Context): ModeCfg | undefined {
  if (!get(entry, 'mode-cfg')) {
    for (const word of ['ipv4-start-ip', 'ipv4-name', 'ipv6-start-ip', 'ipv6-name', 'ipv4-split-include', 'dns-mode'] as const)
      if (isSet(entry, word)) {
        context.findings.warn(
          'conflict',
          placeOf(entry, word, 0),
          `${word} of ${quoted(entry)} does nothing without mode-cfg enable`,
        );
        break;
      }
    return undefined;
  }
  const assign = get(entry, 'assign-ip');
  const [ipv4, ipv6] = assign ? poolsOf(entry, context) : [];
  const { dns4, dns6 } = dnsOf(entry, context);
  return {
    assign,
    ipv4,
    ipv6,
    dns4,
    dns6,
    wins4: given([get(entry, 'ipv4-wins-server1'), get(entry, 'ipv4-wins-server2')]),
    splitInclude4: splitOf(entry, 4, context),
    splitInclude6: splitOf(entry, 6, context),
    domains: get(entry, 'internal-domain-list'),
    defaultDomain: orNone(get(entry, 'domain')),
    banner: orNone(get(entry, 'banner')),
    savePassword: get(entry, 'save-password'),
    autoNegotiate: get(entry, 'client-auto-negotiate'),
    keepAlive: get(entry, 'client-keep-alive'),
    unity: get(entry, 'unity-support'),
    includeLocalLan: get(entry, 'include-local-lan'),
    allowClientSelector: get(entry, 'mode-cfg-allow-client-selector'),
  };
}

const orNone = (text: string): string | undefined => (text === '' ? undefined : text);
const given = (addresses: readonly Uint8Array[]): readonly Uint8Array[] => addresses.filter((one) => !isZero(one));

function poolsOf(entry: Phase1Entry, context: Context): readonly (Pool | undefined)[] {
  const { findings } = context;
  const from = get(entry, 'assign-ip-from');
  if (from === 'usrgrp' || from === 'dhcp') {
    findings.warn(
      'later',
      placeOf(entry, 'assign-ip-from'),
      `assign-ip-from ${from} is not served yet: clients of ${quoted(entry)} get no address; range and name are served`,
    );
    return [];
  }
  const known = { told: false };
  const pools = ([4, 6] as const).map((family) => {
    const ranges = from === 'range' ? rangeOf(entry, family, context, known) : namedRanges(entry, family, context, known);
    return ranges === undefined ? undefined : poolOf(entry, family, ranges, context);
  });
  if (!known.told && pools.every((one) => one === undefined)) {
    const fix = from === 'range' ? 'set ipv4-start-ip and ipv4-end-ip' : 'set ipv4-name "NAME"';
    findings.error(
      'missing',
      placeOf(entry, 'mode-cfg'),
      `${quoted(entry)} gives addresses and has none to give: ${fix}, or assign-ip disable`,
    );
  }
  return pools;
}

/** `told` says that a finding explains why there is no pool. */
type Told = { told: boolean };

function rangeOf(entry: Phase1Entry, family: Family, { findings }: Context, known: Told): readonly Range[] | undefined {
  const [first, last] = family === 4 ? (['ipv4-start-ip', 'ipv4-end-ip'] as const) : (['ipv6-start-ip', 'ipv6-end-ip'] as const);
  const range = { start: get(entry, first), end: get(entry, last) };
  if (isZero(range.start) && isZero(range.end)) {
    known.told ||= isGarbled(entry, first) || isGarbled(entry, last);
    return undefined;
  }
  known.told = true;
  if (isZero(range.start) || isZero(range.end)) {
    const [has, lacks] = isZero(range.start) ? [last, first] : [first, last];
    if (!isGarbled(entry, lacks))
      findings.error('missing', placeOf(entry, has), `${quoted(entry)} has ${has} and no ${lacks}: set both`);
    return undefined;
  }
  if (compareOctets(range.start, range.end) > 0) {
    findings.error(
      'value',
      placeOf(entry, last),
      `the addresses of ${quoted(entry)} end before they begin: ${last} comes before ${first}`,
    );
    return undefined;
  }
  return [range];
}

function namedRanges(entry: Phase1Entry, family: Family, context: Context, known: Told): readonly Range[] | undefined {
  const word = family === 4 ? 'ipv4-name' : 'ipv6-name';
  const name = get(entry, word);
  known.told ||= name !== '' || isGarbled(entry, word);
  if (name === '') return undefined;
  const purpose = `${word} of ${entry.key.text}`;
  const found = resolve(context, name, family, placeOf(entry, word), purpose);
  if (found === undefined) return undefined;
  const usable = found.map(hosts);
  if (usable.length > 0) return usable;
  context.findings.error('value', placeOf(entry, word), `${purpose}: ${shown(name)} holds no address that can be given away`);
  return undefined;
}

/** A network without its first and last address, which hosts must not have. */
function hosts({ start, end, network }: Named): Range {
  if (!network || start.length !== 4 || sizeOf({ start, end }) < 4n) return { start, end };
  const [first, last] = [start.slice(), end.slice()];
  first[3] = (first[3] ?? 0) + 1;
  last[3] = (last[3] ?? 0) - 1;
  return { start: first, end: last };
}

function poolOf(entry: Phase1Entry, family: Family, ranges: readonly Range[], { findings }: Context): Pool | undefined {
  const exclude = family === 4 ? excluded4(entry) : excluded6(entry);
  const word = get(entry, 'assign-ip-from') === 'name' ? (`ipv${family}-name` as const) : (`ipv${family}-start-ip` as const);
  const place = placeOf(entry, word);
  if (exclude.some(({ start, end }) => compareOctets(start, end) > 0)) {
    findings.error('value', place, `an ipv${family}-exclude-range of ${quoted(entry)} ends before it begins`);
    return undefined;
  }
  const size = available(ranges, exclude);
  if (size === 0n)
    findings.error('value', place, `${quoted(entry)} gives addresses, and ipv${family}-exclude-range leaves none of them`);
  else if (size > MAX_POOL)
    findings.error(
      'limit',
      place,
      `the IPv${family} addresses of ${quoted(entry)} are ${size}, at most ${MAX_POOL} can be given`,
    );
  else return { ranges, exclude, prefix: family === 4 ? get(entry, 'ipv4-netmask') : get(entry, 'ipv6-prefix') };
  return undefined;
}

const excluded4 = (entry: Phase1Entry): readonly Range[] =>
  inner(entry, excludeRange4).map((one) => ({ start: get(one, 'start-ip'), end: get(one, 'end-ip') }));
const excluded6 = (entry: Phase1Entry): readonly Range[] =>
  inner(entry, excludeRange6).map((one) => ({ start: get(one, 'start-ip'), end: get(one, 'end-ip') }));

function dnsOf(entry: Phase1Entry, { store, findings }: Context): Pick<ModeCfg, 'dns4' | 'dns6'> {
  if (get(entry, 'dns-mode') === 'manual')
    return {
      dns4: given([get(entry, 'ipv4-dns-server1'), get(entry, 'ipv4-dns-server2'), get(entry, 'ipv4-dns-server3')]),
      dns6: given([get(entry, 'ipv6-dns-server1'), get(entry, 'ipv6-dns-server2'), get(entry, 'ipv6-dns-server3')]),
    };
  const system = singleOf(store, systemDns);
  const dns4 = given([get(system, 'primary'), get(system, 'secondary')]);
  const dns6 = given([get(system, 'ip6-primary'), get(system, 'ip6-secondary')]);
  if (dns4.length === 0 && dns6.length === 0)
    findings.warn(
      'reference',
      placeOf(entry, 'dns-mode'),
      `dns-mode auto of ${quoted(entry)} takes the servers of 'config system dns', and there are none`,
    );
  return { dns4, dns6 };
}

/** undefined: everything goes through the tunnel. */
function splitOf(entry: Phase1Entry, family: Family, context: Context): readonly Prefix[] | undefined {
  const word = family === 4 ? 'ipv4-split-include' : 'ipv6-split-include';
  const name = get(entry, word);
  if (name === '' || name === 'all') return undefined;
  const ranges = resolve(context, name, family, placeOf(entry, word), `${word} of ${entry.key.text}`);
  const prefixes = ranges?.flatMap((range) => prefixesOf(range));
  if (prefixes === undefined || prefixes.some(({ length }) => length === 0)) return undefined;
  if (prefixes.length === 0)
    context.findings.error(
      'value',
      placeOf(entry, word),
      `${word} of ${quoted(entry)}: ${shown(name)} holds no network that clients can be told`,
    );
  if (prefixes.length <= MAX_PREFIXES) return prefixes;
  context.findings.error(
    'limit',
    placeOf(entry, word),
    `${word} of ${quoted(entry)} makes ${prefixes.length} prefixes, at most ${MAX_PREFIXES} fit into an answer`,
  );
  return undefined;
}

/** One address must not be given away by two profiles. */
export function checkOverlaps(profiles: readonly Built[], { findings }: Pick<Context, 'findings'>): void {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const given: Leased[] = profiles.flatMap((owner) =>
      (owner.profile.modeCfg?.[family]?.ranges ?? []).map((range) => ({ range, owner })),
    );
    given.sort((a, b) => compareOctets(a.range.start, b.range.start));
    // The range that reaches furthest so far, and the one that does so of all other owners.
    let far: Leased | undefined;
    let other: Leased | undefined;
    for (const one of given) {
      const before = far?.owner === one.owner ? other : far;
      if (before !== undefined && overlap(before.range, one.range)) tellOverlap(before.owner, one.owner, family, findings);
      if (far === undefined || compareOctets(one.range.end, far.range.end) > 0) {
        other = far?.owner === one.owner ? other : far;
        far = one;
      } else if (far.owner !== one.owner && (other === undefined || compareOctets(one.range.end, other.range.end) > 0))
        other = one;
    }
  }
}

type Leased = { readonly range: Range; readonly owner: Built };
export type Built = { readonly profile: Profile; readonly entry: Phase1Entry };

function tellOverlap(a: Built, b: Built, family: 'ipv4' | 'ipv6', findings: Findings): void {
  const [first, second] = a.profile.line <= b.profile.line ? [a.entry, b.entry] : [b.entry, a.entry];
  const word = get(second, 'assign-ip-from') === 'name' ? (`${family}-name` as const) : (`${family}-start-ip` as const);
  findings.warn(
    'conflict',
    placeOf(second, word),
    `${quoted(second)} and ${quoted(first)} share addresses: each is leased once, to whoever comes first`,
  );
}

const quoted = ({ key }: Phase1Entry): string => shown(key.text);
