/** `postern help`, made from the verbs' own tables. */
import { EXIT_FAULT } from '../daemon.ts';
import { EXIT } from './exit.ts';
import type { Option } from './options.ts';
import type { Verb } from './verb.ts';

/** The overview. */
export function overview(verbs: readonly Verb[]): readonly string[] {
  const width = Math.max(...verbs.map((v) => v.name.length), 'help [VERB]'.length);
  return [
    'postern: an IKEv2 dial-up VPN gateway with FortiGate configuration and behaviour',
    '',
    'Usage: postern VERB [options]',
    '',
    ...verbs.map((v) => `  ${v.name.padEnd(width)}  ${v.summary}`),
    `  ${'help [VERB]'.padEnd(width)}  this text, or the options of a verb`,
    `  ${'--version'.padEnd(width)}  the version of Postern and of Node`,
    '',
    `Exit codes: ${EXIT.ok} done, or yes; ${EXIT.demo} no; ${EXIT.usage} the configuration or the command line is wrong;`,
    `${EXIT.environment} the machine does not allow it (a port is taken, a right is missing, Node is too old);`,
    `${EXIT.refused} the gateway refused a client, ${EXIT.silent} it did not answer; ${EXIT_FAULT} a fault of Postern itself.`,
  ];
}

/** The help of one verb; `path` is how it is called: 'ems endpoint add'. */
export function helpOf(verb: Verb, path: string = verb.name): readonly string[] {
  const { verbs = [], words = [] } = verb;
  const width = Math.max(0, ...verb.options.map((o) => flag(o).length), ...verbs.map((v) => v.name.length));
  return [
    `Usage: postern ${[path, ...(verbs.length > 0 ? ['VERB'] : []), ...words, ...verb.options.map(usage)].join(' ')}`,
    '',
    ...verb.text,
    ...(verbs.length === 0 ? [] : ['']),
    ...verbs.map((v) => `  ${v.name.padEnd(width)}  ${v.summary}`),
    ...(verb.options.length === 0 ? [] : ['']),
    ...verb.options.map((o) => `  ${flag(o).padEnd(width)}  ${o.help}`),
  ];
}

const flag = (o: Option): string => `--${o.name}${o.value === undefined ? '' : ` ${o.value}`}`;
const usage = (o: Option): string => (o.required === true ? flag(o) : `[${flag(o)}${o.many === true ? ' …' : ''}]`);
