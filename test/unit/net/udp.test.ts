import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { kernelSockets } from '../../../src/net/kernelSockets.ts';
import { systemCalls } from '../../../src/net/native.ts';
import { bindRefused, EnvironmentRefused } from '../../../src/net/refusal.ts';
import { dgramSocket, type OpenSocket } from '../../../src/net/sockets.ts';
import { type Datagram, type ListenChange, openUdp, type UdpPort } from '../../../src/net/udp.ts';

const calls = await systemCalls();
/** Both kinds of sockets, where both exist, must be the same to whoever uses them. */
const kinds: readonly { readonly name: string; readonly openSocket: OpenSocket }[] = [
  { name: 'node:dgram', openSocket: dgramSocket },
  ...(typeof calls === 'string' ? [] : [{ name: 'system calls', openSocket: kernelSockets(calls) }]),
];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const peer = async (address = '127.0.0.1'): Promise<Socket> => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  closing.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  return socket;
};

const next = (socket: Socket) =>
  new Promise<{ octets: string; port: number; address: string }>((resolve) =>
    socket.once('message', (octets, { port, address }) => resolve({ octets: octets.toString('hex'), port, address })),
  );

const at = (udp: UdpPort, natt: boolean, address = '127.0.0.1') => {
  const found = udp.listening.find((l) => l.natt === natt && l.address === address);
  if (found === undefined) throw new Error('not listening');
  return found;
};

describe.each(kinds)('UDP over $name', ({ openSocket }) => {
  const open = async (listen: readonly string[], onDatagram: (d: Datagram) => void = () => undefined) => {
    const udp = await openUdp({ listen, ikePort: 0, nattPort: 0, onDatagram, openSocket });
    closing.push(() => udp.close());
    return udp;
  };

  it('a datagram tells who sent it, which of our addresses it came to, and whether that is the NAT-T port', async () => {
    const arrived: Datagram[] = [];
    const { promise: three, resolve: settle } = Promise.withResolvers<void>();
    const udp = await open(['127.0.0.1', '127.0.0.2'], (d) => {
      arrived.push(d);
      if (arrived.length === 3) settle();
    });
    const socket = await peer();
    for (const [address, natt] of [
      ['127.0.0.1', false],
      ['127.0.0.1', true],
      ['127.0.0.2', true],
    ] as const) {
      socket.send(Uint8Array.of(1, 2, 3), at(udp, natt, address).port, address);
    }
    await three;
    const from = { address: '127.0.0.1', port: socket.address().port };
    // Sockets are read in no set order.
    expect(
      arrived
        .map((d) => ({ from: d.from, to: d.to.address, port: d.to.port, natt: d.natt }))
        .sort((a, b) => order(a).localeCompare(order(b))),
    ).toEqual([
      { from, to: '127.0.0.1', port: at(udp, false).port, natt: false },
      { from, to: '127.0.0.1', port: at(udp, true).port, natt: true },
      { from, to: '127.0.0.2', port: at(udp, true, '127.0.0.2').port, natt: true },
    ]);
    expect(arrived[0]?.octets.constructor).toBe(Uint8Array);
    expect(arrived[0]?.octets).toEqual(Uint8Array.of(1, 2, 3));
    expect(udp.counters()).toMatchObject({ received: 3, unanswerable: 0 });
  });

  it('an answer leaves from the address that was asked', async () => {
    const udp = await open(['127.0.0.1', '127.0.0.2']);
    const socket = await peer();
    const got = next(socket);
    udp.send(at(udp, true, '127.0.0.2'), { address: '127.0.0.1', port: socket.address().port }, Uint8Array.of(0xff));
    expect(await got).toEqual({ octets: 'ff', address: '127.0.0.2', port: at(udp, true, '127.0.0.2').port });
  });

  it('IPv6 is served beside IPv4', async () => {
    const udp = await open(['::1']);
    const socket = await peer('::1');
    const got = next(socket);
    udp.send(at(udp, false, '::1'), { address: '::1', port: socket.address().port }, Uint8Array.of(7));
    expect(await got).toMatchObject({ octets: '07', address: '::1' });
  });

  it('what cannot be sent is counted and nothing else happens', async () => {
    const udp = await open(['127.0.0.1']);
    const from = at(udp, false);
    const socket = await peer();
    udp.send({ address: '127.0.0.1', port: 1 }, from, Uint8Array.of(1)); // not a socket of ours
    udp.send(from, { address: '127.0.0.1', port: 0 }, Uint8Array.of(1));
    udp.send(from, { address: '127.0.0.1', port: socket.address().port }, new Uint8Array(65_530));
    udp.send(from, { address: '::1', port: 500 }, Uint8Array.of(1)); // the wrong family
    const got = next(socket);
    udp.send(from, { address: '127.0.0.1', port: socket.address().port }, Uint8Array.of(2));
    expect(await got).toMatchObject({ octets: '02' });
    expect(udp.counters()).toEqual({
      received: 0,
      sent: 1,
      unanswerable: 0,
      noSocket: 1,
      queueFull: 0,
      failed: { ERR_SOCKET_BAD_PORT: 1, EMSGSIZE: 1, EINVAL: 1 },
    });
  });

  it('after close nothing is sent and nothing throws', async () => {
    const udp = await open(['127.0.0.1']);
    const from = at(udp, false);
    await udp.close();
    udp.send(from, { address: '127.0.0.1', port: 500 }, Uint8Array.of(1));
    expect(udp.counters().noSocket).toBe(1);
    expect(udp.listening).toEqual([]);
    await udp.close();
  });

  it('IPv6 sockets take no IPv4, so that both have the same port', async () => {
    const six = await open(['::1']);
    const port = at(six, false, '::1').port;
    const four = await openUdp({ listen: ['127.0.0.1'], ikePort: port, nattPort: 0, onDatagram: () => undefined, openSocket });
    closing.push(() => four.close());
    expect(at(four, false).port).toBe(port);
  });

  it('a burst far larger than a batch arrives whole and in order, is answered so, and what is kept stays as it was', async () => {
    const all = Array.from({ length: 150 }, (_, i) => i);
    const kept: Uint8Array[] = [];
    const udp = await open(['127.0.0.1'], (d) => {
      kept.push(d.octets);
      udp.send(d.to, d.from, d.octets);
    });
    const socket = await peer();
    const back: number[] = [];
    const { promise: done, resolve: settle } = Promise.withResolvers<void>();
    socket.on('message', (octets) => {
      back.push(octets.readUInt32BE());
      if (back.length === all.length) settle();
    });
    for (const i of all) {
      const octets = Buffer.alloc(100 + i);
      octets.writeUInt32BE(i);
      socket.send(octets, at(udp, false).port, '127.0.0.1');
    }
    await done;
    expect(back).toEqual(all);
    expect(kept.map((octets) => [Buffer.from(octets).readUInt32BE(), octets.length])).toEqual(all.map((i) => [i, 100 + i]));
    // Nothing that is kept holds more memory than itself, or changes with the next datagram.
    expect(new Set(kept.map((octets) => octets.buffer)).size).toBe(all.length);
    expect(udp.counters()).toMatchObject({ received: 150, sent: 150, queueFull: 0, failed: {} });
  });

  it('many datagrams in one turn leave in order, from every socket', async () => {
    const udp = await open(['127.0.0.1']);
    const socket = await peer();
    const to = { address: '127.0.0.1', port: socket.address().port };
    const back = new Map<number, number[]>([at(udp, false).port, at(udp, true).port].map((port) => [port, []]));
    const { promise: done, resolve: settle } = Promise.withResolvers<void>();
    let count = 0;
    socket.on('message', (octets, { port }) => {
      back.get(port)?.push(octets.readUInt16BE());
      count += 1;
      if (count === 200) settle();
    });
    for (let i = 0; i < 100; i++) for (const natt of [false, true]) udp.send(at(udp, natt), to, Uint8Array.of(0, i));
    await done;
    const expected = Array.from({ length: 100 }, (_, i) => i);
    expect([...back.values()]).toEqual([expected, expected]);
    expect(udp.counters()).toMatchObject({ sent: 200, queueFull: 0 });
  });

  it('the longest datagram and the empty one arrive', async () => {
    const lengths: number[] = [];
    const { promise: done, resolve: settle } = Promise.withResolvers<void>();
    const udp = await open(['127.0.0.1'], (d) => {
      lengths.push(d.octets.length);
      if (lengths.length === 2) settle();
    });
    const from = at(udp, true);
    udp.send(from, at(udp, false), new Uint8Array(65_507));
    udp.send(from, at(udp, false), new Uint8Array(0));
    await done;
    expect(lengths).toEqual([65_507, 0]);
  });

  it('an answer to a port that nobody has harms nothing', async () => {
    const heard = Promise.withResolvers<Datagram>();
    const udp = await open(['127.0.0.1'], (d) => heard.resolve(d));
    const gone = await peer();
    const { port } = gone.address();
    await new Promise<void>((resolve) => gone.close(() => resolve()));
    closing.pop();
    for (let i = 0; i < 3; i++) udp.send(at(udp, false), { address: '127.0.0.1', port }, Uint8Array.of(i));
    const socket = await peer();
    socket.send(Uint8Array.of(9), at(udp, false).port, '127.0.0.1');
    expect((await heard.promise).octets).toEqual(Uint8Array.of(9));
  });

  it('promises that a datagram settles run before the next one of another turn', async () => {
    const { promise: done, resolve: settle } = Promise.withResolvers<void>();
    const udp = await open(['127.0.0.1'], (d) => void Promise.resolve().then(() => udp.send(d.to, d.from, d.octets)));
    const socket = await peer();
    socket.on('message', () => settle());
    socket.send(Uint8Array.of(1), at(udp, false).port, '127.0.0.1');
    await done;
    expect(udp.counters()).toMatchObject({ received: 1, sent: 1 });
  });

  it('closed in the middle of a burst, nothing more is heard and the port is free at once', async () => {
    let heard = 0;
    const closed = Promise.withResolvers<void>();
    const udp = await open(['127.0.0.1'], () => {
      heard += 1;
      udp.close().then(closed.resolve, closed.reject);
    });
    const { port } = at(udp, false);
    const socket = await peer();
    for (let i = 0; i < 100; i++) socket.send(Uint8Array.of(i), port, '127.0.0.1');
    await closed.promise;
    const again = await openUdp({ listen: ['127.0.0.1'], ikePort: port, nattPort: 0, onDatagram: () => undefined, openSocket });
    closing.push(() => again.close());
    expect(at(again, false).port).toBe(port);
    expect(heard).toBe(1);
  });

  it('what was said right before close still leaves', async () => {
    const udp = await open(['127.0.0.1']);
    const socket = await peer();
    const got = next(socket);
    udp.send(at(udp, false), { address: '127.0.0.1', port: socket.address().port }, Uint8Array.of(5));
    await udp.close();
    expect(await got).toMatchObject({ octets: '05' });
  });

  it('a socket is shared with nobody', async () => {
    const udp = await open(['127.0.0.1']);
    const other = createSocket({ type: 'udp4', reuseAddr: true, reusePort: true });
    const error = await new Promise<unknown>((resolve) => other.once('error', resolve).bind(at(udp, false).port, '127.0.0.1'));
    expect(error).toMatchObject({ code: 'EADDRINUSE' });
  });

  it('a port that is taken is refused by number, with the command and the flag that help', async () => {
    const other = await peer();
    const taken = other.address().port;
    const refused = await openUdp({
      listen: ['127.0.0.1'],
      ikePort: 0,
      nattPort: taken,
      onDatagram: () => undefined,
      openSocket,
    }).catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(EnvironmentRefused);
    expect(refused).toMatchObject({ code: 'EADDRINUSE' });
    expect(String(refused)).toContain(`UDP port ${taken} (NAT-T) is taken on 127.0.0.1:${taken}`);
    expect(refused).toMatchObject({ fix: expect.stringMatching(/ss -ulpn.*--natt-port/) });
  });

  it('an address that is not ours is refused with the ones that are', async () => {
    const refused = await open(['192.0.2.77']).catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: 'EADDRNOTAVAIL' });
    expect(String(refused)).toContain('192.0.2.77');
    expect(refused).toMatchObject({ fix: expect.stringContaining('127.0.0.1 (') });
  });

  it('a wildcard follows the addresses of the machine', async () => {
    let addresses = [lo('127.0.0.1'), lo('127.0.0.2')];
    const changes: ListenChange[] = [];
    let rescan = () => Promise.resolve();
    const udp = await openUdp({
      listen: ['127.0.0.2', '0.0.0.0'],
      ikePort: 0,
      nattPort: 0,
      onDatagram: () => undefined,
      openSocket,
      local: () => addresses,
      onChange: (change) => changes.push(change),
      every: (run) => {
        rescan = run;
        return () => undefined;
      },
    });
    closing.push(() => udp.close());
    addresses = [lo('127.0.0.3'), lo('192.0.2.77')];
    await rescan();
    await rescan();
    // 127.0.0.2 was asked for by name and stays; the one that the kernel refuses is said once.
    expect(new Set(udp.listening.map((l) => l.address))).toEqual(new Set(['127.0.0.2', '127.0.0.3']));
    expect(changes.map((c) => `${c.kind} ${c.address}`)).toEqual(['gone 127.0.0.1', 'bound 127.0.0.3', 'refused 192.0.2.77']);
  });

  it('what was refused is tried again, one look at a time', async () => {
    let tentative = true;
    let opened = 0;
    const changes: ListenChange[] = [];
    let rescan = () => Promise.resolve();
    const udp = await openUdp({
      ...{ listen: ['0.0.0.0'], ikePort: 0, nattPort: 0, onDatagram: () => undefined },
      openSocket(local, port, ear) {
        if (local.address === '127.0.0.2' && tentative)
          return Promise.reject(Object.assign(new Error('bind'), { code: 'EADDRNOTAVAIL' }));
        opened += 1;
        return openSocket(local, port, ear);
      },
      local: () => [lo('127.0.0.1'), lo('127.0.0.2')],
      onChange: (change) => changes.push(change),
      every: (run) => {
        rescan = run;
        return () => undefined;
      },
    });
    closing.push(() => udp.close());
    await rescan();
    tentative = false;
    await Promise.all([rescan(), rescan()]);
    expect(changes.map((c) => `${c.kind} ${c.address}`)).toEqual(['refused 127.0.0.2', 'bound 127.0.0.2']);
    expect(opened).toBe(4);
  });
});

describe('a bind that is refused', () => {
  it('a missing right names the capability, and the way without it', () => {
    const refused = bindRefused(Object.assign(new Error('x'), { code: 'EACCES' }), {
      address: '::1',
      port: 500,
      natt: false,
      local: '',
    });
    expect(refused.message).toContain('[::1]:500');
    expect(refused.fix).toMatch(/CAP_NET_BIND_SERVICE.*--ike-port 5500 --natt-port 5501/);
  });
});

const lo = (address: string) => ({ name: 'lo', address, family: 4 as const });
const order = (d: { to: string; natt: boolean }): string => `${d.to} ${d.natt}`;
