/**
 * The process that is measured: the daemon on its sockets, or the engine alone, with nothing else in it. It takes orders over
 * IPC (protocol.ts); started with --expose-gc.
 */
import { chooseBackend, randomOctets } from '../../crypto/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { answers } from '../../src/daemon/answers.ts';
import { startDaemon } from '../../src/daemon.ts';
import { type Clocks, Engine } from '../../src/ike/index.ts';
import type { Journal } from '../../src/log/index.ts';
import { NODE_CRYPTO } from './gatewayProcess.ts';
import { type Primitives, primitives, type Work } from './primitives.ts';
import type { Answers, Order, Packet, PrimitiveCosts } from './protocol.ts';
import { answering, collect } from './serving.ts';

type Gateway = {
  batch(packets: readonly Packet[]): Promise<readonly Packet[]>;
  counters(): Promise<Readonly<Record<string, number>>>;
  /** CPU time that counts, so far. */
  micros(): number;
  /** Does something whose CPU time counts. */
  charge(work: () => void): void;
  stop(): Promise<void>;
};

let gateway: Gateway | undefined;
let counted = 0;

const choose = async () => {
  if (!process.argv.includes(NODE_CRYPTO)) await chooseBackend();
};

async function obey(order: Order): Promise<Answers[Order['do']]> {
  switch (order.do) {
    case 'daemon': {
      await choose();
      const { ports, ...made } = await daemon(order.config, order.address);
      gateway = made;
      return ports;
    }
    case 'engine':
      await choose();
      gateway = engine(order.config, order.nattPort);
      return null;
    case 'batch':
      return await running().batch(order.packets);
    case 'cpu': {
      if (order.collect === 'young') running().charge(() => collect({ type: 'minor' }));
      if (order.collect === 'all') collect({ type: 'minor' });
      const now = running().micros();
      const micros = now - counted;
      counted = now;
      return { micros, counters: await running().counters() };
    }
    case 'primitives':
      return costs(primitivesOf(order.of), order.times);
    case 'memory':
      return await memory();
    case 'stop':
      await gateway?.stop();
      process.disconnect?.();
      return null;
  }
}

function running(): Gateway {
  if (gateway === undefined) throw new Error('no gateway has been started');
  return gateway;
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Logs are off: the events are made, and nobody writes them. */
const silent: Journal = {
  event: () => undefined,
  note: () => undefined,
  flush: () => undefined,
  counters: { lines: 0, thinned: 0, dropped: 0 },
};

async function daemon(text: string, address: string): Promise<Gateway & { readonly ports: Answers['daemon'] }> {
  const made = await startDaemon({
    config: read(text),
    listen: [address],
    ikePort: 0,
    nattPort: 0,
    capture: undefined,
    captureKeys: undefined,
    journal: silent,
  });
  const port = (natt: boolean) => made.listening.find((l) => l.natt === natt)?.port ?? 0;
  return {
    ports: { port: port(false), nattPort: port(true) },
    batch: () => Promise.reject(new Error('a daemon takes datagrams from its sockets')),
    counters: () => made.counters(),
    micros: cpu,
    charge: (work) => work(),
    stop: () => made.stop(),
  };
}

function read(text: string): Config {
  const { config, findings } = loadConfig(text);
  const wrong = findings.filter((f) => f.level === 'error').map((f) => `line ${f.line}: ${f.message}`);
  if (wrong.length > 0) throw new Error(`the bench's configuration is wrong: ${wrong.join('; ')}`);
  return config;
}

/** The engine with the answerer that a daemon has; the time counts from a datagram in memory to its answers in memory. */
function engine(text: string, nattPort: number): Gateway {
  let micros = 0;
  const made = new Engine({
    config: read(text),
    entropy: { octets: randomOctets, keyPair: (group) => group.generate() },
    clocks: clocks(),
  });
  const answer = answers(nobody, () => clocks().unix);
  const sent: Packet[] = [];
  const carryOut = async (): Promise<void> => {
    for (const output of made.take()) {
      if (output.do === 'send') sent.push({ octets: output.octets, from: output.from, to: output.to });
      if (output.do !== 'ask') continue;
      made.answer(output.ticket, await answer(output.question), clocks());
      await carryOut();
    }
  };
  return {
    async batch(packets) {
      const before = cpu();
      for (const { octets, from, to } of packets) {
        made.datagram({ octets, from, to, natt: to.port === nattPort }, clocks());
        await carryOut();
      }
      micros += cpu() - before;
      return sent.splice(0);
    },
    counters: () => Promise.resolve(made.counters()),
    micros: () => micros,
    charge(work) {
      const before = cpu();
      work();
      micros += cpu() - before;
    },
    stop: () => Promise.resolve(),
  };
}

/** No profile of the engine alone has a tag rule. */
const nobody = () => Promise.reject(new Error('nobody was to be asked about posture'));

const clocks = (): Clocks => ({ now: performance.now(), unix: Math.floor(Date.now() / 1000) });

/** The same work again and again is one function: the compiler must not begin anew with every order. */
const known = new Map<string, Work>();
function primitivesOf(of: Primitives): Work {
  const name = JSON.stringify(of);
  const work = known.get(name) ?? primitives(of);
  known.set(name, work);
  return work;
}

function costs({ publicKey, symmetric }: Work, times: number): PrimitiveCosts {
  const cost = (work: () => void, n: number): number => {
    collect({ type: 'minor' });
    const before = cpu();
    for (let i = 0; i < n; i++) work();
    collect({ type: 'minor' });
    return (cpu() - before) / n;
  };
  // The symmetric part is so short that the grain of the clock would show.
  return { publicKey: cost(publicKey, times), symmetric: cost(symmetric, 4 * times) };
}

/** After collections: what weak references and finalizers let go only comes back with the next one. */
async function memory(): Promise<Answers['memory']> {
  for (let i = 0; i < 4; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, external };
}

answering(obey);
