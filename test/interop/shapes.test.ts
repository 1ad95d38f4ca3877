/** The four shapes of IKE_AUTH, each with four suites, from strongSwan's first datagram to its clean delete. */
import { beforeAll, describe, expect, it } from 'vitest';
import { clientFiles, clientSecrets, connection, suites } from './support/clients.ts';
import { gatewayConfig, type Shape } from './support/config.ts';
import { success } from './support/narration.ts';
import { type Authority, authority, type Credential } from './support/pki.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, expectSaid, scene } from './support/scene.ts';
import { judge } from './support/tshark.ts';

interop('the four shapes of IKE_AUTH', () => {
  let root: Authority;
  let gatewayOwn: Credential;
  let clientOwn: Credential;

  beforeAll(async () => {
    root = await authority({ cn: 'Lab Root', key: 'ecdsa-256' });
    gatewayOwn = await root.issue({ cn: 'vpn.lab.test', key: 'rsa-2048', names: ['vpn.lab.test'], usage: 'serverAuth' });
    clientOwn = await root.issue({ cn: 'alice', key: 'rsa-2048', names: ['alice@lab.test'], usage: 'clientAuth' });
  });

  describe.each<{ readonly shape: Shape; readonly name: string }>([
    { shape: 'psk', name: 'a pre-shared key on both sides' },
    { shape: 'psk-eap', name: 'a pre-shared key for the gateway, EAP-MSCHAPv2 for the client' },
    { shape: 'certificate-eap', name: 'a certificate for the gateway, EAP-MSCHAPv2 for the client' },
    { shape: 'certificate', name: 'certificates on both sides' },
  ])('$name', ({ shape }) => {
    const certified = shape.startsWith('certificate');
    const play = scene({
      config: () =>
        gatewayConfig({
          shape,
          ...(certified ? { certificates: { gw: gatewayOwn }, authorities: { CA_Cert_1: root } } : {}),
          ...(shape === 'certificate' ? { peer: { ca: 'CA_Cert_1' } } : {}),
        }),
    });

    it.each(suites)('$name', async ({ ike, esp, ikeSuite, espSuite }) => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape, ike, esp, own: clientOwn }), secrets: clientSecrets() },
        files: clientFiles({ authorities: [root], ...(shape === 'certificate' ? { own: clientOwn } : {}) }),
      });

      const initiated = await charon.initiate('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      const [sa, ...others] = await charon.sas();
      expect(others).toEqual([]);
      expect(sa).toMatchObject({ state: 'ESTABLISHED', suite: ikeSuite, remoteId: 'vpn.lab.test', virtualIps: ['10.10.1.1'] });
      expect(sa?.children).toMatchObject([
        { state: 'INSTALLED', suite: espSuite, localTs: ['10.10.1.1/32'], remoteTs: ['10.50.0.0/24'] },
      ]);
      expect(await charon.dns()).toEqual(expect.arrayContaining(['10.50.0.53', '10.50.0.54']));
      await expectInOrder(play.debug, success(shape));
      await expectSaid(play.debug, `established IKE SA ${sa?.SPIi}/${sa?.SPIr}`);
      await expectSaid(play.debug, `added IPsec SA: SPIs=${sa?.children[0]?.spiOut}/${sa?.children[0]?.spiIn}`);

      const terminated = await charon.terminate('vpn');
      expect(terminated.code, terminated.stdout).toBe(0);
      await play.gateway.tells('closed', { reason: 'peer-deleted' });
      expect(await charon.sas()).toEqual([]);
    });

    it('Wireshark opens the whole capture with our keys and finds nothing malformed', async () => {
      await play.stopGateway();
      const verdict = await judge(play.gateway.capture, play.gateway.keys);
      expect(verdict.malformed).toEqual([]);
      expect(verdict.unopened, 'ChaCha20-Poly1305').toBe(1);
      expect(verdict.sealed).toBeGreaterThanOrEqual(4 * (suites.length - 1));
      expect(verdict.correct).toBe(verdict.sealed);
      expect([...verdict.payloads]).toEqual(expect.arrayContaining(['Identification - Responder', 'Configuration', 'Delete']));
    });
  });
});
