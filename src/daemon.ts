/**
 * The composition root: the one place that knows everybody. Makes the engine and gives it a network, a clock, somebody to
 * answer its questions and somebody to listen; ends it in good order.
 */
import { randomOctets } from '../crypto/index.ts';
import type { Config, Profile } from './config/index.ts';
import { answers } from './daemon/answers.ts';
import { Pump } from './daemon/pump.ts';
import { openRecords, type Records } from './daemon/records.ts';
import { type Clocks, Engine } from './ike/index.ts';
import { DebugStream, type Journal } from './log/index.ts';
import { trafficOff } from './log/phrases/index.ts';
import { type Datagram, type Listener, openUdp, type UdpPort } from './net/index.ts';

export { selfCheck } from './daemon/selfCheck.ts';
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
  readonly journal: Journal;
};

export type Daemon = {
  readonly listening: readonly Listener[];
  /** Subscribe here for the ike debug stream. */
  readonly debug: DebugStream;
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
  const engine = new Engine({
    config,
    entropy: { octets: randomOctets, keyPair: (group) => group.generate() },
    clocks: clocks(),
    debug: false,
    exportKeys: o.captureKeys !== undefined,
  });
  const debug = new DebugStream((listening) => {
    engine.debug = listening;
  });
  const children = { installed: 0, opened: 0, removed: 0 };
  let udp: UdpPort | undefined;
  let records: Records | undefined;
  const pump = new Pump(engine, {
    clocks,
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    send: (from, to, octets) => {
      records?.packet(from, to, octets);
      udp?.send(from, to, octets);
    },
    ask: answers(() => clocks().unix),
    child: (output) => {
      // No data plane yet: what would be installed is counted and said, its keys are forgotten here.
      children[COUNTED[output.do]] += 1;
      if (output.do === 'install' && debug.listening) debug.say({ kind: 'gateway', name: output.child.gateway }, trafficOff());
    },
    tell: (event) => journal.event(event),
    say: (scope, line) => debug.say(scope, line),
    keys: (table) => records?.keys(table),
  });
  const arrived = (d: Datagram) => {
    if (records === undefined) return; // we are not there yet; who means it says it again
    records.packet(d.from, d.to, d.octets);
    pump.datagram(d);
  };
  try {
    udp = await openUdp({
      ...o,
      onDatagram: arrived,
      onChange: ({ kind, address, why }) =>
        journal.note(kind === 'refused' ? 'error' : 'info', `local address ${kind}`, { address, why }),
    });
    // Not before the ports are ours: an old capture is replaced, and not for a start that comes to nothing.
    records = await openRecords(o, journal);
  } catch (error) {
    pump.stop();
    await udp?.close();
    throw error;
  }
  const [port, files] = [udp, records];
  journal.note(
    'warn',
    'traffic off: there is no data plane; clients authenticate, get an address and child SAs, and no packet is carried',
  );
  for (const why of unreachable(config.profiles, port.listening)) journal.note('warn', why);
  return {
    get listening() {
      return port.listening;
    },
    debug,
    async stop() {
      pump.command({ do: 'shutdown' });
      for (let waited = 0; waited < GOODBYE && engine.deleting > 0; waited += LOOK) await sleep(LOOK);
      pump.stop();
      await port.close();
      await files.close();
    },
    counters: () => ({
      ...engine.counters(),
      faults: pump.faults,
      ...children,
      ...flat(port),
      journalThinned: journal.counters.thinned,
      journalDropped: journal.counters.dropped,
    }),
  };
}

const COUNTED = { install: 'installed', open: 'opened', remove: 'removed' } as const;
const clocks = (): Clocks => ({ now: performance.now(), unix: Math.floor(Date.now() / 1000) });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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
