/** What a call comes to, before it is octets; and how it leaves, honest or garbled on purpose. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GarbageKind } from './faults.ts';

export type Answer =
  | { readonly kind: 'json'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'empty' }
  | Refusal;
export type Refusal = {
  readonly kind: 'refused';
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
};
/** How errors and answers are wrapped: docs/ems-api.md §1.4 and §6. */
export type Shape = 'native' | 'fortios';

export const ok = (body: Readonly<Record<string, unknown>>): Answer => ({ kind: 'json', body });

const CODES = {
  400: 'bad-request',
  401: 'not-authorized',
  403: 'denied',
  404: 'not-found',
  405: 'method-not-allowed',
  409: 'resync',
  413: 'too-large',
  415: 'unsupported-media-type',
  426: 'upgrade-required',
  429: 'busy',
  500: 'internal',
  503: 'unavailable',
} as const;

export function refuse(status: keyof typeof CODES, message: string, headers?: Readonly<Record<string, string>>): Refusal {
  return { kind: 'refused', status, code: CODES[status], message, ...(headers === undefined ? {} : { headers }) };
}

type Written = { readonly status: number; readonly headers: Readonly<Record<string, string | number>>; readonly octets: Buffer };

/** Sends an answer; `garbage` spoils it. */
export function write(response: ServerResponse, answer: Answer, shape: Shape, garbage: GarbageKind | undefined): void {
  if (garbage !== undefined && answer.kind === 'json') return writeGarbage(response, answer.body, shape, garbage);
  const { status, headers, octets } = written(answer, shape);
  response.writeHead(status, headers).end(octets);
}

/** Refuses an upgrade: there is no response object then, and the connection ends. */
export function writeRaw(socket: Duplex, refusal: Refusal): void {
  const { status, headers, octets } = written(refusal, 'native');
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${refusal.code}\r\n${lines.join('')}\r\n`), octets]));
}

function written(answer: Answer, shape: Shape): Written {
  if (answer.kind === 'empty') return { status: 204, headers: { 'Cache-Control': 'no-store' }, octets: Buffer.alloc(0) };
  const octets = Buffer.from(JSON.stringify(wrapped(answer, shape)));
  const extra = answer.kind === 'refused' ? answer.headers : undefined;
  const status = answer.kind === 'refused' ? answer.status : 200;
  return { status, headers: { ...JSON_HEADERS, 'Content-Length': octets.length, ...extra }, octets };
}

const JSON_HEADERS = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' } as const;

function wrapped(answer: Exclude<Answer, { kind: 'empty' }>, shape: Shape): unknown {
  if (shape === 'native') return answer.kind === 'json' ? answer.body : { error: answer.code, message: answer.message };
  if (answer.kind === 'json') return { result: { retval: 1, message: 'Success.' }, data: answer.body };
  const { status } = answer;
  const denied = status === 401 || status === 403;
  const retval = denied ? -4 : status === 404 || status === 405 ? -2 : status >= 429 ? -5 : -3;
  return { result: { retval, message: denied ? 'Authentication denied.' : answer.message }, data: null };
}

function writeGarbage(response: ServerResponse, body: Readonly<Record<string, unknown>>, shape: Shape, kind: GarbageKind): void {
  const honest = JSON.stringify(wrapped({ kind: 'json', body }, shape));
  switch (kind) {
    case 'json':
      response.writeHead(200, JSON_HEADERS).end(`${honest.slice(0, -1)}, "tags": [`);
      return;
    case 'types':
      response.writeHead(200, JSON_HEADERS).end(JSON.stringify(wrapped({ kind: 'json', body: mistyped(body) }, shape)));
      return;
    case 'records':
      response.writeHead(200, JSON_HEADERS).end(JSON.stringify(wrapped({ kind: 'json', body: badRecord(body) }, shape)));
      return;
    case 'truncated':
      response.writeHead(200, { ...JSON_HEADERS, 'Content-Length': Buffer.byteLength(honest) });
      response.write(honest.slice(0, honest.length / 2), () => response.destroy());
      return;
    case 'huge':
      response.writeHead(200, JSON_HEADERS);
      pour(response, `${honest.slice(0, -1)}, "padding": "`);
  }
}

/** Every member of another type than it should have. */
export function mistyped(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, otherType(value)]));
}

/** The last member of each list is wrong, all else is right; without lists the first member is wrong. */
function badRecord(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const spoiled = Object.entries(body).map(([name, value]) => {
    if (!Array.isArray(value) || value.length === 0) return [name, value];
    const last: unknown = value.at(-1);
    return [name, [...value.slice(0, -1), isObject(last) ? mistyped(last) : otherType(last)]];
  });
  if (Object.values(body).some((value) => Array.isArray(value) && value.length > 0)) return Object.fromEntries(spoiled);
  const [[name, value] = ['', undefined]] = Object.entries(body);
  return { ...body, [name]: otherType(value) };
}

function otherType(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return 7;
    case 'number':
      return 'seven';
    case 'boolean':
      return 'maybe';
    default:
      return value === null ? 0 : Array.isArray(value) ? {} : [];
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Pours until the client has had enough of it; 256 MiB are enough for any. */
function pour(response: ServerResponse, start: string): void {
  let left = 4096;
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= 1;
      if (!response.write(DROP)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  response.on('error', () => undefined);
  response.write(start);
  more();
}
const DROP = 'x'.repeat(65_536);
