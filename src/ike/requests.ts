/**
 * Our own requests on established SAs: sending, retransmitting the same octets (RFC 7296 §2.1, §2.4), reading the answers
 * and doing what they say.
 */
import * as phrases from '../log/phrases/index.ts';
import type { SlotEnv } from './env.ts';
import { flawOf } from './exchange.ts';
import { type Life, roomOf } from './life.ts';
import { heardSince } from './liveness.ts';
import { build, complete, type OwnRequest, type OwnStep } from './own.ts';
import { enqueue, newOwn, patience, putOff } from './ownQueue.ts';
import { payloadsOf, protect } from './protect.ts';
import type { Established } from './sa.ts';
import type { Slot } from './slot.ts';
import { fortiExchange, saySent } from './wireTalk.ts';
import type { World } from './world.ts';

export class Requests {
  readonly #world: World;
  readonly #life: Life;
  /** SAs with a Delete of ours in line or under way. */
  readonly #deleting = new Set<Slot>();

  constructor(world: World, life: Life) {
    this.#world = world;
    this.#life = life;
  }

  /** How many SAs wait for the answer to our Delete. */
  get deleting(): number {
    return this.#deleting.size;
  }

  /** Our Delete of this SA is in line or under way. */
  ends(slot: Slot): boolean {
    return this.#deleting.has(slot);
  }

  /** Puts a request in line and starts it when nothing is under way. */
  submit(slot: Slot, request: OwnRequest): void {
    slot.own ??= newOwn();
    if (request.do === 'delete-ike') {
      this.#deleting.add(slot);
      this.#life.strip(slot, request.reason); // at once: the answer may never come
    }
    enqueue(slot.own, request);
    this.#advance(slot);
  }

  /** Forgets all requests of an SA that ends. */
  abandon(slot: Slot): void {
    this.#deleting.delete(slot);
    slot.own = undefined;
  }

  #advance(slot: Slot): void {
    const { own, sa } = slot;
    if (own === undefined || sa.at !== 'established') return;
    const env = this.#life.env(slot);
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
      const due = this.#world.clocks.now + patience(request, 1, sa).wait;
      own.current = { id, exchange: built.exchange, pending: built.pending, datagrams, tries: 1, due };
      if (request.do === 'dpd') {
        own.probes += 1;
        env.say('gateway', phrases.linkIdle, own.probes);
      }
      this.#world.out.send(slot.path, datagrams);
      saySent(this.#world, slot, fortiExchange(built.exchange), datagrams, slot.path, id);
    }
    this.#life.schedule(slot);
  }

  /** A verified response to our request under way came. Throws Malformed. */
  answered(slot: Slot, exchange: number, message: { readonly first: number; readonly plain: Uint8Array }): void {
    const { own, sa } = slot;
    if (own?.current === undefined || sa.at !== 'established') return;
    const { pending, exchange: asked } = own.current;
    const env = this.#life.env(slot);
    const payloads = payloadsOf(message);
    own.current = undefined;
    slot.lastIn = this.#world.clocks.now;
    const flaw = exchange === asked ? flawOf(payloads) : { why: `an answer of exchange type ${exchange}` };
    if (flaw !== undefined) return this.#life.close(slot, 'syntax', `answered with ${flaw.why}`, false);
    this.#apply(slot, complete(pending, sa, payloads, env), env);
  }

  #apply(slot: Slot, step: OwnStep, env: SlotEnv): void {
    env.settle(step.to, step.successor);
    if (step.close !== undefined) return this.#life.close(slot, step.close.reason, step.close.why, false);
    this.#life.put(slot, step.to);
    for (const { child, why } of step.removed ?? []) this.#life.remove(slot, child, why);
    for (const keys of step.installed ?? []) this.#life.install(slot, keys);
    const { own } = slot;
    if (step.successor !== undefined) {
      this.#life.succeed(slot, step.successor);
      // The old SA keeps nothing but the duty to delete itself.
      slot.sa = { ...step.to, children: [], lease4: undefined, lease6: undefined, ends: Number.POSITIVE_INFINITY };
      if (own !== undefined) own.queue.length = 0;
    }
    if (step.later !== undefined && own !== undefined && !putOff(own, step.later, env.now, env.random(1)[0] ?? 0))
      this.submit(slot, { do: 'delete-ike', reason: 'dead-peer', why: 'it refused to rekey for minutes (TEMPORARY_FAILURE)' });
    for (const request of step.next ?? []) this.submit(slot, request);
    if (this.#deleting.has(slot)) this.#life.strip(slot, 'admin-deleted'); // what the answer brought comes too late
    this.#advance(slot);
  }

  /** Starts a request that was put off and whose time has come; false when there is none. */
  later(slot: Slot, now: number): boolean {
    const { own } = slot;
    const ready = own?.later.findIndex(({ at }) => at <= now) ?? -1;
    const entry = own?.later[ready];
    if (own === undefined || entry === undefined) return false;
    own.later.splice(ready, 1);
    this.submit(slot, entry.request);
    return true;
  }

  /** §2.1: the same octets again when an answer is overdue, or the peer counts as dead. False: nothing is overdue. */
  overdue(slot: Slot, sa: Established, env: SlotEnv): boolean {
    const current = slot.own?.current;
    const { now } = this.#world.clocks;
    if (current === undefined || now < current.due) return false;
    const { request } = current.pending;
    const { wait, most } = patience(request, current.tries, sa);
    // §2.4: who is heard by ESP lives, whatever becomes of its answers; §2.1: we go on asking.
    const lives = request.do === 'dpd' && heardSince(sa, current.due - wait, this.#world.watch);
    if (lives) current.tries = Math.min(current.tries, most - 1);
    if (current.tries >= most) {
      const { SPIi, SPIr } = sa.basis;
      env.say('sa', phrases.retransmissionTimeout, SPIi, SPIr);
      env.say('sa', phrases.expiringIke, SPIi, SPIr);
      if (request.do === 'delete-ike') this.#life.close(slot, request.reason, request.why, false);
      else this.#life.close(slot, 'dead-peer', `no answer to ${request.do} after ${current.tries} tries`, false);
      return true;
    }
    current.tries += 1;
    current.due = now + patience(request, current.tries, sa).wait;
    this.#world.out.send(slot.path, current.datagrams);
    saySent(this.#world, slot, 'retransmit', current.datagrams, slot.path, current.id);
    this.#life.schedule(slot);
    return true;
  }
}
