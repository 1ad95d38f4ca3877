/**
 * Reason → what the peer is told, and whether the SA ends: the one table (RFC 7296 §2.21, §3.10.1). A reason that is
 * missing here does not compile.
 */
import type { Reason } from '../log/events.ts';
import { isErrorType, NO_OCTETS, type NotifyName, notify, type Payload } from '../wire/index.ts';

type Refusal = {
  /** The notify in the response; undefined where nothing is said. */
  readonly notify: NotifyName | undefined;
  /** In IKE_AUTH every refusal of the IKE SA is final; in an established SA only these are. */
  readonly endsEstablished: boolean;
};

export const refusals: { readonly [R in Reason]: Refusal } = {
  syntax: { notify: 'INVALID_SYNTAX', endsEstablished: true }, // §2.21.2: authenticated and malformed is fatal
  'unsupported-critical': { notify: 'UNSUPPORTED_CRITICAL_PAYLOAD', endsEstablished: false }, // §2.5
  'no-proposal': { notify: 'NO_PROPOSAL_CHOSEN', endsEstablished: false },
  'no-gateway': { notify: 'NO_PROPOSAL_CHOSEN', endsEstablished: false },
  'auth-failed': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'psk-mismatch': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'eap-failed': { notify: undefined, endsEstablished: true }, // the EAP-Failure says it (§2.16)
  'certificate-refused': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'identity-refused': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'posture-denied': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'unique-id': { notify: 'AUTHENTICATION_FAILED', endsEstablished: true },
  'peer-refused-us': { notify: undefined, endsEstablished: true },
  'peer-deleted': { notify: undefined, endsEstablished: true },
  'admin-deleted': { notify: undefined, endsEstablished: true },
  replaced: { notify: undefined, endsEstablished: true },
  rekeyed: { notify: undefined, endsEstablished: true },
  'negotiation-timeout': { notify: undefined, endsEstablished: true },
  'dead-peer': { notify: undefined, endsEstablished: true },
  lifetime: { notify: undefined, endsEstablished: true },
  shutdown: { notify: undefined, endsEstablished: true },
  fault: { notify: undefined, endsEstablished: true }, // what went wrong is ours to find out, and nothing to tell
};

/**
 * The notifies that say no.
 *
 * @param data of the notify itself, where it has some
 * @param failure the number of FortiClient's own notify for a failed tag check, when one is configured. One of an error type
 *   stands alone; a status type, which other clients would ignore, has AUTHENTICATION_FAILED behind it.
 */
export function refusalPayloads(reason: Reason, data: number | undefined, failure: number | undefined): readonly Payload[] {
  const { notify: name } = refusals[reason];
  const own: readonly Payload[] =
    reason === 'posture-denied' && failure !== undefined
      ? [{ kind: 'N', name: 'UNKNOWN', type: failure, protocol: 0, spi: NO_OCTETS, data: NO_OCTETS }]
      : [];
  if (name === undefined || (failure !== undefined && own.length > 0 && isErrorType(failure))) return own;
  // All of them but one have no data; the table of notifies says which.
  return [...own, name === 'UNSUPPORTED_CRITICAL_PAYLOAD' ? notify(name, data ?? 0) : notify(name as 'INVALID_SYNTAX')];
}
