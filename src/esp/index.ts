/** The door of the data plane. */
export type { Counters, DropReason } from './counters.ts';
export { isRuled } from './firewall.ts';
export { HEADROOM, TAILROOM } from './packet.ts';
export { DataPlane, type PlaneEvent, type PlaneOptions, type PlaneView, type SaView, type Seen, type Sink } from './plane.ts';
export type { Selector } from './ranges.ts';
export type { EspChild, Limits, Opener, Path, Sealer } from './sa.ts';
