/** The gateway process as the bench sees it: one order, one answer, in order. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Answers, Order } from './protocol.ts';

/** The gateway calls OpenSSL through node:crypto, as where koffi is not there. */
export const NODE_CRYPTO = '--node-crypto';

export class GatewayProcess {
  readonly #process: ChildProcess;

  constructor() {
    const options = process.argv.includes(NODE_CRYPTO) ? [NODE_CRYPTO] : [];
    this.#process = fork(fileURLToPath(new URL('./gateway.ts', import.meta.url)), options, {
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
    });
  }

  /** Throws what the gateway throws, and when it ends instead of answering. */
  async ask<D extends Order['do']>(order: Extract<Order, { readonly do: D }>): Promise<Answers[D]> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const gone = () => reject(new Error(`the gateway process ended while it was asked for '${order.do}'`));
      this.#process.once('exit', gone);
      this.#process.once('message', (message: Answer) => {
        this.#process.off('exit', gone);
        resolve(message);
      });
      this.#process.send(order);
    });
    if ('failed' in answer) throw new Error(`the gateway failed: ${answer.failed}`);
    return answer.ok as Answers[D]; // protocol.ts says which answer belongs to an order
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    await this.ask({ do: 'stop' }).catch(() => this.#process.kill());
    await ended;
  }
}

/** A gateway process of one's own for as long as `work` takes. */
export async function withGateway<T>(work: (gateway: GatewayProcess) => Promise<T>): Promise<T> {
  const gateway = new GatewayProcess();
  try {
    return await work(gateway);
  } finally {
    await gateway.stop();
  }
}
