/**
 * Reading JSON that somebody else made: each field has its type and its bound, and whatever does not fit makes the whole answer
 * incompatible. Unknown members are ignored.
 */
import { isIP, isIPv6 } from 'node:net';
import { EmsCallFailed } from './driver.ts';

/** Controls, and what turns the direction of a line or hides in it: these texts are shown on terminals. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export const printable = (text: string): string => text.replace(UNPRINTABLE, ' ');

type Json = Readonly<Record<string, unknown>>;

export const wrong = (where: string, what: string): EmsCallFailed =>
  new EmsCallFailed('incompatible', `${where}: ${what} is missing or of the wrong type`);

export function objectOf(value: unknown, where: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'an object');
  return value as Json; // what it holds is read field by field
}

/** Fields of one object, by name. */
export class Fields {
  readonly #json: Json;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    this.#json = objectOf(value, where);
    this.#where = where;
  }

  text(name: string, most: number): string {
    const value = this.#json[name];
    if (typeof value !== 'string' || value.length > most) throw wrong(this.#where, name);
    return printable(value);
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.#json[name];
    if (typeof value !== 'string' || !pattern.test(value)) throw wrong(this.#where, name);
    return value;
  }

  truth(name: string): boolean {
    const value = this.#json[name];
    if (typeof value !== 'boolean') throw wrong(this.#where, name);
    return value;
  }

  integer(name: string): number {
    const value = this.#json[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(this.#where, name);
    return value;
  }

  list<T>(name: string, most: number, read: (value: unknown) => T): readonly T[] {
    const value = this.#json[name];
    if (!Array.isArray(value) || value.length > most) throw wrong(this.#where, name);
    return value.map((one: unknown) => read(one));
  }

  /** Texts that are not read further: UIDs, MAC addresses, capabilities. */
  texts(name: string, count: number, most: number): readonly string[] {
    return this.list(name, count, (value) => {
      if (typeof value !== 'string' || value.length > most) throw wrong(this.#where, name);
      return printable(value);
    });
  }

  /** IP addresses in the one spelling by which they are compared (RFC 5952). */
  addresses(name: string, count: number): readonly string[] {
    return this.texts(name, count, 45).map((text) => {
      if (isIP(text) === 0 || text.includes('%')) throw wrong(this.#where, name); // a zone is nobody else's business
      return plainAddress(text);
    });
  }

  raw(name: string): unknown {
    return this.#json[name];
  }
}

/** RFC 5952 text of an address; dotted decimal stays as it is. */
export function plainAddress(text: string): string {
  return isIPv6(text) && !text.includes('%') ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text;
}

/** Serial numbers compare without leading zeros, colons and case. */
export const plainSerial = (text: string): string => text.toUpperCase().replaceAll(':', '').replace(/^0+/, '');
