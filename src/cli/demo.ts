/**
 * `postern demo`: the guide's examples played live on loopback, by a gateway, an emulated EMS and a client shaped like
 * FortiClient. What is printed is the ike debug stream as it happens, from the client's AUTH on.
 */
import { randomOctets, Secret } from '../../crypto/index.ts';
import { loadConfig } from '../config/index.ts';
import { startDaemon } from '../daemon.ts';
import { Dial, EmsEmulator, fortiClientConnect, identity, ping } from '../lab/index.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import { LAB_HOST } from './lab/client.ts';
import type { Verb } from './verb.ts';

export const demo: Verb = {
  name: 'demo',
  summary: 'play posture checks live on loopback: a match, refusals, a token while EMS is away, a tag taken away',
  text: [
    'Plays five scenes in a few seconds, each with a gateway of its own, and prints what the gateway says of it.',
    'It needs no rights.',
  ],
  options: [],
  async run(_values, terminal) {
    const began = performance.now();
    let wrong = 0;
    for (const scene of scenes) {
      say(terminal.stdout, '', `── ${scene.title}`, `   ${scene.about}`, '');
      if (!(await play(scene, terminal))) wrong += 1;
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    say(
      terminal.stdout,
      '',
      wrong === 0 ? `demo: all as it should be, in ${seconds} s` : `demo: ${wrong} scenes did not end as they should`,
    );
    return wrong === 0 ? EXIT.ok : EXIT.demo;
  },
};

const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';
const [PSK, PASSWORD] = ['kiesel-und-moos', 'wonder-land-7'];
const TENANT = '0'.repeat(32);
const ADDRESS = '172.16.200.242';

type Scene = {
  readonly title: string;
  readonly about: string;
  readonly profile: string;
  readonly wanted: string;
  readonly emsNumber: number;
  /** What EMS says of the device. */
  readonly held: readonly string[];
  /** EMS is away from the beginning; the client has a token from before. */
  readonly away?: boolean;
  /** Once it is up: what the administrator of the EMS does. */
  readonly later?: (ems: EmsEmulator) => void;
  readonly ends: 'established' | 'failed' | 'closed';
};

const scenes: readonly Scene[] = [
  {
    title: 'A tag matches',
    about: 'EMS knows the device and its tag: the tunnel opens on its word.',
    ...{ profile: 'dialup', wanted: '"EMS1_ZTNA_all_registered_clients"', emsNumber: 1, held: ['all_registered_clients'] },
    ends: 'established',
  },
  {
    title: 'No tag matches',
    about: 'The same device without the tag: authenticated, and refused before it gets an address.',
    ...{ profile: 'dialup', wanted: '"EMS1_ZTNA_all_registered_clients"', emsNumber: 1, held: [] },
    ends: 'failed',
  },
  {
    title: 'EMS cannot be reached, and the client has a token',
    about: 'The SA waits without traffic until the token comes; its signature is EMS’, so it opens the tunnel.',
    ...{ profile: 'FCT_EMS_TAG', wanted: '"EMS3_ZTNA_a"', emsNumber: 3, held: ['a', 'all_registered_clients'], away: true },
    ends: 'established',
  },
  {
    title: 'Any of several tags, and the device has none',
    about: 'One of two would do. The user sees a refusal, the log says why.',
    ...{
      profile: 'RA-VPN',
      wanted: '"EMS1_ZTNA_Antivirus running" "EMS1_ZTNA_Telemetry Connected"',
      emsNumber: 1,
      held: ['Low'],
    },
    ends: 'failed',
  },
  {
    title: 'A tag is taken away while the tunnel is up',
    about: 'A clearance is a lease: EMS pushes the change, and the tunnel falls at once.',
    ...{ profile: 'RA-VPN', wanted: '"EMS1_ZTNA_Telemetry Connected"', emsNumber: 1, held: ['Telemetry Connected'] },
    later: (ems) => void ems.setTags(UID, []),
    ends: 'closed',
  },
];

async function play(scene: Scene, { stdout }: Terminal): Promise<boolean> {
  const ems = await EmsEmulator.start({ autoAuthorize: true });
  ems.addEndpoint(UID, { addresses: [ADDRESS], tags: scene.held });
  const token = scene.away === true ? await ems.issueToken(UID) : undefined;
  const keys = ems.tokenKeys();
  if (scene.away === true) await ems.close();
  const { config, findings } = loadConfig(configOf(scene, ems, keys));
  const wrong = findings.find(({ level }) => level === 'error');
  if (wrong !== undefined) throw new Error(`line ${wrong.line}: ${wrong.message}`);
  const journal = { event: () => undefined, note: () => undefined, flush: () => undefined, counters: NO_LINES };
  const daemon = await startDaemon({
    ...{ config, listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, capture: undefined, captureKeys: undefined, journal },
    inner: { kind: 'lab' },
  });
  let begun = false;
  const unsubscribe = daemon.debug.subscribe((line) => {
    begun ||= line.endsWith('responder received AUTH msg');
    if (begun && !NOISE.test(line)) say(stdout, `   ${line}`);
  });
  const port = (natt: boolean) => daemon.listening.find((l) => l.natt === natt)?.port ?? 0;
  let dial: Dial | undefined;
  try {
    const known = () =>
      daemon.connectors.every((c) => c.status().state !== 'Not sent' || c.status().why !== 'it has not been asked yet');
    for (let i = 0; i < 200 && !known(); i++) await sleep(10);
    dial = await Dial.start({
      ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
      keyPair: (group) => group.generate(),
      auth: { kind: 'eap', user: 'alice', password: Secret.utf8(PASSWORD), methods: ['mschapv2'], id: identity(ADDRESS) },
      gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
      ...{ ikeProposals: ['aes256-sha256'], groups: [20], espProposals: ['aes256-sha256'], vendorIds: true },
      claims: fortiClientConnect({
        ...{ uid: UID, ip: ADDRESS, user: 'alice', emssn: ems.serial, emsid: TENANT, tags: token !== undefined },
      }),
      ...(token === undefined ? {} : { ztna: { number: 61_702, token, when: 'after' } }),
    });
    await dial.connected();
    const { client } = dial;
    if (token !== undefined) await dial.until(() => client.status.outcomes.length > 0, 3000);
    // The token is acknowledged before it is judged: until then the valve is shut, and a ping would be lost.
    for (let i = 0; token !== undefined && i < 300 && (await daemon.counters())['opened'] === 0; i++) await sleep(10);
    const before = client.at === 'established' ? await pinged(dial, stdout, 2000) : undefined;
    if (scene.later !== undefined && client.at === 'established') {
      await sleep(300);
      say(stdout, '', '   (the administrator takes the tag away)', '');
      const at = performance.now();
      scene.later(ems);
      await dial.until(() => client.at === 'closed', 3000);
      say(stdout, '', `   the client was told after ${(performance.now() - at).toFixed(0)} ms`);
    }
    const carried = async () => (await daemon.counters())['inPackets'] ?? 0;
    const through = await carried();
    const after = scene.ends === 'closed' ? await pinged(dial, stdout, 300) : 0;
    await sleep(50); // what is still to be said
    const why = client.status.why === '' ? '' : `: ${client.status.why}`;
    const address = client.status.assigned.join(' ');
    say(stdout, '', `   client: ${client.at}${address === '' ? '' : `, ${address}`}${why}`);
    const passed = scene.ends === 'failed' ? before === undefined : before === PINGS;
    return client.at === scene.ends && passed && after === 0 && (await carried()) === through;
  } finally {
    unsubscribe();
    await dial?.hangUp();
    await daemon.stop();
    if (scene.away !== true) await ems.close();
  }
}

/** Pings the network behind the gateway through the tunnel; how many were answered. */
async function pinged(dial: Dial, stdout: Terminal['stdout'], wait: number): Promise<number> {
  const { sent, received } = await ping(dial, LAB_HOST, { count: PINGS, interval: 20, wait });
  say(stdout, '', `   client: ping ${LAB_HOST} through the tunnel: ${sent} sent, ${received} answered`);
  return received;
}
const PINGS = 3;

const NO_LINES = { lines: 0, thinned: 0, dropped: 0 };
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Packets, proposals and the configuration payload: true, and not what this is about. */
const NOISE =
  / (in|out) [0-9A-F]{20}|mode-cfg|IKE msg|udp comes|proposal|type=|protocol =|encapsulation|replay|life |selector|IKEv2 ex/;

function configOf({ profile, wanted, emsNumber }: Scene, ems: EmsEmulator, keys: readonly string[]): string {
  return `config user local
    edit "alice"
        set type password
        set passwd ${PASSWORD}
    next
end
config user group
    edit "local_group"
        set member "alice"
    next
end
config vpn certificate ca
    edit "ems-ca"
        set ca "${ems.ca.trim()}"
    next
end
config endpoint-control fctems
    edit ${emsNumber}
        set status enable
        set name "ems"
        set server "127.0.0.1"
        set https-port ${ems.port}
        set serial-number ${ems.serial}
        set verifying-ca "ems-ca"
    next
end
config postern ems
    edit ${emsNumber}
        set token-key ${keys.map((key) => `"${key.trim()}"`).join(' ')}
    next
end
config vpn ipsec phase1-interface
    edit "${profile}"
        set type dynamic
        set ike-version 2
        set peertype any
        set net-device disable
        set mode-cfg enable
        set proposal aes128-sha256 aes256-sha256
        set dhgrp 20 21
        set eap enable
        set eap-identity send-request
        set authusrgrp "local_group"
        set ems-sn-check enable
        set remote-gw-match ztna
        set ipv4-start-ip 10.139.1.2
        set ipv4-end-ip 10.139.1.20
        set psksecret ${PSK}
        set remote-gw-ztna-tags ${wanted}
    next
end
config vpn ipsec phase2-interface
    edit "${profile}"
        set phase1name "${profile}"
        set proposal aes128-sha256 aes256-sha256
        set dhgrp 20 21
    next
end
`;
}
