/** Two exchanges that cross (§2.8.1, §2.8.2, §2.25): whatever both ends do in the same moment, they end up with the same. */
import { describe, expect, it } from 'vitest';
import { type LabClient, selector } from '../../src/lab/index.ts';
import { Exchange, type Payload } from '../../src/wire/index.ts';
import type { Words } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { framed, open, penOf, seal } from './support/forge.ts';
import { messages, type Scene, story } from './support/scene.ts';

const lives = (phase2: Words, phase1: Words = {}) => ({ profiles: [{ phase1, phase2 }] });
const child = lives({ keylifeseconds: '120' });
const ike = lives({}, { keylife: '120' });
const CLIENT = '198.51.100.1';

/** Lets the client do something just before the gateway does what is due next: their requests cross on the wire. */
async function meet(s: Scene, client: LabClient, act: (client: LabClient) => void, before = 2): Promise<void> {
  const due = s.gateway.deadline() ?? 0;
  await s.run({ ms: due - before - s.now });
  act(client);
  await s.run({ ms: 60 });
  await s.settle();
  await s.run({ ms: 15_000 }); // what was put off is tried again (§2.25)
  await s.settle();
}

/** Nothing is left over beside the one SA and its one child. */
function expectOneOfEach(s: Scene, client: LabClient): void {
  expect(client.at).toBe('established');
  expect(client.status.children.map((c) => c.state)).toEqual(['installed']);
  expect(s.gateway.installed.size).toBe(1);
  expect(s.gateway.views.filter((v) => v.at === 'established')).toHaveLength(1);
  expectAgreement(s.gateway, client);
}

/** Says something in the client's name while the gateway waits for another answer; gives the payloads of what it says to that. */
async function saying(s: Scene, client: LabClient, exchange: number, messageId: number, payloads: readonly Payload[]) {
  const pen = penOf(client);
  const before = s.gateway.sent.length;
  const { local: to, remote: from } = s.gateway.view;
  s.net.inject({ from, to, octets: framed(seal(pen, { exchange, messageId, payloads }), false) });
  await s.run({ ms: 20 });
  const answer = messages(s.gateway.sent.slice(before)).find((o) => ((o[19] ?? 0) & 0x20) !== 0);
  return (answer && open(pen, answer)) ?? [];
}
/** The client hears no request of the gateway's any more: that one stays outstanding. */
const deafen = (s: Scene) => {
  s.net.filter = (d) => d.to.address !== CLIENT || ((messages([d])[0]?.[19] ?? 0) & 0x20) !== 0;
};

describe('both rekey the same child (§2.8.1)', () => {
  it('of the two new ones that with the lowest nonce goes, whoever made it', async () => {
    const winners = new Set<string>();
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await story({ ...child, seed }, async (s) => {
        const client = await s.connected();
        await meet(s, client, (c) => c.rekeyChild(s.now));
        expect(s.gateway.everInstalled).toHaveLength(3); // both were made
        expectOneOfEach(s, client);
        winners.add(client.status.children[0]?.madeBy ?? '');
      })();
    }
    expect([...winners].sort()).toEqual(['gateway', 'us']);
  });

  it.each(['a', 'b', 'c', 'd'])('with loss, reorder and duplicates, seed %s', async (seed) => {
    await story({ ...child, seed }, async (s) => {
      const client = await s.connected({ retransmit: { first: 300, factor: 1.3, most: 20 } });
      await s.run({ ms: (s.gateway.deadline() ?? 0) - 300 - s.now });
      s.net.weather = { delay: [1, 600], loss: 0.3, duplicate: 0.3 };
      client.rekeyChild(s.now);
      await s.run({ ms: 20_000 });
      s.net.weather = { delay: [5, 5], loss: 0, duplicate: 0 };
      await s.run({ ms: 60_000 });
      await s.settle();
      expectOneOfEach(s, client);
    })();
  });

  it(
    'the client rekeyed in time: the gateway does not rekey what is replaced already',
    story(child, async (s) => {
      const client = await s.connected();
      await s.run({ ms: (s.gateway.deadline() ?? 0) - 1000 - s.now });
      client.rekeyChild(s.now);
      await s.settle();
      await s.run({ ms: 10_000 });
      expect(s.gateway.told('child-rekeyed')).toMatchObject([{ by: 'peer' }]);
      expectOneOfEach(s, client);
    }),
  );
});

describe('a child rekeyed by one end and deleted by the other (§2.25.1)', () => {
  it(
    'the client closes it while the gateway rekeys it: it is gone, the IKE SA stays',
    story(child, async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.deleteChild(s.now));
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.view.children).toEqual([]);
    }),
  );

  it(
    'the client rekeys it while the gateway closes it: TEMPORARY_FAILURE, and it is gone',
    story(lives({ keylifeseconds: '120' }, { rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.rekeyChild(s.now), 0);
      expect(client.status.outcomes.every((o) => !o.ok)).toBe(true);
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(s.gateway.view.children).toEqual([]);
    }),
  );

  it(
    'both close it: each answers without a Delete (§1.4.1)',
    story(lives({ keylifeseconds: '120' }, { rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      s.forgive(client); // it wants our half named; we named it in our own request
      await meet(s, client, (c) => c.deleteChild(s.now));
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(s.gateway.installed.size).toBe(0);
    }),
  );
});

describe('both rekey the IKE SA', () => {
  it.each(['a', 'b', 'c'])('and one is left, with the child on it, seed %s', async (seed) => {
    await story({ ...ike, seed }, async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.rekeyIke(s.now));
      expectOneOfEach(s, client);
      client.liveness(s.now);
      await s.settle();
      expect(client.status.outcomes.at(-1)).toMatchObject({ verb: 'liveness', ok: true });
    })();
  });

  it(
    'the client rekeys a child meanwhile: TEMPORARY_FAILURE to one of them, and in the end both have been done (§2.25.2)',
    story(ike, async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.rekeyChild(s.now));
      expectOneOfEach(s, client);
      expect(s.gateway.told('ike-rekeyed').length).toBe(1);
    }),
  );

  it(
    'the client rekeys it while the gateway rekeys a child',
    story(child, async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.rekeyIke(s.now));
      expectOneOfEach(s, client);
      expect(s.gateway.told('child-rekeyed').length).toBe(1);
    }),
  );

  it(
    'the client deletes it while the gateway rekeys it: it is over, and the rekey is forgotten',
    story(ike, async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.deleteIke(s.now));
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'peer-deleted' }]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'both delete it: each answers the other, and it is over once',
    story(lives({}, { keylife: '120', rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      await meet(s, client, (c) => c.deleteIke(s.now));
      expect(client.at).toBe('closed');
      expect(s.gateway.told('closed')).toHaveLength(1);
      expect(s.gateway.engine.deleting).toBe(0);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'both delete the old one after a rekey of the gateway: the connection is not told to be over',
    story(ike, async (s) => {
      const client = await s.connected();
      const pen = penOf(client);
      // the gateway's Delete of the old SA does not arrive; the client deletes it by itself
      s.net.filter = (d) => messages([d])[0]?.[18] !== Exchange.INFORMATIONAL || d.from.address === CLIENT;
      await s.run({ until: () => s.gateway.told('ike-rekeyed').length > 0 });
      const D: Payload = { kind: 'D', protocol: 1, spiSize: 0, spis: [] };
      const octets = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 2, payloads: [D] });
      s.net.inject({ ...client.status.path, from: client.status.path.local, to: client.status.path.remote, octets });
      await s.run({ ms: 50 });
      s.net.filter = () => true;
      expect(s.gateway.told('closed')).toEqual([]);
      expectAgreement(s.gateway, client);
    }),
  );
});

describe("a rekey of a child that waits while the IKE SA is rekeyed is the new one's to do", () => {
  const rekeyChild = (s: Scene) => s.gateway.command({ do: 'rekey-child', spi: [...s.gateway.installed.keys()].at(-1) ?? 0 });

  it(
    'it has carried enough while the gateway waits for the answer to its own rekey of the IKE SA',
    story(ike, async (s) => {
      const client = await s.connected();
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      rekeyChild(s);
      await s.run({ ms: 1000 });
      expect([s.gateway.told('ike-rekeyed').length, s.gateway.told('child-rekeyed').length]).toEqual([1, 1]);
      expectOneOfEach(s, client);
    }),
  );

  it(
    'and one that has carried all it may is ended meanwhile, once',
    story(ike, async (s) => {
      const client = await s.connected();
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      s.gateway.command({ do: 'end-child', spi: [...s.gateway.installed.keys()][0] ?? 0 });
      await s.run({ ms: 1000 });
      expect([s.gateway.told('ike-rekeyed').length, s.gateway.told('child-down').length]).toEqual([1, 1]);
      expect([client.installed, s.gateway.view.children]).toEqual([0, []]);
    }),
  );

  it(
    'both were asked to come again, and the client does so first (§2.25.1)',
    story({}, async (s) => {
      const client = await s.connected();
      client.rekeyIke(s.now);
      rekeyChild(s);
      await s.settle();
      expect(client.status.outcomes.at(-1)).toMatchObject({ verb: 'rekey-ike', ok: false });
      client.rekeyIke(s.now);
      await s.settle();
      expect([s.gateway.told('ike-rekeyed').length, s.gateway.told('child-rekeyed').length]).toEqual([1, 0]);
      await s.run({ ms: 15_000 });
      expect(s.gateway.told('child-rekeyed').length).toBe(1);
      expectOneOfEach(s, client);
    }),
  );
});

describe('while the gateway waits for an answer', () => {
  const SA = (protocol: number, spi: Uint8Array, group?: number): Payload => ({
    kind: 'SA',
    proposals: [
      {
        ...{ number: 1, protocol, spi },
        transforms: [
          { type: 1, id: 12, keyLength: 128 },
          ...(protocol === 1 ? [{ type: 2, id: 5, keyLength: 0 }] : []),
          { type: 3, id: 12, keyLength: 0 },
          ...(group === undefined ? [] : [{ type: 4, id: group, keyLength: 0 }]),
          ...(protocol === 3 ? [{ type: 5, id: 0, keyLength: 0 }] : []),
        ],
      },
    ],
  });
  const everything = [selector('0.0.0.0/0')];
  const newChild: readonly Payload[] = [
    SA(3, Uint8Array.of(1, 2, 3, 4)),
    { kind: 'NONCE', data: new Uint8Array(32) },
    { kind: 'TSi', selectors: everything },
    { kind: 'TSr', selectors: everything },
  ];
  const newIke: readonly Payload[] = [
    SA(1, new Uint8Array(8).fill(6), 31),
    { kind: 'NONCE', data: new Uint8Array(32) },
    { kind: 'KE', group: 31, data: new Uint8Array(32).fill(9) },
  ];
  const names = (payloads: readonly Payload[]) => payloads.map((p) => (p.kind === 'N' ? p.name : p.kind));

  it(
    'to a rekey of the IKE SA: no child is made on the old one (§2.25.2), but one may be deleted there',
    story(ike, async (s) => {
      const client = await s.connected();
      s.forgive(client);
      deafen(s);
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 2, newChild))).toEqual(['TEMPORARY_FAILURE']);
      const spi = new Uint8Array(4);
      new DataView(spi.buffer).setUint32(0, client.status.children[0]?.spiIn ?? 0);
      const D: Payload = { kind: 'D', protocol: 3, spiSize: 4, spis: [spi] };
      expect(names(await saying(s, client, Exchange.INFORMATIONAL, 3, [D]))).toEqual(['D']);
      s.net.filter = () => true;
      await s.run({ ms: 10_000 });
    }),
  );

  it(
    'to a rekey of a child: the IKE SA is not rekeyed (§2.25.1)',
    story(child, async (s) => {
      const client = await s.connected();
      s.forgive(client);
      deafen(s);
      await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.CREATE_CHILD_SA) });
      expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 2, newIke))).toEqual(['TEMPORARY_FAILURE']);
    }),
  );

  it(
    'to the Delete of a child: the IKE SA is not rekeyed (§2.25.1), or the Delete is lost with the old SA',
    story(lives({ keylifeseconds: '120' }, { rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      s.forgive(client);
      deafen(s);
      await s.run({ until: () => s.gateway.told('child-down').length > 0 });
      expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 2, newIke))).toEqual(['TEMPORARY_FAILURE']);
    }),
  );

  const closing = async (s: Scene, request: readonly Payload[]) => {
    const client = await s.connected();
    s.forgive(client);
    deafen(s);
    await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.INFORMATIONAL) });
    expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 2, request))).toEqual(['TEMPORARY_FAILURE']);
  };
  it(
    'to the Delete of the IKE SA: it is not rekeyed (§2.25.2)',
    story(lives({}, { keylife: '120', rekey: 'disable' }), async (s) => closing(s, newIke)),
  );
  it(
    'to the Delete of the IKE SA: no child is made on it',
    story(lives({}, { keylife: '120', rekey: 'disable' }), async (s) => closing(s, newChild)),
  );

  it(
    'to a liveness check: everything else goes on',
    story({ profiles: [{ phase1: { dpd: 'on-idle', 'dpd-retryinterval': '20' } }] }, async (s) => {
      const client = await s.connected();
      s.forgive(client);
      deafen(s);
      await s.run({ until: () => s.gateway.said.some((line) => line.startsWith('link is idle')) });
      expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 2, newChild))).toEqual(['SA', 'NONCE', 'TSi', 'TSr']);
      expect(names(await saying(s, client, Exchange.CREATE_CHILD_SA, 3, newIke))).toEqual(['SA', 'NONCE', 'KE']);
    }),
  );
});
