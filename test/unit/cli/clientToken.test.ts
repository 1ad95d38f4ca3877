/** Where the tokens of `postern client` come from, and when the next one is due. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOf, fromCommand, fromFile, TokenKeeper, type TokenNews, type TokenSource } from '../../../src/cli/client/token.ts';
import { VirtualClock } from '../../support/clock.ts';
import { VirtualWorld } from '../../support/virtualWorld.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-token-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

const jwt = (claims: unknown, mark = 'c2ln') => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${mark}`;

describe('sources', () => {
  it('a file: its one word, as it is now', async () => {
    await writeFile(at('token'), '  e30.e30.c2ln\r\n');
    const source = fromFile(at('token'));
    expect(await source.read()).toBe('e30.e30.c2ln');
    await writeFile(at('token'), 'e30.e30.b3Ro');
    expect(await source.read()).toBe('e30.e30.b3Ro');
  });

  it.each<[string, string, RegExp]>([
    ['empty', ' \n', /holds no token/],
    ['two words', 'Bearer e30.e30.c2ln', /more than one word/],
    ['octets', 'e30\0e30', /more than one word/],
    ['longer than any message', 'e'.repeat(16_385), /longer than 16384 octets/],
  ])('a file that is %s', async (_, text, why) => {
    await writeFile(at('bad'), text);
    await expect(fromFile(at('bad')).read()).rejects.toThrow(why);
  });

  it('a file that is not there, and a directory', async () => {
    await expect(fromFile(at('nowhere')).read()).rejects.toThrow(/cannot read .*nowhere: ENOENT/);
    await expect(fromFile(folder).read()).rejects.toThrow(/cannot read .*: EISDIR/);
  });

  it('a program: what it prints, its arguments as they are', async () => {
    const print = (...words: readonly string[]) => fromCommand(process.execPath, ['-p', 'process.argv[1]', ...words]).read();
    expect(await print('e30.e30.c2ln')).toBe('e30.e30.c2ln');
    expect(await print('$(id)`id`')).toBe('$(id)`id`'); // no shell has seen it
  });

  it('a program that fails, says too much, or is not there', async () => {
    const run = (code: string) => fromCommand(process.execPath, ['-e', code]).read();
    await expect(run('console.error("no such device\\nmore"); process.exit(3)')).rejects.toThrow(/ends with 3: no such device$/);
    await expect(run('console.log("x".repeat(1e6))')).rejects.toThrow(/ends with ERR_CHILD_PROCESS_STDIO_MAXBUFFER/);
    await expect(run('')).rejects.toThrow(/holds no token/);
    await expect(fromCommand(at('nowhere'), []).read()).rejects.toThrow(/ends with ENOENT/);
    await writeFile(at('plain'), 'text');
    await chmod(at('plain'), 0o600);
    await expect(fromCommand(at('plain'), []).read()).rejects.toThrow(/ends with EACCES/);
  });
});

it.each<[unknown, number | undefined]>([
  [jwt({ exp: 1_800_000_060 }), 1_800_000_060],
  [jwt({ exp: 'soon' }), undefined],
  [jwt([]), undefined],
  [jwt(null), undefined],
  ['e30', undefined],
  ['e30.!!!.c2ln', undefined],
  ['', undefined],
])('the end of %s', (token, end) => {
  expect(endOf(`${token}`)).toBe(end);
});

/** A keeper in virtual time; the source gives what `now` says, and counts. */
async function kept(first: (unix: number) => string, cheap: boolean) {
  const clock = new VirtualClock();
  const world = new VirtualWorld(clock, '127.0.0.1');
  const news: (TokenNews & { readonly at: number })[] = [];
  let reads = 0;
  const self = { now: first(clock.unix) as string | Error };
  const source: TokenSource = {
    cheap,
    read: () => {
      reads += 1;
      return self.now instanceof Error ? Promise.reject(self.now) : Promise.resolve(self.now);
    },
  };
  const keeper = await TokenKeeper.begin(source, world);
  keeper.subscribe((one) => void news.push({ ...one, at: clock.now / 1000 }));
  return {
    ...{ keeper, world, clock, news },
    reads: () => reads,
    says: (token: string | Error) => {
      self.now = token;
    },
    /** Lets seconds pass, and everybody finish what he does. */
    async pass(seconds: number) {
      for (const end = clock.now + seconds * 1000; clock.now < end; ) {
        clock.advanceTo(Math.min(end, Math.max(clock.now, world.deadline() ?? end)));
        world.tick(clock.now);
        for (let i = 0; i < 5; i++) await Promise.resolve();
      }
    },
  };
}
const lasting = (seconds: number, mark?: string) => (unix: number) => jwt({ exp: unix + seconds }, mark);

describe('a keeper', () => {
  it('sends what changes at once, but not more often than every 5 seconds', async () => {
    const k = await kept(lasting(3600), true);
    await k.pass(10);
    expect(k.news).toEqual([]);
    k.says('two');
    await k.pass(1);
    expect(k.news).toEqual([{ kind: 'fresh', token: 'two', because: 'changed', at: 11 }]);
    k.says('three');
    await k.pass(2);
    k.says('four');
    await k.pass(10);
    expect(k.news.slice(1)).toEqual([{ kind: 'fresh', token: 'four', because: 'changed', at: 16 }]);
    expect(k.keeper.current).toBe('four');
  });

  it('a dear source is asked a minute before the end, once, and then by the next token', async () => {
    const k = await kept(lasting(3600), false);
    await k.pass(3539);
    expect(k.reads()).toBe(1);
    k.says(lasting(600, 'next')(k.clock.unix));
    await k.pass(2);
    expect(k.news).toMatchObject([{ kind: 'fresh', because: 'expiring', at: 3540 }]);
    await k.pass(530);
    expect(k.reads()).toBe(2);
    await k.pass(10);
    expect(k.reads()).toBeGreaterThan(2);
  });

  it('of a short token at half time', async () => {
    const k = await kept(lasting(40), false);
    await k.pass(19);
    expect(k.reads()).toBe(1);
    await k.pass(2);
    expect(k.reads()).toBe(2);
  });

  it('asks again every 5 seconds while there is nothing new, and complains once', async () => {
    const k = await kept(lasting(40), false);
    await k.pass(41);
    expect(k.reads()).toBe(1 + 5);
    expect(k.news).toEqual([{ kind: 'trouble', why: 'the token ends soon, and there is no other', at: 20 }]);
    k.says(new Error('nobody is home'));
    await k.pass(20);
    expect(k.news.slice(1)).toEqual([{ kind: 'trouble', why: 'nobody is home', at: 45 }]);
    k.says('new');
    await k.pass(5);
    expect(k.news.at(-1)).toMatchObject({ kind: 'fresh', token: 'new', because: 'expiring' });
  });

  it('a file that is away for a while is told once, and again the next time', async () => {
    const k = await kept(lasting(3600, 'one'), true);
    const one = k.keeper.current;
    k.says(new Error('cannot read token: ENOENT'));
    await k.pass(5);
    expect(k.news).toHaveLength(1);
    k.says(one);
    await k.pass(3);
    k.says('two');
    await k.pass(3);
    k.says(new Error('cannot read token: ENOENT'));
    await k.pass(9);
    expect(k.news.map(({ kind }) => kind)).toEqual(['trouble', 'fresh', 'trouble']);
  });

  it('a token without an end is left alone, unless its file changes', async () => {
    const k = await kept(() => 'opaque', false);
    await k.pass(100_000);
    expect(k.reads()).toBe(1);
    expect(k.world.deadline()).toBeUndefined();
    const file = await kept(() => 'opaque', true);
    file.says('other');
    await file.pass(2);
    expect(file.news).toMatchObject([{ kind: 'fresh', token: 'other' }]);
  });

  it('a token that ends in the far future, or has ended long ago', async () => {
    const far = await kept(() => jwt({ exp: 1e300 }), false);
    await far.pass(1000);
    expect(far.reads()).toBe(1);
    const dead = await kept(lasting(-3600), false);
    await dead.pass(30);
    expect(dead.reads()).toBeLessThanOrEqual(8);
    expect(dead.news).toHaveLength(1);
  });

  it('is silent once it has been stopped, whatever was under way', async () => {
    const k = await kept(lasting(3600), true);
    k.says('two');
    k.clock.advance(1000);
    k.world.tick(k.clock.now); // reads
    k.keeper.stop();
    await k.pass(60);
    expect(k.news).toEqual([]);
    expect(k.world.held).toBe(0);
  });

  it('without a first token there is none', async () => {
    const source: TokenSource = { cheap: true, read: () => Promise.reject(new Error('none')) };
    await expect(TokenKeeper.begin(source, new VirtualWorld(new VirtualClock(), '::1'))).rejects.toThrow('none');
  });
});
