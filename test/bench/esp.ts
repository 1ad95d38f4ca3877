/**
 * What traffic costs the gateway: CPU time per megabyte of TCP and per packet of UDP, ours and strongSwan's kernel-libipsec, with
 * the same strongSwan client at the other end. `npm run bench:esp`; needs root, strongSwan and iperf3.
 *
 *   namespace: iperf3 -c ── charon, libipsec ◄── wire ──► gateway process, which is measured ── TUN ── iperf3 -s
 *
 * Each gateway runs alone; both are measured for each cipher and direction in turn, in so many rounds: shown are medians, and how
 * far the ratio of a round went. Counted is the gateway process' user and system time, all threads. Its client's own ESP caps the
 * rate of TCP, which is shown; UDP comes at a rate that both manage.
 * Options: --seconds N of each measurement (4), --rounds N (3), --cipher TEXT for those that have it in their name, --rate Mbit/s
 * of UDP (100), --warm N seconds each way before the first one (8): compilers take that long, and a gateway runs for days.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { clientSecrets, connection } from '../interop/support/clients.ts';
import { gatewayConfig, secrets } from '../interop/support/config.ts';
import { addresses, layNet, type Net, sweep } from '../interop/support/namespaces.ts';
import { type Daemon, run, start, until } from '../interop/support/processes.ts';
import { lacking } from '../interop/support/requirements.ts';
import { startCharon } from '../interop/support/strongswan.ts';
import { shown, spread, table } from './figures.ts';

const { values: asked } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    cipher: { type: 'string', default: '' },
    rate: { type: 'string', default: '100' },
    warm: { type: 'string', default: '8' },
  },
});
const CIPHERS = [
  ['AES-256-GCM', 'aes256gcm16'],
  ['AES-256-CBC, HMAC-SHA-256', 'aes256-sha256'],
  ['ChaCha20-Poly1305', 'chacha20poly1305'],
] as const;
const DIRECTIONS = ['client → gateway', 'gateway → client'] as const;
const postern = fileURLToPath(new URL('../../bin/postern.ts', import.meta.url));
/** Octets of UDP payload: the packet just fits either device. */
const UDP = 1360;
/** Ticks a second of /proc/PID/stat. */
const HZ = 100;

type Gateway = { readonly pid: () => Promise<number>; stop(): Promise<void> };
/** ms for a MB and Gbit/s; µs for a packet, and the share that did not arrive. */
type Figure = { readonly cpu: number; readonly rate: number; readonly packet: number; readonly lost: number };

async function main(): Promise<void> {
  const missing = lacking();
  if (missing.length > 0) throw new Error(`this machine lacks ${missing.join(', ')}`);
  await sweep();
  const [rows, packets]: [string[][], string[][]] = [[], []];
  const ciphers = CIPHERS.filter(([name]) => name.toLowerCase().includes(asked.cipher.toLowerCase()));
  if (ciphers.length === 0)
    throw new Error(`no cipher has ${asked.cipher} in its name: ${CIPHERS.map(([name]) => name).join('; ')}`);
  for (const [name, esp] of ciphers) {
    const [theirs, ours]: [(readonly Figure[])[], (readonly Figure[])[]] = [[], []];
    for (let round = 0; round < Number(asked.rounds); round++) {
      theirs.push(await measured(esp, strongswan));
      ours.push(await measured(esp, own));
    }
    for (const [i, direction] of DIRECTIONS.entries()) {
      const [a, b] = [theirs.map((figures) => must(figures[i])), ours.map((figures) => must(figures[i]))];
      const median = (figures: readonly Figure[], of: keyof Figure) => spread(figures.map((figure) => figure[of])).median;
      const ratio = (of: keyof Figure) => shown(spread(b.map((mine, n) => mine[of] / must(a[n])[of])), 2);
      const tcp = [a, b].flatMap((one) => [median(one, 'cpu').toFixed(2), median(one, 'rate').toFixed(2)]);
      rows.push([name, direction, ...tcp, ratio('cpu')]);
      const udp = [a, b].flatMap((one) => [median(one, 'packet').toFixed(1), (100 * median(one, 'lost')).toFixed(2)]);
      packets.push([name, direction, ...udp, ratio('packet')]);
    }
  }
  console.log('CPU time of the gateway in ms per MB of TCP, and Gbit/s; ratio: ours to theirs\n');
  console.log(table(['cipher', 'direction', 'libipsec, ms/MB', 'Gbit/s', 'postern, ms/MB', 'Gbit/s', 'ratio'], rows));
  console.log(
    `\nCPU time of the gateway in µs per packet of UDP with ${UDP} octets, at ${asked.rate} Mbit/s, and what was lost\n`,
  );
  console.log(table(['cipher', 'direction', 'libipsec, µs', '% lost', 'postern, µs', '% lost', 'ratio'], packets));
}

async function measured(esp: string, open: (net: Net, esp: string) => Promise<Gateway>): Promise<readonly Figure[]> {
  const net = await layNet();
  const leaving: (() => Promise<unknown>)[] = [() => net.remove()];
  try {
    const gateway = await open(net, esp);
    leaving.unshift(() => gateway.stop());
    const server = start('iperf3', ['-s', '-B', addresses.lan, '--forceflush'], { namespace: net.gateway });
    leaving.unshift(() => server.stop());
    const charon = await startCharon({
      namespace: net.client,
      swanctl: { connections: connection('vpn', { shape: 'psk', esp }), secrets: clientSecrets() },
    });
    leaving.unshift(() => charon.stop());
    const initiated = await charon.initiate('vpn');
    if (initiated.code !== 0) throw new Error(`the client is not let in:\n${initiated.stdout}`);
    const pid = await gateway.pid();
    await transfer(net, false, Number(asked.warm)); // the compiler is busy, and TCP learns the path
    await transfer(net, true, Number(asked.warm));
    const figures: Figure[] = [];
    for (const reverse of [false, true]) {
      const before = await cpu(pid);
      const { octets, rate } = await transfer(net, reverse, Number(asked.seconds));
      const middle = await cpu(pid);
      const { arrived, lost } = await datagrams(net, reverse, Number(asked.seconds));
      const packet = (1000 * ((await cpu(pid)) - middle)) / arrived;
      figures.push({ cpu: (middle - before) / (octets / 1e6), rate, packet, lost });
    }
    return figures;
  } finally {
    for (const leave of leaving) await leave();
  }
}

function must(figure: Figure | undefined): Figure {
  if (figure === undefined) throw new Error('a direction was not measured');
  return figure;
}

/** Gateway → client when `reverse`. */
async function transfer(
  net: Net,
  reverse: boolean,
  seconds: number,
): Promise<{ readonly octets: number; readonly rate: number }> {
  const args = ['-c', addresses.lan, '-B', '10.10.1.1', '-t', `${seconds}`, '--json', ...(reverse ? ['-R'] : [])];
  const { stdout } = await run('iperf3', args, { namespace: net.client, seconds: seconds + 20 });
  const { end } = JSON.parse(stdout) as { end: { sum_received?: { bytes: number; bits_per_second: number } } };
  if (end.sum_received === undefined) throw new Error(`iperf3: ${stdout}`);
  return { octets: end.sum_received.bytes, rate: end.sum_received.bits_per_second / 1e9 };
}

/** UDP at the rate that was asked for; gateway → client when `reverse`. */
async function datagrams(
  net: Net,
  reverse: boolean,
  seconds: number,
): Promise<{ readonly arrived: number; readonly lost: number }> {
  const udp = ['-u', '-l', `${UDP}`, '-b', `${asked.rate}M`];
  const args = ['-c', addresses.lan, '-B', '10.10.1.1', '-t', `${seconds}`, ...udp, '--json', ...(reverse ? ['-R'] : [])];
  const { stdout } = await run('iperf3', args, { namespace: net.client, seconds: seconds + 20 });
  const { end } = JSON.parse(stdout) as { end: { sum?: { packets: number; lost_packets: number } } };
  if (end.sum === undefined || end.sum.packets === 0) throw new Error(`iperf3: ${stdout}`);
  const { packets, lost_packets: lost } = end.sum;
  return { arrived: packets - lost, lost: lost / packets };
}

/** ms of user and system time so far. */
async function cpu(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / HZ;
}

async function own(net: Net): Promise<Gateway> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-bench-'));
  const file = join(folder, 'gateway.conf');
  await writeFile(file, gatewayConfig({ shape: 'psk' }), { mode: 0o600 });
  const daemon = start(process.execPath, [postern, 'run', '--config', file, '--listen', addresses.gateway], {
    namespace: net.gateway,
  });
  await until('the gateway is ready', () => ready(daemon), 20);
  return {
    pid: () => Promise.resolve(daemon.pid),
    async stop() {
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ready(daemon: Daemon): true | undefined {
  if (daemon.outcome) throw new Error(`the gateway ended:\n${daemon.stderr.join('\n')}`);
  return daemon.stdout.includes('postern: ready') || undefined;
}

async function strongswan(net: Net, esp: string): Promise<Gateway> {
  const charon = await startCharon({
    namespace: net.gateway,
    charon: { threads: 16 },
    swanctl: {
      connections: {
        rw: {
          ...{ version: 2, local_addrs: addresses.gateway, pools: 'inside', unique: 'never' },
          local: { auth: 'psk', id: 'vpn.lab.test' },
          remote: { auth: 'psk' },
          children: { net: { local_ts: '10.50.0.0/24', esp_proposals: esp } },
        },
      },
      pools: { inside: { addrs: '10.10.1.1-10.10.1.20' } },
      secrets: { 'ike-all': { secret: secrets.psk } },
    },
  });
  return { pid: async () => await pidOf(net), stop: () => charon.stop() };
}

/** The charon of the gateway's namespace. */
async function pidOf(net: Net): Promise<number> {
  const { stdout } = await run('ip', ['netns', 'pids', net.gateway]);
  for (const pid of stdout.split(/\s+/).filter(Boolean)) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.startsWith('charon')) return Number(pid);
  }
  throw new Error('no charon in the namespace of the gateway');
}

await main();
