/** A client without an address of ours, with a network behind it: the route to it comes and goes with its child. */
import { expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses } from './support/namespaces.ts';
import { must, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import { echo, speak } from './support/traffic.ts';

const noPool = { 'mode-cfg': undefined, 'ipv4-start-ip': undefined, 'ipv4-end-ip': undefined, 'ipv4-netmask': undefined };
const [OWN, OTHER] = ['192.168.7.9', '192.168.8.9'];

interop('add-route', () => {
  const branches = { 'dst-subnet': '192.168.0.0 255.255.0.0' };
  const config = () => gatewayConfig({ shape: 'psk', phase1: { ...noPool, 'dns-mode': undefined }, phase2: branches });
  const play = scene({ config });
  echo(play);

  const routes = async () => {
    const shown = await must('ip', ['route', 'show', 'proto', '80'], { namespace: play.net.gateway });
    return shown
      .split('\n')
      .flatMap((line) => line.split(' ', 1))
      .filter((prefix) => prefix !== '');
  };
  /** One with this address of its own, and this network behind it. */
  const client = async (own: string, local_ts: string) => {
    await must('ip', ['address', 'add', `${own}/32`, 'dev', 'lo'], { namespace: play.net.client });
    return await play.charon({
      swanctl: {
        connections: connection('vpn', { shape: 'psk', connection: { vips: undefined }, child: { local_ts } }),
        secrets: clientSecrets(),
      },
    });
  };

  it('routes the network of a client while its child lives, through rekeys', async () => {
    const charon = await client(OWN, '192.168.7.0/24');
    expect(await routes()).toEqual([]);
    expect((await charon.initiate('vpn')).code).toBe(0);
    await until('the route is there', async () => (await routes()).length > 0 || undefined);
    expect(await routes()).toEqual(['192.168.7.0/24']);
    const transfer = speak(play.net.client, 'tcp', addresses.lan, OWN, '8');
    for (let i = 0; i < 3; i++) await charon.rekeyChild('vpn');
    expect(await transfer).toMatchObject({ stdout: `whole ${8 << 20}\n` });
    expect(await routes()).toEqual(['192.168.7.0/24']);
    await charon.terminate('vpn');
    await until('the route is gone', async () => (await routes()).length === 0 || undefined);
  });

  it('lets a route of somebody else alone, and says so', async () => {
    await must('ip', ['route', 'add', '192.168.8.0/24', 'dev', 'lo'], { namespace: play.net.gateway });
    const charon = await client(OTHER, '192.168.8.0/24');
    expect((await charon.initiate('vpn')).code).toBe(0);
    const told = await until('the journal says so', () =>
      play.gateway.journal().find(({ msg }) => msg?.includes('192.168.8.0/24 is routed already')),
    );
    expect(told['fix']).toContain('`ip route show 192.168.8.0/24`');
    expect(await routes()).toEqual([]);
    await charon.terminate('vpn');
    expect(await must('ip', ['route', 'show', '192.168.8.0/24'], { namespace: play.net.gateway })).toMatch(/dev lo/);
  });
});
