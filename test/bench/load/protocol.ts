/**
 * What the load generator says to its gateway process, and the one answer to each order. Credit for packets does not go this
 * way, since an order costs the gateway as much as twenty packets: an octet on a pipe of its own stands for `step` of them.
 */

/** `in`: client → gateway → inside. `out`: the other way. `echo`: in, and out again. */
export type Direction = 'in' | 'out' | 'echo';

export type Task = {
  readonly direction: Direction;
  /** Octets of an inner packet. */
  readonly size: number;
  /** Packets of one SA in a row. */
  readonly run: number;
  /** Packets that may be on their way at the same time. */
  readonly window: number;
  /** Packets that one octet of credit stands for; what is sent is a multiple of it. */
  readonly step: number;
};

export type LoadOrder =
  /** The daemon as it is, with an inside that is ours, on ephemeral ports of this address. */
  | { readonly do: 'start'; readonly config: string; readonly address: string }
  /** The clients' inner addresses, four octets each, in the order in which they take turns. */
  | { readonly do: 'clients'; readonly addresses: Uint8Array }
  /** Counting begins. `out` begins to flow at once. */
  | { readonly do: 'begin'; readonly task: Task }
  /** Nothing more goes out; answered when the last of it has. */
  | { readonly do: 'halt' }
  /** What is on its way will not come: the window is open again. */
  | { readonly do: 'forgive' }
  /** Counting ends. `collect`: the heap is swept before it is looked at. */
  | { readonly do: 'end'; readonly collect: boolean }
  /** What the cipher alone costs here and now. */
  | { readonly do: 'cipher'; readonly size: number; readonly keys: CipherKeys }
  | { readonly do: 'stop' };

export type CipherKeys = {
  readonly transform: { readonly encr: number; readonly keyLength: number; readonly integ: number; readonly esn: boolean };
  readonly encr: Uint8Array;
  readonly integ: Uint8Array;
};

/** The daemon's own counters, and those of the inside. */
export type Counts = Readonly<Record<string, number>>;

export type Ended = {
  /** CPU time since `begin`: user and system, all threads. */
  readonly micros: number;
  /** Collections of the young heap and of the whole since `begin`. */
  readonly minor: number;
  readonly major: number;
  /** Octets that were made in the heap since `begin`. */
  readonly made: number;
  /** Memory of the process, in octets: all of it; without what is a file's; V8's heap, as used and as taken from the machine. */
  readonly rss: number;
  readonly anonymous: number;
  readonly heap: number;
  readonly heapTaken: number;
  readonly counts: Counts;
};

export type LoadAnswers = {
  readonly start: { readonly nattPort: number };
  readonly clients: null;
  readonly begin: Counts;
  /** Packets that were made since `begin`. */
  readonly halt: number;
  readonly forgive: null;
  readonly end: Ended;
  /** µs for a packet. */
  readonly cipher: { readonly seal: number; readonly open: number };
  readonly stop: null;
};

/** The pipe of credit, in the gateway process. */
export const CREDIT = 4;
export const ADDRESS = '127.0.0.1';
