/** The decision table of the gate, cell by cell, and what holds for all of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DeviceClaim,
  type DeviceRecord,
  type EmsReport,
  type Evidence,
  type GateRule,
  judge,
  type PostureTag,
  parsePostureTag,
  type Rule,
  type TokenReport,
  type Verdict,
} from '../../../src/posture/index.ts';

const NOW = 1_000_000;
const UID = '0123456789ABCDEF0123456789ABCDEF';
const IP = '10.1.2.3';
const tag = (text: string): PostureTag => {
  const found = parsePostureTag(text);
  if (found === undefined) throw new Error(text);
  return found;
};
const tags = (...names: readonly string[]) => names.map(tag);
const rule = (wanted: readonly string[], more: Partial<GateRule> = {}): GateRule => ({
  ...{ tags: tags(...wanted), emsSnCheck: false, unknownDevice: 'deny', uidBinding: 'address' },
  ...more,
});
const device = (more: Partial<Extract<DeviceClaim, { readonly by: 'uid' }>> = {}): DeviceClaim => ({
  ...{ by: 'uid', uid: UID, ip: IP, certificate: undefined },
  ...more,
});
const record = (held: readonly string[], more: Partial<DeviceRecord> = {}): DeviceRecord => ({
  ...{ uid: UID, registered: true, quarantined: false, addresses: [IP], certSn: 'AB12', changed: NOW - 500 },
  tags: tags(...held),
  ...more,
});
const known = (held: readonly string[], more: Partial<DeviceRecord> = {}, ems = 1, until = NOW + 100): EmsReport => ({
  ...{ ems, name: 'e', kind: 'known', asOf: NOW - 80, until },
  record: record(held, more),
});
const unknown = (ems = 1): EmsReport => ({ ems, name: 'e', kind: 'unknown', asOf: NOW, until: NOW + 100 });
const silent = (last?: DeviceRecord, ems = 1): EmsReport => ({
  ...{ ems, name: 'e', kind: 'silent', why: 'Not reachable' },
  last: last === undefined ? undefined : { record: last, asOf: NOW - 900 },
});
const token = (held: readonly string[], more: Partial<Extract<TokenReport, { readonly kind: 'valid' }>> = {}): TokenReport => ({
  ...{ kind: 'valid', ems: 1, uid: UID, certSn: 'AB12', issued: NOW - 100, until: NOW + 3000 },
  tags: tags(...held),
  ...more,
});
const none: TokenReport = { kind: 'none' };
const evidence = (reports: readonly EmsReport[], told: TokenReport = none, more: Partial<Evidence> = {}): Evidence => ({
  ...{ device: device(), home: { ems: 1 }, reports, token: told },
  ...more,
});
const short = (verdict: Verdict): string => `${verdict.kind === 'clear' ? verdict.source : verdict.kind} ${verdict.account.rule}`;

const A = 'EMS1_ZTNA_a';
const TOKENS: Readonly<Record<string, TokenReport>> = {
  none,
  announced: { kind: 'announced', by: NOW + 10 },
  'announced, late': { kind: 'announced', by: NOW },
  'valid, matches': token([A]),
  'valid, none matches': token(['EMS1_ZTNA_b']),
  'older than the last change': token([A], { issued: NOW - 501 }),
  'of another device': token([A], { uid: 'F'.repeat(32) }),
  'of another certificate': token([A], { certSn: 'CD34' }),
  'of another EMS': token(['EMS2_ZTNA_a'], { ems: 2 }),
  bad: { kind: 'bad', why: 'signature' },
  expired: token([A], { until: NOW }),
};
const all = (what: string) => Object.fromEntries(Object.keys(TOKENS).map((name) => [name, what]));
const SILENCE: Readonly<Record<string, string>> = {
  none: 'deny no-token',
  announced: 'probation token-announced',
  'announced, late': 'deny no-token',
  'valid, matches': 'token token-tag',
  'valid, none matches': 'deny token-no-tag',
  'older than the last change': 'deny token-outdated',
  'of another device': 'deny token-other-device',
  'of another certificate': 'deny token-certificate',
  'of another EMS': 'deny token-other-ems',
  bad: 'deny token-bad',
  expired: 'deny token-expired',
};
/** What EMS says × what the token says → source or kind, and the rule that decided. */
const TABLE: readonly (readonly [string, EmsReport, Readonly<Record<string, string>>, Partial<GateRule>?])[] = [
  ['known, a tag matches', known([A]), all('ems ems-tag')],
  ['known, none matches', known(['EMS1_ZTNA_b']), all('deny no-tag')],
  ['known, quarantined', known([A], { quarantined: true }), all('deny quarantined')],
  ['known, unregistered', known([A], { registered: false }), all('deny unregistered')],
  ['unknown device', unknown(), all('deny unknown-device')],
  [
    'unknown device, and a token may speak',
    unknown(),
    // EMS knows nothing of it: neither its last change nor its certificate.
    {
      ...SILENCE,
      'older than the last change': 'token token-tag',
      'of another certificate': 'token token-tag',
    },
    { unknownDevice: 'token' },
  ],
  [
    'several devices fit',
    { ems: 1, name: 'e', kind: 'ambiguous', count: 2, asOf: NOW, until: NOW + 9 },
    all('deny ambiguous-device'),
  ],
  ['silent', silent(record([])), SILENCE],
  ['out of date', known([A], {}, 1, NOW), SILENCE],
];

describe.each(TABLE.map(([ems, report, expected, more]) => ({ ems, report, expected, more })))('EMS: $ems', (row) => {
  const { report, expected, more } = row;
  it.each(Object.entries(TOKENS))('token: %s', (name, told) => {
    expect(short(judge(rule([A], more), evidence([report], told), undefined, NOW))).toBe(expected[name]);
  });
});

describe('several EMS', () => {
  const wanted = rule([A, 'EMS3_ZTNA_b']);
  const judged = (reports: readonly EmsReport[], told: TokenReport = none, more: Partial<Evidence> = {}) =>
    short(judge(wanted, evidence(reports, told, more), undefined, NOW));
  it('a no of the one that the device belongs to is final', () => {
    expect(judged([known([]), known(['EMS3_ZTNA_b'], {}, 3)])).toBe('deny no-tag');
    expect(judged([unknown(), known(['EMS3_ZTNA_b'], {}, 3)])).toBe('deny unknown-device');
  });
  it('another one clears by its own tag while that one is silent', () => {
    expect(judged([silent(), known(['EMS3_ZTNA_b'], {}, 3)])).toBe('ems ems-tag');
  });
  it('a clearance comes before a wait', () => {
    expect(judged([silent(), known(['EMS3_ZTNA_b'], {}, 3)], TOKENS['announced'])).toBe('ems ems-tag');
  });
  it('a tag is satisfied by its own EMS alone, or by a token which that one signed', () => {
    const three = rule(['EMS3_ZTNA_a']);
    const of = (reports: readonly EmsReport[], told: TokenReport = none) =>
      short(judge(three, evidence(reports, told, { home: undefined }), undefined, NOW));
    expect(of([known(['EMS3_ZTNA_a']), unknown(3)])).toBe('deny unknown-device');
    expect(of([silent(undefined, 3)], token(['EMS1_ZTNA_a']))).toBe('deny token-other-ems');
    expect(of([silent(undefined, 3)], token(['EMS3_ZTNA_a'], { ems: 3 }))).toBe('token token-tag');
  });
  it('quarantine by any that answers is a no', () => {
    expect(judged([known([A]), known([], { quarantined: true }, 3)])).toBe('deny quarantined');
  });
  it('a wanted tag of an EMS that is not configured never matches', () => {
    expect(short(judge(rule(['EMS5_ZTNA_a']), evidence([], none, { home: undefined }), undefined, NOW))).toBe('deny no-report');
  });
  it('a classification tag is no security posture tag', () => {
    expect(short(judge(rule(['EMS1_CLASS_a']), evidence([known([A])]), undefined, NOW))).toBe('deny no-tag');
  });
});

describe('whose device it is', () => {
  const judged = (claim: DeviceClaim, more: Partial<GateRule> = {}, reports = [known([A])]) =>
    short(judge(rule([A], more), evidence(reports, none, { device: claim }), undefined, NOW));
  it.each<readonly [string, DeviceClaim, Partial<GateRule>, string]>([
    ['by an address that EMS knows of it', device(), {}, 'ems ems-tag'],
    ['not by another address', device({ ip: '10.9.9.9' }), {}, 'deny unbound'],
    ['not without an address', device({ ip: undefined }), {}, 'deny unbound'],
    ['by a certificate', device({ ip: undefined, certificate: { cn: UID, serial: 'AB12' } }), {}, 'ems ems-tag'],
    ['not by somebody else’s certificate', device({ ip: '10.9.9.9', certificate: { cn: 'X', serial: '1' } }), {}, 'deny unbound'],
    ['by the certificate alone when that is demanded', device(), { uidBinding: 'certificate' }, 'deny unbound'],
    ['with a warning when that is enough', device({ ip: '10.9.9.9' }), { uidBinding: 'warn' }, 'ems ems-tag'],
    ['by the address that it was found by', { by: 'id-address', address: IP }, {}, 'ems ems-tag'],
    ['not when nobody can tell', { by: 'nothing', why: 'NAT' }, {}, 'deny no-device'],
  ])('%s', (_, claim, more, expected) => expect(judged(claim, more)).toBe(expected));

  it('a warning stands in the account', () => {
    const verdict = judge(
      rule([A], { uidBinding: 'warn' }),
      evidence([known([A])], none, { device: device({ ip: '1.2.3.4' }) }),
      undefined,
      NOW,
    );
    expect(verdict.account.unchecked.join()).toContain('1.2.3.4');
  });
  it('found by an address it has no token', () => {
    expect(judged({ by: 'id-address', address: IP }, {}, [silent()])).toBe('deny no-token');
    const told = evidence([silent()], token([A]), { device: { by: 'id-address', address: IP } });
    expect(short(judge(rule([A]), told, undefined, NOW))).toBe('deny token-other-device');
  });
  it('a second SA of another user is denied', () => {
    expect(short(judge(rule([A]), evidence([known([A])]), { user: 'bob' }, NOW))).toBe('deny rival');
  });
  it.each<readonly [Evidence['home'], string]>([
    [{ ems: 1 }, 'ems ems-tag'],
    [{ unknown: 'EMSSN X' }, 'deny ems-serial'],
    [undefined, 'deny ems-serial'],
  ])('ems-sn-check: %o', (home, expected) => {
    expect(short(judge(rule([A], { emsSnCheck: true }), evidence([known([A])], none, { home }), undefined, NOW))).toBe(expected);
  });
});

describe('how long it holds', () => {
  it('EMS’ word until it is stale, asked again half way', () => {
    expect(judge(rule([A]), evidence([known([A])]), undefined, NOW)).toMatchObject({ until: NOW + 100, review: NOW + 10 });
  });
  it('half way gone, it is asked again at the end', () => {
    const late = known([A], {}, 1, NOW + 20);
    expect(judge(rule([A]), evidence([late]), undefined, NOW)).toMatchObject({ until: NOW + 20, review: NOW + 20 });
  });
  it('a token until it expires', () => {
    expect(judge(rule([A]), evidence([silent()], token([A])), undefined, NOW)).toMatchObject({ until: NOW + 3000 });
  });
  it('without a rule for ever, by the same door', () => {
    expect(judge(undefined, evidence([]), undefined, NOW)).toMatchObject({
      ...{ kind: 'clear', source: 'not-required', until: Number.POSITIVE_INFINITY },
    });
  });
});

describe('always', () => {
  const names = ['EMS1_ZTNA_a', 'EMS1_ZTNA_b', 'EMS1_CLASS_a', 'EMS2_ZTNA_a', 'EMS2_ZTNA_b'] as const;
  const some = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 });
  const reportOf = (ems: number, fresh: boolean): fc.Arbitrary<EmsReport> =>
    fc.oneof(
      fc
        .tuple(some, fc.boolean(), fc.boolean(), fc.integer({ min: -50, max: 100 }))
        .map(([held, registered, quarantined, left]) =>
          known(
            held.filter((n) => n.startsWith(`EMS${ems}`)),
            { registered, quarantined },
            ems,
            NOW + (fresh ? Math.max(1, left) : left),
          ),
        ),
      fc.constant(unknown(ems)),
      ...(fresh ? [] : [fc.constant(silent(undefined, ems)), fc.constant(silent(record([]), ems))]),
    );
  const told: fc.Arbitrary<TokenReport> = fc.oneof(
    fc.constantFrom(...Object.values(TOKENS)),
    fc.tuple(some, fc.constantFrom(1, 2)).map(([held, ems]) =>
      token(
        held.filter((n) => n.startsWith(`EMS${ems}`)),
        { ems },
      ),
    ),
  );
  const home = fc.constantFrom<Evidence['home']>(undefined, { ems: 1 }, { ems: 2 });

  it('when EMS answers, no token changes the verdict', () => {
    fc.assert(
      fc.property(some, reportOf(1, true), reportOf(2, true), told, told, home, (wanted, one, two, first, second, own) => {
        const judged = (t: TokenReport) => judge(rule(wanted), evidence([one, two], t, { home: own }), undefined, NOW);
        const [a, b] = [judged(first), judged(second)];
        expect([a.kind, a.account.rule, a.kind === 'clear' && a.tag]).toEqual([
          b.kind,
          b.account.rule,
          b.kind === 'clear' && b.tag,
        ]);
      }),
    );
  });
  it('nobody is cleared without a tag, from the fresh word of its EMS or from a token which that EMS signed', () => {
    fc.assert(
      fc.property(some, reportOf(1, false), reportOf(2, false), told, home, (wanted, one, two, t, own) => {
        const verdict = judge(rule(wanted), evidence([one, two], t, { home: own }), undefined, NOW);
        if (verdict.kind !== 'clear') return;
        const { tag: by, source } = verdict;
        expect(wanted.map(tag)).toContainEqual(by);
        const report = [one, two].find((r) => r.ems === by?.ems);
        if (source === 'ems') expect(report).toMatchObject({ kind: 'known', record: { registered: true, quarantined: false } });
        if (source === 'ems') expect(report?.kind === 'known' && report.until > NOW).toBe(true);
        if (source === 'token') expect(t).toMatchObject({ kind: 'valid', ems: by?.ems });
        expect(verdict.until).toBeGreaterThan(NOW);
        expect(verdict.review).toBeLessThanOrEqual(verdict.until);
      }),
    );
  });
  it('every denial says which rule it was', () => {
    const rules = new Set<Rule>();
    for (const [, report, , more] of TABLE)
      for (const t of Object.values(TOKENS))
        rules.add(judge(rule([A], more), evidence([report], t), undefined, NOW).account.rule);
    expect(rules.size).toBeGreaterThan(12);
  });
});
