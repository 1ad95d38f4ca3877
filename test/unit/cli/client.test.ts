/** `postern client` against a daemon on loopback and an emulated EMS, through the command itself. */
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
      expect(await code).toBe(1);
      expect(out()).toContain('the gateway has ended it');
    }),
  );

  it(
    'without the tag it is refused',
    staged({ tags: '"EMS3_ZTNA_other"' }, async (s) => {
      const { terminal, out } = fakeTerminal();
      expect(await main(words(s), terminal)).toBe(1);
      expect(out()).toMatch(/not connected: .*AUTHENTICATION_FAILED/);
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

describe('words that are none', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['an address', ['--gateway', 'there'], /'there' is not an IPv4 or IPv6 address/],
    ['a group', ['--dhgrp', '2000'], /'2000' is no Diffie-Hellman group/],
    ['a proposal', ['--proposal', 'rot13'], /'rot13' is no phase 1 proposal/],
    ['an impairment', ['--impair', 'sing'], /sing/],
    ['a number', ['--token-number', '16384'], /40960 to 65535/],
    ['two sources of tokens', ['--token-file', 'a', '--ems', 'b'], /exclude each other/],
    ['a user without a password', ['--user', 'alice'], /--password-file/],
  ])('%s', async (_, more, said) => {
    const { terminal, err } = fakeTerminal();
    expect(await main(['client', '--psk-file', at('psk'), ...more], terminal)).toBe(2);
    expect(err()).toMatch(said);
  });

  it('the impairments are listed', async () => {
    const { terminal, out } = fakeTerminal();
    expect(await main(['client', '--psk-file', at('psk'), '--impair', 'list'], terminal)).toBe(0);
    expect(out()).toMatch(/^omit {2,}leaves the payload out/m);
  });
});
