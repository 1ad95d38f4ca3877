/** The door of the posture decision. */
export { formatPostureTag, type PostureTag, parsePostureTag, shortPostureTag } from './tag.ts';
