/**
 * The life of an SA between messages: what is due, and how an SA ends. Every end goes through `close`: leases, children,
 * keys and indexes come back in one place.
 */
import type { Reason } from '../log/events.ts';
import * as phrases from '../log/phrases/index.ts';
import { spiText } from './child.ts';
import type { Holding } from './elsewhere.ts';
import { SlotEnv, subjectOf } from './env.ts';
import type { ChildKeys } from './exchange.ts';
import { personOf } from './gate.ts';
import { askAt } from './liveness.ts';
import { type ChildOwner, OUSTED, type Ousting } from './outbox.ts';
import { newOwn } from './ownQueue.ts';
import { Requests } from './requests.ts';
import { type ChildSa, type Established, type IkeSa, nameOf } from './sa.ts';
import { dueOf, firstLook, rekeys, type Slot } from './slot.ts';
import { Standings } from './standings.ts';
import { Timers } from './timers.ts';
import { renew } from './wills.ts';
import { newWindow } from './window.ts';
import type { World } from './world.ts';

/** How long an ended SA still answers retransmissions of the request that ended it (ms): a client's first two come within. */
const LINGER = { refused: 12_000, ended: 30_000 };
/** Ended SAs that are remembered at most; the oldest is forgotten for a new one. */
const CLOSED_MAX = 4096;

export class Life {
  readonly timers = new Timers<Slot>();
  readonly requests: Requests;
  readonly standings: Standings;
  readonly #world: World;
  /** Ended SAs in the order of their end. */
  readonly #closed = new Set<Slot>();

  constructor(world: World) {
    this.#world = world;
    this.requests = new Requests(world, this);
    this.standings = new Standings(world, this);
  }

  /** There are other engines of the same gateway. */
  get #shared(): boolean {
    return this.#world.lane.count > 1;
  }

  /** SAs that are remembered only for their last answer. */
  get closed(): number {
    return this.#closed.size;
  }

  env(slot: Slot): SlotEnv {
    return new SlotEnv(this.#world, slot, this);
  }

  /** Moves an SA to its next member and keeps every index true. */
  put(slot: Slot, sa: IkeSa): void {
    const { table, out, clocks } = this.#world;
    const was = slot.sa;
    slot.sa = sa;
    if (sa.at === 'established' && was.at !== 'established') {
      this.#settled(slot);
      table.forgetInit(slot);
      table.addKey(sa.proof.key, slot);
      if (sa.profile.match.kind === 'ztna') table.addUid(sa.client?.uid, slot);
      slot.lastIn = clocks.now;
      const event = { kind: 'established', suite: sa.basis.suite.text, method: sa.proof.method } as const;
      out.push({ do: 'tell', event: { ...event, ...subjectOf(slot, sa.instance) } });
      this.held(sa);
    } else if ('first' in sa) slot.expires = sa.basis.born + sa.profile.negotiateTimeout * 1000;
    this.schedule(slot);
  }

  /** Tells the other engines whom we have, and what he claims to be. */
  held(sa: Established): void {
    if (this.#shared) this.#world.out.push({ do: 'held', holding: holdingOf(sa) });
  }

  schedule(slot: Slot): void {
    this.timers.set(slot, Math.max(dueOf(slot), this.#world.clocks.now + 1));
    if (this.#shared) renew(slot, this.#world);
  }

  /** Hands a child's keys to the data plane; its valve opens only for a clearance. */
  install(slot: Slot, keys: ChildKeys): void {
    const { out, table } = this.#world;
    const { child } = keys;
    table.setEsp(child.spiIn, slot);
    const { sa } = slot;
    if (sa.at !== 'established') throw new RangeError('a child without an established SA'); // ours
    out.push({ do: 'install', child: keys, owner: ownerOf(sa) });
    this.valve(slot, child.spiIn);
    const event = { kind: 'child-up', spi: spiText(child.spiIn), suite: child.suite.text, phase2: child.phase2.name } as const;
    out.push({ do: 'tell', event: { ...event, ...subjectOf(slot, sa.instance) } });
  }

  /** What may pass through a child: everything for a clearance, what the profile names in quarantine, nothing on probation. */
  valve({ sa }: Slot, spi: number): void {
    const { out } = this.#world;
    if (sa.at !== 'established' || sa.standing.kind !== 'clear') return;
    const { match } = sa.profile;
    if (sa.restraint !== 'quarantine') out.push({ do: 'open', spi, by: sa.standing });
    else out.push({ do: 'quarantine', spi, to: match.kind === 'ztna' && match.lost.do === 'quarantine' ? match.lost.to : [] });
  }

  /** Takes a child from the data plane; one that has gone over to a successor stays. */
  remove(slot: Slot, child: ChildSa, reason: string): void {
    const { out, table } = this.#world;
    if (table.byEsp(child.spiIn) !== slot) return;
    table.deleteEsp(child.spiIn);
    const replaced = child.state !== 'installed' && (reason === 'rekeyed' || reason === 'redundant');
    out.push({ do: 'remove', spi: child.spiIn, replaced });
    const event = { kind: 'child-down', spi: spiText(child.spiIn), reason, ...subjectOf(slot, nameOf(slot.sa)) } as const;
    out.push({ do: 'tell', event });
  }

  /** What a child has carried is enough to rekey it, or to end it. */
  carried(slot: Slot, spi: number, what: 'rekey-child' | 'end-child'): void {
    const { sa } = slot;
    const child = sa.at === 'established' ? sa.children.find(({ spiIn }) => spiIn === spi) : undefined;
    if (sa.at !== 'established' || child?.state !== 'installed') return;
    if (what === 'end-child') return this.endChild(slot, child, 'lifetime');
    if (!rekeys(sa) || !Number.isFinite(child.soft)) return; // the peer's to do, or under way
    this.#change(slot, sa, { ...child, soft: Number.POSITIVE_INFINITY });
    this.requests.submit(slot, { do: 'rekey-child', spiIn: spi });
  }

  /** Ends one child: its traffic at once, the peer's half by a Delete. */
  endChild(slot: Slot, child: ChildSa, why: string): void {
    const { sa } = slot;
    if (sa.at !== 'established') return;
    this.remove(slot, child, why);
    this.#change(slot, sa, { ...child, state: 'deleting', hard: Number.POSITIVE_INFINITY });
    this.requests.submit(slot, { do: 'delete-child', spiIn: child.spiIn, why });
  }

  /**
   * Ends an SA.
   *
   * @param linger keep the last response for retransmissions of the request that ended it
   */
  close(slot: Slot, reason: Reason, why: string, linger: boolean): void {
    const { sa } = slot;
    if (sa.at === 'closed') return;
    if (slot.replaced) return this.retire(slot); // its children, leases and name went over to another
    const { out, table, clocks } = this.#world;
    const name = nameOf(sa);
    const env = this.env(slot);
    const subject = subjectOf(slot, name);
    if (sa.at === 'established') {
      for (const child of sa.children) this.remove(slot, child, reason);
      const uid = sa.client?.uid;
      if (uid !== undefined)
        env.say('gateway', phrases.tunnelDownSent, uid, sa.instance, (sa.lease4 ?? sa.lease6)?.address ?? slot.had);
      this.#release(slot, sa);
      table.removeKey(sa.proof.key, slot);
      table.removeUid(sa.client?.uid, slot);
      if (slot.index >= 0) table.giveInstance(sa.profile.name, slot.index);
      if (this.#shared) out.push({ do: 'left', name: sa.instance });
      const seconds = Math.round((clocks.now - sa.since) / 1000);
      out.push({ do: 'tell', event: { kind: 'closed', reason, why, seconds, ...subject } });
      env.say('gateway', phrases.deleteDynamic);
      env.say('sa', phrases.deleted);
    } else {
      env.say('sa', phrases.expiring, reason === 'eap-failed' ? 'EAP failure' : 'phase1 down');
      env.say('sa', phrases.goingToBeDeleted);
      out.push({ do: 'tell', event: { kind: 'negotiation-failed', reason, why, ...subject } });
    }
    const wait = sa.at === 'established' ? LINGER.ended : LINGER.refused;
    this.#shut(slot, name, reason, linger ? clocks.now + wait : clocks.now);
  }

  /** Ends an SA for a newer one of the same peer. */
  oust(slot: Slot, { how, reason }: Ousting): void {
    if (how === 'silently') this.close(slot, reason, OUSTED, false);
    else this.requests.submit(slot, { do: 'delete-ike', reason, why: OUSTED });
  }

  /** Takes from an SA what its client could still use, while its Delete is under way: children and addresses. */
  strip(slot: Slot, reason: Reason): void {
    const { sa } = slot;
    if (sa.at !== 'established') return;
    for (const child of sa.children) this.remove(slot, child, reason);
    slot.had = (sa.lease4 ?? sa.lease6)?.address;
    this.#release(slot, sa);
    const never = Number.POSITIVE_INFINITY;
    slot.sa = { ...sa, children: [], lease4: undefined, lease6: undefined, soft: never, hard: never, ends: never, review: never };
  }

  #release(slot: Slot, { lease4, lease6 }: Established): void {
    for (const lease of [lease4, lease6]) {
      if (lease === undefined) continue;
      this.#world.leases.release(lease, this.#world.clocks.now);
      this.env(slot).say('gateway', phrases.released, lease.address);
    }
  }

  /** The old IKE SA after a rekey: nothing hangs on it any more, the peer will delete it. */
  retire(slot: Slot): void {
    this.#shut(slot, nameOf(slot.sa), 'rekeyed', this.#world.clocks.now + LINGER.ended);
  }

  /** What remains of an ended SA: its keys and its last response, for as long as a retransmission may come. */
  #shut(slot: Slot, name: string, reason: Reason, until: number): void {
    const { sa } = slot;
    if (sa.at === 'established') for (const child of sa.children) this.remove(slot, child, reason);
    this.requests.abandon(slot);
    this.#world.tickets.delete(slot.ticket);
    slot.ticket = 0;
    slot.reassembly = undefined;
    slot.answers = undefined;
    slot.expires = until;
    slot.index = -1;
    slot.sa = { at: 'closed', basis: sa.basis, name, reason, until };
    if (until <= this.#world.clocks.now) return this.forget(slot);
    this.#closed.add(slot);
    const [oldest] = this.#closed;
    if (this.#closed.size > CLOSED_MAX && oldest !== undefined) this.forget(oldest);
    this.schedule(slot);
  }

  /** The last trace of an SA goes; its keys are wiped. A refused one counts against its sender until then. */
  forget(slot: Slot): void {
    this.#settled(slot);
    this.#closed.delete(slot);
    this.timers.remove(slot);
    if (this.#shared) renew(slot, this.#world);
    this.#world.table.remove(slot);
    slot.sa.basis.keys.release(this.#world.slab);
  }

  #settled(slot: Slot): void {
    if (!slot.counted) return;
    slot.counted = false;
    this.#world.admission.settled(slot.origin);
  }

  /** Puts the IKE SA of a rekey beside the one it replaces; children, leases and identity go over (§2.18). */
  succeed(old: Slot, sa: Established): void {
    const ending = old.own?.queue.find((request) => request.do === 'delete-ike');
    const { table, out, exportKeys, clocks } = this.#world;
    const slot: Slot = { ...freshSlot(sa, old), lastIn: clocks.now, index: old.index };
    table.add(slot);
    // One that has ended is gone from the data plane already, and its Delete is still to come.
    for (const { spiIn } of sa.children) if (table.byEsp(spiIn) === old) table.setEsp(spiIn, slot);
    table.removeKey(sa.proof.key, old);
    table.addKey(sa.proof.key, slot);
    if (sa.profile.match.kind === 'ztna') {
      table.removeUid(sa.client?.uid, old);
      table.addUid(sa.client?.uid, slot);
    }
    old.replaced = true;
    old.index = -1;
    if (exportKeys) out.keys(sa.basis);
    // What the old SA had no time for, or was asked to put off (§2.25), is the new one's to do: nobody would ask for it again.
    const { queue = [], later = [] } = old.own ?? {};
    const putOff = later.filter(({ request }) => request.do === 'rekey-child');
    if (putOff.length > 0) slot.own = { ...newOwn(), later: putOff };
    this.schedule(slot);
    for (const request of queue) if (request.do === 'rekey-child' || request.do === 'notify') this.requests.submit(slot, request);
    for (const { spiIn, state } of sa.children)
      if (state === 'deleting') this.requests.submit(slot, { do: 'delete-child', spiIn, why: 'rekeyed' });
    if (ending !== undefined) this.requests.submit(slot, ending);
    // The answer to what was asked about the old SA would be lost with it.
    else if (old.ticket !== 0) this.standings.ask(slot, old.again ?? old.occasion);
  }

  /** Does what is due for one SA. */
  due(slot: Slot): void {
    const { now } = this.#world.clocks;
    if (slot.reassembly !== undefined && slot.reassembly.until <= now) slot.reassembly = undefined;
    if (slot.answers !== undefined && slot.answers.until <= now) slot.answers = undefined;
    const { sa } = slot;
    if (sa.at !== 'established') {
      if (now < slot.expires) return this.schedule(slot);
      return sa.at === 'closed' ? this.forget(slot) : this.#overdue(slot);
    }
    const env = this.env(slot);
    if (now >= sa.hard) {
      env.say('sa', phrases.hardExpired, 'IKE SA');
      return this.requests.submit(slot, { do: 'delete-ike', reason: 'lifetime', why: 'keylife is over and nobody rekeyed' });
    }
    if (this.standings.due(slot, sa)) return;
    if (this.requests.overdue(slot, sa, env)) return;
    for (const child of sa.children) this.#childDue(slot, child, env);
    this.#idle(slot, env);
    if (slot.heapIndex < 0 && slot.sa.at === 'established') this.schedule(slot);
  }

  /** A negotiation whose time is over. */
  #overdue(slot: Slot): void {
    const { sa } = slot;
    this.env(slot).say('sa', phrases.negotiationTimeout);
    if (sa.at === 'eap' && sa.session.at === 'rejected')
      return this.close(slot, 'eap-failed', `EAP of the client: ${sa.session.why}`, false);
    const waits = sa.at === 'half-open' ? 'no IKE_AUTH came' : `the client went silent in state ${sa.at}`;
    const hint =
      sa.at === 'eap' && sa.user === undefined ? ': it may not accept our AUTH (probable pre-shared key mismatch)' : '';
    this.close(slot, 'negotiation-timeout', `${waits} within negotiate-timeout${hint}`, false);
  }

  #childDue(slot: Slot, child: ChildSa, env: SlotEnv): void {
    const { now } = this.#world.clocks;
    const { sa } = slot;
    if (sa.at !== 'established') return;
    if (now >= child.hard) {
      env.say({ child: child.number, phase2: child.phase2.name }, phrases.hardExpired, 'IPsec SA');
      this.endChild(slot, child, 'lifetime');
    } else if (now >= child.soft && child.state === 'installed' && rekeys(sa) && slot.own?.current === undefined) {
      this.#change(slot, sa, { ...child, soft: Number.POSITIVE_INFINITY }); // one try; a refusal leaves the hard end
      this.requests.submit(slot, { do: 'rekey-child', spiIn: child.spiIn });
    }
  }

  #change(slot: Slot, sa: Established, child: ChildSa): void {
    slot.sa = { ...sa, children: sa.children.map((c) => (c.spiIn === child.spiIn ? child : c)) };
  }

  #idle(slot: Slot, env: SlotEnv): void {
    const { sa } = slot;
    if (sa.at !== 'established' || slot.own?.current !== undefined) return;
    const { now } = env;
    if (this.requests.later(slot, now)) return;
    if (rekeys(sa) && now >= sa.soft) {
      slot.sa = { ...sa, soft: Number.POSITIVE_INFINITY };
      this.requests.submit(slot, { do: 'rekey-ike' });
    } else if (now >= firstLook(slot, sa)) {
      const at = askAt(slot, sa, now, this.#world.watch);
      if (now >= at) this.requests.submit(slot, { do: 'dpd' });
      else slot.look = at;
    }
  }
}

function ownerOf({ profile, proof, lease4, lease6, basis }: Established): ChildOwner {
  return {
    profile: profile.name,
    leases: [lease4, lease6].flatMap((lease) => (lease === undefined ? [] : [lease.address])),
    user: proof.user,
    groups: proof.group === undefined ? [] : [proof.group],
    keepalive: basis.natMe ? profile.keepalive * 1000 : undefined,
  };
}

const holdingOf = ({ instance: name, proof, profile, client, since }: Established): Holding => ({
  ...{ name, since, key: proof.key, person: personOf(proof) },
  uid: profile.match.kind === 'ztna' ? client?.uid : undefined,
});

/** RFC 7383 §2.5.1: octets that an IKE message may have so that its IP datagram keeps to `fragmentation-mtu`. */
export function roomOf({ profile }: Pick<Established, 'profile'>, { path }: Pick<Slot, 'path'>): number {
  return profile.fragmentationMtu - (path.remote.address.includes(':') ? 40 : 20) - 8 - (path.natt ? 4 : 0);
}

/** A slot for a new SA, on the path of `from`. */
export function freshSlot(sa: IkeSa, from: Pick<Slot, 'path'>): Slot {
  return {
    due: Number.POSITIVE_INFINITY,
    heapIndex: -1,
    iv: 0,
    reassembly: undefined,
    answers: undefined,
    sa,
    path: from.path,
    answerTo: from.path,
    window: newWindow(0),
    own: undefined,
    ticket: 0,
    occasion: 'news',
    again: undefined,
    exchange: 0,
    initKey: undefined,
    expires: Number.POSITIVE_INFINITY,
    lastIn: 0,
    look: 0,
    origin: from.path.remote.address,
    counted: false,
    replaced: false,
    index: -1,
    had: undefined,
    will: undefined,
  };
}
