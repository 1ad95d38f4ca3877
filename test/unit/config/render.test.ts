import { describe, expect, it } from 'vitest';
import { loadConfig, renderFinding, renderFindings } from '../../../src/config/index.ts';
import { gateway } from './text.ts';

const render = (text: string) => renderFindings(loadConfig(text).findings, 'gw.conf', text);

describe('a finding for people', () => {
  it('has its place, the line, a caret under the word, and the suggestion', () => {
    expect(render(gateway(['set dhgroup 14 15']))).toBe(`gw.conf:13:13: error: vpn ipsec phase1-interface has no setting 'dhgroup'
   13 |         set dhgroup 14 15
      |             ^^^^^^^
      = did you mean 'dhgrp'?`);
  });
  it('points at the value that is wrong', () => {
    expect(render(gateway(['set dhgrp 14 99']))).toContain(`
   13 |         set dhgrp 14 99
      |                      ^^
`);
  });
  it('of a text of several lines shows its first line', () => {
    const text = 'config vpn certificate ca\nedit "x"\nset ca "AAAA\nBBBB"\nnext\nend';
    expect(render(text)).toContain('    3 | set ca "AAAA\n      |        ^^^^^');
  });
  it('beyond the text has no line', () => {
    const finding = { level: 'error', line: 99, column: 1, word: '', message: 'so it is', code: 'syntax' } as const;
    expect(renderFinding(finding, 'gw.conf', 'config x\nend')).toBe('gw.conf:99:1: error: so it is');
  });
  it('is one line wide at most, however long the line', () => {
    const shown = render(gateway([`set member ${'x'.repeat(5000)}`]));
    expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThan(200);
  });
});

describe('secrets are not in it', () => {
  const hunter = 'hunter2hunter2';
  it.each([
    ['a known word', `set psksecret ${hunter} again`],
    ['a mistyped word', `set psk-secrt ${hunter}`],
    ['a word of another vendor', `set pre-shared-key ${hunter}`],
    ['a word that sounds like it', `set wifi-passphrase ${hunter}`],
    ['a mistyped command', `ste psksecret ${hunter}`],
    ['a command that is none', `psksecret ${hunter}`],
    ['a lost piece of it', hunter],
    ['a quote that is never closed', `set psksecret "${hunter}`],
    ['two settings in one line', `set interface "wan1" psksecret ${hunter}`],
    ['unset with a value', `unset psksecret ${hunter}`],
    ['an encrypted one', `set psksecret ENC ${hunter}`],
    ['append', `append psksecret ${hunter}`],
    ['a line within quotes that end too late', `set proposal "a\n set psksecret ${hunter}\n set x "`],
    ['such a line in a member', `set ipv4-split-include "a\n set psksecret ${hunter}\n set x "`],
    ['such a line in the name of a peer', `set peer "a\n set psksecret ${hunter}\n set x "`],
    ['such a line in a word that is none', `set nonsuch "a\n set psksecret ${hunter}\n set x "`],
    ['such a line as the word itself', `set "a\n set psksecret ${hunter}\n set x "`],
    ['a key without quotes', `set private-key -----BEGIN PRIVATE KEY-----\n${hunter}\nset`],
    ['a key as certificate', `set passwd 'a\n${hunter}\nb' x`],
  ])('%s', (_, line) => {
    const text = gateway([line]);
    const { findings } = loadConfig(text);
    expect(findings.length).toBeGreaterThan(0);
    expect(JSON.stringify(findings)).not.toContain(hunter);
    expect(renderFindings(findings, 'gw.conf', text)).not.toContain(hunter);
  });
  it('words that only sound like one are shown', () => {
    expect(render(gateway(['set keylife 5']))).toContain('set keylife 5\n');
  });
});
