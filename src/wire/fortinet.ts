/**
 * What is Fortinet's own on the wire: vendor IDs and the body of the FORTICLIENT_CONNECT notify. The numbers of the private
 * notifies are in notify.ts, those of the configuration attributes in numbers.ts.
 */
import { equal, unhex } from './bytes.ts';
import { limits } from './limits.ts';
import { printable } from './text.ts';

/** MD5 of the words that vendorName gives; every FortiClient sends the three, in this order */
export const VENDOR = {
  connectLicense: unhex('4c53427b6d465d1b337bb755a37a7fef'),
  endpointControl: unhex('b4f01ca951e9da8d0bafbbd34ad3044e'),
  eapExtension: unhex('c1dc4350476b98a429b91781914ca43e'),
} as const;

/** MD5 of 'FORTIGATE', cut; 4 octets of version follow */
const FORTIGATE = unhex('8299031757a36082c6a621de');

/** name under which FortiOS logs a vendor ID; undefined for those that it calls unknown */
export function vendorName(data: Uint8Array): string | undefined {
  if (equal(data, VENDOR.connectLicense)) return 'forticlient connect license';
  if (equal(data, VENDOR.endpointControl)) return 'Fortinet Endpoint Control';
  if (equal(data, VENDOR.eapExtension)) return 'Forticlient EAP Extension';
  return data.length === 16 && equal(data.subarray(0, FORTIGATE.length), FORTIGATE) ? 'FORTIGATE' : undefined;
}

/** What a FortiClient says of itself. Its word only: nothing of it is proven, and before authentication it is nobody's word. */
export type ClientClaims = {
  /** length of the notify data, the NUL included: what FortiOS prints as `len` */
  readonly octets: number;
  /**
   * the lines, printable; only LF stands between them. A line that is not KEY=value begins with '? ', lest it pass for a log
   * line.
   */
  readonly raw: string;
  /** by key; of a repeated key, the first. Empty values are kept here and nowhere else. */
  readonly fields: ReadonlyMap<string, string>;
  readonly uid?: string;
  readonly emsSn?: string;
  readonly emsId?: string;
  readonly ip?: string;
  readonly host?: string;
  readonly user?: string;
  /** FCTVER: major.minor.patch.build */
  readonly version?: string;
  /** FCTTAGS=1: the client holds a ZTNA token and will send it */
  readonly tags: boolean;
};

/**
 * Numbers of private notifies that nobody has published. `undefined`: not pinned, and then not sent; a token is recognised by
 * its looks when `learn` says so.
 */
export type Dialect = { readonly learn: boolean; readonly ztnaTagNotify: number | undefined };

/** Status types of private use (RFC 7296 §3.10.1), without the four whose meaning is known. */
const KNOWN_PRIVATE: readonly number[] = [61520, 61689, 61696, 61697];
const JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\0*$/;

/**
 * Is this notify a ZTNA_TAG: the pinned number, or, in learn mode, any other private status number whose data has the shape of
 * a signed token (three base64url segments, the first of which begins like a JSON object)? Its content is not looked at.
 *
 * @param learned the number that this peer's tokens had so far; it sticks to one
 */
export function isZtnaTag(
  type: number,
  data: Uint8Array,
  { learn, ztnaTagNotify }: Dialect,
  learned: number | undefined,
): boolean {
  if (data.length === 0 || data.length > limits.message) return false;
  if (ztnaTagNotify !== undefined) return type === ztnaTagNotify;
  if (!learn || type < 40_960 || type > 65_535 || KNOWN_PRIVATE.includes(type)) return false;
  if (learned !== undefined && learned !== type) return false;
  if (data[0] !== 0x65 || data[1] !== 0x79) return false; // 'ey' is '{"' in base64
  return JWS.test(new TextDecoder('latin1').decode(data));
}

const LINE = /^([A-Z][A-Z0-9_]*)=(.*)$/s;
const SECRET = 'REG_PASSWD'; // registration key of the customer's EMS: neither shown nor kept
const LINE_SHOWN = limits.claimKey + 1 + limits.claimValue;

/**
 * FORTICLIENT_CONNECT data: lines KEY=value, each ended by LF, then one NUL. CRLF, no NUL, unknown, missing and empty fields
 * are accepted. What is beyond limits.claims octets or limits.claimFields lines is not looked at; keys and values that are
 * too long are not fields. Never throws.
 */
export function parseClientClaims(data: Uint8Array): ClientClaims {
  const fields = new Map<string, string>();
  const shown: string[] = [];
  for (const line of linesOf(data)) {
    const [, key, value] = LINE.exec(line) ?? [];
    if (key === undefined || value === undefined || key.length > limits.claimKey) {
      shown.push(`? ${printable(line, LINE_SHOWN)}`);
      continue;
    }
    if (key === SECRET) {
      shown.push(`${key}=(hidden)`);
      continue;
    }
    shown.push(`${key}=${printable(value, limits.claimValue)}`);
    if (value.length <= limits.claimValue && !fields.has(key)) fields.set(key, printable(value, limits.claimValue));
  }
  const tags = fields.get('FCTTAGS') === '1';
  return { octets: data.length, raw: shown.join('\n'), fields, ...named(fields), tags };
}

/** the fields that others ask for by name; an empty value is as good as none */
function named(fields: ReadonlyMap<string, string>): Partial<ClientClaims> {
  const claims: { -readonly [K in keyof ClientClaims]?: ClientClaims[K] } = {};
  const [uid, emsSn, emsId] = [fields.get('UID'), fields.get('EMSSN'), fields.get('EMSID')];
  const [ip, host, user, version] = [fields.get('IP'), fields.get('HOST'), fields.get('USER'), fields.get('FCTVER')];
  if (uid) claims.uid = uid;
  if (emsSn) claims.emsSn = emsSn;
  if (emsId) claims.emsId = emsId;
  if (ip) claims.ip = ip;
  if (host) claims.host = host;
  if (user) claims.user = user;
  if (version) claims.version = version;
  return claims;
}

function linesOf(data: Uint8Array): readonly string[] {
  const nul = data.indexOf(0);
  const text = new TextDecoder().decode(data.subarray(0, Math.min(nul === -1 ? data.length : nul, limits.claims)));
  const lines = text.split('\n', limits.claimFields + 1).map((line) => line.replace(/\r$/, ''));
  return lines.filter((line) => line !== '').slice(0, limits.claimFields);
}
