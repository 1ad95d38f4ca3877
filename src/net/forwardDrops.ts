/**
 * Chains of nftables that drop what the machine forwards unless a rule of theirs accepts it: Docker leaves one behind. A drop
 * of one chain counts whatever the others say.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What we read of libnftables-json(5). */
type Place = { readonly family: string; readonly table: string };
type Listed = {
  readonly chain?: Place & { readonly name: string; readonly hook?: string; readonly policy?: string };
  readonly rule?: Place & { readonly expr?: unknown };
};

/** Those of `ip`, `ip6` and `inet`: packets of bridges are not ours. */
const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet'];
/** A host of many containers has many rules. */
const LONGEST = 64 << 20;

/**
 * The chains that would drop, as `nft` names them, from what `nft -j list ruleset` says. A table with a rule about devices of
 * this prefix is spared: somebody has thought of us. Pure; nothing where the text is not understood.
 */
export function droppingIn(text: string, prefix: string): readonly string[] {
  try {
    // The cast is the reader's: what is not as libnftables-json(5) has it is a TypeError below, or fits nothing.
    const listed = (JSON.parse(text) as { readonly nftables: readonly Listed[] }).nftables;
    const place = ({ family, table }: Place) => `${family} ${table}`;
    const known = listed.flatMap(({ rule }) => (rule !== undefined && names(rule.expr, prefix) ? [place(rule)] : []));
    return listed.flatMap(({ chain }) => {
      if (chain?.hook !== 'forward' || chain.policy !== 'drop' || !FAMILIES.includes(chain.family)) return [];
      return known.includes(place(chain)) ? [] : [`${place(chain)} ${chain.name}`];
    });
  } catch {
    return [];
  }
}

/** Does a rule name a device that begins so, by itself, with a `*`, or in a set? */
const names = (expr: unknown, prefix: string): boolean => JSON.stringify(expr ?? null).includes(`"${prefix}`);

/** The chains of this machine. Nothing without nft, or without the right to ask it; never throws. */
export async function forwardDrops(prefix: string): Promise<readonly string[]> {
  const said = promisify(execFile)('nft', ['-j', 'list', 'ruleset'], { maxBuffer: LONGEST, timeout: 10_000 });
  return await said.then(
    ({ stdout }) => droppingIn(stdout, prefix),
    () => [],
  );
}
