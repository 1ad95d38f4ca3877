/** Our own requests of one SA in order: one under way (window size 1), a bounded queue behind it, a few put off. */
import type { OwnRequest, Pending, Rekey } from './own.ts';
import type { Established, Instant } from './sa.ts';

const QUEUE_MAX = 32;
const LATER_MAX = 8;
/** §2.4: several tries over at least a dozen seconds before a peer counts as dead: 2, 3.6, 6.5, 11.7, 21 s. */
const FIRST_WAIT = 2000;
const GROWTH = 1.8;
const TRIES = 5;
/** §2.25: TEMPORARY_FAILURE is met by trying again for several minutes; then the two ends are out of step. */
const AGAIN_FIRST = 3000;
const AGAIN_MOST = 60_000;
const PATIENCE = 5 * 60_000;

export type Current = {
  readonly id: number;
  readonly exchange: number;
  readonly pending: Pending;
  readonly datagrams: readonly Uint8Array[];
  tries: number;
  due: Instant;
};

export type Own = {
  /** The message ID of our next request. */
  next: number;
  current: Current | undefined;
  readonly queue: OwnRequest[];
  readonly later: { readonly request: OwnRequest; readonly at: Instant }[];
  /** Liveness probes sent, for the debug line. */
  probes: number;
};

export const newOwn = (): Own => ({ next: 0, current: undefined, queue: [], later: [], probes: 0 });

/** Puts a request in line, once; a delete of the IKE SA goes first and makes the rest pointless. */
export function enqueue(own: Own, request: OwnRequest): void {
  if (request.do === 'delete-ike') own.queue.length = own.later.length = 0;
  if (own.queue.some((q) => same(q, request)) || (own.current !== undefined && same(own.current.pending.request, request)))
    return;
  if (own.queue.length < QUEUE_MAX) own.queue.push(request);
}

function same(a: OwnRequest, b: OwnRequest): boolean {
  return keyOf(a) === keyOf(b) && 'group' in a === 'group' in b;
}

const keyOf = (request: OwnRequest): string => ('spiIn' in request ? `${request.do} ${request.spiIn}` : request.do);

/**
 * Puts a request off that met TEMPORARY_FAILURE (§2.25), each time for longer, and at a random moment: two ends must not
 * meet again.
 *
 * @param jitter 0-255
 * @returns false when it has been put off for minutes
 */
export function putOff(own: Own, request: Rekey, now: Instant, jitter: number): boolean {
  const { since = now } = request;
  if (now - since > PATIENCE) return false;
  const wait = Math.min(AGAIN_FIRST + (now - since), AGAIN_MOST);
  if (own.later.length < LATER_MAX) own.later.push({ request: { ...request, since }, at: now + wait + 20 * jitter });
  return true;
}

/** When a request that was sent `tries` times is sent again, and how often it is sent at all. */
export function patience(
  request: OwnRequest,
  tries: number,
  { profile: { dpd } }: Established,
): { readonly wait: number; readonly most: number } {
  if (request.do === 'dpd') return { wait: dpd.retryInterval, most: dpd.retryCount };
  return { wait: Math.round(FIRST_WAIT * GROWTH ** (tries - 1)), most: TRIES };
}
