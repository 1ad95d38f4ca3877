/**
 * Full load for a long time: does the gateway's memory stay what it is, is there a fault, is every packet accounted for? A look
 * every ten seconds. Judged is what V8's heap has when it was swept, which is what nobody lets go of, and all memory outside it.
 * What V8 has taken for the heap is only shown, and so is the resident memory, which has that in it: V8 makes room for the young,
 * within its bounds, when it sees fit, and that is a step of some megabytes in an hour that is flat otherwise.
 */
import { number, spread, table } from '../figures.ts';
import { faults, losses } from './accounts.ts';
import type { Bed, Measured } from './bed.ts';
import type { Task } from './protocol.ts';

/** Seconds from look to look. */
const EVERY = 10;
/** Share of the looks that is warm-up. */
const WARM = 0.1;
/** What memory may have grown by from the first third to the last: a share, and so many octets for its noise. */
const FLAT = { share: 0.03, octets: 2 * 2 ** 20 };

type Memory = { readonly name: string; readonly judged: boolean; readonly of: (ended: Measured['ended']) => number };
const MEMORY: readonly Memory[] = [
  { name: 'RSS', judged: false, of: ({ rss }) => rss },
  { name: "taken for V8's heap", judged: false, of: ({ heapTaken }) => heapTaken },
  { name: 'in the heap', judged: true, of: ({ heap }) => heap },
  { name: 'outside it', judged: true, of: ({ anonymous, heapTaken }) => anonymous - heapTaken },
];

/** True: flat, no fault, all accounted for. */
export async function soak(bed: Bed, task: Task, seconds: number, say: (text: string) => void): Promise<boolean> {
  say(`MB: ${MEMORY.map(({ name }) => name).join(', ')}`);
  const looks: Measured[] = [];
  let sound = true;
  let left = seconds;
  while (left > 0) {
    const m = await bed.measure(task, 1000 * Math.min(EVERY, left), true);
    left -= EVERY;
    looks.push(m);
    say(line(seconds - Math.max(0, left), task, m));
    for (const fault of faults(task.direction, m.ledger, m.wrong)) {
      sound = false;
      say(`NOT ACCOUNTED FOR: ${fault}`);
    }
  }
  const steady = looks.slice(Math.min(looks.length - 1, Math.ceil(looks.length * WARM)));
  const third = Math.max(1, Math.floor(steady.length / 3));
  const rows = MEMORY.map(({ name, judged, of }) => {
    const median = (some: readonly Measured[]) => spread(some.map(({ ended }) => of(ended))).median;
    const [first, last] = [median(steady.slice(0, third)), median(steady.slice(-third))];
    const flat = last <= first * (1 + FLAT.share) + FLAT.octets;
    if (judged && !flat) sound = false;
    return [name, megabytes(first), megabytes(last), judged ? (flat ? 'flat' : 'GROWS') : ''];
  });
  const sum = (of: (m: Measured) => number) => looks.reduce((all, m) => all + of(m), 0);
  const packets = sum((m) => m.packets);
  say(`\n${seconds} s, ${bed.count} SAs, ${number(packets)} packets in and as many out; MB, median of a third\n`);
  say(table(['', 'first third', 'last third', ''], rows));
  const young = sum((m) => m.ended.minor);
  say(`\n${(sum((m) => m.ended.micros) / packets).toFixed(2)} µs for an echo; the young heap was collected ${young} times.`);
  say(sound ? 'Flat, no fault, every packet accounted for.' : 'NOT SOUND: see above.');
  return sound;
}

const megabytes = (octets: number): string => (octets / 2 ** 20).toFixed(1);

function line(at: number, { direction, size }: Task, { ended, packets, ms, ledger, stalls }: Measured): string {
  const memory = MEMORY.map(({ of }) => megabytes(of(ended))).join(' ');
  const lost = losses(direction, ledger);
  const rate = (packets * size * 8) / ms / 1e6;
  return [
    `${String(at).padStart(6)} s  ${memory} MB  ${(ended.micros / packets).toFixed(2)} µs`,
    `${rate.toFixed(2)} Gbit/s each way  ${number(packets)} packets`,
    ...(lost.length > 0 ? [`lost and counted: ${lost.join(', ')}`] : []),
    ...(stalls > 0 ? [`${stalls} stalls`] : []),
  ].join('  ');
}
