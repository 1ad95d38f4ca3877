/**
 * Chance for tests: follows from a seed alone (SHA-256 in counter mode). Two generators of one seed give the same; children of
 * different names are independent of each other, whatever else is drawn.
 */
import { createHash } from 'node:crypto';
import type { Group, KeyPair } from '../../crypto/index.ts';

export class SeededRandom {
  readonly #seed: string;
  #block = 0;
  #page = new Uint8Array(0);
  #drawn = 0;

  constructor(seed: string | number) {
    this.#seed = `${seed}`;
  }

  /** Another generator, that of this seed and a name. */
  child(name: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${name}`);
  }

  octets(n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = this.#octet();
    return out;
  }

  /** At least 0, less than 1. */
  fraction(): number {
    let value = 0;
    for (let i = 0; i < 6; i++) value = value * 256 + this.#octet();
    return value / 2 ** 48;
  }

  /** A whole number, at least 0, less than n. */
  below(n: number): number {
    return Math.floor(this.fraction() * n);
  }

  /** True this often, 0 to 1. */
  chance(share: number): boolean {
    return this.fraction() < share;
  }

  pick<T>(from: readonly T[]): T {
    const [found] = from.slice(this.below(from.length));
    if (found === undefined) throw new RangeError('nothing to pick from');
    return found;
  }

  /** What a party that needs randomness is given. */
  readonly entropy = {
    octets: (n: number): Uint8Array => this.octets(n),
    keyPair: (group: Group): KeyPair => group.fromPrivate(this.octets(group.privateOctets)),
  };

  #octet(): number {
    if (this.#drawn === this.#page.length) {
      this.#page = new Uint8Array(createHash('sha256').update(`${this.#seed} ${this.#block}`).digest());
      this.#block += 1;
      this.#drawn = 0;
    }
    const octet = this.#page[this.#drawn] ?? 0;
    this.#drawn += 1;
    return octet;
  }
}
