/** A table of struct mmsghdr with all that its pointers lead to, as `recvmmsg` and `sendmmsg` of 64-bit Linux take it. */
import { MMSGHDR, type Native } from './native.ts';
import { SOCKADDR } from './sockaddr.ts';

const IOVEC = 16;
/** Room of one address; a multiple of 8. */
const NAME = 32;
/** Where things stand in struct mmsghdr. */
const AT = { name: 0, nameLength: 8, iov: 16, iovCount: 24, length: 56 } as const;

export class Messages {
  readonly count: number;
  readonly headers: Uint8Array;
  readonly names: Uint8Array;
  /** What the messages consist of. */
  readonly octets: Uint8Array;
  readonly #headers: DataView;
  readonly #iovecs: DataView;
  readonly #base: number;

  /** @param size octets for all messages together */
  constructor(native: Pick<Native, 'address'>, count: number, size: number) {
    this.count = count;
    this.headers = new Uint8Array(new ArrayBuffer(count * MMSGHDR));
    this.names = new Uint8Array(new ArrayBuffer(count * NAME));
    this.octets = new Uint8Array(new ArrayBuffer(size));
    const iovecs = new Uint8Array(new ArrayBuffer(count * IOVEC));
    this.#headers = new DataView(this.headers.buffer);
    this.#iovecs = new DataView(iovecs.buffer);
    this.#base = native.address(this.octets);
    const [names, vectors] = [native.address(this.names), native.address(iovecs)];
    for (let i = 0; i < count; i++) {
      const at = i * MMSGHDR;
      pointer(this.#headers, at + AT.name, names + i * NAME);
      pointer(this.#headers, at + AT.iov, vectors + i * IOVEC);
      pointer(this.#headers, at + AT.iovCount, 1);
    }
  }

  /** Where the address of a message stands in `names`. */
  nameAt(i: number): number {
    return i * NAME;
  }

  /** Message `i` lies at `offset` of `octets` and has, or may have, so many. */
  place(i: number, offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.octets.length) throw new RangeError('beyond the octets of the table');
    pointer(this.#iovecs, i * IOVEC, this.#base + offset);
    pointer(this.#iovecs, i * IOVEC + 8, length);
  }

  /** Octets of the address of message `i`: what there is room for, or what it has. */
  nameLength(i: number, length: number = SOCKADDR): void {
    this.#headers.setUint32(i * MMSGHDR + AT.nameLength, length, true);
  }

  /** How many octets message `i` has, after the call. */
  length(i: number): number {
    return this.#headers.getUint32(i * MMSGHDR + AT.length, true);
  }
}

/** A 64-bit number below 2^53, without a BigInt. */
function pointer(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
