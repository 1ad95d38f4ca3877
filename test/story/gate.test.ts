/**
 * The posture gate in its place: asked after AUTH and before anything is given, answered from outside, and passed by nobody whose
 * device does not have the tag. What EMS says is scripted here.
 */
import { describe, expect, it } from 'vitest';
import { fortiClientConnect } from '../../src/lab/index.ts';
import type { Clearance, EmsReport, TokenReport } from '../../src/posture/index.ts';
import type { Shape } from '../support/configs.ts';
import type { Script } from '../support/gateway.ts';
import { answering, answerTo, evidence, known, NOW, none, says, silent, tags, token, UID } from '../support/posture.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, type Scene, story, type Wish } from './support/scene.ts';

const ztna = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a" "EMS3_ZTNA_b"' };
const gated = (shape: Shape = 'psk') => ({ profiles: [{ shape, phase1: ztna }] });
const shapes: readonly (readonly [Shape, () => Wish])[] = [
  ['psk', () => ({ auth: asPsk() })],
  ['psk-eap', () => ({ auth: asUser('alice') })],
  ['certificate-eap', () => ({ auth: asUser('alice'), gateway: byCertificate() })],
];

describe.each(shapes)('%s: a device', (shape, wish) => {
  it(
    'that has a tag passes: the valve opens with the clearance, and the tag is told',
    story({ ...gated(shape), script: answering(says('EMS3_ZTNA_b', 'EMS1_ZTNA_z')) }, async (s) => {
      const client = await s.connected(wish());
      expectAgreement(s.gateway, client);
      const [clearance] = [...s.gateway.opened.values()];
      expect(clearance).toMatchObject({
        kind: 'clear',
        source: 'ems',
        tag: { ems: 3, type: 'ZTNA', name: 'b' },
        until: NOW + 60,
      });
      expect(s.gateway.told('posture')).toMatchObject([{ verdict: 'clear', source: 'ems', tag: 'EMS3_ZTNA_b' }]);
      expect(s.gateway.said).toContain('EMS ZTNA tags check success ZTNA_b');
    }),
  );

  it.each<readonly [string, EmsReport, TokenReport, RegExp]>([
    ['that has none', says(), none, /holds none of the wanted tags/],
    ['that has the tag of another EMS', says('EMS1_ZTNA_a'), none, /holds none of the wanted tags/],
    ['that has it as another kind of tag', says('EMS3_CLASS_a'), none, /holds none of the wanted tags/],
    ['of which EMS says nothing', silent, none, /EMS 3 \(lab\) is silent \(connection refused\); no token/],
    ['that EMS denies and its own token praises', says(), token(['EMS3_ZTNA_a']), /holds none of the wanted tags/],
    ['that is quarantined', known(['EMS3_ZTNA_a'], { quarantined: true }), token(['EMS3_ZTNA_a']), /has quarantined/],
    ['whose report is stale', known(['EMS3_ZTNA_a'], { asOf: NOW - 600, until: NOW }), none, /out of date\); no token/],
    ['whose token is bad', silent, { kind: 'bad', why: 'signature' }, /token bad: signature/],
    ['whose token has ended', silent, token(['EMS3_ZTNA_a'], { until: NOW }), /token bad: expired/],
  ])('%s is refused, and has been given nothing', async (_, report, told, why) => {
    await story({ ...gated(shape), script: answering(report, told) }, async (s) => {
      expect(await s.refused(wish())).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('posture')).toMatchObject([{ verdict: 'deny', why: expect.stringMatching(why) }]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'posture-denied' }]);
      expect(s.gateway.everInstalled).toEqual([]);
      expect(s.gateway.leased).toBe(0);
      const said = s.gateway.narrative.map((line) => line.replace(/^ike V=root:(0:)?/, ''));
      const at = said.findIndex((line) => line.endsWith('EMS ZTNA tags check failure, abort'));
      expect(said[at + 1]).toBe('ra Negotiate SA Error: EMS ZTNA tags check failed');
      expect(said[at + 2]).toMatch(/sending IKE_AUTH ZTNA TAGS check failure notification response$/);
      expect(said.join('\n')).not.toContain('creating new child');
    })();
  });

  it(
    'is asked about after it has authenticated and before it is given anything',
    story({ ...gated(shape), script: () => undefined }, async (s) => {
      const client = s.client(wish());
      s.forgive(client);
      client.start(s.now);
      await s.run({ until: () => s.gateway.open.length > 0 });
      expect(s.gateway.view.at).toBe('at-gate');
      expect(s.gateway.said).toContain('authentication succeeded');
      expect(s.gateway.leased).toBe(0);
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.said).not.toContain('responder creating new child');
      const [open] = s.gateway.open;
      if (open !== undefined) s.gateway.answer(open.ticket, answerTo(open.question, says('EMS3_ZTNA_a')));
      await s.run({ until: () => client.at === 'established' });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'that does not authenticate is not asked about',
    story({ ...gated(shape), script: answering(says('EMS3_ZTNA_a')) }, async (s) => {
      const { auth } = wish();
      const wrong = auth?.kind === 'psk' ? asPsk('laptop.lab.test', 'guess') : asUser('alice', { password: 'guess' });
      await s.refused({ ...wish(), auth: wrong });
      expect(s.gateway.asked).toEqual([]);
    }),
  );
});

describe('the question', () => {
  it(
    'has the tags in configured order, and what the client said of itself, read only now',
    story({ ...gated('psk-eap'), script: () => undefined }, async (s) => {
      const connect = { uid: UID, ip: '10.160.1.197', user: 'tester' };
      const claims = fortiClientConnect({ ...connect, emssn: 'FCTEMS8826000120', tags: true });
      const client = s.client({ auth: asUser('alice'), claims });
      s.forgive(client);
      client.start(s.now);
      await s.run({ until: () => s.gateway.open.length > 0 });
      expect(s.gateway.asked).toMatchObject([
        {
          question: {
            about: 'posture',
            profile: 'ra',
            rule: { tags: tags('EMS3_ZTNA_a', 'EMS3_ZTNA_b'), emsSnCheck: false, unknownDevice: 'deny', uidBinding: 'address' },
            device: { by: 'uid', uid: connect.uid, ip: '10.160.1.197', certificate: undefined },
            named: { serial: 'FCTEMS8826000120', tenant: undefined },
            token: undefined,
            announcedBy: NOW + 10,
          },
        },
      ]);
      const [open] = s.gateway.open;
      if (open !== undefined) s.gateway.answer(open.ticket, answerTo(open.question, silent));
    }),
  );

  it('is asked of certificates and of posture one after the other, and both must be answered well', async () => {
    for (const [path, ems, end] of [
      [true, says('EMS3_ZTNA_a'), 'established'],
      [true, says(), 'failed'],
      [false, says('EMS3_ZTNA_a'), 'failed'],
    ] as const) {
      const asked: string[] = [];
      const script: Script = (question) => {
        asked.push(question.about);
        if (question.about === 'posture') return { about: 'posture', evidence: evidence(question, ems) };
        const chain = [question.leaf, ...question.intermediates, ...question.anchors];
        return { about: 'certificate', verdict: path ? { ok: true, chain } : { ok: false, why: 'revoked' } };
      };
      await story({ ...gated('certificate'), script }, async (s) => {
        const client = await s.connect({ auth: asCertificate(), gateway: byCertificate() });
        expect(client.at).toBe(end);
        expect(asked).toEqual(path ? ['certificate', 'posture'] : ['certificate']);
      })();
    }
  });

  it(
    'without an answer in time is answered as if EMS had been silent; what comes later finds nobody',
    story({ ...gated(), script: () => undefined }, async (s) => {
      const client = s.client();
      client.start(s.now);
      await s.run({ ms: 29_900 });
      expect(s.gateway.view.at).toBe('at-gate');
      await s.run({ ms: 60_000 });
      expect(client.status.why).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'posture-denied', why: 'EMS 3 () is silent (nobody answered in time); no token' },
      ]);
      const [open] = s.gateway.open;
      if (open !== undefined) s.gateway.answer(open.ticket, answerTo(open.question, says('EMS3_ZTNA_a')));
      expect(s.gateway.told('established')).toEqual([]);
      expect(s.gateway.count('drop-late-answer')).toBe(1);
    }),
  );

  it(
    'that is never answered is forgotten with its SA',
    story({ ...gated(), script: () => undefined }, async (s) => {
      s.client().start(s.now);
      await s.run({ ms: 120_000 });
      expect(s.gateway.leftovers()).toEqual([]);
    }),
  );

  it(
    'of one SA is not answered by what was asked about another',
    story({ ...gated(), script: () => undefined }, async (s) => {
      const [bad, good] = [s.client({ auth: asPsk('bad.lab.test') }), s.client({ auth: asPsk('good.lab.test') })];
      for (const client of [bad, good]) client.start(s.now);
      await s.run({ until: () => s.gateway.open.length === 2 });
      const [first, second] = s.gateway.asked;
      if (first === undefined || second === undefined) throw new Error('two questions were expected');
      s.gateway.answer(second.ticket, answerTo(second.question, says('EMS3_ZTNA_a')));
      s.gateway.answer(second.ticket, answerTo(second.question, says('EMS3_ZTNA_a')));
      await s.run({ ms: 100 });
      expect([bad.at, good.at]).toEqual(['auth', 'established']);
      s.gateway.answer(first.ticket, answerTo(first.question, says()));
      await s.run({ ms: 100 });
      expect([bad.at, good.at]).toEqual(['failed', 'established']);
    }),
  );

  it(
    'of another kind than was asked for opens nothing',
    story({ ...gated(), script: () => undefined }, async (s) => {
      const client = s.client();
      client.start(s.now);
      await s.run({ until: () => s.gateway.open.length > 0 });
      s.gateway.answer(s.gateway.open[0]?.ticket ?? 0, { about: 'certificate', verdict: { ok: true, chain: [] } });
      await s.run({ ms: 200 });
      expect(s.gateway.told('established')).toEqual([]);
      await s.run({ ms: 120_000 });
      expect(client.at).toBe('failed');
    }),
  );
});

describe('EMS is silent', () => {
  const announced = { kind: 'announced', by: NOW + 10 } as const;

  it(
    'and the client has announced a token: it may exist, its valve stays shut, and it gets no second child',
    story({ ...gated(), script: answering(silent, announced) }, async (s) => {
      const client = await s.connected();
      expect(s.gateway.told('posture')).toMatchObject([{ verdict: 'probation' }]);
      expect(s.gateway.installed.size).toBe(1);
      expect(s.gateway.opened.size).toBe(0);
      client.createChild(s.now);
      await s.settle();
      expect(client.status.outcomes).toEqual([{ verb: 'create-child', ok: false, why: 'TEMPORARY_FAILURE' }]);
      // nor does a rekey of either kind open it
      client.rekeyChild(s.now);
      await s.settle();
      client.rekeyIke(s.now);
      await s.settle();
      expect(s.gateway.installed.size).toBe(1);
      expect(s.gateway.opened.size).toBe(0);
    }),
  );

  it(
    'and the client has a token with the tag: that counts',
    story(
      {
        ...gated(),
        script: answering(silent, token(['EMS3_ZTNA_a'])),
      },
      async (s) => {
        await s.connected({ claims: fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'tester' }) });
        expect([...s.gateway.opened.values()][0]).toMatchObject({ source: 'token', until: NOW + 500 });
        expect(s.gateway.said).toContain('EMS ZTNA token tags check success ZTNA_a');
      },
    ),
  );
});

describe('a clearance is lent', () => {
  it(
    'and at its hour the tunnel ends: the client gets a Delete, the address is free',
    story({ ...gated(), script: answering(says('EMS3_ZTNA_a')) }, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 59_000 });
      expect(client.at).toBe('established');
      await s.run({ ms: 2000 });
      expect(client.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(s.gateway.told('closed')).toMatchObject([
        { reason: 'posture-denied', why: expect.stringMatching(/its report is out of date\); no token/) },
      ]);
      expect(s.gateway.leftovers()).toEqual([]);
    }),
  );

  it(
    'also of a client that has rekeyed everything meanwhile',
    story({ ...gated(), script: answering(says('EMS3_ZTNA_a')) }, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 30_000 });
      client.rekeyIke(s.now);
      client.rekeyChild(s.now);
      await s.settle();
      await s.run({ ms: 31_000 });
      expect(client.at).toBe('closed');
      expect(s.gateway.installed.size).toBe(0);
    }),
  );

  it(
    'and probation is shorter still: no token in time, no tunnel',
    story({ ...gated(), script: answering(silent, { kind: 'announced', by: NOW + 10 }) }, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 11_000 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([
        { reason: 'posture-denied', why: expect.stringMatching(/no token came in time/) },
      ]);
    }),
  );
});

describe('a profile without a tag rule', () => {
  it(
    'passes the same gate, cleared by nobody’s word, and nobody is asked',
    story({}, async (s) => {
      await s.connected();
      expect(s.gateway.asked).toEqual([]);
      expect([...s.gateway.opened.values()][0]).toMatchObject({ source: 'not-required', until: Number.POSITIVE_INFINITY });
      expect(s.gateway.told('posture')).toEqual([]);
    }),
  );

  it(
    'every valve that opens has a clearance, through all rekeys',
    story({ ...gated(), script: answering(says('EMS3_ZTNA_a')) }, async (s) => {
      const client = await s.connected();
      const { until } = clearanceOf(s);
      client.rekeyChild(s.now);
      client.rekeyIke(s.now);
      client.createChild(s.now);
      await s.settle();
      expect(s.gateway.opened.size).toBe(2);
      for (const clearance of s.gateway.opened.values()) expect(clearance.until).toBe(until); // a rekey lends no more time
      expect(s.gateway.asked).toHaveLength(1);
    }),
  );
});

function clearanceOf(s: Scene): Clearance {
  const [clearance] = [...s.gateway.opened.values()];
  if (clearance === undefined) throw new Error('no valve is open');
  return clearance;
}
