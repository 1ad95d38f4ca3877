/** What EMS is told of tunnels: in order, one call at a time, kept while EMS is away, with a bound. */
import type { TunnelEvent } from './driver.ts';
import { failureOf } from './http.ts';

const MOST = 10_000;
const PAUSE_FIRST = 1000;
const PAUSE_MOST = 60_000;

export type TunnelsWorld = {
  /** Rejects with EmsCallFailed. */
  send(event: TunnelEvent): Promise<void>;
  connected(): boolean;
  after(ms: number, run: () => void): () => void;
};

export class Tunnels {
  readonly #world: TunnelsWorld;
  readonly #queue: TunnelEvent[] = [];
  readonly #count = { tunnelEvents: 0, tunnelEventsDropped: 0 };
  #sending = false;
  #drained = Promise.resolve();
  #pause = PAUSE_FIRST;
  #cancelRetry: (() => void) | undefined;

  constructor(world: TunnelsWorld) {
    this.#world = world;
  }

  /** The eldest makes room when too many wait. */
  add(event: TunnelEvent): void {
    if (this.#queue.length >= MOST) {
      this.#queue.shift();
      this.#count.tunnelEventsDropped += 1;
    }
    this.#queue.push(event);
    if (this.#cancelRetry === undefined) this.flush();
  }

  /** Sends what waits, as long as EMS is there. */
  flush(): void {
    if (this.#sending) return;
    this.stop();
    this.#sending = true;
    this.#drained = this.#drain().finally(() => {
      this.#sending = false;
    });
  }

  /** Resolves when what waits has been told, or cannot be now, or after so many ms. */
  async told(ms: number): Promise<void> {
    if (!this.#sending) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#world.after(ms, resolve);
    await Promise.race([this.#drained, promise]);
    cancel();
  }

  /** No attempt is made by itself any more. */
  stop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#count, tunnelEventsWaiting: this.#queue.length };
  }

  async #drain(): Promise<void> {
    for (let event = this.#queue[0]; event !== undefined && this.#world.connected(); event = this.#queue[0]) {
      try {
        await this.#world.send(event);
        this.#count.tunnelEvents += 1;
        this.#pause = PAUSE_FIRST;
      } catch (error) {
        if (!isFinal(failureOf(error).status)) {
          this.#retryLater();
          return;
        }
        this.#count.tunnelEventsDropped += 1;
      }
      if (this.#queue[0] === event) this.#queue.shift(); // else it has made room meanwhile
    }
  }

  #retryLater(): void {
    if (!this.#world.connected()) return; // the next connection flushes
    this.#cancelRetry = this.#world.after(this.#pause, () => this.flush());
    this.#pause = Math.min(2 * this.#pause, PAUSE_MOST);
  }
}

/** EMS has understood the event and does not want it: said again it would stand in the way of all others. */
const isFinal = (status: number | undefined): boolean =>
  status !== undefined && status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
