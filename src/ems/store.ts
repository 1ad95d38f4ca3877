/**
 * What outlives a restart: what EMS last said, with its age, its token keys, and the certificates that people have accepted. One
 * private file for each EMS; a damaged one is as if it were not there, and said so.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmsIdentity, EndpointRecord } from './driver.ts';

export type Kept = {
  readonly identity: EmsIdentity | undefined;
  /** When the devices were EMS' word, seconds since 1970. */
  readonly asOf: number;
  readonly devices: readonly EndpointRecord[];
  /** Texts that EMS gave. */
  readonly tokenKeys: readonly string[];
  /** SHA-256 of the certificate that a person has accepted. */
  readonly pinned: string | undefined;
};

const NOTHING: Kept = { identity: undefined, asOf: 0, devices: [], tokenKeys: [], pinned: undefined };
const VERSION = 1;
const MOST = 256 * 1024 * 1024;

export type Note = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;

export class Store {
  readonly #path: string | undefined;
  readonly #directory: string | undefined;
  readonly #note: Note;
  #writing: Promise<void> = Promise.resolve();

  /** @param state undefined: nothing is kept */
  constructor(state: string | undefined, key: string, note: Note) {
    this.#directory = state === undefined ? undefined : join(state, 'ems');
    // A name may hold anything; a file's name must not.
    this.#path = this.#directory === undefined ? undefined : join(this.#directory, `${Buffer.from(key).toString('hex')}.json`);
    this.#note = note;
  }

  async load(): Promise<Kept> {
    if (this.#path === undefined) return NOTHING;
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch {
      return NOTHING; // nobody has written yet
    }
    try {
      const { version, ...kept } = JSON.parse(text) as Kept & { readonly version: number };
      // What we wrote ourselves, into a directory that is ours alone: its outline is enough.
      const whole = version === VERSION && text.length <= MOST && Array.isArray(kept.devices) && Array.isArray(kept.tokenKeys);
      if (whole && typeof kept.asOf === 'number') return { ...NOTHING, ...kept };
    } catch {
      // told below
    }
    this.#note('warn', 'what EMS said before the restart cannot be read, and is not used', { file: this.#path });
    return NOTHING;
  }

  /** Writes in one step, one write after the other. Never rejects; a failure is told. */
  async save(kept: Kept): Promise<void> {
    const [path, directory] = [this.#path, this.#directory];
    if (path === undefined || directory === undefined) return;
    this.#writing = this.#writing.then(async () => {
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await writeFile(`${path}.new`, JSON.stringify({ version: VERSION, ...kept }), { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch (error) {
        this.#note('error', 'what EMS says cannot be kept', {
          file: path,
          why: error instanceof Error ? error.message : 'unknown',
        });
      }
    });
    await this.#writing;
  }
}
