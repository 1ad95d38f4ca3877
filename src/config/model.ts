/**
 * What the rest of the program sees of a configuration: frozen values, defaults filled in, every reference resolved.
 * Names follow FortiOS' keywords where there is one. `loadConfig` alone makes these.
 */
import type { Certificate, EspProposal, IkeProposal, PrivateKey, Secret } from '../../crypto/index.ts';
import type { GateRule, PostureTag } from '../posture/index.ts';

/** Addresses of one family, both ends included, start ≤ end. */
export type Range = { readonly start: Uint8Array; readonly end: Uint8Array };
export type Prefix = { readonly address: Uint8Array; readonly length: number };
/** Addresses that mode-cfg gives away; `prefix` is the mask length told to the client. */
export type Pool = { readonly ranges: readonly Range[]; readonly exclude: readonly Range[]; readonly prefix: number };
/** One side of a phase2-interface; protocol 0 and ports 0-65535 mean all. */
export type SelectorRange = Range & { readonly protocol: number; readonly startPort: number; readonly endPort: number };

/** `vpn certificate local`: leaf first, then intermediates, no root. */
export type LocalCertificate = { readonly name: string; readonly chain: readonly Certificate[]; readonly key: PrivateKey };

/** `user peer`: who a certificate must be. */
export type PeerRule = {
  readonly name: string;
  readonly anchors: readonly Certificate[];
  readonly subject?: string;
  readonly cn?: string;
  readonly cnType: 'string' | 'email' | 'FQDN' | 'ipv4' | 'ipv6';
};

export type LocalAuth =
  | { readonly kind: 'psk'; readonly psk: Secret }
  | {
      readonly kind: 'certificate';
      readonly certificates: readonly LocalCertificate[];
      /** RFC 7427 hash numbers in order of preference. */
      readonly hashes: readonly number[];
      readonly rsaFormat: 'pkcs1' | 'pss';
      readonly sendChain: boolean;
    };

export type EapMethod = 'mschapv2' | 'gtc';

export type RemoteAuth =
  | { readonly kind: 'psk'; readonly psk: Secret }
  | { readonly kind: 'certificate'; readonly anchors: readonly Certificate[] }
  | {
      readonly kind: 'eap';
      readonly identity: 'request' | 'id-payload';
      /** authusrgrp, or else the groups of the firewall policies whose source interface is this profile. */
      readonly groups: readonly string[];
      readonly methods: readonly EapMethod[];
    };

export type PeerMatch =
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly id: string }
  | { readonly kind: 'dialup'; readonly group: string }
  | { readonly kind: 'peers'; readonly peers: readonly PeerRule[] };

/** `remote-gw6-match`: which outer addresses may speak to this profile. */
export type AddressMatch =
  | { readonly kind: 'any' }
  | { readonly kind: 'ranges'; readonly ranges: readonly Range[] }
  | { readonly kind: 'geography'; readonly country: string };
/** `remote-gw-match`. */
export type GatewayMatch = AddressMatch | { readonly kind: 'ztna'; readonly rule: GateRule; readonly lost: LostAction };

/** What becomes of a tunnel whose posture is lost. `to`: inner destinations that remain. */
export type LostAction = { readonly do: 'delete' | 'log' } | { readonly do: 'quarantine'; readonly to: readonly Range[] };

/** `config postern posture`: ours. */
export type PostureSettings = {
  /** ms that a look-up at EMS may take before EMS counts as slow. */
  readonly lookupWait: number;
  /** Seconds that an announced token may take. */
  readonly probation: number;
  /** Recognise ZTNA_TAG by its looks. */
  readonly learn: boolean;
  /** Numbers of private notifies; undefined: not pinned, not sent. */
  readonly ztnaTagNotify: number | undefined;
  readonly successNotify: number | undefined;
  readonly failureNotify: number | undefined;
  /** Path of an MMDB file. */
  readonly geoip: string | undefined;
  /** CN of our own client certificate. */
  readonly serialNumber: string | undefined;
};

/** `vpn ipsec phase1-interface` of type dynamic with ike-version 2. */
export type Profile = {
  readonly name: string;
  readonly interface: string;
  readonly ipVersion: 4 | 6;
  /** local-gw or local-gw6, RFC 5952 text. */
  readonly localGw: string | undefined;
  /** Addresses of its interface, when `system interface` tells them; undefined: any local address. */
  readonly localAddresses: readonly string[] | undefined;
  readonly localAuth: LocalAuth;
  readonly remoteAuth: RemoteAuth;
  readonly peer: PeerMatch;
  /** cert-id-validation: the peer's ID must be one of its certificate's names (§2.15 of RFC 7296, RFC 4945). */
  readonly certIdValidation: boolean;
  readonly proposals: readonly IkeProposal[];
  readonly groups: readonly number[];
  /** Seconds. */
  readonly keylife: number;
  /** Seconds. */
  readonly negotiateTimeout: number;
  readonly rekey: boolean;
  readonly dpd: {
    readonly mode: 'disable' | 'on-idle' | 'on-demand';
    readonly retryCount: number;
    /** Milliseconds. */
    readonly retryInterval: number;
  };
  readonly nattraversal: 'enable' | 'disable' | 'forced';
  /** NAT keepalive, seconds. */
  readonly keepalive: number;
  readonly fragmentation: boolean;
  /** Octets of a whole IP datagram. */
  readonly fragmentationMtu: number;
  readonly localId: { readonly idType: number; readonly data: Uint8Array } | undefined;
  readonly enforceUniqueId: 'disable' | 'keep-new' | 'keep-old';
  readonly networkId: number | undefined;
  readonly esn: 'require' | 'allow' | 'disable';
  readonly childless: boolean;
  readonly match: GatewayMatch;
  readonly match6: AddressMatch;
  readonly modeCfg: ModeCfg | undefined;
  readonly phase2: readonly Phase2[];
  /** Where its first `edit` stands. */
  readonly line: number;
};

export type ModeCfg = {
  readonly assign: boolean;
  readonly ipv4: Pool | undefined;
  readonly ipv6: Pool | undefined;
  /** At most three each; with dns-mode auto the servers of `system dns`. */
  readonly dns4: readonly Uint8Array[];
  readonly dns6: readonly Uint8Array[];
  readonly wins4: readonly Uint8Array[];
  /** undefined: full tunnel. */
  readonly splitInclude4: readonly Prefix[] | undefined;
  readonly splitInclude6: readonly Prefix[] | undefined;
  /** internal-domain-list (RFC 8598). */
  readonly domains: readonly string[];
  readonly defaultDomain: string | undefined;
  readonly banner: string | undefined;
  readonly savePassword: boolean;
  readonly autoNegotiate: boolean;
  readonly keepAlive: boolean;
  readonly unity: boolean;
  readonly includeLocalLan: boolean;
  readonly allowClientSelector: boolean;
};

/** `vpn ipsec phase2-interface`. */
export type Phase2 = {
  readonly name: string;
  readonly proposals: readonly EspProposal[];
  readonly pfs: boolean;
  readonly groups: readonly number[];
  /** Seconds. */
  readonly keylife: number;
  readonly keylifeKb: number | undefined;
  readonly replay: boolean;
  readonly transport: boolean;
  /** add-route, of phase 1 where it says so: what is the client's is routed to the device. */
  readonly addRoute: boolean;
  /** Our side: TSr. */
  readonly src: readonly SelectorRange[];
  /** The client's side: TSi; everything means the lease when mode-cfg assigns one. */
  readonly dst: readonly SelectorRange[];
  readonly line: number;
};

export type UserGroup = { readonly name: string; readonly members: readonly string[] };
export type FoundUser = { readonly name: string; readonly password: Secret; readonly group: string };
export type Users = {
  readonly groups: ReadonlyMap<string, UserGroup>;
  /** The enabled user of that exact name in the first of these groups that holds it. */
  find(name: string, groups: readonly string[]): FoundUser | undefined;
};

/** `config postern settings`: ours. */
export type Settings = {
  /** Half-open SAs above which an IKE_SA_INIT needs a cookie. */
  readonly halfOpenCookie: number;
  readonly halfOpenPerAddress: number;
  readonly halfOpenMax: number;
  readonly saMax: number;
  /** FortiOS' habit of not answering an IKE_AUTH that it refuses. */
  readonly quietAuthFailures: boolean;
  readonly eapGtcWithPsk: boolean;
  readonly eapMethods: readonly EapMethod[];
  /** Numbers of ESP packets that are told apart behind the highest. */
  readonly replayWindow: number;
  /** Seconds for which a released address stays reserved for the identity that had it. */
  readonly leaseLinger: number;
};

/** `firewall policy` as it is written, for its groups; `FirewallRule` is what the data plane enforces. */
export type Policy = {
  readonly id: number;
  readonly name: string;
  readonly enabled: boolean;
  readonly accept: boolean;
  readonly srcintf: readonly string[];
  readonly dstintf: readonly string[];
  readonly srcaddr: readonly string[];
  readonly dstaddr: readonly string[];
  readonly service: readonly string[];
  readonly groups: readonly string[];
  readonly users: readonly string[];
  readonly line: number;
};

/** One way of a `firewall service`: protocol 0 is any, ICMP type and code -1 are any. */
export type FirewallService = {
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
  readonly startSource: number;
  readonly endSource: number;
  readonly icmpType: number;
  readonly icmpCode: number;
};

/** A `firewall policy` in force, for the data plane: every name resolved. */
export type FirewallRule = {
  readonly id: number;
  readonly accept: boolean;
  /** Hide the source behind the address of the interface by which it leaves. */
  readonly nat: boolean;
  readonly srcintf: readonly string[];
  readonly dstintf: readonly string[];
  readonly from: readonly Range[];
  readonly to: readonly Range[];
  readonly services: readonly FirewallService[];
  /** The speaker must be one of the users or in one of the groups; none: anybody. */
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** The speaker must hold one tag of each set. */
  readonly tags: readonly (readonly PostureTag[])[];
};

/** `endpoint-control fctems`. */
export type Fctems = {
  readonly key: string;
  /** The n of `EMSn_ZTNA_name`. */
  readonly number: number;
  readonly name: string;
  readonly enabled: boolean;
  readonly server: string;
  readonly port: number;
  readonly serialNumber: string;
  readonly tenantId: string;
  readonly sourceIp: string | undefined;
  /** EMS Cloud: in the place of our client certificate. */
  readonly accessKey: Secret | undefined;
  readonly pullTags: boolean;
  /** Seconds. */
  readonly callTimeout: number;
  /** Seconds after which its word is stale. */
  readonly outOfSync: number;
  readonly websocket: boolean;
  readonly verifyingCa: readonly Certificate[];
  readonly driver: 'native' | 'fortios';
  /** PEM or JWK texts. */
  readonly tokenKeys: readonly string[];
  readonly clientCertificate: LocalCertificate | undefined;
  readonly line: number;
};

export type Config = {
  readonly profiles: readonly Profile[];
  readonly users: Users;
  readonly system: {
    readonly hostname: string;
    /** Text of APPLICATION_VERSION. */
    readonly version: string;
    readonly ikePort: number;
    readonly nattPort: number;
  };
  readonly settings: Settings;
  readonly policies: readonly Policy[];
  readonly rules: readonly FirewallRule[];
  readonly fctems: readonly Fctems[];
  readonly posture: PostureSettings;
};

/** Something to say about the text; `word` is never a secret. */
export type Finding = {
  readonly level: 'error' | 'warning';
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  readonly word: string;
  readonly message: string;
  readonly suggestion?: string;
  readonly code: FindingCode;
};

/**
 * syntax: the text cannot be read · unknown-word, unknown-block: not in the schema · value: not an allowed value · missing: a
 * setting that must be there · reference: names an object that is not defined · encrypted: an ENC secret · inert: does nothing
 * here · later: not served yet · conflict: two settings that exclude each other · weak: works, and should not be used · ours:
 * beyond FortiOS · limit: too big.
 */
export type FindingCode =
  | 'syntax'
  | 'unknown-word'
  | 'unknown-block'
  | 'value'
  | 'missing'
  | 'reference'
  | 'encrypted'
  | 'inert'
  | 'later'
  | 'conflict'
  | 'weak'
  | 'open'
  | 'ours'
  | 'limit';
