/** The public keys that verify the tokens of one EMS: those of the configuration, and those that it told or had told before. */
import type { Note } from './store.ts';
import { readTokenKeys, type TokenKey } from './token.ts';

export class Keyring {
  readonly #where: string;
  readonly #note: Note;
  #configured: readonly TokenKey[] = [];
  #fetched: readonly TokenKey[] = [];
  #texts: readonly string[] = [];

  /** @param where the EMS, for the journal */
  constructor(where: string, note: Note) {
    this.#where = where;
    this.#note = note;
  }

  /** Texts that EMS gave, to be kept. */
  get texts(): readonly string[] {
    return this.#texts;
  }

  all(): readonly TokenKey[] {
    return this.#configured.length === 0 ? this.#fetched : [...this.#configured, ...this.#fetched];
  }

  async configure(texts: readonly string[]): Promise<void> {
    this.#configured = await this.#read(texts);
  }

  /** Takes what EMS told. What was learned is kept while the same EMS offers nothing else. */
  async take(texts: readonly string[]): Promise<void> {
    if (texts.length === 0) return;
    this.#fetched = await this.#read(texts);
    this.#texts = texts;
  }

  /** It is another EMS: the keys of the one before sign nothing any more. */
  forget(): void {
    this.#fetched = [];
    this.#texts = [];
  }

  async #read(texts: readonly string[]): Promise<readonly TokenKey[]> {
    const keys: TokenKey[] = [];
    for (const text of texts) {
      try {
        keys.push(...(await readTokenKeys(text)));
      } catch (error) {
        const why = error instanceof Error ? error.message : 'unknown';
        this.#note('warn', `a token key of ${this.#where} is not used`, { why });
      }
    }
    return keys;
  }
}
