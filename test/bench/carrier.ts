/** How datagrams get from the clients to the gateway and back: over loopback UDP, or in batches without any network. */
import { createSocket, type Socket } from 'node:dgram';
import type { Packet } from './protocol.ts';

type Ports = { readonly port: number; readonly nattPort: number };

export type Carrier = {
  readonly address: string;
  readonly local: Ports;
  readonly remote: Ports;
  /** Settles when everything is on its way; answers may come before that. */
  send(packets: readonly Packet[]): Promise<void>;
  /** Lets a little time pass; hands over what has come once it is so many datagrams, or nothing more seems to come. */
  look(wanted: number): Promise<void>;
  /** Called for every answer. */
  arrived: (packet: Packet) => void;
  close(): void;
};

export const ADDRESS = '127.0.0.1';
/** A wave of datagrams has to fit into the socket's buffer. */
const BUFFER = 4 * 1024 * 1024;

/** Two sockets on loopback, for all clients together. Their answers wait until somebody looks. */
export async function overUdp(remote: Ports): Promise<Carrier> {
  const [plain, natt] = [await socket(), await socket()];
  const local = { port: plain.address().port, nattPort: natt.address().port };
  const come: Packet[] = [];
  const carrier: Carrier = {
    address: ADDRESS,
    local,
    remote,
    send(packets) {
      for (const { octets, from, to } of packets)
        (from.port === local.nattPort ? natt : plain).send(octets, to.port, to.address, ignore);
      return Promise.resolve();
    },
    async look(wanted) {
      const before = come.length;
      Atomics.wait(nothing, 0, 0, PAUSE);
      await new Promise((resolve) => setImmediate(resolve));
      if (come.length < wanted && come.length > before) return;
      for (const packet of come.splice(0)) carrier.arrived(packet);
    },
    arrived: () => undefined,
    close() {
      plain.close();
      natt.close();
    },
  };
  for (const [from, port] of [
    [plain, local.port],
    [natt, local.nattPort],
  ] as const)
    from.on('message', (octets, rinfo) => come.push({ octets, from: rinfo, to: { address: ADDRESS, port } }));
  return carrier;
}

/**
 * ms that the clients sleep, deaf to their sockets, while the gateway works. Were they to wait there, every answer would have
 * to wake them, on the gateway's account; were they to work meanwhile, they would take their share of caches and of a core
 * with two threads. Clients of a real gateway do neither.
 */
const PAUSE = 3;
const nothing = new Int32Array(new SharedArrayBuffer(4));

const ignore = () => undefined; // what is lost is said again

async function socket(): Promise<Socket> {
  const made = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
  await new Promise<void>((resolve, reject) => {
    made.once('error', reject);
    made.bind(0, ADDRESS, resolve);
  });
  made.setRecvBufferSize(BUFFER);
  return made;
}

/** `exchange` takes a wave of datagrams and gives all their answers. */
export function inBatches(exchange: (packets: readonly Packet[]) => Promise<readonly Packet[]>): Carrier {
  const ports = { port: 500, nattPort: 4500 };
  const carrier: Carrier = {
    address: ADDRESS,
    local: ports,
    remote: ports,
    async send(packets) {
      for (const packet of await exchange(packets)) carrier.arrived(packet);
    },
    look: () => Promise.resolve(),
    arrived: () => undefined,
    close: () => undefined,
  };
  return carrier;
}
