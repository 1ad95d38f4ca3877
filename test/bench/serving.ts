/** What every process that is measured does: it takes orders over IPC, answers each, and sweeps its heap when it is told to. */
import type { Answer } from './protocol.ts';

export function answering<Order>(obey: (order: Order) => Promise<unknown>): void {
  // Without whoever gave the orders there is nothing left to do, however it went.
  process.once('disconnect', () => process.exit());
  process.on('message', (order: Order) => {
    const say = (answer: Answer<unknown>) => process.connected && process.send?.(answer);
    obey(order).then(
      (ok) => say({ ok }),
      (error: unknown) => say({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
}

export function collect(options: NodeJS.GCOptions = { type: 'major' }): void {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('started without --expose-gc');
  gc({ execution: 'sync', ...options });
}
