/**
 * The composition root: the one place that knows everybody. Makes the engine and gives it a network, a clock, somebody to
 * answer its questions and somebody to listen; ends it in good order.
 */
import { randomOctets } from '../crypto/index.ts';
import type { Config, Profile } from './config/index.ts';
import type { ControlServer } from './control/index.ts';
import { answers } from './daemon/answers.ts';
import { openControl } from './daemon/control.ts';
import { openPosture } from './daemon/posture.ts';
import { Pump } from './daemon/pump.ts';
import { openRecords, type Records } from './daemon/records.ts';
import { type Reloaded, type Reread, reloader } from './daemon/reload.ts';
import { type OpenInner, Traffic } from './daemon/traffic.ts';
import type { Connector } from './ems/index.ts';
import { type Clocks, Engine, type GatewayView } from './ike/index.ts';
import { DebugStream, type Journal } from './log/index.ts';
import { trafficOff } from './log/phrases/index.ts';
import {
  type Datagram,
  type Endpoint,
  EnvironmentRefused,
  kernelSockets,
  type Listener,
  openGeography,
  openUdp,
  systemCalls,
  type UdpPort,
} from './net/index.ts';
import { isEsp } from './wire/index.ts';

export { examine, type Finding } from './daemon/doctor.ts';
export { labInside, tunDevice } from './daemon/inside.ts';
export type { Reread } from './daemon/reload.ts';
export { chooseCrypto, selfCheck } from './daemon/selfCheck.ts';
export { EXIT_FAULT, type ProcessLike, untilSignal } from './daemon/signals.ts';

export type DaemonOptions = {
  readonly config: Config;
  /** Local addresses; empty means all. */
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  /** A pcap file for every datagram, and the directory of Wireshark's key table: only when asked for by name. */
  readonly capture: string | undefined;
  readonly captureKeys: string | undefined;
  /** The private directory that is ours: what EMS said and whom it knows us as is kept there. Without it nothing is. */
  readonly state?: string | undefined;
  readonly journal: Journal;
  /** The network behind the gateway; without it, or when the machine does not allow it, traffic is off. */
  readonly inner?: OpenInner | undefined;
  /** Reads the configuration again; without it there is no file to read. */
  readonly reread?: () => Promise<Reread>;
};

export type Daemon = {
  readonly listening: readonly Listener[];
  /** Subscribe here for the ike debug stream. */
  readonly debug: DebugStream;
  readonly connectors: readonly Connector[];
  /** Are packets carried, and if not, why and what helps: a sentence or two. */
  readonly traffic: string;
  /** All SAs as they are now, for whoever shows them. */
  gateways(): readonly GatewayView[];
  /** Reads the configuration again and puts it in force, whole or not at all. Never rejects. */
  reload(): Promise<Reloaded>;
  /** Sends Deletes, waits for their acknowledgement (2 s at most), closes everything. Never throws. */
  stop(): Promise<void>;
  counters(): Readonly<Record<string, number>>;
};

/** How long peers may take to acknowledge their Delete (two seconds with closing), and how often we look, ms. */
const GOODBYE = 1800;
const LOOK = 20;

/**
 * Starts the gateway.
 *
 * @throws EnvironmentRefused, in people's words, when the machine does not allow it
 */
export async function startDaemon(o: DaemonOptions): Promise<Daemon> {
  const { journal, config } = o;
  let country = await geography(config);
  const traffic = new Traffic(config, {
    now: () => performance.now(),
    forward: (from, to, octets, at, length) => {
      records?.packet(from, to, octets, at, length);
      udp?.forward(from, to, octets, at, length);
    },
    command: (command) => pump?.command(command),
    espKeys: (keys) => records?.espKeys(keys),
  });
  const words = await openTraffic(traffic, o);
  const engine = new Engine({
    encapsulates: traffic.on,
    watch: traffic.watch,
    country: (address) => country(address),
    config,
    entropy: { octets: randomOctets, keyPair: (group) => group.generate() },
    clocks: clocks(),
    debug: false,
    exportKeys: o.captureKeys !== undefined,
  });
  const debug = new DebugStream((listening) => {
    engine.debug = listening;
  });
  let udp: UdpPort | undefined;
  let records: Records | undefined;
  let pump: Pump | undefined;
  let control: ControlServer | undefined;
  const posture = await openPosture({
    config,
    state: o.state,
    journal,
    unix: () => clocks().unix,
    onChanged: (uids) => pump?.command({ do: 'posture-changed', uids }),
  });
  const running = new Pump(engine, {
    clocks,
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    send: (from, to, octets) => {
      records?.packet(from, to, octets);
      udp?.send(from, to, octets);
    },
    ask: answers(
      (question) => posture.resolve(question),
      () => clocks().unix,
    ),
    child: (output) => {
      if (output.do === 'install' && !traffic.on && debug.listening)
        debug.say({ kind: 'gateway', name: output.child.gateway }, trafficOff());
      traffic.child(output);
    },
    tell: (event) => {
      journal.event(event);
      posture.event(event);
    },
    say: (scope, line) => debug.say(scope, line),
    keys: (table) => records?.keys(table),
  });
  pump = running;
  const reload = reloader({
    ...{ journal, reread: o.reread },
    async take(next) {
      const there = await geography(next);
      await traffic.reload(next);
      await posture.become(next);
      country = there;
      const before = engine.deleting;
      running.command({ do: 'configure', config: next });
      for (const why of unreachable(next.profiles, udp?.listening ?? [])) journal.note('warn', why);
      const { ikePort, nattPort } = config.system;
      const moved = next.system.ikePort !== ikePort || next.system.nattPort !== nattPort;
      const ended = engine.deleting - before;
      return [
        `in force: ${next.profiles.length} phase1-interfaces, ${posture.connectors.length} EMS; `,
        ended === 0
          ? 'tunnels that stand are judged by it'
          : `tunnels that it has no place for end (${ended}), the others are judged by it`,
        ...(moved ? ['; other ports wait for a restart'] : []),
      ].join('');
    },
  });
  const arrived = (d: Datagram) => {
    if (records === undefined) return; // we are not there yet; who means it says it again
    records.packet(d.from, d.to, d.octets);
    running.datagram(d);
  };
  const passing = (octets: Uint8Array, at: number, length: number, from: Endpoint, to: Endpoint): boolean => {
    if (records === undefined || !traffic.on || !isEsp(octets, at, length)) return false;
    records.packet(from, to, octets, at, length);
    traffic.esp(octets, at, length, from, to);
    return true;
  };
  try {
    const calls = await systemCalls();
    // node:dgram does the same, at a higher price.
    if (typeof calls === 'string') journal.note('info', `native path off: ${calls}`);
    udp = await openUdp({
      ...o,
      ...(typeof calls === 'string' ? {} : { openSocket: kernelSockets(calls) }),
      onDatagram: arrived,
      onPassing: passing,
      onChange: ({ kind, address, why }) =>
        journal.note(kind === 'refused' ? 'error' : 'info', `local address ${kind}`, { address, why }),
    });
    // Not before the ports are ours: an old capture is replaced, and not for a start that comes to nothing.
    records = await openRecords(o, journal);
    control = await openControl(o.state, {
      journal,
      posture,
      unix: () => clocks().unix,
      gateways: () => engine.snapshot(),
      traffic: () => (traffic.on ? { plane: traffic.view(), now: performance.now() } : undefined),
      reload,
    });
  } catch (error) {
    running.stop();
    await udp?.close();
    await traffic.close();
    await records?.close();
    await posture.stop();
    throw error;
  }
  const [port, files] = [udp, records];
  if (traffic.on) {
    journal.note('info', words);
    for (const name of traffic.unruled(config))
      journal.note('warn', `no firewall policy names "${name}": all its traffic is let through`, { profile: name });
  }
  for (const why of unreachable(config.profiles, port.listening)) journal.note('warn', why);
  return {
    get listening() {
      return port.listening;
    },
    debug,
    get connectors() {
      return posture.connectors;
    },
    traffic: words,
    gateways: () => engine.snapshot(),
    reload,
    async stop() {
      await control?.close();
      running.command({ do: 'shutdown' });
      for (let waited = 0; waited < GOODBYE && engine.deleting > 0; waited += LOOK) await sleep(LOOK);
      running.stop();
      await port.close();
      await traffic.close();
      await posture.stop();
      await files.close();
    },
    counters: () => ({
      ...engine.counters(),
      faults: running.faults,
      ...traffic.counters(),
      ...flat(port),
      journalThinned: journal.counters.thinned,
      journalDropped: journal.counters.dropped,
    }),
  };
}

/** Opens the inside, if it is wanted and allowed; says how that went, for people. */
async function openTraffic(traffic: Traffic, { inner, journal }: DaemonOptions): Promise<string> {
  const off = (why: string, fix: string): string => {
    journal.note('warn', 'traffic off: clients authenticate, get an address and child SAs, and no packet is carried', {
      why,
      fix: `${fix} \`postern doctor\` looks at all of it.`,
    });
    return `Traffic is off: ${why} ${fix}`;
  };
  if (inner === undefined)
    return off('nobody asked for it.', 'Start it with --inner tun, as root or with CAP_NET_ADMIN, or with --inner lab.');
  try {
    await traffic.open(inner);
    return `Traffic is on: packets of clients are carried to ${traffic.inner}.`;
  } catch (error) {
    if (!(error instanceof EnvironmentRefused)) throw error;
    return off(error.message, error.fix);
  }
}

const clocks = (): Clocks => ({ now: performance.now(), unix: Math.floor(Date.now() / 1000) });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function geography({ posture }: Config): Promise<(address: string) => string | undefined> {
  return posture.geoip === undefined ? () => undefined : await openGeography(posture.geoip);
}

/** Profiles that nobody can reach: their local address is not one that we listen on. */
function unreachable(profiles: readonly Profile[], listening: readonly Listener[]): readonly string[] {
  const bound = new Set(listening.map((l) => l.address));
  return profiles.flatMap(({ name, localGw, localAddresses }) => {
    const wanted = localGw === undefined ? localAddresses : [localGw];
    if (wanted === undefined || wanted.some((address) => bound.has(address))) return [];
    return [`nobody can reach phase1-interface "${name}": it answers on ${wanted.join(', ')}, and we do not listen there`];
  });
}

function flat(port: UdpPort): Readonly<Record<string, number>> {
  const { failed, ...rest } = port.counters();
  return { ...rest, ...Object.fromEntries(Object.entries(failed).map(([code, times]) => [`failed_${code}`, times])) };
}
