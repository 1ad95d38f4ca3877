/**
 * The posture gate in its place: asked after AUTH and before anything is given, answered from outside, and passed by nobody whose
 * device does not have the tag. What EMS says is scripted here.
 */
import { describe, expect, it } from 'vitest';
import { fortiClientConnect } from '../../src/lab/index.ts';
import { type Clearance, type Evidence, type PostureTag, parsePostureTag } from '../../src/posture/index.ts';
import type { Shape } from '../support/configs.ts';
import type { Script } from '../support/gateway.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, type Scene, story, type Wish } from './support/scene.ts';

const ztna = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a" "EMS3_ZTNA_b"' };
const gated = (shape: Shape = 'psk') => ({ profiles: [{ shape, phase1: ztna }] });
const NOW = 1_800_000_000;
const tags = (...names: readonly string[]): readonly PostureTag[] =>
  names.flatMap((name) => {
    const tag = parsePostureTag(name);
    return tag === undefined ? [] : [tag];
  });

const none = { kind: 'none' } as const;
const silent: Evidence['ems'] = { kind: 'silent', why: 'connection refused' };
const says = (...names: readonly string[]): Evidence['ems'] => ({
  kind: 'tags',
  tags: tags(...names),
  from: NOW - 60,
  until: NOW + 60,
});
const answering =
  (evidence: Evidence): Script =>
  () => ({ about: 'posture', evidence });

const shapes: readonly (readonly [Shape, () => Wish])[] = [
  ['psk', () => ({ auth: asPsk() })],
  ['psk-eap', () => ({ auth: asUser('alice') })],
  ['certificate-eap', () => ({ auth: asUser('alice'), gateway: byCertificate() })],
];

describe.each(shapes)('%s: a device', (shape, wish) => {
  it(
    'that has a tag passes: the valve opens with the clearance, and the tag is told',
    story({ ...gated(shape), script: answering({ ems: says('EMS3_ZTNA_b', 'EMS1_ZTNA_z'), token: none }) }, async (s) => {
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

  it.each<readonly [string, Evidence, RegExp]>([
    ['that has none', { ems: says(), token: none }, /no tag matches/],
    ['that has the tag of another EMS', { ems: says('EMS1_ZTNA_a'), token: none }, /no tag matches/],
    ['that has it as another kind of tag', { ems: says('EMS3_CLASS_a'), token: none }, /no tag matches/],
    ['of which EMS says nothing', { ems: silent, token: none }, /EMS silent: connection refused; no token/],
    [
      'that EMS denies and its own token praises',
      { ems: says(), token: { kind: 'valid', tags: tags('EMS3_ZTNA_a'), from: NOW - 5, until: NOW + 500 } },
      /no tag matches/,
    ],
    [
      'whose report is stale',
      { ems: { kind: 'tags', tags: tags('EMS3_ZTNA_a'), from: NOW - 600, until: NOW }, token: none },
      /EMS report is stale; no token/,
    ],
    ['whose token is bad', { ems: silent, token: { kind: 'bad', why: 'signature' } }, /token bad: signature/],
    [
      'whose token has ended',
      { ems: silent, token: { kind: 'valid', tags: tags('EMS3_ZTNA_a'), from: NOW - 500, until: NOW } },
      /token expired/,
    ],
  ])('%s is refused, and has been given nothing', async (_, evidence, why) => {
    await story({ ...gated(shape), script: answering(evidence) }, async (s) => {
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
      const [{ ticket } = { ticket: 0 }] = s.gateway.open;
      s.gateway.answer(ticket, { about: 'posture', evidence: { ems: says('EMS3_ZTNA_a'), token: none } });
      await s.run({ until: () => client.at === 'established' });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'that does not authenticate is not asked about',
    story({ ...gated(shape), script: answering({ ems: says('EMS3_ZTNA_a'), token: none }) }, async (s) => {
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
      const connect = { uid: 'F8A6AFF3531843B4972CBDBEEEB30E3C', ip: '10.160.1.197', user: 'tester' };
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
            tags: tags('EMS3_ZTNA_a', 'EMS3_ZTNA_b'),
            client: { uid: connect.uid, emsSn: 'FCTEMS8826000120', ip: '10.160.1.197', tags: true },
          },
        },
      ]);
      s.gateway.answer(s.gateway.open[0]?.ticket ?? 0, { about: 'posture', evidence: { ems: silent, token: none } });
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
        if (question.about === 'posture') return { about: 'posture', evidence: { ems, token: none } };
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
        { reason: 'posture-denied', why: 'EMS silent: no answer in time; no token' },
      ]);
      const [{ ticket } = { ticket: 0 }] = s.gateway.open;
      s.gateway.answer(ticket, { about: 'posture', evidence: { ems: says('EMS3_ZTNA_a'), token: none } });
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
      s.gateway.answer(second?.ticket ?? 0, { about: 'posture', evidence: { ems: says('EMS3_ZTNA_a'), token: none } });
      s.gateway.answer(second?.ticket ?? 0, { about: 'posture', evidence: { ems: says('EMS3_ZTNA_a'), token: none } });
      await s.run({ ms: 100 });
      expect([bad.at, good.at]).toEqual(['auth', 'established']);
      s.gateway.answer(first?.ticket ?? 0, { about: 'posture', evidence: { ems: says(), token: none } });
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
  const announced: Evidence = { ems: silent, token: { kind: 'announced', by: NOW + 10 } };

  it(
    'and the client has announced a token: it may exist, its valve stays shut, and it gets no second child',
    story({ ...gated(), script: answering(announced) }, async (s) => {
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
        script: answering({ ems: silent, token: { kind: 'valid', tags: tags('EMS3_ZTNA_a'), from: NOW - 5, until: NOW + 500 } }),
      },
      async (s) => {
        await s.connected();
        expect([...s.gateway.opened.values()][0]).toMatchObject({ source: 'token', until: NOW + 500 });
        expect(s.gateway.said).toContain('EMS ZTNA token tags check success ZTNA_a');
      },
    ),
  );
});

describe('a clearance is lent', () => {
  it(
    'and at its hour the tunnel ends: the client gets a Delete, the address is free',
    story({ ...gated(), script: answering({ ems: says('EMS3_ZTNA_a'), token: none }) }, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 59_000 });
      expect(client.at).toBe('established');
      await s.run({ ms: 2000 });
      expect(client.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'posture-denied', why: 'the clearance by ems is over' }]);
      expect(s.gateway.leftovers()).toEqual([]);
    }),
  );

  it(
    'also of a client that has rekeyed everything meanwhile',
    story({ ...gated(), script: answering({ ems: says('EMS3_ZTNA_a'), token: none }) }, async (s) => {
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
    story({ ...gated(), script: answering({ ems: silent, token: { kind: 'announced', by: NOW + 10 } }) }, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 11_000 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'posture-denied', why: 'no token came in time' }]);
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
    story({ ...gated(), script: answering({ ems: says('EMS3_ZTNA_a'), token: none }) }, async (s) => {
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
