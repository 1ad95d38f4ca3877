/** The decision table of the gate, cell by cell. */
import { describe, expect, it } from 'vitest';
import { type EmsReport, type Evidence, formatPostureTag, type GateRule, judge } from '../../../src/posture/index.ts';
import {
  A,
  accountOf,
  ambiguous,
  device,
  evidence,
  judged,
  known,
  NOW,
  record,
  rule,
  silent,
  stale,
  TOKENS,
  token,
  unknown,
} from './evidence.ts';

type Row = Readonly<Record<keyof typeof TOKENS, string>>;
const all = (what: string): Row => ({
  ...{ none: what, announced: what, 'announced, late': what, 'valid, matches': what },
  ...{ 'valid, the wanted one is its last': what, 'valid, none matches': what, 'of another device': what },
  ...{ 'valid, the name is of another kind of tag': what, 'as old as the last change': what, 'of no certificate': what },
  ...{ 'older than the last change': what, 'of another certificate': what, 'of another EMS': what, bad: what, expired: what },
});
/** What a token is worth where EMS is silent and its last word is kept. */
const SILENCE: Row = {
  none: 'deny no-token',
  announced: 'probation token-announced',
  'announced, late': 'deny no-token',
  'valid, matches': 'token token-tag',
  'valid, the wanted one is its last': 'token token-tag',
  'valid, none matches': 'deny token-no-tag',
  'valid, the name is of another kind of tag': 'deny token-no-tag',
  'as old as the last change': 'token token-tag',
  'older than the last change': 'deny token-outdated',
  'of another device': 'deny token-other-device',
  'of another certificate': 'deny token-certificate',
  'of no certificate': 'deny token-certificate',
  'of another EMS': 'deny token-other-ems',
  bad: 'deny token-bad',
  expired: 'deny token-expired',
};
/** Where the certificate of the device is not known. */
const NO_CERTIFICATE: Row = { ...SILENCE, 'of another certificate': 'token token-tag', 'of no certificate': 'token token-tag' };
/** Where EMS never said anything: neither when it last changed the device nor its certificate. */
const NO_WORD: Row = { ...NO_CERTIFICATE, 'older than the last change': 'token token-tag' };
const mayToken = { unknownDevice: 'token' } as const;
const locked = { quarantined: true };

/** What EMS says × what the token says → what clears or is decided, and the rule that decided. */
const TABLE: readonly (readonly [string, EmsReport, Row, Partial<GateRule>?])[] = [
  ['known, a tag matches', known([A]), all('ems ems-tag')],
  ['known, a tag matches, and a token may speak for the unknown', known([A]), all('ems ems-tag'), mayToken],
  ['known, none matches', known(['EMS1_ZTNA_b']), all('deny no-tag')],
  ['known, none matches, and a token may speak for the unknown', known(['EMS1_ZTNA_b']), all('deny no-tag'), mayToken],
  ['known, without tags', known([]), all('deny no-tag')],
  ['known, quarantined', known([A], locked), all('deny quarantined')],
  ['known, quarantined and unregistered', known([A], { ...locked, registered: false }), all('deny quarantined')],
  ['known, unregistered', known([A], { registered: false }), all('deny unregistered')],
  ['unknown device', unknown(), all('deny unknown-device')],
  ['unknown device, and a token may speak', unknown(), NO_WORD, mayToken],
  ['several devices fit', ambiguous(), all('deny ambiguous-device')],
  ['several devices fit, and a token may speak for the unknown', ambiguous(), all('deny ambiguous-device'), mayToken],
  ['silent', silent(record([])), SILENCE],
  ['silent, and a token may speak for the unknown', silent(record([])), SILENCE, mayToken],
  ['silent; its last word had the tag', silent(record([A])), SILENCE],
  ['silent; its last word had no certificate', silent(record([], { certSn: '' })), NO_CERTIFICATE],
  ['silent, and never heard of the device', silent(), NO_WORD],
  ['silent; unregistered when it last spoke', silent(record([A], { registered: false })), SILENCE],
  ['silent; quarantined when it last spoke', silent(record([A], locked)), all('deny quarantined')],
  ['out of date: known, a tag matches', stale(known([A])), SILENCE],
  ['out of date: known, none matches', stale(known([])), SILENCE],
  ['out of date: known, unregistered', stale(known([A], { registered: false })), SILENCE],
  ['out of date: known, quarantined', stale(known([A], locked)), all('deny quarantined')],
  ['out of date: unknown device', stale(unknown()), NO_WORD],
  ['out of date: several devices fit', stale(ambiguous()), NO_WORD],
];

describe.each(TABLE.map(([ems, report, expected, more]) => ({ ems, report, expected, more })))('EMS: $ems', (row) => {
  const { report, expected, more } = row;
  it.each(Object.entries(TOKENS))('token: %s', (name, presented) => {
    expect(judged(rule([A], more), evidence([report], presented))).toBe(expected[name as keyof typeof TOKENS]);
  });
  it.each(Object.entries(TOKENS))('token: %s; the client names no EMS', (name, presented) => {
    const told = evidence([report], presented, { home: undefined });
    expect(judged(rule([A], more), told)).toBe(expected[name as keyof typeof TOKENS]);
  });
});

it('every rule but those that are looked at before decides somewhere in the table', () => {
  const decided = TABLE.flatMap(([, , row]) => Object.values(row)).map((what) => what.split(' ')[1]);
  expect([...new Set(decided)].sort()).toEqual([
    ...['ambiguous-device', 'ems-tag', 'no-tag', 'no-token', 'quarantined', 'token-announced', 'token-bad'],
    ...['token-certificate', 'token-expired', 'token-no-tag', 'token-other-device', 'token-other-ems', 'token-outdated'],
    ...['token-tag', 'unknown-device', 'unregistered'],
  ]);
});

describe('several tags', () => {
  it('any of them will do; the first in configured order that clears is named', () => {
    const wanted = rule(['EMS1_ZTNA_x', 'EMS1_ZTNA_b', A]);
    const verdict = judge(wanted, evidence([known([A, 'EMS1_ZTNA_b'])]), undefined, NOW);
    expect(verdict).toMatchObject({ kind: 'clear', tag: { name: 'b' } });
  });
  it('of which none clears: the reason of the first is told', () => {
    const wanted = rule([A, 'EMS3_ZTNA_b']);
    expect(judged(wanted, evidence([known([]), unknown(3)], undefined, { home: undefined }))).toBe('deny no-tag');
    expect(judged(wanted, evidence([unknown(), known([], {}, 3)], undefined, { home: undefined }))).toBe('deny unknown-device');
  });
  it('that are none at all: nobody passes', () => {
    expect(judged(rule([]), evidence([known([A])]))).toBe('deny no-tag');
  });
  it('a name is the whole name, in its own case', () => {
    for (const held of ['EMS1_ZTNA_A', 'EMS1_ZTNA_aa', 'EMS1_ZTNA_b a', 'EMS1_CLASS_a', 'EMS2_ZTNA_a'])
      expect(judged(rule([A]), evidence([known([held])]))).toBe('deny no-tag');
  });
});

describe('several EMS', () => {
  const wanted = rule([A, 'EMS3_ZTNA_b']);
  const of = (reports: readonly EmsReport[], presented: Evidence['token'] = TOKENS.none, more: Partial<Evidence> = {}) =>
    judged(wanted, evidence(reports, presented, more));
  const three = known(['EMS3_ZTNA_b'], {}, 3);

  it.each<readonly [string, EmsReport, string]>([
    ['it knows the device without the tag', known([]), 'deny no-tag'],
    ['it does not know the device', unknown(), 'deny unknown-device'],
    ['more than one device fits', ambiguous(), 'deny ambiguous-device'],
    ['it is not registered', known([A], { registered: false }), 'deny unregistered'],
    ['it is in quarantine', known([A], locked), 'deny quarantined'],
  ])('a no of the one that the device belongs to is final: %s', (_, home, expected) => {
    expect(of([home, three])).toBe(expected);
    expect(of([three, home])).toBe(expected);
    // It does not matter that only the other one is asked for a tag, unless it is about tags.
    const otherAlone = judged(rule(['EMS3_ZTNA_b']), evidence([home, three]));
    expect(otherAlone).toBe(expected === 'deny no-tag' ? 'ems ems-tag' : expected);
  });
  it('that of another one is not', () => {
    expect(of([known([A]), known([], {}, 3)])).toBe('ems ems-tag');
    expect(of([known([A]), unknown(3)])).toBe('ems ems-tag');
    expect(of([known([]), three], TOKENS.none, { home: { ems: 3 } })).toBe('ems ems-tag');
    expect(of([known([]), three], TOKENS.none, { home: undefined })).toBe('ems ems-tag');
  });
  it('a device that its own EMS does not know may be known to another, where a token may speak', () => {
    expect(judged(rule(['EMS3_ZTNA_b'], mayToken), evidence([unknown(), three]))).toBe('ems ems-tag');
  });
  it('another one clears by its own tag while that one is silent', () => {
    for (const home of [silent(), silent(record([], locked)), stale(known([])), stale(unknown())])
      expect(of([home, three])).toBe('ems ems-tag');
  });
  it('a clearance comes before a wait, and a wait before a no', () => {
    expect(of([silent(), three], TOKENS.announced)).toBe('ems ems-tag');
    expect(of([silent(), known([], {}, 3)], TOKENS.announced)).toBe('probation token-announced');
    expect(of([unknown(), silent(undefined, 3)], TOKENS.announced, { home: undefined })).toBe('probation token-announced');
  });
  it('a tag is satisfied by its own EMS alone, or by a token which that one signed', () => {
    const only = rule(['EMS3_ZTNA_a']);
    const told = (reports: readonly EmsReport[], presented?: Evidence['token']) =>
      judged(only, evidence(reports, presented, { home: undefined }));
    expect(told([known(['EMS3_ZTNA_a']), unknown(3)])).toBe('deny unknown-device');
    expect(told([known([A]), silent(undefined, 3)], token(['EMS1_ZTNA_a']))).toBe('deny token-other-ems');
    expect(told([silent(undefined, 3)], token(['EMS3_ZTNA_a'], { ems: 3 }))).toBe('token token-tag');
    expect(told([silent(undefined, 3)], token(['EMS1_ZTNA_a'], { ems: 3 }))).toBe('deny token-no-tag');
  });
  it('quarantine by any that answers is a no', () => {
    expect(of([known([A]), known([], locked, 3)])).toBe('deny quarantined');
  });
  it('no token lifts a quarantine, whichever of them set it and is silent since', () => {
    expect(of([silent(), silent(record([], locked), 3)], token([A]))).toBe('deny quarantined');
    expect(of([silent(), stale(known([], locked, 3))], token([A]))).toBe('deny quarantined');
    expect(of([known([A]), silent(record([], locked), 3)])).toBe('ems ems-tag');
  });
  it('a wanted tag of an EMS that is not configured never matches', () => {
    const told = evidence([], token(['EMS5_ZTNA_a'], { ems: 5 }), { home: undefined });
    expect(judged(rule(['EMS5_ZTNA_a']), told)).toBe('deny no-report');
    expect(judged(rule(['EMS5_ZTNA_a', A]), evidence([known([A])]))).toBe('ems ems-tag');
  });
});

describe('how long it holds', () => {
  const at = (report: EmsReport, now = NOW) => judge(rule([A]), evidence([report]), undefined, now);
  it('EMS’ word until it is stale, asked again half way', () => {
    expect(at(known([A]))).toMatchObject({ until: NOW + 100, review: NOW + 10 });
    expect(at(known([A]), NOW + 9)).toMatchObject({ until: NOW + 100, review: NOW + 10 });
  });
  it('half way gone, it is asked again at the end', () => {
    expect(at(known([A]), NOW + 10)).toMatchObject({ until: NOW + 100, review: NOW + 100 });
    expect(at(known([A]), NOW + 99)).toMatchObject({ kind: 'clear', until: NOW + 100 });
  });
  it('at its last second it is silence', () => {
    expect(at(known([A]), NOW + 100)).toMatchObject({ kind: 'deny', account: { rule: 'no-token' } });
  });
  it('a token until it expires', () => {
    const verdict = judge(rule([A]), evidence([silent()], token([A])), undefined, NOW);
    expect(verdict).toMatchObject({ until: NOW + 3000, review: NOW + 3000 });
  });
  it('a wait until the token should have come', () => {
    expect(judge(rule([A]), evidence([silent()], TOKENS.announced), undefined, NOW)).toMatchObject({ until: NOW + 10 });
  });
  it('without a rule for ever, by the same door, whatever is told', () => {
    const told = evidence([known([], locked)], TOKENS.bad, { device: { by: 'nothing', why: 'NAT' } });
    expect(judge(undefined, told, { user: 'bob' }, NOW)).toMatchObject({
      ...{ kind: 'clear', source: 'not-required', tag: undefined, account: { rule: 'not-required' } },
      ...{ until: Number.POSITIVE_INFINITY, review: Number.POSITIVE_INFINITY },
    });
  });
});

describe('what a cleared device holds', () => {
  const B = 'EMS1_CLASS_b';
  const heldIn = (told: Evidence, wanted = rule([A])) => {
    const verdict = judge(wanted, told, undefined, NOW);
    return verdict.kind === 'clear' ? verdict.held.map(formatPostureTag) : verdict.kind;
  };
  it('is every tag that an EMS tells, wanted or not', () => {
    expect(heldIn(evidence([known([B, A])]))).toEqual([B, A]);
  });
  it('is not what a token says while its EMS answers', () => {
    expect(heldIn(evidence([known([A])], token([A, B])))).toEqual([A]);
  });
  it('is what the token says where its EMS is silent', () => {
    expect(heldIn(evidence([silent()], token([A, B])))).toEqual([A, B]);
  });
  it('is nothing of a token that is not believed, nor of a word that is too old', () => {
    const two = rule([A, 'EMS2_ZTNA_c']);
    const other = known(['EMS2_ZTNA_c'], {}, 2);
    expect(heldIn(evidence([silent(), other], TOKENS.expired), two)).toEqual(['EMS2_ZTNA_c']);
    expect(heldIn(evidence([stale(known([A])), other]), two)).toEqual(['EMS2_ZTNA_c']);
  });
  it('is nothing where the profile wants nothing', () => {
    expect(judge(undefined, evidence([known([A])]), undefined, NOW)).toMatchObject({ held: [] });
  });
});

describe('the account', () => {
  it('has the whole reason', () => {
    const wanted = rule([A, 'EMS3_ZTNA_b']);
    const told = evidence([known([A, 'EMS1_CLASS_x']), silent(record([]), 3)], token([A, 'EMS1_ZTNA_y']));
    expect(accountOf(wanted, told)).toEqual({
      ...{ rule: 'ems-tag', why: 'a tag matches', device: `uid ${device().uid}` },
      asked: [
        { ems: 1, name: 'e', said: 'known', age: 80 },
        { ems: 3, name: 'e', said: 'silent: Not reachable', age: 900 },
      ],
      presented: `valid, of EMS 1, until ${NOW + 3000}`,
      wanted: [A, 'EMS3_ZTNA_b'],
      held: [A, 'EMS1_CLASS_x', 'EMS1_ZTNA_y'],
      unchecked: [],
    });
  });
  it.each<readonly [string, EmsReport, string, number | undefined]>([
    ['known', known([], { registered: false, quarantined: true }), 'known, unregistered, quarantined', 80],
    ['unknown', unknown(), 'unknown device', 80],
    ['ambiguous', ambiguous(), '2 devices fit', 80],
    ['out of date', stale(known([A])), 'out of date: known', 80],
    ['never heard', silent(), 'silent: Not reachable', undefined],
  ])('of what an EMS said: %s', (_, report, said, age) => {
    const { asked } = accountOf(rule([A]), evidence([report]));
    expect(asked).toEqual([{ ems: 1, name: 'e', said, ...(age === undefined ? {} : { age }) }]);
  });
  it.each([
    ['none', 'none'],
    ['announced', 'announced'],
    ['bad', 'bad: no configured EMS signed it'],
  ] as const)('of a token: %s', (which, words) => {
    expect(accountOf(rule([A]), evidence([silent()], TOKENS[which])).presented).toBe(words);
  });
  it.each(Object.entries(SILENCE).filter(([, what]) => what.startsWith('deny')))('of a denial says why: %s', (which) => {
    const verdict = judge(rule([A]), evidence([silent(record([]))], TOKENS[which as keyof typeof TOKENS]), undefined, NOW);
    expect(verdict.kind === 'deny' && verdict.why).toMatch(/^EMS 1 \(e\) is silent \(Not reachable\); .*token/);
    expect(verdict.account.why).toBe(verdict.kind === 'deny' && verdict.why);
  });
  it('says which certificate was not checked', () => {
    expect(accountOf(rule([A]), evidence([silent()], token([A]))).unchecked).toEqual([
      "the device's address",
      'the certificate serial number of the token',
    ]);
    expect(accountOf(rule([A]), evidence([silent(record([]))], token([A]))).unchecked).toEqual(["the device's address"]);
  });
});
