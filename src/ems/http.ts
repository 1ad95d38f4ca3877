/**
 * HTTPS to one EMS: mutual TLS or an access key, a server that is trusted by its pinned certificate or by an authority, answers
 * with a bound. Nothing is sent before the server's certificate has been judged; redirects are not followed.
 */
import { createHash } from 'node:crypto';
import { Agent, type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import { connect, type PeerCertificate, rootCertificates, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Secret } from '../../crypto/index.ts';
import { EmsCallFailed } from './driver.ts';
import { printable } from './fields.ts';

export type HttpOptions = {
  readonly host: string;
  readonly port: number;
  readonly sourceIp: string | undefined;
  /** PEM: our certificate and its key, unless an access key stands for them. */
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
  readonly accessKey: Secret | undefined;
  /** PEM; empty: the public authorities. */
  readonly ca: readonly string[];
  /** SHA-256 of the one certificate that a person has accepted, capital hexadecimal digits. */
  readonly pinned: () => string | undefined;
  /** ms for a call. */
  readonly timeout: number;
};

/** What the server showed, and whether we take it. */
export type ServerCertificate = {
  /** Leaf first, DER. */
  readonly chain: readonly Uint8Array[];
  readonly sha256: string;
  readonly trusted: 'pinned' | 'ca' | 'no' | 'changed';
  readonly why: string;
};

/** Octets of an answer that are read at most: a page of 1000 devices. */
const BODY_MAX = 16 * 1024 * 1024;
const MESSAGE_MAX = 128 * 1024;
const CALLS = 4;

/** What a driver needs of it. */
export type EmsCalls = Pick<EmsHttp, 'get' | 'post' | 'socket'>;

export class EmsHttp {
  readonly #o: HttpOptions;
  readonly #agent: Agent;
  /** What ends at once when we close: calls under way, handshakes. */
  readonly #open = new Set<(why: EmsCallFailed) => void>();

  constructor(options: HttpOptions) {
    this.#o = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: CALLS, maxCachedSessions: 0, scheduling: 'lifo' });
    // The request is written only to a socket whose certificate has been judged.
    this.#agent.createConnection = (_options, done) => {
      this.#dial().then(
        ({ socket, shown }) => {
          const refused = refusalOf(shown);
          if (refused === undefined) return done?.(null, socket);
          socket.destroy();
          done?.(refused, socket);
        },
        (error: unknown) => done?.(failureOf(error), undefined as never), // Node's typings want a socket beside an error
      );
      return undefined as never; // the socket comes by the callback
    };
  }

  /** The JSON that a GET answers with; undefined for an answer without a body. */
  async get(path: string): Promise<unknown> {
    return await this.#call('GET', path, undefined);
  }

  async post(path: string, body: object): Promise<unknown> {
    return await this.#call('POST', path, JSON.stringify(body));
  }

  /** A WebSocket, not yet open. */
  socket(path: string): WebSocket {
    const { host, port, timeout } = this.#o;
    return new WebSocket(`wss://${isIP(host) === 6 ? `[${host}]` : host}:${port}${path}`, {
      agent: this.#agent,
      headers: this.#headers(),
      handshakeTimeout: timeout,
      maxPayload: MESSAGE_MAX,
      followRedirects: false,
      perMessageDeflate: false,
    });
  }

  /** What the server shows now; nothing is sent to it. Rejects with EmsCallFailed when it cannot be reached. */
  async inspect(): Promise<ServerCertificate> {
    try {
      const { socket, shown } = await this.#dial();
      socket.destroy();
      return shown;
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** Ends every call and connection; later calls begin anew. */
  close(): void {
    for (const end of this.#open) end(new EmsCallFailed('unreachable', 'we have closed the connection'));
    this.#agent.destroy();
  }

  #headers(): Record<string, string> {
    const { accessKey } = this.#o;
    const key = accessKey === undefined ? {} : { Authorization: `Bearer ${new TextDecoder().decode(accessKey.expose())}` };
    return { Accept: 'application/json', ...key };
  }

  async #dial(): Promise<{ readonly socket: TLSSocket; readonly shown: ServerCertificate }> {
    const { host, port, sourceIp, client, ca, timeout } = this.#o;
    return await new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port,
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ...(sourceIp === undefined ? {} : { localAddress: sourceIp }),
        ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
        ca: ca.length === 0 ? [...rootCertificates] : [...ca],
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: false, // judged below, where a pinned certificate counts too
      });
      const fail = (error: Error) => {
        settled();
        socket.destroy();
        reject(error);
      };
      // Of the whole handshake: one that trickles in is no answer either.
      const late = setTimeout(() => fail(new EmsCallFailed('unreachable', silence(timeout))), timeout);
      const settled = () => {
        clearTimeout(late);
        this.#open.delete(fail);
      };
      this.#open.add(fail);
      socket.once('error', fail);
      socket.once('secureConnect', () => {
        settled();
        socket.off('error', fail);
        socket.on('error', () => undefined); // from here on it is the request's
        resolve({ socket, shown: this.#judge(socket) });
      });
    });
  }

  #judge(socket: TLSSocket): ServerCertificate {
    const chain = chainOf(socket.getPeerCertificate(true));
    const [leaf] = chain;
    if (leaf === undefined) return { chain, sha256: '', trusted: 'no', why: 'the server showed no certificate' };
    const sha256 = createHash('sha256').update(leaf).digest('hex').toUpperCase();
    const pinned = this.#o.pinned();
    if (pinned === sha256) return { chain, sha256, trusted: 'pinned', why: 'it was accepted by hand' };
    if (pinned !== undefined)
      return { chain, sha256, trusted: 'changed', why: 'it has changed: it is not the one that was accepted' };
    if (socket.authorized) return { chain, sha256, trusted: 'ca', why: 'it is signed by a known authority' };
    return { chain, sha256, trusted: 'no', why: String(socket.authorizationError) };
  }

  async #call(method: 'GET' | 'POST', path: string, body: string | undefined): Promise<unknown> {
    const { host, port, timeout } = this.#o;
    const options: RequestOptions = {
      ...{ host, port, path, method, agent: this.#agent },
      headers: { ...this.#headers(), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      signal: AbortSignal.timeout(timeout),
    };
    return await new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#open.delete(end);
        reject(failureOf(error, timeout));
      };
      const asked = request(options, (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on('error', fail);
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > BODY_MAX) asked.destroy(new EmsCallFailed('incompatible', `an answer of more than ${BODY_MAX} octets`));
          else parts.push(part);
        });
        response.on('end', () => {
          this.#open.delete(end);
          try {
            resolve(answerOf(path, response.statusCode ?? 0, Buffer.concat(parts)));
          } catch (error) {
            fail(error);
          }
        });
      });
      const end = (why: EmsCallFailed) => {
        asked.destroy(why);
        fail(why);
      };
      this.#open.add(end);
      asked.on('error', fail);
      asked.end(body);
    });
  }
}

function answerOf(path: string, status: number, body: Buffer): unknown {
  if (status === 204) return undefined;
  const where = path.replace(/\?.*/, '');
  if (status === 401 || status === 403) throw new EmsCallFailed('auth', `${where}: ${wordsOf(body) ?? `HTTP ${status}`}`, status);
  if (status === 409) throw new EmsCallFailed('resync', `${where}: HTTP 409`, status);
  if (status === 404) throw new EmsCallFailed('incompatible', `${where}: HTTP 404`, status);
  if (status !== 200) throw new EmsCallFailed('server', `${where}: HTTP ${status}`, status);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch {
    throw new EmsCallFailed('incompatible', `${where}: the answer is not JSON`);
  }
}

/** The server's own words of an error, bounded and printable. */
function wordsOf(body: Buffer): string | undefined {
  try {
    const { message } = JSON.parse(body.toString('utf8')) as { readonly message?: unknown };
    return typeof message === 'string' ? printable(message).slice(0, 200) : undefined;
  } catch {
    return undefined;
  }
}

function refusalOf({ trusted, why }: ServerCertificate): EmsCallFailed | undefined {
  if (trusted === 'pinned' || trusted === 'ca') return undefined;
  return new EmsCallFailed('certificate', `the certificate of the server is not trusted: ${why}`);
}

const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL']);
const AWAY = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ETIMEDOUT', 'ECONNRESET', 'EPIPE'],
  ...['EADDRNOTAVAIL', 'ECONNABORTED', 'ENETDOWN'],
]);

/** TLS alerts about the certificate that we show. */
const REFUSED = /ALERT_(ACCESS_DENIED|UNKNOWN_CA|(BAD_|UNSUPPORTED_)?CERTIFICATE(_\w+)?)$/;

const silence = (timeout: number | undefined): string =>
  timeout === undefined ? 'no answer in time' : `no answer within ${timeout / 1000} s`;

/** Whatever a call can fail with, as one of ours. */
export function failureOf(error: unknown, timeout?: number): EmsCallFailed {
  if (error instanceof EmsCallFailed) return error;
  if (!(error instanceof Error)) return new EmsCallFailed('server', 'unknown');
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return new EmsCallFailed('unreachable', silence(timeout));
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof AggregateError && error.errors.length > 0) return failureOf(error.errors[0], timeout);
  if (DNS.has(code)) return new EmsCallFailed('dns', `its name cannot be resolved (${code})`);
  if (REFUSED.test(code)) return new EmsCallFailed('auth', `it refuses our certificate (${code})`);
  if (AWAY.has(code)) return new EmsCallFailed('unreachable', code);
  return new EmsCallFailed('server', code === '' ? error.message.slice(0, 200) : code);
}

function chainOf(leaf: PeerCertificate): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let one: (PeerCertificate & { readonly issuerCertificate?: PeerCertificate }) | undefined = leaf;
  while (one?.raw !== undefined && chain.length < 8) {
    const { raw } = one;
    if (chain.some((c) => Buffer.from(c).equals(raw))) break; // a root is its own issuer
    chain.push(new Uint8Array(raw));
    one = one.issuerCertificate;
  }
  return chain;
}
