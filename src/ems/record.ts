/** The RECORD of docs/ems-api.md §2, read strictly: as a server tells it, and as it was kept. */
import type { EndpointRecord, EndpointTag } from './driver.ts';
import { Fields, plainSerial, wrong } from './fields.ts';

export const UID = /^[A-Za-z0-9_-]{1,64}$/;
export const SERIAL = /^[A-Za-z0-9._-]{1,64}$/;
export const TENANT = /^[0-9A-Fa-f]{32}$/;
/** A control character made into something else could turn one tag into another. */
export const TAG_NAME = /^\P{Cc}{1,128}$/u;
export const CERT_SN = /^[0-9A-Fa-f:]{0,64}$/;
export const DEVICES_MAX = 100_000;
export const TAGS_MAX = 256;

const TAG_TYPES: ReadonlySet<string> = new Set(['zero_trust', 'classification', 'outbreak', 'fabric']);

/** Throws EmsCallFailed (incompatible) for anything but a record. */
export function recordOf(value: unknown): EndpointRecord {
  const f = new Fields(value, 'a device');
  return {
    uid: f.matching('uid', UID).toUpperCase(),
    hostname: f.text('hostname', 255),
    user: f.text('user', 255),
    addresses: f.addresses('addresses', 16),
    macs: f.texts('macs', 16, 32),
    tenant: f.text('tenant', 32),
    certSn: plainSerial(f.matching('certSn', CERT_SN)),
    publicIp: f.text('publicIp', 45),
    quarantined: f.truth('quarantined'),
    online: f.truth('online'),
    registered: f.truth('registered'),
    onNet: f.truth('onNet'),
    version: f.text('version', 32),
    tags: f.list('tags', TAGS_MAX, tagOf),
    routes: f.list('routes', 16, (route) => {
      const r = new Fields(route, 'a route');
      return {
        ...{ ip: r.text('ip', 45), mac: r.text('mac', 32), vpn: r.truth('vpn') },
        ...{ interface: r.text('interface', 64), vdom: r.text('vdom', 31), sn: r.text('sn', 64) },
      };
    }),
    changed: f.integer('changed'),
  };
}

function tagOf(value: unknown): EndpointTag {
  const f = new Fields(value, 'a tag');
  const type = f.text('type', 32);
  if (!TAG_TYPES.has(type)) throw wrong('a tag', 'type');
  return { name: f.matching('name', TAG_NAME), type: type as EndpointTag['type'] }; // one of the four, as just seen
}
