/**
 * The system calls that Node does not offer, of the C library that Node itself is linked with. The one file of this part that
 * calls C: every length is right here, or the process is lost. Without koffi, or on another system than 64-bit Linux, there is a
 * reason instead.
 */
import { createRequire } from 'node:module';
import { constants, endianness } from 'node:os';

/** Calls give what C gives, and -errno in the place of -1. */
export type Native = {
  socket(domain: number, type: number): number;
  setOption(fd: number, level: number, name: number, value: number): number;
  /** `address`: a whole sockaddr. */
  bind(fd: number, address: Uint8Array): number;
  /** Writes the sockaddr into `address`. */
  socketName(fd: number, address: Uint8Array): number;
  /** `headers`: a table of `count` struct mmsghdr, whose pointers lead into memory that its owner keeps. */
  receiveMany(fd: number, headers: Uint8Array, count: number): number;
  /** The table begins `first` entries on. */
  sendMany(fd: number, headers: Uint8Array, first: number, count: number): number;
  close(fd: number): number;
  /** Where these octets lie. They must not be moved: an ArrayBuffer of their own, never resized. */
  address(octets: Uint8Array): number;
  /** Calls back whenever the file can be read, and when asked so, written. */
  poll(fd: number, on: (readable: boolean, writable: boolean) => void): Polling;
};

export type Polling = {
  /** From here on also told when it can be written, or no longer. */
  writable(wanted: boolean): void;
  close(): void;
};

/** Octets of one struct mmsghdr of 64-bit Linux. */
export const MMSGHDR = 64;

const MSG_DONTWAIT = 0x40;

type Koffi = typeof import('koffi');
export type Loaded = { readonly native: Native } | { readonly why: string };
let loaded: Loaded | undefined;

/** The calls, or why there are none. The first call decides. */
export function loadNative(): Loaded {
  loaded ??= load();
  return loaded;
}

function load(): Loaded {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE')
    return { why: `it is made for 64-bit Linux, this is ${process.platform} ${process.arch}` };
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return { native: bindings(koffi) };
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    return { why: code === 'MODULE_NOT_FOUND' ? 'the optional package koffi is not installed' : String(error) };
  }
}

function bindings(koffi: Koffi): Native {
  const c = koffi.load(null);
  const socket = c.func('int socket(int domain, int type, int protocol)');
  const setsockopt = c.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
  const bind = c.func('int bind(int fd, const void *address, uint32_t length)');
  const getsockname = c.func('int getsockname(int fd, void *address, void *length)');
  const recvmmsg = c.func('int recvmmsg(int fd, void *headers, unsigned int count, int flags, void *timeout)');
  const sendmmsg = c.func('int sendmmsg(int fd, void *headers, unsigned int count, int flags)');
  const close = c.func('int close(int fd)');
  const result = (given: number): number => (given < 0 ? -koffi.errno() : given);
  return {
    socket: (domain, type) => result(socket(domain, type, 0)),
    setOption: (fd, level, name, value) => result(setsockopt(fd, level, name, Int32Array.of(value), 4)),
    bind: (fd, address) => result(bind(fd, address, address.length)),
    socketName: (fd, address) => result(getsockname(fd, address, Uint32Array.of(address.length))),
    receiveMany(fd, headers, count) {
      if (headers.length < count * MMSGHDR) throw new RangeError('more messages than the table has');
      return result(recvmmsg(fd, headers, count, MSG_DONTWAIT, null));
    },
    sendMany(fd, headers, first, count) {
      if (headers.length < (first + count) * MMSGHDR) throw new RangeError('more messages than the table has');
      return result(sendmmsg(fd, first === 0 ? headers : headers.subarray(first * MMSGHDR), count, MSG_DONTWAIT));
    },
    close: (fd) => result(close(fd)),
    address: (octets) => Number(koffi.address(octets)),
    poll(fd, on) {
      // Its types say otherwise: the status comes first, and a failure is to be seen by whoever reads then.
      const heard = ((status: number, { readable, writable }: { readable: boolean; writable: boolean }) =>
        on(readable || status < 0, writable)) as unknown as Parameters<typeof koffi.node.poll>[1];
      const handle = koffi.node.poll(fd, { readable: true }, heard);
      return {
        writable: (wanted) => handle.start({ readable: true, writable: wanted }, heard),
        close: () => handle.close(),
      };
    },
  };
}

/** The name of an errno: 'EADDRINUSE'. */
export function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
