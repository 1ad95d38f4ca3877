/**
 * The inside: a TUN device, the pools routed to it, masquerade where a policy says so; or, for trying out, a host in this process
 * that answers echo.
 */
import { type Config, isWhole, rangeOf } from '../config/index.ts';
import { type AddressRange, labHost, largestMtu, notForwarding, openTun } from '../net/index.ts';
import { addressText } from '../wire/index.ts';
import type { GatewayWorld } from './gateway.ts';
import { insideOf, type OpenInner } from './traffic.ts';

/** `%d`: the first number that is free. */
export const DEVICE = 'postern%d';
/** What the longest of all transforms adds, over IPv6; the data plane knows each SA's own. */
const LONGEST_OVERHEAD = 110;
/** RFC 8200 §5: a device with less carries no IPv6. */
const LEAST = 1280;

/** What is wished for: a TUN device; or the lab host, and where it answers. */
export type InsideWish = { readonly kind: 'tun' } | { readonly kind: 'lab'; readonly nets?: readonly AddressRange[] };

type Note = GatewayWorld['note'];

/** @param listen the gateway's own addresses: the device carries what their interfaces can */
export const insideOpener = (wish: InsideWish, config: Config, listen: readonly string[], note: Note): OpenInner =>
  wish.kind === 'tun' ? tunDevice(config, listen, note) : labInside(config, wish.nets);

/** Opens it, and says what an earlier one left. */
function tunDevice(config: Config, listen: readonly string[], note: Note): OpenInner {
  return async (o) => {
    const onLeftover = (device: string) =>
      note('warn', `an earlier gateway was killed: its rules of address translation are removed`, { device });
    const mtu = Math.max(LEAST, (await largestMtu(listen)) - LONGEST_OVERHEAD);
    return await openTun({ ...o, ...insideOf(config), name: DEVICE, mtu, onLeftover });
  };
}

/** Says when the machine would not forward what comes out of a TUN device. */
export async function warnOfForwarding(note: Note): Promise<void> {
  for (const setting of await notForwarding())
    note('warn', `${setting} is 0: clients reach this machine and nothing behind it`, { fix: `sysctl -w ${setting}=1` });
}

/** What answers when a configuration names no destination of its own. */
const LAB: readonly AddressRange[] = [
  { start: Uint8Array.of(10, 50, 0, 0), end: Uint8Array.of(10, 50, 0, 255) },
  { start: lab6(0), end: lab6(0xff) },
];
/** fd50::/64 */
function lab6(host: number): Uint8Array {
  return Uint8Array.of(0xfd, 0x50, 0, 0, 0, 0, 0, 0, ...new Uint8Array(8).fill(host));
}

/**
 * A host in this process in the place of the network behind the gateway. It answers on these addresses; without any, on those
 * that the policies and split tunnels of the configuration name, as long as that is not the whole of an address family.
 */
export function labInside(config: Config, prefixes: readonly AddressRange[] = []): OpenInner {
  const wanted = prefixes.length > 0 ? prefixes : namedBy(config);
  const answers = wanted.length > 0 ? wanted : LAB;
  const places = answers.map(({ start, end }) => `${addressText(start)}-${addressText(end)}`);
  const more = places.length > MOST_NAMED ? ' and others' : '';
  const name = `the lab host, which answers ping on ${places.slice(0, MOST_NAMED).join(', ')}${more}`;
  return (o) => Promise.resolve(labHost({ ...o, name, prefixes: answers }));
}

const MOST_NAMED = 4;

function namedBy({ profiles, rules }: Config): readonly AddressRange[] {
  const byPolicy = rules.filter(({ accept }) => accept).flatMap(({ to }) => to);
  const bySplit = profiles.flatMap(({ modeCfg }) => [...(modeCfg?.splitInclude4 ?? []), ...(modeCfg?.splitInclude6 ?? [])]);
  const all = [...byPolicy, ...bySplit.map(rangeOf)];
  const texts = new Set<string>();
  return all.filter((range) => {
    const text = `${range.start}-${range.end}`;
    if (isWhole(range) || texts.has(text)) return false;
    texts.add(text);
    return true;
  });
}
