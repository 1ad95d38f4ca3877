/**
 * What a connector knows of its server: who it is, the keys it signs tokens with, its devices, and that something has changed. How
 * that is asked over HTTPS is a driver's business: `native` (docs/ems-api.md), `fortios` (best effort).
 */

/** Who the server says it is. */
export type EmsIdentity = {
  readonly serial: string;
  readonly tenant: string;
  readonly version: string;
  readonly capabilities: readonly string[];
};

/** One device, with all that is shown of it. Only part of it is offered to the gate. */
export type EndpointRecord = {
  readonly uid: string;
  readonly hostname: string;
  readonly user: string;
  readonly addresses: readonly string[];
  readonly macs: readonly string[];
  readonly tenant: string;
  readonly certSn: string;
  readonly publicIp: string;
  readonly quarantined: boolean;
  readonly online: boolean;
  readonly registered: boolean;
  readonly onNet: boolean;
  readonly version: string;
  readonly tags: readonly {
    readonly name: string;
    readonly type: 'zero_trust' | 'classification' | 'outbreak' | 'fabric';
  }[];
  readonly routes: readonly {
    readonly ip: string;
    readonly mac: string;
    readonly vpn: boolean;
    readonly interface: string;
    readonly vdom: string;
    readonly sn: string;
  }[];
  /** Unix seconds. */
  readonly changed: number;
};

/** The whole table (`complete`), or what changed after a number that an earlier answer told. */
export type Sync = {
  readonly seq: number;
  readonly complete: boolean;
  readonly devices: readonly EndpointRecord[];
  readonly removed: readonly string[];
};

/** A tunnel of a device came up or went down; EMS is told. */
export type TunnelEvent = {
  readonly kind: 'up' | 'down';
  readonly uid: string;
  readonly gateway: string;
  readonly address: string;
  readonly vdom: 'root';
};

/** Every promise may be rejected with an `EmsFailure` (failure.ts), and with nothing else. */
export interface EmsDriver {
  readonly name: 'native' | 'fortios';
  identify(): Promise<EmsIdentity>;
  /** PEM or JWK texts. */
  tokenKeys(): Promise<readonly string[]>;
  sync(since: number | undefined): Promise<Sync>;
  watch?(since: number, on: (what: 'changed' | 'keys' | 'alive' | 'closed') => void): { close(): void };
  tunnel(event: TunnelEvent): Promise<void>;
}
