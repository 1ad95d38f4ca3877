/** Where a zero-trust token comes from, and when the next one is due. Nobody verifies it here: the gateway does. */
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { World } from '../../lab/index.ts';
import { callAdmin } from '../../lab/index.ts';
import { codeOf } from '../../net/index.ts';
import { printable } from '../../wire/index.ts';

export type TokenSource = {
  /** The token as it is now. Rejects with an Error that says in plain words why there is none. */
  readonly read: () => Promise<string>;
  /** Reading costs nothing: it is looked at all the time, and a change is sent at once. */
  readonly cheap: boolean;
};

export type TokenNews =
  | { readonly kind: 'fresh'; readonly token: string; readonly because: 'changed' | 'expiring' }
  | { readonly kind: 'trouble'; readonly why: string };

/** Longer ones are none: a token must fit into a message. */
const LARGEST = 16_384;
const PATIENCE = 10_000;

/** A file that somebody else writes. */
export const fromFile = (path: string): TokenSource => ({
  cheap: true,
  read: async () => {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw new Error(`cannot read ${path}: ${codeOf(error)}`);
    });
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(LARGEST + 1), 0, LARGEST + 1, 0);
      return tokenIn(buffer.subarray(0, bytesRead).toString('latin1'), path);
    } catch (error) {
      throw error instanceof Error && !('code' in error) ? error : new Error(`cannot read ${path}: ${codeOf(error)}`);
    } finally {
      await handle.close();
    }
  },
});

/** A program that prints it; started without a shell. */
export const fromCommand = (program: string, words: readonly string[]): TokenSource => ({
  cheap: false,
  read: () =>
    new Promise((resolve, reject) => {
      const limits = { timeout: PATIENCE, maxBuffer: 4 * LARGEST, encoding: 'latin1', shell: false } as const;
      execFile(program, words, limits, (error, stdout, stderr) => {
        try {
          if (error === null) return resolve(tokenIn(stdout, program));
          const said = stderr.trim().split('\n', 1)[0] ?? '';
          const how = error.killed === true ? `no end after ${PATIENCE / 1000} s` : `ends with ${error.code ?? error.signal}`;
          reject(new Error(`${program}: ${how}${said === '' ? '' : `: ${printable(said, 200)}`}`));
        } catch (wrong) {
          reject(wrong);
        }
      });
    }),
});

/** A running `postern ems`, by its state directory. */
export const fromEms = (directory: string, uid: string): TokenSource => ({
  cheap: false,
  read: async () => tokenIn(await callAdmin(directory, 'token', { uid }), 'the EMS'),
});

function tokenIn(text: string, whose: string): string {
  const token = text.trim();
  if (token === '') throw new Error(`${whose} holds no token`);
  if (token.length > LARGEST) throw new Error(`what ${whose} holds is longer than ${LARGEST} octets: that is no token`);
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`what ${whose} holds is more than one word: that is no token`);
  return token;
}

/** `exp` of a token, in seconds since 1970; undefined when it tells none. */
export function endOf(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' && Number.isFinite(exp) ? exp : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds before its end at which a token should have a successor; half of the time left when that is less. */
const MARGIN = 60;
/** ms between two looks at a cheap source, and the least between two tokens or two attempts at a dear one. */
const LOOK = 1000;
const SPACE = 5000;

/**
 * Keeps a token fresh: looks for another one in time, and tells. One for any number of clients.
 */
export class TokenKeeper {
  readonly #source: TokenSource;
  readonly #world: Pick<World, 'unix' | 'now' | 'after'>;
  readonly #listeners: ((news: TokenNews) => void)[] = [];
  #current: string;
  /** Of `world.now`: when the next token is wanted, when one may be told again. */
  #wanted: number;
  #free = Number.NEGATIVE_INFINITY;
  #trouble = '';
  #stopped = false;
  #cancel: () => void = () => undefined;

  /** Reads the first one. Rejects with an Error that says why there is none. */
  static async begin(source: TokenSource, world: Pick<World, 'unix' | 'now' | 'after'>): Promise<TokenKeeper> {
    return new TokenKeeper(source, world, await source.read());
  }

  private constructor(source: TokenSource, world: Pick<World, 'unix' | 'now' | 'after'>, first: string) {
    this.#source = source;
    this.#world = world;
    this.#current = first;
    this.#wanted = this.#due();
    this.#plan();
  }

  get current(): string {
    return this.#current;
  }

  /** What comes back ends it. */
  subscribe(listener: (news: TokenNews) => void): () => void {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** When the present token should have a successor. */
  #due(): number {
    const end = endOf(this.#current);
    if (end === undefined) return Number.POSITIVE_INFINITY;
    const left = Math.max(0, end - this.#world.unix());
    return this.#world.now() + (left > 2 * MARGIN ? left - MARGIN : left / 2) * 1000;
  }

  #plan(): void {
    if (this.#stopped) return;
    const { now, after } = this.#world;
    const due = this.#source.cheap ? Math.min(this.#wanted, now() + LOOK) : this.#wanted;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#cancel = after(Math.max(due, this.#free, now() + 1) - now(), () => void this.#look());
  }

  async #look(): Promise<void> {
    const expiring = this.#world.now() >= this.#wanted;
    const read = await this.#source.read().then(
      (token) => ({ token }),
      (error: unknown) => ({ why: error instanceof Error ? error.message : 'unknown' }),
    );
    if (this.#stopped) return;
    if ('token' in read && read.token !== this.#current) {
      this.#current = read.token;
      this.#free = this.#world.now() + SPACE;
      this.#wanted = Math.max(this.#due(), this.#free);
      this.#trouble = '';
      this.#tell({ kind: 'fresh', token: read.token, because: expiring ? 'expiring' : 'changed' });
    } else {
      if (expiring) this.#wanted = this.#world.now() + SPACE;
      const why = 'why' in read ? read.why : expiring ? 'the token ends soon, and there is no other' : '';
      if (why !== '' && why !== this.#trouble) this.#tell({ kind: 'trouble', why });
      if (why !== '' || expiring) this.#trouble = why;
    }
    this.#plan();
  }

  #tell(news: TokenNews): void {
    for (const listener of [...this.#listeners]) listener(news);
  }
}
