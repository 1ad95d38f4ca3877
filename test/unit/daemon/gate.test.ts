/** The gate live: EMS over real HTTPS with its faults, clients over real UDP. What the decision table says, seen from outside. */
import { describe, expect, it } from 'vitest';
import type { EmsFault } from '../../../src/lab/index.ts';
import { IP, NUMBER, type Stage, staged, UID } from '../../support/postureDaemon.ts';

type Told = 'none' | 'good' | 'other device' | 'no tag' | 'garbage';

/** A token as the client would hold it, made while EMS still spoke. */
async function tokenOf({ ems }: Pick<Stage, 'ems'>, told: Told): Promise<string> {
  if (told === 'garbage') return 'eyJhbGciOiJSUzI1NiJ9.eyJlbmRwb2ludCI6e319.c2ln';
  if (told !== 'other device') return await ems.issueToken(UID);
  const other = '0'.repeat(32);
  if (ems.endpoint(other) === undefined) ems.addEndpoint(other, { tags: ['a'] });
  return await ems.issueToken(other);
}

describe('EMS answers', () => {
  it.each<readonly [string, (s: Stage) => void, string]>([
    ['the tag is there', () => undefined, 'ems-tag'],
    ['none', ({ ems }) => void ems.setTags(UID, ['b']), 'no-tag'],
    ['quarantined', ({ ems }) => void ems.setEndpoint(UID, { quarantined: true }), 'quarantined'],
    ['unregistered', ({ ems }) => void ems.setEndpoint(UID, { registered: false }), 'unregistered'],
    ['unknown', ({ ems }) => ems.removeEndpoint(UID), 'unknown-device'],
    ['another address than the client tells', ({ ems }) => void ems.setEndpoint(UID, { addresses: ['10.9.9.9'] }), 'unbound'],
  ])('%s, and a good token changes nothing', async (_, arrange, rule) => {
    await staged({}, async (s) => {
      const token = await tokenOf(s, 'good');
      arrange(s);
      await s.until(() => s.daemon.connectors[0]?.status().state === 'Connected');
      await new Promise((resolve) => setTimeout(resolve, 30)); // the push is there
      for (const ztna of [undefined, { number: NUMBER, token, when: 'in-auth' } as const]) {
        const dial = await s.dial(ztna === undefined ? {} : { ztna });
        expect(dial.client.at).toBe(rule === 'ems-tag' ? 'established' : 'failed');
        expect(s.told('posture').at(-1)).toMatchObject({ rule });
        await dial.hangUp();
      }
    })();
  });

  it(
    'a tag taken away ends the tunnel, EMS hears of it, and a tag given back lets it in',
    staged({}, async (s) => {
      const dial = await s.dial();
      expect(dial.client.at).toBe('established');
      s.ems.setTags(UID, []);
      await dial.until(() => dial.client.at === 'closed');
      expect(dial.client.status.why).toBe('deleted by the gateway');
      await s.until(() => s.ems.tunnels().length === 2);
      expect(s.ems.tunnels().map(({ event, uid, gateway }) => [event, uid, gateway])).toEqual([
        ['up', UID, 'ra_0'],
        ['down', UID, 'ra_0'],
      ]);
      s.ems.setTags(UID, ['a']);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await s.dial()).client.at).toBe('established');
    }),
  );

  it(
    'a stranger with the UID of another is refused; so is another EMS’ client',
    staged({}, async (s) => {
      expect((await s.dial({ ip: '10.1.1.1' })).client.at).toBe('failed');
      expect(s.told('posture').at(-1)).toMatchObject({ rule: 'unbound' });
      const claims = `VER=1\nUID=${UID}\nIP=${IP}\nEMSSN=FCTEMS9999999999\n`;
      expect((await s.dial({ claims })).client.at).toBe('failed');
      expect(s.told('posture').at(-1)).toMatchObject({ rule: 'ems-serial' });
      expect(s.lines.join('\n')).toContain('EMS SN check failure, abort');
    }),
  );
});

/** EMS is silent from the beginning, in each way that it can be; the keys of its tokens are configured. */
const silences: readonly (readonly [string, EmsFault | 'away', string])[] = [
  ['never reached', 'away', 'Not reachable'],
  ['it refuses us', { name: 'status', status: 401 }, 'Auth failed'],
  ['its own error', { name: 'status', status: 500 }, 'EMS server connection failed'],
  ['garbage', { name: 'garbage', kind: 'types' }, 'No compatible'],
  ['a certificate that is not trusted', { name: 'certificate', kind: 'wrong-ca' }, 'Cert unauthorized'],
  ['slow', { name: 'slow', ms: 30_000 }, 'slow'],
];

/** Only who is slow on purpose may be found so, on a machine that has other things to do as well. */
const patience = (fault: EmsFault | 'away') =>
  `set lookup-wait ${typeof fault === 'object' && fault.name === 'slow' ? 500 : 5000}`;

describe.each(silences)('EMS is silent: %s', (_, fault, said) => {
  it.each<readonly [Told, 'established' | 'failed', string]>([
    ['none', 'failed', 'no-token'],
    ['good', 'established', 'token-tag'],
    ['other device', 'failed', 'token-other-device'],
    ['no tag', 'failed', 'token-no-tag'],
    ['garbage', 'failed', 'token-bad'],
  ])('token: %s', async (told, end, rule) => {
    const tags = told === 'no tag' ? { tags: '"EMS3_ZTNA_other"' } : {};
    await staged({ tokenKeys: true, fault, posture: [patience(fault)], ...tags }, async (s) => {
      const token = await tokenOf(s, told);
      const dial = await s.dial(told === 'none' ? {} : { ztna: { number: NUMBER, token, when: 'in-auth' } });
      expect(dial.client.at).toBe(end);
      expect(s.told('posture').at(-1)).toMatchObject({ rule, asked: expect.stringContaining(said) });
      const shown = `${s.lines.join('\n')}${JSON.stringify(s.events)}`;
      if (told !== 'none') expect(shown).not.toContain(token);
    })();
  });

  it(
    'announced: it waits without traffic, and the token opens it',
    staged({ tokenKeys: true, fault, posture: [patience(fault)] }, async (s) => {
      const dial = await s.dial({ announced: true });
      expect(dial.client.at).toBe('established');
      expect(await s.daemon.counters()).toMatchObject({ installed: 1, opened: 0 });
      dial.client.sendToken(performance.now(), await tokenOf(s, 'good'), NUMBER);
      dial.pump();
      await s.until(async () => (await s.daemon.counters())['opened'] === 1);
      expect(s.told('token-number')).toMatchObject([{ number: NUMBER }]);
    }),
  );
});

describe('EMS comes late', () => {
  it(
    'and is heard all the same: what a token opened it confirms or ends',
    staged({ tokenKeys: true, fault: { name: 'slow', ms: 1200 }, posture: ['set lookup-wait 500'] }, async (s) => {
      s.ems.setTags(UID, ['b']);
      s.ems.addEndpoint('1'.repeat(32), { addresses: ['10.1.1.1'], tags: ['a'] });
      const token = await s.ems.issueToken('1'.repeat(32));
      const wish = { uid: '1'.repeat(32), ip: '10.1.1.1', ztna: { number: NUMBER, token, when: 'in-auth' } as const };
      const good = await s.dial(wish);
      expect(s.told('posture').at(-1)).toMatchObject({ source: 'token' });
      await s.until(() => s.told('posture').at(-1)?.source === 'ems');
      expect(good.client.at).toBe('established');
    }),
  );
});
