/**
 * UDP for IKE and NAT-T (RFC 7296 §2.23, RFC 3948): one socket per local address and port, so that the socket itself tells
 * which of our addresses a datagram came to. A datagram's failure is counted, never fatal. `memory.ts` has the double
 * without a kernel.
 */
import { addressList, type ListenPlan, type LocalAddress, listenPlan, localAddresses } from './addresses.ts';
import { bindRefused, codeOf } from './refusal.ts';
import { type DatagramSocket, dgramSocket, type Endpoint, type OpenSocket } from './sockets.ts';

/** One datagram that arrived; `natt` says that it came to the NAT-T port, where IKE has a marker in front. */
export type Datagram = { readonly octets: Uint8Array; readonly from: Endpoint; readonly to: Endpoint; readonly natt: boolean };
export type Listener = Endpoint & { readonly natt: boolean; readonly interface: string };

export type UdpCounters = {
  readonly received: number;
  readonly sent: number;
  /** Came from port 0 or a link-local address: nobody could be answered there. */
  readonly unanswerable: number;
  /** Not sent: no socket for that local address, or its queue was full. */
  readonly noSocket: number;
  readonly queueFull: number;
  /** Refused by the kernel, by code: EMSGSIZE, ENETUNREACH, ECONNREFUSED … */
  readonly failed: Readonly<Record<string, number>>;
};

export type UdpPort = {
  /** What is bound now. With a wildcard it follows the machine's addresses. */
  readonly listening: readonly Listener[];
  /** Sends from one of our addresses; a failure is counted. The octets must stay as they are from then on. */
  send(from: Endpoint, to: Endpoint, octets: Uint8Array): void;
  /** Sends octets[at…at+length), which are the caller's again when this returns: the way for many packets. */
  forward(from: Endpoint, to: Endpoint, octets: Uint8Array, at: number, length: number): void;
  close(): Promise<void>;
  counters(): UdpCounters;
};

export type UdpOptions = {
  /** Addresses as text; empty means all. */
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  readonly onDatagram: (datagram: Datagram) => void;
  /**
   * Asked first about what comes to the NAT-T port; octets[at…at+length) are its own only until it returns. True: taken.
   * `from` is the same object for the same sender, as a rule.
   */
  readonly onPassing?: (octets: Uint8Array, at: number, length: number, from: Endpoint, to: Listener) => boolean;
  /** Told when a wildcard's addresses change while we run, and when one of them cannot be bound. */
  readonly onChange?: (change: ListenChange) => void;
  /** How sockets are made: node:dgram, unless there is something better. */
  readonly openSocket?: OpenSocket;
  /** The machine's addresses; a test's own list. */
  readonly local?: () => readonly LocalAddress[];
  /** Runs something again and again; gives the function that ends it. A test's own clock. */
  readonly every?: (run: () => Promise<void>) => () => void;
};
export type ListenChange = { readonly kind: 'bound' | 'gone' | 'refused'; readonly address: string; readonly why?: string };

/** How often a wildcard looks for new addresses, ms. */
const RESCAN = 5000;

/**
 * Binds the IKE and the NAT-T port on every address asked for.
 *
 * @throws EnvironmentRefused in people's words when a port is taken, a right is missing or an address is not ours
 */
export async function openUdp(o: UdpOptions): Promise<UdpPort> {
  const local = o.local ?? localAddresses;
  const plan = listenPlan(o.listen, local());
  const ports = new Ports(o.openSocket ?? dgramSocket, o);
  try {
    for (const [i, one] of plan.addresses.entries()) {
      try {
        await bindBoth(ports, one, o);
      } catch (error) {
        // Seen a moment ago, and not to be had: it is too new, or gone. One that nobody named is no reason to serve nobody.
        const nobody = ports.listening.length === 0 && i === plan.addresses.length - 1;
        if (codeOf(error) !== 'EADDRNOTAVAIL' || plan.fixed.includes(one.address) || nobody) throw error;
        refuse(ports, one.address, error, o);
      }
    }
  } catch (error) {
    await ports.close();
    throw error;
  }
  if (plan.wildcard.length === 0) return ports;
  let looking: Promise<void> | undefined;
  const rescan = () => {
    const now = local().filter((l) => plan.wildcard.includes(l.family));
    // Whoever makes our sockets may take his time: one look is not overtaken by the next.
    looking ??= follow(ports, now, plan, o).finally(() => {
      looking = undefined;
    });
    return looking;
  };
  ports.onClose((o.every ?? everyFewSeconds)(rescan));
  return ports;
}

function everyFewSeconds(run: () => Promise<void>): () => void {
  // `follow` tells what it cannot bind; nothing else in it can fail.
  const timer = setInterval(() => void run().catch(() => undefined), RESCAN);
  timer.unref();
  return () => clearInterval(timer);
}

async function bindBoth(ports: Ports, local: LocalAddress, o: UdpOptions): Promise<void> {
  for (const [port, natt] of [
    [o.ikePort, false],
    [o.nattPort, true],
  ] as const) {
    await ports.bind(local, port, natt).catch((error: unknown) => {
      throw bindRefused(error, { address: local.address, port, natt, local: addressList() });
    });
  }
}

/**
 * A wildcard follows the machine: new addresses are bound, lost ones let go. What is refused is tried again, as an IPv6 address
 * is in its first second (RFC 4862 §5.4: tentative), and told once.
 */
async function follow(ports: Ports, now: readonly LocalAddress[], plan: ListenPlan, o: UdpOptions): Promise<void> {
  const ours = new Set(ports.listening.map((l) => l.address).filter((address) => !plan.fixed.includes(address)));
  for (const address of ours) {
    if (now.some((l) => l.address === address)) continue;
    ports.drop(address);
    o.onChange?.({ kind: 'gone', address });
  }
  for (const one of now) {
    if (ports.has(one.address)) continue;
    try {
      await bindBoth(ports, one, o);
      ports.refused.delete(one.address);
      o.onChange?.({ kind: 'bound', address: one.address });
    } catch (error) {
      refuse(ports, one.address, error, o);
    }
  }
  for (const address of ports.refused) if (!now.some((l) => l.address === address)) ports.refused.delete(address);
}

function refuse(ports: Ports, address: string, error: unknown, { onChange }: UdpOptions): void {
  ports.drop(address);
  if (ports.refused.has(address)) return;
  ports.refused.add(address);
  onChange?.({ kind: 'refused', address, why: error instanceof Error ? error.message : String(error) });
}

type Bound = { readonly socket: DatagramSocket; readonly listener: Listener };

class Ports implements UdpPort {
  readonly refused = new Set<string>();
  readonly #bound = new Map<string, Bound>();
  readonly #open: OpenSocket;
  readonly #o: Pick<UdpOptions, 'onDatagram' | 'onPassing'>;
  /** What was forwarded from last: as a rule the next packet goes from there, too. */
  #last: Bound | undefined;
  readonly #closers: (() => void)[] = [];
  readonly #failed: Record<string, number> = {};
  readonly #count = { received: 0, sent: 0, unanswerable: 0, noSocket: 0, queueFull: 0 };
  #listening: readonly Listener[] = [];
  #closed = false;

  constructor(open: OpenSocket, o: Pick<UdpOptions, 'onDatagram' | 'onPassing'>) {
    this.#open = open;
    this.#o = o;
  }

  get listening(): readonly Listener[] {
    return this.#listening;
  }

  has(address: string): boolean {
    return this.#listening.some((l) => l.address === address);
  }

  async bind(local: LocalAddress, port: number, natt: boolean): Promise<void> {
    // Nothing arrives before the socket is there to be answered from.
    let to: Listener | undefined;
    const { onPassing } = this.#o;
    // Sockets give the same object for the same sender: what was found out about the last one holds for its next packet.
    let answerable: Endpoint | undefined;
    const passing = (octets: Uint8Array, at: number, length: number, from: Endpoint): boolean => {
      if (to === undefined || (from !== answerable && unanswerable(from))) return false;
      answerable = from;
      if (onPassing?.(octets, at, length, from, to) !== true) return false;
      this.#count.received += 1;
      return true;
    };
    const socket = await this.#open(local, port, {
      ...(natt && onPassing !== undefined ? { passing } : {}),
      arrived: (octets, from) => to !== undefined && this.#arrived(octets, from, to),
      sent: (datagrams) => {
        this.#count.sent += datagrams;
      },
      queueFull: () => {
        this.#count.queueFull += 1;
      },
      failed: (code) => this.#fail(code),
    });
    if (this.#closed) return await socket.close();
    to = { address: local.address, port: socket.port, natt, interface: local.name };
    this.#bound.set(endpointKey(to), { socket, listener: to });
    this.#changed();
  }

  drop(address: string): void {
    for (const [name, { socket, listener }] of this.#bound) {
      if (listener.address !== address) continue;
      this.#bound.delete(name);
      void socket.close(); // never rejects
    }
    this.#changed();
  }

  #changed(): void {
    this.#last = undefined;
    this.#listening = [...this.#bound.values()].map((b) => b.listener);
  }

  send(from: Endpoint, to: Endpoint, octets: Uint8Array): void {
    const bound = this.#bound.get(endpointKey(from));
    if (bound === undefined) this.#count.noSocket += 1;
    else if (to.port > 0 && to.port <= 65_535) bound.socket.send(to, octets);
    else this.#fail('ERR_SOCKET_BAD_PORT');
  }

  forward(from: Endpoint, to: Endpoint, octets: Uint8Array, at: number, length: number): void {
    // No key is made for every packet: clients by the thousand have few addresses of ours to be answered from.
    if (this.#last?.listener.port !== from.port || this.#last.listener.address !== from.address)
      this.#last = this.#bound.get(endpointKey(from));
    if (this.#last === undefined) this.#count.noSocket += 1;
    else if (to.port > 0 && to.port <= 65_535) this.#last.socket.forward(to, octets, at, length);
    else this.#fail('ERR_SOCKET_BAD_PORT');
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const closer of this.#closers.splice(0)) closer();
    const all = [...this.#bound.values()];
    this.#bound.clear();
    this.#changed();
    await Promise.all(all.map(({ socket }) => socket.close()));
  }

  onClose(closer: () => void): void {
    this.#closers.push(closer);
  }

  counters(): UdpCounters {
    return { ...this.#count, failed: { ...this.#failed } };
  }

  #arrived(octets: Uint8Array, from: Endpoint, to: Listener): void {
    if (unanswerable(from)) {
      this.#count.unanswerable += 1;
      return;
    }
    this.#count.received += 1;
    this.#o.onDatagram({ octets, from, to, natt: to.natt });
  }

  #fail(code: string): void {
    // Codes are the kernel's own, a small set; a stray message must not grow the table.
    const name = /^[A-Z_0-9]{2,40}$/.test(code) ? code : 'OTHER';
    this.#failed[name] = (this.#failed[name] ?? 0) + 1;
  }
}

/** Nobody would hear us there. */
const unanswerable = ({ port, address }: Endpoint): boolean => port === 0 || address.includes('%');

/** What a socket is found by. */
export const endpointKey = (e: Endpoint): string => `${e.address}|${e.port}`;
