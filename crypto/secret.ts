// Secret: octets that cannot become text by accident. A log line, a template, JSON and the debugger see "[secret 32 octets]"
// or nothing.
import { timingSafeEqual } from 'node:crypto';

const utf8 = new TextEncoder();

export class Secret {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes ownership of `octets`: the caller neither keeps nor changes them. */
  static of(octets: Uint8Array): Secret {
    return new Secret(octets);
  }

  /** The UTF-8 octets of `text`: a pre-shared key or a password out of a configuration. */
  static utf8(text: string): Secret {
    return new Secret(utf8.encode(text));
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The octets themselves, not a copy. Every place that calls this is a place to audit. */
  expose(): Uint8Array {
    return this.#bytes;
  }

  /** Constant time for equal lengths; a different length is told at once. */
  equals(other: Secret | Uint8Array): boolean {
    return constantTimeEqual(this.#bytes, other instanceof Secret ? other.#bytes : other);
  }

  /** Overwrites the octets with zeros. */
  wipe(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return `[secret ${this.#bytes.length} octets]`;
  }

  toJSON(): string {
    return this.toString();
  }

  /** What node:util's inspect, and so console.log and assertion messages, print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** A secret in a template literal, in `+` or in a comparison is a mistake of the program. */
  [Symbol.toPrimitive](): never {
    throw new TypeError('a secret was used as text');
  }
}

/** True when both hold the same octets; the time depends on the lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
