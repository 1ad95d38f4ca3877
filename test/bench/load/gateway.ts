/**
 * The process that is measured under load: the daemon on its sockets, with a network behind it that costs next to nothing. It
 * takes orders over IPC (protocol.ts); started with --expose-gc.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { chooseBackend, espOpener, espSealer } from '../../../crypto/index.ts';
import { type Config, loadConfig } from '../../../src/config/index.ts';
import { type Daemon, startDaemon } from '../../../src/daemon.ts';
import { ESP_HEADER, pad } from '../../../src/esp/packet.ts';
import type { Journal } from '../../../src/log/index.ts';
import { answering, collect } from '../serving.ts';
import { Inside } from './inside.ts';
import { InnerPackets } from './packet.ts';
import { type Counts, CREDIT, type Ended, type LoadAnswers, type LoadOrder } from './protocol.ts';

/** Logs are off. */
const silent: Journal = {
  event: () => undefined,
  note: () => undefined,
  flush: () => undefined,
  counters: { lines: 0, thinned: 0, dropped: 0 },
};

const inside = new Inside();
let daemon: Daemon | undefined;
let [minor, major] = [0, 0];
let before = { micros: 0, made: 0, minor: 0, major: 0 };

new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
    if (kind === constants.NODE_PERFORMANCE_GC_MINOR) minor += 1;
    if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) major += 1;
  }
}).observe({ entryTypes: ['gc'] });

// One buffer for all reads: what they cost the collector would be on the gateway's account.
const credit = new Socket({
  fd: CREDIT,
  onread: {
    buffer: new Uint8Array(4096),
    callback(octets) {
      inside.credit(octets * step);
      return true;
    },
  },
} as ConstructorParameters<typeof Socket>[0]);
let step = 0;

async function obey(order: LoadOrder): Promise<LoadAnswers[LoadOrder['do']]> {
  switch (order.do) {
    case 'start':
      return await start(order.config, order.address);
    case 'clients':
      inside.clients(order.addresses);
      return null;
    case 'begin': {
      const counts = await running().counters();
      step = order.task.step;
      // A look at ten thousand SAs is garbage that would be collected on the traffic's account.
      collect();
      await heard();
      before = { micros: cpu(), made: made(), minor, major };
      inside.begin(order.task);
      return counts;
    }
    case 'halt':
      return await inside.halt();
    case 'forgive':
      inside.forgive();
      return null;
    case 'end':
      return await end(order.collect);
    case 'cipher':
      return cipher(order);
    case 'stop':
      await daemon?.stop();
      credit.destroy();
      process.disconnect?.();
      return null;
  }
}

async function start(text: string, address: string): Promise<LoadAnswers['start']> {
  await chooseBackend();
  daemon = await startDaemon({
    ...{ config: read(text), listen: [address], ikePort: 0, nattPort: 0 },
    ...{ capture: undefined, captureKeys: undefined, journal: silent, inner: inside.open },
  });
  return { nattPort: daemon.listening.find((l) => l.natt)?.port ?? 0 };
}

function read(text: string): Config {
  const { config, findings } = loadConfig(text);
  const wrong = findings.filter((f) => f.level === 'error').map((f) => `line ${f.line}: ${f.message}`);
  if (wrong.length > 0) throw new Error(`the bench's configuration is wrong: ${wrong.join('; ')}`);
  return config;
}

function running(): Daemon {
  if (daemon === undefined) throw new Error('no gateway has been started');
  return daemon;
}

/** The clock stops first: what a look at all SAs costs is not the traffic's. */
async function end(sweep: boolean): Promise<Ended> {
  const spent = { micros: cpu() - before.micros, made: made() - before.made };
  await heard();
  const collections = { minor: minor - before.minor, major: major - before.major };
  if (sweep) collect();
  const { rss, heapUsed: heap, heapTotal: heapTaken } = process.memoryUsage();
  const anonymous = 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const counts: Counts = await running().counters();
  return { ...spent, ...collections, rss, anonymous, heap, heapTaken, counts };
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const made = (): number => getHeapStatistics().total_allocated_bytes;

/** Observers hear of collections now. */
const heard = () => new Promise((resolve) => setTimeout(resolve, 10));

/** The least of some rounds; in place, as the data plane does it. */
function cipher({ size, keys }: Extract<LoadOrder, { do: 'cipher' }>): LoadAnswers['cipher'] {
  const { transform, encr, integ } = keys;
  const [sealer, opener] = [espSealer(transform, encr, integ), espOpener(transform, encr, integ)];
  if (sealer === undefined || opener === undefined) throw new Error('no such cipher');
  const packets = new InnerPackets(size, false);
  const b = new Uint8Array(new ArrayBuffer(EACH * SLOT));
  const start = ESP_HEADER + sealer.ivOctets;
  let [seal, open] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 20; round++) {
    for (let at = 0; at < b.length; at += SLOT) packets.lay(b, at + start);
    const octets = pad(b, start, size, sealer.blockOctets, 4);
    let length = 0;
    const begun = cpu();
    for (let at = 0; at < b.length; at += SLOT) length = sealer.seal(b, at + start, octets, b, at, 0);
    const middle = cpu();
    for (let at = 0; at < b.length; at += SLOT) opener.open(b, at, length, 0, b, at + start);
    seal = Math.min(seal, (middle - begun) / EACH);
    open = Math.min(open, (cpu() - middle) / EACH);
  }
  sealer.dispose();
  opener.dispose();
  return { seal, open };
}
const EACH = 128;
const SLOT = 2048;

answering(obey);
