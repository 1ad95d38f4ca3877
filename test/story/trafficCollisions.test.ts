/** Rekeys of both ends that meet while packets are on their way (RFC 7296 §2.8.1), in a network that loses and turns around. */
import { describe, expect, it } from 'vitest';
import { type LabClient, ping } from '../../src/lab/index.ts';
import { Exchange } from '../../src/wire/index.ts';
import { GATEWAY } from '../support/configs.ts';
import { type Datagram, FAIR } from '../support/net.ts';
import { messages, type Scene } from './support/scene.ts';
import { BEHIND, done, pass, told, up } from './support/traffic.ts';

const spiOf = ({ octets }: Datagram) => Buffer.from(octets).readUInt32BE(0);
/** Header of an IKE message on the NAT-T port; undefined for ESP. */
const ike = (d: Datagram) => (spiOf(d) === 0 ? messages([d])[0] : undefined);
const answers = (d: Datagram, exchange: number): boolean => {
  const header = ike(d);
  return header?.[18] === exchange && ((header[19] ?? 0) & 0x20) !== 0;
};

function bothRekey(s: Scene, client: LabClient): void {
  client.rekeyChild(s.now);
  s.gateway.command({ do: 'rekey-child', spi: [...s.gateway.installed.keys()].at(-1) ?? 0 });
}

/** ESP of the gateway after it has said that the child is deleted: the client may have forgotten it by then. */
function watchTheDead(s: Scene): { sent: number } {
  const dead = { sent: 0 };
  s.net.filter = (d) => {
    if (d.from.address !== GATEWAY || ike(d) !== undefined) return true;
    const child = s.gateway.everInstalled.find((one) => one.child.spiOut === spiOf(d))?.child;
    const spi = (child?.spiIn ?? 0).toString(16).padStart(8, '0');
    if (s.gateway.said.includes(`sending delete for IPsec SA SPI ${spi}`)) dead.sent += 1;
    return true;
  };
  return dead;
}

describe('both ends rekey the same child under load', () => {
  it.each(['a', 'b', 'c', 'd', 'e', 'f'])('nothing is lost, or sent on what the gateway deletes; seed %s', async (seed) => {
    await told({ seed }, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      s.net.weather = { ...FAIR, delay: [5, 40] };
      const dead = watchTheDead(s);
      const pinging = ping(tunnel, BEHIND, { count: 150, interval: 3 });
      await pass(s, 60);
      bothRekey(s, client);
      await pass(s, 500);
      expect(await done(s, pinging)).toMatchObject({ sent: 150, received: 150 });
      expect([dead.sent, s.gateway.everInstalled.length]).toEqual([0, 3]);
      expect(client.status.esp).toEqual({ inPackets: 150, outPackets: 150, drops: {} });
      return traffic;
    })();
  });

  it.each(['a', 'b', 'd', 'e', 'f', 'h'])("also when the gateway's answer is lost, seed %s", async (seed) => {
    await told({ seed }, async (s) => {
      const { client, tunnel, traffic } = await up(s);
      s.net.weather = { ...FAIR, delay: [5, 40] };
      const pinging = ping(tunnel, BEHIND, { count: 600, interval: 3 });
      await pass(s, 60);
      let lost = 0;
      s.net.filter = (d) => {
        const mine = d.from.address === GATEWAY && answers(d, Exchange.CREATE_CHILD_SA);
        if (mine) lost += 1;
        return !mine || lost > 1;
      };
      bothRekey(s, client);
      await pass(s, 2500);
      expect(await done(s, pinging)).toMatchObject({ sent: 600, received: 600 });
      expect(lost).toBe(2);
      expect(client.status.esp).toEqual({ inPackets: 600, outPackets: 600, drops: {} });
      expect(traffic.counters()).toMatchObject({ inPackets: 600, outPackets: 600, inErrors: 0 });
      return traffic;
    })();
  });
});
