/**
 * How the daemon ends. SIGTERM, SIGINT: peers get their Deletes, exit 0; once more: at once. SIGHUP: the
 * configuration is read again.
 * An exception that nobody caught: told with its stack, exit 70, since nobody knows what state we are in.
 */
import type { EventEmitter } from 'node:events';
import type { Journal } from '../log/index.ts';

/** An internal fault (EX_SOFTWARE of sysexits.h). */
export const EXIT_FAULT = 70;
/** One Ctrl-C can come twice, from the terminal and from npm; a person who means it twice is slower than this, ms. */
const SAME_PRESS = 500;
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** The part of `process` that is used. */
export type ProcessLike = Pick<EventEmitter, 'on' | 'off'> & { exit(code: number): void };

/**
 * Waits for the end.
 *
 * @param stop ends the daemon in good order and always settles
 * @param reload reads the configuration again
 * @returns the exit code: 0 after the first signal. A second signal and a fault end the process themselves.
 */
export function untilSignal(
  process: ProcessLike,
  journal: Journal,
  stop: () => Promise<void>,
  reload: () => void,
  now: () => number = () => performance.now(),
): Promise<number> {
  return new Promise((resolve) => {
    let ending: number | undefined;
    const end = (signal: keyof typeof NUMBERS) => () => {
      if (ending !== undefined) {
        if (now() - ending < SAME_PRESS) return;
        journal.note('warn', `${signal} again: ending at once, peers were not waited for`);
        journal.flush();
        process.exit(128 + NUMBERS[signal]);
        return;
      }
      ending = now();
      journal.note('info', `${signal}: ending, peers get a Delete`);
      void stop().then(
        () => finish(0),
        (error: unknown) => finish(fault('stop', error)),
      );
    };
    const fault = (where: string, error: unknown): number => {
      journal.event({ kind: 'fault', where, stack: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      journal.flush();
      return EXIT_FAULT;
    };
    const listeners: Readonly<Record<string, (error: unknown) => void>> = {
      SIGTERM: end('SIGTERM'),
      SIGINT: end('SIGINT'),
      SIGHUP: reload,
      uncaughtException: (error: unknown) => process.exit(fault('uncaughtException', error)),
      unhandledRejection: (error: unknown) => process.exit(fault('unhandledRejection', error)),
    };
    for (const [event, listener] of Object.entries(listeners)) process.on(event, listener);
    const finish = (code: number) => {
      for (const [event, listener] of Object.entries(listeners)) process.off(event, listener);
      resolve(code);
    };
  });
}
