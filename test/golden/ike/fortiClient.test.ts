/**
 * The debug stream of whole negotiations as an operator reads it: a client shaped like FortiClient 7.4.5 and the configuration of
 * Fortinet's guide ("Example 2: EMS unreachable"), word for word. Change the texts on purpose only: run with `--update`, read the
 * difference. What differs from run to run (SPIs, packets, jittered lifetimes) has a name in angle brackets.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../crypto/secret.ts';
import { fortiClientAttributes, fortiClientConnect } from '../../../src/lab/index.ts';
import { hex } from '../../../src/wire/index.ts';
import { asUser, Scene, type Wish } from '../../story/support/scene.ts';
import { loaded, table } from '../../support/configs.ts';
import type { Script } from '../../support/gateway.ts';
import { answering, known, NOW, none, silent } from '../../support/posture.ts';

const [GATEWAY, CLIENT, PASSWORD, PSK] = ['10.160.1.1', '10.160.1.197', 'passwort-des-testers', 'schluessel-der-gruppe'];

/** The guide's blocks, and the objects that they refer to. */
const config = () =>
  loaded(
    [
      table('system interface', 'vlan160', { ip: `${GATEWAY} 255.255.255.0` }),
      table('system dns', undefined, { primary: '192.168.113.192' }),
      table('user local', 'u1', { type: 'password', passwd: PASSWORD }),
      table('user group', 'local_group', { member: '"u1"' }),
      readFileSync(new URL('../../fixtures/config/guideExample2.conf', import.meta.url), 'utf8').replace('<password>', PSK),
    ].join('\n'),
  );

/** FORTICLIENT_CONNECT of the guide: 309 octets with its NUL. */
const claims = fortiClientConnect({
  ...{ fctver: '7.4.5.1949', uid: 'F8A6AFF3531843B4972CBDBEEEB30E3C', ip: CLIENT, host: 'DESKTOP-EMS-TAG-PH2', user: 'tester' },
  mac: '00-0c-29-2c-4d-d7;00-0c-29-2c-4d-e1;00-0c-29-2c-4d-eb;',
  osver: 'Microsoft Windows 8.0 , 64-bit (build 9200)',
  ...{ emssn: 'FCTEMS8826000120', emsid: '00000000000000000000000000000000', tags: true },
});

/** IKE and ESP proposals, vendor IDs, notifies and the 17 attributes as FortiClient sends them. */
const fortiClient = (wish: Wish = {}): Wish => ({
  address: CLIENT,
  ...{ natt: 'start4500', nattPorts: { local: 55_846, remote: 4500 } },
  auth: asUser('u1', { password: PASSWORD, id: CLIENT }),
  gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
  ...{ vendorIds: true, networkId: 0, fragmentation: false, signatureHashes: [], nonceOctets: 16, claims },
  ...{ ikeProposals: ['aes128-sha1', 'aes256-sha256'], groups: [20, 21], espProposals: ['aes128-sha1', 'aes256-sha256'] },
  ...{ requestAddresses: [], cpAttributes: fortiClientAttributes('FCT8001662904256') },
  ...wish,
});

/** What EMS says of the device: these tags, for good. */
const ems = (...names: readonly string[]): Script => answering(known(names, { until: 2_000_000_000 }), none, { ems: 3 });
const silence: Script = answering({ ...silent, why: 'connect ETIMEDOUT' }, { kind: 'announced', by: NOW + 10 }, { ems: 3 });

type Played = { readonly scene: Scene; readonly text: string; readonly lines: readonly string[]; readonly end: string };

async function played(script: Script, wish: Wish = {}): Promise<Played> {
  const scene = new Scene({ config: config(), addresses: [GATEWAY], script });
  scene.keepSecret(PASSWORD, PSK);
  const client = await scene.connect(fortiClient(wish));
  await scene.run({ ms: 50 });
  const before = named(scene);
  const text = `${before.join('\n')}\n`;
  const lines = text.split('\n').map((line) => line.replace(/^ike ([^ ]+:)? /, ''));
  if (client.at === 'established') {
    client.deleteIke(scene.now);
    await scene.run({ ms: 50 });
  }
  const end = `${named(scene).slice(before.length).join('\n')}\n`;
  await scene.end();
  return { scene, text, lines, end };
}

/** The lines so far, with names in the place of what chance has chosen. */
function named({ gateway }: Scene): readonly string[] {
  const names = new Map<string, string>();
  for (const { SPIi, SPIr } of gateway.keys) names.set(SPIi, '<SPIi>').set(SPIr, '<SPIr>');
  for (const { child } of gateway.everInstalled)
    for (const [spi, name] of [
      [child.spiIn, '<SPI in>'],
      [child.spiOut, '<SPI out>'],
    ] as const)
      names.set(hex(Uint8Array.of(spi >>> 24, spi >>> 16, spi >>> 8, spi)), name);
  return gateway.lines.map((line) => {
    let text = line
      .replace(/^(ike 0:.* (in|out)) [0-9A-F]+$/, '$1 <packet>')
      .replace(/(life soft seconds)=\d+/, '$1=<90 to 95 %>');
    for (const [value, name] of names) text = text.replaceAll(value, name);
    return text;
  });
}

/** Each of these stands in the stream, in this order. */
function expectInOrder(lines: readonly string[], wanted: readonly (string | RegExp)[]): void {
  let at = 0;
  for (const one of wanted) {
    const found = lines.findIndex((line, i) => i >= at && (typeof one === 'string' ? line === one : one.test(line)));
    expect(found, `${one} behind line ${at}: ${lines[at - 1]}`).toBeGreaterThanOrEqual(0);
    at = found + 1;
  }
}

describe('a FortiClient whose device has the tag', async () => {
  const { text, lines, end } = await played(ems('EMS3_ZTNA_a'));

  it('reads as fortiClient.txt', async () => {
    await expect(text).toMatchFileSnapshot('fortiClient.txt');
  });

  it('disconnects as fortiClientEnd.txt', async () => {
    await expect(end).toMatchFileSnapshot('fortiClientEnd.txt');
  });

  it('tells the story in the order of a FortiGate 7.4.6, where the two tell the same', () => {
    expectInOrder(lines, [
      'responder received SA_INIT msg',
      /^VID forticlient connect license 4C53427B6D465D1B337BB755A37A7FEF$/,
      /^VID Fortinet Endpoint Control B4F01CA951E9DA8D0BAFBBD34AD3044E$/,
      /^VID Forticlient EAP Extension C1DC4350476B98A429B91781914CA43E$/,
      'received notify type NAT_DETECTION_SOURCE_IP',
      'received notify type NAT_DETECTION_DESTINATION_IP',
      'received notify type VPN_NETWORK_ID',
      'NETWORK ID : 0',
      'incoming proposal:',
      'proposal id = 1:',
      '  protocol = IKEv2:',
      '     encapsulation = IKEv2/none',
      '        type=ENCR, val=AES_CBC (key_len = 128)',
      '        type=DH_GROUP, val=ECP384.',
      '        type=DH_GROUP, val=ECP521.',
      'matched proposal id 2',
      'lifetime=86400',
      'SA proposal chosen, matched gateway FCT_EMS_TAG_ph2',
      /^created connection: .* 10\.160\.1\.1->10\.160\.1\.197:55846\.$/,
      'processing notify type NAT_DETECTION_SOURCE_IP',
      'processing NAT-D payload',
      'NAT not detected ',
      'process NAT-D',
      'FCT EAP 2FA extension vendor ID received',
      'responder preparing SA_INIT msg',
      'generate DH public value request queued',
      'compute DH shared secret request queued',
      /^create NAT-D hash local 10\.160\.1\.1\/4500 remote 10\.160\.1\.197\/55846$/,
      /^sent IKE msg \(SA_INIT_RESPONSE\): 10\.160\.1\.1:4500->10\.160\.1\.197:55846, len=\d+, vrf=0, id=<SPIi>\/<SPIr>, oif=0$/,
      // AUTH 1
      'responder received AUTH msg',
      'processing notify type INITIAL_CONTACT',
      'peer identifier IPV4_ADDR 10.160.1.197',
      're-validate gw ID',
      'gw validation OK',
      'responder preparing EAP identity request',
      // AUTH 2 to n
      'responder received EAP msg',
      'send EAP message to FNBAM',
      'initiating EAP authentication',
      'EAP user "u1"',
      'auth group local_group',
      /result FNBAM_CHALLENGED$/,
      'EAP challenged for user "u1"',
      'responder preparing EAP pass through message',
      'responder received EAP msg',
      'EAP succeeded for user "u1" group "local_group" 2FA=no',
      // last AUTH
      'responder received AUTH msg',
      'auth verify done',
      'responder AUTH continuation',
      'authentication succeeded',
      'EMS ZTNA tags check success ZTNA_a',
      'responder creating new child',
      "mode-cfg type 7 request 16:'46435438303031363632393034323536'",
      "mode-cfg received APPLICATION_VERSION 'FCT8001662904256'",
      "mode-cfg type 1 request 0:''",
      "mode-cfg type 4 request 0:''",
      'mode-cfg WINS ignored, no WINS servers configured',
      "mode-cfg type 8 request 0:''",
      'mode-cfg type 11 not supported, ignoring',
      'mode-cfg UNITY type 28673 requested',
      'mode-cfg type 21514 requested',
      'mode-cfg no banner configured, ignoring',
      'peer proposal:',
      'TSi_0 0:0.0.0.0-255.255.255.255:0',
      'TSr_0 0:0.0.0.0-255.255.255.255:0',
      'comparing selectors',
      /^matched by rfc-rule-\d$/,
      'phase2 matched by subset',
      'using mode-cfg override 0:10.139.1.2-10.139.1.2:0',
      'incoming child SA proposal:',
      '  protocol = ESP:',
      '     encapsulation = TUNNEL',
      '        type=INTEGR, val=SHA',
      '        type=ESN, val=NO',
      'matched proposal id 2',
      'lifetime=43200',
      'responder preparing AUTH msg',
      'adding new dynamic tunnel for 10.160.1.197:55846',
      /^tunnel created tun_id 10\.139\.1\.2\/::.* remote_location 0\.0\.0\.0$/,
      'added new dynamic tunnel for 10.160.1.197:55846',
      'established IKE SA <SPIi>/<SPIr>',
      'check peer route: if_addr4_rcvd=0, if_addr6_rcvd=0, mode_cfg=1',
      'processing INITIAL-CONTACT',
      'processed INITIAL-CONTACT',
      'mode-cfg assigned (1) IPv4 address 10.139.1.2',
      'mode-cfg assigned (2) IPv4 netmask 255.255.255.255',
      'mode-cfg send (13) 0:0.0.0.0/0.0.0.0:0',
      'mode-cfg send (3) IPv4 DNS(1) 192.168.113.192',
      'mode-cfg send INTERNAL_IP6_SUBNET',
      "mode-cfg send APPLICATION_VERSION 'Postern v0.1.0'",
      'mode-cfg send (28673) UNITY_SAVE_PASSWD',
      'mode-cfg client auto-negotiate is disabled',
      'mode-cfg client-keep-alive is disabled',
      'replay protection enabled',
      'set sa life hard seconds=43200.',
      'IPsec SA selectors #src=1 #dst=1',
      'src 0 7 0:0.0.0.0-255.255.255.255:0',
      'dst 0 7 0:10.139.1.2-10.139.1.2:0',
      'add IPsec SA: SPIs=<SPI in>/<SPI out>',
      'added IPsec SA: SPIs=<SPI in>/<SPI out>',
      'tunnel up event assigned address 10.139.1.2',
    ]);
  });

  it("and in the order of the guide's example 2 where builds differ: FORTICLIENT_CONNECT comes after authentication", () => {
    expectInOrder(lines, [
      /^udp comes 10\.160\.1\.197:55846->10\.160\.1\.1:4500,ifindex=0,vrf=0,len=\d+\.\.\.\.$/,
      /^created connection: .* 10\.160\.1\.1->10\.160\.1\.197:55846\.$/,
      'responder received AUTH msg',
      'processing notify type INITIAL_CONTACT',
      'peer identifier IPV4_ADDR 10.160.1.197',
      'eap-peer=yes',
      're-validate gw ID',
      'gw validation OK',
      'responder preparing EAP identity request',
      'authentication succeeded',
      'processing notify type FORTICLIENT_CONNECT',
      "received FCT data len = 309, data = 'VER=1",
      'FCTVER=7.4.5.1949',
      'EMSSN=FCTEMS8826000120',
      /^FCTTAGS=1/,
      'received FCT-UID : F8A6AFF3531843B4972CBDBEEEB30E3C',
      'received EMS SN : FCTEMS8826000120',
      'received EMS tenant ID : 00000000000000000000000000000000',
    ]);
    expect(lines.filter((line) => line.includes('FORTICLIENT_CONNECT'))).toHaveLength(1);
  });

  it('an address is allocated where it is asked for', () => {
    expectInOrder(lines, [
      "mode-cfg type 1 request 0:''",
      'mode-cfg allocate 10.139.1.2/0.0.0.0',
      "mode-cfg type 4 request 0:''",
    ]);
  });

  it('selectors are accepted before proposals are looked at', () => {
    const override = 'using mode-cfg override 0:10.139.1.2-10.139.1.2:0';
    const selectors = ['accepted proposal:', 'TSi_0 0:10.139.1.2-10.139.1.2:0', 'TSr_0 0:0.0.0.0-255.255.255.255:0', 'dialup'];
    expectInOrder(lines, [override, ...selectors, 'incoming child SA proposal:', 'matched proposal id 2']);
  });

  it('selectors of everything match by rule 2, whatever mode-cfg makes of them', () => {
    expectInOrder(lines, ['comparing selectors', 'matched by rfc-rule-2', 'phase2 matched by subset']);
  });

  it("the client's text ends as it came, with its last line feed", () => {
    expectInOrder(lines, ['FCTTAGS=1', "'"]);
  });
});

describe('a FortiClient whose device has no tag', async () => {
  const { text, lines } = await played(ems('EMS3_ZTNA_b'));
  it('reads as fortiClientDenied.txt', async () => {
    await expect(text).toMatchFileSnapshot('fortiClientDenied.txt');
  });
  it("is refused in the guide's words, with nothing given", () => {
    expectInOrder(lines, [
      'auth verify done',
      'responder AUTH continuation',
      'authentication succeeded',
      'EMS ZTNA tags check failure, abort',
      /Negotiate SA Error: EMS ZTNA tags check failed$/,
      'sending IKE_AUTH ZTNA TAGS check failure notification response',
    ]);
    expect(text).not.toMatch(/creating new child|mode-cfg allocate/);
  });
});

describe('a FortiClient while EMS is silent', async () => {
  const { text } = await played(silence);
  it('reads as fortiClientProbation.txt', async () => {
    await expect(text).toMatchFileSnapshot('fortiClientProbation.txt');
  });
});

describe('a FortiClient with a wrong password', async () => {
  const { text, lines } = await played(silence, { auth: asUser('u1', { password: 'falsch', id: CLIENT }) });
  it('reads as fortiClientPassword.txt', async () => {
    await expect(text).toMatchFileSnapshot('fortiClientPassword.txt');
  });

  it("is refused in a FortiGate's words", () => {
    expectInOrder(lines, [
      /result FNBAM_DENIED$/,
      'EAP failed for user "u1"',
      'responder preparing EAP pass through message',
      /^sent IKE msg \(AUTH_RESPONSE\)/,
      'connection expiring due to EAP failure',
      'going to be deleted',
    ]);
  });
  it('and that it expires is said once', () => {
    expect(lines.filter((line) => line === 'connection expiring due to EAP failure')).toHaveLength(1);
  });
});
