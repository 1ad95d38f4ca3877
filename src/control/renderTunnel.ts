/**
 * `diagnose vpn tunnel list` and `get vpn ipsec tunnel summary` in FortiOS' layout, and what was dropped and why. Of keys the
 * length is shown and nothing else. What only FortiOS' own kernel has (references, options, serial numbers, hardware) stands as
 * a constant or is left out. Lines that begin with `Postern:` are ours.
 */
import type { DropReason, SaView } from '../esp/index.ts';
import { printable } from '../wire/index.ts';
import type { GatewayShown, TrafficShown } from './view.ts';

const show = (text: string): string => printable(text, 256);
const hex = (n: number): string => n.toString(16).padStart(8, '0');
type ChildShown = GatewayShown['children'][number];
const RULE = `${'-'.repeat(54)}\n`;

/** Tunnels that are up as a paragraph each. */
export function tunnelList(all: readonly GatewayShown[], traffic: TrafficShown | undefined): readonly string[] {
  return up(all).map(
    (sa) => `${RULE}${[...header(sa, traffic), ...sa.children.flatMap((c) => proxyId(c, traffic))].join('\n')}\n`,
  );
}

export const tunnelListHeader = 'list all ipsec tunnel in vd 0\n';
export const tunnelNamesHeader = 'list ipsec tunnel by names in vd 0\n';

/** One line a tunnel. */
export function tunnelSummary(all: readonly GatewayShown[], traffic: TrafficShown | undefined): readonly string[] {
  return up(all).map((sa) => {
    const { inPackets, inErrors, outPackets, outErrors } = carried(sa, traffic);
    const total = new Set(sa.children.map(({ phase2 }) => phase2)).size;
    const open = new Set(sa.children.filter(({ state }) => state === 'installed').map(({ phase2 }) => phase2)).size;
    const { address, port } = sa.remote;
    const counts = `rx(pkt,err): ${inPackets}/${inErrors}  tx(pkt,err): ${outPackets}/${outErrors}`;
    return `'${show(sa.name)}' ${address}:${port}  selectors(total,up): ${total}/${open}  ${counts}\n`;
  });
}

/** What the data plane has carried and dropped since the start. */
export function trafficTotals({ plane: { total, flows, sas, clients } }: TrafficShown): string {
  const dropped = reasons(total.drops).map(([reason, n]) => `  ${reason.padEnd(12)} ${`${n}`.padStart(10)}  ${MEANING[reason]}`);
  return `${[
    `clients: ${clients.length}, SAs: ${sas.length}, flows: ${flows}`,
    `from clients: ${total.inPackets} packets, ${total.inOctets} octets, ${total.inErrors} dropped`,
    `to clients: ${total.outPackets} packets, ${total.outOctets} octets, ${total.outErrors} dropped`,
    ...(dropped.length === 0 ? ['dropped: nothing'] : ['dropped:', ...dropped]),
  ].join('\n')}\n`;
}

const up = (all: readonly GatewayShown[]) => all.filter(({ at }) => at === 'established');

const NONE = { inPackets: 0, inOctets: 0, inErrors: 0, outPackets: 0, outOctets: 0, outErrors: 0 };
const clientOf = ({ name }: GatewayShown, traffic: TrafficShown | undefined) =>
  traffic?.plane.clients.find(({ gateway }) => gateway === name);
const carried = (sa: GatewayShown, traffic: TrafficShown | undefined) => clientOf(sa, traffic)?.counters ?? NONE;

function header(sa: GatewayShown, traffic: TrafficShown | undefined): readonly string[] {
  const { local, remote, dpd, profile, keepalive } = sa;
  const c = carried(sa, traffic);
  const there = clientOf(sa, traffic);
  const ago = (at: number | undefined) =>
    Math.round(at === undefined || traffic === undefined ? sa.age : (traffic.now - at) / 1000);
  const opened = traffic?.plane.sas.some(({ gateway, valve }) => gateway === sa.name && valve !== 'shut') === true;
  const outer = traffic?.plane.sas.find(({ gateway }) => gateway === sa.name)?.outerMtu ?? 1500;
  const state = `run_state=0 role=primary accept_traffic=${opened ? 1 : 0} overlay_id=0`;
  const ends = `${local.address}:${local.port}->${remote.address}:${remote.port}`;
  const ids = `tun_id=${sa.assigned4 ?? '0.0.0.0'} tun_id6=${sa.assigned6 ?? '::'}`;
  const natt = sa.natMe || sa.natPeer ? `mode=keepalive draft=0 interval=${keepalive ?? 0}` : 'mode=none draft=0 interval=0';
  return [
    `name=${show(sa.name)} ver=2 serial=${sa.id} ${ends} nexthop=0.0.0.0 ${ids} status=up dst_mtu=${outer} weight=1`,
    `bound_if=0 real_if=0 lgwy=static/1 tun=intf mode=dial_inst/3 encap=none ${state}`,
    '',
    ...(profile === undefined ? [] : [`parent=${show(profile)} index=${instanceOf(sa.name)}`]),
    `proxyid_num=${sa.children.length} child_num=0 refcnt=1 ilast=${ago(there?.lastIn)} olast=${ago(there?.lastOut)} ad=/0`,
    `stat: rxp=${c.inPackets} txp=${c.outPackets} rxb=${c.inOctets} txb=${c.outOctets}`,
    ...(dpd === undefined ? [] : [dpdLine(dpd)]),
    `natt: ${natt} remote_port=${sa.natMe || sa.natPeer ? remote.port : 0}`,
    'fec: egress=0 ingress=0',
  ];
}

const instanceOf = (name: string): string => /_(\d+)$/.exec(name)?.[1] ?? '0';

function dpdLine({ mode, idle, retry, count, seqno }: NonNullable<GatewayShown['dpd']>): string {
  const on = mode === 'disable' ? 0 : 1;
  const word = mode === 'disable' ? 'off' : mode;
  return `dpd: mode=${word} on=${on} status=ok idle=${idle}ms retry=${retry} count=${count} seqno=${seqno}`;
}

function proxyId(c: ChildShown, traffic: TrafficShown | undefined): readonly string[] {
  const sa = traffic?.plane.sas.find(({ spiIn }) => spiIn === c.spiIn);
  const { encryption, key, integrity, integrityKey } = wordsOf(c);
  const direction = (way: string, spi: number) => [
    `  ${way}: spi=${hex(spi)} esp=${encryption} key=${key}`,
    `       ah=${integrity} key=${integrityKey}`,
  ];
  const flags = c.addRoute ? ' add-route' : '';
  return [
    `proxyid=${show(c.phase2)} proto=0 sa=${c.state === 'installed' ? 1 : 0} ref=1 serial=${c.number}${flags}`,
    ...c.TSr.map((range) => `  src: ${range}`),
    ...c.TSi.map((range) => `  dst: ${range}`),
    ...(sa === undefined ? ['  Postern: carries nothing: it is not in the data plane'] : planeLines(c, sa)),
    `  life: type=01 bytes=0/0 timeout=${c.expires}/${c.lifetime}`,
    ...direction('dec', c.spiIn),
    ...direction('enc', c.spiOut),
    ...(sa === undefined ? [] : countLines(sa)),
  ];
}

function planeLines({ expires, esn }: ChildShown, sa: SaView): readonly string[] {
  const seqno = (sa.sequence + 1).toString(16); // FortiOS shows the number that comes next
  const limits = `soft=${sa.soft ? 1 : 0} mtu=${sa.mtu} expire=${expires}/0B replaywin=${sa.replay ? sa.window : 0}`;
  return [
    `  SA:  ref=1 options=0 type=00 ${limits}`,
    `       seqno=${seqno} esn=${esn ? 1 : 0} replaywin_lastseq=${hex(sa.highest)} qat=0 rekey=0 hash_search_len=1`,
  ];
}

function countLines({ counters, valve }: SaView): readonly string[] {
  const { inPackets, inOctets, outPackets, outOctets, drops } = counters;
  const dropped = reasons(drops).map(([reason, n]) => `${reason}=${n}`);
  return [
    `  dec:pkts/bytes=${inPackets}/${inOctets}, enc:pkts/bytes=${outPackets}/${outOctets}`,
    ...(valve === 'open'
      ? []
      : [`  Postern: ${valve === 'shut' ? 'posture is not proven yet: nothing passes' : 'in quarantine'}`]),
    ...(dropped.length === 0 ? [] : [`  Postern: dropped ${dropped.join(' ')}`]),
  ];
}

// The cast is the list's: its keys are the reasons.
const reasons = (drops: Readonly<Record<DropReason, number>>): readonly (readonly [DropReason, number])[] =>
  (Object.entries(drops) as [DropReason, number][]).filter(([, n]) => n > 0);

/** Names by transform number; FortiOS counts the salt of a combined mode with its key (RFC 4106 §8.1). */
const ENCRYPTION: Readonly<Record<number, readonly [name: string, salt: number, bits?: number]>> = {
  3: ['3des', 0, 192],
  11: ['null', 0, 0],
  12: ['aes', 0],
  20: ['aes-gcm', 4],
  28: ['chacha20-poly1305', 4, 256],
};
const INTEGRITY: Readonly<Record<number, readonly [name: string, octets: number]>> = {
  0: ['null', 0],
  1: ['md5', 16],
  2: ['sha1', 20],
  12: ['sha256', 32],
  13: ['sha384', 48],
  14: ['sha512', 64],
};

function wordsOf({ encr, keyLength, integ }: ChildShown) {
  const [encryption, salt, bits = keyLength] = ENCRYPTION[encr] ?? [`${encr}`, 0];
  const [integrity, integrityKey] = INTEGRITY[integ] ?? [`${integ}`, 0];
  return { encryption, key: bits / 8 + salt, integrity, integrityKey };
}

const MEANING: Readonly<Record<DropReason, string>> = {
  short: 'too few octets for an ESP packet',
  'unknown-spi': 'no SA has this SPI, or not any more',
  replay: 'its number has come before',
  old: 'its number lies behind the window',
  integrity: 'not sealed with the keys of its SA, or changed on the way',
  padding: 'authentic, but its padding is wrong',
  'next-header': 'authentic, but neither IPv4 nor IPv6, or not what its trailer says',
  dummy: 'cover traffic, as the client means it to be',
  malformed: 'not a whole IP packet',
  source: "from an inner address that is not the client's own",
  selector: 'outside of what was negotiated',
  'valve-shut': 'before the posture of its client is proven',
  quarantine: 'not for those addresses that quarantine leaves',
  firewall: 'no policy accepts it',
  fragment: 'a later fragment, where ports decide',
  'no-route': 'to an inner address that nobody has',
  multicast: 'to a group or to the link, as this machine says it on every device: no tunnel carries that',
  'too-big': 'larger than the tunnel, and may not be fragmented',
  ttl: 'its hops are used up',
  lifetime: 'its SA is over',
  exhausted: 'its SA has no numbers left',
};
