import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig, reference } from '../../../src/config/index.ts';
import { lex } from '../../../src/config/lexer.ts';
import { tables } from '../../../src/config/schema.ts';
import type { Table } from '../../../src/config/table.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
const everyTable = (all: readonly Table[]): readonly Table[] => all.flatMap((one) => [one, ...everyTable(one.blocks)]);
const settings = everyTable(tables).flatMap(({ path, words }) =>
  Object.entries(words).map(([word, setting]) => ({ name: `${path} ${word}`, setting })),
);

describe('docs/configuration.md', () => {
  it('lists the settings as the schema has them', () => {
    const [, made] = page.split('a test holds it to that -->\n\n');
    expect(made).toBe(reference());
  });
  it('gives an example about which there is nothing to say', () => {
    const [example = ''] = page.match(/(?<=```fortios\n)[^`]+/) ?? [];
    const { config, findings } = loadConfig(example);
    expect(findings).toEqual([]);
    expect(config.profiles).toMatchObject([{ name: 'dialup', remoteAuth: { kind: 'eap', groups: ['staff'] } }]);
  });
});

describe('the posture gate of docs/configuration.md', () => {
  it('continues the example, and there is nothing to say', () => {
    const blocks = page.match(/(?<=```fortios\n)[^`]+/g) ?? [];
    const gate = blocks.filter((block) => block.includes('remote-gw-match'));
    expect(gate).toHaveLength(1);
    const { config, findings } = loadConfig(`${blocks[0] ?? ''}${gate.join('')}`);
    expect(findings).toEqual([]);
    expect(config.profiles).toMatchObject([{ match: { kind: 'ztna', lost: { do: 'quarantine', to: [{}] } } }]);
    expect(config.fctems).toMatchObject([{ number: 1, enabled: true, server: 'ems.example.net' }]);
  });
});

describe('the schema', () => {
  it('has a default that its own setting reads back', () => {
    const odd = settings.filter(({ setting }) => {
      if (setting.fallbackWords.length === 0) return false;
      const [line] = lex(setting.fallbackWords.map((word) => `"${word}"`).join(' ')).lines;
      const reading = setting.read(line?.kind === 'words' ? line.words : []);
      return !reading.ok || reading.canonical.join(' ') !== setting.fallbackWords.join(' ');
    });
    // FortiOS shows 0 for what may be set to 1 and above only.
    expect(odd.map(({ name }) => name)).toEqual(['endpoint-control fctems ems-id']);
  });
  it('says of every setting what it does', () => {
    expect(settings.filter(({ setting: { help, allowed } }) => help === '' || allowed === '').map(({ name }) => name)).toEqual(
      [],
    );
  });
  it('knows no word twice', () => {
    const twice = everyTable(tables).flatMap(({ path, words, idle }) =>
      Object.keys(words)
        .filter((word) => idle.has(word))
        .map((word) => `${path} ${word}`),
    );
    expect(twice).toEqual([]);
  });
});
