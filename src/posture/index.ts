/** The door of the posture decision. */

export type { Account } from './account.ts';
export type {
  DeviceClaim,
  DeviceRecord,
  EmsReport,
  Evidence,
  GateRule,
  PostureQuestion,
  Rival,
  TokenReport,
  UnixTime,
} from './evidence.ts';
export { type Clearance, type Denial, judge, type Probation, type Rule, type Verdict } from './gate.ts';
export { formatPostureTag, type PostureTag, parsePostureTag, sameTags, shortPostureTag } from './tag.ts';
