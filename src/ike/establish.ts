/**
 * The last IKE_AUTH response: address, child SA, our AUTH (RFC 7296 §1.2, §2.19). It takes a Clearance or a Probation, so
 * that nobody gets here around the gate. A child that fails leaves the IKE SA up (§1.2).
 */
import type { Secret } from '../../crypto/index.ts';
import * as phrases from '../log/phrases/index.ts';
import { CfgAttribute, notify, type Payload } from '../wire/index.ts';
import { authAfterEap, gatewayAuth } from './auth.ts';
import { type ChildOutcome, lifetime, makeChild, spiText } from './child.ts';
import { type Env, refuse, type Step } from './exchange.ts';
import type { Lease } from './leases.ts';
import { answerConfig, type Note, noteRequest } from './modecfg.ts';
import { sayConfig, selectorText } from './narrate.ts';
import { leaseOf } from './review.ts';
import type { ChildSa, Established, SaAt, Standing } from './sa.ts';

const NEVER = Number.POSITIVE_INFINITY;

export function establish(sa: SaAt<'at-gate'>, standing: Standing, env: Env): Step {
  const { basis, opening, profile, first, proof } = sa;
  const own = ownAuth(sa, sa.msk, env); // first of all: nobody is put out for a client that we cannot answer
  if (!own.ok) return refuse('auth-failed', own.why);
  const refused = makeRoom(sa, env);
  if (refused !== undefined) return refused;

  const instance = env.instance(profile.name);
  if (first.proposals !== undefined) env.say('sa', phrases.creatingChild);
  const leases = takeLeases(sa, env);
  const { soft, hard } = lifetime(profile.keylife, env.now, env.random(1)[0] ?? 0);
  const established: Established = {
    at: 'established',
    basis,
    profile,
    instance,
    proof,
    standing,
    client: sa.client,
    token: sa.token,
    restraint: 'none',
    doom: undefined,
    lease4: leases.lease4,
    lease6: leases.lease6,
    children: [],
    since: env.now,
    soft,
    hard,
    ...(standing.kind === 'clear' ? leaseOf(standing, env) : leaseOf({ until: standing.until, review: NEVER }, env)),
  };
  const identity: Payload = { kind: 'IDr', ...sa.IDr };
  const head = [identity, ...own.payloads];
  // §2.19: never a duplicate lease; the IKE SA stays.
  if (leases.failed !== undefined) return opened(sa, established, [...head, notify(leases.failed)], undefined, [], env);
  const cp = leases.payload === undefined ? [] : [leases.payload];
  const notes = leases.notes ?? [];
  if (first.proposals === undefined) return opened(sa, established, [...head, ...cp], undefined, notes, env); // RFC 6023
  const outcome = makeChild(
    {
      basis,
      profile,
      instance,
      proposals: first.proposals,
      TSi: first.TSi,
      TSr: first.TSr,
      Ni: opening.Ni,
      Nr: opening.Nr,
      ke: undefined,
      inAuth: true,
      assigned4: leases.lease4?.address,
      assigned6: leases.lease6?.address,
      old: undefined,
    },
    env,
  );
  // A client whose child is refused keeps its address: it may ask again by CREATE_CHILD_SA.
  const tail = outcome.kind === 'made' ? outcome.payloads : [outcome.notify];
  return opened(sa, established, [...head, ...cp, ...tail], outcome, notes, env);
}

/** INITIAL_CONTACT (§2.4) and `enforce-unique-id`; both believed only now, from an authenticated peer. */
function makeRoom({ profile, first, proof }: SaAt<'at-gate'>, env: Env): Step | undefined {
  const others = env.others(proof.key);
  if (others.length === 0) return undefined;
  if (first.initialContact) {
    for (const other of others) env.drop(proof.key, other, 'silently', 'replaced');
    return undefined;
  }
  switch (profile.enforceUniqueId) {
    case 'disable':
      return undefined;
    case 'keep-new':
      for (const other of others) env.drop(proof.key, other, 'by-delete', 'unique-id');
      return undefined;
    case 'keep-old':
      return refuse('unique-id', `${proof.idText} is connected already (enforce-unique-id keep-old)`);
  }
}

function ownAuth(sa: SaAt<'at-gate'>, msk: Secret | undefined, env: Env) {
  if (sa.proof.method === 'eap') return { ok: true, payloads: [authAfterEap(sa, msk)] } as const;
  return gatewayAuth(sa, sa.proof.idText, env.config.users);
}

type Leases = {
  readonly lease4: Lease | undefined;
  readonly lease6: Lease | undefined;
  readonly payload?: Payload;
  readonly notes?: readonly Note[];
  readonly failed?: 'INTERNAL_ADDRESS_FAILURE' | 'FAILED_CP_REQUIRED';
};

/** §2.19: addresses and the rest of the configuration payload. Nothing is taken when the profile gives none. */
function takeLeases({ profile, first, proof }: SaAt<'at-gate'>, env: Env): Leases {
  const { modeCfg } = profile;
  const none = { lease4: undefined, lease6: undefined };
  if (modeCfg === undefined) return none;
  if (first.cp === undefined) {
    // Without a lease the client could name any source address as its own.
    if (modeCfg.assign) return { ...none, failed: 'FAILED_CP_REQUIRED' };
    return none;
  }
  const take = (family: 4 | 6): Lease | undefined => {
    const pool = family === 4 ? modeCfg.ipv4 : modeCfg.ipv6;
    if (!modeCfg.assign) return undefined;
    if (pool === undefined) {
      env.say('gateway', phrases.poolNotConfigured, family);
      env.say('sa', phrases.couldNotAllocate, family);
      return undefined;
    }
    const lease = env.lease(profile.name, family, proof.key);
    if (lease === undefined) {
      const used = env.leased(profile.name, family);
      env.say(
        'gateway',
        phrases.poolEmpty,
        family,
        used,
        family === 4 ? 'ipv4-start-ip/ipv4-end-ip or ipv4-name' : 'ipv6-start-ip/ipv6-end-ip',
      );
      env.say('sa', phrases.couldNotAllocate, family);
      env.tell({ kind: 'pool-empty', family, used });
      return undefined;
    }
    env.say('gateway', phrases.allocated, lease.address);
    env.say('sa', phrases.usingAllocated, family, lease.address);
    return lease;
  };
  // FortiOS goes through what was asked in order, and allocates where it meets an address.
  let lease4: Lease | undefined;
  let lease6: Lease | undefined;
  for (const attribute of first.cp) {
    if (env.debug) sayConfig(env, noteRequest(attribute, modeCfg), 'request');
    if (attribute.type === CfgAttribute.INTERNAL_IP4_ADDRESS) lease4 ??= take(4);
    if (attribute.type === CfgAttribute.INTERNAL_IP6_ADDRESS) lease6 ??= take(6);
  }
  if (modeCfg.assign && lease4 === undefined && lease6 === undefined) return { ...none, failed: 'INTERNAL_ADDRESS_FAILURE' };
  const { attributes, notes } = answerConfig(
    first.cp,
    modeCfg,
    { ipv4: lease4?.address, ipv6: lease6?.address },
    env.config.system.version,
  );
  return { lease4, lease6, notes, payload: { kind: 'CP', cfgType: 2, attributes } };
}

/** Puts the established SA together with its child, and tells FortiOS' story of it. */
function opened(
  { basis, first }: SaAt<'at-gate'>,
  base: Established,
  payloads: readonly Payload[],
  outcome: ChildOutcome | undefined,
  notes: readonly Note[],
  env: Env,
): Step {
  const { lease4, lease6, profile } = base;
  env.say('sa', phrases.preparingAuth);
  env.say('gateway', phrases.addingTunnel, env.path.remote);
  env.rename(base.instance);
  env.say('gateway', phrases.tunnelCreated, lease4?.address, lease6?.address);
  env.say('gateway', phrases.addedTunnel, env.path.remote);
  env.say('sa', phrases.established, basis.SPIi, basis.SPIr);
  env.say('sa', phrases.peerRoute, profile.modeCfg !== undefined);
  if (first.initialContact) {
    env.say('sa', phrases.initialContact);
    env.say('sa', phrases.flushing);
    env.say('sa', phrases.flushed);
    env.say('sa', phrases.initialContactDone);
  }
  sayConfig(env, notes, 'reply');
  const address = (lease4 ?? lease6)?.address;
  const uid = base.client?.uid;
  if (outcome?.kind === 'made') sayInstalled(outcome.child, env);
  if (outcome?.kind === 'made' && address !== undefined) env.say('gateway', phrases.tunnelUp, address);
  if (uid !== undefined) env.say('gateway', phrases.tunnelUpSent, uid, base.instance, address);
  if (outcome?.kind !== 'made') return { kind: 'reply', to: base, payloads };
  return { kind: 'reply', to: { ...base, children: [outcome.child] }, payloads, installed: [outcome.keys] };
}

/** The lines of a child SA that goes to the data plane. */
export function sayInstalled(child: ChildSa, env: Env): void {
  if (!env.debug) return;
  const where = { child: child.number, phase2: child.phase2.name };
  const [incoming, outgoing] = [spiText(child.spiIn), spiText(child.spiOut)];
  env.say(where, phrases.replay, child.phase2.replay);
  env.say(where, phrases.lifeSoft, Math.floor((child.soft - child.born) / 1000));
  env.say(where, phrases.lifeHard, Math.floor((child.hard - child.born) / 1000));
  env.say(where, phrases.saSelectors, child.TSr.length, child.TSi.length);
  for (const [i, ts] of child.TSr.entries()) env.say(where, phrases.saSelector, 'src', i, selectorText(ts));
  for (const [i, ts] of child.TSi.entries()) env.say(where, phrases.saSelector, 'dst', i, selectorText(ts));
  env.say(where, phrases.addSa, incoming, outgoing);
  env.say(where, phrases.addedSa, incoming, outgoing);
}
