/**
 * FortiOS CLI text → lines of words, each word with the place where it begins. Words are parted by blanks; "…" and '…' keep
 * blanks and line ends, a backslash takes the next character as it is; a `#` that begins a line makes it a comment.
 */

export type Word = {
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** Some part of it stood in quotes: `"ENC"` is a text, `ENC` is a mark. */
  readonly quoted: boolean;
};

export type Line =
  | { readonly kind: 'words'; readonly words: readonly [Word, ...Word[]] }
  | { readonly kind: 'comment'; readonly text: string; readonly line: number };

export type LexicalFault = { readonly line: number; readonly column: number; readonly message: string };

const COMMANDS = /^\s*(config|edit|set|unset|append|next|end)\b/;
const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t';

/**
 * Cuts a text into lines of words. Never throws.
 *
 * A quote that is never closed turns the rest of a text inside out. When the text ends within quotes it is read again, now
 * with a quote ending where the next line begins with a command, so that every such quote is named at its own place.
 *
 * @param text with '\n' as its only line end
 */
export function lex(text: string): { readonly lines: readonly Line[]; readonly faults: readonly LexicalFault[] } {
  const first = new Lexer(text, false).run();
  return first.open ? new Lexer(text, true).run() : first;
}

class Lexer {
  readonly #text: string;
  readonly #wary: boolean;
  readonly #lines: Line[] = [];
  readonly #faults: LexicalFault[] = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #open = false;

  constructor(text: string, wary: boolean) {
    this.#text = text;
    this.#wary = wary;
  }

  run() {
    while (this.#at < this.#text.length) this.#readLine();
    return { lines: this.#lines, faults: this.#faults, open: this.#open };
  }

  #readLine(): void {
    const words: Word[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') {
      if (isBlank(this.#text[this.#at])) this.#at++;
      else if (words.length === 0 && this.#text[this.#at] === '#') this.#readComment();
      else words.push(this.#readWord());
    }
    const [first, ...rest] = words;
    if (first !== undefined) this.#lines.push({ kind: 'words', words: [first, ...rest] });
    this.#newLine();
  }

  #readComment(): void {
    const end = this.#endOfLine();
    this.#lines.push({ kind: 'comment', text: this.#text.slice(this.#at, end).trimEnd(), line: this.#line });
    this.#at = end;
  }

  #readWord(): Word {
    const place = { line: this.#line, column: this.#at - this.#lineStart + 1 };
    const pieces: string[] = [];
    let quoted = false;
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? '';
      if (c === '\n' || isBlank(c)) break;
      if (c === '"' || c === "'") {
        quoted = true;
        pieces.push(this.#readQuoted(c));
      } else if (c === '\\' && this.#at + 1 < this.#text.length && this.#text[this.#at + 1] !== '\n') {
        pieces.push(this.#text[this.#at + 1] ?? '');
        this.#at += 2;
      } else pieces.push(this.#readPlain());
    }
    const text = pieces.join('');
    if (/(?![\n\t])\p{Cc}/u.test(text))
      this.#faults.push({ ...place, message: 'this word holds a control character, which no setting may hold' });
    return { text, ...place, quoted };
  }

  /** Octets up to the next character with a meaning of its own. */
  #readPlain(): string {
    const special = /[\n\t "'\\]/g;
    special.lastIndex = this.#at + 1;
    const end = special.exec(this.#text)?.index ?? this.#text.length;
    const piece = this.#text.slice(this.#at, end);
    this.#at = end;
    return piece;
  }

  #readQuoted(quote: string): string {
    const opened = { line: this.#line, column: this.#at - this.#lineStart + 1 };
    const pieces: string[] = [];
    const special = quote === '"' ? /["\\\n]/g : /['\\\n]/g;
    this.#at++;
    for (;;) {
      special.lastIndex = this.#at;
      const end = special.exec(this.#text)?.index ?? this.#text.length;
      pieces.push(this.#text.slice(this.#at, end));
      this.#at = end;
      const c = this.#text[end];
      if (c === quote) {
        this.#at++;
        return pieces.join('');
      }
      if (c === '\\') {
        pieces.push(this.#text[end + 1] ?? '');
        if (this.#text[end + 1] === '\n') this.#startLine(end + 2);
        this.#at = Math.min(end + 2, this.#text.length);
      } else if (c === undefined || (this.#wary && this.#commandFollows(end + 1))) {
        this.#open = true;
        this.#faults.push({ ...opened, message: `the quote ${quote} opened here is never closed` });
        return pieces.join('');
      } else {
        pieces.push('\n');
        this.#startLine(end + 1);
        this.#at = end + 1;
      }
    }
  }

  #commandFollows(at: number): boolean {
    const next = this.#text.indexOf('\n', at);
    return COMMANDS.test(this.#text.slice(at, Math.min(next === -1 ? this.#text.length : next, at + 200)));
  }

  #endOfLine(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end === -1 ? this.#text.length : end;
  }

  #newLine(): void {
    if (this.#at >= this.#text.length) return;
    this.#at++;
    this.#startLine(this.#at);
  }

  #startLine(at: number): void {
    this.#line++;
    this.#lineStart = at;
  }
}

/** A word as FortiOS prints it: in quotes, with `"` and `\` escaped. */
export const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** A word that reads back as itself: in quotes only when it must be. */
export const spell = ({ text, quoted }: Pick<Word, 'text' | 'quoted'>): string =>
  quoted || text === '' || /[\s"'\\]/.test(text) || text.startsWith('#') ? quote(text) : text;
