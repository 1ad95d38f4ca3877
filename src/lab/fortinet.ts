/**
 * Speaking like a FortiClient: what its configuration request asks for, and the text of FORTICLIENT_CONNECT.
 */
import { CfgAttribute, type CfgValue, NO_OCTETS, type Notify } from '../wire/index.ts';

/** Lines of FORTICLIENT_CONNECT in FortiClient's order; what is not given is left out. */
export type FortiClientFields = {
  readonly fctver?: string;
  /** 32 hexadecimal digits in capitals */
  readonly uid: string;
  readonly ip: string;
  readonly mac?: string;
  readonly host?: string;
  readonly user: string;
  readonly osver?: string;
  readonly emssn?: string;
  readonly emsid?: string;
  /** It holds a ZTNA token and will send it. */
  readonly tags?: boolean;
};

/** The text for `claims`, without the NUL that the client adds. */
export function fortiClientConnect(f: FortiClientFields): string {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['VER', '1'],
    ['FCTVER', f.fctver ?? '7.4.5.1949'],
    ['UID', f.uid],
    ['IP', f.ip],
    ['MAC', f.mac ?? '00-50-56-00-00-01;'],
    ['HOST', f.host ?? 'LAB-PC'],
    ['USER', f.user],
    ['OSVER', f.osver ?? 'Microsoft Windows 11 Professional Edition, 64-bit (build 22631)'],
    ['REG_STATUS', '0'],
    ['EMSSN', f.emssn],
    ['EMSID', f.emsid],
    ['FCTTAGS', f.tags ? '1' : undefined],
  ];
  return lines.map(([key, value]) => (value === undefined ? '' : `${key}=${value}\n`)).join('');
}

/** A text with the NUL that FortiClient puts behind it; octets as they are. */
export const withNul = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? new TextEncoder().encode(`${value}\0`) : value;

/** ZTNA_TAG, whose number nobody has published. */
export const tokenNotify = (type: number, token: string | Uint8Array, nul = true): Notify => ({
  ...{ kind: 'N', name: 'UNKNOWN', type, protocol: 0, spi: NO_OCTETS },
  data: typeof token === 'string' && !nul ? new TextEncoder().encode(token) : withNul(token),
});

/** The seventeen attributes of FortiClient 7.4.2 in its order; for `cpAttributes` with `requestAddresses: []`. */
export function fortiClientAttributes(serial = 'FCT8001234567890'): readonly CfgValue[] {
  const { APPLICATION_VERSION } = CfgAttribute;
  const version: CfgValue = { type: APPLICATION_VERSION, value: new TextEncoder().encode(serial) };
  return [version, ...ASKED.map((type) => ({ type, value: NO_OCTETS }))];
}

/** 25, INTERNAL_DNS_DOMAIN, twice: so does the original. */
const ASKED: readonly number[] = [1, 2, 3, 4, 13, 25, 8, 15, 10, 11, 28673, 21514, 21515, 28672, 28678, 25];
