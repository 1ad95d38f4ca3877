/**
 * Our gateway as its users run it: `postern run` in the gateway's namespace, with its debug stream, journal and capture.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectControl } from '../../../src/control/index.ts';
import { type Daemon, type Ended, start, until } from './processes.ts';

export type GatewayOptions = {
  readonly namespace: string;
  readonly config: string;
  readonly listen: readonly string[];
  readonly flags?: readonly string[];
  /** False: without a capture and its keys. */
  readonly captured?: boolean;
};
export type JournalLine = {
  readonly event?: string;
  readonly level: number | string;
  readonly msg?: string;
  readonly [key: string]: unknown;
};

export type Gateway = {
  /** The `ike` debug stream so far. */
  readonly debug: readonly string[];
  /** The journal so far. */
  journal(): readonly JournalLine[];
  /** Waits for a debug line. */
  says(pattern: RegExp, seconds?: number): Promise<string>;
  /** Waits for an event in the journal. */
  tells(event: string, with_?: Readonly<Record<string, unknown>>, seconds?: number): Promise<JournalLine>;
  /** SIGTERM; nothing else is done to it before it has ended. */
  stop(): Promise<Ended>;
  /** Another configuration in the place of its file, read by SIGHUP. */
  reconfigure(config: string): Promise<void>;
  /** `execute`, `diagnose`, `get` through its control socket, with a yes to every question. Gives what it said. */
  control(...words: readonly string[]): Promise<string>;
  /** Paths. */
  readonly config: string;
  readonly capture: string;
  readonly keys: string;
  /** Removes its folder. */
  remove(): Promise<void>;
  readonly process: Daemon;
};

const command = fileURLToPath(new URL('../../../bin/postern.ts', import.meta.url));

/** Starts the gateway and waits for `postern: ready`. */
export async function startGateway(o: GatewayOptions): Promise<Gateway> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-gateway-'));
  const at = (name: string) => join(folder, name);
  await writeFile(at('gateway.conf'), o.config, { mode: 0o600 });
  const args = [
    ...['run', '--config', at('gateway.conf'), ...o.listen.flatMap((address) => ['--listen', address]), '--state', at('state')],
    ...['--debug', 'ike', ...(o.flags ?? [])],
    ...(o.captured === false ? [] : ['--capture', at('ike.pcap'), '--capture-keys', at('keys')]),
  ];
  const daemon = start(process.execPath, [command, ...args], { namespace: o.namespace });
  try {
    await until('the gateway is ready', () => isReady(daemon), 30);
  } catch (error) {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
    throw new Error(`the gateway did not start:\n${[...daemon.stdout, ...daemon.stderr].join('\n')}`, { cause: error });
  }
  return {
    debug: daemon.stdout,
    journal: () => daemon.stderr.map(journalLine),
    says: (pattern, seconds) =>
      until(`the gateway says ${pattern}`, () => daemon.stdout.find((line) => pattern.test(line)), seconds),
    tells: (event, with_ = {}, seconds = 20) =>
      until(
        `the journal has ${event} ${JSON.stringify(with_)}`,
        () => daemon.stderr.map(journalLine).find(fits(event, with_)),
        seconds,
      ),
    stop: () => daemon.stop(),
    async reconfigure(config) {
      const taken = () => daemon.stderr.map(journalLine).filter(({ msg }) => msg === 'configuration read again').length;
      const before = taken();
      await writeFile(at('gateway.conf'), config, { mode: 0o600 });
      daemon.signal('SIGHUP');
      await until('the configuration is read again', () => taken() > before || undefined);
    },
    async control(...words) {
      const heard: string[] = [];
      const client = await connectControl(join(at('state'), 'control.sock'));
      await client.run({ words, terminal: true }, { out: (text) => void heard.push(text), ask: () => Promise.resolve(true) });
      return heard.join('');
    },
    config: at('gateway.conf'),
    capture: at('ike.pcap'),
    keys: at('keys'),
    remove: () => rm(folder, { recursive: true, force: true }),
    process: daemon,
  };
}

function isReady(daemon: Daemon): true | undefined {
  if (daemon.outcome) throw new Error(`it ended with ${daemon.outcome.code ?? daemon.outcome.signal}`);
  return daemon.stdout.includes('postern: ready') || undefined;
}

/** What is no JSON is a line too: Node's own complaint, which no test may overlook. */
function journalLine(line: string): JournalLine {
  try {
    return JSON.parse(line);
  } catch {
    return { event: 'not-json', level: 'error', msg: line };
  }
}

function fits(event: string, fields: Readonly<Record<string, unknown>>): (line: JournalLine) => boolean {
  return (line) => line.event === event && Object.entries(fields).every(([key, value]) => line[key] === value);
}
