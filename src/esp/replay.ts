/**
 * The window against replays (RFC 4303 §3.4.3, in the way of RFC 6479): looked at before authentication, marked after it. A
 * ring of 32-bit blocks that is never shifted; one block more than the window needs is cleared as the top moves on. With ESN
 * the upper half of a number is inferred (RFC 4303 Appendix A2). Numbers are exact up to 2^53, which no SA lives to see.
 */

/** Answers of `look` besides the upper half of the number. */
export const REPLAYED = -1;
export const TOO_OLD = -2;

const HALF = 0x1_0000_0000;
const MOST_HIGH = 0x1f_ffff;

export class ReplayWindow {
  /** Numbers that are told apart; false: replays pass. */
  readonly size: number;
  readonly enforced: boolean;
  readonly #esn: boolean;
  readonly #ring: Uint32Array;
  readonly #mask: number;
  #top = 0;

  /**
   * @param size numbers behind the highest that are still told apart, 32 or more
   * @param enforced false: replays pass, which an administrator may want; ESN is inferred all the same
   */
  constructor(size: number, esn: boolean, enforced: boolean) {
    this.size = Math.max(32, size);
    this.#esn = esn;
    this.enforced = enforced;
    let blocks = 2;
    while ((blocks - 1) * 32 < this.size) blocks *= 2;
    this.#ring = new Uint32Array(enforced ? blocks : 1);
    this.#mask = this.#ring.length - 1;
  }

  /** The highest number that was marked. */
  get top(): number {
    return this.#top;
  }

  /** The upper half of the number of a packet that may be opened (0 without ESN), or why it may not. Changes nothing. */
  look(low: number): number {
    const high = this.#esn ? this.#infer(low) : 0;
    if (high < 0 || high > MOST_HIGH) return TOO_OLD;
    const number = high * HALF + low;
    if (number === 0) return TOO_OLD; // §3.3.3: the first is 1
    if (!this.enforced || number > this.#top) return high;
    if (this.#top - number >= this.size) return TOO_OLD;
    const bit = 1 << (number & 31);
    return ((this.#ring[Math.floor(number / 32) & this.#mask] ?? 0) & bit) === 0 ? high : REPLAYED;
  }

  /**
   * Notes an authentic packet.
   *
   * @returns true when its number is the highest so far
   */
  mark(low: number, high: number): boolean {
    const number = high * HALF + low;
    const block = Math.floor(number / 32);
    const ahead = number > this.#top;
    if (ahead) {
      const from = Math.floor(this.#top / 32);
      const steps = Math.min(block - from, this.#ring.length);
      for (let i = 1; i <= steps; i += 1) this.#ring[(from + i) & this.#mask] = 0;
      this.#top = number;
    }
    const at = block & this.#mask;
    if (this.enforced) this.#ring[at] = (this.#ring[at] ?? 0) | (1 << (number & 31));
    return ahead;
  }

  /** Appendix A2.2; negative when the number would lie before the first. */
  #infer(low: number): number {
    const high = Math.floor(this.#top / HALF);
    const edge = (this.#top % HALF) - this.size + 1;
    if (edge >= 0) return low >= edge ? high : high + 1;
    return low >= edge + HALF ? high - 1 : high;
  }
}
