/** One engine of several that are one gateway: what is marked as its own, what it tells the others, and what it leaves behind. */
import { describe, expect, it } from 'vitest';
import { laneOf } from '../../src/ike/index.ts';
import { fortiClientConnect, type LabClient } from '../../src/lab/index.ts';
import { configOf, type ProfileText } from '../support/configs.ts';
import { UID } from '../support/posture.ts';
import { asUser, type Scene, story } from './support/scene.ts';

const lane = { index: 1, count: 3 };
const one = { lane, profiles: [{}] };
const lives = (phase1: Readonly<Record<string, string>>) => ({ lane, profiles: [{ phase1 }] });

describe('an engine of three', () => {
  it(
    'marks every SPI of its own, and numbers what it names with every third number',
    story(one, async (s) => {
      for (let i = 0; i < 12; i++) await s.connected({ initialContact: false });
      await s.run({ ms: 5000 });
      for (const client of s.clients) {
        client.rekeyChild(s.now);
        client.rekeyIke(s.now);
      }
      await s.settle();
      expect(s.gateway.views).toHaveLength(12);
      for (const { SPIr, SPIi, initiator } of s.gateway.views)
        expect(Number.parseInt((initiator ? SPIi : SPIr).slice(-2), 16) % 3).toBe(1);
      for (const { child } of s.gateway.everInstalled) expect(laneOf(child.spiIn, 3)).toBe(1);
      expect(s.gateway.everInstalled.length).toBe(24);
      const names = s.gateway.told('established').map(({ gateway }) => gateway);
      expect(names).toEqual(Array.from({ length: 12 }, (_, i) => `ra_${1 + 3 * i}`));
      expect(s.gateway.told('established').map(({ sa }) => sa % 3)).toEqual(names.map(() => 1));
    }),
  );

  it(
    'tells the others what it holds, and what it no longer does',
    story(one, async (s) => {
      const client = await s.connected();
      expect(s.gateway.shared).toMatchObject([{ do: 'held', holding: { name: 'ra_1' } }]);
      client.rekeyIke(s.now);
      await s.settle();
      expect(s.gateway.shared).toHaveLength(1); // it has the same name under its new keys
      client.deleteIke(s.now);
      await s.settle();
      expect(s.gateway.shared.slice(1)).toEqual([{ do: 'left', name: 'ra_1' }]);
    }),
  );

  it(
    'ends what an other one asks it to',
    story(one, async (s) => {
      const alike = { initialContact: false };
      const [first, second] = [await s.connected(alike), await s.connected(alike)];
      const [held] = s.gateway.shared;
      const key = held?.do === 'held' ? held.holding.key : '';
      const ousting = { do: 'oust', key, how: 'by-delete', reason: 'unique-id' } as const;
      s.gateway.command({ ...ousting, name: 'ra_1' });
      s.gateway.command({ ...ousting, name: 'ra_7' }); // nobody's
      s.gateway.command({ ...ousting, name: 'ra_4', key: `not ${key}` }); // its name was another one's before
      await s.settle();
      expect([first.at, second.at]).toEqual(['closed', 'established']);
      expect(s.gateway.told('closed')).toMatchObject([{ gateway: 'ra_1', reason: 'unique-id' }]);
    }),
  );
});

describe('an identity that an other engine holds', () => {
  const elsewhere = (s: Scene, key: string) =>
    s.gateway.command({ do: 'held', holding: { name: 'ra_0', key, person: 'x', uid: undefined, since: 0 } });
  /** The key of this client's identity, as its own engine tells it. */
  const keyOf = async (s: Scene): Promise<string> => {
    const client = await s.connected({ initialContact: false });
    const [held] = s.gateway.shared;
    client.deleteIke(s.now);
    await s.settle();
    return held?.do === 'held' ? held.holding.key : '';
  };

  it.each([
    ['keep-new', 'by-delete', 'unique-id'],
    ['disable', undefined, undefined],
  ] as const)('with enforce-unique-id %s', (word, how, reason) =>
    story(lives({ 'enforce-unique-id': word }), async (s) => {
      const key = await keyOf(s);
      elsewhere(s, key);
      await s.connected({ initialContact: false });
      const ousted = s.gateway.shared.filter((output) => output.do === 'oust');
      expect(ousted).toEqual(how === undefined ? [] : [{ do: 'oust', name: 'ra_0', key, how, reason }]);
    })(),
  );

  it(
    'is refused with keep-old, until it has left there',
    story(lives({ 'enforce-unique-id': 'keep-old' }), async (s) => {
      elsewhere(s, await keyOf(s));
      expect(await s.refused({ initialContact: false })).toContain('AUTHENTICATION_FAILED');
      s.gateway.command({ do: 'left', name: 'ra_0' });
      await s.connected({ initialContact: false });
    }),
  );

  it(
    'is let go without a word for INITIAL_CONTACT',
    story(one, async (s) => {
      const key = await keyOf(s);
      elsewhere(s, key);
      await s.connected({ initialContact: true });
      const ousted = s.gateway.shared.filter((output) => output.do === 'oust');
      expect(ousted).toEqual([{ do: 'oust', name: 'ra_0', key, how: 'silently', reason: 'replaced' }]);
    }),
  );
});

describe('a tag rule that is new', () => {
  const people = (phase1: ProfileText['phase1'] = {}) => ({ lane, profiles: [{ shape: 'psk-eap', phase1 }] }) as const;
  const holdings = (s: Scene) => s.gateway.shared.flatMap((output) => (output.do === 'held' ? [output.holding.uid] : []));

  it(
    'is told to the others with the device that its client claims',
    story(people(), async (s) => {
      await s.connected({ auth: asUser('alice'), claims: fortiClientConnect({ uid: UID, ip: '10.9.8.7', user: 'alice' }) });
      expect(holdings(s)).toEqual([undefined]);
      const phase1 = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' };
      s.gateway.command({ do: 'configure', config: configOf(people(phase1)) });
      expect(holdings(s)).toEqual([undefined, UID]);
      s.gateway.command({ do: 'configure', config: configOf(people()) });
      expect(holdings(s)).toEqual([undefined, UID, undefined]);
    }),
  );
});

describe('the will of an engine', () => {
  /** Somebody else sends it; the client must take it for what it is. */
  const executed = async (s: Scene, client: LabClient) => {
    const { SPIi, SPIr } = client.status;
    const initiator = client.status.ikeSas.find((sa) => sa.SPIi === SPIi && sa.SPIr === SPIr)?.initiator ?? true;
    const will = s.gateway.wills.get(initiator ? SPIr : SPIi);
    if (will === undefined) throw new Error('there is no will');
    s.net.filter = () => true;
    for (const datagram of will) s.gateway.send(datagram);
    await s.run({ ms: 200 });
    expect(client.at).toBe('closed');
    s.forgive(client);
  };

  it.each([
    ['a new SA', async () => undefined],
    [
      'one that was asked whether it lives',
      async (s: Scene) => {
        await s.run({ until: () => s.gateway.lines.some((line) => line.includes('link is idle')), ms: 120_000 });
        await s.run({ ms: 1000 });
      },
    ],
    [
      'one whose client has not got our request',
      async (s: Scene) => {
        s.net.filter = ({ from }: { readonly from: { readonly address: string } }) => !s.gateway.addresses.includes(from.address);
        await s.run({ until: () => s.gateway.lines.some((line) => line.includes('link is idle')), ms: 120_000 });
        await s.run({ ms: 1000 });
      },
    ],
    [
      'one that its client has rekeyed',
      async (s: Scene, client: LabClient) => {
        client.rekeyIke(s.now);
        await s.settle();
      },
    ],
    [
      'one that we have rekeyed',
      async (s: Scene) => {
        await s.run({ until: () => s.gateway.told('ike-rekeyed').length > 0 });
        await s.run({ ms: 1000 });
      },
    ],
  ])('ends %s', (_, meanwhile) =>
    story(lives({ keylife: '300', dpd: 'on-idle', 'dpd-retryinterval': '10' }), async (s) => {
      const client = await s.connected();
      await meanwhile(s, client);
      expect(s.gateway.wills.size).toBe(1);
      await executed(s, client);
    })(),
  );

  it(
    'goes where the client is',
    story({ lane, profiles: [{}] }, async (s) => {
      const client = await s.connected({ fakeNat: true });
      const before = [...s.gateway.wills.values()][0]?.[0];
      expect(before?.to).toEqual({ address: '198.51.100.1', port: 4500 });
      expect(before?.octets.subarray(0, 4)).toEqual(new Uint8Array(4));
      await executed(s, client);
    }),
  );

  it(
    'is taken back when there is nothing to be ended',
    story(one, async (s) => {
      const client = await s.connected();
      expect(s.gateway.wills.size).toBe(1);
      client.deleteIke(s.now);
      await s.settle();
      expect(s.gateway.wills.size).toBe(0);
    }),
  );
});

it(
  'alone, an engine tells nobody and leaves nothing',
  story({ profiles: [{}] }, async (s) => {
    await s.connected();
    expect(s.gateway.shared).toEqual([]);
    expect(s.gateway.wills.size).toBe(0);
  }),
);
