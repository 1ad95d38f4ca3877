/**
 * A standing before the gate is lent: what EMS says later, its silence, a token that comes, goes or is renewed. Scripted EMS,
 * real engine, virtual time.
 */
import { describe, expect, it } from 'vitest';
import { fortiClientConnect } from '../../src/lab/index.ts';
import type { EmsReport, TokenReport } from '../../src/posture/index.ts';
import type { Script } from '../support/gateway.ts';
import { evidence, known, NOW, none, silent, token, UID } from '../support/posture.ts';
import { asUser, type Scene, story, type Wish } from './support/scene.ts';

const ztna = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' };
const gated = { profiles: [{ shape: 'psk-eap', phase1: ztna }] } as const;

/** An EMS whose word a test changes, and the token that it makes of what the client sent. */
class Ems {
  report: EmsReport;
  told: TokenReport = none;
  asked = 0;
  constructor(report: EmsReport) {
    this.report = report;
  }
  readonly script: Script = (question) => {
    if (question.about !== 'posture') return undefined;
    this.asked += 1;
    const told: TokenReport =
      question.token !== undefined
        ? this.told
        : question.announcedBy !== undefined
          ? { kind: 'announced', by: question.announcedBy }
          : { kind: 'none' };
    return { about: 'posture', evidence: evidence(question, this.report, told) };
  };
}

const claims = (announced = false) => fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'alice', tags: announced });
const wish = (announced = false): Wish => ({ auth: asUser('alice'), claims: claims(announced) });
const JWS = `${'eyJhbGciOiJSUzI1NiJ9'}.${'eyJlbmRwb2ludCI6e319'}.c2ln`;
const NUMBER = 61_702;
const fresh = (s: Scene, names = ['EMS3_ZTNA_a']) => {
  const unix = NOW + Math.floor(s.now / 1000);
  return known(names, { asOf: unix, until: unix + 60 });
};

function play(play: (s: Scene, ems: Ems) => Promise<void>, report: EmsReport = known(['EMS3_ZTNA_a'])): () => Promise<void> {
  const ems = new Ems(report);
  return story({ ...gated, script: ems.script }, (s) => play(s, ems));
}

describe('tags beside the one that clears', () => {
  it(
    "are the policies' to go by, and are followed without a word to the client",
    play(
      async (s, ems) => {
        await s.connected(wish());
        const held = () => [...s.gateway.opened.values()].map((clearance) => clearance.held.map(({ name }) => name));
        expect(held()).toEqual([['a', 'b']]);
        const sent = s.gateway.sent.length;
        for (const names of [['EMS3_ZTNA_a', 'EMS3_ZTNA_c'], ['EMS3_ZTNA_a']]) {
          ems.report = fresh(s, names);
          s.gateway.command({ do: 'posture-changed', uids: [UID] });
          await s.run({ ms: 10 });
          expect(held()).toEqual([names.map((name) => name.slice(-1))]);
        }
        expect(s.gateway.sent.length).toBe(sent);
        expect(s.gateway.told('posture')).toHaveLength(1);
      },
      known(['EMS3_ZTNA_a', 'EMS3_ZTNA_b']),
    ),
  );
});

describe('EMS goes on answering', () => {
  it(
    'and the tunnel lives on: it is asked once in half a threshold',
    play(async (s, ems) => {
      const client = await s.connected(wish());
      for (let i = 0; i < 20; i++) {
        ems.report = fresh(s);
        await s.run({ ms: 29_000 });
      }
      expect(client.at).toBe('established');
      expect(ems.asked).toBeGreaterThan(15);
      expect(ems.asked).toBeLessThan(25);
      expect(s.gateway.told('posture')).toHaveLength(1); // nothing new, nothing told
      expect(s.gateway.told('posture-warning')).toEqual([]);
    }),
  );

  it(
    'and takes the tag away: the tunnel ends with the push, and the client gets a Delete',
    play(async (s, ems) => {
      const client = await s.connected(wish());
      await s.run({ ms: 5000 });
      ems.report = fresh(s, []);
      s.gateway.command({ do: 'posture-changed', uids: [UID] });
      await s.run({ ms: 300 });
      expect(client.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(s.gateway.told('closed')).toMatchObject([
        { reason: 'posture-denied', why: expect.stringMatching(/holds none of the wanted tags/) },
      ]);
      expect(s.gateway.told('posture').at(-1)).toMatchObject({ verdict: 'deny', rule: 'no-tag', wanted: 'EMS3_ZTNA_a' });
    }),
  );

  it(
    'a change of another device asks nobody about this one',
    play(async (s, ems) => {
      await s.connected(wish());
      s.gateway.command({ do: 'posture-changed', uids: ['0'.repeat(32)] });
      await s.run({ ms: 100 });
      expect(ems.asked).toBe(1);
      s.gateway.command({ do: 'posture-changed', uids: 'all' });
      await s.run({ ms: 100 });
      expect(ems.asked).toBe(2);
    }),
  );

  it(
    'a change while an answer is awaited is not forgotten',
    story({ ...gated, script: () => undefined }, async (s) => {
      const client = s.client(wish());
      client.start(s.now);
      const answerWith = (report: EmsReport) => {
        const open = s.gateway.open[0];
        if (open?.question.about === 'posture')
          s.gateway.answer(open.ticket, { about: 'posture', evidence: evidence(open.question, report) });
      };
      await s.run({ until: () => s.gateway.open.length > 0 });
      answerWith(known(['EMS3_ZTNA_a']));
      await s.run({ until: () => client.at === 'established' });
      s.gateway.command({ do: 'posture-changed', uids: [UID] });
      s.gateway.command({ do: 'posture-changed', uids: [UID] });
      await s.run({ ms: 10 });
      expect(s.gateway.open).toHaveLength(1);
      answerWith(known(['EMS3_ZTNA_a']));
      await s.run({ ms: 10 });
      expect(s.gateway.open).toHaveLength(1);
      answerWith(known([]));
      await s.run({ ms: 300 });
      expect(client.at).toBe('closed');
    }),
  );
});

describe('EMS falls silent', () => {
  it(
    'a warning at half the threshold, the end at the whole of it, for that reason',
    play(async (s, ems) => {
      const client = await s.connected(wish());
      ems.report = known(['EMS3_ZTNA_a']); // no fresher word than at the beginning
      await s.run({ ms: 31_000 });
      expect(s.gateway.told('posture-warning')).toMatchObject([{ seconds: 30 }]);
      ems.report = { ...silent, last: undefined };
      await s.run({ ms: 28_500 });
      expect(client.at).toBe('established');
      await s.run({ ms: 1500 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'posture-denied', why: expect.stringMatching(/no token/) }]);
    }),
  );

  it(
    'a token that the client gave earlier keeps the tunnel until it expires',
    play(async (s, ems) => {
      const client = await s.connected({ ...wish(true), ztna: { number: NUMBER, token: JWS, when: 'after' } });
      ems.told = token(['EMS3_ZTNA_a'], { until: NOW + 200 });
      await s.run({ ms: 40_000 });
      ems.report = silent;
      await s.run({ ms: 60_000 });
      expect(client.at).toBe('established');
      expect(s.gateway.said).toContain('EMS ZTNA token tags check success ZTNA_a');
      await s.run({ ms: 101_000 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ why: expect.stringMatching(/token bad: expired/) }]);
    }),
  );

  it(
    'and answers again before the end: the tunnel lives on',
    play(async (s, ems) => {
      const client = await s.connected(wish());
      ems.report = silent;
      s.gateway.command({ do: 'posture-changed', uids: ['0'.repeat(32)] });
      await s.run({ ms: 20_000 });
      for (let i = 0; i < 4; i++) {
        ems.report = fresh(s);
        await s.run({ ms: 20_000 });
      }
      expect(client.at).toBe('established');
    }),
  );
});

describe('a token', () => {
  it(
    'announced, and EMS silent: probation; it comes, and the valve opens',
    play(async (s, ems) => {
      ems.told = token(['EMS3_ZTNA_a'], { until: NOW + 300 });
      const client = await s.connected(wish(true));
      expect(s.gateway.opened.size).toBe(0);
      await s.run({ ms: 3000 });
      client.sendToken(s.now, JWS, NUMBER);
      await s.run({ ms: 300 });
      expect(s.gateway.opened.size).toBe(1);
      expect([...s.gateway.opened.values()][0]).toMatchObject({ source: 'token', until: NOW + 300 });
      expect(s.gateway.said).toContain(`processing notify type ZTNA_TAG`);
      expect(s.gateway.told('token-number')).toMatchObject([{ number: NUMBER }]);
      expect(s.gateway.lines.join('\n')).not.toContain(JWS);
      await s.run({ ms: 30_000 });
      expect(client.at).toBe('established');
    }, silent),
  );

  it(
    'renewed in time renews the lease, again and again',
    play(async (s, ems) => {
      ems.told = token(['EMS3_ZTNA_a'], { until: NOW + 60 });
      const client = await s.connected({ ...wish(true), ztna: { number: NUMBER, token: JWS, when: 'after' } });
      for (let i = 1; i <= 5; i++) {
        await s.run({ ms: 50_000 });
        const unix = NOW + Math.floor(s.now / 1000);
        ems.told = token(['EMS3_ZTNA_a'], { issued: unix, until: unix + 60 });
        client.sendToken(s.now, `${JWS}${i}`, NUMBER);
        await s.run({ ms: 200 });
      }
      expect(client.at).toBe('established');
    }, silent),
  );

  it(
    'without the tag, on probation, ends it at once',
    play(async (s, ems) => {
      ems.told = token(['EMS3_ZTNA_b']);
      const client = await s.connected(wish(true));
      client.sendToken(s.now, JWS, NUMBER);
      await s.run({ ms: 500 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ why: expect.stringMatching(/token holds none of the wanted tags/) }]);
    }, silent),
  );

  it(
    'while EMS answers changes nothing: neither for nor against',
    play(async (s, ems) => {
      ems.told = { kind: 'bad', why: 'signature' };
      const client = await s.connected(wish());
      client.sendToken(s.now, JWS, NUMBER);
      await s.run({ ms: 500 });
      expect(client.at).toBe('established');
      expect(s.gateway.told('posture')).toHaveLength(1);
    }),
  );

  it(
    'of a second number is none: one peer has one',
    play(async (s, ems) => {
      ems.told = token(['EMS3_ZTNA_a']);
      const client = await s.connected(wish(true));
      client.sendToken(s.now, JWS, NUMBER);
      await s.run({ ms: 200 });
      client.sendToken(s.now, JWS, NUMBER + 1);
      await s.run({ ms: 200 });
      expect(s.gateway.told('token-number')).toHaveLength(1);
      expect(s.gateway.said.filter((line) => line === 'processing notify type ZTNA_TAG')).toHaveLength(1);
    }, silent),
  );

  it.each(['first-auth', 'in-auth'] as const)('in IKE_AUTH (%s) is judged with it', async (when) => {
    await play(async (s, ems) => {
      ems.told = token(['EMS3_ZTNA_a'], { until: NOW + 300 });
      await s.connected({ ...wish(true), ztna: { number: NUMBER, token: JWS, when } });
      expect([...s.gateway.opened.values()][0]).toMatchObject({ source: 'token' });
    }, silent)();
  });

  it(
    'before authentication counts for nothing: who fails to authenticate is not asked about',
    play(async (s, ems) => {
      await s.refused({
        ...wish(true),
        auth: asUser('alice', { password: 'guess' }),
        ztna: { number: NUMBER, token: JWS, when: 'first-auth' },
      });
      expect(ems.asked).toBe(0);
      expect(s.gateway.said.join('\n')).not.toContain('ZTNA_TAG');
    }, silent),
  );
});

describe('a device claimed twice', () => {
  it(
    'by another user is denied, and the first one stays',
    story({ profiles: [{ shape: 'psk-eap', phase1: ztna }], script: new Ems(known(['EMS3_ZTNA_a'])).script }, async (s) => {
      const first = await s.connected(wish());
      const why = await s.refused({ auth: asUser('bob'), claims: claims() });
      expect(why).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('posture').at(-1)).toMatchObject({ verdict: 'deny', rule: 'rival' });
      expect(first.at).toBe('established');
    }),
  );
});

describe('after a rekey of the IKE SA', () => {
  it(
    'the lease, the token and the reviews go on',
    play(async (s, ems) => {
      const client = await s.connected(wish());
      client.rekeyIke(s.now);
      await s.settle();
      ems.report = fresh(s, []);
      s.gateway.command({ do: 'posture-changed', uids: [UID] });
      await s.run({ ms: 300 });
      expect(client.at).toBe('closed');
    }),
  );
});
