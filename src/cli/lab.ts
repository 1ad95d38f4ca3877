/** `postern lab` (and `npm start`): a newcomer's first minute. A gateway with made-up secrets, and what to type on a client. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { EnvironmentRefused, localAddresses } from '../net/index.ts';
import { readConfigFile, rereadConfigFile } from './configFile.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import { type LabPlace, steps, swanctlConf, tryOut } from './lab/client.ts';
import { LAB_EMS_PORT, LAB_TAG, type LabEms, labEms } from './lab/ems.ts';
import { GATEWAY, type Lab, labIn } from './lab/setup.ts';
import { portsOf, type Values } from './options.ts';
import { INNER, innerOf, type ServeOptions, serve } from './serve.ts';
import type { Verb } from './verb.ts';

export const lab: Verb = {
  name: 'lab',
  summary: 'run a gateway with a ready-made configuration, and say how a client connects',
  text: [
    'Makes a configuration with random secrets, users and certificates in the state directory, once, and runs the gateway',
    'with it until Ctrl-C, with the ike debug stream in sight, beside an emulated EMS that knows two devices. Prints the',
    'strongSwan configuration that connects to it, and what to try.',
    'Takes the ports 500 and 4500, or 5500 and 5501 where those are taken or need rights that you do not have.',
  ],
  options: [
    { name: 'state', value: 'DIR', help: 'where the lab lives (./.state)' },
    { name: 'listen', value: 'ADDR', many: true, help: 'a local address, IPv4 or IPv6; without it all of them' },
    { name: 'ike-port', value: 'N', help: 'UDP port for IKE' },
    { name: 'natt-port', value: 'N', help: 'UDP port for NAT traversal' },
    { name: 'capture', value: 'FILE.pcap', help: 'write every datagram, IKE and ESP, to a file for Wireshark' },
    {
      name: 'capture-keys',
      value: 'DIR',
      help: "write Wireshark's ikev2_decryption_table and esp_sa there: who has them reads IKE and the traffic of every peer",
    },
    {
      name: 'inner',
      value: INNER.join('|'),
      choices: INNER,
      help: 'where packets go: to a TUN device (needs root; routes are set), a host that answers ping (lab; default), nowhere',
    },
  ],
  async run(values, terminal) {
    const ports = portsOf(values);
    if ('why' in ports) {
      say(terminal.stderr, `postern lab: ${ports.why}`);
      return EXIT.usage;
    }
    const directory = values.one('state') ?? '.state';
    const ems = await labEms(directory, (line) => say(terminal.stdout, `postern lab: ${line}`));
    try {
      return await running(directory, ems, ports, values, terminal);
    } finally {
      await ems.close();
    }
  },
};

type Wanted = { readonly ike: number | undefined; readonly natt: number | undefined };

/** The gateway, with the EMS that is there. */
async function running(
  directory: string,
  { ems, directory: emsState }: LabEms,
  ports: Wanted,
  values: Values,
  terminal: Terminal,
) {
  const made = await labIn(directory, { port: LAB_EMS_PORT, ca: ems.ca, tag: LAB_TAG });
  const file = await readConfigFile(made.config);
  if (file.kind !== 'loaded') {
    say(terminal.stderr, file.kind === 'wrong' ? file.text : `postern lab: ${file.why}`);
    return EXIT.usage;
  }
  // Its EMS may have had to move.
  const moved = (config: Config): Config => {
    const fctems = config.fctems.map((one) => (one.name === 'lab-ems' ? { ...one, port: ems.port } : one));
    return { ...config, fctems };
  };
  const config = moved(file.config);
  const chosen = ports.ike !== undefined || ports.natt !== undefined;
  const pairs: readonly Ports[] = chosen ? [{ ike: ports.ike ?? 500, natt: ports.natt ?? 4500 }] : PORTS;
  const journalFile = join(made.directory, 'journal.jsonl');
  const journal = terminal.journal({ file: journalFile });
  say(terminal.stdout, `postern lab: ${made.fresh ? 'made' : 'using'} ${made.config}; the journal is in ${journalFile}`);
  const options = (ports: Ports): ServeOptions => ({
    config,
    listen: values.all('listen'),
    ikePort: ports.ike,
    nattPort: ports.natt,
    state: made.directory,
    inner: innerOf(values.one('inner'), 'lab'),
    debug: { narrative: true },
    capture: values.one('capture'),
    captureKeys: values.one('capture-keys'),
    reread: () => rereadConfigFile(made.config, moved),
    onReady: (daemon) => introduce(made, emsState, config, daemon, terminal),
  });
  try {
    for (const [i, ports] of pairs.entries()) {
      try {
        return await serve(options(ports), journal, terminal);
      } catch (error) {
        const again = pairs[i + 1];
        if (!(error instanceof EnvironmentRefused) || again === undefined || !PORT_TROUBLE.includes(error.code)) throw error;
        say(terminal.stdout, `postern lab: ${error.message} Trying ${again.ike} and ${again.natt} instead.`);
      }
    }
    return EXIT.environment;
  } finally {
    journal.flush();
  }
}

type Ports = { readonly ike: number; readonly natt: number };
const PORTS: readonly Ports[] = [
  { ike: 500, natt: 4500 },
  { ike: 5500, natt: 5501 },
];
const PORT_TROUBLE: readonly string[] = ['EADDRINUSE', 'EACCES', 'EPERM'];

type Listening = readonly { readonly address: string; readonly port: number; readonly natt: boolean }[];

/** Says where we are and how a client comes; writes its configuration to a file, since it holds secrets to be copied whole. */
function introduce(
  { directory, ca, secrets }: Lab,
  ems: string,
  config: Config,
  { listening, traffic }: { readonly listening: Listening; readonly traffic: string },
  { stdout, stderr }: Terminal,
): void {
  const address = reachable(listening);
  const portOn = (natt: boolean) => listening.find((l) => l.natt === natt && l.address === address)?.port ?? 0;
  const place: LabPlace = { address, ikePort: portOn(false), nattPort: portOn(true), gateway: GATEWAY };
  const swanctl = join(directory, 'swanctl.conf');
  const text = swanctlConf(secrets, place);
  writeFile(swanctl, text, { mode: 0o600 }).catch((error: unknown) =>
    say(stderr, `postern lab: cannot write ${swanctl}: ${String(error)}`),
  );
  // For `postern client`: secrets come from files.
  const files = { psk: join(directory, 'psk'), password: join(directory, 'password') };
  for (const [file, secret] of [
    [files.psk, secrets.psk],
    [files.password, secrets.users[0]?.password ?? ''],
  ] as const)
    writeFile(file, `${secret}\n`, { mode: 0o600 }).catch((error: unknown) =>
      say(stderr, `postern lab: cannot write ${file}: ${String(error)}`),
    );
  const profiles = config.profiles.map((p) => p.name).join(', ');
  say(
    stdout,
    '',
    ...tryOut(files, secrets, place),
    '',
    ...steps({ swanctl, ca, ems }, place),
    '',
    `--- ${swanctl} ---`,
    text.trimEnd(),
    '---',
    '',
    `Profiles: ${profiles}. ${traffic}`,
    'Ctrl-C ends the lab. What follows is the ike debug stream:',
    '',
  );
}

/** The address to tell a client: one that others reach, IPv4 first. */
function reachable(listening: Listening): string {
  const outer = listening.filter((l) => l.address !== '::1' && !l.address.startsWith('127.'));
  const known = localAddresses().filter((l) => outer.some((o) => o.address === l.address));
  return (known.find((l) => l.family === 4) ?? known[0])?.address ?? outer[0]?.address ?? listening[0]?.address ?? '127.0.0.1';
}
