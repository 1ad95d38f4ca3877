import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EXIT_FAULT, untilSignal } from '../../../src/daemon/signals.ts';
import { openJournal } from '../../../src/log/journal.ts';

function bench(stop: () => Promise<void>, reload: () => void = () => undefined) {
  const lines: { msg: string; level: string; stack?: string }[] = [];
  const exits: number[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const journal = openJournal({ stream: { write: (text: string) => void lines.push(JSON.parse(text)) } });
  const time = { now: 0 };
  return { lines, exits, process, time, code: untilSignal(process, journal, stop, reload, () => time.now) };
}

describe('the end', () => {
  it.each(['SIGTERM', 'SIGINT'])('%s ends in good order with 0, and nothing stays hooked', async (signal) => {
    let stopped = 0;
    const { process, code, exits } = bench(() => {
      stopped += 1;
      return Promise.resolve();
    });
    process.emit(signal);
    expect(await code).toBe(0);
    expect([stopped, exits, process.eventNames()]).toEqual([1, [], []]);
  });

  it('a second signal ends at once', () => {
    const { process, exits, lines, time } = bench(() => new Promise(() => undefined));
    process.emit('SIGTERM');
    time.now = 500;
    process.emit('SIGINT');
    expect(exits).toEqual([130]);
    expect(lines.at(-1)?.msg).toContain('at once');
  });

  it('one Ctrl-C that npm passes on as well is one signal', () => {
    const { process, exits, time } = bench(() => new Promise(() => undefined));
    process.emit('SIGINT');
    time.now = 499;
    process.emit('SIGINT');
    expect(exits).toEqual([]);
  });

  it('SIGHUP reads the configuration again, and nothing ends', () => {
    let read = 0;
    const again = () => {
      read += 1;
    };
    const { process, exits } = bench(() => Promise.reject(new Error('must not be called')), again);
    process.emit('SIGHUP');
    process.emit('SIGHUP');
    expect([exits, read]).toEqual([[], 2]);
  });

  it.each(['uncaughtException', 'unhandledRejection'])('%s is told with its stack and ends with 70', (event) => {
    const { process, exits, lines } = bench(() => Promise.resolve());
    process.emit(event, new Error('ours'));
    expect(exits).toEqual([EXIT_FAULT]);
    expect(lines[0]?.stack).toContain('signals.test.ts');
  });

  it('a stop that fails is a fault as well', async () => {
    const { process, code, lines } = bench(() => Promise.reject(new Error('cannot')));
    process.emit('SIGTERM');
    expect(await code).toBe(EXIT_FAULT);
    expect(lines.at(-1)?.stack).toContain('cannot');
  });
});
