/**
 * Children that a rekey has replaced: nothing is sent on them any more, and what the client sent before it knew is still taken
 * for a few seconds (how long, RFC 7296 §2.8 leaves to us). When their client loses its other children, or its freedom, they
 * go at once.
 */
import type { Sa } from './sa.ts';

/** Longer than a packet is under way, much shorter than anybody needs to find out what it was good for; ms. */
const LINGER = 5000;

export class Retired {
  /** In the order of their ends. */
  readonly #until = new Map<Sa, number>();

  add(sa: Sa, now: number): void {
    this.#until.set(sa, now + LINGER);
  }

  /** It is gone for another reason. */
  forget(sa: Sa): void {
    this.#until.delete(sa);
  }

  /** Those whose time is over. */
  over(now: number): readonly Sa[] {
    const over: Sa[] = [];
    for (const [sa, until] of this.#until) {
      if (until > now) break;
      over.push(sa);
    }
    return over;
  }
}
