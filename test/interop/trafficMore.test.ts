/** Much traffic, every size of ping in both families, and rekeys by both ends that lose not one packet. */
import { describe, expect, it } from 'vitest';
import { clientSecrets, connection, suites } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses } from './support/namespaces.ts';
import { run, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { type Scene, scene } from './support/scene.ts';
import { echo, spoken } from './support/traffic.ts';

const from = (play: Scene, role: string, ...more: readonly string[]) =>
  spoken(play.net.client, role, addresses.lan, '10.10.1.1', ...more);
/** How many of three came back, by size of what is pinged. */
const pinged = async (play: Scene, to: string, sizes: readonly number[]) => {
  const all: Record<number, string | undefined> = {};
  for (const size of sizes) {
    const { stdout } = await run('ping', ['-n', '-c', '3', '-i', '0.05', '-W', '2', '-s', `${size}`, to], {
      namespace: play.net.client,
    });
    all[size] = /(\d+) received/.exec(stdout)?.[1];
  }
  return all;
};
const sizes = [0, 56, 1000, 1300, 1372, 1373, 1400, 1472, 1473, 4000, 16_000] as const;
const threeEach = Object.fromEntries(sizes.map((size) => [size, '3']));

interop('ping and much traffic', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk' }) });
  echo(play);

  describe.each(suites.slice(0, 3).map((suite, i) => ({ ...suite, megabytes: i === 0 ? 100 : 25 })))(
    '$name',
    ({ esp, ike, megabytes }) => {
      it(`pings of every size come back, and so do ${megabytes} MB of TCP`, async () => {
        const charon = await play.charon({
          swanctl: { connections: connection('vpn', { shape: 'psk', ike, esp }), secrets: clientSecrets() },
        });
        expect((await charon.initiate('vpn')).code).toBe(0);
        expect(await pinged(play, addresses.lan, sizes)).toEqual(threeEach);
        expect(await from(play, 'tcp', `${megabytes}`)).toBe(`whole ${megabytes << 20}`);
      });
    },
  );
});

interop('NULL, where the configuration asks for it', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk', phase2: { proposal: 'null-sha256' } }) });
  echo(play);

  it('is told at the start, and carries pings and TCP', async () => {
    expect(play.gateway.journal()).toContainEqual(
      expect.objectContaining({ msg: expect.stringMatching(/null-sha256 of .* does not encrypt/) }),
    );
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk', esp: 'null-sha256' }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).toBe(0);
    expect(await pinged(play, addresses.lan, [56, 1400, 4000])).toEqual({ 56: '3', 1400: '3', 4000: '3' });
    expect(await from(play, 'tcp', '4')).toBe(`whole ${4 << 20}`);
  });
});

interop('ping of IPv6', () => {
  const inner = { 'ip-version': '6', 'ipv6-start-ip': 'fd10::1', 'ipv6-end-ip': 'fd10::20', 'ipv6-prefix': '128' };
  const selectors = { 'src-addr-type': 'subnet6', 'src-subnet6': 'fd50::/64', 'dst-addr-type': 'subnet6' };
  const play = scene({
    listen: [addresses.gateway6],
    config: () => gatewayConfig({ shape: 'psk', phase1: inner, phase2: { 'src-subnet': undefined, ...selectors } }),
  });

  it('comes back in every size', async () => {
    const six = { gateway: addresses.gateway6, connection: { vips: '::' }, child: { remote_ts: 'fd50::/64' } };
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk', ...six }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).toBe(0);
    expect(await pinged(play, addresses.lan6, sizes)).toEqual(threeEach);
  });
});

interop('rekeys under traffic', () => {
  describe('begun by the client', () => {
    const play = scene({ config: () => gatewayConfig({ shape: 'psk' }) });
    echo(play);

    it('of children and of the IKE SA: no datagram is lost', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() },
      });
      expect((await charon.initiate('vpn')).code).toBe(0);
      const steady = from(play, 'count', '1500', '3');
      for (const rekey of [charon.rekeyChild, charon.rekeyIke, charon.rekeyChild, charon.rekeyIke, charon.rekeyChild]) {
        const spis = async () => JSON.stringify((await charon.sas()).map((sa) => [sa.SPIi, sa.children.map((c) => c.spiIn)]));
        const before = await spis();
        expect((await rekey('vpn')).code).toBe(0);
        await until('other SPIs', async () => (await spis()) !== before || undefined);
      }
      expect(await steady).toBe('1500 of 1500');
    });
  });

  describe('begun by the gateway', () => {
    const limit = { 'keylife-type': 'both', keylifekbs: '5120' };
    const play = scene({ config: () => gatewayConfig({ shape: 'psk', phase2: limit }) });
    echo(play);

    it('after so many kilobytes: no datagram is lost', async () => {
      const charon = await play.charon({
        swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() },
      });
      expect((await charon.initiate('vpn')).code).toBe(0);
      // Twice 5 MB and more in both directions; a tenth of it lasts for tenths of a second at this pace.
      expect(await from(play, 'count', '8800', '1', '1200')).toBe('8800 of 8800');
      const [up, down] = ['child-up', 'child-down'].map((kind) => play.gateway.journal().filter(({ event }) => event === kind));
      // The faster the machine, the earlier: four or five children, if it keeps the pace.
      expect(up?.length).toBeGreaterThanOrEqual(3);
      expect(down?.map(({ reason }) => reason)).toEqual(new Array((up?.length ?? 1) - 1).fill('rekeyed'));
    });
  });
});
