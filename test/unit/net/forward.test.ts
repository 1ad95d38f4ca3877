/** Packets that are forwarded, by the C library on loopback and by node:dgram: whole, in order, whatever the kernel refuses. */
import { constants } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { kernelSockets } from '../../../src/net/kernelSockets.ts';
import { type SystemCalls, systemCalls } from '../../../src/net/native.ts';
import { type DatagramSocket, dgramSocket, type Endpoint, type OpenSocket, type SocketEar } from '../../../src/net/sockets.ts';
import { openUdp } from '../../../src/net/udp.ts';
import { octets } from './packets.ts';

const { EIO, EINVAL, EMSGSIZE, EAGAIN, EPERM } = constants.errno;
const local = { name: 'lo', address: '127.0.0.1', family: 4 } as const;
const here = { address: '127.0.0.1', port: 0 };
const calls = await systemCalls();
const native = typeof calls !== 'string';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function ear(passing?: SocketEar['passing']) {
  const heard = { arrived: [] as Uint8Array[], sent: 0, queueFull: 0, failed: [] as string[] };
  const listener: SocketEar = {
    arrived: (o) => heard.arrived.push(o),
    sent: (n) => {
      heard.sent += n;
    },
    queueFull: () => {
      heard.queueFull += 1;
    },
    failed: (code) => heard.failed.push(code),
    ...(passing === undefined ? {} : { passing }),
  };
  return { heard, listener };
}

async function pair(open: OpenSocket) {
  const passed: { octets: Uint8Array; from: Endpoint }[] = [];
  const to = ear((b, at, length, from) => {
    if (length === 100) return false;
    passed.push({ octets: b.slice(at, at + length), from });
    b.fill(0, at, at + length); // it is ours during the call
    return true;
  });
  const from = ear();
  const receiver = await open(local, 0, to.listener);
  const sender: DatagramSocket = await open(local, 0, from.listener);
  closing.push(
    () => sender.close(),
    () => receiver.close(),
  );
  const there = { address: here.address, port: receiver.port };
  /** From the middle of a buffer that is written over at once. */
  const forward = (packet: Uint8Array) => {
    const b = new Uint8Array(packet.length + 11);
    b.set(packet, 7);
    sender.forward(there, b, 7, packet.length);
    b.fill(0xee);
  };
  const arrive = async (count: number) => {
    for (let i = 0; passed.length + to.heard.arrived.length < count && i < 2000; i++)
      await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { passed, to: to.heard, from: from.heard, forward, arrive, sender };
}

const packets = (count: number, size = 1300) => Array.from({ length: count }, (_, i) => octets(size, i + 1));

const ways: readonly (readonly [string, () => OpenSocket])[] = [
  ['node:dgram', () => dgramSocket],
  ...(typeof calls === 'string'
    ? []
    : [
        ['the C library', () => kernelSockets(calls)] as const,
        ['the C library on a kernel without UDP_GRO', () => kernelSockets(without(calls))] as const,
        ['the C library where no run can go', () => kernelSockets(refusing(calls, EIO))] as const,
        ['the C library where runs are longer than the MTU', () => kernelSockets(refusing(calls, EMSGSIZE))] as const,
        ['the C library where they are, on an older kernel', () => kernelSockets(refusing(calls, EINVAL))] as const,
      ]),
];

function without(real: SystemCalls): SystemCalls {
  return { ...real, setOption: (fd, level, option, value) => (level === 17 ? -92 : real.setOption(fd, level, option, value)) };
}

/** Messages with a control message are refused, as a device without checksums does. */
function refusing(real: SystemCalls, errno: number): SystemCalls {
  return {
    ...real,
    send: (fd, headers, count) => {
      const words = new Uint32Array(headers.buffer, headers.byteOffset, headers.length / 4);
      for (let i = 0; i < count; i++) if (words[i * 16 + 10] !== 0) return i === 0 ? -errno : real.send(fd, headers, i);
      return real.send(fd, headers, count);
    },
  };
}

it('has the C library here', () => {
  expect(native).toBe(true);
});

describe.each(ways)('forwarded by %s', (_, make) => {
  it('packets of one size arrive whole and in order', async () => {
    const s = await pair(make());
    const all = packets(200);
    for (const packet of all) s.forward(packet);
    await s.arrive(all.length);
    expect(s.passed.map((p) => p.octets)).toEqual(all);
    expect(s.passed[0]?.from).toEqual({ address: '127.0.0.1', port: s.sender.port });
    expect(s.from).toMatchObject({ sent: 200, failed: [], queueFull: 0 });
  });

  it('packets of many sizes do, too', async () => {
    const s = await pair(make());
    const all = [1300, 1300, 700, 1300, 1400, 1400, 1400, 9, 9, 60_000, 65_000, 1300, 1300].map((size, i) => octets(size, i + 1));
    for (const packet of all) s.forward(packet);
    await s.arrive(all.length);
    expect(s.passed.map((p) => p.octets)).toEqual(all);
  });

  it('what is not taken as it passes arrives', async () => {
    const s = await pair(make());
    const all = [...packets(3, 100), ...packets(2, 101)];
    for (const packet of all) s.forward(packet);
    await s.arrive(all.length);
    expect(s.to.arrived).toEqual(packets(3, 100));
    expect(s.passed.map((p) => p.octets)).toEqual(packets(2, 101));
  });
});

describe.runIf(native)('a kernel', () => {
  const scripted = (script: (number | 'real')[]) => {
    const real = calls as SystemCalls;
    const asked: number[] = [];
    return {
      asked,
      calls: {
        ...real,
        send: (fd: number, headers: Uint8Array, count: number) => {
          asked.push(count);
          const next = script.shift() ?? 'real';
          return next === 'real' ? real.send(fd, headers, count) : next > 0 ? real.send(fd, headers, next) : next;
        },
      },
    };
  };

  it('that takes a part gets the rest', async () => {
    const k = scripted([1, -EAGAIN, 'real']);
    const s = await pair(kernelSockets(k.calls));
    const all = [...packets(2), ...packets(2, 500), ...packets(2, 700)];
    for (const packet of all) s.forward(packet);
    await s.arrive(all.length);
    expect(s.passed.map((p) => p.octets)).toEqual(all);
    // Two runs end with a shorter one that begins no run: 1300 1300 500 | 500 | 700 700.
    expect(k.asked).toEqual([3, 2, 2]);
    expect(s.from).toMatchObject({ sent: 6, failed: [] });
  });

  it('that refuses one message is told by code, and the others go', async () => {
    const k = scripted([-EPERM]);
    const s = await pair(kernelSockets(k.calls));
    for (const packet of [...packets(1, 300), ...packets(2, 400)]) s.forward(packet);
    await s.arrive(2);
    expect(s.passed.map((p) => p.octets)).toEqual(packets(2, 400));
    expect(s.from).toMatchObject({ sent: 2, failed: ['EPERM'] });
  });

  it('that refuses a run has refused every packet of it', async () => {
    const k = scripted([-EPERM]);
    const s = await pair(kernelSockets(k.calls));
    for (const packet of [...packets(3, 300), ...packets(1, 400)]) s.forward(packet);
    await s.arrive(1);
    expect(s.passed.map((p) => p.octets)).toEqual(packets(1, 400));
    expect(s.from).toMatchObject({ sent: 1, failed: ['EPERM', 'EPERM', 'EPERM'] });
  });

  it('without room: so much waits as fits, the rest is dropped and counted', async () => {
    const k = scripted(new Array<number>(1).fill(-EAGAIN));
    const s = await pair(kernelSockets(k.calls));
    const all = packets(600);
    for (const packet of all) s.forward(packet);
    const { queueFull } = s.from;
    expect(queueFull).toBeGreaterThan(100);
    await s.arrive(all.length - queueFull);
    expect(s.passed).toHaveLength(all.length - queueFull);
    expect(s.passed.map((p) => p.octets)).toEqual(all.slice(0, all.length - queueFull));
  });
});

it('a port asks first about what comes to its NAT-T side, and forwards from where it is told', async () => {
  const heard: [string, number][] = [];
  const udp = await openUdp({
    ...{ listen: ['127.0.0.1'], ikePort: 0, nattPort: 0 },
    onDatagram: ({ octets: o }) => heard.push(['arrived', o.length]),
    onPassing: (_b, _at, length) => {
      heard.push(['passing', length]);
      return length > 10;
    },
  });
  closing.push(() => udp.close());
  const [ike, natt] = udp.listening;
  if (ike === undefined || natt === undefined) throw new Error('nothing listens');
  const b = octets(50);
  udp.forward(ike, natt, b, 0, 20);
  udp.forward(ike, natt, b, 0, 5);
  udp.forward(natt, ike, b, 0, 30);
  udp.forward({ address: '127.0.0.1', port: 1 }, natt, b, 0, 30);
  udp.forward(natt, { address: '127.0.0.1', port: 0 }, b, 0, 30);
  for (let i = 0; heard.length < 4 && i < 2000; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(heard.sort()).toEqual([
    ['arrived', 30],
    ['arrived', 5],
    ['passing', 20],
    ['passing', 5],
  ]);
  expect(udp.counters()).toMatchObject({ received: 3, sent: 3, noSocket: 1, failed: { ERR_SOCKET_BAD_PORT: 1 } });
});
