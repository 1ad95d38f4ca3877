/**
 * Who may log in, as the EAP server sees it: a lookup by name that its caller supplies. A RADIUS server will be a question
 * to the world outside and not an import here.
 */
import type { Secret } from '../../crypto/secret.ts';

export type EapUser = { readonly name: string; readonly password: Secret; readonly group: string };
export type FindUser = (name: string) => EapUser | undefined;

/** RFC 2759 §4: names have at most 256 characters, here octets. */
export const MAX_NAME = 256;

/** The name in these octets, or nothing when they are too many or no UTF-8: such a name belongs to nobody. */
export function readName(octets: Uint8Array): string | undefined {
  if (octets.length > MAX_NAME) return undefined;
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}

/**
 * The user of this name: as it stands, else without its Windows domain. A user whose password is empty does not exist:
 * an empty password is known to everybody.
 */
export function lookUp(find: FindUser, name: string): EapUser | undefined {
  const user = find(name) ?? find(withoutDomain(name));
  return user !== undefined && user.password.length > 0 ? user : undefined;
}

/** `BIGCO\johndoe` → `johndoe` (RFC 2759 §4). */
export const withoutDomain = (name: string): string => name.slice(name.lastIndexOf('\\') + 1);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
