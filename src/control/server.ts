/**
 * The daemon's end of the control socket: for its own user alone, a bounded number of clients at a time, none of which can hold
 * up another or the gateway.
 */
import { chmod, lstat, mkdtemp, rename, rm, rmdir } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Peer, PeerGone } from './peer.ts';
import { limits, pieces, type Reply, readAnswer, readRequest } from './protocol.ts';
import { ControlRefused, codeOf } from './refused.ts';

/** Whom a command speaks to. `out` and `ask` reject with PeerGone once nobody is there. */
export type Io = {
  /** Text as it shall stand there, line ends included; waits while the client is slow. */
  out(text: string): Promise<void>;
  /** A question for y or n. Without a terminal the answer is no, and that is said. */
  ask(question: string): Promise<boolean>;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
};

/** Does what the words say; gives the exit code. */
export type Commands = (words: readonly string[], io: Io) => Promise<number>;

export type ControlOptions = {
  readonly path: string;
  readonly commands: Commands;
  /** A command failed by our own fault. */
  readonly onFault: (error: unknown) => void;
  /** Clients at a time; 16 without it. */
  readonly connections?: number;
  /** ms that a client may take to send its request, or to read what it is sent; 30,000 without it. */
  readonly idle?: number;
  /** ms that a person may take to answer; 300,000 without it. */
  readonly patience?: number;
};

export type ControlServer = {
  /** Ends all conversations and removes the socket. Never rejects. */
  close(): Promise<void>;
};

const EXIT = { usage: 2, busy: 3, fault: 70 } as const;

/**
 * Listens on a socket that is ours alone. What a dead daemon left is replaced.
 *
 * @throws ControlRefused when a daemon is alive there, or the system does not allow it
 */
export async function serveControl(o: ControlOptions): Promise<ControlServer> {
  await makeRoom(o.path);
  const settled: Settled = { ...o, connections: o.connections ?? 16, idle: o.idle ?? 30_000, patience: o.patience ?? 300_000 };
  const peers = new Set<Peer>();
  const server = createServer((socket) => accept(socket, peers, settled));
  const place = await listen(server, o.path);
  return {
    async close() {
      server.close();
      for (const peer of peers) peer.destroy();
      if ((await inodeOf(o.path)) === place) await rm(o.path, { force: true }).catch(() => undefined);
    },
  };
}

type Settled = Required<ControlOptions>;

/** What sockaddr_un has room for on every system: a longer path could be bound under another name, but not connected to. */
const LONGEST = 103;

async function makeRoom(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST)
    throw new ControlRefused(
      'ENAMETOOLONG',
      `${path} is too long a path for a socket (${LONGEST} octets at most).`,
      'Name the state directory by a shorter path with --state DIR.',
    );
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket())
    throw new ControlRefused('EEXIST', `${path} is there and is no socket.`, 'Remove it, or choose another state directory.');
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve('alive'));
    socket.once('error', (error) => resolve(codeOf(error)));
    socket.on('close', () => undefined);
    socket.on('connect', () => socket.destroy());
  });
  if (answer === 'ECONNREFUSED' || answer === 'ENOENT') return; // nobody listens: its daemon is dead
  throw new ControlRefused(
    'EADDRINUSE',
    `Another postern listens on ${path}.`,
    'Stop it, or choose another directory with --state DIR.',
  );
}

/** Bound in a directory of our own, so that nobody can connect before its mode is right, then put in its place in one step. */
async function listen(server: Server, path: string): Promise<number | undefined> {
  let nest: string | undefined;
  try {
    nest = await mkdtemp(join(dirname(path), '.c'));
    const born = join(nest, 's');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(born, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', () => undefined); // accept failed: the next client may do better
    await chmod(born, 0o600);
    await rename(born, path);
    return await inodeOf(path);
  } catch (error) {
    server.close();
    throw new ControlRefused(
      codeOf(error),
      `Cannot listen on ${path}: ${codeOf(error)}.`,
      'Name a directory that this user may write with --state DIR.',
    );
  } finally {
    if (nest !== undefined) await rmdir(nest).catch(() => undefined);
  }
}

const inodeOf = async (path: string): Promise<number | undefined> => (await lstat(path).catch(() => undefined))?.ino;

function accept(socket: Socket, peers: Set<Peer>, o: Settled): void {
  const peer = new Peer(socket, limits.request);
  if (peers.size >= o.connections) {
    const busy = async () => {
      await peer.say({ out: `postern: ${o.connections} clients are being served already; try again\n` }, o.idle);
      await peer.say({ done: EXIT.busy }, o.idle);
    };
    void busy().then(
      () => peer.end(),
      () => undefined,
    );
    return;
  }
  peers.add(peer);
  void converse(peer, o).finally(() => {
    peers.delete(peer);
    peer.end();
  });
}

async function converse(peer: Peer, o: Settled): Promise<void> {
  try {
    const request = readRequest(await peer.line(o.idle));
    if (request === undefined) {
      await peer.say({ out: 'postern: that is no request\n' }, o.idle);
      return await peer.say({ done: EXIT.usage }, o.idle);
    }
    const code = await o.commands(request.words, ioOf(peer, request.terminal, o));
    await peer.say({ done: code }, o.idle);
  } catch (error) {
    if (error instanceof PeerGone) return;
    o.onFault(error);
    const tell = async () => {
      await peer.say({ out: 'postern: this command failed by a fault of its own; the journal has more\n' }, o.idle);
      await peer.say({ done: EXIT.fault }, o.idle);
    };
    await tell().catch(() => undefined);
  }
}

function ioOf(peer: Peer, terminal: boolean, { idle, patience }: Settled): Io {
  const say = (reply: Reply) => peer.say(reply, idle);
  return {
    signal: peer.signal,
    async out(text) {
      for (const piece of pieces(text)) await say({ out: piece });
    },
    async ask(question) {
      if (terminal) {
        await say({ ask: question.slice(0, limits.piece) });
        return readAnswer(await peer.line(patience));
      }
      await say({ out: `${question.slice(0, limits.piece)}n\nThe answer is no: there is no terminal to ask.\n` });
      return false;
    },
  };
}
