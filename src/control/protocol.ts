/**
 * What goes over the control socket: one JSON object a line, UTF-8, one request a connection.
 *
 *   client  {"words":["execute","fctems","verify","ems137"],"terminal":true}
 *   daemon  {"out":"…"} any number of times, {"ask":"… (y/n)"} answered by the client's {"answer":"y"} or {"answer":"n"}
 *   daemon  {"done":0}, and the connection ends
 */

/** `terminal`: a person sits there who can answer questions. */
export type Request = { readonly words: readonly string[]; readonly terminal: boolean };
export type Answer = { readonly answer: 'y' | 'n' };
export type Reply = { readonly out: string } | { readonly ask: string } | { readonly done: number };

export const limits = {
  /** Octets of a line that a client may send, and words in it. */
  request: 65_536,
  words: 64,
  /** Octets of a line that a client reads, and characters of text in a line that we send. */
  reply: 1_048_576,
  piece: 16_384,
} as const;

/** Undefined for anything that is no request. */
export function readRequest(line: string): Request | undefined {
  const found = json(line);
  if (found === undefined || !Array.isArray(found['words']) || typeof found['terminal'] !== 'boolean') return undefined;
  const words: readonly unknown[] = found['words'];
  if (words.length > limits.words || !words.every((word) => typeof word === 'string')) return undefined;
  return { words, terminal: found['terminal'] };
}

/** Only a plain yes is one. */
export const readAnswer = (line: string): boolean => json(line)?.['answer'] === 'y';

export function readReply(line: string): Reply | undefined {
  const { out, ask, done } = json(line) ?? {};
  if (typeof out === 'string') return { out };
  if (typeof ask === 'string') return { ask };
  return typeof done === 'number' && Number.isInteger(done) && done >= 0 && done <= 255 ? { done } : undefined;
}

function json(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const found: unknown = JSON.parse(line);
    // Its members are looked at one by one.
    return typeof found === 'object' && found !== null ? (found as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** The text in parts of at most `limits.piece` characters, none of which ends inside a character. */
export function pieces(text: string): readonly string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + limits.piece, text.length);
    if (end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))) end -= 1;
    parts.push(text.slice(at, end));
    at = end;
  }
  return parts;
}
