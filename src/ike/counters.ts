/** What was counted: messages by exchange, drops by reason, faults. A drop is never silent here. */

const NAMES_MAX = 64;

export class Counters {
  readonly #counts = new Map<string, number>();

  count(name: string): void {
    const there = this.#counts.get(name);
    if (there === undefined && this.#counts.size >= NAMES_MAX) return;
    this.#counts.set(name, (there ?? 0) + 1);
  }

  /** Counts a dropped datagram by the class of its reason. Names are ours alone: a peer must not make new ones. */
  drop(reason: string): void {
    this.count(`drop-${reason}`);
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
