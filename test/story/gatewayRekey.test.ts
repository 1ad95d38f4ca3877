/** What the gateway does when lifetimes end (§2.8): rekeys at the soft end, deletes at the hard one, every answer to that. */
import { describe, expect, it } from 'vitest';
import { type LabClient, selector } from '../../src/lab/index.ts';
import { decodeHeader, Exchange, type Header, notify, type Payload } from '../../src/wire/index.ts';
import type { Words } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { framed, open, type Pen, penOf, seal } from './support/forge.ts';
import { messages, type Scene, story } from './support/scene.ts';

const lives = (phase2: Words, phase1: Words = {}) => ({ profiles: [{ phase1, phase2 }] });
const child = lives({ keylifeseconds: '120' });
const ike = lives({}, { keylife: '120' });

describe('at its soft end', () => {
  it(
    'a child is rekeyed by the gateway, between 90 and 95 % of its life',
    story(child, async (s) => {
      const client = await s.connected();
      const since = s.now;
      const [old] = client.status.children;
      await s.run({ until: () => s.gateway.told('child-rekeyed').length > 0 });
      const age = (s.now - since) / 1000;
      expect(age).toBeGreaterThanOrEqual(108);
      expect(age).toBeLessThanOrEqual(114.1);
      await s.settle();
      expect(s.gateway.told('child-rekeyed')).toMatchObject([{ by: 'us' }]);
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'rekeyed' }]);
      expect(client.status.children).toMatchObject([{ madeBy: 'gateway', state: 'installed' }]);
      expect(client.status.children[0]?.spiIn).not.toBe(old?.spiIn);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'with perfect forward secrecy in the group that is configured',
    story(lives({ keylifeseconds: '120', pfs: 'enable', dhgrp: '31' }), async (s) => {
      const client = await s.connected();
      await s.run({ ms: 116_000 });
      expect(client.status.children).toMatchObject([{ madeBy: 'gateway', suite: { group: 31 } }]);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'the IKE SA is rekeyed by the gateway, which is its initiator from then on',
    story(ike, async (s) => {
      const client = await s.connected();
      await s.run({ ms: 116_000 });
      expect(s.gateway.told('ike-rekeyed')).toMatchObject([{ by: 'us', gateway: 'ra_0' }]);
      expect(s.gateway.views.find((v) => v.at === 'established')).toMatchObject({ initiator: true, assigned4: '10.10.1.1' });
      expect(client.status.ikeSas).toMatchObject([{ initiator: false, standing: 'live' }]);
      expectAgreement(s.gateway, client);
      expect(s.gateway.told('closed')).toEqual([]);
      // all goes on there, from both ends
      client.liveness(s.now);
      client.rekeyChild(s.now);
      client.rekeyIke(s.now);
      await s.settle();
      expect(client.status.outcomes.filter((o) => !o.ok)).toEqual([]);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'for hours, both kinds at once: one child, one SA, one address at any time',
    story(lives({ keylifeseconds: '120' }, { keylife: '180' }), async (s) => {
      const client = await s.connected();
      for (let i = 0; i < 60; i++) {
        await s.run({ ms: 60_000 });
        await s.settle();
        expect(client.installed).toBe(1);
        expect(s.gateway.views.filter((v) => v.at === 'established')).toHaveLength(1);
        expectAgreement(s.gateway, client);
      }
      expect(s.gateway.told('child-rekeyed').length).toBeGreaterThan(28);
      expect(s.gateway.told('ike-rekeyed').length).toBeGreaterThan(18);
      expect(s.gateway.told('closed')).toEqual([]);
      expect(s.gateway.leased).toBe(1);
      expect(client.status.assigned).toEqual(['10.10.1.1']);
    }),
  );

  it(
    'in bad weather, too',
    story(
      { ...lives({ keylifeseconds: '120' }, { keylife: '180' }), weather: { delay: [1, 500], loss: 0.2, duplicate: 0.2 } },
      async (s) => {
        const client = await s.connected({ retransmit: { first: 700, factor: 1.4, most: 14 } });
        await s.run({ ms: 1_200_000 });
        s.net.weather = { delay: [5, 5], loss: 0, duplicate: 0 };
        await s.run({ ms: 40_000 });
        await s.settle();
        expect(client.at).toBe('established');
        expectAgreement(s.gateway, client);
      },
    ),
  );

  it(
    'rekey disable: nothing is rekeyed, and at the hard end the client gets a Delete',
    story(lives({}, { keylife: '120', rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      await s.run({ ms: 119_000 });
      expect(s.gateway.view.at).toBe('established');
      await s.run({ ms: 2000 });
      expect(client.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway' });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'lifetime', seconds: 120 }]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'rekey disable: a child ends at its hard end and the IKE SA goes on without it',
    story(lives({ keylifeseconds: '120' }, { rekey: 'disable' }), async (s) => {
      const client = await s.connected();
      await s.run({ ms: 121_000 });
      expect(client).toMatchObject({ at: 'established', installed: 0 });
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'lifetime' }]);
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.leased).toBe(1);
      client.createChild(s.now);
      await s.settle();
      expectAgreement(s.gateway, client);
    }),
  );
});

describe('to who looks', () => {
  it(
    'ages and ends go on while nobody says anything',
    story(lives({ keylifeseconds: '120' }, { dpd: 'disable' }), async (s) => {
      await s.connected();
      const before = s.gateway.view;
      s.clock.advance(8000);
      const { age, established, lifetime, children } = s.gateway.view;
      expect([age, established?.age]).toEqual([before.age + 8, (before.established?.age ?? 0) + 8]);
      expect([lifetime?.rekey, children[0]?.expires]).toEqual([(before.lifetime?.rekey ?? 0) - 8, 112]);
    }),
  );
});

describe('a client that does not play along', () => {
  it(
    'takes none of the algorithms: the child lives until its hard end, the IKE SA longer',
    story(lives({ keylifeseconds: '120', pfs: 'enable', dhgrp: '20' }), async (s) => {
      const client = await s.connected(); // offers group 31 alone
      await s.run({ ms: 119_000 });
      expect(s.gateway.said).toContain('peer says NO_PROPOSAL_CHOSEN');
      expect(s.gateway.installed.size).toBe(1);
      await s.run({ ms: 2000 });
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'lifetime' }]);
      expect(client).toMatchObject({ at: 'established', installed: 0 });
    }),
  );

  it(
    'TEMPORARY_FAILURE: not at once again, and then it is tried anew (§2.25)',
    story(lives({ keylifeseconds: '600' }), async (s) => {
      const { pen, request } = await asked(s);
      const since = s.now;
      const before = await answer(s, pen, request, [notify('TEMPORARY_FAILURE')]);
      const again = await next(s, pen, before);
      expect(s.now - since).toBeGreaterThanOrEqual(3000);
      expect(s.now - since).toBeLessThan(9000);
      expect(again.header.messageId).toBe(request.header.messageId + 1);
      expect(kinds(again.payloads)).toEqual(['N', 'SA', 'NONCE', 'TSi', 'TSr']);
    }),
  );

  it(
    'CHILD_SA_NOT_FOUND: what the client does not have the gateway gives up, too (§2.25)',
    story(child, async (s) => {
      const { pen, request } = await asked(s);
      await answer(s, pen, request, [notify('CHILD_SA_NOT_FOUND')]);
      expect(s.gateway.installed.size).toBe(0);
      expect(s.gateway.view.at).toBe('established');
    }),
  );

  it(
    'INVALID_KE_PAYLOAD for another group of dhgrp: that one is used',
    story(lives({ keylifeseconds: '120', pfs: 'enable', dhgrp: '31 19' }), async (s) => {
      const { pen, request } = await asked(s);
      expect(request.payloads).toMatchObject([{}, {}, {}, { kind: 'KE', group: 31 }, {}, {}]);
      const before = await answer(s, pen, request, [notify('INVALID_KE_PAYLOAD', 19)]);
      const again = await next(s, pen, before);
      expect(again.payloads.find((p) => p.kind === 'KE')).toMatchObject({ group: 19 });
    }),
  );

  it.each([
    ['that is not configured', 2],
    ['that does not exist', 0],
  ])('INVALID_KE_PAYLOAD for a group %s: the client cannot talk the gateway into less', async (_, group) => {
    await story(lives({ keylifeseconds: '120', pfs: 'enable', dhgrp: '31 19' }), async (s) => {
      const { pen, request } = await asked(s);
      await answer(s, pen, request, [notify('INVALID_KE_PAYLOAD', group)]);
      await s.run({ ms: 30_000 });
      const rekeys = s.gateway.sent.filter(({ octets }) => octets[18] === Exchange.CREATE_CHILD_SA);
      for (const { octets } of rekeys) {
        const KE = (open(pen, octets) ?? []).find((p) => p.kind === 'KE');
        expect([31, 19]).toContain(KE?.kind === 'KE' ? KE.group : 'no group at all');
      }
    })();
  });

  it.each([
    ['payloads missing', (): readonly Payload[] => [notify('CHILDLESS_IKEV2_SUPPORTED')]],
    ['nothing at all', (): readonly Payload[] => []],
    ['wider selectors', (sent: readonly Payload[]) => accepting(sent, { kind: 'TSr', selectors: [selector('0.0.0.0/0')] })],
    ['a nonce of 8 octets', (sent: readonly Payload[]) => accepting(sent, { kind: 'NONCE', data: new Uint8Array(8) })],
  ])('an answer with %s is no child, and ends the SA', isNoChild);
  it.each([
    ['another algorithm', (sent: readonly Payload[]) => accepting(sent, otherSuite(sent))],
    ['two proposals', (sent: readonly Payload[]) => accepting(sent, twoProposals(sent))],
    ['a reserved SPI', (sent: readonly Payload[]) => accepting(sent, withSpi(sent, 7))],
  ])('an answer with %s is no child, and ends the SA (§2.7)', isNoChild);

  it(
    'an answer as it should be is a child',
    story(child, async (s) => {
      const { pen, request } = await asked(s);
      await answer(s, pen, request, accepting(request.payloads));
      expect(s.gateway.everInstalled).toHaveLength(2);
      expect(s.gateway.told('child-rekeyed')).toMatchObject([{ by: 'us' }]);
    }),
  );

  it(
    'no answer at all: the same octets five times, and then it counts as dead',
    story(child, async (s) => {
      const { request } = await asked(s);
      await s.run({ ms: 120_000 });
      const said = s.gateway.sent.filter(({ octets }) => octets[18] === Exchange.CREATE_CHILD_SA);
      expect(said).toHaveLength(5);
      for (const { octets } of said) expect(octets).toEqual(request.octets);
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'dead-peer' }]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'a rekey of the IKE SA answered by nonsense ends it',
    story(ike, async (s) => {
      const { pen, request } = await asked(s);
      await answer(s, pen, request, [notify('CHILDLESS_IKEV2_SUPPORTED')]);
      await s.run({ ms: 90_000 });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'syntax' }]);
    }),
  );

  it(
    'a rekey of the IKE SA that is refused leaves it as it is until its hard end',
    story(ike, async (s) => {
      const { pen, request, client } = await asked(s);
      await answer(s, pen, request, [notify('NO_PROPOSAL_CHOSEN')]);
      expect(s.gateway.view).toMatchObject({ at: 'established', SPIi: pen.SPIi });
      await s.run({ ms: 120_000 });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'lifetime' }]);
      s.forgive(client);
    }),
  );
});

async function isNoChild(_: string, answerTo: (sent: readonly Payload[]) => readonly Payload[]): Promise<void> {
  await story(child, async (s) => {
    const { pen, request } = await asked(s);
    const before = s.gateway.everInstalled.length;
    await answer(s, pen, request, answerTo(request.payloads));
    expect(s.gateway.everInstalled).toHaveLength(before);
    await s.run({ ms: 90_000 });
    expect(s.gateway.told('closed')).toMatchObject([{ reason: 'syntax' }]);
  })();
}

type Request = { readonly header: Header; readonly octets: Uint8Array; readonly payloads: readonly Payload[] };

/** Connects, cuts the client off, and waits for the gateway's rekey: the test answers in the client's name. */
async function asked(s: Scene): Promise<{ readonly pen: Pen; readonly request: Request; readonly client: LabClient }> {
  const client = await s.connected();
  const pen = penOf(client);
  s.forgive(client);
  s.net.filter = (d) => d.to.address !== '198.51.100.1';
  return { pen, request: await next(s, pen), client };
}

/** The next request of the gateway that is not the one before, in `sent` from there on. */
async function next(s: Scene, pen: Pen, from = 0): Promise<Request> {
  const found = () => messages(s.gateway.sent.slice(from)).find((o) => o[18] === Exchange.CREATE_CHILD_SA);
  await s.run({ until: () => found() !== undefined });
  const octets = found();
  if (octets === undefined) throw new Error('the gateway asked for nothing');
  return { octets, header: decodeHeader(octets), payloads: open(pen, octets) ?? [] };
}

/** Answers in the client's name; gives how much had been sent before. */
async function answer(s: Scene, pen: Pen, { header }: Request, payloads: readonly Payload[]): Promise<number> {
  const { exchange, messageId } = header;
  const octets = seal(pen, { exchange, messageId, payloads, response: true });
  const { local: to, remote: from } = s.gateway.view;
  const before = s.gateway.sent.length;
  s.net.inject({ from, to, octets: framed(octets, false) });
  await s.run({ ms: 20 });
  return before;
}

const kinds = (payloads: readonly Payload[]): readonly string[] => payloads.map((p) => p.kind);

/** What accepts a rekey of a child, with one payload exchanged for another. */
function accepting(sent: readonly Payload[], other?: Payload): readonly Payload[] {
  const SA = withSpi(sent, 0x1234_5678);
  const said = sent.filter((p) => p.kind === 'TSi' || p.kind === 'TSr');
  const all: readonly Payload[] = [SA, { kind: 'NONCE', data: new Uint8Array(32).fill(3) }, ...said];
  return all.map((p) => (p.kind === other?.kind ? other : p));
}

function withSpi(sent: readonly Payload[], spi: number): Extract<Payload, { kind: 'SA' }> {
  const SA = sent.find((p) => p.kind === 'SA');
  if (SA?.kind !== 'SA') throw new Error('no SA payload');
  const octets = Uint8Array.of(spi >>> 24, (spi >>> 16) & 0xff, (spi >>> 8) & 0xff, spi & 0xff);
  return { ...SA, proposals: SA.proposals.map((p) => ({ ...p, spi: octets })) };
}
function otherSuite(sent: readonly Payload[]): Payload {
  const SA = withSpi(sent, 0x1234_5678);
  const weaker = (t: { type: number }) => (t.type === 1 ? { type: 1, id: 11, keyLength: 0 } : t);
  return { ...SA, proposals: SA.proposals.map((p) => ({ ...p, transforms: p.transforms.map((t) => ({ ...t, ...weaker(t) })) })) };
}
function twoProposals(sent: readonly Payload[]): Payload {
  const SA = withSpi(sent, 0x1234_5678);
  return { ...SA, proposals: SA.proposals.flatMap((p) => [p, { ...p, number: 2 }]) };
}
