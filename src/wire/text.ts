/**
 * Octets and text of peers made fit to be printed: no control character, no direction mark, no line end gets through, and no
 * length.
 */
import { hex } from './bytes.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PLAIN = /^[\x20-\x7e]*$/;
// control, format (direction marks, zero width), surrogates, private use, unassigned, line and paragraph separators
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * At most `max` characters of text, or of octets read as UTF-8 (octet by octet when they are not). What cannot be printed
 * stands as \xNN or \u{N}; what is cut off is announced by an ellipsis. Never throws.
 */
export function printable(value: Uint8Array | string, max: number): string {
  const text = typeof value === 'string' ? value.slice(0, max + 1) : decode(value, 4 * max + 4);
  const clean = PLAIN.test(text) ? text : text.replace(UNPRINTABLE, escaped);
  if (clean.length <= max) return clean;
  const end = max - 1;
  const splitsPair = /[\ud800-\udbff]/.test(clean.charAt(end - 1));
  return `${clean.slice(0, Math.max(0, splitsPair ? end - 1 : end))}…`;
}

/** text of the octets when all of it can be printed, else undefined */
export function plainText(octets: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(octets);
    return text.search(UNPRINTABLE) === -1 ? text : undefined;
  } catch {
    return undefined;
  }
}

/** hex digits of the first octets, at most `max` characters */
export function boundedHex(octets: Uint8Array, max: number): string {
  return 2 * octets.length <= max ? hex(octets) : `${hex(octets.subarray(0, (max - 1) >>> 1))}…`;
}

/** text of at most `most` octets, which may end inside a character when there are more */
function decode(octets: Uint8Array, most: number): string {
  const head = octets.length > most ? octets.subarray(0, wholeCharacters(octets, most)) : octets;
  try {
    return utf8.decode(head);
  } catch {
    let text = '';
    for (const octet of head) text += octet < 0x7f ? String.fromCharCode(octet) : `\\x${octet.toString(16)}`;
    return text;
  }
}

/** the last place at or before `at`, at most 3 octets back, where a UTF-8 character begins */
function wholeCharacters(octets: Uint8Array, at: number): number {
  for (let back = 0; back < 4; back++) if (((octets[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  return at;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
