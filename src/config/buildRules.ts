/**
 * `firewall policy` in the form the data plane takes: names resolved to addresses, services and tags. What cannot be resolved
 * never widens what passes: such a policy grants nothing when it accepts, and applies to everything when it denies.
 */
import { type PostureTag, parsePostureTag } from '../posture/index.ts';
import { type Family, isAddress, resolve, wholeRange } from './buildAddress.ts';
import { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import type { FirewallRule, FirewallService, Range } from './model.ts';
import { policy, service, serviceGroup } from './schemaFirewall.ts';
import { type Given, get } from './table.ts';

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

/** The policies in force, in their order. */
export function buildRules(store: Store): readonly FirewallRule[] {
  return entriesOf(store, policy).flatMap((entry): readonly FirewallRule[] => {
    if (!get(entry, 'status')) return [];
    const accept = get(entry, 'action') === 'accept';
    const place = entry.key;
    const from = [...ranges(store, place, get(entry, 'srcaddr'), 4), ...ranges(store, place, get(entry, 'srcaddr6'), 6)];
    const to = [...ranges(store, place, get(entry, 'dstaddr'), 4), ...ranges(store, place, get(entry, 'dstaddr6'), 6)];
    const services = get(entry, 'service').map((name) => servicesOf(store, name, new Set()));
    const spelled = [get(entry, 'ztna-ems-tag'), get(entry, 'ztna-ems-tag-secondary')];
    const tags = spelled.map((list) => list.map(parsePostureTag));
    const schedule = get(entry, 'schedule');
    const timed = schedule !== '' && schedule !== 'always';
    const unknown = services.includes(undefined) || [...from, ...to].includes(undefined) || tags.flat().includes(undefined);
    const nowhere = from.length === 0 || to.length === 0; // internet services and the like
    const unsure = timed || unknown || nowhere || CONDITIONS.some((word) => isOn(entry.given.get(word)));
    if (unsure && accept) return [];
    const everything = unsure ? [wholeRange(4), wholeRange(6)] : undefined;
    return [
      {
        id: Number(place.text),
        accept,
        nat: accept && get(entry, 'nat'),
        srcintf: get(entry, 'srcintf'),
        dstintf: get(entry, 'dstintf'),
        from: everything ?? from.filter((r) => r !== undefined),
        to: everything ?? to.filter((r) => r !== undefined),
        services: unsure ? [ALL] : services.flatMap((s) => s ?? []),
        users: unsure ? [] : get(entry, 'users'),
        groups: unsure ? [] : get(entry, 'groups'),
        tags: unsure ? [] : demands(tags, get(entry, 'ztna-tags-match-logic') === 'and'),
      },
    ];
  });
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
