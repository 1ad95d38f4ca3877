/**
 * What traffic costs the gateway with many SAs: CPU time for a packet, beyond what any client at hand could send.
 * `npm run bench:esp-load`; `npm run bench:soak`.
 *
 *   this process: clients, sealed packets  ◄── loopback UDP ──►  load/gateway.ts: the daemon ── an inside that only counts
 *
 * Every SA is made by IKE_SA_INIT and IKE_AUTH of its own. Packets of the SAs take turns, `run` of each in a row, which the
 * kernel carries in one message; with a run of 1 each packet to the gateway is a datagram by itself, of one SA too. No more than
 * a window of them is on its way, so that no socket overflows. Counted is the gateway process' CPU time, user and system, all
 * threads, by turns in rounds. Every packet is accounted for: the exit code is 1 when one is not, never for a slow figure.
 *
 * Options: --sas 1,100,10000; --run 1,32; --size OCTETS of an inner packet (1400); --cipher WORD of `set proposal` (aes256gcm);
 * --seconds N of each measurement (3), in --rounds (3); --direction in,out,echo; --soak SECONDS: echo with 100 SAs instead, and
 * whether the gateway's memory is flat.
 */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { chooseBackend } from '../../crypto/index.ts';
import { number, shown, spread, table } from './figures.ts';
import { faults, losses } from './load/accounts.ts';
import { Bed, type Measured } from './load/bed.ts';
import { SMALLEST } from './load/packet.ts';
import type { Direction, LoadAnswers, Task } from './load/protocol.ts';
import { soak } from './load/soak.ts';

const { values: asked } = parseArgs({
  options: {
    sas: { type: 'string', default: '1,100,10000' },
    run: { type: 'string', default: '1,32' },
    direction: { type: 'string', default: 'in,out,echo' },
    size: { type: 'string', default: '1400' },
    cipher: { type: 'string', default: 'aes256gcm' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    soak: { type: 'string' },
  },
});
/** ms before the first round of each row. */
const WARM = 600;
/** SAs under the soak. */
const SOAKED = 100;
/** The kernel queues a thousand packets for a processor (net.core.netdev_max_backlog) and drops more, and no socket tells. */
const MOST_WINDOW = 960;

/** `cipher`: what it costs alone, right before the round. */
type Round = Measured & { readonly cipher: LoadAnswers['cipher'] };
type Row = { readonly bed: Bed; readonly task: Task; readonly rounds: Round[] };

async function main(): Promise<boolean> {
  await chooseBackend();
  const begun = performance.now();
  const size = whole('size', asked.size, SMALLEST, 1438);
  const window = await windowFor(size);
  const task = (direction: Direction, run: number): Task => ({ direction, size, run, window, step: window / 4 });
  const { node, openssl } = process.versions;
  say(`Node ${node}, OpenSSL ${openssl}, ${process.arch}, ${cpus().length} processors; ${asked.cipher}, ${size} octets\n`);
  const beds: Bed[] = [];
  try {
    if (asked.soak !== undefined) {
      const bed = await open(SOAKED);
      beds.push(bed);
      return await soak(bed, task('echo', 32), whole('soak', asked.soak, 1, 1_000_000), say);
    }
    const runs = list('run', asked.run, 1000);
    const directions = asked.direction.split(',').map(directionOf);
    for (const count of list('sas', asked.sas, 100_000)) beds.push(await open(count));
    const rows: Row[] = beds.flatMap((bed) =>
      runs.flatMap((run) => directions.map((direction) => ({ bed, task: task(direction, run), rounds: [] }))),
    );
    const [rounds, seconds] = [whole('rounds', asked.rounds, 1, 100), whole('seconds', asked.seconds, 1, 3600)];
    for (const { bed, task } of rows) await bed.measure(task, WARM); // the compiler is busy
    for (let round = 1; round <= rounds; round++) {
      note(`round ${round} of ${rounds} …`);
      for (const { bed, task, rounds: done } of rows) {
        const cipher = await bed.cipher(size);
        done.push({ ...(await bed.measure(task, (1000 * seconds) / rounds)), cipher });
      }
    }
    const sound = report(rows);
    note(`${Math.round((performance.now() - begun) / 1000)} s`);
    return sound;
  } finally {
    for (const bed of beds) await bed.close();
  }
}

/** Prints the table; false when something is not accounted for. */
function report(rows: readonly Row[]): boolean {
  const cost = ({ ended, packets }: Measured) => ended.micros / packets;
  const medianOf = (row: Row) => spread(row.rounds.map(cost)).median;
  const lines = rows.map((row) => {
    const { bed, task, rounds } = row;
    const sum = (of: (m: Measured) => number) => rounds.reduce((all, m) => all + of(m), 0);
    const one = rows.find((r) => r.bed.count === 1 && r.task.direction === task.direction && r.task.run === task.run);
    const packets = sum((m) => m.packets);
    const rate = packets / sum((m) => m.ms) / 1000;
    return [
      number(bed.count),
      number(task.run),
      task.direction,
      shown(spread(rounds.map(cost)), 2),
      one === undefined ? '' : (medianOf(row) / medianOf(one)).toFixed(2),
      spread(rounds.map((m) => cost(m) / alone(m.cipher)[task.direction])).median.toFixed(1),
      ((rate * task.size * 8) / 1000).toFixed(2),
      number(rate * 1000),
      ((sum((m) => m.ended.minor) / packets) * 1e6).toFixed(1),
      ((sum((m) => m.ended.major) / packets) * 1e6).toFixed(1),
      number(sum((m) => m.ended.made) / packets),
      number((rounds.at(-1)?.ended.rss ?? 0) / 2 ** 20),
    ];
  });
  say('CPU time of the gateway in µs for a packet, median (least–most) of the rounds; an echo is one packet in and one out.');
  const all = rows.flatMap(({ rounds }) => rounds.map(({ cipher }) => cipher));
  const [open, seal] = [spread(all.map((c) => c.open)), spread(all.map((c) => c.seal))].map((s) => shown(s, 2));
  say(`The cipher alone: ${open} to open, ${seal} to seal.`);
  say('Collections are for a million packets; octets are made in the heap for one packet.\n');
  const heap = ['young', 'whole heap', 'octets'];
  say(table(['SAs', 'in a row', 'direction', 'µs', 'to one SA', 'to cipher', 'Gbit/s', 'kpps', ...heap, 'RSS, MB'], lines));
  return accounted(rows);
}

function accounted(rows: readonly Row[]): boolean {
  let [packets, sound] = [0, true];
  say('');
  for (const { bed, task, rounds } of rows)
    for (const m of rounds) {
      packets += m.packets;
      const where = `${bed.count} SAs, ${task.run} in a row, ${task.direction}`;
      const lost = losses(task.direction, m.ledger);
      if (lost.length > 0) say(`lost and counted: ${where}: ${lost.join(', ')}`);
      if (m.disordered > 0 && lost.length === 0) note(`${where}: ${m.disordered} packets out of their order`);
      if (m.stalls > 0) note(`${where}: nothing moved ${m.stalls} times`);
      for (const fault of faults(task.direction, m.ledger, m.wrong)) {
        sound = false;
        say(`NOT ACCOUNTED FOR: ${where}: ${fault}`);
      }
    }
  if (sound) say(`All of ${packets} packets are accounted for.`);
  return sound;
}

async function open(count: number): Promise<Bed> {
  const begun = performance.now();
  let told = begun;
  const bed = await Bed.open(count, asked.cipher, (there) => {
    if (performance.now() - told < 5000) return;
    told = performance.now();
    note(`  ${there} of ${count} SAs`);
  });
  note(`${bed.count} SAs by as many handshakes in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return bed;
}

/**
 * Packets that may be on their way: as many as fit the smallest receive buffer on it, each with what the kernel needs about it.
 * The kernel counts a buffer's size twice, for that.
 */
async function windowFor(size: number): Promise<number> {
  const most = Number(await readFile('/proc/sys/net/core/rmem_max', 'utf8'));
  const packets = Math.min(MOST_WINDOW, Math.floor(most / (2 * size + 1024)));
  return Math.max(4, packets - (packets % 4));
}

const alone = ({ open, seal }: LoadAnswers['cipher']) => ({ in: open, out: seal, echo: open + seal });

function directionOf(text: string): Direction {
  if (text === 'in' || text === 'out' || text === 'echo') return text;
  throw new Error(`--direction ${text}: in, out or echo`);
}

const list = (name: string, text: string, most: number) => text.split(',').map((each) => whole(name, each, 1, most));

function whole(name: string, text: string, least: number, most: number): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= least && n <= most) return n;
  throw new Error(`--${name} ${text}: a whole number, ${least} to ${most}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
/** Progress is nobody's figure. */
function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

main().then(
  (sound) => {
    if (!sound) process.exitCode = 1;
  },
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
