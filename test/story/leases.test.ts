/** Addresses (§2.19): who gets which, when none is left, when they come back; one person's SA replacing another (§2.4). */
import { describe, expect, it } from 'vitest';
import { type LabClient, selector } from '../../src/lab/index.ts';
import { Exchange } from '../../src/wire/index.ts';
import type { Words } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { asPsk, asUser, messages, type Scene, story } from './support/scene.ts';

const pool = (last: string, words: Words = {}) => ({ profiles: [{ phase1: { 'ipv4-end-ip': last, ...words } }] });
const CLIENT = '198.51.100.1';
const as = (name: string) => ({ auth: asPsk(`${name}.lab.test`) });
const bye = async (s: Scene, client: LabClient) => {
  client.deleteIke(s.now);
  await s.settle();
};

describe('addresses', () => {
  it(
    'each client has its own',
    story({}, async (s) => {
      const clients: LabClient[] = [];
      for (const name of ['a', 'b', 'c', 'd']) clients.push(await s.connected(as(name)));
      expect(clients.flatMap((c) => c.status.assigned)).toEqual(['10.10.1.1', '10.10.1.2', '10.10.1.3', '10.10.1.4']);
      expect(s.gateway.leased).toBe(4);
    }),
  );

  it(
    'an identity that comes back gets what it had, while others get something else',
    story(pool('10.10.1.3'), async (s) => {
      const a = await s.connected(as('a'));
      await bye(s, a);
      const b = await s.connected(as('b'));
      expect(b.status.assigned).toEqual(['10.10.1.2']);
      const again = await s.connected(as('a'));
      expect(again.status.assigned).toEqual(['10.10.1.1']);
    }),
  );

  it(
    'while it lingers others get something else, if there is anything else; afterwards it is like any other (lease-linger)',
    story({ ...pool('10.10.1.2'), settings: { 'lease-linger': '600' } }, async (s) => {
      await bye(s, await s.connected(as('a')));
      const b = await s.connected(as('b'));
      expect(b.status.assigned).toEqual(['10.10.1.2']);
      // rather somebody's old address than none
      const c = await s.connected(as('c'));
      expect(c.status.assigned).toEqual(['10.10.1.1']);
      await bye(s, c);
      await bye(s, b);
      await s.run({ ms: 601_000 });
      expect((await s.connected(as('d'))).status.assigned).toEqual(['10.10.1.1']);
    }),
  );

  it(
    'with an empty pool: INTERNAL_ADDRESS_FAILURE, the IKE SA stays, and no other client loses its address',
    story(pool('10.10.1.2'), async (s) => {
      const lucky = [await s.connected(as('a')), await s.connected(as('b'))];
      const third = await s.connect(as('c'));
      // HDR, SK {IDi, AUTH, CP, SA, TSi, TSr}  -->  <--  HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE)}
      expect(third.at).toBe('established');
      expect(third.status).toMatchObject({ assigned: [], children: [], gatewayProof: 'pre-shared key' });
      expect(third.status.notifyNames.at(-1)).toBe('INTERNAL_ADDRESS_FAILURE');
      expect(s.gateway.told('pool-empty')).toMatchObject([{ family: 4, used: 2 }]);
      expect(s.gateway.said).toContain(
        'IPv4 pool is empty: 2 addresses are leased; widen ipv4-start-ip/ipv4-end-ip or ipv4-name',
      );
      expect(s.gateway.leased).toBe(2);
      for (const client of lucky) expectAgreement(s.gateway, client);
      third.liveness(s.now);
      await s.settle();
      expect(third.status.outcomes).toMatchObject([{ verb: 'liveness', ok: true }]);
    }),
  );

  it(
    'one without a configuration payload gets FAILED_CP_REQUIRED: no address, no traffic',
    story({}, async (s) => {
      const client = await s.connect({ requestAddresses: [] });
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(client.status.notifyNames.at(-1)).toBe('FAILED_CP_REQUIRED');
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'a wish for an address is no right to it',
    story({}, async (s) => {
      const wish = { type: 1, value: Uint8Array.of(10, 10, 1, 9) };
      const client = await s.connected({ requestAddresses: [], cpAttributes: [wish] });
      expect(client.status.assigned).toEqual(['10.10.1.1']);
    }),
  );

  it(
    'a child that fails keeps its IKE SA and address, and a child may be made later',
    story({}, async (s) => {
      const client = await s.connect({ TSr: [selector('172.16.0.0/12')] });
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(client.status.notifyNames.at(-1)).toBe('TS_UNACCEPTABLE');
      client.createChild(s.now, { TSr: [selector('10.0.0.0/8')] });
      await s.settle();
      expect(client.installed).toBe(1);
    }),
  );
});

describe('the address comes back', () => {
  const ends: readonly (readonly [string, Words, (s: Scene, client: LabClient) => Promise<void>])[] = [
    ['when the client deletes', {}, bye],
    ['when the client is dead', { dpd: 'on-idle' }, async (s) => void (await silence(s))],
    ['when the SA is too old and the client silent', { keylife: '120', rekey: 'disable' }, async (s) => void (await silence(s))],
    ['when a rekey is not answered', { keylife: '120' }, async (s) => void (await silence(s))],
    [
      'when an operator ends it',
      {},
      async (s) => {
        s.gateway.command({ do: 'delete', name: 'ra_0', why: 'by hand' });
        await s.settle();
      },
    ],
    [
      'when the client says INVALID_SYNTAX',
      {},
      async (s, client) => {
        client.informational(s.now, [
          { kind: 'N', name: 'INVALID_SYNTAX', data: undefined, protocol: 0, spi: new Uint8Array(0) },
        ]);
        await s.settle();
      },
    ],
    [
      'when the client breaks the rules',
      {},
      async (s, client) => {
        client.strange(s.now, Exchange.IKE_AUTH, []);
        await s.settle();
      },
    ],
  ];
  it.each(ends)('%s', async (_, phase1, end) => {
    await story(pool('10.10.1.1', phase1), async (s) => {
      const client = await s.connected();
      expect(s.gateway.leased).toBe(1);
      s.forgive(client);
      await end(s, client);
      expect(s.gateway.leased).toBe(0);
      s.net.filter = () => true;
      expect((await s.connected({ address: '198.51.100.50' })).status.assigned).toEqual(['10.10.1.1']);
    })();
  });

  it(
    'and is never taken before authentication: any number of half-open SAs costs none',
    story({ ...pool('10.10.1.1'), settings: { 'half-open-cookie-threshold': '10000', 'half-open-max': '10000' } }, async (s) => {
      s.net.filter = (d) => d.octets[18] !== Exchange.IKE_AUTH;
      for (let i = 0; i < 40; i++)
        s.client({ address: `203.0.113.${i}`, retransmit: { first: 9999, factor: 1, most: 0 } }).start(s.now);
      await s.run({ ms: 1000 });
      expect(s.gateway.count('half-open')).toBe(40);
      expect(s.gateway.leased).toBe(0);
      s.net.filter = () => true;
      await s.connected();
      await s.run({ ms: 60_000 });
      expect(s.gateway.count('half-open')).toBe(0);
    }),
  );

  it(
    'a negotiation that stops in the middle of EAP leaves nothing after negotiate-timeout',
    story({ profiles: [{ shape: 'psk-eap', phase1: { 'negotiate-timeout': '7' } }] }, async (s) => {
      let legs = 0;
      s.net.filter = (d) => {
        if (d.from.address === CLIENT && d.octets[18] === Exchange.IKE_AUTH) legs += 1;
        return legs < 3;
      };
      const client = s.client({ auth: asUser('alice') });
      client.start(s.now);
      await s.run({ ms: 6900 });
      expect(s.gateway.view.at).toBe('eap');
      await s.run({ ms: 200 });
      expect(s.gateway.views).toEqual([]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'negotiation-timeout', why: 'the client went silent in state eap within negotiate-timeout' },
      ]);
      expect(s.gateway.said).toContain('negotiation timeout, deleting');
      client.deleteIke(s.now);
    }),
  );
});

async function silence(s: Scene): Promise<void> {
  s.net.filter = (d) => d.from.address !== CLIENT && d.to.address !== CLIENT;
  await s.run({ ms: 300_000 });
}

describe('INITIAL_CONTACT (§2.4)', () => {
  it(
    'replaces the SA of the same identity: its children go, and it gets its address again',
    story(pool('10.10.1.1'), async (s) => {
      const before = await s.connected(as('a'));
      s.forgive(before); // it was restarted and knows nothing of this
      const after = await s.connected({ ...as('a'), address: '198.51.100.77' });
      expect(after.status.assigned).toEqual(['10.10.1.1']);
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'replaced', gateway: 'ra_0' }]);
      expect(s.gateway.installed.size).toBe(1);
      expect(s.gateway.said).toEqual(expect.arrayContaining(['processing INITIAL-CONTACT', 'processed INITIAL-CONTACT']));
      expectAgreement(s.gateway, after);
      // who was replaced is told nothing: INITIAL_CONTACT says that nobody is there to hear it
      expect(s.gateway.sent.filter((d) => d.octets[18] === Exchange.INFORMATIONAL)).toEqual([]);
    }),
  );

  it(
    'does not touch anybody else: another identity, another user of the same address, another kind of proof',
    story(
      {
        profiles: [
          { name: 'eap', shape: 'psk-eap' },
          { name: 'psk', shape: 'psk' },
        ],
      },
      async (s) => {
        const others = [
          await s.connected({ auth: asUser('alice', { id: '10.0.0.5' }) }),
          await s.connected({ auth: asUser('alice', { id: '10.0.0.6' }) }),
          await s.connected({ auth: asUser('bob', { id: '10.0.0.5' }) }),
          await s.connected({ auth: asPsk('10.0.0.5') }),
          await s.connected({ auth: asPsk('alice') }),
        ];
        expect(s.gateway.told('closed')).toEqual([]);
        for (const client of others) expectAgreement(s.gateway, client);
        const again = await s.connected({ auth: asUser('alice', { id: '10.0.0.5' }) });
        expect(s.gateway.told('closed')).toMatchObject([{ reason: 'replaced', gateway: 'eap_0' }]);
        expectAgreement(s.gateway, again);
        s.forgive(others[0] ?? again);
      },
    ),
  );

  it(
    'of somebody who does not prove who he is does nothing',
    story({}, async (s) => {
      const client = await s.connected(as('a'));
      await s.refused({ auth: asPsk('a.lab.test', 'a guess') });
      expectAgreement(s.gateway, client);
      expect(s.gateway.told('closed')).toEqual([]);
    }),
  );

  it(
    'without it both stay (enforce-unique-id disable)',
    story({}, async (s) => {
      const one = await s.connected({ ...as('a'), initialContact: false });
      const two = await s.connected({ ...as('a'), initialContact: false });
      expect(one.status.assigned).not.toEqual(two.status.assigned);
      expectAgreement(s.gateway, one);
      expectAgreement(s.gateway, two);
    }),
  );
});

describe('enforce-unique-id', () => {
  it(
    'keep-new: the newer one takes the place of the older',
    story(pool('10.10.1.1', { 'enforce-unique-id': 'keep-new' }), async (s) => {
      const one = await s.connected({ ...as('a'), initialContact: false });
      s.forgive(one);
      const two = await s.connected({ ...as('a'), initialContact: false });
      await s.settle();
      expect(one.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' }); // it may be alive: it is told
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'unique-id' }]);
      expect(two.status.assigned).toEqual(['10.10.1.1']);
      expectAgreement(s.gateway, two);
    }),
  );

  it(
    'keep-old: the newer one is refused, and the older does not notice',
    story(pool('10.10.1.9', { 'enforce-unique-id': 'keep-old' }), async (s) => {
      const one = await s.connected({ ...as('a'), initialContact: false });
      expect(await s.refused({ ...as('a'), initialContact: false })).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'unique-id', why: expect.stringContaining('a.lab.test is connected already') },
      ]);
      expectAgreement(s.gateway, one);
      expect(s.gateway.leased).toBe(1);
      await bye(s, one);
      await s.connected({ ...as('a'), initialContact: false });
    }),
  );

  it(
    'keep-old does not stand against INITIAL_CONTACT: the older one is gone for good',
    story(pool('10.10.1.9', { 'enforce-unique-id': 'keep-old' }), async (s) => {
      const one = await s.connected(as('a'));
      s.forgive(one);
      await s.connected(as('a'));
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'replaced' }]);
    }),
  );

  it(
    'follows an SA through its rekey',
    story(pool('10.10.1.9', { 'enforce-unique-id': 'keep-old' }), async (s) => {
      const one = await s.connected({ ...as('a'), initialContact: false });
      one.rekeyIke(s.now);
      await s.settle();
      await s.run({ ms: 40_000 });
      await s.refused({ ...as('a'), initialContact: false });
      expect(messages(s.gateway.sent).length).toBeGreaterThan(0);
      await bye(s, one);
      await s.connected({ ...as('a'), initialContact: false });
    }),
  );
});
