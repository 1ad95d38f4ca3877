/** What EMS is told of tunnels: in order, one call at a time, kept while EMS is away, with a bound. */
import type { TunnelEvent } from './driver.ts';

const MOST = 10_000;

export class Tunnels {
  readonly #send: (event: TunnelEvent) => Promise<void>;
  readonly #connected: () => boolean;
  readonly #queue: TunnelEvent[] = [];
  readonly #count = { tunnelEvents: 0, tunnelEventsDropped: 0 };
  #sending = false;

  constructor(send: (event: TunnelEvent) => Promise<void>, connected: () => boolean) {
    this.#send = send;
    this.#connected = connected;
  }

  add(event: TunnelEvent): void {
    if (this.#queue.length >= MOST) {
      this.#queue.shift();
      this.#count.tunnelEventsDropped += 1;
    }
    this.#queue.push(event);
    this.flush();
  }

  /** Sends what waits, as long as EMS is there; what fails waits for the next connection. */
  flush(): void {
    if (this.#sending) return;
    this.#sending = true;
    void this.#drain().finally(() => {
      this.#sending = false;
    });
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#count, tunnelEventsWaiting: this.#queue.length };
  }

  async #drain(): Promise<void> {
    for (let event = this.#queue[0]; event !== undefined && this.#connected(); event = this.#queue[0]) {
      try {
        await this.#send(event);
        this.#count.tunnelEvents += 1;
      } catch {
        return;
      }
      this.#queue.shift();
    }
  }
}
