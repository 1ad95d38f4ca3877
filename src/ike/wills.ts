/**
 * The last will of an engine that may die: for each established SA the Delete that would end it now, ready to be sent by somebody
 * else. It is made anew whenever it would no longer be taken: with every request of ours, and when the client is elsewhere.
 * While a request is under way there are two.
 */
import { Exchange, Protocol } from '../wire/index.ts';
import { protect } from './protect.ts';
import type { Established, Path } from './sa.ts';
import { ourSpi, type Slot } from './slot.ts';
import type { World } from './world.ts';

/** What stands in a will that has been given away: it holds for these message IDs and this path. */
export type Will = { readonly first: number; readonly next: number; readonly path: Path };

/** RFC 5282 §3.1: an IV never repeats. Those of the wills lie where no counter of messages ever gets to. */
const IVS = 2 ** 52;

/** Looks whether the will of this SA still holds; makes another, or takes it back. */
export function renew(slot: Slot, world: World): void {
  const { sa, path, will } = slot;
  const spi = ourSpi(sa);
  if (sa.at !== 'established' || slot.replaced) {
    if (will === undefined) return;
    slot.will = undefined;
    return world.out.will(spi, path, []);
  }
  const next = slot.own?.next ?? 0;
  // A request that is under way may never have arrived: then the peer waits for its number, and not for the next.
  const first = slot.own?.current?.id ?? next;
  if (will?.first === first && will.next === next && will.path === path) return;
  slot.will = { first, next, path };
  const deletions = [...new Set([first, next])].map((id) => deletion(sa, id, world));
  world.out.will(spi, path, deletions);
}

function deletion({ basis }: Established, messageId: number, { entropy }: World): Uint8Array {
  const { SPIi, SPIr, initiator } = basis;
  const envelope = { SPIi, SPIr, exchange: Exchange.INFORMATIONAL, initiator, response: false, messageId };
  // The same message ID gives the same octets: no IV is used for two messages.
  const channel = { iv: IVS + messageId, reassembly: undefined, answers: undefined };
  const payloads = [{ kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] } as const];
  const [octets] = protect(basis, channel, envelope, payloads, 0, (n) => entropy.octets(n));
  if (octets === undefined) throw new RangeError('a message without a datagram'); // ours
  return octets;
}
