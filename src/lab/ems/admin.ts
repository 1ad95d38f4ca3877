/**
 * The administrator's door of an emulated EMS: HTTP on 127.0.0.1, one path, a token that only who can read the state directory
 * knows. One command a request; what it changed is on the disk when it is answered.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { constantTimeEqual } from '../../../crypto/index.ts';
import type { EmsEmulator, EmsTunnelSeen } from './emulator.ts';
import { FAULT_NAMES, faultText, readFault } from './faults.ts';
import type { EmsGateway } from './gateways.ts';
import { isJson, readFields } from './reading.ts';
import { type EmsEndpoint, type EmsEndpointFields, EmsRefused, type EmsTag, type EmsTagType, readTag } from './record.ts';
import { replacePrivate } from './store.ts';

/** Every command: what it takes, what it gives. */
export type AdminCommands = {
  readonly 'endpoint-add': { readonly takes: { uid: string; fields: EmsEndpointFields }; readonly gives: EmsEndpoint };
  readonly 'endpoint-set': { readonly takes: { uid: string; fields: EmsEndpointFields }; readonly gives: EmsEndpoint };
  readonly 'endpoint-remove': { readonly takes: { uid: string }; readonly gives: null };
  readonly 'endpoint-list': { readonly takes: object; readonly gives: readonly EmsEndpoint[] };
  readonly 'tag-add': { readonly takes: { uid: string; tag: EmsTag }; readonly gives: EmsEndpoint };
  readonly 'tag-remove': { readonly takes: { uid: string; name: string; type?: EmsTagType }; readonly gives: EmsEndpoint };
  readonly token: { readonly takes: { uid: string; lifetime?: number }; readonly gives: string };
  readonly 'rotate-key': { readonly takes: object; readonly gives: null };
  readonly 'gateway-list': { readonly takes: object; readonly gives: readonly EmsGateway[] };
  readonly 'gateway-authorize': { readonly takes: { cn: string; fingerprint?: string }; readonly gives: EmsGateway };
  readonly 'gateway-deny': { readonly takes: { cn: string }; readonly gives: EmsGateway };
  readonly 'gateway-forget': { readonly takes: { cn: string }; readonly gives: null };
  readonly fault: { readonly takes: { name: string; value?: string }; readonly gives: readonly string[] };
  readonly 'fault-clear': { readonly takes: { name?: string }; readonly gives: readonly string[] };
  readonly 'fault-list': { readonly takes: object; readonly gives: readonly string[] };
  readonly tunnels: { readonly takes: object; readonly gives: readonly EmsTunnelSeen[] };
};
export type AdminName = keyof AdminCommands;

type Args = Readonly<Record<string, unknown>>;
const COMMANDS: Readonly<{
  [Name in AdminName]: (ems: EmsEmulator, args: Args) => AdminCommands[Name]['gives'] | Promise<AdminCommands[Name]['gives']>;
}> = {
  'endpoint-add': (ems, args) => ems.addEndpoint(text(args, 'uid'), readFields(args['fields'])),
  'endpoint-set': (ems, args) => ems.setEndpoint(text(args, 'uid'), readFields(args['fields'])),
  'endpoint-remove': (ems, args) => {
    ems.removeEndpoint(text(args, 'uid'));
    return null;
  },
  'endpoint-list': (ems) => ems.endpoints(),
  'tag-add': (ems, args) => {
    const { uid, tags } = known(ems, text(args, 'uid'));
    const { tags: [tag] = [] } = readFields({ tags: [args['tag']] });
    if (tag === undefined) throw new EmsRefused('bad-request', 'tag is missing');
    return ems.setTags(uid, [...tags, readTag(tag)]);
  },
  'tag-remove': (ems, args) => {
    const { uid, tags } = known(ems, text(args, 'uid'));
    const [name, type] = [text(args, 'name'), optional(args, 'type')];
    const left = tags.filter((tag) => tag.name !== name || (type !== undefined && tag.type !== type));
    if (left.length === tags.length) {
      const has = tags.slice(0, 8).map((tag) => tag.name);
      throw new EmsRefused('bad-request', `${uid} has no tag '${name}': it has ${has.join(', ') || 'none'}`);
    }
    return ems.setTags(uid, left);
  },
  token: (ems, args) => {
    const { lifetime } = args;
    if (lifetime !== undefined && typeof lifetime !== 'number') throw new EmsRefused('bad-request', 'lifetime is a number');
    return ems.issueToken(text(args, 'uid'), lifetime === undefined ? {} : { lifetime });
  },
  'rotate-key': async (ems) => {
    await ems.rotateTokenKey();
    return null;
  },
  'gateway-list': (ems) => ems.gateways(),
  'gateway-authorize': (ems, args) => ems.authorize(text(args, 'cn'), optional(args, 'fingerprint')),
  'gateway-deny': (ems, args) => ems.deny(text(args, 'cn')),
  'gateway-forget': (ems, args) => {
    ems.forget(text(args, 'cn'));
    return null;
  },
  fault: async (ems, args) => {
    await ems.fault(readFault(text(args, 'name'), optional(args, 'value')));
    return ems.faults().map(faultText);
  },
  'fault-clear': async (ems, args) => {
    const name = optional(args, 'name');
    const fault = FAULT_NAMES.find((n) => n === name);
    if (name !== undefined && fault === undefined) throw new EmsRefused('bad-request', `there is no fault '${name}'`);
    await ems.clearFault(fault);
    return ems.faults().map(faultText);
  },
  'fault-list': (ems) => ems.faults().map(faultText),
  tunnels: (ems) => ems.tunnels(),
};

export type AdminDoor = { close(): Promise<void> };

const FILE = 'admin.json';
const MOST_BODY = 1_048_576;

/**
 * Opens the door of a running emulator, and writes into its state directory where it is and the token that opens it.
 *
 * @param flush settles when what was changed is on the disk
 */
export async function serveAdmin(ems: EmsEmulator, directory: string, flush: () => Promise<void>): Promise<AdminDoor> {
  const token = randomBytes(24).toString('base64url');
  const expected = digest(token);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!constantTimeEqual(digest(given), expected)) return answer(response, 401, { error: 'not-authorized', message: 'no' });
    perform(ems, request, flush).then(
      (gives) => answer(response, 200, { gives }),
      (error: unknown) => {
        if (error instanceof SyntaxError) return answer(response, 400, { error: 'bad-request', message: 'the body is not JSON' });
        if (error instanceof EmsRefused) return answer(response, 400, { error: error.code, message: error.message });
        answer(response, 500, { error: 'internal', message: error instanceof Error ? error.message : String(error) });
      },
    );
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one of these
  const path = join(directory, FILE);
  await replacePrivate(path, JSON.stringify({ pid: process.pid, port, token }));
  return {
    async close() {
      await rm(path, { force: true });
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** No emulator answers for this directory. */
export class EmsNotRunning extends Error {}

/**
 * Gives a command to the emulator that runs with this state directory.
 *
 * @throws EmsNotRunning when there is none; EmsRefused when it refuses
 */
export async function callAdmin<Name extends AdminName>(
  directory: string,
  name: Name,
  takes: AdminCommands[Name]['takes'],
): Promise<AdminCommands[Name]['gives']> {
  const gone = new EmsNotRunning(`no emulator runs with the state directory ${directory}`);
  const place = await placeOf(join(directory, FILE));
  if (place === undefined) throw gone;
  let body: unknown;
  try {
    const response = await fetch(`http://127.0.0.1:${place.port}/command`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${place.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ do: name, ...takes }),
      signal: AbortSignal.timeout(30_000),
    });
    if (response.status === 401) throw gone; // somebody else has the port now
    body = await response.json();
  } catch {
    throw gone; // the file was left behind by one that was killed
  }
  if (!isJson(body)) throw gone;
  const { gives, error, message } = body;
  if (error === undefined) return gives as AdminCommands[Name]['gives']; // what `serveAdmin` of the same version says
  const code = error === 'not-found' || error === 'full' ? error : 'bad-request';
  throw new EmsRefused(code, typeof message === 'string' ? message : 'refused');
}

async function placeOf(path: string): Promise<{ readonly port: number; readonly token: string } | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isJson(value)) return undefined;
    const { port, token } = value;
    return typeof port === 'number' && typeof token === 'string' ? { port, token } : undefined;
  } catch {
    return undefined; // nobody was here, or nothing that we wrote
  }
}

async function perform(ems: EmsEmulator, request: IncomingMessage, flush: () => Promise<void>): Promise<unknown> {
  if (request.method !== 'POST' || request.url !== '/command') throw new EmsRefused('not-found', 'there is POST /command');
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of request) {
    if (!(part instanceof Buffer)) continue;
    octets += part.length;
    if (octets > MOST_BODY) throw new EmsRefused('bad-request', 'too large');
    parts.push(part);
  }
  const args: unknown = JSON.parse(Buffer.concat(parts).toString());
  const name = isJson(args) ? Object.keys(COMMANDS).find((n) => n === args['do']) : undefined;
  if (!isJson(args) || name === undefined) throw new EmsRefused('bad-request', 'there is no such command');
  const gives = await COMMANDS[name as AdminName](ems, args); // one of its own keys
  await flush();
  return gives;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(JSON.stringify(body));
}

function known(ems: EmsEmulator, uid: string): EmsEndpoint {
  const record = ems.endpoint(uid);
  if (record === undefined) throw new EmsRefused('not-found', `there is no endpoint '${uid}'`);
  return record;
}

function text(args: Args, name: string): string {
  const value = args[name];
  if (typeof value !== 'string') throw new EmsRefused('bad-request', `${name} is a text`);
  return value;
}

function optional(args: Args, name: string): string | undefined {
  return args[name] === undefined ? undefined : text(args, name);
}

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
