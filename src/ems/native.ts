/** The EMS API of docs/ems-api.md, version 1: the gateway's side. */
import type { WebSocket } from 'ws';
import {
  EmsCallFailed,
  type EmsDriver,
  type EmsIdentity,
  type EndpointRecord,
  type Sync,
  type TunnelEvent,
  type WatchEvent,
} from './driver.ts';
import { Fields, wrong } from './fields.ts';
import type { EmsCalls } from './http.ts';
import { DEVICES_MAX, recordOf, SERIAL, TENANT, UID } from './record.ts';

const BASE = '/postern/v1';
/** §4: the server pings every 10 s; 25 s without a frame is the end. */
const SILENCE = 25_000;

export class NativeDriver implements EmsDriver {
  readonly name = 'native';
  readonly #http: EmsCalls;
  readonly #after: (ms: number, run: () => void) => () => void;
  #capabilities: readonly string[] = [];

  /** @param after a clock: runs something once after so many ms, gives what takes it back */
  constructor(http: EmsCalls, after: (ms: number, run: () => void) => () => void) {
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
      tenant: hello.matching('tenant', TENANT),
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
    let walk: { readonly seq: number; readonly complete: boolean } | undefined;
    for (let [after, last] = ['', '']; ; ) {
      const page = new Fields(await this.#http.get(`${BASE}/devices?${from}${after}limit=1000`), '/devices');
      const [seq, complete] = [page.integer('seq'), page.truth('complete')];
      walk ??= { seq, complete };
      if (walk.seq !== seq || walk.complete !== complete)
        throw new EmsCallFailed('resync', '/devices: its pages show two states');
      // Who asked for everything must learn what is gone: a table that grows only would keep devices for ever.
      if (since === undefined && !complete) throw wrong('/devices', 'complete');
      const before = devices.length + removed.length;
      devices.push(...page.list('devices', 1000, recordOf));
      removed.push(...page.list('removed', 1000, (uid) => uidOf(uid)));
      if (devices.length + removed.length > DEVICES_MAX)
        throw new EmsCallFailed('incompatible', `it has more than ${DEVICES_MAX} devices`);
      const next = page.raw('next');
      if (next === null) return { ...walk, devices, removed };
      // Each page holds something and ends behind the one before, or there would be no end of pages.
      if (typeof next !== 'string' || !UID.test(next) || next <= last) throw wrong('/devices', 'next');
      if (devices.length + removed.length === before)
        throw new EmsCallFailed('incompatible', '/devices: an empty page with a next');
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

function uidOf(value: unknown): string {
  if (typeof value !== 'string' || !UID.test(value)) throw wrong('/devices', 'removed');
  return value.toUpperCase();
}
