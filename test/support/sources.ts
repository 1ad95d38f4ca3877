/**
 * The project's own source text as data for `architecture.test.ts`: which files there are, what they import, and what is left
 * of a file when comments and texts are blanked out. Line numbers survive every step.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Source = { readonly path: string; readonly text: string };
/** `target` is a path from the root ('src/wire/index.ts'), a package name ('jose') or a module of Node ('node:crypto'). */
export type Import = {
  readonly line: number;
  readonly kind: 'file' | 'package' | 'node';
  readonly target: string;
  readonly typeOnly: boolean;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', '.state', 'tmp', 'package-lock.json']);

/** Every text file under the given paths (relative to the root) whose name matches; missing paths give nothing. */
export function sources(paths: readonly string[], name: RegExp): readonly Source[] {
  return paths
    .flatMap(walk)
    .filter((path) => name.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function walk(path: string): string[] {
  if (skipped.has(posix.basename(path))) return [];
  try {
    return readdirSync(join(root, path))
      .sort()
      .flatMap((name) => walk(posix.join(path, name)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return [path];
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** All static and dynamic imports and re-exports, in order. */
export function importsOf({ path, text }: Source): readonly Import[] {
  const form = /\b(?:import|export)\b(\s+type\b)?(?:[\w\s{},*$]*?\bfrom)?\s*\(?\s*(['"])([^'"\n]+)\2/g;
  const visible = blank(text, { comments: true, texts: false });
  return [...visible.matchAll(form)].map((found) => ({
    line: lineAt(visible, found.index + found[0].length),
    ...resolve(path, found[3] ?? ''),
    typeOnly: found[1] !== undefined,
  }));
}

function resolve(from: string, specifier: string): Pick<Import, 'kind' | 'target'> {
  if (specifier.startsWith('.')) return { kind: 'file', target: posix.join(posix.dirname(from), specifier) };
  if (specifier.startsWith('node:')) return { kind: 'node', target: specifier };
  return { kind: 'package', target: /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier };
}

/** Lines of `text` that match, with the matched words. */
export function matches(text: string, pattern: RegExp): readonly { readonly line: number; readonly words: string }[] {
  const all = new RegExp(pattern.source, [...new Set(`${pattern.flags}g`)].join(''));
  return [...text.matchAll(all)].map((found) => ({ line: lineAt(text, found.index), words: found[0].trim() }));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** The same text with comments, or the inside of texts (strings, patterns, templates), or both, replaced by spaces. */
export function blank(text: string, what: { readonly comments: boolean; readonly texts: boolean }): string {
  const modes: (keyof typeof tokens)[] = ['code'];
  let out = '';
  for (let at = 0; at < text.length; ) {
    const mode = modes.at(-1) ?? 'code';
    const token = new RegExp(tokens[mode]);
    token.lastIndex = at;
    const found = token.exec(text);
    const [whole, kind] = found ? [found[0], kindOf(found.groups)] : [text.charAt(at), 'code'];
    if (kind === 'open') modes.push('code');
    if (kind === 'close' && modes.length > 1) modes.pop();
    if (kind === 'tick') mode === 'template' ? modes.pop() : modes.push('template');
    const hidden = (kind === 'comment' && what.comments) || (kind === 'text' && what.texts);
    out += hidden ? whole.replace(/[^\n]/g, ' ') : whole;
    at += whole.length;
  }
  return out;
}

/** What may come next in code, and inside a template literal. A slash begins a pattern only where a value can begin. */
const tokens = {
  code: new RegExp(
    [
      /(?<comment>\/\*[\s\S]*?\*\/|\/\/[^\n]*)/,
      /(?<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?:VALUE)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*)/,
      /(?<tick>`)|(?<open>\{)|(?<close>\})|[^'"`/{}]+/,
    ]
      .map((part) => part.source)
      .join('|')
      .replace('(?:VALUE)', /(?<=(?:[(,=:[!&|?{};+*%<>~^-]|\breturn|^)\s*)/.source),
    'y',
  ),
  template: /(?<tick>`)|(?<open>\$\{)|(?<text>(?:\\[\s\S]|\$(?!\{)|[^\\$`])+)/y,
};

function kindOf(groups: Readonly<Record<string, string | undefined>> = {}): string {
  return Object.keys(groups).find((name) => groups[name] !== undefined) ?? 'code';
}
