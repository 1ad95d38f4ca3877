/**
 * Traffic: the data plane between the outer sockets and the network behind the gateway. What the engine says of children goes in,
 * what the data plane says of them goes back as commands. Without an inner network children are counted, their keys forgotten.
 */
import { espOpener, espSealer, randomOctets } from '../../crypto/index.ts';
import type { Config, Range } from '../config/index.ts';
import { DataPlane, HEADROOM, type PlaneView, type Selector, TAILROOM } from '../esp/index.ts';
import type { Command, Output, Watch } from '../ike/index.ts';
import type { AddressRange, Endpoint, EspKeys, InnerNetwork, InsideConfig } from '../net/index.ts';
import { ClientRoutes } from './clientRoutes.ts';

export type ChildOutput = Extract<Output, { do: 'install' | 'open' | 'quarantine' | 'remove' | 'move' }>;

/** Opens the network behind the gateway; packets of it come with HEADROOM octets before and TAILROOM behind them. */
export type OpenInner = (o: {
  readonly headroom: number;
  readonly tailroom: number;
  readonly onPacket: (octets: Uint8Array, at: number, length: number) => void;
}) => Promise<InnerNetwork>;

export type TrafficWorld = {
  /** Monotonic ms. */
  readonly now: () => number;
  /** octets[at…at+length) are ours again when it returns. */
  readonly forward: (from: Endpoint, to: Endpoint, octets: Uint8Array, at: number, length: number) => void;
  readonly command: (command: Command) => void;
  /** Octets that an IP packet from one address to another may have, where the kernel says so. */
  readonly pathMtu?: (local: string, remote: string) => number | undefined;
  /** For Wireshark, when a flag asks for it: each direction of a child. */
  readonly espKeys: (keys: EspKeys) => void;
  /** The networks that this machine is in by other devices than that one. */
  readonly networks: (device: string) => readonly AddressRange[];
  /** For the operator: a network that is not routed, and what helps. */
  readonly note: (why: string, fix: string) => void;
};

/** What the machine must know of a configuration: pools that a phase 2 wants routed, and policies. */
export function insideOf({ profiles, rules }: Pick<Config, 'profiles' | 'rules'>): InsideConfig {
  const tunnels = new Set(profiles.map(({ name }) => name));
  const routes = profiles.flatMap(({ modeCfg, phase2 }) =>
    phase2.some(({ addRoute }) => addRoute) ? [...(modeCfg?.ipv4?.ranges ?? []), ...(modeCfg?.ipv6?.ranges ?? [])] : [],
  );
  const nat = rules
    .filter(({ accept, srcintf }) => accept && srcintf.some((name) => name === 'any' || tunnels.has(name)))
    .map(({ nat: masquerade, from, to }) => ({ masquerade, from, to }));
  return { routes, nat };
}

/** How often what depends on time is looked at, ms. */
const TICK = 1000;
/** A rekey begins when so much of what may be carried has been. */
const SOFT = 0.9;
const NOWHERE: Endpoint = { address: '', port: 0 };

export class Traffic {
  readonly #world: TrafficWorld;
  readonly #plane: DataPlane;
  readonly #routes: ClientRoutes;
  readonly #count = { installed: 0, opened: 0, quarantined: 0, removed: 0 };
  #inner: InnerNetwork | undefined;
  /** What the machine knows of it. */
  #inside: InsideConfig;
  #timer: NodeJS.Timeout | undefined;

  /** @param clients addresses of clients, who are never the inside */
  constructor(config: Config, clients: readonly Range[], world: TrafficWorld) {
    this.#world = world;
    this.#plane = new DataPlane({
      sink: {
        inner: (octets, at, length) => void this.#inner?.send(octets, at, length),
        outer: (octets, at, length, path) => world.forward(path.local, path.remote, octets, at, length),
      },
      random: (octets) => octets.set(randomOctets(octets.length)),
      rules: config.rules,
      tunnels: config.profiles.map(({ name }) => name),
      clients,
      window: config.settings.replayWindow,
      pathMtu: ({ local, remote }) => world.pathMtu?.(local.address, remote.address),
    });
    this.#inside = insideOf(config);
    this.#routes = new ClientRoutes(this.#inside.routes, {
      put: (prefixes) => this.#inner?.routes(prefixes) ?? Promise.resolve([]),
      networks: () => world.networks(this.#inner?.name ?? ''),
      note: world.note,
    });
  }

  /** Packets are carried. */
  get on(): boolean {
    return this.#inner !== undefined;
  }
  /** Where they are carried to. */
  get inner(): string | undefined {
    return this.#inner?.name;
  }

  /** Begins to carry. Rejects with EnvironmentRefused when the machine does not allow it: then it carries nothing. */
  async open(inner: OpenInner): Promise<void> {
    this.#inner = await inner({
      ...{ headroom: HEADROOM, tailroom: TAILROOM },
      onPacket: (octets, at, length) => {
        this.#plane.outbound(octets, at, length, this.#world.now());
        this.#events();
      },
    });
    this.#timer = setInterval(() => this.#plane.tick(this.#world.now()), TICK);
    this.#timer.unref();
  }

  /** A datagram of the NAT-T port whose first octets are an SPI; it is opened where it lies. */
  esp(octets: Uint8Array, at: number, length: number, from: Endpoint, to: Endpoint): void {
    const path = this.#path;
    path.local = to;
    path.remote = from;
    this.#plane.inbound(octets, at, length, path, this.#world.now());
    this.#events();
  }
  /** Of the packet that just came: the data plane copies what it keeps. */
  readonly #path: { local: Endpoint; remote: Endpoint; natt: boolean } = { local: NOWHERE, remote: NOWHERE, natt: true };

  child(output: ChildOutput): void {
    if (output.do !== 'move') this.#count[COUNTED[output.do]] += 1;
    if (!this.on) return output.do === 'install' ? wipe(output.child.material) : undefined;
    switch (output.do) {
      case 'install':
        this.#install(output);
        return this.#routes.install(output.child.child.spiIn, output);
      case 'open':
        this.#plane.open(output.spi, output.by);
        return this.#routes.clear(output.spi);
      case 'quarantine':
        this.#plane.quarantine(output.spi, output.to);
        return this.#routes.clear(output.spi);
      case 'remove':
        if (output.replaced) this.#plane.retire(output.spi, this.#world.now());
        else this.#plane.remove(output.spi);
        return this.#routes.remove(output.spi);
      case 'move':
        this.#plane.move(output.spi, output.path);
        return this.#routes.move(output.spi, output.path.remote.address);
    }
  }

  /** Other pools and policies. Rejects with EnvironmentRefused when the machine does not take them: then the old ones stay. */
  async reload(config: Config, clients: readonly Range[]): Promise<void> {
    const inside = insideOf(config);
    await this.#become(inside);
    this.#plane.reload(
      config.rules,
      config.profiles.map(({ name }) => name),
      clients,
      config.settings.replayWindow,
    );
    this.#routes.reload(inside.routes, config.profiles);
  }

  /** Gives up what will be others' until the next reload. Rejects with EnvironmentRefused: then it has given up nothing. */
  async yield(others: readonly AddressRange[]): Promise<void> {
    const { without = [] } = this.#inside;
    await this.#become({ ...this.#inside, without: [...without, ...others] });
  }

  async #become(inside: InsideConfig): Promise<void> {
    await this.#inner?.become(inside);
    this.#inside = inside;
  }

  /** When a client was heard and sent to; undefined while nothing is carried. */
  get watch(): Watch | undefined {
    return this.on ? (spi) => this.#plane.seen(spi) : undefined;
  }

  view(): PlaneView {
    return this.#plane.snapshot();
  }

  counters(): Readonly<Record<string, number>> {
    const { total, flows } = this.#plane.snapshot();
    const { drops, ...carried } = total;
    const dropped = Object.entries(drops).flatMap(([reason, n]) => (n === 0 ? [] : [[`esp-${reason}`, n] as const]));
    return { ...this.#count, ...carried, flows, ...Object.fromEntries(dropped), ...this.#inner?.counters() };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const inner = this.#inner;
    this.#inner = undefined;
    await inner?.close();
  }

  #install({ child: { child, gateway, by, redundant, material, path }, owner }: Extract<ChildOutput, { do: 'install' }>): void {
    const { encr, keyLength, integ, esn } = child.suite;
    const transform = { encr, keyLength, integ, esn };
    const opener = espOpener(transform, material.encrIn, material.integIn);
    const sealer = espSealer(transform, material.encrOut, material.integOut);
    this.#export(child, material, path);
    wipe(material);
    // What was negotiated can be carried: config takes no other algorithms.
    if (opener === undefined || sealer === undefined) throw new RangeError(`no ESP for ${child.suite.text}`);
    const { keylifeKb, replay } = child.phase2;
    const hard = keylifeKb === undefined ? undefined : keylifeKb * 1024;
    this.#plane.install(
      {
        ...{ spiIn: child.spiIn, spiOut: child.spiOut, gateway, path, esn, replay, opener, sealer },
        ...{ profile: owner.profile, user: owner.user, groups: owner.groups, leases: owner.leases, keepalive: owner.keepalive },
        ...{ awaited: by === 'peer', redundant },
        TSi: ranges(child.TSi),
        TSr: ranges(child.TSr),
        ...(hard === undefined ? {} : { hard: { octets: hard }, soft: { octets: Math.floor(hard * SOFT) } }),
      },
      this.#world.now(),
    );
  }

  #export({ spiIn, spiOut, suite }: Child['child'], material: Child['material'], { local, remote }: Child['path']): void {
    const { encr, integ } = suite;
    const [here, there] = [local.address, remote.address];
    const { encrIn, integIn, encrOut, integOut } = material;
    this.#world.espKeys({ from: there, to: here, spi: spiIn, encr, integ, encrKey: encrIn, integKey: integIn });
    this.#world.espKeys({ from: here, to: there, spi: spiOut, encr, integ, encrKey: encrOut, integKey: integOut });
  }

  #events(): void {
    for (const event of this.#plane.take()) {
      const { kind, spi } = event;
      if (kind === 'moved') this.#world.command({ do: 'moved', spi, path: event.path });
      else this.#world.command({ do: kind === 'soft' ? 'rekey-child' : 'end-child', spi });
    }
  }
}

const COUNTED = { install: 'installed', open: 'opened', quarantine: 'quarantined', remove: 'removed' } as const;

type Child = Extract<ChildOutput, { do: 'install' }>['child'];

const ranges = (selectors: Child['child']['TSi']): readonly Selector[] =>
  selectors.flatMap((ts) => (ts.type === 'other' ? [] : [ts]));

function wipe(material: Child['material']): void {
  for (const octets of Object.values(material)) octets.fill(0);
}
