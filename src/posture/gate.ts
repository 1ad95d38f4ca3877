/**
 * The posture gate: may this client have a tunnel?
 *
 * EMS is the authority. A token is heard only when EMS is silent, never when EMS has said no. A profile without a tag
 * rule passes through the same door, so that there is no second way into a tunnel.
 */
import type { PostureTag } from './tag.ts';

export type UnixTime = number;
type Held = { readonly tags: readonly PostureTag[]; readonly from: UnixTime; readonly until: UnixTime };
/** What EMS said about this device; `from` is when its record last changed. Silence and a stale report are the same thing. */
export type EmsReport = ({ readonly kind: 'tags' } & Held) | { readonly kind: 'silent'; readonly why: string };
/** What the client's own token said, already verified by whoever made this value. */
export type TokenReport =
  | ({ readonly kind: 'valid' } & Held)
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'announced'; readonly by: UnixTime }
  | { readonly kind: 'none' };
export type Evidence = { readonly ems: EmsReport; readonly token: TokenReport };

declare const made: unique symbol;
/** Proof that the gate let this client pass, and until when. Only `judge` makes one. */
export type Clearance = {
  readonly kind: 'clear';
  readonly [made]: 'by judge';
  readonly source: 'ems' | 'token' | 'not-required';
  readonly tag: PostureTag | undefined;
  readonly until: UnixTime;
};
/** EMS is silent and a token is on its way: the SA may exist, traffic may not. */
export type Probation = { readonly kind: 'probation'; readonly [made]: 'by judge'; readonly until: UnixTime };
export type Denial = { readonly kind: 'deny'; readonly why: string };
export type Verdict = Clearance | Probation | Denial;

/**
 * Judges one client.
 *
 * @param wanted the profile's tags in configured order, or undefined for a profile without a tag rule
 * @param evidence what EMS and the token said
 * @param now seconds since 1970; at its hour everything has ended
 * @returns a clearance with its source and end, a probation, or a denial with its whole reason; missing data is a denial
 */
export function judge(wanted: readonly PostureTag[] | undefined, { ems, token }: Evidence, now: UnixTime): Verdict {
  if (wanted === undefined) return clear('not-required', undefined, Number.POSITIVE_INFINITY);
  if (ems.kind === 'tags' && ems.until > now) return match(wanted, ems, 'ems');
  const silence = ems.kind === 'tags' ? 'EMS report is stale' : `EMS silent: ${ems.why}`;
  switch (token.kind) {
    case 'valid':
      if (token.until <= now) return deny(`${silence}; token expired`);
      if (ems.kind === 'tags' && token.from < ems.from) return deny(`${silence}; token is older than EMS' last change`);
      return match(wanted, token, 'token');
    case 'announced':
      // The cast is the maker's: no other place may forge the proof.
      return token.by > now ? ({ kind: 'probation', until: token.by } as Probation) : deny(`${silence}; no token in time`);
    case 'bad':
      return deny(`${silence}; token bad: ${token.why}`);
    case 'none':
      return deny(`${silence}; no token`);
  }
}

function match(wanted: readonly PostureTag[], held: Held, source: 'ems' | 'token'): Verdict {
  const same = (a: PostureTag, b: PostureTag) => a.ems === b.ems && a.type === b.type && a.name === b.name;
  const tag = wanted.find((w) => held.tags.some((h) => same(w, h))); // in configured order, first match wins
  return tag === undefined ? deny('no tag matches') : clear(source, tag, held.until);
}

function clear(source: Clearance['source'], tag: PostureTag | undefined, until: UnixTime): Clearance {
  return { kind: 'clear', source, tag, until } as Clearance; // the one maker of the proof
}

const deny = (why: string): Denial => ({ kind: 'deny', why });
