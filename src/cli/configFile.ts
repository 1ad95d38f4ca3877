/** The configuration file: read, judged, and said in people's words. */
import { open } from 'node:fs/promises';
import { byPlace, type Config, type Finding, loadConfig, renderFindings } from '../config/index.ts';
import type { Reread } from '../daemon.ts';
import { isRuled } from '../esp/index.ts';
import { codeOf } from '../net/index.ts';

/** Larger than any real backup; a file beyond it is not one. */
const LARGEST = 32 * 1024 * 1024;

/** `text` is everything for people: each finding with its line, and the sum. */
type Judged = { readonly findings: readonly Finding[]; readonly text: string };
export type ConfigFile =
  | (Judged & {
      readonly kind: 'loaded';
      readonly config: Config;
      readonly source: string;
      readonly exposed: string | undefined;
    })
  | (Judged & { readonly kind: 'wrong' })
  | { readonly kind: 'unreadable'; readonly why: string };

/** Reads and loads a file. `exposed` says that others can read the secrets in it. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string;
  let mode: number;
  try {
    const handle = await open(path, 'r');
    try {
      const stat = await handle.stat();
      if (stat.size > LARGEST)
        return { kind: 'unreadable', why: `${path} is larger than ${LARGEST} octets: that is no configuration` };
      mode = stat.isFile() ? stat.mode : 0;
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { kind: 'unreadable', why: `cannot read ${path}: ${WORDS[codeOf(error)] ?? codeOf(error)}` };
  }
  const { config, findings: told } = loadConfig(text);
  const wrong = told.some((f) => f.level === 'error');
  // A block to paste may be without one, a file to run may not. Where something is wrong, there may be a gateway behind it.
  const more = wrong ? [] : config.profiles.length === 0 ? [NOTHING] : openProfiles(config);
  const findings = [...more, ...told].sort(byPlace);
  const judged = { findings, text: describe(findings, path, text) };
  if (wrong) return { kind: 'wrong', ...judged };
  return { kind: 'loaded', config, source: text, ...judged, exposed: exposure(path, mode, text) };
}

/** The same file again, for a daemon that runs; `adapt` does to it what was done to it at the start. */
export async function rereadConfigFile(path: string, adapt: (config: Config) => Config = (config) => config): Promise<Reread> {
  const file = await readConfigFile(path);
  if (file.kind === 'unreadable') return { kind: 'wrong', text: file.why };
  if (file.kind === 'wrong') return { kind: 'wrong', text: file.text };
  return { kind: 'loaded', config: adapt(file.config), source: file.source, text: file.text };
}

const NOTHING: Finding = {
  level: 'warning',
  line: 1,
  column: 1,
  word: '',
  code: 'missing',
  message:
    'nothing to serve: there is no phase1-interface of type dynamic with ike-version 2, so every client is refused; ' +
    "add one under 'config vpn ipsec phase1-interface'",
};

/** A gateway may be meant to have no policies; who pasted one without them ought to know. */
function openProfiles({ profiles, rules }: Config): readonly Finding[] {
  return profiles
    .filter(({ name }) => !isRuled(rules, name))
    .map(({ name, line }) => ({
      ...{ level: 'warning', line, column: 1, word: '', code: 'open' },
      message: `no firewall policy names phase1-interface '${name}': all that its clients send is let through, and all to them`,
    }));
}

function describe(findings: readonly Finding[], path: string, text: string): string {
  if (findings.length === 0) return `${path}: no findings`;
  const errors = findings.filter((f) => f.level === 'error').length;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  const sum = `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}`;
  return `${renderFindings(findings, path, text)}\n${path}: ${sum}`;
}

function exposure(path: string, mode: number, text: string): string | undefined {
  const others = mode & 0o077;
  if (others === 0 || !/^\s*set\s+(psksecret\S*|passwd|private-key|password)\s/m.test(text)) return undefined;
  const who = (mode & 0o007) === 0 ? 'its group' : 'everybody on this machine';
  return `${path} holds secrets and can be read by ${who} (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};
