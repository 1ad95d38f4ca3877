/**
 * Objects → text in FortiOS' layout: what differs from its default, tables in the order of the schema, unknown blocks as
 * they came.
 */
import { entriesOf, type Store } from './interpret.ts';
import { quote, spell } from './lexer.ts';
import { tables } from './schema.ts';
import { printTree } from './syntax.ts';
import { type Entry, type Given, same, type Table } from './table.ts';

export type ShowOptions = {
  /** Print secrets in clear; otherwise a mark stands in their place, which does not load again. */
  readonly secrets?: boolean;
  /** Only this table, 'vpn ipsec phase1-interface'. */
  readonly path?: string;
};

const MASK = 'ENC [secret]';

/** `show`. With `secrets` the text loads again to the same objects. */
export function showStore(store: Store, { secrets = false, path }: ShowOptions = {}): string {
  const known = tables
    .filter((table) => path === undefined || table.path === path)
    .map((table) => showTable(table, entriesOf(store, table), 0, secrets));
  const unknown = store.unknown.filter((block) => path === undefined || block.path.map(({ text }) => text).join(' ') === path);
  return known.join('') + printTree(unknown);
}

function showTable(table: Table, entries: readonly Entry[], depth: number, secrets: boolean): string {
  const margin = '    '.repeat(depth);
  const head = `${margin}config ${table.path}\n`;
  if (table.key === 'none') {
    const body = entries.map((entry) => showBody(entry, depth + 1, secrets)).join('');
    return body === '' ? '' : `${head}${body}${margin}end\n`;
  }
  if (entries.length === 0) return '';
  const objects = entries.map((entry) => {
    const name = table.key === 'number' ? entry.key.text : quote(entry.key.text);
    return `${margin}    edit ${name}\n${showBody(entry, depth + 2, secrets)}${margin}    next\n`;
  });
  return `${head}${objects.join('')}${margin}end\n`;
}

function showBody(entry: Entry, depth: number, secrets: boolean): string {
  const margin = '    '.repeat(depth);
  const words = Object.keys(entry.table.words).filter((word) => entry.given.has(word));
  const idle = [...entry.given.keys()].filter((word) => !Object.hasOwn(entry.table.words, word));
  const lines = [...words, ...idle].map((word) => {
    const value = showValue(entry, word, entry.given.get(word), secrets);
    return value === undefined ? '' : `${margin}set ${word} ${value}\n`;
  });
  const blocks = entry.table.blocks.map((table) => showTable(table, entry.blocks.get(table.path) ?? [], depth, secrets));
  return lines.join('') + blocks.join('') + printTree(entry.verbatim, depth);
}

/** Undefined when there is nothing to print. */
function showValue({ table }: Entry, word: string, given: Given | undefined, secrets: boolean): string | undefined {
  if (given === undefined) return undefined;
  const setting = Object.hasOwn(table.words, word) ? table.words[word] : undefined;
  if (setting === undefined || !given.ok) return setting?.secret === true && !secrets ? MASK : given.words.map(spell).join(' ');
  if (same(given.canonical, setting.fallbackWords)) return undefined;
  if (setting.secret && !secrets) return MASK;
  const [mark, ...rest] = given.canonical;
  if (setting.secret && mark === 'ENC' && rest.length > 0) return given.words.map(spell).join(' ');
  return given.canonical.map((text) => (setting.quoted || text === '' ? quote(text) : text)).join(' ');
}
