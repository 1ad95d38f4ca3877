/**
 * The last will of an engine that may die: for each established SA the Delete that would end it now, ready to be sent by somebody
 * else. It is made anew whenever it would no longer be taken: with every request of ours, and when the client is elsewhere.
 */
import { Exchange, Protocol } from '../wire/index.ts';
import { protect } from './protect.ts';
import type { Path } from './sa.ts';
import { ourSpi, type Slot } from './slot.ts';
import type { World } from './world.ts';

/** What stands in a will that has been given away: it holds for this message ID and this path. */
export type Will = { readonly next: number; readonly path: Path };

/** RFC 5282 §3.1: an IV never repeats. Those of the wills lie where no counter of messages ever gets to. */
const IVS = 2 ** 52;

/** Looks whether the will of this SA still holds; makes another, or takes it back. */
export function renew(slot: Slot, world: World): void {
  const { sa, path, will } = slot;
  const spi = ourSpi(sa);
  if (sa.at !== 'established' || slot.replaced) {
    if (will === undefined) return;
    slot.will = undefined;
    return world.out.will(spi, path, undefined);
  }
  const next = slot.own?.next ?? 0;
  if (will?.next === next && will.path === path) return;
  slot.will = { next, path };
  const { SPIi, SPIr, initiator } = sa.basis;
  const envelope = { SPIi, SPIr, exchange: Exchange.INFORMATIONAL, initiator, response: false, messageId: next };
  // The same message ID gives the same octets: no IV is used for two messages.
  const channel = { iv: IVS + next, reassembly: undefined, answers: undefined };
  const payloads = [{ kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] } as const];
  const [octets] = protect(sa.basis, channel, envelope, payloads, 0, (n) => world.entropy.octets(n));
  if (octets !== undefined) world.out.will(spi, path, octets);
}
