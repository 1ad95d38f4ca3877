/**
 * `firewall policy` in the form the data plane takes: names resolved to addresses, services and tags. What cannot be resolved
 * never widens what passes: such a policy grants nothing when it accepts, and applies to everything when it denies. Nor does one
 * that is switched off: the tunnel that it names is still one with policies, and what none of them accepts is refused.
 */
import { type PostureTag, parsePostureTag } from '../posture/index.ts';
import { isWhole } from './address.ts';
import { type Family, isAddress, resolve, wholeRange } from './buildAddress.ts';
import { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import type { FirewallRule, FirewallService, Range } from './model.ts';
import { policy, service, serviceGroup } from './schemaFirewall.ts';
import { phase1 } from './schemaPhase1.ts';
import { shown } from './setting.ts';
import { type Given, get, placeOf } from './table.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const UDPLITE = 136;
const ICMP = 1;
const ICMP6 = 58;
const ALL: FirewallService = {
  protocol: 0,
  startPort: 0,
  endPort: 65535,
  startSource: 0,
  endSource: 65535,
  icmpType: -1,
  icmpCode: -1,
};
const of = (protocol: number): FirewallService => ({ ...ALL, protocol });
const port = (protocol: number, ...numbers: readonly number[]): readonly FirewallService[] =>
  numbers.map((n) => ({ ...ALL, protocol, startPort: n, endPort: n }));

/** What FortiOS defines from the factory, as far as it is common on tunnels; a custom entry of the name goes first. */
const BUILT_IN: Readonly<Record<string, readonly FirewallService[]>> = {
  ALL: [ALL],
  all: [ALL],
  NONE: [],
  ALL_TCP: [{ ...of(TCP), startPort: 1 }],
  ALL_UDP: [{ ...of(UDP), startPort: 1 }],
  ALL_ICMP: [of(ICMP)],
  ALL_ICMP6: [of(ICMP6)],
  PING: [{ ...of(ICMP), icmpType: 8 }],
  PING6: [{ ...of(ICMP6), icmpType: 128 }],
  HTTP: port(TCP, 80),
  HTTPS: port(TCP, 443),
  SSH: port(TCP, 22),
  TELNET: port(TCP, 23),
  FTP: port(TCP, 21),
  DNS: [...port(TCP, 53), ...port(UDP, 53)],
  NTP: [...port(TCP, 123), ...port(UDP, 123)],
  SMTP: port(TCP, 25),
  SMTPS: port(TCP, 465),
  IMAP: port(TCP, 143),
  IMAPS: port(TCP, 993),
  POP3: port(TCP, 110),
  POP3S: port(TCP, 995),
  LDAP: port(TCP, 389),
  LDAP_UDP: port(UDP, 389),
  KERBEROS: [...port(TCP, 88, 464), ...port(UDP, 88, 464)],
  RDP: port(TCP, 3389),
  SMB: port(TCP, 445),
  SAMBA: port(TCP, 139),
  SYSLOG: port(UDP, 514),
  TFTP: port(UDP, 69),
  RADIUS: port(UDP, 1812, 1813),
  SNMP: [...[161, 162].flatMap((n) => [...port(TCP, n), ...port(UDP, n)])],
  GRE: [of(47)],
  ESP: [of(50)],
  AH: [of(51)],
  OSPF: [of(89)],
};

/**
 * The policies in their order. One that cannot be told what it asks for is about everything when it denies, and about nothing
 * when it accepts: that is said where a tunnel is concerned. About nothing is one that is disabled, too.
 */
export function buildRules(store: Store, findings: Findings): readonly FirewallRule[] {
  const ofTunnels: NamesTunnels = (names) => names.some((name) => name === 'any' || entryAt(store, phase1, name) !== undefined);
  return entriesOf(store, policy).map((entry): FirewallRule => {
    const accept = get(entry, 'action') === 'accept';
    const [srcintf, dstintf] = [get(entry, 'srcintf'), get(entry, 'dstintf')];
    const rule = { id: Number(entry.key.text), accept, nat: accept && get(entry, 'nat'), srcintf, dstintf };
    const nobody = { tags: [], users: [], groups: [] };
    const nothing = { ...rule, ...nobody, accept: false, nat: false, from: [], to: [], services: [] };
    if (!get(entry, 'status')) return nothing;
    const { from, to, services, tags, unsure } = partsOf(store, entry);
    if (unsure === undefined) {
      if (accept) warnOfWide(entry, from, to, ofTunnels, findings);
      return { ...rule, from, to, services, tags, users: get(entry, 'users'), groups: get(entry, 'groups') };
    }
    if (ofTunnels([...srcintf, ...dstintf])) {
      const what = accept ? 'lets nothing through' : 'refuses everything on its interfaces';
      findings.warn('later', entry.key, `policy ${rule.id} ${what}: ${unsure}`);
    }
    const all = [wholeRange(4), wholeRange(6)];
    return accept ? nothing : { ...rule, ...nobody, from: all, to: all, services: [ALL] };
  });
}

/** Is one of these interfaces a tunnel, or any of them? */
type NamesTunnels = (interfaces: readonly string[]) => boolean;

/**
 * Whatever is no tunnel is the inside, by whichever interface a packet goes there: a policy that relies on that of a FortiGate's
 * interfaces, with addresses that are all of them, reaches other networks, too.
 */
function warnOfWide(
  entry: PolicyEntry,
  from: readonly Range[],
  to: readonly Range[],
  ofTunnels: NamesTunnels,
  findings: Findings,
): void {
  const sides = [
    ['dstintf', 'dstaddr', to, 'srcintf'],
    ['srcintf', 'srcaddr', from, 'dstintf'],
  ] as const;
  for (const [interfaces, addresses, ranges, others] of sides) {
    const names = get(entry, interfaces);
    if (ofTunnels(names) || !ofTunnels(get(entry, others)) || !ranges.some(isWhole)) continue;
    findings.warn(
      'open',
      placeOf(entry, interfaces),
      `policy ${entry.key.text} is not narrowed by ${interfaces} ${names.map(shown).join(' ')}: ${addresses} alone says what ` +
        'is beyond the tunnel, and that is everything; name the networks',
    );
  }
}

type Parts = Pick<FirewallRule, 'from' | 'to' | 'services' | 'tags'>;

/** `unsure`: why it cannot be told what the policy is about; undefined when it can. */
function partsOf(store: Store, entry: PolicyEntry): Parts & { readonly unsure: string | undefined } {
  const side = (word: 'srcaddr' | 'dstaddr', word6: 'srcaddr6' | 'dstaddr6') => [
    ...ranges(store, entry.key, get(entry, word), 4),
    ...ranges(store, entry.key, get(entry, word6), 6),
  ];
  const [from, to] = [side('srcaddr', 'srcaddr6'), side('dstaddr', 'dstaddr6')];
  const services = get(entry, 'service').map((name) => servicesOf(store, name, new Set()));
  const tags = [get(entry, 'ztna-ems-tag'), get(entry, 'ztna-ems-tag-secondary')].map((list) => list.map(parsePostureTag));
  const known = <T>(list: readonly (T | undefined)[]) => list.filter((one) => one !== undefined);
  const missing = services.includes(undefined) || [...from, ...to].includes(undefined) || tags.flat().includes(undefined);
  return {
    ...{ from: known(from), to: known(to), services: known(services).flat() },
    tags: demands(tags, get(entry, 'ztna-tags-match-logic') === 'and'),
    unsure: whyUnsure(entry, missing, from.length === 0 || to.length === 0),
  };
}

type PolicyEntry = ReturnType<typeof entriesOf<typeof policy.words>>[number];

function whyUnsure(entry: PolicyEntry, missing: boolean, nowhere: boolean): string | undefined {
  const schedule = get(entry, 'schedule');
  if (schedule !== '' && schedule !== 'always') return `schedule ${shown(schedule)} is not served`;
  const condition = CONDITIONS.find((word) => isOn(entry.given.get(word)));
  if (condition !== undefined) return `'${condition}' is not served`;
  if (nowhere) return 'it names no addresses on one side';
  return missing ? 'an address, service or tag in it is not defined, or of a kind that packets do not show' : undefined;
}

/** Words that turn or narrow what a policy is about, and that are not served. */
const CONDITIONS = `srcaddr-negate dstaddr-negate srcaddr6-negate dstaddr6-negate service-negate ztna-ems-tag-negate ztna-ems-tag6
  ztna-geo-tag ztna-device-ownership internet-service internet-service-src internet-service6 internet-service6-src
  network-service-dynamic network-service-src-dynamic src-vendor-mac devices fsso-groups policy-expiry tos-mask sgt-check
  geoip-match reputation-minimum reputation-minimum6`.split(/\s+/);

const isOn = (given: Given | undefined): boolean =>
  given?.words.some(({ text }) => !['disable', '0', '0x00', 'physical-location'].includes(text)) === true;

/** Sets of tags, one of each of which is needed. */
function demands(lists: readonly (readonly (PostureTag | undefined)[])[], and: boolean): FirewallRule['tags'] {
  const [first = [], second = []] = lists.map((list) => list.filter((tag) => tag !== undefined));
  const sets = and ? first.map((tag) => [tag]) : [first];
  return [...sets, second].filter((set) => set.length > 0);
}

/** undefined in the place of an address that cannot be told: not defined, or of a type without addresses. */
function ranges(store: Store, place: Word, names: readonly string[], family: Family): readonly (Range | undefined)[] {
  return names.flatMap((name) => {
    const quiet = new Findings();
    if (!isAddress(store, name, family)) return [undefined];
    const found = resolve({ store, findings: quiet }, name, family, place, 'policy');
    return found === undefined || quiet.list().length > 0 ? [undefined] : found.map(({ start, end }) => ({ start, end }));
  });
}

/** undefined: a name that is not defined, or a service of a kind that packets do not tell. */
function servicesOf(store: Store, name: string, seen: Set<string>): readonly FirewallService[] | undefined {
  if (seen.has(name)) return [];
  seen.add(name);
  const group = entryAt(store, serviceGroup, name);
  if (group !== undefined) {
    const all = get(group, 'member').map((member) => servicesOf(store, member, seen));
    return all.includes(undefined) ? undefined : all.flatMap((s) => s ?? []);
  }
  const entry = entryAt(store, service, name);
  if (entry === undefined) return BUILT_IN[name];
  if (get(entry, 'iprange') !== '' || get(entry, 'fqdn') !== '') return undefined;
  switch (get(entry, 'protocol')) {
    case 'IP':
      return [of(get(entry, 'protocol-number'))];
    case 'ALL':
      return [ALL];
    case 'ICMP':
    case 'ICMP6': {
      const written = (word: 'icmptype' | 'icmpcode') => (entry.given.has(word) ? get(entry, word) : -1);
      const protocol = get(entry, 'protocol') === 'ICMP' ? ICMP : ICMP6;
      return [{ ...of(protocol), icmpType: written('icmptype'), icmpCode: written('icmpcode') }];
    }
    case 'TCP/UDP/SCTP':
    case 'TCP/UDP/UDP-Lite/SCTP': {
      const kinds = [
        [TCP, 'tcp-portrange'],
        [UDP, 'udp-portrange'],
        [UDPLITE, 'udplite-portrange'],
        [SCTP, 'sctp-portrange'],
      ] as const;
      const all = kinds.flatMap(([protocol, word]) => get(entry, word).map((text) => portsOf(protocol, text)));
      return all.includes(undefined) ? undefined : all.filter((s) => s !== undefined);
    }
    default:
      return undefined;
  }
}

/** `443`, `8000-8100`, `443:1024-65535`: destination, then source. */
function portsOf(protocol: number, text: string): FirewallService | undefined {
  const parts = /^(\d{1,5})(?:-(\d{1,5}))?(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(text);
  if (parts === null) return undefined;
  const [, start, end = start, from = '0', to = parts[3] ?? '65535'] = parts;
  return {
    ...of(protocol),
    startPort: Number(start),
    endPort: Number(end),
    startSource: Number(from),
    endSource: Number(to),
  };
}
