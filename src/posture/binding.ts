/**
 * A UID is a claim of whoever knows a password. It counts only when something ties it to the device: an address that EMS
 * knows of that device, a certificate whose CN it is, or, while EMS is silent, a token that EMS signed for it.
 */
import type { DeviceClaim, EmsReport, GateRule, UnixTime } from './evidence.ts';

/**
 * Why the claim does not count, or undefined when it does. What could not be checked, and what was let pass with a warning, is
 * put into `unchecked`.
 */
export function binding(
  { uidBinding }: GateRule,
  device: DeviceClaim,
  reports: readonly EmsReport[],
  now: UnixTime,
  unchecked: string[],
): string | undefined {
  if (device.by !== 'uid') return undefined; // an address that EMS knows is what it was found by
  const { uid, ip, certificate } = device;
  if (certificate?.cn === uid) return undefined;
  const failed = (why: string): string | undefined => {
    if (uidBinding !== 'warn') return `the claimed device is not proven: ${why}`;
    unchecked.push(`the claimed device: ${why}`);
    return undefined;
  };
  if (uidBinding === 'certificate') return failed('no client certificate has the UID as its CN');
  const known = reports.flatMap((r) => (r.kind === 'known' && r.until > now ? [r.record] : []));
  if (known.length === 0) {
    // Nobody answers who knows the device: only a token can let it pass, and that must be one for this UID.
    unchecked.push("the device's address");
    return undefined;
  }
  if (ip === undefined) return failed('it tells no IP, and no certificate');
  if (known.some((record) => record.addresses.includes(ip))) return undefined;
  return failed(`EMS does not know ${ip} as an address of this device`);
}
