/**
 * Does a worker's thread still move? The worker counts up in memory that the daemon can see, which no queue of messages keeps
 * waiting. Judged by the daemon's own clock, and by how late the daemon itself is: on a machine that has no time for the one it
 * has none for the other.
 */

/** How often a worker counts, and how often the daemon looks, ms. */
export const BEAT = 250;
export const LOOK = 1000;

/** What a worker is given, ms: to be ready; from its first beat on, to beat again; and when it is ended, to come to its end. */
export type Patience = { readonly start: number; readonly beat: number; readonly end: number };
/** A start asks `ip` and `nft`, and each of them may take 30 s. No work of one turn should come near the other. */
export const PATIENCE: Patience = { start: 60_000, beat: 9000, end: 10_000 };

/** What is wrong with it, if anything: it does nothing at all, or it does something and is never ready. */
export type Found = 'hung' | 'slow' | undefined;

/** Looks at one worker, every LOOK ms. */
export class Watchdog {
  readonly #patience: Patience;
  #looked: number;
  #beats = 0;
  /** Since its start, and since it last moved, as far as we could have seen. */
  #started = 0;
  #still = 0;

  constructor(now: number, patience: Patience) {
    this.#looked = now;
    this.#patience = patience;
  }

  look(now: number, beats: number, ready: boolean): Found {
    const passed = now - this.#looked;
    this.#looked = now;
    // A look that is twice as late counts for half a look, however much time has passed.
    const counted = Math.min(passed, LOOK ** 2 / passed);
    this.#still = beats === this.#beats ? this.#still + counted : 0;
    this.#beats = beats;
    this.#started += counted;
    // While it still loads its program nothing can beat.
    if (beats !== 0 && this.#still >= this.#patience.beat) return 'hung';
    return !ready && this.#started >= this.#patience.start ? 'slow' : undefined;
  }
}
