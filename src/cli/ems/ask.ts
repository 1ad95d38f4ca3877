/** A command to the running emulator, and what its refusals are to people. */

import { nearest } from '../../config/index.ts';
import { type AdminCommands, type AdminName, callAdmin, EmsNotRunning, EmsRefused } from '../../lab/index.ts';
import { EnvironmentRefused } from '../../net/index.ts';
import { EXIT, say, type Terminal } from '../exit.ts';
import type { Option, Values } from '../options.ts';

export const STATE: Option = { name: 'state', value: 'DIR', help: 'where the emulator lives (./.state/ems)' };

export const stateOf = (values: Values): string => values.one('state') ?? '.state/ems';

/**
 * Gives a command, then says what came of it; gives the exit code.
 *
 * @param guess the words that a user may have meant where the emulator knows none of that name
 * @throws EnvironmentRefused when no emulator runs
 */
export async function ask<Name extends AdminName>(
  o: {
    readonly verb: string;
    readonly values: Values;
    readonly terminal: Terminal;
    readonly name: Name;
    readonly takes: AdminCommands[Name]['takes'];
    readonly guess?: { readonly word: string; readonly among: () => Promise<readonly string[]> };
  },
  told: (gives: AdminCommands[Name]['gives']) => readonly string[],
): Promise<number> {
  const { values, terminal, guess } = o;
  const directory = stateOf(values);
  try {
    const lines = told(await callAdmin(directory, o.name, o.takes));
    if (lines.length > 0) say(terminal.stdout, ...lines);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof EmsNotRunning)
      throw new EnvironmentRefused(
        'ENOENT',
        `No EMS emulator runs with the state directory ${directory}.`,
        'Start one with `postern ems run`, or name its directory with --state DIR.',
      );
    if (!(error instanceof EmsRefused)) throw error;
    const meant = error.code === 'not-found' && guess !== undefined ? nearest(guess.word, await guess.among()) : undefined;
    say(terminal.stderr, `postern ems ${o.verb}: ${error.message}${meant === undefined ? '' : `; did you mean '${meant}'?`}`);
    return EXIT.usage;
  }
}

/** The UIDs that the emulator knows, for guesses. */
export async function uids(values: Values): Promise<readonly string[]> {
  return (await callAdmin(stateOf(values), 'endpoint-list', {})).map(({ uid }) => uid);
}

/** Columns, as wide as their widest word. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A verb that has only verbs below it. */
export const never = (): Promise<number> => Promise.reject(new Error('a verb with verbs below it does nothing by itself'));
