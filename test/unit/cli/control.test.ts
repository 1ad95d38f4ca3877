/** FortiOS' words on the command line: to the daemon of a state directory, and back. */
import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { controlSocket } from '../../../src/cli/control.ts';
import { type Terminal, terminalOf } from '../../../src/cli/exit.ts';
import { main } from '../../../src/cli/index.ts';
import { type Commands, serveControl } from '../../../src/control/index.ts';
import { openJournal } from '../../../src/log/index.ts';

const stream = () => {
  const text: string[] = [];
  return { text, write: (t: string) => text.push(t) > 0, on: () => undefined };
};
const processLike = () => Object.assign(new EventEmitter(), { exit: () => undefined });

/** `words` with the state directory of a daemon that does `commands`; nobody listens there without them. */
async function typed(words: readonly string[], commands?: Commands, ask?: Terminal['ask']) {
  const state = await mkdtemp(join(tmpdir(), 'cli-'));
  const [stdout, stderr] = [stream(), stream()];
  const server =
    commands === undefined ? undefined : await serveControl({ path: controlSocket(state), commands, onFault: () => undefined });
  const journal = () => openJournal({ stream: { write: () => undefined } });
  const terminal: Terminal = { stdout, stderr, process: processLike(), journal, ...(ask === undefined ? {} : { ask }) };
  try {
    const code = await main([...words, '--state', state], terminal);
    return { code, out: stdout.text.join(''), err: stderr.text.join('').replaceAll(state, 'DIR') };
  } finally {
    await server?.close();
    await rm(state, { recursive: true });
  }
}

describe('execute, diagnose, get', () => {
  it.each([
    ['execute', 'fctems', 'verify', 'ems 137'],
    ['diagnose', 'vpn', 'ike', 'gateway', 'list', 'name', 'dialup_0'],
    ['get', 'vpn', 'ike', 'gateway', 'list'],
    ['diagnose', '?'],
  ])('%s %s: its words go to the daemon, the text and the exit code come back', async (...words) => {
    const echo: Commands = async (heard, io) => {
      await io.out(`${JSON.stringify(heard)}\n`);
      return 5;
    };
    expect(await typed(words, echo)).toEqual({ code: 5, out: `${JSON.stringify(words)}\n`, err: '' });
  });

  const question: Commands = async (_, io) => ((await io.ask('Sure? (y/n)')) ? 0 : 1);
  it('ask the person at the terminal, and nobody where there is none', async () => {
    const asked: string[] = [];
    const says = (answer: boolean) => (text: string) => {
      asked.push(text);
      return Promise.resolve(answer);
    };
    expect(await typed(['execute', 'x'], question, says(true))).toMatchObject({ code: 0, out: '' });
    expect(await typed(['execute', 'x'], question, says(false))).toMatchObject({ code: 1, out: '' });
    expect(asked).toEqual(['Sure? (y/n)', 'Sure? (y/n)']);
    expect(await typed(['execute', 'x'], question)).toMatchObject({
      code: 1,
      out: expect.stringContaining('there is no terminal'),
    });
  });

  it('say what to do where no daemon runs: 3', async () => {
    expect(await typed(['execute', 'fctems', 'verify', 'x'])).toEqual({
      code: 3,
      out: '',
      err: expect.stringMatching(/^postern: No postern listens on DIR\/control\.sock\.\nStart one with `postern lab`/),
    });
  });

  it('say that the daemon has not finished: 3', async () => {
    const dies: Commands = (_, io) => new Promise((resolve) => io.signal.addEventListener('abort', () => resolve(0)));
    const state = await mkdtemp(join(tmpdir(), 'cli-'));
    const server = await serveControl({ path: controlSocket(state), commands: dies, onFault: () => undefined });
    const [stdout, stderr] = [stream(), stream()];
    const journal = () => openJournal({ stream: { write: () => undefined } });
    const code = main(['get', 'x', '--state', state], { stdout, stderr, process: processLike(), journal });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await server.close();
    expect([await code, stderr.text.join('')]).toEqual([3, expect.stringContaining('The daemon has not finished')]);
    await rm(state, { recursive: true });
  });

  it('without words, and help: what there is, without a daemon', async () => {
    expect(await typed(['diagnose'])).toMatchObject({ code: 2, err: expect.stringContaining('WORD … is missing') });
    expect(await typed(['execute', '--help'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('  execute fctems verify NAME\n'),
    });
  });
});

describe('a question at the terminal', () => {
  it.each([
    ['y\n', true, 1],
    ['  YES \n', true, 1],
    ['n\n', false, 1],
    ['no\n', false, 1],
    ['maybe\ny\n', true, 2],
    ['a\nb\nc\ny\n', false, 3],
    ['yesterday\nn\n', false, 2],
    ['', false, 1],
  ])('%j is %s, asked %d times', async (input, answer, times) => {
    const stdout = Object.assign(stream(), { isTTY: true });
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const terminal = terminalOf(Object.assign(processLike(), { stdout, stderr: stream(), stdin }));
    stdin.end(input);
    expect(await terminal.ask?.('Sure? (y/n)')).toBe(answer);
    expect(stdout.text).toEqual(Array.from({ length: times }, () => 'Sure? (y/n)'));
  });

  it('is not asked where input or output is none', () => {
    const at = (ins: boolean, outs: boolean) =>
      terminalOf(
        Object.assign(processLike(), {
          stdout: Object.assign(stream(), { isTTY: outs }),
          stderr: stream(),
          stdin: Object.assign(new PassThrough(), { isTTY: ins }),
        }),
      ).ask;
    expect([at(true, false), at(false, true)]).toEqual([undefined, undefined]);
    expect(at(true, true)).toBeTypeOf('function');
  });
});
