/**
 * Everything about posture that is not the decision: a connector for each EMS, the verifier of tokens, the resolver; what they
 * hear goes to the engine as a reason to ask the gate again, what tunnels do goes to EMS.
 */
import type { Config } from '../config/index.ts';
import { type Connector, type EmsAdmin, Resolver, TokenVerifier } from '../ems/index.ts';
import type { Event, Journal } from '../log/index.ts';
import type { Evidence, PostureQuestion } from '../posture/index.ts';
import { after, emsConnector, identityOf, type Running } from './emsConnector.ts';

export type PostureOptions = {
  readonly config: Config;
  readonly state: string | undefined;
  readonly journal: Journal;
  readonly unix: () => number;
  /** The gate would see these devices otherwise now. */
  readonly onChanged: (uids: 'all' | readonly string[]) => void;
};

export type Posture = {
  readonly connectors: readonly Connector[];
  /** What an administrator may do with each EMS, by its key. */
  readonly admins: ReadonlyMap<string, EmsAdmin>;
  resolve(question: PostureQuestion): Promise<Evidence>;
  /** Listens to what happens to SAs: EMS is told of tunnels. */
  event(event: Event): void;
  /** Goes over to another configuration: what is the same runs on. Throws EnvironmentRefused, and then nothing has changed. */
  become(config: Config): Promise<void>;
  stop(): Promise<void>;
};

/** Starts the configured connectors. Throws EnvironmentRefused when our own certificate can neither be read nor made. */
export async function openPosture(o: PostureOptions): Promise<Posture> {
  const posture = new Postures(o);
  await posture.become(o.config);
  return posture;
}

class Postures implements Posture {
  readonly #o: PostureOptions;
  readonly #verifier = new TokenVerifier();
  /** Whom EMS was told of as up, by gateway: whoever heard the one word hears the other. */
  readonly #up = new Map<string, readonly Connector[]>();
  #running: readonly Running[] = [];
  #resolver: Resolver<ReturnType<Connector['tokenKeys']>[number]> | undefined;

  constructor(options: PostureOptions) {
    this.#o = options;
  }

  get connectors(): readonly Connector[] {
    return this.#running.map(({ connector }) => connector);
  }
  get admins(): ReadonlyMap<string, EmsAdmin> {
    return new Map(this.#running.map(({ connector, admin }) => [connector.key, admin]));
  }

  async resolve(question: PostureQuestion): Promise<Evidence> {
    if (this.#resolver === undefined) throw new RangeError('nobody can be asked before the start');
    return await this.#resolver.resolve(question);
  }

  event(event: Event): void {
    if ((event.kind !== 'established' && event.kind !== 'closed') || event.fctUid === undefined) return;
    const { gateway, fctUid: uid, assigned: address = '0.0.0.0' } = event;
    const all = this.connectors;
    // Who is silent now may know the device all the same: it hears of it when it is back.
    const concerned = all.filter((connector) => connector.look({ uid }).kind !== 'unknown');
    const told = event.kind === 'closed' ? (this.#up.get(gateway) ?? concerned) : concerned;
    if (event.kind === 'established') this.#up.set(gateway, told);
    else this.#up.delete(gateway);
    const kind = event.kind === 'established' ? 'up' : 'down';
    for (const connector of told) connector.tunnel({ kind, uid, gateway, address, vdom: 'root' });
  }

  async become(config: Config): Promise<void> {
    const before = this.#running;
    const running: Running[] = [];
    for (const one of config.fctems) {
      if (!one.enabled) continue;
      const identity = identityOf(one, config);
      running.push(before.find((r) => r.identity === identity) ?? (await emsConnector(one, config, this.#o)));
    }
    // Nothing can fail from here on. The old ones have written what they know before their successors read it; until those can
    // answer, it is the old ones' tables that do.
    const over = before.filter((r) => !running.includes(r));
    await Promise.all(over.map(({ connector }) => connector.stop()));
    const fresh = running.filter((r) => !before.includes(r));
    await Promise.all(
      fresh.map(({ connector, server }) => connector.start(over.find((r) => r.server === server)?.connector.kept())),
    );
    for (const [gateway, told] of this.#up)
      this.#up.set(
        gateway,
        told.flatMap(({ key }) => running.filter((r) => r.connector.key === key).map((r) => r.connector)),
      );
    this.#running = running;
    this.#resolver = new Resolver({
      sources: this.connectors,
      verifier: this.#verifier,
      lookupWait: config.posture.lookupWait,
      unix: this.#o.unix,
      after,
      onLate: (device) => this.#o.onChanged(device.by === 'uid' ? [device.uid] : []),
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.connectors.map((connector) => connector.stop()));
  }
}
