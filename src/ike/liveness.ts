/**
 * When a peer is asked whether it lives (RFC 7296 §2.4: any authentic message proves life, ESP as well as IKE). Pure: what the
 * data plane has seen is asked for at the moment that it decides something.
 */
import type { Seen } from '../esp/index.ts';
import type { Established, Instant } from './sa.ts';
import type { Slot } from './slot.ts';

/**
 * Asks what the data plane has seen of the client behind a child, over all its children, by our inbound SPI of it; undefined: the
 * data plane does not know it.
 */
export type Watch = (spiIn: number) => Seen | undefined;

/**
 * The moment to ask the peer, or to look again, by what is known now.
 *
 * @param watch undefined: nobody carries traffic
 */
export function askAt({ lastIn }: Pick<Slot, 'lastIn'>, sa: Established, now: Instant, watch: Watch | undefined): Instant {
  const { mode, retryInterval } = sa.profile.dpd;
  const seen = seenOf(sa, watch);
  const heard = Math.max(lastIn, seen?.heard ?? lastIn);
  switch (mode) {
    case 'disable':
      return Number.POSITIVE_INFINITY;
    case 'on-idle':
      return heard + retryInterval;
    case 'on-demand':
      // Without a data plane demand is not seen: a slower look keeps dead peers from holding their lease for a day.
      if (watch === undefined) return lastIn + 3 * retryInterval;
      // An answer to IKE since then was an answer, too.
      if (seen?.sent !== undefined && seen.sent > heard) return Math.max(heard, seen.unanswered ?? heard) + retryInterval;
      return Math.max(now, lastIn) + retryInterval;
  }
}

/** The data plane has heard the client at this moment or later. */
export const heardSince = (sa: Established, since: Instant, watch: Watch | undefined): boolean =>
  (seenOf(sa, watch)?.heard ?? Number.NEGATIVE_INFINITY) >= since;

function seenOf({ children }: Established, watch: Watch | undefined): Seen | undefined {
  for (const { spiIn } of children) {
    const seen = watch?.(spiIn);
    if (seen !== undefined) return seen;
  }
  return undefined;
}
