/**
 * What a socket is for `udp.ts`, and the one that Node has anywhere: node:dgram. `kernelSockets.ts` has the other, on Linux.
 * Which of them serves is chosen at the start; nothing above this file can tell.
 */
import { createSocket } from 'node:dgram';
import type { LocalAddress } from './addresses.ts';
import { codeOf } from './refusal.ts';

/** A UDP address in text (IPv6 as RFC 5952 writes it) and its port. */
export type Endpoint = { readonly address: string; readonly port: number };

/** Who hears of a socket's datagrams. `octets` are the receiver's own from then on. */
export type SocketEar = {
  arrived(octets: Uint8Array, from: Endpoint): void;
  /** Asked before: octets[at…at+length) are the socket's again when this returns. True: taken, `arrived` is not called. */
  passing?(octets: Uint8Array, at: number, length: number, from: Endpoint): boolean;
  sent(datagrams: number): void;
  queueFull(): void;
  failed(code: string): void;
};

/** `octets` must stay as they are until the running turn of the event loop ends, or for ever if the kernel has no room. */
export type DatagramSocket = {
  readonly port: number;
  send(to: Endpoint, octets: Uint8Array): void;
  /** Sends octets[at…at+length), which are the caller's again when this returns. */
  forward(to: Endpoint, octets: Uint8Array, at: number, length: number): void;
  close(): Promise<void>;
};

/** Binds a socket of its own, for no one else to share. Rejects with the system's error code when that is refused. */
export type OpenSocket = (local: LocalAddress, port: number, ear: SocketEar) => Promise<DatagramSocket>;

/** What the kernel may hold for us each way while we think; Linux cuts it at net.core.rmem_max and wmem_max. */
export const SOCKET_BUFFER = 4 * 1024 * 1024;
/** Datagrams of one socket that wait for the kernel before we drop: UDP is allowed to lose. */
export const SEND_QUEUE = 1024;

export const dgramSocket: OpenSocket = async (local, port, ear) => {
  const { family } = local;
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6,
    // An address is its own answer: dgram's send then does not wait for dns, nor for a tick.
    lookup: (host, _options, done) => done(null, host, family),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: local.address, port, exclusive: true }, resolve);
  });
  socket.removeAllListeners('error');
  const fail = (error: unknown) => ear.failed(codeOf(error));
  // One function for all datagrams: no closure per send.
  const done = (error: Error | null) => (error === null ? ear.sent(1) : fail(error));
  socket.on('error', fail);
  socket.on('message', (message, { address, port: theirs }) => {
    const octets = new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
    const from = { address, port: theirs };
    if (!ear.passing?.(octets, 0, octets.length, from)) ear.arrived(octets, from);
  });
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER);
  } catch (error) {
    fail(error); // the default size serves as well, under less load
  }
  const send = (to: Endpoint, octets: Uint8Array) => {
    if (socket.getSendQueueCount() >= SEND_QUEUE) return ear.queueFull();
    try {
      socket.send(octets, to.port, to.address, done);
    } catch (error) {
      fail(error); // a socket that just closed: dgram throws this at once
    }
  };
  return {
    port: socket.address().port,
    send,
    forward: (to, octets, at, length) => send(to, octets.slice(at, at + length)),
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
};
