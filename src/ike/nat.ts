/**
 * NAT detection (RFC 7296 §2.23). Each end sends SHA-1 over SPIs, address and port as it sees them; what arrives differently
 * went through a NAT.
 */
import { sha1 } from '../../crypto/index.ts';
import { addressOctets, equal, type IkeSpi, type Notify, notify, type Payload, spiOctets } from '../wire/index.ts';

export type NatMode = 'enable' | 'disable' | 'forced';
type Endpoint = { readonly address: string; readonly port: number };
type Path = { readonly local: Endpoint; readonly remote: Endpoint };
type Spis = { readonly SPIi: IkeSpi; readonly SPIr: IkeSpi };

/**
 * me, peer: that end is behind a NAT.
 * supported: the peer sent its hashes and we look at them; without that nobody changes to port 4500.
 */
export type NatFound = { readonly me: boolean; readonly peer: boolean; readonly supported: boolean };

/** 20 octets. `address`: 4 or 16 octets; `SPIr` is zero in an IKE_SA_INIT request. */
export function natHash(SPIi: IkeSpi, SPIr: IkeSpi, address: Uint8Array, port: number): Uint8Array {
  return sha1(spiOctets(SPIi), spiOctets(SPIr), address, Uint8Array.of(port >>> 8, port & 0xff));
}

/**
 * Reads the peer's NAT_DETECTION_* notifies.
 *
 * @param spis as in the header of the message that carried them
 * @param mode `disable`: they are not looked at. `forced`: the peer counts as behind a NAT whatever the hashes say, so that
 *   ESP goes in UDP
 */
export function detectNat(notifies: readonly Notify[], spis: Spis, path: Path, mode: NatMode): NatFound {
  const not = { me: false, peer: false, supported: false };
  if (mode === 'disable') return not;
  const sources: Uint8Array[] = [];
  const destinations: Uint8Array[] = [];
  for (const n of notifies) {
    if (n.name === 'NAT_DETECTION_SOURCE_IP') sources.push(n.data);
    if (n.name === 'NAT_DETECTION_DESTINATION_IP') destinations.push(n.data);
  }
  if (sources.length === 0 || destinations.length === 0) return not;
  const [here, there] = [hashOf(spis, path.local), hashOf(spis, path.remote)];
  const seen = (hashes: readonly Uint8Array[], hash: Uint8Array) => hashes.some((h) => equal(h, hash));
  // A peer with several addresses sends a source hash for each: one that fits will do.
  return { me: !seen(destinations, here), peer: mode === 'forced' || !seen(sources, there), supported: true };
}

/** Our own two notifies. `forced`: the destination is hashed with port 0, so that the peer finds itself behind a NAT. */
export function natNotifies(spis: Spis, path: Path, mode: NatMode): readonly Payload[] {
  if (mode === 'disable') return [];
  const remote = mode === 'forced' ? { ...path.remote, port: 0 } : path.remote;
  return [
    notify('NAT_DETECTION_SOURCE_IP', hashOf(spis, path.local)),
    notify('NAT_DETECTION_DESTINATION_IP', hashOf(spis, remote)),
  ];
}

function hashOf({ SPIi, SPIr }: Spis, { address, port }: Endpoint): Uint8Array {
  const octets = addressOctets(address);
  if (octets === undefined) throw new RangeError('a socket gave an address that is none'); // ours, never the peer's
  return natHash(SPIi, SPIr, octets, port);
}
