/** Exit codes of `postern`, and what a verb needs of the terminal. */
import type { ProcessLike } from '../daemon.ts';
import { type Journal, type LineStream, openJournal } from '../log/index.ts';

/**
 * 0 done · 1 a demonstration did not end as it should · 2 the configuration or the command line is wrong · 3 the machine does not
 * allow it · 70 our own fault (daemon).
 */
export const EXIT = { ok: 0, demo: 1, usage: 2, environment: 3 } as const;

/** Where a verb speaks to, and what it runs in. */
export type Terminal = {
  readonly stdout: LineStream;
  readonly stderr: LineStream;
  readonly process: ProcessLike;
  /** Opens the operator's journal: on stderr, or in a file. */
  readonly journal: (o?: { readonly file?: string }) => Journal;
};

/** The terminal of a real process. A reader that leaves early (`postern help | head`) is no fault. */
export function terminalOf(process: ProcessLike & { readonly stdout: LineStream; readonly stderr: LineStream }): Terminal {
  const { stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  return { stdout, stderr, process, journal: openJournal };
}

/** Writes whole lines to people. */
export function say(stream: LineStream, ...lines: readonly string[]): void {
  stream.write(`${lines.join('\n')}\n`);
}
