/** A gateway process with its clients, ready for load; one of each number of SAs. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ask, stop } from '../gatewayProcess.ts';
import { grown, type Ledger, socketDrops } from './accounts.ts';
import { type Clients, configText, type Ear, openClients } from './clients.ts';
import { Generator } from './generator.ts';
import { ADDRESS, CREDIT, type Ended, type LoadAnswers, type LoadOrder, type Task } from './protocol.ts';

export type Measured = {
  readonly ledger: Ledger;
  readonly ended: Ended;
  /** ms from the first packet to the last. */
  readonly ms: number;
  readonly packets: number;
  readonly wrong: number;
  readonly disordered: number;
  readonly stalls: number;
};

export class Bed {
  readonly count: number;
  readonly #process: ChildProcess;
  readonly #clients: Clients;
  readonly #ear: Ear;
  readonly #generator: Generator;
  readonly #nattPort: number;
  #last: Promise<unknown> = Promise.resolve();

  /** Starts a gateway, and so many clients that have an SA each. */
  static async open(count: number, cipher: string, progress: (there: number) => void): Promise<Bed> {
    const process = fork(fileURLToPath(new URL('./gateway.ts', import.meta.url)), {
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'],
    });
    try {
      const start = { do: 'start', config: configText(cipher), address: ADDRESS } as const;
      const { nattPort } = (await ask(process, start)) as LoadAnswers['start'];
      const ear: Ear = { esp: () => false, sent: 0, failed: {} };
      const clients = await openClients(count, { nattPort, cipher, ear, progress });
      const bed = new Bed(process, clients, ear, nattPort);
      await bed.#ask({ do: 'clients', addresses: Buffer.concat(clients.sas.map(({ address }) => address)) });
      return bed;
    } catch (error) {
      await stop(process);
      throw error;
    }
  }

  private constructor(process: ChildProcess, clients: Clients, ear: Ear, nattPort: number) {
    this.count = clients.sas.length;
    this.#process = process;
    this.#clients = clients;
    this.#ear = ear;
    this.#nattPort = nattPort;
    const pipe = process.stdio[CREDIT] as Duplex;
    const one = Uint8Array.of(1);
    this.#generator = new Generator(clients.sas, ear, {
      credit: () => void pipe.write(one),
      halt: () => this.#ask({ do: 'halt' }),
      forgive: () => this.#ask({ do: 'forgive' }),
    });
    pipe.on('data', (octets: Uint8Array) => this.#generator.taken(octets.length));
  }

  /** Loads the gateway for so many ms. */
  async measure(task: Task, ms: number, collect = false): Promise<Measured> {
    const { counts } = this.#generator;
    const clients = { ...counts };
    const [sent, refused] = [this.#ear.sent, { ...this.#ear.failed }];
    const [fullGateway, fullClients] = await this.#full();
    const gateway = await this.#ask({ do: 'begin', task });
    const took = await this.#generator.run(task, ms);
    const ended = await this.#ask({ do: 'end', collect });
    const [gatewayNow, clientsNow] = await this.#full();
    const ledger: Ledger = {
      clientsSent: this.#ear.sent - sent,
      clientsReceived: counts.received - clients.received,
      keepalives: counts.keepalives - clients.keepalives,
      refused: grown(refused, this.#ear.failed),
      fullGateway: gatewayNow - fullGateway,
      fullClients: clientsNow - fullClients,
      gateway: grown(gateway, ended.counts),
    };
    return {
      ...{ ledger, ended, ms: took },
      packets: task.direction === 'out' ? (ledger.gateway['insideSent'] ?? 0) : ledger.clientsSent,
      wrong: counts.wrong - clients.wrong,
      disordered: counts.disordered - clients.disordered,
      stalls: counts.stalls - clients.stalls,
    };
  }

  async cipher(size: number): Promise<LoadAnswers['cipher']> {
    return await this.#ask({ do: 'cipher', size, keys: this.#clients.keys });
  }

  async close(): Promise<void> {
    await stop(this.#process);
    await this.#clients.close();
  }

  async #ask<D extends LoadOrder['do']>(order: Extract<LoadOrder, { readonly do: D }>): Promise<LoadAnswers[D]> {
    // One at a time, since answers have no name: a stall is forgiven whatever else is asked.
    const answer = this.#last.then(() => ask(this.#process, order));
    this.#last = answer.catch(() => undefined);
    return (await answer) as LoadAnswers[D]; // protocol.ts says which answer belongs to an order
  }

  async #full(): Promise<readonly [number, number]> {
    const text = await readFile('/proc/net/udp', 'utf8');
    return [socketDrops(text, [this.#nattPort]), socketDrops(text, this.#clients.ports)];
  }
}
