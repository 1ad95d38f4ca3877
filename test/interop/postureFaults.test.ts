/**
 * A strongSwan client, which has no token, and an EMS with something wrong: from before its first word, and after it has spoken.
 * For every new fault the gateway reads its configuration again and has an EMS that it has never heard of.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { type Ems, makeEms } from './support/ems.ts';
import { until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import type { Charon } from './support/strongswan.ts';

const DEVICE = { uid: '1'.repeat(32), address: '10.97.9.1' };

interop('the posture gate and an EMS with a fault', () => {
  let ems: Ems;
  beforeAll(async () => {
    ems = await makeEms();
  });
  afterAll(async () => {
    await ems?.remove();
  });

  const client = {
    swanctl: { connections: connection('vpn', { shape: 'psk-eap', id: DEVICE.address }), secrets: clientSecrets() },
  };
  /** @param called another name is another EMS to the gateway: nothing is known of it, nor of its certificate */
  const config = (called: string, trusted = true) =>
    gatewayConfig({
      shape: 'psk-eap',
      authorities: { 'ems-ca': { certificate: ems.ca, key: '', subject: '' } },
      posture: { 'lookup-wait': '400' },
      ems: {
        [called]: {
          ...{ status: 'enable', 'ems-id': '3', server: '"127.0.0.1"', 'https-port': '8013', 'out-of-sync-threshold': '10' },
          ...{ 'call-timeout': '2', ...(trusted ? { 'verifying-ca': '"ems-ca"' } : {}) },
        },
      },
      phase1: { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' },
    });
  const play = scene({ config: () => config('nobody') });

  const running = async () => {
    await ems.run(play.net.gateway);
    await ems.do('endpoint', 'add', DEVICE.uid, '--address', DEVICE.address, '--tag', 'a');
  };
  const comesIn = (charon: Charon) =>
    until('it is let in', async () => ((await charon.initiate('vpn')).code === 0 ? true : undefined));
  const gone = (charon: Charon) => until('the SA is gone', async () => (await charon.sas()).length === 0 || undefined, 40);
  const asked = (of: RegExp) =>
    until(`a denial that names ${of}`, () =>
      play.gateway.journal().find((l) => l.event === 'posture' && l['rule'] === 'no-token' && of.test(String(l['asked']))),
    );

  it('an EMS that was never reached, and then comes', async () => {
    const charon = await play.charon(client);
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    await asked(/EMS 3 \(nobody\): .*Not reachable/);
    await running();
    await comesIn(charon);
  });

  it.each<readonly [string, readonly string[], string]>([
    ['down', ['down'], 'Not reachable'],
    ['that refuses us', ['401'], 'Auth failed'],
    ['with an error of its own', ['500'], 'EMS server connection failed'],
    ['that speaks nonsense', ['garbage', 'json'], 'No compatible'],
    ['of another authority', ['certificate', 'wrong-ca'], 'Cert unauthorized'],
    ['slow', ['slow', '30000'], 'slow'],
    ['that keeps its devices to itself', ['stale', 'mute'], 'slow'],
  ])('an EMS %s: nobody comes in, and once it is well the same client does', async (_, fault, said) => {
    const called = fault.join('-');
    await ems.do('fault', ...fault);
    await play.gateway.reconfigure(config(called));
    if (said !== 'slow') await play.gateway.tells('ems-state', { name: called, state: said });
    const charon = await play.charon(client);
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    expect(await charon.log()).toContain('received AUTHENTICATION_FAILED notify error');
    await asked(new RegExp(`EMS 3 \\(${called}\\): .*${said}`));
    expect(play.debug().join('\n')).not.toContain('mode-cfg allocate');
    await ems.do('fault', 'clear');
    await comesIn(charon);
    expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED' }]);
  });

  it('an EMS that comes and goes: the tunnel stands as long as its word does', async () => {
    await play.gateway.reconfigure(config('flapping'));
    const charon = await play.charon(client);
    await comesIn(charon);
    await ems.do('fault', 'flapping', '4000:500');
    const end = performance.now() + 12_000;
    await until('it has come and gone for longer than its word lives', async () => {
      expect(await charon.sas()).toHaveLength(1);
      return performance.now() > end || undefined;
    });
    await ems.do('fault', 'clear');
  });

  it('an accepted certificate that changes: the SA stands until the last word is too old, then nobody comes in', async () => {
    await play.gateway.reconfigure(config('pinned', false));
    await play.gateway.tells('ems-state', { name: 'pinned', state: 'Cert unauthorized' });
    expect(await play.gateway.control('execute', 'fctems', 'verify', 'pinned')).toContain('successfully configured and verified');
    const charon = await play.charon(client);
    await comesIn(charon);
    await ems.do('fault', 'certificate', 'changed-key');
    await ems.do('fault', 'flapping', '60000:100'); // cuts the connections that stand
    await play.gateway.tells('ems-state', { name: 'pinned', state: 'Cert unauthorized' });
    expect(await charon.sas()).toHaveLength(1);
    await gone(charon);
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    await asked(/EMS 3 \(pinned\): .*Cert unauthorized/);
    await ems.do('fault', 'clear');
    await comesIn(charon);
  });

  it('an EMS that falls silent behind an open door: the SA goes with its last word', async () => {
    await play.gateway.reconfigure(config('stale'));
    const charon = await play.charon(client);
    await comesIn(charon);
    await ems.do('fault', 'stale', 'mute');
    await ems.do('fault', 'no-websocket');
    await gone(charon);
    await play.gateway.tells('closed', { reason: 'posture-denied' });
    expect((await charon.initiate('vpn')).code).not.toBe(0);
    await ems.do('fault', 'clear');
    await comesIn(charon);
  });
});
