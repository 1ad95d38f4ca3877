/** FortiOS' words: passed on to the daemon of a state directory, which knows them; what it says goes to the terminal. */
import { join } from 'node:path';
import { ControlRefused, commandList, connectControl } from '../control/index.ts';
import { EnvironmentRefused } from '../net/index.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import type { Verb } from './verb.ts';

/** Where `postern lab` lives, and the socket of whatever daemon lives in a state directory. */
const STATE = '.state';
export const controlSocket = (state: string): string => join(state, 'control.sock');

/** A verb whose words are the daemon's business. */
export function fortiVerb(name: string, summary: string, text: readonly string[]): Verb {
  const commands = commandList(name);
  return {
    name,
    summary,
    text: [...text, '', ...commands, '', 'A word may be shortened as long as only one fits. Exit code 0 done or yes, 1 no.'],
    options: [{ name: 'state', value: 'DIR', help: `the state directory of the daemon (./${STATE})` }],
    words: ['WORD …'],
    async run(values, terminal) {
      const state = values.one('state') ?? STATE;
      return await throughControl(controlSocket(state), [name, ...values.words], terminal);
    },
  };
}

async function throughControl(path: string, words: readonly string[], { stdout, stderr, ask }: Terminal): Promise<number> {
  try {
    const daemon = await connectControl(path);
    return await daemon.run(
      { words, terminal: ask !== undefined },
      { out: (text) => void stdout.write(text), ask: async (question) => (ask === undefined ? false : await ask(question)) },
    );
  } catch (error) {
    if (!(error instanceof ControlRefused)) throw error;
    if (error.code !== 'EPIPE') throw new EnvironmentRefused(error.code, error.message, error.fix);
    say(stderr, `postern: ${error.message}`, error.fix);
    return EXIT.environment;
  }
}
