/** A worker as the daemon sees it: its thread, what it is told, and what it answers. */
import { Worker } from 'node:worker_threads';
import type { Listener } from '../net/index.ts';
import type { GatewayState, TrafficWords } from './gateway.ts';
import { errorOf, Questions, resultOf } from './questions.ts';
import type { Farewell, Order, Report, WorkerStart } from './workerTalk.ts';

type Asked = Extract<Report, { say: 'resolve' | 'socket' }>;
export type MemberEar = {
  report(report: Report): void;
  /** What it asks us; a value that can be copied, or a promise of one. */
  answer(asked: Asked): unknown;
  died(why: string): void;
};

/** How long it may take to say what it knows, and to end (two seconds of that are its clients'), ms. */
const PATIENCE = { state: 3000, stop: 4000 };
/** Its neighbour has the same ending as this file, in the sources and in what is built of them. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export class Member {
  /** Resolves when it could begin; rejects with EnvironmentRefused, or with what ended it. */
  readonly ready: Promise<void>;
  listening: readonly Listener[] = [];
  traffic: TrafficWords | undefined;
  unruled: readonly string[] = [];
  readonly thread: Worker;
  readonly #questions = new Questions();
  readonly #ear: MemberEar;
  readonly #gone: Promise<void>;

  constructor(start: WorkerStart, ear: MemberEar) {
    this.#ear = ear;
    const worker = new Worker(ENTRY, { workerData: start, name: `postern-${start.index}` });
    this.thread = worker;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    let why = 'its thread ended';
    worker.on('message', (bundle: readonly Report[]) => {
      this.order({ do: 'heard' });
      for (const report of bundle) {
        if (report.say === 'ready') resolve();
        if (report.say === 'refused') reject(errorOf(report));
        this.#take(report);
      }
    });
    worker.on('error', (error: unknown) => {
      why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.#gone = new Promise((gone) => {
      worker.once('exit', () => {
        const error = new Error(`worker ${start.index}: ${why}`);
        this.#questions.end(error);
        reject(error);
        ear.died(why);
        gone();
      });
    });
  }

  order(order: Order): void {
    this.thread.postMessage(order);
  }

  /** Resolves when all farewells have been sent once. */
  begin(farewells: readonly Farewell[]): Promise<void> {
    return this.#questions.ask((id) => this.order({ do: 'begin', id, farewells }));
  }
  prepare(source: string): Promise<void> {
    return this.#questions.ask((id) => this.order({ do: 'prepare', id, source }));
  }
  /** How many tunnels end by it. */
  commit(source: string): Promise<number> {
    return this.#questions.ask((id) => this.order({ do: 'commit', id, source }));
  }
  /** Undefined: it does not say. */
  state(): Promise<GatewayState | undefined> {
    const asked = this.#questions.ask<GatewayState>((id) => this.order({ do: 'state', id }));
    return within(PATIENCE.state, asked);
  }

  /** Ends it in good order, or at least ends it; gives what it was like at the end. Never rejects. */
  async end(): Promise<GatewayState | undefined> {
    await within(
      PATIENCE.stop,
      this.#questions.ask((id) => this.order({ do: 'stop', id })),
    );
    const last = await this.state();
    await this.quit();
    return last;
  }

  /** Ends its thread, whatever that does. */
  async quit(): Promise<void> {
    await this.thread.terminate();
    await this.#gone;
  }

  #take(report: Report): void {
    switch (report.say) {
      case 'ready':
        this.traffic = report.traffic;
        this.unruled = report.unruled;
        this.listening = report.listening;
        return;
      case 'listening':
        this.listening = report.listening;
        return;
      case 'resolve':
      case 'socket':
        void resultOf(() => this.#ear.answer(report)).then((result) => this.order({ do: 'answer', id: report.id, ...result }));
        return;
      case 'answer':
        return this.#questions.answered(report.id, report);
      default:
        return this.#ear.report(report);
    }
  }
}

/** What comes of it in time, else undefined. Never rejects. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
