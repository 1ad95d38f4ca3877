/**
 * The way back of `segment.ts`: TCP packets of one flow that follow each other are joined to one segment of up to 64 KB, which
 * the kernel takes in one call and one walk through its stack. Joined is only what can be taken apart again into the same
 * packets: same headers but for sequence number, length, identification and PSH, all of one size but the last, and each with a
 * checksum that is right. All others pass by, behind those of their flow that came before them.
 */
import { fold16, get16, put16, sumOf } from './sum.ts';
import { pseudoSum, VNET, writePlain, writeTcp } from './vnet.ts';

const TCP = 6;
const [ACK, PSH] = [0x10, 0x08];
/** Of the total length of IP. */
const MOST = 0xffff;
/** Flows that are joined at the same time. */
const FLOWS = 8;

/** Takes octets[at…at+length), a virtio header and what was made of so many packets. False: it could not. */
export type WritePacket = (octets: Uint8Array, at: number, length: number, packets: number) => boolean;

/** One segment in the making. */
class Train {
  readonly octets: Uint8Array = new Uint8Array(new ArrayBuffer(AT + MOST + 1));
  /** 0: none. */
  packets = 0;
  length = 0;
  six = false;
  transport = 0;
  headers = 0;
  /** Payload of all packets but the last. */
  size = 0;
  next = 0;
}

/** Behind the virtio header, on a word. */
const AT = 12;

export class Coalescer {
  readonly #write: WritePacket;
  readonly #trains: readonly Train[] = Array.from({ length: FLOWS }, () => new Train());
  readonly #plain = new Uint8Array(new ArrayBuffer(AT + MOST + 1));
  #oldest = 0;
  #pending = 0;

  constructor(write: WritePacket) {
    this.#write = write;
  }

  /** Packets wait for `flush`. */
  get pending(): boolean {
    return this.#pending > 0;
  }

  /** Takes an IP packet, which is copied. False: it, or what it made go before it, was not taken by the device. */
  add(b: Uint8Array, at: number, length: number): boolean {
    const six = (b[at] as number) >>> 4 === 6;
    const transport = six ? 40 : 20;
    if (length < transport + 20 || (six ? b[at + 6] : b[at + 9]) !== TCP) return this.#alone(b, at, length);
    const train = this.#pending === 0 ? undefined : this.#find(b, at, six, transport);
    if (!joinable(b, at, length, six, transport)) {
      const before = train === undefined || this.#send(train);
      return this.#alone(b, at, length) && before;
    }
    if (train !== undefined) {
      if (this.#join(train, b, at, length)) return true;
      const before = this.#send(train);
      this.#begin(train, b, at, length, six, transport);
      return before;
    }
    const free = this.#trains[this.#oldest] as Train;
    this.#oldest = (this.#oldest + 1) % FLOWS;
    const before = free.packets === 0 || this.#send(free);
    this.#begin(free, b, at, length, six, transport);
    return before;
  }

  /** Writes all that waits. */
  flush(): void {
    if (this.#pending > 0) for (const train of this.#trains) if (train.packets > 0) this.#send(train);
  }

  /** The train of a packet's addresses and ports. */
  #find(b: Uint8Array, at: number, six: boolean, transport: number): Train | undefined {
    const from = six ? 8 : 12;
    for (const train of this.#trains) {
      if (train.packets === 0 || train.six !== six || train.transport !== transport) continue;
      // Ports are right behind the addresses: no header with options gets here.
      if (same(train.octets, AT + from, b, at + from, transport + 4 - from)) return train;
    }
    return undefined;
  }

  #begin(train: Train, b: Uint8Array, at: number, length: number, six: boolean, transport: number): void {
    const headers = transport + ((b[at + transport + 12] as number) >>> 4) * 4;
    train.octets.set(b.subarray(at, at + length), AT);
    train.packets = 1;
    train.length = length;
    train.six = six;
    train.transport = transport;
    train.headers = headers;
    train.size = length - headers;
    train.next = (sequence(b, at + transport) + train.size) >>> 0;
    this.#pending += 1;
    if (((b[at + transport + 13] as number) & PSH) !== 0) train.size = 0; // nothing may follow
  }

  #join(train: Train, b: Uint8Array, at: number, length: number): boolean {
    const { octets, headers, transport, six, size } = train;
    const payload = length - headers;
    if (payload <= 0 || payload > size || train.length + payload > MOST) return false;
    if (sequence(b, at + transport) !== train.next || !alike(octets, AT, b, at, six, transport, headers)) return false;
    if (train.packets === 1 && !intact(octets, AT, train.length, six, transport)) return false;
    if (!intact(b, at, length, six, transport)) return false;
    octets.set(b.subarray(at + headers, at + length), AT + train.length);
    train.length += payload;
    train.packets += 1;
    train.next = (train.next + payload) >>> 0;
    const pushed = ((b[at + transport + 13] as number) & PSH) !== 0;
    if (pushed) octets[AT + transport + 13] = (octets[AT + transport + 13] as number) | PSH;
    if (pushed || payload < size) this.#send(train);
    return true;
  }

  #send(train: Train): boolean {
    const { octets, length, headers, transport, six, packets } = train;
    train.packets = 0;
    this.#pending -= 1;
    const start = AT - VNET;
    if (packets === 1) {
      writePlain(octets, start);
    } else {
      writeTcp(octets, start, six, headers, transport, train.size);
      if (six) put16(octets, AT + 4, length - transport);
      else {
        put16(octets, AT + 2, length);
        put16(octets, AT + 10, 0);
        put16(octets, AT + 10, ~sumOf(octets, AT, transport));
      }
      put16(octets, AT + transport + 16, pseudoSum(octets, AT, six, TCP, length - transport));
    }
    return this.#write(octets, start, VNET + length, packets);
  }

  #alone(b: Uint8Array, at: number, length: number): boolean {
    const start = AT - VNET;
    writePlain(this.#plain, start);
    this.#plain.set(b.subarray(at, at + length), AT);
    return this.#write(this.#plain, start, VNET + length, 1);
  }
}

/** Data and nothing but data: no options of IP, no fragment, no flag but ACK and PSH, no congestion mark. */
function joinable(b: Uint8Array, at: number, length: number, six: boolean, transport: number): boolean {
  if (six) {
    if (get16(b, at + 4) !== length - transport) return false;
  } else if (b[at] !== 0x45 || get16(b, at + 2) !== length || (get16(b, at + 6) & 0xbfff) !== 0) return false;
  const flags = b[at + transport + 13] as number;
  const headers = transport + ((b[at + transport + 12] as number) >>> 4) * 4;
  return (flags & ~PSH) === ACK && headers >= transport + 20 && headers < length;
}

/** Could a packet and the first of a train be pieces of one segment? */
function alike(a: Uint8Array, at: number, b: Uint8Array, bt: number, six: boolean, transport: number, headers: number): boolean {
  // Traffic class, flow label and hop limit; or type of service, DF, TTL. Addresses, ports are the same already.
  if (!(six ? same(a, at, b, bt, 4) && a[at + 7] === b[bt + 7] : a[at + 1] === b[bt + 1] && same(a, at + 6, b, bt + 6, 3)))
    return false;
  const [t, u] = [at + transport, bt + transport];
  // Acknowledgement, length of the header, window; options, with their timestamps.
  if (!same(a, t + 8, b, u + 8, 5) || get16(a, t + 14) !== get16(b, u + 14) || get16(a, t + 18) !== get16(b, u + 18))
    return false;
  return same(a, t + 20, b, u + 20, headers - transport - 20);
}

/** Is the TCP checksum right? And that of IPv4. */
function intact(b: Uint8Array, at: number, length: number, six: boolean, transport: number): boolean {
  const octets = length - transport;
  if (fold16(pseudoSum(b, at, six, TCP, octets) + sumOf(b, at + transport, octets)) % 0xffff !== 0) return false;
  return six || sumOf(b, at, transport) % 0xffff === 0;
}

function same(a: Uint8Array, at: number, b: Uint8Array, bt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[bt + i]) return false;
  return true;
}

const sequence = (b: Uint8Array, tcp: number): number => get16(b, tcp + 4) * 0x10000 + get16(b, tcp + 6);
