/** Collects what there is to say about a configuration: all of it at once, in the order of the text, bounded. */
import type { Word } from './lexer.ts';
import type { Finding, FindingCode } from './model.ts';

/** Where a finding points; its text is shown, so a secret is told by the word of its setting instead. */
export type Place = Pick<Word, 'text' | 'line' | 'column'>;

const MAX_FINDINGS = 1000;

/** The order of the text, for sorting. */
export const byPlace = (a: Omit<Place, 'text'>, b: Omit<Place, 'text'>): number => a.line - b.line || a.column - b.column;

export class Findings {
  readonly #found: Finding[] = [];
  readonly #seen = new Set<string>();
  #left = 0;

  error(code: FindingCode, place: Place, message: string, suggestion?: string): void {
    this.#add('error', code, place, message, suggestion);
  }

  warn(code: FindingCode, place: Place, message: string, suggestion?: string): void {
    this.#add('warning', code, place, message, suggestion);
  }

  /** Nothing more is kept: no use in working out a suggestion. */
  get full(): boolean {
    return this.#found.length >= MAX_FINDINGS;
  }

  /** Sorted by place; errors before warnings on the same word. */
  list(): readonly Finding[] {
    const sorted = [...this.#found].sort((a, b) => byPlace(a, b) || a.level.localeCompare(b.level));
    const last = sorted.at(-1);
    if (this.#left === 0 || last === undefined) return sorted;
    const message = `${this.#left} more findings are not listed: mend these first`;
    return [...sorted, { level: 'error', line: last.line, column: last.column, word: '', message, code: 'limit' }];
  }

  #add(
    level: Finding['level'],
    code: FindingCode,
    { text, line, column }: Place,
    message: string,
    suggestion: string | undefined,
  ): void {
    const told = oneLine(message);
    const key = `${line}:${column}:${told}`;
    if (this.#seen.has(key)) return;
    if (this.full) {
      this.#left++;
      return;
    }
    this.#seen.add(key);
    this.#found.push({
      level,
      line,
      column,
      word: oneLine(text),
      message: told,
      ...(suggestion !== undefined && { suggestion }),
      code,
    });
  }
}

/** A quote closed too late swallows the lines behind it, secrets too: what is told of a word ends with its first line. */
function oneLine(text: string): string {
  const end = text.indexOf('\n');
  return end === -1 ? text : `${text.slice(0, end)}…`;
}
