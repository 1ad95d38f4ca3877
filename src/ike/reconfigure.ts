/**
 * Another configuration under running SAs. From here on it alone decides: who may begin, who is let in, and of what stands,
 * what may stay. An SA keeps what it has negotiated; it is put under the profile of the same name, and before its gate again.
 */
import type { Config, Profile } from '../config/index.ts';
import { judge } from '../posture/index.ts';
import { NOTHING_ASKED, ruleOf } from './gate.ts';
import type { Leases } from './leases.ts';
import type { Life } from './life.ts';
import { misfit, unreachable } from './profiles.ts';
import type { Established, IkeSa } from './sa.ts';
import type { Slot } from './slot.ts';
import type { World } from './world.ts';

/** ms beyond what a look-up may take: who comes under a tag rule and is not cleared by then has no standing. */
const MARGIN = 2000;

type Negotiating = Exclude<IkeSa, { readonly at: 'established' | 'closed' }>;

/** Puts everything under `config`. SAs that it has no place for are told so by a Delete; negotiations begin anew. */
export function reconfigure(world: World, life: Life, config: Config): void {
  const { profiles, settings } = config;
  world.config = config;
  world.admission.limit(settings);
  const before = world.leases;
  world.leases = before.under(profiles, settings.leaseLinger);
  for (const slot of [...world.table.all()]) {
    const { sa } = slot;
    if (sa.at === 'closed' || slot.replaced || life.requests.ends(slot)) continue;
    if (sa.at === 'established') new Successor(world, life, slot).place(sa, before);
    else negotiating(world, life, slot, sa);
  }
}

function negotiating(world: World, life: Life, slot: Slot, sa: Negotiating): void {
  const { profiles } = world.config;
  const were = sa.at === 'half-open' ? sa.candidates : [sa.profile];
  const fit = were
    .flatMap(({ name }) => profiles.filter((p) => p.name === name))
    .filter((p) => unreachable(p, slot.path, world.country) === undefined);
  const [profile] = fit;
  if (profile === undefined) return life.close(slot, 'no-gateway', 'the configuration has no profile for it any more', false);
  life.put(slot, sa.at === 'half-open' ? { ...sa, candidates: fit } : { ...sa, profile });
}

/** One established SA on its way under the new configuration. */
class Successor {
  readonly #world: World;
  readonly #life: Life;
  readonly #slot: Slot;

  constructor(world: World, life: Life, slot: Slot) {
    this.#world = world;
    this.#life = life;
    this.#slot = slot;
  }

  place(sa: Established, before: Leases): void {
    const profile = this.#world.config.profiles.find(({ name }) => name === sa.profile.name);
    const why = profile === undefined ? `phase1-interface ${sa.profile.name} is gone` : this.#misfit(sa, profile);
    const leases = profile === undefined || why !== undefined ? undefined : this.#leases(sa, profile, before);
    if (profile === undefined || leases === undefined) {
      const reason = why ?? `its address is no longer one of the pool of ${sa.profile.name}`;
      const request = { do: 'delete-ike', reason: 'admin-deleted', why: `the configuration changed: ${reason}` } as const;
      return this.#life.requests.submit(this.#slot, request);
    }
    const wasGated = sa.profile.match.kind === 'ztna';
    this.#slot.look = 0; // it may ask sooner
    const next = this.#children({ ...sa, ...leases, profile });
    this.#gate(next, wasGated);
  }

  /** Why a profile would not take this client today. Its certificate and what it has negotiated are not gone into again. */
  #misfit({ proof }: Established, profile: Profile): string | undefined {
    const { config, country } = this.#world;
    const { remoteAuth, name } = profile;
    const wrong = unreachable(profile, this.#slot.path, country) ?? misfit(profile, proof.idText, proof.method, config.users);
    if (wrong !== undefined) return `${name} ${wrong}`;
    if (remoteAuth.kind !== 'eap' || config.users.find(proof.user ?? '', remoteAuth.groups) !== undefined) return undefined;
    return `user "${proof.user}" is in none of the groups of ${name}`;
  }

  /** Its addresses in the pools that are now; undefined: one of them is not to be had any more. */
  #leases(
    { lease4, lease6 }: Established,
    { name }: Profile,
    before: Leases,
  ): Pick<Established, 'lease4' | 'lease6'> | undefined {
    const { leases } = this.#world;
    if (leases === before) return { lease4, lease6 };
    const own4 = lease4 === undefined ? undefined : leases.adopt(name, 4, lease4);
    const own6 = lease6 === undefined ? undefined : leases.adopt(name, 6, lease6);
    if ((lease4 === undefined) === (own4 === undefined) && (lease6 === undefined) === (own6 === undefined))
      return { lease4: own4, lease6: own6 };
    for (const lease of [own4, own6]) if (lease !== undefined) leases.release(lease, this.#world.clocks.now);
    return undefined;
  }

  #children(sa: Established): Established {
    const { phase2 } = sa.profile;
    const named = (name: string) => phase2.find((one) => one.name === name);
    return { ...sa, children: sa.children.map((c) => ({ ...c, phase2: named(c.phase2.name) ?? c.phase2 })) };
  }

  /** A tag rule that is new, or another one: the gate is asked, and until it has answered its word of before stands no longer. */
  #gate(sa: Established, wasGated: boolean): void {
    const [slot, { table, clocks, config, tickets }] = [this.#slot, this.#world];
    const gated = ruleOf(sa.profile) !== undefined;
    if (wasGated && !gated) {
      table.removeUid(sa.client?.uid, slot);
      tickets.delete(slot.ticket);
      slot.ticket = 0;
    }
    if (!wasGated && gated) table.addUid(sa.client?.uid, slot);
    if (wasGated !== gated) this.#life.held(sa);
    const never = Number.POSITIVE_INFINITY;
    const ends = Math.min(sa.ends, clocks.now + config.posture.lookupWait + MARGIN);
    const restrained = sa.standing.kind !== 'clear' || sa.restraint !== 'none';
    const verdict = judge(undefined, NOTHING_ASKED, undefined, clocks.unix);
    if (!gated && verdict.kind === 'clear')
      this.#life.put(slot, { ...sa, standing: verdict, restraint: 'none', doom: undefined, ends: never, review: never });
    else
      this.#life.put(slot, {
        ...sa,
        doom: undefined,
        ends: sa.standing.kind === 'clear' && sa.restraint === 'none' ? ends : sa.ends,
      });
    for (const child of sa.children) {
      if (!sa.profile.phase2.some(({ name }) => name === child.phase2.name) && child.state !== 'deleting')
        this.#life.endChild(slot, child, `phase2-interface ${child.phase2.name} is gone`);
      else if (restrained) this.#life.valve(slot, child.spiIn);
    }
    if (gated) this.#life.standings.ask(slot, 'news');
  }
}
