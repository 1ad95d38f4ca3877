/**
 * `npm run record`: lets strongSwan talk to a recording gateway and rewrites vectors/recorded/. The certificates and secrets in
 * there are made for it and worth nothing.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientFiles, clientSecrets, connection } from './support/clients.ts';
import { gatewayConfig } from './support/config.ts';
import { addresses, layNet, sweep } from './support/namespaces.ts';
import { authority } from './support/pki.ts';
import { run, start, until } from './support/processes.ts';
import { lacking } from './support/requirements.ts';
import { type Charon, type CharonOptions, startCharon } from './support/strongswan.ts';

type Session = {
  readonly name: string;
  readonly what: string;
  readonly nat?: boolean;
  readonly config: string;
  readonly client: Omit<CharonOptions, 'namespace'>;
  readonly play: (charon: Charon) => Promise<void>;
};

const missing = lacking();
if (missing.length > 0) throw new Error(`this machine lacks ${missing.join(', ')}`);
await sweep();
const [, version = ''] = /strongSwan (\S+)/.exec((await run('swanctl', ['--help'])).stdout) ?? [];
for (const session of await sessions()) {
  await record(session);
  console.log(`recorded ${session.name}`);
}

async function sessions(): Promise<readonly Session[]> {
  const root = await authority({ cn: 'Lab Root', key: 'rsa-2048' });
  const middle = await root.intermediate({ cn: 'Lab Intermediate', key: 'rsa-2048' });
  const gw = await middle.issue({ cn: 'vpn.lab.test', key: 'rsa-2048', names: ['vpn.lab.test'], usage: 'serverAuth' });
  const alice = await middle.issue({ cn: 'alice', key: 'rsa-2048', names: ['alice@lab.test'], usage: 'clientAuth' });
  const authorities = { CA_Cert_1: root, CA_Cert_2: middle };
  const leave = async (charon: Charon) => void (await charon.terminate('vpn'));
  return [
    {
      name: 'psk-rekeys',
      what: 'pre-shared key on both sides, AES-CBC with MODP-2048; rekeys of both kinds; delete by the client',
      config: gatewayConfig({ shape: 'psk', phase2: { pfs: 'enable', dhgrp: '14' } }),
      client: {
        swanctl: {
          connections: connection('vpn', { shape: 'psk', ike: 'aes256-sha256-modp2048', esp: 'aes256-sha256-modp2048' }),
          secrets: clientSecrets(),
        },
        charon: { delete_rekeyed_delay: 0 },
      },
      async play(charon) {
        await charon.rekeyIke('vpn');
        await charon.logged(/IKE_SA vpn\[2\] rekeyed between/);
        await charon.rekeyChild('vpn');
        await charon.logged(/CHILD_SA vpn\{2\} established/);
        await leave(charon);
      },
    },
    {
      name: 'psk-eap-nat',
      what: 'gateway with a pre-shared key, client with EAP-MSCHAPv2 behind a NAT, AES-GCM with X25519; the gateway shuts down',
      nat: true,
      config: gatewayConfig({ shape: 'psk-eap' }),
      client: { swanctl: { connections: connection('vpn', { shape: 'psk-eap' }), secrets: clientSecrets() } },
      play: async () => undefined,
    },
    {
      name: 'certificate-eap',
      what: 'gateway with an RSA certificate and its intermediate, client with EAP-MSCHAPv2, ChaCha20-Poly1305 with P-384',
      config: gatewayConfig({ shape: 'certificate-eap', certificates: { gw }, authorities }),
      client: {
        swanctl: {
          connections: connection('vpn', { shape: 'certificate-eap', ike: 'chacha20poly1305-prfsha384-ecp384' }),
          secrets: clientSecrets(),
        },
        files: clientFiles({ authorities: [root] }),
      },
      play: leave,
    },
    {
      name: 'certificate-fragments',
      what: 'RSA certificates on both sides in fragments of 600 octets, AES-GCM with PRF-SHA512 and P-521',
      config: gatewayConfig({
        shape: 'certificate',
        certificates: { gw },
        authorities,
        peer: { ca: 'CA_Cert_1' },
        phase1: { 'fragmentation-mtu': '600' },
      }),
      client: {
        swanctl: {
          connections: connection('vpn', { shape: 'certificate', own: alice, ike: 'aes256gcm16-prfsha512-ecp521' }),
          secrets: {},
        },
        files: clientFiles({ own: alice, authorities: [root, middle] }),
        charon: { fragment_size: 600 },
      },
      play: leave,
    },
  ];
}

async function record({ name, what, nat, config, client, play }: Session): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-record-'));
  const net = await layNet({ nat: nat ?? false });
  try {
    const out = fileURLToPath(new URL(`../../vectors/recorded/${name}.json`, import.meta.url));
    const conf = join(folder, 'gateway.conf');
    await writeFile(conf, config);
    const source = `recorded with strongSwan ${version} as the client: ${what}`;
    const recorder = fileURLToPath(new URL('./support/recorder.ts', import.meta.url));
    const gateway = start(process.execPath, [recorder, conf, addresses.gateway, name, out, source], { namespace: net.gateway });
    await until('the recorder is ready', () => {
      if (gateway.outcome) throw new Error(gateway.stderr.join('\n'));
      return gateway.stdout.includes('recorder: ready') || undefined;
    });
    const charon = await startCharon({ ...client, namespace: net.client });
    try {
      const initiated = await charon.initiate('vpn');
      if (initiated.code !== 0) throw new Error(`${name}: ${initiated.stdout}\n${gateway.stderr.join('\n')}`);
      await play(charon);
      const { code } = await gateway.stop();
      if (code !== 0) throw new Error(`${name}: the recorder ended with ${code}\n${gateway.stderr.join('\n')}`);
    } finally {
      await charon.stop();
      await gateway.stop();
    }
  } finally {
    await net.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
