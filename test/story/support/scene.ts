/**
 * A story: one gateway and any clients on a virtual network, played in virtual time. When the play is over everything ends, and
 * the scene looks at what is left: a fault, a secret in the open, a violation that a client saw, an SA, child, address or timer
 * that did not come back fails the test, whatever it was about.
 */
import { expect } from 'vitest';
import { type KeyType, loadPrivateKey } from '../../../crypto/index.ts';
import { Secret } from '../../../crypto/secret.ts';
import type { Config } from '../../../src/config/index.ts';
import type { Lane, Watch } from '../../../src/ike/index.ts';
import { type ClientAuth, type GatewayAuth, identity, LabClient, type LabOptions } from '../../../src/lab/index.ts';
import { VirtualClock } from '../../support/clock.ts';
import { type ConfigText, configOf, GATEWAY, secrets } from '../../support/configs.ts';
import { Gateway, type Script } from '../../support/gateway.ts';
import { type Datagram, FAIR, party, VirtualNet, type Weather } from '../../support/net.ts';
import { family } from '../../support/pki.ts';
import { SeededRandom } from '../../support/random.ts';

export type SceneOptions = ConfigText & {
  /** Instead of the words above: a configuration as it is. */
  readonly config?: Config;
  readonly seed?: string;
  readonly weather?: Partial<Weather>;
  readonly script?: Script;
  readonly debug?: boolean;
  /** A data plane as liveness sees it. */
  readonly watch?: Watch;
  /** One of several engines of a gateway. */
  readonly lane?: Lane;
  /** As with a data plane, which carries ESP in UDP only. */
  readonly encapsulates?: boolean;
  /** Where the gateway listens. */
  readonly addresses?: readonly string[];
};

/** What becomes of a client that a test made: its options beside the defaults. */
export type Wish = Partial<LabOptions> & { readonly address?: string };

/** Plays a story; for `it`. */
export function story(o: SceneOptions, play: (scene: Scene) => Promise<void> | void): () => Promise<void> {
  return async () => {
    const scene = new Scene(o);
    await play(scene);
    await scene.end();
  };
}

const A_LONG_TIME = 10 * 60_000;

export class Scene {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly net: VirtualNet;
  readonly gateway: Gateway;
  readonly clients: LabClient[] = [];
  readonly #forgiven = new Set<LabClient>();
  #secrets: readonly string[] = Object.values(secrets);

  constructor({ config, seed = 'story', weather = {}, script, debug, addresses, ...o }: SceneOptions) {
    const { watch, lane, encapsulates, ...text } = o;
    this.random = new SeededRandom(seed);
    this.net = new VirtualNet({ clock: this.clock, random: this.random, weather });
    this.gateway = new Gateway({
      config: config ?? configOf(text),
      clock: this.clock,
      random: this.random,
      ...(script === undefined ? {} : { script }),
      ...(debug === undefined ? {} : { debug }),
      ...(addresses === undefined ? {} : { addresses }),
      ...(watch === undefined ? {} : { watch }),
      ...(lane === undefined ? {} : { lane }),
      ...(encapsulates === undefined ? {} : { encapsulates }),
    });
    this.net.attach(this.gateway);
  }

  get now(): number {
    return this.clock.now;
  }

  /** A client on the network that has not said anything yet. */
  client({ address = `198.51.100.${this.clients.length + 1}`, ...wish }: Wish = {}): LabClient {
    const client = new LabClient(this.options({ address, ...wish }));
    this.clients.push(client);
    this.net.attach(party(address, client));
    return client;
  }

  /** Options of a client that fits the first profile: `psk` unless `auth` says otherwise. */
  options({ address = '198.51.100.1', ...wish }: Wish = {}): LabOptions {
    const { entropy } = this.random.child(`client ${this.clients.length}`);
    return {
      local: { address, port: 500 },
      remote: { address: this.gateway.addresses[address.includes(':') ? 1 : 0] ?? GATEWAY, port: 500 },
      random: entropy.octets,
      keyPair: entropy.keyPair,
      auth: asPsk(),
      gateway: { kind: 'psk', psk: Secret.utf8(secrets.psk) },
      ...(address.includes(':') ? { requestAddresses: [6] } : {}),
      ...wish,
    };
  }

  /** A client that dials at once, and all that follows until it is established or has failed. */
  async connect(wish: Wish = {}): Promise<LabClient> {
    const client = this.client(wish);
    client.start(this.now);
    await this.run({ until: () => client.at === 'established' || client.at === 'failed' });
    return client;
  }

  /** The same, and it must have come through with a child. */
  async connected(wish: Wish = {}): Promise<LabClient> {
    const client = await this.connect(wish);
    expect(client.status.why).toBe('');
    expect(client.at).toBe('established');
    expect(client.installed).toBe(1);
    return client;
  }

  /** The same, and it must have failed; gives why. */
  async refused(wish: Wish = {}): Promise<string> {
    const client = await this.connect(wish);
    expect(client.at).toBe('failed');
    return client.status.why;
  }

  /** Lets time pass as `VirtualNet.run` does; questions are answered meanwhile, outside of time. */
  async run({ until = () => false, ms = A_LONG_TIME }: { until?: () => boolean; ms?: number } = {}): Promise<boolean> {
    const end = this.now + ms;
    for (;;) {
      const held = this.net.run({ until: () => this.gateway.curious || until(), ms: end - this.now });
      if (!this.gateway.curious) return held;
      await this.gateway.consult();
    }
  }

  /** Runs until nobody of the clients waits for an answer. */
  async settle(): Promise<void> {
    await this.run({ until: () => this.clients.every((c) => !c.status.busy || c.at === 'failed' || c.at === 'closed') });
    await this.run({ ms: 50 }); // what answers give rise to
  }

  /** What a client sees of this gateway is judged by the test itself. */
  forgive(client: LabClient): void {
    this.#forgiven.add(client);
  }

  /** Texts beside the usual ones that must not be shown. */
  keepSecret(...texts: readonly string[]): void {
    this.#secrets = [...this.#secrets, ...texts];
  }

  /** Everything ends, and nothing may be left. */
  async end(): Promise<void> {
    const { gateway, net } = this;
    for (const client of this.clients) if (!this.#forgiven.has(client)) expect(client.status.violations).toEqual([]);
    net.weather = FAIR;
    net.filter = () => true;
    gateway.command({ do: 'shutdown' });
    await this.run({ until: () => gateway.leftovers().length === 0 && gateway.deadline() === undefined });
    expect(gateway.complaints(this.#secrets)).toEqual([]);
    expect(gateway.leftovers()).toEqual([]);
  }
}

/** IKE messages of a run without their markers, by who sent them. */
export function messages(passages: readonly Datagram[], from?: string): readonly Uint8Array[] {
  return passages
    .filter((p) => from === undefined || p.from.address === from)
    .map(({ octets }) => (octets.length > 4 && octets.subarray(0, 4).every((o) => o === 0) ? octets.subarray(4) : octets))
    .filter((octets) => octets.length >= 28);
}

export const asPsk = (id = 'laptop.lab.test', psk: string = secrets.psk): ClientAuth => ({
  kind: 'psk',
  psk: Secret.utf8(psk),
  id: identity(id),
});
export const asUser = (
  user: keyof typeof secrets | string,
  { password = secrets[user as keyof typeof secrets] ?? '', id = '10.9.8.7', methods = ['mschapv2'] as const }: AsUser = {},
): ClientAuth => ({ kind: 'eap', user, password: Secret.utf8(password), methods, id: identity(id) });
type AsUser = {
  readonly password?: string;
  readonly id?: string;
  readonly methods?: Extract<ClientAuth, { kind: 'eap' }>['methods'];
};
/** A certificate of the lab's PKI: key, leaf and intermediate. */
export function asCertificate(id = 'client.lab.test', keys: KeyType = 'p256'): ClientAuth {
  const { client, intermediate } = family(keys);
  return { kind: 'certificate', chain: [client.cert, intermediate.cert], key: loadPrivateKey(client.key), id: identity(id) };
}
/** The gateway must show the lab's server certificate. */
export function byCertificate(keys: KeyType = 'p256'): GatewayAuth {
  const { server, root } = family(keys);
  return { kind: 'certificate', accepts: [server.cert], authorities: [root.cert] };
}
