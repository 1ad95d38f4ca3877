/**
 * The IKE SA as a union on `at`: each member holds only what exists then (RFC 7296 §1.2, §2.16). Handlers take a member
 * and give the next; the engine alone puts it in place.
 *
 *             IKE_SA_INIT            IKE_AUTH {IDi, SA, TS; no AUTH}          EAP success
 *  (nothing) ───────────► half-open ───────────────────────► eap ──► eap ──► eap-proven
 *                             │                                                   │ IKE_AUTH {AUTH}
 *                             │ IKE_AUTH {IDi, AUTH, SA, TS}                      ▼
 *                             ├── certificate ──► at-certificate ──path good──► at-gate ──deny──► closed
 *                             └── PSK ───────────────────────────────────────►    │ clear / probation
 *      closed ◄── delete, dead peer, rekeyed, lease over, fault ──────────── established
 */
import type { Certificate, Cipher, Prf, Secret } from '../../crypto/index.ts';
import type { Phase2, Profile } from '../config/index.ts';
import type { EapSession } from '../eap/index.ts';
import type { Reason } from '../log/events.ts';
import type { Clearance, Probation, Verdict } from '../posture/index.ts';
import type { ClientClaims, IkeSpi, Proposal, TrafficSelector } from '../wire/index.ts';
import type { Claimed } from './claimed.ts';
import type { KeyRing } from './keys.ts';
import type { Lease } from './leases.ts';

/** Milliseconds on a clock that never goes back. */
export type Instant = number;
/** A UDP address in text and its port. */
export type Endpoint = { readonly address: string; readonly port: number };
export type Path = { readonly local: Endpoint; readonly remote: Endpoint; readonly natt: boolean };

/** The algorithms of one IKE SA; one object a combination, shared by all SAs that chose it. */
export type Suite = { readonly cipher: Cipher; readonly prf: Prf; readonly group: number; readonly text: string };

/** What IKE_SA_INIT settled for the life of the SA. */
export type Basis = {
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  /** True when we started the exchange that made it (our own rekey): our requests carry the Initiator flag. */
  readonly initiator: boolean;
  /** The number in the debug lines. */
  readonly id: number;
  readonly suite: Suite;
  readonly keys: KeyRing;
  /** RFC 7383: both ends said so. */
  readonly fragmentation: boolean;
  readonly natMe: boolean;
  /** The peer is behind a NAT, or treated so (`nattraversal forced`). */
  readonly natPeer: boolean;
  /** Windows' own client: it cannot stand a gateway-started rekey behind NAT. */
  readonly windows: boolean;
  readonly born: Instant;
};

/** What AUTH signs (§2.15) and what the peer can verify; dropped when AUTH is done. */
export type Opening = {
  readonly Ni: Uint8Array;
  readonly Nr: Uint8Array;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
  /** SIGNATURE_HASH_ALGORITHMS of the peer; undefined when it sent none (RFC 7427 §4). */
  readonly hashes: readonly number[] | undefined;
};

export type Identity = { readonly idType: number; readonly data: Uint8Array };

/** What the first IKE_AUTH asked for, kept until the last one is answered (§2.16). */
export type FirstRequest = {
  readonly IDi: Identity;
  readonly IDr: Identity | undefined;
  readonly cp: readonly { readonly type: number; readonly value: Uint8Array }[] | undefined;
  readonly proposals: readonly Proposal[] | undefined;
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
  readonly initialContact: boolean;
};

/** A ZTNA_TAG: its notify number and its data as they came. */
export type Token = { readonly number: number; readonly octets: Uint8Array };

/** What a FortiClient has told by now; nobody may believe it before the peer is authenticated. */
export type Told = { readonly claims: Claimed<ClientClaims> | undefined; readonly token: Claimed<Token> | undefined };

declare const made: unique symbol;
/** Proof that the peer authenticated itself, and as whom. Only `auth.ts` makes one. */
export type Authenticated = {
  readonly [made]: 'by auth';
  readonly method: 'psk' | 'certificate' | 'eap';
  readonly idType: number;
  readonly idText: string;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly certificate: { readonly subject: string; readonly cn: string; readonly serial: string } | undefined;
  /** One device of one person: what leases and INITIAL_CONTACT go by. */
  readonly key: string;
};

/** The algorithms of a child, and the group of its own Diffie-Hellman if it had one. */
export type EspSuite = {
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
  readonly esn: boolean;
  readonly group: number | undefined;
  readonly text: string;
};

export type ChildSa = {
  /** The number in the debug lines. */
  readonly number: number;
  /** Our inbound SPI and theirs. */
  readonly spiIn: number;
  readonly spiOut: number;
  readonly phase2: Phase2;
  readonly suite: EspSuite;
  /** The client's side and ours, whoever started the exchange. */
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
  readonly born: Instant;
  /** When we start a rekey, and when it ends whatever happens. */
  readonly soft: Instant;
  readonly hard: Instant;
  readonly state: 'installed' | 'rekeyed' | 'deleting';
};

export type Standing = Clearance | Probation;

/** What stays of FORTICLIENT_CONNECT once the peer is authenticated; the rest of it has been logged. */
export type Device = {
  readonly uid: string | undefined;
  readonly emsSn: string | undefined;
  readonly emsId: string | undefined;
  readonly ip: string | undefined;
  /** FCTTAGS=1: until when we wait for its first token, seconds since 1970. */
  readonly announcedBy: number | undefined;
};

type Negotiating = { readonly basis: Basis; readonly opening: Opening };
type Asking = Negotiating & {
  readonly profile: Profile;
  readonly first: FirstRequest;
  readonly told: Told;
  readonly IDr: Identity;
};

export type IkeSa =
  | ({ readonly at: 'half-open'; readonly candidates: readonly Profile[] } & Negotiating)
  | ({ readonly at: 'eap'; readonly session: EapSession; readonly user: string | undefined } & Asking)
  | ({ readonly at: 'eap-proven'; readonly msk: Secret | undefined; readonly user: string; readonly group: string } & Asking)
  | ({ readonly at: 'at-certificate'; readonly leaf: Certificate } & Asking)
  | ({
      readonly at: 'at-gate';
      readonly proof: Authenticated;
      readonly msk: Secret | undefined;
      readonly client: Device | undefined;
      readonly token: Token | undefined;
    } & Asking)
  | {
      readonly at: 'established';
      readonly basis: Basis;
      readonly profile: Profile;
      /** `NAME_0`: the gateway's dynamic instance. */
      readonly instance: string;
      readonly proof: Authenticated;
      readonly standing: Standing;
      readonly client: Device | undefined;
      /** Its last token, kept while EMS answers: when EMS falls silent, it is what keeps the tunnel. */
      readonly token: Token | undefined;
      /** What a lost standing has left it with, where the profile does not delete. */
      readonly restraint: 'none' | 'log' | 'quarantine';
      /** Judged ahead of its end: why there will be no more of it. */
      readonly doom: Verdict | undefined;
      readonly lease4: Lease | undefined;
      readonly lease6: Lease | undefined;
      readonly children: readonly ChildSa[];
      readonly since: Instant;
      readonly soft: Instant;
      readonly hard: Instant;
      /** When its standing before the gate is over, and when the gate asks again before that; Infinity without a tag rule. */
      readonly ends: Instant;
      readonly review: Instant;
    }
  /** Over, but its last response is still owed to a retransmission (§2.1). */
  | {
      readonly at: 'closed';
      readonly basis: Basis;
      readonly name: string;
      readonly reason: Reason;
      readonly until: Instant;
    };

export type SaAt<A extends IkeSa['at']> = Extract<IkeSa, { readonly at: A }>;
export type Established = SaAt<'established'>;

/** What the gateway is called in a debug line: its instance once there is one. */
export function nameOf(sa: IkeSa): string {
  switch (sa.at) {
    case 'half-open':
      return sa.candidates[0]?.name ?? '';
    case 'established':
      return sa.instance;
    case 'closed':
      return sa.name;
    case 'eap':
    case 'eap-proven':
    case 'at-certificate':
    case 'at-gate':
      return sa.profile.name;
  }
}
