/** What a connector is told, what it tells of itself, and the world it lives in. */
import type { UnixTime } from '../posture/index.ts';
import type { EmsDriver, EmsIdentity } from './driver.ts';
import type { ServerCertificate } from './http.ts';
import type { EmsState } from './states.ts';
import type { Note, Store } from './store.ts';

export type ConnectorStatus = {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly server: string;
  readonly state: EmsState;
  /** Why it is not connected; '' when it is. */
  readonly why: string;
  /** When the state began, and when the table was last in step; seconds since 1970, 0: never. */
  readonly since: UnixTime;
  readonly asOf: UnixTime;
  readonly identity: EmsIdentity | undefined;
  readonly devices: number;
  readonly tokenKeys: number;
  readonly websocket: boolean;
  readonly trustedBy: 'pin' | 'authority';
  readonly counters: Readonly<Record<string, number>>;
};

export type ConnectorOptions = {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly server: string;
  /** What is configured and must be what EMS tells; '' where it is not. */
  readonly serialNumber: string;
  readonly tenantId: string;
  readonly pullTags: boolean;
  /** Seconds. */
  readonly outOfSync: number;
  readonly callTimeout: number;
  readonly websocket: boolean;
  /** PEM or JWK texts of the configuration. */
  readonly tokenKeys: readonly string[];
};

/** The world of a connector; a test has its own. */
export type ConnectorWorld = {
  readonly driver: EmsDriver;
  inspect(): Promise<ServerCertificate>;
  closeConnections(): void;
  readonly store: Store;
  readonly note: Note;
  unix(): UnixTime;
  /** ms of a clock that nobody sets. */
  instant(): number;
  after(ms: number, run: () => void): () => void;
  /** 0 … 1, for pauses that are not all alike. */
  chance(): number;
  /** Devices that the gate would now see otherwise. */
  onChange(uids: readonly string[]): void;
  onState(status: ConnectorStatus): void;
};
