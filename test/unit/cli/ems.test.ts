import { EventEmitter } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/index.ts';
import { openJournal } from '../../../src/log/index.ts';

let dir = '';
const UID = '6108A9179A5C40D7BD57504E15114C1F';

/** Types `postern ems …`; the state directory goes without saying. */
async function typed(...words: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const started: ((end: () => void) => void)[] = [];
  const process = Object.assign(new EventEmitter(), { exit: () => undefined });
  const ready = new Promise<() => void>((resolve) => started.push(resolve));
  const on = () => undefined;
  const done = main(['ems', ...words, ...(words.includes('--state') ? [] : ['--state', dir])], {
    stdout: {
      on,
      write: (text) => {
        out.push(text);
        if (text === 'postern ems: ready\n') for (const go of started) go(() => void process.emit('SIGINT'));
        return true;
      },
    },
    stderr: { on, write: (text) => err.push(text) > 0 },
    process,
    journal: () => openJournal({ stream: { write: () => undefined } }),
  });
  const result = async () => ({ code: await done, out: out.join(''), err: err.join('') });
  // A running emulator is ready before it is done; everything else is done.
  const end = await Promise.race([ready, done.then(() => undefined)]);
  return { ...(end === undefined ? await result() : { code: undefined, out: out.join(''), err: err.join('') }), end, result };
}

let running: Awaited<ReturnType<typeof typed>>;
const run = (...words: string[]) => typed('run', '--port', '0', ...words);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-ems-cli-'));
  running = await run('--serial', 'FCTEMS8888888888');
});
afterAll(async () => {
  running.end?.();
  await running.result();
  await rm(dir, { recursive: true });
});

describe('postern ems run', () => {
  it('says where it is and how a gateway comes in', async () => {
    expect(running.out).toMatch(/FCTEMS8888888888 \(tenant 0{32}\) listens on https:\/\/127\.0\.0\.1:\d+\n/);
    expect(running.out).toContain(`its CA is ${dir}/ca.pem, SHA-256 `);
    expect(running.out).toContain(`postern ems gateway authorize CN --state ${dir}`);
    expect(running.out).toMatch(/postern ems: ready\n$/);
    expect((await stat(join(dir, 'ems.json'))).mode & 0o777).toBe(0o600);
  });

  it.each([
    [['--port', 'x'], '--port takes a port number'],
    [['--listen', 'here'], "--listen 'here' is not an IPv4 or IPv6 address"],
    [['--token-lifetime', '1h'], "--token-lifetime takes seconds, not '1h'"],
    [['--access-key-file', '/nowhere'], 'cannot read --access-key-file /nowhere: ENOENT'],
    [['--tenant', 'root'], 'a tenant is 32 hexadecimal digits'],
    [['--serail', 'x'], 'unknown option --serail; did you mean --serial?'],
  ])('%j is a usage error: 2', async (words, why) => {
    const done = await typed('run', ...(words[0] === '--port' ? [] : ['--port', '0']), '--state', join(dir, 'other'), ...words);
    expect(done).toMatchObject({ code: 2, out: '', err: expect.stringContaining(why) });
  });

  it('a port that is taken, an address that is not ours: 3, with what to do', async () => {
    const port = /127\.0\.0\.1:(\d+)/.exec(running.out)?.[1] ?? '';
    expect(await typed('run', '--state', join(dir, 'two'), '--port', port)).toMatchObject({
      code: 3,
      err: expect.stringMatching(new RegExp(`TCP port ${port} is taken[\\s\\S]*--port N`)),
    });
    expect(await typed('run', '--state', join(dir, 'two'), '--port', '0', '--listen', '203.0.113.1')).toMatchObject({
      code: 3,
      err: expect.stringContaining('203.0.113.1 is not an address of this machine'),
    });
  });

  it('what it knew it knows again; another serial is refused there', async () => {
    const state = ['--state', join(dir, 'again')];
    const one = await run(...state, '--serial', 'FCTEMS7', '--auto-authorize');
    await typed('endpoint', 'add', 'U7', '--tag', 'a', ...state);
    one.end?.();
    expect(await one.result()).toMatchObject({ code: 0, out: expect.stringMatching(/postern ems: stopped\n$/) });
    expect(await typed('endpoint', 'list', ...state)).toMatchObject({ code: 3, err: expect.stringContaining('postern ems run') });
    expect(await run(...state, '--serial', 'FCTEMS8')).toMatchObject({
      code: 2,
      err: expect.stringContaining('is the state of FCTEMS7'),
    });
    const two = await run(...state);
    expect(two.out).toMatch(/FCTEMS7 .*\n[\s\S]*1 devices are known/);
    expect((await typed('endpoint', 'list', ...state)).out).toContain('U7');
    two.end?.();
    await two.result();
    await writeFile(join(dir, 'again', 'ems.json'), '{}');
    expect(await run(...state)).toMatchObject({ code: 2, err: expect.stringContaining('remove it to start anew') });
  });
});

describe("the administrator's verbs", () => {
  it('endpoint: add, set, list, remove', async () => {
    const words = ['--hostname', 'PC1', '--address', '172.16.200.242', '--address', '2001:db8::1', '--mac', '00:0c:29:4a:67:74'];
    expect(await typed('endpoint', 'add', UID, ...words, '--tag', 'all_registered_clients', '--class', 'Low')).toMatchObject({
      code: 0,
      out: `added ${UID}: registered, online; tags all_registered_clients, Low (classification)\n`,
    });
    expect((await typed('endpoint', 'list')).out).toMatch(
      /^UID +HOSTNAME .*\n6108A\S+ +PC1 +172\.16\.200\.242 2001:db8::1 +registered/,
    );
    expect(
      await typed('endpoint', 'set', UID, '--quarantined', 'yes', '--online', 'no', '--mac', 'none', '--tag', 'b'),
    ).toMatchObject({
      code: 0,
      out: `${UID}: registered, quarantined, offline; tags b\n`,
    });
    const [record] = JSON.parse((await typed('endpoint', 'list', '--json')).out);
    expect(record).toMatchObject({
      uid: UID,
      hostname: 'PC1',
      macs: [],
      quarantined: true,
      tags: [{ name: 'b', type: 'zero_trust' }],
    });
    expect(await typed('endpoint', 'remove', UID)).toMatchObject({ code: 0, out: `removed ${UID}\n` });
    expect((await typed('endpoint', 'list')).out).toContain('no devices');
  });

  it('tag, token, rotate-key', async () => {
    await typed('endpoint', 'add', 'U1', '--tag', 'a');
    expect((await typed('tag', 'add', 'U1', 'Telemetry Connected')).out).toBe(
      'U1: registered, online; tags a, Telemetry Connected\n',
    );
    expect((await typed('tag', 'add', 'U1', 'Low', '--class')).out).toContain('Low (classification)');
    expect((await typed('tag', 'remove', 'U1', 'a')).out).not.toMatch(/tags a/);
    const { out } = await typed('token', 'U1', '--lifetime', '60');
    const claims = JSON.parse(Buffer.from(out.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({
      endpoint: {
        uid: 'U1',
        tags: [
          { name: 'Telemetry Connected', type: 1 },
          { name: 'Low', type: 3 },
        ],
      },
    });
    expect(claims.exp - claims.iat).toBe(60);
    expect((await typed('token', 'U1', '--lifetime=-5')).code).toBe(0);
    expect((await typed('rotate-key')).code).toBe(0);
    await typed('endpoint', 'remove', 'U1');
  });

  it('gateway: list, authorize, deny, forget', async () => {
    expect((await typed('gateway', 'list')).out).toBe('no gateway has asked\n');
    expect(await typed('gateway', 'authorize', 'FGVM1')).toMatchObject({ code: 0, out: expect.stringContaining('authorized') });
    expect(await typed('gateway', 'deny', 'FGVM2')).toMatchObject({ code: 0, out: 'FGVM2: denied\n' });
    const list = (await typed('gateway', 'list')).out;
    expect(list).toMatch(/FGVM1 +authorized +the first that comes\nFGVM2 +denied\n$/);
    for (const cn of ['FGVM1', 'FGVM2']) expect((await typed('gateway', 'forget', cn)).code).toBe(0);
  });

  it('fault, tunnels', async () => {
    expect((await typed('fault', 'slow', '20')).out).toBe('slow 20\n');
    expect((await typed('fault', '401')).out).toBe('slow 20\nstatus 401\n');
    expect((await typed('fault', 'clear', 'slow')).out).toBe('status 401\n');
    expect((await typed('fault', 'list')).out).toBe('status 401\n');
    expect((await typed('fault', 'clear')).out).toBe('no faults\n');
    expect((await typed('tunnels')).out).toBe('no gateway has told of a tunnel\n');
    expect((await typed('tunnels', '--json')).out).toBe('[]\n');
  });

  it('a wrong word is named, with what was probably meant: 2', async () => {
    await typed('endpoint', 'add', UID);
    for (const [words, why] of [
      [['endpiont', 'add', UID], "there is no 'endpiont'; did you mean 'endpoint'?"],
      [['endpoint', 'ad', UID], "there is no 'ad'; did you mean 'add'?"],
      [['endpoint', 'add'], 'UID is missing'],
      [['endpoint', 'add', UID], `the endpoint ${UID} is there already`],
      [['endpoint', 'add', 'a b'], "'a b' is no UID"],
      [['endpoint', 'add', 'U', '--adress', '::1'], 'unknown option --adress; did you mean --address?'],
      [['endpoint', 'add', 'U', '--address', '10.1'], "'10.1' is not an IPv4 or IPv6 address"],
      [['endpoint', 'set', UID, '--online', 'maybe'], "--online knows 'yes', 'no', not 'maybe'"],
      [['endpoint', 'set', UID], 'nothing to change'],
      [['endpoint', 'remove', UID.replace('6108', '6180')], `did you mean '${UID}'?`],
      [['tag', 'remove', UID, 'x'], `${UID} has no tag 'x': it has none`],
      [['tag', 'add', UID, 'x', '--type', 'zero'], "--type knows 'zero_trust'"],
      [['token', UID, '--lifetime', '1h'], "--lifetime takes seconds, not '1h'"],
      [['gateway', 'authorize', 'FG 1'], "'FG 1' is no CN"],
      [['gateway', 'authorize', 'FG1', '--fingerprint', 'ab'], 'is no SHA-256 fingerprint'],
      [['gateway', 'forget', 'FG1'], "there is no gateway 'FG1'"],
      [['fault', 'garbge'], "there is no fault 'garbge'; did you mean 'garbage'?"],
      [['fault', 'garbage', 'jsn'], "has no 'jsn'; did you mean 'json'?"],
      [['fault', 'zebra'], "there is no fault 'zebra': down, flapping"],
      [['fault', 'slow', 'x'], 'fault slow takes MS'],
      [['fault', 'clear', 'slwo'], "did you mean 'slow'?"],
      [['fault', 'list', 'x'], "'x' is one word too many"],
    ] as const) {
      expect(await typed(...words), words.join(' ')).toMatchObject({ code: 2, out: '', err: expect.stringContaining(why) });
    }
    await typed('endpoint', 'remove', UID);
  });
});
