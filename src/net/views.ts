/**
 * Parts of buffers to be copied. Making one takes longer than copying what it shows, and leaves more to be collected; and the
 * parts that packets lie in are the same ones again and again. So they are kept, in a table of fixed size where the newest has
 * its place.
 */
const PLACES = 256;

export class Views {
  readonly #views: (Uint8Array | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #of: (Uint8Array | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #at = new Int32Array(PLACES);

  /** `octets` from `at` on, `length` of them. For copying at once, not to be kept. */
  of(octets: Uint8Array, at: number, length: number): Uint8Array {
    // Datagrams lie 64 KB apart, the packets of a run a little less than 1500 octets.
    const i = ((at >>> 9) ^ (at >>> 16)) & (PLACES - 1);
    const there = this.#views[i];
    if (there !== undefined && this.#at[i] === at && there.length === length && this.#of[i] === octets) return there;
    const made = octets.subarray(at, at + length);
    this.#views[i] = made;
    this.#of[i] = octets;
    this.#at[i] = at;
    return made;
  }
}
