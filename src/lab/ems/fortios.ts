/** The calls of docs/ems-api.md §6: paths as FortiOS names them, bodies of our own. A call in, an answer out; no I/O. */
import { type Answer, ok, refuse } from './answer.ts';
import { walkParameters } from './query.ts';
import { type EmsEndpoint, type EmsTag, TAG_TYPES } from './record.ts';
import { everything, type Line } from './table.ts';
import type { Call, World } from './world.ts';

export const FORTIOS = '/api/v1';

/** @throws EmsRefused for a parameter that is none */
export function answerFortios(world: World, call: Call): Answer {
  const answer = Object.hasOwn(GETS, call.path) ? GETS[call.path] : undefined;
  if (answer === undefined) return refuse(404, 'There is no such path.');
  return call.method === 'GET' ? answer(world, call) : refuse(405, 'This path takes GET.', { Allow: 'GET' });
}

const GETS: Readonly<Record<string, (world: World, call: Call) => Answer>> = {
  [`${FORTIOS}/system/serial_number`]: (world) =>
    ok({
      serial_number: world.serial,
      tenant_id: world.tenant,
      version: world.version,
      capabilities: ['common-tags-api', 'ztna-server-info', ...(world.silentApproval ? ['silent-approval'] : [])],
      ztna_server_info: { public_keys: world.tokenKeys() },
    }),
  [`${FORTIOS}/report/fct/uid_tags`]: (world, call) =>
    updates(world, call, ({ uid, tags }) => ({ uid, tags: tags.map(numbered) })),
  [`${FORTIOS}/report/fct/sysinfo`]: (world, call) => updates(world, call, sysinfo),
  [`${FORTIOS}/report/fct/tags`]: tags,
};

function updates(world: World, { client, path, query }: Call, told: (record: EmsEndpoint) => unknown): Answer {
  const { since, after, limit } = walkParameters(query, { since: 'updated_after', limit: 'count' });
  const walker = `${client} ${path}`;
  const page =
    after === undefined
      ? // What cannot be continued is told whole; the walk is then kept under what the client goes on asking with.
        (world.walks.begin(walker, world.view(), since, limit) ?? world.walks.beginWhole(walker, world.view(), since, limit))
      : world.walks.next(walker, since, after, limit);
  if (page === undefined) return refuse(400, 'There is no walk to continue.');
  return ok({
    updated: page.seq,
    is_final: page.next === undefined,
    full: page.complete,
    fcts: page.lines.flatMap(({ record }) => (record === undefined ? [] : [told(record)])),
    removed: page.lines.flatMap(({ uid, record }) => (record === undefined ? [uid] : [])),
    next: page.next ?? null,
  });
}

function sysinfo(record: EmsEndpoint): unknown {
  return {
    uid: record.uid,
    host: record.hostname,
    user: record.user,
    ip: record.addresses,
    mac: record.macs,
    tenant_id: record.tenant,
    ztna_cert_sn: record.certSn,
    public_ip: record.publicIp,
    is_quarantined: record.quarantined,
    is_online: record.online,
    is_registered: record.registered,
    is_onnet: record.onNet,
    fct_version: record.version,
    routes: record.routes.map(({ ip, mac, vpn, interface: intf, vdom, sn }) => ({ ip, mac, is_vpn: vpn, intf, vdom, sn })),
    changed: record.changed,
  };
}

function tags(world: World): Answer {
  const view = world.view();
  const byTag = new Map<string, { readonly name: string; readonly type: number; readonly uids: string[] }>();
  for (const { uid, record } of everything(view)) collect(byTag, uid, record);
  const sorted = [...byTag.values()].sort((a, b) => (a.name === b.name ? a.type - b.type : a.name < b.name ? -1 : 1));
  return ok({ updated: view.seq, is_final: true, full: true, tags: sorted });
}

function collect(
  byTag: Map<string, { readonly name: string; readonly type: number; readonly uids: string[] }>,
  uid: string,
  record: Line['record'],
): void {
  for (const tag of record?.tags ?? []) {
    const { name, type } = numbered(tag);
    const key = `${type} ${name}`;
    const known = byTag.get(key) ?? { name, type, uids: [] };
    known.uids.push(uid);
    byTag.set(key, known);
  }
}

const numbered = ({ name, type }: EmsTag): { readonly name: string; readonly type: number } => ({ name, type: TAG_TYPES[type] });
