/**
 * The configuration payload (RFC 7296 §3.15, RFC 8598) as FortiOS answers it: only what was asked for, one attribute per server,
 * prefix or domain, with the private attributes of FortiClient and Cisco Unity. What is not known is passed over.
 */
import type { ModeCfg, Prefix } from '../config/index.ts';
import { CfgAttribute as A, addressText, type CfgValue, cfgAttributeName, hex, printable } from '../wire/index.ts';

/** What is configured, but for what the pools hold. */
export type ConfigSource = Omit<ModeCfg, 'assign' | 'allowClientSelector' | 'ipv4' | 'ipv6'> & {
  readonly ipv4: { readonly prefix: number } | undefined;
  readonly ipv6: { readonly prefix: number } | undefined;
};

/** One thing to narrate, as data; `noteText` has the words. FortiOS tells `request` before the child SA, `reply` after it. */
export type Note =
  | { readonly when: 'request'; readonly kind: 'asked'; readonly type: number; readonly value: Uint8Array }
  | { readonly when: 'request'; readonly kind: 'peer-version'; readonly value: Uint8Array }
  | { readonly when: 'request'; readonly kind: 'asked-private' | 'asked-unity'; readonly type: number }
  | { readonly when: 'request'; readonly kind: 'unsupported' | 'unsupported-unity' | 'unknown'; readonly type: number }
  | { readonly when: 'request'; readonly kind: 'no-wins' | 'no-banner' }
  | { readonly when: 'reply'; readonly kind: 'assigned'; readonly type: number; readonly value: Uint8Array }
  /** `index` counts the values of one type from 1. */
  | { readonly when: 'reply'; readonly kind: 'sent'; readonly type: number; readonly value: Uint8Array; readonly index: number }
  | { readonly when: 'reply'; readonly kind: 'not-sent'; readonly type: number; readonly why: 'none' | 'no-split' | 'no-dns' };

/**
 * The attributes of the CFG_REPLY to a CFG_REQUEST, in FortiOS' order.
 *
 * @param request attributes as they came: in any order, repeated, with or without values (a wish, which is not followed)
 * @param assigned addresses that were leased, 4 and 16 octets
 * @param version text of APPLICATION_VERSION
 */
export function answerConfig(
  request: readonly CfgValue[],
  source: ConfigSource,
  assigned: { readonly ipv4: Uint8Array | undefined; readonly ipv6: Uint8Array | undefined },
  version: string,
): { readonly attributes: readonly CfgValue[]; readonly notes: readonly Note[] } {
  const notes = request.flatMap((attribute) => noteRequest(attribute, source));
  const reply = new Reply(new Set(request.map(({ type }) => type)), notes);
  addresses(reply, source, assigned);
  network(reply, source);
  reply.send(A.APPLICATION_VERSION, [ascii(version)]);
  toggles(reply, source);
  domains(reply, source);
  if (source.unity) unity(reply, source);
  reply.send(A.SUPPORTED_ATTRIBUTES, [supported]);
  return { attributes: reply.attributes, notes };
}

/** FortiOS' words for a note, to stand behind `mode-cfg `; where its words are not known, ours by their pattern. */
export function noteText(note: Note): string {
  switch (note.kind) {
    case 'asked':
      return `type ${note.type} request ${note.value.length}:'${hex(note.value.subarray(0, SHOWN)).toUpperCase()}'`;
    case 'peer-version':
      return `received APPLICATION_VERSION '${printable(note.value, SHOWN)}'`;
    case 'asked-private':
      return `type ${note.type} requested`;
    case 'asked-unity':
      return `UNITY type ${note.type} requested`;
    case 'unsupported':
      return `type ${note.type} not supported, ignoring`;
    case 'unsupported-unity':
      return `UNITY type ${note.type} not supported, ignoring`;
    case 'unknown':
      return `attribute type ${note.type} not supported, ignoring`;
    case 'no-wins':
      return 'WINS ignored, no WINS servers configured';
    case 'no-banner':
      return 'no banner configured, ignoring';
    case 'assigned':
      return `assigned (${note.type}) ${assignedNames.get(note.type) ?? ''} ${valueText(note.type, note.value)}`;
    case 'sent':
      return sentText(note);
    case 'not-sent':
      return notSentText(note);
  }
}

/** Octets of a value that a line shows. */
const SHOWN = 64;

const standard: ReadonlySet<number> = new Set([
  A.INTERNAL_IP4_ADDRESS,
  A.INTERNAL_IP4_NETMASK,
  A.INTERNAL_IP4_DNS,
  A.INTERNAL_IP4_NBNS,
  A.APPLICATION_VERSION,
  A.INTERNAL_IP6_ADDRESS,
  A.INTERNAL_IP6_DNS,
  A.INTERNAL_IP4_SUBNET,
  A.SUPPORTED_ATTRIBUTES,
  A.INTERNAL_IP6_SUBNET,
  A.INTERNAL_DNS_DOMAIN,
]);
/** Of RFCs, without a meaning here. */
const unserved: ReadonlySet<number> = new Set([
  A.INTERNAL_IP4_DHCP,
  A.INTERNAL_IP6_NBNS,
  A.INTERNAL_IP6_DHCP,
  A.MIP6_HOME_PREFIX,
  A.INTERNAL_IP6_LINK,
  A.INTERNAL_IP6_PREFIX,
  A.INTERNAL_DNSSEC_TA,
]);
const fortinet: ReadonlySet<number> = new Set([A.FORTINET_AUTO_NEGOTIATE, A.FORTINET_KEEP_ALIVE]);
const unityServed: ReadonlySet<number> = new Set([
  A.UNITY_BANNER,
  A.UNITY_SAVE_PASSWD,
  A.UNITY_DEF_DOMAIN,
  A.UNITY_SPLIT_INCLUDE,
  A.UNITY_LOCAL_LAN,
]);
/** Cisco's numbers: 0x7000 to 0x700f. */
const isUnity = (type: number): boolean => type >>> 4 === 0x700;
/** Value of SUPPORTED_ATTRIBUTES: two octets each. */
const supported = Uint8Array.from([...standard].flatMap((type) => [type >>> 8, type & 0xff]));

/** What is said of one asked attribute. */
export function noteRequest({ type, value }: CfgValue, { unity: on, wins4, banner }: ConfigSource): readonly Note[] {
  const when = 'request';
  if (standard.has(type)) {
    const asked: Note = { when, kind: 'asked', type, value };
    if (type === A.APPLICATION_VERSION && value.length > 0) return [asked, { when, kind: 'peer-version', value }];
    return type === A.INTERNAL_IP4_NBNS && wins4.length === 0 ? [asked, { when, kind: 'no-wins' }] : [asked];
  }
  if (fortinet.has(type)) return [{ when, kind: 'asked-private', type }];
  if (isUnity(type)) {
    if (!on || !unityServed.has(type)) return [{ when, kind: 'unsupported-unity', type }];
    const asked: Note = { when, kind: 'asked-unity', type };
    return type === A.UNITY_BANNER && banner === undefined ? [asked, { when, kind: 'no-banner' }] : [asked];
  }
  return [{ when, kind: unserved.has(type) ? 'unsupported' : 'unknown', type }];
}

/** Collects what is sent: nothing that was not asked for. */
class Reply {
  readonly attributes: CfgValue[] = [];
  readonly #asked: ReadonlySet<number>;
  readonly #notes: Note[];

  constructor(asked: ReadonlySet<number>, notes: Note[]) {
    this.#asked = asked;
    this.#notes = notes;
  }

  asks(type: number): boolean {
    return this.#asked.has(type);
  }

  assign(type: number, value: Uint8Array): void {
    if (!this.asks(type)) return;
    this.attributes.push({ type, value });
    this.#notes.push({ when: 'reply', kind: 'assigned', type, value });
  }

  /** True when at least one value went out. */
  send(type: number, values: readonly Uint8Array[]): boolean {
    if (!this.asks(type)) return false;
    for (const [i, value] of values.entries()) {
      this.attributes.push({ type, value });
      this.#notes.push({ when: 'reply', kind: 'sent', type, value, index: i + 1 });
    }
    return values.length > 0;
  }

  leaveOut(type: number, why: 'none' | 'no-split' | 'no-dns'): void {
    if (this.asks(type)) this.#notes.push({ when: 'reply', kind: 'not-sent', type, why });
  }
}

function addresses(
  reply: Reply,
  { ipv4, ipv6 }: ConfigSource,
  assigned: { readonly ipv4: Uint8Array | undefined; readonly ipv6: Uint8Array | undefined },
): void {
  if (assigned.ipv4 !== undefined) {
    reply.assign(A.INTERNAL_IP4_ADDRESS, assigned.ipv4);
    reply.assign(A.INTERNAL_IP4_NETMASK, netmask(ipv4?.prefix ?? 32)); // §3.15.1: only beside an address
  }
  if (assigned.ipv6 !== undefined)
    reply.assign(A.INTERNAL_IP6_ADDRESS, withLength({ address: assigned.ipv6, length: ipv6?.prefix ?? 128 }));
}

/** Subnets do not depend on a lease: FortiOS answers INTERNAL_IP6_SUBNET with ::/0 where there is no IPv6 pool at all. */
function network(reply: Reply, { splitInclude4, splitInclude6, dns4, dns6, wins4 }: ConfigSource): void {
  const all4: readonly Prefix[] = [{ address: new Uint8Array(4), length: 0 }];
  const all6: readonly Prefix[] = [{ address: new Uint8Array(16), length: 0 }];
  reply.send(A.INTERNAL_IP4_SUBNET, (splitInclude4 ?? all4).map(withMask));
  if (!reply.send(A.INTERNAL_IP4_DNS, dns4)) reply.leaveOut(A.INTERNAL_IP4_DNS, 'none');
  reply.send(A.INTERNAL_IP4_NBNS, wins4);
  reply.send(A.INTERNAL_IP6_SUBNET, (splitInclude6 ?? all6).map(withLength));
  if (!reply.send(A.INTERNAL_IP6_DNS, dns6)) reply.leaveOut(A.INTERNAL_IP6_DNS, 'none');
}

/** What FortiClient may offer its user. The value of 28673 was seen on the wire, that of the other two is taken to be alike. */
function toggles(reply: Reply, { unity: on, savePassword, autoNegotiate, keepAlive }: ConfigSource): void {
  const toggle = (type: number, enabled: boolean) => (enabled ? reply.send(type, [TRUE]) : reply.leaveOut(type, 'none'));
  if (on) toggle(A.UNITY_SAVE_PASSWD, savePassword);
  toggle(A.FORTINET_AUTO_NEGOTIATE, autoNegotiate);
  toggle(A.FORTINET_KEEP_ALIVE, keepAlive);
}

const TRUE = Uint8Array.of(0, 1);

/**
 * RFC 8598 §3.2: a domain goes only with a DNS server. It goes into full tunnels, too, other than FortiOS has it: a client that
 * follows §2 passes over it there, and Apple's takes its search list from it.
 */
function domains(reply: Reply, { domains: names, splitInclude4, splitInclude6 }: ConfigSource): void {
  const servers = reply.attributes.some(({ type }) => type === A.INTERNAL_IP4_DNS || type === A.INTERNAL_IP6_DNS);
  if (servers && reply.send(A.INTERNAL_DNS_DOMAIN, names.map(ascii))) return;
  const split = splitInclude4 !== undefined || splitInclude6 !== undefined;
  if (names.length === 0 && !split) reply.leaveOut(A.INTERNAL_DNS_DOMAIN, 'no-split');
  else reply.leaveOut(A.INTERNAL_DNS_DOMAIN, servers ? 'none' : 'no-dns');
}

function unity(reply: Reply, { banner, defaultDomain, splitInclude4, includeLocalLan }: ConfigSource): void {
  if (banner !== undefined) reply.send(A.UNITY_BANNER, [ascii(banner)]);
  if (defaultDomain !== undefined) reply.send(A.UNITY_DEF_DOMAIN, [ascii(defaultDomain)]);
  if (splitInclude4 !== undefined && splitInclude4.length > 0) reply.send(A.UNITY_SPLIT_INCLUDE, [unityNetworks(splitInclude4)]);
  if (includeLocalLan) reply.send(A.UNITY_LOCAL_LAN, [TRUE]); // value by the pattern of 28673
}

/** Entries of 14 octets: network, mask, protocol and two ports, the last three 0 for all. */
function unityNetworks(prefixes: readonly Prefix[]): Uint8Array {
  const most = prefixes.slice(0, Math.floor(0xffff / 14));
  const octets = new Uint8Array(most.length * 14);
  for (const [i, prefix] of most.entries()) octets.set(withMask(prefix), i * 14);
  return octets;
}

function netmask(length: number): Uint8Array {
  return Uint8Array.from({ length: 4 }, (_, i) => 0xff & ~(0xff >>> Math.max(0, Math.min(8, length - 8 * i))));
}

/** INTERNAL_IP4_SUBNET: network and mask. */
function withMask({ address, length }: Prefix): Uint8Array {
  const mask = netmask(length);
  const octets = new Uint8Array(8);
  octets.set(mask.map((m, i) => m & (address[i] ?? 0)));
  octets.set(mask, 4);
  return octets;
}

/** INTERNAL_IP6_SUBNET and INTERNAL_IP6_ADDRESS: 16 octets and the length of the prefix. */
function withLength({ address, length }: Prefix): Uint8Array {
  const octets = new Uint8Array(17);
  octets.set(address);
  octets[16] = length;
  return octets;
}

/** Attributes hold printable ASCII without a NUL; whatever else a text has becomes '?'. */
function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => (c >= ' ' && c <= '~' ? c.charCodeAt(0) : 0x3f));
}

const assignedNames = new Map<number, string>([
  [A.INTERNAL_IP4_ADDRESS, 'IPv4 address'],
  [A.INTERNAL_IP4_NETMASK, 'IPv4 netmask'],
  [A.INTERNAL_IP6_ADDRESS, 'IPv6 address'],
]);

function sentText({ type, value, index }: Extract<Note, { readonly kind: 'sent' }>): string {
  switch (type) {
    case A.INTERNAL_IP4_DNS:
      return `send (3) IPv4 DNS(${index}) ${addressText(value)}`;
    case A.INTERNAL_IP4_NBNS:
      return `send (4) WINS(${index}) ${addressText(value)}`;
    case A.INTERNAL_IP6_DNS:
      return `send (10) IPv6 DNS(${index}) ${addressText(value)}`;
    case A.INTERNAL_IP4_SUBNET:
      return `send (13) ${valueText(type, value)}`;
    case A.INTERNAL_IP6_SUBNET:
    case A.SUPPORTED_ATTRIBUTES:
      return `send ${cfgAttributeName(type)}`;
    case A.APPLICATION_VERSION:
      return `send APPLICATION_VERSION '${printable(value, SHOWN)}'`;
    case A.INTERNAL_DNS_DOMAIN:
      return `send (25) INTERNAL_DNS_DOMAIN '${printable(value, SHOWN)}'`;
    case A.FORTINET_AUTO_NEGOTIATE:
      return `send (${type}) client auto-negotiate`;
    case A.FORTINET_KEEP_ALIVE:
      return `send (${type}) client-keep-alive`;
    default:
      return `send (${type}) ${cfgAttributeName(type)}`;
  }
}

function notSentText({ type, why }: Extract<Note, { readonly kind: 'not-sent' }>): string {
  switch (type) {
    case A.INTERNAL_IP4_DNS:
      return 'IPv4 DNS ignored, no IPv4 DNS servers found';
    case A.INTERNAL_IP6_DNS:
      return 'IPv6 DNS ignored, no IPv6 DNS servers found';
    case A.FORTINET_AUTO_NEGOTIATE:
      return 'client auto-negotiate is disabled';
    case A.FORTINET_KEEP_ALIVE:
      return 'client-keep-alive is disabled';
    case A.UNITY_SAVE_PASSWD:
      return 'save-password is disabled';
    default:
      if (why === 'none') return 'split DNS domain ignored, no domains configured';
      return `split DNS domain ignored, ${why === 'no-split' ? 'split tunnel not found' : 'no DNS servers found'}`;
  }
}

function valueText(type: number, value: Uint8Array): string {
  if (type === A.INTERNAL_IP6_ADDRESS) return `${addressText(value.subarray(0, 16))}/${value[16]}`;
  if (type === A.INTERNAL_IP4_SUBNET) return `0:${addressText(value.subarray(0, 4))}/${addressText(value.subarray(4))}:0`;
  return addressText(value);
}
