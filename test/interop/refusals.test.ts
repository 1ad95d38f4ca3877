/** Whom the gateway turns away, what the client is told, and what the debug stream says of the cause. */
import { beforeAll, describe, expect, it } from 'vitest';
import { clientFiles, clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig, secrets } from './support/config.ts';
import { type Authority, authority, type Credential } from './support/pki.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, expectSaid, scene } from './support/scene.ts';

interop('wrong secrets', () => {
  describe('pre-shared key on both sides', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk' }) });

    it('the wrong key is AUTHENTICATION_FAILED, and the cause is named', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets({ psk: 'not this one' }) },
      });
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      expect(await charon.log()).toContain('received AUTHENTICATION_FAILED notify error');
      await expectInOrder(play.debug, [
        /auth verify done/,
        /authentication failed/,
        /PSK auth failed: probable pre-shared key mismatch/,
      ]);
      await play.gateway.tells('negotiation-failed', { reason: 'psk-mismatch' });
      expect(play.debug().join('\n')).not.toContain('mode-cfg allocate');
    });
  });

  describe('EAP', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap' }) });

    it('the wrong group key: the client refuses us, and we believe it', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk-eap' }), secrets: clientSecrets({ psk: 'not this one' }) },
      });
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      expect(await charon.log()).toMatch(/MAC mismatched/);
      await play.gateway.tells('negotiation-failed', { reason: 'peer-refused-us' });
    });

    it('the wrong password is an MSCHAPv2 failure, and the cause is named', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk-eap' }), secrets: clientSecrets({ alice: 'looking-glass' }) },
      });
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      expect(await charon.log()).toMatch(/EAP-MS-CHAPv2 failed with error ERROR_AUTHENTICATION_FAILURE/);
      expect(await charon.log()).toContain('EAP_MSCHAPV2 method failed');
      await expectInOrder(play.debug, [/EAP user "alice"/, /FNBAM_DENIED/, /EAP failed for user "alice"/]);
      expect((await play.gateway.tells('negotiation-failed', { reason: 'eap-failed' }))['why']).toContain('alice');
    });

    it('an unknown user gets the same words as a wrong password', async () => {
      const charon = await play.charon({
        swanctl: {
          connections: connection('vpn', { shape: 'psk-eap', local: { eap_id: 'mallory' } }),
          secrets: { ...clientSecrets(), 'eap-mallory': { id: 'mallory', secret: secrets.alice } },
        },
      });
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      expect(await charon.log()).toMatch(/EAP-MS-CHAPv2 failed with error ERROR_AUTHENTICATION_FAILURE/);
      await play.gateway.says(/EAP failed for user "mallory"/);
    });

    it('and none of this keeps the right one out', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk-eap' }), secrets: clientSecrets() },
      });
      expect((await charon.initiate('vpn')).code).toBe(0);
    });
  });
});

interop('wrong certificates', () => {
  let root: Authority;
  let stranger: Authority;
  let gatewayOwn: Credential;
  let right: Credential;
  let unknown: Credential;
  let other: Credential;
  let ended: Credential;

  beforeAll(async () => {
    [root, stranger] = await Promise.all([
      authority({ cn: 'Lab Root', key: 'ecdsa-256' }),
      authority({ cn: 'Lab Root', key: 'ecdsa-256' }), // the same name, another key
    ]);
    gatewayOwn = await root.issue({ cn: 'vpn.lab.test', key: 'ecdsa-256', names: ['vpn.lab.test'], usage: 'serverAuth' });
    right = await root.issue({ cn: 'alice', key: 'ecdsa-256', names: ['alice@lab.test'], usage: 'clientAuth' });
    other = await root.issue({ cn: 'bob', key: 'ecdsa-256', names: ['bob@lab.test'], usage: 'clientAuth' });
    ended = await root.issue({ cn: 'alice', key: 'ecdsa-256', names: ['alice@lab.test'], usage: 'clientAuth', days: -2 });
    unknown = await stranger.issue({ cn: 'alice', key: 'ecdsa-256', names: ['alice@lab.test'], usage: 'clientAuth' });
  });

  const play = scene({
    config: () =>
      gatewayConfig({
        shape: 'certificate',
        certificates: { gw: gatewayOwn },
        authorities: { CA_Cert_1: root },
        peer: { ca: 'CA_Cert_1', words: { cn: '"alice"' } },
      }),
  });
  const client = (own: Credential, id?: string) => ({
    swanctl: { connections: connection('vpn', { shape: 'certificate', own, ...(id === undefined ? {} : { id }) }), secrets: {} },
    files: clientFiles({ own, authorities: [root] }),
  });

  it.each([
    {
      name: 'of an unknown CA with the right name',
      own: () => unknown,
      says: /certificate validation failed/,
      reason: 'certificate-refused',
    },
    { name: 'that has ended', own: () => ended, says: /certificate validation failed/, reason: 'certificate-refused' },
    {
      name: 'of somebody else of the same CA',
      own: () => other,
      says: /gw validation failed|peer .*not|certificate/,
      reason: 'identity-refused',
    },
  ])('a client with a certificate $name is refused', async ({ own, says, reason }) => {
    const charon = await play.charon(client(own()));
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    expect(await charon.log()).toContain('received AUTHENTICATION_FAILED notify error');
    await play.gateway.tells('negotiation-failed', { reason });
    await expectInOrder(play.debug, [says]);
    expect(play.debug().join('\n')).not.toContain('authentication succeeded');
  });

  it('a client that does not know our CA refuses us', async () => {
    const charon = await play.charon({ ...client(right), files: clientFiles({ own: right, authorities: [stranger] }) });
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    expect(await charon.log()).toMatch(/no trusted ECDSA public key found for 'vpn\.lab\.test'/);
  });

  it('the right one gets in, by its subject and by a name in the certificate', async () => {
    const charon = await play.charon({
      swanctl: {
        connections: {
          ...connection('subject', { shape: 'certificate', own: right }),
          ...connection('name', { shape: 'certificate', own: right, id: 'alice@lab.test' }),
        },
        secrets: {},
      },
      files: clientFiles({ own: right, authorities: [root] }),
    });
    for (const name of ['subject', 'name']) {
      const initiated = await charon.initiate(name);
      expect(initiated.code, initiated.stdout).toBe(0);
      await charon.terminate(name);
    }
  });
});

interop('no common ground', () => {
  const play = scene({
    config: () =>
      gatewayConfig({
        shape: 'psk-eap',
        phase1: { proposal: 'aes256-sha256 aes256gcm-prfsha384', dhgrp: '14 20' },
        phase2: { proposal: 'aes256-sha256', 'src-subnet': '10.50.0.0 255.255.255.0' },
      }),
  });
  const client = (ike: string, esp = 'aes256-sha256', child = {}) => ({
    swanctl: { connections: connection('vpn', { shape: 'psk-eap', ike, esp, child }), secrets: clientSecrets() },
  });

  it.each([
    { ike: 'aes128-sha256-modp2048', type: 'ENCR' },
    { ike: 'aes256-sha256-modp1024', type: 'DH' },
    { ike: 'aes256-sha512-prfsha256-modp2048', type: 'INTEG' },
    { ike: 'aes256gcm16-prfsha256-ecp384', type: 'PRF' },
  ])('$ike is NO_PROPOSAL_CHOSEN, and the transform type without common ground is named', async ({ ike, type }) => {
    const charon = await play.charon(client(ike));
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    expect(await charon.log()).toContain('received NO_PROPOSAL_CHOSEN notify error');
    await expectInOrder(play.debug, [/incoming proposal:/, /no proposal chosen/]);
    await expectInOrder(() => play.debug().filter((line) => !line.includes('type=')), [new RegExp(type)]);
    await play.gateway.tells('init-refused', { reason: 'no-proposal' });
  });

  it('a wrong first guess of the group is put right (INVALID_KE_PAYLOAD)', async () => {
    const charon = await play.charon(client('aes256-sha256-x25519-modp2048'));
    const initiated = await charon.initiate('vpn');
    expect(initiated.code, initiated.stdout).toBe(0);
    expect(await charon.log()).toMatch(/peer didn't accept DH group CURVE_25519, it requested MODP_2048/);
  });

  it.each([
    { name: 'proposals', esp: 'aes128gcm16', child: {}, notify: 'NO_PROPOSAL_CHOSEN', says: /no proposal chosen/ },
    {
      name: 'selectors',
      esp: 'aes256-sha256',
      child: { remote_ts: '192.0.2.0/24' },
      notify: 'TS_UNACCEPTABLE',
      says: /traffic selectors unacceptable/,
    },
  ])('a child without common $name is $notify; the IKE SA stays', async ({ esp, child, notify, says }) => {
    const charon = await play.charon({
      ...client('aes256-sha256-modp2048', esp, child),
      charon: { close_ike_on_child_failure: false },
    });
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    expect(await charon.log()).toContain(`received ${notify} notify`);
    expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED', children: [] }]);
    await expectInOrder(play.debug, [/authentication succeeded/, says]);
    expect((await charon.terminate('vpn')).code).toBe(0);
  });
});

interop('an empty pool', () => {
  const play = scene({
    config: () => gatewayConfig({ shape: 'psk-eap', phase1: { 'ipv4-end-ip': '10.10.1.1' }, settings: { 'lease-linger': '0' } }),
  });

  it('is INTERNAL_ADDRESS_FAILURE; the IKE SA stays, and the address comes back with its owner', async () => {
    const charon = await play.charon({
      swanctl: {
        connections: {
          ...connection('first', { shape: 'psk-eap', user: 'alice' }),
          ...connection('second', { shape: 'psk-eap', user: 'bob' }),
        },
        secrets: clientSecrets(),
      },
    });
    expect((await charon.initiate('first')).code).toBe(0);

    expect((await charon.initiate('second')).code).not.toBe(0);
    expect(await charon.log()).toContain('received INTERNAL_ADDRESS_FAILURE notify');
    await expectSaid(play.debug, /IPv4 pool is empty/);
    await play.gateway.tells('pool-empty', { family: 4 });
    await charon.terminate('second');

    await charon.terminate('first');
    await play.gateway.says(/mode-cfg release 10\.10\.1\.1/);
    const initiated = await charon.initiate('second');
    expect(initiated.code, initiated.stdout).toBe(0);
    expect(await charon.sas()).toMatchObject([{ virtualIps: ['10.10.1.1'] }]);
  });
});
