/** The configuration is read again, by SIGHUP or by the control socket: taken whole, or not at all. */
import { type Config, loadConfig } from '../config/index.ts';
import type { Journal } from '../log/index.ts';
import { EnvironmentRefused } from '../net/index.ts';

/** What reading it again gave; `text` is for people: findings, or why there is nothing. */
export type Reread =
  | { readonly kind: 'loaded'; readonly config: Config; readonly source?: string | undefined; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

export type Reloaded = { readonly ok: boolean; readonly text: string };

export type ReloadWorld = {
  /** Undefined where there is no file. */
  readonly reread: (() => Promise<Reread>) | undefined;
  /** Puts it in force; gives a sentence of what came of it. Throws EnvironmentRefused, and then nothing has changed. */
  readonly take: (read: Extract<Reread, { kind: 'loaded' }>) => Promise<string>;
  readonly journal: Journal;
};

/** Makes the function that loads a text; the same text again, to be put in force when it is prepared, is not parsed again. */
export function reader(load: typeof loadConfig = loadConfig): (source: string) => { config: Config; source: string } {
  let last: { config: Config; source: string } | undefined;
  return (source) => {
    if (last?.source !== source) last = { config: load(source).config, source };
    return last;
  };
}

/** Makes the function that reads and takes it; one at a time, each time anew. It never rejects. */
export function reloader({ reread, take, journal }: ReloadWorld): () => Promise<Reloaded> {
  let last: Promise<unknown> = Promise.resolve();
  const once = async (): Promise<Reloaded> => {
    const kept = 'the configuration was not taken; the one before stays in force';
    if (reread === undefined)
      return { ok: false, text: 'this daemon runs without a configuration file: there is nothing to read again' };
    const read = await reread();
    if (read.kind === 'wrong') return { ok: false, text: `${read.text}\n${kept}` };
    try {
      return { ok: true, text: `${read.text}\n${await take(read)}` };
    } catch (error) {
      if (!(error instanceof EnvironmentRefused)) throw error;
      return { ok: false, text: `${read.text}\n${error.message}\n${error.fix}\n${kept}` };
    }
  };
  return () => {
    const result = last.then(once).catch((error: unknown): Reloaded => {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      journal.event({ kind: 'fault', where: 'reload', stack });
      return { ok: false, text: 'a mistake of ours: see the journal' };
    });
    last = result;
    return result.then((done) => {
      journal.note(done.ok ? 'info' : 'error', done.ok ? 'configuration read again' : 'configuration not taken', {
        text: done.text,
      });
      return done;
    });
  };
}
