/** Two clients at once: each by itself, one to the other where a policy says so, and neither in the other's name. */
import { afterAll, expect, it } from 'vitest';
import { ip4, udp } from '../unit/esp/packets.ts';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { CHARON, forger, injected, speakAsCharon } from './support/esp.ts';
import { addresses } from './support/namespaces.ts';
import { type Daemon, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import { echo, spoken as from, serveEcho } from './support/traffic.ts';

const [one, two] = ['10.10.1.1', '10.10.1.2'];

const policies = (toClients: boolean) =>
  [
    'config firewall policy',
    ...['edit 1', 'set srcintf "ra"', 'set dstintf "wan"', 'set srcaddr "all"', 'set dstaddr "all"'],
    ...['set schedule "always"', 'set action accept', 'set service "ALL"', 'next'],
    ...(toClients
      ? [
          ...['edit 2', 'set srcintf "ra"', 'set dstintf "ra"', 'set srcaddr "all"', 'set dstaddr "all"'],
          ...['set schedule "always"', 'set action accept', 'set service "ALL"', 'next'],
        ]
      : []),
    'end',
    '',
  ].join('\n');

interop('two clients', () => {
  const config = (toClients: boolean) =>
    gatewayConfig({ shape: 'psk', phase2: { 'src-subnet': undefined } }) + policies(toClients);
  const play = scene({ second: true, config: () => config(false) });
  echo(play);
  /** Of the second client. */
  let server: Daemon | undefined;
  afterAll(async () => {
    await server?.stop();
  });

  const dial = (user: 'alice' | 'bob') => ({
    swanctl: {
      connections: connection('vpn', { shape: 'psk', user, child: { remote_ts: '10.50.0.0/24,10.10.1.0/24' } }),
      secrets: clientSecrets(),
    },
  });
  const both = async () => {
    const [alice, bob] = [await play.charon(dial('alice')), await play.second(dial('bob'))];
    expect((await alice.initiate('vpn')).code).toBe(0);
    expect((await bob.initiate('vpn')).code).toBe(0);
    expect([(await alice.sas())[0]?.virtualIps, (await bob.sas())[0]?.virtualIps]).toEqual([[one], [two]]);
  };
  const dropped = async (reason: string) => {
    const text = await play.gateway.control('diagnose', 'postern', 'traffic');
    return Number(new RegExp(`^ {2}${reason} +(\\d+) {2}`, 'm').exec(text)?.[1] ?? 0);
  };

  it('carry at the same time, each its own; from one to the other nothing goes until a policy accepts it', async () => {
    const { client, second } = play.net;
    await both();
    const transfers = [from(client, 'tcp', addresses.lan, one, '8'), from(second, 'tcp', addresses.lan, two, '8')];
    expect(await Promise.all(transfers)).toEqual([`whole ${8 << 20}`, `whole ${8 << 20}`]);
    const summary = await play.gateway.control('get', 'vpn', 'ipsec', 'tunnel', 'summary');
    expect(summary.match(/^'ra_\d' \S+ {2}selectors\(total,up\): 1\/1 {2}rx\(pkt,err\): \d{4,}\/\d+ {2}tx/gm)).toHaveLength(2);

    server = await serveEcho(second, two);
    const before = await dropped('firewall');
    expect(await from(client, 'count', two, one, '20', '5')).toBe('0 of 20');
    expect((await dropped('firewall')) - before).toBe(20);

    await play.gateway.reconfigure(config(true));
    expect(await from(client, 'count', two, one, '20', '5')).toBe('20 of 20');
    expect(await from(client, 'tcp', two, one, '2')).toBe(`whole ${2 << 20}`);
  });

  it("neither speaks in the other's name", async () => {
    const { client, second } = play.net;
    await both();
    await speakAsCharon(client);
    const { seal } = await forger(play.gateway.keys, addresses.client);
    const carried = async (name: string) =>
      / rxp=(\d+) txp=(\d+) /.exec(await play.gateway.control('diagnose', 'vpn', 'tunnel', 'list', 'name', name))?.slice(1);
    const [before, untouched] = [await dropped('source'), await carried('ra_1')];
    expect(untouched).toHaveLength(2);
    const forged = (to: string, at: number) => Array.from({ length: 10 }, (_, i) => seal(ip4(two, to, 17, udp(7, 7)), at + i));
    await injected(client, addresses.client, CHARON, [...forged(addresses.lan, 1000), ...forged(two, 1010)]);
    await until('all are dropped', async () => (await dropped('source')) - before === 20 || undefined);
    expect(await carried('ra_1')).toEqual(untouched);
    // And each has its own as before.
    expect(await from(client, 'count', addresses.lan, one, '20', '5')).toBe('20 of 20');
    expect(await from(second, 'count', addresses.lan, two, '20', '5')).toBe('20 of 20');
  });
});
