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
    const told = (on: readonly string[]) => (on.length === 0 ? ['no faults'] : on);
    const common = { verb: 'fault', values, terminal };
    const refuse = (why: string) => {
      say(terminal.stderr, `postern ems fault: ${why}`, 'See `postern help ems fault`.');
      return Promise.resolve(EXIT.usage);
    };
    const names = [...FAULT_NAMES, '401', '500'];
    const which = name === 'clear' ? (value ?? FAULT_NAMES[0]) : name;
    if (name === 'list')
      return value === undefined
        ? ask({ ...common, name: 'fault-list', takes: {} }, told)
        : refuse(`'${value}' is one word too many`);
    if (!names.some((n) => n === which)) {
      const meant = nearest(which, name === 'clear' ? FAULT_NAMES : [...names, ...OWN]);
      return refuse(
        `there is no fault '${which}'${meant === undefined ? `: ${[...FAULT_NAMES, ...OWN].join(', ')}` : `; did you mean '${meant}'?`}`,
      );
    }
    if (name === 'clear') return ask({ ...common, name: 'fault-clear', takes: value === undefined ? {} : { name: value } }, told);
    const choices = FAULT_NAMES.flatMap((n) => (n === name ? FAULT_VALUES[n] : []));
    const meant = value === undefined || choices.includes(value) ? undefined : nearest(value, choices);
    if (meant !== undefined && /^[a-z]/.test(meant)) return refuse(`fault ${name} has no '${value}'; did you mean '${meant}'?`);
    return ask({ ...common, name: 'fault', takes: { name, ...(value === undefined ? {} : { value }) } }, told);
  },
};
