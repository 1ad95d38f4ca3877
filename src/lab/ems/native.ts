/** The calls of docs/ems-api.md §3: a call in, an answer out; no I/O. */
import { type Answer, ok, refuse } from './answer.ts';
import { only, walkParameters } from './query.ts';
import { canonicalAddress, isUid } from './record.ts';
import { type Page, withAddress } from './table.ts';
import type { Call, EmsTunnel, World } from './world.ts';

export const NATIVE = '/postern/v1';
export const CHANGES = `${NATIVE}/changes`;

/** @throws EmsRefused for a parameter that is none */
export function answerNative(world: World, call: Call): Answer {
  const path = call.path.slice(NATIVE.length);
  if (path === '/tunnels') return call.method === 'POST' ? tunnels(world, call) : wrongMethod('POST');
  const device = /^\/devices\/([^/]+)$/.exec(path)?.[1];
  if (device === undefined && !Object.hasOwn(GETS, path)) return refuse(404, 'There is no such path.');
  if (call.method !== 'GET') return wrongMethod('GET');
  return device === undefined ? (GETS[path]?.(world, call) ?? refuse(404, 'There is no such path.')) : oneDevice(world, device);
}

const GETS: Readonly<Record<string, (world: World, call: Call) => Answer>> = {
  '/hello': (world) => {
    const { serial, tenant, version } = world;
    return ok({ api: 1, serial, tenant, version, capabilities: world.capabilities() });
  },
  '/token-keys': (world) => ok({ keys: world.tokenKeys() }),
  '/devices': devices,
  '/changes': () => refuse(426, 'Changes are told over a WebSocket.', { Upgrade: 'websocket', Connection: 'Upgrade' }),
};

function devices(world: World, { client, query }: Call): Answer {
  const address = only(query, 'address');
  if (address !== undefined) {
    const canonical = canonicalAddress(address);
    if (canonical === undefined) return refuse(400, 'address is not an IPv4 or IPv6 address');
    if (query.has('since') || query.has('after')) return refuse(400, 'address goes with neither since nor after');
    const view = world.view();
    return ok({ seq: view.seq, complete: false, devices: withAddress(view, canonical, 16), removed: [], next: null });
  }
  const { since, after, limit } = walkParameters(query, { since: 'since', limit: 'limit' });
  const page =
    after === undefined ? world.walks.begin(client, world.view(), since, limit) : world.walks.next(client, since, after, limit);
  if (page !== undefined) return ok(pageBody(page));
  if (after !== undefined) return refuse(409, `There is no walk to continue after ${after}: begin anew.`);
  return refuse(409, `Changes since ${since ?? ''} are not known: begin anew.`);
}

function pageBody({ seq, complete, lines, next }: Page): Readonly<Record<string, unknown>> {
  return {
    seq,
    complete,
    devices: lines.flatMap(({ record }) => record ?? []),
    removed: lines.flatMap(({ uid, record }) => (record === undefined ? [uid] : [])),
    next: next ?? null,
  };
}

function oneDevice(world: World, path: string): Answer {
  const record = isUid(path) ? world.view().records.get(path) : undefined; // a UID needs no percent-encoding
  return record === undefined ? refuse(404, 'This EMS does not know the device.') : ok(record);
}

function tunnels(world: World, { client, body }: Call): Answer {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return refuse(400, 'The body is not JSON.');
  }
  const event = tunnelOf(value);
  if (typeof event === 'string') return refuse(400, event);
  world.tunnel(event, client);
  return { kind: 'empty' };
}

/** The event, or what is wrong with it. */
function tunnelOf(value: unknown): EmsTunnel | string {
  if (typeof value !== 'object' || value === null) return 'The body is not an object.';
  const { event, uid, gateway, address, vdom } = value as Readonly<Record<string, unknown>>; // any object is one of these
  if (event !== 'up' && event !== 'down') return "event is 'up' or 'down'";
  if (typeof uid !== 'string' || !isUid(uid)) return 'uid is no UID';
  const canonical = typeof address === 'string' ? canonicalAddress(address) : undefined;
  if (canonical === undefined) return 'address is not an IPv4 or IPv6 address';
  if (!isName(gateway, 64)) return 'gateway is a text of 1 to 64 characters';
  if (!isName(vdom, 31)) return 'vdom is a text of 1 to 31 characters';
  return { event, uid, gateway, address: canonical, vdom };
}

function isName(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= most && !/\p{Cc}/u.test(value);
}

const wrongMethod = (allowed: string): Answer => refuse(405, `This path takes ${allowed}.`, { Allow: allowed });
