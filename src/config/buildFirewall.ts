/**
 * `firewall policy`, `vip` and `access-proxy`: read, and their references checked. A name that is not defined is a warning
 * here: what the policy then grants is nothing (`buildRules.ts`).
 */
import { isAddress } from './buildAddress.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import type { Policy } from './model.ts';
import {
  accessProxy,
  apiGateway4,
  apiGateway6,
  policy,
  realserver4,
  realserver6,
  service,
  serviceGroup,
  vip,
} from './schemaFirewall.ts';
import { phase1 } from './schemaPhase1.ts';
import { systemInterface } from './schemaSystem.ts';
import { certificateLocal, userGroup, userLocal } from './schemaUser.ts';
import { shown } from './setting.ts';
import { get, inner, placeOf } from './table.ts';

/** Services that every FortiGate has from the factory; a backup names those of them that were touched. */
const SERVICES = new Set(
  `all ALL ALL_TCP ALL_UDP ALL_ICMP ALL_ICMP6 AFS3 AH AOL BGP CVSPSERVER DCE-RPC DHCP DHCP6 DNS ESP FINGER FTP FTP_GET FTP_PUT
    GOPHER GRE GTP H323 HTTP HTTPS IKE IMAP IMAPS INFO_ADDRESS INFO_REQUEST IRC Internet-Locator-Service KERBEROS L2TP LDAP
    LDAP_UDP MGCP MMS MS-SQL MYSQL NFS NNTP NONE NTP NetMeeting ONC-RPC OSPF PC-Anywhere PING PING6 POP3 POP3S PPTP QUAKE
    RADIUS RADIUS-OLD RAUDIO RDP REXEC RIP RLOGIN RSH RTSP SAMBA SCCP SIP SIP-MSNmessenger SMB SMTP SMTPS SNMP SOCKS SQUID SSH
    SYSLOG TALK TELNET TFTP TIMESTAMP TRACEROUTE UUCP VDOLIVE VNC WAIS WINFRAME WINS X-WINDOWS webproxy`.split(/\s+/),
);
const SERVICE_GROUPS = ['Email Access', 'Web Access', 'Windows AD', 'Exchange Server'];
const SCHEDULES = ['always', 'none', 'default-darrp-optimize'];
const ZONES = ['system zone', 'system sdwan', 'system virtual-wan-link', 'system switch-interface', 'system aggregate'];

export function buildPolicies(store: Store): readonly Policy[] {
  return entriesOf(store, policy).map((entry) => ({
    id: Number(entry.key.text),
    name: get(entry, 'name'),
    enabled: get(entry, 'status'),
    accept: get(entry, 'action') === 'accept',
    srcintf: get(entry, 'srcintf'),
    dstintf: get(entry, 'dstintf'),
    srcaddr: get(entry, 'srcaddr'),
    dstaddr: get(entry, 'dstaddr'),
    service: get(entry, 'service'),
    groups: get(entry, 'groups'),
    users: get(entry, 'users'),
    line: entry.key.line,
  }));
}

/** The groups of the policies in force, by the interface that the traffic comes from. */
export function policyGroups(policies: readonly Policy[]): ReadonlyMap<string, ReadonlySet<string>> {
  const out = new Map<string, Set<string>>();
  for (const { enabled, accept, srcintf, groups } of policies) {
    if (!enabled || !accept || groups.length === 0) continue;
    for (const name of srcintf) {
      const known = out.get(name) ?? new Set();
      for (const group of groups) known.add(group);
      out.set(name, known);
    }
  }
  return out;
}

/** Where a missing object is to be defined. */
const HOMES = {
  interface: 'system interface',
  address: 'firewall address',
  'virtual IP': 'firewall vip',
  certificate: 'vpn certificate local',
  service: 'firewall service custom',
  schedule: 'firewall schedule recurring',
  'user group': 'user group',
  user: 'user local',
} as const;

export function checkFirewall(store: Store, findings: Findings): void {
  const missing = new Map<string, { readonly place: Word; readonly message: string }>();
  const dangling: Dangling = (known, place, what, name) => {
    const key = `${what} ${name}`;
    const first = missing.get(key)?.place ?? place;
    // Once a name, where it stands first: a missing object is one mistake.
    if (!known && place.line <= first.line)
      missing.set(key, { place, message: `${what} ${shown(name)} is not defined: add it under 'config ${HOMES[what]}'` });
  };
  checkPolicies(store, findings, dangling);
  for (const entry of entriesOf(store, vip)) {
    const extintf = get(entry, 'extintf');
    if (extintf !== '') dangling(isInterface(store, extintf), placeOf(entry, 'extintf'), 'interface', extintf);
    for (const [i, name] of get(entry, 'ssl-certificate').entries())
      dangling(entryAt(store, certificateLocal, name) !== undefined, placeOf(entry, 'ssl-certificate', i), 'certificate', name);
  }
  for (const entry of entriesOf(store, accessProxy)) {
    const name = get(entry, 'vip');
    if (name !== '') dangling(entryAt(store, vip, name) !== undefined, placeOf(entry, 'vip'), 'virtual IP', name);
    for (const gateway of [...inner(entry, apiGateway4), ...inner(entry, apiGateway6)])
      for (const server of [...inner(gateway, realserver4), ...inner(gateway, realserver6)]) {
        const address = get(server, 'address');
        const known = address === '' || isAddress(store, address, 4) || isAddress(store, address, 6);
        dangling(known, placeOf(server, 'address'), 'address', address);
      }
  }
  for (const { place, message } of missing.values()) findings.warn('reference', place, message);
}

type Dangling = (known: boolean, place: Word, what: keyof typeof HOMES, name: string) => void;

function checkPolicies(store: Store, findings: Findings, dangling: Dangling): void {
  for (const entry of entriesOf(store, policy)) {
    const each = (
      word: Parameters<typeof placeOf<typeof policy.words>>[1] & ListWord,
      what: keyof typeof HOMES,
      known: (name: string) => boolean,
    ): void => {
      for (const [i, name] of get(entry, word).entries()) dangling(known(name), placeOf(entry, word, i), what, name);
    };
    for (const word of ['srcintf', 'dstintf'] as const) {
      if (get(entry, word).length === 0)
        findings.warn('missing', entry.key, `policy ${entry.key.text} has no ${word}: set ${word} "NAME", or "any"`);
      each(word, 'interface', (name) => isInterface(store, name));
    }
    each('srcaddr', 'address', (name) => isAddress(store, name, 4));
    each(
      'dstaddr',
      'address',
      (name) =>
        isAddress(store, name, 4) ||
        entryAt(store, vip, name) !== undefined ||
        store.unknownNames.get('firewall vipgrp')?.has(name) === true,
    );
    each('srcaddr6', 'address', (name) => isAddress(store, name, 6));
    each('dstaddr6', 'address', (name) => isAddress(store, name, 6));
    each('service', 'service', (name) => isService(store, name));
    each('groups', 'user group', (name) => entryAt(store, userGroup, name) !== undefined);
    each('users', 'user', (name) => entryAt(store, userLocal, name) !== undefined);
    const schedule = get(entry, 'schedule');
    if (schedule !== '') dangling(isSchedule(store, schedule), placeOf(entry, 'schedule'), 'schedule', schedule);
  }
}

type ListWord = 'srcintf' | 'dstintf' | 'srcaddr' | 'dstaddr' | 'srcaddr6' | 'dstaddr6' | 'service' | 'groups' | 'users';

const isInterface = (store: Store, name: string): boolean =>
  name === 'any' ||
  name === 'virtual-wan-link' ||
  name.startsWith('ssl.') ||
  entryAt(store, systemInterface, name) !== undefined ||
  entryAt(store, phase1, name) !== undefined ||
  ZONES.some((path) => store.unknownNames.get(path)?.has(name) === true);

const isService = (store: Store, name: string): boolean =>
  SERVICES.has(name) ||
  SERVICE_GROUPS.includes(name) ||
  entryAt(store, service, name) !== undefined ||
  entryAt(store, serviceGroup, name) !== undefined;

const isSchedule = (store: Store, name: string): boolean =>
  SCHEDULES.includes(name) ||
  ['recurring', 'onetime', 'group'].some((kind) => store.unknownNames.get(`firewall schedule ${kind}`)?.has(name) === true);
