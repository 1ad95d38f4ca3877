/** `postern run`: the daemon in the foreground. */
import { availableParallelism } from 'node:os';
import { LANES_MAX } from '../ike/index.ts';
import { selector } from '../lab/index.ts';
import { addressOctets, printable } from '../wire/index.ts';
import { readConfigFile, rereadConfigFile } from './configFile.ts';
import { EXIT, say } from './exit.ts';
import { LISTEN, portsOf } from './options.ts';
import { INNER, innerOf, serve } from './serve.ts';
import type { Verb } from './verb.ts';

export const run: Verb = {
  name: 'run',
  summary: 'run the gateway in the foreground',
  text: [
    'Runs the gateway until SIGTERM or SIGINT; peers then get a Delete and two seconds to acknowledge it. `postern: ready`',
    'on stdout says that it listens. SIGHUP reads the configuration again: whole or not at all. The ike debug stream',
    'goes to stdout, the journal (one JSON object a line) to stderr.',
    'A flag beats the file.',
  ],
  options: [
    { name: 'config', value: 'FILE', required: true, help: 'the configuration, FortiOS CLI text' },
    ...LISTEN,
    {
      name: 'inner',
      value: INNER.join('|'),
      choices: INNER,
      help: 'where packets of clients go: a TUN device (default; needs root), a host in this process that answers ping, nowhere',
    },
    {
      name: 'lab-net',
      value: 'PREFIX',
      many: true,
      help: 'with --inner lab: what answers (what policies and split tunnels name, else 10.50.0.0/24 and fd50::/64)',
    },
    {
      name: 'workers',
      value: 'N|cores',
      help: 'threads that share the clients, each with its part of every pool; 1 by default, which suits a small machine',
    },
    { name: 'state', value: 'DIR', help: 'private directory of this daemon; two cannot share one' },
    {
      name: 'debug',
      value: 'ike',
      choices: ['ike'],
      help: 'the ike debug stream, as `diagnose debug application ike -1` shows it',
    },
    { name: 'capture', value: 'FILE.pcap', help: 'write every datagram, IKE and ESP, to a file for Wireshark' },
    {
      name: 'capture-keys',
      value: 'DIR',
      help: "write Wireshark's ikev2_decryption_table and esp_sa there: who has them reads IKE and the traffic of every peer",
    },
  ],
  async run(values, terminal) {
    const { stdout, stderr } = terminal;
    const refuse = (why: string) => {
      say(stderr, `postern run: ${why}`, 'See `postern help run`.');
      return EXIT.usage;
    };
    const ports = portsOf(values);
    if ('why' in ports) return refuse(ports.why);
    const path = values.one('config') ?? '';
    const file = await readConfigFile(path);
    if (file.kind === 'unreadable') return refuse(file.why);
    if (file.kind === 'wrong') {
      say(stderr, file.text);
      return EXIT.usage;
    }
    const { config, source, findings, exposed } = file;
    const ikePort = ports.ike ?? config.system.ikePort;
    const nattPort = ports.natt ?? config.system.nattPort;
    if (ikePort === nattPort && ikePort !== 0) return refuse(`IKE and NAT-T cannot share port ${ikePort}`);
    // A wrong word on the command line is found before anything is opened: a capture that is there must not be cut for it.
    const bogus = values.all('listen').find((address) => addressOctets(address) === undefined);
    if (bogus !== undefined) return refuse(`--listen '${printable(bogus, 64)}' is not an IPv4 or IPv6 address`);
    const labNets = values.all('lab-net').map(rangeOf);
    const noRange = labNets.indexOf(undefined);
    if (noRange >= 0) return refuse(`--lab-net '${printable(values.all('lab-net')[noRange] ?? '', 64)}' is no prefix`);
    if (labNets.length > 0 && values.one('inner') !== 'lab') return refuse('--lab-net goes with --inner lab');
    const workers = workersOf(values.one('workers'));
    if (workers === undefined)
      return refuse(`--workers '${printable(values.one('workers') ?? '', 64)}' is neither 1 to ${LANES_MAX} nor 'cores'`);
    const journal = terminal.journal();
    for (const { line, column, message, suggestion, code } of findings) {
      journal.note('warn', `configuration: ${message}`, { file: path, line, column, code, suggestion });
    }
    if (exposed !== undefined) journal.note('warn', exposed);
    for (const [flag, used, said, standard] of [
      ['--ike-port', ikePort, config.system.ikePort, 500],
      ['--natt-port', nattPort, config.system.nattPort, 4500],
    ] as const) {
      if (used === said) continue;
      const beaten = `${flag} ${used} beats the ${said === standard ? 'default' : "configuration's"} ${said}`;
      say(stdout, `postern: ${beaten}`);
      journal.note('info', beaten);
    }
    const options = {
      ...{ config, source, workers },
      listen: values.all('listen'),
      ikePort,
      nattPort,
      state: values.one('state'),
      inner: innerOf(values.one('inner'), 'tun'),
      labNets: labNets.filter((range) => range !== undefined),
      debug: values.one('debug') === undefined ? undefined : {},
      capture: values.one('capture'),
      captureKeys: values.one('capture-keys'),
      reread: () => rereadConfigFile(path),
    };
    return serve(options, journal, terminal).finally(() => journal.flush());
  },
};

/** A number of threads; undefined: none of the words that it may be. */
function workersOf(word = '1'): number | undefined {
  const count = word === 'cores' ? Math.min(availableParallelism(), LANES_MAX) : Number(word);
  return /^(cores|\d{1,2})$/.test(word) && count >= 1 && count <= LANES_MAX ? count : undefined;
}

/** '10.50.0.0/24', 'fd50::/64', one address; undefined: none of them. */
function rangeOf(text: string) {
  try {
    const found = selector(text);
    return found.type === 'other' ? undefined : { start: found.start, end: found.end };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
