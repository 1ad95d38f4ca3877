/**
 * Making a child SA as responder (RFC 7296 §1.2, §1.3, §2.9, §2.17): selectors, proposal, keys. Used by the last IKE_AUTH,
 * by CREATE_CHILD_SA for a new child and for a rekey.
 */
import { group as groupOf } from '../../crypto/index.ts';
import type { Phase2, Profile } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import { type NotifyName, notify, type Payload, type Proposal, Protocol, type TrafficSelector } from '../wire/index.ts';
import type { ChildKeys, Env } from './exchange.ts';
import { childKeys } from './keys.ts';
import { explainChild } from './mismatch.ts';
import { sayChildChoice, sayOffer, sayOurChild, saySelectors, selectorText } from './narrate.ts';
import { type ChildChoice, chooseChild } from './negotiate.ts';
import type { Basis, ChildSa, Instant } from './sa.ts';
import { narrow } from './selectors.ts';

export type ChildRequest = {
  readonly basis: Basis;
  readonly profile: Profile;
  readonly instance: string;
  readonly proposals: readonly Proposal[];
  /** The peer's side and ours, as the peer proposed them. */
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
  readonly Ni: Uint8Array;
  readonly Nr: Uint8Array;
  /** KE of a CREATE_CHILD_SA; in IKE_AUTH there is none and no PFS. */
  readonly ke: { readonly group: number; readonly data: Uint8Array } | undefined;
  readonly inAuth: boolean;
  readonly assigned4: Uint8Array | undefined;
  readonly assigned6: Uint8Array | undefined;
  /** The child that this one replaces. */
  readonly old: ChildSa | undefined;
};

/** Why the child of a peer on the IKE port carries nothing, and who can mend it: we, where NAT traversal was not offered. */
function notCarried({ name, nattraversal }: ChildRequest['profile']): string {
  const what = 'its ESP would be IP protocol 50, and only ESP in UDP is carried';
  if (nattraversal !== 'disable') return `${what}: the peer must do NAT traversal`;
  return `${what}: ${name} says nattraversal disable, set nattraversal enable`;
}

export type ChildOutcome =
  | { readonly kind: 'made'; readonly child: ChildSa; readonly keys: ChildKeys; readonly payloads: readonly Payload[] }
  | { readonly kind: 'refused'; readonly notify: Payload; readonly name: NotifyName; readonly why: string };

/**
 * Answers a request for a child SA.
 *
 * @returns the child with its keys and the payloads SA, [KE,] TSi, TSr; or the notify that refuses the child alone
 *   (TS_UNACCEPTABLE, NO_PROPOSAL_CHOSEN, INVALID_KE_PAYLOAD): the IKE SA stays
 */
export function makeChild(request: ChildRequest, env: Env): ChildOutcome {
  const { profile } = request;
  const number = env.childNumber();
  env.say({ child: number }, phrases.peerProposal);
  saySelectors(env, { child: number }, request.TSi, request.TSr);
  if (env.encapsulates && !env.path.natt) {
    const why = notCarried(profile);
    env.say({ child: number }, phrases.mismatch, why);
    env.tell({ kind: 'child-refused', notify: 'NO_PROPOSAL_CHOSEN', why });
    return { kind: 'refused', notify: notify('NO_PROPOSAL_CHOSEN'), name: 'NO_PROPOSAL_CHOSEN', why };
  }
  const assigned = { ipv4: request.assigned4, ipv6: request.assigned6 };
  const modeCfg = profile.modeCfg?.assign === true;
  let matched: Phase2 | undefined;
  let invalidKe: number | undefined;
  const options = { modeCfg, allowClientSelector: profile.modeCfg?.allowClientSelector === true };
  const { old } = request;
  let left = old === undefined ? profile.phase2 : profile.phase2.filter(({ name }) => name === old.phase2.name);
  env.say({ child: number }, phrases.comparing);
  for (;;) {
    // The best fit of selectors goes first (§2.9); one whose proposals do not fit makes room for the next best.
    const narrowed = narrow(request, left, assigned, options);
    if (narrowed === undefined) break;
    const { phase2 } = narrowed;
    left = left.filter((p) => p !== phase2);
    matched ??= phase2;
    const where = { child: number, phase2: phase2.name };
    // FortiOS judges the offer, before mode-cfg puts the lease in place of "everything".
    env.say(where, phrases.matchedByRule, narrowed.rule === 'subset' ? 2 : narrowed.rfcRule);
    env.say(where, phrases.phase2Matched, narrowed.rule);
    if (env.debug && modeCfg) for (const ts of narrowed.TSi) env.say(where, phrases.overridden, selectorText(ts));
    env.say(where, phrases.acceptedProposal);
    saySelectors(env, where, narrowed.TSi, narrowed.TSr);
    env.say(where, phrases.dialup);
    sayOffer(env, where, request.proposals, 'ESP');
    const choice = chooseChild(request.proposals, {
      proposals: phase2.proposals,
      groups: phase2.pfs ? phase2.groups : [],
      pfs: phase2.pfs,
      esn: profile.esn,
      keGroup: request.ke?.group,
      inAuth: request.inAuth,
    });
    if (choice.kind === 'none') continue;
    if (choice.kind === 'invalid-ke') {
      invalidKe ??= choice.group;
      continue;
    }
    return finish(request, phase2, choice, narrowed, number, env);
  }
  return refusal(request, matched, invalidKe, number, env);
}

function finish(
  request: ChildRequest,
  phase2: Phase2,
  choice: ChildChoice,
  narrowed: { readonly TSi: readonly TrafficSelector[]; readonly TSr: readonly TrafficSelector[]; readonly additional: boolean },
  number: number,
  env: Env,
): ChildOutcome {
  const { basis, ke } = request;
  const { TSi, TSr } = narrowed;
  const where = { child: number, phase2: phase2.name };
  sayChildChoice(env, where, choice, phase2);
  const exchanged = agree(choice.group, ke, env);
  if (exchanged === 'refused') {
    const why = `public value of group ${choice.group ?? 0} is refused`;
    return { kind: 'refused', notify: notify('INVALID_SYNTAX'), name: 'INVALID_SYNTAX', why };
  }
  const spiIn = env.espSpi();
  const suite = env.espSuite(choice);
  const child = childSa({ number, spiIn, spiOut: choice.spi, phase2, suite, TSi, TSr }, env);
  const made = childKeys(basis, choice, request, exchanged?.shared);
  const material = { encrIn: made.encrI, integIn: made.integI, encrOut: made.encrR, integOut: made.integR };
  return {
    kind: 'made',
    child,
    keys: keysOf(child, request.instance, 'peer', material, env),
    payloads: [
      { kind: 'SA', proposals: [{ ...choice.proposal, spi: spiOctets4(spiIn) }] },
      ...(exchanged === undefined ? [] : [{ kind: 'KE', group: exchanged.group, data: exchanged.publicValue } as const]),
      { kind: 'TSi', selectors: TSi },
      { kind: 'TSr', selectors: TSr },
      ...(narrowed.additional ? [notify('ADDITIONAL_TS_POSSIBLE')] : []), // §2.9
    ],
  };
}

/** The keys of a child as a data plane takes them. */
export function keysOf(
  child: ChildSa,
  gateway: string,
  by: ChildKeys['by'],
  material: ChildKeys['material'],
  env: Env,
): ChildKeys {
  return { gateway, child, by, material, path: env.path };
}

/** The record of a child; its soft end is jittered so that thousands do not rekey in one second. */
export function childSa(made: Omit<ChildSa, 'born' | 'soft' | 'hard' | 'state'>, env: Env): ChildSa {
  const { soft, hard } = lifetime(made.phase2.keylife, env.now, env.random(1)[0] ?? 0);
  return { ...made, born: env.now, soft, hard, state: 'installed' };
}

/** Soft end between 90 and 95 % of a life (s), hard end at all of it. */
export function lifetime(seconds: number, now: Instant, jitter: number): { readonly soft: Instant; readonly hard: Instant } {
  return { soft: now + Math.floor(seconds * 1000 * (0.9 + (0.05 * jitter) / 256)), hard: now + seconds * 1000 };
}

type Exchanged = { readonly group: number; readonly publicValue: Uint8Array; readonly shared: Uint8Array };

function agree(wanted: number | undefined, ke: ChildRequest['ke'], env: Env): Exchanged | undefined | 'refused' {
  if (wanted === undefined || ke === undefined) return undefined;
  const group = groupOf(wanted);
  // A fault of ours if it happens: what negotiate chooses, the backend has.
  if (group === undefined) throw new RangeError(`group ${wanted} was chosen and is not there`);
  const pair = env.keyPair(group);
  const shared = pair.agree(ke.data);
  return shared === undefined ? 'refused' : { group: wanted, publicValue: pair.publicValue, shared };
}

function refusal(
  request: ChildRequest,
  matched: Phase2 | undefined,
  invalidKe: number | undefined,
  number: number,
  env: Env,
): ChildOutcome {
  const refused = (name: 'TS_UNACCEPTABLE' | 'NO_PROPOSAL_CHOSEN', why: string): ChildOutcome => {
    env.tell({ kind: 'child-refused', notify: name, why });
    return { kind: 'refused', notify: notify(name), name, why };
  };
  if (matched === undefined) {
    env.say({ child: number }, phrases.selectorsFailed);
    env.say('sa', phrases.selectorsUnacceptable);
    const wanted = request.TSr.map(selectorText).join(' ');
    return refused('TS_UNACCEPTABLE', `no phase2-interface of ${request.profile.name} has ground in common with ${wanted}`);
  }
  if (invalidKe !== undefined)
    return {
      kind: 'refused',
      notify: notify('INVALID_KE_PAYLOAD', invalidKe),
      name: 'INVALID_KE_PAYLOAD',
      why: `KE for group ${invalidKe} wanted`,
    };
  const where = { child: number, phase2: matched.name };
  sayOurChild(env, where, matched);
  env.say(where, phrases.noProposalChosen);
  const text = explainChild(request.proposals, matched, request.profile.esn, request.inAuth);
  for (const line of text) env.say(where, phrases.mismatch, line);
  return refused('NO_PROPOSAL_CHOSEN', text.join('; '));
}

export function spiOctets4(spi: number): Uint8Array {
  return new Uint8Array([spi >>> 24, (spi >>> 16) & 0xff, (spi >>> 8) & 0xff, spi & 0xff]);
}

export const spiText = (spi: number): string => spi.toString(16).padStart(8, '0');

/** A Delete for one child by our inbound SPI (§3.11). */
export const deleteOf = (spis: readonly number[]): Payload => ({
  kind: 'D',
  protocol: Protocol.ESP,
  spiSize: 4,
  spis: spis.map(spiOctets4),
});
