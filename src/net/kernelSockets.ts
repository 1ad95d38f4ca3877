/**
 * UDP sockets by system calls: up to 64 datagrams are received, or sent, in one call, in memory that was made at the start.
 *
 *     poll says ready ──► setImmediate ──► for each ready socket: recvmmsg ──► listener, datagram by datagram
 *                                          then, for each socket that has something to send: sendmmsg
 *
 * What is sent outside of that goes with the end of the running turn, or at once when it fills a batch. A socket sends in the
 * order it was told to; what the kernel has no room for waits until it has, up to a bound.
 */
import { getSystemErrorName } from 'node:util';
import type { LocalAddress } from './addresses.ts';
import { BATCH, Inbox, LONGEST, Outbox, SOL_UDP, UDP_GRO, UDP_SEGMENT } from './messages.ts';
import { EAGAIN, EINTR, type SystemCalls, type Watch } from './native.ts';
import { AF_INET, AF_INET6, addressOctets, readSockaddr, SOCKADDR, writeSockaddr } from './sockaddr.ts';
import { type DatagramSocket, type Endpoint, type OpenSocket, SEND_QUEUE, SOCKET_BUFFER, type SocketEar } from './sockets.ts';

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SO_SNDBUF = 7;
const EIO = 5;
/** A run whose datagrams are longer than the MTU: the first on older kernels, the second since Linux 6.14. */
const [EINVAL, EMSGSIZE] = [22, 90];
/** Room of a socket for packets that are forwarded. */
const TRAIN = 8 * 65_536;

/** Gives a bound socket; throws, or rejects with, an error with a code. */
export type Bound = (local: LocalAddress, port: number, natt: boolean) => number | Promise<number>;

/** A maker of sockets that share their memory: only one of them receives, or sends, at a time. */
export function kernelSockets(calls: SystemCalls, bound: Bound = (local, port) => boundSocket(calls, local, port)): OpenSocket {
  const turn = new Turn(calls);
  // Async, so that a refusal is a rejection as it is with dgram.
  return async (local, port, ear) => {
    const fd = await bound(local, port, ear.passing !== undefined);
    try {
      return await Promise.resolve(new KernelSocket(calls, turn, fd, local.family, ear));
    } catch (error) {
      calls.close(fd);
      throw error;
    }
  };
}

/** A new socket; `shared`: others may be bound to the same place (`reuseport.ts`). Throws an error with a code. */
export function boundSocket(
  calls: SystemCalls,
  { address, family }: LocalAddress,
  port: number,
  { shared = false } = {},
): number {
  const octets = octetsOf(address, family);
  if (octets === undefined) throw systemError('bind', -EINVAL);
  const fd = checked('socket', calls.socket(family === 6 ? AF_INET6 : AF_INET));
  try {
    if (family === 6) checked('setsockopt', calls.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    // Cut to what is allowed, never refused.
    checked('setsockopt', calls.setOption(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER));
    calls.setOption(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    calls.setOption(fd, SOL_UDP, UDP_GRO, 1); // an older kernel gives each datagram by itself
    if (shared) checked('setsockopt', calls.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    const name = new Uint8Array(SOCKADDR[family]);
    writeSockaddr(name, 0, octets, port);
    checked('bind', calls.bind(fd, name));
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** The UDP options for many datagrams at a time that this kernel lacks, by name. */
export function offloads(calls: SystemCalls): readonly string[] {
  const fd = checked('socket', calls.socket(AF_INET));
  const lacks = (
    [
      ['UDP_SEGMENT', UDP_SEGMENT, 1200],
      ['UDP_GRO', UDP_GRO, 1],
    ] as const
  ).filter(([, option, value]) => calls.setOption(fd, SOL_UDP, option, value) < 0);
  calls.close(fd);
  return lacks.map(([name]) => name);
}

function octetsOf(address: string, family: 4 | 6): Uint8Array | undefined {
  const octets = addressOctets(address);
  return octets?.length === (family === 6 ? 16 : 4) ? octets : undefined;
}

function checked(call: string, result: number): number {
  if (result < 0) throw systemError(call, result);
  return result;
}

function systemError(call: string, result: number): Error {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(`${call} ${code}`), { code });
}

/** One turn of the event loop for all sockets: first everything is received, then everything is sent. */
class Turn {
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly #addressOf: SystemCalls['addressOf'];
  readonly #ready = new Waiting();
  readonly #sending = new Waiting();
  #running = false;

  constructor(calls: SystemCalls) {
    this.inbox = new Inbox(calls.addressOf);
    this.outbox = new Outbox(calls.addressOf);
    this.#addressOf = calls.addressOf;
  }

  /** For what one socket forwards. */
  train(): Outbox {
    return new Outbox(this.#addressOf, TRAIN);
  }

  /** A socket may be read, or written to again. */
  ready(socket: KernelSocket): void {
    if (this.#ready.add(socket)) setImmediate(this.#run);
  }

  /** A socket has datagrams to send. */
  sends(socket: KernelSocket): void {
    if (this.#sending.add(socket) && !this.#running) queueMicrotask(this.#flush);
  }

  readonly #run = (): void => {
    const ready = this.#ready.take();
    this.#running = true;
    try {
      for (let i = 0; i < ready.count; i++) ready.sockets[i]?.receive();
    } finally {
      this.#running = false;
      for (let i = 0; i < ready.count; i++) ready.sockets[i]?.flush();
      this.#flush();
    }
  };

  readonly #flush = (): void => {
    const sending = this.#sending.take();
    for (let i = 0; i < sending.count; i++) sending.sockets[i]?.flush();
  };
}

/** The first `count` of them. */
type Round = { readonly sockets: KernelSocket[]; count: number };

/** Sockets that wait for their turn, each once. Two lists take turns, too: a set would be made anew for each turn of the loop. */
class Waiting {
  #now: Round = { sockets: [], count: 0 };
  #next: Round = { sockets: [], count: 0 };

  /** True: it is the first. */
  add(socket: KernelSocket): boolean {
    const { sockets, count } = this.#now;
    for (let i = 0; i < count; i++) if (sockets[i] === socket) return false;
    sockets[count] = socket;
    this.#now.count += 1;
    return count === 0;
  }

  /** All of them, until the next time; nobody waits any more. */
  take(): Round {
    const taken = this.#now;
    this.#now = this.#next;
    this.#now.count = 0;
    this.#next = taken;
    return taken;
  }
}

type Outgoing = { readonly octets: Uint8Array; readonly address: Uint8Array; readonly port: number };

class KernelSocket implements DatagramSocket {
  readonly port: number;
  readonly #calls: SystemCalls;
  readonly #turn: Turn;
  readonly #fd: number;
  readonly #family: 4 | 6;
  readonly #ear: SocketEar;
  readonly #watch: Watch;
  readonly #queue: Outgoing[] = [];
  /** The kernel had no room; `flush` is called when it has. */
  #full = false;
  #closed = false;
  /** Packets that are forwarded, in memory of this socket: made for the first of them. */
  #train: Outbox | undefined;
  /** Datagrams up to this size are sent many at a time. */
  #longest = LONGEST;
  #lastTo: Endpoint | undefined;
  #lastAddress: Uint8Array | undefined;

  constructor(calls: SystemCalls, turn: Turn, fd: number, family: 4 | 6, ear: SocketEar) {
    this.#calls = calls;
    this.#turn = turn;
    this.#fd = fd;
    this.#family = family;
    this.#ear = ear;
    const name = new Uint8Array(SOCKADDR[family]);
    checked('getsockname', calls.getName(fd, name));
    this.port = readSockaddr(name, 0).port;
    this.#watch = calls.watch(fd, () => turn.ready(this));
  }

  /** One batch: the rest waits for the next turn, after timers and other sockets. */
  receive(): void {
    if (this.#closed) return;
    const { inbox } = this.#turn;
    const count = this.#calls.receive(this.#fd, inbox.headers, BATCH);
    if (count < 0) {
      if (count !== -EAGAIN && count !== -EINTR) this.#ear.failed(getSystemErrorName(count));
      return;
    }
    for (let i = 0; i < count && !this.#closed; i++) this.#arrived(inbox, i);
    // Whoever heard of a datagram may have closed this socket; the memory is others' too.
    inbox.reset(count);
  }

  #arrived(inbox: Inbox, i: number): void {
    const { octets } = inbox;
    const size = inbox.size(i);
    const from = inbox.from(i);
    let at = inbox.at(i);
    const end = at + inbox.length(i);
    do {
      const length = Math.min(size, end - at);
      if (!this.#ear.passing?.(octets, at, length, from)) this.#ear.arrived(octets.slice(at, at + length), from);
      at += length;
    } while (at < end && !this.#closed);
  }

  send({ address: text, port }: Endpoint, octets: Uint8Array): void {
    if (this.#closed) return;
    const address = octetsOf(text, this.#family);
    if (address === undefined) return this.#ear.failed('EINVAL');
    if (octets.length > LONGEST) return this.#ear.failed('EMSGSIZE');
    if (this.#queue.length >= SEND_QUEUE) return this.#ear.queueFull();
    this.#queue.push({ octets, address, port });
    if (this.#full) return;
    if (this.#queue.length >= BATCH) this.flush();
    else if (this.#queue.length === 1) this.#turn.sends(this);
  }

  forward(to: Endpoint, octets: Uint8Array, at: number, length: number): void {
    if (this.#closed) return;
    if (to !== this.#lastTo) {
      this.#lastAddress = octetsOf(to.address, this.#family);
      this.#lastTo = to;
    }
    const address = this.#lastAddress;
    if (address === undefined) return this.#ear.failed('EINVAL');
    this.#train ??= this.#turn.train();
    const train = this.#train;
    if (!train.add(octets, at, length, address, to.port, this.#longest)) {
      if (!this.#full) this.flush();
      if (!train.add(octets, at, length, address, to.port, this.#longest)) return this.#ear.queueFull();
    }
    if (!this.#full) this.#turn.sends(this);
  }

  /** Sends what waits, as far as the kernel has room. */
  flush(): void {
    if (this.#train !== undefined && !this.#depart(this.#train)) return this.#wait(true);
    while (this.#queue.length > 0 && !this.#closed) {
      const { outbox } = this.#turn;
      outbox.clear();
      for (const { octets, address, port } of this.#queue) if (!outbox.add(octets, 0, octets.length, address, port)) break;
      const sent = this.#calls.send(this.#fd, outbox.headers, outbox.count);
      if (sent >= 0) {
        this.#queue.splice(0, sent);
        this.#ear.sent(sent);
      } else if (sent === -EAGAIN) {
        return this.#wait(true);
      } else if (sent !== -EINTR) {
        // It is the first one that was refused; nothing before it is left.
        this.#queue.shift();
        this.#ear.failed(getSystemErrorName(sent));
      }
    }
    this.#wait(false);
  }

  /** False: the kernel has no room for the rest. */
  #depart(train: Outbox): boolean {
    while (train.count > 0 && !this.#closed) {
      const sent = this.#calls.send(this.#fd, train.headers, train.count);
      if (sent >= 0) this.#ear.sent(train.gone(sent));
      else if (sent === -EAGAIN) return false;
      else if (sent === -EINTR) continue;
      else if (train.segments > 1 && (sent === -EIO || sent === -EINVAL || sent === -EMSGSIZE)) {
        // A device that makes no checksums, or datagrams longer than its MTU: one at a time, which takes them all.
        this.#longest = sent === -EIO ? 0 : train.size - 1;
        train.split();
      } else {
        for (let lost = train.gone(1); lost > 0; lost--) this.#ear.failed(getSystemErrorName(sent));
      }
    }
    return true;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.flush();
      this.#closed = true;
      this.#watch.close();
      this.#calls.close(this.#fd);
    }
    return Promise.resolve();
  }

  #wait(full: boolean): void {
    if (this.#full === full || this.#closed) return;
    this.#full = full;
    this.#watch.writable(full);
  }
}
