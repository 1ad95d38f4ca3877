/**
 * What the data plane alone costs: CPU µs for a packet of 1400 inner octets in AES-256-GCM, with 1, 100 and 10,000 SAs in
 * turn, and how often the young heap was collected meanwhile. `npm run bench:plane`. No socket, no device: those do not know of
 * SAs. Packets come by one for each SA, so that with many of them everything about an SA has left the caches when its next one
 * comes; and by 32. Options: --packets N for each figure (400000).
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { chooseBackend, espOpener, espSealer, randomOctets } from '../../crypto/index.ts';
import { DataPlane } from '../../src/esp/index.ts';
import { HEADROOM, pad, write32 } from '../../src/esp/packet.ts';
import { clearance, everything, GCM, path } from '../unit/esp/world.ts';
import { number, spread, table } from './figures.ts';

const { values: asked } = parseArgs({ options: { packets: { type: 'string', default: '400000' } } });
const INNER = 1400;
/** Packets that are made before they are measured, as one call of the kernel gives them. */
const BATCH = 64;
const SLOT = 2048;
/** Of one client, one behind the other. */
const BURST = 32;
const CASES = [
  [1, 1],
  [100, 1],
  [100, BURST],
  [10_000, 1],
  [10_000, BURST],
] as const;

const lease = (n: number) => Uint8Array.of(10, 10, n >> 8, n & 255);
const from = path();
const must = <T>(cipher: T | undefined): T => {
  if (cipher === undefined) throw new Error('no such cipher');
  return cipher;
};

/** A packet of 1400 octets of UDP from, or to, a client. Nothing is made: what is collected shall be the data plane's. */
function inner(b: Uint8Array, at: number, n: number, out: boolean): void {
  for (let i = 0; i < HEADERS.length; i++) b[at + i] = HEADERS[i] ?? 0;
  const client = at + (out ? 16 : 12);
  b[client] = 10;
  b[client + 1] = 10;
  b[client + 2] = n >> 8;
  b[client + 3] = n;
  const server = at + (out ? 12 : 16);
  for (let i = 0; i < 4; i++) b[server + i] = SERVER[i] ?? 0;
}
const SERVER = [10, 50, 0, 7];
const HEADERS = [
  ...[0x45, 0, INNER >> 8, INNER & 255, 0, 0, 0x40, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0x9c, 0x40, 0, 7, (INNER - 20) >> 8, (INNER - 20) & 255, 0, 0],
];

type Figure = { readonly inbound: number; readonly outbound: number; readonly collections: number };

async function measure(count: number, burst: number, packets: number, collections: () => number): Promise<Figure> {
  const whose = (i: number) => Math.floor(i / burst) % count;
  let passed = 0;
  const plane = new DataPlane({
    sink: {
      inner: () => {
        passed += 1;
      },
      outer: () => {
        passed += 1;
      },
    },
    random: (octets) => octets.set(randomOctets(octets.length)),
    rules: [],
    tunnels: ['bench'],
  });
  const sealers = Array.from({ length: count }, (_, n) => {
    const [a, b, none] = [randomOctets(36), randomOctets(36), new Uint8Array()];
    plane.install(
      {
        ...{ spiIn: 1000 + n, spiOut: 50_000 + n, gateway: `bench_${n}`, profile: 'bench', leases: [lease(n)] },
        ...{ TSi: [everything()], TSr: [everything()], esn: false, replay: true, path: from },
        ...{ opener: must(espOpener(GCM, a, none)), sealer: must(espSealer(GCM, b, none)) },
      },
      0,
    );
    plane.open(1000 + n, clearance);
    return must(espSealer(GCM, a, none));
  });
  const b = new Uint8Array(new ArrayBuffer(BATCH * SLOT));
  const lengths = new Array<number>(BATCH).fill(0);
  const numbers = new Uint32Array(count);
  let [turn, spentIn, spentOut] = [0, 0, 0];
  await heard();
  const before = collections();
  for (let done = 0; done < packets; done += BATCH) {
    for (let i = 0; i < BATCH; i++) lengths[i] = sealed(i);
    const start = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) plane.inbound(b, i * SLOT + HEADROOM, lengths[i] ?? 0, from, done);
    spentIn += Number(process.hrtime.bigint() - start);
    for (let i = 0; i < BATCH; i++) inner(b, i * SLOT + HEADROOM, whose(turn + i), true);
    const middle = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) plane.outbound(b, i * SLOT + HEADROOM, INNER, done);
    spentOut += Number(process.hrtime.bigint() - middle);
    turn = (turn + BATCH) % (count * burst);
  }
  await heard();
  const collected = collections() - before;
  const all = Math.ceil(packets / BATCH) * BATCH;
  if (passed !== 2 * all) throw new Error(`${passed} of ${2 * all} packets passed`);
  for (const sealer of sealers) sealer.dispose();
  for (let n = 0; n < count; n++) plane.remove(1000 + n);
  return { inbound: spentIn / all / 1000, outbound: spentOut / all / 1000, collections: collected };

  /** Packet i of a batch, as its client sends it. */
  function sealed(i: number): number {
    const n = whose(turn + i);
    const at = i * SLOT + HEADROOM;
    const plain = at + 16;
    inner(b, plain, n, false);
    const sequence = (numbers[n] ?? 0) + 1;
    numbers[n] = sequence;
    write32(b, at, 1000 + n);
    write32(b, at + 4, sequence);
    write32(b, at + 8, 0);
    write32(b, at + 12, sequence);
    return (sealers[n] as (typeof sealers)[number]).seal(b, plain, pad(b, plain, INNER, 4, 4), b, at, 0);
  }
}

/** Observers hear of collections now. */
const heard = () => new Promise((resolve) => setTimeout(resolve, 10));

const { name } = await chooseBackend();
let minor = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if ((entry as unknown as { detail: { kind: number } }).detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) minor += 1;
}).observe({ entryTypes: ['gc'] });
const packets = Number(asked.packets);
const rounds = 5;
for (const [count, burst] of CASES) await measure(count, burst, packets / 4, () => minor); // the compiler is busy
const figures = CASES.map(() => [] as Figure[]);
for (let round = 0; round < rounds; round++)
  for (const [i, [count, burst]] of CASES.entries()) {
    figures[i]?.push(await measure(count, burst, packets / rounds, () => minor));
  }
const rows = CASES.map(([count, burst], i) => {
  const all = figures[i] ?? [];
  const [inbound, outbound] = [spread(all.map((f) => f.inbound)), spread(all.map((f) => f.outbound))];
  return [
    number(count),
    number(burst),
    ...[inbound.least, inbound.median, outbound.least, outbound.median].map((n) => n.toFixed(2)),
  ];
});
console.log(`The data plane alone, by ${name}: µs for a packet, least and median of ${rounds} rounds\n`);
console.log(table(['SAs', 'in a row', 'inbound', 'median', 'outbound', 'median'], rows));
const collected = figures.flat().reduce((sum, f) => sum + f.collections, 0);
console.log(`\nCollections of the young heap: ${collected} while ${number(2 * packets * CASES.length)} packets passed`);
