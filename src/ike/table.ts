/** All SAs, and the ways to find one: by our SPI, by the IKE_SA_INIT it began with, by identity, by a child's SPI. */
import type { IkeSpi } from '../wire/index.ts';
import type { Lane } from './lane.ts';
import { add, type Listing, listed, remove } from './listing.ts';
import { nameOf } from './sa.ts';
import { ourSpi, type Slot } from './slot.ts';

export class SaTable {
  readonly #bySpi = new Map<IkeSpi, Slot>();
  readonly #byInit = new Map<string, Slot>();
  readonly #byEsp = new Map<number, Slot>();
  readonly #byKey: Listing<Slot> = new Map();
  readonly #byUid: Listing<Slot> = new Map();
  readonly #withoutUid = new Set<Slot>();
  readonly #instances = new Map<string, { next: number; readonly free: number[] }>();
  readonly #lane: Lane;

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  get size(): number {
    return this.#bySpi.size;
  }

  all(): IterableIterator<Slot> {
    return this.#bySpi.values();
  }

  add(slot: Slot): void {
    this.#bySpi.set(ourSpi(slot.sa), slot);
    if (slot.initKey !== undefined) this.#byInit.set(slot.initKey, slot);
  }

  /** Forgets an SA by its SPI; what else pointed at it must be gone already. */
  remove(slot: Slot): void {
    this.#bySpi.delete(ourSpi(slot.sa));
    this.forgetInit(slot);
  }

  bySpi(spi: IkeSpi): Slot | undefined {
    return this.#bySpi.get(spi);
  }

  byInit(key: string): Slot | undefined {
    return this.#byInit.get(key);
  }

  forgetInit(slot: Slot): void {
    if (slot.initKey === undefined) return;
    if (this.#byInit.get(slot.initKey) === slot) this.#byInit.delete(slot.initKey);
    slot.initKey = undefined;
  }

  /** Whose child has this inbound SPI. */
  byEsp(spi: number): Slot | undefined {
    return this.#byEsp.get(spi);
  }
  setEsp(spi: number, slot: Slot): void {
    this.#byEsp.set(spi, slot);
  }
  deleteEsp(spi: number): void {
    this.#byEsp.delete(spi);
  }
  get children(): number {
    return this.#byEsp.size;
  }

  /** Indexes an established SA by whose it is. */
  addKey(key: string, slot: Slot): void {
    add(this.#byKey, key, slot);
  }

  removeKey(key: string, slot: Slot): void {
    remove(this.#byKey, key, slot);
  }

  byKey(key: string): readonly Slot[] {
    return listed(this.#byKey, key);
  }

  /** The established one of them that bears this instance name. */
  keyed(key: string, name: string): Slot | undefined {
    return this.byKey(key).find(({ sa }) => sa.at === 'established' && nameOf(sa) === name);
  }

  /** Indexes an established SA by the device that its client claims to be. */
  addUid(uid: string | undefined, slot: Slot): void {
    if (uid === undefined) this.#withoutUid.add(slot);
    else add(this.#byUid, uid, slot);
  }
  removeUid(uid: string | undefined, slot: Slot): void {
    this.#withoutUid.delete(slot);
    if (uid !== undefined) remove(this.#byUid, uid, slot);
  }
  byUid(uid: string): readonly Slot[] {
    return listed(this.#byUid, uid);
  }
  /** Established SAs with a tag rule whose device is known by its address only. */
  withoutUid(): Iterable<Slot> {
    return this.#withoutUid;
  }

  /** The lowest-cost free number of a profile's dynamic instances: one given back, else the next. */
  takeInstance(profile: string): number {
    const pool = this.#instances.get(profile) ?? { next: this.#lane.index, free: [] };
    this.#instances.set(profile, pool);
    const back = pool.free.pop();
    if (back !== undefined) return back;
    pool.next += this.#lane.count;
    return pool.next - this.#lane.count;
  }

  giveInstance(profile: string, index: number): void {
    this.#instances.get(profile)?.free.push(index);
  }

  /** The established SA that bears this instance name now; ended and replaced ones do not. */
  named(name: string): Slot | undefined {
    for (const slot of this.#bySpi.values())
      if (slot.sa.at === 'established' && slot.index >= 0 && nameOf(slot.sa) === name) return slot;
    return undefined;
  }
}
