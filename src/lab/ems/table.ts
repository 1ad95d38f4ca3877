/** The devices of the emulated EMS, numbered changes, and the bounded log of them: docs/ems-api.md §3. */
import { type EmsEndpoint, EmsRefused } from './record.ts';

/** One state: live, or a copy that stays as it is. */
export type TableView = {
  readonly seq: number;
  /** Changes up to this one may be forgotten. */
  readonly floor: number;
  readonly records: ReadonlyMap<string, EmsEndpoint>;
  /** The last change of each device, the eldest first. */
  readonly log: ReadonlyMap<string, number>;
};

export type TableLimits = { readonly endpoints: number; readonly log: number };

export class EndpointTable {
  readonly #records = new Map<string, EmsEndpoint>();
  readonly #log = new Map<string, number>();
  readonly #limits: TableLimits;
  #seq: number;
  #floor: number;

  /** @param seq must be larger than any that was ever given out before: nobody's `since` of an earlier life is continued */
  constructor(seq: number, limits: TableLimits) {
    this.#seq = seq;
    this.#floor = seq;
    this.#limits = limits;
  }

  get seq(): number {
    return this.#seq;
  }

  get(uid: string): EmsEndpoint | undefined {
    return this.#records.get(uid);
  }

  /** Records kept from an earlier life: there before the first change. */
  load(records: readonly EmsEndpoint[]): void {
    for (const record of records.slice(0, this.#limits.endpoints)) this.#records.set(record.uid, record);
  }

  /** @throws EmsRefused when a new device is one too many */
  put(record: EmsEndpoint): void {
    if (!this.#records.has(record.uid) && this.#records.size >= this.#limits.endpoints)
      throw new EmsRefused('full', `this EMS keeps at most ${this.#limits.endpoints} endpoints`);
    this.#records.set(record.uid, record);
    this.#note(record.uid);
  }

  /** False when there was none. */
  delete(uid: string): boolean {
    const there = this.#records.delete(uid);
    if (there) this.#note(uid);
    return there;
  }

  /** The state now; it follows what happens. */
  live(): TableView {
    return { seq: this.#seq, floor: this.#floor, records: this.#records, log: this.#log };
  }

  /** The state now, for keeps. */
  frozen(): TableView {
    return { seq: this.#seq, floor: this.#floor, records: new Map(this.#records), log: new Map(this.#log) };
  }

  #note(uid: string): void {
    this.#seq += 1;
    this.#log.delete(uid);
    this.#log.set(uid, this.#seq);
    if (this.#log.size <= this.#limits.log) return;
    const [eldest] = this.#log;
    if (eldest === undefined) return;
    this.#log.delete(eldest[0]);
    this.#floor = eldest[1];
  }
}

/** A line of a walk: a device as it is, or the UID of one that is gone. */
export type Line = { readonly uid: string; readonly record: EmsEndpoint | undefined };

/** All devices by UID. */
export function everything({ records }: TableView): readonly Line[] {
  return [...records.values()].map((record) => ({ uid: record.uid, record })).sort(byUid);
}

/** The devices that changed after `since`, by UID; undefined when that cannot be told. */
export function changesSince(view: TableView, since: number): readonly Line[] | undefined {
  if (since < view.floor || since > view.seq) return undefined;
  const lines: Line[] = [];
  for (const [uid, seq] of view.log) if (seq > since) lines.push({ uid, record: view.records.get(uid) });
  return lines.sort(byUid);
}

/** The devices that have this address as one of their own, at most `most`. */
export function withAddress({ records }: TableView, address: string, most: number): readonly EmsEndpoint[] {
  const found: EmsEndpoint[] = [];
  for (const record of records.values()) {
    if (found.length === most) break;
    if (record.addresses.includes(address)) found.push(record);
  }
  return found;
}

const byUid = (a: Line, b: Line): number => (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);

export type Page = {
  readonly seq: number;
  readonly complete: boolean;
  readonly lines: readonly Line[];
  readonly next: string | undefined;
};

/** Walks in progress: all pages of one show the state of the first. One for each client and `since`; the eldest makes room. */
export class Walks {
  readonly #walks = new Map<string, Walk>();
  readonly #now: () => number;

  /** @param now a clock in ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The first page of a new walk; undefined when `since` cannot be continued. */
  begin(client: string, view: TableView, since: number | undefined, limit: number): Page | undefined {
    const lines = since === undefined ? everything(view) : changesSince(view, since);
    if (lines === undefined) return undefined;
    const walk = { seq: view.seq, complete: since === undefined, lines, until: 0 };
    return this.#page(keyOf(client, since), walk, 0, limit);
  }

  /** The first page of the whole table for a client that asks for changes. */
  beginWhole(client: string, view: TableView, since: number | undefined, limit: number): Page {
    const walk = { seq: view.seq, complete: true, lines: everything(view), until: 0 };
    return this.#page(keyOf(client, since), walk, 0, limit);
  }

  /** The page after `after`; undefined when there is no such walk (any more). */
  next(client: string, since: number | undefined, after: string, limit: number): Page | undefined {
    const key = keyOf(client, since);
    const walk = this.#walks.get(key);
    if (walk === undefined || walk.until < this.#now()) return undefined;
    const from = walk.lines.findIndex((line) => line.uid > after);
    return this.#page(key, walk, from < 0 ? walk.lines.length : from, limit);
  }

  clear(): void {
    this.#walks.clear();
  }

  #page(key: string, walk: Walk, from: number, limit: number): Page {
    const lines = walk.lines.slice(from, from + limit);
    const more = from + limit < walk.lines.length;
    this.#walks.delete(key);
    // The last page is kept too: a client whose connection broke asks for it again. A walk of one page needs no keeping.
    if (more || from > 0) this.#walks.set(key, { ...walk, until: this.#now() + KEPT });
    const [eldest] = this.#walks.keys();
    if (this.#walks.size > MOST_WALKS && eldest !== undefined) this.#walks.delete(eldest);
    return { seq: walk.seq, complete: walk.complete, lines, next: more ? lines.at(-1)?.uid : undefined };
  }
}

type Walk = { readonly seq: number; readonly complete: boolean; readonly lines: readonly Line[]; readonly until: number };
const KEPT = 60_000;
const MOST_WALKS = 32;
const keyOf = (client: string, since: number | undefined): string => `${since ?? 'all'} ${client}`;
