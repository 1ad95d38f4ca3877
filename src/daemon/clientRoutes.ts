/**
 * `add-route` for clients without a lease: the networks that they bring (TSi) are routed to the device, each while a child that
 * has passed the gate holds it. Clients with a lease need none: the pools are routed as a whole, and from elsewhere they may
 * not send. What would lead traffic of this machine itself into a tunnel is never routed.
 */
import { overlap, type Phase2, type Range, rangeOf } from '../config/index.ts';
import { type AddressRange, EnvironmentRefused, prefixesOf, type RouteRefused } from '../net/index.ts';
import { addressOctets, addressText, compareOctets, type TrafficSelector } from '../wire/index.ts';

export type RoutesWorld = {
  /** Exactly these prefixes beside the pools; gives those that could not be had. */
  readonly put: (prefixes: readonly string[]) => Promise<readonly RouteRefused[]>;
  /** The networks that this machine's own interfaces are in. */
  readonly networks: () => readonly AddressRange[];
  /** For the operator: what is not routed and why, and what helps. */
  readonly note: (why: string, fix: string) => void;
};

/** A child as it is installed: whose it is, and what it brings. */
type Install = {
  readonly child: {
    readonly child: { readonly TSi: readonly TrafficSelector[]; readonly phase2: Routed };
    readonly gateway: string;
    readonly path: { readonly remote: { readonly address: string } };
  };
  readonly owner: { readonly profile: string; readonly leases: readonly Uint8Array[] };
};
type Routed = Pick<Phase2, 'name' | 'addRoute'>;
type Profiles = readonly { readonly name: string; readonly phase2: readonly Routed[] }[];
type Child = {
  readonly client: Client;
  readonly profile: string;
  readonly phase2: string;
  /** Nothing of a client with a lease. */
  readonly ranges: readonly Range[];
  wanted: boolean;
  /** It has passed the gate. */
  cleared: boolean;
  holds: readonly string[];
};
type Client = {
  readonly name: string;
  readonly children: Set<Child>;
  /** Where it is answered. */
  outer: Outer | undefined;
  /** Once is enough: a rekey every hour would say it again. */
  told: boolean;
};
type Route = { readonly span: Span; holders: number; refused: boolean };
/** With their first 32 bits as a number: one is compared with all of the others, and most differ there. */
type Outer = { readonly octets: Uint8Array; readonly top: number };
type Span = Range & { readonly from: number; readonly to: number };

/** Prefixes of all clients, and of one, at most. */
const MOST = 4096;
const MOST_OF_ONE = 64;
/** Leading bits: with fewer a prefix is a default route by another name. */
const NARROW = 8;
const net = (first: readonly number[], length: number, octets: number): Range =>
  rangeOf({ address: Uint8Array.from({ length: octets }, (_, i) => first[i] ?? 0), length });
/** Where no client is: RFC 1122 §3.2.1.3, RFC 3927, RFC 5771 and what is beyond, RFC 4291 §2.4. */
const NOWHERE: readonly Range[] = [
  ...[net([0], 8, 4), net([127], 8, 4), net([169, 254], 16, 4), net([224], 3, 4)],
  ...[net([0], 8, 16), net([0xfe, 0x80], 10, 16), net([0xff], 8, 16)],
];

export class ClientRoutes {
  readonly #world: RoutesWorld;
  readonly #children = new Map<number, Child>();
  readonly #clients = new Map<string, Client>();
  readonly #routes = new Map<string, Route>();
  #pools: readonly AddressRange[];
  /** What is to be had has changed; somebody is at it. */
  #due = false;
  #busy = false;
  /** Why nothing could be changed the last time: said once. */
  #failed: string | undefined;

  constructor(pools: readonly AddressRange[], world: RoutesWorld) {
    this.#pools = pools;
    this.#world = world;
  }

  install(spi: number, { child: { child, gateway, path }, owner }: Install): void {
    this.remove(spi); // of the same SPI: it is replaced
    const client = this.#clients.get(gateway) ?? { name: gateway, children: new Set(), outer: undefined, told: false };
    const ranges = owner.leases.length > 0 ? [] : child.TSi.flatMap((ts) => (ts.type === 'other' ? [] : [ts]));
    const { name, addRoute } = child.phase2;
    const rest = { profile: owner.profile, phase2: name, wanted: addRoute, cleared: false, holds: [] };
    const one: Child = { client, ranges, ...rest };
    client.children.add(one);
    this.#clients.set(gateway, client);
    this.#children.set(spi, one);
    this.#answeredAt(client, path.remote.address);
  }

  /** It has passed the gate, even if only to quarantine. Before that it attracts nothing. */
  clear(spi: number): void {
    const child = this.#children.get(spi);
    if (child === undefined || child.cleared) return;
    child.cleared = true;
    this.#hold(child);
  }

  remove(spi: number): void {
    const child = this.#children.get(spi);
    if (child === undefined) return;
    this.#children.delete(spi);
    child.client.children.delete(child);
    if (child.client.children.size === 0) this.#clients.delete(child.client.name);
    for (const prefix of child.holds) {
      const route = this.#routes.get(prefix);
      if (route === undefined) continue;
      route.holders -= 1;
      if (route.holders === 0) this.#routes.delete(prefix);
    }
    if (child.holds.length > 0) this.#change();
  }

  /** The client of this child is answered there from now on. */
  move(spi: number, address: string): void {
    const client = this.#children.get(spi)?.client;
    if (client !== undefined) this.#answeredAt(client, address);
  }

  /** Under another configuration everything is judged again; what stays has no gap. */
  reload(pools: readonly AddressRange[], profiles: Profiles): void {
    this.#pools = pools;
    this.#routes.clear();
    for (const client of this.#clients.values()) client.told = false;
    for (const child of this.#children.values()) child.holds = [];
    const networks = this.#world.networks();
    for (const child of this.#children.values()) {
      const { phase2 = [] } = profiles.find(({ name }) => name === child.profile) ?? {};
      child.wanted = phase2.some(({ name, addRoute }) => name === child.phase2 && addRoute);
      this.#hold(child, networks);
    }
    this.#change();
  }

  #hold(child: Child, known?: readonly AddressRange[]): void {
    if (!child.wanted || !child.cleared || child.ranges.length === 0) return; // all that have a lease
    const networks = known ?? this.#world.networks();
    const own = new Set([...child.client.children].flatMap(({ holds }) => holds));
    const holds = new Set<string>();
    for (const range of child.ranges) {
      if (this.#pools.some((pool) => within(range, pool))) continue;
      const why = this.#unfit(range, networks);
      if (why !== undefined) {
        this.#tell(child, `${textOf(range)}: ${why}`);
        continue;
      }
      const prefixes = prefixesOf(range);
      for (const prefix of prefixes) own.add(prefix);
      const fresh = prefixes.filter((prefix) => !this.#routes.has(prefix));
      if (own.size > MOST_OF_ONE || this.#routes.size + fresh.length > MOST) {
        const bound = own.size > MOST_OF_ONE ? `${MOST_OF_ONE} prefixes of one client` : `${MOST} prefixes of all clients`;
        this.#tell(child, `${textOf(range)} and what comes after it: more than ${bound}`);
        break;
      }
      for (const prefix of prefixes) {
        if (holds.has(prefix)) continue;
        holds.add(prefix);
        const route = this.#routes.get(prefix) ?? { span: spanOf(rangeOfText(prefix)), holders: 0, refused: false };
        route.holders += 1;
        this.#routes.set(prefix, route);
      }
    }
    child.holds = [...holds];
    if (holds.size > 0) this.#change();
  }

  #unfit(range: Range, networks: readonly AddressRange[]): string | undefined {
    const span = spanOf(range);
    if (span.to - span.from >= 2 ** (32 - NARROW)) return 'a range so wide is a default route';
    if (NOWHERE.some((one) => overlap(one, range))) return 'addresses that no client has';
    const network = networks.find((one) => overlap(one, range));
    if (network !== undefined) return `this machine is itself in ${textOf(network)}`;
    for (const { name, outer } of this.#clients.values())
      if (outer !== undefined && reaches(span, outer)) return `${name} is reached at ${addressText(outer.octets)}`;
    return undefined;
  }

  /** ESP to an address that is routed into a tunnel would go in a circle. */
  #answeredAt(client: Client, address: string): void {
    const octets = addressOctets(address);
    if (octets === undefined || (client.outer !== undefined && compareOctets(client.outer.octets, octets) === 0)) return;
    const outer = { octets, top: topOf(octets) };
    client.outer = outer;
    for (const [prefix, route] of this.#routes) {
      if (route.refused || !reaches(route.span, outer)) continue;
      route.refused = true;
      this.#change();
      this.#world.note(
        `${prefix} of a client is no longer routed: ${client.name} is reached at ${address}.`,
        'Name the networks of clients by dst-subnet of their phase2-interface, none with outer addresses in it.',
      );
    }
  }

  #tell({ client, phase2 }: Child, why: string): void {
    if (client.told) return;
    client.told = true;
    this.#world.note(
      `add-route of phase2-interface "${phase2}": a network of ${client.name} is not routed, ${why}.`,
      `Name the networks of its clients by dst-subnet of "${phase2}", or set add-route disable there.`,
    );
  }

  #change(): void {
    this.#due = true;
    if (this.#busy) return;
    this.#busy = true;
    queueMicrotask(() => void this.#work()); // not before all is said that comes together
  }

  /** One after the other: what changes meanwhile is taken together. Never rejects. */
  async #work(): Promise<void> {
    while (this.#due) {
      this.#due = false;
      const wanted = [...this.#routes].flatMap(([prefix, { refused }]) => (refused ? [] : [prefix]));
      try {
        const refused = await this.#world.put(wanted);
        for (const { prefix } of refused) this.#refuse(prefix);
        this.#failed = undefined;
        const [one] = refused;
        const more = refused.length - 1;
        const others = more === 0 ? '' : ` So ${more === 1 ? 'is' : 'are'} ${more} more.`;
        if (one !== undefined) this.#world.note(`add-route: a network of a client is not routed: ${one.why}${others}`, one.fix);
      } catch (error) {
        const [why, fix] = error instanceof EnvironmentRefused ? [error.message, error.fix] : [String(error), 'See `ip route`.'];
        if (why !== this.#failed) this.#world.note(`add-route: networks of clients are not routed: ${why}`, fix);
        this.#failed = why;
      }
    }
    this.#busy = false;
  }

  /** Not tried again for as long as it is held: the next configuration, or the next to bring it, may have more luck. */
  #refuse(prefix: string): void {
    const route = this.#routes.get(prefix);
    if (route !== undefined) route.refused = true;
  }
}

const alone = (address: Uint8Array): Range => ({ start: address, end: address });
const contains = (range: Range, address: Uint8Array): boolean => overlap(range, alone(address));
const within = (inner: Range, outer: Range): boolean => contains(outer, inner.start) && contains(outer, inner.end);

const topOf = (octets: Uint8Array): number => new DataView(octets.buffer, octets.byteOffset).getUint32(0);
const spanOf = ({ start, end }: Range): Span => ({ start, end, from: topOf(start), to: topOf(end) });
const reaches = (span: Span, { octets, top }: Outer): boolean => span.from <= top && top <= span.to && contains(span, octets);

function rangeOfText(text: string): Range {
  const [address = '', length] = text.split('/');
  return rangeOf({ address: addressOctets(address) ?? new Uint8Array(), length: Number(length) });
}

const textOf = ({ start, end }: Range): string =>
  compareOctets(start, end) === 0 ? addressText(start) : `${addressText(start)}-${addressText(end)}`;
