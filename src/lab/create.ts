/**
 * CREATE_CHILD_SA for children, our own (RFC 7296 §1.3.1, §1.3.3, §2.8, §2.25), and deleting them (§1.4.1).
 *
 *   HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
 *                                                    <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 *   rekeyed: HDR, SK {D}  -->   <--  HDR, SK {D}
 */
import { Exchange, NO_OCTETS, notify, type Payload, Protocol, type TrafficSelector } from '../wire/index.ts';
import { errorIn, install, judgeChildAnswer, offerChild, remove, saPayload, transportWish } from './child.ts';
import {
  type Child,
  type Core,
  formFault,
  type IkeSa,
  type Ke,
  notifyName,
  outcome,
  type Pending,
  type Purpose,
  request,
  violation,
  whenFree,
} from './core.ts';
import { freshKe } from './init.ts';
import { all, compare, fromU32, lower, one, u32 } from './octets.ts';
import { outside } from './selectors.ts';

export type ChildWish = {
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
  /** Groups of a Diffie-Hellman exchange of its own; empty: none. */
  readonly groups: readonly number[];
  readonly rekeys?: Child;
};

type ChildPurpose = Extract<Purpose, { kind: 'child' }>;

/** Asks for a child, or for another one in the place of `rekeys`. */
export function createChild(core: Core, sa: IkeSa, wish: ChildWish, before?: Ke): void {
  const { groups, rekeys } = wish;
  const wanted = before?.group ?? groups[0];
  const ke = before ?? (wanted === undefined ? undefined : freshKe(core, wanted, []));
  const offer = offerChild(core, wish, groups);
  const Ni = core.o.random(core.o.nonceOctets);
  const target = rekeys === undefined ? undefined : { protocol: Protocol.ESP, spi: u32(rekeys.spiIn) };
  const payloads: readonly Payload[] = [
    ...(target === undefined ? [] : [notify('REKEY_SA', undefined, target)]),
    ...transportWish(core),
    saPayload(offer.proposals),
    { kind: 'NONCE', data: Ni },
    ...(ke === undefined ? [] : [{ kind: 'KE', group: ke.group, data: ke.pair.publicValue } as const]),
    { kind: 'TSi', selectors: offer.TSi },
    { kind: 'TSr', selectors: offer.TSr },
  ];
  request(core, sa, Exchange.CREATE_CHILD_SA, payloads, { kind: 'child', offer, Ni, ke, rekeys });
}

export function childAnswer(
  core: Core,
  sa: IkeSa,
  purpose: ChildPurpose,
  rival: Pending['rival'],
  payloads: readonly Payload[],
): void {
  const verb = purpose.rekeys === undefined ? 'create-child' : 'rekey-child';
  const error = errorIn(payloads);
  if (error !== undefined) return childRefused(core, sa, purpose, verb, payloads, notifyName(error));
  const made = judged(core, sa, purpose, payloads);
  if ('why' in made) {
    violation(core, `${verb}: ${made.why}`);
    outcome(core, verb, made.why);
    if (one(payloads, 'SA') !== undefined) deleteChildren(core, [purpose.offer.spiIn]); // it may have one now that we do not
    return;
  }
  outcome(core, verb);
  const old = purpose.rekeys;
  if (old === undefined) return;
  const lost = outside(old.TSi, made.child.TSi) ?? outside(old.TSr, made.child.TSr);
  if (lost !== undefined) violation(core, `rekeyed to less: ${lost} (§2.9.2)`);
  settle(core, old, made, rival);
}

type Made = { readonly child: Child; readonly lowest: Uint8Array };

/** §2.8.1: of two rekeys that crossed, the one with the lowest nonce goes, and who made the other one deletes the old child. */
function settle(core: Core, old: Child, made: Made, rival: Pending['rival']): void {
  const redundant = rival?.made === 'child' && compare(made.lowest, rival.lowest) < 0;
  old.state = 'replaced';
  if (redundant) made.child.state = 'replaced';
  else if (rival?.made === 'child') rival.child.state = 'replaced';
  deleteChildren(core, [(redundant ? made.child : old).spiIn]);
}

function judged(core: Core, sa: IkeSa, purpose: ChildPurpose, payloads: readonly Payload[]): Made | { readonly why: string } {
  const fault = formFault(payloads);
  if (fault !== undefined) return fault;
  const answer = judgeChildAnswer(core, purpose.offer, payloads);
  if ('why' in answer) return answer;
  const [NONCE, KE] = [one(payloads, 'NONCE'), one(payloads, 'KE')];
  if (NONCE === undefined) return { why: 'no nonce' };
  if (NONCE.data.length < sa.prf.keyOctets / 2) return { why: `a nonce of ${NONCE.data.length} octets` };
  const shared = agreed(purpose.ke, answer.suite.group, KE);
  if ('why' in shared) return shared;
  const Nr = NONCE.data.slice();
  const child = install(core, sa, purpose.offer.spiIn, answer, { Ni: purpose.Ni, Nr, shared: shared.secret, madeBy: 'us' });
  return { child, lowest: lower(purpose.Ni, Nr) };
}

type KePayload = Extract<Payload, { kind: 'KE' }>;

/** The secret of both halves: none when neither sent one. */
export function agreed(
  ke: Ke | undefined,
  group: number,
  KE: KePayload | undefined,
): { readonly secret: Uint8Array } | { readonly why: string } {
  if (ke === undefined || group === 0) {
    if (group !== 0) return { why: `group ${group}, and we sent no public value` };
    return KE === undefined ? { secret: NO_OCTETS } : { why: 'a public value where no group was chosen' };
  }
  if (KE === undefined) return { why: 'no public value' };
  if (KE.group !== group || KE.group !== ke.group) return { why: `a public value of group ${KE.group}, chosen is ${group}` };
  const secret = ke.pair.agree(KE.data);
  return secret === undefined ? { why: 'a public value that nobody may accept' } : { secret };
}

function childRefused(
  core: Core,
  sa: IkeSa,
  purpose: ChildPurpose,
  verb: string,
  payloads: readonly Payload[],
  name: string,
): void {
  const { rekeys, offer, ke } = purpose;
  const group = all(payloads, 'N').find((n) => n.name === 'INVALID_KE_PAYLOAD')?.data;
  if (typeof group === 'number' && ke !== undefined && mayTry(offer.proposals, ke, group)) {
    const groups = groupsOf(offer.proposals);
    const wish = { TSi: offer.TSi, TSr: offer.TSr, groups };
    return createChild(core, sa, rekeys === undefined ? wish : { ...wish, rekeys }, freshKe(core, group, ke.tried));
  }
  outcome(core, verb, name);
  // §2.25: the gateway has it no more. Crossing rekeys end so as well, and then its successor is here already.
  if (name === 'CHILD_SA_NOT_FOUND' && rekeys !== undefined) remove(core, [rekeys]);
}

type Offer = readonly { readonly transforms: readonly { readonly type: number; readonly id: number }[] }[];

export const groupsOf = (offer: Offer): readonly number[] => [
  ...new Set(offer.flatMap((p) => p.transforms.filter((t) => t.type === 4).map((t) => t.id))),
];

export const mayTry = (offer: Offer, ke: Ke, group: number): boolean =>
  group !== ke.group && !ke.tried.includes(group) && groupsOf(offer).includes(group);

/** Deletes children by their inbound SPIs, also one that only the gateway may have; in front of what waits, or behind it. */
export function deleteChildren(core: Core, spis: readonly number[], atOnce = true): void {
  const work = () => {
    if (core.ike === undefined) return;
    const children = core.children.filter((c) => spis.includes(c.spiIn) && c.state !== 'deleting');
    for (const child of children) child.state = 'deleting';
    const D: Payload = { kind: 'D', protocol: Protocol.ESP, spiSize: 4, spis: spis.map(u32) };
    request(core, core.ike, Exchange.INFORMATIONAL, [D], {
      kind: 'delete-child',
      children,
      unheld: spis.length - children.length,
    });
  };
  whenFree(core, work, atOnce);
}

/** §1.4.1: the gateway names its halves of the pairs, those that it was not deleting itself. */
export function deletedAnswer(
  core: Core,
  { children, unheld }: Extract<Purpose, { kind: 'delete-child' }>,
  payloads: readonly Payload[],
): void {
  const named = all(payloads, 'D').flatMap((d) => (d.protocol === Protocol.ESP ? d.spis.map(fromU32) : []));
  const strange = named.filter((spi) => !children.some((c) => c.spiOut === spi));
  if (strange.length > unheld) violation(core, 'Delete of a child that was not asked for in the answer to a Delete');
  const stillThere = children.filter((c) => core.children.includes(c) && !named.includes(c.spiOut));
  if (stillThere.length > 0) violation(core, 'the answer to a Delete does not delete the other half (§1.4.1)');
  remove(core, children);
  outcome(core, 'delete-child');
}
