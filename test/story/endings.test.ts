/** How SAs end (§1.4.1): deletes of both kinds by the client, twice, or of what is not there; an operator's delete; shutdown. */
import { describe, expect, it } from 'vitest';
import { Exchange, notify, type Payload } from '../../src/wire/index.ts';
import { GATEWAY } from '../support/configs.ts';
import { open, type Pen, penOf, seal } from './support/forge.ts';
import { asCertificate, asPsk, asUser, byCertificate, messages, type Scene, story } from './support/scene.ts';

const CLIENT = '198.51.100.1';
const spi = (n: number): Uint8Array => Uint8Array.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
const deleteOf = (...spis: readonly number[]): Payload => ({ kind: 'D', protocol: 3, spiSize: 4, spis: spis.map(spi) });
const deleteIke: Payload = { kind: 'D', protocol: 1, spiSize: 0, spis: [] };

/** An INFORMATIONAL in the client's name; gives the payloads of the answer. */
async function say(s: Scene, pen: Pen, messageId: number, payloads: readonly Payload[]): Promise<readonly Payload[] | undefined> {
  const before = s.gateway.sent.length;
  const octets = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId, payloads });
  s.net.inject({ from: { address: CLIENT, port: 500 }, to: { address: GATEWAY, port: 500 }, octets });
  await s.run({ ms: 20 });
  const [answer] = messages(s.gateway.sent.slice(before));
  return answer && open(pen, answer);
}

describe('the client deletes', () => {
  it(
    'the IKE SA: everything comes back, and the story is told',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      await s.run({ ms: 60_000 });
      // HDR, SK {D}  -->  <--  HDR, SK {}
      client.deleteIke(s.now);
      await s.settle();
      expect(client.status).toMatchObject({ at: 'closed', why: 'deleted by us' });
      expect(s.gateway.told('closed')).toMatchObject([
        { reason: 'peer-deleted', seconds: 60, user: 'alice', assigned: '10.10.1.1', gateway: 'ra_0' },
      ]);
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'peer-deleted' }]);
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.leased).toBe(0);
      const said = s.gateway.said.slice(s.gateway.said.lastIndexOf('received informational request'));
      expect(said.filter((line) => !line.startsWith('out ') && !line.startsWith('sent IKE'))).toEqual([
        'received informational request',
        'processing delete request (proto 1)',
        expect.stringMatching(/^deleting IKE SA [0-9a-f]{16}\/[0-9a-f]{16}$/),
        expect.stringMatching(/^scheduled delete of IKE SA/),
        'mode-cfg release 10.10.1.1/255.255.255.255',
        'delete dynamic',
        'deleted',
      ]);
    }),
  );

  it(
    'the child: its other half is named in the answer, the IKE SA and the address stay',
    story({}, async (s) => {
      const client = await s.connected();
      const [{ spiIn, spiOut } = { spiIn: 0, spiOut: 0 }] = client.status.children;
      // HDR, SK {D (its SPI)}  -->  <--  HDR, SK {D (ours)}
      expect(await say(s, penOf(client), 2, [deleteOf(spiIn)])).toEqual([deleteOf(spiOut)]);
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.view).toMatchObject({ at: 'established', assigned4: '10.10.1.1', children: [] });
      expect(s.gateway.said).toContain(`deleted IPsec SA with SPI ${spiOut.toString(16).padStart(8, '0')}, SA count: 0`);
      s.forgive(client);
    }),
  );

  it(
    'several children in one payload, in several, twice and together with unknown ones: each half is named once',
    story({}, async (s) => {
      const client = await s.connected();
      client.createChild(s.now);
      client.createChild(s.now);
      await s.settle();
      const [a, b, c] = client.status.children;
      const [ours, theirs] = [
        [a?.spiOut ?? 0, b?.spiOut ?? 0, c?.spiOut ?? 0],
        [a?.spiIn ?? 0, b?.spiIn ?? 0, c?.spiIn ?? 0],
      ];
      const [x = 0, y = 0, z = 0] = theirs;
      const answer = await say(s, penOf(client), 4, [deleteOf(x, 0xdead_beef, x), deleteOf(y, x, z)]);
      expect(answer).toEqual([deleteOf(...ours)]);
      expect(s.gateway.told('child-down')).toHaveLength(3);
      s.forgive(client);
    }),
  );

  it(
    'the same child for the second time, or one that never was: an empty answer (§2.25.1)',
    story({}, async (s) => {
      const client = await s.connected();
      const pen = penOf(client);
      const spiIn = client.status.children[0]?.spiIn ?? 0;
      await say(s, pen, 2, [deleteOf(spiIn)]);
      expect(await say(s, pen, 3, [deleteOf(spiIn)])).toEqual([]);
      expect(await say(s, pen, 4, [deleteOf(0xdead_beef)])).toEqual([]);
      expect(await say(s, pen, 5, [deleteOf()])).toEqual([]);
      expect(s.gateway.told('child-down')).toHaveLength(1);
      s.forgive(client);
    }),
  );

  it(
    'a child by the SPI that is ours: nothing is deleted, for a Delete names what its sender receives on',
    story({}, async (s) => {
      const client = await s.connected();
      expect(await say(s, penOf(client), 2, [deleteOf(client.status.children[0]?.spiOut ?? 0)])).toEqual([]);
      expect(s.gateway.installed.size).toBe(1);
      s.forgive(client);
    }),
  );

  it(
    'AH, or protocols that do not exist: passed over',
    story({}, async (s) => {
      const client = await s.connected();
      const pen = penOf(client);
      const spiIn = client.status.children[0]?.spiIn ?? 0;
      const odd = [2, 0, 4, 255].map((protocol): Payload => ({ kind: 'D', protocol, spiSize: 4, spis: [spi(spiIn)] }));
      expect(await say(s, pen, 2, odd)).toEqual([]);
      expect(s.gateway.installed.size).toBe(1);
      s.forgive(client);
    }),
  );

  it(
    'the IKE SA together with everything else: it is over, and the answer is empty',
    story({}, async (s) => {
      const client = await s.connected();
      const spiIn = client.status.children[0]?.spiIn ?? 0;
      expect(await say(s, penOf(client), 2, [deleteOf(spiIn), deleteIke, deleteIke, notify('INITIAL_CONTACT')])).toEqual([]);
      expect(s.gateway.told('closed')).toHaveLength(1);
      expect(s.gateway.told('child-down')).toHaveLength(1);
      s.forgive(client);
    }),
  );

  it(
    'the IKE SA once more: it is polite to the end, and nothing happens twice',
    story({}, async (s) => {
      const client = await s.connected();
      const pen = penOf(client);
      expect(await say(s, pen, 2, [deleteIke])).toEqual([]);
      expect(await say(s, pen, 3, [deleteIke])).toEqual([]);
      expect(s.gateway.told('closed')).toHaveLength(1);
      s.forgive(client);
    }),
  );

  it.each(['AUTHENTICATION_FAILED', 'INVALID_SYNTAX'] as const)('%s in a request ends the IKE SA (§2.21.2)', async (name) => {
    await story({}, async (s) => {
      const client = await s.connected();
      expect(await say(s, penOf(client), 2, [notify(name)])).toEqual([]);
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'peer-refused-us' }]);
      expect(s.gateway.leased).toBe(0);
      s.forgive(client);
    })();
  });

  it.each(['NO_ADDITIONAL_SAS', 'TEMPORARY_FAILURE', 'NO_PROPOSAL_CHOSEN'] as const)(
    'other errors in a request are written down: %s',
    async (name) => {
      await story({}, async (s) => {
        const client = await s.connected();
        expect(await say(s, penOf(client), 2, [notify(name)])).toEqual([]);
        expect(s.gateway.view.at).toBe('established');
        expect(s.gateway.said).toContain(`peer says ${name}`);
        s.forgive(client);
      })();
    },
  );
});

describe('the operator', () => {
  it(
    'ends one SA by its name: the client gets a Delete, the others stay',
    story({}, async (s) => {
      const one = await s.connected({ auth: asPsk('one.lab.test') });
      const two = await s.connected({ auth: asPsk('two.lab.test') });
      s.gateway.command({ do: 'delete', name: 'ra_0', why: 'cleared by hand' });
      await s.settle();
      expect(one.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(two.at).toBe('established');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'admin-deleted', why: 'cleared by hand', gateway: 'ra_0' }]);
      s.gateway.command({ do: 'delete', name: 'nobody', why: 'x' });
      expect(s.gateway.views.filter((v) => v.at === 'established')).toHaveLength(1);
    }),
  );
});

describe('shutdown', () => {
  it(
    'everybody gets a Delete, half-open ones are forgotten, and nothing is left when the last has answered',
    story(
      {
        profiles: [
          { name: 'eap', shape: 'psk-eap' },
          { name: 'cert', shape: 'certificate' },
        ],
      },
      async (s) => {
        const established = [await s.connected({ auth: asUser('alice') }), await s.connected({ auth: asUser('bob') })];
        s.gateway.script = () => undefined;
        const waiting = s.client({ auth: asCertificate(), gateway: byCertificate() });
        waiting.start(s.now);
        s.net.filter = (d) => d.from.address !== '198.51.100.4' || d.octets[18] !== Exchange.IKE_AUTH;
        const halfOpen = s.client({ auth: asUser('alice') });
        halfOpen.start(s.now);
        await s.run({ ms: 100 });
        expect(s.gateway.views.map((v) => v.at).sort()).toEqual(['at-certificate', 'established', 'established', 'half-open']);
        s.gateway.command({ do: 'shutdown' });
        expect(s.gateway.engine.deleting).toBe(2);
        await s.run({ until: () => established.every((c) => c.at === 'closed') });
        await s.run({ ms: 20 });
        expect(s.gateway.engine.deleting).toBe(0);
        expect(s.gateway.told('closed').map((e) => e.reason)).toEqual(['shutdown', 'shutdown']);
        expect(s.gateway.told('negotiation-failed').map((e) => e.reason)).toEqual(['shutdown', 'shutdown']);
        expect(s.gateway.leftovers()).toEqual([]);
        for (const client of [waiting, halfOpen]) s.forgive(client);
      },
    ),
  );

  it(
    'a client that does not answer is told five times, and then it is over all the same',
    story({}, async (s) => {
      const client = await s.connected();
      s.forgive(client);
      s.net.filter = (d) => d.to.address !== CLIENT;
      const before = s.gateway.sent.length;
      s.gateway.command({ do: 'shutdown' });
      await s.run({ ms: 120_000 });
      expect(s.gateway.sent.length - before).toBe(5);
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'shutdown' }]);
      expect(s.gateway.engine.deleting).toBe(0);
    }),
  );

  it(
    'while a liveness check is open: the Delete follows as soon as that is over',
    story({ profiles: [{ phase1: { dpd: 'on-idle', 'dpd-retryinterval': '20' } }] }, async (s) => {
      const client = await s.connected();
      await s.run({ until: () => s.gateway.said.some((line) => line.startsWith('link is idle')) });
      s.gateway.command({ do: 'shutdown' });
      await s.run({ ms: 200 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'shutdown' }]);
    }),
  );

  it(
    'while the gateway rekeys a child: the Delete follows',
    story({ profiles: [{ phase2: { keylifeseconds: '120' } }] }, async (s) => {
      const client = await s.connected();
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      s.gateway.command({ do: 'shutdown' });
      await s.run({ ms: 200 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'shutdown' }]);
    }),
  );

  it(
    'while the gateway rekeys the IKE SA: the new one is deleted like any other',
    story({ profiles: [{ phase1: { keylife: '120' } }] }, async (s) => {
      const client = await s.connected();
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      s.gateway.command({ do: 'shutdown' });
      await s.run({ ms: 60_000 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'shutdown' }]);
    }),
  );

  it(
    'nobody new is let in meanwhile',
    story({}, async (s) => {
      s.gateway.command({ do: 'shutdown' });
      const late = s.client();
      late.start(s.now);
      await s.run({ ms: 500 });
      expect(s.gateway.sent).toEqual([]);
      expect(late.at).toBe('init');
      late.deleteIke(s.now);
    }),
  );

  it(
    'twice is once',
    story({}, async (s) => {
      const client = await s.connected();
      s.gateway.command({ do: 'shutdown' });
      s.gateway.command({ do: 'shutdown' });
      await s.run({ ms: 200 });
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toHaveLength(1);
      expect(s.gateway.engine.deleting).toBe(0);
    }),
  );
});
