/**
 * Published known answers. Every file of vectors/ has a runner in test/vectors/, every runner has its file: a vector that
 * nobody runs proves nothing. A new one is a JSON file there and a module here that exports `file` and `run(data)`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** `file`: path below vectors/, or several of the same shape. `run` asserts; the file is its runner's to type. */
type Runner = { readonly file: string | readonly string[]; readonly run: (data: unknown) => void | Promise<void> };

const vectors = new URL('../vectors/', import.meta.url);
const runnersAt = new URL('./vectors/', import.meta.url);

const files = readdirSync(vectors, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'));
const runners = await Promise.all(
  readdirSync(runnersAt)
    .filter((name) => name.endsWith('.ts'))
    // A module here is a Runner by the rule above; the first test holds it to that.
    .map(async (name) => ({ name, ...((await import(new URL(name, runnersAt).href)) as Runner) })),
);
const pairs = runners.flatMap(({ name, file, run }) => [file].flat().map((path) => ({ name, path, run })));

describe('Vectors', () => {
  it('every runner names its file and can run', () => {
    expect(runners.filter(({ file, run }) => file === undefined || typeof run !== 'function').map(({ name }) => name)).toEqual(
      [],
    );
  });

  it('every file has one runner, and every runner its file', () => {
    expect(pairs.map(({ path }) => path).sort()).toEqual(files.sort());
  });

  it.each(files)('%s says where its numbers are from', (path) => {
    expect(readData(path)).toHaveProperty('source', expect.stringMatching(/\w/));
  });

  it.each(pairs)('$path', async ({ path, run }) => {
    expect.hasAssertions();
    await run(readData(path));
  });
});

function readData(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, vectors), 'utf8'));
}
