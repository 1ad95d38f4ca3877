/** A lab client that runs by itself: its datagrams over UDP, its timers on the clock. For the demo, benchmarks and programs. */
import { LabClient } from './client.ts';
import type { LabOptions } from './options.ts';
import type { LabStatus } from './status.ts';
import { type Port, realWorld, type World } from './world.ts';

export type DialOptions = Omit<LabOptions, 'local' | 'nattPorts'> & {
  /** The gateway's NAT-T port; `remote` has the other. */
  readonly nattPort: number;
  /** Where we speak from; the system chooses ports. */
  readonly from?: string;
  /** Another one than the real. */
  readonly world?: World;
};

/** How long somebody waits for a state, ms. */
const PATIENCE = 10_000;

export class Dial {
  readonly client: LabClient;
  readonly world: World;
  readonly #ports: { readonly plain: Port; readonly natt: Port };
  #cancel: () => void = () => undefined;
  #waiting: { readonly done: () => boolean; readonly go: () => void }[] = [];
  readonly #watchers: (() => void)[] = [];
  readonly #listeners = new Set<(packet: Uint8Array) => void>();
  #closed = false;

  /** Opens two ports and says the first word. Rejects with the system's error; RangeError for options that make no client. */
  static async start({ nattPort, from = '127.0.0.1', world = realWorld, ...options }: DialOptions): Promise<Dial> {
    let dial: Dial | undefined;
    const open = async (): Promise<Port> => {
      const port = await world.open(from, (octets, sender) => dial?.heard(octets, sender, { address: from, port: port.number }));
      return port;
    };
    const plain = await open();
    const natt = await open().catch((error: unknown) => {
      plain.close();
      throw error;
    });
    const floating = options.natt === 'start4500';
    try {
      const client = new LabClient({
        ...options,
        local: { address: from, port: floating ? natt.number : plain.number },
        remote: { address: options.remote.address, port: floating ? nattPort : options.remote.port },
        nattPorts: { local: natt.number, remote: nattPort },
        onInner: (packet) => {
          options.onInner?.(packet);
          dial?.hand(packet);
        },
      });
      dial = new Dial(client, world, { plain, natt });
      client.start(world.now());
    } catch (error) {
      for (const port of [plain, natt]) port.close();
      throw error;
    }
    dial.pump();
    return dial;
  }

  private constructor(client: LabClient, world: World, ports: { readonly plain: Port; readonly natt: Port }) {
    this.client = client;
    this.world = world;
    this.#ports = ports;
  }

  get status(): LabStatus {
    return this.client.status;
  }

  /** Calls it whenever something may have happened to the client. */
  watch(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  /** Waits until that is so; false when it never came to it. */
  async until(done: () => boolean, ms = PATIENCE): Promise<boolean> {
    if (done()) return true;
    return await new Promise((resolve) => {
      const cancel = this.world.after(ms, () => resolve(done()));
      this.#waiting.push({
        done,
        go: () => {
          cancel();
          resolve(true);
        },
      });
    });
  }

  /** Waits until it is up, or will never be; gives which. */
  async connected(): Promise<boolean> {
    await this.until(() => this.client.at === 'established' || this.client.at === 'failed' || this.client.at === 'closed');
    return this.client.at === 'established';
  }

  /** Something came to one of our ports. */
  heard(octets: Uint8Array, from: LabOptions['remote'], to: LabOptions['local']): void {
    if (this.#closed) return;
    this.client.datagram(octets, this.world.now(), { from, to });
    this.pump();
  }

  /** Sends an inner packet through the tunnel; false when there is none for it. */
  inner(packet: Uint8Array): boolean {
    if (this.#closed || !this.client.inner(packet, this.world.now())) return false;
    this.#send();
    return true;
  }

  /** Gives what comes through the tunnel to a listener; what comes back takes it off. */
  onInner(listener: (packet: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The client has a packet for its listeners. */
  hand(packet: Uint8Array): void {
    for (const listener of [...this.#listeners]) listener(packet);
  }

  /** Sends what the client wants to say, sets its timer, tells who waits; after every word to the client. */
  pump(): void {
    if (this.#closed) return;
    this.#send();
    this.#cancel();
    const due = this.client.deadline();
    if (due !== undefined) this.#cancel = this.world.after(due - this.world.now(), () => this.#tick());
    const ready = this.#waiting.filter(({ done }) => done());
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { go } of ready) go();
    for (const watcher of this.#watchers) watcher();
  }

  /** Deletes the IKE SA, waits for the answer, closes the ports. */
  async hangUp(): Promise<void> {
    if (this.client.at === 'established') {
      this.client.deleteIke(this.world.now());
      this.pump();
      await this.until(() => this.client.at !== 'established', 3000);
    }
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    this.#ports.plain.close();
    this.#ports.natt.close();
  }

  #send(): void {
    const { plain, natt } = this.#ports;
    for (const { octets, from, to } of this.client.take()) (from.port === natt.number ? natt : plain).send(octets, to);
  }

  #tick(): void {
    this.client.tick(this.world.now());
    this.pump();
  }
}
