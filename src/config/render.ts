/**
 * A finding for people: place, message, the line itself with a caret, and what to write instead. A line can hold a secret: what stands
 * after a word that is or looks like one is masked, and a line that belongs to nothing is not shown at all.
 *
 *   gateway.conf:7:9: error: vpn ipsec phase1-interface has no setting 'dhgroup'
 *       7 |     set dhgroup 14
 *         |         ^^^^^^^
 *         = did you mean 'dhgrp'?
 */
import { type Line, lex, spell, type Word } from './lexer.ts';
import type { Finding } from './model.ts';
import { nearest } from './nearest.ts';
import { secretWords } from './schema.ts';
import { normalize, printable } from './syntax.ts';

const COMMANDS = ['config', 'edit', 'set', 'append', 'unset', 'next', 'end'];
const MASK = '********';
const SECRETISH = /pass|secret|psk|key|pwd|token|credential|community/i;
const MAX_WIDTH = 160;

/**
 * @param file the name to print
 * @param text the whole text that the finding is about
 */
export function renderFinding(finding: Finding, file: string, text: string): string {
  const { level, line, column, message, suggestion } = finding;
  const out = [`${file}:${line}:${column}: ${level}: ${message}`];
  const source = sourceLine(text, finding);
  const number = String(line).padStart(5);
  const gutter = ' '.repeat(number.length);
  if (source !== undefined) {
    out.push(`${number} | ${source.text}`);
    out.push(`${gutter} | ${' '.repeat(source.at)}${'^'.repeat(source.length)}`);
  }
  if (suggestion !== undefined) out.push(`${gutter} = did you mean '${suggestion}'?`);
  return out.join('\n');
}

/** The line as it may be shown, and where the caret goes. */
function sourceLine(
  text: string,
  { line, column }: Finding,
): { readonly text: string; readonly at: number; readonly length: number } | undefined {
  const clean = normalize(text);
  const found = lex(clean).lines.find(
    (one): one is Extract<Line, { kind: 'words' }> => one.kind === 'words' && one.words[0].line === line,
  );
  if (found === undefined) return undefined; // within a text of several lines, or beyond the end
  const [command, ...rest] = found.words;
  const known = command.quoted ? undefined : COMMANDS.includes(command.text) ? command.text : nearest(command.text, COMMANDS);
  if (known === undefined) return undefined;
  const start = command.column - 1;
  const shownWords = masked([command, ...rest], known);
  let out = ' '.repeat(Math.min(start, 40));
  let caret = { at: out.length, length: 1 };
  for (const { word, text: shown } of shownWords) {
    if (word !== command) out += ' ';
    if (word.column === column || (word.column < column && word.line === line))
      caret = { at: out.length, length: Math.max(1, shown.length) };
    out += shown;
  }
  if (out.length <= MAX_WIDTH) return { text: out, ...caret };
  return {
    text: `${out.slice(0, MAX_WIDTH - 3)}...`,
    at: Math.min(caret.at, MAX_WIDTH),
    length: Math.min(caret.length, Math.max(1, MAX_WIDTH - caret.at)),
  };
}

function masked(words: readonly Word[], command: string): readonly { readonly word: Word; readonly text: string }[] {
  const sets = command === 'set' || command === 'append';
  let secret = false;
  return words.map((word, i) => {
    const text = secret ? MASK : printable(spell(word));
    // The word itself may be seen; what comes after it may not.
    if (sets && i > 0) secret ||= isSecret(word.text);
    return { word, text };
  });
}

const isSecret = (text: string): boolean =>
  secretWords.has(text) || (text.length <= 40 && SECRETISH.test(text)) || nearest(text, secretWords) !== undefined;
