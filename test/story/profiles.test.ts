/**
 * Several phase1-interfaces on one address: which one a client ends up in, by its way of authentication, by the identity it asks
 * for, by its own; and never in one whose authentication it did not pass.
 */
import { describe, expect, it } from 'vitest';
import { loadPrivateKey } from '../../crypto/index.ts';
import { Secret } from '../../crypto/secret.ts';
import { type GatewayAuth, identity } from '../../src/lab/index.ts';
import { configOf, type ProfileText, secrets, table } from '../support/configs.ts';
import { family, issue } from '../support/pki.ts';
import { expectAgreement } from './support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, type Scene, story, type Wish } from './support/scene.ts';

const byPsk = (psk: string = secrets.psk): GatewayAuth => ({ kind: 'psk', psk: Secret.utf8(psk) });

/** Four profiles of four kinds on one address. */
const all: readonly ProfileText[] = [
  { name: 'eap', shape: 'psk-eap' },
  { name: 'psk', shape: 'psk' },
  { name: 'cert', shape: 'certificate' },
  { name: 'guests', shape: 'certificate-eap', phase1: { authusrgrp: '"guests"', localid: 'guests.lab.test' } },
];

/** In which profiles clients are. */
const where = (s: Scene): readonly string[] =>
  s.gateway.views.filter((v) => v.at === 'established').map((v) => v.name.replace(/_\d+$/, ''));

describe('a client finds its profile', () => {
  it.each<readonly [string, string, () => Wish]>([
    ['without AUTH: the one with EAP', 'eap', () => ({ auth: asUser('alice') })],
    ['with a shared key', 'psk', () => ({ auth: asPsk() })],
    ['with a certificate', 'cert', () => ({ auth: asCertificate(), gateway: byCertificate() })],
  ])('by how it authenticates: %s', async (_, name, wish) => {
    for (const profiles of [all, all.toReversed()]) {
      await story({ profiles: profiles.filter((p) => p.name !== 'guests') }, async (s) => {
        const client = await s.connected(wish());
        expect(where(s)).toEqual([name]);
        expectAgreement(s.gateway, client);
      })();
    }
  });

  it(
    'by the identity that it asks for (IDr)',
    story(
      {
        profiles: [
          { name: 'red', phase1: { localid: 'red.lab.test', psksecret: 'the-red-key' } },
          { name: 'blue', phase1: { localid: 'blue.lab.test', psksecret: 'the-blue-key' } },
        ],
      },
      async (s) => {
        s.keepSecret('the-red-key', 'the-blue-key');
        const blue = { auth: asPsk('x.lab.test', 'the-blue-key'), gateway: byPsk('the-blue-key') };
        const client = await s.connected({ ...blue, gatewayId: identity('blue.lab.test') });
        expect(where(s)).toEqual(['blue']);
        expect(s.gateway.said).toContain('gw validation OK');
        expect(client.status.assigned).toEqual(['10.10.2.1']);
        expectAgreement(s.gateway, client);
        // the right name with the wrong key is no way in, and no way into the other one
        expect(await s.refused({ ...blue, gatewayId: identity('red.lab.test') })).toContain('AUTHENTICATION_FAILED');
        expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'psk-mismatch', gateway: 'red' }]);
      },
    ),
  );

  it(
    'by its own identity (peertype one, peerid)',
    story(
      {
        profiles: [
          { name: 'only-a', phase1: { peertype: 'one', peerid: '"a.lab.test"' } },
          { name: 'only-b', phase1: { peertype: 'one', peerid: '"b.lab.test"' } },
        ],
      },
      async (s) => {
        await s.connected({ auth: asPsk('b.lab.test') });
        await s.connected({ auth: asPsk('a.lab.test') });
        expect(where(s)).toEqual(['only-b', 'only-a']);
        expect(await s.refused({ auth: asPsk('c.lab.test') })).toContain('AUTHENTICATION_FAILED');
        const [failed] = s.gateway.told('negotiation-failed');
        expect(failed).toMatchObject({ reason: 'identity-refused' });
        expect(failed?.why).toBe(
          "only-a takes peerid 'a.lab.test' only, this peer is 'c.lab.test'; " +
            "only-b takes peerid 'b.lab.test' only, this peer is 'c.lab.test'",
        );
      },
    ),
  );

  it(
    'by what it proposes',
    story(
      {
        profiles: [
          { name: 'old', phase1: { proposal: 'aes128-sha1', dhgrp: '14' } },
          { name: 'new', phase1: { proposal: 'aes256gcm-prfsha384', dhgrp: '20' } },
        ],
      },
      async (s) => {
        await s.connected({ ikeProposals: ['aes256gcm-prfsha384'], groups: [20] });
        expect(where(s)).toEqual(['new']);
      },
    ),
  );

  it(
    'by VPN_NETWORK_ID (network-overlay)',
    story(
      {
        profiles: [
          { name: 'seven', phase1: { 'network-overlay': 'enable', 'network-id': '7' } },
          { name: 'nine', phase1: { 'network-overlay': 'enable', 'network-id': '9' } },
        ],
      },
      async (s) => {
        await s.connected({ networkId: 9 });
        expect(where(s)).toEqual(['nine']);
        expect(await s.refused({ networkId: 8 })).toContain('NO_PROPOSAL_CHOSEN');
        expect(await s.refused({})).toContain('NO_PROPOSAL_CHOSEN');
      },
    ),
  );

  it(
    'by its address (remote-gw-match), and strangers get no further than IKE_SA_INIT',
    story(
      {
        profiles: [
          {
            phase1: { 'remote-gw-match': 'iprange', 'remote-gw-start-ip': '198.51.100.10', 'remote-gw-end-ip': '198.51.100.20' },
          },
        ],
      },
      async (s) => {
        await s.connected({ address: '198.51.100.10' });
        await s.connected({ address: '198.51.100.20', auth: asPsk('b.lab.test') });
        expect(await s.refused({ address: '198.51.100.21' })).toContain('NO_PROPOSAL_CHOSEN');
        expect(s.gateway.told('init-refused')[0]?.why).toContain('does not take clients from 198.51.100.21 (remote-gw-match)');
      },
    ),
  );

  it(
    'with the group of a profile behind the first (INVALID_KE_PAYLOAD is for when nobody takes it)',
    story(
      {
        profiles: [
          { name: 'first', phase1: { dhgrp: '20' } },
          { name: 'second', shape: 'psk-eap', phase1: { dhgrp: '31' } },
        ],
      },
      async (s) => {
        const client = await s.connected({ auth: asUser('alice'), groups: [31, 20] });
        expect(where(s)).toEqual(['second']);
        expect(client.status.notifyNames).not.toContain('INVALID_KE_PAYLOAD');
      },
    ),
  );

  it(
    'ChaCha20 written with its key length of 256 bits is the same cipher in every profile (RFC 7634)',
    story(
      {
        profiles: [
          { name: 'first', phase1: { proposal: 'chacha20poly1305-prfsha256' } },
          { name: 'second', shape: 'psk-eap', phase1: { proposal: 'chacha20poly1305-prfsha256' } },
        ],
      },
      async (s) => {
        const transforms = [
          { type: 1, id: 28, keyLength: 256 },
          { type: 2, id: 5, keyLength: 0 },
          { type: 4, id: 31, keyLength: 0 },
        ];
        const client = await s.connect({ auth: asUser('alice'), ikeProposals: [transforms] });
        expect(client.status.why).toBe('');
        expect(where(s)).toEqual(['second']);
      },
    ),
  );

  it(
    'the MTU for fragments is that of the profile it ends in',
    story(
      {
        profiles: [
          { name: 'first', shape: 'psk', phase1: { 'fragmentation-mtu': '16000' } },
          { name: 'second', shape: 'certificate-eap', phase1: { 'fragmentation-mtu': '600' } },
        ],
      },
      async (s) => {
        await s.connected({ auth: asUser('alice'), gateway: byCertificate() });
        expect(where(s)).toEqual(['second']);
        expect(Math.max(...s.gateway.sent.map((d) => d.octets.length + 28))).toBeLessThanOrEqual(600);
      },
    ),
  );
});

describe('nobody gets into a profile by another one’s proof', () => {
  /** A profile for each way to get in, each on an address of its own pool, and keys that differ. */
  const separate: readonly ProfileText[] = [
    { name: 'psk', shape: 'psk', phase1: { psksecret: 'the-psk-key' } },
    { name: 'eap', shape: 'psk-eap', phase1: { psksecret: 'the-eap-key' } },
    { name: 'cert', shape: 'certificate' },
  ];

  it.each<readonly [string, () => Wish]>([
    [
      'the shared key of the EAP profile with AUTH',
      () => ({ auth: asPsk('alice', 'the-eap-key'), gateway: byPsk('the-eap-key') }),
    ],
    ['the password of a user as shared key', () => ({ auth: asPsk('alice', secrets.alice) })],
    ['an empty shared key', () => ({ auth: asPsk('alice', '') })],
    ['a user of another group', () => ({ auth: asUser('carol'), gateway: byPsk('the-eap-key') })],
    [
      'a user with the password of another',
      () => ({ auth: asUser('alice', { password: secrets.bob }), gateway: byPsk('the-eap-key') }),
    ],
    ['the shared key as password', () => ({ auth: asUser('alice', { password: 'the-psk-key' }), gateway: byPsk('the-eap-key') })],
    ['a self-signed certificate of the right name', () => ({ auth: forged(), gateway: byCertificate() })],
    ['another name than the certificate has', () => ({ auth: asCertificate('ceo.lab.test'), gateway: byCertificate() })],
    ['a certificate and the key of another', () => ({ auth: stolen(), gateway: byCertificate() })],
    ['an expired certificate', () => ({ auth: expired(), gateway: byCertificate() })],
    ['a certificate left out', () => ({ auth: asCertificate(), gateway: byCertificate(), impair: 'omit:CERT' })],
  ])('%s', async (_, wish) => {
    await story({ profiles: separate }, async (s) => {
      s.keepSecret('the-psk-key', 'the-eap-key');
      const client = await s.connect(wish());
      s.forgive(client);
      expect(client.at).toBe('failed');
      expect(s.gateway.told('established')).toEqual([]);
      expect(s.gateway.everInstalled).toEqual([]);
      expect(s.gateway.leased).toBe(0);
      expect(s.gateway.told('negotiation-failed')).toHaveLength(1);
    })();
  });

  it(
    'EAP finds the users of its own group only, also when the other profile is in line first',
    story({ profiles: [...all].reverse() }, async (s) => {
      const staff = await s.connected({ auth: asUser('alice'), gatewayId: identity('vpn.lab.test') });
      expect(where(s)).toEqual(['eap']);
      expectAgreement(s.gateway, staff);
      const guest = { gateway: byCertificate(), gatewayId: identity('guests.lab.test') };
      const carol = await s.connect({ ...guest, auth: asUser('carol') });
      expect(carol.status.why).toContain('not for its IDr'); // its certificate says vpn.lab.test: the client is right
      expect(await s.refused({ auth: asUser('carol'), gatewayId: identity('vpn.lab.test') })).toMatch(/EAP: /);
      expect(where(s)).toEqual(['eap']);
    }),
  );

  it(
    'peertype dialup: each identity has its own key, and one client’s key does not open another’s door',
    story({ profiles: [{ phase1: { peertype: 'dialup', usrgrp: '"staff"' } }] }, async (s) => {
      const key = (name: 'alice' | 'bob') => byPsk(secrets[name]);
      const alice = await s.connected({ auth: asPsk('alice', secrets.alice), gateway: key('alice') });
      expectAgreement(s.gateway, alice);
      for (const [id, psk] of [
        ['alice', secrets.bob],
        ['carol', secrets.carol],
        ['alice', secrets.psk],
        ['nobody', secrets.alice],
      ] as const)
        expect(await s.refused({ auth: asPsk(id, psk), gateway: byPsk(psk) })).toContain('AUTHENTICATION_FAILED');
      expect(where(s)).toEqual(['ra']);
    }),
  );

  it('peertype peer: the authority of one peer rule does not vouch for another (user peer)', async () => {
    const { root } = family('p384');
    const more = [
      table('vpn certificate ca', 'other-root', { ca: `"${root.certificate.trim()}"` }),
      table('user peer', 'others', { ca: '"other-root"' }),
    ].join('');
    const config = configOf({ profiles: [{ shape: 'certificate' }], more });
    await story({ config }, async (s) => {
      const client = await s.connect({ auth: asCertificate('client.lab.test', 'p384'), gateway: byCertificate() });
      s.forgive(client);
      expect(client.at).toBe('failed');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'certificate-refused' }]);
    })();
  });
});

type Auth = ReturnType<typeof asCertificate>;
const of = (base: Auth, other: Partial<Extract<Auth, { kind: 'certificate' }>>): Auth =>
  base.kind === 'certificate' ? { ...base, ...other } : base;
function forged(): Auth {
  const own = issue({ cn: 'client.lab.test', dns: ['client.lab.test'], eku: ['clientAuth'] });
  return of(asCertificate(), { chain: [own.cert], key: loadPrivateKey(own.key) });
}
function stolen(): Auth {
  return of(asCertificate(), { key: loadPrivateKey(family('p256').server.key) });
}
function expired(): Auth {
  const { intermediate } = family('p256');
  const notAfter = 1_800_000_000 - 1;
  const old = issue({ cn: 'client.lab.test', dns: ['client.lab.test'], eku: ['clientAuth'], issuer: intermediate, notAfter });
  return of(asCertificate(), { chain: [old.cert, intermediate.cert], key: loadPrivateKey(old.key) });
}
