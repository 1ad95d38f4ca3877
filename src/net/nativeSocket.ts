/**
 * UDP sockets by the C library: one system call takes all datagrams that have come, one sends all that are due. Memory for both
 * is there once; what is handed up is a copy of its exact size.
 */
import { Messages } from './messages.ts';
import { errnoName, loadNative, type Native, type Polling } from './native.ts';
import { AF_INET, AF_INET6, addressAt, errnoOf, portAt, SOCKADDR, writeSockaddr } from './sockaddr.ts';
import { dgramSocket, type OpenSocket, RECEIVE_BUFFER, type SocketEvents, type UdpSocket } from './socket.ts';

/** Datagrams taken by one call, and calls before other sockets have their turn. */
const BATCH = 32;
const TURNS = 4;
const DATAGRAM_MAX = 65_535;
/** Datagrams and octets of one socket that may wait to be sent. */
const OUT = { count: 64, octets: 256 * 1024 } as const;

const [SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [2, 0o4000, 0o2000000];
const [SOL_SOCKET, SO_RCVBUF, SO_RCVBUFFORCE, IPPROTO_IPV6, IPV6_V6ONLY] = [1, 8, 33, 41, 26];
const [AGAIN, INTERRUPTED] = [-errnoOf('EAGAIN'), -errnoOf('EINTR')];

/** The best opener of this machine, and why it is not the C library's where it is not. */
export function systemSockets(): { readonly open: OpenSocket; readonly why?: string } {
  const loaded = loadNative();
  return 'native' in loaded ? { open: nativeSockets(loaded.native) } : { open: dgramSocket, why: loaded.why };
}

/** Makes the opener; all its sockets share the memory that datagrams are received into. */
export function nativeSockets(native: Native): OpenSocket {
  const shared = new Shared(native);
  // biome-ignore lint/suspicious/useAwait: a refusal is a rejection here, as it is with dgram
  return async ({ address, family }, port, events) => {
    const fd = must('socket', native.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC));
    try {
      if (family === 6) must('setsockopt', native.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
      const name = new Uint8Array(SOCKADDR);
      const length = writeSockaddr(name, 0, address, port);
      must('bind', length === 0 ? -errnoOf('EINVAL') : native.bind(fd, name.subarray(0, length)));
      must('getsockname', native.socketName(fd, name));
      // The first is root's, and exceeds net.core.rmem_max; the second is cut there.
      if (native.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0)
        native.setOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
      return new NativeSocket(fd, portAt(name, 0), shared, events);
    } catch (error) {
      native.close(fd);
      throw error;
    }
  };
}

function must(call: string, result: number): number {
  if (result < 0) throw failure(call, result);
  return result;
}

const failure = (call: string, result: number): Error =>
  Object.assign(new Error(`${call} ${errnoName(-result)}`), { code: errnoName(-result), syscall: call });

/** What the sockets of one opener have together. */
class Shared {
  readonly native: Native;
  readonly received: Messages;
  /** Sockets with something to send. */
  readonly #due = new Set<NativeSocket>();
  #awake = false;
  #flushing = false;
  #ticking = false;

  constructor(native: Native) {
    this.native = native;
    this.received = new Messages(native, BATCH, BATCH * (DATAGRAM_MAX + 1));
    for (let i = 0; i < BATCH; i++) this.received.place(i, i * (DATAGRAM_MAX + 1), DATAGRAM_MAX);
  }

  /** Does the work of a wake-up, then sends all that it gave rise to in as few calls as there are sockets. */
  wake(work: () => void): void {
    this.#awake = true;
    try {
      work();
    } finally {
      this.#awake = false;
      this.#flush();
    }
    // koffi calls back outside of Node's own callbacks: nobody runs promises after it. An empty immediate makes Node do that.
    if (this.#ticking) return;
    this.#ticking = true;
    setImmediate(this.#ticked);
  }

  /** Something waits in this socket. */
  due(socket: NativeSocket): void {
    this.#due.add(socket);
    if (this.#awake || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(this.#flushed);
  }

  readonly #ticked = (): void => {
    this.#ticking = false;
  };
  readonly #flushed = (): void => {
    this.#flushing = false;
    this.#flush();
  };

  #flush(): void {
    for (const socket of this.#due) socket.flush();
    this.#due.clear();
  }
}

class NativeSocket implements UdpSocket {
  readonly port: number;
  readonly #fd: number;
  readonly #shared: Shared;
  readonly #events: SocketEvents;
  readonly #polling: Polling;
  #out: Messages | undefined;
  /** Of the messages in `#out`: the next to be sent, how many there are, and the octets they take. */
  #first = 0;
  #count = 0;
  #octets = 0;
  /** The kernel's buffer is full: it says when it no longer is. */
  #blocked = false;
  #closed = false;

  constructor(fd: number, port: number, shared: Shared, events: SocketEvents) {
    this.#fd = fd;
    this.port = port;
    this.#shared = shared;
    this.#events = events;
    const work = { read: () => this.#read(), write: () => this.#unblocked() };
    this.#polling = shared.native.poll(fd, (readable, writable) => {
      if (writable && this.#blocked) shared.wake(work.write);
      if (readable) shared.wake(work.read);
    });
  }

  send(to: { readonly address: string; readonly port: number }, octets: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#out ??= new Messages(this.#shared.native, OUT.count, OUT.octets);
    const out = this.#out;
    if (octets.length > DATAGRAM_MAX) {
      this.#events.failed(failure('sendmmsg', -errnoOf('EMSGSIZE')));
      return true;
    }
    const full = () => this.#count === OUT.count || this.#octets + octets.length > OUT.octets;
    if (full()) this.flush();
    if (full()) return false;
    const i = this.#count;
    const length = writeSockaddr(out.names, out.nameAt(i), to.address, to.port);
    if (length === 0 || to.port === 0) {
      this.#events.failed(failure('sendmmsg', -errnoOf('EINVAL')));
      return true;
    }
    out.nameLength(i, length);
    out.octets.set(octets, this.#octets);
    out.place(i, this.#octets, octets.length);
    this.#octets += octets.length;
    this.#count += 1;
    this.#shared.due(this);
    return true;
  }

  /** Hands over to the kernel what waits, as much as it takes. */
  flush(): void {
    const { native } = this.#shared;
    const out = this.#out;
    if (out === undefined || this.#closed || this.#blocked) return;
    while (this.#first < this.#count) {
      const n = native.sendMany(this.#fd, out.headers, this.#first, this.#count - this.#first);
      if (n === AGAIN) {
        this.#blocked = true;
        return this.#polling.writable(true);
      }
      if (n > 0) {
        this.#first += n;
        this.#events.sent(n);
      } else if (n !== INTERRUPTED) {
        this.#first += 1; // that one cannot be sent; those behind it can
        this.#events.failed(failure('sendmmsg', n));
      }
    }
    this.#first = this.#count = this.#octets = 0;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.flush();
      this.#closed = true;
      this.#polling.close();
      this.#shared.native.close(this.#fd);
    }
    return Promise.resolve();
  }

  #unblocked(): void {
    this.#blocked = false;
    this.#polling.writable(false);
    this.flush();
  }

  #read(): void {
    const { native, received } = this.#shared;
    for (let turn = 0; turn < TURNS && !this.#closed; turn++) {
      for (let i = 0; i < BATCH; i++) received.nameLength(i);
      const n = native.receiveMany(this.#fd, received.headers, BATCH);
      if (n === AGAIN) return;
      if (n < 0 && n !== INTERRUPTED) this.#events.failed(failure('recvmmsg', n));
      for (let i = 0; i < n && !this.#closed; i++) {
        const at = i * (DATAGRAM_MAX + 1);
        const name = received.nameAt(i);
        const octets = received.octets.slice(at, at + received.length(i));
        this.#events.message(octets, addressAt(received.names, name), portAt(received.names, name));
      }
      if (n >= 0 && n < BATCH) return;
    }
  }
}
