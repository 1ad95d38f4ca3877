/**
 * What loads and does nothing: settings that FortiOS has and that can do nothing here, or are not served yet. Told once
 * a table.
 */
import type { Findings } from './findings.ts';
import { entriesOf, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import { tables } from './schema.ts';
import type { SecretValue, Status } from './setting.ts';
import { type Entry, type Given, same } from './table.ts';

type Tally = { readonly place: Word; readonly status: Status; readonly help: string; count: number };

/** @param leftOut objects that are not used at all, of which something has been said already */
export function tellStatuses(store: Store, findings: Findings, leftOut: ReadonlySet<Entry>): void {
  for (const table of tables) {
    const place = store.opened.get(table.path);
    if (place === undefined) continue;
    if (table.later !== undefined) {
      findings.warn('later', place, `${table.path}: ${table.later}`);
      continue;
    }
    const used = entriesOf(store, table).filter((entry) => !leftOut.has(entry));
    tellTable(table.path, used, findings);
    for (const { path } of table.blocks)
      tellTable(
        `${table.path}, ${path}`,
        used.flatMap(({ blocks }) => blocks.get(path) ?? []),
        findings,
      );
  }
}

function tellTable(path: string, entries: readonly Entry[], findings: Findings): void {
  const tallies = new Map<string, Tally>();
  const idle = new Map<string, Word>();
  for (const entry of entries) {
    for (const [word, given] of entry.given) count(entry, word, given, tallies, idle);
    for (const { path: blocks } of entry.verbatim) idle.set(blocks.map(({ text }) => text).join(' '), blocks[0] ?? entry.key);
  }
  for (const [word, { place, status, help, count }] of tallies) {
    const times = count === 1 ? '' : ` (set ${count} times)`;
    if (status === 'inert') findings.warn('inert', place, `'${word}' does nothing here: ${help}${times}`);
    else findings.warn('later', place, `'${word}' is not served yet: ${help}${times}`);
  }
  const [first, ...others] = [...idle];
  if (first === undefined) return;
  const [word, place] = first;
  if (others.length === 0) findings.warn('inert', place, `'${word}' of ${path} does nothing here`);
  else findings.warn('inert', place, `these settings of ${path} do nothing here: ${listed([...idle.keys()])}`);
}

function count(entry: Entry, word: string, given: Given, tallies: Map<string, Tally>, idle: Map<string, Word>): void {
  if (!given.ok) return;
  const setting = Object.hasOwn(entry.table.words, word) ? entry.table.words[word] : undefined;
  if (setting === undefined) {
    if (!idle.has(word)) idle.set(word, given.keyword);
    return;
  }
  const { status, help, fallbackWords } = setting;
  if ((status !== 'inert' && status !== 'later') || same(given.canonical, fallbackWords)) return;
  const tally = tallies.get(word);
  if (tally === undefined) tallies.set(word, { place: given.keyword, status, help, count: 1 });
  else tally.count++;
}

const SHOWN = 12;
function listed(words: readonly string[]): string {
  const rest = words.length - SHOWN;
  return rest > 0 ? `${words.slice(0, SHOWN).join(', ')} and ${rest} more` : words.join(', ');
}

/** Served secrets that only the FortiGate which wrote them can read. */
export function tellEncrypted(entry: Entry, findings: Findings): void {
  for (const [word, { keyword, value }] of entry.given) {
    const setting = entry.table.words[word];
    if (setting?.secret !== true || setting.status !== 'served') continue;
    const { kind } = value as SecretValue<unknown>; // every secret kind reads one
    if (kind === 'encrypted')
      findings.error(
        'encrypted',
        keyword,
        `${word} is encrypted (ENC), which only its FortiGate can read: paste the clear text secret`,
      );
  }
}
