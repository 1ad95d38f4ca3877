/**
 * What a debug line is made of. A Phrase is made here and in this folder only; the template tag takes strings and
 * numbers, so that a key, a password or a token object does not fit into one.
 */

declare const made: unique symbol;
/** One line of the ike debug stream, without its prefix. */
export type Phrase = { readonly text: string; readonly [made]: true };

/** Where a line belongs: what stands in its prefix (`ike V=root:0:NAME:ID:`). */
export type Scope =
  | { readonly kind: 'daemon' }
  | { readonly kind: 'spi'; readonly SPIi: string; readonly SPIr: string; readonly id: number }
  | {
      readonly kind: 'gateway';
      readonly name: string;
      readonly id?: number;
      readonly child?: number;
      readonly phase2?: string;
      /** The `ike 0:NAME:ID:` form of lines that carry packets or key material. */
      readonly raw?: boolean;
    }
  | { readonly kind: 'error'; readonly name?: string };

/** The one maker of phrases. */
export function line(parts: TemplateStringsArray, ...values: readonly (string | number)[]): Phrase {
  let text = parts[0] ?? '';
  for (const [i, value] of values.entries()) text += String(value) + (parts[i + 1] ?? '');
  return { text } as Phrase; // the brand exists for the compiler alone
}
