/**
 * A standing before the gate is a lease: asked again when EMS' word is half way to being stale, when something changed, when a
 * token came, and once more shortly before its end, judged as of that end. What is lost is lost at once.
 */
import * as phrases from '../log/phrases/index.ts';
import { type Clearance, type Evidence, judge, sameTags, shortPostureTag, type Verdict } from '../posture/index.ts';
import type { Env } from './exchange.ts';
import { rivalOf, ruleOf, tellVerdict } from './gate.ts';
import type { Established, Instant } from './sa.ts';

/** ms before the end at which the gate asks for the last time, beyond the time that an answer may take. */
const MARGIN = 1000;

/** What a review makes of an SA. */
export type Review =
  | {
      readonly kind: 'kept';
      readonly to: Established /** It was on probation, or restrained, or holds other tags now. */;
      readonly opened: boolean;
    }
  | { readonly kind: 'lost'; readonly to: Established; readonly verdict: Verdict };

/** Why the gate was asked again: half time, shortly before the end, a change somewhere, a token of the client. */
export type Occasion = 'half-time' | 'last' | 'news' | 'token';

/** The end of a standing and the moment to ask again, on the engine's clock. */
export function leaseOf(
  { until, review }: { readonly until: number; readonly review: number },
  env: Pick<Env, 'now' | 'unix' | 'config'>,
): { readonly ends: Instant; readonly review: Instant } {
  const ends = env.now + (until - env.unix) * 1000;
  const last = ends - env.config.posture.lookupWait - MARGIN;
  const asked = env.now + (review - env.unix) * 1000;
  return { ends, review: Math.min(asked, Math.max(last, env.now + 1)) };
}

/** Is this question the last before the end, so that the answer must hold beyond it? */
export const isLast = ({ ends }: Established, { now, config }: Pick<Env, 'now' | 'config'>): boolean =>
  ends - now <= config.posture.lookupWait + 2 * MARGIN;

/** Judges an established SA again; on the last occasion as of the end of its standing. */
export function review(sa: Established, evidence: Evidence, occasion: Occasion, env: Env): Review {
  const rule = ruleOf(sa.profile);
  const { standing } = sa;
  const last = occasion === 'last' && sa.ends > env.now;
  const at = last && Number.isFinite(standing.until) ? Math.max(env.unix, standing.until) : env.unix;
  const verdict = judge(rule, evidence, rivalOf(sa, sa.since, env), at);
  switch (verdict.kind) {
    case 'clear':
      return kept(sa, verdict, occasion, env);
    case 'probation':
      // Its word stands until then; a clearance is not turned back into a wait.
      if (standing.kind === 'probation') return { kind: 'kept', to: { ...sa, review: Number.POSITIVE_INFINITY }, opened: false };
      return lost(sa, verdict, last);
    case 'deny':
      return lost(sa, verdict, last);
  }
}

function kept(sa: Established, verdict: Clearance, occasion: Occasion, env: Env): Review {
  const { standing } = sa;
  const released = standing.kind === 'probation' || sa.restraint !== 'none';
  const opened = released || (standing.kind === 'clear' && !sameTags(standing.held, verdict.held));
  const news =
    released || standing.kind !== 'clear' || standing.source !== verdict.source || standing.tag?.name !== verdict.tag?.name;
  const lease = leaseOf(verdict, env);
  if (news) {
    tellVerdict(verdict, env);
    if (verdict.tag !== undefined)
      env.say(
        'gateway',
        verdict.source === 'token' ? phrases.tokenTagsSuccess : phrases.emsTagsSuccess,
        shortPostureTag(verdict.tag),
      );
  } else if (occasion === 'half-time' && verdict.until <= standing.until) {
    // Asked half way, and EMS has not spoken since: the operator has as long again to mend it.
    const seconds = Math.max(0, verdict.until - env.unix);
    env.say(
      'gateway',
      phrases.postureWhy,
      `EMS has been silent for half of its threshold; this tunnel ends in ${seconds} s unless it answers or a token comes`,
    );
    env.tell({ kind: 'posture-warning', why: 'EMS has been silent for half of its out-of-sync-threshold', seconds });
  }
  return { kind: 'kept', to: { ...sa, standing: verdict, restraint: 'none', doom: undefined, ...lease }, opened };
}

function lost(sa: Established, verdict: Verdict, last: boolean): Review {
  // Asked ahead of the end: until then it stands, and then it goes for this reason.
  if (last) return { kind: 'kept', to: { ...sa, doom: verdict, review: Number.POSITIVE_INFINITY }, opened: false };
  return { kind: 'lost', to: sa, verdict };
}
