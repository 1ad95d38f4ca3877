/** What the way between the two ends does to datagrams: NAT, loss, small packets, other ports, IPv6. */
import { beforeAll, describe, expect, it } from 'vitest';
import { clientFiles, clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig, type Words } from './support/config.ts';
import { addresses, loss } from './support/namespaces.ts';
import { success } from './support/narration.ts';
import { type Authority, authority, type Credential } from './support/pki.ts';
import { interop } from './support/requirements.ts';
import { expectInOrder, expectSaid, scene } from './support/scene.ts';
import type { Charon, Settings } from './support/strongswan.ts';
import { datagrams, judge } from './support/tshark.ts';

const eapClient = (more: { readonly gateway?: string; readonly connection?: Settings } = {}) => ({
  connections: connection('vpn', { shape: 'psk-eap', ...more }),
  secrets: clientSecrets(),
});
const eapGateway = (phase1: Words = {}, phase2: Words = {}) => gatewayConfig({ shape: 'psk-eap', phase1, phase2 });

async function expectUp(charon: Charon, seconds?: number): Promise<void> {
  const initiated = await charon.initiate('vpn', seconds);
  expect(initiated.code, initiated.stdout).toBe(0);
  expect(await charon.sas()).toMatchObject([{ state: 'ESTABLISHED', children: [{ state: 'INSTALLED' }] }]);
}

interop('a real NAT between client and gateway', () => {
  const play = scene({ nat: true, config: () => eapGateway() });

  it('is seen, lived with through rekeys, and the address that EAP earned is the inner one', async () => {
    const charon = await play.charon({ swanctl: eapClient() });
    await expectUp(charon);
    const [sa] = await charon.sas();
    expect(sa).toMatchObject({
      local: `${addresses.natted}:4500`,
      virtualIps: ['10.10.1.1'],
      children: [{ encapsulated: true }],
    });
    await expectInOrder(play.debug, [/NAT detected: PEER/, ...success('psk-eap').slice(-4)]);
    const [, port] = /adding new dynamic tunnel for 10\.97\.0\.2:(\d+)/.exec(play.debug().join('\n')) ?? [];
    expect(Number(port), 'the NAT chose another port').not.toBe(4500);
    await charon.rekeyIke('vpn');
    await charon.logged(/IKE_SA vpn\[2\] rekeyed between/);
    expect((await charon.terminate('vpn')).code).toBe(0);
  });
});

describe.each([
  { setting: 'enable', inner: 'off', says: 'NAT not detected', port: 500, name: 'enable: without a NAT, IKE stays on port 500' },
  {
    setting: 'enable',
    says: 'NAT not detected',
    port: 4500,
    name: 'enable, and packets are carried: the client is made to encapsulate',
  },
  { setting: 'forced', says: 'NAT', port: 4500, name: 'forced: the client believes in a NAT and moves to port 4500' },
  { setting: 'disable', says: 'matched gateway', port: 500, name: 'disable: no NAT detection, nobody moves' },
])('nattraversal $name', ({ setting, says, port, inner = 'tun' }) => {
  interop('for a client without a data plane', () => {
    const play = scene({
      flags: ['--inner', inner],
      config: () => eapGateway({ nattraversal: setting, 'childless-ike': 'enable' }),
    });

    it('gets in', async () => {
      const charon = await play.charon({
        swanctl: eapClient({ connection: { childless: 'force', mobike: false } }),
        dataPlane: false,
      });
      const initiated = await charon.initiateIke('vpn');
      expect(initiated.code, initiated.stdout).toBe(0);
      const [sa] = await charon.sas();
      expect(sa).toMatchObject({ local: `${addresses.client}:${port}`, remote: `${addresses.gateway}:${port}`, children: [] });
      await expectSaid(play.debug, says);
      const answer = /parsed IKE_SA_INIT response 0 \[.*\]/.exec(await charon.log())?.[0] ?? '';
      expect(answer.includes('NATD'), answer).toBe(setting !== 'disable');
    });
  });
});

interop('a client that begins on port 4500', () => {
  const play = scene({ config: () => eapGateway() });

  it('gets in', async () => {
    await expectUp(await play.charon({ swanctl: eapClient({ connection: { local_port: 4500, remote_port: 4500 } }) }));
    await expectSaid(play.debug, /comes 10\.97\.0\.2:4500->10\.97\.0\.1:4500/);
    expect(play.debug().some((line) => /^ike .*10\.97\.0\.1:500\b/.test(line))).toBe(false);
  });
});

interop('IPv6 outside', () => {
  const inner = { 'ipv6-start-ip': 'fd10::1', 'ipv6-end-ip': 'fd10::20', 'ipv6-prefix': '128' };
  const play = scene({
    listen: [addresses.gateway6],
    config: () =>
      eapGateway(
        { 'ip-version': '6', ...inner },
        { 'src-subnet': undefined, 'src-addr-type': 'subnet6', 'src-subnet6': 'fd50::/64', 'dst-addr-type': 'subnet6' },
      ),
  });

  it('and an IPv6 address inside', async () => {
    const charon = await play.charon({
      swanctl: {
        connections: connection('vpn', {
          shape: 'psk-eap',
          gateway: addresses.gateway6,
          connection: { vips: '::' },
          child: { remote_ts: 'fd50::/64' },
        }),
        secrets: clientSecrets(),
      },
    });
    await expectUp(charon);
    expect(await charon.sas()).toMatchObject([
      {
        remote: `${addresses.gateway6}:4500`,
        virtualIps: ['fd10::1'],
        children: [{ localTs: ['fd10::1/128'], remoteTs: ['fd50::/64'] }],
      },
    ]);
  });
});

interop('datagrams get lost', () => {
  const play = scene({ nat: true, config: () => eapGateway() });

  it('a quarter of them, both ways: the client gets in all the same', async () => {
    const charon = await play.charon({ swanctl: eapClient() });
    await play.net.drop(loss.random(25));
    await expectUp(charon, 50);
    await charon.rekeyChild('vpn');
    await charon.logged(/CHILD_SA vpn\{2\} established/, 30);
  });

  it('every other answer: each request comes twice and gets the same octets again', async () => {
    const charon = await play.charon({ swanctl: eapClient() });
    await play.net.drop(loss.everyOtherAnswer);
    await expectUp(charon, 50);
    expect(await charon.log()).toMatch(/retransmit 1 of request/);
    await expectSaid(play.debug, 'detected retransmit, resend last message');
    await play.stopGateway();
    const sent = (await datagrams(play.gateway.capture))
      .filter(({ port }) => port === 500 || port === 4500)
      .map(({ hex }) => hex);
    const twice = sent.filter((hex, i) => sent.indexOf(hex) !== i);
    expect(twice.length).toBeGreaterThanOrEqual(4);
    const answers = sent.filter((hex) => messageOf(hex).response);
    const versions = Map.groupBy(answers, (hex) => messageOf(hex).key);
    for (const [key, octets] of versions) expect(new Set(octets).size, `different answers to ${key}`).toBe(1);
  });
});

interop('messages larger than a packet (RFC 7383)', () => {
  let root: Authority;
  let middle: Authority;
  let own: Credential;
  let gatewayOwn: Credential;
  const names = Array.from({ length: 30 }, (_, i) => `a-rather-long-host-name-${i}.somewhere.in.the.lab.test`);

  beforeAll(async () => {
    root = await authority({ cn: 'Lab Root', key: 'ecdsa-384' });
    middle = await root.intermediate({ cn: 'Lab Intermediate', key: 'rsa-3072' });
    own = await middle.issue({ cn: 'alice', key: 'rsa-2048', names: ['alice@lab.test', ...names], usage: 'clientAuth' });
    gatewayOwn = await middle.issue({
      cn: 'vpn.lab.test',
      key: 'rsa-2048',
      names: ['vpn.lab.test', ...names],
      usage: 'serverAuth',
    });
  });

  const client = (fragmentation: string) => ({
    swanctl: { connections: connection('vpn', { shape: 'certificate', own, connection: { fragmentation } }), secrets: {} },
    files: clientFiles({ own, authorities: [root, middle] }),
    charon: { fragment_size: 600 },
  });

  describe('with fragmentation', () => {
    const play = scene({
      config: () =>
        gatewayConfig({
          shape: 'certificate',
          certificates: { gw: gatewayOwn },
          authorities: { CA_Cert_1: root, CA_Cert_2: middle },
          peer: { ca: 'CA_Cert_1' },
          phase1: { 'fragmentation-mtu': '600' },
        }),
    });

    it('travel in fragments, both ways', async () => {
      const charon = await play.charon(client('yes'));
      await expectUp(charon);
      expect(await charon.log()).toMatch(/splitting IKE message \(\d+ bytes\) into \d+ fragments/);
      expect(await charon.log()).toMatch(/received fragment #\d+ of \d+, reassembled fragmented IKE message/);
      await expectInOrder(play.debug, [
        /encrypted fragment 1 of \d+ queued/,
        /reassembled fragmented message/,
        /splitting payload len=\d+ into \d+ fragments/,
      ]);
    });

    it('travel in fragments of which every fifth is lost', async () => {
      const charon = await play.charon(client('yes'));
      await play.net.drop(loss.random(20));
      await expectUp(charon, 50);
    });

    it('Wireshark reassembles them with our keys', async () => {
      await play.stopGateway();
      const verdict = await judge(play.gateway.capture, play.gateway.keys);
      expect(verdict.malformed).toEqual([]);
      expect(verdict.correct).toBe(verdict.sealed);
    });
  });

  describe('with a client that does not know fragments', () => {
    const play = scene({
      config: () =>
        gatewayConfig({
          shape: 'certificate',
          certificates: { gw: gatewayOwn },
          authorities: { CA_Cert_1: root, CA_Cert_2: middle },
          peer: { ca: 'CA_Cert_1' },
        }),
    });

    it('travel whole: the gateway does not offer what was not offered', async () => {
      const charon = await play.charon(client('no'));
      await expectUp(charon);
      expect(await charon.log()).not.toMatch(/FRAG_SUP|fragment/);
    });
  });
});

/** Of an IKE datagram in hex: which exchange of which SA it belongs to, and whether it is a response. */
function messageOf(hex: string): { readonly key: string; readonly response: boolean } {
  const ike = hex.startsWith('00000000') ? hex.slice(8) : hex;
  const flags = Number.parseInt(ike.slice(38, 40), 16);
  return { key: `${ike.slice(0, 16)} exchange ${ike.slice(36, 38)} id ${ike.slice(40, 48)}`, response: (flags & 0x20) !== 0 };
}
