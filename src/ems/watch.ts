/** The WebSocket of one connection: opened again after a pause whenever it ends, the longer the less it was good for. */
import type { EmsDriver, WatchEvent } from './driver.ts';

export const PAUSE_FIRST = 1000;
export const PAUSE_MOST = 60_000;

/** A pause that is not the same for everybody. @param chance 0 … 1 */
export const spread = (ms: number, chance: number): number => ms * (0.75 + chance / 2);

export type WatchWorld = {
  readonly driver: EmsDriver;
  after(ms: number, run: () => void): () => void;
  chance(): number;
  /** What the table is in step with. */
  since(): number;
  on(what: WatchEvent): void;
};

export class Watch {
  readonly #world: WatchWorld;
  #open = false;
  #end: () => void = () => undefined;

  constructor(world: WatchWorld) {
    this.#world = world;
  }

  get open(): boolean {
    return this.#open;
  }

  begin(pause: number = PAUSE_FIRST): void {
    const { driver, after, chance, since, on } = this.#world;
    let [over, heard] = [false, false];
    const watch = driver.watch?.(since(), (what) => {
      if (over) return;
      if (what === 'closed') {
        over = true;
        this.#open = false;
        const next = heard ? PAUSE_FIRST : Math.min(2 * pause, PAUSE_MOST);
        this.#end = after(spread(pause, chance()), () => this.begin(next));
      }
      heard = true;
      on(what);
    });
    if (over) return;
    this.#open = true;
    this.#end = () => {
      over = true;
      this.#open = false;
      watch?.close();
    };
  }

  end(): void {
    this.#end();
  }
}
