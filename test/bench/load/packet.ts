/**
 * Inner packets of the load: UDP over IPv4 between a client's address and one server, with right checksums, which are not
 * summed anew for each packet. The payload begins with a number and its complement: together they are nothing to a checksum.
 */
import { get16, put16, put32 } from '../../../src/net/octets.ts';
import { checksum, sumOf } from '../../../src/net/sum.ts';

const SERVER = [10, 50, 0, 7];
const PORTS = { client: 40_000, server: 9 };
const UDP = 20;
const NUMBER = UDP + 8;
/** Headers, and the number. */
export const SMALLEST = NUMBER + 8;

export class InnerPackets {
  readonly #template: Uint8Array;
  /** Where the client's address stands. */
  readonly #client: number;
  /** Sums without the client's address. */
  readonly #header: number;
  readonly #udp: number;

  /** @param out to the clients; otherwise from them */
  constructor(size: number, out: boolean) {
    const b = new Uint8Array(new ArrayBuffer(Math.max(size, 128)));
    b.set([0x45, 0, size >> 8, size & 255, 0, 0, 0x40, 0, 64, 17]);
    b.set(SERVER, out ? 12 : 16);
    put16(b, UDP, out ? PORTS.server : PORTS.client);
    put16(b, UDP + 2, out ? PORTS.client : PORTS.server);
    put16(b, UDP + 4, size - UDP);
    put32(b, NUMBER + 4, 0xffff_ffff);
    for (let i = SMALLEST; i < size; i++) b[i] = i;
    this.#client = out ? 16 : 12;
    this.#header = sumOf(b, 0, UDP);
    this.#udp = pseudo(b, 0, size) + sumOf(b, UDP, size - UDP);
    this.#template = b.subarray(0, size);
  }

  /** A packet of nobody. */
  lay(b: Uint8Array, at: number): void {
    b.set(this.#template, at);
  }

  /** Makes the packet there one of this client, whose address begins at `from`. */
  turn(b: Uint8Array, at: number, addresses: Uint8Array, from: number, number: number): void {
    const [high, low] = [get16(addresses, from), get16(addresses, from + 2)];
    const client = at + this.#client;
    put16(b, client, high);
    put16(b, client + 2, low);
    put16(b, at + 10, checksum(this.#header + high + low));
    put16(b, at + UDP + 6, checksum(this.#udp + high + low) || 0xffff);
    put32(b, at + NUMBER, number);
    put32(b, at + NUMBER + 4, ~number);
  }
}

/** Is it whole, as it was made? */
export function sound(b: Uint8Array, at: number, size: number): boolean {
  if (b[at] !== 0x45 || get16(b, at + 2) !== size || get16(b, at + UDP + 4) !== size - UDP) return false;
  return checksum(sumOf(b, at, UDP)) === 0 && checksum(pseudo(b, at, size) + sumOf(b, at + UDP, size - UDP)) === 0;
}

/** Back to where it came from; no checksum changes. */
export function answer(b: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) swap(b, at + 12 + i, at + 16 + i);
  for (let i = 0; i < 2; i++) swap(b, at + UDP + i, at + UDP + 2 + i);
}

function swap(b: Uint8Array, i: number, j: number): void {
  const octet = b[i] as number;
  b[i] = b[j] as number;
  b[j] = octet;
}

/** Addresses, protocol and length (RFC 768). */
const pseudo = (b: Uint8Array, at: number, size: number): number => sumOf(b, at + 12, 8) + 17 + size - UDP;
