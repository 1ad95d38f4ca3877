/** The engine's place for one IKE SA: the union member it holds now, and what changes with every message. */
import type { Own } from './ownQueue.ts';
import type { Channel } from './protect.ts';
import type { Occasion } from './review.ts';
import type { Established, IkeSa, Instant, Path } from './sa.ts';
import type { Timed } from './timers.ts';
import type { Will } from './wills.ts';
import type { Window } from './window.ts';

export type Slot = Timed &
  Channel & {
    sa: IkeSa;
    path: Path;
    window: Window;
    own: Own | undefined;
    /** The ticket of the question that the SA waits for; 0 when it waits for nobody. */
    ticket: number;
    /** Why an established SA is asked about, and whether it must be asked once more after that. */
    occasion: Occasion;
    again: Occasion | undefined;
    /** Exchange type of the request that is being worked on. */
    exchange: number;
    /** Where the request that is being worked on came from: its answer goes there (§2.11). */
    answerTo: Path;
    /** Under which the IKE_SA_INIT request is known while its retransmission must be answered. */
    initKey: string | undefined;
    /** The end of a negotiation, or of the memory of a closed SA. */
    expires: Instant;
    /** When the last message came that passed its integrity check. */
    lastIn: Instant;
    /** Not before this moment is it looked at whether the peer must be asked if it lives. */
    look: Instant;
    /** Whose half-open SA it counts as, and whether it still does (§2.6). */
    origin: string;
    counted: boolean;
    /** A rekey has put another SA in its place; what is left of it is its Delete. */
    replaced: boolean;
    /** The number behind the instance name, given back at the end. */
    index: number;
    /** Its inner address, when that has been taken from it ahead of its end: EMS and the journal are still to hear of it. */
    had: Uint8Array | undefined;
    /** Of the Delete that others could send for us; undefined while nobody would. */
    will: Will | undefined;
  };

/** Our SPI of an SA: what its messages are found by. */
export const ourSpi = ({ basis }: { readonly basis: IkeSa['basis'] }) => (basis.initiator ? basis.SPIi : basis.SPIr);
export const theirSpi = ({ basis }: { readonly basis: IkeSa['basis'] }) => (basis.initiator ? basis.SPIr : basis.SPIi);

/** The earliest moment anything is due for this SA. */
export function dueOf(slot: Slot): Instant {
  const { sa, own } = slot;
  const parts = Math.min(slot.reassembly?.until ?? Number.POSITIVE_INFINITY, slot.answers?.until ?? Number.POSITIVE_INFINITY);
  if (sa.at !== 'established') return Math.min(slot.expires, parts);
  let due = Math.min(sa.hard, sa.ends, slot.ticket === 0 ? sa.review : Number.POSITIVE_INFINITY, parts);
  if (own?.current !== undefined) due = Math.min(due, own.current.due);
  else {
    due = Math.min(due, firstLook(slot, sa));
    for (const { at } of own?.later ?? []) due = Math.min(due, at);
    if (rekeys(sa)) due = Math.min(due, sa.soft);
  }
  for (const child of sa.children) {
    due = Math.min(due, child.hard);
    if (child.state === 'installed' && own?.current === undefined && rekeys(sa)) due = Math.min(due, child.soft);
  }
  return due;
}

/** Windows cannot stand a rekey that the gateway starts behind NAT: it rekeys by itself. */
export const rekeys = ({ profile, basis }: Established): boolean => profile.rekey && !(basis.windows && basis.natPeer);

/** Whether the peer lives is a question from here on: IKE has been silent for an interval, and ESP was when last looked at. */
export const firstLook = ({ lastIn, look }: Slot, { profile: { dpd } }: Established): Instant =>
  dpd.mode === 'disable' ? Number.POSITIVE_INFINITY : Math.max(lastIn + dpd.retryInterval, look);
