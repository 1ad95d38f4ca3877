/** Packets of applications through a tunnel: the echo behind the gateway, and who speaks to it (`echo.ts`). */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { addresses } from './namespaces.ts';
import { type Daemon, type Result, run, start, until } from './processes.ts';
import type { Scene } from './scene.ts';

const program = fileURLToPath(new URL('./echo.ts', import.meta.url));

/** Starts an echo on an address of a namespace, and waits until it serves. */
export async function serveEcho(namespace: string, address: string): Promise<Daemon> {
  const echo = start(process.execPath, [program, 'serve', address], { namespace });
  await until('the echo is ready', () => echo.stdout.includes('ready') || undefined);
  return echo;
}

/** The echo behind the gateway, on an address of the inside, as long as the group's tests run. */
export function echo(play: Scene, address: string = addresses.lan): void {
  let server: Daemon | undefined;
  beforeAll(async () => {
    server = await serveEcho(play.net.gateway, address);
  });
  afterAll(async () => {
    await server?.stop();
  });
}

/** Runs a role of the echo's other end in a namespace, from `own` to `to`. */
export const speak = (namespace: string, role: string, to: string, own: string, ...more: readonly string[]): Promise<Result> =>
  run(process.execPath, [program, role, to, own, ...more], { namespace, seconds: 60 });

/** What it says in the end. */
export const spoken = async (...words: Parameters<typeof speak>): Promise<string> => (await speak(...words)).stdout.trim();
