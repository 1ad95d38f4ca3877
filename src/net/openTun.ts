/** The inside as a TUN device of this machine, with all that belongs to it, and without it again. */
import type { InnerNetwork } from './inner.ts';
import { systemCalls } from './native.ts';
import type { AddressRange } from './prefixes.ts';
import { EnvironmentRefused } from './refusal.ts';
import { configureDevice, configureNat, type NatRule, removeLeftovers } from './system.ts';
import { makeTun, type TunOptions } from './tun.ts';

export type InsideConfig = { readonly routes: readonly AddressRange[]; readonly nat: readonly NatRule[] };

/** Makes the device, brings it up, routes the pools to it. Rejects with EnvironmentRefused, and then nothing is left of it. */
export async function openTun(o: TunOptions & InsideConfig): Promise<InnerNetwork> {
  const calls = await systemCalls();
  if (typeof calls === 'string')
    throw new EnvironmentRefused(
      'ENOSYS',
      `A TUN device cannot be made: ${calls}.`,
      'Install with optional dependencies: `npm ci`.',
    );
  await removeLeftovers();
  const tun = makeTun(calls, o);
  const natted = o.nat.some(({ masquerade }) => masquerade);
  try {
    await configureDevice(tun.name, o.mtu, o.routes);
    if (natted) await configureNat(tun.name, o.nat);
  } catch (error) {
    await tun.close();
    throw error;
  }
  return {
    name: tun.name,
    mtu: tun.mtu,
    send: (octets, at, length) => tun.send(octets, at, length),
    counters: () => tun.counters(),
    async close() {
      if (natted) await configureNat(tun.name, []).catch(() => undefined); // the next start finds what is left
      await tun.close();
    },
  };
}
