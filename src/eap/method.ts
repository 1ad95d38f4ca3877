/**
 * What an EAP method is to the machine in `index.ts`: it makes the data of its first request and answers each response.
 * Identifiers, Nak, Success and Failure are the machine's (RFC 3748 §4); a method never sees them.
 */
import type { Secret } from '../../crypto/secret.ts';
import type { EapUser, FindUser } from './users.ts';

/** What a method may use while it works on one response. */
export type Bench = {
  /** The identity that the client claimed. */
  readonly identity: string;
  readonly find: FindUser;
  /** That many random octets. */
  random(octets: number): Uint8Array;
};

export type MethodStep<S> =
  /** Ask on; what `user` did so far was right. */
  | { readonly kind: 'ask'; readonly state: S; readonly data: Uint8Array }
  /** Tell the client that it failed; whatever it answers, EAP-Failure follows (RFC 3748 §4.2). */
  | { readonly kind: 'reject'; readonly data: Uint8Array; readonly why: string }
  | { readonly kind: 'pass'; readonly user: EapUser; readonly msk: Secret | undefined }
  | { readonly kind: 'fail'; readonly why: string };
