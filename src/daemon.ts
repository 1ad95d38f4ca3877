/**
 * The composition root: the one place that knows everybody. Opens the gateways, who handle packets, and gives them somebody to
 * answer their questions and somebody to listen; ends all of it in good order.
 */
import type { Config } from './config/index.ts';
import type { ControlServer, TrafficOff } from './control/index.ts';
import { openControl } from './daemon/control.ts';
import { type Gateway, type GatewayState, type GatewayWorld, openGateway, unixTime, unreachable } from './daemon/gateway.ts';
import { type InsideWish, insideOpener, warnOfForwarding } from './daemon/inside.ts';
import { openPosture } from './daemon/posture.ts';
import { openRecords, type Records } from './daemon/records.ts';
import { type Reloaded, type Reread, reloader } from './daemon/reload.ts';
import { notShared } from './daemon/share.ts';
import type { OpenInner } from './daemon/traffic.ts';
import { openWorkers } from './daemon/workers.ts';
import type { Connector } from './ems/index.ts';
import { ALONE } from './ike/index.ts';
import { DebugStream, type Journal } from './log/index.ts';
import { EnvironmentRefused, type Listener, type SystemCalls, systemCalls } from './net/index.ts';

export { examine, type Finding } from './daemon/doctor.ts';
export type { InsideWish } from './daemon/inside.ts';
export type { Reread } from './daemon/reload.ts';
export { chooseCrypto, selfCheck } from './daemon/selfCheck.ts';
export { EXIT_FAULT, type ProcessLike, untilSignal } from './daemon/signals.ts';

export type DaemonOptions = {
  readonly config: Config;
  /** The text of it: several workers load it each by itself. */
  readonly source?: string | undefined;
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
  readonly inner?: InsideWish | OpenInner | undefined;
  /** Threads that share the clients; 1 by default. Where that cannot be, one serves them all and the journal says why. */
  readonly workers?: number | undefined;
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
  /** All SAs as they are now, the data plane, and what was counted. */
  state(): Promise<GatewayState>;
  /** Reads the configuration again and puts it in force, whole or not at all. Never rejects. */
  reload(): Promise<Reloaded>;
  /** Sends Deletes, waits for their acknowledgement (2 s at most), closes everything. Never throws. */
  stop(): Promise<void>;
  counters(): Promise<Readonly<Record<string, number>>>;
};

/**
 * Starts the gateway.
 *
 * @throws EnvironmentRefused, in people's words, when the machine does not allow it
 */
export async function startDaemon(o: DaemonOptions): Promise<Daemon> {
  const { journal } = o;
  let gateway: Gateway | undefined;
  let records: Records | undefined;
  let control: ControlServer | undefined;
  const debug = new DebugStream((listening) => gateway?.debug(listening));
  const posture = await openPosture({
    ...{ config: o.config, state: o.state, journal, unix: unixTime },
    onChanged: (uids) => gateway?.command({ do: 'posture-changed', uids }),
  });
  const world: GatewayWorld = {
    note: (level, message, fields) => journal.note(level, message, fields),
    tell: (event) => {
      journal.event(event);
      posture.event(event);
    },
    say: (scope, line) => debug.say(scope, line),
    resolve: (question) => posture.resolve(question),
    share: () => undefined, // there is nobody else
  };
  const calls = await callsFor(o);
  const workers = calls === undefined ? 1 : (o.workers ?? 1);
  let loaded = { config: o.config, source: o.source };
  const reload = reloader({
    ...{ journal, reread: o.reread },
    async take({ config: next, source }) {
      const running = gateway;
      if (running === undefined) throw new RangeError('nobody reads it again before the start');
      const before = loaded;
      const wanted = { config: next, source };
      const why = workers > 1 ? notShared(next, workers) : undefined;
      if (why !== undefined)
        throw new EnvironmentRefused('EWORKERS', `${workers} workers cannot share it: ${why}.`, 'Start again with --workers 1.');
      await running.prepare(wanted);
      try {
        await posture.become(next);
      } catch (error) {
        await running.prepare(before);
        throw error;
      }
      const ended = await running.commit(wanted);
      loaded = wanted;
      for (const lost of unreachable(next.profiles, running.listening)) journal.note('warn', lost);
      const { ikePort, nattPort } = o.config.system;
      const moved = next.system.ikePort !== ikePort || next.system.nattPort !== nattPort;
      return [
        `in force: ${next.profiles.length} phase1-interfaces, ${posture.connectors.length} EMS; `,
        ended === 0
          ? 'tunnels that stand are judged by it'
          : `tunnels that it has no place for end (${ended}), the others are judged by it`,
        ...(moved ? ['; other ports wait for a restart'] : []),
      ].join('');
    },
  });
  try {
    gateway = calls === undefined ? await alone(o, world) : await several(o, calls, workers, world);
    gateway.debug(debug.listening);
    // Not before the ports are ours: an old capture is replaced, and not for a start that comes to nothing.
    records = await openRecords(o, journal);
    const shown = gateway;
    control = await openControl(o.state, {
      ...{ journal, posture, unix: unixTime, reload },
      state: () => shown.state(),
      trafficOff: () => offOf(shown),
    });
    gateway.begin(records);
  } catch (error) {
    await gateway?.stop();
    await records?.close();
    await posture.stop();
    throw error;
  }
  const [running, files] = [gateway, records];
  tellTraffic(running, journal);
  if (running.traffic.on && typeof o.inner === 'object' && o.inner.kind === 'tun') await warnOfForwarding(world.note);
  for (const why of unreachable(o.config.profiles, running.listening)) journal.note('warn', why);
  return {
    get listening() {
      return running.listening;
    },
    debug,
    get connectors() {
      return posture.connectors;
    },
    traffic: running.traffic.text,
    state: () => running.state(),
    reload,
    async stop() {
      await control?.close();
      await running.stop();
      await posture.stop();
      await files.close();
    },
    counters: async () => ({
      ...(await running.state()).counters,
      journalThinned: journal.counters.thinned,
      journalDropped: journal.counters.dropped,
    }),
  };
}

/** What several workers need, when several are wished for and can be; the journal says why when they cannot. */
async function callsFor(o: DaemonOptions): Promise<SystemCalls | undefined> {
  const { workers = 1, config, source, inner, capture, captureKeys, journal } = o;
  if (workers === 1) return undefined;
  const calls = await systemCalls();
  const why =
    capture !== undefined || captureKeys !== undefined
      ? 'a capture is written by one'
      : source === undefined || typeof inner === 'function'
        ? 'the configuration is no file'
        : typeof calls === 'string'
          ? `no datagrams can be divided: ${calls}`
          : notShared(config, workers);
  if (why === undefined && typeof calls !== 'string') return calls;
  journal.note('warn', `one worker serves all clients, not ${workers}: ${why}`);
  return undefined;
}

function several(o: DaemonOptions, calls: SystemCalls, workers: number, world: GatewayWorld): Promise<Gateway> {
  const { listen, ikePort, nattPort, inner, config, source } = o;
  const wish = typeof inner === 'function' ? undefined : inner;
  return openWorkers({ listen, ikePort, nattPort, inner: wish, calls, workers, loaded: { config, source } }, world);
}

function alone(o: DaemonOptions, world: GatewayWorld): Promise<Gateway> {
  const { inner, config } = o;
  return openGateway(
    {
      ...{ config, listen: o.listen, ikePort: o.ikePort, nattPort: o.nattPort, exportKeys: o.captureKeys !== undefined },
      ...{ lane: ALONE, now: () => performance.now() },
      inner: typeof inner === 'function' ? inner : inner && insideOpener(inner, config, o.listen, world.note),
    },
    world,
  );
}

/** The same for the journal and for who asks later. */
function offOf({ traffic }: Gateway): TrafficOff | undefined {
  return traffic.on ? undefined : { why: traffic.why, fix: `${traffic.fix} \`postern doctor\` looks at all of it.` };
}

function tellTraffic(gateway: Gateway, journal: Journal): void {
  const off = offOf(gateway);
  if (off !== undefined) {
    journal.note('warn', 'traffic off: clients authenticate, get an address and child SAs, and no packet is carried', off);
    return;
  }
  journal.note('info', gateway.traffic.text);
}
