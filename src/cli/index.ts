/** The one command a user types: `postern VERB [options]`. */
import { nearest } from '../config/index.ts';
import { EnvironmentRefused } from '../net/index.ts';
import { check } from './check.ts';
import { client } from './client.ts';
import { demo } from './demo.ts';
import { diagnose } from './diagnose.ts';
import { doctor } from './doctor.ts';
import { ems } from './ems.ts';
import { execute } from './execute.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import { get } from './get.ts';
import { helpOf, overview } from './help.ts';
import { lab } from './lab.ts';
import { readOptions } from './options.ts';
import { run } from './run.ts';
import type { Verb } from './verb.ts';
import { version } from './version.ts';

export { terminalOf } from './exit.ts';

const VERBS: readonly Verb[] = [run, check, doctor, lab, demo, client, ems, get, diagnose, execute];

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
  return word === 'help' ? help(rest, verbs, terminal) : await perform(words, verbs, terminal);
}

/** Finds the verb that these words lead to, from the outermost; `path` is as much of them as named verbs. */
function find(words: readonly string[], verbs: readonly Verb[], path: readonly string[] = []): Found {
  const [word, ...rest] = words;
  const here = ['postern', ...path].join(' ');
  if (word === undefined) return { why: `${here}: a word is missing: ${verbs.map((v) => v.name).join(', ')}`, path };
  const verb = verbs.find((v) => v.name === word);
  const at = [...path, word];
  if (verb === undefined) {
    const meant = nearest(word, [...verbs.map((v) => v.name), 'help']);
    return { why: `${here}: there is no '${word}'${meant === undefined ? '' : `; did you mean '${meant}'?`}`, path };
  }
  const { verbs: below } = verb;
  const asksHelp = rest[0] === undefined || rest[0] === '--help' || rest[0] === '-h';
  return below === undefined || asksHelp ? { verb, path: at, rest } : find(rest, below, at);
}

type Found =
  | { readonly verb: Verb; readonly path: readonly string[]; readonly rest: readonly string[] }
  | { readonly why: string; readonly path: readonly string[] };

function help(words: readonly string[], verbs: readonly Verb[], { stdout, stderr }: Terminal): number {
  const found = find(words, verbs);
  if ('why' in found) return refused(stderr, found.why, found.path);
  say(stdout, ...helpOf(found.verb, found.path.join(' ')));
  return EXIT.ok;
}

async function perform(words: readonly string[], verbs: readonly Verb[], terminal: Terminal): Promise<number> {
  const { stdout, stderr } = terminal;
  const found = find(words, verbs);
  if ('why' in found) return refused(stderr, found.why, found.path);
  const { verb, path, rest } = found;
  const name = path.join(' ');
  if (verb.verbs !== undefined && rest.length === 0) {
    say(stderr, ...helpOf(verb, name));
    return EXIT.usage;
  }
  const read = readOptions(rest, verb.options, verb.words);
  switch (read.kind) {
    case 'help':
      say(stdout, ...helpOf(verb, name));
      return EXIT.ok;
    case 'refused':
      return refused(stderr, `postern ${name}: ${read.why}`, path);
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

function refused(stderr: Terminal['stderr'], why: string, path: readonly string[]): number {
  say(stderr, why, `See \`postern ${['help', ...path].join(' ')}\`.`);
  return EXIT.usage;
}
