/** The inside that a gateway usually has: a TUN device, the pools routed to it, masquerade where a policy says so. */
import type { Config } from '../config/index.ts';
import type { Journal } from '../log/index.ts';
import { type InsideConfig, notForwarding, openTun } from '../net/index.ts';
import type { OpenInner } from './traffic.ts';

const DEVICE = 'postern%d';
/** What fits into 1500 octets over IPv6 with the longest of all transforms; the data plane knows each SA's own. */
const MTU = 1390;

/** Opens it, and says when the machine would not forward. */
export function tunDevice(config: Config, journal: Journal): OpenInner {
  return async (o) => {
    const inner = await openTun({ ...o, ...insideOf(config), name: DEVICE, mtu: MTU });
    for (const setting of await notForwarding())
      journal.note('warn', `${setting} is 0: clients reach this machine and nothing behind it`, {
        fix: `sysctl -w ${setting}=1`,
      });
    return inner;
  };
}

/** What the machine must know of a configuration: pools and policies. */
export function insideOf({ profiles, rules }: Pick<Config, 'profiles' | 'rules'>): InsideConfig {
  const tunnels = new Set(profiles.map(({ name }) => name));
  const routes = profiles.flatMap(({ modeCfg }) => [...(modeCfg?.ipv4?.ranges ?? []), ...(modeCfg?.ipv6?.ranges ?? [])]);
  const nat = rules
    .filter(({ accept, srcintf }) => accept && srcintf.some((name) => name === 'any' || tunnels.has(name)))
    .map(({ nat: masquerade, from, to }) => ({ masquerade, from, to }));
  return { routes, nat };
}
