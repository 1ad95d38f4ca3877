/** What is measured of one case: CPU time over UDP and of the engine alone, and memory. */
import { ADDRESS, type Carrier, inBatches, overUdp } from './carrier.ts';
import type { Case } from './cases.ts';
import { Crowd } from './driver.ts';
import { type Spread, spread } from './figures.ts';
import { type GatewayProcess, withGateway } from './gatewayProcess.ts';
import type { Memory } from './protocol.ts';

/** How long to measure; ms are CPU time of the gateway, except that the warm-up is by the clock. */
export type Effort = {
  /** Until then the compiler is busy; afterwards it is nearly done. */
  readonly warmUp: number;
  readonly rounds: number;
  /** ms that the handshakes of one round take; as long again goes into the primitives. */
  readonly round: number;
};

/** µs. `ratio`: of a round's handshakes to the primitives right before and right after them. */
export type Costs = {
  readonly handshake: Spread;
  readonly delete: Spread;
  readonly publicKey: Spread;
  readonly symmetric: Spread;
  readonly ratio: Spread;
  /** Datagrams of the clients that had to be said again. */
  readonly repeated: number;
};

/** Clients that speak at a time: the gateway finds the next datagram waiting, and is not woken for a handful of them. */
const TOGETHER = 64;

/** The daemon with its sockets: what a handshake costs. */
export async function overSockets(c: Case, effort: Effort): Promise<Costs> {
  return await withGateway(
    async (gateway) => await onDaemon(c, gateway, async (crowd) => await costs(c, gateway, crowd, effort)),
  );
}

/** From a datagram in memory to its answers in memory. */
export async function engineAlone(c: Case, effort: Effort): Promise<Costs> {
  return await withGateway(async (gateway) => {
    const carrier = inBatches((packets) => gateway.ask({ do: 'batch', packets }));
    await gateway.ask({ do: 'engine', config: c.config, nattPort: carrier.remote.nattPort });
    return await costs(c, gateway, new Crowd(carrier, c.client), effort);
  });
}

async function onDaemon<T>(c: Case, gateway: GatewayProcess, work: (crowd: Crowd) => Promise<T>): Promise<T> {
  let carrier: Carrier | undefined;
  try {
    carrier = await overUdp(await gateway.ask({ do: 'daemon', config: c.config, address: ADDRESS }));
    return await work(new Crowd(carrier, c.client));
  } finally {
    carrier?.close();
  }
}

type Round = Readonly<Record<'handshake' | 'delete' | 'publicKey' | 'symmetric' | 'ratio', number>>;

async function costs(c: Case, gateway: GatewayProcess, crowd: Crowd, effort: Effort): Promise<Costs> {
  const micros = async () => (await gateway.ask({ do: 'cpu', collect: 'young' })).micros;
  const begin = async () => void (await gateway.ask({ do: 'cpu', collect: 'all' }));
  const primitives = async (times: number) => await gateway.ask({ do: 'primitives', of: c.primitives, times });
  const round = async (count: number, times: number): Promise<Round> => {
    const before = await primitives(times);
    await begin();
    await crowd.connect(count, TOGETHER);
    const handshake = (await micros()) / count;
    const after = await primitives(times);
    await begin();
    await crowd.disconnect(TOGETHER);
    const gone = (await micros()) / count;
    const publicKey = (before.publicKey + after.publicKey) / 2;
    const symmetric = (before.symmetric + after.symmetric) / 2;
    return { handshake, delete: gone, publicKey, symmetric, ratio: handshake / (publicKey + symmetric) };
  };

  const begun = performance.now();
  let last = await round(TOGETHER, 10);
  while (performance.now() - begun < effort.warmUp) last = await round(TOGETHER, 10);
  const [count, times] = [last.handshake, 2 * last.publicKey].map((each) =>
    Math.max(10, Math.round((1000 * effort.round) / each)),
  );
  const rounds: Round[] = [];
  // More than come back would be two of one name, and the second replaces the first.
  const each = Math.min(count ?? 10, TOGETHER);
  for (let i = 0; i < effort.rounds; i++) rounds.push(await round(each, times ?? 10));
  await checkCounters(gateway);
  const of = (name: keyof Round) => spread(rounds.map((r) => r[name]));
  return {
    handshake: of('handshake'),
    delete: of('delete'),
    publicKey: of('publicKey'),
    symmetric: of('symmetric'),
    ratio: of('ratio'),
    repeated: crowd.repeated,
  };
}

/** Nothing may have failed or been dropped; only a repeated IKE_SA_INIT may find that its SA has moved on. */
async function checkCounters(gateway: GatewayProcess): Promise<void> {
  const { counters } = await gateway.ask({ do: 'cpu' });
  const wrong = Object.entries(counters).filter(
    ([name, n]) => n > 0 && /fault|drop-(?!unknown-spi|init)|failed|queueFull/.test(name),
  );
  if (wrong.length > 0) throw new Error(`the gateway counted ${wrong.map(([name, n]) => `${n} × ${name}`).join(', ')}`);
}

/** KB of 1024 octets for each SA. */
export type Kilobytes = Readonly<Record<keyof Memory, number>>;

/**
 * What memory grows by, per IKE SA with its child and per half-open SA. It begins after `warmUp` handshakes and their Deletes:
 * what these leave behind (compiled code, the young generation, caches) is no SA's.
 */
export async function memory(
  c: Case,
  { warmUp, established, halfOpen }: { readonly warmUp: number; readonly established: number; readonly halfOpen: number },
): Promise<{ readonly established: Kilobytes; readonly halfOpen: Kilobytes }> {
  return await withGateway(
    async (gateway) =>
      await onDaemon(c, gateway, async (crowd) => {
        for (let left = warmUp; left > 0; left -= 500) {
          await crowd.connect(500, TOGETHER);
          await crowd.disconnect(TOGETHER);
        }
        const empty = await gateway.ask({ do: 'memory' });
        for (let left = established; left > 0; left -= 500) {
          await crowd.connect(Math.min(left, 500), TOGETHER);
          crowd.forget();
        }
        const full = await gateway.ask({ do: 'memory' });
        const { counters } = await gateway.ask({ do: 'cpu' });
        if (counters['children'] !== established) throw new Error(`${counters['children']} child SAs, not ${established}`);
        await crowd.begin(halfOpen, TOGETHER);
        const fuller = await gateway.ask({ do: 'memory' });
        return { established: growth(empty, full, established), halfOpen: growth(full, fuller, halfOpen) };
      }),
  );
}

function growth(before: Memory, after: Memory, count: number): Kilobytes {
  const per = (name: keyof Memory) => (after[name] - before[name]) / 1024 / count;
  return { rss: per('rss'), heap: per('heap'), external: per('external') };
}
