/**
 * First IKE_AUTH (RFC 7296 §1.2, §2.16), in three shapes:
 *   EAP:          HDR, SK {IDi, [IDr,] [CP,] SAi2, TSi, TSr}            -->
 *                                            <--  HDR, SK {IDr, [CERT,] AUTH, EAP}
 *   shared key:   HDR, SK {IDi, [IDr,] AUTH, [CP,] SAi2, TSi, TSr}      -->   (answered behind the gate)
 *   certificate:  HDR, SK {IDi, CERT, [IDr,] AUTH, [CP,] SAi2, TSi, TSr} -->  (path validation, then the gate)
 */
import { type Certificate, certificateMatches, readCertificate, servesAsClient } from '../../../crypto/index.ts';
import type { Profile } from '../../config/index.ts';
import { beginEap, type EapPolicy } from '../../eap/index.ts';
import * as phrases from '../../log/phrases/index.ts';
import {
  addressOctets,
  CertEncoding,
  describeIdentity,
  Exchange,
  type Payload,
  type Proposal,
  type TrafficSelector,
} from '../../wire/index.ts';
import {
  anchorsOf,
  authenticated,
  gatewayAuth,
  identityFor,
  peerRuleFor,
  pskOf,
  sharedKeyMatches,
  signatureMatches,
} from '../auth.ts';
import { ask, type Env, exchange, type PathVerdict, type Refused, refuse, type Step } from '../exchange.ts';
import { toGate } from '../gate.ts';
import { hear, NOTHING_TOLD } from '../hear.ts';
import { revalidate, shapeOf, unreachable } from '../profiles.ts';
import type { Basis, FirstRequest, Identity, SaAt } from '../sa.ts';

/** Certificates of one message that are looked at; the rest is ignored (a chain is at most 8 long). */
const CERTIFICATES_MAX = 9;

type First = {
  readonly IDi: Extract<Payload, { readonly kind: 'IDi' }>;
  readonly IDr?: Extract<Payload, { readonly kind: 'IDr' }>;
  readonly CP?: Extract<Payload, { readonly kind: 'CP' }>;
  readonly SA?: { readonly proposals: readonly Proposal[] };
  readonly TSi?: { readonly selectors: readonly TrafficSelector[] };
  readonly TSr?: { readonly selectors: readonly TrafficSelector[] };
  notify(name: 'INITIAL_CONTACT'): unknown;
  all(kind: 'N'): readonly Extract<Payload, { readonly kind: 'N' }>[];
};

/** Reads what the last response will need. */
function firstRequest(msg: First, env: Env): FirstRequest {
  for (const n of msg.all('N'))
    if (n.name !== 'FORTICLIENT_CONNECT') env.say('sa', phrases.processingNotify, n.name === 'UNKNOWN' ? `${n.type}` : n.name);
  const { type, text } = describeIdentity(msg.IDi.idType, msg.IDi.data);
  env.say('sa', phrases.peerIdentifier, type, text);
  const cp = msg.CP?.cfgType === 1 ? msg.CP.attributes : undefined; // CFG_REQUEST
  const keep = (id: Identity): Identity => ({ idType: id.idType, data: id.data.slice() });
  return {
    IDi: keep(msg.IDi),
    IDr: msg.IDr === undefined ? undefined : keep(msg.IDr),
    cp,
    proposals: msg.SA?.proposals,
    TSi: msg.TSi?.selectors ?? [],
    TSr: msg.TSr?.selectors ?? [],
    initialContact: msg.notify('INITIAL_CONTACT') !== undefined,
  };
}

/** The profile for this peer, or the refusal; says what FortiOS says. */
function placed(
  sa: SaAt<'half-open'>,
  first: FirstRequest,
  method: number | undefined,
  env: Env,
): { readonly kind: 'placed'; readonly profile: Profile; readonly IDr: Identity; readonly basis: Basis } | Refused {
  const shape = shapeOf(method);
  if (shape === 'eap') env.say('sa', phrases.eapPeer);
  env.say('sa', phrases.revalidate);
  const here = sa.candidates.filter((profile) => unreachable(profile, env.path, (address) => env.country(address)) === undefined);
  const found = revalidate(here, first, shape, env.config.users);
  if ('why' in found) {
    env.say('sa', phrases.validationFailed, found.why);
    return refuse('identity-refused', found.why);
  }
  const { profile } = found;
  const was = sa.candidates[0]?.name ?? '';
  if (profile.name !== was) env.say('sa', phrases.gatewaySwitched, was, profile.name);
  env.say('sa', phrases.validationOk);
  if (first.proposals === undefined && !profile.childless)
    return refuse('syntax', 'IKE_AUTH without SA, and childless-ike is off'); // RFC 6023
  if ((first.proposals === undefined) !== (first.TSi.length === 0) || (first.TSi.length === 0) !== (first.TSr.length === 0))
    return refuse('syntax', 'IKE_AUTH needs SA, TSi and TSr together');
  const local = addressOctets(env.path.local.address) ?? new Uint8Array(4);
  return { kind: 'placed', profile, IDr: identityFor(profile, first.IDr, local), basis: under(profile, sa.basis) };
}

/** What IKE_SA_INIT found, as this profile takes it: until now it was only known which profiles were possible. */
function under({ fragmentation, nattraversal }: Profile, basis: Basis): Basis {
  const natPeer = nattraversal === 'forced' || (nattraversal === 'enable' && basis.natPeer);
  return { ...basis, fragmentation: basis.fragmentation && fragmentation, natPeer };
}

/** What the EAP server may use for this profile. */
export function eapPolicy(profile: Profile, first: FirstRequest, env: Env): EapPolicy {
  const { remoteAuth } = profile;
  const { groups, methods } = remoteAuth.kind === 'eap' ? remoteAuth : { groups: [], methods: [] };
  return {
    methods,
    find: (name) => env.config.users.find(name, groups),
    random: (n) => env.random(n),
    fallbackIdentity: describeIdentity(first.IDi.idType, first.IDi.data).text,
  };
}

export const authStart = exchange({
  story: 'responder received AUTH msg without AUTH: EAP begins',
  from: 'half-open',
  type: Exchange.IKE_AUTH,
  requires: ['IDi'],
  allows: ['IDr', 'CP', 'SA', 'TSi', 'TSr'],
  forbids: ['AUTH', 'EAP'],
  request(sa, msg, env): Step {
    env.say('sa', phrases.receivedAuth);
    const first = firstRequest(msg, env);
    const place = placed(sa, first, undefined, env);
    if (place.kind === 'refuse') return place;
    const { profile, IDr, basis } = place;
    const { opening } = sa;
    const { text } = describeIdentity(first.IDi.idType, first.IDi.data);
    const own = gatewayAuth({ basis, opening, profile, IDr }, text, env.config.users);
    if (!own.ok) return refuse('auth-failed', own.why);
    const given = profile.remoteAuth.kind === 'eap' && profile.remoteAuth.identity === 'id-payload' ? text : undefined;
    env.say('sa', given === undefined ? phrases.preparingIdentity : phrases.preparingEap);
    const { session, packet } = beginEap(eapPolicy(profile, first, env), given);
    const identity: Payload = { kind: 'IDr', ...IDr };
    return {
      kind: 'reply',
      to: { at: 'eap', basis, opening, profile, first, told: hear(NOTHING_TOLD, msg.all('N'), env), IDr, session, user: given },
      payloads: [identity, ...own.payloads, { kind: 'EAP', data: packet }],
    };
  },
});

export const authFull = exchange({
  story: 'responder received AUTH msg with AUTH: shared key or certificate',
  from: 'half-open',
  type: Exchange.IKE_AUTH,
  requires: ['IDi', 'AUTH'],
  allows: ['IDr', 'CP', 'SA', 'TSi', 'TSr', 'CERT'],
  forbids: ['EAP'],
  request(sa, msg, env): Step {
    env.say('sa', phrases.receivedAuth);
    const first = firstRequest(msg, env);
    const place = placed(sa, first, msg.AUTH.method, env);
    if (place.kind === 'refuse') return place;
    const told = hear(NOTHING_TOLD, msg.all('N'), env);
    const asking = { basis: place.basis, opening: sa.opening, profile: place.profile, first, told, IDr: place.IDr };
    if (place.profile.remoteAuth.kind === 'certificate') return byCertificate(asking, msg.AUTH, msg.all('CERT'), env);
    const { text } = describeIdentity(first.IDi.idType, first.IDi.data);
    const psk = pskOf(place.profile, text, env.config.users);
    if (psk === undefined || !sharedKeyMatches(sa, msg.AUTH, first.IDi, psk)) {
      env.say('sa', phrases.authVerified);
      env.say('sa', phrases.authContinuation);
      env.say('sa', phrases.authFailed);
      env.say('sa', phrases.pskMismatch);
      return refuse(
        'psk-mismatch',
        `AUTH of '${text}' does not match: probable pre-shared key mismatch with ${place.profile.name}`,
      );
    }
    env.say('sa', phrases.authVerified);
    env.say('sa', phrases.authContinuation);
    env.say('sa', phrases.authSucceeded);
    return toGate(asking, authenticated('psk', asking, {}), undefined, env);
  },
});

type Asking = Omit<SaAt<'at-gate'>, 'at' | 'proof' | 'msk' | 'client' | 'token'>;

/** Signature first (it proves possession and is cheap), then identity, then the path, which has to wait. */
function byCertificate(
  sa: Asking,
  auth: Extract<Payload, { readonly kind: 'AUTH' }>,
  sent: readonly Extract<Payload, { readonly kind: 'CERT' }>[],
  env: Env,
): Step {
  const { profile, first } = sa;
  if (profile.remoteAuth.kind !== 'certificate') return refuse('identity-refused', `${profile.name} wants no certificate`);
  const certificates = read(sent.slice(0, CERTIFICATES_MAX));
  if (typeof certificates === 'string') return refuse('certificate-refused', certificates);
  const [leaf, ...intermediates] = certificates;
  if (leaf === undefined) return refuse('certificate-refused', 'the client sent no certificate');
  env.say('sa', phrases.validatingCertificate);
  env.say('sa', phrases.peerCertificate, leaf.subject, leaf.issuer);
  const signature = signatureMatches(sa, auth, first.IDi, leaf);
  if (!signature.ok) {
    env.say('sa', phrases.authFailed);
    return refuse('auth-failed', `AUTH signature: ${signature.why}`);
  }
  env.say('sa', phrases.signatureSucceeded, signature.name);
  env.say('sa', phrases.certificatePending);
  return ask({ at: 'at-certificate', ...sa, leaf }, { about: 'certificate', leaf, intermediates, anchors: anchorsOf(profile) });
}

/** The X.509 certificates of a message; other encodings are passed over (§3.6; containers were a CVE). */
function read(sent: readonly Extract<Payload, { readonly kind: 'CERT' }>[]): readonly Certificate[] | string {
  const certificates: Certificate[] = [];
  for (const { encoding, data } of sent) {
    if (encoding !== CertEncoding.X509_SIGNATURE) continue;
    try {
      certificates.push(readCertificate(data));
    } catch (error) {
      return `certificate ${certificates.length + 1} cannot be read: ${error instanceof Error ? error.message : 'unknown'}`;
    }
  }
  return certificates;
}

/** The path has been validated outside: identity against certificate, peer rules, then the gate. */
export function afterCertificate(sa: SaAt<'at-certificate'>, verdict: PathVerdict, env: Env): Step {
  const { at: _at, leaf, ...asking } = sa;
  const { profile, first } = asking;
  if (!verdict.ok) {
    env.say('sa', phrases.certificateFailed, verdict.why);
    env.say('sa', phrases.authFailed);
    return refuse('certificate-refused', `${leaf.subject}: ${verdict.why}`);
  }
  if (!servesAsClient(leaf)) {
    const why = 'its extended key usage is not that of a client (clientAuth, ipsecIKE)';
    env.say('sa', phrases.certificateFailed, why);
    return refuse('certificate-refused', `${leaf.subject}: ${why}`);
  }
  env.say('sa', phrases.certificateSucceeded);
  const { text } = describeIdentity(first.IDi.idType, first.IDi.data);
  if (profile.certIdValidation && !certificateMatches(leaf, first.IDi.idType, first.IDi.data)) {
    const why = `'${text}' does not stand in the certificate of ${leaf.subject} (cert-id-validation)`;
    env.say('sa', phrases.validationFailed, why);
    env.say('sa', phrases.authFailed);
    return refuse('identity-refused', why);
  }
  env.say('sa', phrases.peerIdVerified);
  if (profile.peer.kind === 'peers') {
    const rule = peerRuleFor(profile.peer.peers, verdict.chain);
    if (rule === undefined) return refuse('identity-refused', `no user peer of ${profile.name} fits certificate ${leaf.subject}`);
    env.say('sa', phrases.peerMatched, rule.name);
  }
  env.say('sa', phrases.authVerified);
  env.say('sa', phrases.authSucceeded);
  return toGate(asking, authenticated('certificate', asking, { certificate: leaf }), undefined, env);
}
