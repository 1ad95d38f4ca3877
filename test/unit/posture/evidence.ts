/** Evidence for the gate: whole values with one thing changed. */
import {
  type Account,
  type DeviceClaim,
  type DeviceRecord,
  type EmsReport,
  type Evidence,
  type GateRule,
  judge,
  type PostureTag,
  parsePostureTag,
  type Rival,
  type TokenReport,
  type Verdict,
} from '../../../src/posture/index.ts';

export const NOW = 1_000_000;
export const UID = '0123456789ABCDEF0123456789ABCDEF';
export const IP = '10.1.2.3';
/** The tag that is wanted, where there is one. */
export const A = 'EMS1_ZTNA_a';

export const tag = (text: string): PostureTag => {
  const found = parsePostureTag(text);
  if (found === undefined) throw new Error(text);
  return found;
};
const tags = (names: readonly string[]) => names.map(tag);

export const rule = (wanted: readonly string[], more: Partial<GateRule> = {}): GateRule => ({
  ...{ tags: tags(wanted), emsSnCheck: false, unknownDevice: 'deny', uidBinding: 'address' },
  ...more,
});

type ByUid = Extract<DeviceClaim, { readonly by: 'uid' }>;
export const device = (more: Partial<ByUid> = {}): ByUid => ({
  ...{ by: 'uid', uid: UID, ip: IP, certificate: undefined },
  ...more,
});

export const record = (held: readonly string[], more: Partial<DeviceRecord> = {}): DeviceRecord => ({
  ...{ uid: UID, registered: true, quarantined: false, addresses: [IP], certSn: 'AB12', changed: NOW - 500 },
  tags: tags(held),
  ...more,
});

/** Said 80 seconds ago, true for 100 more. */
const said = (ems: number) => ({ ems, name: 'e', asOf: NOW - 80, until: NOW + 100 });
export const known = (held: readonly string[], more: Partial<DeviceRecord> = {}, ems = 1): EmsReport => ({
  ...{ ...said(ems), kind: 'known' },
  record: record(held, more),
});
export const unknown = (ems = 1): EmsReport => ({ ...said(ems), kind: 'unknown' });
export const ambiguous = (ems = 1): EmsReport => ({ ...said(ems), kind: 'ambiguous', count: 2 });
export const silent = (last?: DeviceRecord, ems = 1): EmsReport => ({
  ...{ ems, name: 'e', kind: 'silent', why: 'Not reachable' },
  last: last === undefined ? undefined : { record: last, asOf: NOW - 900 },
});
/** The same answer, no longer true: its last second is over. */
export const stale = (report: EmsReport): EmsReport => (report.kind === 'silent' ? report : { ...report, until: NOW });

type Valid = Extract<TokenReport, { readonly kind: 'valid' }>;
export const token = (held: readonly string[], more: Partial<Valid> = {}): Valid => ({
  ...{ kind: 'valid', ems: 1, uid: UID, certSn: 'AB12', issued: NOW - 100, until: NOW + 3000 },
  tags: tags(held),
  ...more,
});
const none: TokenReport = { kind: 'none' };

export const evidence = (
  reports: readonly EmsReport[],
  presented: TokenReport = none,
  more: Partial<Evidence> = {},
): Evidence => ({
  ...{ device: device(), home: { ems: 1 }, reports, token: presented },
  ...more,
});

/** `ems ems-tag`, `token token-tag`, `deny no-tag`: what cleared or what was decided, and the rule that did. */
export const short = (verdict: Verdict): string =>
  `${verdict.kind === 'clear' ? verdict.source : verdict.kind} ${verdict.account.rule}`;

export const judged = (wanted: GateRule, told: Evidence, rival?: Rival): string => short(judge(wanted, told, rival, NOW));
export const accountOf = (wanted: GateRule, told: Evidence, rival?: Rival): Account => judge(wanted, told, rival, NOW).account;

/** One of each kind of token, as it looks to the gate that wants A. */
export const TOKENS = {
  none,
  announced: { kind: 'announced', by: NOW + 10 },
  'announced, late': { kind: 'announced', by: NOW },
  'valid, matches': token([A]),
  'valid, the wanted one is its last': token(['EMS1_ZTNA_b', 'EMS1_CLASS_a', A], { until: NOW + 1 }),
  'valid, none matches': token(['EMS1_ZTNA_b']),
  'valid, the name is of another kind of tag': token(['EMS1_CLASS_a']),
  'as old as the last change': token([A], { issued: NOW - 500 }),
  'older than the last change': token([A], { issued: NOW - 501 }),
  'of another device': token([A], { uid: 'F'.repeat(32) }),
  'of another certificate': token([A], { certSn: 'CD34' }),
  'of no certificate': token([A], { certSn: '' }),
  'of another EMS': token(['EMS2_ZTNA_a'], { ems: 2 }),
  bad: { kind: 'bad', why: 'no configured EMS signed it' },
  expired: token([A], { until: NOW }),
} as const satisfies Readonly<Record<string, TokenReport>>;
