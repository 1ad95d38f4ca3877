/** What the daemon and one of its workers say to each other: values that can be copied from thread to thread. */
import type { Command, Holding, Ousting } from '../ike/index.ts';
import type { Event, JournalFields, JournalLevel, Phrase, Scope } from '../log/index.ts';
import type { Endpoint, Listener, LocalAddress } from '../net/index.ts';
import type { PostureQuestion } from '../posture/index.ts';
import type { TrafficWords } from './gateway.ts';
import type { InsideWish } from './inside.ts';

/** What a worker is made with. */
export type WorkerStart = {
  readonly index: number;
  readonly count: number;
  /** The configuration's text: what is loaded of it holds secrets and functions, which cannot be copied. */
  readonly source: string;
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  readonly inner: InsideWish | undefined;
  /**
   * A moment by the daemon's clock, which is that of all threads, and by the one that they have in common anyhow.
   * `performance.timeOrigin` would not do: it is the time of day, and that may be set.
   */
  readonly moment: { readonly now: number; readonly hrtime: bigint };
  /** Where it counts up for as long as it moves (`watchdog.ts`). */
  readonly beats: Int32Array;
};

/** A datagram that somebody else made, to be sent as it is. */
export type Farewell = { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array };

/** To the worker. What has an `id` is answered with it. */
export type Order =
  /** Answered when all farewells have been sent once. */
  | { readonly do: 'begin'; readonly id: number; readonly farewells: readonly Farewell[] }
  | { readonly do: 'debug'; readonly on: boolean }
  | { readonly do: 'command'; readonly command: Command }
  | { readonly do: 'yield' | 'prepare' | 'commit'; readonly id: number; readonly source: string }
  | { readonly do: 'state' | 'stop'; readonly id: number }
  /** So many reports have been taken. */
  | { readonly do: 'heard' }
  | ({ readonly do: 'answer'; readonly id: number } & Result);

/** What came of a request: a value, or the words of an EnvironmentRefused, or a mistake of ours. */
export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly fix: string | undefined };

/** To the daemon. */
export type Report =
  | {
      readonly say: 'ready';
      readonly listening: readonly Listener[];
      readonly traffic: TrafficWords;
    }
  | ({ readonly say: 'refused' } & Extract<Result, { ok: false }>)
  | { readonly say: 'listening'; readonly listening: readonly Listener[] }
  | { readonly say: 'note'; readonly level: JournalLevel; readonly message: string; readonly fields: JournalFields | undefined }
  | { readonly say: 'event'; readonly event: Event }
  | { readonly say: 'line'; readonly scope: Scope; readonly line: Phrase }
  | { readonly say: 'held'; readonly holding: Holding }
  | { readonly say: 'left'; readonly name: string }
  | ({ readonly say: 'oust'; readonly name: string; readonly key: string } & Ousting)
  | { readonly say: 'will'; readonly spi: string; readonly datagrams: readonly Farewell[] }
  | { readonly say: 'resolve'; readonly id: number; readonly question: PostureQuestion }
  | { readonly say: 'socket'; readonly id: number; readonly local: LocalAddress; readonly port: number; readonly natt: boolean }
  | { readonly say: 'release'; readonly fd: number }
  | ({ readonly say: 'answer'; readonly id: number } & Result);
