/**
 * strongSwan (charon-systemd and swanctl) as a peer: one daemon a host, each with its own folder, settings and vici socket.
 * ESP runs in user space (kernel-libipsec), which makes it float to port 4500 at once, NAT or not.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, must, type Result, run, start, until } from './processes.ts';

/** Settings of strongswan.conf and swanctl.conf: nested sections of values. */
export type Settings = { readonly [key: string]: string | number | boolean | Settings | undefined };
/** Files for swanctl's folders: `x509/gw.pem` → PEM text. */
export type Files = Readonly<Record<string, string>>;

export type CharonOptions = {
  readonly namespace: string;
  /** Sections `connections`, `secrets`, `pools` of swanctl.conf. */
  readonly swanctl: Settings;
  readonly files?: Files;
  /** Beside or instead of the harness' own settings of section `charon-systemd`. */
  readonly charon?: Settings;
  /** Without a data plane there is no forced UDP encapsulation: IKE stays on port 500, children fail. */
  readonly dataPlane?: boolean;
};

/** What `swanctl --list-sas` says: every value as text, lists as arrays. */
export type Section = { readonly [key: string]: string | readonly string[] | Section };

export type Charon = {
  /** Starts a child (and its IKE SA); the exit code says whether strongSwan is content. */
  initiate(child: string, seconds?: number): Promise<Result>;
  /** Starts an IKE SA without a child. */
  initiateIke(ike: string, seconds?: number): Promise<Result>;
  terminate(ike: string): Promise<Result>;
  terminateChild(child: string): Promise<Result>;
  rekeyIke(ike: string): Promise<Result>;
  rekeyChild(child: string): Promise<Result>;
  /** The IKE SAs there are, oldest first. */
  sas(): Promise<readonly IkeSaView[]>;
  /** The DNS servers that the gateway gave, as strongSwan would put them into resolv.conf. */
  dns(): Promise<readonly string[]>;
  log(): Promise<string>;
  /** Waits until the log holds a line that matches. */
  logged(pattern: RegExp, seconds?: number): Promise<RegExpMatchArray>;
  stop(): Promise<void>;
};

const plugins =
  'random nonce openssl gcrypt curve25519 aes sha1 sha2 md5 hmac kdf gcm chapoly ctr cmac xcbc mgf1 pem pkcs1 pkcs8 x509 ' +
  'revocation constraints pubkey socket-default kernel-libipsec kernel-netlink vici updown eap-identity eap-mschapv2 eap-tls ' +
  'eap-md5 eap-gtc eap-ttls attr resolve';

export async function startCharon(o: CharonOptions): Promise<Charon> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-charon-'));
  const uri = `unix://${join(folder, 'charon.vici')}`;
  const logFile = join(folder, 'charon.log');
  const env = { STRONGSWAN_CONF: join(folder, 'strongswan.conf'), SWANCTL_DIR: folder };
  await writeFile(env.STRONGSWAN_CONF, settingsText(daemonSettings(o, folder)));
  await writeFile(join(folder, 'swanctl.conf'), settingsText(o.swanctl), { mode: 0o600 });
  for (const [name, text] of Object.entries(o.files ?? {})) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text, { mode: 0o600 });
  }
  const daemon = start('/usr/sbin/charon-systemd', [], { namespace: o.namespace, env });
  const log = () => readFile(logFile, 'utf8').catch(() => '');
  const swanctl = (args: readonly string[], seconds = 30) =>
    run('swanctl', [...args, '--uri', uri], { env, seconds: seconds + 5 });
  const stop = async () => {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('vici answers', () => answers(daemon, () => swanctl(['--stats'])), 20);
    await must('swanctl', ['--load-all', '--noprompt', '--uri', uri], { env });
  } catch (error) {
    const said = [...daemon.stdout, ...daemon.stderr, await log()].join('\n');
    await stop();
    throw new Error(`charon did not start: ${said}`, { cause: error });
  }
  return {
    initiate: (child, seconds = 30) => swanctl(['--initiate', '--child', child, '--timeout', `${seconds}`], seconds),
    initiateIke: (ike, seconds = 30) => swanctl(['--initiate', '--ike', ike, '--timeout', `${seconds}`], seconds),
    terminate: (ike) => swanctl(['--terminate', '--ike', ike, '--timeout', '10']),
    terminateChild: (child) => swanctl(['--terminate', '--child', child, '--timeout', '10']),
    rekeyIke: (ike) => swanctl(['--rekey', '--ike', ike]),
    rekeyChild: (child) => swanctl(['--rekey', '--child', child]),
    async sas() {
      const { stdout } = await swanctl(['--list-sas', '--pretty']);
      return ikeSas(parsePretty(stdout));
    },
    dns: async () => {
      const text = await readFile(join(folder, 'resolv.conf'), 'utf8').catch(() => '');
      return [...text.matchAll(/^nameserver (\S+)/gm)].map((found) => found[1] ?? '');
    },
    log,
    logged: (pattern, seconds) =>
      until(`strongSwan logs ${pattern}`, async () => (await log()).match(pattern) ?? undefined, seconds),
    stop,
  };
}

async function answers(daemon: Daemon, ask: () => Promise<Result>): Promise<true | undefined> {
  if (daemon.outcome) throw new Error(`charon ended with ${daemon.outcome.code ?? daemon.outcome.signal}`);
  return (await ask()).code === 0 ? true : undefined;
}

/** Short waits between retransmissions: 0.5, 0.6, 0.7 … s instead of 4, 7, 13 s; it gives up after about 20 s. */
function daemonSettings(o: CharonOptions, folder: string): Settings {
  const load = o.dataPlane === false ? plugins.replace('kernel-libipsec ', '') : plugins;
  const charon: Settings = {
    load,
    retransmit_timeout: 0.5,
    retransmit_base: 1.2,
    retransmit_tries: 12,
    plugins: {
      vici: { socket: `unix://${join(folder, 'charon.vici')}` },
      // Asks for DNS servers, and writes what it gets into its own folder: never into the machine's /etc/resolv.conf.
      resolve: { file: join(folder, 'resolv.conf') },
      'socket-default': { fwmark: '0x42' },
      'kernel-netlink': { fwmark: '!0x42' },
    },
    filelog: { log: { path: join(folder, 'charon.log'), flush_line: true, default: 1, ike: 2, enc: 1, net: 1 } },
    journal: { default: -1 },
    ...o.charon,
  };
  return { 'charon-systemd': charon, swanctl: { load: 'random openssl pem pkcs1 pkcs8 x509 pubkey' } };
}

function settingsText(settings: Settings, indent = ''): string {
  return Object.entries(settings)
    .map(([key, value]) => {
      if (value === undefined) return '';
      if (typeof value === 'object') return `${indent}${key} {\n${settingsText(value, `${indent}  `)}${indent}}\n`;
      const text = typeof value === 'boolean' ? (value ? 'yes' : 'no') : `${value}`;
      return `${indent}${key} = ${/^[\w./:,%*@+!-]*$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`}\n`;
    })
    .join('');
}

/** `swanctl --pretty`: one item a line, sections in braces, lists in brackets; one section for each event. */
function parsePretty(text: string): readonly Section[] {
  type Open = { [key: string]: string | readonly string[] | Open };
  const events: Open[] = [];
  const stack: Open[] = [];
  let list: string[] | undefined;
  for (const line of text.split('\n').map((l) => l.trim())) {
    const top = stack.at(-1);
    const [key = '', value = ''] = line.split(/ = (.*)/s);
    if (list !== undefined && line !== ']') list.push(line);
    else if (line === ']') list = undefined;
    else if (line === '}') stack.pop();
    else if (line.endsWith('{')) {
      const inner: Open = {};
      if (top === undefined) events.push(inner);
      else top[line.slice(0, -1).trim()] = inner;
      stack.push(inner);
    } else if (top !== undefined && value === '[') top[key] = list = [];
    else if (top !== undefined && line.includes(' = ')) top[key] = value;
    else if (top !== undefined && line.endsWith(' =')) top[line.slice(0, -2)] = '';
  }
  return events;
}

export type ChildSaView = {
  readonly name: string;
  readonly state: string;
  readonly spiIn: string;
  readonly spiOut: string;
  /** In the words of a proposal: 'AES_GCM_16-256', 'AES_CBC-256/HMAC_SHA2_256_128', with '/CURVE_25519' after a KE. */
  readonly suite: string;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
  readonly encapsulated: boolean;
};
export type IkeSaView = {
  readonly name: string;
  readonly id: string;
  readonly state: string;
  readonly SPIi: string;
  readonly SPIr: string;
  readonly local: string;
  readonly remote: string;
  readonly remoteId: string;
  /** 'AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519' */
  readonly suite: string;
  readonly virtualIps: readonly string[];
  readonly children: readonly ChildSaView[];
};

function ikeSas(events: readonly Section[]): readonly IkeSaView[] {
  return events.flatMap((event) => Object.entries(event).flatMap(([name, sa]) => (isSection(sa) ? [ikeView(name, sa)] : [])));
}

function ikeView(name: string, sa: Section): IkeSaView {
  const children = Object.values(section(sa['child-sas'])).filter(isSection).map(childView);
  return {
    name,
    id: text(sa['uniqueid']),
    state: text(sa['state']),
    SPIi: text(sa['initiator-spi']),
    SPIr: text(sa['responder-spi']),
    local: `${text(sa['local-host'])}:${text(sa['local-port'])}`,
    remote: `${text(sa['remote-host'])}:${text(sa['remote-port'])}`,
    remoteId: text(sa['remote-id']),
    suite: suite([keyed(sa, 'encr'), text(sa['integ-alg']), text(sa['prf-alg']), text(sa['dh-group'])]),
    virtualIps: list(sa['local-vips']),
    children,
  };
}

function childView(child: Section): ChildSaView {
  return {
    name: text(child['name']),
    state: text(child['state']),
    spiIn: text(child['spi-in']),
    spiOut: text(child['spi-out']),
    suite: suite([keyed(child, 'encr'), text(child['integ-alg']), text(child['dh-group'])]),
    localTs: list(child['local-ts']),
    remoteTs: list(child['remote-ts']),
    encapsulated: text(child['encap']) === 'yes',
  };
}

function keyed(sa: Section, what: string): string {
  const bits = text(sa[`${what}-keysize`]);
  return bits === '' ? text(sa[`${what}-alg`]) : `${text(sa[`${what}-alg`])}-${bits}`;
}

const suite = (parts: readonly string[]) => parts.filter((part) => part !== '').join('/');
const isSection = (value: Section[string] | undefined): value is Section => typeof value === 'object' && !Array.isArray(value);
const section = (value: Section[string] | undefined): Section => (isSection(value) ? value : {});
const text = (value: Section[string] | undefined): string => (typeof value === 'string' ? value : '');
const list = (value: Section[string] | undefined): readonly string[] => (Array.isArray(value) ? value : []);
