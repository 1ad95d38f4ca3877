/** The WebSockets of the emulated EMS: docs/ems-api.md §4. Each client is told what it has not been told, at once. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { GarbageKind } from './faults.ts';
import { changesSince, type TableView } from './table.ts';

export type PushOptions = {
  /** Between two pings, ms; two and a half of them without a sign of life end a connection. */
  readonly pingEvery: number;
  readonly view: () => TableView;
  /** Nothing is told, pings go on. */
  readonly silent: () => boolean;
  readonly garbage: () => GarbageKind | undefined;
  readonly now: () => number;
};

type Client = { readonly name: string; readonly socket: WebSocket; told: number; heard: number };

const MOST_UIDS = 1000;
const MOST_WAITING = 1_048_576;

export class Push {
  readonly #server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: 4096 });
  readonly #clients = new Set<Client>();
  readonly #o: PushOptions;
  #heartbeat: NodeJS.Timeout | undefined;
  #due = false;
  #keysDue = false;

  constructor(o: PushOptions) {
    this.#o = o;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Takes an authorised upgrade. */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer, name: string, since: number | undefined): void {
    this.#server.handleUpgrade(request, stream, head, (socket) => {
      const { seq } = this.#o.view();
      const client: Client = { name, socket, told: since ?? seq, heard: this.#o.now() };
      const alive = () => {
        client.heard = this.#o.now();
      };
      socket.on('pong', alive).on('ping', alive);
      socket.on('error', () => socket.terminate()); // a client that breaks the protocol is gone, no more
      socket.on('message', () => socket.close(1008, 'clients send nothing'));
      socket.on('close', () => this.#gone(client));
      this.#clients.add(client);
      this.#heartbeat ??= setInterval(() => this.#beat(), this.#o.pingEvery).unref();
      this.#send(client, { type: 'hello', seq });
      this.#tell(client);
    });
  }

  /** Something changed: everybody hears of it when this moment is over, of all its changes together. */
  changed(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      for (const client of this.#clients) this.#tell(client);
    });
  }

  /** Other token keys: told at once, or when the silence ends. */
  keys(): void {
    this.#keysDue = this.#o.silent();
    if (this.#keysDue) return;
    for (const client of this.#clients) this.#send(client, { type: 'keys' });
  }

  /** The silence is over: everybody hears what was missed. */
  resume(): void {
    if (this.#keysDue) this.keys();
    this.changed();
  }

  /** Ends the connections of one client, or all. */
  close(code: number, why: string, name?: string): void {
    for (const client of this.#clients) if (name === undefined || client.name === name) client.socket.close(code, why);
  }

  /** Ends them without a word. */
  cut(): void {
    for (const client of this.#clients) client.socket.terminate();
  }

  #tell(client: Client): void {
    if (this.#o.silent()) return;
    const view = this.#o.view();
    const { seq } = view;
    if (client.told === seq) return;
    const lines = changesSince(view, client.told);
    client.told = seq;
    if (lines === undefined) return this.#send(client, { type: 'changed', seq, uids: [] });
    for (let i = 0; i < lines.length; i += MOST_UIDS) {
      const uids = lines.slice(i, i + MOST_UIDS).map(({ uid }) => uid);
      this.#send(client, { type: 'changed', seq, uids });
    }
  }

  #send({ socket }: Client, message: { readonly type: string; readonly seq?: number; readonly uids?: readonly string[] }): void {
    const garbage = this.#o.garbage();
    if (garbage === 'truncated') return socket.terminate();
    // A client that stopped reading costs a bounded amount; it comes back with its `since`.
    if (socket.bufferedAmount > MOST_WAITING) return socket.close(1013, 'read faster');
    socket.send(garbage === undefined ? JSON.stringify(message) : garbled(message, garbage));
  }

  #beat(): void {
    const dead = this.#o.now() - 2.5 * this.#o.pingEvery;
    for (const { socket, heard } of this.#clients) {
      if (heard < dead) socket.terminate();
      else if (socket.bufferedAmount <= MOST_WAITING) socket.ping();
    }
  }

  #gone(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function garbled(message: object, kind: Exclude<GarbageKind, 'truncated'>): string {
  switch (kind) {
    case 'json':
      return `${JSON.stringify(message)}}`;
    case 'types':
      return '{"type":"changed","seq":"seven","uids":{}}';
    case 'records':
      return '{"type":"changed","seq":7,"uids":["A",7,null]}';
    case 'huge':
      return JSON.stringify({ ...message, padding: 'x'.repeat(MOST_WAITING) });
  }
}
