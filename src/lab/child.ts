/**
 * Children: what we offer, and what we make of the gateway's answer (RFC 7296 §2.9, §2.17). Shared by IKE_AUTH and
 * CREATE_CHILD_SA.
 */
import { espSizes } from '../../crypto/index.ts';
import {
  isErrorType,
  NO_OCTETS,
  type Notify,
  notify,
  notifyType,
  type Payload,
  type Proposal,
  type SaPayload,
  type TrafficSelector,
} from '../wire/index.ts';
import type { Child, ChildOffer, Core, IkeSa } from './core.ts';
import { childKeys } from './keys.ts';
import { all, fromU32, notifyOf, one, u32 } from './octets.ts';
import { type EspSuite, espSuite, judgeChoice, withGroups, withSpi } from './proposals.ts';
import { outside } from './selectors.ts';

type Selectors = { readonly TSi: readonly TrafficSelector[]; readonly TSr: readonly TrafficSelector[] };

/** An offer with a fresh SPI; without groups none of its own Diffie-Hellman. */
export function offerChild(core: Core, { TSi, TSr }: Selectors, groups: readonly number[]): ChildOffer {
  const spiIn = freshSpi(core);
  const offer = groups.length === 0 ? core.o.espOffer : withGroups(core.o.espOffer, groups);
  return { proposals: withSpi(offer, u32(spiIn)), spiIn, TSi, TSr };
}

export function freshSpi(core: Core): number {
  for (;;) {
    const spi = fromU32(core.o.random(4));
    if (spi >= FIRST_SPI && !core.children.some((c) => c.spiIn === spi)) return spi;
  }
}
const FIRST_SPI = 256; // RFC 4303 §2.1

export const transportWish = (core: Core): readonly Payload[] => (core.o.transport ? [notify('USE_TRANSPORT_MODE')] : []);

/** The first error notify of a response; INVALID_KE_PAYLOAD and its like count. */
export function errorIn(payloads: readonly Payload[]): Notify | undefined {
  return all(payloads, 'N').find((n) => isErrorType(notifyType(n)));
}

export type ChildAnswer = { readonly suite: EspSuite; readonly spiOut: number; readonly transport: boolean } & Selectors;

/** Holds the gateway's SA, TSi, TSr against our offer. */
export function judgeChildAnswer(
  core: Core,
  offer: ChildOffer,
  payloads: readonly Payload[],
): ChildAnswer | { readonly why: string } {
  const [sa, TSi, TSr] = [one(payloads, 'SA'), one(payloads, 'TSi'), one(payloads, 'TSr')];
  if (sa === undefined || TSi === undefined || TSr === undefined) return { why: 'SA, TSi or TSr is missing' };
  const chosen = judgeChoice(offer.proposals, sa);
  if ('why' in chosen) return { why: `SA: ${chosen.why}` };
  const suite = espSuite(chosen);
  if (suite === undefined) return { why: 'SA: a suite that cannot work' };
  const spiOut = fromU32(chosen.proposal.spi);
  if (spiOut < FIRST_SPI) return { why: `SPI ${spiOut} is reserved` };
  if (core.children.some((c) => c.spiOut === spiOut)) return { why: `SPI ${spiOut} is in use` };
  const why = outside(TSi.selectors, offer.TSi) ?? outside(TSr.selectors, offer.TSr);
  if (why !== undefined) return { why: `traffic selector ${why}` };
  const transport = notifyOf(payloads, 'USE_TRANSPORT_MODE') !== undefined;
  if (transport && !core.o.transport) return { why: 'USE_TRANSPORT_MODE, which was not asked for' };
  return { suite, spiOut, transport, TSi: TSi.selectors, TSr: TSr.selectors };
}

type Making = {
  readonly Ni: Uint8Array;
  readonly Nr: Uint8Array;
  /** g^ir of an exchange of its own. */
  readonly shared?: Uint8Array;
  readonly madeBy: Child['madeBy'];
};

/** Installs a child: its keys follow from the SK_d of this SA. */
export function install(core: Core, sa: IkeSa, spiIn: number, answer: ChildAnswer, making: Making): Child {
  const { suite, spiOut, transport, TSi, TSr } = answer;
  const sizes = espSizes(suite.encr, suite.keyLength, suite.integ);
  if (sizes === undefined) throw new RangeError('a child suite without algorithms'); // espSuite has looked
  const { initiator, responder } = childKeys(sa.prf, sa.keys.SK_d, making.shared ?? NO_OCTETS, making, sizes);
  const keys = making.madeBy === 'us' ? { in: responder, out: initiator } : { in: initiator, out: responder };
  const child: Child = { spiIn, spiOut, TSi, TSr, suite, transport, madeBy: making.madeBy, keys, state: 'installed' };
  core.children = [...core.children, child];
  return child;
}

export function remove(core: Core, gone: readonly Child[]): void {
  core.children = core.children.filter((c) => !gone.includes(c));
}

/** The SA payload of an offer or an answer. */
export const saPayload = (proposals: readonly Proposal[]): SaPayload => ({ kind: 'SA', proposals });
