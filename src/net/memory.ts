/** A UdpPort without a kernel: for tests and for runs in virtual time. */
import type { Endpoint } from './sockets.ts';
import { type Datagram, endpointKey, type Listener, type UdpPort } from './udp.ts';

/** The in-memory double: `arrive` plays a peer, `sent` holds what we answered. */
export type MemoryUdp = UdpPort & {
  readonly sent: { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array }[];
  arrive(octets: Uint8Array, from: Endpoint, to?: Endpoint): void;
};

/** A UdpPort without a kernel, listening on one address. */
export function memoryUdp(o: {
  readonly address: string;
  readonly ikePort: number;
  readonly nattPort: number;
  readonly onDatagram: (datagram: Datagram) => void;
}): MemoryUdp {
  const listening: Listener[] = [
    { address: o.address, port: o.ikePort, natt: false, interface: 'memory' },
    { address: o.address, port: o.nattPort, natt: true, interface: 'memory' },
  ];
  const sent: MemoryUdp['sent'] = [];
  const count = { received: 0, sent: 0, unanswerable: 0, noSocket: 0, queueFull: 0 };
  let open = true;
  const find = (e: Endpoint) => (open ? listening.find((l) => endpointKey(l) === endpointKey(e)) : undefined);
  const send = (from: Endpoint, to: Endpoint, octets: Uint8Array) => {
    if (find(from) === undefined) count.noSocket += 1;
    else {
      count.sent += 1;
      sent.push({ from, to, octets });
    }
  };
  return {
    listening,
    sent,
    send,
    forward: (from, to, octets, at, length) => send(from, to, octets.slice(at, at + length)),
    arrive(octets, from, to = { address: o.address, port: o.ikePort }) {
      const listener = find(to);
      if (listener === undefined) return;
      count.received += 1;
      o.onDatagram({ octets, from, to: listener, natt: listener.natt });
    },
    close() {
      open = false;
      return Promise.resolve();
    },
    counters: () => ({ ...count, failed: {} }),
  };
}
