/** The world of one client in virtual time: its timers on the virtual clock, its ports on the virtual network. */
import type { World } from '../../src/lab/index.ts';
import type { VirtualClock } from './clock.ts';
import type { Datagram, Endpoint, Party } from './net.ts';

export class VirtualWorld implements World, Party {
  readonly addresses: readonly string[];
  readonly #clock: VirtualClock;
  readonly #ports = new Map<number, (octets: Uint8Array, from: Endpoint) => void>();
  #timers: { readonly due: number; readonly work: () => void }[] = [];
  readonly #outbox: Datagram[] = [];
  #next = 40_000;

  constructor(clock: VirtualClock, address: string) {
    this.#clock = clock;
    this.addresses = [address];
  }

  /** Ports and timers that are still there. */
  get held(): number {
    return this.#ports.size + this.#timers.length;
  }

  readonly now = (): number => this.#clock.now;
  readonly unix = (): number => this.#clock.unix;
  readonly after = (ms: number, work: () => void): (() => void) => {
    const timer = { due: this.#clock.now + ms, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };
  readonly open: World['open'] = (address, heard) => {
    this.#next += 1;
    const number = this.#next;
    this.#ports.set(number, heard);
    return Promise.resolve({
      number,
      send: (octets, to) => void this.#outbox.push({ from: { address, port: number }, to, octets }),
      close: () => void this.#ports.delete(number),
    });
  };

  datagram({ octets, from, to }: Datagram): void {
    this.#ports.get(to.port)?.(octets, from);
  }
  tick(now: number): void {
    const due = this.#timers.filter((timer) => timer.due <= now);
    this.#timers = this.#timers.filter((timer) => timer.due > now);
    for (const { work } of due) work();
  }
  deadline(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(({ due }) => due));
  }
  take(): readonly Datagram[] {
    return this.#outbox.splice(0);
  }
}
