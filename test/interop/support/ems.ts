/** The emulated EMS as its users run it: `postern ems run` beside the gateway, and the verbs that talk to it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Daemon, must, start, until } from './processes.ts';

export type Ems = {
  /** Its CA, PEM, for `set verifying-ca`. */
  readonly ca: string;
  /** Starts it; in a namespace it has that one's loopback. */
  run(namespace?: string): Promise<void>;
  /** `postern ems WORDS --state …` where it runs: its door for that is on loopback. Gives what it said. */
  do(...words: readonly string[]): Promise<string>;
  stop(): Promise<void>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
};

const command = fileURLToPath(new URL('../../../bin/postern.ts', import.meta.url));

/** Makes a state with a CA in it; the EMS does not run yet. */
export async function makeEms(): Promise<Ems> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-ems-'));
  const state = ['--state', join(folder, 'state')];
  let daemon: Daemon | undefined;
  let place: string | undefined;
  const run = async (namespace?: string) => {
    const args = [command, 'ems', 'run', '--auto-authorize', ...(namespace === undefined ? ['--port', '0'] : []), ...state];
    place = namespace;
    const started = start(process.execPath, args, { namespace });
    daemon = started;
    await until('the EMS is ready', () => {
      if (started.outcome) throw new Error(`the EMS ended:\n${[...started.stdout, ...started.stderr].join('\n')}`);
      return started.stdout.includes('postern ems: ready') || undefined;
    });
  };
  const stop = async () => {
    const end = await daemon?.stop();
    daemon = undefined;
    if (end !== undefined && end.code !== 0) throw new Error(`the EMS ended with ${end.code ?? end.signal}`);
  };
  await run();
  await stop();
  return {
    ca: await readFile(join(folder, 'state', 'ca.pem'), 'utf8'),
    run,
    do: (...words) => must(process.execPath, [command, 'ems', ...words, ...state], { namespace: place }),
    stop,
    async remove() {
      await daemon?.stop(); // where its namespace went first it was killed with it
      await rm(folder, { recursive: true, force: true });
    },
  };
}
