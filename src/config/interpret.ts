/**
 * The tree with the schema laid over it: statements → objects with read values. Every word is checked here; what the objects mean
 * to each other is for build.ts. The same object may be edited several times: later statements continue it, as in FortiOS.
 */
import type { Findings } from './findings.ts';
import type { Word } from './lexer.ts';
import { nearest } from './nearest.ts';
import { tableAt, tables } from './schema.ts';
import { anything, type Kind, type Misfit, shown } from './setting.ts';
import { type Block, type Change, type Edit, printable, type Statement } from './syntax.ts';
import type { Entry, Given, Table, Words } from './table.ts';
import { pathOf } from './vdom.ts';

/** All objects of a configuration by the path of their table. */
export type Store = {
  readonly entries: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  /** Where the first `config` of each known table stands. */
  readonly opened: ReadonlyMap<string, Word>;
  /** Blocks that the schema does not know, and the names of their objects. */
  readonly unknown: readonly Block[];
  readonly unknownNames: ReadonlyMap<string, ReadonlySet<string>>;
};

/** The objects of a table in the order of their first `edit`. */
export function entriesOf<W extends Words>(store: Store, { path }: Table<W>): readonly Entry<W>[] {
  return [...(store.entries.get(path)?.values() ?? [])] as unknown as readonly Entry<W>[]; // filed under the table that read them
}

export function entryAt<W extends Words>(store: Store, { path }: Table<W>, name: string): Entry<W> | undefined {
  return store.entries.get(path)?.get(name) as Entry<W> | undefined; // filed under the table that read it
}

/** The one object of a table without `edit`; all defaults when the text does not have it. */
export function singleOf<W extends Words>(store: Store, table: Table<W>): Entry<W> {
  return entryAt(store, table, '') ?? { table, key: { text: table.path, line: 1, column: 1, quoted: false }, ...nothing };
}

const nothing = { given: new Map<string, Given>(), blocks: new Map<string, readonly Entry[]>(), verbatim: [] };

/** An object while it is read. */
type Draft = {
  readonly table: Table;
  readonly key: Word;
  readonly given: Map<string, Given>;
  /** Words that `append` has lengthened since they were read. */
  readonly appended: Map<string, Word[]>;
  readonly blocks: Map<string, Map<string, Draft>>;
  readonly verbatim: Block[];
};

/** Reads every statement. Never throws; what is wrong is told and left out. */
export function interpret(statements: readonly Statement[], findings: Findings): Store {
  const reader = new Reader(findings);
  for (const statement of statements) reader.top(statement);
  return reader.store();
}

class Reader {
  readonly #findings: Findings;
  readonly #drafts = new Map<string, Map<string, Draft>>();
  readonly #opened = new Map<string, Word>();
  readonly #unknown: Block[] = [];
  readonly #unknownNames = new Map<string, Set<string>>();
  /** The highest number in use, of tables with numbers. */
  readonly #highest = new WeakMap<object, number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  top(statement: Statement): void {
    if (statement.kind === 'config') this.#topBlock(statement);
    // The parser has told of everything else that stands outside of a block.
  }

  store(): Store {
    const entries = new Map([...this.#drafts].map(([path, drafts]) => [path, finished(drafts)]));
    return { entries, opened: this.#opened, unknown: this.#unknown, unknownNames: this.#unknownNames };
  }

  #topBlock(block: Block): void {
    const path = pathOf(block.path);
    const table = tableAt.get(path);
    const [place = block.word] = block.path;
    if (table === undefined) {
      this.#skip(block, path, place);
      return;
    }
    if (!this.#opened.has(path)) this.#opened.set(path, place);
    this.#block(block, table, this.#draftsAt(this.#drafts, path));
  }

  #skip(block: Block, path: string, place: Word): void {
    const suggestion = this.#findings.full ? undefined : nearest(path, tableAt.keys());
    this.#findings.warn(
      'unknown-block',
      place,
      `'config ${printable(path)}' is not known here and is passed over as a whole`,
      suggestion,
    );
    this.#unknown.push(block);
    const names = this.#unknownNames.get(path) ?? new Set();
    for (const inner of block.body) if (inner.kind === 'edit') names.add(inner.name.text);
    this.#unknownNames.set(path, names);
  }

  #draftsAt(drafts: Map<string, Map<string, Draft>>, path: string): Map<string, Draft> {
    const known = drafts.get(path) ?? new Map<string, Draft>();
    drafts.set(path, known);
    return known;
  }

  #block(block: Block, table: Table, drafts: Map<string, Draft>): void {
    const [place = block.word] = block.path;
    if (table.key === 'none') {
      this.#body(block.body, this.#draft(drafts, '', { table, key: place }));
      return;
    }
    for (const statement of block.body) {
      if (statement.kind === 'edit') this.#edit(statement, table, drafts);
      else if (statement.kind === 'config') this.#misplaced(statement, table);
      else if (statement.kind !== 'comment')
        this.#findings.error(
          'syntax',
          statement.word,
          `'${statement.kind}' stands outside of any object of ${table.path}: 'edit' is missing before it`,
        );
    }
  }

  /** A `config` between the objects of a table. */
  #misplaced(block: Block, table: Table): void {
    this.#findings.error(
      'syntax',
      block.word,
      `'config' stands between the objects of ${table.path}: 'end' is missing before it`,
    );
    if (tableAt.has(pathOf(block.path))) this.#topBlock(block);
  }

  #edit({ name, body }: Edit, table: Table, drafts: Map<string, Draft>): void {
    let key = name.text;
    if (table.key === 'number') {
      if (!/^\d{1,10}$/.test(key) || Number(key) > 4294967295) {
        this.#findings.error('value', name, `objects of ${table.path} are numbers: ${shown(key)} is none`);
        return;
      }
      if (/^0+$/.test(key)) key = String(1 + (this.#highest.get(drafts) ?? 0)); // FortiOS takes the next free number
      key = String(Number(key));
      this.#highest.set(drafts, Math.max(Number(key), this.#highest.get(drafts) ?? 0));
    } else if (key === '' || key.length > table.keyMax) {
      this.#findings.error(
        'value',
        name,
        `the name of an object of ${table.path} has 1 to ${table.keyMax} characters, ${shown(key)} has ${key.length}`,
      );
      if (key === '') return;
    }
    this.#body(body, this.#draft(drafts, key, { table, key: { ...name, text: key } }));
  }

  #draft(drafts: Map<string, Draft>, name: string, { table, key }: Pick<Draft, 'table' | 'key'>): Draft {
    const known = drafts.get(name) ?? { table, key, given: new Map(), appended: new Map(), blocks: new Map(), verbatim: [] };
    drafts.set(name, known);
    return known;
  }

  #body(statements: readonly Statement[], draft: Draft): void {
    for (const statement of statements) {
      if (statement.kind === 'config') this.#inner(statement, draft);
      else if (statement.kind === 'edit')
        this.#findings.error(
          'syntax',
          statement.word,
          `${draft.table.path} has no objects of its own: 'edit' does not belong here`,
        );
      else if (statement.kind !== 'comment') this.#change(statement, draft);
    }
  }

  #inner(block: Block, draft: Draft): void {
    const path = pathOf(block.path);
    const [place = block.word] = block.path;
    const table = draft.table.blocks.find((one) => one.path === path);
    if (table !== undefined) this.#block(block, table, this.#draftsAt(draft.blocks, path));
    else if (draft.table.idleBlocks.has(path)) draft.verbatim.push(block);
    else if (tableAt.has(path)) {
      this.#findings.error(
        'syntax',
        block.word,
        `'config ${path}' stands within an object of ${draft.table.path}: 'next' and 'end' are missing before it`,
      );
      this.#topBlock(block);
    } else {
      const suggestion = nearest(path, [...draft.table.blocks.map((one) => one.path), ...draft.table.idleBlocks]);
      this.#findings.error('unknown-word', place, `${draft.table.path} has no table ${shown(path)}`, suggestion);
    }
  }

  #change({ kind, keyword, values }: Change, draft: Draft): void {
    const { table } = draft;
    const setting: Kind<unknown> | undefined = Object.hasOwn(table.words, keyword.text) ? table.words[keyword.text] : undefined;
    const known = setting ?? (table.idle.has(keyword.text) ? anything : undefined);
    if (known === undefined) this.#unknownWord(keyword, table);
    else if (kind === 'unset') {
      draft.given.delete(keyword.text);
      draft.appended.delete(keyword.text);
    } else if (kind === 'append' && !known.many)
      this.#findings.error('value', keyword, `'${keyword.text}' holds one value: 'set' replaces it, 'append' is for lists`);
    else this.#read(kind, keyword, values, known, draft);
  }

  #read(kind: 'set' | 'append', keyword: Word, values: readonly Word[], known: Kind<unknown>, draft: Draft): void {
    const reading = known.read(values);
    if (!reading.ok) this.#misfit(reading, keyword, values, known);
    const before = draft.given.get(keyword.text);
    if (kind === 'append' && before !== undefined) {
      const words = draft.appended.get(keyword.text) ?? [...before.words];
      if (reading.ok) for (const value of values) words.push(value);
      draft.appended.set(keyword.text, words);
      return;
    }
    draft.appended.delete(keyword.text);
    draft.given.set(keyword.text, givenOf(keyword, values, known));
  }

  #misfit(first: Misfit, keyword: Word, values: readonly Word[], { secret, allowed }: Kind<unknown>): void {
    const placeholder = secret ? undefined : values.find(({ text }) => /^[<{]/.test(text));
    if (placeholder !== undefined) {
      const hint = `${shown(placeholder.text)} is a placeholder: put in its place ${allowed}`;
      this.#findings.error('value', placeholder, `${keyword.text}: ${hint}`);
      return;
    }
    for (const { at, message, suggestion } of [first, ...(first.more ?? [])])
      this.#findings.error('value', secret ? keyword : (values[at] ?? keyword), `${keyword.text}: ${message}`, suggestion);
  }

  #unknownWord(keyword: Word, { path, words, idle, blocks, idleBlocks }: Table): void {
    if ([...blocks.map((one) => one.path), ...idleBlocks].includes(keyword.text)) {
      this.#findings.error(
        'unknown-word',
        keyword,
        `'${keyword.text}' is a table: write 'config ${keyword.text}', its objects, and 'end'`,
      );
      return;
    }
    // The words that do something come first: of two equally near ones they are meant.
    const suggestion = this.#findings.full ? undefined : nearest(keyword.text, [...Object.keys(words), ...idle]);
    const elsewhere = suggestion === undefined ? tables.find((one) => Object.hasOwn(one.words, keyword.text)) : undefined;
    const hint = elsewhere === undefined ? '' : `; ${elsewhere.path} has`;
    this.#findings.error('unknown-word', keyword, `${path} has no setting ${shown(keyword.text)}${hint}`, suggestion);
  }
}

/** Reads words again; what does not fit has been told, and the default stands in. */
function givenOf(keyword: Word, values: readonly Word[], kind: Kind<unknown>): Given {
  const reading = kind.read(values);
  if (!reading.ok) return { keyword, words: values, ok: false, value: kind.fallback, canonical: values.map(({ text }) => text) };
  const words = kind.many ? firsts(values) : values;
  return { keyword, words, ok: true, value: reading.value, canonical: reading.canonical };
}

/** Each text once, where it stands first: the values of a list correspond. */
function firsts(words: readonly Word[]): readonly Word[] {
  const seen = new Set<string>();
  return words.filter(({ text }) => !seen.has(text) && seen.add(text));
}

function finished(drafts: ReadonlyMap<string, Draft>): ReadonlyMap<string, Entry> {
  return new Map([...drafts].map(([name, draft]) => [name, finish(draft)]));
}

function finish({ table, key, given, appended, blocks, verbatim }: Draft): Entry {
  for (const [word, words] of appended) {
    const before = given.get(word);
    if (before !== undefined) given.set(word, givenOf(before.keyword, words, table.words[word] ?? anything));
  }
  const inner = new Map([...blocks].map(([path, drafts]) => [path, [...finished(drafts).values()]]));
  return { table, key, given, blocks: inner, verbatim };
}
