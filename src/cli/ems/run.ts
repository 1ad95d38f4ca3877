/** `postern ems run`: the emulator in the foreground. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '../../../crypto/index.ts';
import {
  type AdminDoor,
  EmsEmulator,
  type EmsOptions,
  EmsRefused,
  EmsStore,
  fingerprintOf,
  readStore,
  replacePrivate,
  serveAdmin,
} from '../../lab/index.ts';
import { codeOf, EnvironmentRefused } from '../../net/index.ts';
import { addressOctets, printable } from '../../wire/index.ts';
import { EXIT, say, type Terminal } from '../exit.ts';
import { portOf, type Values } from '../options.ts';
import { takeState } from '../state.ts';
import type { Verb } from '../verb.ts';
import { STATE, stateOf } from './ask.ts';

const PORT = 8013;

export const runEms: Verb = {
  name: 'run',
  summary: 'run the emulator in the foreground',
  text: [
    'Runs the emulator until Ctrl-C; `postern ems: ready` says that it listens. What it knows is kept in the state directory.',
    'A gateway shows a client certificate and is then authorised by its CN, or, with --access-key-file, knows the access key.',
  ],
  options: [
    { name: 'listen', value: 'ADDR', help: 'the address to listen on (127.0.0.1)' },
    { name: 'port', value: 'N', help: `the TCP port (${PORT}); 0: any` },
    STATE,
    { name: 'serial', value: 'SN', help: 'its serial number (FCTEMS0000000001)' },
    { name: 'tenant', value: 'HEX', help: 'its tenant, 32 hexadecimal digits (zeros)' },
    { name: 'name', value: 'DNS', many: true, help: 'a name for its certificate, besides localhost and its addresses' },
    { name: 'auto-authorize', help: 'silent approval: the first certificate of every CN is let in' },
    { name: 'access-key-file', value: 'FILE', help: 'EMS in the cloud: gateways are known by the key in this file' },
    { name: 'token-lifetime', value: 'S', help: 'seconds that a zero-trust token lives (3600)' },
  ],
  async run(values, terminal) {
    const refuse = (why: string) => {
      say(terminal.stderr, `postern ems run: ${why}`, 'See `postern help ems run`.');
      return EXIT.usage;
    };
    const options = await optionsOf(values);
    if (typeof options === 'string') return refuse(options);
    const directory = stateOf(values);
    const state = await takeState(directory);
    try {
      return await running(options, directory, terminal);
    } catch (error) {
      if (error instanceof EmsRefused) return refuse(error.message);
      throw refusal(error, options, directory);
    } finally {
      await state.release();
    }
  },
};

/** Runs until a signal; gives the exit code. */
async function running(o: EmsOptions, directory: string, { stdout, process }: Terminal): Promise<number> {
  const saved = await readStore(directory);
  if (saved !== undefined && o.serial !== undefined && o.serial !== saved.serial)
    throw new EmsRefused('bad-request', `${directory} is the state of ${saved.serial}: choose another with --state DIR`);
  const note = (line: string) => say(stdout, `postern ems: ${printable(line, 2000)}`);
  let store: EmsStore | undefined;
  const ems = await EmsEmulator.start({
    ...o,
    ...(saved === undefined ? {} : { saved }),
    onChange: () => store?.dirty(),
    onNote: note,
  });
  let door: AdminDoor | undefined;
  try {
    store = new EmsStore(
      directory,
      () => ems.save(),
      (error) => note(`the state directory cannot be written: ${codeOf(error)}`),
    );
    store.dirty();
    await store.flush();
    const ca = join(directory, 'ca.pem');
    await replacePrivate(ca, ems.ca);
    const flush = store.flush.bind(store);
    door = await serveAdmin(ems, directory, flush);
    const ended = untilSignal(process);
    introduce(ems, o, directory, ca, note);
    await ended;
  } finally {
    await door?.close();
    await ems.close();
    await store?.flush().catch((error: unknown) => note(`the state directory cannot be written: ${codeOf(error)}`));
  }
  note('stopped');
  return EXIT.ok;
}

function introduce(ems: EmsEmulator, o: EmsOptions, directory: string, ca: string, note: (line: string) => void): void {
  const state = directory === '.state/ems' ? '' : ` --state ${directory}`;
  note(`${ems.serial} (tenant ${ems.tenant}) listens on ${ems.url}`);
  note(`its CA is ${ca}, SHA-256 ${fingerprintOf(ems.ca)}: import it and name it in \`set verifying-ca\``);
  if (o.accessKey !== undefined) note('gateways are known by the access key');
  else if (o.autoAuthorize === true) note('gateways are let in with the first certificate they show');
  else note(`gateways: \`postern ems gateway list${state}\`, then \`postern ems gateway authorize CN${state}\``);
  note(`${ems.endpoints().length} devices are known; one more: \`postern ems endpoint add UID --tag NAME${state}\``);
  note('ready');
}

/** The options, or what is wrong with them. */
async function optionsOf(values: Values): Promise<EmsOptions | string> {
  const [address, port, lifetime, keyFile] = [
    values.one('listen'),
    portOf(values, 'port'),
    values.one('token-lifetime'),
    values.one('access-key-file'),
  ];
  if ('why' in port) return port.why;
  if (address !== undefined && addressOctets(address) === undefined)
    return `--listen '${printable(address, 64)}' is not an IPv4 or IPv6 address`;
  if (lifetime !== undefined && !/^[1-9]\d{0,7}$/.test(lifetime))
    return `--token-lifetime takes seconds, not '${printable(lifetime, 20)}'`;
  const [serial, tenant] = [values.one('serial'), values.one('tenant')];
  let accessKey: Secret | undefined;
  if (keyFile !== undefined) {
    try {
      accessKey = Secret.utf8((await readFile(keyFile, 'utf8')).trim());
    } catch (error) {
      return `cannot read --access-key-file ${keyFile}: ${codeOf(error)}`;
    }
  }
  return {
    port: port.port ?? PORT,
    names: values.all('name'),
    autoAuthorize: values.one('auto-authorize') !== undefined,
    ...(address === undefined ? {} : { address }),
    ...(serial === undefined ? {} : { serial }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(accessKey === undefined ? {} : { accessKey }),
    ...(lifetime === undefined ? {} : { tokenLifetime: Number(lifetime) }),
  };
}

function untilSignal(process: Terminal['process']): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of SIGNALS) process.off(signal, end);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, end);
  });
}
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The system's refusal in people's words; what is none is given back as it is. */
function refusal(error: unknown, { address = '127.0.0.1', port = PORT }: EmsOptions, directory: string): unknown {
  const code = codeOf(error);
  switch (code) {
    case 'EADDRINUSE':
      return new EnvironmentRefused(
        code,
        `TCP port ${port} is taken on ${address}.`,
        `See who has it with \`ss -tlpn 'sport = :${port}'\`, or choose another with --port N.`,
      );
    case 'EADDRNOTAVAIL':
      return new EnvironmentRefused(code, `${address} is not an address of this machine.`, 'Choose another with --listen ADDR.');
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOSPC':
    case 'ENOTDIR':
      return new EnvironmentRefused(
        code,
        `This machine does not allow port ${port} or the state directory ${directory}: ${code}.`,
        'Choose a port from 1024 on with --port N, and a directory that this user may write with --state DIR.',
      );
    default:
      return error;
  }
}
