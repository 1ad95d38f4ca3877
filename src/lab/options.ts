/**
 * What a lab client is told at its start, and what becomes of it: every default is here. Words are FortiOS' proposal words; a
 * list of transforms instead of a word is sent as it stands.
 */
import {
  type Certificate,
  type Group,
  type KeyPair,
  type PrivateKey,
  parseEspProposal,
  parseIkeProposal,
} from '../../crypto/index.ts';
import type { Secret } from '../../crypto/secret.ts';
import {
  CfgAttribute,
  type CfgValue,
  NO_OCTETS,
  type Payload,
  type Proposal,
  Protocol,
  type TrafficSelector,
  type Transform,
  TransformType,
} from '../wire/index.ts';
import { type Impairment, parseImpairment } from './impair.ts';
import { selector } from './octets.ts';

export type Endpoint = { readonly address: string; readonly port: number };
export type Identity = { readonly idType: number; readonly data: Uint8Array };
export type EapMethod = 'mschapv2' | 'gtc';

/** How we prove who we are. */
export type ClientAuth =
  | { readonly kind: 'psk'; readonly psk: Secret; readonly id: Identity }
  | {
      readonly kind: 'eap';
      readonly user: string;
      readonly password: Secret;
      /** What we take; anything else is answered by a Nak that names these. */
      readonly methods: readonly EapMethod[];
      readonly id: Identity;
    }
  | { readonly kind: 'certificate'; readonly chain: readonly Certificate[]; readonly key: PrivateKey; readonly id: Identity };

/** How the gateway has to prove who it is. */
export type GatewayAuth =
  | { readonly kind: 'psk'; readonly psk: Secret }
  | {
      readonly kind: 'certificate';
      /** The certificates we take, by their exact octets, or a judge that says why not. */
      readonly accepts:
        | readonly Certificate[]
        | ((leaf: Certificate, intermediates: readonly Certificate[]) => string | undefined);
      /** Sent as CERTREQ. */
      readonly authorities?: readonly Certificate[];
    };

export type ZtnaToken = {
  readonly number: number;
  readonly token: string | Uint8Array;
  readonly when: 'first-auth' | 'in-auth' | 'after';
  /** A NUL behind a token that is a text, as FortiClient has it; true unless said. */
  readonly nul?: boolean;
};

export type LabOptions = {
  /** Ports are those of IKE_SA_INIT: 500 and 500, say; with `start4500` the NAT-T ports are used instead. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly nattPorts?: { readonly local: number; readonly remote: number };
  readonly random: (n: number) => Uint8Array;
  readonly keyPair: (group: Group) => KeyPair;
  readonly auth: ClientAuth;
  readonly gateway: GatewayAuth;
  /** The identity that the gateway must show; sent as IDr too. */
  readonly gatewayId?: Identity;
  readonly ikeProposals?: readonly (string | readonly Transform[])[];
  /** Diffie-Hellman groups, the first one's public value is sent. */
  readonly groups?: readonly number[];
  readonly espProposals?: readonly (string | readonly Transform[])[];
  readonly esn?: 'no' | 'yes' | 'both';
  /** Offered when a child is created or rekeyed with PFS; `groups` when not given. */
  readonly childGroups?: readonly number[];
  /** Which kinds of inner address to ask for; empty: no configuration payload unless `cpAttributes` has some. */
  readonly requestAddresses?: readonly (4 | 6)[];
  /** Further attributes to ask for. */
  readonly cpAttributes?: readonly CfgValue[];
  readonly TSi?: readonly TrafficSelector[];
  readonly TSr?: readonly TrafficSelector[];
  /** FortiClient's three. */
  readonly vendorIds?: boolean;
  /** VPN_NETWORK_ID in IKE_SA_INIT. */
  readonly networkId?: number;
  /** FORTICLIENT_CONNECT: a text gets its NUL, octets are sent as they are. */
  readonly claims?: string | Uint8Array;
  /** In which IKE_AUTH request it stands; the last one of a client with EAP is the one with AUTH. */
  readonly claimsIn?: 'first' | 'last';
  /** ZTNA_TAG: the notify's number, the token (a NUL is added), and when it is sent: in an IKE_AUTH request, or after them. */
  readonly ztna?: ZtnaToken;
  readonly fragmentation?: boolean;
  /** Octets of the largest IP datagram we send before we fragment. */
  readonly mtu?: number;
  readonly natt?: 'float' | 'start4500' | 'off';
  /** A source hash that fits nobody: both ends find a NAT. */
  readonly fakeNat?: boolean;
  /** NAT keepalives every so many ms while we are behind a NAT; none when not given. */
  readonly keepalive?: number;
  /** SIGNATURE_HASH_ALGORITHMS; empty: not sent, and then method 14 is not accepted either. */
  readonly signatureHashes?: readonly number[];
  readonly rsaFormat?: 'pkcs1' | 'pss';
  readonly initialContact?: boolean;
  /** RFC 6023: IKE_AUTH without a child, if the gateway says that it can. */
  readonly childless?: boolean;
  readonly transport?: boolean;
  readonly nonceOctets?: number;
  /** IKE_SA_INIT: unprotected errors are only remembered (§2.21.1), not believed at once as real clients do. */
  readonly patient?: boolean;
  /** ms to the first repetition, what the interval grows by, how many repetitions before we give up. */
  readonly retransmit?: { readonly first: number; readonly factor: number; readonly most: number };
  readonly impair?: string | Impairment | readonly (string | Impairment)[];
  /** Takes the inner packets that come through the tunnel. */
  readonly onInner?: (packet: Uint8Array) => void;
  /** Is shown every message in the clear, ours before they are impaired, of others those that were authentic or need not be. */
  readonly onMessage?: (message: Spoken) => void;
};

export type Spoken = {
  readonly by: 'us' | 'gateway';
  readonly exchange: number;
  readonly messageId: number;
  readonly response: boolean;
  readonly payloads: readonly Payload[];
};

export type Settings = Omit<Required<LabOptions>, 'ikeProposals' | 'espProposals' | 'impair' | Unset> &
  Pick<LabOptions, Unset> & {
    readonly ikeOffer: readonly Proposal[];
    /** Without SPI and Diffie-Hellman groups. */
    readonly espOffer: readonly Proposal[];
    readonly impair: readonly Impairment[];
    /** All attributes of the CFG_REQUEST in order. */
    readonly cpRequest: readonly CfgValue[];
  };
type Unset = 'gatewayId' | 'networkId' | 'claims' | 'ztna' | 'keepalive' | 'onInner' | 'onMessage';

/** Fills in the defaults. Throws RangeError for a word that is no proposal. */
export function settle(options: LabOptions): Settings {
  const { ikeProposals = ['aes128-sha256'], espProposals = ['aes128-sha256'], impair = [], ...rest } = options;
  const groups = options.groups ?? [31];
  const esn = options.esn ?? 'no';
  const requestAddresses = options.requestAddresses ?? [4];
  const cpAttributes = options.cpAttributes ?? [];
  const anyTs = requestAddresses.includes(6) ? [ANY4, ANY6] : [ANY4];
  return {
    nattPorts: { local: 4500, remote: 4500 },
    groups,
    esn,
    childGroups: groups,
    requestAddresses,
    cpAttributes,
    TSi: anyTs,
    TSr: anyTs,
    vendorIds: false,
    claimsIn: 'first',
    fragmentation: true,
    mtu: 1280,
    natt: 'float',
    fakeNat: false,
    signatureHashes: [2, 3, 4],
    rsaFormat: 'pkcs1',
    initialContact: true,
    childless: false,
    transport: false,
    nonceOctets: 32, // half the key size of the longest PRF we know, §2.10
    patient: false,
    retransmit: { first: 1000, factor: 2, most: 5 },
    ...rest,
    ikeOffer: ikeProposals.map((p, i) => ({ ...bare(i, Protocol.IKE), transforms: ikeTransforms(p, groups) })),
    espOffer: espProposals.map((p, i) => ({ ...bare(i, Protocol.ESP), transforms: espTransforms(p, esn) })),
    impair: (isList(impair) ? impair : [impair]).map((i) => (typeof i === 'string' ? parseImpairment(i) : i)),
    cpRequest: [...requestAddresses.map((family) => ({ type: ADDRESS[family], value: NO_OCTETS })), ...cpAttributes],
  };
}

const ADDRESS = { 4: CfgAttribute.INTERNAL_IP4_ADDRESS, 6: CfgAttribute.INTERNAL_IP6_ADDRESS } as const;
const ANY4 = selector('0.0.0.0/0');
const ANY6 = selector('::/0');

/** Array.isArray does not tell readonly lists from the rest. */
const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value);

const bare = (i: number, protocol: number) => ({ number: i + 1, protocol, spi: NO_OCTETS });

function ikeTransforms(proposal: string | readonly Transform[], groups: readonly number[]): readonly Transform[] {
  if (typeof proposal !== 'string') return proposal;
  const found = parseIkeProposal(proposal);
  if (found === undefined || 'unserved' in found) throw new RangeError(`'${proposal}' is no phase 1 proposal that we can speak`);
  const { encr, keyLength, integ, prf } = found;
  return [
    { type: TransformType.ENCR, id: encr, keyLength },
    { type: TransformType.PRF, id: prf, keyLength: 0 },
    ...(integ === 0 ? [] : [{ type: TransformType.INTEG, id: integ, keyLength: 0 }]),
    ...groups.map((id) => ({ type: TransformType.DH, id, keyLength: 0 })),
  ];
}

function espTransforms(proposal: string | readonly Transform[], esn: 'no' | 'yes' | 'both'): readonly Transform[] {
  if (typeof proposal !== 'string') return proposal;
  const found = parseEspProposal(proposal);
  if (found === undefined || 'unserved' in found) throw new RangeError(`'${proposal}' is no phase 2 proposal that we can speak`);
  const { encr, keyLength, integ } = found;
  return [
    { type: TransformType.ENCR, id: encr, keyLength },
    ...(integ === 0 ? [] : [{ type: TransformType.INTEG, id: integ, keyLength: 0 }]),
    ...{ no: [0], yes: [1], both: [1, 0] }[esn].map((id) => ({ type: TransformType.ESN, id, keyLength: 0 })),
  ];
}
