/** When what is known is written: soon after news, rarely when there are none. */

/** ms until news are kept, and until it is kept that there were none. */
const SAVE_SOON = 5000;
const SAVE_LATER = 60_000;

export class Saver {
  readonly #after: (ms: number, run: () => void) => () => void;
  readonly #save: () => Promise<void>;
  #cancel: (() => void) | undefined;
  #soon = false;
  #stopped = false;

  /** @param save writes what is known then; never rejects */
  constructor(after: (ms: number, run: () => void) => () => void, save: () => Promise<void>) {
    this.#after = after;
    this.#save = save;
  }

  /** Has it written in a while. That nothing is new is not worth the whole table every few seconds. */
  note(news: boolean): void {
    if (this.#stopped || (this.#cancel !== undefined && (this.#soon || !news))) return;
    this.#cancel?.();
    this.#soon = news;
    this.#cancel = this.#after(news ? SAVE_SOON : SAVE_LATER, () => {
      this.#cancel = undefined;
      void this.#save();
    });
  }

  /** Writes now. */
  async flush(): Promise<void> {
    await this.#save();
  }

  /** Writes for the last time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#save();
  }
}
