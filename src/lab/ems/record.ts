/** What the emulated EMS keeps of one device: the record of docs/ems-api.md §2, its limits, and what people may write for it. */
import { addressOctets, addressText, printable } from '../../wire/index.ts';

export type EmsTagType = 'zero_trust' | 'outbreak' | 'classification' | 'fabric';
export type EmsTag = { readonly name: string; readonly type: EmsTagType };
export type EmsRoute = {
  readonly ip: string;
  readonly mac: string;
  readonly vpn: boolean;
  readonly interface: string;
  readonly vdom: string;
  readonly sn: string;
};
export type EmsEndpoint = {
  readonly uid: string;
  readonly hostname: string;
  readonly user: string;
  readonly addresses: readonly string[];
  readonly macs: readonly string[];
  readonly tenant: string;
  readonly certSn: string;
  readonly publicIp: string;
  readonly quarantined: boolean;
  readonly online: boolean;
  readonly registered: boolean;
  readonly onNet: boolean;
  readonly version: string;
  readonly tags: readonly EmsTag[];
  readonly routes: readonly EmsRoute[];
  readonly changed: number;
};
/** What is to be different; a tag that is a text is a zero-trust tag. */
export type EmsEndpointFields = Partial<Omit<EmsEndpoint, 'uid' | 'changed' | 'tags'>> & {
  readonly tags?: readonly (string | EmsTag)[];
};

/** Somebody asked the emulator for what it cannot do; the message is for people. */
export class EmsRefused extends Error {
  readonly code: 'bad-request' | 'not-found' | 'full';

  constructor(code: EmsRefused['code'], message: string) {
    super(message);
    this.name = 'EmsRefused';
    this.code = code;
  }
}

/** The number of each tag type in tokens and in the `fortios` shape. */
export const TAG_TYPES: Readonly<Record<EmsTagType, number>> = { zero_trust: 1, outbreak: 2, classification: 3, fabric: 4 };

export const isUid = (text: string): boolean => /^[0-9A-Za-z_-]{1,64}$/.test(text);
export const isTenant = (text: string): boolean => /^[0-9A-Fa-f]{32}$/.test(text);
/** Serial numbers, and the CN of a gateway's certificate. */
export const isSerial = (text: string): boolean => /^[0-9A-Za-z._-]{1,64}$/.test(text);
export const DEFAULT_TENANT = '0'.repeat(32);

/** A device of which nothing else is known: registered, online, off the company's network. */
export function blankEndpoint(uid: string, tenant: string): EmsEndpoint {
  if (!isUid(uid)) throw refused(`'${printable(uid, 70)}' is no UID: 1 to 64 letters, digits, '-', '_'`);
  return {
    uid,
    hostname: '',
    user: '',
    addresses: [],
    macs: [],
    tenant,
    certSn: '',
    publicIp: '',
    quarantined: false,
    online: true,
    registered: true,
    onNet: false,
    version: '',
    tags: [],
    routes: [],
    changed: 0,
  };
}

/**
 * The record with some members changed, everything in its canonical spelling.
 *
 * @param now seconds since 1970; `changed` becomes it when tags, quarantine, registration or addresses differ
 * @throws EmsRefused when a value is outside its limits
 */
export function changeEndpoint(before: EmsEndpoint, fields: EmsEndpointFields, now: number): EmsEndpoint {
  const after = {
    uid: before.uid,
    hostname: text('hostname', fields.hostname ?? before.hostname, 255),
    user: text('user', fields.user ?? before.user, 255),
    addresses: list('addresses', fields.addresses ?? before.addresses, 16).map((a) => address('addresses', a)),
    macs: list('macs', fields.macs ?? before.macs, 16).map(mac),
    tenant: tenant(fields.tenant ?? before.tenant),
    certSn: serialNumber(fields.certSn ?? before.certSn),
    publicIp: optionalAddress('publicIp', fields.publicIp ?? before.publicIp),
    quarantined: fields.quarantined ?? before.quarantined,
    online: fields.online ?? before.online,
    registered: fields.registered ?? before.registered,
    onNet: fields.onNet ?? before.onNet,
    version: text('version', fields.version ?? before.version, 32),
    tags: tagsOf(fields.tags ?? before.tags),
    routes: list('routes', fields.routes ?? before.routes, 16).map(route),
    changed: before.changed,
  };
  return sameStanding(before, after) ? after : { ...after, changed: now };
}

export function sameEndpoint(a: EmsEndpoint, b: EmsEndpoint): boolean {
  return JSON.stringify(a) === JSON.stringify(b); // the members have one order: changeEndpoint's
}

/** What a gateway decides by. */
function sameStanding(a: EmsEndpoint, b: EmsEndpoint): boolean {
  const standing = ({ tags, quarantined, registered, addresses }: EmsEndpoint) =>
    JSON.stringify([tags, quarantined, registered, addresses]);
  return a.changed !== 0 && standing(a) === standing(b);
}

/** A tag as people write it: its name, and of which kind. */
export function readTag(tag: string | EmsTag): EmsTag {
  const { name, type } = typeof tag === 'string' ? { name: tag, type: 'zero_trust' as const } : tag;
  if (!Object.hasOwn(TAG_TYPES, type)) throw refused(`a tag is one of ${Object.keys(TAG_TYPES).join(', ')}`);
  if (name.length < 1 || name.length > 128 || hasControl(name) || name.trim() !== name)
    throw refused(`'${printable(name, 140)}' is no tag: 1 to 128 characters, no control characters, no space at its ends`);
  return { name, type };
}

function tagsOf(tags: readonly (string | EmsTag)[]): readonly EmsTag[] {
  const read = list('tags', tags, 64).map(readTag);
  return read.filter(({ name, type }, i) => read.findIndex((t) => t.name === name && t.type === type) === i);
}

/** An address in the spelling of RFC 5952; undefined when it is none. */
export function canonicalAddress(value: string): string | undefined {
  const octets = addressOctets(value);
  return octets === undefined ? undefined : addressText(octets);
}

function address(what: string, value: string): string {
  const canonical = canonicalAddress(value);
  if (canonical === undefined) throw refused(`${what}: '${printable(value, 50)}' is not an IPv4 or IPv6 address`);
  return canonical;
}

const optionalAddress = (what: string, value: string): string => (value === '' ? '' : address(what, value));

function mac(value: string): string {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(value))
    throw refused(`'${printable(value, 30)}' is not a MAC address: aa:bb:cc:dd:ee:ff`);
  return value.toLowerCase().replaceAll('-', ':');
}

function route(r: EmsRoute): EmsRoute {
  return {
    ip: optionalAddress('routes', r.ip),
    mac: r.mac === '' ? '' : mac(r.mac),
    vpn: r.vpn,
    interface: text('routes', r.interface, 64),
    vdom: text('routes', r.vdom, 31),
    sn: text('routes', r.sn, 64),
  };
}

function tenant(value: string): string {
  if (!isTenant(value)) throw refused(`'${printable(value, 40)}' is no tenant: 32 hexadecimal digits`);
  return value.toUpperCase();
}

function serialNumber(value: string): string {
  if (!/^[0-9A-Fa-f]{0,40}$/.test(value))
    throw refused(`certSn: '${printable(value, 50)}' is no serial number: at most 40 hexadecimal digits`);
  return value.toUpperCase().replace(/^0+(?=.)/, '');
}

function text(what: string, value: string, most: number): string {
  if (value.length > most || hasControl(value)) throw refused(`${what}: at most ${most} characters, no control characters`);
  return value;
}

function list<T>(what: string, values: readonly T[], most: number): readonly T[] {
  if (values.length > most) throw refused(`${what}: at most ${most}, not ${values.length}`);
  return values;
}

const hasControl = (value: string): boolean => /\p{Cc}/u.test(value);
const refused = (why: string): EmsRefused => new EmsRefused('bad-request', why);
