/** The harness itself: two strongSwans in the same net agree. When this fails, look at the machine before the gateway. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { addresses, layNet, loss, type Net } from './support/namespaces.ts';
import { authority } from './support/pki.ts';
import { interop } from './support/requirements.ts';
import { type Charon, startCharon } from './support/strongswan.ts';

interop('two strongSwans', () => {
  let net: Net;
  let client: Charon;
  let server: Charon;

  beforeAll(async () => {
    net = await layNet({ nat: true });
    server = await startCharon({
      namespace: net.gateway,
      swanctl: {
        connections: {
          gw: {
            version: 2,
            proposals: 'aes256gcm16-prfsha256-x25519',
            local_addrs: addresses.gateway,
            pools: 'pool',
            local: { auth: 'psk', id: 'vpn.lab.test' },
            remote: { auth: 'eap-mschapv2', eap_id: '%any' },
            children: { home: { local_ts: '10.50.0.0/24', esp_proposals: 'aes256gcm16' } },
          },
        },
        pools: { pool: { addrs: '10.10.1.0/24' } },
        secrets: clientSecrets(),
      },
    });
    client = await startCharon({
      namespace: net.client,
      swanctl: { connections: connection('vpn', { shape: 'psk-eap' }), secrets: clientSecrets() },
    });
  });

  afterAll(async () => {
    await client?.stop();
    await server?.stop();
    await net?.remove();
  });

  it('agree through a NAT that changes ports, with a quarter of all datagrams lost', async () => {
    await net.drop(loss.random(25));
    const initiated = await client.initiate('vpn', 50);
    expect(initiated.code, initiated.stdout).toBe(0);
    expect(await client.sas()).toMatchObject([
      {
        state: 'ESTABLISHED',
        local: `${addresses.natted}:4500`,
        suite: 'AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519',
        virtualIps: ['10.10.1.1'],
        children: [{ state: 'INSTALLED', suite: 'AES_GCM_16-256', localTs: ['10.10.1.1/32'], remoteTs: ['10.50.0.0/24'] }],
      },
    ]);
    const [seen] = await server.sas();
    expect(seen?.remote).toMatch(/^10\.97\.0\.2:\d+$/);
    expect(seen?.remote).not.toBe('10.97.0.2:4500');
  });

  it('part again when everything passes', async () => {
    await net.drop([]);
    expect((await client.terminate('vpn')).code).toBe(0);
    expect(await server.sas()).toEqual([]);
  });
});

interop('the authority of the tests', () => {
  it('issues certificates of every kind, through an intermediate', async () => {
    const root = await authority({ cn: 'Lab Root', key: 'rsa-2048' });
    const middle = await root.intermediate({ cn: 'Lab Intermediate', key: 'ed25519' });
    const leaf = await middle.issue({ cn: 'alice', key: 'ecdsa-384', names: ['alice@lab.test'], usage: 'clientAuth', days: -2 });
    expect(leaf).toMatchObject({ subject: 'C=XX, O=Lab, CN=alice', certificate: expect.stringContaining('BEGIN CERTIFICATE') });
  });
});
