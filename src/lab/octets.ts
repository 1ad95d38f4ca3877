/**
 * Small things said once: comparing octets, picking payloads out of a message, traffic selectors and identities from text.
 */
import {
  addressOctets,
  addressText,
  IdType,
  type Notify,
  type NotifyName,
  type Payload,
  type TrafficSelector,
  TsType,
} from '../wire/index.ts';
import type { Identity } from './options.ts';

/** Less than, equal to or greater than 0, octet by octet; of two that begin alike the shorter is the lower one (§2.8.1). */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const both = Math.min(a.length, b.length);
  for (let i = 0; i < both; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export const lower = (a: Uint8Array, b: Uint8Array): Uint8Array => (compare(a, b) <= 0 ? a : b);

export function u32(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
}

export function fromU32(o: Uint8Array): number {
  return (((o[0] ?? 0) << 24) | ((o[1] ?? 0) << 16) | ((o[2] ?? 0) << 8) | (o[3] ?? 0)) >>> 0;
}

/** The first payload of a kind. */
export function one<K extends Payload['kind']>(payloads: readonly Payload[], kind: K): Extract<Payload, { kind: K }> | undefined {
  return payloads.find((p): p is Extract<Payload, { kind: K }> => p.kind === kind);
}

export function all<K extends Payload['kind']>(payloads: readonly Payload[], kind: K): readonly Extract<Payload, { kind: K }>[] {
  return payloads.filter((p): p is Extract<Payload, { kind: K }> => p.kind === kind);
}

/** The first notify of a name. */
export function notifyOf<N extends NotifyName>(payloads: readonly Payload[], name: N): Extract<Notify, { name: N }> | undefined {
  return payloads.find((p): p is Extract<Notify, { name: N }> => p.kind === 'N' && p.name === name);
}

/**
 * A selector from '10.0.0.0/8', '10.0.0.1-10.0.0.9', '10.0.0.1' or the same in IPv6; every protocol and port unless said.
 * RangeError for any other text.
 */
export function selector(
  text: string,
  only: { readonly protocol?: number; readonly startPort?: number; readonly endPort?: number } = {},
): TrafficSelector {
  const { protocol = 0, startPort = 0, endPort = 0xffff } = only;
  const { start, end } = range(text);
  const type = start.length === 4 ? TsType.IPV4_ADDR_RANGE : TsType.IPV6_ADDR_RANGE;
  return { type, protocol, startPort, endPort, start, end };
}

/** `10.1.0.0-10.1.0.255 6 80-443`: for messages to people and for comparing in tests. */
export function selectorText(ts: TrafficSelector): string {
  if (ts.type === 'other') return `selector type ${ts.number}`;
  const what = ts.protocol === 0 && ts.startPort === 0 && ts.endPort === 0xffff;
  return `${addressText(ts.start)}-${addressText(ts.end)}${what ? '' : ` ${ts.protocol} ${ts.startPort}-${ts.endPort}`}`;
}

/** An identity from text, as people write it: an address, user@host, or a name. Throws never. */
export function identity(text: string): Identity {
  const address = addressOctets(text);
  if (address !== undefined) return { idType: address.length === 4 ? IdType.IPV4_ADDR : IdType.IPV6_ADDR, data: address };
  return { idType: text.includes('@') ? IdType.RFC822_ADDR : IdType.FQDN, data: utf8.encode(text) };
}

const utf8 = new TextEncoder();

function range(text: string): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const [from = '', to] = text.split('-');
  const [host = '', bits] = from.split('/');
  const start = addressOctets(host);
  const end = to === undefined ? start : addressOctets(to);
  if (start === undefined || end === undefined || start.length !== end.length)
    throw new RangeError(`'${text}' is no address range`);
  if (bits === undefined) return { start, end };
  const length = Number(bits);
  if (to !== undefined || !Number.isInteger(length) || length < 0 || length > 8 * start.length || bits === '')
    throw new RangeError(`'${text}' is no prefix`);
  return { start: start.map((o, i) => o & mask(length, i)), end: start.map((o, i) => o | (0xff & ~mask(length, i))) };
}

/** Octet i of the mask of a prefix of so many bits. */
function mask(bits: number, i: number): number {
  const inside = Math.min(8, Math.max(0, bits - 8 * i));
  return (0xff << (8 - inside)) & 0xff;
}
