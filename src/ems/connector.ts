/**
 * One EMS: reached, recognised, its table of devices kept in step, its changes passed on. It never judges; it says what EMS said,
 * and how old that is.
 *
 *   down ── identify, token keys, whole table ──► up ── WebSocket or polling ──► down, and again after a pause
 *
 * It is up as long as calls are answered. A WebSocket that ends makes it poll until there is one again.
 */
import type { EmsReport, UnixTime } from '../posture/index.ts';
import type { ConnectorOptions, ConnectorStatus, ConnectorWorld } from './connectorTypes.ts';
import { EmsCallFailed, type EmsIdentity, type EndpointRecord, type TunnelEvent, type WatchEvent } from './driver.ts';
import { Endpoints, reportOf } from './endpoints.ts';
import { failureOf, type ServerCertificate } from './http.ts';
import { mismatch, sameEms } from './identity.ts';
import { Keyring } from './keyring.ts';
import type { DeviceQuery } from './resolver.ts';
import { Saver } from './saver.ts';
import { type EmsState, stateOf } from './states.ts';
import type { Kept } from './store.ts';
import type { TokenKey } from './token.ts';
import { Tunnels } from './tunnels.ts';
import { PAUSE_FIRST, PAUSE_MOST, spread, Watch } from './watch.ts';

/** ms between two attempts that questions provoke: thousands of clients must not become thousands of calls. */
const PROVOKED = 1000;
/** How long the end of the gateway waits for EMS to hear of the tunnels that ended with it, ms. */
const LAST_WORDS = 1000;

export class Connector {
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly #o: ConnectorOptions;
  readonly #world: ConnectorWorld;
  readonly #table: Endpoints;
  readonly #tunnels: Tunnels;
  readonly #keys: Keyring;
  readonly #saver: Saver;
  readonly #watch: Watch;
  readonly #count = { calls: 0, pulls: 0, failures: 0, changes: 0 };
  #identity: EmsIdentity | undefined;
  #state: EmsState = 'Not sent';
  #why = 'it has not been asked yet';
  #since: UnixTime;
  #asOf: UnixTime = 0;
  #seq: number | undefined;
  #pinned: string | undefined;
  #pause = PAUSE_FIRST;
  #running: Promise<void> | undefined;
  #attempted = Number.NEGATIVE_INFINITY;
  /** Between the first word of an attempt and the state that it ends as. */
  #connecting = false;
  /** Somebody wishes another attempt right after this one. */
  #again = false;
  #attempt: PromiseWithResolvers<void> | undefined;
  #asking: Promise<void> | undefined;
  #pulling: Promise<void> | undefined;
  #pullAgain = false;
  /** EMS has said that something changed, and that has not been fetched yet. */
  #behind = false;
  #wake: () => void = () => undefined;
  /** Ends the connection: by why it failed, or to begin anew. */
  #end: (why: EmsCallFailed | undefined) => void = () => undefined;
  #stopped = false;

  constructor(options: ConnectorOptions, world: ConnectorWorld) {
    this.number = options.number;
    this.key = options.key;
    this.name = options.name;
    this.#o = options;
    this.#world = world;
    this.#table = new Endpoints(options.number);
    this.#since = world.unix();
    this.#keys = new Keyring(`EMS ${options.number} (${options.name})`, world.note);
    this.#saver = new Saver(world.after, () => this.#save());
    this.#watch = new Watch({
      ...{ driver: world.driver, after: world.after, chance: world.chance },
      since: () => this.#seq ?? 0,
      on: (what) => this.#heard(what),
    });
    this.#tunnels = new Tunnels({
      send: (event) => world.driver.tunnel(event),
      connected: () => this.#state === 'Connected' && !this.#stopped,
      after: world.after,
    });
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

  /**
   * Reads what an earlier life kept and the configured keys, then begins. Never rejects.
   *
   * @param handed what an earlier connector to the same server knew when it stopped, in the place of what is on disk
   */
  async start(handed?: Kept): Promise<void> {
    const kept = handed ?? (await this.#world.store.load());
    this.#pinned = kept.pinned;
    await this.#keys.configure(this.#o.tokenKeys);
    if (kept.identity === undefined || mismatch(this.#o, kept.identity) === undefined) await this.#remember(kept);
    else this.#world.note('warn', 'what is kept is of another EMS than the configured one, and is not used');
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    await this.#tunnels.told(LAST_WORDS); // the tunnels that ended with us
    this.#stopped = true;
    this.#tunnels.stop();
    this.#end(undefined);
    this.#wake();
    this.#world.closeConnections();
    await this.#running;
    this.#attempt?.resolve();
    await this.#saver.stop();
  }

  status(): ConnectorStatus {
    return {
      ...{ number: this.number, key: this.key, name: this.name, server: this.#o.server },
      ...{ state: this.#state, why: this.#why, since: this.#since, asOf: this.#asOf },
      identity: this.#identity,
      devices: this.#table.size,
      tokenKeys: this.#keys.all().length,
      websocket: this.#watch.open,
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
    return this.#keys.all();
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

  /**
   * As `look`; a table that is not fresh is brought up to date first, by one call for all who ask. Never rejects, and waits for
   * `call-timeout` at most.
   */
  async ask(who: DeviceQuery): Promise<EmsReport> {
    if (!this.#fresh && !this.#stopped) {
      this.#asking ??= this.#bounded(this.#provoked()).finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
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
    if (this.#pinned === sha256) return this.retry();
    this.#pinned = sha256;
    await this.#saver.flush();
    this.#restart();
  }

  /** Gives up what a person has accepted; false when there was nothing. */
  async untrust(): Promise<boolean> {
    if (this.#pinned === undefined) return false;
    this.#pinned = undefined;
    await this.#saver.flush();
    this.#restart();
    return true;
  }

  /** Tries again now, whatever pause there is; where it is connected, asks for what changed. */
  retry(): void {
    this.#pause = PAUSE_FIRST;
    this.#again = this.#connecting; // what it is wished for may have come too late for the attempt that is under way
    this.#wake();
  }

  /** Every connection is judged again by what is trusted now. */
  #restart(): void {
    this.#world.closeConnections();
    this.#end(undefined);
    this.retry();
  }

  /** While its last word stands it is tried often enough to renew that, and the more often the less is left of it. */
  get #pauseMost(): number {
    if (!this.#fresh) return PAUSE_MOST;
    const { outOfSync } = this.#o;
    const left = this.#asOf + outOfSync - this.#world.unix();
    return Math.min(PAUSE_MOST, Math.max(PAUSE_FIRST, Math.min(outOfSync / 4, left / 3) * 1000));
  }

  get #fresh(): boolean {
    return this.#seen && this.#asOf + this.#o.outOfSync > this.#world.unix();
  }

  /** Something was ever said: an empty table of an EMS that never answered says nothing. */
  get #seen(): boolean {
    return this.#asOf > 0;
  }

  async #remember({ identity, asOf, devices, tokenKeys }: Kept): Promise<void> {
    this.#identity = identity;
    this.#asOf = Math.min(asOf, this.#world.unix());
    this.#table.apply({ seq: 0, complete: true, devices, removed: [] });
    await this.#keys.take(tokenKeys);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#session();
        continue; // ended to begin anew
      } catch (error) {
        this.#failed(failureOf(error));
      }
      if (this.#stopped) return;
      const pause = this.#again ? 0 : spread(Math.min(this.#pause, this.#pauseMost), this.#world.chance());
      if (!this.#again) this.#pause = Math.min(2 * this.#pause, PAUSE_MOST);
      this.#again = false;
      await this.#sleep(pause);
    }
  }

  #failed({ kind, message }: EmsCallFailed): void {
    this.#count.failures += 1;
    this.#to(stateOf(kind), message);
  }

  /** From the first word to the end of the connection; throws why it ended, returns when it is to begin anew. */
  async #session(): Promise<void> {
    const { driver, instant } = this.#world;
    this.#attempted = instant();
    this.#connecting = true;
    this.#count.calls += 1;
    const identity = await driver.identify();
    const wrong = mismatch(this.#o, identity);
    if (wrong !== undefined) throw new EmsCallFailed('server', wrong);
    this.#meet(identity);
    await this.#keys.take(await driver.tokenKeys());
    this.#seq = undefined;
    await this.#pull();
    if (this.#stopped) return;
    this.#to('Connected', '');
    this.#saver.note(true);
    this.#tunnels.flush();
    const began = instant();
    try {
      await this.#follow(this.#o.websocket && driver.watch !== undefined && identity.capabilities.includes('websocket'));
    } finally {
      this.#watch.end();
      // One that comes and goes is given the pauses of one that is away.
      if (instant() - began >= PAUSE_MOST) this.#pause = PAUSE_FIRST;
    }
  }

  #meet(identity: EmsIdentity): void {
    const before = this.#identity;
    this.#identity = identity;
    if (before === undefined || sameEms(before, identity)) return;
    this.#keys.forget();
    this.#asOf = 0; // what the one before said is nobody's word
    this.#world.note('warn', 'it is another EMS than before', { before: before.serial, now: identity.serial });
  }

  /** As long as it is connected: hears of changes, or asks for them often enough for the table to stay fresh. */
  async #follow(listens: boolean): Promise<void> {
    const third = Math.max(1000, (this.#o.outOfSync * 1000) / 3);
    const over = Promise.withResolvers<'over'>();
    over.promise.catch(() => undefined); // it may come while a pull is waited for
    this.#end = (why) => {
      if (why === undefined) return over.resolve('over');
      this.#failed(why);
      over.reject(why);
    };
    if (listens) this.#watch.begin();
    try {
      for (;;) {
        const heard = await Promise.race([over.promise, this.#sleep(third)]);
        if (heard === 'over' || this.#stopped) return;
        const age = this.#world.unix() - this.#asOf;
        if (heard === 'woken' || !this.#watch.open || age * 1000 >= third) await Promise.race([over.promise, this.#pull()]);
      }
    } finally {
      this.#end = () => undefined;
      this.#wake();
    }
  }

  /** What comes by the WebSocket. When it ends, EMS is asked whether it is there, and is itself. */
  #heard(what: WatchEvent): void {
    switch (what) {
      case 'changed':
        this.#behind = true;
        return this.#orEnd(this.#pull());
      case 'keys':
        this.#orEnd(this.#world.driver.tokenKeys().then((keys) => this.#keys.take(keys)));
        return this.#saver.note(true);
      case 'alive':
        if (!this.#behind) this.#inStep(this.#world.unix(), false);
        return;
      case 'closed':
        return this.#orEnd(this.#recognise().then(() => this.#pull()));
    }
  }

  /** Is it still the EMS that the table is of? */
  async #recognise(): Promise<void> {
    const identity = await this.#world.driver.identify();
    if (this.#identity !== undefined && !sameEms(this.#identity, identity))
      throw new EmsCallFailed('server', `it is ${identity.serial} now, and was ${this.#identity.serial}`);
  }

  /** What a failure of this call means for the connection. */
  #orEnd(call: Promise<void>): void {
    const end = this.#end;
    call.catch((error: unknown) => end(failureOf(error)));
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
    this.#inStep(began, sync.devices.length + sync.removed.length > 0);
    this.#count.changes += changed.length;
    if (changed.length > 0) onChange(changed);
  }

  #inStep(at: UnixTime, news: boolean): void {
    this.#asOf = Math.max(this.#asOf, at);
    this.#saver.note(news);
  }

  /** A question found the table out of date: pulls, or tries to connect. */
  async #provoked(): Promise<void> {
    if (this.#state === 'Connected') {
      const end = this.#end;
      return await this.#pull().catch((error: unknown) => end(failureOf(error)));
    }
    if (!this.#connecting) {
      const now = this.#world.instant();
      if (now - this.#attempted < PROVOKED) return;
      this.#attempted = now;
      this.#wake();
    }
    this.#attempt ??= Promise.withResolvers<void>();
    await this.#attempt.promise; // it ends as a state
  }

  async #bounded(work: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#world.after(this.#o.callTimeout * 1000, late.resolve);
    await Promise.race([work, late.promise]);
    cancel();
  }

  #to(state: EmsState, why: string): void {
    this.#connecting = false;
    this.#attempt?.resolve();
    this.#attempt = undefined;
    if (state === this.#state && why === this.#why) return;
    const news = state !== this.#state;
    this.#state = state;
    this.#why = why;
    if (!news) return;
    this.#since = this.#world.unix();
    this.#world.onState(this.status());
  }

  /** What it knows, for a next life. */
  kept(): Kept {
    return {
      identity: this.#identity,
      asOf: this.#asOf,
      devices: this.#table.all(),
      tokenKeys: this.#keys.texts,
      pinned: this.#pinned,
    };
  }

  async #save(): Promise<void> {
    await this.#world.store.save(this.kept());
  }

  async #sleep(ms: number): Promise<'woken' | 'slept'> {
    const end = Promise.withResolvers<'woken' | 'slept'>();
    const cancel = this.#world.after(ms, () => end.resolve('slept'));
    this.#wake = () => {
      cancel();
      end.resolve('woken');
    };
    const how = await end.promise;
    this.#wake = () => undefined;
    return how;
  }
}
