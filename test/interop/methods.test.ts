/** Ways to prove who one is, beside those of the four shapes: EAP-GTC, every kind of gateway key, chains, two certificates. */
import { beforeAll, describe, expect, it } from 'vitest';
import { clientFiles, clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { type Authority, authority, type Credential, type KeyKind } from './support/pki.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, expectSaid, scene } from './support/scene.ts';

interop('certificates of the gateway', () => {
  let root: Authority;
  let middle: Authority;
  const own = new Map<KeyKind, Credential>();
  const classic = ['rsa-2048', 'rsa-3072', 'ecdsa-256', 'ecdsa-384'] as const;
  const kinds = [...classic, 'ed25519'] as const;

  beforeAll(async () => {
    root = await authority({ cn: 'Lab Root', key: 'rsa-2048' });
    middle = await root.intermediate({ cn: 'Lab Intermediate', key: 'ecdsa-256' });
    for (const kind of kinds) {
      own.set(kind, await middle.issue({ cn: 'vpn.lab.test', key: kind, names: ['vpn.lab.test'], usage: 'serverAuth' }));
    }
  });

  const credential = (kind: KeyKind): Credential => {
    const found = own.get(kind);
    if (found === undefined) throw new Error(`no ${kind} key was made`);
    return found;
  };
  const client = (more = {}, charon = {}) => ({
    swanctl: { connections: connection('vpn', { shape: 'certificate-eap', ...more }), secrets: clientSecrets() },
    files: clientFiles({ authorities: [root] }),
    charon,
  });
  const config = (...used: readonly KeyKind[]) =>
    gatewayConfig({
      shape: 'certificate-eap',
      certificates: Object.fromEntries(used.map((kind) => [`gw-${kind}`, credential(kind)])),
      authorities: { CA_Cert_1: root, CA_Cert_2: middle },
    });

  describe.each(kinds)('%s', (kind) => {
    const play = scene({ config: () => config(kind) });

    it('with its intermediate, verified by the client from the root alone', async () => {
      const charon = await play.charon(client());
      const initiated = await charon.initiate('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      expect(await charon.log()).toMatch(/received issuer cert "C=XX, O=Lab, CN=Lab Intermediate"/);
      const method = { rsa: 'RSA_EMSA_PKCS1_SHA2_', ecdsa: 'ECDSA_WITH_SHA', ed25519: 'ED25519' }[kind.split('-')[0] ?? ''] ?? '';
      expect(await charon.log()).toMatch(new RegExp(`authentication of 'vpn\\.lab\\.test' with ${method}\\S* successful`));
    });
  });

  describe.each(classic)('%s, to a client without SIGNATURE_HASH_ALGORITHMS', (kind) => {
    const play = scene({ config: () => config(kind) });

    it('is proven with the classic method', async () => {
      const charon = await play.charon(client({}, { signature_authentication: false }));
      const initiated = await charon.initiate('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      const method = { rsa: 'RSA signature', ecdsa: `ECDSA-${kind.slice(6)} signature` }[kind.split('-')[0] ?? ''];
      expect(await charon.log()).toContain(`authentication of 'vpn.lab.test' with ${method} successful`);
    });
  });

  describe('Ed25519 before RSA', () => {
    const play = scene({ config: () => config('ed25519', 'rsa-2048') });

    it('a client that knows RFC 7427 gets the first', async () => {
      const charon = await play.charon(client());
      expect((await charon.initiate('vpn')).code).toBe(0);
      expect(await charon.log()).toMatch(/authentication of 'vpn\.lab\.test' with ED25519 successful/);
    });

    it('a client that does not gets the other', async () => {
      const charon = await play.charon(client({}, { signature_authentication: false }));
      expect((await charon.initiate('vpn')).code).toBe(0);
      expect(await charon.log()).toMatch(/authentication of 'vpn\.lab\.test' with RSA signature successful/);
    });
  });

  describe('Ed25519 alone', () => {
    const play = scene({ config: () => config('ed25519') });

    it('is a clear refusal for a client that cannot verify it', async () => {
      const charon = await play.charon(client({}, { signature_authentication: false }));
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      await expectSaid(play.debug, /Ed25519/i);
    });
  });

  describe('EAP-GTC behind a certificate', () => {
    const play = scene({ config: () => config('ecdsa-256') });

    it('is what the client gets when it declines MSCHAPv2', async () => {
      const charon = await play.charon(client({ local: { auth: 'eap-gtc' } }));
      const initiated = await charon.initiate('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      expect(await charon.log()).toMatch(/requesting EAP_GTC authentication, sending EAP_NAK/);
      await expectInOrder(play.debug, [/EAP user "alice"/, /EAP succeeded for user "alice"/, /established IKE SA/]);
    });

    it('a method that nobody has ends as EAP-Failure', async () => {
      const charon = await play.charon(client({ local: { auth: 'eap-md5' } }));
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      await play.gateway.tells('negotiation-failed', { reason: 'eap-failed' });
    });
  });
});

interop('EAP-GTC behind a pre-shared key', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap' }) });

  it('is not offered: everybody in the group could ask for passwords', async () => {
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk-eap', local: { auth: 'eap-gtc' } }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    await play.gateway.tells('negotiation-failed', { reason: 'eap-failed' });
    expect(await charon.log()).not.toMatch(/EAP_GTC.*successful/);
  });
});

interop('identities', () => {
  describe('eap-identity use-id-payload', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap', phase1: { 'eap-identity': undefined } }) });

    it('takes the user name from IDi and asks for no identity', async () => {
      const charon = await play.charon({
        swanctl: {
          connections: connection('vpn', { shape: 'psk-eap', id: 'alice', local: { eap_id: undefined } }),
          secrets: clientSecrets(),
        },
      });
      const initiated = await charon.initiate('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      expect(await charon.log()).not.toContain('EAP/REQ/ID');
      await expectSaid(play.debug, 'EAP succeeded for user "alice"');
    });
  });

  describe('peertype one', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap', phase1: { peertype: 'one', peerid: '"office"' } }) });

    it.each([
      { id: 'office', name: 'the peer with that identity gets in', code: 0, says: /gw validation OK/ },
      { id: 'home', name: 'any other does not', code: 1, says: /gw validation failed/ },
    ])('$name', async ({ id, code, says }) => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk-eap', id }), secrets: clientSecrets() },
      });
      expect((await charon.initiate('vpn')).code === 0).toBe(code === 0);
      await expectInOrder(play.debug, [says]);
    });
  });
});
