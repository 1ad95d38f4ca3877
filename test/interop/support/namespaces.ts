/**
 * Hosts as network namespaces with a wire between them.
 *
 *   client 10.97.0.2, fd97::2 ───────────────────────────── 10.97.0.1, fd97::1 gateway, behind it 10.50.0.1/32, fd50::1
 *   second 10.99.0.2 ── 10.99.0.1 gateway                                             with `second: true`
 *   client 10.98.0.2 ── 10.98.0.1 NAT 10.97.0.2 ─────────── 10.97.0.1 gateway             with `nat: true`
 *
 * Their names carry the process that owns them, so that whatever a crash leaves behind is found and removed by the next run.
 */
import { readFileSync } from 'node:fs';
import { must, run } from './processes.ts';

export const addresses = {
  gateway: '10.97.0.1',
  gateway6: 'fd97::1',
  client: '10.97.0.2',
  client6: 'fd97::2',
  natted: '10.98.0.2',
  second: '10.99.0.2',
  lan: '10.50.0.1',
  lan6: 'fd50::1',
} as const;

export type Net = {
  readonly client: string;
  /** A host of its own beside the client; asked for by `second`. */
  readonly second: string;
  /** The router between client and gateway; asked for by `nat`. */
  readonly nat: string;
  readonly gateway: string;
  /** Drops datagrams of IKE at the gateway from now on; an empty rule ends that. See `loss`. */
  drop(rules: readonly string[]): Promise<void>;
  remove(): Promise<void>;
};

/** nft rules for `Net.drop`: what gets lost on its way to or from the gateway. */
export const loss = {
  random: (percent: number) => [
    `udp dport { 500, 4500 } numgen random mod 100 < ${percent} counter drop`,
    `udp sport { 500, 4500 } numgen random mod 100 < ${percent} counter drop`,
  ],
  /** The gateway's first answer and every second one after it: each request must come twice. */
  everyOtherAnswer: ['udp sport { 500, 4500 } numgen inc mod 2 == 0 counter drop'],
  everything: ['udp dport { 500, 4500 } drop', 'udp sport { 500, 4500 } drop'],
} as const;

const prefix = 'postern-';
let count = 0;

export async function layNet(o: { readonly nat?: boolean; readonly second?: boolean } = {}): Promise<Net> {
  count += 1;
  const name = (host: string) => `${prefix}${process.pid}-${count}-${host}`;
  const [client, gateway, nat, second] = [name('client'), name('gateway'), name('nat'), name('second')];
  const all = [client, gateway, ...(o.nat ? [nat] : []), ...(o.second ? [second] : [])];
  try {
    for (const host of all) await must('ip', ['netns', 'add', host]);
    for (const host of all) await ip(host, ['link set lo up']);
    await ip(gateway, [`address add ${addresses.lan}/32 dev lo`, `address add ${addresses.lan6}/128 dev lo`]);
    if (o.nat) await natBetween(client, nat, gateway);
    else await wire(client, gateway);
    if (o.second) await wireSecond(second, gateway);
    await must('nft', ['-f', '-'], { namespace: gateway, input: dropTable([]) });
  } catch (error) {
    await removeAll(all);
    throw error;
  }
  return {
    client,
    gateway,
    second,
    nat,
    drop: async (rules) => void (await must('nft', ['-f', '-'], { namespace: gateway, input: dropTable(rules) })),
    remove: () => removeAll(all),
  };
}

/** Removes what processes that no longer live left behind. */
export async function sweep(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list']);
  const left = stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(prefix));
  await removeAll(left.filter((name) => !isAlive(Number(name.slice(prefix.length).split('-')[0]))));
}

async function wire(client: string, gateway: string): Promise<void> {
  await pair(client, 'wan', gateway, 'wan');
  await ip(gateway, [`address add ${addresses.gateway}/24 dev wan`, `address add ${addresses.gateway6}/64 dev wan nodad`]);
  await ip(client, [`address add ${addresses.client}/24 dev wan`, `address add ${addresses.client6}/64 dev wan nodad`]);
  await ip(client, [`route add default via ${addresses.gateway}`]);
}

async function wireSecond(second: string, gateway: string): Promise<void> {
  await pair(second, 'wan', gateway, 'wan2');
  await ip(gateway, ['address add 10.99.0.1/24 dev wan2']);
  await ip(second, [`address add ${addresses.second}/24 dev wan`, 'route add default via 10.99.0.1']);
}

async function natBetween(client: string, nat: string, gateway: string): Promise<void> {
  await pair(client, 'wan', nat, 'inside');
  await pair(nat, 'outside', gateway, 'wan');
  await ip(client, [`address add ${addresses.natted}/24 dev wan`, 'route add default via 10.98.0.1']);
  await ip(nat, ['address add 10.98.0.1/24 dev inside', `address add ${addresses.client}/24 dev outside`]);
  await ip(gateway, [`address add ${addresses.gateway}/24 dev wan`]);
  await must('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1'], { namespace: nat });
  await must('nft', ['-f', '-'], {
    namespace: nat,
    input: `table ip nat {
      chain post { type nat hook postrouting priority srcnat; oifname "outside" masquerade random; }
    }`,
  });
}

/** The kernel picks no names here: both ends are made inside their namespaces, the machine's own network is never touched. */
async function pair(left: string, leftName: string, right: string, rightName: string): Promise<void> {
  await must('ip', ['link', 'add', leftName, 'netns', left, 'type', 'veth', 'peer', 'name', rightName, 'netns', right]);
  await ip(left, [`link set ${leftName} up`]);
  await ip(right, [`link set ${rightName} up`]);
}

async function ip(namespace: string, commands: readonly string[]): Promise<void> {
  await must('ip', ['-netns', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

function dropTable(rules: readonly string[]): string {
  const to = rules.filter((rule) => rule.startsWith('udp dport'));
  const from = rules.filter((rule) => rule.startsWith('udp sport'));
  return `table inet lossy
    delete table inet lossy
    table inet lossy {
      chain to { type filter hook input priority 0
        ${to.join('\n')}
      }
      chain from { type filter hook output priority 0
        ${from.join('\n')}
      }
    }`;
}

async function removeAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { stdout } = await run('ip', ['netns', 'pids', name]);
    for (const pid of stdout.split('\n').filter(Boolean).map(Number)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await run('ip', ['netns', 'delete', name]);
  }
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').length > 0;
  } catch {
    return false;
  }
}
