/** What holds for every configuration, those included that no one would write. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { available, fromNumber, prefixesOf, sizeOf } from '../../src/config/address.ts';
import { Findings } from '../../src/config/findings.ts';
import { loadConfig, renderFindings, showConfig } from '../../src/config/index.ts';
import { tables } from '../../src/config/schema.ts';
import { phase1 } from '../../src/config/schemaPhase1.ts';
import { parseTree, printTree, type Statement } from '../../src/config/syntax.ts';
import type { Table } from '../../src/config/table.ts';
import { compareOctets } from '../../src/wire/index.ts';
import { gateway, users } from '../unit/config/text.ts';

const seed = 20260214;
const options = { seed, numRuns: 150 };

/** Any text that a word may hold. */
const content = fc.string({ unit: fc.constantFrom(...'ab1-_."\'\\# \t\n{<é/:;'), maxLength: 12 });
const word = content.map((text) => ({ text, line: 1, column: 1, quoted: true }));
const statement: fc.Arbitrary<Statement> = fc.letrec<{ statement: Statement; body: Statement[] }>((tie) => ({
  body: fc.array(tie('statement'), { maxLength: 4 }),
  statement: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.record({
      kind: fc.constantFrom('set' as const, 'append' as const),
      word,
      keyword: word,
      values: fc.array(word, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('unset' as const), word, keyword: word, values: fc.constant([]) }),
    fc.record({ kind: fc.constant('comment' as const), text: fc.constantFrom('# one', '#two # three') }),
    fc.record({
      kind: fc.constant('config' as const),
      word,
      path: fc.array(word, { minLength: 1, maxLength: 3 }),
      body: tie('body'),
    }),
    fc.record({ kind: fc.constant('edit' as const), word, name: word, body: tie('body') }),
  ),
})).statement;
const block = fc.record({
  kind: fc.constant('config' as const),
  word,
  path: fc.array(word, { minLength: 1, maxLength: 3 }),
  body: fc.array(statement, { maxLength: 4 }),
});

const bare = (one: Statement): unknown => {
  if (one.kind === 'comment') return one.text;
  if (one.kind === 'config') return ['config', one.path.map(({ text }) => text), one.body.map(bare)];
  if (one.kind === 'edit') return ['edit', one.name.text, one.body.map(bare)];
  return [one.kind, one.keyword.text, one.values.map(({ text }) => text)];
};
/** `edit` stands in `config` only. */
const wellFormed = (one: Statement, within: 'config' | 'edit'): boolean => {
  if (one.kind === 'edit') return within === 'config' && one.body.every((inner) => wellFormed(inner, 'edit'));
  return one.kind !== 'config' || one.body.every((inner) => wellFormed(inner, 'config'));
};

describe('the language', () => {
  it('every tree prints to a text that reads back as that tree, without a finding', () => {
    fc.assert(
      fc.property(
        fc.array(
          block.filter((one) => wellFormed(one, 'edit')),
          { maxLength: 3 },
        ),
        (trees) => {
          const findings = new Findings();
          const text = printTree(trees);
          expect(parseTree(text, findings).map(bare)).toEqual(trees.map(bare));
          expect(findings.list()).toEqual([]);
          expect(printTree(parseTree(text, findings))).toBe(text);
        },
      ),
      options,
    );
  });
});

/** A configuration of known tables with values that are often right. */
const value = fc.constantFrom(
  ...[
    'enable',
    'disable',
    '1',
    '20',
    '300',
    '86400',
    '10.0.0.1',
    '10.0.0.0/24',
    '2001:db8::1',
    '2001:db8::/64',
    '"a name"',
    'all',
    'x',
    '""',
    '"two\nlines"',
    '"#"',
    'ENC abc',
  ],
  ...[
    'dynamic',
    'psk',
    'signature',
    'aes256-sha256',
    'aes256gcm',
    'range',
    'name',
    '31 20',
    '"EMS1_ZTNA_a b"',
    '10.0.0.0 255.0.0.0',
    '255.255.255.0',
    'ztna',
    'quarantine',
    'native',
    '7',
    '61702',
    '"say \\"x\\""',
  ],
);
const objectOf = (table: Table): fc.Arbitrary<string> => {
  const words = [...Object.keys(table.words), ...[...table.idle].slice(0, 3), 'no-such-word'];
  const line = fc.tuple(fc.constantFrom('set', 'set', 'set', 'append', 'unset'), fc.constantFrom(...words), value);
  const lines = fc.array(
    line.map(([kind, name, text]) => (kind === 'unset' ? `unset ${name}` : `${kind} ${name} ${text}`)),
    { maxLength: 12 },
  );
  const inner = table.blocks.length === 0 ? fc.constant('') : fc.constantFrom(...table.blocks).chain(blockOf);
  const name = table.key === 'number' ? fc.constantFrom('1', '2', '0') : fc.constantFrom('a', '"a b"', 'wan1', 'dialup', '3');
  return fc.tuple(name, lines, inner).map(([key, body, more]) => {
    const all = [...body, more].join('\n');
    return table.key === 'none' ? all : `edit ${key}\n${all}\nnext`;
  });
};
const blockOf = (table: Table): fc.Arbitrary<string> =>
  fc
    .array(objectOf(table), { minLength: 1, maxLength: 3 })
    .map((objects) => `config ${table.path}\n${objects.join('\n')}\nend\n`);
/** A gateway that is served, with lines that may spoil it. */
const dialup = fc.array(fc.tuple(fc.constantFrom(...Object.keys(phase1.words)), value), { maxLength: 8 }).map((lines) =>
  gateway(
    lines.map(([name, text]) => `set ${name} ${text}`),
    users,
  ),
);
const configuration = fc
  .array(
    fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...tables).chain(blockOf) },
      { weight: 4, arbitrary: dialup },
      { weight: 1, arbitrary: fc.constant('config no such\nedit "x y"\nset a "b\nc"\nnext\nend\n') },
    ),
    {
      maxLength: 6,
    },
  )
  .map((blocks) => blocks.join(''));

describe('show', () => {
  it('show(load(show(x))) = show(x)', () => {
    fc.assert(
      fc.property(configuration, (text) => {
        const once = showConfig(loadConfig(text), { secrets: true });
        expect(showConfig(loadConfig(once), { secrets: true })).toBe(once);
      }),
      options,
    );
  });
  it('what is shown means what was loaded: the same profiles and EMS servers, and no new error', () => {
    fc.assert(
      fc.property(configuration, (text) => {
        const first = loadConfig(text);
        const second = loadConfig(showConfig(first, { secrets: true }));
        const shape = ({ config }: typeof first) => [
          config.profiles.map(({ line: _, phase2, ...rest }) => [rest, phase2.map(({ line: __, ...other }) => other)]),
          config.fctems.map(({ line: _, ...rest }) => rest),
          config.posture,
        ];
        expect(shape(second)).toEqual(shape(first));
        const errors = ({ findings }: typeof first) =>
          new Set(findings.filter(({ level }) => level === 'error').map(({ message }) => message));
        expect([...errors(second)].filter((message) => !errors(first).has(message))).toEqual([]);
      }),
      options,
    );
  });
});

describe('findings', () => {
  it('are in the order of the text, within it, and can be rendered', () => {
    fc.assert(
      fc.property(fc.oneof(configuration, fc.string({ unit: 'binary', maxLength: 300 })), (text) => {
        const { findings } = loadConfig(text);
        const lines = text.split(/\r\n?|\n/).length;
        for (const [i, { line, column }] of findings.entries()) {
          expect(line).toBeGreaterThanOrEqual(findings[i - 1]?.line ?? 1);
          expect(line).toBeLessThanOrEqual(lines);
          expect(column).toBeGreaterThanOrEqual(1);
        }
        expect(renderFindings(findings, 'x', text)).not.toMatch(/(?!\n)\p{Cc}/u);
      }),
      options,
    );
  });
  it('never hold what stands after the word of a secret', () => {
    const words = tables.flatMap(({ path, words: all }) =>
      Object.entries(all).flatMap(([name, { secret }]) => (secret ? [[path, name] as const] : [])),
    );
    const damage = fc.constantFrom('', 'x', '-', '_remote');
    const secret = 'Zq7wV3kJx9Lp2';
    const shapes = fc.constantFrom(
      secret,
      `"${secret}"`,
      `"${secret}`,
      `a ${secret}`,
      `${secret} b c`,
      `ENC ${secret}`,
      `"a\n${secret}"`,
      `-----BEGIN\n${secret}\n${secret}==`,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...words),
        damage,
        fc.constantFrom('set', 'append', 'unset', 'st'),
        shapes,
        ([path, name], tail, command, shape) => {
          const text = `config ${path}\nedit 1\n${command} ${name}${tail} ${shape}\nnext\nend\n`;
          const { findings } = loadConfig(text);
          expect(JSON.stringify(findings) + renderFindings(findings, 'x', text) + showConfig(loadConfig(text))).not.toContain(
            secret,
          );
        },
      ),
      options,
    );
  });
});

describe('ranges', () => {
  const address = fc.nat(300).map((n) => fromNumber(BigInt(n), 4));
  const range = fc
    .tuple(address, address)
    .map(([a, b]) => (compareOctets(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a }));
  const members = (ranges: readonly { readonly start: Uint8Array; readonly end: Uint8Array }[]) => {
    const all = new Set<number>();
    for (const { start, end } of ranges)
      for (let i = (start[2] ?? 0) * 256 + (start[3] ?? 0); i <= (end[2] ?? 0) * 256 + (end[3] ?? 0); i++) all.add(i);
    return all;
  };
  it('what is available is what is in the ranges and in no hole', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), fc.array(range, { maxLength: 6 }), (ranges, holes) => {
        const [inside, out] = [members(ranges), members(holes)];
        expect(available(ranges, holes)).toBe(BigInt([...inside].filter((one) => !out.has(one)).length));
      }),
      options,
    );
  });
  it('the prefixes of a range are all of it, in order, each once', () => {
    fc.assert(
      fc.property(range, (one) => {
        const covered = prefixesOf(one).map(({ address: start, length }) => ({
          start,
          end: fromNumber(BigInt((start[2] ?? 0) * 256 + (start[3] ?? 0)) + (1n << BigInt(32 - length)) - 1n, 4),
        }));
        expect([...members(covered)]).toEqual([...members([one])]);
        expect(covered.reduce((sum, part) => sum + sizeOf(part), 0n)).toBe(sizeOf(one));
      }),
      options,
    );
  });
});
