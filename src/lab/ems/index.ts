/** The door of the emulated EMS. */
export { type AdminCommands, type AdminDoor, type AdminName, callAdmin, EmsNotRunning, serveAdmin } from './admin.ts';

export { type EmsCertificates, fingerprintOf, makeEmsCertificates } from './certificates.ts';
export {
  type EmsCounters,
  EmsEmulator,
  type EmsLimits,
  type EmsOptions,
  type EmsSaved,
  type EmsTunnelSeen,
} from './emulator.ts';
export { type EmsFault, FAULT_NAMES, FAULT_VALUES, faultText, readFault } from './faults.ts';
export type { EmsGateway } from './gateways.ts';
export {
  type EmsEndpoint,
  type EmsEndpointFields,
  EmsRefused,
  type EmsTag,
  type EmsTagType,
} from './record.ts';
export { EmsStore, readStore, replacePrivate } from './store.ts';
export type { TokenWish } from './token.ts';
