/** What the bench says to its gateway process, and the one answer to each order. */
import type { Primitives } from './primitives.ts';

export type Way = { readonly address: string; readonly port: number };
/** A datagram that came to the NAT-T port, or leaves it, has its marker. */
export type Packet = { readonly octets: Uint8Array; readonly from: Way; readonly to: Way };

export type Order =
  /** The daemon as it is, on ephemeral ports of this address. */
  | { readonly do: 'daemon'; readonly config: string; readonly address: string }
  /** The engine and its answerer alone, for `batch`. */
  | { readonly do: 'engine'; readonly config: string; readonly nattPort: number }
  | { readonly do: 'batch'; readonly packets: readonly Packet[] }
  /**
   * CPU time since the last `cpu`; nothing is counted that a batch does outside the engine. What was made since then is
   * collected before: `young`, on the account of those who made it; `all`, on nobody's.
   */
  | { readonly do: 'cpu'; readonly collect?: 'young' | 'all' }
  | { readonly do: 'primitives'; readonly of: Primitives; readonly times: number }
  | { readonly do: 'memory' }
  | { readonly do: 'stop' };

/** µs of this process: all its threads, user and system. */
export type Cpu = { readonly micros: number; readonly counters: Readonly<Record<string, number>> };
export type Memory = { readonly rss: number; readonly heap: number; readonly external: number };
/** µs of one handshake's primitives. */
export type PrimitiveCosts = { readonly publicKey: number; readonly symmetric: number };

export type Answers = {
  readonly daemon: { readonly port: number; readonly nattPort: number };
  readonly engine: null;
  readonly batch: readonly Packet[];
  readonly cpu: Cpu;
  readonly primitives: PrimitiveCosts;
  readonly memory: Memory;
  readonly stop: null;
};
export type Answer<T = Answers[keyof Answers]> = { readonly ok: T } | { readonly failed: string };
