/** What a scripted EMS says, for stories: reports, evidence, and scripts that give them. */
import type { PostureQuestion } from '../../src/posture/index.ts';
import {
  type DeviceRecord,
  type EmsReport,
  type Evidence,
  type PostureTag,
  parsePostureTag,
  type TokenReport,
} from '../../src/posture/index.ts';
import type { Script } from './gateway.ts';

/** The virtual clock's start, seconds since 1970. */
export const NOW = 1_800_000_000;
export const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';

export const tags = (...names: readonly string[]): readonly PostureTag[] =>
  names.flatMap((name) => {
    const tag = parsePostureTag(name);
    return tag === undefined ? [] : [tag];
  });

type Word = { readonly asOf?: number; readonly until?: number; readonly ems?: number } & Partial<DeviceRecord>;

/** EMS 3 knows the device, and these tags of it. */
export function known(names: readonly string[], { asOf = NOW, until = NOW + 60, ems = 3, ...record }: Word = {}): EmsReport {
  return {
    ...{ ems, name: 'lab', kind: 'known', asOf, until },
    record: {
      ...{ uid: UID, registered: true, quarantined: false, tags: tags(...names), certSn: '', changed: NOW - 60 },
      addresses: ['10.9.8.7', '10.160.1.197'],
      ...record,
    },
  };
}

/** As above, with tags one by one. */
export const says = (...names: readonly string[]): EmsReport => known(names);

export const silent: Extract<EmsReport, { readonly kind: 'silent' }> = {
  ems: 3,
  name: 'lab',
  kind: 'silent',
  why: 'connection refused',
  last: undefined,
};
export const none: TokenReport = { kind: 'none' };

/** A token of EMS 3 for the device. */
export const token = (
  names: readonly string[],
  { issued = NOW - 5, until = NOW + 500, uid = UID, ems = 3 } = {},
): TokenReport => ({
  ...{ kind: 'valid', ems, uid, certSn: '', issued, until },
  tags: tags(...names),
});

/** Evidence about whoever is asked about. */
export const evidence = (
  { device }: Pick<PostureQuestion, 'device'>,
  report: EmsReport,
  told: TokenReport = none,
  home: Evidence['home'] = undefined,
): Evidence => ({ device, home, reports: [report], token: told });

/** A script that always answers the same. */
export const answering =
  (report: EmsReport, told: TokenReport = none, home: Evidence['home'] = undefined): Script =>
  (question) =>
    question.about === 'posture' ? { about: 'posture', evidence: evidence(question, report, told, home) } : undefined;

/** The answer to a question that was left open. */
export const answerTo = (question: Parameters<Script>[0], report: EmsReport, told: TokenReport = none) =>
  ({
    about: 'posture',
    evidence: evidence(question.about === 'posture' ? question : { device: { by: 'nothing', why: '' } }, report, told),
  }) as const;
