/** IKE fragmentation (RFC 7383) in both directions, in good and bad weather. */
import { describe, expect, it } from 'vitest';
import { PayloadType } from '../../src/wire/index.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asUser, byCertificate, messages, type Scene, story } from './support/scene.ts';

/** Lengths of the IP datagrams with fragments in them that an address has sent. */
function fragments(s: Scene, from: string): readonly number[] {
  return s.net.passages
    .filter((p) => p.from.address === from && messages([p])[0]?.[16] === PayloadType.SKF)
    .map((p) => p.octets.length + 28);
}
const CLIENT = '198.51.100.1';
const GATEWAY = '192.0.2.1';
const certificates = () => ({ auth: asCertificate(), gateway: byCertificate() });

describe('fragmentation', () => {
  it(
    'both ends split what is too long, each to its own MTU',
    story({ profiles: [{ shape: 'certificate', phase1: { 'fragmentation-mtu': '600' } }] }, async (s) => {
      const client = await s.connected({ ...certificates(), mtu: 576 });
      expect(Math.max(...fragments(s, CLIENT))).toBeLessThanOrEqual(576);
      expect(fragments(s, CLIENT).length).toBeGreaterThanOrEqual(3);
      expect(Math.max(...fragments(s, GATEWAY))).toBeLessThanOrEqual(600);
      expect(fragments(s, GATEWAY).length).toBeGreaterThanOrEqual(3);
      const n = fragments(s, CLIENT).length;
      for (let i = 1; i < n; i++) expect(s.gateway.said).toContain(`encrypted fragment ${i} of ${n} queued`);
      expect(s.gateway.said).toContain('reassembled fragmented message');
      expectAgreement(s.gateway, client);
    }),
  );

  // AES-GCM pads nothing: all fragments but the last are as long as they may be, headers and marker included
  it.each([
    ['on port 500', {}, '198.51.100.1'],
    ['on port 4500, marker included', { nattraversal: 'forced' }, '198.51.100.1'],
    ['over IPv6', { 'ip-version': '6' }, '2001:db8:ffff::7'],
  ] as const)('fragmentation-mtu is the length of the IP datagram, to the octet, %s', async (_, phase1, address) => {
    const words = { 'fragmentation-mtu': '600', ...phase1 };
    await story({ profiles: [{ shape: 'certificate', phase1: words }] }, async (s) => {
      const client = { ...certificates(), address, requestAddresses: [4] as const, ikeProposals: ['aes128gcm-prfsha256'] };
      await s.connect(client);
      const headers = address.includes(':') ? 48 : 28;
      const sent = s.gateway.sent.filter((d) => messages([d])[0]?.[16] === PayloadType.SKF).map((d) => d.octets.length + headers);
      expect(sent.length).toBeGreaterThan(2);
      expect(new Set(sent.slice(0, -1))).toEqual(new Set([600]));
    })();
  });

  it(
    'is not used when one end does not offer it',
    story({ profiles: [{ shape: 'certificate' }] }, async (s) => {
      const client = await s.connected({ ...certificates(), fragmentation: false });
      expect(client.status.fragmentation).toBe(false);
      expect([...fragments(s, CLIENT), ...fragments(s, GATEWAY)]).toEqual([]);
    }),
  );

  it(
    'fragmentation disable: not offered, not used, and a client that can does without',
    story({ profiles: [{ shape: 'certificate', phase1: { fragmentation: 'disable' } }] }, async (s) => {
      const client = await s.connected(certificates());
      expect(client.status.fragmentation).toBe(false);
      expect([...fragments(s, CLIENT), ...fragments(s, GATEWAY)]).toEqual([]);
    }),
  );

  it(
    'a message that fits is sent whole',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      expect(client.status.fragmentation).toBe(true);
      expect([...fragments(s, CLIENT), ...fragments(s, GATEWAY)]).toEqual([]);
    }),
  );

  it.each(['reverse', 'twice'])('fragments in other order or number: %s', async (of) => {
    await story({ profiles: [{ shape: 'certificate' }] }, async (s) => {
      const client = await s.connected({ ...certificates(), mtu: 400, impair: `fragments:${of}` });
      expectAgreement(s.gateway, client);
    })();
  });

  it.each(['one', 'two', 'three'])('loss, reorder and duplicates of every kind, seed %s', async (seed) => {
    const weather = { delay: [1, 400], loss: 0.15, duplicate: 0.3 } as const;
    await story({ profiles: [{ shape: 'certificate', phase1: { 'fragmentation-mtu': '600' } }], weather, seed }, async (s) => {
      const retransmit = { first: 600, factor: 1.3, most: 12 };
      const client = await s.connected({ ...certificates(), mtu: 500, retransmit });
      client.rekeyIke(s.now);
      await s.settle();
      await s.run({ ms: 3000 });
      expectAgreement(s.gateway, client);
      s.net.weather = { delay: [5, 5], loss: 0, duplicate: 0 };
    })();
  });

  it(
    'only the first fragment of a repeated request brings the answer again (RFC 7383 §2.6.1)',
    story({ profiles: [{ shape: 'certificate' }] }, async (s) => {
      await s.connected({ ...certificates(), mtu: 500 });
      const said = s.net.passages.filter((p) => p.from.address === CLIENT && messages([p])[0]?.[16] === PayloadType.SKF);
      const answers = async (passage: (typeof said)[number]) => {
        const before = s.gateway.sent.length;
        s.net.inject(passage);
        await s.run({ ms: 20 });
        return s.gateway.sent.length - before;
      };
      const whole = s.gateway.sent.length - 1; // all but IKE_SA_INIT
      const counted: number[] = [];
      for (const passage of said) counted.push(await answers(passage));
      expect(counted).toEqual([whole, ...said.slice(1).map(() => 0)]);
    }),
  );

  it(
    'a message of which a part never comes ends with the negotiation, and leaves nothing',
    story({ profiles: [{ shape: 'certificate' }] }, async (s) => {
      const client = await s.connect({ ...certificates(), mtu: 500, impair: 'fragments:without-last' });
      expect(client.at).toBe('failed');
      await s.run({ ms: 60_000 });
      expect(s.gateway.views).toEqual([]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'negotiation-timeout' }]);
    }),
  );

  it(
    'a long chain of certificates comes through either way',
    story({ profiles: [{ shape: 'certificate', phase1: { 'fragmentation-mtu': '500' } }], keys: 'rsa2048' }, async (s) => {
      const auth = asCertificate('client.lab.test', 'rsa2048');
      const client = await s.connected({ auth, gateway: byCertificate('rsa2048'), mtu: 400 });
      expect(fragments(s, GATEWAY).length).toBeGreaterThan(4);
      expectAgreement(s.gateway, client);
    }),
  );
});
