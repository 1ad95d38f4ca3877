/**
 * Programs of the operating system, started with argument lists and never through a shell: `run` waits for one to end,
 * `start` keeps one as a daemon that is stopped by its own process id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export type Where = {
  /** A network namespace to run in. */
  readonly namespace?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly seconds?: number;
};
export type Ended = { readonly code: number | null; readonly signal: string | null };
export type Result = Ended & { readonly stdout: string; readonly stderr: string };

/** Runs a program to its end; gives what it said and how it ended. Throws only when it cannot start or takes too long. */
export async function run(command: string, args: readonly string[], where: Where = {}): Promise<Result> {
  const child = launch(command, args, where);
  const seconds = where.seconds ?? 30;
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  child.stdin?.end(where.input ?? '');
  const [stdout, stderr, ended] = await Promise.all([collect(child.stdout), collect(child.stderr), ending(child)]);
  clearTimeout(timer);
  if (ended.signal === 'SIGKILL')
    throw new Error(`${command} ${args.join(' ')}: not done after ${seconds} s\n${stdout}${stderr}`);
  return { ...ended, stdout, stderr };
}

/** Like `run`, but anything except exit code 0 throws with the program's own words. */
export async function must(command: string, args: readonly string[], where: Where = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await run(command, args, where);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ended with ${code ?? signal}\n${stdout}${stderr}`);
  return stdout;
}

export type Daemon = {
  readonly pid: number;
  /** Lines so far; they grow while it runs. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly ended: Promise<Ended>;
  /** How it ended, while that is already known. */
  readonly outcome: Ended | undefined;
  signal(name: 'SIGTERM' | 'SIGHUP' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** SIGTERM, and SIGKILL when that was not heard in time; then `signal` is SIGKILL. */
  stop(seconds?: number): Promise<Ended>;
};

export function start(command: string, args: readonly string[], where: Where = {}): Daemon {
  const child = launch(command, args, where);
  const stdout = lines(child.stdout);
  const stderr = lines(child.stderr);
  let outcome: Ended | undefined;
  const ended = Promise.all([ending(child), stdout.closed, stderr.closed]).then(([end]) => {
    outcome = end;
    return end;
  });
  if (child.pid === undefined) throw new Error(`${command} could not be started`);
  return {
    pid: child.pid,
    stdout: stdout.all,
    stderr: stderr.all,
    ended,
    get outcome() {
      return outcome;
    },
    signal: (name) => child.kill(name),
    async stop(seconds = 10) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      const end = await ended;
      clearTimeout(timer);
      return end;
    },
  };
}

/** Asks again and again until there is an answer. The world outside has no virtual clock; the bound is generous. */
export async function until<T>(what: string, probe: () => Promise<T | undefined> | T | undefined, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function launch(command: string, args: readonly string[], { namespace, env }: Where): ChildProcess {
  const words = namespace === undefined ? [command, ...args] : ['ip', 'netns', 'exec', namespace, command, ...args];
  const [file = '', ...rest] = words;
  const child = spawn(file, rest, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.on('error', () => undefined); // it may end without reading
  return child;
}

async function ending(child: ChildProcess): Promise<Ended> {
  const [code, signal] = await once(child, 'exit');
  return { code, signal };
}

async function collect(stream: Readable | null): Promise<string> {
  let text = '';
  for await (const piece of stream?.setEncoding('utf8') ?? []) text += piece;
  return text;
}

function lines(stream: Readable | null): { readonly all: readonly string[]; readonly closed: Promise<void> } {
  const all: string[] = [];
  if (stream === null) return { all, closed: Promise.resolve() };
  const reader = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on('line', (line) => all.push(line));
  return { all, closed: once(reader, 'close').then(() => undefined) };
}
