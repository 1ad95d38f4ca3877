/** Texts that are made to hurt: each is read in a moment, and none throws. */
import { describe, expect, it } from 'vitest';
import { loadConfig, renderFindings } from '../../../src/config/index.ts';
import { gateway } from './text.ts';

const many = (n: number, line: (i: number) => string): string => Array.from({ length: n }, (_, i) => line(i)).join('\n');
const wanting = `set type dynamic
set ike-version 2
set psksecret secret
set mode-cfg enable
set ipv4-start-ip 10.0.0.1
set ipv4-end-ip 10.0.0.9`;
const object = (table: string, body: string): string => `config ${table}\n${body}\nend\n`;

describe('a hostile text', () => {
  it.each([
    ['of one long line', 'x '.repeat(15_000)],
    ['of one long word', `set ${'x'.repeat(500_000)}`],
    ['of quotes', '"'.repeat(100_001)],
    ['of backslashes', '\\'.repeat(100_001)],
    ['of open blocks', 'config a\n'.repeat(15_000)],
    ['of open objects', `config user local\n${'edit a\n'.repeat(15_000)}`],
    ['of ends', 'end\n'.repeat(25_000)],
    ['of unknown words', gateway(Array.from({ length: 6_000 }, (_, i) => `set word${i} x`))],
    ['of unknown blocks', many(6_000, (i) => `config block ${i}\nend`)],
    ['of appends', gateway(Array.from({ length: 15_000 }, (_, i) => `append certificate c${i}`))],
    [
      'of one long list',
      gateway([
        `set internal-domain-list ${'d '.repeat(25_000)}`,
        `set certificate ${many(15_000, (i) => `c${i}`).replaceAll('\n', ' ')}`,
      ]),
    ],
    ['of next free numbers', object('firewall policy', 'edit 0\nnext\n'.repeat(10_000))],
    [
      'of profiles that want the same addresses',
      object(
        'vpn ipsec phase1-interface',
        many(
          3000,
          (i) =>
            `edit p${i}
${wanting}
next`,
        ),
      ),
    ],
    [
      'of a group with very many members',
      object(
        'firewall address',
        many(5000, (i) => `edit a${i}\nset subnet 10.0.${i % 250}.${Math.floor(i / 250)}\nnext`),
      ) +
        object('firewall addrgrp', `edit g\nset member ${many(5000, (i) => `a${i}`).replaceAll('\n', ' ')}\nnext`) +
        gateway(['set mode-cfg enable', 'set assign-ip-from name', 'set ipv4-name g']),
    ],
    [
      'of groups in groups',
      object(
        'firewall addrgrp',
        many(500, (i) => `edit g${i}\nset member g${i + 1} g${i + 2} g${i}\nnext`),
      ) + gateway(['set mode-cfg enable', 'set assign-ip-from name', 'set ipv4-name g0']),
    ],
    ['of line ends of every kind', '\r\n\n\r\u2028\u2029\u0085'.repeat(10_000)],
    ['of half characters', '\uD800\uDC00\uD800set \uDFFF'.repeat(10_000)],
  ])('%s', (_, text) => {
    const { findings } = loadConfig(text);
    expect(findings.length).toBeLessThanOrEqual(1001);
    expect(renderFindings(findings.slice(0, 3), 'x', text).length).toBeLessThan(10_000);
  });
});
