/**
 * One engine of several that are one gateway. Each has every n-th number of what must be told apart over all of them: SPIs,
 * instance names, numbers in the debug lines. The kernel brings a datagram to the right one by the SPI alone.
 */
import { type IkeSpi, spiOctets } from '../wire/index.ts';

/** Which one of how many; index < count ≤ LANES_MAX. */
export type Lane = { readonly index: number; readonly count: number };

/** More cores than a machine of today has; an SPI's last octet must tell them apart without giving much away of its chance. */
export const LANES_MAX = 64;
export const ALONE: Lane = { index: 0, count: 1 };

/** Changes the last octet as little as needed for it to say whose it is: its rest of a division by `count`. */
export function mark(octets: Uint8Array, { index, count }: Lane): Uint8Array {
  const last = octets.length - 1;
  const was = octets[last] ?? 0;
  const now = was - (was % count) + index;
  octets[last] = now > 255 ? now - count : now;
  return octets;
}

/** Whose SPI it is; of an IKE_SA_INIT, whose the initiator's makes it. */
export const laneOf = (spi: IkeSpi | number, count: number): number =>
  (typeof spi === 'number' ? spi & 255 : (spiOctets(spi)[7] ?? 0)) % count;
