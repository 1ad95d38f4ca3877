/** JSON that came over the administrator's door or out of the state directory, read into what it claims to be. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Issued } from '../../../crypto/index.ts';
import { printable } from '../../wire/index.ts';
import type { EmsSaved } from './emulator.ts';
import { blankEndpoint, changeEndpoint, type EmsEndpointFields, EmsRefused, isSerial, isTenant } from './record.ts';

type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Members of a record to set. Limits are the record's own matter; here it is about types.
 *
 * @throws EmsRefused for a member that there is not, or of another type
 */
export function readFields(value: unknown): EmsEndpointFields {
  if (!isJson(value)) throw new EmsRefused('bad-request', 'fields are an object');
  for (const [name, member] of Object.entries(value)) {
    const fits = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined;
    if (fits === undefined) throw new EmsRefused('bad-request', `there is no member '${printable(name, 40)}' of a record`);
    if (!fits(member)) throw new EmsRefused('bad-request', `${name} is of the wrong type`);
  }
  return value as EmsEndpointFields; // every member was looked at
}

const isText = (v: unknown): v is string => typeof v === 'string';
const isFlag = (v: unknown): v is boolean => typeof v === 'boolean';
const isTexts = (v: unknown): v is readonly string[] => Array.isArray(v) && v.every(isText);
const isTag = (v: unknown): boolean => isText(v) || (isJson(v) && isText(v['name']) && isText(v['type']));
const isRoute = (v: unknown): boolean =>
  isJson(v) && ['ip', 'mac', 'interface', 'vdom', 'sn'].every((name) => isText(v[name])) && isFlag(v['vpn']);

const MEMBERS: Readonly<Record<string, (value: unknown) => boolean>> = {
  hostname: isText,
  user: isText,
  addresses: isTexts,
  macs: isTexts,
  tenant: isText,
  certSn: isText,
  publicIp: isText,
  quarantined: isFlag,
  online: isFlag,
  registered: isFlag,
  onNet: isFlag,
  version: isText,
  tags: (v) => Array.isArray(v) && v.every(isTag),
  routes: (v) => Array.isArray(v) && v.every(isRoute),
};

/** What `EmsEmulator.save` gave, after a while on a disk; undefined when it is not that. */
export function readSaved(value: unknown): EmsSaved | undefined {
  if (!isJson(value)) return undefined;
  const { serial, tenant, seq, certificates, tokenKeys, endpoints, gateways } = value;
  if (!isText(serial) || !isSerial(serial) || !isText(tenant) || !isTenant(tenant)) return undefined;
  if (!Number.isSafeInteger(seq) || !isJson(certificates)) return undefined;
  const { ca, chain, server } = certificates;
  if (!isIssued(ca) || !isIssued(server) || !Array.isArray(chain) || !chain.every(isIssued)) return undefined;
  if (!Array.isArray(tokenKeys) || !tokenKeys.every((k) => isJson(k) && isText(k['key']) && Number.isSafeInteger(k['until'])))
    return undefined;
  if (!Array.isArray(gateways) || !gateways.every(isGateway)) return undefined;
  if (!Array.isArray(endpoints)) return undefined;
  const pairs = [ca, server, ...chain] as readonly Issued[]; // isIssued has looked at each
  if (!pairs.every(isUsable) || !tokenKeys.every(({ key }: { readonly key: string }) => isKey(key))) return undefined;
  try {
    const read = endpoints.map((endpoint: unknown) => {
      if (!isJson(endpoint) || !isText(endpoint['uid']) || typeof endpoint['changed'] !== 'number')
        throw new EmsRefused('bad-request', '');
      const { uid, changed, ...fields } = endpoint;
      return { ...changeEndpoint(blankEndpoint(uid, tenant), readFields(fields), 0), changed };
    });
    // Everything else of it was looked at above.
    return { ...(value as unknown as EmsSaved), endpoints: read };
  } catch (error) {
    if (error instanceof EmsRefused) return undefined;
    throw error;
  }
}

function isKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === 'private';
  } catch {
    return false;
  }
}

function isUsable({ certificate, key }: Issued): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const isIssued = (v: unknown): boolean => isJson(v) && isText(v['certificate']) && isText(v['key']);
const isGateway = (v: unknown): boolean =>
  isJson(v) &&
  isText(v['cn']) &&
  isSerial(v['cn']) &&
  ['authorized', 'pending', 'denied'].some((state) => state === v['state']) &&
  [v['fingerprint'], v['asks']].every((f) => f === undefined || isText(f));
