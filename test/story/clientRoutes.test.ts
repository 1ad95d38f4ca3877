/**
 * Clients without an address of ours, with a network behind them (`mode-cfg disable`, add-route): what is routed follows their
 * children, and packets go to that network and come from it.
 */
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/index.ts';
import { Traffic } from '../../src/daemon/traffic.ts';
import { type LabClient, type LabOptions, selector } from '../../src/lab/index.ts';
import { makeInner, readInner } from '../../src/lab/inner.ts';
import type { InnerNetwork } from '../../src/net/index.ts';
import { configOf } from '../support/configs.ts';
import { type Scene, type SceneOptions, story, type Wish } from './support/scene.ts';

const BEHIND_US = Uint8Array.of(10, 50, 0, 1);
const BEHIND_IT = Uint8Array.of(192, 168, 7, 9);
const noPool = { 'mode-cfg': undefined, 'ipv4-start-ip': undefined, 'ipv4-end-ip': undefined };
const branches = (more: Readonly<Record<string, string>> = {}): SceneOptions => ({
  profiles: [{ phase1: noPool, phase2: { 'dst-subnet': '192.168.0.0 255.255.0.0', ...more } }],
});

type Inside = {
  readonly traffic: Traffic;
  /** What was to be routed, each time. */
  readonly put: string[][];
  readonly notes: string[];
  /** Packets that came out. */
  readonly came: Uint8Array[];
  /** A packet of the inside. */
  send(packet: Uint8Array): void;
};

/** A data plane with a network that only remembers. */
async function inside(s: Scene): Promise<Inside> {
  const { gateway } = s;
  const [put, notes, came]: [string[][], string[], Uint8Array[]] = [[], [], []];
  const traffic = new Traffic(gateway.config, [], {
    now: () => s.now,
    forward: (from, to, octets, at, length) => gateway.send({ from, to, octets: octets.slice(at, at + length) }),
    command: (command) => gateway.command(command),
    espKeys: () => undefined,
    networks: () => [{ start: Uint8Array.of(192, 168, 1, 0), end: Uint8Array.of(192, 168, 1, 255) }],
    note: (why) => void notes.push(why),
  });
  let onPacket: (octets: Uint8Array, at: number, length: number) => void = () => undefined;
  const inner: InnerNetwork = {
    ...{ name: 'inner0', mtu: 1400, counters: () => ({}), become: () => Promise.resolve(), close: () => Promise.resolve() },
    send: (octets, at, length) => {
      came.push(octets.slice(at, at + length));
      return true;
    },
    routes: (prefixes) => {
      put.push([...prefixes]);
      return Promise.resolve([]);
    },
  };
  await traffic.open((o) => {
    onPacket = o.onPacket;
    return Promise.resolve(inner);
  });
  gateway.traffic = {
    child: (output) => traffic.child(output),
    esp: ({ octets, from, to }) => traffic.esp(octets, 0, octets.length, from, to),
  };
  return { traffic, put, notes, came, send: (packet) => onPacket(packet, 0, packet.length) };
}

const told = (o: SceneOptions, play: (s: Scene, i: Inside) => Promise<void>) =>
  story(o, async (s) => {
    const i = await inside(s);
    await play(s, i);
    await i.traffic.close();
  });

const branch = (more: Wish = {}): Wish => ({
  ...{ fakeNat: true, requestAddresses: [], TSi: [selector('192.168.7.0-192.168.7.255')], ...more },
});
const settled = async (s: Scene) => {
  await s.settle();
  await new Promise((resolve) => setImmediate(resolve));
};
const udp = (source: Uint8Array, destination: Uint8Array) => {
  const packet = makeInner({ source, destination, protocol: 17 }, Uint8Array.of(0, 7, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4), 6);
  return packet;
};

describe('a network behind a client', () => {
  it(
    'is routed with its child, also through rekeys, and no longer than that',
    told(branches(), async (s, { put, notes }) => {
      const client = await s.connected(branch());
      await settled(s);
      expect(put).toEqual([['192.168.7.0/24']]);
      client.rekeyChild(s.now);
      await settled(s);
      s.gateway.command({ do: 'rekey-child', spi: [...s.gateway.installed.keys()].at(-1) ?? 0 });
      await settled(s);
      client.rekeyIke(s.now);
      await settled(s);
      expect(s.gateway.everInstalled.length).toBe(3);
      expect(new Set(put.map((all) => all.join()))).toEqual(new Set(['192.168.7.0/24']));
      client.deleteIke(s.now);
      await settled(s);
      expect(put.at(-1)).toEqual([]);
      expect(notes).toEqual([]);
    }),
  );

  it(
    'gets what is sent to it, and is heard',
    told(branches(), async (s, { came, send }) => {
      const heard: Uint8Array[] = [];
      const onInner: LabOptions['onInner'] = (packet) => void heard.push(packet.slice());
      const client: LabClient = await s.connected(branch({ onInner }));
      send(udp(BEHIND_US, BEHIND_IT));
      await s.run({ ms: 100 });
      expect(heard.map((packet) => readInner(packet))).toMatchObject([{ source: BEHIND_US, destination: BEHIND_IT }]);
      client.inner(udp(BEHIND_IT, BEHIND_US), s.now);
      await s.run({ ms: 100 });
      expect(came.map((packet) => readInner(packet))).toMatchObject([{ source: BEHIND_IT, destination: BEHIND_US }]);
    }),
  );

  it(
    'that this machine is in itself is not routed, and that is said',
    told(branches(), async (s, { put, notes }) => {
      await s.connected(branch({ TSi: [selector('192.168.0.0-192.168.3.255')] }));
      await settled(s);
      expect(put.flat()).toEqual([]);
      expect(notes).toMatchObject([expect.stringContaining('this machine is itself in 192.168.1.0-192.168.1.255')]);
    }),
  );

  it(
    'is not routed with add-route disable; another configuration can change that',
    told(branches({ 'add-route': 'disable' }), async (s, { traffic, put }) => {
      await s.connected(branch());
      await settled(s);
      expect(put).toEqual([]);
      const next: Config = configOf(branches({ 'add-route': 'enable' }));
      await traffic.reload(next, []);
      await settled(s);
      expect(put.at(-1)).toEqual(['192.168.7.0/24']);
    }),
  );

  it(
    'is not routed for a client with a lease, whatever it may choose: packets from there are dropped',
    told({ profiles: [{ phase1: { 'mode-cfg-allow-client-selector': 'enable' } }] }, async (s, { put, came }) => {
      const client = await s.connected({ ...branch(), requestAddresses: [4] });
      await settled(s);
      expect(put.flat()).toEqual([]);
      client.inner(udp(BEHIND_IT, BEHIND_US), s.now);
      await s.run({ ms: 100 });
      expect(came).toEqual([]);
    }),
  );
});
