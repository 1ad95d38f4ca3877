/** A lab client on real sockets: its datagrams over UDP, its timers on the clock. For the demo, benchmarks and programs. */
import { createSocket, type Socket } from 'node:dgram';
import { LabClient } from './client.ts';
import type { LabOptions } from './options.ts';
import type { LabStatus } from './status.ts';

export type DialOptions = Omit<LabOptions, 'local' | 'nattPorts'> & {
  /** The gateway's NAT-T port; `remote` has the other. */
  readonly nattPort: number;
  /** Where we speak from; the system chooses ports. */
  readonly from?: string;
};

/** How long somebody waits for a state, ms. */
const PATIENCE = 10_000;

export class Dial {
  readonly client: LabClient;
  readonly #plain: Socket;
  readonly #natt: Socket;
  readonly #ports: { readonly plain: number; readonly natt: number };
  #timer: NodeJS.Timeout | undefined;
  #waiting: { readonly done: () => boolean; readonly go: () => void }[] = [];
  #closed = false;

  /** Opens two sockets and says the first word. Rejects with the system's error. */
  static async start({ nattPort, from = '127.0.0.1', ...options }: DialOptions): Promise<Dial> {
    const [plain, natt] = [await socket(from), await socket(from)];
    const ports = { plain: plain.address().port, natt: natt.address().port };
    const client = new LabClient({
      ...options,
      local: { address: from, port: options.natt === 'start4500' ? ports.natt : ports.plain },
      remote: { address: options.remote.address, port: options.natt === 'start4500' ? nattPort : options.remote.port },
      nattPorts: { local: ports.natt, remote: nattPort },
    });
    const dial = new Dial(client, plain, natt, from);
    client.start(performance.now());
    dial.pump();
    return dial;
  }

  private constructor(client: LabClient, plain: Socket, natt: Socket, address: string) {
    this.client = client;
    this.#plain = plain;
    this.#natt = natt;
    this.#ports = { plain: plain.address().port, natt: natt.address().port };
    for (const [from, port] of [
      [plain, this.#ports.plain],
      [natt, this.#ports.natt],
    ] as const) {
      from.on('message', (octets, rinfo) => {
        client.datagram(new Uint8Array(octets), performance.now(), { from: rinfo, to: { address, port } });
        this.pump();
      });
    }
  }

  get status(): LabStatus {
    return this.client.status;
  }

  /** Waits until that is so; false when it never came to it. */
  async until(done: () => boolean, ms = PATIENCE): Promise<boolean> {
    if (done()) return true;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(done()), ms);
      this.#waiting.push({
        done,
        go: () => {
          clearTimeout(timer);
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

  /** Sends what the client wants to say, sets its timer, tells who waits; after every word to the client. */
  pump(): void {
    if (this.#closed) return;
    for (const { octets, from, to } of this.client.take())
      (from.port === this.#ports.natt ? this.#natt : this.#plain).send(octets, to.port, to.address, () => undefined);
    clearTimeout(this.#timer);
    const due = this.client.deadline();
    if (due !== undefined) this.#timer = setTimeout(() => this.#tick(), Math.max(1, due - performance.now()));
    const ready = this.#waiting.filter(({ done }) => done());
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { go } of ready) go();
  }

  /** Deletes the IKE SA, waits for the answer, closes the sockets. */
  async hangUp(): Promise<void> {
    if (this.client.at === 'established') {
      this.client.deleteIke(performance.now());
      this.pump();
      await this.until(() => this.client.at !== 'established', 3000);
    }
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#plain.close();
    this.#natt.close();
  }

  #tick(): void {
    this.client.tick(performance.now());
    this.pump();
  }
}

async function socket(address: string): Promise<Socket> {
  const made = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
  await new Promise<void>((resolve, reject) => {
    made.once('error', reject);
    made.bind(0, address, () => {
      made.off('error', reject);
      made.on('error', () => undefined); // what is lost is said again
      resolve();
    });
  });
  return made;
}
