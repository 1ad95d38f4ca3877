/** A token as the debug line may show it: its claims, and enough of a hash to tell two apart; nothing to be sent again. */
import { sha256 } from '../../crypto/index.ts';
import { hex, printable } from '../wire/index.ts';

const SHOWN = 512;

/** `{"endpoint":…} sha256 0123456789abcdef`. Never throws; nothing in it is verified. */
export function tokenText(octets: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(octets);
  const [, claims = ''] = text.split('.', 3);
  return `${printable(decoded(claims), SHOWN)} sha256 ${hex(sha256(octets).subarray(0, 8))}`;
}

function decoded(segment: string): string {
  try {
    const binary = atob(segment.replaceAll('-', '+').replaceAll('_', '/'));
    return new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
  } catch {
    return '(not base64url)';
  }
}
