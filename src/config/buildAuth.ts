/** How a profile authenticates: itself, its clients, and which of them it takes. */
import type { Secret } from '../../crypto/index.ts';
import { addressOctets, IdType } from '../wire/index.ts';
import type { Context, Phase1Entry } from './context.ts';
import { entryAt } from './interpret.ts';
import type { EapMethod, LocalAuth, PeerMatch, PeerRule, Profile, RemoteAuth } from './model.ts';
import { userPeer, userPeerGroup } from './schemaUser.ts';
import { shown } from './setting.ts';
import { get, isGarbled, isSet, placeOf } from './table.ts';

export type Authentication = Pick<Profile, 'localAuth' | 'remoteAuth' | 'peer' | 'localId'>;

/** Undefined when something is missing that cannot be made up; it has been told. */
export function buildAuth(entry: Phase1Entry, context: Context): Authentication | undefined {
  const localAuth = localAuthOf(entry, context);
  const remoteAuth = remoteAuthOf(entry, context, localAuth);
  const peer = peerOf(entry, context, remoteAuth?.kind ?? 'psk');
  const localId = localIdOf(entry, context, localAuth);
  return localAuth === undefined || remoteAuth === undefined || peer === undefined
    ? undefined
    : { localAuth, remoteAuth, peer, localId };
}

function localAuthOf(entry: Phase1Entry, context: Context): LocalAuth | undefined {
  if (get(entry, 'authmethod') === 'psk') {
    const key = pskOf(entry, 'psksecret', context);
    return key === undefined ? undefined : { kind: 'psk', psk: key };
  }
  const names = get(entry, 'certificate');
  if (names.length === 0 && !isGarbled(entry, 'certificate'))
    context.findings.error(
      'missing',
      placeOf(entry, 'authmethod'),
      `${quoted(entry)} authenticates by signature and has no certificate: set certificate "NAME"`,
    );
  const purpose = `certificate of ${entry.key.text}`;
  const certificates = names
    .map((name, i) => context.certificates.local(name, placeOf(entry, 'certificate', i), purpose))
    .filter((one) => one !== undefined);
  if (certificates.length === 0 || certificates.length < names.length) return undefined;
  const wished = isSet(entry, 'signature-hash-alg') ? get(entry, 'signature-hash-alg') : defaultHashes;
  return {
    kind: 'certificate',
    certificates,
    hashes: [...wished.map((word) => hashes[word]), IDENTITY], // Identity is for EdDSA keys only, which know no other (RFC 8420)
    rsaFormat: get(entry, 'rsa-signature-format'),
    sendChain: get(entry, 'send-cert-chain'),
  };
}

/** Numbers of the IANA registry (RFC 7427 §7). */
const hashes = { sha1: 1, 'sha2-256': 2, 'sha2-384': 3, 'sha2-512': 4 } as const;
const IDENTITY = 5;
const defaultHashes = ['sha2-512', 'sha2-384', 'sha2-256'] as const;

const MIN_PSK = 6;

function pskOf(entry: Phase1Entry, word: 'psksecret' | 'psksecret-remote', { findings }: Context): Secret | undefined {
  const value = get(entry, word);
  if (value.kind === 'none' && !isGarbled(entry, word))
    findings.error('missing', entry.key, `${quoted(entry)} has no pre-shared key: set psksecret "..."`);
  if (value.kind !== 'clear') return undefined; // ENC has been told
  if (value.value.length < MIN_PSK)
    findings.warn(
      'weak',
      placeOf(entry, word),
      `${word} of ${entry.key.text} is shorter than ${MIN_PSK} characters: a FortiGate refuses it, and it can be guessed`,
    );
  return value.value;
}

function remoteAuthOf(entry: Phase1Entry, context: Context, local: LocalAuth | undefined): RemoteAuth | undefined {
  if (get(entry, 'eap')) return eapOf(entry, context);
  if (get(entry, 'authusrgrp') !== '')
    context.findings.warn(
      'conflict',
      placeOf(entry, 'authusrgrp'),
      `nobody is asked for a user by ${quoted(entry)}: authusrgrp counts only with set eap enable`,
    );
  const method = get(entry, 'authmethod-remote') ?? get(entry, 'authmethod');
  if (method === 'signature') return { kind: 'certificate', anchors: anchorsOf(entry, context) };
  if (isSet(entry, 'psksecret-remote')) {
    const key = pskOf(entry, 'psksecret-remote', context);
    return key === undefined ? undefined : { kind: 'psk', psk: key };
  }
  if (local?.kind === 'psk') return local;
  const key = get(entry, 'authmethod') === 'psk' ? undefined : pskOf(entry, 'psksecret', context);
  return key === undefined ? undefined : { kind: 'psk', psk: key };
}

function eapOf(entry: Phase1Entry, { findings, users, policyGroups, eap }: Context): RemoteAuth {
  const named = get(entry, 'authusrgrp');
  const ofPolicies = [...(policyGroups.get(entry.key.text) ?? [])];
  if (named !== '' && ofPolicies.length > 0)
    findings.warn(
      'conflict',
      placeOf(entry, 'authusrgrp'),
      `${quoted(entry)} has authusrgrp, so the groups of its firewall policies (${ofPolicies.join(', ')}) are not asked`,
    );
  const groups = named === '' ? ofPolicies : [named];
  if (groups.length === 0 && !isGarbled(entry, 'authusrgrp'))
    findings.error(
      'missing',
      placeOf(entry, 'eap'),
      `${quoted(entry)} asks for users and has no group of them: set authusrgrp "NAME", or groups in a policy from it`,
    );
  for (const group of groups)
    if (!users.groups.has(group))
      findings.error(
        'reference',
        placeOf(entry, 'authusrgrp'),
        `user group ${shown(group)} of ${quoted(entry)} is not defined: add it under 'config user group'`,
      );
  const byCertificate = get(entry, 'authmethod') === 'signature';
  const methods = eap.methods.filter((method: EapMethod) => method !== 'gtc' || byCertificate || eap.gtcWithPsk);
  if (methods.length === 0)
    findings.error(
      'conflict',
      placeOf(entry, 'eap'),
      `${quoted(entry)} has no EAP method left: add mschapv2 to eap-methods, or set eap-gtc-with-psk enable`,
    );
  return { kind: 'eap', identity: get(entry, 'eap-identity') === 'send-request' ? 'request' : 'id-payload', groups, methods };
}

/** Whom a client's certificate may come from: of peertype peer and peergrp their own authorities decide, later. */
function anchorsOf(entry: Phase1Entry, { certificates, findings }: Context) {
  const own = get(entry, 'peertype') === 'peer' || get(entry, 'peertype') === 'peergrp';
  if (!own && certificates.authorities.length === 0)
    findings.error(
      'missing',
      entry.key,
      `${quoted(entry)} takes certificates, and no authority vouches for them: add one under 'config vpn certificate ca'`,
    );
  return certificates.authorities;
}

function peerOf(entry: Phase1Entry, context: Context, remote: RemoteAuth['kind']): PeerMatch | undefined {
  const type = get(entry, 'peertype');
  const need = (word: 'peerid' | 'usrgrp' | 'peer' | 'peergrp'): string | undefined => {
    if (get(entry, word) !== '') return get(entry, word);
    if (isGarbled(entry, word)) return undefined;
    context.findings.error(
      'missing',
      placeOf(entry, 'peertype'),
      `${quoted(entry)} has peertype ${type} and no ${word}: set ${word} "...", or peertype any`,
    );
    return undefined;
  };
  if (type === 'any') return { kind: 'any' };
  if (type === 'one') {
    const id = need('peerid');
    return id === undefined ? undefined : { kind: 'one', id };
  }
  if (type === 'dialup') {
    const group = need('usrgrp');
    if (group !== undefined && !context.users.groups.has(group))
      context.findings.error(
        'reference',
        placeOf(entry, 'usrgrp'),
        `user group ${shown(group)} of ${quoted(entry)} is not defined: add it under 'config user group'`,
      );
    return group === undefined ? undefined : { kind: 'dialup', group };
  }
  if (remote !== 'certificate') {
    // FortiOS' default is `peer`, which says something about certificates only.
    if (get(entry, type) === '') return { kind: 'any' };
    context.findings.error(
      'conflict',
      placeOf(entry, type),
      `${type} of ${quoted(entry)} needs certificates of clients: set authmethod-remote signature, or unset ${type}`,
    );
    return undefined;
  }
  const name = need(type);
  return name === undefined ? undefined : peersOf(entry, type, name, context);
}

function peersOf(entry: Phase1Entry, type: 'peer' | 'peergrp', name: string, context: Context): PeerMatch | undefined {
  const { store, findings } = context;
  const place = placeOf(entry, type);
  const group = type === 'peergrp' ? entryAt(store, userPeerGroup, name) : undefined;
  if (type === 'peergrp' && group === undefined) {
    findings.error(
      'reference',
      place,
      `user peergrp ${shown(name)} of ${quoted(entry)} is not defined: add it under 'config user peergrp'`,
    );
    return undefined;
  }
  const members =
    group === undefined
      ? [{ name, place }]
      : get(group, 'member').map((one, i) => ({ name: one, place: placeOf(group, 'member', i) }));
  if (members.length === 0) findings.error('missing', place, `user peergrp ${shown(name)} has no member: set member "NAME"`);
  const peers = members.map((one) => ruleOf(one.name, one.place, context));
  return peers.length === 0 || peers.includes(undefined)
    ? undefined
    : { kind: 'peers', peers: peers.filter((one) => one !== undefined) };
}

function ruleOf(
  name: string,
  place: ReturnType<typeof placeOf>,
  { store, findings, certificates }: Context,
): PeerRule | undefined {
  const entry = entryAt(store, userPeer, name);
  if (entry === undefined) {
    findings.error('reference', place, `user peer ${shown(name)} is not defined: add it under 'config user peer'`);
    return undefined;
  }
  if (get(entry, 'two-factor') || get(entry, 'mfa-mode') !== 'none') {
    findings.error(
      'later',
      entry.key,
      `user peer ${shown(name)} asks for a second factor, which is not served yet, and is not left out: unset it`,
    );
    return undefined;
  }
  const ca = get(entry, 'ca');
  if (ca === '' && get(entry, 'mandatory-ca-verify')) {
    findings.error(
      'missing',
      entry.key,
      `user peer ${shown(name)} names no authority: set ca "NAME", or mandatory-ca-verify disable for any of ours`,
    );
    return undefined;
  }
  const anchors = ca === '' ? certificates.authorities : certificates.authority(ca, placeOf(entry, 'ca'), `user peer ${name}`);
  if (anchors === undefined) return undefined;
  const [subject, cn] = [get(entry, 'subject'), get(entry, 'cn')];
  return { name, anchors, ...(subject !== '' && { subject }), ...(cn !== '' && { cn }), cnType: get(entry, 'cn-type') };
}

const utf8 = new TextEncoder();

function localIdOf(entry: Phase1Entry, { findings }: Context, local: LocalAuth | undefined): Profile['localId'] {
  const id = get(entry, 'localid');
  const type = get(entry, 'localid-type');
  if (type === 'asn1dn') {
    const leaf = local?.kind === 'certificate' ? local.certificates[0]?.chain[0] : undefined;
    if (local?.kind === 'psk')
      findings.error(
        'conflict',
        placeOf(entry, 'localid-type'),
        `localid-type asn1dn of ${quoted(entry)} is a certificate's subject: set authmethod signature, or another type`,
      );
    return leaf === undefined ? undefined : { idType: IdType.DER_ASN1_DN, data: leaf.subjectDer };
  }
  if (id === '') {
    if (type !== 'auto' && type !== 'address')
      findings.error('missing', placeOf(entry, 'localid-type'), `localid-type ${type} of ${quoted(entry)} needs localid "..."`);
    return undefined;
  }
  const address = addressOctets(id);
  if (type === 'address' && address === undefined) {
    findings.error('value', placeOf(entry, 'localid'), `localid ${shown(id)} is no address, and localid-type is address`);
    return undefined;
  }
  if (address !== undefined && (type === 'address' || type === 'auto'))
    return { idType: address.length === 4 ? IdType.IPV4_ADDR : IdType.IPV6_ADDR, data: address };
  const idType =
    type === 'keyid'
      ? IdType.KEY_ID
      : type === 'user-fqdn' || (type === 'auto' && id.includes('@'))
        ? IdType.RFC822_ADDR
        : IdType.FQDN;
  return { idType, data: utf8.encode(id) };
}

const quoted = ({ key }: Phase1Entry): string => shown(key.text);
