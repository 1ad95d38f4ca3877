/**
 * The FortiOS-shaped API of docs/ems-api.md §6: the paths are FortiOS' own, the bodies are a best effort, since the vendor's are
 * not public. Two calls make a device: its tags, and the rest of it. There is no channel for changes and no word for tunnels.
 */
import { EmsCallFailed, type EmsDriver, type EmsIdentity, type EndpointRecord, type EndpointTag, type Sync } from './driver.ts';
import { Fields, plainSerial, wrong } from './fields.ts';
import type { EmsCalls } from './http.ts';
import { CERT_SN, DEVICES_MAX, SERIAL, TAG_NAME, TAGS_MAX, TENANT, UID } from './record.ts';

const BASE = '/api/v1';
const PAGE = 1000;
const TAG_TYPES: Readonly<Record<number, EndpointTag['type']>> = {
  1: 'zero_trust',
  2: 'outbreak',
  3: 'classification',
  4: 'fabric',
};

type Report<T> = {
  readonly updated: number;
  /** It is the whole table. */
  readonly full: boolean;
  readonly devices: ReadonlyMap<string, T>;
  readonly removed: readonly string[];
};

export class FortiosDriver implements EmsDriver {
  readonly name = 'fortios';
  readonly #http: Pick<EmsCalls, 'get'>;

  constructor(http: Pick<EmsCalls, 'get'>) {
    this.#http = http;
  }

  async identify(): Promise<EmsIdentity> {
    const hello = await this.#data('/system/serial_number');
    return {
      serial: hello.matching('serial_number', SERIAL),
      tenant: hello.matching('tenant_id', TENANT),
      version: hello.text('version', 32),
      capabilities: hello.texts('capabilities', 32, 64),
    };
  }

  async tokenKeys(): Promise<readonly string[]> {
    const hello = await this.#data('/system/serial_number');
    if (!hello.texts('capabilities', 32, 64).includes('ztna-server-info')) return [];
    return new Fields(hello.raw('ztna_server_info'), 'ztna_server_info').texts('public_keys', 8, 16_384);
  }

  /**
   * The two reports may show two states: what is told is true up to the older of them, and a device that only one of them has is
   * left for the next time.
   */
  async sync(since: number | undefined): Promise<Sync> {
    const tags = await this.#report('/report/fct/uid_tags', since, (f) => f.list('tags', TAGS_MAX, tagOf));
    const rest = await this.#report('/report/fct/sysinfo', since, restOf);
    if (tags.full !== rest.full) throw new EmsCallFailed('resync', 'one report is whole and the other is not');
    const devices: EndpointRecord[] = [];
    for (const [uid, of] of rest.devices) {
      const held = tags.devices.get(uid);
      if (held !== undefined) devices.push({ uid, ...of, tags: held });
    }
    const there = new Set(devices.map(({ uid }) => uid));
    const removed = [...new Set([...tags.removed, ...rest.removed])].filter((uid) => !there.has(uid));
    return { seq: Math.min(tags.updated, rest.updated), complete: tags.full, devices, removed };
  }

  /** This API has no word for it. */
  tunnel(): Promise<void> {
    return Promise.resolve();
  }

  async #report<T>(path: string, since: number | undefined, read: (f: Fields) => T): Promise<Report<T>> {
    const devices = new Map<string, T>();
    const removed: string[] = [];
    const from = since === undefined ? '' : `updated_after=${since}&`;
    let walk: { readonly updated: number; readonly full: boolean } | undefined;
    for (let [after, last] = ['', '']; ; ) {
      const page = await this.#data(`${path}?${from}${after}count=${PAGE}`);
      const [updated, full] = [page.integer('updated'), page.truth('full')];
      walk ??= { updated, full };
      if (walk.updated !== updated || walk.full !== full) throw new EmsCallFailed('resync', `${path}: its pages show two states`);
      // Who asked for everything must learn what is gone: a table that grows only would keep devices for ever.
      if (since === undefined && !full) throw wrong(path, 'full');
      const before = devices.size + removed.length;
      for (const [uid, of] of page.list('fcts', PAGE, (value) => device(value, read))) devices.set(uid, of);
      removed.push(...page.list('removed', PAGE, (uid) => uidOf(uid, path)));
      if (devices.size + removed.length > DEVICES_MAX)
        throw new EmsCallFailed('incompatible', `it has more than ${DEVICES_MAX} devices`);
      if (page.truth('is_final')) return { ...walk, devices, removed };
      // Each page holds something and ends behind the one before, or there would be no end of pages.
      const next = page.matching('next', UID);
      if (next <= last) throw wrong(path, 'next');
      if (devices.size + removed.length === before)
        throw new EmsCallFailed('incompatible', `${path}: an empty page that is not the last`);
      last = next;
      after = `after=${encodeURIComponent(next)}&`;
    }
  }

  /** `data` of an envelope that says that it went well. */
  async #data(path: string): Promise<Fields> {
    const envelope = new Fields(await this.#http.get(`${BASE}${path}`), path);
    const retval = new Fields(envelope.raw('result'), path).raw('retval');
    if (retval === -4) throw new EmsCallFailed('auth', 'Authentication denied.');
    if (retval !== 1) throw new EmsCallFailed('server', `${path}: retval is ${typeof retval === 'number' ? retval : 'none'}`);
    return new Fields(envelope.raw('data'), path);
  }
}

function device<T>(value: unknown, read: (f: Fields) => T): readonly [string, T] {
  const f = new Fields(value, 'a device');
  return [f.matching('uid', UID).toUpperCase(), read(f)];
}

function uidOf(value: unknown, path: string): string {
  if (typeof value !== 'string' || !UID.test(value)) throw wrong(path, 'removed');
  return value.toUpperCase();
}

function tagOf(value: unknown): EndpointTag {
  const f = new Fields(value, 'a tag');
  const type = TAG_TYPES[f.integer('type')];
  if (type === undefined) throw wrong('a tag', 'type');
  return { name: f.matching('name', TAG_NAME), type };
}

const restOf = (f: Fields): Omit<EndpointRecord, 'uid' | 'tags'> => ({
  hostname: f.text('host', 255),
  user: f.text('user', 255),
  addresses: f.addresses('ip', 16),
  macs: f.texts('mac', 16, 32),
  tenant: f.text('tenant_id', 32),
  certSn: plainSerial(f.matching('ztna_cert_sn', CERT_SN)),
  publicIp: f.text('public_ip', 45),
  quarantined: f.truth('is_quarantined'),
  online: f.truth('is_online'),
  registered: f.truth('is_registered'),
  onNet: f.truth('is_onnet'),
  version: f.text('fct_version', 32),
  routes: f.list('routes', 16, (route) => {
    const r = new Fields(route, 'a route');
    return {
      ...{ ip: r.text('ip', 45), mac: r.text('mac', 32), vpn: r.truth('is_vpn') },
      ...{ interface: r.text('intf', 64), vdom: r.text('vdom', 31), sn: r.text('sn', 64) },
    };
  }),
  changed: f.integer('changed'),
});
