import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeState } from '../../../src/cli/state.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'postern-state-'));
});
afterAll(() => rm(root, { recursive: true }));

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('the state directory', () => {
  it('is private, says who is there and where it listens, and is free again at the end', async () => {
    const dir = join(root, 'a', 'b');
    const state = await takeState(dir);
    await state.listening([{ address: '::1', port: 500, natt: false, interface: 'lo' }]);
    expect(JSON.parse(await readFile(join(dir, 'daemon.json'), 'utf8'))).toEqual({
      pid: process.pid,
      started: expect.stringMatching(/^\d{4}-/),
      listening: [{ address: '::1', port: 500, natt: false }],
    });
    expect([await mode(dir), await mode(join(dir, 'daemon.json'))]).toEqual(['700', '600']);
    await state.release();
    expect(await readdir(dir)).toEqual([]);
    await state.release();
  });

  it('of a living daemon is refused, with its process and the way out', async () => {
    await writeFile(join(root, 'daemon.json'), JSON.stringify({ pid: process.pid + 1 }));
    await expect(takeState(root, () => true)).rejects.toMatchObject({
      name: 'EnvironmentRefused',
      message: expect.stringContaining(`process ${process.pid + 1}`),
      fix: expect.stringMatching(/--state DIR.*daemon\.json/),
    });
  });

  it.each([['{"pid": 1}'], ['not JSON'], ['{"pid": "1"}'], ['null']])('left behind as %s is taken over', async (text) => {
    await writeFile(join(root, 'daemon.json'), text);
    const state = await takeState(root, () => false);
    await state.release();
  });

  it('that cannot be made is refused in words', async () => {
    await expect(takeState('/dev/null/x')).rejects.toMatchObject({
      name: 'EnvironmentRefused',
      fix: expect.stringContaining('--state'),
    });
  });
});
