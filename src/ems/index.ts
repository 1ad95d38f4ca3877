/** The door of finding out: what each EMS says of a device, from its table, its servers, its tokens. */

export type { EmsDriver, EmsIdentity, EndpointRecord, Sync, TunnelEvent } from './driver.ts';
