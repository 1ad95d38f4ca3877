/** `vpn ipsec phase1-interface` → Profile. Only dial-up gateways of IKEv2 become one. */
import { addressText, compareOctets } from '../wire/index.ts';
import { isZero, rangeOf } from './address.ts';
import { buildAuth } from './buildAuth.ts';
import { buildModeCfg } from './buildModeCfg.ts';
import { buildPhase2, servedGroups, servedProposals } from './buildPhase2.ts';
import { ztnaMatch } from './buildPosture.ts';
import type { Context, Phase1Entry } from './context.ts';
import { entryAt, singleOf } from './interpret.ts';
import type { AddressMatch, GatewayMatch, Phase2, Profile } from './model.ts';
import type { phase2 } from './schemaPhase2.ts';
import { posternPosture } from './schemaPostern.ts';
import { interfaceIpv6, secondaryIp, systemInterface } from './schemaSystem.ts';
import { shown } from './setting.ts';
import { tellEncrypted } from './statuses.ts';
import { type Entry, get, inner, isGarbled, isSet, placeOf } from './table.ts';

/** True when this phase 1 does not become a profile. Told as a warning: a backup may hold other tunnels. */
export function leftOut(entry: Phase1Entry, { findings }: Pick<Context, 'findings'>): boolean {
  const type = get(entry, 'type');
  const name = quoted(entry);
  // What could not be read was told as that; what it was meant to be is not known.
  if (isGarbled(entry, 'type') || isGarbled(entry, 'ike-version')) return true;
  if (type !== 'dynamic')
    findings.warn(
      'later',
      placeOf(entry, 'type'),
      `${name} is left out: type ${type} is a tunnel to another gateway; for dial-up clients set type dynamic`,
    );
  else if (get(entry, 'ike-version') === '1')
    findings.warn('later', placeOf(entry, 'ike-version'), `${name} is left out: IKE version 1 is not served; set ike-version 2`);
  else return false;
  return true;
}

/** Undefined when something is missing that cannot be made up; that has been told as an error. */
export function buildProfile(
  entry: Phase1Entry,
  phase2s: readonly Entry<(typeof phase2)['words']>[],
  context: Context,
): Profile | undefined {
  const { findings } = context;
  const name = entry.key.text;
  const what = `phase1-interface ${shown(name)}`;
  tellEncrypted(entry, findings);
  const proposals = servedProposals(get(entry, 'proposal'), (i) => placeOf(entry, 'proposal', i), what, findings);
  const groups = servedGroups(get(entry, 'dhgrp'), (i) => placeOf(entry, 'dhgrp', i), what, findings);
  const auth = buildAuth(entry, context);
  const match = matchOf(entry, context);
  const match6 = match6Of(entry, context);
  const modeCfg = buildModeCfg(entry, context);
  const inherited = { addRoute: get(entry, 'add-route') };
  const children = phase2s.map((one) => buildPhase2(one, inherited, context)).filter((one): one is Phase2 => one !== undefined);
  if (phase2s.length === 0)
    findings.warn(
      'missing',
      entry.key,
      `${quoted(entry)} has no phase2-interface, so nothing can go through it: add one with phase1name "${name}"`,
    );
  const place = placesOf(entry, context);
  tellTransport(entry, context);
  if (auth === undefined) return undefined;
  return {
    name,
    ...place,
    ...auth,
    certIdValidation: get(entry, 'cert-id-validation'),
    proposals,
    groups,
    keylife: get(entry, 'keylife'),
    negotiateTimeout: get(entry, 'negotiate-timeout'),
    rekey: get(entry, 'rekey'),
    dpd: { mode: get(entry, 'dpd'), retryCount: get(entry, 'dpd-retrycount'), retryInterval: get(entry, 'dpd-retryinterval') },
    nattraversal: get(entry, 'nattraversal'),
    keepalive: get(entry, 'keepalive'),
    fragmentation: get(entry, 'fragmentation'),
    fragmentationMtu: get(entry, 'fragmentation-mtu'),
    enforceUniqueId: get(entry, 'enforce-unique-id'),
    networkId: get(entry, 'network-overlay') ? get(entry, 'network-id') : undefined,
    esn: get(entry, 'esn'),
    childless: get(entry, 'childless-ike'),
    match,
    match6,
    modeCfg,
    phase2: children,
    line: entry.key.line,
  };
}

const quoted = ({ key }: Phase1Entry): string => shown(key.text);

function tellTransport(entry: Phase1Entry, { findings }: Context): void {
  const transport = get(entry, 'transport');
  if (transport === 'tcp' || transport === 'udp-fallback-tcp')
    findings.warn(
      'later',
      placeOf(entry, 'transport'),
      `transport ${transport} of ${quoted(entry)} is not served yet: clients reach it by UDP only`,
    );
  // Without NAT detection in our answer a client stays on port 500, and its ESP would be IP protocol 50.
  if (get(entry, 'nattraversal') === 'disable')
    findings.warn(
      'conflict',
      placeOf(entry, 'nattraversal'),
      `${quoted(entry)} keeps its clients on the IKE port, and ESP is carried in UDP on the NAT-T port only: ` +
        'their child SAs are refused, no traffic passes; set nattraversal enable',
    );
}

type Places = Pick<Profile, 'interface' | 'ipVersion' | 'localGw' | 'localAddresses'>;

function placesOf(entry: Phase1Entry, { store, findings }: Context): Places {
  const ipVersion = get(entry, 'ip-version') === '6' ? 6 : 4;
  const gateway = get(entry, ipVersion === 4 ? 'local-gw' : 'local-gw6');
  const localGw = isZero(gateway) ? undefined : addressText(gateway);
  const name = get(entry, 'interface');
  const found = entryAt(store, systemInterface, name);
  if (name === '' && !isGarbled(entry, 'interface'))
    findings.warn(
      'missing',
      entry.key,
      `${quoted(entry)} names no interface, so it answers on every local address: set interface "NAME"`,
    );
  else if (found === undefined)
    findings.warn(
      'reference',
      placeOf(entry, 'interface'),
      `interface ${shown(name)} of ${quoted(entry)} is not defined under 'config system interface': every local address answers`,
    );
  const addresses = found === undefined ? [] : addressesOf(found, ipVersion);
  if (localGw !== undefined && addresses.length > 0 && !addresses.includes(localGw))
    findings.warn(
      'conflict',
      placeOf(entry, ipVersion === 4 ? 'local-gw' : 'local-gw6'),
      `${localGw} of ${quoted(entry)} is no address of interface ${shown(name)} (${addresses.join(', ')}): it answers nowhere`,
    );
  return { interface: name, ipVersion, localGw, localAddresses: addresses.length === 0 ? undefined : addresses };
}

/** What the interface says its addresses are; none when it learns them. */
function addressesOf(entry: Entry<(typeof systemInterface)['words']>, family: 4 | 6): readonly string[] {
  const found = (family === 4 ? addresses4(entry) : addresses6(entry)).filter((octets) => !isZero(octets)).map(addressText);
  return [...new Set(found)];
}

function addresses4(entry: Entry<(typeof systemInterface)['words']>): readonly Uint8Array[] {
  if (get(entry, 'mode') !== 'static') return [];
  const more = get(entry, 'secondary-IP') ? inner(entry, secondaryIp) : [];
  return [get(entry, 'ip').address, ...more.map((one) => get(one, 'ip').address)];
}

const addresses6 = (entry: Entry<(typeof systemInterface)['words']>): readonly Uint8Array[] =>
  inner(entry, interfaceIpv6)
    .filter((one) => get(one, 'ip6-mode') === 'static')
    .map((one) => get(one, 'ip6-address').address);

function matchOf(entry: Phase1Entry, context: Context): GatewayMatch {
  const { findings } = context;
  const kind = get(entry, 'remote-gw-match');
  const tags = get(entry, 'remote-gw-ztna-tags');
  const place = placeOf(entry, 'remote-gw-match');
  if (kind !== 'ztna' && tags.length > 0)
    findings.warn(
      'conflict',
      placeOf(entry, 'remote-gw-ztna-tags'),
      `the posture tags of ${quoted(entry)} do nothing: set remote-gw-match ztna`,
    );
  switch (kind) {
    case 'any':
      return { kind: 'any' };
    case 'ipmask':
      return rangeMatch(rangeOf(get(entry, 'remote-gw-subnet')), 'remote-gw-subnet', entry, context);
    case 'iprange':
      return rangeMatch(
        { start: get(entry, 'remote-gw-start-ip'), end: get(entry, 'remote-gw-end-ip') },
        'remote-gw-end-ip',
        entry,
        context,
      );
    case 'geography':
      return geography('remote-gw-country', place, entry, context);
    case 'ztna':
      if (tags.length === 0 && !isGarbled(entry, 'remote-gw-ztna-tags'))
        findings.error(
          'missing',
          place,
          `${quoted(entry)} asks for posture tags and names none: set remote-gw-ztna-tags "EMS1_ZTNA_name"`,
        );
      return ztnaMatch(entry, context);
  }
}

function match6Of(entry: Phase1Entry, context: Context): AddressMatch {
  switch (get(entry, 'remote-gw6-match')) {
    case 'any':
      return { kind: 'any' };
    case 'ipprefix':
      return rangeMatch(rangeOf(get(entry, 'remote-gw6-subnet')), 'remote-gw6-subnet', entry, context);
    case 'iprange':
      return rangeMatch(
        { start: get(entry, 'remote-gw6-start-ip'), end: get(entry, 'remote-gw6-end-ip') },
        'remote-gw6-end-ip',
        entry,
        context,
      );
    case 'geography':
      return geography('remote-gw6-country', placeOf(entry, 'remote-gw6-match'), entry, context);
  }
}

function rangeMatch(
  range: { readonly start: Uint8Array; readonly end: Uint8Array },
  word: 'remote-gw-subnet' | 'remote-gw-end-ip' | 'remote-gw6-subnet' | 'remote-gw6-end-ip',
  entry: Phase1Entry,
  { findings }: Context,
): AddressMatch {
  const match = word.startsWith('remote-gw6') ? 'remote-gw6-match' : 'remote-gw-match';
  if (!isSet(entry, word))
    findings.error('missing', placeOf(entry, match), `${match} of ${quoted(entry)} names no addresses: set ${word} …`);
  else if (compareOctets(range.start, range.end) > 0)
    findings.error('value', placeOf(entry, word), `the outer addresses of ${quoted(entry)} end before they begin`);
  return { kind: 'ranges', ranges: [range] };
}

function geography(
  word: 'remote-gw-country' | 'remote-gw6-country',
  place: ReturnType<typeof placeOf>,
  entry: Phase1Entry,
  { store, findings }: Context,
): AddressMatch {
  const country = get(entry, word);
  if (country === '' && !isGarbled(entry, word))
    findings.error('missing', place, `${quoted(entry)} matches by country and names none: set ${word} CH`);
  else if (country !== '' && !/^[A-Z]{2}$/.test(country)) {
    const capitals = country.toUpperCase();
    const meant = /^[A-Z]{2}$/.test(capitals) ? capitals : undefined;
    const message = `${word}: ${shown(country)} is no country: two capital letters of ISO 3166, such as CH`;
    findings.error('value', placeOf(entry, word), message, meant);
  }
  if (get(singleOf(store, posternPosture), 'geoip-database') === '') {
    const mend = "set geoip-database FILE under 'config postern posture'";
    findings.warn('missing', place, `${quoted(entry)} refuses every client, since nothing tells countries: ${mend}`);
  }
  return { kind: 'geography', country };
}
