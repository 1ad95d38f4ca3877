/**
 * What happened, for operators and machines: a closed union with printable values only. A key, a password or a token has
 * no field to stand in. The journal writes these as JSON; counters listen to the same.
 */

/** Who an event is about: what is known of the peer when it happens. */
export type Subject = {
  /** The gateway's instance (`NAME_0`), or its profile before one exists. */
  readonly gateway: string;
  /** The number of the IKE SA in the debug lines. */
  readonly sa: number;
  readonly remote: string;
  readonly local: string;
  readonly peerId?: string;
  readonly user?: string;
  readonly group?: string;
  readonly fctUid?: string;
  readonly assigned?: string;
};

/** Why an IKE SA ended or an exchange was refused: one code per terminal state. */
export type Reason =
  | 'syntax'
  | 'unsupported-critical'
  | 'no-proposal'
  | 'no-gateway'
  | 'auth-failed'
  | 'psk-mismatch'
  | 'eap-failed'
  | 'certificate-refused'
  | 'identity-refused'
  | 'posture-denied'
  | 'unique-id'
  | 'peer-refused-us'
  | 'peer-deleted'
  | 'admin-deleted'
  | 'replaced'
  | 'rekeyed'
  | 'negotiation-timeout'
  | 'dead-peer'
  | 'lifetime'
  | 'shutdown'
  | 'fault';

export type Event =
  | {
      readonly kind: 'init-refused';
      readonly remote: string;
      readonly local: string;
      readonly reason: Reason;
      readonly why: string;
    }
  | ({ readonly kind: 'negotiation-failed'; readonly reason: Reason; readonly why: string } & Subject)
  | ({ readonly kind: 'established'; readonly suite: string; readonly method: string } & Subject)
  | ({ readonly kind: 'closed'; readonly reason: Reason; readonly why: string; readonly seconds: number } & Subject)
  | ({ readonly kind: 'child-up'; readonly spi: string; readonly suite: string; readonly phase2: string } & Subject)
  | ({ readonly kind: 'child-refused'; readonly notify: string; readonly why: string } & Subject)
  | ({ readonly kind: 'child-down'; readonly spi: string; readonly reason: string } & Subject)
  | ({ readonly kind: 'ike-rekeyed'; readonly by: 'peer' | 'us'; readonly suite: string } & Subject)
  | ({ readonly kind: 'child-rekeyed'; readonly by: 'peer' | 'us'; readonly spi: string } & Subject)
  | ({
      readonly kind: 'posture';
      readonly verdict: 'clear' | 'probation' | 'deny';
      readonly source: string;
      /** Which line of the decision table it was. */
      readonly rule: string;
      readonly why: string;
      /** How the device was looked for, who was asked and how old each answer was, what the token was that it presented. */
      readonly device: string;
      readonly asked: string;
      readonly presented: string;
      readonly wanted: string;
      readonly held: string;
      /** What could not be checked, and what was let pass with a warning. */
      readonly unchecked?: string;
      readonly tag?: string;
      /** Until when it holds, seconds since 1970. */
      readonly until?: number;
    } & Subject)
  | ({ readonly kind: 'posture-warning'; readonly why: string; readonly seconds: number } & Subject)
  | ({ readonly kind: 'posture-restrained'; readonly action: string; readonly why: string } & Subject)
  | ({ readonly kind: 'token-number'; readonly number: number } & Subject)
  | ({ readonly kind: 'pool-empty'; readonly family: 4 | 6; readonly used: number } & Subject)
  | ({ readonly kind: 'moved'; readonly was: string } & Subject)
  | {
      readonly kind: 'ems-state';
      readonly ems: number;
      readonly name: string;
      readonly server: string;
      readonly state: string;
      readonly why: string;
      /** What the operator can do; '' when nothing is wrong. */
      readonly fix: string;
    }
  | { readonly kind: 'fault'; readonly where: string; readonly stack: string };
