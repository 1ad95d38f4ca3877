/**
 * A finding for people: place, message, the line itself with a caret, and what to write instead. A line can hold a
 * secret: what stands after a word that is or looks like one is masked, and a line that belongs to nothing is not shown
 * at all.
 *
 *   gateway.conf:7:9: error: vpn ipsec phase1-interface has no setting 'dhgroup'
 *       7 |     set dhgroup 14
 *         |         ^^^^^^^
 *         = did you mean 'dhgrp'?
 */
import { lex, type Word } from './lexer.ts';
import type { Finding } from './model.ts';
import { nearest } from './nearest.ts';
import { openWords, secretWords } from './schema.ts';
import { commandMeant, normalize } from './syntax.ts';

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
  const clean = normalize(text);
  const raw = clean.split('\n');
  const words = new Map<number, readonly [Word, ...Word[]]>();
  for (const one of lex(clean).lines) if (one.kind === 'words') words.set(one.words[0].line, one.words);
  return findings
    .map((finding) => renderOne(finding, file, sourceLine(raw[finding.line - 1] ?? '', words.get(finding.line), finding)))
    .join('\n');
}

type Source = { readonly text: string; readonly at: number; readonly length: number };

function renderOne({ level, line, column, message, suggestion }: Finding, file: string, source: Source | undefined): string {
  const out = [`${file}:${line}:${column}: ${level}: ${message}`];
  const number = String(line).padStart(5);
  const gutter = ' '.repeat(number.length);
  if (source !== undefined) {
    out.push(`${number} | ${source.text}`);
    out.push(`${gutter} | ${' '.repeat(source.at)}${'^'.repeat(source.length)}`);
  }
  if (suggestion !== undefined) out.push(`${gutter} = did you mean '${suggestion}'?`);
  return out.join('\n');
}

/** The line as it may be shown, and where the caret goes; nothing of a line that begins with no command. */
function sourceLine(raw: string, words: readonly [Word, ...Word[]] | undefined, { column }: Finding): Source | undefined {
  if (words === undefined) return undefined; // within a text of several lines, or beyond the end
  const [command] = words;
  const known = commandMeant(command);
  if (known === undefined) return undefined;
  const hidden = known === 'set' || known === 'append' || known === 'unset' ? firstHidden(words) : undefined;
  const open = hidden === undefined ? raw.trimEnd() : `${raw.slice(0, hidden.column - 1)}${MASK}`;
  const text = open.replace(/\p{Cc}/gu, ' ');
  const next = words.find((word) => word.column > column && word.line === command.line);
  const at = Math.min(column - 1, hidden === undefined ? text.length : hidden.column - 1);
  const end = text.slice(at, next === undefined ? undefined : next.column - 1).trimEnd().length;
  if (text.length <= MAX_WIDTH) return { text, at, length: Math.max(1, end) };
  if (at < MAX_WIDTH - 3)
    return { text: `${text.slice(0, MAX_WIDTH - 3)}...`, at, length: Math.max(1, Math.min(end, MAX_WIDTH - at)) };
  return { text: `...${text.slice(at, at + MAX_WIDTH - 6)}`, at: 3, length: Math.max(1, Math.min(end, MAX_WIDTH - 6)) };
}

/** The first word that may not be seen: the one after a word that holds a secret. */
function firstHidden(words: readonly Word[]): Word | undefined {
  const secret = words.findIndex((word, i) => i > 0 && isSecret(word.text));
  return secret === -1 ? undefined : words[secret + 1];
}

function isSecret(text: string): boolean {
  if (secretWords.has(text)) return true;
  if (openWords.has(text)) return false;
  return (text.length <= 40 && SECRETISH.test(text)) || nearest(text, secretWords) !== undefined;
}
