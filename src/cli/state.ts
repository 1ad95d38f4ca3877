/** The state directory: private, of one daemon at a time, which writes there who it is and where it listens. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, EnvironmentRefused, type Listener } from '../net/index.ts';

export type State = {
  /** Writes `daemon.json`, for scripts and for the next daemon. */
  listening(listening: readonly Listener[]): Promise<void>;
  /** Gives the directory free again. */
  release(): Promise<void>;
};

/**
 * Takes a state directory; it is made for this user alone when it is not there.
 *
 * @throws EnvironmentRefused when it cannot be written, or another daemon lives there
 */
export async function takeState(directory: string, isAlive: (pid: number) => boolean = alive): Promise<State> {
  const path = join(directory, 'daemon.json');
  const refuse = (error: unknown): never => {
    throw new EnvironmentRefused(
      codeOf(error),
      `Cannot use the state directory ${directory}: ${codeOf(error)}.`,
      'Name a directory that this user may write with --state DIR.',
    );
  };
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(refuse);
  const other = await ownerOf(path);
  if (other !== undefined && other !== process.pid && isAlive(other)) {
    throw new EnvironmentRefused(
      'EBUSY',
      `Another postern (process ${other}) uses the state directory ${directory}.`,
      `Stop it, or choose another directory with --state DIR. When process ${other} is something else, remove ${path}.`,
    );
  }
  const write = async (value: object) => {
    // In one step: a reader sees the old file or the new one.
    await writeFile(`${path}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  const started = new Date().toISOString();
  await write({ pid: process.pid, started }).catch(refuse);
  return {
    listening: (listening) =>
      write({ pid: process.pid, started, listening: listening.map(({ address, port, natt }) => ({ address, port, natt })) }),
    release: () => rm(path, { force: true }),
  };
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'));
    const pid = typeof found === 'object' && found !== null && 'pid' in found ? found.pid : undefined;
    return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // nobody was here, or nothing that we wrote
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM'; // somebody else's process is a process
  }
}
