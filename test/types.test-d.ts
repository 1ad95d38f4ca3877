/**
 * Lines that must not compile: what the compiler promises the reader. `tsc --noEmit` is the runner; a line that begins to
 * compile makes its `@ts-expect-error` an error. Nothing here ever runs.
 */
import type { Clearance, Denial } from '../src/posture/index.ts';
import { type Notify, notify } from '../src/wire/index.ts';

export function notifiesCarryTheDataOfTheirName(received: Notify): void {
  notify('INVALID_KE_PAYLOAD', 19);
  // @ts-expect-error a group is a number
  notify('INVALID_KE_PAYLOAD', 'ECP_256');
  // @ts-expect-error no such notify
  notify('INVALID_KE_PAYLOD', 19);
  // @ts-expect-error the data has no type until the name is known
  received.data.length;
}

export function onlyTheGateMakesAClearance(denial: Denial): readonly Clearance[] {
  // @ts-expect-error its proof property cannot be written outside the gate
  const forged: Clearance = { kind: 'clear', source: 'ems', tag: undefined, until: 0 };
  // @ts-expect-error a denial is no clearance
  return [forged, denial];
}
