/** Commands as nested tables of words. As in FortiOS, a word may be shortened as long as only one fits. */
import { nearest } from '../config/index.ts';
import { printable } from '../wire/index.ts';
import type { Io } from './server.ts';

export type Command<V> = {
  readonly help: string;
  /** The words it takes, for people: 'NAME', '[name X]'; and how many of them. */
  readonly args: { readonly text: string; readonly least: number; readonly most: number };
  /** Does it; gives the exit code. */
  run(view: V, io: Io, args: readonly string[]): Promise<number>;
};
export type Words<V> = { readonly [word: string]: Command<V> | Branch<V> };
type Branch<V> = { readonly help: string; readonly words: Words<V> };

export const EXIT = { ok: 0, no: 1, usage: 2 } as const;

/** Finds the command and runs it; unknown words are answered with what was probably meant. */
export async function runWords<V>(table: Words<V>, words: readonly string[], view: V, io: Io): Promise<number> {
  const path: string[] = [];
  let here = table;
  for (const [i, word] of words.entries()) {
    if (word === '?' || word === 'help') {
      await io.out(`${listing(here, path).join('\n')}\n`);
      return EXIT.ok;
    }
    const found = pick(here, word);
    if ('why' in found) return await refuse(io, [`${['postern', ...path].join(' ')}: ${found.why}`, ...listing(here, path)]);
    path.push(found.word);
    const { entry } = found;
    if ('words' in entry) {
      here = entry.words;
      continue;
    }
    const args = words.slice(i + 1);
    if (args.length < entry.args.least || args.length > entry.args.most)
      return await refuse(io, [`Usage: ${line(path, entry)}`, entry.help]);
    return await entry.run(view, io, args);
  }
  return await refuse(io, [`${['postern', ...path].join(' ')}: a word is missing; known are`, ...listing(here, path)]);
}

/** Every command below a table, in full. */
export function listing<V>(table: Words<V>, path: readonly string[]): readonly string[] {
  return Object.entries(table).flatMap(([word, entry]) =>
    'words' in entry ? listing(entry.words, [...path, word]) : [`  ${line([...path, word], entry)}`],
  );
}

function pick<V>(table: Words<V>, word: string): Found<V> {
  const exact = Object.hasOwn(table, word) ? table[word] : undefined;
  if (exact !== undefined) return { word, entry: exact };
  const begun = Object.entries(table).filter(([name]) => word !== '' && name.startsWith(word));
  const [only, second] = begun;
  if (only !== undefined && second === undefined) return { word: only[0], entry: only[1] };
  const shown = `'${printable(word, 64)}'`;
  if (second !== undefined) return { why: `${shown} may be ${begun.map(([name]) => `'${name}'`).join(' or ')}` };
  const meant = nearest(word, Object.keys(table));
  return { why: `there is no ${shown}${meant === undefined ? '' : `; did you mean '${meant}'?`}` };
}

type Found<V> = { readonly word: string; readonly entry: Command<V> | Branch<V> } | { readonly why: string };

const line = (path: readonly string[], { args }: { readonly args: { readonly text: string } }): string =>
  [...path, args.text].filter((word) => word !== '').join(' ');

async function refuse(io: Io, lines: readonly string[]): Promise<number> {
  await io.out(`${lines.join('\n')}\n`);
  return EXIT.usage;
}
