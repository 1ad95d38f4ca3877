/** `postern client`: a client shaped like FortiClient, on real sockets, for people who try a gateway out. */
import { readFile } from 'node:fs/promises';
import { group as groupById, randomOctets, Secret } from '../../crypto/index.ts';
import {
  callAdmin,
  Dial,
  EmsNotRunning,
  EmsRefused,
  fortiClientConnect,
  identity,
  impairments,
  type LabOptions,
} from '../lab/index.ts';
import { codeOf, EnvironmentRefused } from '../net/index.ts';
import { addressOctets, printable } from '../wire/index.ts';
import { type Attempt, stay } from './client/stay.ts';
import { EXIT, say } from './exit.ts';
import { portOf, type Values } from './options.ts';
import type { Verb } from './verb.ts';

/** Ours: the number is not published, and a gateway that learns takes any. */
const TOKEN_NUMBER = 61_702;

export const client: Verb = {
  name: 'client',
  summary: 'connect like a FortiClient: EAP, FORTICLIENT_CONNECT, ZTNA_TAG',
  text: [
    'Connects, says what became of it, and stays connected until Ctrl-C or until the gateway ends it. No packets are carried.',
    'With --user it does EAP-MSCHAPv2. With --uid it sends FORTICLIENT_CONNECT. A token is sent again before the old one ends:',
    'from --token-file, which is read anew, or from a running `postern ems` with --ems.',
    '',
    'Exit code 0 when it was connected and we hung up, 1 when the gateway refused it or ended it.',
  ],
  options: [
    { name: 'gateway', value: 'ADDR', help: 'its address (127.0.0.1)' },
    { name: 'ike-port', value: 'N', help: 'its UDP port for IKE (500)' },
    { name: 'natt-port', value: 'N', help: 'its UDP port for NAT traversal (4500)' },
    { name: 'from', value: 'ADDR', help: 'the local address to speak from (127.0.0.1)' },
    { name: 'psk-file', value: 'FILE', required: true, help: 'the pre-shared key' },
    { name: 'id', value: 'ID', help: 'our identity: an address, a name, name@domain (--ip, else client@lab.test)' },
    { name: 'user', value: 'NAME', help: 'EAP user' },
    { name: 'password-file', value: 'FILE', help: 'the password of the EAP user' },
    { name: 'proposal', value: 'WORD', many: true, help: 'IKE proposal (aes256gcm-prfsha256, aes256-sha256, aes128-sha256)' },
    { name: 'dhgrp', value: 'N', many: true, help: 'Diffie-Hellman group (31, 14)' },
    { name: 'esp', value: 'WORD', many: true, help: 'ESP proposal (aes256gcm, aes256-sha256, aes128-sha256)' },
    { name: 'uid', value: 'UID', help: 'FortiClient UID, 32 hexadecimal digits' },
    { name: 'ip', value: 'ADDR', help: "the device's own address, as it tells it" },
    { name: 'host', value: 'NAME', help: "the device's name" },
    { name: 'ems-serial', value: 'SN', help: 'EMSSN, the serial number of its EMS' },
    { name: 'ems-tenant', value: 'HEX', help: 'EMSID, its tenant' },
    { name: 'token-file', value: 'FILE', help: 'the zero-trust token, a JWT' },
    { name: 'ems', value: 'DIR', help: 'state directory of a running `postern ems` that signs a token for --uid' },
    { name: 'token-number', value: 'N', help: `the notify's number (${TOKEN_NUMBER})` },
    {
      name: 'token-when',
      value: 'WHEN',
      choices: ['in-auth', 'after'],
      help: 'in IKE_AUTH, or announced and sent after (in-auth)',
    },
    {
      name: 'impair',
      value: 'WHAT',
      many: true,
      help: 'damage messages on purpose: NAME[:OF][@EXCHANGE][#NTH]; `list` shows them',
    },
  ],
  async run(values, terminal) {
    if (values.all('impair').includes('list')) {
      say(terminal.stdout, ...Object.entries(impairments).map(([name, { help }]) => `${name.padEnd(18)}${help}`));
      return EXIT.ok;
    }
    let made: Attempt | string;
    try {
      made = await attemptOf(values);
    } catch (error) {
      if (error instanceof EmsRefused) made = error.message;
      else if (error instanceof EmsNotRunning)
        throw new EnvironmentRefused(
          'ENOENT',
          'No EMS emulator runs with the directory of --ems.',
          'Start one: `postern ems run`.',
        );
      else throw error;
    }
    if (typeof made === 'string') {
      say(terminal.stderr, `postern client: ${made}`, 'See `postern help client`.');
      return EXIT.usage;
    }
    return await stay(made, terminal);
  },
};

/** What the options mean, or what is wrong with them. */
async function attemptOf(values: Values): Promise<Attempt | string> {
  const [ike, natt, wrong] = [portOf(values, 'ike-port'), portOf(values, 'natt-port'), wrongWord(values)];
  if ('why' in ike) return ike.why;
  if ('why' in natt) return natt.why;
  if (wrong !== undefined) return wrong;
  const gateway = values.one('gateway') ?? '127.0.0.1';
  const id = identity(values.one('id') ?? values.one('ip') ?? 'client@lab.test');
  const auth = await authOf(values, id);
  if (typeof auth === 'string') return auth;
  const next = tokenSource(values);
  if (typeof next === 'string') return next;
  const token = await next?.();
  const when = values.one('token-when') === 'after' ? 'after' : 'in-auth';
  const options: Omit<LabOptions, 'local' | 'nattPorts'> = {
    remote: { address: gateway, port: ike.port ?? 500 },
    random: randomOctets,
    keyPair: (group) => group.generate(),
    ...auth,
    ikeProposals: listOr(values.all('proposal'), ['aes256gcm-prfsha256', 'aes256-sha256', 'aes128-sha256']),
    groups: listOr(values.all('dhgrp'), ['31', '14']).map(Number),
    espProposals: listOr(values.all('esp'), ['aes256gcm', 'aes256-sha256', 'aes128-sha256']),
    vendorIds: true,
    keepalive: 20_000,
    impair: values.all('impair'),
    ...(values.one('uid') === undefined ? {} : { claims: claimsOf(values, token !== undefined && when === 'after') }),
    ...(token === undefined ? {} : { ztna: { number: numberOf(values), token, when } }),
  };
  const from = values.one('from') ?? (gateway.includes(':') ? '::1' : '127.0.0.1');
  return {
    dial: async () => {
      try {
        return await Dial.start({ ...options, nattPort: natt.port ?? 4500, from });
      } catch (error) {
        if (error instanceof RangeError) return error.message;
        const code = codeOf(error);
        throw new EnvironmentRefused(code, `Cannot speak from ${from}: ${code}.`, 'Choose another with --from ADDR.');
      }
    },
    token,
    next,
  };
}

/** The first word that is none. */
function wrongWord(values: Values): string | undefined {
  for (const flag of ['gateway', 'ip', 'from']) {
    const address = values.one(flag);
    if (address !== undefined && addressOctets(address) === undefined)
      return `--${flag} '${printable(address, 64)}' is not an IPv4 or IPv6 address`;
  }
  const number = numberOf(values);
  if (!Number.isInteger(number) || number < 40_960 || number > 65_535)
    return '--token-number takes a private status number, 40960 to 65535';
  const group = values.all('dhgrp').find((word) => groupById(Number(word)) === undefined);
  return group === undefined ? undefined : `--dhgrp '${printable(group, 20)}' is no Diffie-Hellman group that we speak`;
}

const numberOf = (values: Values): number => Number(values.one('token-number') ?? TOKEN_NUMBER);

/** How we prove who we are, and how the gateway does: both know the pre-shared key. */
async function authOf(values: Values, id: ReturnType<typeof identity>): Promise<Pick<LabOptions, 'auth' | 'gateway'> | string> {
  const [psk, password] = [await secretOf(values, 'psk-file'), await secretOf(values, 'password-file')];
  if (psk === undefined || typeof psk === 'string') return psk ?? '--psk-file is missing';
  if (typeof password === 'string') return password;
  const [gateway, user] = [{ kind: 'psk', psk } as const, values.one('user')];
  if (user === undefined) return { auth: { kind: 'psk', psk, id }, gateway };
  if (password === undefined) return '--user needs --password-file';
  return { auth: { kind: 'eap', user, password, methods: ['mschapv2'], id }, gateway };
}

function claimsOf(values: Values, tags: boolean): string {
  const [user, host, emssn, emsid] = [values.one('user'), values.one('host'), values.one('ems-serial'), values.one('ems-tenant')];
  return fortiClientConnect({
    uid: values.one('uid') ?? '',
    tags,
    user: user ?? 'client',
    ip: values.one('ip') ?? '',
    ...(host === undefined ? {} : { host }),
    ...(emssn === undefined ? {} : { emssn }),
    ...(emsid === undefined ? {} : { emsid }),
  });
}

/** Where the next token comes from; undefined when there is none. */
function tokenSource(values: Values): (() => Promise<string>) | string | undefined {
  const [file, ems, uid] = [values.one('token-file'), values.one('ems'), values.one('uid')];
  if (file !== undefined && ems !== undefined) return '--token-file and --ems exclude each other';
  if (ems !== undefined) return uid === undefined ? '--ems needs --uid' : () => callAdmin(ems, 'token', { uid });
  if (file === undefined) return undefined;
  return async () => {
    try {
      return (await readFile(file, 'utf8')).trim();
    } catch (error) {
      throw new EnvironmentRefused(
        codeOf(error),
        `Cannot read --token-file ${file}: ${codeOf(error)}.`,
        '`postern ems token UID` prints one.',
      );
    }
  };
}

async function secretOf(values: Values, flag: string): Promise<Secret | string | undefined> {
  const file = values.one(flag);
  if (file === undefined) return undefined;
  try {
    return Secret.utf8((await readFile(file, 'utf8')).replace(/\r?\n$/, ''));
  } catch (error) {
    return `cannot read --${flag} ${file}: ${codeOf(error)}`;
  }
}

const listOr = (given: readonly string[], standard: readonly string[]): readonly string[] =>
  given.length > 0 ? given : standard;
