/**
 * The identity round (RFC 3748 §5.1): asks who the client is. What it says is a claim; the method proves it or not.
 */
import { readName } from './users.ts';

/** The request has no text: nobody would see it. */
export const REQUEST = new Uint8Array(0);

/**
 * The identity in the data of a response. Android may send none at all and have the user name in IDi: then `fallback`
 * counts. A name that no user can have (too long, no UTF-8) becomes the empty one, which belongs to nobody.
 */
export function readIdentity(data: Uint8Array, fallback: string | undefined): string {
  return data.length === 0 ? (fallback ?? '') : (readName(data) ?? '');
}
