/** Debug lines that take preparing: proposals, selectors, the configuration payload. Built only when somebody listens. */
import type { Phase2, Profile } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import { addressText, type Proposal, Protocol, type TrafficSelector, TransformType } from '../wire/index.ts';
import type { Where } from './exchange.ts';
import { type Note, noteText } from './modecfg.ts';
import { fortiTransform } from './names.ts';
import type { ChildChoice } from './negotiate.ts';

/** Whatever can say a line of one SA. */
export type Teller = {
  readonly debug: boolean;
  say<A extends readonly unknown[]>(where: Where, phrase: (...args: A) => phrases.Phrase, ...args: A): void;
};

/** Transforms that are printed of one received proposal; a hostile one may carry hundreds. */
const TRANSFORMS_SHOWN = 40;
const PROPOSALS_SHOWN = 16;

/** `0:10.0.0.0-10.0.0.255:0`: FortiOS' form of a selector, protocol first, port last. */
export function selectorText(ts: TrafficSelector): string {
  if (ts.type === 'other') return `selector type ${ts.number}`;
  const port =
    ts.startPort === 0 && ts.endPort === 65535
      ? '0'
      : ts.startPort === ts.endPort
        ? `${ts.startPort}`
        : `${ts.startPort}-${ts.endPort}`;
  return `${ts.protocol}:${addressText(ts.start)}-${addressText(ts.end)}:${port}`;
}

export function saySelectors(env: Teller, where: Where, TSi: readonly TrafficSelector[], TSr: readonly TrafficSelector[]): void {
  if (!env.debug) return;
  for (const [i, ts] of TSi.slice(0, PROPOSALS_SHOWN).entries()) env.say(where, phrases.selector, 'TSi', i, selectorText(ts));
  for (const [i, ts] of TSr.slice(0, PROPOSALS_SHOWN).entries()) env.say(where, phrases.selector, 'TSr', i, selectorText(ts));
}

/** What the peer offers. */
export function sayOffer(env: Teller, where: Where, proposals: readonly Proposal[], kind: 'IKE' | 'ESP'): void {
  if (!env.debug) return;
  env.say(where, kind === 'IKE' ? phrases.incomingProposal : phrases.incomingChildProposal);
  for (const proposal of proposals.slice(0, PROPOSALS_SHOWN)) sayProposal(env, where, proposal, kind);
}

/** The proposal that was chosen for the IKE SA, and for whose sake. */
export function sayChosen(env: Teller, proposal: Proposal, profile: Profile): void {
  if (!env.debug) return;
  env.say('sa', phrases.matchedProposal, proposal.number);
  sayProposal(env, 'sa', proposal, 'IKE');
  env.say('sa', phrases.lifetime, profile.keylife);
  env.say('sa', phrases.gatewayMatched, profile.name);
}

export function sayChildChoice(env: Teller, where: Where, choice: ChildChoice, phase2: Phase2): void {
  if (!env.debug) return;
  env.say(where, phrases.matchedProposal, choice.proposal.number);
  sayProposal(env, where, choice.proposal, 'ESP');
  env.say(where, phrases.pfs, choice.group);
  env.say(where, phrases.lifetime, phase2.keylife);
}

/** What a profile would have taken, beside what was offered. */
export function sayOurs(env: Teller, where: Where, profile: Profile): void {
  if (!env.debug) return;
  env.say(where, phrases.myProposal, profile.name);
  for (const [i, { encr, keyLength, integ, prf }] of profile.proposals.entries()) {
    const transforms = [
      { type: TransformType.ENCR, id: encr, keyLength },
      ...(integ === 0 ? [] : [{ type: TransformType.INTEG, id: integ, keyLength: 0 }]),
      { type: TransformType.PRF, id: prf, keyLength: 0 },
      ...profile.groups.map((id) => ({ type: TransformType.DH, id, keyLength: 0 })),
    ];
    sayProposal(env, where, { number: i + 1, protocol: 1, spi: new Uint8Array(0), transforms }, 'IKE');
  }
}

export function sayOurChild(env: Teller, where: Where, phase2: Phase2): void {
  if (!env.debug) return;
  env.say(where, phrases.myChildProposal);
  for (const [i, { encr, keyLength, integ }] of phase2.proposals.entries()) {
    const transforms = [
      { type: TransformType.ENCR, id: encr, keyLength },
      ...(integ === 0 ? [] : [{ type: TransformType.INTEG, id: integ, keyLength: 0 }]),
      ...(phase2.pfs ? phase2.groups.map((id) => ({ type: TransformType.DH, id, keyLength: 0 })) : []),
    ];
    sayProposal(env, where, { number: i + 1, protocol: 3, spi: new Uint8Array(0), transforms }, 'ESP');
  }
}

/** What the configuration payload was asked (before the child SA), or what it answers (after it): FortiOS' order. */
export function sayConfig(env: Teller, notes: readonly Note[], when: Note['when']): void {
  if (!env.debug) return;
  for (const note of notes) if (note.when === when) env.say('sa', phrases.modeCfg, noteText(note));
}

function sayProposal(env: Teller, where: Where, { number, transforms }: Proposal, kind: 'IKE' | 'ESP'): void {
  env.say(where, phrases.proposalId, number);
  env.say(where, phrases.proposalProtocol, kind === 'IKE' ? 'IKEv2' : 'ESP');
  env.say(where, phrases.proposalEncapsulation, kind === 'IKE' ? 'IKEv2/none' : 'TUNNEL');
  for (const t of transforms.slice(0, TRANSFORMS_SHOWN)) {
    const { type, value } = fortiTransform(t, kind === 'IKE' ? Protocol.IKE : Protocol.ESP);
    env.say(where, phrases.proposalTransform, type, value);
  }
}
