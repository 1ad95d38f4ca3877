/**
 * The gate's place in the protocol: after authentication, before address and child SA. Every profile passes it; one
 * without a tag rule is cleared by `not-required`. `establish` takes a Clearance or a Probation: skipping this file does
 * not compile.
 */
import type { Secret } from '../../crypto/index.ts';
import * as phrases from '../log/phrases/index.ts';
import { type Evidence, formatPostureTag, judge, type PostureTag, type Verdict } from '../posture/index.ts';
import { establish } from './establish.ts';
import { ask, type Env, refuse, type Step } from './exchange.ts';
import type { Authenticated, SaAt } from './sa.ts';

type Asking = Omit<SaAt<'at-gate'>, 'at' | 'proof' | 'msk'>;

/** Nobody was asked, since nothing is wanted. */
const NOTHING_ASKED: Evidence = { ems: { kind: 'silent', why: 'no tag rule' }, token: { kind: 'none' } };

/** Brings an authenticated peer before the gate: asks for evidence, or passes at once where no tag is wanted. */
export function toGate(asking: Asking, proof: Authenticated, msk: Secret | undefined, env: Env): Step {
  const sa: SaAt<'at-gate'> = { at: 'at-gate', ...asking, proof, msk };
  const client = sa.first.claims?.given(proof);
  if (client !== undefined) {
    // Acted on only now, as newer builds do: before authentication it is anybody's word.
    env.say('sa', phrases.processingNotify, 'FORTICLIENT_CONNECT');
    env.say('sa', phrases.connectData, client.octets, client.raw);
    env.say('sa', phrases.connectUid, client.uid ?? '');
    env.say('sa', phrases.connectEms, client.emsSn ?? '');
    env.say('sa', phrases.connectTenant, client.emsId ?? '');
  }
  const tags = wanted(sa);
  if (tags === undefined) return afterGate(sa, NOTHING_ASKED, env);
  return ask(sa, { about: 'posture', profile: sa.profile.name, tags, client });
}

/** The evidence is there: judge, then establish or refuse. */
export function afterGate(sa: SaAt<'at-gate'>, evidence: Evidence, env: Env): Step {
  const tags = wanted(sa);
  const verdict = judge(tags, evidence, env.unix);
  if (tags !== undefined) narrate(verdict, env);
  if (verdict.kind === 'deny') return refuse('posture-denied', verdict.why);
  return establish(sa, verdict, env);
}

/** The tags that the profile wants, or undefined without a tag rule. */
const wanted = ({ profile }: SaAt<'at-gate'>): readonly PostureTag[] | undefined =>
  profile.match.kind === 'ztna' ? profile.match.tags : undefined;

function narrate(verdict: Verdict, env: Env): void {
  env.tell({ kind: 'posture', verdict: verdict.kind, ...account(verdict) });
  switch (verdict.kind) {
    case 'clear': {
      const tag = verdict.tag === undefined ? '' : `${verdict.tag.type}_${verdict.tag.name}`;
      env.say('sa', verdict.source === 'token' ? phrases.tokenTagsSuccess : phrases.emsTagsSuccess, tag);
      return;
    }
    case 'probation':
      env.say('sa', phrases.postureWhy, 'EMS is silent, waiting for the token that the client announced');
      return;
    case 'deny':
      env.say('sa', phrases.postureWhy, verdict.why);
      env.say('sa', phrases.emsTagsFailure);
      env.say('error', phrases.tagsCheckFailed);
      if (!env.config.settings.quietAuthFailures) env.say('sa', phrases.sendingTagsFailure);
  }
}

function account(verdict: Verdict): { readonly source: string; readonly why: string; readonly tag?: string } {
  if (verdict.kind === 'deny') return { source: 'none', why: verdict.why };
  if (verdict.kind === 'probation') return { source: 'none', why: 'token announced' };
  return {
    source: verdict.source,
    why: 'tag matches',
    ...(verdict.tag === undefined ? {} : { tag: formatPostureTag(verdict.tag) }),
  };
}
