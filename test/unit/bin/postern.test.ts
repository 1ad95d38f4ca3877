/** `bin/postern.mjs` on a Node that is too old: this one, told by a preloaded word that it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const real = fileURLToPath(new URL('../../../bin/postern.mjs', import.meta.url));
const OLD = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.9.1'}})`;

/** Stands for the real command: says its arguments, waits for a signal, and gives a code of its own. */
const STANDS_IN = `
process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(42); });
if (process.argv[2] === 'wait') setInterval(() => {}, 1000);
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL');
console.log(JSON.stringify(process.argv.slice(2)), process.versions.node);
process.exitCode = 7;
`;

let checkout = '';
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'postern-bin-'));
  await mkdir(join(checkout, 'bin'));
  await copyFile(real, join(checkout, 'bin', 'postern.mjs'));
  await writeFile(join(checkout, 'bin', 'postern.ts'), STANDS_IN);
});
afterEach(() => rm(checkout, { recursive: true }));

async function pin(): Promise<void> {
  await mkdir(join(checkout, 'node_modules', '.bin'), { recursive: true });
  await symlink(process.execPath, join(checkout, 'node_modules', '.bin', 'node'));
}

type Said = (kill: (signal: NodeJS.Signals) => void) => void;

/** Runs the command; `said` sees what it says, with the process. */
function typed(words: readonly string[], { old = true, said }: { old?: boolean; said?: Said } = {}) {
  const node = spawn(process.execPath, [...(old ? ['--import', OLD] : []), join(checkout, 'bin', 'postern.mjs'), ...words]);
  let [out, err] = ['', ''];
  node.stdout.on('data', (text) => {
    out += text;
    said?.((signal) => void node.kill(signal));
  });
  node.stderr.on('data', (text) => {
    err += text;
  });
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    node.on('close', (code) => resolve({ code, out, err })),
  );
}

describe('the command in a checkout', () => {
  it('on a Node that is new enough is the real thing, in the same process', async () => {
    await pin();
    const { code, out } = await typed(['check', '--config', 'a b'], { old: false });
    expect({ code, out }).toEqual({ code: 7, out: `["check","--config","a b"] ${process.versions.node}\n` });
  });

  it('on an old one hands over to the pinned one: the same arguments, the same exit code', async () => {
    await pin();
    const { code, out, err } = await typed(['check', '--config', 'a b']);
    expect({ code, out, err }).toEqual({ code: 7, out: `["check","--config","a b"] ${process.versions.node}\n`, err: '' });
  });

  it('passes signals on, and a death by one', async () => {
    await pin();
    expect(await typed(['wait'], { said: (kill) => kill('SIGTERM') })).toMatchObject({
      code: 42,
      out: expect.stringMatching(/SIGTERM\n$/),
    });
    expect(await typed(['die'])).toMatchObject({ code: 137 });
  });

  it.each([true, false])('SIGUSR1 opens no debugger (handed over: %s)', async (old) => {
    await pin();
    const said: Said = (kill) => {
      kill('SIGUSR1');
      setTimeout(() => kill('SIGTERM'), 300);
    };
    expect(await typed(['wait'], { old, said })).toMatchObject({ code: 42, err: '' });
  });

  it('nor does it without the launcher', async () => {
    const counts = `data:text/javascript,process.on('exit',()=>console.log(process.listenerCount('SIGUSR1')))`;
    const node = spawn(process.execPath, ['--import', counts, real.replace(/mjs$/, 'ts'), '--version']);
    let out = '';
    node.stdout.on('data', (text) => {
      out += text;
    });
    await once(node, 'close');
    expect(out).toMatch(/\n1\n$/);
  });

  it('without a pinned one says that it is too old: 3', async () => {
    const { code, out, err } = await typed(['check']);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/^postern: Node 20\.9\.1 is too old, 24 or newer is needed\.\nIn a checkout `npm start` brings its own;/);
  });

  it('says it too when the pinned one cannot be started', async () => {
    await mkdir(join(checkout, 'node_modules', '.bin', 'node'), { recursive: true });
    expect(await typed(['check'])).toMatchObject({ code: 3, err: expect.stringContaining('cannot be started') });
  });
});
