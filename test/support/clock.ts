/**
 * Time for tests: it stands still until someone moves it. `now` is monotonic milliseconds, `unix` the seconds that
 * certificates and tokens are judged by; both move together.
 */
export class VirtualClock {
  #now: number;
  readonly #unixAtZero: number;

  /** `unix`: seconds since 1970 when `now` is 0. */
  constructor({ now = 0, unix = 1_800_000_000 }: { readonly now?: number; readonly unix?: number } = {}) {
    this.#now = now;
    this.#unixAtZero = unix;
  }

  get now(): number {
    return this.#now;
  }

  get unix(): number {
    return this.#unixAtZero + Math.floor(this.#now / 1000);
  }

  /** Both, as the engine takes them. */
  get clocks(): { readonly now: number; readonly unix: number } {
    return { now: this.now, unix: this.unix };
  }

  /** RangeError for a moment that has passed. */
  advanceTo(now: number): void {
    if (now < this.#now) throw new RangeError(`it is ${this.#now} already, not ${now}`);
    this.#now = now;
  }

  advance(ms: number): void {
    this.advanceTo(this.#now + ms);
  }
}
