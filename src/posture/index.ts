/** The door of the posture decision. */

export {
  type Clearance,
  type Denial,
  type EmsReport,
  type Evidence,
  judge,
  type Probation,
  type TokenReport,
  type Verdict,
} from './gate.ts';
export { formatPostureTag, type PostureTag, parsePostureTag, shortPostureTag } from './tag.ts';
