/**
 * One engine with its data plane and its sockets: all that handles packets. It runs in the daemon's own thread, or several of
 * them do in threads of theirs (`worker.ts`); it knows no file, no EMS and no terminal.
 */
import { randomOctets } from '../../crypto/index.ts';
import type { Config, Profile } from '../config/index.ts';
import type { TrafficShown } from '../control/index.ts';
import { type Clocks, type Command, Engine, type GatewayView, type Lane, type Output } from '../ike/index.ts';
import type { Event, JournalFields, JournalLevel, Phrase, Scope } from '../log/index.ts';
import { trafficOff } from '../log/phrases/index.ts';
import {
  type Datagram,
  type Endpoint,
  EnvironmentRefused,
  kernelSockets,
  type Listener,
  localNetworks,
  type OpenSocket,
  openGeography,
  openUdp,
  pathMtu,
  type SystemCalls,
  systemCalls,
  type UdpPort,
} from '../net/index.ts';
import type { Evidence, PostureQuestion } from '../posture/index.ts';
import { isEsp } from '../wire/index.ts';
import { answers } from './answers.ts';
import { Pump } from './pump.ts';
import type { Records } from './records.ts';
import { clientsOf, lanesOf, shareOf } from './share.ts';
import { insideOf, type OpenInner, Traffic } from './traffic.ts';

export type GatewayOptions = {
  /** The whole of it: this one takes its part. */
  readonly config: Config;
  /** Local addresses; empty means all. */
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  readonly exportKeys: boolean;
  /** The network behind the gateway; without it, or when the machine does not allow it, traffic is off. */
  readonly inner: OpenInner | undefined;
  readonly lane: Lane;
  /** How sockets are made, where it is not by itself. */
  readonly openSocket?: OpenSocket;
  /** Monotonic ms, on the same clock in all threads. */
  readonly now: () => number;
};

/** Who is told, and asked. None of these may throw. */
export type GatewayWorld = {
  note(level: JournalLevel, message: string, fields?: JournalFields): void;
  tell(event: Event): void;
  say(scope: Scope, line: Phrase): void;
  resolve(question: PostureQuestion): Promise<Evidence>;
  /** For the other lanes. */
  share(output: Shared): void;
};
export type Shared = Extract<Output, { do: 'held' | 'left' | 'oust' | 'will' }>;

/** The configuration, and the text that it came from, for who must load it by himself. */
export type Loaded = { readonly config: Config; readonly source?: string | undefined };

/** What one looks like now. */
export type GatewayState = {
  readonly gateways: readonly GatewayView[];
  readonly traffic: TrafficShown | undefined;
  readonly counters: Readonly<Record<string, number>>;
};

/** Carried or not, and where to or why not, in words for people. */
export type TrafficWords =
  | { readonly on: true; readonly text: string; readonly to: string }
  | { readonly on: false; readonly text: string; readonly why: string; readonly fix: string };

export type Gateway = {
  readonly listening: readonly Listener[];
  readonly traffic: TrafficWords;
  /** Datagrams that came before this are gone: who means it says it again. `records` sees them from then on. */
  begin(records: Records | undefined): void;
  /** Builds debug lines. */
  debug(on: boolean): void;
  command(command: Command): void;
  /** Pools and policies of another configuration. Rejects with EnvironmentRefused, and then the old ones stay. */
  prepare(next: Loaded): Promise<void>;
  /** The rest of it. Gives how many tunnels end by it. */
  commit(next: Loaded): Promise<number>;
  state(): Promise<GatewayState>;
  /** Sends Deletes, waits for their acknowledgement (2 s at most), closes everything. Never throws. */
  stop(): Promise<void>;
};

/** One that is in this thread. */
export type LocalGateway = Gateway & {
  /** Of several: gives up what another will have in that configuration, before any of them prepares it. */
  yield(next: Loaded): Promise<void>;
  /** Sends a datagram as it is. */
  send(datagram: { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array }): void;
};

/** How long peers may take to acknowledge their Delete (two seconds with closing), and how often we look, ms. */
const GOODBYE = 1800;
const LOOK = 20;

/** Opens it. Rejects with EnvironmentRefused, in people's words, when the machine does not allow it; then nothing is left. */
export async function openGateway(o: GatewayOptions, world: GatewayWorld): Promise<LocalGateway> {
  const clocks = (): Clocks => ({ now: o.now(), unix: unixTime() });
  const calls = await systemCalls();
  let country = await geography(o.config);
  let config = shareOf(o.config, o.lane);
  let udp: UdpPort | undefined;
  let records: Records | undefined;
  let begun = false;
  let pump: Pump | undefined;
  const traffic = new Traffic(config, clientsOf(o.config), {
    now: oncePerTurn(o.now),
    forward: (from, to, octets, at, length) => {
      records?.packet(from, to, octets, at, length);
      udp?.forward(from, to, octets, at, length);
    },
    command: (command) => pump?.command(command),
    espKeys: (keys) => records?.espKeys(keys),
    ...(typeof calls === 'string' ? {} : { pathMtu: (local: string, remote: string) => pathMtu(calls, local, remote) }),
    networks: localNetworks,
    note: (why, fix) => world.note('warn', why, { fix }),
  });
  const words = await openTraffic(traffic, o.inner);
  const engine = new Engine({
    ...{ config, lane: o.lane, clocks: clocks(), debug: false, exportKeys: o.exportKeys },
    encapsulates: traffic.on,
    watch: traffic.watch,
    country: (address) => country(address),
    entropy: { octets: randomOctets, keyPair: (group) => group.generate() },
  });
  const running = new Pump(engine, {
    clocks,
    after,
    send: (from, to, octets) => {
      records?.packet(from, to, octets);
      udp?.send(from, to, octets);
    },
    ask: answers((question) => world.resolve(question), unixTime),
    child: (output) => {
      if (output.do === 'install' && !traffic.on && engine.debug)
        world.say({ kind: 'gateway', name: output.child.gateway }, trafficOff());
      traffic.child(output);
    },
    tell: (event) => world.tell(event),
    say: (scope, line) => world.say(scope, line),
    keys: (table) => records?.keys(table),
    share: (output) => world.share(output),
  });
  pump = running;
  const arrived = (d: Datagram) => {
    if (!begun) return;
    records?.packet(d.from, d.to, d.octets);
    running.datagram(d);
  };
  const passing = (octets: Uint8Array, at: number, length: number, from: Endpoint, to: Endpoint): boolean => {
    if (!begun || !traffic.on || !isEsp(octets, at, length)) return false;
    records?.packet(from, to, octets, at, length);
    traffic.esp(octets, at, length, from, to);
    return true;
  };
  try {
    udp = await openUdp({
      ...o,
      ...socketsOf(o, calls, world),
      onDatagram: arrived,
      onPassing: passing,
      onChange: ({ kind, address, why }) =>
        world.note(kind === 'refused' ? 'error' : 'info', `local address ${kind}`, { address, why }),
    });
  } catch (error) {
    running.stop();
    await traffic.close();
    throw error;
  }
  const port = udp;
  let next = country;
  return {
    get listening() {
      return port.listening;
    },
    traffic: words,
    begin(to) {
      records = to;
      begun = true;
    },
    debug(on) {
      engine.debug = on;
    },
    command: (command) => running.command(command),
    send: ({ from, to, octets }) => port.send(from, to, octets),
    yield({ config: wanted }) {
      const others = lanesOf(o.lane.count).filter(({ index }) => index !== o.lane.index);
      return traffic.yield(others.flatMap((lane) => insideOf(shareOf(wanted, lane)).routes));
    },
    async prepare(wanted) {
      next = await geography(wanted.config);
      await traffic.reload(shareOf(wanted.config, o.lane), clientsOf(wanted.config));
    },
    commit(wanted) {
      country = next;
      config = shareOf(wanted.config, o.lane);
      const before = engine.deleting;
      running.command({ do: 'configure', config });
      return Promise.resolve(engine.deleting - before);
    },
    state() {
      const now = o.now();
      return Promise.resolve({
        gateways: engine.snapshot(now),
        traffic: traffic.on ? { plane: traffic.view(), now } : undefined,
        counters: { ...engine.counters(), faults: running.faults, ...traffic.counters(), ...flat(port) },
      });
    },
    async stop() {
      running.command({ do: 'shutdown' });
      for (let waited = 0; waited < GOODBYE && engine.deleting > 0; waited += LOOK) await sleep(LOOK);
      running.command({ do: 'forget' });
      running.stop();
      await port.close();
      await traffic.close();
    },
  };
}

function socketsOf(
  { openSocket }: GatewayOptions,
  calls: SystemCalls | string,
  world: GatewayWorld,
): { readonly openSocket?: OpenSocket } {
  if (openSocket !== undefined) return { openSocket };
  if (typeof calls !== 'string') return { openSocket: kernelSockets(calls) };
  // node:dgram does the same, at a higher price.
  world.note('info', `native path off: ${calls}`);
  return {};
}

export const carriedTo = (to: string): string => `Traffic is on: packets of clients are carried to ${to}.`;

/** Opens the inside, if it is wanted and allowed. */
async function openTraffic(traffic: Traffic, inner: OpenInner | undefined): Promise<TrafficWords> {
  const off = (why: string, fix: string) => ({ on: false, text: `Traffic is off: ${why} ${fix}`, why, fix }) as const;
  if (inner === undefined)
    return off('nobody asked for it.', 'Start it with --inner tun, as root or with CAP_NET_ADMIN, or with --inner lab.');
  try {
    await traffic.open(inner);
    const to = traffic.inner ?? '';
    return { on: true, to, text: carriedTo(to) };
  } catch (error) {
    if (!(error instanceof EnvironmentRefused)) throw error;
    return off(error.message, error.fix);
  }
}

/** Profiles that nobody can reach: their local address is not one that we listen on. */
export function unreachable(profiles: readonly Profile[], listening: readonly Listener[]): readonly string[] {
  const bound = new Set(listening.map((l) => l.address));
  return profiles.flatMap(({ name, localGw, localAddresses }) => {
    const wanted = localGw === undefined ? localAddresses : [localGw];
    if (wanted === undefined || wanted.some((address) => bound.has(address))) return [];
    return [`nobody can reach phase1-interface "${name}": it answers on ${wanted.join(', ')}, and we do not listen there`];
  });
}

export const unixTime = (): number => Math.floor(Date.now() / 1000);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A clock that is looked at once for all that happens in one turn of the event loop: packets come by the dozen. */
function oncePerTurn(now: () => number): () => number {
  let moment: number | undefined;
  const forget = (): void => {
    moment = undefined;
  };
  return () => {
    if (moment === undefined) {
      moment = now();
      queueMicrotask(forget);
    }
    return moment;
  };
}

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

async function geography({ posture }: Config): Promise<(address: string) => string | undefined> {
  return posture.geoip === undefined ? () => undefined : await openGeography(posture.geoip);
}

function flat(port: UdpPort): Readonly<Record<string, number>> {
  const { failed, ...rest } = port.counters();
  return { ...rest, ...Object.fromEntries(Object.entries(failed).map(([code, times]) => [`failed_${code}`, times])) };
}
