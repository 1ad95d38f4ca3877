/**
 * Which phase1-interface a peer belongs to: by address at IKE_SA_INIT, then by identity and shape of authentication at
 * the first IKE_AUTH ("re-validate gw ID"). Several profiles may answer on one address.
 */
import type { Profile, Users } from '../config/index.ts';
import { AuthMethod, addressOctets, describeIdentity } from '../wire/index.ts';
import type { FirstRequest, Identity, Path } from './sa.ts';

/** Profiles that answer on this local address to this remote one, in configured order, and why there is none. */
export function profilesAt(
  profiles: readonly Profile[],
  { local, remote }: Path,
  networkId: number | undefined,
): { readonly fit: readonly Profile[]; readonly why: string } {
  const here = addressOctets(local.address);
  const there = addressOctets(remote.address);
  let why = 'the configuration has no dial-up IKEv2 profile';
  const fit = profiles.filter((p) => {
    if (here === undefined || there === undefined || (p.ipVersion === 4) !== (here.length === 4)) {
      why = `${p.name} has ip-version ${p.ipVersion}`;
      return false;
    }
    if (p.localGw !== undefined && p.localGw !== local.address) {
      why = `${p.name} has local-gw ${p.localGw}`;
      return false;
    }
    if (p.localAddresses !== undefined && !p.localAddresses.includes(local.address)) {
      why = `${p.name} is bound to interface ${p.interface} (${p.localAddresses.join(' ')})`;
      return false;
    }
    if (p.networkId !== undefined && p.networkId !== networkId) {
      why = `${p.name} wants network-id ${p.networkId}`;
      return false;
    }
    if (!outerAddressFits(p, there)) {
      why = `${p.name} does not take clients from ${remote.address} (remote-gw-match)`;
      return false;
    }
    return true;
  });
  return { fit, why };
}

/** `remote-gw-match` on the outer address; geography cannot be told yet and fits nobody. */
function outerAddressFits({ match, match6 }: Profile, there: Uint8Array): boolean {
  const rule = there.length === 4 ? match : match6;
  switch (rule.kind) {
    case 'any':
    case 'ztna': // judged after authentication, on the tags
      return true;
    case 'ranges':
      return rule.ranges.some(
        (r) => r.start.length === there.length && compare(r.start, there) <= 0 && compare(there, r.end) <= 0,
      );
    case 'geography':
      return false;
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How a first IKE_AUTH authenticates: without AUTH it asks for EAP (§2.16). */
export type Shape = 'eap' | 'psk' | 'certificate';
export const shapeOf = (method: number | undefined): Shape =>
  method === undefined ? 'eap' : method === AuthMethod.SHARED_KEY ? 'psk' : 'certificate';

const inWords: { readonly [S in Shape]: string } = { eap: 'by EAP', psk: 'by pre-shared key', certificate: 'by certificate' };

/** The first candidate that fits what the peer says it is; a profile with the very `localid` it asked for goes first. */
export function revalidate(
  candidates: readonly Profile[],
  first: FirstRequest,
  shape: Shape,
  users: Users,
): { readonly profile: Profile } | { readonly why: string } {
  const asked = first.IDr;
  const ordered = asked === undefined ? candidates : [...candidates].sort((a, b) => Number(is(b, asked)) - Number(is(a, asked)));
  const whys: string[] = [];
  for (const profile of ordered) {
    const why = misfit(profile, first, shape, users);
    if (why === undefined) return { profile };
    whys.push(`${profile.name} ${why}`);
  }
  return { why: whys.join('; ') };
}

const is = ({ localId }: Profile, asked: Identity): boolean =>
  localId !== undefined &&
  localId.idType === asked.idType &&
  localId.data.length === asked.data.length &&
  compare(localId.data, asked.data) === 0;

function misfit(profile: Profile, { IDi }: FirstRequest, shape: Shape, users: Users): string | undefined {
  if (profile.remoteAuth.kind !== shape)
    return `authenticates clients ${inWords[profile.remoteAuth.kind]}, this one came ${inWords[shape]}`;
  const { text } = describeIdentity(IDi.idType, IDi.data);
  switch (profile.peer.kind) {
    case 'one':
      return text === profile.peer.id ? undefined : `takes peerid '${profile.peer.id}' only, this peer is '${text}'`;
    case 'dialup':
      return users.find(text, [profile.peer.group]) === undefined
        ? `knows no '${text}' in usrgrp ${profile.peer.group}`
        : undefined;
    case 'any':
    case 'peers': // judged on the certificate
      return undefined;
  }
}
