/**
 * What a handshake costs the gateway: CPU time per handshake and per Delete, and memory per SA. `npm run bench:handshake`.
 *
 *   this process: lab clients  ◄── loopback UDP, or batches over IPC ──►  gateway.ts: the daemon, or its engine alone
 *
 * A handshake is IKE_SA_INIT and IKE_AUTH up to an established IKE SA with an address and a child SA. Counted is the gateway
 * process's CPU time, user and system, all threads: its garbage collector and its compiler are in it. The Deletes are counted
 * apart. The primitives (primitives.ts) run in the same process before and after every round, so that whatever else the machine
 * does hits both alike; either begins with a swept heap and pays for the collection of what it made. Logs are off. The exit code
 * is 1 when something did not work, never for a slow figure.
 *
 * Options: --quick (only cases with a limit, short rounds of a gateway that is hardly warm, fewer SAs), --only TEXT (cases with
 * that in their name), --no-memory, --node-crypto (the gateway's cryptography by node:crypto, as where koffi is not there).
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { cases } from './cases.ts';
import { number, shown, table } from './figures.ts';
import { type Effort, engineAlone, type Kilobytes, memory, overSockets } from './measure.ts';

const { values: asked } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    'no-memory': { type: 'boolean', default: false },
    'node-crypto': { type: 'boolean', default: false },
  },
});
const effort: Record<'udp' | 'engine', Effort> = asked.quick
  ? { udp: { warmUp: 1500, rounds: 3, round: 100 }, engine: { warmUp: 700, rounds: 3, round: 60 } }
  : { udp: { warmUp: 6000, rounds: 9, round: 250 }, engine: { warmUp: 2500, rounds: 7, round: 150 } };
const sas = asked.quick
  ? { warmUp: 1000, established: 3000, halfOpen: 1000 }
  : { warmUp: 6000, established: 20_000, halfOpen: 5000 };
/** KB of RSS per established SA, at most. */
const MOST_KILOBYTES = 6;

async function main(): Promise<void> {
  const begun = performance.now();
  const all = cases().filter(({ most }) => !asked.quick || most !== undefined);
  const chosen = all.filter(({ name }) => name.toLowerCase().includes(asked.only.toLowerCase()));
  const [first] = chosen;
  if (first === undefined) throw new Error(`no case has '${asked.only}' in its name`);
  const { node, openssl } = process.versions;
  say(`Node ${node}, OpenSSL ${openssl}, ${process.arch}, ${cpus().length} processors\n`);

  const rows: string[][] = [];
  for (const c of chosen) {
    note(`${c.name} …`);
    const [udp, engine] = [await overSockets(c, effort.udp), await engineAlone(c, effort.engine)];
    const { publicKey, symmetric } = udp;
    rows.push([
      c.name,
      shown(udp.handshake),
      shown(engine.handshake),
      shown(udp.delete),
      `${number(publicKey.median)} + ${number(symmetric.median)}`,
      shown(udp.ratio, 2),
      c.most === undefined ? '' : `≤ ${c.most}`,
    ]);
    if (udp.repeated + engine.repeated > 0) note(`  ${udp.repeated + engine.repeated} datagrams were lost and said again`);
  }
  say('CPU time of the gateway in µs, median (least–most) of the rounds; ratio: daemon to primitives\n');
  say(table(['handshake', 'daemon, UDP', 'engine alone', 'Delete', 'primitives', 'ratio', 'limit'], rows));

  if (!asked['no-memory']) {
    note(`memory: ${first.name} …`);
    const { established, halfOpen } = await memory(first, sas);
    const row = (name: string, k: Kilobytes, most: string) => [
      name,
      ...[k.rss, k.heap, k.external].map((n) => n.toFixed(2)),
      most,
    ];
    say(`\nMemory of the gateway in KB (1024 octets) per SA, after garbage collection; ${first.name}\n`);
    say(
      table(
        ['SA', 'RSS', 'V8 heap', 'outside it', 'limit'],
        [
          row(`IKE SA with a child, at ${sas.established}`, established, `≤ ${MOST_KILOBYTES}`),
          row(`half-open, ${sas.halfOpen} more`, halfOpen, ''),
        ],
      ),
    );
  }
  note(`${Math.round((performance.now() - begun) / 1000)} s`);
}

const say = (text: string) => process.stdout.write(`${text}\n`);
/** Progress is nobody's figure. */
const note = (text: string) => process.stderr.write(`${text}\n`);

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
