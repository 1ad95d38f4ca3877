/** Exit codes of `postern`, and what a verb needs of the terminal. */
import { createInterface } from 'node:readline';
import type { ProcessLike } from '../daemon.ts';
import { type Journal, type LineStream, openJournal } from '../log/index.ts';

/**
 * 0 done · 1 a demonstration did not end as it should · 2 the configuration or the command line is wrong · 3 the machine does not
 * allow it · 4 the other end refused us · 5 the other end did not answer · 70 our own fault (daemon).
 */
export const EXIT = { ok: 0, demo: 1, usage: 2, environment: 3, refused: 4, silent: 5 } as const;

/** Where a verb speaks to, and what it runs in. */
export type Terminal = {
  readonly stdout: LineStream;
  readonly stderr: LineStream;
  readonly process: ProcessLike;
  /** Opens the operator's journal: on stderr, or in a file. */
  readonly journal: (o?: { readonly file?: string }) => Journal;
  /** Asks the person at the terminal for yes or no; absent when nobody sits there. */
  readonly ask?: (question: string) => Promise<boolean>;
};

/** The terminal of a real process. A reader that leaves early (`postern help | head`) is no fault. */
export function terminalOf(
  process: ProcessLike & {
    readonly stdout: LineStream & { readonly isTTY?: boolean };
    readonly stderr: LineStream;
    readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  },
): Terminal {
  const { stdout, stderr, stdin } = process;
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  const terminal = { stdout, stderr, process, journal: openJournal };
  if (stdin?.isTTY !== true || stdout.isTTY !== true) return terminal;
  return { ...terminal, ask: (question) => yesOrNo(question, stdin, stdout) };
}

/** Three times at most; whoever then has said neither, or has closed the input, has said no. */
async function yesOrNo(question: string, stdin: NodeJS.ReadableStream, stdout: LineStream): Promise<boolean> {
  const lines = createInterface({ input: stdin });
  try {
    stdout.write(question);
    let asked = 1;
    for await (const line of lines) {
      if (/^\s*y(es)?\s*$/i.test(line)) return true;
      if (/^\s*no?\s*$/i.test(line) || asked === 3) return false;
      asked += 1;
      stdout.write(question);
    }
    return false;
  } finally {
    lines.close();
  }
}

/** Writes whole lines to people. */
export function say(stream: LineStream, ...lines: readonly string[]): void {
  stream.write(`${lines.join('\n')}\n`);
}
