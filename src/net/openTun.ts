/** The inside as a TUN device of this machine, with all that belongs to it, and without it again. */
import type { InnerNetwork, InsideConfig } from './inner.ts';
import { removeLeftovers } from './masquerade.ts';
import { systemCalls } from './native.ts';
import { EnvironmentRefused } from './refusal.ts';
import { System } from './system.ts';
import { closeDevice, makeTun, type TunOptions } from './tun.ts';

/** Told of devices of ours that are gone and had rules. */
type Leftovers = { readonly onLeftover?: (device: string) => void };

/**
 * Makes the device, brings it up, routes the pools to it; what one of us left behind that was killed is removed first, and told.
 * Rejects with EnvironmentRefused, and then nothing is left of it.
 */
export async function openTun(o: TunOptions & InsideConfig & Leftovers): Promise<InnerNetwork> {
  const calls = await systemCalls();
  if (typeof calls === 'string')
    throw new EnvironmentRefused(
      'ENOSYS',
      `A TUN device cannot be made: ${calls}.`,
      'Install with optional dependencies: `npm ci`.',
    );
  for (const device of await removeLeftovers()) o.onLeftover?.(device);
  const tun = makeTun({ ...calls, close: closeDevice }, o);
  const system = new System(tun.name);
  try {
    await system.up(o.mtu);
    await system.become(o);
  } catch (error) {
    await tun.close();
    throw error;
  }
  return {
    name: tun.name,
    mtu: tun.mtu,
    send: (octets, at, length) => tun.send(octets, at, length),
    counters: () => tun.counters(),
    become: (inside) => system.become(inside),
    routes: (prefixes) => system.routes(prefixes),
    async close() {
      await system.close();
      await tun.close();
    },
  };
}
