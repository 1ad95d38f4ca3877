/** The client's end of the control socket. */
import { connect } from 'node:net';
import { Peer, PeerGone } from './peer.ts';
import { limits, type Request, readReply } from './protocol.ts';
import { ControlRefused, codeOf } from './refused.ts';

/** Who hears the daemon's words and answers its questions. */
export type Person = { out(text: string): void; ask(question: string): Promise<boolean> };

export type ControlClient = {
  /** Has the daemon do what the words say; gives its exit code. Once only. Rejects with ControlRefused when it goes away. */
  run(request: Request, person: Person): Promise<number>;
};

/** Connects to a daemon. Rejects with ControlRefused when there is none. */
export async function connectControl(path: string): Promise<ControlClient> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => reject(refusal(path, codeOf(error))));
  });
  const peer = new Peer(socket, limits.reply);
  return {
    async run({ words, terminal }, person) {
      try {
        await peer.say({ words, terminal });
        while (true) {
          const reply = readReply(await peer.line());
          if (reply === undefined) throw new PeerGone('it says what no postern says');
          if ('done' in reply) return reply.done;
          if ('out' in reply) person.out(reply.out);
          else await peer.say({ answer: (await person.ask(reply.ask)) ? 'y' : 'n' });
        }
      } catch (error) {
        if (!(error instanceof PeerGone)) throw error;
        throw new ControlRefused('EPIPE', `The daemon has not finished: ${error.message}.`, 'See its journal.');
      } finally {
        peer.end();
      }
    },
  };
}

function refusal(path: string, code: string): ControlRefused {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new ControlRefused(
        code,
        `No postern listens on ${path}.`,
        'Start one with `postern lab` or `postern run --state DIR`, and name the same directory here with --state DIR.',
      );
    case 'EACCES':
    case 'EPERM':
      return new ControlRefused(code, `This user may not speak to ${path}.`, 'Be the user that runs postern, or root.');
    default:
      return new ControlRefused(code, `Cannot connect to ${path}: ${code}.`, 'Name the state directory with --state DIR.');
  }
}
