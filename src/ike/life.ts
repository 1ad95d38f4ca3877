/**
 * The life of an SA between messages: what is due, our own requests and their retransmission (RFC 7296 §2.1, §2.4), how
 * an SA ends. Every end goes through `close`: leases, children, keys and indexes come back in one place.
 */
import type { Reason } from '../log/events.ts';
import * as phrases from '../log/phrases/index.ts';
import { addressText } from '../wire/index.ts';
import { spiText } from './child.ts';
import { SlotEnv, subjectOf } from './env.ts';
import type { ChildKeys } from './exchange.ts';
import { build, complete, type OwnRequest, type OwnStep } from './own.ts';
import { enqueue, newOwn, patience } from './ownQueue.ts';
import { payloadsOf, protect } from './protect.ts';
import { type ChildSa, type Established, type IkeSa, nameOf } from './sa.ts';
import { dueOf, isIdle, rekeys, type Slot } from './slot.ts';
import { Timers } from './timers.ts';
import { newWindow } from './window.ts';
import type { World } from './world.ts';

/** How long a closed SA still answers retransmissions of the request that ended it (ms). */
const LINGER = 30_000;

export class Life {
  readonly timers = new Timers<Slot>();
  readonly #world: World;
  /** SAs whose Delete we have sent and whose answer is still to come. */
  deleting = 0;

  constructor(world: World) {
    this.#world = world;
  }

  env(slot: Slot): SlotEnv {
    return new SlotEnv(this.#world, slot, (other, reason, why) => this.close(other, reason, why, false));
  }

  /** Moves an SA to its next member and keeps every index true. */
  put(slot: Slot, sa: IkeSa): void {
    const { table, admission } = this.#world;
    const was = slot.sa;
    slot.sa = sa;
    if (sa.at === 'established' && was.at !== 'established') {
      if (was.at !== 'closed') admission.settled(slot.origin);
      table.forgetInit(slot);
      table.addKey(sa.proof.key, slot);
      slot.lastIn = this.#world.clocks.now;
      const event = { kind: 'established', suite: sa.basis.suite.text, method: sa.proof.method } as const;
      this.#world.out.push({ do: 'tell', event: { ...event, ...subjectOf(slot, sa.instance) } });
    }
    this.schedule(slot);
  }

  schedule(slot: Slot): void {
    this.timers.set(slot, Math.max(dueOf(slot), this.#world.clocks.now + 1));
  }

  /** Hands a child's keys to the data plane; its valve opens only for a clearance. */
  install(slot: Slot, keys: ChildKeys): void {
    const { out, table } = this.#world;
    const { child } = keys;
    table.setEsp(child.spiIn, slot);
    out.push({ do: 'install', child: keys });
    const { sa } = slot;
    if (sa.at !== 'established') return;
    if (sa.standing.kind === 'clear') out.push({ do: 'open', spi: child.spiIn, by: sa.standing });
    const event = { kind: 'child-up', spi: spiText(child.spiIn), suite: child.suite.text, phase2: child.phase2.name } as const;
    out.push({ do: 'tell', event: { ...event, ...subjectOf(slot, sa.instance) } });
  }

  remove(slot: Slot, child: ChildSa, why: string): void {
    const { out, table } = this.#world;
    if (!table.hasEsp(child.spiIn)) return;
    table.deleteEsp(child.spiIn);
    out.push({ do: 'remove', spi: child.spiIn });
    out.push({
      do: 'tell',
      event: { kind: 'child-down', spi: spiText(child.spiIn), reason: why, ...subjectOf(slot, nameOf(slot.sa)) },
    });
  }

  /**
   * Ends an SA.
   *
   * @param linger keep the last response for retransmissions of the request that ended it
   */
  close(slot: Slot, reason: Reason, why: string, linger: boolean): void {
    const { sa } = slot;
    if (sa.at === 'closed') return;
    const { out, table, admission, leases, clocks } = this.#world;
    const name = nameOf(sa);
    const env = this.env(slot);
    const subject = subjectOf(slot, name);
    if (slot.own?.current?.pending.request.do === 'delete-ike') this.deleting -= 1;
    if (sa.at === 'established') {
      for (const child of sa.children) this.remove(slot, child, reason);
      for (const lease of [sa.lease4, sa.lease6]) {
        if (lease === undefined) continue;
        leases.release(lease, clocks.now);
        env.say('gateway', phrases.released, addressText(lease.address), lease.address.length === 4 ? '255.255.255.255' : '128');
      }
      const address = sa.lease4 ?? sa.lease6;
      if (sa.client?.uid !== undefined)
        env.say(
          'gateway',
          phrases.emsTunnel,
          false,
          sa.client.uid,
          sa.instance,
          address === undefined ? '0.0.0.0' : addressText(address.address),
        );
      table.removeKey(sa.proof.key, slot);
      if (slot.index >= 0) table.giveInstance(sa.profile.name, slot.index);
      const seconds = Math.round((clocks.now - sa.since) / 1000);
      out.push({ do: 'tell', event: { kind: 'closed', reason, why, seconds, ...subject } });
      env.say('gateway', phrases.deleteDynamic);
      env.say('sa', phrases.deleted);
    } else {
      admission.settled(slot.origin);
      env.say('sa', phrases.expiring, reason === 'eap-failed' ? 'EAP failure' : 'phase1 down');
      env.say('sa', phrases.goingToBeDeleted);
      out.push({ do: 'tell', event: { kind: 'negotiation-failed', reason, why, ...subject } });
    }
    this.#shut(slot, name, reason, linger ? clocks.now + LINGER : clocks.now);
  }

  /** What remains of an ended SA: its keys and its last response, for as long as a retransmission may come. */
  #shut(slot: Slot, name: string, reason: Reason, until: number): void {
    const { basis } = slot.sa;
    slot.own = undefined;
    slot.ticket = 0;
    slot.reassembly = undefined;
    slot.expires = until;
    slot.index = -1;
    slot.sa = { at: 'closed', basis, name, reason, until };
    if (until <= this.#world.clocks.now) this.forget(slot);
    else this.schedule(slot);
  }

  /** The last trace of an SA goes; its keys are wiped. */
  forget(slot: Slot): void {
    this.timers.remove(slot);
    this.#world.table.remove(slot);
    slot.sa.basis.keys.release(this.#world.slab);
  }

  /** Puts the IKE SA of a rekey beside the one it replaces; children, leases and identity go over (§2.18). */
  succeed(old: Slot, sa: Established): void {
    const { table, out, exportKeys, clocks } = this.#world;
    const slot: Slot = {
      ...freshSlot(sa, old),
      lastIn: clocks.now,
      index: old.index,
    };
    table.add(slot);
    for (const child of sa.children) table.setEsp(child.spiIn, slot);
    table.removeKey(sa.proof.key, old);
    table.addKey(sa.proof.key, slot);
    if (exportKeys) out.keys(sa.basis);
    this.schedule(slot);
  }

  /** The old IKE SA after a rekey: nothing hangs on it any more, the peer will delete it. */
  retire(slot: Slot): void {
    this.#shut(slot, nameOf(slot.sa), 'rekeyed', this.#world.clocks.now + LINGER);
  }

  /** Puts a request of ours in line and starts it when nothing is under way. */
  submit(slot: Slot, request: OwnRequest): void {
    slot.own ??= newOwn();
    enqueue(slot.own, request);
    this.#advance(slot);
  }

  #advance(slot: Slot): void {
    const { own, sa } = slot;
    if (own === undefined || sa.at !== 'established') return;
    const env = this.env(slot);
    while (own.current === undefined) {
      const request = own.queue.shift();
      if (request === undefined) break;
      const built = build(request, sa, env);
      if (built === undefined) continue;
      const { SPIi, SPIr, initiator } = sa.basis;
      const id = own.next;
      own.next += 1;
      const envelope = { SPIi, SPIr, exchange: built.exchange, initiator, response: false, messageId: id };
      const datagrams = protect(sa.basis, slot, envelope, built.payloads, roomOf(sa, slot), (n) => env.random(n));
      own.current = {
        id,
        pending: built.pending,
        datagrams,
        tries: 1,
        due: this.#world.clocks.now + patience(request, 1, sa).wait,
      };
      if (request.do === 'delete-ike') this.deleting += 1;
      if (request.do === 'dpd') {
        own.probes += 1;
        env.say('gateway', phrases.linkIdle, own.probes);
      }
      this.#world.out.send(slot.path, datagrams);
    }
    this.schedule(slot);
  }

  /** A verified response came. Anything that does not answer our request under way is dropped (§2.1). */
  response(slot: Slot, messageId: number, message: { readonly first: number; readonly plain: Uint8Array }): boolean {
    const { own, sa } = slot;
    if (own?.current?.id !== messageId || sa.at !== 'established') return false;
    const { pending } = own.current;
    const env = this.env(slot);
    const payloads = payloadsOf(message);
    own.current = undefined;
    slot.lastIn = this.#world.clocks.now;
    if (pending.request.do === 'delete-ike') this.deleting -= 1;
    this.#apply(slot, complete(pending, sa, payloads, env), env);
    return true;
  }

  #apply(slot: Slot, step: OwnStep, env: SlotEnv): void {
    env.settle(step.to);
    if (step.close !== undefined) {
      if (step.close.reason === 'rekeyed') return this.retire(slot);
      return this.close(slot, step.close.reason, step.close.why, false);
    }
    this.put(slot, step.to);
    for (const { child, why } of step.removed ?? []) this.remove(slot, child, why);
    for (const keys of step.installed ?? []) this.install(slot, keys);
    const { own } = slot;
    if (step.successor !== undefined) {
      this.succeed(slot, step.successor);
      // The old SA keeps nothing but the duty to delete itself.
      slot.sa = { ...step.to, children: [], lease4: undefined, lease6: undefined };
      slot.index = -1;
      if (own !== undefined) own.queue.length = 0;
    }
    if (step.later !== undefined && own !== undefined)
      own.later = { request: step.later, at: env.now + 3000 + 20 * (env.random(1)[0] ?? 0) }; // 3-8 s: two ends must not meet again
    for (const request of step.next ?? []) this.submit(slot, request);
    this.#advance(slot);
  }

  /** Does what is due for one SA. */
  due(slot: Slot): void {
    const { sa } = slot;
    const { now } = this.#world.clocks;
    const env = this.env(slot);
    if (sa.at === 'closed') return this.forget(slot);
    if (sa.at !== 'established') {
      env.say('sa', phrases.negotiationTimeout);
      const waits = sa.at === 'half-open' ? 'no IKE_AUTH came' : `the client went silent in state ${sa.at}`;
      const hint = sa.at === 'eap' ? ': it may not accept our AUTH (probable pre-shared key mismatch)' : '';
      return this.close(slot, 'negotiation-timeout', `${waits} within negotiate-timeout${hint}`, false);
    }
    if (now >= sa.hard) {
      env.say('sa', phrases.hardExpired, 'IKE SA');
      slot.sa = { ...sa, soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY };
      return this.submit(slot, { do: 'delete-ike', reason: 'lifetime', why: 'keylife is over and nobody rekeyed' });
    }
    if (slot.own?.current !== undefined && now >= slot.own.current.due) return this.#again(slot, sa, env);
    for (const child of sa.children) this.#childDue(slot, child, env);
    if (slot.own?.current === undefined) this.#idle(slot, env);
    if (slot.heapIndex < 0 && slot.sa.at === 'established') this.schedule(slot);
  }

  #childDue(slot: Slot, child: ChildSa, env: SlotEnv): void {
    const { now } = this.#world.clocks;
    const { sa } = slot;
    if (sa.at !== 'established') return;
    if (now >= child.hard) {
      env.say({ child: child.number, phase2: child.phase2.name }, phrases.hardExpired, 'IPsec SA');
      this.remove(slot, child, 'lifetime');
      this.#change(slot, sa, { ...child, state: 'deleting', hard: Number.POSITIVE_INFINITY });
      this.submit(slot, { do: 'delete-child', spiIn: child.spiIn, why: 'lifetime' });
    } else if (now >= child.soft && child.state === 'installed' && rekeys(sa) && slot.own?.current === undefined) {
      this.#change(slot, sa, { ...child, soft: Number.POSITIVE_INFINITY }); // one try; a refusal leaves the hard end
      this.submit(slot, { do: 'rekey-child', spiIn: child.spiIn });
    }
  }

  #change(slot: Slot, sa: Established, child: ChildSa): void {
    slot.sa = { ...sa, children: sa.children.map((c) => (c.spiIn === child.spiIn ? child : c)) };
  }

  #idle(slot: Slot, env: SlotEnv): void {
    const { sa, own } = slot;
    if (sa.at !== 'established') return;
    const { now } = env;
    if (own?.later !== undefined && now >= own.later.at) {
      const { request } = own.later;
      own.later = undefined;
      this.submit(slot, request);
    } else if (rekeys(sa) && now >= sa.soft) {
      slot.sa = { ...sa, soft: Number.POSITIVE_INFINITY };
      this.submit(slot, { do: 'rekey-ike' });
    } else if (isIdle(slot, sa, now)) this.submit(slot, { do: 'dpd' });
  }

  /** §2.1: the same octets again, or the peer counts as dead. */
  #again(slot: Slot, sa: Established, env: SlotEnv): void {
    const current = slot.own?.current;
    if (current === undefined) return;
    const { request } = current.pending;
    const { most } = patience(request, current.tries, sa);
    if (current.tries >= most) {
      const { SPIi, SPIr } = sa.basis;
      env.say('sa', phrases.retransmissionTimeout, SPIi, SPIr);
      env.say('sa', phrases.expiringIke, SPIi, SPIr);
      if (request.do === 'delete-ike') {
        if (request.reason === 'rekeyed') {
          this.deleting -= 1;
          return this.retire(slot);
        }
        return this.close(slot, request.reason, request.why, false);
      }
      return this.close(slot, 'dead-peer', `no answer to ${request.do} after ${current.tries} tries`, false);
    }
    current.tries += 1;
    current.due = this.#world.clocks.now + patience(request, current.tries, sa).wait;
    this.#world.out.send(slot.path, current.datagrams);
    this.schedule(slot);
  }
}

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
    sa,
    path: from.path,
    window: newWindow(0),
    own: undefined,
    ticket: 0,
    exchange: 0,
    initKey: undefined,
    expires: Number.POSITIVE_INFINITY,
    lastIn: 0,
    origin: from.path.remote.address,
    index: -1,
  };
}
