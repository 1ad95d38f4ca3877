/**
 * Requests that we start on an established SA: liveness, deletes, rekeys (RFC 7296 §1.4, §2.4, §2.8, §2.18, §2.25). One at
 * a time (window size 1); the rest waits in a bounded queue. `build` makes the payloads, `complete` reads the answer.
 */
import { group as groupOf, type KeyPair } from '../../crypto/index.ts';
import type { Reason } from '../log/events.ts';
import * as phrases from '../log/phrases/index.ts';
import {
  compareOctets,
  Exchange,
  type IkeSpi,
  ikeSpi,
  isErrorType,
  NO_OCTETS,
  notify,
  notifyType,
  notifyTypeName,
  type Payload,
  type Proposal,
  Protocol,
  spiOctets,
  type TrafficSelector,
  type Transform,
  TransformType,
} from '../wire/index.ts';
import { childSa, deleteOf, keysOf, lifetime, spiOctets4, spiText } from './child.ts';
import { readSpi } from './exchange/createChild.ts';
import type { ChildKeys, Env } from './exchange.ts';
import { childKeys } from './keys.ts';
import type { ChildSa, Established, Instant } from './sa.ts';
import { within } from './selectors.ts';

export type OwnRequest =
  | { readonly do: 'dpd' }
  /** A status notify of its own: EMS_ZTNA_TAGS_CHECK_SUCCESS. */
  | { readonly do: 'notify'; readonly type: number }
  | { readonly do: 'delete-ike'; readonly reason: Reason; readonly why: string }
  | { readonly do: 'delete-child'; readonly spiIn: number; readonly why: string }
  | Rekey;

/** `since`: when it was first put off (§2.25). `group`: asked for by INVALID_KE_PAYLOAD. */
export type Rekey =
  | { readonly do: 'rekey-child'; readonly spiIn: number; readonly group?: number; readonly since?: Instant }
  | { readonly do: 'rekey-ike'; readonly since?: Instant };
type RekeyChild = Extract<Rekey, { readonly do: 'rekey-child' }>;

/** What must be remembered until the answer comes. */
export type Pending = {
  readonly request: OwnRequest;
  /** What a rekey offered: the answer must be it. */
  readonly offer?: Proposal;
  /** The child that a rekey replaces; the peer may delete it before it answers. */
  readonly old?: ChildSa;
  readonly Ni?: Uint8Array;
  readonly pair?: KeyPair;
  readonly group?: number;
  readonly spiIn?: number;
  readonly SPIi?: IkeSpi;
  /** A rekey of the same child by the peer, meanwhile (§2.8.1). */
  rival?: { readonly lowest: Uint8Array };
};

export type Built = { readonly exchange: number; readonly payloads: readonly Payload[]; readonly pending: Pending };

/** What the answer to a request of ours does to the SA. */
export type OwnStep = {
  readonly to: Established;
  readonly installed?: readonly ChildKeys[];
  readonly removed?: readonly { readonly child: ChildSa; readonly why: string }[];
  readonly successor?: Established;
  readonly next?: readonly OwnRequest[];
  readonly close?: { readonly reason: Reason; readonly why: string };
  /** Try again at a later, random time (§2.25). */
  readonly later?: Rekey;
};

/** The payloads of a request, or undefined when it has become pointless. */
export function build(request: OwnRequest, sa: Established, env: Env): Built | undefined {
  switch (request.do) {
    case 'dpd':
      return { exchange: Exchange.INFORMATIONAL, payloads: [], pending: { request } };
    case 'notify':
      env.say('sa', phrases.sendTagsSuccess);
      return {
        exchange: Exchange.INFORMATIONAL,
        payloads: [{ kind: 'N', name: 'UNKNOWN', type: request.type, protocol: 0, spi: NO_OCTETS, data: NO_OCTETS }],
        pending: { request },
      };
    case 'delete-ike':
      env.say('sa', phrases.deletingIke, sa.basis.SPIi, sa.basis.SPIr);
      return {
        exchange: Exchange.INFORMATIONAL,
        payloads: [{ kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] }],
        pending: { request },
      };
    case 'delete-child': {
      if (!sa.children.some((c) => c.spiIn === request.spiIn)) return undefined;
      env.say('sa', phrases.sendingDelete, spiText(request.spiIn));
      return { exchange: Exchange.INFORMATIONAL, payloads: [deleteOf([request.spiIn])], pending: { request } };
    }
    case 'rekey-child':
      return buildChildRekey(request, sa, env);
    case 'rekey-ike':
      return buildIkeRekey(request, sa, env);
  }
}

/** §1.3.3: the same algorithms again; never a group that was not negotiated or configured. */
function buildChildRekey(request: RekeyChild, sa: Established, env: Env): Built | undefined {
  const child = sa.children.find((c) => c.spiIn === request.spiIn && c.state === 'installed');
  if (child === undefined) return undefined;
  env.say({ child: child.number, phase2: child.phase2.name }, phrases.rekeyingChild, spiText(child.spiIn), spiText(child.spiOut));
  env.say('sa', phrases.initiatingCreateChild);
  const { suite, phase2 } = child;
  const own = sa.basis.suite.group;
  const wished = request.group ?? suite.group ?? (phase2.groups.includes(own) ? own : phase2.groups[0]);
  const group = phase2.pfs && wished !== undefined ? groupOf(wished) : undefined;
  if (phase2.pfs && group === undefined) return undefined; // `pfs enable` holds for our own rekeys, too
  const pair = group === undefined ? undefined : env.keyPair(group);
  const [Ni, spiIn] = [env.random(32), env.espSpi()];
  const transforms = [
    { type: TransformType.ENCR, id: suite.encr, keyLength: suite.keyLength },
    ...(suite.integ === 0 ? [] : [{ type: TransformType.INTEG, id: suite.integ, keyLength: 0 }]),
    ...(group === undefined ? [] : [{ type: TransformType.DH, id: group.id, keyLength: 0 }]),
    { type: TransformType.ESN, id: suite.esn ? 1 : 0, keyLength: 0 },
  ];
  const offer: Proposal = { number: 1, protocol: Protocol.ESP, spi: spiOctets4(spiIn), transforms };
  return {
    exchange: Exchange.CREATE_CHILD_SA,
    payloads: [
      notify('REKEY_SA', undefined, { protocol: Protocol.ESP, spi: spiOctets4(child.spiIn) }),
      { kind: 'SA', proposals: [offer] },
      { kind: 'NONCE', data: Ni },
      ...(pair === undefined || group === undefined ? [] : [{ kind: 'KE', group: group.id, data: pair.publicValue } as const]),
      { kind: 'TSi', selectors: child.TSr },
      { kind: 'TSr', selectors: child.TSi },
    ],
    pending: {
      request,
      offer,
      old: child,
      Ni,
      spiIn,
      ...(pair === undefined || group === undefined ? {} : { pair, group: group.id }),
    },
  };
}

/** §1.3.2: the suite of the SA again, with fresh keys. */
function buildIkeRekey(request: OwnRequest, { basis }: Established, env: Env): Built | undefined {
  const { cipher, prf } = basis.suite;
  const group = groupOf(basis.suite.group);
  if (group === undefined) return undefined;
  env.say('sa', phrases.initiatingCreateChild);
  const [Ni, SPIi, pair] = [env.random(32), env.ikeSpi(), env.keyPair(group)];
  const transforms = [
    { type: TransformType.ENCR, id: cipher.encr, keyLength: cipher.keyLength },
    { type: TransformType.PRF, id: prf.id, keyLength: 0 },
    ...(cipher.integ === 0 ? [] : [{ type: TransformType.INTEG, id: cipher.integ, keyLength: 0 }]),
    { type: TransformType.DH, id: group.id, keyLength: 0 },
  ];
  const offer: Proposal = { number: 1, protocol: Protocol.IKE, spi: spiOctets(SPIi), transforms };
  return {
    exchange: Exchange.CREATE_CHILD_SA,
    payloads: [
      { kind: 'SA', proposals: [offer] },
      { kind: 'NONCE', data: Ni },
      { kind: 'KE', group: group.id, data: pair.publicValue },
    ],
    pending: { request, offer, Ni, SPIi, pair, group: group.id },
  };
}

/** Reads the answer to a request of ours. Nothing in it can do more than the request asked for. */
export function complete(pending: Pending, sa: Established, payloads: readonly Payload[], env: Env): OwnStep {
  const { request } = pending;
  switch (request.do) {
    case 'dpd':
    case 'notify':
      return { to: sa };
    case 'delete-ike':
      return { to: sa, close: { reason: request.reason, why: request.why } };
    case 'delete-child': {
      const gone = sa.children.filter((c) => c.spiIn === request.spiIn);
      return { to: without(sa, gone), removed: gone.map((child) => ({ child, why: request.why })) };
    }
    case 'rekey-child':
      return childRekeyed(pending, request, sa, payloads, env);
    case 'rekey-ike':
      return ikeRekeyed(pending, request, sa, payloads, env);
  }
}

const without = (sa: Established, gone: readonly ChildSa[]): Established => ({
  ...sa,
  children: sa.children.filter((c) => !gone.includes(c)),
});

/** What the notifies of an answer make of a rekey of ours (§1.3, §2.25, §3.10.1); undefined: none says no. */
function refusedBy(payloads: readonly Payload[], request: Rekey, sa: Established, env: Env): OwnStep | undefined {
  for (const p of payloads) {
    if (p.kind !== 'N' || !isErrorType(notifyType(p))) continue;
    env.say('sa', phrases.peerError, notifyTypeName(notifyType(p)));
    if (p.name === 'TEMPORARY_FAILURE') return { to: sa, later: request };
    if (request.do === 'rekey-child' && p.name === 'CHILD_SA_NOT_FOUND') {
      const gone = sa.children.filter((c) => c.spiIn === request.spiIn);
      return { to: without(sa, gone), removed: gone.map((child) => ({ child, why: 'peer-deleted' })) };
    }
    if (request.do === 'rekey-child' && p.name === 'INVALID_KE_PAYLOAD' && request.group === undefined) {
      const groups = sa.children.find((c) => c.spiIn === request.spiIn)?.phase2.groups ?? [];
      // The peer may choose among our groups, and no other.
      if (groups.includes(p.data)) return { to: sa, next: [{ ...request, group: p.data }] };
    }
    return { to: sa }; // any other error: the SA lives on until its hard end
  }
  return undefined;
}

/** The parts that every answer to a CREATE_CHILD_SA of ours must have, or what is wrong with it (§2.7, §2.10, §3.3.6). */
function grantOf(
  { offer }: Pending,
  payloads: readonly Payload[],
): { readonly spi: Uint8Array; readonly Nr: Uint8Array } | string {
  const proposals = payloads.find((p) => p.kind === 'SA')?.proposals ?? [];
  const Nr = payloads.find((p) => p.kind === 'NONCE')?.data;
  const [proposal] = proposals;
  if (offer === undefined || proposal === undefined || Nr === undefined) return 'payloads missing';
  if (Nr.length < 16 || Nr.length > 256) return `a nonce of ${Nr.length} octets`;
  const same = (a: Transform, b: Transform) => a.type === b.type && a.id === b.id && a.keyLength === b.keyLength;
  const { transforms } = proposal;
  // NO_ESN and a missing INTEG of an AEAD may be left out; nothing may be put in.
  const must = offer.transforms.filter((t) => !(t.type === TransformType.ESN && t.id === 0));
  const fits =
    proposals.length === 1 &&
    proposal.number === offer.number &&
    proposal.protocol === offer.protocol &&
    proposal.spi.length === offer.spi.length &&
    must.every((t) => transforms.some((x) => same(t, x))) &&
    transforms.every((t) => t.unknown === undefined && (t.id === 0 || offer.transforms.some((x) => same(t, x))));
  return fits ? { spi: proposal.spi, Nr } : 'a proposal that was not offered';
}

const outOfStep = (sa: Established, why: string): OwnStep => ({
  to: sa,
  next: [{ do: 'delete-ike', reason: 'syntax', why: `rekey answered with ${why}` }],
});

function childRekeyed(pending: Pending, request: RekeyChild, sa: Established, payloads: readonly Payload[], env: Env): OwnStep {
  const no = refusedBy(payloads, request, sa, env);
  if (no !== undefined) return no;
  const grant = grantOf(pending, payloads);
  if (typeof grant === 'string') return outOfStep(sa, grant);
  const { old, Ni, spiIn } = pending;
  const ke = payloads.find((p) => p.kind === 'KE');
  const ours = payloads.find((p) => p.kind === 'TSi')?.selectors;
  const theirs = payloads.find((p) => p.kind === 'TSr')?.selectors;
  const { Nr, spi } = grant;
  const spiOut = readSpi(spi);
  if (ours === undefined || theirs === undefined || old === undefined || Ni === undefined || spiIn === undefined)
    return outOfStep(sa, 'payloads missing');
  if (spiOut < 256) return outOfStep(sa, `SPI ${spiOut}`); // RFC 4303 §2.1
  if (!within(ours, old.TSr) || !within(theirs, old.TSi)) return outOfStep(sa, 'wider selectors than offered');
  let shared: Uint8Array | undefined;
  if (pending.pair !== undefined) {
    shared = ke?.group === pending.group ? pending.pair.agree(ke?.data ?? new Uint8Array(0)) : undefined;
    if (shared === undefined) return outOfStep(sa, 'a public value that is refused');
  }
  const suite = env.espSuite({ ...old.suite, group: pending.group });
  const made = childKeys(sa.basis, suite, { Ni, Nr }, shared);
  const child = childSa(
    { number: env.childNumber(), spiIn, spiOut, phase2: old.phase2, suite, TSi: kept(theirs), TSr: kept(ours) },
    env,
  );
  const material = { encrIn: made.encrR, integIn: made.integR, encrOut: made.encrI, integOut: made.integI };
  const to: Established = {
    ...sa,
    children: [...sa.children.map((c): ChildSa => (c.spiIn === old.spiIn ? { ...c, state: 'deleting' } : c)), child],
  };
  env.tell({ kind: 'child-rekeyed', by: 'us', spi: spiText(spiIn) });
  const installed = [keysOf(child, sa.instance, 'us', material, env)];
  const { rival } = pending;
  if (rival !== undefined && compareOctets(lowest(Ni, Nr), rival.lowest) < 0) {
    // §2.8.1: the SA made with the lowest nonce is redundant; its maker deletes it. The peer deletes the old one.
    const children = to.children.map(
      (c): ChildSa => (c.spiIn === old.spiIn ? { ...c, state: 'rekeyed' } : c.spiIn === spiIn ? { ...c, state: 'deleting' } : c),
    );
    const heard = installed.map((keys) => ({ ...keys, redundant: true }) as const);
    return { to: { ...to, children }, installed: heard, next: [{ do: 'delete-child', spiIn, why: 'redundant' }] };
  }
  return { to, installed, next: [{ do: 'delete-child', spiIn: old.spiIn, why: 'rekeyed' }] };
}

function ikeRekeyed(pending: Pending, request: Rekey, sa: Established, payloads: readonly Payload[], env: Env): OwnStep {
  const no = refusedBy(payloads, request, sa, env);
  if (no !== undefined) return no;
  const grant = grantOf(pending, payloads);
  if (typeof grant === 'string') return outOfStep(sa, grant);
  const { Nr, spi } = grant;
  const ke = payloads.find((p) => p.kind === 'KE');
  const { Ni, SPIi, pair } = pending;
  const shared = ke !== undefined && ke.group === pending.group ? pair?.agree(ke.data) : undefined;
  if (Ni === undefined || SPIi === undefined || shared === undefined || spi.every((o) => o === 0))
    return outOfStep(sa, 'payloads missing or refused');
  const SPIr = ikeSpi(spi);
  const { suite } = sa.basis;
  const keys = env.deriveIke(suite, shared, { SPIi, SPIr, Ni, Nr }, sa.basis);
  const { soft, hard } = lifetime(sa.profile.keylife, env.now, env.random(1)[0] ?? 0);
  env.say('sa', phrases.rekeyed, SPIi, SPIr);
  env.tell({ kind: 'ike-rekeyed', by: 'us', suite: suite.text });
  const successor: Established = {
    ...sa,
    basis: { ...sa.basis, SPIi, SPIr, initiator: true, id: env.saNumber(), keys, born: env.now },
    soft,
    hard,
  };
  return { to: sa, successor, next: [{ do: 'delete-ike', reason: 'rekeyed', why: 'rekeyed' }] };
}

/** Selectors that live as long as their SA must not hold on to the datagram they came in. */
const kept = (selectors: readonly TrafficSelector[]): readonly TrafficSelector[] =>
  selectors.map((ts) => (ts.type === 'other' ? ts : { ...ts, start: ts.start.slice(), end: ts.end.slice() }));

/** The lower of two nonces, octet by octet (§2.8.1). */
export const lowest = (a: Uint8Array, b: Uint8Array): Uint8Array => (compareOctets(a, b) <= 0 ? a : b);
