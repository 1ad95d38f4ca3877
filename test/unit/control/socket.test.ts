/** The control socket: whose it is, what a client hears, and what a hostile one achieves: nothing. */
import { spawnSync } from 'node:child_process';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { ControlRefused, connectControl, serveControl } from '../../../src/control/index.ts';
import { inScene } from './scene.ts';

const request = (words: readonly string[], terminal = false): string => `${JSON.stringify({ words, terminal })}\n`;

describe('the control socket', () => {
  it(
    'is for its own user alone, and leaves nothing else in the directory',
    inScene(async ({ serve, path, directory }) => {
      const server = await serve(() => Promise.resolve(0));
      expect(((await stat(path)).mode & 0o777).toString(8)).toBe('600');
      expect(await readdir(directory)).toEqual(['control.sock']);
      await server.close();
      expect(await readdir(directory)).toEqual([]);
    }),
  );

  it(
    'carries words there, text and an exit code back',
    inScene(async ({ serve, typed }) => {
      await serve(async (words, io) => {
        await io.out(`${words.join('|')}\n`);
        await io.out('zwei Zeilen\nmit Ümlauten\n');
        return 7;
      });
      expect(await typed(['a b', 'c"d', ''])).toEqual({ code: 7, text: 'a b|c"d|\nzwei Zeilen\nmit Ümlauten\n' });
    }),
  );

  it.each([true, false])('asks who sits at a terminal, who says %s', async (answer) => {
    await inScene(async ({ serve, typed }) => {
      await serve(async (_, io) => ((await io.ask('Really? (y/n)')) ? 0 : 1));
      expect(await typed([], { answer })).toEqual({ code: answer ? 0 : 1, text: 'Really? (y/n)' });
    })();
  });

  it(
    'takes no terminal for a no, and says so',
    inScene(async ({ serve, typed }) => {
      await serve(async (_, io) => ((await io.ask('Really? (y/n)')) ? 0 : 1));
      expect(await typed([])).toEqual({ code: 1, text: 'Really? (y/n)n\nThe answer is no: there is no terminal to ask.\n' });
    }),
  );

  it(
    'sends a long answer in pieces that come out whole',
    inScene(async ({ serve, typed, raw }) => {
      const long = `${'0123456789😀'.repeat(200_000)}\n`;
      await serve(async (_, io) => {
        await io.out(long);
        return 0;
      });
      expect((await typed([])).text === long).toBe(true);
      const { send, ended } = await raw();
      send(request([]));
      const lines = (await ended).trimEnd().split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(40_000);
    }),
  );

  it(
    'serves several at a time',
    inScene(async ({ serve, typed }) => {
      const waiting: (() => void)[] = [];
      await serve(async ([word = ''], io) => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === 3) for (const go of waiting) go();
        });
        await io.out(word);
        return 0;
      });
      const all = await Promise.all(['a', 'b', 'c'].map((word) => typed([word])));
      expect(all.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    }),
  );

  it(
    'is not taken from a daemon that lives',
    inScene(async ({ serve, path, typed }) => {
      await serve(() => Promise.resolve(0));
      const second = serveControl({ path, commands: () => Promise.resolve(1), onFault: () => undefined });
      await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE', message: expect.stringContaining(path) });
      expect((await typed([])).code).toBe(0);
    }),
  );

  it(
    'is taken over from a dead one',
    inScene(async ({ serve, path, typed }) => {
      const dies = "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
      spawnSync(process.execPath, ['-e', dies, path]);
      expect((await stat(path)).isSocket()).toBe(true);
      await expect(connectControl(path)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await serve(() => Promise.resolve(5));
      expect((await typed([])).code).toBe(5);
    }),
  );

  it(
    'removes no socket that has become another daemon’s, and no file that is something else',
    inScene(async ({ serve, path, directory }) => {
      const server = await serve(() => Promise.resolve(0));
      await writeFile(join(directory, 'other'), '');
      spawnSync('mv', [join(directory, 'other'), path]);
      await server.close();
      expect(await readdir(directory)).toEqual(['control.sock']);
      await expect(serve(() => Promise.resolve(0))).rejects.toMatchObject({ code: 'EEXIST' });
    }),
  );

  it(
    'says what to do where it cannot be',
    inScene(async ({ directory }) => {
      const at = (path: string) => serveControl({ path, commands: () => Promise.resolve(0), onFault: () => undefined });
      await expect(at(join(directory, 'none', 'x.sock'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(at(join(directory, `${'x'.repeat(100)}.sock`))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
      expect(await readdir(directory)).toEqual([]);
      const error: unknown = await connectControl(join(directory, 'none.sock')).catch((e: unknown) => e);
      if (!(error instanceof ControlRefused)) throw new Error('it connected');
      expect(error.message).toMatch(/No postern listens on .*none\.sock/);
      expect(error.fix).toMatch(/postern lab/);
    }),
  );
});

describe('a client', () => {
  it.each([
    ['no JSON', 'rubbish\n'],
    ['null', 'null\n'],
    ['words that are none', '{"words":[1],"terminal":true}\n'],
    ['too many words', request(Array.from({ length: 65 }, () => 'x'))],
    ['no terminal', '{"words":[]}\n'],
    ['octets that are no UTF-8', '\ufffd\u0000{]\n'],
  ])('that sends %s is told so and dismissed', async (_, text) => {
    await inScene(async ({ serve, raw, typed, faults }) => {
      await serve(() => Promise.resolve(0));
      const { send, ended } = await raw();
      send(text);
      expect(await ended).toBe('{"out":"postern: that is no request\\n"}\n{"done":2}\n');
      expect((await typed([])).code).toBe(0);
      expect(faults).toEqual([]);
    })();
  });

  it(
    'that sends a line without end is cut off at 64 KiB',
    inScene(async ({ serve, raw, typed }) => {
      await serve(() => Promise.resolve(0));
      const { send, ended, socket } = await raw();
      socket.on('drain', () => send('x'.repeat(65_536)));
      send('x'.repeat(65_536));
      send('x'.repeat(65_536));
      expect(await ended).toBe('');
      expect((await typed([])).code).toBe(0);
    }),
  );

  it(
    'that says nothing is dismissed, also one that says it letter by letter',
    inScene(async ({ serve, raw }) => {
      await serve(() => Promise.resolve(0), { idle: 30 });
      const [mute, slow] = [await raw(), await raw()];
      const trickle = setInterval(() => slow.send('{'), 5);
      expect(await Promise.all([mute.ended, slow.ended])).toEqual(['', '']);
      clearInterval(trickle);
    }),
  );

  it(
    'that does not read is dismissed, and its command ends',
    inScene(async ({ serve, raw, faults }) => {
      let over: (error: unknown) => void = () => undefined;
      const ended = new Promise((resolve) => {
        over = resolve;
      });
      await serve(
        async (_, io) => {
          try {
            while (true) await io.out('x'.repeat(100_000));
          } catch (error) {
            over(error);
            throw error;
          }
        },
        { idle: 30 },
      );
      const { send, socket } = await raw();
      socket.pause();
      send(request([]));
      expect(await ended).toMatchObject({ name: 'PeerGone', message: expect.stringContaining('does not read') });
      expect(faults).toEqual([]);
    }),
  );

  it(
    'that does not answer a question has not said yes',
    inScene(async ({ serve, raw }) => {
      const answers: unknown[] = [];
      await serve(
        async (_, io) => {
          answers.push(await io.ask('?').catch((error: unknown) => error));
          return 0;
        },
        { patience: 30 },
      );
      const { send, ended } = await raw();
      send(request([], true));
      expect(await ended).toBe('{"ask":"?"}\n');
      expect(answers).toEqual([expect.objectContaining({ name: 'PeerGone' })]);
    }),
  );

  it.each(['yes', '{"answer":"Y"}', '{"answer":true}', '{"answer":"n"}', '{}'])(
    'that answers %s has not said yes',
    async (text) => {
      await inScene(async ({ serve, raw }) => {
        await serve(async (_, io) => ((await io.ask('?')) ? 0 : 1));
        const { send, ended } = await raw();
        send(`${request([], true)}${text}\n`);
        expect(await ended).toBe('{"ask":"?"}\n{"done":1}\n');
      })();
    },
  );

  it(
    'that leaves ends its command, and nobody else’s',
    inScene(async ({ serve, raw, typed, faults }) => {
      const gone: boolean[] = [];
      await serve(async ([word], io) => {
        if (word === 'stay') return 0;
        await new Promise<void>((resolve) => io.signal.addEventListener('abort', () => resolve()));
        gone.push(io.signal.aborted);
        await io.out('to whom?');
        return 0;
      });
      const { send, socket } = await raw();
      send(request(['leave']));
      await new Promise((resolve) => setTimeout(resolve, 5));
      socket.destroy();
      expect((await typed(['stay'])).code).toBe(0);
      while (gone.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      expect(faults).toEqual([]);
    }),
  );

  it(
    'more than are served is told to come back',
    inScene(async ({ serve, raw, typed }) => {
      await serve(() => Promise.resolve(0), { connections: 2 });
      const first = await raw();
      await raw();
      expect(await typed([])).toEqual({ code: 3, text: 'postern: 2 clients are being served already; try again\n' });
      first.send(request([]));
      await first.ended;
      expect((await typed([])).code).toBe(0);
    }),
  );

  it(
    'hears of a fault of ours, and its kind goes to the journal alone',
    inScene(async ({ serve, typed, faults }) => {
      await serve(() => Promise.reject(new TypeError('inside')));
      const { code, text } = await typed([]);
      expect([code, text]).toEqual([70, expect.not.stringContaining('inside')]);
      expect(faults).toEqual([new TypeError('inside')]);
    }),
  );

  it(
    'learns that the daemon has ended in the middle',
    inScene(async ({ serve, typed }) => {
      const server = await serve(() => {
        void server.close();
        return new Promise(() => undefined);
      });
      await expect(typed([])).rejects.toMatchObject({ name: 'ControlRefused', code: 'EPIPE' });
    }),
  );
});
