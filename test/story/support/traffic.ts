/** Stories with traffic: a gateway with a data plane and the lab host behind it, and a client that sends through it. */
import { Traffic } from '../../../src/daemon/traffic.ts';
import type { LabClient, LabOptions, Tunnel } from '../../../src/lab/index.ts';
import { labHost } from '../../../src/net/index.ts';
import { isEsp } from '../../../src/wire/index.ts';
import { GATEWAY } from '../../support/configs.ts';
import type { Datagram } from '../../support/net.ts';
import { VirtualWorld } from '../../support/virtualWorld.ts';
import { type Scene, type SceneOptions, story, type Wish } from './scene.ts';

/** A host of the inside, which answers. */
export const BEHIND = '10.50.0.1';
const range = (a: number, b: number) => ({ start: Uint8Array.of(10, 50, 0, a), end: Uint8Array.of(10, 50, 0, b) });

/** Gives the gateway of a scene a data plane with the lab host behind it. */
async function withTraffic(s: Scene): Promise<Traffic> {
  const { gateway } = s;
  const traffic = new Traffic(gateway.config, [], {
    now: () => s.now,
    forward: (from, to, octets, at, length) => gateway.send({ from, to, octets: octets.slice(at, at + length) }),
    command: (command) => gateway.command(command),
    espKeys: () => undefined,
    networks: () => [],
    note: () => undefined,
  });
  await traffic.open((o) => Promise.resolve(labHost({ ...o, prefixes: [range(0, 127)] })));
  gateway.traffic = {
    child: (output) => traffic.child(output),
    esp: ({ octets, from, to }) => traffic.esp(octets, 0, octets.length, from, to),
  };
  return traffic;
}

export type Up = { readonly client: LabClient; readonly tunnel: Tunnel; readonly traffic: Traffic };

/** A client that is up, and its tunnel in virtual time. */
export async function up(s: Scene, wish: Wish = {}): Promise<Up> {
  const traffic = await withTraffic(s);
  const listeners = new Set<(packet: Uint8Array) => void>();
  const onInner: LabOptions['onInner'] = (packet) => {
    for (const listener of [...listeners]) listener(packet);
  };
  const client = await s.connected({ fakeNat: true, onInner, ...wish });
  const world = new VirtualWorld(s.clock, '198.51.100.200');
  s.net.attach(world);
  const tunnel: Tunnel = {
    world,
    status: { assigned: client.status.assigned },
    inner: (packet) => client.inner(packet, s.now),
    onInner: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { client, tunnel, traffic };
}

/** IKE that the gateway sends, not ESP, on the NAT-T port. */
export const gatewayIke = ({ from, octets }: Datagram): boolean => from.address === GATEWAY && !isEsp(octets, 0, octets.length);

/** Lets time pass in steps short enough for those who wait for it to act in between. */
export async function pass(s: Scene, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP) {
    await s.run({ ms: STEP });
    await new Promise(setImmediate);
  }
}
const STEP = 3;

/** Plays until that is done. */
export async function done<T>(s: Scene, work: Promise<T>): Promise<T> {
  let over = false;
  const end = work.finally(() => {
    over = true;
  });
  for (let i = 0; i < 100_000 && !over; i += 1) {
    await s.run({ ms: 10 });
    await Promise.resolve();
  }
  return await end;
}

export const told = (o: SceneOptions, play: (s: Scene) => Promise<Traffic>) =>
  story(o, async (s) => {
    const traffic = await play(s);
    await traffic.close();
  });
