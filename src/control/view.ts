/** What the commands see of the daemon: plain values, taken when they are asked for. */
import type { ConnectorStatus, EmsAdmin, EndpointRecord } from '../ems/index.ts';
import type { PlaneView } from '../esp/index.ts';
import type { GatewayView } from '../ike/index.ts';

/** One EMS: its connector's status and what it last told. */
export type EmsView = Pick<
  ConnectorStatus,
  'number' | 'key' | 'name' | 'server' | 'state' | 'why' | 'since' | 'asOf' | 'identity' | 'tokenKeys' | 'websocket' | 'trustedBy'
> & {
  readonly records: readonly EndpointRecord[];
  /** What it told is too old for the gate. */
  readonly outOfSync: boolean;
};

export type GatewayShown = GatewayView;
/** The data plane, and the moment (monotonic ms) by which its own moments are told. */
export type TrafficShown = { readonly plane: PlaneView; readonly now: number };

/** Why no packets are carried, and what helps: sentences for people. */
export type TrafficOff = { readonly why: string; readonly fix: string };

export interface ControlView {
  /** Seconds since 1970. */
  now(): number;
  ems(): readonly EmsView[];
  /** IKE SAs, and the data plane: undefined when no packets are carried. */
  tunnels(): Promise<{ readonly gateways: readonly GatewayShown[]; readonly traffic: TrafficShown | undefined }>;
  /** Undefined while packets are carried. */
  trafficOff(): TrafficOff | undefined;
  /** Reads the configuration again; `text` for people. Never rejects. */
  reload(): Promise<{ readonly ok: boolean; readonly text: string }>;
  /** By `EmsView.key`. */
  admin(key: string): EmsAdmin | undefined;
}
