/**
 * One client from its first word to its last: connects, keeps its token fresh, answers the gateway, looks whether it is still
 * there, hangs up. Says what happens as events. For `postern client`, demonstrations and measurements, any number in a process.
 */
import {
  Dial,
  type DialOptions,
  type LabStatus,
  type Outcome,
  ping,
  realWorld,
  selectorText,
  type World,
} from '../../lab/index.ts';
import { Exchange, notifyType, notifyTypeName } from '../../wire/index.ts';
import type { PingPlan } from './plan.ts';
import { endOf, type TokenKeeper, type TokenNews } from './token.ts';

export type ClientEvent =
  | {
      readonly kind: 'connected';
      readonly gateway: string;
      readonly proof: string;
      readonly addresses: readonly string[];
      readonly children: number;
      readonly nat: boolean;
    }
  | { readonly kind: 'child'; readonly ours: string; readonly theirs: string; readonly open: number }
  | { readonly kind: 'no-child'; readonly notify: number | undefined }
  | { readonly kind: 'child-gone'; readonly open: number }
  | { readonly kind: 'rekeyed' }
  /** `ends`: its exp, in seconds since 1970. */
  | { readonly kind: 'token'; readonly because: 'connecting' | 'changed' | 'expiring'; readonly ends: number | undefined }
  | { readonly kind: 'token-answered'; readonly error: string }
  | { readonly kind: 'token-trouble'; readonly why: string }
  | { readonly kind: 'notify'; readonly number: number; readonly name: string }
  /** The gateway did against the RFC, and we lived with it. */
  | { readonly kind: 'violation'; readonly what: string }
  | { readonly kind: 'ping'; readonly address: string; readonly seq: number; readonly ms: number }
  /** `why`: there was nothing to ping with. */
  | { readonly kind: 'pinged'; readonly address: string; readonly sent: number; readonly received: number; readonly why: string }
  | ({ readonly kind: 'ended' } & ClientEnd);

export type ClientEnd = {
  /** By us as it was meant; refused before it was up; ended by the gateway later; no answer; we do not believe the gateway. */
  readonly how: 'hung-up' | 'refused' | 'ended' | 'silent' | 'distrusted';
  readonly established: boolean;
  readonly why: string;
  readonly notify: number | undefined;
  /** Pings that were answered; absent when none were asked for. */
  readonly replies?: number;
};

export type RunnerOptions = {
  /** `ztna.number` is that of all tokens; without it `tokens` are not sent. */
  readonly dial: Omit<DialOptions, 'world'>;
  readonly on: (event: ClientEvent) => void;
  readonly tokens?: Pick<TokenKeeper, 'subscribe'>;
  /** Pings an address through the tunnel once it is up. */
  readonly ping?: PingPlan;
  /** Hangs up so many ms after it is up; never when not given. */
  readonly stay?: number;
  /** Asks whether the gateway is there when it has said nothing for so many ms (20 s). */
  readonly liveness?: number;
  readonly world?: World;
};

export class ClientRunner {
  readonly dial: Dial;
  /** When it is all over; the ports close a moment later. Never rejects. */
  readonly ended: Promise<ClientEnd>;
  readonly #o: RunnerOptions;
  readonly #over: (end: ClientEnd) => void;
  readonly #cancels: (() => void)[] = [];
  readonly #liveness: number;
  #cancelLiveness: () => void = () => undefined;
  #at: LabStatus['at'] = 'idle';
  #established = false;
  #hangingUp = false;
  #finished = false;
  #children: ReadonlySet<number> = new Set();
  #spi = '';
  #counts = { notifies: 0, violations: 0, received: 0 };
  #outcome: Outcome | undefined;
  #replies = 0;

  /** Says the first word. Rejects with the system's error; RangeError for options that make no client. */
  static async start(o: RunnerOptions): Promise<ClientRunner> {
    const { world = realWorld } = o;
    return new ClientRunner(o, await Dial.start({ ...o.dial, world }));
  }

  private constructor(o: RunnerOptions, dial: Dial) {
    this.#o = o;
    this.dial = dial;
    this.#liveness = o.liveness ?? 20_000;
    const { promise, resolve } = Promise.withResolvers<ClientEnd>();
    [this.ended, this.#over] = [promise, resolve];
    if (o.tokens !== undefined) this.#cancels.push(o.tokens.subscribe((news) => this.#token(news)));
    dial.watch(() => this.#look());
    this.#look();
  }

  /** Deletes the IKE SA and waits for the answer, not for long. Before it is up it gives up. */
  async hangUp(): Promise<void> {
    if (this.#finished) return;
    this.#hangingUp = true;
    await this.dial.hangUp();
    this.#finish(this.#hungUp());
  }

  #hungUp(): ClientEnd {
    return { how: 'hung-up', established: this.#established, why: '', notify: undefined };
  }

  /** Something may have happened: tells what has. */
  #look(): void {
    if (this.#finished) return;
    const { status } = this.dial;
    if (status.at !== this.#at) this.#moved(status);
    if (status.at === 'established') {
      this.#lookAtSas(status);
      this.#watchOver(status);
    }
    this.#lookAtWords(status);
    if (status.at === 'failed' || status.at === 'closed') this.#ending(status);
  }

  #moved(status: LabStatus): void {
    this.#at = status.at;
    if (status.at !== 'established') return;
    this.#established = true;
    this.#spi = status.SPIi;
    const { path, gatewayProof = '', assigned, nat } = status;
    this.#o.on({
      ...{ kind: 'connected', gateway: `${path.remote.address}:${path.remote.port}`, proof: gatewayProof, addresses: assigned },
      ...{ children: status.children.length, nat: nat !== undefined && (nat.local || nat.remote) },
    });
    if (status.children.length === 0) this.#o.on({ kind: 'no-child', notify: lastError(status) });
    const { ztna } = this.#o.dial;
    if (ztna !== undefined && typeof ztna.token === 'string')
      this.#o.on({ kind: 'token', because: 'connecting', ends: endOf(ztna.token) });
    const { stay } = this.#o;
    void this.#ping();
    if (stay !== undefined) this.#cancels.push(this.dial.world.after(stay, () => void this.hangUp()));
  }

  /** One after the other, as long as the tunnel stands. */
  async #ping(): Promise<void> {
    const { on, ping: plan } = this.#o;
    if (plan === undefined) return;
    const { address, count } = plan;
    let [sent, why] = [0, ''];
    try {
      const onReply = ({ seq, ms }: { readonly seq: number; readonly ms: number }) => {
        this.#replies += 1;
        on({ kind: 'ping', address, seq, ms });
      };
      ({ sent } = await ping(this.dial, address, { count, onReply, until: () => this.#finished || this.#hangingUp }));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      why = error.message;
    }
    if (this.#finished) return;
    on({ kind: 'pinged', address, sent, received: this.#replies, why });
    if (plan.leaves) await this.hangUp();
  }

  #lookAtSas(status: LabStatus): void {
    if (status.SPIi !== this.#spi) this.#o.on({ kind: 'rekeyed' });
    this.#spi = status.SPIi;
    const children = status.children.filter((c) => c.state === 'installed');
    const open = children.length;
    for (const { spiIn, TSi, TSr } of children)
      if (!this.#children.has(spiIn))
        this.#o.on({ kind: 'child', ours: TSi.map(selectorText).join(' '), theirs: TSr.map(selectorText).join(' '), open });
    if (open < this.#children.size) this.#o.on({ kind: 'child-gone', open });
    this.#children = new Set(children.map((c) => c.spiIn));
  }

  #lookAtWords(status: LabStatus): void {
    const { counters, notifies, violations, outcomes, ending } = status;
    const fresh = counters.notifies - this.#counts.notifies;
    const last = ending?.by === 'gateway' ? ending.notify : undefined; // that one is told as the end
    for (const { notify, exchange } of fresh === 0 ? [] : notifies.slice(-fresh)) {
      const number = notifyType(notify);
      if (exchange !== Exchange.IKE_SA_INIT && number !== last && worthTelling(number))
        this.#o.on({ kind: 'notify', number, name: notifyTypeName(number) });
    }
    for (const what of violations.slice(this.#counts.violations)) this.#o.on({ kind: 'violation', what });
    this.#counts = { ...this.#counts, notifies: counters.notifies, violations: violations.length };
    const seen = this.#outcome === undefined ? -1 : outcomes.lastIndexOf(this.#outcome);
    for (const { verb, why } of outcomes.slice(seen + 1))
      if (verb === 'token' && !this.#hangingUp) this.#o.on({ kind: 'token-answered', error: why });
    this.#outcome = outcomes.at(-1) ?? this.#outcome;
  }

  /** The gateway is asked for a sign of life when it gave none for a while. */
  #watchOver({ counters }: LabStatus): void {
    if (counters.received === this.#counts.received) return;
    this.#counts = { ...this.#counts, received: counters.received };
    this.#cancelLiveness();
    this.#cancelLiveness = this.dial.world.after(this.#liveness, () => {
      if (this.#finished || this.dial.client.at !== 'established' || this.dial.status.busy) return;
      this.dial.client.liveness(this.dial.world.now());
      this.dial.pump();
    });
  }

  #token(news: TokenNews): void {
    if (this.#finished || this.dial.client.at !== 'established') return;
    const { ztna } = this.#o.dial;
    if (news.kind === 'trouble') return this.#o.on({ kind: 'token-trouble', why: news.why });
    if (ztna === undefined) return;
    this.#o.on({ kind: 'token', because: news.because, ends: endOf(news.token) });
    this.dial.client.sendToken(this.dial.world.now(), news.token, ztna.number);
    this.dial.pump();
  }

  #ending({ ending, why }: LabStatus): void {
    if (this.#hangingUp) return this.#finish(this.#hungUp());
    const established = this.#established;
    switch (ending?.by) {
      case 'gateway':
        return this.#finish({ how: established ? 'ended' : 'refused', established, why, notify: ending.notify });
      case 'silence':
        return this.#finish({ how: 'silent', established, why, notify: undefined });
      case 'us':
      case 'distrust':
      case undefined:
        return this.#finish({ how: 'distrusted', established, why, notify: undefined });
    }
  }

  #finish(end: ClientEnd): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cancelLiveness();
    for (const cancel of this.#cancels) cancel();
    const whole = this.#o.ping === undefined ? end : { ...end, replies: this.#replies };
    this.#o.on({ kind: 'ended', ...whole });
    // What the client still has to say goes out first: that it does not believe the gateway.
    this.dial.world.after(FAREWELL, () => this.dial.close());
    this.#over(whole);
  }
}

/** ms for a last word, and for answering what the gateway says again because our answer was lost. */
const FAREWELL = 200;

/** Errors, and what only private parties understand; the rest is the mechanics of every negotiation. */
const worthTelling = (number: number): boolean => number < 16_384 || (number >= 40_960 && !KNOWN.includes(number));
/** VPN_NETWORK_ID, INTERFACE_ADDR4, FORTICLIENT_CONNECT, EXCHANGE_INTF_IP. */
const KNOWN: readonly number[] = [61_520, 61_689, 61_696, 61_697];

function lastError({ notifies }: LabStatus): number | undefined {
  const inAuth = notifies.filter(({ exchange }) => exchange === Exchange.IKE_AUTH);
  return inAuth.map(({ notify }) => notifyType(notify)).findLast((number) => number < 16_384);
}
