/** Who an EMS is: its serial number and the tenant of it that is ours. */
import type { EmsIdentity } from './driver.ts';

/** What is configured; '' where it is not. */
export type Expected = { readonly serialNumber: string; readonly tenantId: string };

export const sameTenant = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase();

export const sameEms = (a: EmsIdentity, b: EmsIdentity): boolean => a.serial === b.serial && sameTenant(a.tenant, b.tenant);

/** Why this is not the EMS that is configured; undefined when it can be. */
export function mismatch({ serialNumber, tenantId }: Expected, { serial, tenant }: EmsIdentity): string | undefined {
  if (serialNumber !== '' && serialNumber !== serial)
    return `mismatched-ems-sn: it is ${serial}, serial-number says ${serialNumber}`;
  if (tenantId !== '' && !sameTenant(tenantId, tenant)) return `mismatched tenant: it is ${tenant}, tenant-id says ${tenantId}`;
  return undefined;
}
