/** Masquerade where a policy wants it: a table of nft that is ours by its name, and goes with us, or with the next one of us. */
import { readFile } from 'node:fs/promises';
import { type AddressRange, prefixesOf } from './prefixes.ts';
import { type Run, runProgram, tell } from './programs.ts';

/** One policy's word about addresses of what leaves by another device, in order: the first that fits decides. */
export type NatRule = {
  readonly masquerade: boolean;
  readonly from: readonly AddressRange[];
  readonly to: readonly AddressRange[];
};

/** Followed by the device: whoever else calls a table so takes it upon himself. */
const TABLE = 'postern_masquerade_';

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

/** Puts the rules of addresses in force in the place of those before, at once. Throws EnvironmentRefused with what `nft` said. */
export async function configureNat(run: Run, device: string, rules: readonly NatRule[]): Promise<void> {
  await tell(run, 'nft', ['-f', '-'], nftLines(device, rules));
}

/**
 * Tables of ours whose device is gone: somebody of us was killed. In doubt a table stays, since its gateway may live. Gives the
 * names of the devices; never throws.
 */
export async function removeLeftovers(run: Run = runProgram, devices = devicesHere): Promise<readonly string[]> {
  const left: string[] = [];
  try {
    const { code, stdout } = await run('nft', ['list', 'tables'], '');
    if (code !== 0) return left;
    for (const [, device = ''] of stdout.matchAll(new RegExp(`^table inet ${TABLE}(\\S+)$`, 'gm'))) {
      const there = await devices(); // anew for each: a gateway may be starting
      if (there === undefined || there.has(device)) continue;
      const deleted = await run('nft', ['delete', 'table', 'inet', `${TABLE}${device}`], '');
      if (deleted.code === 0) left.push(device);
    }
  } catch {
    // no nft, no right: then there is nothing of ours either
  }
  return left;
}

/**
 * The names of all devices, undefined when they cannot be told. /proc/self is of this process' network namespace however it
 * came to be in it; /sys is of whoever mounted it, and would show `nsenter -n` and `unshare -n` the devices of somebody else.
 */
async function devicesHere(): Promise<ReadonlySet<string> | undefined> {
  const text = await readFile('/proc/self/net/dev', 'utf8').catch(() => '');
  const names = new Set(Array.from(text.matchAll(/^\s*([^\s:|]+):/gm), ([, name = '']) => name));
  return names.has('lo') ? names : undefined; // every namespace has one: without it this is no list
}
