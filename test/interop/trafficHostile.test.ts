/** Somebody on the wire, and a client that means ill: what they send is dropped under its own reason, and nobody else notices. */
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { ip4, udp } from '../unit/esp/packets.ts';
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { CHARON, forger, injected, speakAsCharon, tap } from './support/esp.ts';
import { addresses } from './support/namespaces.ts';
import { must, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';
import { scene } from './support/scene.ts';
import { echo, spoken } from './support/traffic.ts';

const attacker = '10.97.0.66';
const own = '10.10.1.1';

const policy = `config firewall service custom
edit "echo"
set udp-portrange 7
set tcp-portrange 7
next
end
config firewall policy
edit 1
set srcintf "ra"
set dstintf "any"
set srcaddr "all"
set dstaddr "all"
set schedule "always"
set action accept
set service "echo"
next
end
`;

interop('hostile ESP', () => {
  const play = scene({ config: () => gatewayConfig({ shape: 'psk' }) + policy });
  echo(play);
  beforeAll(async () => {
    await must('ip', ['-netns', play.net.client, 'address', 'add', `${attacker}/24`, 'dev', 'wan']);
    await speakAsCharon(play.net.client);
  });

  const client = (role: string, ...more: readonly string[]) => spoken(play.net.client, role, addresses.lan, own, ...more);
  const inject = (from: string, port: number, all: readonly Uint8Array[]) => injected(play.net.client, from, port, all);
  /** Every drop by its reason, as `diagnose postern traffic` has it. */
  const drops = async (): Promise<Readonly<Record<string, number>>> => {
    const text = await play.gateway.control('diagnose', 'postern', 'traffic');
    return Object.fromEntries([...text.matchAll(/^ {2}(\S+) +(\d+) {2}/gm)].map(([, reason, n]) => [reason, Number(n)]));
  };
  const place = async () => /^addr: (.*)$/m.exec(await play.gateway.control('diagnose', 'vpn', 'ike', 'gateway', 'list'))?.[1];
  const connected = async () => {
    const charon = await play.charon({
      swanctl: { connections: connection('vpn', { shape: 'psk' }), secrets: clientSecrets() },
    });
    expect((await charon.initiate('vpn')).code).toBe(0);
    return charon;
  };
  /** What an attack was counted as, while a client of good will sends and loses nothing. */
  const during = async (attack: () => Promise<void>) => {
    const [before, where] = [await drops(), await place()];
    const steady = client('count', '300', '5');
    await attack();
    expect(await steady).toBe('300 of 300');
    expect(await place()).toBe(where);
    const after = await drops();
    return Object.fromEntries(
      Object.entries(after)
        .map(([reason, n]) => [reason, n - (before[reason] ?? 0)] as const)
        // The gateway's own kernel now and then speaks multicast on its TUN device, to nobody.
        .filter(([reason, n]) => n > 0 && reason !== 'multicast'),
    );
  };
  const captured = async (name: string) => {
    const taken = await tap({
      ...{ namespace: play.net.client, to: addresses.gateway, count: 20 },
      file: join(play.gateway.keys, name),
    });
    expect(await client('count', '30', '1')).toBe('30 of 30');
    return await taken();
  };
  /** The same with another number, so that it passes the window. */
  const renumbered = (octets: Buffer, number: number) => {
    const copy = Buffer.from(octets);
    copy.writeUInt32BE(number, 4);
    return copy;
  };

  it('from the wire: replays, old numbers, wrong SPIs, cuts, flipped bits', async () => {
    const charon = await connected();
    const old = await captured('old.pcap');
    expect(await client('tcp', '8')).toBe(`whole ${8 << 20}`);
    const fresh = await captured('fresh.pcap');
    const [one] = fresh;
    if (one === undefined) throw new Error('nothing was captured');
    const top = fresh.reduce((most, octets) => Math.max(most, octets.readUInt32BE(4)), 0);
    expect([old.length, fresh.length, top - (old[0]?.readUInt32BE(4) ?? 0) > 2048 + 20]).toEqual([20, 20, true]);
    const elsewhere = fresh.map((octets, i) => {
      const copy = Buffer.from(octets);
      copy.writeUInt32BE((octets.readUInt32BE() ^ (i + 1)) >>> 0, 0);
      return copy;
    });
    const cut = [8, 12, 20, 33].map((octets) => one.subarray(0, octets));
    const damaged = [
      ...[40, 60, 100].map((octets) => renumbered(one, top + 1000).subarray(0, octets)),
      ...Array.from({ length: 40 }, (_, i) => {
        const copy = renumbered(one, top + 1001 + i);
        const at = 16 + ((i * 7) % (copy.length - 16));
        copy[at] = (copy[at] ?? 0) ^ (1 << (i % 8));
        return copy;
      }),
    ];
    const counted = await during(async () => {
      await inject(attacker, 0, [...fresh, ...old, ...elsewhere, ...cut, ...damaged]);
    });
    expect(counted).toEqual({ replay: 20, old: 20, 'unknown-spi': 20, short: 4, integrity: 43 });
    // From the client's own place it is no better.
    const again = await during(async () => {
      await inject(addresses.client, CHARON, [...fresh, ...damaged]);
    });
    expect(again).toEqual({ replay: 20, integrity: 43 });
    expect(await charon.sas()).toHaveLength(1);
  });

  it('from a client with the right keys: what is not its own, not negotiated, not allowed, or no packet', async () => {
    await connected();
    const first = await captured('keys.pcap');
    const { seal, spi } = await forger(play.gateway.keys, addresses.client);
    expect(first[0]?.readUInt32BE()).toBe(spi);
    let number = (first.at(-1)?.readUInt32BE(4) ?? 0) + 1000;
    const next = () => {
      number += 1;
      return number;
    };
    const to = addresses.lan;
    const good = ip4(own, to, 17, udp(40_000, 7));
    const whole: readonly (readonly [reason: string, packet: () => Buffer])[] = [
      ['source', () => seal(ip4('10.10.1.2', to, 17, udp(40_000, 7)), next())],
      ['source', () => seal(ip4(to, to, 17, udp(40_000, 7)), next())],
      ['source', () => seal(ip4('127.0.0.1', to, 17, udp(40_000, 7)), next())],
      ['selector', () => seal(ip4(own, '192.0.2.9', 17, udp(40_000, 7)), next())],
      ['selector', () => seal(ip4(own, '10.10.1.2', 17, udp(40_000, 7)), next())],
      ['firewall', () => seal(ip4(own, to, 17, udp(40_000, 9)), next())],
      ['fragment', () => seal(ip4(own, to, 17, udp(40_000, 7), { offset: 64, id: 99 }), next())],
      ['padding', () => seal(good, next(), { padding: 200 })],
      ['padding', () => seal(good, next(), { padding: 1 })],
      ['next-header', () => seal(good, next(), { next: 50 })],
      ['next-header', () => seal(good, next(), { next: 41 })],
      ['malformed', () => seal(new Uint8Array(40).fill(0xaa), next())],
      ['malformed', () => seal(good.subarray(0, 19), next())],
      ['dummy', () => seal(good, next(), { next: 59 })],
    ];
    const expected: Record<string, number> = {};
    for (const [reason] of whole) expected[reason] = (expected[reason] ?? 0) + 1;
    const counted = await during(async () => {
      await inject(
        addresses.client,
        6666,
        whole.map(([, packet]) => packet()),
      );
    });
    expect(counted).toEqual(expected);
    const list = await play.gateway.control('diagnose', 'vpn', 'tunnel', 'list', 'name', 'ra_0');
    expect(list).toMatch(/Postern: dropped .*source=3/);
    expect(list).not.toMatch(/[0-9a-f]{32}/i);
    // None of them is anything but a drop: what is right comes through the same way.
    const before = Number(/rxp=(\d+)/.exec(list)?.[1]);
    await inject(addresses.client, CHARON, [seal(good, next())]);
    await until('it came', async () => {
      const now = await play.gateway.control('diagnose', 'vpn', 'tunnel', 'list', 'name', 'ra_0');
      return Number(/rxp=(\d+)/.exec(now)?.[1]) > before || undefined;
    });
  });
});
