/** What holds for the posture gate whatever is told to it. */
import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTokenKeys, TokenVerifier } from '../../src/ems/token.ts';
import {
  type DeviceClaim,
  type DeviceRecord,
  type EmsReport,
  type Evidence,
  formatPostureTag,
  type GateRule,
  judge,
  type PostureTag,
  type Rival,
  type TokenReport,
} from '../../src/posture/index.ts';
import {
  A,
  ambiguous,
  device,
  evidence,
  IP,
  known,
  NOW,
  record,
  rule,
  silent,
  TOKENS,
  token,
  UID,
  unknown,
} from '../unit/posture/evidence.ts';

const EMS = [1, 2, 3] as const;
const NAMES = EMS.flatMap((ems) => [`EMS${ems}_ZTNA_a`, `EMS${ems}_ZTNA_b`, `EMS${ems}_CLASS_a`]);
const wantedTags = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 4 });
const heldOf = (ems: number) => fc.subarray(NAMES.filter((name) => name.startsWith(`EMS${ems}`)));

const recordOf = (ems: number): fc.Arbitrary<DeviceRecord> =>
  fc
    .record({
      held: heldOf(ems),
      registered: fc.boolean(),
      quarantined: fc.nat(4).map((n) => n === 0),
      addresses: fc.subarray([IP, '10.1.2.4']),
      certSn: fc.constantFrom('', 'AB12', 'CD34'),
      changed: fc.integer({ min: NOW - 300, max: NOW }),
    })
    .map(({ held, ...more }) => record(held, more));
/** Still true, or no longer; by its last second too. */
const age = fc.constantFrom(-50, -1, 0, 1, 2, 100);
const answerOf = (ems: number, left: fc.Arbitrary<number>): fc.Arbitrary<EmsReport> =>
  fc
    .tuple(
      fc.oneof(
        {
          weight: 4,
          arbitrary: recordOf(ems).map((kept): EmsReport => ({ ...base(known([], {}, ems)), kind: 'known', record: kept })),
        },
        fc.constantFrom(unknown(ems), ambiguous(ems)),
      ),
      left,
    )
    .map(([report, seconds]) => (report.kind === 'silent' ? report : { ...report, until: NOW + seconds }));
const reportOf = (ems: number): fc.Arbitrary<EmsReport> =>
  fc.oneof(
    { weight: 3, arbitrary: answerOf(ems, age) },
    fc.option(recordOf(ems), { nil: undefined }).map((last) => silent(last, ems)),
  );
const base = ({ ems, name }: EmsReport) => ({ ems, name, asOf: NOW - 80, until: NOW + 100 });

const presented: fc.Arbitrary<TokenReport> = fc.oneof(
  fc.constantFrom<TokenReport>(...Object.values(TOKENS)),
  fc
    .record({
      ems: fc.constantFrom(...EMS),
      uid: fc.constantFrom(UID, UID, 'F'.repeat(32)),
      certSn: fc.constantFrom('', 'AB12', 'CD34'),
      issued: fc.integer({ min: NOW - 300, max: NOW }),
      until: fc.integer({ min: NOW - 1, max: NOW + 100 }),
    })
    .chain((more) => heldOf(more.ems).map((held) => token(held, more))),
);
const claim: fc.Arbitrary<DeviceClaim> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({
        ip: fc.constantFrom(IP, IP, '10.9.9.9', undefined),
        certificate: fc.constantFrom(undefined, { cn: UID, serial: 'AB12' }, { cn: 'alice', serial: '77' }),
      })
      .map(device),
  },
  fc.constantFrom<DeviceClaim>({ by: 'id-address', address: IP }, { by: 'nothing', why: 'NAT' }),
);
const home = fc.constantFrom<Evidence['home']>(undefined, { ems: 1 }, { ems: 2 }, { unknown: 'EMSSN X' });
const rival = fc.constantFrom<Rival | undefined>(undefined, undefined, undefined, { user: 'bob' });
const rules: fc.Arbitrary<GateRule> = fc
  .record({
    wanted: wantedTags,
    emsSnCheck: fc.boolean(),
    unknownDevice: fc.constantFrom('deny' as const, 'token' as const),
    uidBinding: fc.constantFrom('address' as const, 'certificate' as const, 'warn' as const),
  })
  .map(({ wanted, ...more }) => rule(wanted, more));
const told = (reports: (ems: number) => fc.Arbitrary<EmsReport>): fc.Arbitrary<Evidence> =>
  fc
    .tuple(fc.tuple(...EMS.map(reports)), presented, claim, home)
    .map(([all, t, by, own]) => evidence(all, t, { device: by, home: own }));

const fresh = (report: EmsReport | undefined) => report !== undefined && report.kind !== 'silent' && report.until > NOW;
const has = (tags: readonly PostureTag[], tag: PostureTag) => tags.map(formatPostureTag).includes(formatPostureTag(tag));
const MANY = { numRuns: 2000 } as const;

function expectsItsWord(report: EmsReport, tag: PostureTag, until: number): void {
  if (report.kind !== 'known') throw new Error(`cleared by an EMS whose report is ${report.kind}`);
  expect([fresh(report), report.until, report.record.registered]).toEqual([true, until, true]);
  expect(has(report.record.tags, tag)).toBe(true);
}

function expectsItsToken(t: TokenReport, report: EmsReport, tag: PostureTag, until: number, { unknownDevice }: GateRule): void {
  if (t.kind !== 'valid') throw new Error(`cleared by a token that is ${t.kind}`);
  expect([t.ems, t.uid, t.until, has(t.tags, tag)]).toEqual([tag.ems, UID, until, true]);
  if (fresh(report)) expect([report.kind, unknownDevice]).toEqual(['unknown', 'token']);
  const last = report.kind === 'known' ? report.record : report.kind === 'silent' ? report.last?.record : undefined;
  expect(t.issued).toBeGreaterThanOrEqual(last?.changed ?? 0);
  expect(last?.quarantined ?? false).toBe(false);
}

describe('always', () => {
  it('when every EMS of a wanted tag answers, no token changes the verdict', () => {
    const answers = told((ems) => (ems === 3 ? reportOf(ems) : answerOf(ems, fc.integer({ min: 1, max: 100 }))));
    fc.assert(
      fc.property(rules, answers, presented, rival, (wanted, one, other, busy) => {
        const asked = { ...wanted, unknownDevice: 'deny', tags: wanted.tags.filter(({ ems }) => ems !== 3) } as const;
        const [a, b] = [one, { ...one, token: other }].map((e) => judge(asked, e, busy, NOW));
        const blank = { presented: '', held: [] };
        // A token of an EMS that is not asked may still tell what that one's tags are, to policies, for as long as it is good.
        const essence = (v: typeof a) => ({
          ...{ ...v, account: { ...v?.account, ...blank }, review: 0 },
          held: v?.kind === 'clear' ? v.held.filter(({ ems }) => ems !== 3) : [],
        });
        expect(essence(a)).toEqual(essence(b));
        expect(a?.kind).not.toBe('probation');
      }),
      MANY,
    );
  });

  it('nobody is cleared without a wanted tag, from the fresh word of its EMS or from a token which that EMS signed', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(rules, told(reportOf), rival, (wanted, e, busy) => {
        const verdict = judge(wanted, e, busy, NOW);
        if (verdict.kind !== 'clear') return;
        const { tag, until, review, source } = verdict;
        const report = e.reports.find(({ ems }) => ems === tag?.ems);
        if (tag === undefined || report === undefined) throw new Error('no EMS was asked for a tag');
        seen.add(source);
        expect(has(wanted.tags, tag)).toBe(true);
        expect([until > NOW, review > NOW, review <= until, has(verdict.held, tag)]).toEqual([true, true, true, true]);
        if (source === 'ems') expectsItsWord(report, tag, until);
        else expectsItsToken(e.token, report, tag, until, wanted);
      }),
      MANY,
    );
    expect(seen).toEqual(new Set(['ems', 'token']));
  });

  it('nobody is cleared, nor waited for, against a no that stands', () => {
    fc.assert(
      fc.property(rules, told(reportOf), rival, (wanted, e, busy) => {
        if (judge(wanted, e, busy, NOW).kind === 'deny') return;
        for (const r of e.reports.filter(fresh)) expect(r.kind === 'known' && r.record.quarantined).toBe(false);
        if (wanted.emsSnCheck) expect(e.home).toHaveProperty('ems');
        const { device: by } = e;
        expect([by.by === 'nothing', busy]).toEqual([false, undefined]);
        if (wanted.uidBinding === 'certificate' && by.by === 'uid') expect(by.certificate?.cn).toBe(UID);
      }),
      MANY,
    );
  });

  it('a no of the EMS that the device belongs to is final', () => {
    fc.assert(
      fc.property(rules, told(reportOf), (wanted, e) => {
        if (judge(wanted, e, undefined, NOW).kind === 'deny') return;
        const own = e.reports.find((r) => e.home !== undefined && 'ems' in e.home && r.ems === e.home.ems);
        if (own === undefined || !fresh(own)) return;
        expect(own.kind).not.toBe('ambiguous');
        if (own.kind === 'unknown') expect(wanted.unknownDevice).toBe('token');
        if (own.kind !== 'known') return;
        const asked = wanted.tags.filter(({ ems }) => ems === own.ems);
        expect(own.record.registered).toBe(true);
        expect(asked.length === 0 || asked.some((tag) => has(own.record.tags, tag))).toBe(true);
      }),
      MANY,
    );
  });

  it('who waits has announced a token, and an EMS of a wanted tag does not answer', () => {
    fc.assert(
      fc.property(rules, told(reportOf), rival, (wanted, e, busy) => {
        const verdict = judge(wanted, e, busy, NOW);
        if (verdict.kind !== 'probation') return;
        if (e.token.kind !== 'announced') throw new Error(`a wait for a token that is ${e.token.kind}`);
        expect([verdict.until, verdict.until > NOW]).toEqual([e.token.by, true]);
        const asked = e.reports.filter((r) => wanted.tags.some(({ ems }) => ems === r.ems));
        expect(asked.some((r) => !fresh(r) || (r.kind === 'unknown' && wanted.unknownDevice === 'token'))).toBe(true);
      }),
      MANY,
    );
  });

  it('a tag more that EMS knows, or a token says, never shuts anybody out', () => {
    fc.assert(
      fc.property(rules, told(reportOf), (wanted, e) => {
        const before = judge(wanted, e, undefined, NOW).kind;
        const more = (tags: readonly PostureTag[], ems: number) => [...tags, ...wanted.tags.filter((t) => t.ems === ems)];
        const reports = e.reports.map((r) =>
          r.kind === 'known' ? { ...r, record: { ...r.record, tags: more(r.record.tags, r.ems) } } : r,
        );
        const t = e.token.kind === 'valid' ? { ...e.token, tags: more(e.token.tags, e.token.ems) } : e.token;
        const after = judge(wanted, { ...e, reports, token: t }, undefined, NOW).kind;
        if (before === 'clear') expect(after).toBe('clear');
      }),
      MANY,
    );
  });

  it('the order in which EMS were asked decides nothing', () => {
    fc.assert(
      fc.property(rules, told(reportOf), rival, (wanted, e, busy) => {
        const [a, b] = [e, { ...e, reports: [...e.reports].reverse() }].map((one) => judge(wanted, one, busy, NOW));
        expect([a?.kind, a?.account.rule]).toEqual([b?.kind, b?.account.rule]);
      }),
      MANY,
    );
  });
});

describe('the account', () => {
  it('never holds the token', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keys = await readTokenKeys(publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const verifier = new TokenVerifier();
    const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = (header: unknown, claims: unknown) => {
      const input = `${b64(header)}.${b64(claims)}`;
      return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
    };
    const claims = { endpoint: { uid: UID, tags: [{ name: 'a', type: 1 }], ztna_cert_sn: 'AB12' }, exp: NOW + 60, iat: NOW };
    const whole = fc
      .record({
        alg: fc.constantFrom('RS256', 'none'),
        jti: fc.base64String({ minLength: 24 }),
        exp: fc.constantFrom(NOW, NOW + 60),
      })
      .map(({ alg, jti, exp }) => signed({ alg }, { ...claims, exp, jti }));
    const rubbish = fc.array(fc.base64String({ minLength: 24, maxLength: 60 }), { minLength: 1, maxLength: 4 });
    const texts = fc.oneof(
      whole,
      whole.map((text) => text.slice(0, -1)),
      rubbish.map((parts) => parts.join('.')),
      fc.string({ minLength: 24 }),
    );
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const report = await verifier.verify(new TextEncoder().encode(text), [{ ems: 1, keys }], NOW);
        const verdict = judge(rule([A]), evidence([silent()], report), undefined, NOW);
        kinds.add(verdict.kind);
        const printed = JSON.stringify(verdict);
        for (const part of text.split('.').filter(({ length }) => length >= 16)) expect(printed).not.toContain(part.slice(0, 16));
      }),
      { numRuns: 200 },
    );
    expect(kinds).toEqual(new Set(['clear', 'deny']));
  });
});
