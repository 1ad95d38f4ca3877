/** Our own requests of one SA in order: one under way (window size 1), a bounded queue behind it, one put off. */
import type { OwnRequest, Pending } from './own.ts';
import type { Established, Instant } from './sa.ts';

const QUEUE_MAX = 32;
/** §2.4: several tries over at least a dozen seconds before a peer counts as dead: 2, 3.6, 6.5, 11.7, 21 s. */
const FIRST_WAIT = 2000;
const GROWTH = 1.8;
const TRIES = 5;

export type Current = {
  readonly id: number;
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
  later: { readonly request: OwnRequest; readonly at: Instant } | undefined;
  /** Liveness probes sent, for the debug line. */
  probes: number;
};

export const newOwn = (): Own => ({ next: 0, current: undefined, queue: [], later: undefined, probes: 0 });

/** Puts a request in line, once; a delete of the IKE SA goes first and makes the rest pointless. */
export function enqueue(own: Own, request: OwnRequest): void {
  if (request.do === 'delete-ike') own.queue.length = 0;
  if (own.queue.some((q) => same(q, request)) || (own.current !== undefined && same(own.current.pending.request, request)))
    return;
  if (own.queue.length < QUEUE_MAX) own.queue.push(request);
}

function same(a: OwnRequest, b: OwnRequest): boolean {
  return a.do === b.do && ('spiIn' in a ? a.spiIn : 0) === ('spiIn' in b ? b.spiIn : 0) && 'group' in a === 'group' in b;
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
