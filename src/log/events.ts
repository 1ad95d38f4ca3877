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
      readonly tag?: string;
      readonly why: string;
    } & Subject)
  | ({ readonly kind: 'pool-empty'; readonly family: 4 | 6; readonly used: number } & Subject)
  | ({ readonly kind: 'moved'; readonly was: string } & Subject)
  | { readonly kind: 'fault'; readonly where: string; readonly stack: string };
