/** A terminal that a test reads, and a process that it sends signals to. */
import { EventEmitter } from 'node:events';
import type { Terminal } from '../../src/cli/exit.ts';
import { openJournal } from '../../src/log/index.ts';

export type FakeTerminal = {
  readonly terminal: Terminal;
  out(): string;
  err(): string;
  signal(name: 'SIGINT' | 'SIGTERM'): void;
};

export function fakeTerminal(): FakeTerminal {
  const stream = () => {
    const text: string[] = [];
    return { text, write: (t: string) => text.push(t) > 0, on: () => undefined };
  };
  const [stdout, stderr] = [stream(), stream()];
  const process = Object.assign(new EventEmitter(), { exit: () => undefined });
  return {
    terminal: { stdout, stderr, process, journal: () => openJournal({ stream: { write: () => undefined } }) },
    out: () => stdout.text.join(''),
    err: () => stderr.text.join(''),
    signal: (name) => void process.emit(name),
  };
}
