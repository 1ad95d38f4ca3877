/**
 * Retransmissions (§2.1-2.3): in every exchange the same request gets the same octets again and does nothing twice; what is still
 * being worked on is not answered twice; what was lost is said again.
 */
import { describe, expect, it } from 'vitest';
import { Exchange, exchangeName, hex, PayloadType } from '../../src/wire/index.ts';
import type { Passage } from '../support/net.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, messages, type Scene, story } from './support/scene.ts';

const CLIENT = '198.51.100.1';

/** Every answer of the gateway by the exchange, message ID and fragment that it answers, as hex. */
function answers(s: Scene): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const octets of messages(s.gateway.sent)) {
    if (((octets[19] ?? 0) & 0x20) === 0) continue;
    const part = octets[16] === PayloadType.SKF ? ` fragment ${octets[33]}` : '';
    const key = `${hex(octets.subarray(0, 16))} ${exchangeName(octets[18] ?? 0)} ${hex(octets.subarray(20, 24))}${part}`;
    found.set(key, [...(found.get(key) ?? []), hex(octets)]);
  }
  return found;
}

/** Says the last request of the client once more, and gives what the gateway answers to that. */
async function sayAgain(s: Scene, exchange: number): Promise<readonly Uint8Array[]> {
  const last = s.net.passages.findLast(
    (p) => p.from.address === CLIENT && ike(p)[18] === exchange && !((ike(p)[19] ?? 0) & 0x20),
  );
  if (last === undefined) throw new Error(`no request of ${exchangeName(exchange)}`);
  const before = s.gateway.sent.length;
  s.net.inject(last);
  await s.run({ ms: 20 });
  return s.gateway.sent.slice(before).map((sent) => sent.octets);
}
const ike = (p: Passage): Uint8Array => messages([p])[0] ?? new Uint8Array(28);

describe('a request that comes twice', () => {
  it(
    'is answered by the same octets in every exchange from the first to the last',
    story({ profiles: [{ shape: 'psk-eap' }], weather: { duplicate: 1 } }, async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      client.rekeyChild(s.now);
      await s.settle();
      client.createChild(s.now);
      await s.settle();
      client.rekeyIke(s.now);
      await s.settle();
      client.liveness(s.now);
      await s.settle();
      client.deleteIke(s.now);
      await s.settle();
      const all = answers(s);
      // INIT, five legs of AUTH; rekey, delete, child, IKE rekey and delete of the old SA; liveness and delete on the new one
      expect([...all.keys()].map((key) => key.split(' ')[1])).toEqual([
        'IKE_SA_INIT',
        ...new Array(5).fill('IKE_AUTH'),
        ...['CREATE_CHILD_SA', 'INFORMATIONAL', 'CREATE_CHILD_SA', 'CREATE_CHILD_SA', 'INFORMATIONAL'],
        ...['INFORMATIONAL', 'INFORMATIONAL'],
      ]);
      for (const [key, said] of all) expect([key, said.length, new Set(said).size]).toEqual([key, 2, 1]);
      // and nothing was done twice
      expect(s.gateway.told('established')).toHaveLength(1);
      expect(s.gateway.told('child-up')).toHaveLength(3);
      expect(s.gateway.told('ike-rekeyed')).toHaveLength(1);
      expect(s.gateway.count('retransmit')).toBe(13);
    }),
  );

  it(
    'long after its answer is answered again, at the address that it came from',
    story({}, async (s) => {
      const client = await s.connected();
      client.liveness(s.now);
      await s.settle();
      const first = s.gateway.sent.at(-1);
      await s.run({ ms: 3_600_000 });
      const last = s.net.passages.findLast((p) => p.from.address === CLIENT);
      const elsewhere = { address: '203.0.113.5', port: 777 };
      if (last !== undefined) s.net.inject({ ...last, from: elsewhere });
      await s.run({ ms: 20 });
      expect(s.gateway.sent.at(-1)).toMatchObject({ to: elsewhere, octets: first?.octets });
      expect(s.gateway.view.remote).toEqual({ address: CLIENT, port: 500 }); // and nothing follows from that
    }),
  );

  it(
    'of an exchange before the last one is dropped: its answer is not kept',
    story({}, async (s) => {
      const client = await s.connected();
      for (let i = 0; i < 2; i++) {
        client.liveness(s.now);
        await s.settle();
      }
      const requests = s.net.passages.filter((p) => p.from.address === CLIENT && ike(p)[18] === Exchange.INFORMATIONAL);
      const before = s.gateway.sent.length;
      if (requests[0] !== undefined) s.net.inject(requests[0]);
      await s.run({ ms: 20 });
      expect(s.gateway.sent.length).toBe(before);
      expect(s.gateway.count('drop-old')).toBe(1);
    }),
  );

  it(
    'whose checksum is wrong is no retransmission',
    story({}, async (s) => {
      const client = await s.connected();
      client.liveness(s.now);
      await s.settle();
      const last = s.net.passages.findLast((p) => p.from.address === CLIENT);
      const before = s.gateway.sent.length;
      if (last !== undefined)
        s.net.inject({ ...last, octets: last.octets.map((o, i) => (i === last.octets.length - 1 ? o ^ 1 : o)) });
      await s.run({ ms: 20 });
      expect(s.gateway.sent.length).toBe(before);
      expect(s.gateway.count('drop-integrity')).toBe(1);
    }),
  );
});

describe('an answer that was lost', () => {
  it.each([
    ['psk-eap', () => ({ auth: asUser('alice') })],
    ['certificate', () => ({ auth: asCertificate(), gateway: byCertificate() })],
  ] as const)('%s: the first answer to every request is lost, and all goes well with the second', async (shape, wish) => {
    await story({ profiles: [{ shape }] }, async (s) => {
      const lost = new Set<string>();
      s.net.filter = (d) => {
        const [octets] = messages([d]);
        if (octets === undefined || d.from.address === CLIENT) return true;
        const key = hex(octets.subarray(0, 24));
        if (lost.has(key)) return true;
        lost.add(key);
        return false;
      };
      const client = await s.connected(wish());
      client.rekeyIke(s.now);
      await s.settle();
      client.rekeyChild(s.now);
      await s.settle();
      expect(client.status.outcomes.filter((o) => !o.ok)).toEqual([]);
      expect(client.status.counters.repeated).toBeGreaterThanOrEqual(6);
      expectAgreement(s.gateway, client);
      for (const said of answers(s).values()) expect(new Set(said).size).toBe(1);
    })();
  });

  it(
    'in the worst of networks both ends still agree',
    story({ profiles: [{ shape: 'psk-eap' }], weather: { delay: [1, 900], loss: 0.25, duplicate: 0.25 } }, async (s) => {
      for (let i = 0; i < 6; i++) {
        const auth = asUser('alice', { id: `10.9.8.${i}` });
        const client = await s.connected({ auth, retransmit: { first: 500, factor: 1.3, most: 14 } });
        client.rekeyChild(s.now);
        await s.settle();
        client.rekeyIke(s.now);
        await s.settle();
        await s.run({ ms: 5000 });
        expectAgreement(s.gateway, client);
      }
      for (const said of answers(s).values()) expect(new Set(said).size).toBe(1);
      s.net.weather = { delay: [5, 5], loss: 0, duplicate: 0 };
    }),
  );
});

describe('while a request is being worked on', () => {
  it(
    'its retransmissions are dropped, and the answer is sent once when it is there',
    story(
      { profiles: [{ shape: 'certificate', phase1: { 'fragmentation-mtu': '4000' } }], script: () => undefined },
      async (s) => {
        const client = s.client({ auth: asCertificate(), gateway: byCertificate(), mtu: 4000 }); // all in one datagram
        client.start(s.now);
        await s.run({ ms: 8000 });
        expect(s.gateway.open).toHaveLength(1);
        expect(client.status.counters.repeated).toBe(3);
        expect(s.gateway.count('drop-busy')).toBe(3);
        expect(s.gateway.asked).toHaveLength(1); // and nobody is asked twice
        const sent = s.gateway.sent.length;
        const [{ ticket, question } = { ticket: 0, question: undefined }] = s.gateway.open;
        const chain = question?.about === 'certificate' ? [question.leaf, ...question.intermediates] : [];
        s.gateway.answer(ticket, { about: 'certificate', verdict: { ok: true, chain: [...chain, ...anchors(question)] } });
        expect(s.gateway.sent.length).toBe(sent + 1);
        await s.run({ until: () => client.at === 'established' });
        expectAgreement(s.gateway, client);
      },
    ),
  );

  it(
    'an answer that comes when the SA is gone, or for the second time, does nothing',
    story({ profiles: [{ shape: 'certificate' }], script: () => undefined }, async (s) => {
      const client = s.client({ auth: asCertificate(), gateway: byCertificate() });
      client.start(s.now);
      await s.run({ ms: 120_000 });
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'certificate-refused', why: expect.stringContaining('path validation did not end in time') },
      ]);
      expect(s.gateway.views).toEqual([]);
      const [{ ticket } = { ticket: 0 }] = s.gateway.open;
      for (let i = 0; i < 2; i++) s.gateway.answer(ticket, { about: 'certificate', verdict: { ok: true, chain: [] } });
      expect(s.gateway.count('drop-late-answer')).toBe(2);
      expect(s.gateway.views).toEqual([]);
    }),
  );
});

describe('the end of an SA', () => {
  it(
    'is answered again for half a minute; after that nobody knows it',
    story({}, async (s) => {
      const client = await s.connected();
      client.deleteIke(s.now);
      await s.settle();
      const [answer] = s.gateway.sent.slice(-1);
      expect(await sayAgain(s, Exchange.INFORMATIONAL)).toEqual([answer?.octets]);
      await s.run({ ms: 30_000 });
      expect(s.gateway.views).toEqual([]);
      const [later] = await sayAgain(s, Exchange.INFORMATIONAL);
      expect(hex(later?.subarray(24) ?? new Uint8Array(0))).toBe(`00000024${'0000000800000004'}`);
    }),
  );

  it(
    'a refused IKE_AUTH is refused again by the same octets, and judged once',
    story({ profiles: [{ shape: 'psk' }] }, async (s) => {
      await s.refused({ auth: badPsk() });
      const [answer] = s.gateway.sent.slice(-1);
      expect(await sayAgain(s, Exchange.IKE_AUTH)).toEqual([answer?.octets]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'psk-mismatch' }]);
    }),
  );

  it(
    'quiet-auth-failures: a refused IKE_AUTH is left unanswered, however often it comes',
    story({ settings: { 'quiet-auth-failures': 'enable' } }, async (s) => {
      const client = s.client({ auth: badPsk(), retransmit: { first: 1000, factor: 1, most: 3 } });
      client.start(s.now);
      await s.run({ until: () => client.at === 'failed' });
      expect(client.status.why).toBe('no answer to IKE_AUTH');
      expect(s.gateway.sent).toHaveLength(1); // IKE_SA_INIT
      expect(s.gateway.told('negotiation-failed')).toHaveLength(1);
      expect(s.gateway.narrative.join('\n')).toContain('refused without an answer (quiet-auth-failures)');
    }),
  );
});

const badPsk = () => asPsk('laptop.lab.test', 'another key');
const anchors = (question: Scene['gateway']['asked'][number]['question'] | undefined) =>
  question?.about === 'certificate' ? question.anchors : [];
