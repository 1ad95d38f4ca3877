/**
 * One EMS: reached, recognised, its table of devices kept in step, its changes passed on. It never judges; it says what EMS said,
 * and how old that is.
 *
 *   down ── identify, token keys, whole table ──► up ── WebSocket or polling ──► down, and again after a pause
 */
import type { EmsReport, UnixTime } from '../posture/index.ts';
import { EmsCallFailed, type EmsDriver, type EmsIdentity, type EndpointRecord, type TunnelEvent } from './driver.ts';
import { Endpoints, reportOf } from './endpoints.ts';
import { failureOf, type ServerCertificate } from './http.ts';
import type { DeviceQuery } from './resolver.ts';
import { type EmsState, stateOf } from './states.ts';
import type { Note, Store } from './store.ts';
import { readTokenKeys, type TokenKey } from './token.ts';
import { Tunnels } from './tunnels.ts';

export type ConnectorStatus = {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly server: string;
  readonly state: EmsState;
  /** Why it is not connected; '' when it is. */
  readonly why: string;
  /** When the state began, and when the table was last in step; seconds since 1970, 0: never. */
  readonly since: UnixTime;
  readonly asOf: UnixTime;
  readonly identity: EmsIdentity | undefined;
  readonly devices: number;
  readonly tokenKeys: number;
  readonly websocket: boolean;
  readonly trustedBy: 'pin' | 'authority';
  readonly counters: Readonly<Record<string, number>>;
};

export type ConnectorOptions = {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly server: string;
  /** What is configured and must be what EMS tells; '' where it is not. */
  readonly serialNumber: string;
  readonly tenantId: string;
  readonly pullTags: boolean;
  /** Seconds. */
  readonly outOfSync: number;
  readonly callTimeout: number;
  readonly websocket: boolean;
  /** PEM or JWK texts of the configuration. */
  readonly tokenKeys: readonly string[];
};

/** The world of a connector; a test has its own. */
export type ConnectorWorld = {
  readonly driver: EmsDriver;
  inspect(): Promise<ServerCertificate>;
  closeConnections(): void;
  readonly store: Store;
  readonly note: Note;
  unix(): UnixTime;
  after(ms: number, run: () => void): () => void;
  /** 0 … 1, for pauses that are not all alike. */
  chance(): number;
  /** Devices that the gate would now see otherwise. */
  onChange(uids: readonly string[]): void;
  onState(status: ConnectorStatus): void;
};

const PAUSE_FIRST = 1000;
const PAUSE_MOST = 60_000;
/** ms between two attempts that questions provoke: thousands of clients must not become thousands of calls. */
const PROVOKED = 1000;
const SAVE_EVERY = 5000;

export class Connector {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly #o: ConnectorOptions;
  readonly #world: ConnectorWorld;
  readonly #table: Endpoints;
  readonly #tunnels: Tunnels;
  readonly #count = { calls: 0, pulls: 0, failures: 0, changes: 0 };
  #identity: EmsIdentity | undefined;
  #state: EmsState = 'Not sent';
  #why = 'it has not been asked yet';
  #since: UnixTime;
  #asOf: UnixTime = 0;
  #seq: number | undefined;
  #keyTexts: readonly string[] = [];
  #configuredKeys: readonly TokenKey[] = [];
  #fetchedKeys: readonly TokenKey[] = [];
  #pinned: string | undefined;
  #watching = false;
  #pause = PAUSE_FIRST;
  #running: Promise<void> | undefined;
  #attempted = Number.NEGATIVE_INFINITY;
  #connecting = false;
  #attempt: Promise<void> | undefined;
  #attemptEnds: () => void = () => undefined;
  #pulling: Promise<void> | undefined;
  #pullAgain = false;
  /** EMS has said that something changed, and that has not been fetched yet. */
  #behind = false;
  #wake: () => void = () => undefined;
  #stopWatch: () => void = () => undefined;
  #cancelSave: (() => void) | undefined;
  #stopped = false;

  constructor(options: ConnectorOptions, world: ConnectorWorld) {
    this.number = options.number;
    this.key = options.key;
    this.name = options.name;
    this.#o = options;
    this.#world = world;
    this.#table = new Endpoints(options.number);
    this.#since = world.unix();
    this.#tunnels = new Tunnels(
      (event) => world.driver.tunnel(event),
      () => this.#state === 'Connected',
    );
  }

  /** Serial number and tenant: as EMS told them, else as they are configured. */
  get identity(): { readonly serial: string; readonly tenant: string } | undefined {
    if (this.#identity !== undefined) return this.#identity;
    const { serialNumber, tenantId } = this.#o;
    return serialNumber === '' ? undefined : { serial: serialNumber, tenant: tenantId };
  }

  /** SHA-256 of the accepted certificate. */
  get pinned(): string | undefined {
    return this.#pinned;
  }

  /** Reads what an earlier life kept and the configured keys, then begins. Never rejects. */
  async start(): Promise<void> {
    const kept = await this.#world.store.load();
    this.#identity = kept.identity;
    this.#asOf = Math.min(kept.asOf, this.#world.unix());
    this.#pinned = kept.pinned;
    this.#table.apply({ seq: 0, complete: true, devices: kept.devices, removed: [] });
    this.#configuredKeys = await this.#readKeys(this.#o.tokenKeys);
    await this.#takeKeys(kept.tokenKeys);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopWatch();
    this.#wake();
    this.#world.closeConnections();
    await this.#running;
    this.#attemptEnds();
    this.#cancelSave?.();
    await this.#save();
  }

  status(): ConnectorStatus {
    return {
      ...{ number: this.number, key: this.key, name: this.name, server: this.#o.server },
      ...{ state: this.#state, why: this.#why, since: this.#since, asOf: this.#asOf },
      identity: this.#identity,
      devices: this.#table.size,
      tokenKeys: this.tokenKeys().length,
      websocket: this.#watching,
      trustedBy: this.#pinned === undefined ? 'authority' : 'pin',
      counters: { ...this.#count, ...this.#tunnels.counters() },
    };
  }

  records(): readonly EndpointRecord[] {
    return this.#table.all();
  }
  tags(): ReadonlyMap<string, readonly string[]> {
    return this.#table.tags();
  }
  tokenKeys(): readonly TokenKey[] {
    return this.#configuredKeys.length === 0 ? this.#fetchedKeys : [...this.#configuredKeys, ...this.#fetchedKeys];
  }

  /** What EMS says of a device, from the table, at once. */
  look(who: DeviceQuery): EmsReport {
    const now = this.#world.unix();
    const { outOfSync, pullTags } = this.#o;
    const until = pullTags && this.#seen ? this.#asOf + outOfSync : 0;
    const why = pullTags
      ? this.#state === 'Connected'
        ? 'its table is out of date'
        : `${this.#state}: ${this.#why}`
      : 'pull-tags is off';
    return reportOf({ ems: this.number, name: this.name }, this.#table.find(who), { asOf: this.#asOf, until, now, why });
  }

  /** As `look`; a table that is not fresh is brought up to date first, by one call for all who ask. Never rejects. */
  async ask(who: DeviceQuery): Promise<EmsReport> {
    const at = this.#world.unix();
    if (this.#asOf + this.#o.outOfSync <= at || !this.#seen) await this.#provoked();
    return this.look(who);
  }

  tunnel(event: TunnelEvent): void {
    this.#tunnels.add(event);
  }

  /** The server's certificate as it is shown now. Rejects with EmsCallFailed. */
  async inspect(): Promise<ServerCertificate> {
    return await this.#world.inspect();
  }

  /** A person has accepted this certificate: from now on this one and no other. */
  async trust(sha256: string): Promise<void> {
    this.#pinned = sha256;
    await this.#save();
    this.retry();
  }

  /** Gives up what a person has accepted; false when there was nothing. */
  async untrust(): Promise<boolean> {
    if (this.#pinned === undefined) return false;
    this.#pinned = undefined;
    await this.#save();
    this.#stopWatch();
    this.#world.closeConnections();
    this.retry();
    return true;
  }

  /** Tries again now, whatever pause there is. */
  retry(): void {
    this.#pause = PAUSE_FIRST;
    this.#wake();
  }

  /** Something was ever said: an empty table of an EMS that never answered says nothing. */
  get #seen(): boolean {
    return this.#asOf > 0;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#session();
      } catch (error) {
        const failed = failureOf(error);
        this.#count.failures += 1;
        if (failed.kind === 'resync') this.#seq = undefined;
        this.#to(stateOf(failed.kind), failed.message);
      }
      this.#watching = false;
      if (this.#stopped) return;
      const pause = this.#pause * (0.75 + this.#world.chance() / 2);
      this.#pause = Math.min(2 * this.#pause, PAUSE_MOST);
      await this.#sleep(pause);
    }
  }

  /** From the first word to the end of the connection; ends by throwing why, or when we stop. */
  async #session(): Promise<void> {
    const { driver } = this.#world;
    this.#attempted = performance.now();
    this.#connecting = true;
    this.#count.calls += 1;
    const identity = await driver.identify();
    this.#check(identity);
    this.#identity = identity;
    await this.#takeKeys(await driver.tokenKeys());
    this.#seq = undefined;
    await this.#pull();
    this.#pause = PAUSE_FIRST;
    this.#to('Connected', '');
    this.#tunnels.flush();
    if (this.#o.websocket && driver.watch !== undefined && identity.capabilities.includes('websocket')) await this.#watch(driver);
    else await this.#poll();
  }

  #check({ serial, tenant }: EmsIdentity): void {
    const { serialNumber, tenantId } = this.#o;
    if (serialNumber !== '' && serialNumber !== serial)
      throw new EmsCallFailed('server', `mismatched-ems-sn: it is ${serial}, serial-number says ${serialNumber}`);
    if (tenantId !== '' && tenantId.toUpperCase() !== tenant.toUpperCase())
      throw new EmsCallFailed('server', `mismatched tenant: it is ${tenant}, tenant-id says ${tenantId}`);
  }

  async #watch(driver: EmsDriver): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const watch = driver.watch?.(this.#seq ?? 0, (what) => {
        switch (what) {
          case 'changed':
            this.#behind = true;
            this.#pull().catch((error: unknown) => {
              reject(failureOf(error));
            });
            return;
          case 'keys':
            driver.tokenKeys().then(
              (keys) => this.#takeKeys(keys),
              (error: unknown) => reject(failureOf(error)),
            );
            return;
          case 'alive':
            if (!this.#behind) this.#inStep(this.#world.unix());
            return;
          case 'closed':
            reject(new EmsCallFailed('unreachable', 'its WebSocket has closed'));
        }
      });
      this.#watching = true;
      this.#stopWatch = () => {
        watch?.close();
        resolve();
      };
    }).finally(() => {
      this.#stopWatch();
      this.#stopWatch = () => undefined;
    });
  }

  async #poll(): Promise<void> {
    while (!this.#stopped) {
      await this.#sleep(Math.max(1000, (this.#o.outOfSync * 1000) / 3));
      if (this.#stopped) return;
      await this.#pull();
    }
  }

  /** Fetches what changed; one at a time, and once more when something changed meanwhile. Rejects with EmsCallFailed. */
  async #pull(): Promise<void> {
    if (this.#pulling !== undefined) {
      this.#pullAgain = true;
      return await this.#pulling;
    }
    this.#pulling = (async () => {
      do {
        this.#pullAgain = false;
        await this.#pullOnce();
      } while (this.#pullAgain && !this.#stopped);
      this.#behind = false;
    })();
    try {
      await this.#pulling;
    } finally {
      this.#pulling = undefined;
    }
  }

  async #pullOnce(): Promise<void> {
    const { driver, unix, onChange } = this.#world;
    const began = unix();
    this.#count.pulls += 1;
    const sync = await driver.sync(this.#seq).catch((error: unknown) => {
      if (failureOf(error).kind !== 'resync' || this.#seq === undefined) throw error;
      return driver.sync(undefined); // it no longer knows what changed since: everything again
    });
    const changed = this.#table.apply(sync);
    this.#seq = sync.seq;
    this.#inStep(began);
    this.#count.changes += changed.length;
    if (changed.length > 0) onChange(changed);
  }

  #inStep(at: UnixTime): void {
    this.#asOf = Math.max(this.#asOf, at);
    this.#cancelSave ??= this.#world.after(SAVE_EVERY, () => {
      this.#cancelSave = undefined;
      void this.#save();
    });
  }

  /** A question found the table out of date: pulls, or tries to connect, once for all who ask. */
  async #provoked(): Promise<void> {
    if (this.#state === 'Connected') return await this.#pull().catch(() => undefined);
    if (!this.#connecting) {
      const now = performance.now();
      if (now - this.#attempted < PROVOKED) return;
      this.#attempted = now;
      this.#wake();
    }
    // The attempt ends as a state; who asks has a deadline of its own.
    this.#attempt ??= new Promise<void>((resolve) => {
      this.#attemptEnds = resolve;
    });
    await this.#attempt;
  }

  #to(state: EmsState, why: string): void {
    this.#connecting = false;
    this.#attemptEnds();
    this.#attempt = undefined;
    if (state === this.#state && why === this.#why) return;
    const news = state !== this.#state;
    this.#state = state;
    this.#why = why;
    if (!news) return;
    this.#since = this.#world.unix();
    this.#world.onState(this.status());
  }

  async #takeKeys(texts: readonly string[]): Promise<void> {
    if (texts.length === 0 && this.#keyTexts.length > 0) return; // what was learned is kept while EMS offers nothing else
    this.#fetchedKeys = await this.#readKeys(texts);
    this.#keyTexts = texts;
  }

  async #readKeys(texts: readonly string[]): Promise<readonly TokenKey[]> {
    const keys: TokenKey[] = [];
    for (const text of texts) {
      try {
        keys.push(...(await readTokenKeys(text)));
      } catch (error) {
        const why = error instanceof Error ? error.message : 'unknown';
        this.#world.note('warn', `a token key of EMS ${this.number} (${this.name}) is not used`, { why });
      }
    }
    return keys;
  }

  async #save(): Promise<void> {
    await this.#world.store.save({
      identity: this.#identity,
      asOf: this.#asOf,
      devices: this.#table.all(),
      tokenKeys: this.#keyTexts,
      pinned: this.#pinned,
    });
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#world.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => undefined;
  }
}
