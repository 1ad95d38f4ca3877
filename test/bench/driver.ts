/**
 * The clients' end: many lab clients against one gateway process, in waves. All that the clients have to say goes out at once,
 * and the next wave waits until every one of them was answered: the gateway always has the next datagram waiting, as it has
 * when CPU time matters, however slow the clients are. Whatever fails is thrown: a bench of failures measures nothing.
 */
import { LabClient, type LabOptions } from '../../src/lab/index.ts';
import type { Carrier } from './carrier.ts';
import type { Packet, Way } from './protocol.ts';

export type MakeClient = (n: number) => Omit<LabOptions, 'local' | 'remote' | 'nattPorts'>;

/** ms between two looks for datagrams that have to be said again. */
const LOOK = 250;
/** ms without any progress until we give up. */
const PATIENCE = 20_000;

export class Crowd {
  readonly #carrier: Carrier;
  readonly #make: MakeClient;
  /** By SPIi, as a string of its octets. */
  readonly #clients = new Map<string, LabClient>();
  #ready: Packet[] = [];
  #number = 0;
  #repeated = 0;
  #onArrival: (client: LabClient) => void = () => undefined;

  constructor(carrier: Carrier, make: MakeClient) {
    this.#carrier = carrier;
    this.#make = make;
    carrier.arrived = (packet) => this.#arrived(packet);
  }

  /** Datagrams that were said again: above a handful the figures are not worth much. */
  get repeated(): number {
    return this.#repeated;
  }

  /** Brings so many new clients up, `together` of them under way at any time. */
  async connect(count: number, together: number): Promise<readonly LabClient[]> {
    const made: LabClient[] = [];
    await this.#waves(this.#fresh(count, made), together, 'established');
    return made;
  }

  /** IKE_SA_INIT of so many new clients, and not a word more. */
  async begin(count: number, together: number): Promise<void> {
    await this.#waves(this.#fresh(count), together, 'auth');
    this.#ready = [];
    this.forget();
  }

  /** Every client deletes its IKE SA. */
  async disconnect(together: number): Promise<void> {
    const all = [...this.#clients.values()].map((client) => () => {
      client.deleteIke(now());
      return client;
    });
    await this.#waves(all, together, 'closed');
    this.forget();
  }

  /** The clients vanish without a word; what the gateway made of them stays. */
  forget(): void {
    this.#clients.clear();
  }

  #fresh(count: number, made: LabClient[] = []): readonly (() => LabClient)[] {
    const { local, remote, address } = this.#carrier;
    return Array.from({ length: count }, () => () => {
      const client = new LabClient({
        ...this.#make(this.#number++),
        local: { address, port: local.port },
        remote: { address, port: remote.port },
        nattPorts: { local: local.nattPort, remote: remote.nattPort },
      });
      client.start(now());
      made.push(client);
      return client;
    });
  }

  async #waves(todo: readonly (() => LabClient)[], together: number, goal: LabClient['at']): Promise<void> {
    let next = 0;
    let active: readonly LabClient[] = [];
    for (;;) {
      const left = active.filter((client) => client.at !== goal);
      const fresh = todo.slice(next, next + together - left.length).map((begin) => begin());
      next += fresh.length;
      active = [...left, ...fresh];
      if (active.length === 0) return;
      for (const client of fresh) this.#say(client);
      await this.#exchange(active, goal);
    }
  }

  /** One wave: ends when every client has something new to say, or is where it should be. */
  async #exchange(wave: readonly LabClient[], goal: LabClient['at']): Promise<void> {
    const open = new Set(wave);
    let [seen, looked] = [now(), now()];
    this.#onArrival = (client) => {
      if (!open.has(client)) return;
      check(client, goal);
      // What it says once it is there is not said in the bench.
      if (client.at !== goal && !this.#say(client)) return;
      seen = now();
      open.delete(client);
    };
    const ready = this.#ready;
    this.#ready = [];
    await this.#carrier.send(ready);
    while (open.size > 0) {
      await this.#carrier.look(open.size);
      if (now() - seen > PATIENCE) throw new Error(`no progress for ${PATIENCE / 1000} s, ${open.size} clients wait`);
      if (now() - looked < LOOK) continue;
      looked = now();
      for (const client of open) await this.#again(client);
    }
  }

  /** Puts what the client wants to say into the next wave; false when that is nothing. */
  #say(client: LabClient): boolean {
    const said = client.take();
    for (const { octets, from } of said) this.#clients.set(this.#spi(octets, from), client);
    this.#ready.push(...said);
    return said.length > 0;
  }

  async #again(client: LabClient): Promise<void> {
    if ((client.deadline() ?? Number.POSITIVE_INFINITY) > now()) return;
    client.tick(now());
    const said = client.take();
    this.#repeated += said.length;
    await this.#carrier.send(said);
  }

  #arrived({ octets, from, to }: Packet): void {
    const client = this.#clients.get(this.#spi(octets, to));
    if (client === undefined) return;
    client.datagram(octets, now(), { from, to });
    this.#onArrival(client);
  }

  #spi(octets: Uint8Array, ours: Way): string {
    const at = ours.port === this.#carrier.local.nattPort ? 4 : 0; // behind the non-ESP marker
    return Buffer.from(octets.buffer, octets.byteOffset + at, 8).toString('latin1');
  }
}

const now = (): number => performance.now();

/** Throws for a client that failed, or that got less than it asked for. */
function check(client: LabClient, goal: LabClient['at']): void {
  const { at } = client;
  if (at === 'failed' || (at === 'closed' && goal !== 'closed')) throw new Error(`a client ${at}: ${client.status.why}`);
  if (at !== 'established' || goal !== 'established') return;
  const { children, assigned, violations } = client.status;
  if (children.length === 1 && assigned.length === 1 && violations.length === 0) return;
  const got = `${children.length} children, ${assigned.length} addresses`;
  throw new Error(`not what a client asked for: ${got}${violations.map((v) => `; ${v}`).join('')}`);
}
