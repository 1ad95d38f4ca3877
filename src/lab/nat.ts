/**
 * The way between us and the gateway: NAT detection and the move to the NAT-T ports (RFC 7296 §2.23).
 */
import { sha1 } from '../../crypto/index.ts';
import { addressOctets, equal, type IkeSpi, NO_OCTETS, type Notify, type Payload, spiOctets } from '../wire/index.ts';
import { all } from './octets.ts';
import type { Endpoint, Settings } from './options.ts';

export type Path = {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** On the NAT-T ports, with the non-ESP marker in front. */
  readonly natt: boolean;
};
export type NatFindings = {
  /** We are behind a NAT. */
  readonly local: boolean;
  readonly remote: boolean;
};

/** Where IKE_SA_INIT goes. */
export function firstPath(o: Settings): Path {
  return o.natt === 'start4500' ? nattPath(o) : { local: o.local, remote: o.remote, natt: false };
}

export function nattPath({ local, remote, nattPorts }: Settings): Path {
  const at = ({ address }: Endpoint, port: number): Endpoint => ({ address, port });
  return { local: at(local, nattPorts.local), remote: at(remote, nattPorts.remote), natt: true };
}

/** SHA-1 of the SPIs, the address and the port. */
export function natHash(SPIi: IkeSpi, SPIr: IkeSpi, { address, port }: Endpoint): Uint8Array {
  const ip = addressOctets(address) ?? NO_OCTETS;
  return sha1(spiOctets(SPIi), spiOctets(SPIr), ip, Uint8Array.of(port >>> 8, port & 0xff));
}

/** What the hashes of the gateway's response say about the way it took; undefined when it sent none. */
export function judgeNat(
  payloads: readonly Payload[],
  spis: { readonly SPIi: IkeSpi; readonly SPIr: IkeSpi },
  way: { readonly from: Endpoint; readonly to: Endpoint },
): NatFindings | undefined {
  const notifies = all(payloads, 'N');
  const sources = notifies.filter(named('NAT_DETECTION_SOURCE_IP'));
  const destinations = notifies.filter(named('NAT_DETECTION_DESTINATION_IP'));
  if (sources.length === 0 || destinations.length === 0) return undefined;
  const fits = (endpoint: Endpoint) => (n: { readonly data: Uint8Array }) =>
    equal(n.data, natHash(spis.SPIi, spis.SPIr, endpoint));
  return { local: !destinations.some(fits(way.to)), remote: !sources.some(fits(way.from)) };
}

type NatNotify = 'NAT_DETECTION_SOURCE_IP' | 'NAT_DETECTION_DESTINATION_IP';

function named<N extends NatNotify>(name: N): (n: Notify) => n is Extract<Notify, { name: N }> {
  return (n): n is Extract<Notify, { name: N }> => n.name === name;
}
