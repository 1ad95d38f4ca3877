/** The four shapes of IKE_AUTH up to a tunnel, in several suites; what both ends have afterwards is the same. */
import { describe, expect, it } from 'vitest';
import { Exchange } from '../../src/wire/index.ts';
import type { Shape } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, messages, type Scene, story, type Wish } from './support/scene.ts';

const shapes: readonly { readonly shape: Shape; readonly wish: () => Wish; readonly proof: RegExp; readonly method: string }[] = [
  { shape: 'psk', wish: () => ({ auth: asPsk() }), proof: /^pre-shared key$/, method: 'psk' },
  { shape: 'psk-eap', wish: () => ({ auth: asUser('alice') }), proof: /^pre-shared key$/, method: 'eap' },
  {
    shape: 'certificate-eap',
    wish: () => ({ auth: asUser('alice'), gateway: byCertificate() }),
    proof: /^ECDSA/i,
    method: 'eap',
  },
  {
    shape: 'certificate',
    wish: () => ({ auth: asCertificate(), gateway: byCertificate() }),
    proof: /^ECDSA/i,
    method: 'certificate',
  },
];

const suites = [
  { ike: 'aes128-sha256', group: 31, esp: 'aes128-sha256' },
  { ike: 'aes256gcm-prfsha384', group: 20, esp: 'aes256gcm' },
  { ike: 'chacha20poly1305-prfsha256', group: 19, esp: 'chacha20poly1305' },
  { ike: 'aes256-sha512', group: 14, esp: 'aes256-sha512' },
  { ike: 'aes192gcm-prfsha256', group: 21, esp: 'aes256-sha1' },
] as const;

describe.each(shapes)('$shape', ({ shape, wish, proof, method }) => {
  it.each(suites)('with $ike in group $group and $esp comes to a tunnel, and both ends have the same keys', async (suite) => {
    const { ike, group, esp } = suite;
    const profile = { shape, phase1: { proposal: ike, dhgrp: `${group}` }, phase2: { proposal: esp } };
    await story({ profiles: [profile] }, async (s) => {
      // IKE_SA_INIT, IKE_AUTH …  ⇄
      const client = await s.connected({ ...wish(), ikeProposals: [ike], groups: [group], espProposals: [esp] });
      expect(client.status.gatewayProof).toMatch(proof);
      expect(s.gateway.told('established')).toMatchObject([{ method, gateway: 'ra_0', assigned: '10.10.1.1' }]);
      expectAgreement(s.gateway, client);
      // HDR, SK {}  -->  <--  HDR, SK {}: what one end seals the other one opens
      client.liveness(s.now);
      await s.settle();
      expect(client.status.outcomes).toEqual([{ verb: 'liveness', ok: true, why: '' }]);
    })();
  });
});

describe('certificates of every kind of key', () => {
  it.each(['rsa2048', 'p384', 'p521', 'ed25519'] as const)('%s on both sides', async (keys) => {
    await story({ profiles: [{ shape: 'certificate' }], keys }, async (s) => {
      const auth = asCertificate('client.lab.test', keys);
      const client = await s.connected({ auth, gateway: byCertificate(keys), signatureHashes: [2, 3, 4, 5] });
      expectAgreement(s.gateway, client);
      expect(client.status.certificates.map((c) => c.cn)).toEqual(['vpn.lab.test', `Intermediate ${keys}`]);
    })();
  });

  it(
    'a client without SIGNATURE_HASH_ALGORITHMS gets the classic methods',
    story({ profiles: [{ shape: 'certificate' }] }, async (s) => {
      const client = await s.connected({ auth: asCertificate(), gateway: byCertificate(), signatureHashes: [] });
      expect(client.status.gatewayProof).toMatch(/ECDSA/);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'an Ed25519 gateway cannot sign for a client that takes no Identity hash, and says so (RFC 8420)',
    story({ profiles: [{ shape: 'certificate-eap' }], keys: 'ed25519' }, async (s) => {
      const why = await s.refused({ auth: asUser('alice'), gateway: byCertificate('ed25519'), signatureHashes: [2, 3, 4] });
      expect(why).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'auth-failed' }]);
      expect(s.gateway.told('negotiation-failed')[0]?.why).toMatch(/no certificate of this gateway can sign.*gateway/);
    }),
  );
});

describe('the first answers', () => {
  it(
    'are what a FortiGate answers to a FortiClient: no vendor ID, no network ID, NAT detection only when asked for',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      const forti = { vendorIds: true, networkId: 0, fragmentation: false, signatureHashes: [] };
      const client = await s.connected({ auth: asUser('alice'), ...forti });
      const inInit = client.status.notifies.filter(({ exchange }) => exchange === Exchange.IKE_SA_INIT);
      expect(inInit.map(({ notify }) => notify.name)).toEqual(['NAT_DETECTION_SOURCE_IP', 'NAT_DETECTION_DESTINATION_IP']);
      const off = await s.connected({ auth: asUser('bob'), ...forti, natt: 'off' });
      expect(off.status.notifies).toEqual([]);
    }),
  );

  it(
    'of an EAP client come in as many legs as §2.16 has: IDi, identity, response, success, AUTH',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      await s.connected({ auth: asUser('alice') });
      expect(exchangesOf(s, '198.51.100.1')).toEqual([34, 35, 35, 35, 35, 35]);
      expect(exchangesOf(s, '192.0.2.1')).toEqual([34, 35, 35, 35, 35, 35]);
    }),
  );

  it(
    'an identity in IDi saves the identity round (eap-identity use-id-payload)',
    story({ profiles: [{ shape: 'psk-eap', phase1: { 'eap-identity': 'use-id-payload' } }] }, async (s) => {
      const client = await s.connected({ auth: asUser('alice', { id: 'alice' }) });
      expect(exchangesOf(s, '198.51.100.1')).toEqual([34, 35, 35, 35, 35]);
      expect(s.gateway.view).toMatchObject({ user: 'alice', group: 'staff' });
      expectAgreement(s.gateway, client);
    }),
  );
});

describe('without a child', () => {
  it(
    'RFC 6023: IKE_AUTH establishes the IKE SA alone, and a child can be made there afterwards',
    story({ profiles: [{ phase1: { 'childless-ike': 'enable', 'mode-cfg': 'disable' } }] }, async (s) => {
      const client = await s.connect({ childless: true, requestAddresses: [] });
      expect(client.at).toBe('established');
      expect(client.installed).toBe(0);
      expect(s.gateway.view.children).toEqual([]);
      // HDR, SK {SA, Ni, TSi, TSr}  -->  <--  HDR, SK {SA, Nr, TSi, TSr}
      client.createChild(s.now);
      await s.settle();
      expect(client.installed).toBe(1);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'childless-ike disabled: the gateway does not offer it, and such an IKE_AUTH is refused',
    story({}, async (s) => {
      const client = await s.connected({ childless: true });
      expect(client.status.notifyNames).not.toContain('CHILDLESS_IKEV2_SUPPORTED');
      const why = await s.refused({ impair: ['omit:SA@IKE_AUTH', 'omit:TSi@IKE_AUTH', 'omit:TSr@IKE_AUTH'] });
      expect(why).toContain('INVALID_SYNTAX');
    }),
  );
});

describe('inner IPv6', () => {
  it(
    'an address of each family, and selectors of both',
    story(
      {
        profiles: [
          {
            phase1: { 'ipv6-start-ip': '2001:db8:10::1', 'ipv6-end-ip': '2001:db8:10::20' },
            phase2s: { four: {}, six: { 'src-addr-type': 'subnet6', 'dst-addr-type': 'subnet6', 'src-subnet': undefined } },
          },
        ],
      },
      async (s) => {
        const client = await s.connect({ requestAddresses: [4, 6] });
        expect(client.status.assigned).toEqual(['10.10.1.1', '2001:db8:10::1']);
        expectAgreement(s.gateway, client);
      },
    ),
  );
});

const exchangesOf = (s: Scene, address: string): readonly number[] => messages(s.net.passages, address).map((o) => o[18] ?? 0);
