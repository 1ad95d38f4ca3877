/** What a connector asks of an EMS, whichever API that speaks. A new generation of EMS is a new file that makes one of these. */

export type EmsIdentity = {
  readonly serial: string;
  /** 32 hexadecimal digits; zeros for the default site. */
  readonly tenant: string;
  readonly version: string;
  readonly capabilities: readonly string[];
};

export type EndpointTag = { readonly name: string; readonly type: 'zero_trust' | 'classification' | 'outbreak' | 'fabric' };
export type EndpointRoute = {
  readonly ip: string;
  readonly mac: string;
  readonly vpn: boolean;
  readonly interface: string;
  readonly vdom: string;
  readonly sn: string;
};

/** One device: all that `diagnose endpoint ec-shm list` prints. */
export type EndpointRecord = {
  /** As EMS writes it, in capitals. */
  readonly uid: string;
  readonly hostname: string;
  readonly user: string;
  /** The device's own, RFC 5952 text. */
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
  readonly tags: readonly EndpointTag[];
  readonly routes: readonly EndpointRoute[];
  /** When tags, quarantine, registration or addresses last changed, seconds since 1970. */
  readonly changed: number;
};

/** `complete`: what is not in `devices` does not exist. */
export type Sync = {
  readonly seq: number;
  readonly complete: boolean;
  readonly devices: readonly EndpointRecord[];
  readonly removed: readonly string[];
};

export type TunnelEvent = {
  readonly kind: 'up' | 'down';
  readonly uid: string;
  readonly gateway: string;
  readonly address: string;
  readonly vdom: 'root';
};

export type WatchEvent =
  /** Ask for what changed. */
  | 'changed'
  /** Ask for the token keys again. */
  | 'keys'
  /** Nothing else has changed up to now. */
  | 'alive'
  | 'closed';

/** Every promise rejects with EmsCallFailed, and with nothing else. */
export interface EmsDriver {
  readonly name: 'native' | 'fortios';
  identify(): Promise<EmsIdentity>;
  /** PEM or JWK texts. */
  tokenKeys(): Promise<readonly string[]>;
  /** Everything, or what changed after `since`. */
  sync(since: number | undefined): Promise<Sync>;
  /** Hears of changes as they happen, from `since` on; absent where the API has no such channel. */
  watch?(since: number, on: (what: WatchEvent) => void): { close(): void };
  tunnel(event: TunnelEvent): Promise<void>;
}

/** How far a call came: the seven states of a connector are told from these. */
export type FailureKind = 'dns' | 'unreachable' | 'certificate' | 'auth' | 'server' | 'incompatible' | 'resync';

export class EmsCallFailed extends Error {
  readonly kind: FailureKind;
  readonly status: number | undefined;

  constructor(kind: FailureKind, message: string, status?: number) {
    super(message);
    this.name = 'EmsCallFailed';
    this.kind = kind;
    this.status = status;
  }
}
