/** The TLS server of the emulated EMS: a port that can be closed and opened again, and a certificate that can be changed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Shown } from './certificates.ts';

export type ListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly shown: Shown;
  /** Asks for a client certificate; whoever has none, or any, is let in: the calls judge. */
  readonly askCertificate: boolean;
  readonly connections: number;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onUpgrade: (request: IncomingMessage, stream: Duplex, head: Buffer) => void;
};

export class Listener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #o: ListenerOptions;
  #port: number;
  #shown: Shown;

  constructor(o: ListenerOptions) {
    this.#o = o;
    this.#port = o.port;
    this.#shown = o.shown;
    this.#server = createServer({
      ...o.shown,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      requestCert: o.askCertificate,
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
      headersTimeout: 10_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 8192,
      connectionsCheckingInterval: 5000,
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    });
    this.#server.maxConnections = o.connections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', o.onRequest);
    this.#server.on('upgrade', o.onUpgrade);
    this.#server.on('error', () => undefined); // whoever opens the port hears of it; a failed accept ends nothing
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#server.on('clientError', (_, socket) => socket.destroy());
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** The port it has, or will have again. */
  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Opens the port; the same one each time. Rejects with the system's error. */
  async open(): Promise<void> {
    if (this.#server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#o.address, port: this.#port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port; // a TCP server that listens has one of these
  }

  /** Closes the port and cuts every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return this.cut();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.cut();
    });
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Shows another certificate; who saw the old one must look again. */
  show(shown: Shown): void {
    if (this.#shown.cert === shown.cert) return;
    this.#shown = shown;
    this.#server.setSecureContext({ ...shown, minVersion: 'TLSv1.2' });
    this.cut();
  }
}
