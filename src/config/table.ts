/** What a table of the schema is, and the objects that a configuration puts into it. */
import type { Word } from './lexer.ts';
import type { Setting } from './setting.ts';
import type { Block } from './syntax.ts';

export type Words = Readonly<Record<string, Setting<unknown>>>;
export type ValueOf<S> = S extends Setting<infer V> ? V : never;

export type Table<W extends Words = Words> = {
  /** As it is written after `config`; within another table relative to that. */
  readonly path: string;
  readonly help: string;
  /** How its objects are called: by `edit NAME`, by `edit NUMBER`, or there is only one of them and no `edit`. */
  readonly key: 'name' | 'number' | 'none';
  /** Longest name. */
  readonly keyMax: number;
  readonly words: W;
  /** More words of FortiOS: they load, and do nothing here. Their defaults are not known. */
  readonly idle: ReadonlySet<string>;
  readonly blocks: readonly Table[];
  /** More tables of FortiOS within this one: passed over as a whole. */
  readonly idleBlocks: ReadonlySet<string>;
  /** Why the whole table does nothing yet; its words are checked all the same. */
  readonly later: string | undefined;
};

/** A table; `idle` and `idleBlocks` are words parted by blanks. */
export function table<const W extends Words>(spec: {
  readonly path: string;
  readonly help: string;
  readonly key?: Table['key'];
  readonly keyMax?: number;
  readonly words: W;
  readonly idle?: string;
  readonly blocks?: readonly Table[];
  readonly idleBlocks?: string;
  readonly later?: string;
}): Table<W> {
  const { path, help, key = 'name', keyMax = 79, words, idle = '', blocks = [], idleBlocks = '', later } = spec;
  return { path, help, key, keyMax, words, idle: setOf(idle), blocks, idleBlocks: setOf(idleBlocks), later };
}

const setOf = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/).filter((word) => word !== ''));

/** One word that was set, read. When `ok` is false the value is the default and a finding has been made. */
export type Given = {
  readonly keyword: Word;
  readonly words: readonly Word[];
  readonly ok: boolean;
  readonly value: unknown;
  readonly canonical: readonly string[];
};

/** One object. */
export type Entry<W extends Words = Words> = {
  readonly table: Table<W>;
  /** Its name as it stands after `edit`; of a single object the table's own first word. */
  readonly key: Word;
  readonly given: ReadonlyMap<string, Given>;
  readonly blocks: ReadonlyMap<string, readonly Entry[]>;
  /** Tables within it that are not read. */
  readonly verbatim: readonly Block[];
};

/** The value of a word: what was set, else the default. */
export function get<W extends Words, K extends keyof W & string>(entry: Entry<W>, word: K): ValueOf<W[K]> {
  const given = entry.given.get(word);
  const value = given === undefined ? entry.table.words[word]?.fallback : given.value;
  return value as ValueOf<W[K]>; // the word's own Setting made the value, or holds it as its default
}

/** Is what was set the default, canonically? An empty text is the default of what is empty by default. */
export const same = (words: readonly string[], fallback: readonly string[]): boolean =>
  words.length === fallback.length
    ? words.every((word, i) => word === fallback[i])
    : words.join('') === '' && fallback.length === 0;

/** Was the word set to something else than its default? The default itself says nothing: `show` does not print it. */
export function isSet<W extends Words>(entry: Entry<W>, word: keyof W & string): boolean {
  const given = entry.given.get(word);
  return given?.ok === true && !same(given.canonical, entry.table.words[word]?.fallbackWords ?? []);
}

/** Was the word set to something that could not be read? That has been told, and its absence need not be. */
export const isGarbled = <W extends Words>(entry: Entry<W>, word: keyof W & string): boolean =>
  entry.given.get(word)?.ok === false;

/** Where to point for a word: at its value number `index`, else at the word, else at the name of the object. */
export function placeOf<W extends Words>(entry: Entry<W>, word: keyof W & string, index = 0): Word {
  const given = entry.given.get(word);
  if (given === undefined) return entry.key;
  return entry.table.words[word]?.secret === true ? given.keyword : (given.words[index] ?? given.keyword);
}

/** The objects of a table within an object. */
export function inner<W extends Words>(entry: Entry, { path }: Table<W>): readonly Entry<W>[] {
  return (entry.blocks.get(path) ?? []) as readonly Entry<W>[]; // blocks are filed under the path of the table that read them
}
