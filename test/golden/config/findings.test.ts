/**
 * What people read when their configuration is wrong, word for word. Change bad.txt on purpose only: each message says
 * what is wrong, where, and what to write instead, and none repeats a secret.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig, renderFindings } from '../../../src/config/index.ts';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

describe('the findings of a bad configuration', () => {
  const text = read('bad.conf');
  const { findings } = loadConfig(text);
  it('read as bad.txt', () => expect(`${renderFindings(findings, 'bad.conf', text)}\n`).toBe(read('bad.txt')));
  it('are of every kind', () => {
    const kinds = [
      'syntax',
      'unknown-word',
      'unknown-block',
      'value',
      'missing',
      'reference',
      'encrypted',
      'inert',
      'later',
      'conflict',
      'weak',
      'ours',
    ];
    expect([...new Set(findings.map(({ code }) => code))].sort()).toEqual(kinds.sort());
  });
  it('hold no secret', () => expect(read('bad.txt')).not.toMatch(/secret of|house|AAECAw|SH2zmj|MC4CAQ/));
});
