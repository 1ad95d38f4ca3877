/**
 * Message IDs (RFC 7296 §2.1-2.3), window size 1: which requests of the peer are fresh, and what its retransmissions get.
 * `idle(next) → working(id) → answered(id, octets)`: again resends the same octets, busy and old are dropped.
 */

export type Window = {
  /** The message ID that the peer's next request must carry. */
  next: number;
  /** The request `next - 1` is being worked on: its answer is still to come. */
  working: boolean;
  /** The datagrams of the answer to `next - 1`, without markers; the response is kept, the request is not. */
  response: readonly Uint8Array[];
};

export type Admission = 'fresh' | 'again' | 'busy' | 'old' | 'ahead';

export const newWindow = (next: number): Window => ({ next, working: false, response: [] });

/** Says what a verified request's message ID means; changes nothing. */
export function admit(window: Window, messageId: number): Admission {
  if (messageId === window.next) return window.working ? 'ahead' : 'fresh';
  if (messageId > window.next) return 'ahead';
  if (messageId !== window.next - 1) return 'old';
  return window.working ? 'busy' : 'again';
}

/** A fresh request has been taken; until `remember` its retransmissions are `busy`. */
export function begin(window: Window): void {
  window.next += 1;
  window.working = true;
  window.response = [];
}

/** The answer to the request taken last; an empty list when it is to be left unanswered. */
export function remember(window: Window, response: readonly Uint8Array[]): void {
  window.working = false;
  window.response = response;
}
