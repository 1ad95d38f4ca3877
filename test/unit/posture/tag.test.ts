import { describe, expect, it } from 'vitest';
import { formatPostureTag, parsePostureTag, shortPostureTag } from '../../../src/posture/index.ts';

describe('a posture tag', () => {
  it.each([
    ['EMS3_ZTNA_a', { ems: 3, type: 'ZTNA', name: 'a' }],
    ['EMS1_CLASS_Low', { ems: 1, type: 'CLASS', name: 'Low' }],
    ['EMS7_ZTNA_all_registered_clients', { ems: 7, type: 'ZTNA', name: 'all_registered_clients' }],
    ['EMS1_ZTNA_Telemetry Connected', { ems: 1, type: 'ZTNA', name: 'Telemetry Connected' }],
    ['EMS1_ZTNA_ZTNA_x', { ems: 1, type: 'ZTNA', name: 'ZTNA_x' }],
    ['EMS2_ZTNA_Gerät', { ems: 2, type: 'ZTNA', name: 'Gerät' }],
  ] as const)('%s is read, and written back the same', (spelling, tag) => {
    expect(parsePostureTag(spelling)).toEqual(tag);
    expect(formatPostureTag(tag)).toBe(spelling);
  });
  it.each([
    ['the variant of hardware addresses', 'MAC_EMS1_ZTNA_a'],
    ['the spelling with a serial number', 'FCTEMS8825007278_a'],
    ['no EMS', 'ZTNA_a'],
    ['an EMS beyond 7', 'EMS8_ZTNA_a'],
    ['an EMS of two digits', 'EMS10_ZTNA_a'],
    ['EMS 0', 'EMS0_ZTNA_a'],
    ['no type', 'EMS1_a'],
    ['another type', 'EMS1_FABRIC_a'],
    ['lower case', 'ems1_ztna_a'],
    ['no name', 'EMS1_ZTNA_'],
    ['a name in blanks', 'EMS1_ZTNA_ a '],
    ['a line break', 'EMS1_ZTNA_a\nb'],
    ['a name beyond 79 characters', `EMS1_ZTNA_${'a'.repeat(70)}`],
    ['nothing', ''],
  ])('is not: %s', (_, spelling) => expect(parsePostureTag(spelling)).toBeUndefined());
  it('of one EMS is not the tag of another', () => {
    expect(parsePostureTag('EMS1_ZTNA_a')).not.toEqual(parsePostureTag('EMS3_ZTNA_a'));
  });
  it('in the IKE log has no EMS', () => expect(shortPostureTag({ ems: 3, type: 'ZTNA', name: 'a' })).toBe('ZTNA_a'));
});
