import { createSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/index.ts';
import { openJournal } from '../../../src/log/index.ts';

const GOOD = `config firewall address
    edit "pool"
        set type iprange
        set start-ip 10.212.134.200
        set end-ip 10.212.134.254
    next
end
config user local
    edit "alice"
        set type password
        set passwd "correct horse"
    next
end
config user group
    edit "staff"
        set member "alice"
    next
end
config vpn ipsec phase1-interface
    edit "dialup"
        set type dynamic
        set interface "port1"
        set ike-version 2
        set peertype any
        set net-device disable
        set mode-cfg enable
        set proposal aes128gcm-prfsha256
        set dhgrp 31
        set eap enable
        set eap-identity send-request
        set authusrgrp "staff"
        set assign-ip-from name
        set ipv4-name "pool"
        set psksecret "open sesame"
    next
end
config vpn ipsec phase2-interface
    edit "dialup"
        set phase1name "dialup"
        set proposal aes128gcm
    next
end
`;
const SECRETS = /open sesame|correct horse/;

let dir = '';
const file = async (name: string, text: string, mode = 0o600) => {
  await writeFile(join(dir, name), text);
  await chmod(join(dir, name), mode);
  return join(dir, name);
};
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-cli-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** Types a command; `ready` runs once stdout says so. */
async function typed(
  words: readonly string[],
  ready: (o: { out: () => string; end: (signal: string) => void }) => void = ({ end }) => end('SIGTERM'),
) {
  const [out, err, journal]: [string[], string[], Record<string, unknown>[]] = [[], [], []];
  const process = Object.assign(new EventEmitter(), { exit: () => undefined });
  const on = () => undefined;
  const code = await main(words, {
    stdout: {
      on,
      write: (text) => {
        out.push(text);
        // Not before the rest of the start has run: a person types Ctrl-C later too.
        if (text === 'postern: ready\n')
          setImmediate(() => ready({ out: () => out.join(''), end: (signal) => process.emit(signal) }));
        return true;
      },
    },
    stderr: { on, write: (text) => err.push(text) > 0 },
    process,
    journal: () => openJournal({ stream: { write: (text: string) => void journal.push(JSON.parse(text)) } }),
  });
  return { code, out: out.join(''), err: err.join(''), journal, all: [...out, ...err, JSON.stringify(journal)].join('') };
}
// No device of this machine for a test.
const LOOPBACK = ['--listen', '127.0.0.1', '--ike-port', '0', '--natt-port', '0', '--inner', 'off'];

describe('postern doctor', () => {
  it('with a configuration that is wrong says that and looks no further', async () => {
    const path = await file('doctor.conf', GOOD.replace('set dhgrp 31', 'set dhgrpp 31'));
    const { code, out, err } = await typed(['doctor', '--config', path]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/dhgrpp/);
  });
  it.each([
    ['--ike-port', 'x'],
    ['--config', '/nowhere'],
  ])('%s %s is refused', async (...words) => {
    const { code, err } = await typed(['doctor', ...words]);
    expect(code).toBe(2);
    expect(err).toMatch(/postern doctor: /);
  });
});

describe('postern check', () => {
  it('a good file: 0, nothing on stderr, no secret anywhere', async () => {
    const path = await file('good.conf', GOOD);
    const done = await typed(['check', '--config', path]);
    expect(done).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`${path}: `) });
    expect(done.all).not.toMatch(SECRETS);
  });

  it('a mistake: 2, with its line, the word and what was meant; every mistake at once', async () => {
    const path = await file(
      'bad.conf',
      GOOD.replace('set dhgrp 31', 'set dhgrpp 31').replace('set proposal aes128gcm\n', 'set proposal aes128gmc\n'),
    );
    const { code, out } = await typed(['check', '--config', path]);
    const line = (text: string) => GOOD.split('\n').findIndex((l) => l.includes(text)) + 1;
    expect(code).toBe(2);
    expect(out).toMatch(new RegExp(`bad\\.conf:${line('set dhgrp 31')}:.*dhgrpp`));
    expect(out).toMatch(/aes128gmc/);
    expect(out).toMatch(/2 errors/);
  });

  it.each([
    ['an empty file', ''],
    ['other blocks', GOOD.slice(0, GOOD.indexOf('config vpn'))],
    ['a tunnel to another gateway', GOOD.replace('set type dynamic', 'set type static')],
    ['a gateway of IKEv1', GOOD.replace('set ike-version 2', 'set ike-version 1')],
  ])('%s: a warning that there is nothing to serve, and what to do', async (_, text) => {
    const { code, out } = await typed(['check', '--config', await file('nothing.conf', text)]);
    expect(code).toBe(0);
    expect(out).toMatch(/nothing\.conf:1:1: warning: nothing to serve: .*; add one under 'config vpn ipsec phase1-interface'/);
  });

  it('with an error nothing is said of that: there may be a gateway behind it', async () => {
    const { out } = await typed(['check', '--config', await file('typo.conf', GOOD.replace('type dynamic', 'type dynamc'))]);
    expect(out).not.toContain('nothing to serve');
    expect(out).toContain("did you mean 'dynamic'?");
  });

  it('a tunnel that no policy names is told to be open; one that is switched off makes it a tunnel with policies', async () => {
    const name = /phase1-interface\n\s*edit "([^"]+)"/.exec(GOOD)?.[1] ?? '';
    const said = `no firewall policy names phase1-interface '${name}': all that its clients send is let through, and all to them`;
    const line = GOOD.split('\n').findIndex((text) => text.includes(`edit "${name}"`)) + 1;
    expect((await typed(['check', '--config', await file('free.conf', GOOD)])).out).toContain(
      `free.conf:${line}:1: warning: ${said}`,
    );
    const behind = await typed(['check', '--config', await file('order.conf', `config nonsense\nend\n${GOOD}`)]);
    expect(behind.out.indexOf('nonsense')).toBeLessThan(behind.out.indexOf(said)); // in the order of the text
    const policy = `config firewall policy\nedit 1\nset srcintf "${name}"\nset status disable\nnext\nend\n`;
    expect((await typed(['check', '--config', await file('ruled.conf', GOOD + policy)])).out).not.toContain(said);
  });

  it('no file: 2, in words', async () => {
    expect(await typed(['check', '--config', join(dir, 'none')])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('there is no such file'),
    });
    expect(await typed(['check', '--config', dir])).toMatchObject({ code: 2, err: expect.stringContaining('it is a directory') });
  });

  it('who may read the file is no matter of check', async () => {
    expect((await typed(['check', '--config', await file('open.conf', GOOD, 0o644)])).out).not.toContain('chmod');
  });
});

describe('postern run', () => {
  it('says ready and where, ends with 0 on SIGTERM, and tells no secret', async () => {
    const state = join(dir, 'state');
    let running: unknown;
    const done = await typed(
      ['run', '--config', await file('good.conf', GOOD), ...LOOPBACK, '--state', state, '--debug', 'ike'],
      ({ end }) => {
        readFile(join(state, 'daemon.json'), 'utf8').then(
          (text) => {
            running = JSON.parse(text);
            end('SIGTERM');
          },
          () => end('SIGTERM'),
        );
      },
    );
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^postern: ready\npostern: listening on 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+ \(NAT-T\)\n/m);
    expect(running).toMatchObject({
      pid: process.pid,
      listening: [{ address: '127.0.0.1' }, { address: '127.0.0.1', natt: true }],
    });
    expect(await readdir(state)).toEqual([]);
    expect(done.journal.at(-1)).toMatchObject({ msg: 'stopped', faults: 0 });
    expect(done.all).not.toMatch(SECRETS);
  });

  it('a flag beats the file, and says so', async () => {
    const path = await file('ports.conf', `config system settings\n    set ike-port 5500\nend\n${GOOD}`);
    const { out } = await typed(['run', '--config', path, ...LOOPBACK]);
    expect(out).toContain("postern: --ike-port 0 beats the configuration's 5500\n");
    expect(out).toContain('postern: --natt-port 0 beats the default 4500\n');
  });

  it('secrets that others can read are a warning here', async () => {
    const { journal } = await typed(['run', '--config', await file('open.conf', GOOD, 0o644), ...LOOPBACK]);
    expect(journal).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringMatching(/everybody.*chmod 600/) }),
    );
    const { journal: quiet } = await typed(['run', '--config', await file('good.conf', GOOD), ...LOOPBACK]);
    expect(JSON.stringify(quiet)).not.toContain('chmod');
  });

  it('a bad configuration starts nothing: 2, with all findings', async () => {
    const path = await file('bad.conf', GOOD.replace('set dhgrp 31', 'set dhgrp banana'));
    expect(await typed(['run', '--config', path, ...LOOPBACK])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('banana'),
    });
  });

  it('a port that is taken: 3, with what to do, and the state directory is free again', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    const state = join(dir, 'state');
    const words = [
      'run',
      '--config',
      await file('good.conf', GOOD),
      '--listen',
      '127.0.0.1',
      '--ike-port',
      `${port}`,
      '--natt-port',
      '0',
      '--state',
      state,
    ];
    expect(await typed(words)).toMatchObject({
      code: 3,
      err: expect.stringMatching(new RegExp(`UDP port ${port} .*taken[\\s\\S]*ss -ulpn`)),
    });
    expect(await readdir(state)).toEqual([]);
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  });

  it('with the lab host it carries packets to where it was told, and needs no rights for it', async () => {
    const words = ['run', '--config', await file('good.conf', GOOD), ...LOOPBACK.slice(0, -1), 'lab', '--lab-net', '10.9.0.0/16'];
    const { code, journal } = await typed(words);
    expect(code).toBe(0);
    expect(journal.map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(/carried to the lab host.* 10\.9\.0\.0-10\.9\.255\.255\.$/),
    );
  });

  it('several workers serve, or one and the journal says why', async () => {
    const run = async (...more: readonly string[]) => {
      const words = ['run', '--config', await file('good.conf', GOOD), ...LOOPBACK, '--workers', '2', ...more];
      const { code, journal } = await typed(words);
      expect(code).toBe(0);
      return journal;
    };
    const one = expect.objectContaining({ msg: expect.stringContaining('one worker serves all clients, not 2: ') });
    expect(await run()).not.toContainEqual(one);
    expect(await run('--capture', join(dir, 'w.pcap'))).toContainEqual(one);
  }, 20_000);

  it.each([
    [['--ike-port', '5500', '--natt-port', '5500'], 'cannot share port 5500'],
    [['--ike-port', 'five'], "not 'five'"],
    [['--debug', 'esp'], "--debug knows 'ike'"],
    [['--inner', 'lab', '--lab-net', '10.0.0.0/40'], "--lab-net '10.0.0.0/40' is no prefix"],
    [['--lab-net', '10.0.0.0/24', '--inner', 'tun'], '--lab-net goes with --inner lab'],
    [['--listen', 'bogus'], "--listen 'bogus' is not an IPv4 or IPv6 address"],
    [['--workers', '0'], "--workers '0' is neither 1 to 64 nor 'cores'"],
    [['--workers', 'many'], "--workers 'many' is neither 1 to 64 nor 'cores'"],
  ])('%j is a usage error: 2', async (words, why) => {
    expect(await typed(['run', '--config', await file('good.conf', GOOD), ...words])).toMatchObject({
      code: 2,
      err: expect.stringContaining(why),
    });
  });
});
