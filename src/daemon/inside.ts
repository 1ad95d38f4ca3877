/** The inside that a gateway usually has: a TUN device, the pools routed to it, masquerade where a policy says so. */
import type { Config } from '../config/index.ts';
import type { Journal } from '../log/index.ts';
import { notForwarding, openTun } from '../net/index.ts';
import { insideOf, type OpenInner } from './traffic.ts';

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
