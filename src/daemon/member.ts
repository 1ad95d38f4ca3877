/** A worker as the daemon sees it: its thread, what it is told, and what it answers. */
import { Worker } from 'node:worker_threads';
import { EnvironmentRefused, type Listener } from '../net/index.ts';
import type { GatewayState, TrafficWords } from './gateway.ts';
import { errorOf, Questions, resultOf } from './questions.ts';
import { LOOK, PATIENCE, type Patience, Watchdog } from './watchdog.ts';
import type { Farewell, Order, Report, WorkerStart } from './workerTalk.ts';

type Asked = Extract<Report, { say: 'resolve' | 'socket' }>;
export type MemberEar = {
  report(report: Report): void;
  /** What it asks us; a value that can be copied, or a promise of one. */
  answer(asked: Asked): unknown;
  /** Of one that was stuck once more, when it has come to its end after all. */
  died(end: End): void;
};

/** How it came to its end, and what helps. Stuck is what hangs in native code: nothing of ours can end that. */
export type End = { readonly how: 'died' | 'hung' | 'stuck'; readonly why: string; readonly fix?: string };

/** A test's own. */
export type MemberOptions = { readonly entry?: URL; readonly patience?: Patience };

/** How long it may take to say what it knows, and to end (two seconds of that are its clients'), ms. */
const TIME = { state: 3000, stop: 4000 };
const BUSY = 'See with `top -H` whether the threads postern-N get processor time; --workers with a smaller number needs less.';
const HUNG = `${BUSY} If they do, it is a mistake of ours: what the journal says before this belongs to it.`;
/** Its neighbour has the same ending as this file, in the sources and in what is built of them. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export const stuck = (index: number): EnvironmentRefused =>
  new EnvironmentRefused(
    'EDEADLK',
    `Worker ${index} hangs in native code and cannot be ended.`,
    'Restart the daemon, by SIGKILL if need be: until then nobody serves its share of the clients.',
  );

export class Member {
  /** Resolves when it could begin; rejects with EnvironmentRefused, or with what ended it. */
  readonly ready: Promise<void>;
  listening: readonly Listener[] = [];
  traffic: TrafficWords | undefined;
  readonly thread: Worker;
  readonly #questions = new Questions();
  readonly #index: number;
  readonly #ear: MemberEar;
  readonly #patience: Patience;
  readonly #gone: Promise<true>;
  #quit: Promise<void> | undefined;

  constructor(start: Omit<WorkerStart, 'beats'>, ear: MemberEar, { entry = ENTRY, patience = PATIENCE }: MemberOptions = {}) {
    const { index } = start;
    this.#index = index;
    this.#ear = ear;
    this.#patience = patience;
    const beats = new Int32Array(new SharedArrayBuffer(4));
    const workerData: WorkerStart = { ...start, beats };
    const worker = new Worker(entry, { workerData, name: `postern-${index}` });
    this.thread = worker;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    let ready = false;
    let end: End = { how: 'died', why: 'its thread ended' };
    worker.on('message', (bundle: readonly Report[]) => {
      this.order({ do: 'heard' });
      for (const report of bundle) {
        if (report.say === 'ready') {
          ready = true;
          resolve();
        }
        if (report.say === 'refused') reject(errorOf(report));
        this.#take(report);
      }
    });
    worker.on('error', (error: unknown) => {
      end = { how: 'died', why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    });
    const dog = new Watchdog(performance.now(), patience);
    const looks = setInterval(() => {
      const found = dog.look(performance.now(), Atomics.load(beats, 0), ready);
      if (found === undefined) return;
      clearInterval(looks);
      const { start: wait, beat } = patience;
      const words =
        found === 'hung' ? `did nothing for ${beat / 1000} s, as in an endless loop` : `was not ready in ${wait / 1000} s`;
      const fix = found === 'hung' ? HUNG : BUSY;
      end = { how: 'hung', why: `its thread ${words}`, fix };
      reject(new EnvironmentRefused('ETIMEDOUT', `Worker ${index} cannot start: its thread ${words}.`, fix));
      void this.quit();
    }, LOOK);
    looks.unref(); // it watches over what keeps the process alive
    this.#gone = new Promise((gone) => {
      worker.once('exit', () => {
        clearInterval(looks);
        const error = new Error(`worker ${index}: ${end.why}`);
        this.#questions.end(error);
        reject(error);
        ear.died(end);
        gone(true);
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
  /** It gives up the routes that will be another worker's. */
  yield(source: string): Promise<void> {
    return this.#questions.ask((id) => this.order({ do: 'yield', id, source }));
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
    return within(TIME.state, asked);
  }

  /** Ends it in good order, or at least ends it; gives what it was like at the end. Never rejects. */
  async end(): Promise<GatewayState | undefined> {
    await within(
      TIME.stop,
      this.#questions.ask((id) => this.order({ do: 'stop', id })),
    );
    const last = await this.state();
    await this.quit();
    return last;
  }

  /** Ends its thread, whatever that does, or tells that it cannot be ended. Never rejects. */
  quit(): Promise<void> {
    this.#quit ??= this.#terminate();
    return this.#quit;
  }

  async #terminate(): Promise<void> {
    void this.thread.terminate();
    if ((await within(this.#patience.end, this.#gone)) !== undefined) return;
    const refusal = stuck(this.#index);
    this.#questions.end(refusal);
    this.#ear.died({ how: 'stuck', why: refusal.message, fix: refusal.fix });
  }

  #take(report: Report): void {
    switch (report.say) {
      case 'ready':
        this.traffic = report.traffic;
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
