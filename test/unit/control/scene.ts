/** A control socket in a directory of its own, and raw clients that do what no honest one does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Commands,
  type ControlOptions,
  type ControlServer,
  connectControl,
  serveControl,
} from '../../../src/control/index.ts';

export type Scene = {
  readonly directory: string;
  readonly path: string;
  readonly faults: unknown[];
  serve(commands: Commands, o?: Partial<ControlOptions>): Promise<ControlServer>;
  /** What an honest client hears, and the exit code. */
  typed(
    words: readonly string[],
    person?: { readonly answer?: boolean },
  ): Promise<{ readonly code: number; readonly text: string }>;
  raw(): Promise<Raw>;
};
export type Raw = {
  readonly socket: Socket;
  /** All that came until the daemon closed. */
  readonly ended: Promise<string>;
  send(text: string): void;
};

/** Runs a test with a directory, and ends whatever was begun there. */
export function inScene(test: (scene: Scene) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ctl-'));
    const path = join(directory, 'control.sock');
    const servers: ControlServer[] = [];
    const sockets: Socket[] = [];
    const faults: unknown[] = [];
    try {
      await test({
        ...{ directory, path, faults },
        async serve(commands, o = {}) {
          const server = await serveControl({ path, commands, onFault: (error) => void faults.push(error), ...o });
          servers.push(server);
          return server;
        },
        async typed(words, person = {}) {
          const client = await connectControl(path);
          const heard: string[] = [];
          const code = await client.run(
            { words, terminal: person.answer !== undefined },
            {
              out: (text) => void heard.push(text),
              ask: (question) => {
                heard.push(question);
                return Promise.resolve(person.answer === true);
              },
            },
          );
          return { code, text: heard.join('') };
        },
        async raw() {
          const socket = connect(path);
          sockets.push(socket);
          const parts: string[] = [];
          const ended = new Promise<string>((resolve) => {
            socket.on('data', (part) => void parts.push(String(part)));
            socket.on('error', () => undefined);
            socket.on('close', () => resolve(parts.join('')));
          });
          await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
          return { socket, ended, send: (text) => void socket.write(text) };
        },
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) await server.close();
      await rm(directory, { recursive: true, force: true });
    }
  };
}
