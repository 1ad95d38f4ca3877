/** The system calls as a story: what the kernel says, and what becomes of the datagrams. */
import { constants } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { kernelSockets } from '../../../src/net/kernelSockets.ts';
import { EAGAIN, EINTR, type SystemCalls, systemCalls } from '../../../src/net/native.ts';
import { readSockaddr, writeSockaddr } from '../../../src/net/sockaddr.ts';
import { type DatagramSocket, type Endpoint, SEND_QUEUE, type SocketEar } from '../../../src/net/sockets.ts';

const { EPERM, EMSGSIZE, EADDRINUSE, EMFILE, ENOBUFS } = constants.errno;
const to = { address: '192.0.2.1', port: 500 };
const local = { name: 'lo', address: '127.0.0.1', family: 4 } as const;
/** The turn of the event loop in which what is ready is served, and its microtasks. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const open: DatagramSocket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) await socket.close();
});

/** A kernel that says what it is told to: a number as it is, otherwise as many as it was given. */
function kernel(says: { receive?: number[]; send?: number[]; bind?: number; getName?: number; socket?: number } = {}) {
  const log: string[] = [];
  const sent: number[] = [];
  const closed: number[] = [];
  let ready: () => void = () => undefined;
  const calls: SystemCalls = {
    socket: () => says.socket ?? 7,
    setOption: () => 0,
    setOctets: () => 0,
    connect: () => 0,
    getOption: () => 0,
    bind: () => says.bind ?? 0,
    getName: (_fd, name) => {
      writeSockaddr(name, 0, Uint8Array.of(127, 0, 0, 1), 4500);
      return says.getName ?? 0;
    },
    receive: () => says.receive?.shift() ?? -EAGAIN,
    send: (_fd, _headers, count) => {
      const result = says.send?.shift() ?? count;
      if (result > 0) sent.push(result);
      return result;
    },
    close: (fd) => {
      closed.push(fd);
      return 0;
    },
    addressOf: () => 0x7f00_0000_1000,
    watch: (_fd, whenReady) => {
      ready = whenReady;
      return { writable: (on) => log.push(`writable ${on}`), close: () => log.push('unwatched') };
    },
  };
  return { calls, log, sent, closed, ready: () => ready() };
}

function listener() {
  const heard = { arrived: [] as Endpoint[], sent: 0, queueFull: 0, failed: [] as string[] };
  const ear: SocketEar = {
    arrived: (_octets, from) => heard.arrived.push(from),
    sent: (n) => {
      heard.sent += n;
    },
    queueFull: () => {
      heard.queueFull += 1;
    },
    failed: (code) => heard.failed.push(code),
  };
  return { heard, ear };
}

async function bound(k: ReturnType<typeof kernel>) {
  const { heard, ear } = listener();
  const socket = await kernelSockets(k.calls)(local, 0, ear);
  open.push(socket);
  return { socket, heard };
}

describe('a socket of system calls', () => {
  it('sends at the end of the turn, all in one call', async () => {
    const k = kernel();
    const { socket, heard } = await bound(k);
    for (let i = 0; i < 3; i++) socket.send(to, Uint8Array.of(i));
    expect(k.sent).toEqual([]);
    await turn();
    expect(k.sent).toEqual([3]);
    expect(heard).toMatchObject({ sent: 3, failed: [] });
  });

  it('keeps what the kernel has no room for, up to a bound, and sends it when there is room', async () => {
    const k = kernel({ send: [10, -EAGAIN] });
    const { socket, heard } = await bound(k);
    for (let i = 0; i < SEND_QUEUE + 10 + 5; i++) socket.send(to, Uint8Array.of(i));
    expect(heard).toMatchObject({ sent: 10, queueFull: 5 });
    expect(k.log).toEqual(['writable true']);
    k.ready();
    await turn();
    expect(heard).toMatchObject({ sent: SEND_QUEUE + 10, queueFull: 5, failed: [] });
    expect(k.log).toEqual(['writable true', 'writable false']);
  });

  it('a datagram that is refused is counted by its code and does not hold up the next', async () => {
    const k = kernel({ send: [1, -EMSGSIZE, -EINTR, 1, -EPERM, -ENOBUFS] });
    const { socket, heard } = await bound(k);
    for (let i = 0; i < 6; i++) socket.send(to, Uint8Array.of(i));
    await turn();
    expect(heard).toMatchObject({ sent: 3, failed: ['EMSGSIZE', 'EPERM', 'ENOBUFS'] });
  });

  it('an error that waits at a socket is counted; a wake for nothing is not', async () => {
    const k = kernel({ receive: [-constants.errno.ECONNREFUSED, -EINTR, -EAGAIN] });
    const { heard } = await bound(k);
    for (let i = 0; i < 3; i++) {
      k.ready();
      await turn();
    }
    expect(heard).toMatchObject({ arrived: [], failed: ['ECONNREFUSED'] });
  });

  it('what cannot be said to the kernel is not tried', async () => {
    const k = kernel();
    const { socket, heard } = await bound(k);
    socket.send({ address: '::1', port: 500 }, Uint8Array.of(1));
    socket.send({ address: 'localhost', port: 500 }, Uint8Array.of(1));
    socket.send(to, new Uint8Array(65_536));
    await turn();
    expect(k.sent).toEqual([]);
    expect(heard.failed).toEqual(['EINVAL', 'EINVAL', 'EMSGSIZE']);
  });

  it('closes once, and is deaf and dumb from then on', async () => {
    const k = kernel({ receive: [1] });
    const { socket, heard } = await bound(k);
    k.ready();
    await socket.close();
    await socket.close();
    socket.send(to, Uint8Array.of(1));
    await turn();
    expect(k.closed).toEqual([7]);
    expect(k.log).toEqual(['unwatched']);
    expect(heard).toMatchObject({ arrived: [], sent: 0 });
  });

  it.each([
    ['socket', { socket: -EMFILE }, 'EMFILE', []],
    ['bind', { bind: -EADDRINUSE }, 'EADDRINUSE', [7]],
    ['getsockname', { getName: -ENOBUFS }, 'ENOBUFS', [7]],
  ] as const)('%s refused: a rejection with the code, and nothing stays open', async (_call, says, code, closed) => {
    const k = kernel(says);
    await expect(kernelSockets(k.calls)(local, 0, listener().ear)).rejects.toMatchObject({ code });
    expect(k.closed).toEqual(closed);
  });
});

describe('socket addresses', () => {
  it.each([
    ['0.0.0.0', [0, 0, 0, 0]],
    ['192.0.2.255', [192, 0, 2, 255]],
    ['::', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['2001:db8:0:1:1:1:1:1', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]],
    ['2001:0:0:1::1', [0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::1:0:0:1', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]],
  ])('%s reads as it was written, as RFC 5952 has it', (address, octets) => {
    const name = new Uint8Array(40);
    writeSockaddr(name, 4, Uint8Array.from(octets), 65_500);
    expect(readSockaddr(name, 4)).toEqual({ address, port: 65_500 });
  });

  it('a scope is shown', () => {
    const name = new Uint8Array(28);
    writeSockaddr(
      name,
      0,
      Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfe : i === 1 ? 0x80 : 0)),
      500,
    );
    name[24] = 3;
    expect(readSockaddr(name, 0)).toEqual({ address: 'fe80::%3', port: 500 });
  });
});

describe('where there are no system calls, it is said why', () => {
  const koffi = () => import('koffi');
  it.each([
    ['no koffi', { platform: 'linux', arch: 'x64' }, { code: 'ERR_MODULE_NOT_FOUND' }, 'koffi is not installed'],
    ['a koffi that does not load', { platform: 'linux', arch: 'arm64' }, {}, 'GLIBC_2.99 not found'],
    ['another system', { platform: 'darwin', arch: 'arm64' }, undefined, 'it is not made for darwin on arm64'],
    ['32 bits', { platform: 'linux', arch: 'arm' }, undefined, 'it is not made for linux on arm'],
  ] as const)('%s', async (_name, machine, error, why) => {
    const load = error === undefined ? koffi : () => Promise.reject(Object.assign(new Error('GLIBC_2.99 not found'), error));
    expect(await systemCalls(machine, load)).toBe(why);
  });
  it('and where there are, they are bound once', async () => expect(await systemCalls()).toBe(await systemCalls()));
});
