/** Liveness by what passes the tunnel: whom ESP is heard of is not asked, and who does not answer is. */
import { expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses, loss } from './support/namespaces.ts';
import { run } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { type Scene, scene } from './support/scene.ts';
import { echo, spoken } from './support/traffic.ts';

const own = '10.10.1.1';
const probe = /link is idle, send IKEv2 DPD probe/;
const config = (mode: string) => () =>
  gatewayConfig({ shape: 'psk', phase1: { dpd: mode, 'dpd-retryinterval': '2', 'dpd-retrycount': '2' } });
const probes = (play: Scene) => play.debug().filter((line) => probe.test(line)).length;
const connected = async (play: Scene) => {
  const charon = await play.charon({ swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() } });
  expect((await charon.initiate('vpn')).code).toBe(0);
};

interop('dpd on-idle', () => {
  const play = scene({ config: config('on-idle') });
  echo(play);

  it('asks nobody whose packets come, and asks when none do', async () => {
    await connected(play);
    const back = await spoken(play.net.client, 'count', addresses.lan, own, '500', '10');
    expect([back, probes(play)]).toEqual(['500 of 500', 0]);
    await play.gateway.says(probe);
    const list = await play.gateway.control('diagnose', 'vpn', 'tunnel', 'list');
    expect(list).toMatch(/^dpd: mode=on-idle on=1 status=ok idle=2000ms retry=2 count=[01] seqno=[1-9]/m);
  });
});

interop('dpd on-demand', () => {
  const play = scene({ config: config('on-demand') });

  it('asks nobody until a packet for him is not answered; a dead client ends by it', async () => {
    await connected(play);
    const ping = async (count: number) =>
      (
        await run('ping', ['-n', '-c', `${count}`, '-i', '0.5', '-W', '1', '-I', addresses.lan, own], {
          namespace: play.net.gateway,
        })
      ).stdout;
    expect(await ping(16)).toContain(' 16 received'); // for longer than three intervals
    expect(probes(play)).toBe(0);
    await play.net.drop(loss.everything);
    expect(await ping(2)).toContain(' 0 received');
    await play.gateway.says(probe);
    await play.gateway.tells('closed', { reason: 'dead-peer' });
  });
});
