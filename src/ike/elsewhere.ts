/**
 * Established SAs that the other engines of this gateway hold, by what this one may have to know of them: who is connected there
 * (`enforce-unique-id`, INITIAL_CONTACT), and who claims a device. Each engine tells of its own with `held` and `left`.
 */
import type { Rival } from '../posture/index.ts';
import { add, type Listing, listed, remove } from './listing.ts';
import type { Instant } from './sa.ts';

/** One SA of an engine, as the others hear of it. */
export type Holding = {
  /** Its instance name, which is unique over all engines. */
  readonly name: string;
  /** `Authenticated.key` and the person in it. */
  readonly key: string;
  readonly person: string;
  /** The device that its client claims to be; undefined: none, or nobody asks. */
  readonly uid: string | undefined;
  readonly since: Instant;
};

export class Elsewhere {
  readonly #byName = new Map<string, Holding>();
  readonly #byKey: Listing<Holding> = new Map();
  readonly #byUid: Listing<Holding> = new Map();

  held(holding: Holding): void {
    this.left(holding.name);
    this.#byName.set(holding.name, holding);
    add(this.#byKey, holding.key, holding);
    if (holding.uid !== undefined) add(this.#byUid, holding.uid, holding);
  }

  left(name: string): void {
    const was = this.#byName.get(name);
    if (was === undefined) return;
    this.#byName.delete(name);
    remove(this.#byKey, was.key, was);
    if (was.uid !== undefined) remove(this.#byUid, was.uid, was);
  }

  /** Instance names of those with this key. */
  names(key: string): readonly string[] {
    return listed(this.#byKey, key).map(({ name }) => name);
  }

  /** Who claims this device for somebody else, and has done so since before this moment. */
  rival(uid: string, person: string, before: Instant): Rival | undefined {
    for (const one of listed(this.#byUid, uid)) if (one.since < before && one.person !== person) return { user: one.person };
    return undefined;
  }
}
