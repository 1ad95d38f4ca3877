/**
 * What a peer says before it is authenticated (field lesson: nothing is believed before AUTH). The value can be carried
 * about, not read: reading takes the proof.
 */
import type { Authenticated } from './sa.ts';

export class Claimed<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** Gives the claim to whoever holds the proof that this peer authenticated itself. */
  given(_proof: Authenticated): T {
    return this.#value;
  }
}
