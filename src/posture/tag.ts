/**
 * Posture tags in FortiOS' spelling: `EMS<id>_ZTNA_<name>` and `EMS<id>_CLASS_<name>`. A tag belongs to one EMS: the tag `a`
 * of EMS 3 is not the tag `a` of EMS 1. Names may hold spaces and underscores.
 */

export type PostureTag = { readonly ems: number; readonly type: 'ZTNA' | 'CLASS'; readonly name: string };

/** FortiOS 7.6: ems-id 1-7. */
const MAX_EMS = 7;
/** An address object's name, which is how a tag is written, has at most 79 characters. */
const MAX_SPELLING = 79;

/**
 * Reads one spelling.
 *
 * @returns the tag, or undefined for anything else: another prefix, the MAC variant (`MAC_EMS1_ZTNA_x` names hardware addresses,
 *   which say nothing about who dials in), the spelling with an EMS serial number of old releases, an EMS beyond 7, no name
 */
export function parsePostureTag(text: string): PostureTag | undefined {
  const parts = /^EMS([1-9])_(ZTNA|CLASS)_(.+)$/.exec(text);
  if (parts === null || text.length > MAX_SPELLING) return undefined;
  const [, digit, type, name] = parts;
  const ems = Number(digit);
  if (ems > MAX_EMS || name === undefined || name !== name.trim() || /\p{Cc}/u.test(name)) return undefined;
  return { ems, type: type === 'ZTNA' ? 'ZTNA' : 'CLASS', name };
}

/** The spelling that `parsePostureTag` reads back. */
export const formatPostureTag = ({ ems, type, name }: PostureTag): string => `EMS${ems}_${type}_${name}`;

/** Are these the same tags, in whatever order? */
export function sameTags(a: readonly PostureTag[], b: readonly PostureTag[]): boolean {
  const spelled = (tags: readonly PostureTag[]) => [...new Set(tags.map(formatPostureTag))].sort().join();
  return a === b || spelled(a) === spelled(b);
}

/** FortiOS' IKE log drops the EMS: `ZTNA_all_registered_clients`. */
export const shortPostureTag = ({ type, name }: PostureTag): string => `${type}_${name}`;
