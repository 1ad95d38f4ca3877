/** The EMS API of docs/ems-api.md, version 1: the gateway's side. */
import type { WebSocket } from 'ws';
import {
  EmsCallFailed,
  type EmsDriver,
  type EmsIdentity,
  type EndpointRecord,
  type EndpointTag,
  type Sync,
  type TunnelEvent,
  type WatchEvent,
} from './driver.ts';
import { Fields, plainSerial, wrong } from './fields.ts';
import type { EmsHttp } from './http.ts';

const BASE = '/postern/v1';
const DEVICES_MAX = 100_000;
/** §4: the server pings every 10 s; 25 s without a frame is the end. */
const SILENCE = 25_000;

const TAG_TYPES: ReadonlySet<string> = new Set(['zero_trust', 'classification', 'outbreak', 'fabric']);
const SERIAL = /^[A-Za-z0-9._-]{1,64}$/;
const UID = /^[A-Za-z0-9_-]{1,64}$/;

export class NativeDriver implements EmsDriver {
  readonly name = 'native';
  readonly #http: EmsHttp;
  readonly #after: (ms: number, run: () => void) => () => void;
  #capabilities: readonly string[] = [];

  /** @param after a clock: runs something once after so many ms, gives what takes it back */
  constructor(http: EmsHttp, after: (ms: number, run: () => void) => () => void) {
    this.#http = http;
    this.#after = after;
  }

  async identify(): Promise<EmsIdentity> {
    const hello = new Fields(await this.#http.get(`${BASE}/hello`), '/hello');
    const api = hello.integer('api');
    if (api !== 1) throw new EmsCallFailed('incompatible', `it speaks version ${api} of the API, we speak 1`);
    this.#capabilities = hello.texts('capabilities', 32, 64);
    return {
      serial: hello.matching('serial', SERIAL),
      tenant: hello.matching('tenant', /^[0-9A-Fa-f]{32}$/),
      version: hello.text('version', 32),
      capabilities: this.#capabilities,
    };
  }

  async tokenKeys(): Promise<readonly string[]> {
    if (!this.#capabilities.includes('token-keys')) return [];
    const answer = new Fields(await this.#http.get(`${BASE}/token-keys`), '/token-keys');
    return answer.list('keys', 8, (key) => {
      if (typeof key === 'string' && key.length <= 16_384) return key;
      if (typeof key === 'object' && key !== null && !Array.isArray(key)) return JSON.stringify(key);
      throw wrong('/token-keys', 'a key');
    });
  }

  async sync(since: number | undefined): Promise<Sync> {
    const devices: EndpointRecord[] = [];
    const removed: string[] = [];
    const from = since === undefined ? '' : `since=${since}&`;
    let last = '';
    for (let after = ''; ; ) {
      const page = new Fields(await this.#http.get(`${BASE}/devices?${from}${after}limit=1000`), '/devices');
      devices.push(...page.list('devices', 1000, recordOf));
      removed.push(...page.texts('removed', 1000, 64).map((uid) => uid.toUpperCase()));
      if (devices.length + removed.length > DEVICES_MAX)
        throw new EmsCallFailed('incompatible', `it has more than ${DEVICES_MAX} devices`);
      const next = page.raw('next');
      if (next === null) return { seq: page.integer('seq'), complete: page.truth('complete'), devices, removed };
      // Each page ends behind the one before, or there would be no end of pages.
      if (typeof next !== 'string' || !UID.test(next) || next <= last) throw wrong('/devices', 'next');
      last = next;
      after = `after=${encodeURIComponent(next)}&`;
    }
  }

  watch(since: number, on: (what: WatchEvent) => void): { close(): void } {
    if (!this.#capabilities.includes('websocket')) {
      on('closed');
      return { close: () => undefined };
    }
    const socket = this.#http.socket(`${BASE}/changes?since=${since}`);
    let cancel: () => void = () => undefined;
    const alive = () => {
      cancel();
      cancel = this.#after(SILENCE, () => socket.terminate());
    };
    alive();
    let over = false;
    const end = () => {
      cancel();
      if (!over) on('closed');
      over = true;
    };
    socket.on('error', () => undefined); // 'close' follows, and says it all
    socket.on('close', end);
    socket.on('unexpected-response', () => {
      socket.terminate();
      end();
    });
    socket.on('ping', () => {
      alive();
      on('alive');
    });
    socket.on('message', (data: WebSocket.RawData, binary: boolean) => {
      alive();
      const what = binary ? undefined : messageOf(data);
      if (what === undefined) socket.close(1002);
      else if (what !== 'other') on(what);
    });
    return {
      close() {
        over = true;
        cancel();
        socket.terminate();
      },
    };
  }

  async tunnel({ kind, ...event }: TunnelEvent): Promise<void> {
    if (!this.#capabilities.includes('tunnel-events')) return;
    await this.#http.post(`${BASE}/tunnels`, { event: kind, ...event });
  }
}

/** What a message means; undefined when it cannot be read. `hello` says that we are in step, or that `changed` follows. */
function messageOf(data: WebSocket.RawData): WatchEvent | 'other' | undefined {
  try {
    const type = new Fields(JSON.parse(String(data)) as unknown, '/changes').text('type', 32);
    return type === 'changed' || type === 'keys' ? type : 'other';
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): EndpointRecord {
  const f = new Fields(value, 'a device');
  return {
    uid: f.matching('uid', UID).toUpperCase(),
    hostname: f.text('hostname', 255),
    user: f.text('user', 255),
    addresses: f.addresses('addresses', 16),
    macs: f.texts('macs', 16, 32),
    tenant: f.text('tenant', 32),
    certSn: plainSerial(f.matching('certSn', /^[0-9A-Fa-f:]{0,64}$/)),
    publicIp: f.text('publicIp', 45),
    quarantined: f.truth('quarantined'),
    online: f.truth('online'),
    registered: f.truth('registered'),
    onNet: f.truth('onNet'),
    version: f.text('version', 32),
    tags: f.list('tags', 256, tagOf),
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
  return { name: f.text('name', 128), type: type as EndpointTag['type'] }; // one of the four, as just seen
}
