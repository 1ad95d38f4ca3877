/** The schema as a text for people: docs/configuration.md holds it, and a test holds it to that. */
import { tables } from './schema.ts';
import type { Setting } from './setting.ts';
import type { Table } from './table.ts';

/** Markdown: one section a table, one row a setting. */
export const reference = (): string => tables.map((table) => section(table, table.path, 3)).join('\n');

function section(table: Table, title: string, depth: number): string {
  const { words, idle, idleBlocks, blocks, help, later } = table;
  const rows = Object.entries(words).map(
    ([word, setting]) => `| \`${word}\` | ${cell(setting.allowed)} | ${fallback(setting)} | ${effect(setting, later)} |`,
  );
  const more = [...idle, ...idleBlocks].length;
  const lines = [
    `${'#'.repeat(depth)} ${title}`,
    '',
    `${sentence(help)}${later === undefined ? '' : ` **Not served yet:** ${later}.`}`,
    '',
    '| setting | value | default | what it does |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...(more === 0 ? [] : [`${more} more words of FortiOS load here and do nothing.`, '']),
  ];
  return [lines.join('\n'), ...blocks.map((inner) => section(inner, `${title}, ${inner.path}`, depth + 1))].join('\n');
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
const cell = (text: string): string => text.replaceAll('|', '\\|');

function fallback({ fallbackWords }: Setting<unknown>): string {
  return fallbackWords.length === 0 ? '' : `\`${fallbackWords.join(' ')}\``;
}

function effect({ status, help }: Setting<unknown>, later: string | undefined): string {
  if (later !== undefined) return cell(help);
  switch (status) {
    case 'served':
      return cell(help);
    case 'note':
      return `*a note:* ${cell(help)}`;
    case 'inert':
      return `*does nothing here:* ${cell(help)}`;
    case 'later':
      return `*not served yet:* ${cell(help)}`;
  }
}
