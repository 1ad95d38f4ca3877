/**
 * The way back of `segment.ts`: packets of one flow that follow each other, of TCP or UDP, are joined to one of up to 64 KB,
 * which the kernel takes in one call and one walk through its stack. Joined is only what can be taken apart again into the same
 * packets: same headers but for sequence number, length, identification and PSH, all of one size but the last, and each with a
 * checksum that is right. Where routers may fragment, identifications must count up, as those of the pieces will (RFC 6864 §4.3:
 * no two may be the same). All others pass by, behind those of their flow that came before them.
 */
import { get16, put16, sameWords, viewOf } from './octets.ts';
import { checksum, signIpv4, sumOf, sumOfWords } from './sum.ts';
import { ACK, checksumOf, headersOf, leastHeader, PSH, pseudoSum, TCP, TCP_HEADER, UDP, UDP_HEADER } from './transport.ts';
import { Views } from './views.ts';
import { VNET, writePlain, writeWhole } from './vnet.ts';

/** Of the total length of IP. */
const MOST = 0xffff;
/** Flows that are joined at the same time. */
const FLOWS = 8;
/** Datagrams that the kernel makes of one; newer ones make twice as many. */
const MOST_DATAGRAMS = 64;

/** Takes octets[at…at+length), a virtio header and what was made of so many packets. False: it could not. */
export type WritePacket = (octets: Uint8Array, at: number, length: number, packets: number) => boolean;

/** One whole in the making. */
class Train {
  readonly octets: Uint8Array = new Uint8Array(new ArrayBuffer(AT + MOST + 1));
  readonly words: DataView = viewOf(this.octets);
  /** 0: none. */
  packets = 0;
  length = 0;
  six = false;
  protocol = 0;
  headers = 0;
  /** Payload of all packets but the last. */
  size = 0;
  /** TCP's next sequence number. */
  next = 0;
}

/** Where TCP or UDP begins: headers of IPv4 with options are not joined. */
const transportOf = (six: boolean): 20 | 40 => (six ? 40 : 20);

/** Behind the virtio header, on a word. */
const AT = 12;

export class Coalescer {
  readonly #write: WritePacket;
  readonly #udp: boolean;
  readonly #trains: readonly Train[] = Array.from({ length: FLOWS }, () => new Train());
  readonly #plain = new Uint8Array(new ArrayBuffer(AT + MOST + 1));
  readonly #views = new Views();
  /** Where the last packet was, and the same by words. */
  #b: Uint8Array = this.#plain;
  #words: DataView = viewOf(this.#plain);
  #oldest = 0;
  #pending = 0;

  /** @param udp the kernel takes UDP datagrams in one piece, too */
  constructor(write: WritePacket, udp: boolean) {
    this.#write = write;
    this.#udp = udp;
  }

  /** Packets wait for `flush`. */
  get pending(): boolean {
    return this.#pending > 0;
  }

  /**
   * Takes an IP packet; it is copied, or written with its header right before it: those octets, if there are so many, are written
   * over. False: it, or what it made go before it, was not taken by the device.
   */
  add(b: Uint8Array, at: number, length: number): boolean {
    const six = (b[at] as number) >>> 4 === 6;
    const transport = transportOf(six);
    const protocol = (six ? b[at + 6] : b[at + 9]) as number;
    if (!this.#joins(protocol, length - transport)) return this.#alone(b, at, length);
    if (b !== this.#b) {
      this.#words = viewOf(b);
      this.#b = b;
    }
    const train = this.#pending === 0 ? undefined : this.#find(at, six, protocol);
    if (!joinable(b, at, length, six, transport, protocol)) {
      const before = train === undefined || this.#send(train);
      return this.#alone(b, at, length) && before;
    }
    if (train !== undefined) {
      if (this.#join(train, b, at, length)) return true;
      const before = this.#send(train);
      this.#begin(train, b, at, length, six, protocol);
      return before;
    }
    const free = this.#trains[this.#oldest] as Train;
    this.#oldest = (this.#oldest + 1) % FLOWS;
    const before = free.packets === 0 || this.#send(free);
    this.#begin(free, b, at, length, six, protocol);
    return before;
  }

  /** Writes all that waits. */
  flush(): void {
    if (this.#pending > 0) for (const train of this.#trains) if (train.packets > 0) this.#send(train);
  }

  /** Is there a whole header of what is joined, in so many octets? */
  #joins(protocol: number, octets: number): boolean {
    return (protocol === TCP || (protocol === UDP && this.#udp)) && octets >= leastHeader(protocol);
  }

  /** The train of a packet's addresses and ports. */
  #find(at: number, six: boolean, protocol: number): Train | undefined {
    const from = six ? 8 : 12;
    const octets = transportOf(six) + 4 - from;
    for (const train of this.#trains) {
      if (train.packets === 0 || train.six !== six || train.protocol !== protocol) continue;
      // Ports are right behind the addresses: no header with options gets here.
      if (sameWords(train.words, AT + from, this.#words, at + from, octets)) return train;
    }
    return undefined;
  }

  #begin(train: Train, b: Uint8Array, at: number, length: number, six: boolean, protocol: number): void {
    const transport = transportOf(six);
    const headers = headersOf(b, at, transport, protocol);
    train.octets.set(this.#views.of(b, at, length), AT);
    train.packets = 1;
    train.length = length;
    train.six = six;
    train.protocol = protocol;
    train.headers = headers;
    train.size = length - headers;
    this.#pending += 1;
    if (protocol === UDP) return;
    train.next = (this.#words.getInt32(at + transport + 4) + train.size) | 0;
    if (((b[at + transport + 13] as number) & PSH) !== 0) train.size = 0; // nothing may follow
  }

  #join(train: Train, b: Uint8Array, at: number, length: number): boolean {
    const { octets, words, headers, six, protocol, size } = train;
    const own = this.#words;
    const transport = transportOf(six);
    const payload = length - headers;
    if (payload <= 0 || payload > size || train.length + payload > MOST) return false;
    if (!alike(words, own, at, six)) return false;
    if (protocol === UDP ? train.packets === MOST_DATAGRAMS : !follows(words, own, at, transport, headers, train.next))
      return false;
    if (!six && octets[AT + 6] === 0 && own.getUint16(at + 4) !== ((words.getUint16(AT + 4) + train.packets) & 0xffff))
      return false;
    if (train.packets === 1 && !intact(octets, words, AT, train.length, six, transport, protocol)) return false;
    if (!intact(b, own, at, length, six, transport, protocol)) return false;
    octets.set(this.#views.of(b, at + headers, payload), AT + train.length);
    train.length += payload;
    train.packets += 1;
    train.next = (train.next + payload) | 0;
    const pushed = protocol === TCP && ((b[at + transport + 13] as number) & PSH) !== 0;
    if (pushed) octets[AT + transport + 13] = (octets[AT + transport + 13] as number) | PSH;
    if (pushed || payload < size) this.#send(train);
    return true;
  }

  #send(train: Train): boolean {
    const { octets, words, length, headers, six, protocol, packets } = train;
    train.packets = 0;
    this.#pending -= 1;
    const start = AT - VNET;
    if (packets === 1) {
      writePlain(octets, start);
    } else {
      const transport = transportOf(six);
      const upper = length - transport;
      writeWhole(octets, start, six, protocol, headers, transport, train.size);
      if (six) put16(octets, AT + 4, upper);
      else {
        put16(octets, AT + 2, length);
        signIpv4(words, AT, transport);
      }
      if (protocol === UDP) put16(octets, AT + transport + 4, upper);
      put16(octets, AT + transport + checksumOf(protocol), pseudoSum(words, AT, six, protocol, upper));
    }
    return this.#write(octets, start, VNET + length, packets);
  }

  #alone(b: Uint8Array, at: number, length: number): boolean {
    if (at >= VNET) {
      writePlain(b, at - VNET);
      return this.#write(b, at - VNET, VNET + length, 1);
    }
    const start = AT - VNET;
    writePlain(this.#plain, start);
    this.#plain.set(this.#views.of(b, at, length), AT);
    return this.#write(this.#plain, start, VNET + length, 1);
  }
}

/** Data and nothing but data: no options of IP, no fragment; of TCP no flag but ACK and PSH, no congestion mark. */
function joinable(b: Uint8Array, at: number, length: number, six: boolean, transport: number, protocol: number): boolean {
  if (six) {
    if (get16(b, at + 4) !== length - transport) return false;
  } else if (b[at] !== 0x45 || get16(b, at + 2) !== length || (get16(b, at + 6) & 0xbfff) !== 0) return false;
  if (protocol === UDP) {
    // One without a checksum would get one (RFC 768).
    return (
      length > transport + UDP_HEADER && get16(b, at + transport + 4) === length - transport && get16(b, at + transport + 6) !== 0
    );
  }
  const flags = b[at + transport + 13] as number;
  const headers = headersOf(b, at, transport, protocol);
  return (flags & ~PSH) === ACK && headers >= transport + TCP_HEADER && headers < length;
}

/** Do a packet and the first of a train, `a`, differ in IP by no more than pieces do? Addresses are the same already. */
function alike(a: DataView, b: DataView, at: number, six: boolean): boolean {
  // Traffic class, flow label and hop limit; or type of service, DF, TTL.
  const lives = six ? 7 : 8;
  if (a.getUint8(AT + lives) !== b.getUint8(at + lives)) return false;
  if (six) return a.getInt32(AT) === b.getInt32(at);
  return a.getUint8(AT + 1) === b.getUint8(at + 1) && a.getUint16(AT + 6) === b.getUint16(at + 6);
}

/** Is a packet what comes next in TCP behind a train, `a`? Ports are the same already. */
function follows(a: DataView, b: DataView, at: number, transport: number, headers: number, next: number): boolean {
  const t = AT + transport;
  const u = at + transport;
  if (b.getInt32(u + 4) !== next) return false;
  // Acknowledgement, length of the header, window, urgent pointer; options, with their timestamps.
  if (a.getInt32(t + 8) !== b.getInt32(u + 8) || a.getUint8(t + 12) !== b.getUint8(u + 12)) return false;
  if (a.getUint16(t + 14) !== b.getUint16(u + 14) || a.getUint16(t + 18) !== b.getUint16(u + 18)) return false;
  return sameWords(a, t + 20, b, u + 20, headers - transport - 20);
}

/** Is the checksum of TCP or UDP right? And that of IPv4. */
function intact(
  b: Uint8Array,
  words: DataView,
  at: number,
  length: number,
  six: boolean,
  transport: number,
  protocol: number,
): boolean {
  const octets = length - transport;
  if (checksum(pseudoSum(words, at, six, protocol, octets) + sumOf(b, at + transport, octets)) !== 0) return false;
  return six || checksum(sumOfWords(words, at, transport)) === 0;
}
