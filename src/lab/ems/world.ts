/** What the calls of the emulated EMS see of it. */
import type { TableView, Walks } from './table.ts';

export type EmsTunnel = {
  readonly event: 'up' | 'down';
  readonly uid: string;
  readonly gateway: string;
  readonly address: string;
  readonly vdom: string;
};

export type World = {
  readonly serial: string;
  readonly tenant: string;
  readonly version: string;
  readonly silentApproval: boolean;
  capabilities(): readonly string[];
  view(): TableView;
  readonly walks: Walks;
  tokenKeys(): readonly string[];
  tunnel(event: EmsTunnel, client: string): void;
};

/** A call as it came; `path` without the query. */
export type Call = {
  /** Who asks: what its walks are kept under. */
  readonly client: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
};
