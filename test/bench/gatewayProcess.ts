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
    return (await ask(this.#process, order)) as Answers[D]; // protocol.ts says which answer belongs to an order
  }

  async stop(): Promise<void> {
    await stop(this.#process);
  }
}

/** Gives a process an order. Throws what it throws, and when it ends instead of answering. */
export async function ask(process: ChildProcess, order: { readonly do: string }): Promise<unknown> {
  const answer = await new Promise<Answer<unknown>>((resolve, reject) => {
    const gone = () => reject(new Error(`the gateway process ended while it was asked for '${order.do}'`));
    process.once('exit', gone);
    process.once('message', (message: Answer<unknown>) => {
      process.off('exit', gone);
      resolve(message);
    });
    process.send(order);
  });
  if ('failed' in answer) throw new Error(`the gateway failed: ${answer.failed}`);
  return answer.ok;
}

/** Ends it in good order, or at all. */
export async function stop(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once('exit', resolve));
  await ask(process, { do: 'stop' }).catch(() => process.kill());
  await ended;
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
