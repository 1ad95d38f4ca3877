/**
 * What EMS told, in FortiOS' layouts: `diagnose endpoint ec-shm list`, `diagnose firewall dynamic list`, `diagnose test
 * application fcnacd 2` and `7`. What EMS does not tell us is printed as FortiOS prints its absence: nothing behind the colon,
 * VDOM number -1. Lines that begin with `Postern:` are ours.
 */
import { printable } from '../wire/index.ts';
import { utcText } from './renderTime.ts';
import type { EmsView } from './view.ts';

type EndpointRecord = EmsView['records'][number];

const FIELD = ' '.repeat(16);
const ROUTE = ' '.repeat(24);
const ITEM = ' '.repeat(32);
const show = (text: string): string => printable(text, 1024);
/** A label and its value; no blank behind the label when there is none. */
const field = (label: string, value: string): string => `${label} ${show(value)}`.trimEnd();
const yes = (truth: boolean): string => (truth ? 'yes' : 'no');

/** One record of `diagnose endpoint ec-shm list`. */
export function endpointRecord(index: number, { identity }: Pick<EmsView, 'identity'>, r: EndpointRecord): string {
  const [route] = r.routes;
  const lines = [
    field('IP Address =', r.addresses[0] ?? ''),
    field('MAC Address =', r.macs[0] ?? ''),
    field('MAC list =', r.macs.length > 1 ? r.macs.map((mac) => `${mac};`).join('') : ''),
    `VDOM = ${vdom(route?.vdom)}`,
    `TOKEN VDOM = ${vdom(undefined)}`,
    field('EMS serial number:', identity?.serial ?? ''),
    field('EMS tenant id:', r.tenant),
    field('Client cert SN:', r.certSn),
    field('Public IP address:', r.publicIp),
    `Quarantined: ${yes(r.quarantined)}`,
    `Online status: ${r.online ? 'online' : 'offline'}`,
    `Registration status: ${r.registered ? 'registered' : 'not registered'}`,
    `On-net status: ${r.onNet ? 'on-net' : 'off-net'}`,
    field('Gateway Interface:', route?.interface ?? ''),
    field('FortiClient version:', r.version),
    'AVDB version:',
    'FortiClient app signature version:',
    'FortiClient vulnerability scan engine version:',
    field('FortiClient UID:', r.uid),
    field('Host Name:', r.hostname),
    field('Last Login User:', r.user),
    `Number of Routes: (${r.routes.length})`,
  ];
  const routes = r.routes.flatMap((one, i) => [
    `${ROUTE}Gateway Route #${i}:`,
    `${ITEM}- IP:${show(one.ip)}, MAC: ${show(one.mac)}, VPN: ${yes(one.vpn)}`,
    `${ITEM}- Interface:${show(one.interface)}, VDOM:${vdom(one.vdom)}, SN: ${show(one.sn)}`,
  ]);
  return `${[`Record #${index}:`, ...lines.map((line) => FIELD + line), ...routes].join('\n')}\n`;
}

/** The last line of `diagnose endpoint ec-shm list`. */
export function endpointTotals(all: readonly { readonly ems: EmsView; readonly record: EndpointRecord }[]): string {
  const count = (fits: (one: (typeof all)[number]) => boolean) => all.filter(fits).length;
  const totals = [
    `online records: ${count(({ record }) => record.online)}`,
    `offline records: ${count(({ record }) => !record.online)}`,
    `quarantined records: ${count(({ record }) => record.quarantined)}`,
    `out-of-sync records: ${count(({ ems }) => ems.outOfSync)}`,
  ];
  return `${totals.join('; ')}\n`;
}

/** FortiOS' root is number 0; what is in no VDOM has no name and number -1. */
const vdom = (name: string | undefined): string =>
  name === undefined || name === '' ? ' (-1)' : `${show(name)} (${name === 'root' ? 0 : -1})`;

export type DynamicAddress = {
  /** EMS1_ZTNA_name */
  readonly cmdb: string;
  readonly tag: string;
  readonly addresses: readonly string[];
};

/** Tags of all EMS that a device holds, with the addresses of those devices, by EMS and name. */
export function dynamicAddresses(all: readonly EmsView[]): readonly DynamicAddress[] {
  const found = new Map<string, { readonly ems: number; readonly tag: string; readonly addresses: Set<string> }>();
  for (const { number, records } of all)
    for (const { tags, addresses } of records)
      for (const { type, name } of tags) {
        const prefix = PREFIX[type];
        if (prefix === undefined) continue; // FortiOS makes no address object of it
        const cmdb = `EMS${number}_${prefix}_${name}`;
        const one = found.get(cmdb) ?? { ems: number, tag: name, addresses: new Set() };
        found.set(cmdb, one);
        for (const address of addresses) one.addresses.add(address);
      }
  return [...found]
    .sort(([a, x], [b, y]) => x.ems - y.ems || (a < b ? -1 : 1))
    .map(([cmdb, { tag, addresses }]) => ({ cmdb, tag, addresses: [...addresses] }));
}

const PREFIX: { readonly [T in EndpointRecord['tags'][number]['type']]?: string } = {
  zero_trust: 'ZTNA',
  classification: 'CLASS',
};

export const dynamicHeader = 'List all dynamic addresses:\nIP dynamic addresses in VDOM root(vfid: 0):\n';

/** @param id ours: its place in the list of all; FortiOS' own numbers mean nothing outside of it either */
export function dynamicAddress(id: number, { cmdb, tag, addresses }: DynamicAddress): string {
  const lines = [
    `CMDB name: ${show(cmdb)}`,
    `TAG name: ${show(tag)}`,
    `${show(cmdb)}: ID(${id})`,
    ...addresses.map((address) => `        ADDR(${show(address)})`),
    'Total IP dynamic range blocks: 0.',
    `Total IP dynamic addresses: ${addresses.length}.`,
  ];
  return `${lines.join('\n')}\n`;
}

/** One EMS in `diagnose test application fcnacd 2`. */
export function emsContext(ems: EmsView, now: number): string {
  const connected = ems.state === 'Connected';
  const confirmed = connected || (ems.trustedBy === 'pin' && ems.state !== 'Cert unauthorized');
  const { identity } = ems;
  const lines = [
    `name(id): ${show(ems.name)}(${ems.number}) confirmed: ${yes(confirmed)}`,
    'is global: true',
    'interface vdom: root',
    field('fetched-serial-number:', identity?.serial ?? ''),
    field('fetched-tenant-id:', identity?.tenant ?? ''),
    'user-data:',
    `verified capabilities: ${connected}`,
    `verified identity: ${connected}`,
    'interface-selection-method: 0',
    // FortiOS prints where the key lies in its memory; what counts is whether there is one.
    `ztna-public-key:${ems.tokenKeys === 0 ? '(nil)' : `${ems.tokenKeys} held`}`,
    `Websocket status: ${ems.websocket ? 'connected' : 'disconnected'}, oif: 0`,
    ...ours(ems, now),
  ];
  return `${[`FortiClient EMS number ${ems.number}:`, ...lines.map((line) => `        ${line}`)].join('\n')}\n`;
}

function ours({ server, state, why, since, asOf, records, outOfSync, trustedBy }: EmsView, now: number): readonly string[] {
  const seconds = (at: number) => `${Math.max(0, now - at)}s`;
  const count = `${records.length} ${records.length === 1 ? 'device' : 'devices'}`;
  const step = asOf === 0 ? 'never in step' : `in step ${seconds(asOf)} ago`;
  return [
    `Postern: ${show(server)}: ${state} for ${seconds(since)}${why === '' ? '' : `: ${show(why)}`}`,
    `Postern: ${count}, ${step}${outOfSync ? ', too old for the gate' : ''}`,
    `Postern: its certificate is trusted by ${trustedBy === 'pin' ? 'its fingerprint, accepted by hand' : 'authorities only'}`,
  ];
}

/** One device in `diagnose test application fcnacd 7`: its tags as the gate sees them. */
export function deviceCache(index: number, ems: EmsView, r: EndpointRecord): string {
  const [serial, tenant] = [ems.identity?.serial ?? '', r.tenant];
  const cached = r.tags.filter(({ type }) => TTDL[type] !== undefined);
  const [route] = r.routes;
  const lines = [
    `Entry #${index}:`,
    field(' - UID:', r.uid),
    ` - EMS Fabric ID: ${show(serial)}:${show(tenant)}`,
    ` - Tag upd time: ${utcText(r.changed)}`,
    field('UID:', r.uid),
    field('EMS:', `${serial} ${tenant}`),
    `State: sysinfo:1, tag:${cached.length > 0 ? 1 : 0}, tagsz:${cached.length}, out-of-sync:${ems.outOfSync ? 1 : 0}`,
    field('Cert SN:', r.certSn),
    `online: ${r.online ? 'Yes' : 'No'}`,
    `Route IP:${show(route?.ip ?? '')}, vdom:${show(route?.vdom ?? '')}`,
    'Tags:',
    ...cached.map(({ type, name }, i) => `idx:${i}, ttdl:${TTDL[type]}   name:${show(name)}`),
    ...r.tags
      .filter((tag) => !cached.includes(tag))
      .map(({ type, name }) => `Postern: ${type} tag, which no rule can name: ${show(name)}`),
  ];
  return `${lines.join('\n')}\n`;
}

const TTDL: { readonly [T in EndpointRecord['tags'][number]['type']]?: number } = { zero_trust: 1, classification: 2 };
