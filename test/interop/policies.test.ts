/** What may pass the tunnel, through a NAT, over IPv6, and as Wireshark sees it with the keys that we write out. */
import { expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses } from './support/namespaces.ts';
import { must } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { type Scene, scene } from './support/scene.ts';
import { echo, spoken } from './support/traffic.ts';

const from = (play: Scene, role: string, to: string, own: string, ...more: readonly string[]) =>
  spoken(play.net.client, role, to, own, ...more);

const client = { swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() } };

interop('traffic through a NAT', () => {
  const play = scene({ nat: true, config: () => gatewayConfig({ shape: 'psk' }) });
  echo(play, addresses.lan);

  it('passes, and Wireshark opens it with our keys and finds every ICV right', async () => {
    const charon = await play.charon(client);
    expect((await charon.initiate('vpn')).code).toBe(0);
    expect(await from(play, 'udp', addresses.lan, '10.10.1.1', '64', '1000')).toBe('all back');
    expect(await from(play, 'tcp', addresses.lan, '10.10.1.1', '1')).toBe(`whole ${1 << 20}`);
    await charon.terminate('vpn');
    await play.stopGateway();
    const options = ['-o', 'esp.enable_encryption_decode:TRUE', '-o', 'esp.enable_authentication_check:TRUE'];
    const frames = async (filter: string) =>
      (
        await must('tshark', ['-r', play.gateway.capture, ...options, '-Y', filter], {
          env: { WIRESHARK_CONFIG_DIR: play.gateway.keys },
          seconds: 60,
        })
      )
        .split('\n')
        .filter(Boolean).length;
    expect(await frames('esp && udp.port == 7')).toBeGreaterThan(3);
    expect(await frames('esp && tcp.port == 7')).toBeGreaterThan(100);
    expect(await frames('esp.icv_bad == 1')).toBe(0);
  });
});

interop('IPv6 inside and outside', () => {
  const inner = { 'ip-version': '6', 'ipv6-start-ip': 'fd10::1', 'ipv6-end-ip': 'fd10::20', 'ipv6-prefix': '128' };
  const selectors = { 'src-addr-type': 'subnet6', 'src-subnet6': 'fd50::/64', 'dst-addr-type': 'subnet6' };
  const play = scene({
    listen: [addresses.gateway6],
    config: () => gatewayConfig({ shape: 'psk', phase1: inner, phase2: { 'src-subnet': undefined, ...selectors } }),
  });
  echo(play, addresses.lan6);

  it('carries datagrams and TCP', async () => {
    const six = { gateway: addresses.gateway6, connection: { vips: '::' }, child: { remote_ts: 'fd50::/64' } };
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk', ...six }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).toBe(0);
    expect(await from(play, 'udp', addresses.lan6, 'fd10::1', '64', '1200')).toBe('all back');
    expect(await from(play, 'tcp', addresses.lan6, 'fd10::1', '2')).toBe(`whole ${2 << 20}`);
  });
});

interop('firewall policies', () => {
  const policy = (...lines: readonly string[]) =>
    [
      ...['config firewall policy', 'edit 1', 'set srcintf "ra"', 'set dstintf "any"', 'set srcaddr "all"', 'set dstaddr "all"'],
      ...['set schedule "always"', ...lines, 'next', 'end', ''],
    ].join('\n');
  const custom = 'config firewall service custom\nedit "echo-udp"\nset udp-portrange 7\nnext\nend\n';
  const config = (...lines: readonly string[]) => gatewayConfig({ shape: 'psk' }) + custom + policy(...lines);
  const play = scene({ config: () => config('set action accept', 'set service "echo-udp"') });
  echo(play, addresses.lan);

  it('let through what one accepts and nothing else; another configuration counts at once', async () => {
    const charon = await play.charon(client);
    expect((await charon.initiate('vpn')).code).toBe(0);
    expect(await from(play, 'udp', addresses.lan, '10.10.1.1', '64')).toBe('all back');
    expect(await from(play, 'tcp', addresses.lan, '10.10.1.1', '1')).toBe('failed: nothing comes');
    await play.gateway.reconfigure(config('set action accept', 'set service "ALL"'));
    expect(await charon.sas()).toHaveLength(1);
    expect(await from(play, 'tcp', addresses.lan, '10.10.1.1', '1')).toBe(`whole ${1 << 20}`);
    await play.gateway.reconfigure(config('set action deny', 'set service "ALL"'));
    expect(await from(play, 'udp', addresses.lan, '10.10.1.1', '64')).toBe('lost 64');
    await play.stopGateway();
    const stopped = play.gateway.journal().find(({ msg }) => msg === 'stopped');
    expect(stopped?.['esp-firewall']).toBeGreaterThan(0);
  });
});
