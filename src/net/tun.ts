/**
 * The inside by a TUN device: packets for clients are read from it, packets of clients are written to it, one at a time, in
 * memory that is made once. The device is the process': it goes with it, and so do its routes.
 */
import { constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { InnerNetwork } from './inner.ts';
import { EAGAIN, EINTR, type TunCalls, type Watch } from './native.ts';
import { codeOf, EnvironmentRefused } from './refusal.ts';

export type TunOptions = {
  /** `%d` in it becomes the first number that is free. */
  readonly name: string;
  readonly mtu: number;
  readonly headroom: number;
  readonly tailroom: number;
  readonly onPacket: (octets: Uint8Array, at: number, length: number) => void;
};

const DEVICE = '/dev/net/tun';
const IFREQ = 40;
const NAME = 16;
const [IFF_TUN, IFF_NO_PI] = [0x0001, 0x1000];
const LONGEST = 65_535;
/** Packets that are read before others have their turn. */
const BATCH = 64;

export type Tun = Omit<InnerNetwork, 'become'>;

/** Makes the device, still down. Throws EnvironmentRefused when the machine does not allow it. */
export function makeTun(calls: TunCalls, o: TunOptions): Tun {
  let fd: number;
  try {
    fd = openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw refused(codeOf(error));
  }
  const request = new Uint8Array(new ArrayBuffer(2 * IFREQ));
  request.set(new TextEncoder().encode(o.name).subarray(0, NAME - 1));
  new DataView(request.buffer).setUint16(NAME, IFF_TUN | IFF_NO_PI, true);
  const made = calls.makeTun(fd, request);
  if (made < 0) {
    calls.close(fd);
    throw refused(getSystemErrorName(made), o.name);
  }
  const end = request.indexOf(0);
  return new TunDevice(calls, fd, new TextDecoder().decode(request.subarray(0, end)), o);
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
  readonly #buffer: Uint8Array;
  readonly #count = { innerIn: 0, innerOut: 0, innerFull: 0, innerRefused: 0 };
  #due = false;
  #closed = false;

  constructor(calls: TunCalls, fd: number, name: string, o: TunOptions) {
    this.#calls = calls;
    this.#fd = fd;
    this.name = name;
    this.mtu = o.mtu;
    this.#o = o;
    this.#buffer = new Uint8Array(new ArrayBuffer(o.headroom + LONGEST + o.tailroom));
    this.#watch = calls.watch(fd, () => {
      if (this.#due) return;
      this.#due = true;
      setImmediate(this.#read);
    });
  }

  send(octets: Uint8Array, at: number, length: number): boolean {
    if (this.#closed) return false;
    const written = this.#calls.write(this.#fd, octets, at, length);
    if (written === length) this.#count.innerOut += 1;
    else if (written === -EAGAIN) this.#count.innerFull += 1;
    else this.#count.innerRefused += 1; // EINVAL for what is no IP packet, EIO while the device is down
    return written === length;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#count };
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#watch.close();
      this.#calls.close(this.#fd);
    }
    return Promise.resolve();
  }

  readonly #read = (): void => {
    this.#due = false;
    const { headroom, onPacket } = this.#o;
    for (let i = 0; i < BATCH && !this.#closed; i++) {
      const length = this.#calls.read(this.#fd, this.#buffer, headroom, LONGEST);
      if (length === -EINTR) continue;
      if (length <= 0) return;
      this.#count.innerIn += 1;
      onPacket(this.#buffer, headroom, length);
    }
  };
}
