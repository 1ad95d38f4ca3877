/** The posture gate with a strongSwan client: EMS knows it by its address, says what it is, and may change its mind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { type Ems, makeEms } from './support/ems.ts';
import { must, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, scene } from './support/scene.ts';

const [GOOD, BARE, LOCKED, GONE, TWICE] = [1, 2, 3, 4, 5].map((n) => ({ uid: `${n}`.repeat(32), address: `10.97.9.${n}` })) as [
  Device,
  Device,
  Device,
  Device,
  Device,
];
type Device = { readonly uid: string; readonly address: string };

interop('the posture gate', () => {
  let ems: Ems;
  beforeAll(async () => {
    ems = await makeEms();
  });
  afterAll(async () => {
    await ems?.remove();
  });

  const client = (id: string) => ({
    swanctl: { connections: connection('vpn', { shape: 'psk-eap', id }), secrets: clientSecrets() },
  });
  const config = () =>
    gatewayConfig({
      shape: 'psk-eap',
      authorities: { 'ems-ca': { certificate: ems.ca, key: '', subject: '' } },
      ems: {
        '3': {
          ...{ status: 'enable', name: '"lab"', server: '"127.0.0.1"', 'https-port': '8013', 'verifying-ca': '"ems-ca"' },
          ...{ 'out-of-sync-threshold': '10', 'call-timeout': '2' },
        },
      },
      phase1: { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' },
    });

  describe('an EMS that answers', () => {
    const play = scene({ config });

    const connected = async () => {
      await ems.run(play.net.gateway);
      const add = (device: Device, ...more: readonly string[]) =>
        ems.do('endpoint', 'add', device.uid, '--address', device.address, ...more);
      await add(GOOD, '--tag', 'a');
      await add(BARE, '--tag', 'b');
      await add(LOCKED, '--tag', 'a', '--quarantined', 'yes');
      await add(GONE, '--tag', 'a', '--registered', 'no');
      await add(TWICE, '--tag', 'a');
      await ems.do('endpoint', 'add', '6'.repeat(32), '--address', TWICE.address);
      await play.gateway.tells('ems-state', { state: 'Connected' }, 60);
    };

    it('the tag opens the tunnel, and falls with it within seconds', async () => {
      await connected();
      const charon = await play.charon(client(GOOD.address));
      const initiated = await until('EMS has told of the device', async () => {
        const tried = await charon.initiate('vpn');
        return tried.code === 0 ? tried : undefined;
      });
      expect(initiated.code).toBe(0);
      expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED', virtualIps: [expect.stringMatching(/^10\.10\.1\./)] }]);
      await expectInOrder(play.debug, [/authentication succeeded/, /EMS ZTNA tags check success ZTNA_a/, /established/i]);

      await ems.do('tag', 'remove', GOOD.uid, 'a');
      await charon.logged(/received DELETE for IKE_SA/);
      await until('the SA is gone', async () => (await charon.sas()).length === 0 || undefined);
      expect(await play.gateway.tells('closed', { reason: 'posture-denied' })).toMatchObject({
        why: expect.stringMatching(/none of the wanted tags/),
      });
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      await ems.do('tag', 'add', GOOD.uid, 'a');
      await until('it may come again', async () => ((await charon.initiate('vpn')).code === 0 ? true : undefined));
    });

    it.each<readonly [string, string, string]>([
      ['without the tag', BARE.address, 'no-tag'],
      ['in quarantine', LOCKED.address, 'quarantined'],
      ['no longer managed', GONE.address, 'unregistered'],
      ['that EMS does not know', '10.97.9.99', 'unknown-device'],
      ['with the address of another one', TWICE.address, 'ambiguous-device'],
      ['that does not say who it is', 'alice@lab.test', 'no-device'],
    ])('a device %s is turned away, and the log says why', async (_, id, rule) => {
      const charon = await play.charon(client(id));
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      expect(await charon.log()).toContain('received AUTHENTICATION_FAILED notify error');
      await play.gateway.tells('posture', { verdict: 'deny', rule });
      expect(play.debug().join('\n')).not.toContain('mode-cfg allocate');
    });

    it('what people ask the daemon is answered', async () => {
      const state = play.gateway.capture.replace(/ike\.pcap$/, 'state');
      const postern = new URL('../../bin/postern.ts', import.meta.url).pathname;
      const ask = (...words: readonly string[]) => must(process.execPath, [postern, ...words, '--state', state]);
      expect(await ask('diagnose', 'endpoint', 'ec-shm', 'list')).toContain(GOOD.uid);
      expect(await ask('diagnose', 'firewall', 'dynamic', 'list')).toContain('EMS3_ZTNA_a');
    });

    it('when EMS is gone the SA stands until what it said is too old, then nobody new comes in', async () => {
      const charon = await play.charon(client(GOOD.address));
      await until('it is in', async () => ((await charon.initiate('vpn')).code === 0 ? true : undefined));
      await ems.stop();
      expect(await charon.sas()).toHaveLength(1);
      await until('the SA is gone', async () => (await charon.sas()).length === 0 || undefined, 60);
      expect((await charon.initiate('vpn')).code).not.toBe(0);
      await play.gateway.tells('posture', { verdict: 'deny', rule: 'no-token' });
    });
  });
});
