import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Terminal } from '../../../src/cli/exit.ts';
import { main } from '../../../src/cli/index.ts';
import type { Verb } from '../../../src/cli/verb.ts';
import { version } from '../../../src/cli/version.ts';
import { openJournal } from '../../../src/log/index.ts';
import { EnvironmentRefused } from '../../../src/net/index.ts';

const stream = () => {
  const text: string[] = [];
  return { text, write: (t: string) => text.push(t) > 0, on: () => undefined };
};

async function typed(...words: string[]) {
  const [stdout, stderr] = [stream(), stream()];
  const ran: string[] = [];
  const verb: Verb = {
    name: 'walk',
    summary: 'goes',
    text: ['Goes a long way.'],
    options: [{ name: 'far', value: 'KM', help: 'how far' }],
    run: (values) => {
      ran.push(values.one('far') ?? '');
      if (values.one('far') === 'sea') throw new EnvironmentRefused('EWET', 'There is water.', 'Take a boat.');
      return values.one('far') === 'bug' ? Promise.reject(new TypeError('ours')) : Promise.resolve(7);
    },
  };
  const dog: Verb = {
    name: 'dog',
    summary: 'barks',
    text: ['A dog.'],
    options: [],
    verbs: [{ ...verb, words: ['PLACE'], run: (values) => Promise.resolve(values.word('PLACE') === 'park' ? 8 : 9) }],
    run: () => Promise.reject(new Error('never by itself')),
  };
  const process = Object.assign(new EventEmitter(), { exit: () => undefined });
  const terminal: Terminal = { stdout, stderr, process, journal: () => openJournal({ stream: { write: () => undefined } }) };
  const code = await main(words, terminal, [verb, dog]);
  return { code, out: stdout.text.join(''), err: stderr.text.join(''), ran };
}

describe('postern', () => {
  it('runs a verb with its values and gives its exit code', async () => {
    expect(await typed('walk', '--far', '3')).toMatchObject({ code: 7, ran: ['3'], err: '' });
  });

  it('without a word says what there is, and that this was none: 2', async () => {
    expect(await typed()).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/walk +goes/) });
  });

  it.each([['help'], ['--help'], ['-h']])('%s says what there is, and the exit codes: 0', async (word) => {
    expect(await typed(word)).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/walk +goes[\s\S]*Exit codes: 0[\s\S]*2[\s\S]*3[\s\S]*70/),
    });
  });

  it('helps with one verb by either road', async () => {
    const one = await typed('help', 'walk');
    expect(one).toMatchObject({
      code: 0,
      ran: [],
      out: expect.stringMatching(/Usage: postern walk \[--far KM\][\s\S]*Goes a long way[\s\S]*--far KM +how far/),
    });
    expect((await typed('walk', '--help')).out).toBe(one.out);
  });

  it('an unknown verb or option is a usage error with a guess: 2', async () => {
    expect(await typed('wakl')).toMatchObject({ code: 2, err: expect.stringContaining("did you mean 'walk'?"), ran: [] });
    expect(await typed('walk', '--fra', '1')).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean --far?'),
      ran: [],
    });
  });

  it('a verb can have verbs below it, with words of their own', async () => {
    expect(await typed('dog', 'walk', 'park')).toMatchObject({ code: 8, err: '' });
    expect(await typed('dog', 'walk')).toMatchObject({
      code: 2,
      err: 'postern dog walk: PLACE is missing\nSee `postern help dog walk`.\n',
    });
    expect(await typed('dog', 'wakl', 'park')).toMatchObject({
      code: 2,
      err: "postern dog: there is no 'wakl'; did you mean 'walk'?\nSee `postern help dog`.\n",
    });
    expect(await typed('help', 'dgo')).toMatchObject({ code: 2, err: expect.stringContaining("did you mean 'dog'?") });
    expect(await typed('dog')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/postern dog VERB[\s\S]*walk +goes/),
    });
    expect(await typed('dog', '--help')).toMatchObject({ code: 0, err: '', out: expect.stringContaining('postern dog VERB') });
    const one = await typed('help', 'dog', 'walk');
    expect(one).toMatchObject({ code: 0, out: expect.stringContaining('Usage: postern dog walk PLACE [--far KM]') });
    expect((await typed('dog', 'walk', '-h')).out).toBe(one.out);
  });

  it('what the machine refuses is said with what to do: 3', async () => {
    expect(await typed('walk', '--far', 'sea')).toMatchObject({
      code: 3,
      err: 'postern: There is water.\nTake a boat.\n',
      out: '',
    });
  });

  it('a fault of ours is not dressed up', async () => {
    await expect(typed('walk', '--far', 'bug')).rejects.toThrow(TypeError);
  });

  it('knows its version from its own package.json', async () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(version()).not.toBe('0.0.0');
    expect((await typed('--version')).out).toBe(
      `postern ${version()} (Node ${process.versions.node}, OpenSSL ${process.versions.openssl})\n`,
    );
    // The published form lies one folder deeper, in dist/.
    expect(version(new URL('../../../dist/src/cli/version.js', import.meta.url).href)).toBe(version());
  });
});
