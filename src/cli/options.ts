/** The command line of one verb, read against its table: unknown flags are refused with what was probably meant. */
import { parseArgs } from 'node:util';
import { nearest } from '../config/index.ts';

export type Option = {
  readonly name: string;
  /** The name of its value in the help ('FILE'); without one it is a switch. */
  readonly value?: string;
  readonly many?: true;
  readonly required?: true;
  /** The only values it takes. */
  readonly choices?: readonly string[];
  readonly help: string;
};

/** The values that were given, by name; a switch that is on has the value ''. */
export type Values = {
  one(name: string): string | undefined;
  all(name: string): readonly string[];
  /** The word that stands for 'UID' in the verb's `words`. */
  word(name: string): string | undefined;
  /** All words besides options, in their order. */
  readonly words: readonly string[];
};
export type Read =
  | { readonly kind: 'values'; readonly values: Values }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly why: string };

/** Reads the words after the verb. `positions`: its own words, as in `Verb.words`. */
export function readOptions(words: readonly string[], table: readonly Option[], positions: readonly string[] = []): Read {
  const options = Object.fromEntries(
    [...table, HELP].map((o) => [o.name, { type: o.value === undefined ? 'boolean' : 'string' } as const]),
  );
  const { tokens } = parseArgs({
    args: [...words],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const own = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (token.name === 'help') return { kind: 'help' };
    const option = table.find((o) => o.name === token.name);
    if (option === undefined) return refused(unknown(token.rawName, table));
    const why = misfit(option, token.value, token.inlineValue === true);
    if (why !== undefined) return refused(why);
    const values = given.get(option.name) ?? [];
    given.set(option.name, values);
    values.push(token.value ?? '');
    if (values.length > 1 && option.many === undefined) return refused(`--${option.name} is given twice`);
  }
  for (const { name, value, required } of table) {
    if (required === true && !given.has(name)) return refused(`--${name} ${value ?? ''} is missing`);
  }
  const why = misplaced(own, positions);
  if (why !== undefined) return refused(why);
  const word = (name: string) => own[positions.findIndex((p) => p === name || p === `[${name}]`)];
  const [one, all] = [(name: string) => given.get(name)?.[0], (name: string) => given.get(name) ?? []];
  return { kind: 'values', values: { one, all, word, words: own } };
}

/** A port number; 0 lets the kernel choose. Undefined when it was not given, a text when it is no port. */
export function portOf(values: Values, name: string): { readonly port: number | undefined } | { readonly why: string } {
  const text = values.one(name);
  if (text === undefined) return { port: undefined };
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65535 ? { port } : { why: `--${name} takes a port number, 0 to 65535, not '${text}'` };
}

/** The ports of `--ike-port` and `--natt-port`, as `portOf` has them; or why one is none. */
export function portsOf(
  values: Values,
): { readonly ike: number | undefined; readonly natt: number | undefined } | { readonly why: string } {
  const [ike, natt] = [portOf(values, 'ike-port'), portOf(values, 'natt-port')];
  if ('why' in ike) return ike;
  return 'why' in natt ? natt : { ike: ike.port, natt: natt.port };
}

/** Where a gateway listens. */
export const LISTEN: readonly Option[] = [
  { name: 'listen', value: 'ADDR', many: true, help: 'a local address, IPv4 or IPv6; without it all of them' },
  { name: 'ike-port', value: 'N', help: 'UDP port for IKE (500, or what the file says)' },
  { name: 'natt-port', value: 'N', help: 'UDP port for NAT traversal (4500, or what the file says)' },
];

const HELP: Option = { name: 'help', help: 'this text' };

/** Why a value does not fit its option; undefined when it does. */
function misfit({ name, value: wants, choices }: Option, value: string | undefined, inline: boolean): string | undefined {
  if (wants === undefined) return value === undefined ? undefined : `--${name} takes no value`;
  // A flag where a value should be: somebody forgot the value. `--name=-x` says that it is meant.
  if (value === undefined || value === '' || (value.startsWith('-') && !inline))
    return `--${name} needs a value: --${name} ${wants}`;
  if (choices === undefined || choices.includes(value)) return undefined;
  return `--${name} knows ${choices.map((c) => `'${c}'`).join(', ')}, not '${value}'`;
}

/** Too many words, or too few; undefined when they fit. */
function misplaced(words: readonly string[], positions: readonly string[]): string | undefined {
  const [surplus, missing] = [words[positions.length], positions[words.length]];
  if (surplus !== undefined && positions.at(-1)?.includes('…') !== true) return `'${surplus}' is one word too many`;
  return missing === undefined || missing.startsWith('[') ? undefined : `${missing} is missing`;
}

function unknown(flag: string, table: readonly Option[]): string {
  const meant = nearest(flag.replace(/^-+/, ''), [...table.map((o) => o.name), 'help']);
  return `unknown option ${flag}${meant === undefined ? '' : `; did you mean --${meant}?`}`;
}

const refused = (why: string): Read => ({ kind: 'refused', why });
