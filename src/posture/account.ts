/** The whole reason of a verdict, printable: who was asked, how old the answer was, what was wanted and held, what decided. */
import type { EmsReport, Evidence, TokenReport, UnixTime } from './evidence.ts';
import type { Rule } from './gate.ts';
import { formatPostureTag, type PostureTag } from './tag.ts';

export type Account = {
  readonly rule: Rule;
  readonly why: string;
  /** How the device was looked for: 'uid …', 'id-address …', 'source-address …', or 'nothing: …'. */
  readonly device: string;
  readonly asked: readonly { readonly ems: number; readonly name: string; readonly said: string; readonly age?: number }[];
  /** What the token was that the client presented. */
  readonly presented: string;
  readonly wanted: readonly string[];
  readonly held: readonly string[];
  readonly unchecked: readonly string[];
};

export function accountOf(
  rule: Rule,
  why: string,
  wanted: readonly PostureTag[],
  { device, reports, token }: Evidence,
  unchecked: readonly string[],
  now: UnixTime,
): Account {
  const held = [
    ...reports.flatMap((r) => (r.kind === 'known' ? r.record.tags : [])),
    ...(token.kind === 'valid' ? token.tags : []),
  ];
  return {
    rule,
    why,
    device:
      device.by === 'uid'
        ? `uid ${device.uid}`
        : device.by === 'nothing'
          ? `nothing: ${device.why}`
          : `${device.by} ${device.address}`,
    asked: reports.map((r) => said(r, now)),
    presented: tokenText(token),
    wanted: wanted.map(formatPostureTag),
    held: [...new Set(held.map(formatPostureTag))],
    unchecked: [...new Set(unchecked)],
  };
}

function said(report: EmsReport, now: UnixTime): Account['asked'][number] {
  const { ems, name } = report;
  if (report.kind === 'silent') {
    const { last, why } = report;
    return { ems, name, said: `silent: ${why}`, ...(last === undefined ? {} : { age: Math.max(0, now - last.asOf) }) };
  }
  const words =
    report.kind === 'known'
      ? `known${report.record.registered ? '' : ', unregistered'}${report.record.quarantined ? ', quarantined' : ''}`
      : report.kind === 'unknown'
        ? 'unknown device'
        : `${report.count} devices fit`;
  return { ems, name, said: report.until <= now ? `out of date: ${words}` : words, age: Math.max(0, now - report.asOf) };
}

function tokenText(token: TokenReport): string {
  switch (token.kind) {
    case 'valid':
      return `valid, of EMS ${token.ems}, until ${token.until}`;
    case 'bad':
      return `bad: ${token.why}`;
    case 'announced':
      return 'announced';
    case 'none':
      return 'none';
  }
}
