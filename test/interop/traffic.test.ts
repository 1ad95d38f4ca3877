/** Packets through the tunnel: strongSwan's userspace ESP at the one end, our data plane and its TUN device at the other. */
import { describe, expect, it } from 'vitest';
import { clientSecrets, connection, suites } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses, loss } from './support/namespaces.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import { echo, speak } from './support/traffic.ts';

interop('traffic through the tunnel', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk' }) });
  echo(play);

  const there = (role: string, ...more: readonly string[]) => speak(play.net.client, role, addresses.lan, '10.10.1.1', ...more);
  const connected = async (esp: string, ike = 'aes256gcm16-prfsha256-x25519') => {
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk', ike, esp }), secrets: clientSecrets() },
    });
    const initiated = await charon.initiate('vpn');
    expect(initiated.code, initiated.stdout).toBe(0);
    return charon;
  };

  describe.each(suites.slice(0, 3))('$name', ({ esp, ike }) => {
    it('carries datagrams of every size, also beyond what one packet holds, and TCP both ways', async () => {
      const charon = await connected(esp, ike);
      expect(await there('udp', '1', '64', '1200', '1372', '1400', '4000')).toMatchObject({ stdout: 'all back\n' });
      expect(await there('tcp', '8')).toMatchObject({ stdout: `whole ${8 << 20}\n` });
      await charon.terminate('vpn');
    });
  });

  it('a rekey of the child loses nothing', async () => {
    const charon = await connected('aes256gcm16');
    const transfer = there('tcp', '24');
    for (let i = 0; i < 3; i++) await charon.rekeyChild('vpn');
    expect(await transfer).toMatchObject({ stdout: `whole ${24 << 20}\n` });
  });

  it('with one datagram in a hundred lost it goes on', async () => {
    await connected('aes256gcm16');
    await play.net.drop(loss.random(1));
    expect(await there('tcp', '4')).toMatchObject({ stdout: `whole ${4 << 20}\n` });
  });

  it('all of it went through ESP, and nothing was dropped without a reason', async () => {
    expect(await play.stopGateway()).toBe(0);
    const stopped = play.gateway.journal().find(({ msg }) => msg === 'stopped');
    const megabytes = 3 * 8 + 24 + 4;
    expect(stopped?.['inOctets']).toBeGreaterThan(megabytes << 20);
    expect(stopped?.['outOctets']).toBeGreaterThan(megabytes << 20);
    const mistakes = ['faults', 'esp-integrity', 'esp-padding', 'esp-malformed', 'esp-source', 'esp-firewall', 'innerRefused'];
    expect(mistakes.filter((name) => (stopped?.[name] ?? 0) !== 0)).toEqual([]);
  });
});
