/** What the gateway needs of a machine, looked at one by one without serving anybody: `postern doctor`. */
import { access, constants, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { chooseBackend } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import { HEADROOM, TAILROOM } from '../esp/index.ts';
import {
  codeOf,
  EnvironmentRefused,
  forwardDrops,
  hasProgram,
  notForwarding,
  offloads,
  openTun,
  openUdp,
  SOCKET_BUFFER,
  systemCalls,
} from '../net/index.ts';
import { DEVICE } from './inside.ts';
import { answersOf } from './selfCheck.ts';

/** `wrong`: the gateway does not start. `warning`: it does, with less. */
export type Finding = {
  readonly about: string;
  readonly state: 'fine' | 'warning' | 'wrong';
  readonly says: string;
  readonly fix?: string | undefined;
};

export type Patient = {
  readonly config: Config | undefined;
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  readonly state: string | undefined;
};

/** Where the doctor looks; a test's own machine. */
export type Instruments = {
  readonly node: string;
  readonly unix: () => number;
  readonly cryptography: () => Promise<{
    readonly wrong: readonly string[];
    readonly name: string;
    readonly why?: string | undefined;
  }>;
  /** Undefined: it can be done. Throws EnvironmentRefused when not. */
  readonly ports: (o: Patient) => Promise<void>;
  readonly tun: () => Promise<string>;
  /** Why the C library cannot be called; undefined: it can. */
  readonly native: () => Promise<string | undefined>;
  /** UDP options that the kernel lacks; asked only where the C library can be called. */
  readonly lacks: () => Promise<readonly string[]>;
  readonly notForwarding: () => Promise<readonly string[]>;
  /** Chains of nftables that drop what is forwarded, with no word about devices of this prefix. */
  readonly forwardDrops: (prefix: string) => Promise<readonly string[]>;
  /** A number of /proc/sys; undefined where there is none. */
  readonly setting: (name: string) => Promise<number | undefined>;
  readonly program: (name: string) => Promise<boolean>;
  /** Why a directory cannot be used, to follow its name: MISSING, or other words. Undefined: this user may write there. */
  readonly directory: (path: string) => Promise<string | undefined>;
};

const MISSING = 'is not there';

const LEAST_NODE = 24;
/** Before this the clock of the machine was never set: 2025. */
const EPOCH = 1_735_689_600;

/** Looks at everything, in order; nothing of it stays. Never throws for what a machine can lack. */
export async function examine(o: Patient, look: Instruments = instruments): Promise<readonly Finding[]> {
  return [
    node(look.node),
    clock(look.unix()),
    await cryptography(look),
    await tried('UDP ports', 'wrong', async () => {
      await look.ports(o);
      const where = o.listen.length === 0 ? 'every address' : o.listen.join(', ');
      return `${o.ikePort} (IKE) and ${o.nattPort} (NAT-T) are free on ${where}`;
    }),
    ...(o.state === undefined ? [] : [await state(o.state, look)]),
    await traffic(look),
    ...(await nat(o.config, look)),
    await speed(look),
    await buffers(look),
    ...(await forwarding(look)),
    ...(await dropped(look)),
  ];
}

function node(version: string): Finding {
  const about = 'Node.js';
  if (Number.parseInt(version, 10) >= LEAST_NODE) return { about, state: 'fine', says: version };
  return {
    ...{ about, state: 'wrong', says: `${version} is too old` },
    fix: `Run it on Node ${LEAST_NODE} or later; \`npm ci\` in a checkout brings one.`,
  };
}

function clock(unix: number): Finding {
  const about = 'clock';
  const says = new Date(unix * 1000).toISOString();
  if (unix >= EPOCH) return { about, state: 'fine', says };
  const fix = 'Set the clock (`timedatectl`): certificates and tokens are judged by it.';
  return { about, state: 'wrong', says: `it shows ${says}`, fix };
}

async function cryptography(look: Instruments): Promise<Finding> {
  const { wrong, name, why } = await look.cryptography();
  const about = 'cryptography';
  if (wrong.length > 0) {
    const fix = 'Run it on another build of Node.';
    return { about, state: 'wrong', says: `this Node gives wrong answers: ${wrong.join('; ')}`, fix };
  }
  if (why === undefined) return { about, state: 'fine', says: `by ${name}, which gives the known answers` };
  const fix = 'Install with optional dependencies (`npm ci`): ESP costs a quarter, a handshake two thirds with libcrypto.';
  return { about, state: 'warning', says: `by ${name}: ${why}`, fix };
}

async function state(path: string, look: Instruments): Promise<Finding> {
  const about = 'state directory';
  const why = await look.directory(path);
  if (why === undefined) return { about, state: 'fine', says: path };
  const fix = 'Name a directory that this user may write with --state DIR.';
  if (why !== MISSING) return { about, state: 'wrong', says: `${path} ${why}`, fix };
  // `postern run` makes it, and what is missing above it.
  let [above, obstacle]: [string, string | undefined] = [resolve(path), why];
  while (obstacle === MISSING && above !== dirname(above)) {
    above = dirname(above);
    obstacle = await look.directory(above);
  }
  if (obstacle === undefined) return { about, state: 'fine', says: `${path} will be made` };
  return { about, state: 'wrong', says: `${path} is not there and cannot be made: ${above} ${obstacle}`, fix };
}

const KOFFI = 'It needs koffi on 64-bit Linux: `npm ci` with optional dependencies.';

async function traffic(look: Instruments): Promise<Finding> {
  const native = await look.native();
  if (native !== undefined) {
    return { about: 'traffic', state: 'warning', says: `off: ${native}`, fix: KOFFI };
  }
  return await tried('traffic', 'warning', async () => `a TUN device can be made (${await look.tun()}, gone again)`);
}

async function nat(config: Config | undefined, look: Instruments): Promise<readonly Finding[]> {
  if (!config?.rules.some((rule) => rule.accept && rule.nat)) return [];
  const about = 'masquerade';
  if (await look.program('nft')) return [{ about, state: 'fine', says: 'nft is there for policies with `set nat enable`' }];
  const says = 'a policy says `set nat enable`, and nft is not installed: traffic stays off';
  return [{ about, state: 'warning', says, fix: '`apt-get install nftables`' }];
}

async function speed(look: Instruments): Promise<Finding> {
  const about = 'UDP in runs';
  const native = await look.native();
  if (native !== undefined) return { about, state: 'warning', says: `not here: ${native}`, fix: KOFFI };
  const missing = await look.lacks();
  if (missing.length === 0) return { about, state: 'fine', says: 'the kernel sends and gathers datagrams many at a time' };
  const fix = 'Linux has UDP_SEGMENT since 4.18 and UDP_GRO since 5.0: it works without, at a higher price.';
  return { about, state: 'warning', says: `not here: ${missing.join(', ')}`, fix };
}

async function buffers(look: Instruments): Promise<Finding> {
  const about = 'socket buffers';
  const low: string[] = [];
  for (const name of ['net.core.rmem_max', 'net.core.wmem_max']) {
    const value = await look.setting(name);
    if (value !== undefined && value < SOCKET_BUFFER) low.push(name);
  }
  if (low.length === 0) return { about, state: 'fine', says: 'bursts have room' };
  const fix = low.map((name) => `sysctl -w ${name}=${SOCKET_BUFFER}`).join('; ');
  return {
    about,
    state: 'warning',
    says: `${low.join(' and ')} below ${SOCKET_BUFFER}: bursts of packets are lost earlier`,
    fix,
  };
}

async function forwarding(look: Instruments): Promise<readonly Finding[]> {
  const about = 'forwarding';
  const off = await look.notForwarding();
  if (off.length === 0) return [{ about, state: 'fine', says: 'IPv4 and IPv6 go on to other machines' }];
  return off.map((name) => ({
    ...{ about, state: 'warning', says: `${name} is 0: clients reach this machine and nothing behind it` },
    fix: `sysctl -w ${name}=1`,
  }));
}

/** A hint, since rules are not run here: one of them may accept our packets by other words. */
async function dropped(look: Instruments): Promise<readonly Finding[]> {
  const prefix = DEVICE.replace('%d', '');
  const chains = await look.forwardDrops(prefix);
  if (chains.length === 0) return [];
  const accepts = chains.flatMap((chain) =>
    ['iifname', 'oifname'].map((way) => `nft insert rule ${chain} '${way} "${prefix}*" accept'`),
  );
  const who = `${chains.join(', ')}, and no rule there names ${prefix}*`;
  return [
    {
      ...{ about: 'forwarding firewall', state: 'warning' },
      says: `what is forwarded is dropped by ${who}: clients may reach nothing behind this machine`,
      fix: `Let it through, at every start of the machine: ${accepts.join('; ')}`,
    },
  ];
}

async function tried(about: string, otherwise: 'warning' | 'wrong', look: () => Promise<string>): Promise<Finding> {
  try {
    return { about, state: 'fine', says: await look() };
  } catch (error) {
    if (!(error instanceof EnvironmentRefused)) throw error;
    return { about, state: otherwise, says: error.message, fix: error.fix };
  }
}

const instruments: Instruments = {
  node: process.versions.node,
  unix: () => Math.floor(Date.now() / 1000),
  cryptography: async () => ({ wrong: answersOf().wrong, ...(await chooseBackend()) }),
  async ports({ listen, ikePort, nattPort }) {
    const udp = await openUdp({ listen, ikePort, nattPort, onDatagram: () => undefined });
    await udp.close();
  },
  async tun() {
    const inner = await openTun({
      ...{ name: DEVICE, mtu: 1280, headroom: HEADROOM, tailroom: TAILROOM, routes: [], nat: [], onPacket: () => undefined },
    });
    await inner.close();
    return inner.name;
  },
  async native() {
    const calls = await systemCalls();
    return typeof calls === 'string' ? calls : undefined;
  },
  async lacks() {
    const calls = await systemCalls();
    return typeof calls === 'string' ? [] : offloads(calls);
  },
  notForwarding,
  forwardDrops,
  async setting(name) {
    const text = await readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : Number(text);
  },
  program: hasProgram,
  async directory(path) {
    try {
      if (!(await stat(path)).isDirectory()) return 'is no directory';
      await access(path, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      return code === 'ENOENT' || code === 'ENOTDIR' ? MISSING : `cannot be used: ${code}`;
    }
  },
};
