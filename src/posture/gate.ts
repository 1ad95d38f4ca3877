/**
 * The posture gate: may this client have a tunnel?
 *
 * EMS is the authority. A token is heard only for the tags of an EMS that is silent, never where EMS has answered. A profile
 * without a tag rule passes through the same door, so that there is no second way into a tunnel.
 */
import { type Account, accountOf } from './account.ts';
import { binding } from './binding.ts';
import type { EmsReport, Evidence, GateRule, Rival, UnixTime } from './evidence.ts';
import type { PostureTag } from './tag.ts';

declare const made: unique symbol;
/** Proof that the gate let this client pass, and until when. Only `judge` makes one. */
export type Clearance = {
  readonly kind: 'clear';
  readonly [made]: 'by judge';
  readonly source: 'ems' | 'token' | 'not-required';
  readonly tag: PostureTag | undefined;
  /** Every tag that is proven as that one is, wanted or not: what firewall policies go by. */
  readonly held: readonly PostureTag[];
  readonly until: UnixTime;
  /** When to ask again, before the end: EMS' word half way to being stale, a tag held no longer. Not after `until`. */
  readonly review: UnixTime;
  readonly account: Account;
};
/** EMS is silent and a token is on its way: the SA may exist, traffic may not. */
export type Probation = {
  readonly kind: 'probation';
  readonly [made]: 'by judge';
  readonly until: UnixTime;
  readonly account: Account;
};
export type Denial = { readonly kind: 'deny'; readonly why: string; readonly account: Account };
export type Verdict = Clearance | Probation | Denial;

/** Which line of the table decided: one word for each, for the journal and for tests. */
export type Rule =
  | 'not-required'
  | 'ems-tag'
  | 'token-tag'
  | 'token-announced'
  | 'no-device'
  | 'ems-serial'
  | 'rival'
  | 'unbound'
  | 'quarantined'
  | 'unregistered'
  | 'unknown-device'
  | 'ambiguous-device'
  | 'no-tag'
  | 'no-report'
  | 'no-token'
  | 'token-bad'
  | 'token-expired'
  | 'token-other-device'
  | 'token-other-ems'
  | 'token-outdated'
  | 'token-certificate'
  | 'token-no-tag';

const NEVER = Number.POSITIVE_INFINITY;
/** One for all: thousands of SAs share it. The cast is the maker's. */
const NOT_REQUIRED = Object.freeze({
  kind: 'clear',
  source: 'not-required',
  tag: undefined,
  held: [],
  until: NEVER,
  review: NEVER,
  account: accountOf(
    'not-required',
    'the profile wants no tag',
    [],
    { device: { by: 'nothing', why: 'nobody looked' }, home: undefined, reports: [], token: { kind: 'none' } },
    [],
    0,
  ),
}) as unknown as Clearance;

type Finding =
  | {
      readonly kind: 'clear';
      readonly source: 'ems' | 'token';
      readonly tag: PostureTag;
      readonly until: UnixTime;
      readonly review: UnixTime;
    }
  | { readonly kind: 'probation'; readonly until: UnixTime }
  | { readonly kind: 'deny'; readonly rule: Rule; readonly why: string };

/**
 * Judges one client.
 *
 * @param rule what the profile demands, or undefined for a profile without a tag rule
 * @param evidence what EMS and the token said
 * @param rival another live SA that claims the same device for another user
 * @param now seconds since 1970; at its hour everything has ended
 * @returns a clearance with its source and end, a probation, or a denial with its whole reason; missing data is a denial
 */
export function judge(rule: GateRule | undefined, evidence: Evidence, rival: Rival | undefined, now: UnixTime): Verdict {
  if (rule === undefined) return NOT_REQUIRED;
  const unchecked: string[] = [];
  const found = find(rule, evidence, rival, now, unchecked);
  const told = (what: Rule, why: string) => accountOf(what, why, rule.tags, evidence, unchecked, now);
  // The casts are the maker's: no other place may forge the proofs.
  switch (found.kind) {
    case 'clear': {
      const { kind, source, tag, until } = found;
      const account =
        source === 'ems' ? told('ems-tag', 'a tag matches') : told('token-tag', 'EMS is silent; a tag of the token matches');
      const all = heldBy(rule, evidence, now);
      const held: readonly PostureTag[] = all.map((one) => one.tag);
      // What policies go by must not outlive its source either.
      const review = all.reduce((first, one) => Math.min(first, one.until), found.review);
      return { kind, source, tag, held, until, review, account } as Clearance;
    }
    case 'probation': {
      const account = told('token-announced', 'EMS is silent; the client announced a token');
      return { kind: 'probation', until: found.until, account } as Probation;
    }
    case 'deny':
      return { kind: 'deny', why: found.why, account: told(found.rule, found.why) };
  }
}

function find(rule: GateRule, evidence: Evidence, rival: Rival | undefined, now: UnixTime, unchecked: string[]): Finding {
  const { device, home, reports } = evidence;
  if (device.by === 'nothing') return deny('no-device', `the device cannot be told: ${device.why}`);
  if (rule.emsSnCheck && (home === undefined || 'unknown' in home)) {
    const which = home === undefined ? 'the client names no EMS' : `no EMS is configured with ${home.unknown}`;
    return deny('ems-serial', `${which} (ems-sn-check)`);
  }
  if (rival !== undefined) return deny('rival', `the device is connected already, by user "${rival.user}"`);
  const answers = reports.filter((r) => r.kind !== 'silent' && r.until > now);
  const locked = answers.find((r) => r.kind === 'known' && r.record.quarantined);
  if (locked !== undefined) return deny('quarantined', `${name(locked)} has quarantined the device`);
  const bound = binding(rule, device, reports, now, unchecked);
  if (bound !== undefined) return deny('unbound', bound);
  const own = home !== undefined && 'ems' in home ? home.ems : undefined;
  const refusal = own === undefined ? undefined : refusalOf(rule, own, answers);
  if (refusal !== undefined) return refusal;
  // The first tag that clears, in configured order; else the first that may still clear; else the reason of the first.
  const all = rule.tags.map((tag) => byItsEms(rule, tag, evidence, now, unchecked));
  const [first] = all;
  return all.find((f) => f.kind === 'clear') ?? all.find((f) => f.kind === 'probation') ?? first ?? NOTHING_WANTED;
}

const NOTHING_WANTED = { kind: 'deny', rule: 'no-tag', why: 'no tag is wanted that could match' } as const;

/** What the device holds on the word of an EMS that answers, or of a token that stands for one that does not. */
function heldBy(rule: GateRule, evidence: Evidence, now: UnixTime): readonly Extract<Finding, { kind: 'clear' }>[] {
  const { reports, token } = evidence;
  const told = reports.flatMap((r) => (r.kind === 'known' ? r.record.tags : []));
  const carried = token.kind === 'valid' ? token.tags.filter((tag) => !holds(told, tag)) : [];
  return [...told, ...carried].flatMap((tag) => {
    const found = byItsEms(rule, tag, evidence, now, []);
    return found.kind === 'clear' ? [found] : [];
  });
}

/** A no of the EMS that the device belongs to is final, whatever others say. */
function refusalOf(rule: GateRule, own: number, answers: readonly EmsReport[]): Finding | undefined {
  const report = answers.find((r) => r.ems === own);
  if (report === undefined) return undefined;
  if (report.kind === 'ambiguous') return deny('ambiguous-device', `${name(report)} knows ${report.count} devices that fit`);
  if (report.kind === 'unknown')
    return rule.unknownDevice === 'deny' ? deny('unknown-device', `${name(report)} does not know the device`) : undefined;
  if (report.kind !== 'known') return undefined;
  if (!report.record.registered) return deny('unregistered', `the device is not registered with ${name(report)}`);
  const asked = rule.tags.filter((tag) => tag.ems === own);
  if (asked.length === 0 || asked.some((tag) => holds(report.record.tags, tag))) return undefined;
  return deny('no-tag', `${name(report)} says that the device holds none of the wanted tags`);
}

/** One wanted tag: by the EMS it belongs to, or, where that one is silent, by a token which that one signed. */
function byItsEms(rule: GateRule, tag: PostureTag, evidence: Evidence, now: UnixTime, unchecked: string[]): Finding {
  const report = evidence.reports.find((r) => r.ems === tag.ems);
  if (report === undefined) return deny('no-report', `EMS ${tag.ems} is not configured, or disabled (status)`);
  if (report.kind === 'silent' || report.until <= now) return byToken(tag, report, evidence, now, unchecked);
  switch (report.kind) {
    case 'known':
      if (!report.record.registered) return deny('unregistered', `the device is not registered with ${name(report)}`);
      if (!holds(report.record.tags, tag))
        return deny('no-tag', `${name(report)} says that the device holds none of the wanted tags`);
      return { kind: 'clear', source: 'ems', tag, until: report.until, review: half(report.asOf, report.until, now) };
    case 'unknown':
      if (rule.unknownDevice === 'token') return byToken(tag, report, evidence, now, unchecked);
      return deny('unknown-device', `${name(report)} does not know the device`);
    case 'ambiguous':
      return deny('ambiguous-device', `${name(report)} knows ${report.count} devices that fit`);
  }
}

function byToken(
  tag: PostureTag,
  report: EmsReport,
  { device, reports, token }: Evidence,
  now: UnixTime,
  unchecked: string[],
): Finding {
  const silence = silenceOf(report, now);
  const locked = reports.find((r) => lastOf(r)?.quarantined);
  if (locked !== undefined)
    return deny('quarantined', `${silence}; ${name(locked)} had quarantined the device: no token lifts that`);
  switch (token.kind) {
    case 'none':
      return deny('no-token', `${silence}; no token`);
    case 'bad':
      return deny('token-bad', `${silence}; token bad: ${token.why}`);
    case 'announced':
      return token.by > now ? { kind: 'probation', until: token.by } : deny('no-token', `${silence}; no token came in time`);
    case 'valid':
  }
  if (token.until <= now) return deny('token-expired', `${silence}; token bad: expired`);
  if (token.ems !== tag.ems) return deny('token-other-ems', `${silence}; the token is of EMS ${token.ems}`);
  if (device.by !== 'uid' || token.uid !== device.uid)
    return deny('token-other-device', `${silence}; token bad: it is of another device`);
  const last = lastOf(report);
  if (last !== undefined && token.issued < last.changed)
    return deny('token-outdated', `${silence}; the token is older than what ${name(report)} last changed about the device`);
  // A certificate that is not the device's, such as its user's, says nothing about the token.
  const proven = device.certificate?.cn === device.uid ? device.certificate.serial : last?.certSn;
  if (proven === undefined || proven === '') unchecked.push('the certificate serial number of the token');
  else if (plain(token.certSn) !== plain(proven))
    return deny('token-certificate', `${silence}; token bad: it names another certificate`);
  if (!holds(token.tags, tag)) return deny('token-no-tag', `${silence}; the token holds none of the wanted tags`);
  return { kind: 'clear', source: 'token', tag, until: token.until, review: token.until };
}

/** A serial number is a number: how many zeros stand before it is its writer's. */
const plain = (serial: string): string => serial.replace(/^0+/, '');

const lastOf = (report: EmsReport) =>
  report.kind === 'known' ? report.record : report.kind === 'silent' ? report.last?.record : undefined;

function silenceOf(report: EmsReport, now: UnixTime): string {
  if (report.kind === 'silent') return `${name(report)} is silent (${report.why})`;
  return report.until <= now
    ? `${name(report)} is silent (its report is out of date)`
    : `${name(report)} does not know the device`;
}

function holds(tags: readonly PostureTag[], { ems, type, name: wanted }: PostureTag): boolean {
  return tags.some((t) => t.ems === ems && t.type === type && t.name === wanted);
}

/** Half way from what was said to its end; once that is over, the end itself. */
const half = (asOf: UnixTime, until: UnixTime, now: UnixTime): UnixTime => {
  const middle = asOf + Math.ceil((until - asOf) / 2);
  return middle > now ? middle : until;
};

const name = ({ ems, name: called }: EmsReport): string => `EMS ${ems} (${called})`;

const deny = (rule: Rule, why: string): Finding => ({ kind: 'deny', rule, why });
