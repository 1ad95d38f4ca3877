/**
 * Key material of many SAs in a few large arrays: a slot an SA, wiped when given back. A Uint8Array of its own costs more
 * than the keys it holds, and freed keys would wait for the collector in clear.
 */

const SLOT = 512;
const SLOTS = 128;

export class Slab {
  readonly #free: Uint8Array[] = [];

  /** Gives 512 zero octets that nobody else holds. */
  take(): Uint8Array {
    const slot = this.#free.pop();
    if (slot !== undefined) return slot;
    const chunk = new Uint8Array(SLOT * SLOTS);
    for (let i = SLOTS - 1; i > 0; i--) this.#free.push(chunk.subarray(i * SLOT, (i + 1) * SLOT));
    return chunk.subarray(0, SLOT);
  }

  /** Takes a slot back and wipes it; its holder must not touch it again. */
  give(slot: Uint8Array): void {
    slot.fill(0);
    this.#free.push(slot);
  }
}
