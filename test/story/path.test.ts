/**
 * The way between the two (§2.23): NAT detection, the move to port 4500, starting there; and that the gateway follows a peer to
 * another address only for messages that are authentic and fresh.
 */
import { describe, expect, it } from 'vitest';
import { Exchange } from '../../src/wire/index.ts';
import { GATEWAY } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { framed, penOf, seal } from './support/forge.ts';
import { asUser, type Scene, story } from './support/scene.ts';

const INSIDE = '10.0.0.2';
const OUTSIDE = '203.0.113.1';
const behindNat = (s: Scene) => s.net.nat({ inside: [INSIDE, '10.0.0.3'], outside: OUTSIDE });

describe('NAT traversal', () => {
  it(
    'without a NAT everything stays on port 500',
    story({}, async (s) => {
      const client = await s.connected();
      expect(s.gateway.view).toMatchObject({ natMe: false, natPeer: false, remote: { port: 500 }, local: { port: 500 } });
      expect(client.status.path.natt).toBe(false);
      expect(s.gateway.said).toContain('NAT not detected ');
    }),
  );

  it(
    'behind a NAT the client floats to 4500 with its first IKE_AUTH, and the gateway with it',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE, auth: asUser('alice') });
      expect(client.status.nat).toEqual({ local: true, remote: false });
      expect(s.gateway.view).toMatchObject({ natMe: false, natPeer: true, local: { address: GATEWAY, port: 4500 } });
      expect(s.gateway.view.remote).toEqual({ address: OUTSIDE, port: 40_001 });
      expect(s.gateway.said).toContain('NAT detected: PEER');
      expect(s.gateway.said).toContain('remote port change 40000 -> 40001');
      expect(s.gateway.sent.slice(1).every((d) => d.from.port === 4500 && d.octets.subarray(0, 4).every((o) => o === 0))).toBe(
        true,
      );
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'two clients behind one NAT are two',
    story({}, async (s) => {
      behindNat(s);
      const one = await s.connected({ address: INSIDE });
      const two = await s.connected({ address: '10.0.0.3', initialContact: false });
      expect(s.gateway.views.map((v) => v.remote.address)).toEqual([OUTSIDE, OUTSIDE]);
      expect(new Set(s.gateway.views.map((v) => v.remote.port)).size).toBe(2);
      expectAgreement(s.gateway, one);
      expectAgreement(s.gateway, two);
    }),
  );

  it(
    'a client may begin on port 4500, as FortiClient 7.4.8 does',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE, natt: 'start4500' });
      expect(s.gateway.view).toMatchObject({ natPeer: true, local: { port: 4500 }, remote: { port: 40_000 } });
      expect(s.gateway.said.some((line) => line.startsWith('remote port change'))).toBe(false);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'and without a NAT, too',
    story({}, async (s) => {
      const client = await s.connected({ natt: 'start4500' });
      expect(s.gateway.view).toMatchObject({ natMe: false, natPeer: false, local: { port: 4500 }, remote: { port: 4500 } });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'nattraversal forced: the client is made to believe in a NAT that is not there',
    story({ profiles: [{ phase1: { nattraversal: 'forced' } }] }, async (s) => {
      const client = await s.connected();
      expect(client.status.nat?.local).toBe(true);
      expect(s.gateway.view).toMatchObject({ natPeer: true, local: { port: 4500 }, remote: { port: 4500 } });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'nattraversal disable: no hashes in the answer, everything stays on port 500',
    story({ profiles: [{ phase1: { nattraversal: 'disable' } }] }, async (s) => {
      const client = await s.connected();
      expect(client.status.nat).toBeUndefined();
      expect(client.status.notifyNames).not.toContain('NAT_DETECTION_SOURCE_IP');
      expect(s.gateway.view.local.port).toBe(500);
    }),
  );

  it(
    'nattraversal disable, and ESP goes in UDP only: no child, and it is our own setting that is blamed',
    story({ profiles: [{ phase1: { nattraversal: 'disable' } }], encapsulates: true }, async (s) => {
      const client = await s.connect();
      expect(client.at).toBe('established');
      expect(client.installed).toBe(0);
      const [refused] = s.gateway.told('child-refused');
      expect(refused).toMatchObject({ notify: 'NO_PROPOSAL_CHOSEN', why: expect.stringMatching(/set nattraversal enable$/) });
      expect(refused?.why).not.toContain('the peer must');
    }),
  );

  it(
    'ESP goes in UDP only: whoever detects NATs is led to the port of it, none there or not',
    story({ encapsulates: true }, async (s) => {
      const client = await s.connected();
      expect(s.gateway.view).toMatchObject({ local: { port: 4500 }, remote: { port: 4500 } });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'a client that fakes a NAT gets one',
    story({}, async (s) => {
      const client = await s.connected({ fakeNat: true });
      expect(s.gateway.view).toMatchObject({ natPeer: true, remote: { port: 4500 } });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'over IPv6',
    story({ profiles: [{ phase1: { 'ip-version': '6', ...sixInside } }] }, async (s) => {
      const client = await s.connect({ address: '2001:db8:ffff::7', requestAddresses: [4] });
      expect(client.status.why).toBe('');
      expect(s.gateway.view).toMatchObject({ remote: { address: '2001:db8:ffff::7', port: 500 }, natMe: false, natPeer: false });
      expectAgreement(s.gateway, client);
    }),
  );
});
const sixInside = { 'local-gw': undefined };

describe('following a peer that moves', () => {
  it(
    'behind a NAT that was restarted, with the first authentic message that is new',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      s.net.rebootNats();
      client.liveness(s.now);
      await s.settle();
      expect(s.gateway.view.remote).toEqual({ address: OUTSIDE, port: 40_002 });
      expect(s.gateway.said).toContain('remote port change 40001 -> 40002');
      expect(client.status.outcomes).toMatchObject([{ verb: 'liveness', ok: true }]);
    }),
  );

  it(
    'behind a NAT also to another address, and it is told',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      const pen = penOf(client);
      await inject(s, seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 2 }), ELSEWHERE);
      expect(s.gateway.view.remote).toEqual(ELSEWHERE);
      expect(s.gateway.sent.at(-1)?.to).toEqual(ELSEWHERE);
      expect(s.gateway.told('moved')).toMatchObject([{ was: OUTSIDE }]);
      s.forgive(client);
    }),
  );

  it(
    'not to another address when there is no NAT: there only MOBIKE could move it',
    story({}, async (s) => {
      const client = await s.connected();
      await inject(s, seal(penOf(client), { exchange: Exchange.INFORMATIONAL, messageId: 2 }), ELSEWHERE, false);
      expect(s.gateway.view.remote.address).toBe('198.51.100.1');
      expect(s.gateway.told('moved')).toEqual([]);
      expect(s.gateway.sent.at(-1)?.to).toEqual(ELSEWHERE); // an answer goes where its request came from (§2.11)
      s.forgive(client);
    }),
  );

  it(
    'not to an address that its profile does not take (remote-gw-match): such a message is as if it had not come',
    story(
      {
        profiles: [
          {
            phase1: {
              ...{ 'remote-gw-match': 'iprange', 'remote-gw-start-ip': OUTSIDE, 'remote-gw-end-ip': '203.0.113.5' },
            },
          },
        ],
      },
      async (s) => {
        behindNat(s);
        const client = await s.connected({ address: INSIDE });
        const pen = penOf(client);
        const sent = s.gateway.sent.length;
        await staysWithout(s, seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 2 }));
        expect(s.gateway.sent.length).toBe(sent);
        expect(s.gateway.count('drop-misplaced')).toBe(1);
        // from where it may come it is taken
        await inject(s, seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 2 }), { address: '203.0.113.5', port: 9 });
        expect(s.gateway.view.remote.address).toBe('203.0.113.5');
        s.forgive(client);
      },
    ),
  );

  it(
    'never for a message whose checksum is wrong',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      const octets = seal(penOf(client), { exchange: Exchange.INFORMATIONAL, messageId: 2 });
      octets[octets.length - 1] = (octets.at(-1) ?? 0) ^ 1;
      await staysWithout(s, octets);
    }),
  );

  it(
    'never for an authentic message that is old, said again, or too early',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      const pen = penOf(client);
      client.liveness(s.now);
      await s.settle();
      for (const messageId of [0, 1, 2, 4, 5, 0xffff_ffff])
        await staysWithout(s, seal(pen, { exchange: Exchange.INFORMATIONAL, messageId }));
    }),
  );

  it(
    'never for an answer to nothing',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      await staysWithout(s, seal(penOf(client), { exchange: Exchange.INFORMATIONAL, messageId: 0, response: true }));
    }),
  );

  it(
    'never for a fragment of a message that is not complete',
    story({}, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      const said = { exchange: Exchange.INFORMATIONAL, messageId: 2, inner: { first: 0, octets: new Uint8Array(8) } };
      await staysWithout(s, seal(penOf(client), { ...said, fragment: { number: 1, total: 2 } }));
    }),
  );

  it(
    'with the answer to a request of the gateway',
    story({ profiles: [{ phase1: { dpd: 'on-idle', 'dpd-retryinterval': '20' } }] }, async (s) => {
      behindNat(s);
      const client = await s.connected({ address: INSIDE });
      const pen = penOf(client);
      s.net.filter = (d) => d.to.address !== OUTSIDE; // the probe goes out, and its answer comes from elsewhere
      await s.run({ until: () => s.gateway.said.some((line) => line.startsWith('link is idle')) });
      await inject(s, seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 0, response: true }), ELSEWHERE);
      expect(s.gateway.view.remote).toEqual(ELSEWHERE);
      s.forgive(client);
    }),
  );
});

const ELSEWHERE = { address: '203.0.113.99', port: 5555 };

async function inject(s: Scene, octets: Uint8Array, from: { address: string; port: number }, natt = true): Promise<void> {
  s.net.inject({ from, to: { address: GATEWAY, port: natt ? 4500 : 500 }, octets: framed(octets, natt) });
  await s.run({ ms: 20 });
}

/** Says it from elsewhere, and nothing of the path may have changed. */
async function staysWithout(s: Scene, octets: Uint8Array): Promise<void> {
  const { local, remote } = s.gateway.view;
  await inject(s, octets, ELSEWHERE);
  expect(s.gateway.view).toMatchObject({ local, remote });
  expect(s.gateway.told('moved')).toEqual([]);
}
