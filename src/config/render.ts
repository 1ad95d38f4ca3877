/**
 * A finding for people: place, message, the line itself with a caret, and what to write instead. A line can hold a secret: what stands
 * after a word that is or looks like one is masked, and a line that belongs to nothing is not shown at all.
 *
 *   gateway.conf:7:9: error: vpn ipsec phase1-interface has no setting 'dhgroup'
 *       7 |     set dhgroup 14
 *         |         ^^^^^^^
 *         = did you mean 'dhgrp'?
 */
import { lex, spell, type Word } from './lexer.ts';
import type { Finding } from './model.ts';
import { nearest } from './nearest.ts';
import { openWords, secretWords } from './schema.ts';
import { normalize, printable } from './syntax.ts';

const COMMANDS = ['config', 'edit', 'set', 'append', 'unset', 'next', 'end'];
const MASK = '********';
const SECRETISH = /pass|secret|psk|key|pwd|token|credential|community/i;
const MAX_WIDTH = 160;

/**
 * @param file the name to print
 * @param text the whole text that the finding is about
 */
export const renderFinding = (finding: Finding, file: string, text: string): string => renderFindings([finding], file, text);

/** All of them, with the text read once. */
export function renderFindings(findings: readonly Finding[], file: string, text: string): string {
  const lines = new Map<number, readonly [Word, ...Word[]]>();
  for (const one of lex(normalize(text)).lines) if (one.kind === 'words') lines.set(one.words[0].line, one.words);
  return findings.map((finding) => renderOne(finding, file, lines.get(finding.line))).join('\n');
}

function renderOne(
  { level, line, column, message, suggestion }: Finding,
  file: string,
  words: readonly [Word, ...Word[]] | undefined,
): string {
  const out = [`${file}:${line}:${column}: ${level}: ${message}`];
  const number = String(line).padStart(5);
  const gutter = ' '.repeat(number.length);
  const source = words === undefined ? undefined : sourceLine(words, line, column);
  if (source !== undefined) {
    out.push(`${number} | ${source.text}`);
    out.push(`${gutter} | ${' '.repeat(source.at)}${'^'.repeat(source.length)}`);
  }
  if (suggestion !== undefined) out.push(`${gutter} = did you mean '${suggestion}'?`);
  return out.join('\n');
}

type Source = { readonly text: string; readonly at: number; readonly length: number };

/** The line as it may be shown, and where the caret goes; nothing of a line that begins with no command. */
function sourceLine(words: readonly [Word, ...Word[]], line: number, column: number): Source | undefined {
  const [command] = words;
  const known = command.quoted ? undefined : COMMANDS.includes(command.text) ? command.text : nearest(command.text, COMMANDS);
  if (known === undefined) return undefined;
  let out = ' '.repeat(Math.min(command.column - 1, 40));
  let caret = { at: out.length, length: 1 };
  for (const { word, text: shown } of masked(words, known)) {
    if (word !== command) out += ' ';
    if (word.line === line && word.column <= column) caret = { at: out.length, length: Math.max(1, shown.length) };
    out += shown;
  }
  if (out.length <= MAX_WIDTH) return { text: out, ...caret };
  const at = Math.min(caret.at, MAX_WIDTH - 3);
  return { text: `${out.slice(0, MAX_WIDTH - 3)}...`, at, length: Math.min(caret.length, MAX_WIDTH - at) };
}

/** The word itself may be seen; what comes after it may not. */
function masked(words: readonly Word[], command: string): readonly { readonly word: Word; readonly text: string }[] {
  let secret = false;
  return words.map((word, i) => {
    const text = secret ? MASK : printable(spell(word));
    if (i > 0 && (command === 'set' || command === 'append' || command === 'unset')) secret ||= isSecret(word.text);
    return { word, text };
  });
}

function isSecret(text: string): boolean {
  if (secretWords.has(text)) return true;
  if (openWords.has(text)) return false;
  return (text.length <= 40 && SECRETISH.test(text)) || nearest(text, secretWords) !== undefined;
}
