/**
 * `npm run demo:strongswan`: strongSwan, from a namespace of its own, at our gateway with an emulated EMS beside it. It is let in
 * by its tag and pings a host behind the gateway, through the tunnel and a TUN device; it loses the tag and the tunnel, is
 * refused, and comes back with the tag. Needs root and strongSwan. Secrets and certificates in it are made for it and worth
 * nothing.
 */
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { type Ems, makeEms } from './support/ems.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { addresses, layNet, sweep } from './support/namespaces.ts';
import { type Daemon, must, run, start, until } from './support/processes.ts';
import { lacking } from './support/requirements.ts';
import { type Charon, startCharon } from './support/strongswan.ts';

const DEVICE = { uid: 'F8A6AFF3531843B4972CBDBEEEB30E3C', address: '10.97.9.1' };
/** Packets, proposals, the configuration payload and the small steps between: true, and not what this is about. */
const NOISE = new RegExp(
  [
    / (in|out) [0-9A-F]{20}|mode-cfg|IKE msg|udp comes|proposal|type=|protocol =|encapsulation|replay|life |select|IKEv2 ex|NAT/,
    /notify type|preparing|request queued|lifetime=|TS[ir]_|matched by|FNBAM|EAP challenged|received EAP msg|(src|dst) 0 /,
    /INITIAL-CONTACT|flush|peer route|continuation|port change|PFS|dynamic|: dialup$|re-validate|eap-peer|auth verify/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

const missing = lacking();
if (missing.length > 0) {
  console.error(`demo: this machine lacks ${missing.join(', ')}`);
  console.error(
    'On Debian: apt-get install strongswan-swanctl charon-systemd strongswan-pki libcharon-extra-plugins iputils-ping',
  );
  console.error(
    '  libcharon-extauth-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins tshark tcpdump nftables iproute2',
  );
  console.error('`npm run demo` needs none of it: its client is our own.');
  process.exitCode = 3;
} else await play();

/** What the story is played with. */
type Stage = { readonly ems: Ems; readonly gateway: Gateway; readonly charon: Charon; readonly client: string };

async function play(): Promise<void> {
  await sweep();
  const leaving: (() => Promise<unknown>)[] = [];
  try {
    const ems = await makeEms();
    leaving.unshift(() => ems.remove());
    const net = await layNet();
    leaving.unshift(() => net.remove());
    await closeInside(net.gateway);
    await ems.run(net.gateway);
    leaving.unshift(() => ems.stop());
    await ems.do('endpoint', 'add', DEVICE.uid, '--address', DEVICE.address, '--hostname', 'alice-laptop', '--tag', 'healthy');
    const gateway = await startGateway({
      ...{ namespace: net.gateway, listen: [addresses.gateway] },
      config: gatewayConfig({
        shape: 'psk-eap',
        authorities: { 'ems-ca': { certificate: ems.ca, key: '', subject: '' } },
        ems: {
          '1': { status: 'enable', name: '"lab"', server: '"127.0.0.1"', 'https-port': '8013', 'verifying-ca': '"ems-ca"' },
        },
        phase1: { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS1_ZTNA_healthy"' },
      }),
    });
    leaving.unshift(async () => {
      await gateway.stop();
      await gateway.remove();
    });
    await gateway.tells('ems-state', { state: 'Connected' }, 60);
    const charon = await startCharon({
      namespace: net.client,
      swanctl: { connections: connection('vpn', { shape: 'psk-eap', id: DEVICE.address }), secrets: clientSecrets() },
    });
    leaving.unshift(() => charon.stop());
    await story({ ems, gateway, charon, client: net.client });
  } finally {
    for (const leave of leaving) await leave();
  }
}

async function story({ ems, gateway, charon, client }: Stage): Promise<void> {
  const told = teller(gateway);

  say(`without a tunnel: ${addresses.lan}, behind the gateway, is out of reach`);
  await silent(client);

  say('strongSwan connects; EMS knows its address and the tag');
  expect(((await charon.initiate('vpn')).code ?? 1) === 0, 'it is connected');
  const [sa] = await charon.sas();
  told();
  say(`  strongSwan: ${sa?.state}, ${sa?.virtualIps.join(' ')}`);

  say('it pings the host behind the gateway, through the tunnel, and does not stop');
  const ping = start('ping', ['-n', '-i', '0.2', addresses.lan], { namespace: client });
  await until('three answers', () => answersOf(ping)[2]);
  for (const line of answersOf(ping)) say(`  ping: ${line}`);
  const carried = await gateway.control('diagnose', 'postern', 'traffic');
  for (const line of carried.match(/^(from|to) clients: \d+ packets, \d+ octets/gm) ?? []) say(`  gateway: ${line}`);

  say('the administrator of the EMS takes the tag away');
  const began = performance.now();
  await ems.do('tag', 'remove', DEVICE.uid, 'healthy');
  await until('the tunnel falls', async () => (await charon.sas()).length === 0 || undefined);
  const took = Math.round(performance.now() - began);
  const answered = answersOf(ping).length;
  told();
  say(`  strongSwan: no SA any more, after ${took} ms with both commands`);
  await silent(client);
  await ping.stop();
  expect(answersOf(ping).length === answered, 'the ping that went on has had no further answer');
  say(`  ping: ${answered} answers while the tag was there, none since`);

  say('it tries again, without the tag');
  expect((await charon.initiate('vpn')).code !== 0, 'it is refused');
  await charon.logged(/received AUTHENTICATION_FAILED/);
  told();
  say('  strongSwan: received AUTHENTICATION_FAILED notify error');
  await silent(client);

  say('the tag is given back');
  await ems.do('tag', 'add', DEVICE.uid, 'healthy');
  await until('it is connected again', async () => (await charon.initiate('vpn')).code === 0 || undefined);
  told();
  const [line = ''] = answersIn(await must('ping', ['-n', '-c', '1', '-W', '2', addresses.lan], { namespace: client }));
  say(`  ping: ${line}`);
  say('demo: all as it should be');
}

/** The gateway's own firewall: the inside is reached through the TUN device, and not from the wire to the clients. */
async function closeInside(namespace: string): Promise<void> {
  const input = `table inet front {
    chain input { type filter hook input priority 0; iifname "wan" ip daddr ${addresses.lan} drop; }
  }`;
  await must('nft', ['-f', '-'], { namespace, input });
}

/** Pings, and expects no answer. */
async function silent(client: string): Promise<void> {
  const { stdout } = await run('ping', ['-n', '-c', '3', '-i', '0.2', '-W', '1', addresses.lan], { namespace: client });
  expect(answersIn(stdout).length === 0, 'the ping is not answered');
  say(`  ping: ${/\d+ packets transmitted, 0 received/.exec(stdout)?.[0] ?? 'no answer'}`);
}

function answersIn(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line.includes(' bytes from '));
}
function answersOf({ stdout }: Daemon): readonly string[] {
  return answersIn(stdout.join('\n'));
}

/** Prints what the gateway has said since the last time. */
function teller(gateway: Gateway): () => void {
  let seen = gateway.debug.length;
  return () => {
    for (const line of gateway.debug.slice(seen)) if (!NOISE.test(line)) console.log(`    ${line}`);
    seen = gateway.debug.length;
  };
}

function say(text: string): void {
  console.log(text.startsWith(' ') ? text : `\n── ${text}\n`);
}
function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`demo: not so: ${what}`);
}
