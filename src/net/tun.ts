/**
 * The inside by a TUN device: packets for clients are read from it, packets of clients are written to it, in memory that is made
 * once. Where the kernel has IFF_VNET_HDR, TCP goes both ways in segments of up to 64 KB, which are cut and joined here, and so
 * do runs of UDP datagrams where it has those (Linux 6.2); elsewhere packet by packet. The device is the process': it goes with
 * it, and so do its routes.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { Coalescer } from './coalesce.ts';
import type { InnerNetwork } from './inner.ts';
import { EAGAIN, EINTR, type TunCalls, type Watch } from './native.ts';
import { codeOf, EnvironmentRefused } from './refusal.ts';
import { Segmenter } from './segment.ts';
import { complete, GSO, gsoType, VNET } from './vnet.ts';

export type TunOptions = {
  /** `%d` in it becomes the first number that is free. */
  readonly name: string;
  readonly mtu: number;
  readonly headroom: number;
  readonly tailroom: number;
  /** Opens /dev/net/tun; a test's own. Throws an error with a code. */
  readonly open?: () => number;
  /** False: packet by packet even where the kernel could do better. */
  readonly segments?: boolean;
  readonly onPacket: (octets: Uint8Array, at: number, length: number) => void;
};

const DEVICE = '/dev/net/tun';
const IFREQ = 40;
const NAME = 16;
const [IFF_TUN, IFF_NO_PI, IFF_VNET_HDR] = [0x0001, 0x1000, 0x4000];
/** Checksums, TCP segments of both families; UDP datagrams of both, which the kernel has or has not together. */
const OFFLOADS = 1 | 2 | 4;
const UDP_OFFLOADS = 0x20 | 0x40;
const EINVAL = 22;
const LONGEST = 65_535;
/** Packets, and octets, that are read before others have their turn. */
const BATCH = 64;
const BATCH_OCTETS = 256 * 1024;

export type Tun = Omit<InnerNetwork, 'become' | 'routes'>;

const openDevice = (): number => openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
/**
 * What a thread has opened by `fs`, and has not closed by `fs`, Node closes at the thread's end: so a device goes with its
 * worker; and so, closed in any other way, its number would be closed once more when it is somebody else's.
 */
export const closeDevice = (fd: number): number => {
  closeSync(fd);
  return 0;
};

/** Makes the device, still down. Throws EnvironmentRefused when the machine does not allow it. */
export function makeTun(calls: TunCalls, o: TunOptions): Tun {
  let fd: number;
  try {
    fd = (o.open ?? openDevice)();
  } catch (error) {
    throw refused(codeOf(error));
  }
  const request = new Uint8Array(new ArrayBuffer(2 * IFREQ));
  const ask = (flags: number): number => {
    request.fill(0);
    request.set(new TextEncoder().encode(o.name).subarray(0, NAME - 1));
    new DataView(request.buffer).setUint16(NAME, flags, true);
    return calls.makeTun(fd, request);
  };
  const plain = IFF_TUN | IFF_NO_PI;
  let segments = o.segments !== false;
  let made = ask(segments ? plain | IFF_VNET_HDR : plain);
  if (made === -EINVAL && segments) {
    segments = false;
    made = ask(plain);
  }
  if (made < 0) {
    calls.close(fd);
    throw refused(getSystemErrorName(made), o.name);
  }
  const runs = segments && calls.setOffload(fd, OFFLOADS | UDP_OFFLOADS) >= 0;
  if (segments && !runs) calls.setOffload(fd, OFFLOADS); // without them the header says of every packet that it is whole
  const end = request.indexOf(0);
  const name = new TextDecoder().decode(request.subarray(0, end));
  return new TunDevice(calls, fd, name, o, segments, runs);
}

function refused(code: string, name = ''): EnvironmentRefused {
  switch (code) {
    case 'ENOENT':
    case 'ENODEV':
    case 'ENXIO':
      return new EnvironmentRefused(
        code,
        `There is no ${DEVICE}.`,
        '`modprobe tun`; in a container give it with --device /dev/net/tun and --cap-add NET_ADMIN.',
      );
    case 'EPERM':
    case 'EACCES':
      return new EnvironmentRefused(
        code,
        'No right to make a TUN device.',
        'It needs root or CAP_NET_ADMIN: AmbientCapabilities= in a systemd unit, --cap-add NET_ADMIN in a container.',
      );
    case 'EBUSY':
      return new EnvironmentRefused(code, `The device ${name} is there already.`, 'See `ip link`; another postern may run.');
    default:
      return new EnvironmentRefused(code, `Cannot make a TUN device: ${code}.`, 'See `ip link` and the kernel log.');
  }
}

class TunDevice implements Tun {
  readonly name: string;
  readonly mtu: number;
  readonly #calls: TunCalls;
  readonly #fd: number;
  readonly #o: TunOptions;
  readonly #watch: Watch;
  /** Where a packet is read to: on a word, with the headroom and a virtio header before it. */
  readonly #at: number;
  readonly #buffer: Uint8Array;
  readonly #cut: Segmenter | undefined;
  readonly #joined: Coalescer | undefined;
  readonly #count = { innerIn: 0, innerOut: 0, innerFull: 0, innerRefused: 0, innerMalformed: 0 };
  #due = false;
  #closed = false;

  constructor(calls: TunCalls, fd: number, name: string, o: TunOptions, segments: boolean, runs: boolean) {
    this.#calls = calls;
    this.#fd = fd;
    this.name = name;
    this.mtu = o.mtu;
    this.#o = o;
    this.#at = (Math.max(o.headroom, VNET) + 3) & ~3;
    this.#buffer = new Uint8Array(new ArrayBuffer(this.#at + LONGEST + o.tailroom));
    if (segments) {
      this.#cut = new Segmenter(o.headroom, o.tailroom, (octets, at, length) => this.#came(octets, at, length));
      this.#joined = new Coalescer((octets, at, length, packets) => this.#write(octets, at, length, packets), runs);
    }
    this.#watch = calls.watch(fd, () => {
      if (this.#due) return;
      this.#due = true;
      setImmediate(this.#read);
    });
  }

  send(octets: Uint8Array, at: number, length: number): boolean {
    if (this.#closed) return false;
    const joined = this.#joined;
    if (joined === undefined) return this.#write(octets, at, length, 1);
    const waited = joined.pending;
    const taken = joined.add(octets, at, length);
    if (!waited && joined.pending) queueMicrotask(this.#flush);
    return taken;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#count };
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#flush();
      this.#closed = true;
      this.#watch.close();
      this.#calls.close(this.#fd);
    }
    return Promise.resolve();
  }

  readonly #flush = (): void => {
    if (!this.#closed) this.#joined?.flush();
  };

  #write(octets: Uint8Array, at: number, length: number, packets: number): boolean {
    const written = this.#calls.write(this.#fd, octets, at, length);
    if (written === length) this.#count.innerOut += packets;
    else if (written === -EAGAIN) this.#count.innerFull += packets;
    else this.#count.innerRefused += packets; // EINVAL for what is no IP packet, EIO while the device is down
    return written === length;
  }

  #came(octets: Uint8Array, at: number, length: number): void {
    this.#count.innerIn += 1;
    this.#o.onPacket(octets, at, length);
  }

  readonly #read = (): void => {
    this.#due = false;
    const header = this.#cut === undefined ? 0 : VNET;
    let octets = 0;
    for (let i = 0; i < BATCH && octets < BATCH_OCTETS && !this.#closed; i++) {
      const length = this.#calls.read(this.#fd, this.#buffer, this.#at - header, LONGEST + header);
      if (length === -EINTR) continue;
      if (length <= header) return;
      octets += length;
      this.#take(length - header);
    }
  };

  #take(length: number): void {
    const b = this.#buffer;
    const at = this.#at;
    const cut = this.#cut;
    let good = true;
    if (cut === undefined) this.#came(b, at, length);
    else if (gsoType(b, at - VNET) !== GSO.none) good = cut.cut(b, at, length);
    else if (complete(b, at - VNET, at, length)) this.#came(b, at, length);
    else good = false;
    if (!good) this.#count.innerMalformed += 1;
  }
}
