/**
 * The way of one request: faults, who asks, which call. A client is who TLS has proven, or who knows the access key; headers
 * that claim a certificate are not looked at.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { constantTimeEqual, readCertificate, type Secret } from '../../../crypto/index.ts';
import { type Answer, type Refusal, refuse, type Shape, write, writeRaw } from './answer.ts';
import type { Faults, GarbageKind } from './faults.ts';
import { answerFortios, FORTIOS } from './fortios.ts';
import type { Judgement } from './gateways.ts';
import { answerNative, CHANGES, NATIVE } from './native.ts';
import { sinceOf } from './query.ts';
import { EmsRefused, isSerial } from './record.ts';
import type { World } from './world.ts';

export type FrontDoorOptions = {
  readonly world: World;
  readonly faults: () => Faults;
  /** The access key, where that is how clients are known; else certificates are. */
  readonly accessKey: Secret | undefined;
  readonly judge: (cn: string, fingerprint: string) => Judgement;
  /** ms */
  readonly now: () => number;
  readonly accept: (request: IncomingMessage, stream: Duplex, head: Buffer, client: string, since: number | undefined) => void;
  readonly count: (path: string, status: number) => void;
  /** A fault of ours: it was answered with 500. */
  readonly onFault: (error: unknown) => void;
};

/** Calls in hand at one time; what is slow or never answered counts. */
const MOST_CALLS = 256;
const MOST_BODY = 16_384;

export class FrontDoor {
  readonly #o: FrontDoorOptions;
  /** Calls that `stale mute` swallowed. */
  readonly #mute = new Set<ServerResponse>();
  #calls = 0;

  constructor(o: FrontDoorOptions) {
    this.#o = o;
  }

  /** A request without an upgrade. Never throws. */
  request(request: IncomingMessage, response: ServerResponse): void {
    const url = urlOf(request);
    const shape: Shape = url?.pathname.startsWith(`${FORTIOS}/`) === true ? 'fortios' : 'native';
    const done = (answer: Answer) => {
      this.#o.count(url?.pathname ?? '', answer.kind === 'json' ? 200 : answer.kind === 'empty' ? 204 : answer.status);
      if (response.destroyed) return;
      // A body that nobody read must not be taken for the next request.
      if (request.method === 'POST' && !request.complete) response.setHeader('Connection', 'close');
      write(response, answer, shape, this.#garbage());
    };
    if (this.#calls >= MOST_CALLS) return done(refuse(429, 'Too many calls at one time.', { 'Retry-After': '1' }));
    this.#calls += 1;
    response.once('close', () => {
      this.#calls -= 1;
    });
    response.on('error', () => undefined); // the client has gone; nobody is left to be told
    this.#later(() => {
      const client = this.#admit(request);
      if (typeof client !== 'string') return done(client);
      if (url === undefined) return done(refuse(400, 'The path cannot be read.'));
      if (this.#isMute(url.pathname)) {
        this.#o.count(url.pathname, 0);
        this.#mute.add(response);
        response.once('close', () => this.#mute.delete(response));
        return;
      }
      bodyOf(request).then(
        (body) => done(body instanceof Uint8Array ? this.#answer(request.method ?? '', url, body, client) : body),
        () => response.destroy(),
      );
    });
  }

  /** A request that wants a WebSocket. Never throws. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const gone = () => stream.destroy();
    stream.on('error', gone);
    const url = urlOf(request);
    const refused = (refusal: Refusal) => {
      this.#o.count(url?.pathname ?? '', refusal.status);
      writeRaw(stream, refusal);
    };
    this.#later(() => {
      if (stream.destroyed) return;
      const client = this.#admit(request);
      if (typeof client !== 'string') return refused(client);
      if (url?.pathname !== CHANGES || this.#o.faults()['no-websocket'] !== undefined)
        return refused(refuse(404, 'There is no such path.'));
      try {
        const since = sinceOf(url.searchParams, 'since');
        this.#o.count(url.pathname, 101);
        stream.off('error', gone); // the WebSocket's from here
        this.#o.accept(request, stream, head, client, since);
      } catch (error) {
        refused(this.#refusalOf(error));
      }
    });
  }

  /** Ends the calls that were swallowed: `stale mute` is over. */
  release(): void {
    for (const response of this.#mute) response.destroy();
  }

  /** The client's name, or why it may not. */
  #admit(request: IncomingMessage): string | Refusal {
    const { status } = this.#o.faults();
    if (status !== undefined)
      return refuse(status.status, 'A fault that was asked for.', status.status === 429 ? { 'Retry-After': '1' } : undefined);
    return this.#o.accessKey === undefined ? this.#byCertificate(request) : byKey(request, this.#o.accessKey);
  }

  #byCertificate({ socket }: IncomingMessage): string | Refusal {
    const shown = socket instanceof TLSSocket ? certificateOf(socket) : undefined;
    if (shown === undefined)
      return { ...refuse(401, 'Show a client certificate whose CN is your serial number.'), code: 'no-certificate' };
    const now = Math.floor(this.#o.now() / 1000);
    if (now < shown.notBefore || now > shown.notAfter)
      return { ...refuse(401, `The certificate of ${shown.cn} is outside its dates.`), code: 'certificate-expired' };
    switch (this.#o.judge(shown.cn, shown.fingerprint)) {
      case 'authorized':
        return shown.cn;
      case 'not-authorized':
        return refuse(401, `The administrator has not authorised ${shown.cn} with this certificate.`);
      case 'denied':
        return refuse(403, `The administrator has denied ${shown.cn}.`);
    }
  }

  #answer(method: string, { pathname: path, searchParams: query }: URL, body: Uint8Array, client: string): Answer {
    const { world } = this.#o;
    const call = { client, method, path, query, body };
    try {
      if (path.startsWith(`${NATIVE}/`)) return answerNative(world, call);
      return path.startsWith(`${FORTIOS}/`) ? answerFortios(world, call) : refuse(404, 'There is no such path.');
    } catch (error) {
      return this.#refusalOf(error);
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof EmsRefused) return refuse(400, error.message);
    this.#o.onFault(error);
    return refuse(500, 'A fault of the emulator.');
  }

  #isMute(path: string): boolean {
    if (this.#o.faults().stale?.kind !== 'mute') return false;
    return path === `${NATIVE}/devices` || path.startsWith(`${NATIVE}/devices/`) || path.startsWith(`${FORTIOS}/report/`);
  }

  #garbage(): GarbageKind | undefined {
    return this.#o.faults().garbage?.kind;
  }

  #later(go: () => void): void {
    const ms = this.#o.faults().slow?.ms;
    if (ms === undefined) go();
    else setTimeout(go, ms).unref();
  }
}

type ClientCertificate = {
  readonly cn: string;
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
};
const seen = new WeakMap<TLSSocket, ClientCertificate>();

/** What TLS has proven on this connection; undefined when there is none with a CN that can be a serial number. */
function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const before = seen.get(socket);
  if (before !== undefined) return before;
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) return undefined;
  try {
    const { cn, notBefore, notAfter } = readCertificate(raw);
    if (cn === undefined || !isSerial(cn)) return undefined;
    const fingerprint = createHash('sha256').update(raw).digest('hex').toUpperCase();
    const certificate = { cn, fingerprint, notBefore, notAfter };
    seen.set(socket, certificate);
    return certificate;
  } catch {
    return undefined; // a certificate that cannot be read has no CN
  }
}

function byKey({ headers }: IncomingMessage, key: Secret): string | Refusal {
  const given = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '')?.[1];
  // Hashed first: equal lengths, so the time tells nothing of the key.
  const digest = (octets: Uint8Array | string) => createHash('sha256').update(octets).digest();
  if (given !== undefined && constantTimeEqual(digest(given), digest(key.expose()))) return 'access-key';
  return refuse(401, 'The access key is missing or wrong.', { 'WWW-Authenticate': 'Bearer' });
}

function urlOf({ url = '' }: IncomingMessage): URL | undefined {
  // Only a path: 'http://…' and '//…' in a request line are for proxies.
  return /^\/(?!\/)/.test(url) ? (URL.parse(url, 'https://ems') ?? undefined) : undefined;
}

/** The body of a POST, read to its bound; nothing for other methods. Rejects when the client goes away. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | Refusal> {
  if (request.method !== 'POST') return new Uint8Array();
  if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? ''))
    return refuse(415, 'The body is application/json.');
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    if (!(part instanceof Buffer)) continue;
    octets += part.length;
    if (octets > MOST_BODY) return refuse(413, `The body is larger than ${MOST_BODY} octets.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
