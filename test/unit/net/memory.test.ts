import { describe, expect, it } from 'vitest';
import { type Datagram, memoryUdp } from '../../../src/net/index.ts';

const peer = { address: '198.51.100.2', port: 40_000 };

describe('UDP without a kernel', () => {
  it('brings what arrives and keeps what is sent, on both ports', () => {
    const arrived: Datagram[] = [];
    const udp = memoryUdp({ address: '192.0.2.1', ikePort: 500, nattPort: 4500, onDatagram: (d) => arrived.push(d) });
    udp.arrive(Uint8Array.of(1), peer);
    udp.arrive(Uint8Array.of(2), peer, { address: '192.0.2.1', port: 4500 });
    udp.arrive(Uint8Array.of(3), peer, { address: '192.0.2.9', port: 500 }); // nobody listens there
    expect(arrived.map((d) => [d.octets[0], d.natt, d.to.port, d.from])).toEqual([
      [1, false, 500, peer],
      [2, true, 4500, peer],
    ]);
    udp.send({ address: '192.0.2.1', port: 4500 }, peer, Uint8Array.of(4));
    udp.send({ address: '192.0.2.1', port: 4501 }, peer, Uint8Array.of(5));
    expect(udp.sent).toEqual([{ from: { address: '192.0.2.1', port: 4500 }, to: peer, octets: Uint8Array.of(4) }]);
    expect(udp.counters()).toMatchObject({ received: 2, sent: 1, noSocket: 1 });
  });

  it('is as silent as a closed socket when it is closed', async () => {
    const arrived: Datagram[] = [];
    const udp = memoryUdp({ address: '192.0.2.1', ikePort: 500, nattPort: 4500, onDatagram: (d) => arrived.push(d) });
    await udp.close();
    udp.arrive(Uint8Array.of(1), peer);
    udp.send({ address: '192.0.2.1', port: 500 }, peer, Uint8Array.of(2));
    expect([arrived, udp.sent]).toEqual([[], []]);
  });
});
