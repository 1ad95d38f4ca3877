/** A gateway's side of the EMS API for the tests of the emulator: plain HTTPS and WebSocket, no opinion. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { WebSocket } from 'ws';
import { type Issued, issueCertificate } from '../../../crypto/index.ts';
import type { EmsEmulator } from '../../../src/lab/index.ts';

/** What tests look at in a body; its types are what they check. */
type Body = {
  readonly [name in 'error' | 'serial' | 'seq' | 'devices' | 'removed' | 'next' | 'keys' | 'data' | 'result']?: unknown;
};
export type Got = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly body: Body;
};

const seconds = () => Math.floor(Date.now() / 1000);

/** A self-signed certificate with this CN. */
export function gatewayCertificate(cn: string, dates: { readonly from?: number; readonly to?: number } = {}): Issued {
  return issueCertificate({
    subject: [['CN', cn]],
    key: 'p256',
    notBefore: seconds() + (dates.from ?? -1000),
    notAfter: seconds() + (dates.to ?? 100_000),
    eku: ['clientAuth'],
  });
}

export type Wish = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly certificate?: Issued;
};

/** One call on a connection of its own. */
export function call(ems: EmsEmulator, path: string, wish: Wish = {}): Promise<Got> {
  const { certificate } = wish;
  return new Promise((resolve, reject) => {
    const sent = request(`${ems.url}${path}`, {
      method: wish.method ?? 'GET',
      ca: ems.ca,
      agent: false,
      ...(wish.headers === undefined ? {} : { headers: wish.headers }),
      ...(certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.key }),
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > 20_000_000) response.destroy(new Error('without end'));
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed(text) }),
      );
    });
    sent.end(wish.body);
  });
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** An open WebSocket and what came over it; `next` waits for the message after the last one that was taken. */
export type Listening = {
  next(): Promise<Readonly<Record<string, unknown>>>;
  readonly pings: number;
  readonly closed: Promise<number>;
  readonly socket: WebSocket;
};

/** Opens `/changes`; rejects with the status when it is refused. */
export function listen(
  ems: EmsEmulator,
  certificate: Issued,
  query = '',
  o: { readonly autoPong?: boolean } = {},
): Promise<Listening> {
  const socket = new WebSocket(`${ems.url.replace('https', 'wss')}/postern/v1/changes${query}`, {
    ca: ems.ca,
    cert: certificate.certificate,
    key: certificate.key,
    perMessageDeflate: false,
    autoPong: o.autoPong ?? true,
  });
  const came: string[] = [];
  const waiting: ((text: string) => void)[] = [];
  let pings = 0;
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    const taker = waiting.shift();
    if (taker === undefined) came.push(text);
    else taker(text);
  });
  socket.on('ping', () => {
    pings += 1;
  });
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_, response: IncomingMessage) => {
      reject(new Error(`refused: ${response.statusCode}`));
      socket.terminate();
    });
    socket.on('error', reject);
    socket.on('open', () =>
      resolve({
        async next() {
          const text = came.shift() ?? (await new Promise<string>((r) => waiting.push(r)));
          return JSON.parse(text);
        },
        get pings() {
          return pings;
        },
        closed,
        socket,
      }),
    );
  });
}
