/** One UDP socket, whoever makes the system calls: `dgramSocket` by node:dgram, `nativeSockets` by the C library. */
import { createSocket } from 'node:dgram';
import type { LocalAddress } from './addresses.ts';

/** A UDP address in text (IPv6 as RFC 5952 writes it) and its port. */
export type Endpoint = { readonly address: string; readonly port: number };

export type SocketEvents = {
  /** One datagram, whose octets are the receiver's. Must not throw. */
  message(octets: Uint8Array, address: string, port: number): void;
  sent(datagrams: number): void;
  /** A system call failed, or was refused by Node; the socket lives on. */
  failed(error: unknown): void;
};

export type UdpSocket = {
  readonly port: number;
  /** Sends, soon and in order. False: too many wait for the kernel, and this one is lost. */
  send(to: Endpoint, octets: Uint8Array): boolean;
  close(): Promise<void>;
};

/** Binds a port of one address, exclusively. Rejects with an error that has the errno's name as its `code`. */
export type OpenSocket = (local: LocalAddress, port: number, events: SocketEvents) => Promise<UdpSocket>;

/** What the kernel may hold for us while we think; Linux cuts it at net.core.rmem_max. */
export const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Datagrams of one socket that wait for the kernel before we drop: UDP is allowed to lose. */
const SEND_QUEUE = 1024;

/** By node:dgram: on every system, at 64 KB of memory moved for each datagram. */
export const dgramSocket: OpenSocket = async ({ address, family }, port, events) => {
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
    socket.bind({ address, port, exclusive: true }, resolve);
  });
  socket.removeAllListeners('error');
  socket.on('error', events.failed);
  socket.on('message', (message, rinfo) =>
    events.message(new Uint8Array(message.buffer, message.byteOffset, message.byteLength), rinfo.address, rinfo.port),
  );
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER);
  } catch (error) {
    events.failed(error); // the default size serves as well, under less load
  }
  // One function for all datagrams: no closure per send.
  const done = (error: Error | null): void => {
    if (error === null) events.sent(1);
    else events.failed(error);
  };
  return {
    port: socket.address().port,
    send(to, octets) {
      if (socket.getSendQueueCount() >= SEND_QUEUE) return false;
      try {
        socket.send(octets, to.port, to.address, done);
      } catch (error) {
        events.failed(error); // port 0, a socket that just closed: dgram throws these at once
      }
      return true;
    },
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
};
