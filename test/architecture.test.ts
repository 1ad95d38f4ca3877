/**
 * The dependency rule as data: who may import whom, what the inside may not touch, where each npm package may be used, how
 * large a file may be. Every finding names file and line. docs/architecture.md says why.
 */
import { describe, expect, it } from 'vitest';
import { blank, importsOf, matches, type Source, sources } from './support/sources.ts';

const everybody = [
  'crypto',
  'src/wire',
  'src/ike',
  'src/eap',
  'src/posture',
  'src/ems',
  'src/esp',
  'src/config',
  'src/log',
  'src/control',
  'src/net',
];

/** A part of the tree and the parts it may import; `types` may only be imported as types. */
const may: Readonly<Record<string, { readonly parts: readonly string[]; readonly types?: readonly string[] }>> = {
  crypto: { parts: [] },
  'src/wire': { parts: [] },
  'src/posture': { parts: [] },
  'src/net': { parts: [] },
  'src/eap': { parts: ['src/wire', 'crypto'] },
  'src/esp': { parts: ['crypto'], types: ['src/posture', 'src/config'] },
  'src/config': { parts: ['src/wire', 'crypto', 'src/posture'] },
  'src/log': { parts: ['src/wire', 'src/posture'] },
  'src/ike': { parts: ['src/wire', 'crypto', 'src/eap', 'src/posture', 'src/log'], types: ['src/config', 'src/esp'] },
  'src/ems': { parts: ['src/posture', 'src/config', 'src/log', 'crypto'] },
  'src/control': { parts: ['src/config', 'src/log', 'src/wire'], types: ['src/ike', 'src/esp', 'src/ems'] },
  'src/lab': { parts: ['src/wire', 'crypto', 'src/esp'] },
  'src/daemon': { parts: everybody },
  'src/cli': { parts: [...everybody, 'src/daemon', 'src/lab'] },
  bin: { parts: ['src/cli'] },
};
/** Files that another part may import although they are not its `index.ts`. */
const sideDoors = ['crypto/secret.ts', 'src/log/phrases/index.ts', 'src/log/events.ts'];
/** What `src/ike` sees of `src/log`: the operator's journal is not for the inside. */
const narrow: Readonly<Record<string, readonly string[]>> = {
  'src/ike>src/log': ['src/log/phrases/index.ts', 'src/log/events.ts'],
};

const inside = /^src\/(wire|ike|eap|posture|esp|config|log\/phrases|log\/events\.ts|control\/render)/;
const impure = new RegExp(
  [
    /\bprocess\.|\bconsole\.|\bglobalThis\b/,
    /\bDate\.now|\bnew Date\b|\bDate\(|\bperformance\.|\bMath\.random/,
    /\basync\b|\bawait\b|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/,
  ]
    .map((words) => words.source)
    .join('|'),
);

/** Where an npm package may be imported; a package that is not here may be imported nowhere. */
const packages: Readonly<Record<string, RegExp>> = {
  '@noble/ciphers': /^crypto\//,
  '@noble/curves': /^crypto\//,
  '@noble/hashes': /^crypto\//,
  'node-forge': /^crypto\//,
  pkijs: /^crypto\//,
  asn1js: /^crypto\//,
  jose: /^src\/(ems|lab)\//,
  ws: /^src\/(ems|lab)\//,
  'mmdb-lib': /^src\/net\/geography\.ts$/,
  pino: /^src\/log\/journal\.ts$/,
  koffi: /^(src\/net\/native\.ts|crypto\/libcrypto\.ts)$/,
};
/** Parts with a short list of Node's own modules. The inside has none; who is not here may use all. */
const nodeModules: Readonly<Record<string, readonly string[]>> = { crypto: ['node:crypto'] };

/** This project speaks of itself alone: nobody's disk, nobody's paperwork. */
const foreign = [
  /(?<![\w./-])\/(work|root|Users|home\/\w+)\/[\w.-]/,
  /\bregistry\.[a-z]+js\.org|\bnpmjs\.org\b/,
  /\b(house|contract|peers|models|field)\.md\b|\bshared\/(seeds|rfc)\b|\bseed 00\d\b/,
  /\bsee (the )?(issue|ticket|brief)\b|\bissue #?\d+\b|\bas (requested|instructed|briefed)\b/i,
  /\b(language model|AI assistant|co-authored-by|generated (by|with) (an? )?(AI|LLM|model))\b/i,
  /\b(TODO|FIXME|XXX)\b/,
];

const code = sources(['src', 'crypto', 'bin'], /\.(ts|mjs)$/);
const tests = sources(['test'], /\.ts$/);
const texts = sources(
  ['README.md', 'CHANGELOG.md', 'docs', 'vectors', '.ci', 'package.json', 'biome.json', 'knip.json'],
  /\.(md|json)$|\.ci\/run$/,
);

describe('the dependency rule', () => {
  it('every file has a place in the tree', () => report(code.flatMap(homeless)));
  it('imports go one way, through the door', () => report(code.flatMap(wrongImports)));
  it('no two parts import each other, round any corner', () => report(circles(code)));
  it('npm packages stay where they are allowed', () => report(code.flatMap(wrongPackages)));
  it('the inside is pure: no operating system, no clock, no chance, no waiting', () => report(code.flatMap(impurities)));
});

describe('files', () => {
  it('are shorter than 500 lines and at most 130 columns wide', () => report([...code, ...tests].flatMap(tooLarge)));
  it('speak of this project alone', () => report([...code, ...tests, ...texts].flatMap(foreignWords)));
  it('of tests hold no skipped and no lonely test', () => report(tests.flatMap(skippedTests)));
});

describe('the rule bites', () => {
  it.each([
    { rule: homeless, path: 'src/stray.ts', text: '', says: 'src/stray.ts:1 is in no known part' },
    {
      rule: wrongImports,
      path: 'src/wire/a.ts',
      text: "\nimport { x } from '../ike/index.ts';",
      says: 'src/wire/a.ts:2 imports src/ike/index.ts',
    },
    {
      rule: wrongImports,
      path: 'src/ike/a.ts',
      text: "import {\n  x,\n} from '../wire/bytes.ts';",
      says: 'src/ike/a.ts:3 imports src/wire/bytes.ts',
    },
    { rule: wrongImports, path: 'src/ike/a.ts', text: "import { x } from '../config/index.ts';", says: 'only types' },
    {
      rule: wrongImports,
      path: 'src/ike/exchange/a.ts',
      text: "import { j } from '../../log/index.ts';",
      says: 'only src/log/phrases/index.ts',
    },
    {
      rule: wrongImports,
      path: 'src/lab/a.ts',
      text: "const x = await import('../ike/index.ts');",
      says: 'src/lab/a.ts:1 imports src/ike/index.ts',
    },
    {
      rule: wrongImports,
      path: 'src/eap/a.ts',
      text: "export * from '../posture/index.ts';",
      says: 'src/eap/a.ts:1 imports src/posture/index.ts',
    },
    {
      rule: wrongPackages,
      path: 'src/ike/a.ts',
      text: "import { x } from '@noble/curves/nist.js';",
      says: 'src/ike/a.ts:1 imports @noble/curves',
    },
    { rule: wrongPackages, path: 'src/cli/a.ts', text: "import x from 'left-pad';", says: 'left-pad is not allowed anywhere' },
    {
      rule: wrongPackages,
      path: 'src/eap/a.ts',
      text: "import { x } from 'node:util';",
      says: 'src/eap/a.ts:1 imports node:util',
    },
    { rule: wrongPackages, path: 'crypto/a.ts', text: "import { x } from 'node:fs';", says: 'crypto/a.ts:1 imports node:fs' },
    { rule: impurities, path: 'src/ike/a.ts', text: `const a = \`\${Date.now()} ago\`;`, says: "src/ike/a.ts:1 'Date.now'" },
    { rule: impurities, path: 'src/wire/a.ts', text: '/* fine: await */\nsetTimeout(go);', says: "src/wire/a.ts:2 'setTimeout'" },
    { rule: tooLarge, path: 'src/ike/a.ts', text: 'x\n'.repeat(500), says: 'src/ike/a.ts:500 ' },
    { rule: tooLarge, path: 'src/ike/a.ts', text: `\n${'x'.repeat(131)}`, says: 'src/ike/a.ts:2 has 131 columns' },
    { rule: foreignWords, path: 'docs/a.md', text: `\nas in ${'/wo'}rk/a/b.ts`, says: 'docs/a.md:2 ' },
    { rule: skippedTests, path: 'test/a.test.ts', text: `it.${'only'}('x', go)`, says: 'test/a.test.ts:1 ' },
  ])('on $says', ({ rule, path, text, says }) => {
    expect(rule({ path, text })).toEqual([expect.stringContaining(says)]);
  });

  it('on circles', () => {
    const a = { path: 'src/ems/a.ts', text: "import type { x } from '../net/index.ts';" };
    const b = { path: 'src/net/b.ts', text: "\nimport type { x } from '../ems/index.ts';" };
    expect(circles([a, b])).toEqual(['src/net/b.ts:2 → src/ems, src/ems/a.ts:1 → src/net']);
  });

  it('and is not fooled by comments and texts', () => {
    const innocent = {
      path: 'src/ike/a.ts',
      text: "// Date.now() await\nconst say = 'await process.exit' + `console.log`; /* import '../net/x.ts' */",
    };
    expect([...wrongImports(innocent), ...impurities(innocent)]).toEqual([]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text as data
    const text = 'a(/["\'`]/, 1) // b\n`${f({ a: "}" })}c` + `d`';
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text as data
    const blanked = 'a(       , 1)     \n`${f({ a:     })} ` + ` `';
    expect(blank(text, { comments: true, texts: true })).toBe(blanked);
  });
});

function report(found: readonly string[]): void {
  expect(found.length, `\n  ${found.join('\n  ')}\n`).toBe(0);
}

function partOf(path: string): string | undefined {
  return Object.keys(may).find((part) => path.startsWith(`${part}/`) || path === `${part}.ts`);
}

function homeless({ path }: Source): readonly string[] {
  return partOf(path) === undefined ? [`${path}:1 is in no known part of the tree (${Object.keys(may).join(', ')})`] : [];
}

function wrongImports(source: Source): readonly string[] {
  const home = partOf(source.path);
  if (home === undefined) return [];
  const { parts, types = [] } = may[home] ?? { parts: [] };
  return importsOf(source).flatMap(({ line, kind, target, typeOnly }) => {
    const there = kind === 'file' ? partOf(target) : undefined;
    if (there === undefined || there === home) return [];
    const says = `${source.path}:${line} imports ${target}:`;
    if (![...parts, ...types].includes(there))
      return [`${says} ${home} may import ${[...parts, ...types].join(', ') || 'nothing'}`];
    if (types.includes(there) && !typeOnly) return [`${says} ${home} may import only types from ${there}`];
    const doors = narrow[`${home}>${there}`] ?? [`${there}/index.ts`, `${there}.ts`, ...sideDoors];
    return doors.includes(target) ? [] : [`${says} ${home} may use only ${doors.filter((d) => d.startsWith(there)).join(', ')}`];
  });
}

function wrongPackages(source: Source): readonly string[] {
  const allowed = nodeModules[partOf(source.path) ?? ''];
  return importsOf(source).flatMap(({ line, kind, target }) => {
    const says = `${source.path}:${line} imports ${target}:`;
    if (kind === 'node' && inside.test(source.path)) return [`${says} the inside uses nothing of Node`];
    if (kind === 'node')
      return allowed && !allowed.includes(target) ? [`${says} only ${allowed.join(', ')} is allowed here`] : [];
    if (kind === 'file') return [];
    const where = packages[target];
    if (where === undefined) return [`${says} ${target} is not allowed anywhere`];
    return where.test(source.path) ? [] : [`${says} allowed only in ${where.source}`];
  });
}

function impurities({ path, text }: Source): readonly string[] {
  if (!inside.test(path)) return [];
  return matches(blank(text, { comments: true, texts: true }), impure).map(
    ({ line, words }) => `${path}:${line} '${words}' in a pure part`,
  );
}

/** Parts that reach themselves; each circle is told once, with one import for each of its arrows. */
function circles(all: readonly Source[]): readonly string[] {
  const arrows = new Map<string, Map<string, string>>();
  for (const source of all) {
    const home = partOf(source.path);
    for (const { line, target } of importsOf(source)) {
      const there = partOf(target);
      if (home === undefined || there === undefined || home === there) continue;
      const out = arrows.get(home) ?? new Map<string, string>();
      arrows.set(home, out.set(there, out.get(there) ?? `${source.path}:${line} → ${there}`));
    }
  }
  const found = new Map<string, string>();
  const follow = (trail: readonly string[]) => {
    for (const next of arrows.get(trail.at(-1) ?? '')?.keys() ?? []) {
      const from = trail.indexOf(next);
      if (from < 0) follow([...trail, next]);
      else {
        const circle = trail.slice(from);
        const steps = circle.map((part, i) => arrows.get(part)?.get(circle[(i + 1) % circle.length] ?? '') ?? part);
        found.set([...circle].sort().join(), steps.join(', '));
      }
    }
  };
  for (const part of arrows.keys()) follow([part]);
  return [...found.values()];
}

function tooLarge({ path, text }: Source): readonly string[] {
  const lines = text.split('\n');
  const long = lines.length > 500 ? [`${path}:500 is not the last line: the limit is 499, the file has ${lines.length - 1}`] : [];
  const wide = lines.flatMap((line, i) =>
    line.length > 130 ? [`${path}:${i + 1} has ${line.length} columns, 130 is the limit`] : [],
  );
  return [...long, ...wide];
}

function foreignWords({ path, text }: Source): readonly string[] {
  if (path === 'test/architecture.test.ts') return [];
  return foreign.flatMap((pattern) =>
    matches(text, pattern).map(({ line, words }) => `${path}:${line} '${words}' is none of this project's words`),
  );
}

function skippedTests({ path, text }: Source): readonly string[] {
  const visible = blank(text, { comments: true, texts: true });
  return matches(visible, /\b(it|test|describe)\.(skip|only|todo|fails)\b|\bx(it|describe)\(/).map(
    ({ line, words }) => `${path}:${line} '${words}'`,
  );
}
