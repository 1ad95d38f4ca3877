/**
 * Requests that we start on an established SA: liveness, deletes, rekeys (RFC 7296 §1.4, §2.4, §2.8, §2.18, §2.25). One at
 * a time (window size 1); the rest waits in a bounded queue. `build` makes the payloads, `complete` reads the answer.
 */
import { group as groupOf, type KeyPair } from '../../crypto/index.ts';
import type { Reason } from '../log/events.ts';
import * as phrases from '../log/phrases/index.ts';
import { Exchange, type IkeSpi, ikeSpi, notify, type Payload, Protocol, spiOctets, TransformType } from '../wire/index.ts';
import { childSa, deleteOf, keysOf, lifetime, spiOctets4, spiText } from './child.ts';
import { readSpi } from './exchange/createChild.ts';
import type { ChildKeys, Env } from './exchange.ts';
import { childKeys } from './keys.ts';
import type { ChildSa, Established } from './sa.ts';
import { within } from './selectors.ts';

export type OwnRequest =
  | { readonly do: 'dpd' }
  | { readonly do: 'delete-ike'; readonly reason: Reason; readonly why: string }
  | { readonly do: 'delete-child'; readonly spiIn: number; readonly why: string }
  | { readonly do: 'rekey-child'; readonly spiIn: number; readonly group?: number }
  | { readonly do: 'rekey-ike' };

/** What must be remembered until the answer comes. */
export type Pending = {
  readonly request: OwnRequest;
  readonly Ni?: Uint8Array;
  readonly pair?: KeyPair;
  readonly group?: number;
  readonly spiIn?: number;
  readonly SPIi?: IkeSpi;
  /** A rekey of the same child by the peer, meanwhile (§2.8.1). */
  rival?: { readonly made: number; readonly lowest: Uint8Array };
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
  readonly later?: OwnRequest;
};

/** The payloads of a request, or undefined when it has become pointless. */
export function build(request: OwnRequest, sa: Established, env: Env): Built | undefined {
  switch (request.do) {
    case 'dpd':
      return { exchange: Exchange.INFORMATIONAL, payloads: [], pending: { request } };
    case 'delete-ike':
      env.say('sa', phrases.deletingIke, sa.basis.SPIi, sa.basis.SPIr);
      return {
        exchange: Exchange.INFORMATIONAL,
        payloads: [{ kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] }],
        pending: { request },
      };
    case 'delete-child': {
      const child = sa.children.find((c) => c.spiIn === request.spiIn);
      if (child === undefined) return undefined;
      env.say('sa', phrases.sendingDelete, spiText(child.spiIn));
      return { exchange: Exchange.INFORMATIONAL, payloads: [deleteOf([child.spiIn])], pending: { request } };
    }
    case 'rekey-child':
      return buildChildRekey(request, sa, env);
    case 'rekey-ike':
      return buildIkeRekey(request, sa, env);
  }
}

/** §1.3.3: the same algorithms again; never a group that was not negotiated or configured. */
function buildChildRekey(request: OwnRequest & { readonly do: 'rekey-child' }, sa: Established, env: Env): Built | undefined {
  const child = sa.children.find((c) => c.spiIn === request.spiIn && c.state === 'installed');
  if (child === undefined) return undefined;
  env.say({ child: child.number, phase2: child.phase2.name }, phrases.rekeyingChild, spiText(child.spiIn), spiText(child.spiOut));
  env.say('sa', phrases.initiatingCreateChild);
  const { suite, phase2 } = child;
  const own = sa.basis.suite.group;
  const wished = request.group ?? suite.group ?? (phase2.groups.includes(own) ? own : phase2.groups[0]);
  const group = phase2.pfs && wished !== undefined ? groupOf(wished) : undefined;
  const pair = group === undefined ? undefined : env.keyPair(group);
  const [Ni, spiIn] = [env.random(32), env.espSpi()];
  const transforms = [
    { type: TransformType.ENCR, id: suite.encr, keyLength: suite.keyLength },
    ...(suite.integ === 0 ? [] : [{ type: TransformType.INTEG, id: suite.integ, keyLength: 0 }]),
    ...(group === undefined ? [] : [{ type: TransformType.DH, id: group.id, keyLength: 0 }]),
    { type: TransformType.ESN, id: suite.esn ? 1 : 0, keyLength: 0 },
  ];
  return {
    exchange: Exchange.CREATE_CHILD_SA,
    payloads: [
      notify('REKEY_SA', undefined, { protocol: Protocol.ESP, spi: spiOctets4(child.spiIn) }),
      { kind: 'SA', proposals: [{ number: 1, protocol: Protocol.ESP, spi: spiOctets4(spiIn), transforms }] },
      { kind: 'NONCE', data: Ni },
      ...(pair === undefined || group === undefined ? [] : [{ kind: 'KE', group: group.id, data: pair.publicValue } as const]),
      { kind: 'TSi', selectors: child.TSr },
      { kind: 'TSr', selectors: child.TSi },
    ],
    pending: { request, Ni, spiIn, ...(pair === undefined || group === undefined ? {} : { pair, group: group.id }) },
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
  return {
    exchange: Exchange.CREATE_CHILD_SA,
    payloads: [
      { kind: 'SA', proposals: [{ number: 1, protocol: Protocol.IKE, spi: spiOctets(SPIi), transforms }] },
      { kind: 'NONCE', data: Ni },
      { kind: 'KE', group: group.id, data: pair.publicValue },
    ],
    pending: { request, Ni, SPIi, pair, group: group.id },
  };
}

/** Reads the answer to a request of ours. Nothing in it can do more than the request asked for. */
export function complete(pending: Pending, sa: Established, payloads: readonly Payload[], env: Env): OwnStep {
  const { request } = pending;
  switch (request.do) {
    case 'dpd':
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

type Refusing = { readonly kind: 'refused'; readonly step: OwnStep };

/** The notifies that say no to a CREATE_CHILD_SA of ours (§2.25, §1.3). */
function refusedBy(payloads: readonly Payload[], request: OwnRequest, sa: Established, env: Env): Refusing | undefined {
  for (const p of payloads) {
    if (p.kind !== 'N') continue;
    switch (p.name) {
      case 'TEMPORARY_FAILURE':
        env.say('sa', phrases.peerError, p.name);
        return { kind: 'refused', step: { to: sa, later: request } };
      case 'INVALID_KE_PAYLOAD':
        env.say('sa', phrases.peerError, p.name);
        if (request.do === 'rekey-child' && request.group === undefined)
          return { kind: 'refused', step: { to: sa, next: [{ ...request, group: p.data }] } };
        return { kind: 'refused', step: { to: sa } };
      case 'CHILD_SA_NOT_FOUND': {
        env.say('sa', phrases.peerError, p.name);
        const gone = request.do === 'rekey-child' ? sa.children.filter((c) => c.spiIn === request.spiIn) : [];
        return {
          kind: 'refused',
          step: { to: without(sa, gone), removed: gone.map((child) => ({ child, why: 'peer-deleted' })) },
        };
      }
      case 'NO_PROPOSAL_CHOSEN':
      case 'NO_ADDITIONAL_SAS':
      case 'TS_UNACCEPTABLE':
      case 'INVALID_SYNTAX':
        env.say('sa', phrases.peerError, p.name); // the SA lives on until its hard end
        return { kind: 'refused', step: { to: sa } };
    }
  }
  return undefined;
}

function childRekeyed(
  pending: Pending,
  request: OwnRequest & { readonly do: 'rekey-child' },
  sa: Established,
  payloads: readonly Payload[],
  env: Env,
): OwnStep {
  const no = refusedBy(payloads, request, sa, env);
  if (no !== undefined) return no.step;
  const old = sa.children.find((c) => c.spiIn === request.spiIn);
  const proposal = payloads.find((p) => p.kind === 'SA')?.proposals[0];
  const Nr = payloads.find((p) => p.kind === 'NONCE')?.data;
  const ke = payloads.find((p) => p.kind === 'KE');
  const ours = payloads.find((p) => p.kind === 'TSi')?.selectors;
  const theirs = payloads.find((p) => p.kind === 'TSr')?.selectors;
  const { Ni, spiIn } = pending;
  const bad = (why: string): OwnStep => ({
    to: sa,
    next: [{ do: 'delete-ike', reason: 'syntax', why: `child rekey answered with ${why}` }],
  });
  if (
    proposal === undefined ||
    Nr === undefined ||
    ours === undefined ||
    theirs === undefined ||
    Ni === undefined ||
    spiIn === undefined
  )
    return bad('payloads missing');
  if (old === undefined) return { to: sa }; // deleted by the peer meanwhile: it has told us so
  if (proposal.spi.length !== 4) return bad('an SPI that is none');
  if (!within(ours, old.TSr) || !within(theirs, old.TSi)) return bad('wider selectors than offered');
  let shared: Uint8Array | undefined;
  if (pending.pair !== undefined) {
    shared = ke?.group === pending.group ? pending.pair.agree(ke?.data ?? new Uint8Array(0)) : undefined;
    if (shared === undefined) return bad('a public value that is refused');
  }
  const suite = env.espSuite({ ...old.suite, group: pending.group });
  const made = childKeys(sa.basis, suite, { Ni, Nr }, shared);
  const child = childSa(
    { number: env.childNumber(), spiIn, spiOut: readSpi(proposal.spi), phase2: old.phase2, suite, TSi: theirs, TSr: ours },
    env,
  );
  const material = { encrIn: made.encrR, integIn: made.integR, encrOut: made.encrI, integOut: made.integI };
  const to: Established = {
    ...sa,
    children: [...sa.children.map((c): ChildSa => (c === old ? { ...c, state: 'deleting' } : c)), child],
  };
  env.tell({ kind: 'child-rekeyed', by: 'us', spi: spiText(spiIn) });
  const installed = [keysOf(child, sa.instance, material, env)];
  const { rival } = pending;
  if (rival !== undefined && lower(lowest(Ni, Nr), rival.lowest)) {
    // §2.8.1: the SA made with the lowest nonce is redundant; its maker deletes it. The peer deletes the old one.
    const kept = to.children.map((c): ChildSa => (c.spiIn === old.spiIn ? { ...c, state: 'rekeyed' } : c));
    return { to: { ...to, children: kept }, installed, next: [{ do: 'delete-child', spiIn, why: 'redundant' }] };
  }
  return { to, installed, next: [{ do: 'delete-child', spiIn: old.spiIn, why: 'rekeyed' }] };
}

function ikeRekeyed(pending: Pending, request: OwnRequest, sa: Established, payloads: readonly Payload[], env: Env): OwnStep {
  const no = refusedBy(payloads, request, sa, env);
  if (no !== undefined) return no.step;
  const proposal = payloads.find((p) => p.kind === 'SA')?.proposals[0];
  const Nr = payloads.find((p) => p.kind === 'NONCE')?.data;
  const ke = payloads.find((p) => p.kind === 'KE');
  const { Ni, SPIi, pair } = pending;
  const shared = ke !== undefined && ke.group === pending.group ? pair?.agree(ke.data) : undefined;
  if (proposal?.spi.length !== 8 || Nr === undefined || Ni === undefined || SPIi === undefined || shared === undefined)
    return { to: sa, next: [{ do: 'delete-ike', reason: 'syntax', why: 'IKE SA rekey answered with payloads missing' }] };
  const SPIr = ikeSpi(proposal.spi);
  const { suite } = sa.basis;
  const keys = env.deriveIke(suite, shared, { SPIi, SPIr, Ni, Nr }, sa.basis);
  const { soft, hard } = lifetime(sa.profile.keylife, env.now, env.random(1)[0] ?? 0);
  env.say('sa', phrases.rekeyed, SPIi, SPIr);
  env.tell({ kind: 'ike-rekeyed', by: 'us', suite: suite.text });
  const successor: Established = { ...sa, basis: { ...sa.basis, SPIi, SPIr, initiator: true, keys, born: env.now }, soft, hard };
  return { to: sa, successor, next: [{ do: 'delete-ike', reason: 'rekeyed', why: 'rekeyed' }] };
}

/** The lower of two nonces, octet by octet (§2.8.1). */
export const lowest = (a: Uint8Array, b: Uint8Array): Uint8Array => (lower(a, b) ? a : b);

function lower(a: Uint8Array, b: Uint8Array): boolean {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return a.length < b.length;
}
