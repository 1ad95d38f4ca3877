/** Traffic through a real daemon over loopback sockets, with the lab host behind it: no rights are needed. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { labInside } from '../../../src/daemon/inside.ts';
import { ping, tcpEcho, udpEcho } from '../../../src/lab/index.ts';
import { staged, UID } from '../../support/postureDaemon.ts';

const BEHIND = '10.50.0.1';

describe('a daemon with the lab host behind it', () => {
  it(
    'carries ping, UDP and 200 kB of TCP',
    staged({ lab: true }, async (s) => {
      const dial = await s.dial();
      expect(s.daemon.traffic).toContain('Traffic is on: packets of clients are carried to the lab host');
      expect(dial.status.path.natt).toBe(true); // the daemon made it so: it has no other way for ESP
      const pinged = await ping(dial, BEHIND, { count: 3, interval: 10 });
      expect(pinged).toMatchObject({ sent: 3, received: 3 });
      const text = new TextEncoder().encode('kiesel');
      expect(await udpEcho(dial, BEHIND, text)).toEqual(text);
      const data = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) & 0xff);
      const echoed = await tcpEcho(dial, BEHIND, data);
      expect(echoed?.length).toBe(200_000);
      expect(Buffer.compare(echoed ?? new Uint8Array(), data)).toBe(0);
      await s.until(async () => (await s.daemon.counters())['labConnections'] === 0); // our last ACK is on its way
      expect(await s.daemon.counters()).toMatchObject({ labIcmp: 3, labUdp: 1, labChecksum: 0, labMalformed: 0 });
      expect(dial.status.esp.drops).toEqual({});
    }),
  );

  it(
    'and nothing more when the tag is gone',
    staged({ lab: true }, async (s) => {
      const dial = await s.dial();
      expect(await ping(dial, BEHIND, { count: 1 })).toMatchObject({ received: 1 });
      s.ems.setTags(UID, []);
      await s.until(() => dial.client.at === 'closed');
      const before = (await s.daemon.counters())['labReceived'];
      expect(await ping(dial, BEHIND, { count: 2, interval: 10, wait: 50 })).toMatchObject({ sent: 2, received: 0 });
      expect((await s.daemon.counters())['labReceived']).toBe(before);
    }),
  );

  it(
    'on its own addresses only, and from an address of ours only',
    staged({ lab: true }, async (s) => {
      const dial = await s.dial();
      expect(await ping(dial, '10.50.1.1', { count: 1, wait: 50 })).toMatchObject({ received: 0 });
      await expect(ping(dial, 'fd50::1')).rejects.toThrow('no address to speak to fd50::1 from');
      await expect(ping(dial, 'there')).rejects.toThrow("'there' is no address");
    }),
  );
});

describe('where it answers', () => {
  const nameOf = async (text: string, prefixes: Parameters<typeof labInside>[1] = []) => {
    const { config, findings } = loadConfig(text);
    expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
    const inside = await labInside(config, prefixes)({ headroom: 24, tailroom: 64, onPacket: () => undefined });
    return inside.name.replace(/^.* on /, '');
  };
  const policy = (destination: string) => `config firewall address
    edit "servers"
        set subnet 10.77.1.0 255.255.255.0
    next
end
config firewall policy
    edit 1
        set srcintf "any"
        set dstintf "any"
        set srcaddr "all"
        set dstaddr "${destination}"
        set service "ALL"
        set schedule "always"
        set action accept
    next
end
`;

  it('where policies say', async () => expect(await nameOf(policy('servers'))).toBe('10.77.1.0-10.77.1.255'));
  it('on a network of its own, when they say everywhere or nothing', async () => {
    const own = '10.50.0.0-10.50.0.255, fd50::-fd50::ffff:ffff:ffff:ffff';
    expect(await nameOf('')).toBe(own);
    expect(await nameOf(policy('all'))).toBe(own);
  });
  it('where it was told to, before all', async () => {
    const only = [{ start: Uint8Array.of(192, 0, 2, 1), end: Uint8Array.of(192, 0, 2, 1) }];
    expect(await nameOf(policy('servers'), only)).toBe('192.0.2.1-192.0.2.1');
  });
});
