/**
 * One heap of due times for all SAs: an entry an SA, moved when its earliest deadline moves. A heap, not a wheel: it is
 * exact in virtual time, costs one number and one array cell an SA, and `deadline` is its root.
 */

export type Timed = { due: number; heapIndex: number };

export class Timers<T extends Timed> {
  readonly #heap: T[] = [];

  /** The earliest moment anything is due, or undefined. */
  get next(): number | undefined {
    return this.#heap[0]?.due;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Puts an entry in, or moves it; `due` of Infinity takes it out. */
  set(entry: T, due: number): void {
    if (due === Number.POSITIVE_INFINITY) return this.remove(entry);
    const was = entry.due;
    entry.due = due;
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.#heap.length;
      this.#heap.push(entry);
      this.#up(entry);
    } else if (due < was) this.#up(entry);
    else if (due > was) this.#down(entry);
  }

  remove(entry: T): void {
    const at = entry.heapIndex;
    if (at < 0) return;
    entry.heapIndex = -1;
    entry.due = Number.POSITIVE_INFINITY;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#heap[at] = last;
    last.heapIndex = at;
    this.#up(last);
    this.#down(last);
  }

  /** Takes out and gives the first entry that is due, or undefined. */
  due(now: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.due > now) return undefined;
    this.remove(first);
    return first;
  }

  #up(entry: T): void {
    let at = entry.heapIndex;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.due <= entry.due) break;
      this.#heap[at] = parent;
      parent.heapIndex = at;
      at = above;
    }
    this.#heap[at] = entry;
    entry.heapIndex = at;
  }

  #down(entry: T): void {
    let at = entry.heapIndex;
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      if (left === undefined) break;
      const child = right !== undefined && right.due < left.due ? right : left;
      if (child.due >= entry.due) break;
      const below = child.heapIndex;
      this.#heap[at] = child;
      child.heapIndex = at;
      at = below;
    }
    this.#heap[at] = entry;
    entry.heapIndex = at;
  }
}
