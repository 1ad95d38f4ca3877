/**
 * Secrets of the command line: out of files and of the environment, never out of the words themselves. Words are shown to every
 * user of the machine by `ps`, and kept by the shell.
 */
import { open } from 'node:fs/promises';
import { Secret } from '../../../crypto/index.ts';
import { codeOf } from '../../net/index.ts';
import type { Values } from '../options.ts';

/** Longer files hold something else. */
const LARGEST = 1_048_576;

/** `--NAME-file FILE` or `--NAME-env VARIABLE`; undefined when neither is given, a text when it is wrong. */
export async function secretOf(
  values: Values,
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Secret | string | undefined> {
  const [file, variable] = [values.one(`${name}-file`), values.one(`${name}-env`)];
  if (file !== undefined && variable !== undefined) return `--${name}-file and --${name}-env exclude each other`;
  if (variable !== undefined) {
    const value = environment[variable];
    return value === undefined || value === '' ? `--${name}-env: there is no ${variable} in the environment` : Secret.utf8(value);
  }
  if (file === undefined) return undefined;
  const read = await textOf(file, `${name}-file`);
  if ('why' in read) return read.why;
  const text = read.text.replace(/\r?\n$/, '');
  return text === '' ? `--${name}-file ${file} is empty` : Secret.utf8(text);
}

/** A file that an option names. */
export async function textOf(file: string, flag: string): Promise<{ readonly text: string } | { readonly why: string }> {
  try {
    const handle = await open(file, 'r');
    try {
      if ((await handle.stat()).size > LARGEST) return { why: `--${flag} ${file} is larger than ${LARGEST} octets` };
      return { text: await handle.readFile('utf8') };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { why: `cannot read --${flag} ${file}: ${codeOf(error)}` };
  }
}
