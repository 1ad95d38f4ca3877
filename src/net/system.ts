/**
 * What the machine must know for the inside: the device up, routes of the clients' addresses to it, and masquerade where a
 * policy wants it. `ip` and `nft` are told on their standard input; nothing goes through a shell. Routes go with the device, the
 * table of nft is ours by its name and goes with us, or with the next one of us.
 */
import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type AddressRange, prefixesOf } from './prefixes.ts';
import { codeOf, EnvironmentRefused } from './refusal.ts';

/** One policy's word about addresses of what leaves by another device, in order: the first that fits decides. */
export type NatRule = {
  readonly masquerade: boolean;
  readonly from: readonly AddressRange[];
  readonly to: readonly AddressRange[];
};

/** Followed by the device: whoever else calls a table so takes it upon himself. */
const TABLE = 'postern_masquerade_';
const PROTO = '186'; // of routes: ours, so that people can tell them
const run = promisify(execFile);

/** Lines for `ip -batch`, or `ip -6 -batch`: every pool of the family routed to the device, and nothing else of ours. Pure. */
export function routeLines(device: string, family: 4 | 6, routes: readonly AddressRange[]): string {
  const lines = routes
    .filter(({ start }) => start.length === (family === 4 ? 4 : 16))
    .flatMap((range) => prefixesOf(range))
    .map((prefix) => `route replace ${prefix} dev ${device} proto ${PROTO}`);
  return [`route flush dev ${device} proto ${PROTO}`, ...lines, ''].join('\n');
}

/** The text for `nft -f`: our table as it is to be; without rules only its end. Pure. */
export function nftLines(device: string, rules: readonly NatRule[]): string {
  const table = `inet ${TABLE}${device}`;
  // A table must be there to be deleted: adding it first makes the deletion always succeed.
  const fresh = [`add table ${table}`, `delete table ${table}`];
  if (!rules.some(({ masquerade }) => masquerade)) return [...fresh, ''].join('\n');
  const each = rules.flatMap(({ masquerade, from, to }) =>
    ([4, 16] as const).flatMap((octets) => {
      const family = octets === 4 ? 'ip' : 'ip6';
      const set = (all: readonly AddressRange[]) => all.filter(({ start }) => start.length === octets).flatMap(prefixesOf);
      const [sources, destinations] = [set(from), set(to)];
      if (sources.length === 0 || destinations.length === 0) return [];
      const fits = `${family} saddr { ${sources.join(', ')} } ${family} daddr { ${destinations.join(', ')} }`;
      return [`    ${fits} ${masquerade ? 'masquerade' : 'return'}`];
    }),
  );
  return [
    ...fresh,
    `table ${table} {`,
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    iifname != "${device}" return`,
    `    oifname "${device}" return`,
    ...each,
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Brings the device up and routes the pools to it. Throws EnvironmentRefused with what `ip` said. */
export async function configureDevice(device: string, mtu: number, routes: readonly AddressRange[]): Promise<void> {
  const up = `link set ${device} mtu ${mtu} up\n`;
  await tell('ip', ['-batch', '-'], up + routeLines(device, 4, routes), 'iproute2');
  // A machine may be without IPv6: then there is nothing to be routed, nor to be taken back.
  const wanted = routes.some(({ start }) => start.length === 16);
  const six = tell('ip', ['-6', '-batch', '-'], routeLines(device, 6, routes), 'iproute2');
  await (wanted ? six : six.catch(() => undefined));
}

/** Puts the rules of addresses in force in the place of those before. Throws EnvironmentRefused with what `nft` said. */
export async function configureNat(device: string, rules: readonly NatRule[]): Promise<void> {
  await tell('nft', ['-f', '-'], nftLines(device, rules), 'nftables');
}

/** Tables of ours whose device is gone: somebody of us was killed. Gives their names; never throws. */
export async function removeLeftovers(): Promise<readonly string[]> {
  try {
    const { stdout } = await run('nft', ['list', 'tables']);
    const left: string[] = [];
    for (const [, device = ''] of stdout.matchAll(new RegExp(`^table inet ${TABLE}(\\S+)$`, 'gm'))) {
      if (await isThere(device)) continue;
      await run('nft', ['delete', 'table', 'inet', `${TABLE}${device}`]);
      left.push(device);
    }
    return left;
  } catch {
    return []; // no nft, no right: then there is nothing of ours either
  }
}

async function isThere(device: string): Promise<boolean> {
  return await run('ip', ['link', 'show', 'dev', device]).then(
    () => true,
    () => false,
  );
}

/** Can a program be started by its name? */
export async function hasProgram(name: string): Promise<boolean> {
  return await run(name, ['--version']).then(
    () => true,
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );
}

/** Which families the machine does not forward; with that off packets reach this machine and no other. */
export async function notForwarding(): Promise<readonly string[]> {
  const off: string[] = [];
  for (const [setting, file] of [
    ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['net.ipv6.conf.all.forwarding', '/proc/sys/net/ipv6/conf/all/forwarding'],
  ] as const) {
    const value = await readFile(file, 'utf8').catch(() => '1');
    if (value.trim() === '0') off.push(setting);
  }
  return off;
}

async function tell(program: string, args: readonly string[], text: string, packet: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    if (said.length < 2000) said += piece;
  });
  child.stdin.on('error', () => undefined); // it may have ended already, and said why
  child.stdin.end(text);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((error: unknown) => {
    const why = codeOf(error) === 'ENOENT' ? `${program} is not installed` : `${program}: ${codeOf(error)}`;
    throw new EnvironmentRefused(codeOf(error), `${why}.`, `Install ${packet} (\`apt-get install ${packet}\`).`);
  });
  if (code === 0) return;
  const first = said.trim().split('\n', 1).join('') || `exit code ${code}`;
  throw new EnvironmentRefused(
    'ESYSTEM',
    `${program} refuses: ${first}.`,
    'It needs root or CAP_NET_ADMIN; see `ip link`, `ip route`, `nft list ruleset`.',
  );
}
