/** The inside as a TUN device of this machine, with all that belongs to it, and without it again. */
import type { InnerNetwork, InsideConfig } from './inner.ts';
import { systemCalls } from './native.ts';
import { EnvironmentRefused } from './refusal.ts';
import { configureDevice, configureNat, removeLeftovers } from './system.ts';
import { makeTun, type TunOptions } from './tun.ts';

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
  const tun = makeTun(calls, o);
  /** A table of ours is there. */
  let natted = false;
  const become = async ({ routes, nat }: InsideConfig) => {
    await configureDevice(tun.name, o.mtu, routes);
    const wanted = nat.some(({ masquerade }) => masquerade);
    if (wanted || natted) await configureNat(tun.name, nat);
    natted = wanted;
  };
  try {
    await become(o);
  } catch (error) {
    await tun.close();
    throw error;
  }
  return {
    name: tun.name,
    mtu: tun.mtu,
    send: (octets, at, length) => tun.send(octets, at, length),
    counters: () => tun.counters(),
    become,
    async close() {
      if (natted) await configureNat(tun.name, []).catch(() => undefined); // the next start finds what is left
      await tun.close();
    },
  };
}
