/**
 * Kinds of settings. One value of type Setting is everything about a word of the schema: how it is read, what is allowed, its
 * default, the type of its value, how it is printed and what it does here. Kinds with addresses and algorithms: settingNet.ts.
 */
import { Secret } from '../../crypto/index.ts';
import type { Word } from './lexer.ts';
import { nearest } from './nearest.ts';
import { printable } from './syntax.ts';

/** A value with its spelling in canonical words, or what is wrong; `at` is the index of the word at fault. */
export type Reading<V> = { readonly ok: true; readonly value: V; readonly canonical: readonly string[] } | Misfit;
export type Misfit = {
  readonly ok: false;
  readonly at: number;
  readonly message: string;
  readonly suggestion?: string;
  /** Of a list: its further words that do not fit. */
  readonly more?: readonly Misfit[];
};

export type Kind<V> = {
  /** For the reference: 'option', 'integer', … */
  readonly kind: string;
  /** What may be written, in words. */
  readonly allowed: string;
  readonly fallback: V;
  /** Canonical words of the default; none when it is empty. */
  readonly fallbackWords: readonly string[];
  readonly quoted: boolean;
  readonly secret: boolean;
  /** Takes a list: `append` works, and the order counts. */
  readonly many: boolean;
  /** @param words at least one */
  read(words: readonly Word[]): Reading<V>;
};

/**
 * served: does what FortiOS does · note: annotates, for people · inert: a real FortiOS setting that can do nothing here ·
 * later: not served yet. The last two are told when set to something else than the default.
 */
export type Status = 'served' | 'note' | 'inert' | 'later';
export type Setting<V> = Kind<V> & { readonly status: Status; readonly help: string };

export const served = <V>(kind: Kind<V>, help: string): Setting<V> => ({ ...kind, status: 'served', help });
export const note = <V>(kind: Kind<V>, help = 'for people'): Setting<V> => ({ ...kind, status: 'note', help });
export const inert = <V>(kind: Kind<V>, help: string): Setting<V> => ({ ...kind, status: 'inert', help });
export const later = <V>(kind: Kind<V>, help: string): Setting<V> => ({ ...kind, status: 'later', help });

/** What a secret setting holds. `encrypted` is FortiOS' `ENC …`, which only the FortiGate that wrote it can open. */
export type SecretValue<T> =
  | { readonly kind: 'none' }
  | { readonly kind: 'encrypted' }
  | { readonly kind: 'clear'; readonly value: T };

export const ok = <V>(value: V, ...canonical: readonly string[]): Reading<V> => ({ ok: true, value, canonical });

/** One of these words. */
export function option<const V extends string>(values: readonly V[], fallback: NoInfer<V>): Kind<V> {
  return single('option', oneOf(values), fallback, [fallback], false, (word) => readOption(word, values));
}

/** One of these words, or nothing. */
export function optional<const V extends string>(values: readonly V[]): Kind<V | undefined> {
  return single<V | undefined>('option', oneOf(values), undefined, [], false, (word) => readOption(word, values));
}

function readOption<V extends string>({ text }: Word, values: readonly V[]): Reading<V> {
  const value = values.find((v) => v === text);
  return value === undefined ? unfit(text, oneOf(values), values) : ok(value, value);
}

/** `enable` or `disable`, as a boolean. */
export function toggle(fallback: 'enable' | 'disable'): Kind<boolean> {
  const values = ['enable', 'disable'];
  return single('option', oneOf(values), fallback === 'enable', [fallback], false, ({ text }) =>
    values.includes(text) ? ok(text === 'enable', text) : unfit(text, oneOf(values), values),
  );
}

/** Several of these words, in order, each once. */
export function options<const V extends string>(values: readonly V[], fallback: readonly NoInfer<V>[] = []): Kind<readonly V[]> {
  const allowed = `one or more of ${values.join(', ')}`;
  return listOf('options', allowed, fallback, fallback, false, (word) => readOption(word, values));
}

/** @param also single values beyond the range that are allowed too */
export function integer(min: number, max: number, fallback: number, also: readonly number[] = []): Kind<number> {
  const allowed = `${also.map((n) => `${n}, or `).join('')}${min}-${max}`;
  return single('integer', allowed, fallback, [String(fallback)], false, ({ text }) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    const fits = (value >= min && value <= max) || also.includes(value);
    return fits ? ok(value, String(value)) : wrong(`${shown(text)} is not allowed: a number, ${allowed}`);
  });
}

/** A text, of several lines when it stands in quotes. */
export function text(max: number, fallback = ''): Kind<string> {
  return single('string', `text of at most ${max} characters`, fallback, fallback === '' ? [] : [fallback], true, (word) =>
    word.text.length > max ? wrong(`this text has ${word.text.length} characters, ${max} are allowed`) : ok(word.text, word.text),
  );
}

/** Names, each at most `max` long. `words` of the reading and of the text correspond one to one. */
export function names(max: number): Kind<readonly string[]> {
  return listOf('names', `names of at most ${max} characters`, [], [], true, (word) =>
    word.text.length > max ? wrong(`the name ${shown(word.text)} is longer than ${max} characters`) : ok(word.text, word.text),
  );
}

/** Texts, of several lines when they stand in quotes, each at most `max` long. */
export function texts(max: number): Kind<readonly string[]> {
  return listOf('texts', `texts of at most ${max} characters, each in quotes`, [], [], true, (word) =>
    word.text.length > max ? wrong(`a text has ${word.text.length} characters, ${max} are allowed`) : ok(word.text, word.text),
  );
}

/** Whatever is written: for settings that do nothing here. */
export const anything: Kind<readonly string[]> = listOf('any', 'not checked', [], [], false, ({ text }) => ok(text, text));

/** A number of seconds with optional milliseconds, `20` or `20.500`, as milliseconds. */
export function duration(maxSeconds: number, fallback: number): Kind<number> {
  const allowed = `seconds up to ${maxSeconds}, with three digits of milliseconds if needed: 20 or 20.500`;
  return single('duration', allowed, fallback * 1000, [String(fallback)], false, ({ text }) => {
    const parts = /^(\d{1,5})(?:\.(\d{3}))?$/.exec(text);
    const value = Number(parts?.[1] ?? 0) * 1000 + Number(parts?.[2] ?? 0);
    if (value < 1 || value > maxSeconds * 1000) return wrong(`${shown(text)} is not allowed: ${allowed}`);
    return ok(
      value,
      value % 1000 === 0 ? String(value / 1000) : `${Math.floor(value / 1000)}.${String(value % 1000).padStart(3, '0')}`,
    );
  });
}

/** A pre-shared key: text, or octets as `0x` and hexadecimal digits. */
export const psk: Kind<SecretValue<Secret>> = secret('text, or 0x and hexadecimal digits', (clear) =>
  /^0x([0-9a-f]{2})+$/i.test(clear)
    ? Secret.of(Uint8Array.from(clear.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
    : Secret.utf8(clear),
);

/** A password. */
export const password: Kind<SecretValue<Secret>> = secret('text', (clear) => Secret.utf8(clear));

/** A private key in PEM, or the words that open it. */
export const secretText: Kind<SecretValue<string>> = secret('text', (clear) => clear);

function secret<T>(allowed: string, make: (clear: string) => T): Kind<SecretValue<T>> {
  return {
    kind: 'secret',
    allowed: `${allowed}, in clear`,
    fallback: { kind: 'none' },
    fallbackWords: [],
    quoted: true,
    secret: true,
    many: false,
    read(words) {
      const [first, ...rest] = words;
      if (first === undefined || (words.length === 1 && first.text === '')) return ok({ kind: 'none' });
      if (first.text === 'ENC' && !first.quoted && rest.length > 0)
        return ok({ kind: 'encrypted' }, 'ENC', ...rest.map((w) => w.text));
      if (rest.length > 0) return { ok: false, at: 1, message: 'takes one value: a secret with blanks stands in quotes' };
      return ok({ kind: 'clear', value: make(first.text) }, first.text);
    },
  };
}

/** A kind that reads one word. */
export function single<V>(
  kind: string,
  allowed: string,
  fallback: V,
  fallbackWords: readonly string[],
  quoted: boolean,
  readOne: (word: Word) => Reading<V>,
): Kind<V> {
  return {
    ...{ kind, allowed, fallback, fallbackWords, quoted, secret: false, many: false },
    read(words) {
      const [first, extra] = words;
      if (first === undefined) return wrong('needs a value');
      if (extra === undefined) return readOne(first);
      const hint = extra.text.startsWith('#')
        ? ' (a comment stands on a line of its own)'
        : quoted
          ? ' (a text with blanks stands in quotes)'
          : '';
      return { ok: false, at: 1, message: `takes one value, and ${shown(extra.text)} is one too many${hint}` };
    },
  };
}

/** A kind that reads each word by itself. */
export function listOf<V>(
  kind: string,
  allowed: string,
  fallback: readonly V[],
  fallbackWords: readonly string[],
  quoted: boolean,
  readOne: (word: Word) => Reading<V>,
): Kind<readonly V[]> {
  return {
    ...{ kind, allowed, fallback, fallbackWords, quoted, secret: false, many: true },
    read(words) {
      const values = new Map<string, V>();
      const misfits: Misfit[] = [];
      for (const [at, word] of words.entries()) {
        const reading = readOne(word);
        if (!reading.ok) misfits.push({ ...reading, at });
        else if (!values.has(reading.canonical[0] ?? '')) values.set(reading.canonical[0] ?? '', reading.value);
      }
      const [first, ...more] = misfits;
      if (first !== undefined) return { ...first, more };
      return { ok: true, value: [...values.values()], canonical: [...values.keys()] };
    },
  };
}

export const wrong = (message: string, suggestion?: string): Misfit => ({
  ok: false,
  at: 0,
  message,
  ...(suggestion !== undefined && { suggestion }),
});

/** A word as it stands in a message. */
export const shown = (text: string): string => `'${printable(text)}'`;

export function unfit(text: string, allowed: string, values: Iterable<string>): Misfit {
  return wrong(`${shown(text)} is not allowed: ${allowed}`, nearest(text, values));
}

/** 'a, b or c'. */
export const oneOf = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
