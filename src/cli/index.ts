/** The one command a user types: `postern VERB [options]`. */
import { EnvironmentRefused } from '../net/index.ts';
import { check } from './check.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import { helpOf, overview } from './help.ts';
import { lab } from './lab.ts';
import { nearest } from './nearest.ts';
import { readOptions } from './options.ts';
import { run } from './run.ts';
import type { Verb } from './verb.ts';
import { version } from './version.ts';

export { terminalOf } from './exit.ts';

const VERBS: readonly Verb[] = [run, check, lab];

/** Runs the command; gives the exit code and never throws for what a user or a machine can do. */
export async function main(words: readonly string[], terminal: Terminal, verbs: readonly Verb[] = VERBS): Promise<number> {
  const [word, ...rest] = words;
  const { stdout, stderr } = terminal;
  if (word === undefined || word === '--help' || word === '-h') {
    say(word === undefined ? stderr : stdout, ...overview(verbs));
    return word === undefined ? EXIT.usage : EXIT.ok;
  }
  if (word === '--version' || word === '-v') {
    say(stdout, `postern ${version()} (Node ${process.versions.node}, OpenSSL ${process.versions.openssl})`);
    return EXIT.ok;
  }
  const wanted = word === 'help' ? rest[0] : word;
  if (wanted === undefined) {
    say(stdout, ...overview(verbs));
    return EXIT.ok;
  }
  const verb = verbs.find((v) => v.name === wanted);
  if (verb === undefined) {
    const meant = nearest(wanted, [...verbs.map((v) => v.name), 'help']);
    say(
      stderr,
      `postern: there is no '${wanted}'${meant === undefined ? '' : `; did you mean '${meant}'?`}`,
      'See `postern help`.',
    );
    return EXIT.usage;
  }
  const read = word === 'help' ? ({ kind: 'help' } as const) : readOptions(rest, verb.options);
  switch (read.kind) {
    case 'help':
      say(stdout, ...helpOf(verb));
      return EXIT.ok;
    case 'refused':
      say(stderr, `postern ${verb.name}: ${read.why}`, `See \`postern help ${verb.name}\`.`);
      return EXIT.usage;
    case 'values':
      try {
        return await verb.run(read.values, terminal);
      } catch (error) {
        if (!(error instanceof EnvironmentRefused)) throw error;
        say(stderr, `postern: ${error.message}`, error.fix);
        return EXIT.environment;
      }
  }
}
