/** What a client needs of the world: time, timers, UDP ports. The real one, and the shape of any other. */
import { createSocket } from 'node:dgram';
import type { Endpoint } from './options.ts';

export type Port = {
  readonly number: number;
  /** Never throws: what is lost is said again. */
  send(octets: Uint8Array, to: Endpoint): void;
  close(): void;
};

export type World = {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Seconds since 1970, with their fraction. */
  unix(): number;
  /** Does it after so many ms; what comes back takes it back. */
  after(ms: number, work: () => void): () => void;
  /** Opens any free port on this address. Rejects with the system's error. */
  open(address: string, heard: (octets: Uint8Array, from: Endpoint) => void): Promise<Port>;
};

/** ms; a timer of Node's cannot wait longer, and does not wait at all when it is told to. */
const MOST = 2 ** 31 - 1;

export const realWorld: World = {
  now: () => performance.now(),
  unix: () => Date.now() / 1000,
  after(ms, work) {
    const timer = setTimeout(work, Math.min(Math.max(ms, 1), MOST));
    return () => clearTimeout(timer);
  },
  async open(address, heard) {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, () => {
        socket.off('error', reject);
        socket.on('error', () => undefined);
        resolve();
      });
    });
    socket.on('message', (octets, from) => heard(new Uint8Array(octets), from));
    return {
      number: socket.address().port,
      send: (octets, to) => socket.send(octets, to.port, to.address, () => undefined),
      close: () => void socket.close(),
    };
  },
};
