/**
 * `npm run demo:strongswan`: strongSwan, from a namespace of its own, at our gateway with an emulated EMS beside it. It is let in
 * by its tag, loses the tag and the tunnel, is refused, and comes back with the tag. Needs root and strongSwan. Secrets and
 * certificates in it are made for it and worth nothing.
 */
import { clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { makeEms } from './support/ems.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { addresses, layNet, sweep } from './support/namespaces.ts';
import { until } from './support/processes.ts';
import { lacking } from './support/requirements.ts';
import { startCharon } from './support/strongswan.ts';

const DEVICE = { uid: 'F8A6AFF3531843B4972CBDBEEEB30E3C', address: '10.97.9.1' };
/** Packets, proposals and the configuration payload: true, and not what this is about. */
const NOISE =
  / (in|out) [0-9A-F]{20}|mode-cfg|IKE msg|udp comes|proposal|type=|protocol =|encapsulation|replay|life |select|IKEv2 ex|NAT/;

const missing = lacking();
if (missing.length > 0) {
  console.error(`demo: this machine lacks ${missing.join(', ')}`);
  console.error('On Debian: apt-get install strongswan-swanctl charon-systemd strongswan-pki libcharon-extra-plugins');
  console.error(
    '  libcharon-extauth-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins tshark nftables iproute2',
  );
  console.error('`npm run demo` needs none of it: its client is our own.');
  process.exitCode = 3;
} else await play();

async function play(): Promise<void> {
  await sweep();
  const leaving: (() => Promise<unknown>)[] = [];
  try {
    const ems = await makeEms();
    leaving.unshift(() => ems.remove());
    const net = await layNet();
    leaving.unshift(() => net.remove());
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
    const told = teller(gateway);

    say('strongSwan connects; EMS knows its address and the tag');
    expect(((await charon.initiate('vpn')).code ?? 1) === 0, 'it is connected');
    const [sa] = await charon.sas();
    told();
    say(`  strongSwan: ${sa?.state}, ${sa?.virtualIps.join(' ')}`);

    say('the administrator of the EMS takes the tag away');
    const began = performance.now();
    await ems.do('tag', 'remove', DEVICE.uid, 'healthy');
    await until('the tunnel falls', async () => (await charon.sas()).length === 0 || undefined);
    told();
    say(`  strongSwan: no SA any more, after ${Math.round(performance.now() - began)} ms with both commands`);

    say('it tries again, without the tag');
    expect((await charon.initiate('vpn')).code !== 0, 'it is refused');
    await charon.logged(/received AUTHENTICATION_FAILED/);
    told();
    say('  strongSwan: received AUTHENTICATION_FAILED notify error');

    say('the tag is given back');
    await ems.do('tag', 'add', DEVICE.uid, 'healthy');
    await until('it is connected again', async () => (await charon.initiate('vpn')).code === 0 || undefined);
    told();
    say('demo: all as it should be');
  } finally {
    for (const leave of leaving) await leave();
  }
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
