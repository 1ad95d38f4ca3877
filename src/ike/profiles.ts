/**
 * Which phase1-interface a peer belongs to: by address at IKE_SA_INIT, then by identity and shape of authentication at
 * the first IKE_AUTH ("re-validate gw ID"). Several profiles may answer on one address.
 */
import type { Profile, Users } from '../config/index.ts';
import { AuthMethod, addressOctets, compareOctets, describeIdentity } from '../wire/index.ts';
import type { FirstRequest, Identity, Path } from './sa.ts';

/** The country of an address, ISO code. */
type Country = (address: string) => string | undefined;

/** Profiles that answer on this local address to this remote one, in configured order, and why there is none. */
export function profilesAt(
  profiles: readonly Profile[],
  path: Path,
  networkId: number | undefined,
  country: Country,
): { readonly fit: readonly Profile[]; readonly why: string } {
  let why = 'the configuration has no dial-up IKEv2 profile';
  const fit = profiles.filter((p) => {
    const misfit =
      unreachable(p, path, country) ??
      (p.networkId === undefined || p.networkId === networkId ? undefined : `network-id ${p.networkId} is wanted`);
    if (misfit !== undefined) why = `${p.name}: ${misfit}`;
    return misfit === undefined;
  });
  return { fit, why };
}

/** Why a profile takes no messages on this path, or undefined. It holds at IKE_SA_INIT and whenever an address moves. */
export function unreachable(p: Profile, { local, remote }: Path, country: Country): string | undefined {
  const there = addressOctets(remote.address);
  if (there === undefined || (p.ipVersion === 4) !== (there.length === 4)) return `it has ip-version ${p.ipVersion}`;
  if (p.localGw !== undefined && p.localGw !== local.address) return `it has local-gw ${p.localGw}`;
  if (p.localAddresses !== undefined && !p.localAddresses.includes(local.address))
    return `it is bound to interface ${p.interface} (${p.localAddresses.join(' ')})`;
  return outerAddressFits(p, there, () => country(remote.address))
    ? undefined
    : `it does not take clients from ${remote.address} (remote-gw-match)`;
}

/** `remote-gw-match` on the outer address; where nobody can tell its country it fits none. */
function outerAddressFits({ match, match6 }: Profile, there: Uint8Array, country: () => string | undefined): boolean {
  const rule = there.length === 4 ? match : match6;
  switch (rule.kind) {
    case 'any':
    case 'ztna': // judged after authentication, on the tags
      return true;
    case 'ranges':
      return rule.ranges.some(
        (r) => r.start.length === there.length && compareOctets(r.start, there) <= 0 && compareOctets(there, r.end) <= 0,
      );
    case 'geography':
      return country() === rule.country;
  }
}

/** How a first IKE_AUTH authenticates: without AUTH it asks for EAP (§2.16). */
export type Shape = 'eap' | 'psk' | 'certificate';
export const shapeOf = (method: number | undefined): Shape =>
  method === undefined ? 'eap' : method === AuthMethod.SHARED_KEY ? 'psk' : 'certificate';

const inWords: { readonly [S in Shape]: string } = { eap: 'by EAP', psk: 'by pre-shared key', certificate: 'by certificate' };

/** Profiles whose refusal is told: each may quote a long identity. */
const WHYS_SHOWN = 4;

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
    const { idType, data } = first.IDi;
    const why = misfit(profile, describeIdentity(idType, data).text, shape, users);
    if (why === undefined) return { profile };
    whys.push(`${profile.name} ${why}`);
  }
  return { why: whys.slice(0, WHYS_SHOWN).join('; ') };
}

const is = ({ localId }: Profile, asked: Identity): boolean =>
  localId !== undefined &&
  localId.idType === asked.idType &&
  localId.data.length === asked.data.length &&
  compareOctets(localId.data, asked.data) === 0;

/** Why a peer of this identity, which authenticates in this shape, is nobody's business of a profile; undefined: it fits. */
export function misfit(profile: Profile, text: string, shape: Shape, users: Users): string | undefined {
  if (profile.remoteAuth.kind !== shape)
    return `authenticates clients ${inWords[profile.remoteAuth.kind]}, this one came ${inWords[shape]}`;
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
