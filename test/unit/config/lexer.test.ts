import { describe, expect, it } from 'vitest';
import { lex, quote, spell } from '../../../src/config/lexer.ts';

const words = (text: string) =>
  lex(text).lines.flatMap((line) => (line.kind === 'words' ? line.words.map((word) => word.text) : []));
const at = (text: string) =>
  lex(text).lines.flatMap((line) =>
    line.kind === 'words' ? line.words.map((word) => `${word.text}@${word.line}:${word.column}`) : [],
  );

describe('words', () => {
  it('are parted by blanks and tabs, and know where they begin', () => {
    expect(at('config  user\tlocal\n    edit alice')).toEqual(['config@1:1', 'user@1:9', 'local@1:14', 'edit@2:5', 'alice@2:10']);
  });
  it('keep blanks in double and in single quotes', () => {
    expect(words(`set a "b c" 'd e'`)).toEqual(['set', 'a', 'b c', 'd e']);
  });
  it('hold the other quote as it is', () => {
    expect(words(`"it's" 'say "hi"'`)).toEqual(["it's", 'say "hi"']);
  });
  it('take the character after a backslash as it is, in quotes and outside', () => {
    expect(words('"a\\"b\\\\c" d\\ e \\"f')).toEqual(['a"b\\c', 'd e', '"f']);
  });
  it('may be empty in quotes', () => {
    expect(words('set a ""')).toEqual(['set', 'a', '']);
  });
  it('know whether they were quoted', () => {
    const [line] = lex('ENC "ENC"').lines;
    expect(line?.kind === 'words' && line.words.map(({ quoted }) => quoted)).toEqual([false, true]);
  });
  it('of several lines begin at their first line, and what follows is counted on', () => {
    expect(at('set ca "one\ntwo" x\nnext')).toEqual(['set@1:1', 'ca@1:5', 'one\ntwo@1:8', 'x@2:6', 'next@3:1']);
  });
});

describe('comments', () => {
  it('begin a line with #; anywhere else # is a character', () => {
    expect(words('# set a b\n   # c\nset a #b c#d')).toEqual(['set', 'a', '#b', 'c#d']);
  });
  it('keep their text', () => {
    expect(lex('  #config-version=FGVM64-7.6.5  ').lines).toEqual([
      { kind: 'comment', text: '#config-version=FGVM64-7.6.5', line: 1 },
    ]);
  });
});

describe('a quote that is never closed', () => {
  it('is told where it was opened', () => {
    expect(lex('set a "b').faults).toMatchObject([{ line: 1, column: 7 }]);
  });
  it('ends where the next line begins with a command, so that the rest is still read', () => {
    const text = 'set comments "oops\nset psksecret "secret"\nnext';
    expect(lex(text).faults).toMatchObject([{ line: 1, column: 14 }]);
    expect(words(text)).toEqual(['set', 'comments', 'oops', 'set', 'psksecret', 'secret', 'next']);
  });
  it('does not disturb a text of several lines that is closed', () => {
    const text = 'set buffer "one\nset two\nend"\nset a "b';
    expect(lex(text).faults.length).toBeGreaterThan(0);
    expect(lex('set buffer "one\nset two\nend"\nset a "b"').faults).toEqual([]);
  });
});

describe('control characters', () => {
  it.each(['\u0000', '\u0007', '\u001b', '\u007f', '\u0085'])('%j is told', (character) => {
    expect(lex(`set a b${character}c`).faults).toMatchObject([{ line: 1, column: 7 }]);
  });
  it('other than tab and line end in quotes', () => {
    expect(lex('set a "b\tc\nd"').faults).toEqual([]);
  });
});

describe('spelling', () => {
  it.each(['', 'plain', 'with blank', 'quote"d', "it's", 'back\\slash', '#hash', 'two\nlines', '"'])(
    '%j reads back as itself',
    (text) => {
      expect(words(`set ${spell({ text, quoted: false })}`)).toEqual(['set', text]);
      expect(words(`set ${quote(text)}`)).toEqual(['set', text]);
    },
  );
});
