/** Liveness (§2.4): the client asks, the gateway asks (dpd), and a client that is gone gives back what it had. */
import { describe, expect, it } from 'vitest';
import { Exchange } from '../../src/wire/index.ts';
import type { Words } from '../support/configs.ts';
import { framed, penOf, seal } from './support/forge.ts';
import { asPsk, messages, type Scene, story } from './support/scene.ts';

const dpd = (words: Words) => ({ profiles: [{ phase1: { 'dpd-retryinterval': '20', 'dpd-retrycount': '3', ...words } }] });
/** Requests that the gateway began, with the moment of each datagram. */
const asked = (s: Scene) => s.gateway.sent.filter((d) => ((messages([d])[0]?.[19] ?? 0x20) & 0x20) === 0);
const seconds = (s: Scene, since: number): readonly number[] => asked(s).map((d) => Math.round((d.at - since) / 1000));

describe('the client asks', () => {
  it(
    'every five seconds, as FortiClient 7.4.0 does: each is answered, and no address moves',
    story({}, async (s) => {
      const client = await s.connected();
      for (let i = 0; i < 20; i++) {
        await s.run({ ms: 5000 });
        // HDR, SK {}  -->  <--  HDR, SK {}
        client.liveness(s.now);
      }
      await s.settle();
      expect(client.status.outcomes.every((o) => o.ok)).toBe(true);
      expect(s.gateway.count('INFORMATIONAL')).toBe(20);
      expect(s.gateway.said.filter((line) => line === 'received informational request')).toHaveLength(20);
      expect(s.gateway.leased).toBe(1);
    }),
  );

  it(
    'and unknown notifies, configuration and vendor IDs in it do not matter (§1.4)',
    story({}, async (s) => {
      const client = await s.connected();
      client.informational(s.now, [
        { kind: 'N', name: 'UNKNOWN', type: 40_999, protocol: 0, spi: new Uint8Array(0), data: new Uint8Array(9) },
        { kind: 'V', data: new Uint8Array(16) },
        { kind: 'CP', cfgType: 1, attributes: [{ type: 7, value: new Uint8Array(0) }] },
        { kind: 'UNKNOWN', type: 200, critical: false, data: new Uint8Array(3) },
      ]);
      await s.settle();
      expect(client.status.outcomes).toEqual([{ verb: 'informational', ok: true, why: '' }]);
      expect(s.gateway.view.at).toBe('established');
    }),
  );
});

describe('the gateway asks', () => {
  it(
    'dpd on-idle: a silent client is asked every interval, and stays while it answers',
    story(dpd({ dpd: 'on-idle' }), async (s) => {
      await s.connected();
      const since = s.now;
      await s.run({ ms: 125_000 });
      expect(seconds(s, since)).toEqual([20, 40, 60, 80, 100, 120]);
      expect(s.gateway.view.at).toBe('established');
      expect(s.gateway.said).toContain('link is idle, send IKEv2 DPD probe, seqno 6');
    }),
  );

  it(
    'a client that speaks by itself is not asked',
    story(dpd({ dpd: 'on-idle' }), async (s) => {
      const client = await s.connected();
      for (let i = 0; i < 12; i++) {
        await s.run({ ms: 10_000 });
        client.liveness(s.now);
      }
      await s.settle();
      expect(asked(s)).toEqual([]);
    }),
  );

  it(
    'what is not authentic or not fresh does not count as life',
    story(dpd({ dpd: 'on-idle' }), async (s) => {
      const client = await s.connected();
      const since = s.now;
      const pen = penOf(client);
      await s.run({ ms: 15_000 });
      const forged = seal({ ...pen, out: pen.back }, { exchange: Exchange.INFORMATIONAL, messageId: 2 });
      const again = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 1 });
      for (const octets of [forged, again])
        s.net.inject({ from: client.status.path.local, to: client.status.path.remote, octets: framed(octets, false) });
      await s.run({ ms: 10_000 });
      expect(seconds(s, since)).toEqual([20]);
    }),
  );

  it(
    'a dead client is asked as often as dpd-retrycount says by the same octets; then its SA ends and its address is free',
    story(dpd({ dpd: 'on-idle', 'dpd-retrycount': '4' }), async (s) => {
      const client = await s.connected();
      const since = s.now;
      s.net.filter = (d) => d.from.address !== '198.51.100.1' && d.to.address !== '198.51.100.1';
      await s.run({ ms: 99_000 });
      expect(seconds(s, since)).toEqual([20, 40, 60, 80]);
      expect(new Set(asked(s).map((d) => d.octets.join())).size).toBe(1);
      expect(s.gateway.view.at).toBe('established');
      expect(s.gateway.leased).toBe(1);
      await s.run({ ms: 2000 });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'dead-peer', assigned: '10.10.1.1' }]);
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'dead-peer' }]);
      expect(s.gateway.leased).toBe(0);
      expect(s.gateway.views).toEqual([]);
      expect(s.gateway.said).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/retransmission timeout$/),
          expect.stringMatching(/^expiring IKE SA/),
          'mode-cfg release 10.10.1.1/255.255.255.255',
          'deleted',
        ]),
      );
      s.forgive(client);
    }),
  );

  it(
    'one answer in time is enough',
    story(dpd({ dpd: 'on-idle' }), async (s) => {
      await s.connected();
      const since = s.now;
      s.net.filter = (d) => d.to.address !== '198.51.100.1';
      await s.run({ ms: 55_000 });
      s.net.filter = () => true;
      await s.run({ ms: 60_000 });
      expect(seconds(s, since)).toEqual([20, 40, 60, 80, 100]);
      expect(s.gateway.view.at).toBe('established');
    }),
  );

  it(
    'dpd on-demand: without traffic to judge by it asks after three intervals, so that no dead peer keeps its address for a day',
    story(dpd({ dpd: 'on-demand' }), async (s) => {
      await s.connected();
      const since = s.now;
      await s.run({ ms: 130_000 });
      expect(seconds(s, since)).toEqual([60, 120]);
    }),
  );

  it(
    'dpd disable: nobody asks, whatever happens',
    story(dpd({ dpd: 'disable' }), async (s) => {
      await s.connected();
      await s.run({ ms: 3_600_000 });
      expect(asked(s)).toEqual([]);
    }),
  );

  it(
    'a freed address goes to the next who asks, and the dead one comes back to another',
    story(
      { profiles: [{ phase1: { dpd: 'on-idle', 'ipv4-end-ip': '10.10.1.1' } }], settings: { 'lease-linger': '0' } },
      async (s) => {
        const dead = await s.connected({ auth: asPsk('one.lab.test') });
        s.net.filter = (d) => d.from.address !== '198.51.100.1' && d.to.address !== '198.51.100.1';
        const early = await s.connect({ auth: asPsk('two.lab.test') });
        expect(early.status.notifyNames).toContain('INTERNAL_ADDRESS_FAILURE');
        await s.run({ until: () => s.gateway.leased === 0 });
        const next = await s.connected({ auth: asPsk('three.lab.test') });
        expect(next.status.assigned).toEqual(['10.10.1.1']);
        s.forgive(dead);
      },
    ),
  );
});
