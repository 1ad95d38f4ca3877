/**
 * What each of several workers has of a configuration: its part of every pool, its part of the limits. Whole is only what all can
 * hold at once. A configuration that needs somebody who sees every client is for one worker alone; why, is said.
 */
import type { Config, Profile } from '../config/index.ts';
import type { Lane } from '../ike/index.ts';
import type { AddressRange } from '../net/index.ts';
import { compareOctets } from '../wire/index.ts';

type Pool = NonNullable<NonNullable<Profile['modeCfg']>['ipv4']>;

/** Addresses of all clients: the pools of all profiles. */
export function clientsOf({ profiles }: Pick<Config, 'profiles'>): readonly AddressRange[] {
  return poolsOf(profiles, 4).concat(poolsOf(profiles, 6));
}

/** Why so many workers cannot serve this configuration, in words for people; undefined: they can. */
export function notShared(config: Config, workers: number): string | undefined {
  const { profiles, rules } = config;
  const tunnels = new Set(profiles.map(({ name }) => name));
  const between = rules.find(({ accept, srcintf, dstintf }) => {
    const has = (list: readonly string[]) => list.some((name) => name === 'any' || tunnels.has(name));
    return accept && has(srcintf) && has(dstintf);
  });
  // Packets from client to client would have to go from worker to worker.
  if (between !== undefined) return `firewall policy ${between.id} lets clients reach each other`;
  const wide = profiles.find(({ modeCfg }) => modeCfg?.assign !== true);
  // Whose packets from the inside are, would be known by the worker alone that holds the client.
  if (wide !== undefined) return `phase1-interface "${wide.name}" gives its clients no address (mode-cfg, assign-ip)`;
  for (const lane of lanesOf(workers))
    for (const { name, modeCfg } of shareOf(config, lane).profiles)
      for (const [pool, whole] of [
        [modeCfg?.ipv4, profiles.find((p) => p.name === name)?.modeCfg?.ipv4],
        [modeCfg?.ipv6, profiles.find((p) => p.name === name)?.modeCfg?.ipv6],
      ] as const)
        if (whole !== undefined && !hasRoom(pool)) return `the pool of phase1-interface "${name}" is too small`;
  return undefined;
}

export const lanesOf = (count: number): readonly Lane[] => Array.from({ length: count }, (_, index) => ({ index, count }));

/**
 * Its part. Pools that have addresses in common are cut in the same places, so that an address is one worker's in all of them.
 *
 * @returns the same configuration with smaller pools and limits
 */
export function shareOf(config: Config, lane: Lane): Config {
  const { profiles, settings } = config;
  const cuts = ([4, 6] as const).map((family) => blocksOf(poolsOf(profiles, family), lane));
  const part = (value: number) => Math.ceil(value / lane.count);
  return {
    ...config,
    profiles: profiles.map((profile) => {
      const { modeCfg } = profile;
      if (modeCfg === undefined) return profile;
      const [ipv4, ipv6] = [partOf(modeCfg.ipv4, cuts[0] ?? []), partOf(modeCfg.ipv6, cuts[1] ?? [])];
      return { ...profile, modeCfg: { ...modeCfg, ipv4, ipv6 } };
    }),
    settings: {
      ...settings,
      halfOpenCookie: part(settings.halfOpenCookie),
      halfOpenPerAddress: part(settings.halfOpenPerAddress),
      halfOpenMax: part(settings.halfOpenMax),
      saMax: part(settings.saMax),
    },
  };
}

function poolsOf(profiles: Config['profiles'], family: 4 | 6): readonly AddressRange[] {
  return profiles.flatMap(({ modeCfg }) => (family === 4 ? modeCfg?.ipv4?.ranges : modeCfg?.ipv6?.ranges) ?? []);
}

/** Of every stretch of addresses that hang together, the part with the lane's index. */
function blocksOf(ranges: readonly AddressRange[], { index, count }: Lane): readonly AddressRange[] {
  return merged(ranges).flatMap(({ start, end }) => {
    const [first, size] = [toNumber(start), toNumber(end) - toNumber(start) + 1n];
    const border = (i: number) => first + (size * BigInt(i)) / BigInt(count);
    const [from, to] = [border(index), border(index + 1) - 1n];
    return from > to ? [] : [{ start: toOctets(from, start.length), end: toOctets(to, start.length) }];
  });
}

/** Ranges that overlap become one; ranges that only touch may be different people's. */
function merged(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const all: AddressRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => compareOctets(a.start, b.start))) {
    const before = all.at(-1);
    if (before === undefined || compareOctets(start, before.end) > 0) all.push({ start, end });
    else if (compareOctets(end, before.end) > 0) all[all.length - 1] = { start: before.start, end };
  }
  return all;
}

function partOf(pool: Pool | undefined, blocks: readonly AddressRange[]): Pool | undefined {
  if (pool === undefined) return undefined;
  const ranges = pool.ranges.flatMap(({ start, end }) =>
    blocks.flatMap((block) => {
      const first = compareOctets(start, block.start) < 0 ? block.start : start;
      const last = compareOctets(end, block.end) > 0 ? block.end : end;
      return compareOctets(first, last) > 0 ? [] : [{ start: first, end: last }];
    }),
  );
  return { ...pool, ranges };
}

/** An address is left when all that is excluded is taken out. */
function hasRoom(pool: Pool | undefined): boolean {
  if (pool === undefined) return false;
  const out = merged(pool.exclude).map(({ start, end }) => [toNumber(start), toNumber(end)] as const);
  return pool.ranges.some(({ start, end }) => {
    let free = toNumber(start);
    for (const [first, last] of out) if (first <= free && free <= last) free = last + 1n;
    return free <= toNumber(end);
  });
}

const toNumber = (octets: Uint8Array): bigint => octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);

function toOctets(value: bigint, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) octets[i] = Number(rest & 255n);
  return octets;
}
