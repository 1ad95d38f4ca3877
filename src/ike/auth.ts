/**
 * AUTH octets, made and verified (RFC 7296 §2.15, §2.16; RFC 7427), and the one maker of the proof `Authenticated`.
 *
 *   InitiatorSignedOctets = RealMessage1 | Nr | prf(SK_pi, IDi')
 *   ResponderSignedOctets = RealMessage2 | Ni | prf(SK_pr, IDr')
 *   AUTH (shared key)     = prf( prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>)
 *
 * A gateway that authenticates by PSK while the client uses EAP deviates from §2.16 ("the responder ... MUST be
 * authenticated by public key signatures") on purpose, as FortiOS does.
 */
import {
  type Certificate,
  certificateMatches,
  chooseSignature,
  constantTimeEqual,
  makeSignature,
  type Secret,
  sha1,
  verifySignature,
} from '../../crypto/index.ts';
import type { LocalCertificate, PeerRule, Profile, Users } from '../config/index.ts';
import { AuthMethod, concat, describeIdentity, equal, hex, type Payload } from '../wire/index.ts';
import type { Authenticated, Basis, FirstRequest, Identity, Opening, Told } from './sa.ts';

const KEY_PAD = new Uint8Array([...'Key Pad for IKEv2'].map((c) => c.charCodeAt(0))); // 17 ASCII octets, no NUL (§2.15)
/** What our SIGNATURE_HASH_ALGORITHMS says we verify: SHA2-256, -384, -512 and Identity (RFC 7427 §4, RFC 8420 §2). */
export const HASHES: readonly number[] = [2, 3, 4, 5];
/** CERT encoding "X.509 Certificate - Signature" (§3.6): the only one read and written here. */
const X509_SIGNATURE = 4;

type Keyed = { readonly basis: Basis; readonly opening: Opening };

/** What the peer signs; its role is the initiator's in every first exchange. */
export function initiatorOctets({ basis, opening }: Keyed, IDi: Identity): Uint8Array {
  return concat(opening.request, opening.Nr, basis.suite.prf.mac(basis.keys.SK_pi, identityBody(IDi)));
}

function responderOctets({ basis, opening }: Keyed, IDr: Identity): Uint8Array {
  return concat(opening.response, opening.Ni, basis.suite.prf.mac(basis.keys.SK_pr, identityBody(IDr)));
}

/** IDi' and IDr': the payload without its generic header (§2.15); RESERVED counts as zero. */
const identityBody = ({ idType, data }: Identity): Uint8Array => concat(new Uint8Array([idType, 0, 0, 0]), data);

/** AUTH data of method 2 over `octets`. */
function sharedKeyAuth({ basis }: Keyed, secret: Uint8Array, octets: Uint8Array): Uint8Array {
  const { prf } = basis.suite;
  return prf.mac(prf.mac(secret, KEY_PAD), octets);
}

type AuthPayload = { readonly method: number; readonly data: Uint8Array };

/** True when the peer's AUTH is a shared-key MAC with this secret; constant time in the secret. */
export function sharedKeyMatches(sa: Keyed, auth: AuthPayload, IDi: Identity, secret: Secret | undefined): boolean {
  if (auth.method !== AuthMethod.SHARED_KEY) return false;
  // §2.16: an EAP method without an MSK signs with SK_pi and SK_pr.
  const key = secret === undefined ? sa.basis.keys.SK_pi : secret.expose();
  return constantTimeEqual(auth.data, sharedKeyAuth(sa, key, initiatorOctets(sa, IDi)));
}

/** The shared secret a PSK peer must know: its own password under peertype dialup, else the profile's key. */
export function pskOf(profile: Profile, idText: string, users: Users): Secret | undefined {
  if (profile.remoteAuth.kind !== 'psk') return undefined;
  return profile.peer.kind === 'dialup' ? users.find(idText, [profile.peer.group])?.password : profile.remoteAuth.psk;
}

/** AUTH of the gateway after EAP (§2.16): keyed by the MSK, or by SK_pr when the method has none. */
export function authAfterEap(sa: Keyed & { readonly IDr: Identity }, msk: Secret | undefined): Payload {
  const key = msk === undefined ? sa.basis.keys.SK_pr : msk.expose();
  return { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: sharedKeyAuth(sa, key, responderOctets(sa, sa.IDr)) };
}

/**
 * The gateway's own authentication by PSK or certificate: [CERT …] AUTH, or why there can be none.
 *
 * @param idText the peer's identity, by which peertype dialup finds the key
 */
export function gatewayAuth(
  sa: Keyed & { readonly profile: Profile; readonly IDr: Identity },
  idText: string,
  users: Users,
): { readonly ok: true; readonly payloads: readonly Payload[] } | { readonly ok: false; readonly why: string } {
  const { profile, IDr } = sa;
  const octets = responderOctets(sa, IDr);
  if (profile.localAuth.kind === 'psk') {
    const own = profile.peer.kind === 'dialup' ? pskOf(profile, idText, users) : undefined;
    const psk = own ?? profile.localAuth.psk;
    return {
      ok: true,
      payloads: [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: sharedKeyAuth(sa, psk.expose(), octets) }],
    };
  }
  const { certificates, hashes, rsaFormat, sendChain } = profile.localAuth;
  const ordered = [...certificates].sort((a, b) => Number(names(b, IDr)) - Number(names(a, IDr)));
  const refused: string[] = [];
  for (const { name, chain, key } of ordered) {
    const choice = chooseSignature(key, sa.opening.hashes, { hashes, rsaFormat });
    if ('why' in choice) {
      refused.push(`${name}: ${choice.why}`);
      continue;
    }
    const sent = sendChain ? chain : chain.slice(0, 1);
    return {
      ok: true,
      payloads: [
        ...sent.map((c): Payload => ({ kind: 'CERT', encoding: X509_SIGNATURE, data: c.der })),
        { kind: 'AUTH', method: choice.method, data: makeSignature(choice, key, octets) },
      ],
    };
  }
  return { ok: false, why: `no certificate of this gateway can sign for this client (${refused.join('; ')})` };
}

const names = ({ chain }: LocalCertificate, { idType, data }: Identity): boolean =>
  chain[0] !== undefined && certificateMatches(chain[0], idType, data);

/** Verifies a signature AUTH of the peer against its certificate (§2.15, RFC 7427 §3). */
export const signatureMatches = (sa: Keyed, auth: AuthPayload, IDi: Identity, leaf: Certificate) =>
  verifySignature(leaf, auth.method, auth.data, initiatorOctets(sa, IDi), HASHES);

/** The authorities that may vouch for a peer of this profile: those of its `user peer` rules, else every CA there is. */
export function anchorsOf({ peer, remoteAuth }: Profile): readonly Certificate[] {
  if (remoteAuth.kind !== 'certificate') return [];
  return peer.kind === 'peers' ? peer.peers.flatMap((rule) => [...rule.anchors]) : remoteAuth.anchors;
}

/**
 * The first of the profile's peer rules (`user peer`) that a validated chain satisfies: the rule's own authority must
 * stand in this very chain, or another rule's authority could vouch for it.
 */
export function peerRuleFor(peers: readonly PeerRule[], chain: readonly Certificate[]): PeerRule | undefined {
  const leaf = chain[0];
  if (leaf === undefined) return undefined;
  return peers.find((rule) => rule.anchors.some((a) => chain.some((c) => equal(c.der, a.der))) && subjectFits(rule, leaf));
}

/** The parts of a distinguished name in text, `CN = bob` as `CN=bob`: a part is compared whole, never as a piece of text. */
const namesIn = (text: string): readonly string[] =>
  text.split(/[,/]\s*(?=[A-Za-z0-9.]+\s*=)/).map((part) => part.replace(/\s*=\s*/, '=').trim());

function subjectFits({ subject, cn, cnType }: PeerRule, leaf: Certificate): boolean {
  if (subject !== undefined && !namesIn(subject).every((rdn) => namesIn(leaf.subject).includes(rdn))) return false;
  if (cn === undefined) return true;
  const same = (text: string) => text.toLowerCase() === cn.toLowerCase();
  switch (cnType) {
    case 'string':
    case 'ipv4':
    case 'ipv6':
      return leaf.cn === cn;
    case 'email':
      return (leaf.cn !== undefined && same(leaf.cn)) || leaf.emails.some(same);
    case 'FQDN':
      return (leaf.cn !== undefined && same(leaf.cn)) || leaf.dns.some(same);
  }
}

/** The gateway's identity: what the client asked for when we may be that, else `localid`, else what FortiOS takes. */
export function identityFor(profile: Profile, asked: Identity | undefined, local: Uint8Array): Identity {
  if (profile.localId !== undefined) return profile.localId;
  if (profile.localAuth.kind === 'certificate') {
    const { certificates } = profile.localAuth;
    if (asked !== undefined && certificates.some((c) => names(c, asked))) return asked;
    const leaf = certificates[0]?.chain[0];
    if (leaf !== undefined) return { idType: 9, data: leaf.subjectDer }; // ID_DER_ASN1_DN, FortiOS' localid-type auto
  } else if (asked !== undefined) return asked; // a shared key proves no name: any name the client knows us by will do
  return { idType: local.length === 4 ? 1 : 5, data: local }; // ID_IPV4_ADDR, ID_IPV6_ADDR
}

/** Capital digits without the octet that only keeps the number positive: as EMS and tokens write it. */
const serialText = (serial: string): string => serial.toUpperCase().replace(/^00(?=..)/, '');

type Proven = { readonly user?: string; readonly group?: string; readonly certificate?: Certificate };

/**
 * Makes the proof. Called only where an AUTH payload has just been verified.
 *
 * Its key names one device of one person in one profile: what leases, INITIAL_CONTACT and unique IDs go by. An EAP user's
 * device is told by its FortiClient UID where it has one, since its ID is often an address that changes with every network;
 * a claimed UID can only ever name another device of the same user.
 */
export function authenticated(
  method: Authenticated['method'],
  { profile, first, told }: { readonly profile: Profile; readonly first: FirstRequest; readonly told: Told },
  { user, group, certificate }: Proven,
): Authenticated {
  const { IDi } = first;
  const text = describeIdentity(IDi.idType, IDi.data).text;
  const shown =
    certificate === undefined
      ? undefined
      : { subject: certificate.subject, cn: certificate.cn ?? '', serial: serialText(certificate.serial) };
  // The cast is the maker's. The key comes last: reading the claims takes the proof.
  const proof = { method, idType: IDi.idType, idText: text, user, group, certificate: shown, key: '' } as Authenticated;
  const uid = user === undefined ? undefined : told.claims?.given(proof).uid;
  const who = uid === undefined ? `${IDi.idType} ${hex(IDi.data)}` : `uid ${uid}`;
  const parts = [profile.name, method, user ?? '', who, certificate === undefined ? '' : hex(sha1(certificate.der))];
  return { ...proof, key: hex(sha1(new TextEncoder().encode(parts.join('\0')))) };
}
