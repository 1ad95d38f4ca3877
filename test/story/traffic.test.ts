/** Traffic through a real handshake: lab client, engine, data plane and lab host, in virtual time; rekeys lose nothing. */
import { describe, expect, it } from 'vitest';
import { type LabClient, ping, tcpEcho, udpEcho } from '../../src/lab/index.ts';
import { FAIR } from '../support/net.ts';
import { type Scene, type SceneOptions, story, type Wish } from './support/scene.ts';
import { BEHIND, done, gatewayIke, pass, told, up } from './support/traffic.ts';

describe('through the tunnel', () => {
  it(
    'ping, UDP and TCP',
    told({}, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      expect(await done(s, ping(tunnel, BEHIND))).toMatchObject({ sent: 4, received: 4 });
      expect(await done(s, udpEcho(tunnel, BEHIND, Uint8Array.of(1, 2, 3)))).toEqual(Uint8Array.of(1, 2, 3));
      const data = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff);
      expect(await done(s, tcpEcho(tunnel, BEHIND, data))).toEqual(data);
      expect(await done(s, tcpEcho(tunnel, BEHIND, data, { port: 80 }))).toBeUndefined();
      expect(await done(s, ping(tunnel, '10.50.0.200', { count: 1 }))).toMatchObject({ sent: 1, received: 0 });
      expect(client.status.esp.drops).toEqual({});
      return traffic;
    }),
  );

  it(
    'TCP comes through a network that loses and turns around',
    told({ weather: {} }, async (s) => {
      const { tunnel, traffic } = await up(s);
      s.net.weather = { delay: [5, 40], loss: 0.05, duplicate: 0.05 };
      const data = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 3) & 0xff);
      expect(await done(s, tcpEcho(tunnel, BEHIND, data, { wait: 300_000 }))).toEqual(data);
      return traffic;
    }),
  );

  it(
    'in the clear, where the phase 2 says so, and with the window of the settings',
    told({ profiles: [{ phase2: { proposal: 'null-sha256' } }], settings: { 'replay-window': '128' } }, async (s) => {
      const { client, tunnel, traffic } = await up(s, { espProposals: ['aes256gcm', 'null-sha256'] });
      expect(client.status.children).toMatchObject([{ suite: { encr: 11, integ: 12 } }]);
      expect(traffic.view().sas).toMatchObject([{ window: 128 }]);
      expect(await done(s, ping(tunnel, BEHIND))).toMatchObject({ sent: 4, received: 4 });
      return traffic;
    }),
  );

  it(
    'never in the clear where it does not: a client that wants nothing else has no child',
    story({}, async (s) => {
      const client = await s.connect({ espProposals: ['null-sha256', 'null-sha1'] });
      expect(client.installed).toBe(0);
      expect(s.gateway.told('child-refused')).toMatchObject([{ notify: 'NO_PROPOSAL_CHOSEN' }]);
    }),
  );

  it(
    'nothing after the end',
    told({}, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      client.deleteIke(s.now);
      await s.run({ ms: 100 });
      expect(await done(s, ping(tunnel, BEHIND, { count: 2 }))).toMatchObject({ sent: 2, received: 0 });
      expect(client.status.esp).toMatchObject({ outPackets: 0, drops: { 'no-child': 2 } });
      return traffic;
    }),
  );
});

describe('a rekey loses no packet', () => {
  const kinds: readonly (readonly [string, Wish, (s: Scene, client: LabClient) => void, SceneOptions])[] = [
    ['of the child, by the client', {}, (s, c) => c.rekeyChild(s.now), {}],
    [
      'of the child with ESN, by the client',
      { esn: 'yes' },
      (s, c) => c.rekeyChild(s.now),
      { profiles: [{ phase1: { esn: 'require' } }] },
    ],
    ['of the IKE SA, by the client', {}, (s, c) => c.rekeyIke(s.now), {}],
    [
      'of the child, by the gateway',
      {},
      (s) => s.gateway.command({ do: 'rekey-child', spi: [...s.gateway.installed.keys()].at(-1) ?? 0 }),
      {},
    ],
  ];
  it.each(kinds)('%s', async (_, wish, rekey, o) => {
    await told(o, async (s) => {
      const { client, tunnel, traffic } = await up(s, wish);
      s.net.weather = { ...FAIR, delay: [5, 40] }; // packets overtake the exchange that tells of their SA
      const before = { children: s.gateway.everInstalled.length, ike: client.status.SPIi };
      const pinging = ping(tunnel, BEHIND, { count: 100, interval: 3 });
      for (let round = 0; round < 3; round += 1) {
        await pass(s, 60);
        rekey(s, client);
      }
      await pass(s, 120);
      expect(await done(s, pinging)).toMatchObject({ sent: 100, received: 100 });
      await s.settle();
      const fresh = s.gateway.everInstalled.length - before.children;
      if (client.status.SPIi === before.ike) expect(fresh).toBe(3);
      else expect(fresh).toBe(0);
      expect(client.status.esp).toEqual({ inPackets: 100, outPackets: 100, drops: {} });
      expect(traffic.counters()).toMatchObject({ inPackets: 100, outPackets: 100, labIcmp: 100 });
      return traffic;
    })();
  });

  it(
    'of the child, by the client, that hears of it late: the first answer is lost',
    told({}, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      const pinging = ping(tunnel, BEHIND, { count: 1500, interval: 3 });
      await pass(s, 60);
      let lost = 0;
      s.net.filter = (d) => {
        const ike = gatewayIke(d);
        if (ike) lost += 1;
        return !ike || lost > 1;
      };
      client.rekeyChild(s.now);
      expect(await done(s, pinging)).toMatchObject({ sent: 1500, received: 1500 });
      expect([lost, s.gateway.everInstalled.length]).toEqual([3, 2]); // the answer twice, and that to the Delete
      expect(client.status.esp).toEqual({ inPackets: 1500, outPackets: 1500, drops: {} });
      return traffic;
    }),
  );

  it(
    'of the IKE SA and of the child, by the gateway when their time has come',
    told({ profiles: [{ phase1: { keylife: '300' }, phase2: { keylifeseconds: '120' } }] }, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      const { SPIi } = client.status;
      expect(await done(s, ping(tunnel, BEHIND, { count: 400, interval: 1000 }))).toMatchObject({ sent: 400, received: 400 });
      expect(client.status.SPIi).not.toBe(SPIi);
      expect(s.gateway.everInstalled.length).toBeGreaterThan(2);
      expect(client.status.esp).toEqual({ inPackets: 400, outPackets: 400, drops: {} });
      return traffic;
    }),
  );
});
