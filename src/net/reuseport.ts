/**
 * Many sockets on one address and port, one for each worker, and the program that tells the kernel whose a datagram is: by the
 * last octet of an SPI, divided by the number of workers. No datagram ever goes from worker to worker.
 *
 *   port 500          SPIi | SPIr | …           SPIr is 0: by SPIi (RFC 7296 §2.6: the initiator's choice, ours is to come)
 *   port 4500         0000 | SPIi | SPIr | …    else by SPIr, or by SPIi where we are the one who began (flag I is not set)
 *                     SPI  | …                  ESP: by its SPI
 *
 * The sockets belong to the process. A worker that dies loses none of them: its successor reads on where it was.
 */
import type { LocalAddress } from './addresses.ts';
import { boundSocket } from './kernelSockets.ts';
import type { SystemCalls } from './native.ts';
import { readSockaddr, SOCKADDR } from './sockaddr.ts';

const SOL_SOCKET = 1;
const SO_ATTACH_REUSEPORT_CBPF = 51;

/** Classic BPF: code, where to jump when true and when false, constant. An octet beyond the datagram ends it with 0. */
type Instruction = readonly [code: number, yes: number, no: number, k: number];
const [LD_WORD, LD_OCTET, JEQ, JSET, MOD, RET_A] = [0x20, 0x30, 0x15, 0x45, 0x94, 0x16];
const ALWAYS = 0x05;
const INITIATOR_FLAG = 0x08;

/** By the SPI at the octets of an IKE header that begins at `at`; the last instruction is the division. */
function ikeProgram(at: number, workers: number): readonly Instruction[] {
  return [
    [LD_WORD, 0, 0, at + 8],
    [JEQ, 0, 4, 0], // SPIr is not 0: go on with the flags
    [LD_WORD, 0, 0, at + 12],
    [JEQ, 0, 2, 0],
    [LD_OCTET, 0, 0, at + 7],
    [ALWAYS, 0, 0, 5],
    [LD_OCTET, 0, 0, at + 19],
    [JSET, 0, 2, INITIATOR_FLAG],
    [LD_OCTET, 0, 0, at + 15],
    [ALWAYS, 0, 0, 1],
    [LD_OCTET, 0, 0, at + 7],
    [MOD, 0, 0, workers],
    [RET_A, 0, 0, 0],
  ];
}

/** The program for one of the two ports. */
export function steering(natt: boolean, workers: number): readonly Instruction[] {
  if (!natt) return ikeProgram(0, workers);
  return [
    [LD_WORD, 0, 0, 0],
    [JEQ, 3, 0, 0],
    [LD_OCTET, 0, 0, 3],
    [MOD, 0, 0, workers],
    [RET_A, 0, 0, 0],
    ...ikeProgram(4, workers),
  ];
}

type Group = { readonly fds: readonly number[]; readonly users: Set<number> };

/** All groups of sockets of a process. */
export class SocketGroups {
  readonly #calls: SystemCalls;
  readonly #workers: number;
  readonly #groups = new Map<string, Group>();
  #closed = false;

  constructor(calls: SystemCalls, workers: number) {
    this.#calls = calls;
    this.#workers = workers;
  }

  /** The worker's socket for this address and port; the first who asks makes those of all. Throws an error with a code. */
  socket(worker: number, local: LocalAddress, port: number, natt: boolean): number {
    if (this.#closed) throw Object.assign(new Error('all sockets are closed'), { code: 'EBADF' });
    const key = keyOf(local, port, natt);
    const group = this.#groups.get(key) ?? this.#open(local, port, natt);
    this.#groups.set(key, group);
    group.users.add(worker);
    const fd = group.fds[worker];
    if (fd === undefined) throw new RangeError(`there is no worker ${worker}`);
    return fd;
  }

  /** The worker no longer wants it; the last one takes all of them with it. */
  release(worker: number, fd: number): void {
    for (const [key, group] of this.#groups) {
      if (group.fds[worker] !== fd || !group.users.delete(worker) || group.users.size > 0) continue;
      this.#groups.delete(key);
      this.#close(group);
    }
  }

  /** It is dead: its sockets wait for its successor, and for nobody longer than the others want theirs. */
  leave(worker: number): void {
    for (const { users } of this.#groups.values()) users.delete(worker);
  }

  close(): void {
    this.#closed = true;
    for (const group of this.#groups.values()) this.#close(group);
    this.#groups.clear();
  }

  #open(local: LocalAddress, port: number, natt: boolean): Group {
    const calls = this.#calls;
    // Two daemons of one user could share a port so, and each would lose half: the first socket must be refused as any other.
    calls.close(boundSocket(calls, local, port));
    const fds: number[] = [];
    try {
      let chosen = port;
      for (let worker = 0; worker < this.#workers; worker++) {
        const fd = boundSocket(calls, local, chosen, { shared: true });
        fds.push(fd);
        if (worker === 0) {
          const name = new Uint8Array(SOCKADDR[local.family]);
          calls.getName(fd, name);
          chosen = readSockaddr(name, 0).port;
          this.#steer(fd, natt);
        }
      }
      return { fds, users: new Set() };
    } catch (error) {
      for (const fd of fds) calls.close(fd);
      throw error;
    }
  }

  #steer(fd: number, natt: boolean): void {
    const program = steering(natt, this.#workers);
    // struct sock_filter, and struct sock_fprog that points to it; small arrays move, these do not.
    const filter = new Uint8Array(new ArrayBuffer(Math.max(128, program.length * 8)));
    const view = new DataView(filter.buffer);
    for (const [i, [code, yes, no, k]] of program.entries()) {
      view.setUint16(i * 8, code, true);
      view.setUint8(i * 8 + 2, yes);
      view.setUint8(i * 8 + 3, no);
      view.setUint32(i * 8 + 4, k, true);
    }
    const fprog = new Uint8Array(16);
    new DataView(fprog.buffer).setUint16(0, program.length, true);
    new DataView(fprog.buffer).setBigUint64(8, BigInt(this.#calls.addressOf(filter)), true);
    const result = this.#calls.setOctets(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, fprog);
    if (result < 0) throw Object.assign(new Error('SO_ATTACH_REUSEPORT_CBPF'), { code: 'ENOPROTOOPT' });
    filter.fill(0); // the kernel has its copy; until here it must have been alive
  }

  #close({ fds }: Group): void {
    for (const fd of fds) this.#calls.close(fd);
  }
}

const keyOf = ({ address }: LocalAddress, port: number, natt: boolean): string => `${address}|${port}|${natt}`;
