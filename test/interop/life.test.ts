/** An SA after IKE_AUTH: rekeys that the client starts, further children, liveness, and the ways in which it ends. */
import { describe, expect, it } from 'vitest';
import { clientSecrets, connection, suites } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { loss } from './support/namespaces.ts';
import { until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, expectSaid, scene } from './support/scene.ts';
import type { Charon, Settings } from './support/strongswan.ts';
import { judge } from './support/tshark.ts';

const client = (
  more: {
    readonly ike?: string;
    readonly esp?: string;
    readonly connection?: Settings;
    readonly child?: Settings;
    readonly children?: Settings;
  } = {},
) => ({
  swanctl: { connections: connection('vpn', { shape: 'psk-eap', ...more }), secrets: clientSecrets() },
});

async function up(charon: Charon): Promise<{ readonly SPIi: string; readonly SPIr: string; readonly spiIn: string }> {
  const initiated = await charon.initiate('vpn');
  expect(initiated.code, initiated.stdout).toBe(0);
  const [sa] = await charon.sas();
  return { SPIi: sa?.SPIi ?? '', SPIr: sa?.SPIr ?? '', spiIn: sa?.children[0]?.spiIn ?? '' };
}

/** The one SA with its one child, once nothing old is left beside them. */
async function settled(charon: Charon) {
  return await until('the old SA is gone', async () => {
    const sas = await charon.sas();
    const children = sas.flatMap((sa) => sa.children).filter(({ state }) => state !== 'DELETED'); // it lingers there for packets
    const [sa] = sas;
    return sas.length === 1 && sa?.state === 'ESTABLISHED' && children.length === 1 ? { ...sa, children } : undefined;
  });
}

interop('rekeys that the client starts', () => {
  describe.each(suites)('$name', ({ ike, esp, ikeSuite, espSuite }) => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap', phase2: { pfs: 'disable' } }) });

    it('of the IKE SA: the child moves over and can be rekeyed there, the address stays', async () => {
      const charon = await play.charon({ ...client({ ike, esp }) });
      const before = await up(charon);
      const rekeyed = await charon.rekeyIke('vpn');
      expect(rekeyed.code, rekeyed.stdout).toBe(0);
      await charon.logged(/IKE_SA vpn\[2\] rekeyed between/);
      const after = await settled(charon);
      expect(after).toMatchObject({ suite: ikeSuite, virtualIps: ['10.10.1.1'], children: [{ spiIn: before.spiIn }] });
      expect([after.SPIi, after.SPIr]).not.toEqual([before.SPIi, before.SPIr]);
      await play.gateway.tells('ike-rekeyed', { by: 'peer' });

      expect((await charon.rekeyChild('vpn')).code).toBe(0);
      await charon.logged(/CHILD_SA vpn\{2\} established/);
      const last = await settled(charon);
      expect(last.children).toMatchObject([
        { state: 'INSTALLED', suite: espSuite, localTs: ['10.10.1.1/32'], remoteTs: ['10.50.0.0/24'] },
      ]);
      expect(last.children[0]?.spiIn).not.toBe(before.spiIn);
      await expectInOrder(play.debug, [
        /established IKE SA/,
        /received create-child request/,
        /responder received CREATE_CHILD exchange/,
        /rekeyed, new IKE SA/,
        /received create-child request/,
        /responder received CREATE_CHILD exchange/,
        /responder creating new child/,
        /PFS is disabled/,
        /responder preparing CREATE_CHILD message/,
        /added IPsec SA: SPIs=/,
      ]);
      expect((await charon.terminate('vpn')).code).toBe(0);
    });

    it('Wireshark opens the old SA and the new one with our keys', async () => {
      await play.stopGateway();
      const verdict = await judge(play.gateway.capture, play.gateway.keys);
      expect(verdict.malformed).toEqual([]);
      expect(verdict.correct).toBe(verdict.sealed);
    });
  });

  describe('with perfect forward secrecy', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap', phase2: { pfs: 'enable', dhgrp: '31 19' } }) });

    it.each([
      { group: 'x25519', name: 'CURVE_25519' },
      { group: 'ecp256', name: 'ECP_256' },
    ])('of the child, in group $group', async ({ group, name }) => {
      const charon = await play.charon({ ...client({ esp: `aes256gcm16-${group}` }) });
      const before = await up(charon);
      expect((await charon.rekeyChild('vpn')).code).toBe(0);
      await charon.logged(/CHILD_SA vpn\{2\} established/);
      const after = await settled(charon);
      expect(after.children).toMatchObject([{ state: 'INSTALLED', suite: `AES_GCM_16-256/${name}` }]);
      expect(after.children[0]?.spiIn).not.toBe(before.spiIn);
      await expectSaid(play.debug, /PFS enabled, group=(31|19)/);
    });

    it('a child without it is refused, the old one stays', async () => {
      const charon = await play.charon(client({ esp: 'aes256gcm16' }));
      const before = await up(charon); // in IKE_AUTH there is no KE to ask for
      await charon.rekeyChild('vpn');
      await charon.logged(/received NO_PROPOSAL_CHOSEN notify/);
      const [sa] = await charon.sas();
      expect(sa).toMatchObject({ state: 'ESTABLISHED', children: [{ spiIn: before.spiIn }] });
      await expectSaid(play.debug, 'no proposal chosen');
    });

    it('a guess of the wrong group is put right (INVALID_KE_PAYLOAD)', async () => {
      const charon = await play.charon(client({ esp: 'aes256gcm16-ecp521-x25519' }));
      await up(charon);
      expect((await charon.rekeyChild('vpn')).code).toBe(0);
      await charon.logged(/peer didn't accept DH group ECP_521, it requested CURVE_25519/);
      await charon.logged(/CHILD_SA vpn\{\d+\} established.*\n(.*\n)*.*CHILD_SA vpn\{\d+\} established/);
    });
  });
});

interop('further children', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap', phase2: { 'src-subnet': '10.50.0.0 255.255.254.0' } }) });

  it('are negotiated in CREATE_CHILD_SA, narrowed to what is ours, and deleted one by one', async () => {
    const charon = await play.charon(
      client({ children: { far: { remote_ts: '10.50.1.0/24,192.0.2.0/24', esp_proposals: 'aes256-sha256' } } }),
    );
    await up(charon);
    const second = await charon.initiate('far');
    expect(second.code, second.stdout).toBe(0);
    expect(await charon.sas()).toMatchObject([
      {
        children: [
          { name: 'vpn', remoteTs: ['10.50.0.0/24'] },
          { name: 'far', remoteTs: ['10.50.1.0/24'], localTs: ['10.10.1.1/32'], suite: 'AES_CBC-256/HMAC_SHA2_256_128' },
        ],
      },
    ]);
    expect((await charon.terminateChild('far')).code).toBe(0);
    await play.gateway.says(/deleted IPsec SA with SPI [0-9a-f]{8}, SA count: 1/);
    expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED', children: [{ name: 'vpn' }] }]);
    expect((await charon.terminate('vpn')).code).toBe(0);
  });
});

interop('liveness', () => {
  describe('asked by the client', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap' }) });

    it('an idle gateway answers empty INFORMATIONAL requests', async () => {
      const charon = await play.charon(client({ connection: { dpd_delay: '1s' } }));
      await up(charon);
      await charon.logged(/sending DPD request\n(.*\n)*.*parsed INFORMATIONAL response \d+ \[ \]/);
      await play.gateway.says(/received informational request/);
      expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED' }]);
    });
  });

  describe('asked by the gateway', () => {
    const play = scene({
      config: () =>
        gatewayConfig({ shape: 'psk-eap', phase1: { dpd: 'on-idle', 'dpd-retryinterval': '1', 'dpd-retrycount': '1' } }),
    });

    it('an idle client answers', async () => {
      const charon = await play.charon(client());
      await up(charon);
      await charon.logged(/parsed INFORMATIONAL request 0 \[ \]\n(.*\n)*.*generating INFORMATIONAL response 0 \[ \]/);
      expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED' }]);
    });

    it('a client that has gone is forgotten, and its address is free again', async () => {
      const charon = await play.charon(client());
      await up(charon);
      await play.net.drop(loss.everything);
      await play.gateway.tells('closed', { reason: 'dead-peer' }, 40);
      await expectInOrder(play.debug, [/link is idle/, /mode-cfg release 10\.10\.1\.1/]);
    });
  });
});

interop('the end', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk-eap' }) });

  it('a client deletes its SA: the answer is empty, lease and child are gone', async () => {
    const charon = await play.charon(client());
    await up(charon);
    const terminated = await charon.terminate('vpn');
    expect(terminated.code, terminated.stdout).toBe(0);
    await play.gateway.tells('closed', { reason: 'peer-deleted' });
    await expectInOrder(play.debug, [
      /received informational request/,
      /processing delete request \(proto 1\)/,
      /deleting IKE SA [0-9a-f]{16}\/[0-9a-f]{16}/,
      /mode-cfg release 10\.10\.1\.1\//,
    ]);
  });

  it('a client that comes back gets its old address', async () => {
    const charon = await play.charon(client());
    for (let round = 0; round < 3; round += 1) {
      await up(charon);
      expect(await charon.sas()).toMatchObject([{ virtualIps: ['10.10.1.1'] }]);
      await charon.terminate('vpn');
    }
  });

  it('SIGTERM: every peer gets a Delete, and the gateway ends with 0', async () => {
    const charon = await play.charon(client());
    await up(charon);
    expect(await play.stopGateway()).toBe(0);
    await charon.logged(/received DELETE for IKE_SA vpn/);
    expect(await charon.sas()).toEqual([]);
    expect(play.gateway.journal()).toContainEqual(expect.objectContaining({ event: 'closed', reason: 'shutdown' }));
  });
});
