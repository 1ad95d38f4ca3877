/** The state directory of an emulated EMS: `ems.json`, private, replaced in one step; written a moment after a change. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmsSaved } from './emulator.ts';
import { readSaved } from './reading.ts';
import { EmsRefused } from './record.ts';

/** Changes of so many ms are written together. */
const TOGETHER = 50;

export class EmsStore {
  readonly #path: string;
  readonly #take: () => EmsSaved;
  readonly #onTrouble: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;

  /**
   * @param take gives what is to be kept, when it is written
   * @param onTrouble the directory could not be written, outside a `flush`
   */
  constructor(directory: string, take: () => EmsSaved, onTrouble: (error: unknown) => void) {
    this.#path = join(directory, FILE);
    this.#take = take;
    this.#onTrouble = onTrouble;
  }

  /** Something is different. */
  dirty(): void {
    this.#dirty = true;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#late(), TOGETHER).unref();
  }

  #late(): void {
    this.flush().catch(this.#onTrouble);
  }

  /** Settles when all that was different is on the disk. Rejects with the system's error. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const write = this.#writing.then(async () => {
      if (!this.#dirty) return;
      this.#dirty = false;
      try {
        await replacePrivate(this.#path, JSON.stringify(this.#take()));
      } catch (error) {
        this.#dirty = true; // the next change tries again
        throw error;
      }
    });
    this.#writing = write.catch(() => undefined); // told to who asked
    await write;
  }
}

const FILE = 'ems.json';

/**
 * What an earlier life kept in this directory, which is made when it is not there; undefined when it is new.
 *
 * @throws EmsRefused when the file is not what an emulator wrote; the system's error when it cannot be read
 */
export async function readStore(directory: string): Promise<EmsSaved | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  let saved: EmsSaved | undefined;
  try {
    saved = readSaved(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (saved === undefined) throw new EmsRefused('bad-request', `${path} is not what the emulator wrote: remove it to start anew`);
  return saved;
}

/** Puts a file of this user alone in the place of the old one, in one step: a reader sees the one or the other, whole. */
export async function replacePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.chmod(0o600); // a file left over from a crash keeps its old mode otherwise
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
}
