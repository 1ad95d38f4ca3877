/**
 * FortiOS' configuration language: lines of words ↔ a tree of statements.
 *
 *   config PATH …          a table or a single object      → end
 *     edit NAME            one object of a table           → next (or end, which closes the table too)
 *       set WORD VALUE …   append WORD VALUE …   unset WORD
 *       config PATH …      a table inside an object        → end
 *
 * What the words mean is not known here. Everything is kept, comments too, so that `printTree` gives back a text that
 * parses to the same tree.
 */
import type { Findings } from './findings.ts';
import { lex, spell, type Word } from './lexer.ts';
import { nearest } from './nearest.ts';

export type Block = {
  readonly kind: 'config';
  readonly word: Word;
  readonly path: readonly Word[];
  readonly body: readonly Statement[];
};
export type Edit = { readonly kind: 'edit'; readonly word: Word; readonly name: Word; readonly body: readonly Statement[] };
export type Change = {
  readonly kind: 'set' | 'append' | 'unset';
  readonly word: Word;
  readonly keyword: Word;
  readonly values: readonly Word[];
};
export type Statement = Block | Edit | Change | { readonly kind: 'comment'; readonly text: string };

export const MAX_TEXT = 8 * 1024 * 1024;
export const MAX_NESTING = 16;
const COMMANDS = ['config', 'edit', 'set', 'append', 'unset', 'next', 'end'];
/** Commands of the interactive CLI that have no place in a configuration. */
const INTERACTIVE = [
  'abort',
  'clone',
  'delete',
  'diagnose',
  'execute',
  'exit',
  'get',
  'move',
  'purge',
  'rename',
  'select',
  'show',
  'unselect',
];

/** One open `config` or `edit`, and what stands in it so far. */
type Frame = {
  readonly kind: 'config' | 'edit' | 'root';
  readonly word: Word;
  readonly title: readonly Word[];
  readonly body: Statement[];
};

/**
 * Reads a text. Never throws; what cannot be read is told to `findings` and left out.
 *
 * @param text at most MAX_TEXT characters; any line ends
 */
export function parseTree(text: string, findings: Findings): readonly Statement[] {
  if (text.length > MAX_TEXT) {
    findings.error('limit', start, `the configuration is larger than ${MAX_TEXT / 1024 / 1024} MiB, so it is not read`);
    return [];
  }
  return new Parser(findings).run(normalize(text));
}

/** The text as the lexer wants it: no byte order mark, '\n' as the only line end. */
export const normalize = (text: string): string => text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');

const start: Word = { text: '', line: 1, column: 1, quoted: false };

class Parser {
  readonly #findings: Findings;
  readonly #frames: Frame[] = [];
  readonly #root: Frame = { kind: 'root', word: start, title: [], body: [] };
  /** Open `config` and `edit` beyond MAX_NESTING, which are passed over. */
  readonly #tooDeep: string[] = [];
  /** The line before was one of which nothing is shown. */
  #hidden = false;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  run(text: string): readonly Statement[] {
    const { lines, faults } = lex(text);
    for (const fault of faults) this.#findings.error('syntax', { ...fault, text: '' }, fault.message);
    for (const line of lines) {
      if (line.kind === 'comment') this.#top().body.push({ kind: 'comment', text: line.text });
      else this.#command(line.words[0], line.words.slice(1));
    }
    for (const { kind, word, title } of this.#frames) {
      const closing = kind === 'config' ? 'end' : 'next';
      this.#findings.error('syntax', word, `'${kind} ${titleText(title)}' is not closed: '${closing}' is missing`);
    }
    while (this.#frames.length > 0) this.#close();
    return this.#root.body;
  }

  #command(word: Word, rest: readonly Word[]): void {
    const command = word.quoted ? '' : word.text;
    if (this.#tooDeep.length > 0) {
      this.#skip(command);
      return;
    }
    if (COMMANDS.includes(command)) this.#hidden = false;
    if (command === 'config') this.#config(word, rest);
    else if (command === 'edit') this.#edit(word, rest);
    else if (command === 'next') this.#next(word, rest);
    else if (command === 'end') this.#end(word, rest);
    else if (command === 'set' || command === 'append' || command === 'unset') this.#change(command, word, rest);
    else this.#unknown(word);
  }

  #config(word: Word, path: readonly Word[]): void {
    if (path.length === 0)
      this.#findings.error('syntax', word, "'config' needs the name of a table, for example 'config user local'");
    this.#open({ kind: 'config', word, title: path, body: [] });
  }

  #edit(word: Word, rest: readonly Word[]): void {
    const [name, extra] = rest;
    if (name === undefined)
      this.#findings.error('syntax', word, "'edit' needs the name of an object, for example 'edit \"dialup\"'");
    if (extra !== undefined)
      this.#findings.error(
        'syntax',
        extra,
        `'edit' takes one name: write a name with blanks in quotes, 'edit "${titleText(rest)}"'`,
      );
    const frame = this.#top();
    if (frame.kind === 'root')
      this.#findings.error('syntax', word, "'edit' stands outside of any table: 'config …' is missing before it");
    if (frame.kind === 'edit') {
      this.#findings.error(
        'syntax',
        word,
        `'next' is missing before this 'edit': 'edit ${titleText(frame.title)}' of line ${frame.word.line} is still open`,
      );
      this.#close();
    }
    this.#open({ kind: 'edit', word, title: name === undefined ? [{ ...word, text: '', quoted: true }] : [name], body: [] });
  }

  #change(kind: Change['kind'], word: Word, rest: readonly Word[]): void {
    const [keyword, ...values] = rest;
    if (keyword === undefined) {
      this.#findings.error('syntax', word, `'${kind}' needs the name of a setting`);
      return;
    }
    if (this.#frames.length === 0) {
      this.#findings.error(
        'syntax',
        word,
        `'${kind} ${printable(keyword.text)}' stands outside of any block: 'config …' is missing before it`,
      );
      return;
    }
    if (kind !== 'unset' && values.length === 0)
      this.#findings.error(
        'value',
        keyword,
        `'${kind} ${printable(keyword.text)}' has no value: give one, or write 'unset ${printable(keyword.text)}'`,
      );
    else if (kind === 'unset' && values[0] !== undefined)
      this.#findings.error('syntax', keyword, `'unset ${printable(keyword.text)}' takes no value`);
    else this.#top().body.push({ kind, word, keyword, values });
  }

  #next(word: Word, rest: readonly Word[]): void {
    this.#nothingAfter('next', rest);
    if (this.#top().kind === 'edit') this.#close();
    else this.#findings.error('syntax', word, "'next' closes an 'edit', and none is open here");
  }

  #end(word: Word, rest: readonly Word[]): void {
    this.#nothingAfter('end', rest);
    if (this.#top().kind === 'edit') this.#close(); // `end` within an object closes the object and its table
    if (this.#top().kind === 'config') this.#close();
    else this.#findings.error('syntax', word, "'end' closes a 'config', and none is open here");
  }

  #nothingAfter(command: string, [extra]: readonly Word[]): void {
    if (extra !== undefined) this.#findings.error('syntax', extra, `nothing may follow '${command}' on its line`);
  }

  #unknown(word: Word): void {
    const console = !word.quoted && INTERACTIVE.includes(word.text);
    const suggestion = console ? undefined : commandMeant(word);
    if (console)
      this.#findings.error(
        'syntax',
        word,
        `'${word.text}' is a command for the console, not for a configuration file: leave the line out`,
      );
    else if (suggestion !== undefined) this.#findings.error('syntax', word, `'${word.text}' is no command`, suggestion);
    else if (!this.#hidden) {
      const nothing = { ...word, text: '' }; // it may be a piece of a key
      const message =
        'a line begins with config, edit, set, append, unset, next or end; a text of several lines stands in quotes';
      this.#findings.error('syntax', nothing, message);
    }
    // A run of such lines is told once: it is one mistake, such as a key pasted without quotes.
    this.#hidden = !console && suggestion === undefined;
  }

  #open(frame: Frame): void {
    if (this.#frames.length < MAX_NESTING) {
      this.#frames.push(frame);
      return;
    }
    this.#findings.error('limit', frame.word, `blocks are nested deeper than ${MAX_NESTING}: this one is not read`);
    this.#tooDeep.push(frame.kind);
  }

  #skip(command: string): void {
    if (command === 'config' || command === 'edit') this.#tooDeep.push(command);
    else if (command === 'next' && this.#tooDeep.at(-1) === 'edit') this.#tooDeep.pop();
    else if (command === 'end') {
      if (this.#tooDeep.at(-1) === 'edit') this.#tooDeep.pop();
      if (this.#tooDeep.at(-1) === 'config') this.#tooDeep.pop();
    }
  }

  #close(): void {
    const frame = this.#frames.pop();
    if (frame === undefined || frame.kind === 'root') return;
    const { word, title, body } = frame;
    const name = title[0];
    if (frame.kind === 'config') this.#top().body.push({ kind: 'config', word, path: title, body });
    else if (name !== undefined) this.#top().body.push({ kind: 'edit', word, name, body });
  }

  #top(): Frame {
    return this.#frames.at(-1) ?? this.#root;
  }
}

/**
 * The command that a line begins with, or a mistyped one means; a word with other characters than letters may be a piece
 * of a key.
 */
export const commandMeant = ({ text, quoted }: Word): string | undefined =>
  !quoted && /^[a-zA-Z]+$/.test(text) ? nearest(text, COMMANDS) : undefined;

const titleText = (words: readonly Word[]): string => printable(words.map(({ text }) => text).join(' '));

/** A word fit for a message: one line, bounded. */
export function printable(text: string): string {
  const end = text.indexOf('\n'); // a quote that ends too late swallows the lines behind it, secrets too
  const clean = (end === -1 ? text : `${text.slice(0, end)}…`).replace(/\p{Cc}/gu, '\uFFFD');
  return clean.length > 80 ? `${clean.slice(0, 77)}...` : clean;
}

/** The text of a tree in FortiOS' layout: four blanks a level, one line a statement. */
export function printTree(statements: readonly Statement[], depth = 0): string {
  return statements.map((statement) => printStatement(statement, depth)).join('');
}

function printStatement(statement: Statement, depth: number): string {
  const margin = '    '.repeat(depth);
  switch (statement.kind) {
    case 'comment':
      return `${margin}${statement.text}\n`;
    case 'config':
      return `${margin}config ${statement.path.map(spell).join(' ')}\n${printTree(statement.body, depth + 1)}${margin}end\n`;
    case 'edit':
      return `${margin}edit ${spell(statement.name)}\n${printTree(statement.body, depth + 1)}${margin}next\n`;
    case 'set':
    case 'append':
    case 'unset':
      return `${margin}${[statement.kind, ...[statement.keyword, ...statement.values].map(spell)].join(' ')}\n`;
  }
}
