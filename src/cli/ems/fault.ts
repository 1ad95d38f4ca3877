/** `postern ems fault`: what is to go wrong. */

import { nearest } from '../../config/index.ts';
import { FAULT_NAMES, FAULT_VALUES } from '../../lab/index.ts';
import { EXIT, say } from '../exit.ts';
import type { Verb } from '../verb.ts';
import { ask, STATE } from './ask.ts';

const OWN = ['clear', 'list'] as const;

export const fault: Verb = {
  name: 'fault',
  summary: 'make the EMS be down, slow, wrong, stale …; `fault clear` ends it',
  text: [
    'Makes something go wrong, at once and until it is cleared. One of a name replaces the one before; others stand beside it.',
    '',
    '  down                    the port is closed, connections are cut',
    '  flapping [UP:DOWN]      down and up in turns, milliseconds (1000:1000)',
    '  slow [MS]               every answer waits (1000)',
    '  status [N]              every call is answered with 401, 403, 429, 500 or 503 (500)',
    '  401, 500                the same as `status 401`, `status 500`',
    '  garbage [KIND]          json (default), types, records, truncated, huge',
    '  certificate [KIND]      wrong-ca (default), changed-key',
    '  stale [KIND]            frozen (default): nothing new is told; mute: calls for devices are never answered',
    '  no-websocket            changes are not pushed',
    '  clear [NAME]            ends one, or all',
    '  list                    shows what is on',
  ],
  words: ['NAME', '[VALUE]'],
  options: [STATE],
  run: (values, terminal) => {
    const [name, value] = [values.word('NAME') ?? '', values.word('VALUE')];
    const why = misfit(name, value);
    if (why !== undefined) {
      say(terminal.stderr, `postern ems fault: ${why}`, 'See `postern help ems fault`.');
      return Promise.resolve(EXIT.usage);
    }
    const told = (on: readonly string[]) => (on.length === 0 ? ['no faults'] : on);
    const common = { verb: 'fault', values, terminal };
    if (name === 'list') return ask({ ...common, name: 'fault-list', takes: {} }, told);
    if (name === 'clear') return ask({ ...common, name: 'fault-clear', takes: value === undefined ? {} : { name: value } }, told);
    return ask({ ...common, name: 'fault', takes: { name, ...(value === undefined ? {} : { value }) } }, told);
  },
};

/** What is wrong with the words, as far as it can be told with what was probably meant. */
function misfit(name: string, value: string | undefined): string | undefined {
  if (name === 'list') return value === undefined ? undefined : `'${value}' is one word too many`;
  if (name === 'clear') return value === undefined ? undefined : unknownFault(value, FAULT_NAMES);
  const unknown = unknownFault(name, [...FAULT_NAMES, '401', '500', ...OWN]);
  if (unknown !== undefined || value === undefined) return unknown;
  const choices = FAULT_NAMES.flatMap((n) => (n === name ? FAULT_VALUES[n] : [])).filter((choice) => /^[a-z]/.test(choice));
  const meant = choices.includes(value) ? undefined : nearest(value, choices);
  return meant === undefined ? undefined : `fault ${name} has no '${value}'; did you mean '${meant}'?`;
}

function unknownFault(word: string, names: readonly string[]): string | undefined {
  if (names.includes(word)) return undefined;
  const meant = nearest(word, names);
  return `there is no fault '${word}'${meant === undefined ? `: ${names.join(', ')}` : `; did you mean '${meant}'?`}`;
}
