/** A path that carries less than the link it begins with: the gateway hears of it, and so do both ends of what is inside. */
import { expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses } from './support/namespaces.ts';
import { must, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import { echo, spoken } from './support/traffic.ts';

interop('a narrow place on the way', () => {
  const play = scene({ nat: true, config: () => gatewayConfig({ shape: 'psk' }) });
  echo(play);
  const from = (role: string, ...more: readonly string[]) => spoken(play.net.client, role, addresses.lan, '10.10.1.1', ...more);
  /** What the path carries, and what fits the tunnel. */
  const sizes = async () => {
    const text = await play.gateway.control('diagnose', 'vpn', 'tunnel', 'list');
    return { path: Number(/dst_mtu=(\d+)/.exec(text)?.[1]), inner: Number(/ mtu=(\d+) /.exec(text)?.[1]) };
  };

  it('is learned from the router there, and nothing larger is sent from then on', async () => {
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).toBe(0);
    const before = await sizes();
    expect(before.path).toBe(1500);
    const narrow = (device: string, namespace: string) => must('ip', ['link', 'set', device, 'mtu', '1300'], { namespace });
    await narrow('inside', play.net.nat);
    await narrow('wan', play.net.client);
    // Its first large packets are what the router complains about.
    expect(await from('udp', '1350')).toBe('all back');
    await until('the gateway knows', async () => (await sizes()).path === 1300 || undefined);
    const { inner } = await sizes();
    expect(before.inner - inner).toBeGreaterThan(190);
    expect(await from('tcp', '8')).toBe(`whole ${8 << 20}`);
    expect(await from('udp', '1000', '1200', '1400', '4000')).toBe('all back');
  });
});
