/** `postern client` against a daemon on loopback and an emulated EMS, through the command itself. */
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/index.ts';
import { IP, NUMBER, type Stage, staged, UID } from '../../support/postureDaemon.ts';
import { fakeTerminal } from '../../support/terminal.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-client-'));
  await writeFile(at('psk'), 'kiesel-und-moos\n');
  await writeFile(at('password'), 'wonder-land-7\n');
});
afterAll(async () => await rm(folder, { recursive: true }));

const words = (s: Stage, ...more: readonly string[]) => {
  const port = (natt: boolean) => `${s.daemon.listening.find((l) => l.natt === natt)?.port ?? 0}`;
  return [
    ...['client', '--ike-port', port(false), '--natt-port', port(true), '--psk-file', at('psk'), '--user', 'alice'],
    ...['--password-file', at('password'), '--uid', UID, '--ip', IP, '--ems-serial', s.ems.serial, '--dhgrp', '31'],
    ...['--proposal', 'aes128gcm-prfsha256', '--esp', 'aes128gcm', ...more],
  ];
};

type Told = { readonly client: number; readonly event: string; readonly message?: string };
const jsonOf = (text: string): readonly Told[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

describe('it connects as the device that EMS knows', () => {
  it(
    'says so, and hangs up at a signal',
    staged({}, async (s) => {
      const { terminal, out, signal } = fakeTerminal();
      const code = main(words(s), terminal);
      await s.until(() => out().includes('Ctrl-C hangs up'));
      expect(out()).toMatch(
        /connected to 127\.0\.0\.1:\d+; the gateway proved itself by pre-shared key\n.*address 10\.139\.1\.2, 1 child SA/,
      );
      expect(s.told('established')).toMatchObject([{ fctUid: UID, user: 'alice' }]);
      signal('SIGINT');
      expect(await code).toBe(0);
      expect(s.told('closed')).toMatchObject([{ reason: 'peer-deleted' }]);
    }),
  );

  it(
    'the gateway ends it when the tag goes',
    staged({}, async (s) => {
      const { terminal, out } = fakeTerminal();
      const code = main(words(s), terminal);
      await s.until(() => out().includes('Ctrl-C hangs up'));
      s.ems.setTags(UID, []);
      expect(await code).toBe(4);
      expect(out()).toMatch(/the gateway has ended it: deleted by the gateway\n.*usually: .*a lost tag/);
    }),
  );

  it(
    'without the tag it is refused',
    staged({ tags: '"EMS3_ZTNA_other"' }, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s), terminal)).toBe(4);
      expect(out()).toMatch(/not connected: .*AUTHENTICATION_FAILED\n.*usually: .*posture is not accepted/);
    }),
  );
});

describe('with a token, while EMS is silent', () => {
  const silent = { tokenKeys: true, fault: { name: 'status', status: 500 }, posture: ['set lookup-wait 100'] } as const;

  it.each(['in-auth', 'after'])(
    '%s: it opens the tunnel, and a fresh one is sent before it ends',
    async (when) => {
      await staged(silent, async (s) => {
        await writeFile(at('token'), `${await s.ems.issueToken(UID, { lifetime: 3 })}\n`);
        const { terminal, out, signal } = fakeTerminal();
        const more = ['--token-file', at('token'), '--token-number', `${NUMBER}`, '--token-when', when];
        const code = main(words(s, ...more), terminal);
        await s.until(() => out().includes('Ctrl-C hangs up'));
        await s.until(() => s.told('posture').some(({ rule }) => rule === 'token-tag'));
        const updates = () => s.lines.filter((line) => line.includes('ZTNA tags update token')).length;
        const before = updates();
        await writeFile(at('token'), await s.ems.issueToken(UID, { lifetime: 600 }));
        await s.until(() => out().includes('a fresh token was sent'), 6000);
        await s.until(() => updates() > before);
        signal('SIGTERM');
        expect(await code).toBe(0);
        expect(out()).not.toContain('eyJ'); // no token on the screen
      })();
    },
    15_000,
  );
});

describe('what it says', () => {
  it(
    'as JSON: every event an object of its own, no secret in any',
    staged({}, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s, '--json', '--debug', '--stay', '0'), terminal)).toBe(0);
      const events = jsonOf(out());
      expect(new Set(events.map(({ client }) => client))).toEqual(new Set([1]));
      const told = events.filter(({ event }) => event !== 'message');
      expect(told.map(({ event }) => event)).toEqual(['connected', 'child', 'ended']);
      expect(told[0]).toMatchObject({ addresses: ['10.139.1.2'], children: 1, nat: false, proof: 'pre-shared key' });
      expect(told[2]).toMatchObject({ how: 'hung-up', established: true, code: 0, meaning: '' });
      const messages = events.flatMap(({ event, message }) => (event === 'message' ? [message] : []));
      expect(messages[0]).toMatch(/^> IKE_SA_INIT request 0: SA KE NONCE V V V N\(NAT_DETECTION_SOURCE_IP\)/);
      expect(messages).toContainEqual(
        expect.stringMatching(/^> IKE_AUTH request 1: IDi .*N\(FORTICLIENT_CONNECT\).* CP SA TSi TSr$/),
      );
      expect(messages.at(-1)).toBe('< INFORMATIONAL response 6: (empty)');
      expect(out()).not.toMatch(/kiesel-und-moos|wonder-land-7/);
    }),
  );

  it(
    'of several clients, each by its number',
    staged({}, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s, '--count', '3', '--stay', '0'), terminal)).toBe(0);
      for (const n of [1, 2, 3]) expect(out()).toMatch(new RegExp(`^postern client ${n}: hung up$`, 'm'));
      expect(s.told('established')).toHaveLength(3);
    }),
  );
});

describe('ping', () => {
  it(
    'through the tunnel, then it hangs up: 0',
    staged({ lab: true }, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s, '--ping', '10.50.0.1,1'), terminal)).toBe(0);
      expect(out()).toMatch(/hangs up after the pings\n(.*\n)*.*answer from 10\.50\.0\.1: seq=0 time=[\d.]+ ms\n/);
      expect(out()).toMatch(/ping 10\.50\.0\.1: 1 sent, 1 answered\npostern client: hung up\n$/);
    }),
  );

  it(
    'that nobody answers: 5',
    staged({ lab: true }, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s, '--ping', '10.99.0.1,1', '--json'), terminal)).toBe(5);
      const told = jsonOf(out());
      expect(told.map(({ event }) => event)).toEqual(['connected', 'child', 'pinged', 'ended']);
      expect(told[2]).toMatchObject({ address: '10.99.0.1', sent: 1, received: 0 });
      expect(told[3]).toMatchObject({ how: 'hung-up', replies: 0, code: 5 });
    }),
  );

  it(
    'of a family without an address: 5, and it says so',
    staged({ lab: true }, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s, '--ping', 'fd50::1'), terminal)).toBe(5);
      expect(out()).toContain('no ping: the tunnel has no address to speak to fd50::1 from');
    }),
  );

  it(
    'with --stay it stays',
    staged({ lab: true }, async (s) => {
      const { terminal, out, signal } = fakeTerminal();
      const code = main(words(s, '--ping', '10.50.0.1,1', '--stay', 'forever'), terminal);
      await s.until(() => out().includes('1 sent, 1 answered'));
      expect(out()).toContain('Ctrl-C hangs up');
      signal('SIGINT');
      expect(await code).toBe(0);
    }),
  );
});

describe('without an answer', () => {
  it('it gives up, and says what that usually means: 5', async () => {
    const { terminal, out } = fakeTerminal();
    const port = await closedPort();
    const more = ['--ike-port', `${port}`, '--psk-file', at('psk'), '--give-up', '1'];
    expect(await main(['client', ...more], terminal)).toBe(5);
    expect(out()).toMatch(/not connected: no answer to IKE_SA_INIT\n.*usually: no gateway at this address and port/);
  });

  it('Ctrl-C ends the waiting', async () => {
    const { terminal, out, signal } = fakeTerminal();
    const code = main(['client', '--ike-port', `${await closedPort()}`, '--psk-file', at('psk'), '--debug'], terminal);
    for (let i = 0; i < 500 && !out().includes('IKE_SA_INIT'); i++) await new Promise((resolve) => setTimeout(resolve, 2));
    signal('SIGINT');
    expect(await code).toBe(5);
    expect(out()).toContain('given up: not connected');
  });

  it('an address that is not ours: 3', async () => {
    const { terminal, err } = fakeTerminal();
    expect(await main(['client', '--psk-file', at('psk'), '--from', '192.0.2.99'], terminal)).toBe(3);
    expect(err()).toMatch(/Cannot speak from 192\.0\.2\.99: EADDRNOTAVAIL\..*--from/s);
  });

  it.each([
    ['a file that is not there', ['--token-file', 'nowhere'], /There is no token: cannot read nowhere: ENOENT/],
    ['an EMS that does not run', ['--ems', 'nowhere', '--uid', UID], /No EMS emulator runs/],
    ['a program that fails', ['--token-command', process.execPath, '--', '-e', 'process.exit(7)'], /ends with 7/],
  ])('%s: 3', async (_, more, said) => {
    const { terminal, err } = fakeTerminal();
    expect(await main(['client', '--psk-file', at('psk'), ...more], terminal)).toBe(3);
    expect(err()).toMatch(said);
  });
});

describe('words that are none', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['an address', ['--gateway', 'there'], /'there' is not an IPv4 or IPv6 address/],
    ['a ping', ['--ping', 'there'], /--ping takes ADDR or ADDR,COUNT/],
    ['no ping at all', ['--ping', '10.0.0.1,0'], /1 to 10000, not '10\.0\.0\.1,0'/],
    ['a group', ['--dhgrp', '2000'], /'2000' is no Diffie-Hellman group/],
    ['a proposal', ['--proposal', 'rot13'], /'rot13' is no phase 1 proposal/],
    ['an impairment', ['--impair', 'sing'], /sing/],
    ['a number', ['--token-number', '16384'], /40960 to 65535/],
    ['two sources of tokens', ['--token-file', 'a', '--ems', 'b'], /exclude each other/],
    ['a user without a password', ['--user', 'alice'], /--password-file/],
    ['a password without a user', ['--password-file', 'psk'], /a password without --user/],
    ['two pre-shared keys', ['--psk-env', 'HOME'], /--psk-file and --psk-env exclude each other/],
    ['a secret among the words', ['--password', 'wonder-land-7'], /unknown option --password; did you mean --password-/],
    ['a UID', ['--uid', 'F8A6'], /--uid takes 32 hexadecimal digits, not 'F8A6'/],
    ['claims without a UID', ['--ems-serial', 'FCTEMS0000000001'], /--ems-serial needs --uid/],
    ['claims of no FortiClient', ['--uid', UID, '--no-fortinet'], /--uid is told in FORTICLIENT_CONNECT/],
    ['no time at all', ['--stay', 'long'], /--stay takes seconds, or 'forever'/],
    ['too many', ['--count', '1001'], /--count takes how many clients, 1 to 1000/],
    ['a word that nobody waits for', ['vpn.lab.test'], /'vpn\.lab\.test' is one word too many/],
    ['two ways to be believed', ['--ca', 'psk'], /(not by both|no certificate in PEM format)/],
  ])('%s', async (_, more, said) => {
    const { terminal, err } = fakeTerminal();
    const files = more.map((word) => (word === 'psk' ? at(word) : word));
    expect(await main(['client', '--psk-file', at('psk'), ...files], terminal)).toBe(2);
    expect(err()).toMatch(said);
  });

  it('the impairments are listed', async () => {
    const { terminal, out } = fakeTerminal();
    expect(await main(['client', '--psk-file', at('psk'), '--impair', 'list'], terminal)).toBe(0);
    expect(out()).toMatch(/^omit {2,}leaves the payload out/m);
  });
});
