/**
 * The C library's own calls, for what Node does not offer: many datagrams in one system call, in memory that is there already.
 * The only file here that knows koffi; without it, or elsewhere than on 64-bit Linux, there is none of this and node:dgram
 * serves (`sockets.ts`). A test may put its own function in the place of any call.
 */
import { codeOf } from './refusal.ts';

/** Each gives what the call gives, or minus the errno. What a header points to must be kept by whoever made the header. */
export type SystemCalls = {
  /** A datagram socket, non-blocking, closed on exec. */
  socket(family: number): number;
  setOption(fd: number, level: number, option: number, value: number): number;
  /** The same with a value of some octets. */
  setOctets(fd: number, level: number, option: number, value: Uint8Array): number;
  bind(fd: number, name: Uint8Array): number;
  /** For a datagram socket only a matter of routes: nothing is sent. */
  connect(fd: number, name: Uint8Array): number;
  /** The value of an option that is a number of four octets. */
  getOption(fd: number, level: number, option: number): number;
  /** Writes the socket's own address. */
  getName(fd: number, name: Uint8Array): number;
  /** recvmmsg and sendmmsg; `headers` are struct mmsghdr (`messages.ts`). */
  receive(fd: number, headers: Uint8Array, count: number): number;
  send(fd: number, headers: Uint8Array, count: number): number;
  close(fd: number): number;
  /** Where octets lie, for as long as their ArrayBuffer lives. It must be larger than 64 octets: small ones move. */
  addressOf(octets: Uint8Array): number;
  watch(fd: number, ready: () => void): Watch;
};

/** What a TUN device takes; `close` is that of whoever opened it. */
export type TunCalls = Pick<SystemCalls, 'close' | 'watch'> & {
  /** TUNSETIFF on an open /dev/net/tun; `request` is a struct ifreq, which comes back with the name. */
  makeTun(fd: number, request: Uint8Array): number;
  /** TUNSETOFFLOAD: what the kernel may leave to us. */
  setOffload(fd: number, offloads: number): number;
  /** A packet into, or out of, octets[at…at+length). */
  read(fd: number, octets: Uint8Array, at: number, length: number): number;
  write(fd: number, octets: Uint8Array, at: number, length: number): number;
};

/**
 * Tells that a socket has something to read or, while `writable` is on, room to write: in every turn of the event loop until
 * that has been done. Keeps the process alive until it is closed. `ready` runs outside of any callback scope of Node: what it
 * leaves to promises waits for the next one, so that it had better only take note and call setImmediate.
 */
export type Watch = { writable(on: boolean): void; close(): void };

/** The errno that steer; all others are only told, by Node's name for them. */
export const EINTR = 4;
export const EAGAIN = 11;

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** _IOW('T', 202, int) */
const TUNSETIFF = 0x400454ca;
/** _IOW('T', 208, unsigned int) */
const TUNSETOFFLOAD = 0x400454d0;

type Koffi = Pick<typeof import('koffi'), 'load' | 'errno' | 'address' | 'node'>;

type Machine = { readonly platform: string; readonly arch: string };
type Found = (SystemCalls & TunCalls) | string;
let ours: Promise<Found> | undefined;

/** The calls, or why there are none; bound once a thread. Machine and library are a test's own. */
export function systemCalls(machine?: Machine, load?: () => Promise<Koffi>): Promise<Found> {
  if (machine !== undefined || load !== undefined) return find(machine, load);
  ours ??= find();
  return ours;
}

async function find({ platform, arch }: Machine = process, load: () => Promise<Koffi> = () => import('koffi')): Promise<Found> {
  // The layouts in `messages.ts` and `sockaddr.ts` are those of 64-bit, little-endian Linux.
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) return `it is not made for ${platform} on ${arch}`;
  try {
    return bindings(await load());
  } catch (error) {
    const code = codeOf(error);
    return code === 'ERR_MODULE_NOT_FOUND' ? 'koffi is not installed' : code;
  }
}

function bindings(koffi: Koffi): SystemCalls & TunCalls {
  const libc = koffi.load(null);
  // koffi knows nothing of types; these are what the declarations say.
  const call = <A extends unknown[]>(declaration: string): ((...given: A) => number) => {
    const raw = libc.func(declaration) as (...given: A) => number;
    return (...given) => {
      const result = raw(...given);
      return result < 0 ? -koffi.errno() : result;
    };
  };
  const socket = call<[number, number, number]>('int socket(int, int, int)');
  const setsockopt = call<[number, number, number, Int32Array | Uint8Array, number]>(
    'int setsockopt(int, int, int, const void *, uint32_t)',
  );
  const bind = call<[number, Uint8Array, number]>('int bind(int, const void *, uint32_t)');
  const connect = call<[number, Uint8Array, number]>('int connect(int, const void *, uint32_t)');
  const getsockopt = call<[number, number, number, Int32Array, Uint32Array]>('int getsockopt(int, int, int, void *, void *)');
  const getsockname = call<[number, Uint8Array, Uint32Array]>('int getsockname(int, void *, void *)');
  const recvmmsg = call<[number, Uint8Array, number, number, null]>('int recvmmsg(int, void *, unsigned int, int, void *)');
  const sendmmsg = call<[number, Uint8Array, number, number]>('int sendmmsg(int, void *, unsigned int, int)');
  const close = call<[number]>('int close(int)');
  const ioctl = call<[number, number, Uint8Array]>('int ioctl(int, unsigned long, void *)');
  const ioctlNumber = call<[number, number, number]>('int ioctl(int, unsigned long, unsigned long)');
  const read = call<[number, number, number]>('int64_t read(int, uintptr_t, size_t)');
  const write = call<[number, number, number]>('int64_t write(int, uintptr_t, size_t)');
  const bases = new WeakMap<Uint8Array, number>();
  /** Of octets that are there: memory of an ArrayBuffer does not move while it lives. */
  const place = (octets: Uint8Array, at: number, length: number): number => {
    if (at < 0 || length < 0 || at + length > octets.length) throw new RangeError('beyond the octets');
    let base = bases.get(octets);
    if (base === undefined) {
      // Asking for `buffer` takes small arrays out of the heap, where they could move; and it costs more than all else here.
      base = Number(koffi.address(octets.buffer)) + octets.byteOffset;
      bases.set(octets, base);
    }
    return base + at;
  };
  return {
    socket: (family) => socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
    setOption: (fd, level, option, value) => setsockopt(fd, level, option, Int32Array.of(value), 4),
    setOctets: (fd, level, option, value) => setsockopt(fd, level, option, value, value.length),
    bind: (fd, name) => bind(fd, name, name.length),
    connect: (fd, name) => connect(fd, name, name.length),
    getOption(fd, level, option) {
      const value = new Int32Array(1);
      const result = getsockopt(fd, level, option, value, Uint32Array.of(4));
      return result < 0 ? result : (value[0] ?? 0);
    },
    getName: (fd, name) => getsockname(fd, name, Uint32Array.of(name.length)),
    receive: (fd, headers, count) => recvmmsg(fd, headers, count, 0, null),
    send: (fd, headers, count) => sendmmsg(fd, headers, count, 0),
    close,
    addressOf: (octets) => Number(koffi.address(octets)),
    watch: (fd, ready) => watch(koffi, fd, ready),
    makeTun: (fd, request) => ioctl(fd, TUNSETIFF, request),
    setOffload: (fd, offloads) => ioctlNumber(fd, TUNSETOFFLOAD, offloads),
    read: (fd, octets, at, length) => read(fd, place(octets, at, length), length),
    write: (fd, octets, at, length) => write(fd, place(octets, at, length), length),
  };
}

function watch(koffi: Koffi, fd: number, ready: () => void): Watch {
  let wanted = { readable: true, writable: false };
  let closed = false;
  const woken = (status?: unknown): void => {
    ready();
    // libuv ends a watch whose socket reports an error; the next receive or send takes that error away.
    if (typeof status === 'number' && status < 0 && !closed) handle.start(wanted, woken);
  };
  const handle = koffi.node.poll(fd, wanted, woken);
  return {
    writable(on) {
      if (closed || on === wanted.writable) return;
      wanted = { readable: true, writable: on };
      handle.start(wanted, woken);
    },
    close() {
      if (closed) return;
      closed = true;
      handle.close();
    },
  };
}
