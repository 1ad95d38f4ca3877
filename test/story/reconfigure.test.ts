/** Another configuration while SAs stand: what stays, what is judged again, what has to go. All in virtual time. */
import { describe, expect, it } from 'vitest';
import { fortiClientConnect } from '../../src/lab/index.ts';
import { type ConfigText, configOf, type ProfileText, secrets, table } from '../support/configs.ts';
import type { Script } from '../support/gateway.ts';
import { evidence, known, NOW, silent, UID } from '../support/posture.ts';
import { asPsk, asUser, type Scene, story, type Wish } from './support/scene.ts';

const ztna = (tag: string) => ({ 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': `"EMS3_ZTNA_${tag}"` });
const people = (phase1: ProfileText['phase1'] = {}, more: Partial<ProfileText> = {}): ConfigText => ({
  profiles: [{ shape: 'psk-eap', phase1, ...more }],
});
const alice = (): Wish => ({ auth: asUser('alice'), claims: fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'alice' }) });
const configure = (s: Scene, text: ConfigText) => s.gateway.command({ do: 'configure', config: configOf(text) });
const held: Script = (question) =>
  question.about === 'posture' ? { about: 'posture', evidence: evidence(question, known(['EMS3_ZTNA_a'])) } : undefined;
const why = (s: Scene) => s.gateway.told('closed').map(({ reason, why: words }) => `${reason}: ${words}`);

/** One client under one configuration, then another configuration; what is left of it after a second. */
const changed = (before: ConfigText, after: ConfigText, look: (s: Scene) => Promise<void> | void, script: Script = held) =>
  story({ ...before, script }, async (s) => {
    await s.connected(alice());
    configure(s, after);
    await s.run({ ms: 1000 });
    await look(s);
  });

describe('the tag rule', () => {
  it(
    'is another one: judged again, and the tunnel that does not fit it falls',
    changed(people(ztna('a')), people(ztna('b')), (s) => {
      expect(why(s)).toEqual([expect.stringMatching(/^posture-denied: .*none of the wanted tags/)]);
    }),
  );
  it(
    'is new: the gate is asked for the first time, and says yes',
    changed(people(), people(ztna('a')), async (s) => {
      expect(s.gateway.told('posture')).toMatchObject([{ verdict: 'clear', rule: 'ems-tag' }]);
      await s.run({ ms: 20_000 });
      expect(why(s)).toEqual([]);
    }),
  );
  it(
    'is new: who does not hold it goes',
    changed(people(), people(ztna('b')), (s) => expect(why(s)).toEqual([expect.stringContaining('posture-denied')])),
  );
  it(
    'is new and nobody answers: no word of before holds for longer than a look-up may take',
    changed(
      people(),
      people(ztna('a')),
      async (s) => {
        expect(why(s)).toEqual([]);
        await s.run({ ms: 2500 });
        expect(why(s)).toEqual([expect.stringContaining('posture-denied')]);
      },
      () => undefined,
    ),
  );
  it(
    'is gone: the tunnel no longer depends on EMS',
    story({ ...people(ztna('a')), script: held }, async (s) => {
      const client = await s.connected(alice());
      s.gateway.script = (q) => (q.about === 'posture' ? { about: 'posture', evidence: evidence(q, silent) } : undefined);
      configure(s, people());
      await s.run({ ms: 300_000 });
      expect(client.at).toBe('established');
      expect(s.gateway.views[0]).not.toHaveProperty('posture.until');
    }),
  );
  it(
    'is gone: who was waiting for a token is let through',
    story({ ...people(ztna('a')), script: announced }, async (s) => {
      const claims = fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'alice', tags: true });
      await s.connected({ ...alice(), claims });
      expect(s.gateway.opened.size).toBe(0);
      configure(s, people());
      await s.run({ ms: 100 });
      expect(s.gateway.opened.size).toBe(1);
    }),
  );
  it(
    'stays: who waits for a token waits no shorter for it',
    story({ ...people(ztna('a')), script: announced }, async (s) => {
      const claims = fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'alice', tags: true });
      await s.connected({ ...alice(), claims });
      await s.run({ ms: 1000 });
      configure(s, people(ztna('a')));
      await s.run({ ms: 8000 });
      expect(why(s)).toEqual([]);
      await s.run({ ms: 2000 });
      expect(why(s)).toEqual([expect.stringContaining('posture-denied')]);
    }),
  );
  it(
    'comes over two people with one device: the later one goes',
    story({ ...people(), script: held }, async (s) => {
      const claims = fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'x' });
      await s.connected({ auth: asUser('alice'), claims });
      await s.run({ ms: 10 });
      await s.connected({ auth: asUser('bob', { id: '10.9.8.8' }), claims });
      configure(s, people(ztna('a')));
      await s.run({ ms: 1000 });
      expect(why(s)).toEqual([expect.stringMatching(/posture-denied: .*connected already, by user "alice"/)]);
    }),
  );
});

const announced: Script = (q) =>
  q.about === 'posture'
    ? { about: 'posture', evidence: evidence(q, silent, { kind: 'announced', by: q.announcedBy ?? NOW }) }
    : undefined;

describe('what has no place any more is told so by a Delete', () => {
  const other = people({}, { name: 'other' });
  it.each<readonly [string, ConfigText, RegExp]>([
    ['its phase1-interface', other, /phase1-interface ra is gone/],
    ['its user', people({ authusrgrp: '"guests"' }), /user "alice" is in none of the groups of ra/],
    ['its way of authentication', { profiles: [{ shape: 'psk' }] }, /ra authenticates clients by pre-shared key/],
    ['its outer address', people({ 'remote-gw-match': 'ipmask', 'remote-gw-subnet': '203.0.113.0/24' }), /does not take clients/],
    ['its inner address', people({ 'ipv4-start-ip': '10.20.1.1', 'ipv4-end-ip': '10.20.1.9' }), /no longer one of the pool/],
  ])('%s', (_, after, words) =>
    changed(people(), after, (s) => {
      expect(why(s)).toEqual([expect.stringMatching(/^admin-deleted: the configuration changed: /)]);
      expect(why(s)[0]).toMatch(words);
      expect(s.clients[0]?.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(s.gateway.leased).toBe(0);
    })(),
  );

  it(
    'a phase2-interface: its children, not the IKE SA',
    changed(people(), people({}, { phase2s: { another: {} } }), (s) => {
      expect(why(s)).toEqual([]);
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'phase2-interface ra is gone' }]);
      expect(s.gateway.installed.size).toBe(0);
    }),
  );
});

describe('what stays', () => {
  it(
    'keeps its address in a pool that has grown, and nobody else gets it',
    changed(people(), people({ 'ipv4-end-ip': '10.10.1.200' }), async (s) => {
      expect(why(s)).toEqual([]);
      const bob = await s.connected({ auth: asUser('bob') });
      expect(bob.status.assigned).toEqual(['10.10.1.2']);
      expect(s.gateway.leased).toBe(2);
    }),
  );
  it(
    'is asked about nothing where nothing is wanted, and goes on',
    changed(people(), people(), (s) => {
      expect(why(s)).toEqual([]);
      expect(s.gateway.asked).toEqual([]);
    }),
  );
  it(
    'has the new liveness check',
    changed(people(), people({ dpd: 'on-idle', 'dpd-retryinterval': '10' }), async (s) => {
      await s.run({ ms: 15_000 });
      expect(s.gateway.said.some((line) => line.startsWith('link is idle'))).toBe(true);
      expect(why(s)).toEqual([]);
    }),
  );
});

describe('who comes', () => {
  it(
    'meets the new configuration',
    story(people(), async (s) => {
      s.keepSecret('ein-neuer-schluessel');
      configure(s, { profiles: [{ shape: 'psk', phase1: { psksecret: 'ein-neuer-schluessel' } }] });
      expect(await s.refused({ auth: asPsk() })).toContain('AUTHENTICATION_FAILED');
      const users = table('user local', 'dora', { type: 'password', passwd: secrets.carol });
      configure(s, { ...people({ authusrgrp: '"more"' }), more: `${users}${table('user group', 'more', { member: '"dora"' })}` });
      await s.connected({ auth: asUser('dora', { password: secrets.carol }) });
    }),
  );
  it(
    'while it negotiates: goes on under the profile of the same name, or begins anew',
    story({ ...people(ztna('a')), script: () => undefined }, async (s) => {
      const client = s.client(alice());
      client.start(s.now);
      await s.run({ until: () => s.gateway.open.length > 0 });
      configure(s, people(ztna('b')));
      const [open] = s.gateway.open;
      if (open?.question.about !== 'posture') throw new Error('nobody asked');
      s.gateway.answer(open.ticket, { about: 'posture', evidence: evidence(open.question, known(['EMS3_ZTNA_a'])) });
      await s.run({ ms: 1000 });
      expect(client.at).toBe('failed');
      const next = s.client({ ...alice(), address: '198.51.100.9' });
      next.start(s.now);
      await s.run({ until: () => s.gateway.open.length > 0 });
      configure(s, people({}, { name: 'other' }));
      await s.run({ ms: 100 });
      expect(s.gateway.told('negotiation-failed').at(-1)).toMatchObject({ reason: 'no-gateway' });
      s.forgive(next);
    }),
  );
});
