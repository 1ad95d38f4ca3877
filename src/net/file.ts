/** A private file that grows: mode 0600, never a symbolic link, with a bound on what waits for the disk. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, EnvironmentRefused } from './refusal.ts';

export type PrivateFile = {
  /** Queues octets for the file; false when they were dropped because too much waits already or the file is at its limit. */
  write(octets: Uint8Array): boolean;
  /** Settles when everything queued is written; then the file is closed. Never throws: `failed` says what went wrong. */
  close(): Promise<void>;
  readonly dropped: number;
  readonly failed: string | undefined;
};

export type PrivateFileOptions = {
  readonly append: boolean;
  /** Octets that may wait for the disk. */
  readonly queue: number;
  /** Octets that one run may add in all. */
  readonly limit: number;
  /** What the file is, for the error: 'the capture'. */
  readonly what: string;
  /** The flag that named it. */
  readonly flag: string;
};

/**
 * Opens the file for this user alone, whatever its mode was.
 *
 * @throws EnvironmentRefused when it cannot be made, is a symbolic link, or belongs to somebody else
 */
export async function openPrivateFile(path: string, o: PrivateFileOptions): Promise<PrivateFile> {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_APPEND, O_TRUNC } = constants;
  let handle: FileHandle;
  try {
    handle = await open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | (o.append ? O_APPEND : O_TRUNC), 0o600);
    await handle.chmod(0o600); // an old file keeps its old mode otherwise
  } catch (error) {
    const code = codeOf(error);
    const why = code === 'ELOOP' ? 'it is a symbolic link' : code === 'ENOENT' ? 'its directory does not exist' : code;
    throw new EnvironmentRefused(
      code,
      `Cannot write ${o.what} to ${path}: ${why}.`,
      `Name a file that this user may write with ${o.flag}.`,
    );
  }
  return new Growing(handle, o);
}

class Growing implements PrivateFile {
  readonly #handle: FileHandle;
  readonly #options: PrivateFileOptions;
  #waiting: Uint8Array[] = [];
  #waitingOctets = 0;
  #total = 0;
  #dropped = 0;
  #failed: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(handle: FileHandle, o: PrivateFileOptions) {
    this.#handle = handle;
    this.#options = o;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get failed(): string | undefined {
    return this.#failed;
  }

  write(octets: Uint8Array): boolean {
    const { queue, limit } = this.#options;
    if (this.#failed !== undefined || this.#waitingOctets + octets.length > queue || this.#total + octets.length > limit) {
      this.#dropped += 1;
      return false;
    }
    this.#total += octets.length;
    this.#waitingOctets += octets.length;
    this.#waiting.push(octets);
    this.#writing ??= this.#drain();
    return true;
  }

  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#handle.close().catch((error: unknown) => this.#fail(error));
  }

  // One write at a time, of all that waits: a slow disk costs memory up to the bound, never order.
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting;
        const octets = this.#waitingOctets;
        this.#waiting = [];
        await this.#handle.appendFile(Buffer.concat(batch));
        this.#waitingOctets -= octets;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = undefined;
  }

  #fail(error: unknown): void {
    this.#failed ??= codeOf(error);
    this.#waiting = [];
  }
}
