/** The leases of established SAs before the gate: who is asked about again, and what becomes of a standing that is lost. */
import * as phrases from '../log/phrases/index.ts';
import type { Evidence, Verdict } from '../posture/index.ts';
import { questionOf, ruleOf, tellVerdict } from './gate.ts';
import type { Life } from './life.ts';
import { isLast, type Occasion, review } from './review.ts';
import type { Established } from './sa.ts';
import type { Slot } from './slot.ts';
import type { World } from './world.ts';

/** Who has lost its standing and was left connected is looked at again after so many ms, and at every change. */
const LOOK_AGAIN = 30_000;

export class Standings {
  readonly #world: World;
  readonly #life: Life;

  constructor(world: World, life: Life) {
    this.#world = world;
    this.#life = life;
  }

  /** Asks the gate's question about an established SA again; while an answer is awaited, once more after it. */
  ask(slot: Slot, occasion: Occasion): void {
    const { sa } = slot;
    if (sa.at !== 'established' || slot.replaced) return;
    const rule = ruleOf(sa.profile);
    if (rule === undefined || this.#life.requests.ends(slot)) return;
    if (slot.ticket !== 0) {
      slot.again = slot.again === 'token' ? 'token' : occasion;
      return;
    }
    const { out, tickets } = this.#world;
    this.#world.lastTicket += 1;
    slot.ticket = this.#world.lastTicket;
    slot.occasion = occasion;
    tickets.set(slot.ticket, slot);
    out.push({
      do: 'ask',
      ticket: slot.ticket,
      question: { about: 'posture', profile: sa.profile.name, ...questionOf(sa, rule, slot.path) },
    });
  }

  /** Something changed about these devices, or about anybody's. Who is known by address only is always asked about. */
  changed(uids: 'all' | readonly string[]): void {
    const { table } = this.#world;
    const slots = uids === 'all' ? [...table.all()] : [...table.withoutUid(), ...uids.flatMap((uid) => table.byUid(uid))];
    for (const slot of slots) this.ask(slot, 'news');
  }

  /** The answer about an established SA. */
  answered(slot: Slot, sa: Established, evidence: Evidence): void {
    const env = this.#life.env(slot);
    const { occasion, again } = slot;
    slot.again = undefined;
    if (this.#life.requests.ends(slot)) return;
    const outcome = review(sa, evidence, occasion, env);
    this.#life.put(slot, outcome.to);
    if (outcome.kind === 'lost') this.lose(slot, outcome.to, outcome.verdict);
    else if (outcome.opened) this.#open(slot, outcome.to);
    const { successNotify } = this.#world.config.posture;
    const passed = outcome.kind === 'kept' && outcome.to.standing.kind === 'clear' && outcome.to.doom === undefined;
    if (passed && occasion === 'token' && successNotify !== undefined)
      this.#life.requests.submit(slot, { do: 'notify', type: successNotify });
    if (again !== undefined) this.ask(slot, again);
  }

  /** Half time, or the end. True: the SA is being deleted. */
  due(slot: Slot, sa: Established): boolean {
    const { now } = this.#world.clocks;
    if (now >= sa.ends) {
      if (sa.doom !== undefined) return this.lose(slot, sa, sa.doom);
      const env = this.#life.env(slot);
      const why = sa.standing.kind === 'clear' ? `the clearance by ${sa.standing.source} is over` : 'no token came in time';
      env.say('sa', phrases.postureWhy, why);
      this.#life.requests.submit(slot, { do: 'delete-ike', reason: 'posture-denied', why });
      return true;
    }
    if (now >= sa.review && slot.ticket === 0) {
      slot.sa = { ...sa, review: Number.POSITIVE_INFINITY };
      this.ask(slot, isLast(sa, this.#life.env(slot)) ? 'last' : 'half-time');
    }
    return false;
  }

  /** Ends a tunnel that lost its standing, or restrains it where the profile says so; gives true when it ends. */
  lose(slot: Slot, sa: Established, verdict: Verdict): boolean {
    const env = this.#life.env(slot);
    const { match } = sa.profile;
    const action = match.kind === 'ztna' && sa.standing.kind === 'clear' ? match.lost.do : 'delete';
    const why = verdict.kind === 'deny' ? verdict.why : 'EMS is silent and the announced token has not come';
    if (sa.restraint === 'none') {
      tellVerdict(verdict, env);
      env.say('gateway', phrases.postureWhy, why);
      env.say('gateway', phrases.emsTagsFailure);
    }
    if (action === 'delete') {
      this.#life.requests.submit(slot, { do: 'delete-ike', reason: 'posture-denied', why });
      return true;
    }
    const review = this.#world.clocks.now + LOOK_AGAIN;
    const never = Number.POSITIVE_INFINITY;
    this.#life.put(slot, { ...sa, restraint: action, doom: undefined, ends: never, review });
    if (sa.restraint !== action) {
      env.tell({ kind: 'posture-restrained', action, why });
      env.say('gateway', phrases.postureRestrained, action);
      for (const child of sa.children) this.#life.valve(slot, child.spiIn);
    }
    return false;
  }

  #open(slot: Slot, { children }: Established): void {
    for (const child of children) this.#life.valve(slot, child.spiIn);
  }
}
