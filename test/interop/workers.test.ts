/** Two workers in the hands of the kernel: the right one gets every datagram, and each has a device and routes of its own. */
import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses } from './support/namespaces.ts';
import { must } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import type { Charon } from './support/strongswan.ts';
import { echo, spoken as from, serveEcho } from './support/traffic.ts';

interop('two workers', () => {
  const play = scene({
    second: true,
    captured: false,
    flags: ['--workers', '2'],
    config: () => gatewayConfig({ shape: 'psk' }),
  });
  echo(play);

  const dial = (user: 'alice' | 'bob') => ({
    swanctl: {
      connections: connection('vpn', { shape: 'psk', user, child: { remote_ts: '10.50.0.0/24', rekey_time: '0' } }),
      secrets: clientSecrets(),
    },
  });
  const addressOf = async (charon: Charon) => (await charon.sas())[0]?.virtualIps[0] ?? '';
  /** The first half of the pool, or the second. */
  const laneOf = (address: string) => (Number(address.split('.')[3]) > 10 ? 1 : 0);

  it('serve two clients at once, each by its own; both directions, rekeys, and packets that the inside begins', async () => {
    const { client, second, gateway } = play.net;
    const [alice, bob] = [await play.charon(dial('alice')), await play.second(dial('bob'))];
    expect((await alice.initiate('vpn')).code).toBe(0);
    const one = await addressOf(alice);
    let two = '';
    // An initiator's SPI is random: a few tries and he is with the other.
    for (let i = 0; i < 40 && (two === '' || laneOf(two) === laneOf(one)); i++) {
      if (two !== '') await bob.terminate('vpn');
      expect((await bob.initiate('vpn')).code).toBe(0);
      two = await addressOf(bob);
    }
    expect([laneOf(one), laneOf(two)].sort()).toEqual([0, 1]);

    const devices = await must('ip', ['-o', 'link', 'show', 'type', 'tun'], { namespace: gateway });
    expect(devices.match(/postern\d+/g)).toHaveLength(2);
    const transfers = () => [from(client, 'tcp', addresses.lan, one, '8'), from(second, 'tcp', addresses.lan, two, '8')];
    expect(await Promise.all(transfers())).toEqual([`whole ${8 << 20}`, `whole ${8 << 20}`]);
    // The inside begins: the kernel finds the device of the right worker by its routes.
    for (const [namespace, address] of [
      [client, one],
      [second, two],
    ] as const) {
      const server = await serveEcho(namespace, address);
      expect(await from(gateway, 'count', address, addresses.lan, '20', '5')).toBe('20 of 20');
      await server.stop();
    }
    for (const charon of [alice, bob]) {
      expect((await charon.rekeyIke('vpn')).code).toBe(0);
      expect((await charon.rekeyChild('vpn')).code).toBe(0);
    }
    expect(await Promise.all(transfers())).toEqual([`whole ${8 << 20}`, `whole ${8 << 20}`]);
    const summary = await play.gateway.control('get', 'vpn', 'ipsec', 'tunnel', 'summary');
    expect(summary.match(/^'ra_\d+' \S+ {2}selectors\(total,up\): 1\/1 {2}rx/gm)).toHaveLength(2);
    // From client to client nothing goes, whichever worker they are with.
    const server = await serveEcho(second, two);
    expect(await from(client, 'count', two, one, '5', '5')).toBe('0 of 5');
    await server.stop();
  });

  it('leave nothing behind', async () => {
    expect(await play.stopGateway()).toBe(0);
    expect(await must('ip', ['-o', 'link', 'show', 'type', 'tun'], { namespace: play.net.gateway })).toBe('');
  });
});

interop('two workers whose pools move', () => {
  /** Half of each pool is one worker's, half the other's. */
  const config = (a: readonly [string, string], b: readonly [string, string]) =>
    [a, b]
      .map(([first, last]) =>
        gatewayConfig({ shape: 'psk', phase1: { 'ipv4-start-ip': `10.10.${first}`, 'ipv4-end-ip': `10.10.${last}` } }),
      )
      .map((text, i) => (i === 0 ? text : text.replaceAll('"ra"', '"rb"')))
      .join('');
  const play = scene({
    ...{ captured: false, flags: ['--workers', '2'] },
    config: () => config(['1.0', '1.127'], ['2.128', '2.255']),
  });
  const routes = async () => {
    const shown = await must('ip', ['route', 'show', 'proto', '80'], { namespace: play.net.gateway });
    const all = Array.from(shown.matchAll(/^(\S+) dev (postern\d)/gm), ([, prefix = '', device = '']) => [prefix, device]);
    return Object.fromEntries(all.sort());
  };

  it('exchange the very same prefixes', async () => {
    const before = await routes();
    const [low, high] = [before['10.10.1.0/26'] ?? '', before['10.10.1.64/26'] ?? ''];
    expect([low, high].sort()).toEqual(['postern0', 'postern1']);
    expect(before).toEqual({
      ...{ '10.10.1.0/26': low, '10.10.1.64/26': high },
      ...{ '10.10.2.128/26': low, '10.10.2.192/26': high },
    });
    await play.gateway.reconfigure(config(['1.64', '1.191'], ['2.64', '2.191']));
    expect(await routes()).toEqual({
      ...{ '10.10.1.64/26': low, '10.10.1.128/26': high },
      ...{ '10.10.2.64/26': low, '10.10.2.128/26': high },
    });
    // Somebody is in the way of one of them: then both are as before.
    const namespace = play.net.gateway;
    await must('ip', ['route', 'add', '10.10.2.192/26', 'dev', 'lo'], { namespace });
    const now = await routes();
    await writeFile(play.gateway.config, config(['1.0', '1.127'], ['2.128', '2.255']), { mode: 0o600 });
    expect(await play.gateway.control('execute', 'reload')).toMatch(/10\.10\.2\.192\/26 is routed already.*stays in force/s);
    expect(await routes()).toEqual(now);
    await must('ip', ['route', 'delete', '10.10.2.192/26', 'dev', 'lo'], { namespace });
    expect(await play.gateway.control('execute', 'reload')).toMatch(/in force: /);
    expect(await routes()).toEqual(before);
  });
});
