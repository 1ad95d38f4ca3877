/** What the options of `postern client` mean: who we are, how we prove it, what we tell, how long we stay. */
import { createSocket } from 'node:dgram';
import {
  belongsTo,
  type Certificate,
  chainFor,
  group as groupById,
  loadPrivateKey,
  randomOctets,
  readPem,
} from '../../../crypto/index.ts';
import { type DialOptions, fortiClientAttributes, fortiClientConnect, type Identity, identity } from '../../lab/index.ts';
import { codeOf, EnvironmentRefused } from '../../net/index.ts';
import { addressOctets, printable } from '../../wire/index.ts';
import { portsOf, type Values } from '../options.ts';
import type { PrivateNames } from './narrate.ts';
import { secretOf, textOf } from './secrets.ts';
import { fromCommand, fromEms, fromFile, type TokenSource } from './token.ts';
import { judgeOf } from './trust.ts';

export type Plan = {
  /** Everything but the token that it begins with. */
  readonly dial: (token: string | undefined) => Omit<DialOptions, 'world'>;
  readonly source: TokenSource | undefined;
  readonly names: PrivateNames;
  /** ms; undefined: until somebody ends it. */
  readonly stay: number | undefined;
  readonly count: number;
  readonly ping: PingPlan | undefined;
};

/** `leaves`: hangs up when that is done. */
export type PingPlan = { readonly address: string; readonly count: number; readonly leaves: boolean };

/** Ours: the number is not published, and a gateway that learns takes any. */
export const TOKEN_NUMBER = 61_702;
export const DEFAULTS = {
  proposals: ['aes256gcm-prfsha256', 'aes256-sha256', 'aes128-sha256'],
  groups: ['31', '14'],
  esp: ['aes256gcm', 'aes256-sha256', 'aes128-sha256'],
  giveUp: 31,
  most: 1000,
} as const;

/**
 * Reads them; a text says what is wrong. Throws EnvironmentRefused when there is no way to the gateway.
 *
 * @param environment where --psk-env and --password-env look
 */
export async function planOf(values: Values, environment: Readonly<Record<string, string | undefined>>): Promise<Plan | string> {
  const wrong = wrongWord(values);
  if (wrong !== undefined) return wrong;
  const ports = portsOf(values);
  if ('why' in ports) return ports.why;
  const source = sourceOf(values);
  if (typeof source === 'string') return source;
  const remote = { address: values.one('gateway') ?? '127.0.0.1', port: ports.ike ?? 500 };
  const from = values.one('from') ?? (await localFor(remote.address));
  const id = identity(values.one('id') ?? values.one('ip') ?? from);
  const proofs = await proofsOf(values, id, environment);
  if (typeof proofs === 'string') return proofs;
  const given = (name: string, standard: readonly string[]) => (values.all(name).length > 0 ? values.all(name) : standard);
  const count = Number(values.one('count') ?? 1);
  const gatewayId = values.one('gateway-id');
  const fortinet = values.one('no-fortinet') === undefined;
  const stay = values.one('stay') ?? 'forever';
  const first = (Number(values.one('give-up') ?? DEFAULTS.giveUp) * 1000) / DEFAULTS.giveUp;
  const when = values.one('token-when') ?? 'in-auth';
  const ping = pingOf(values);
  return {
    ...{ source, count, ping, stay: stay === 'forever' ? undefined : Number(stay) * 1000 },
    names: { success: numberOf(values, 'success-notify'), failure: numberOf(values, 'failure-notify') },
    dial: (token) => ({
      ...{ remote, from, nattPort: ports.natt ?? 4500, random: randomOctets, keyPair: (group) => group.generate(), ...proofs },
      ...(gatewayId === undefined ? {} : { gatewayId: identity(gatewayId) }),
      ikeProposals: given('proposal', DEFAULTS.proposals),
      groups: given('dhgrp', DEFAULTS.groups).map(Number),
      espProposals: given('esp', DEFAULTS.esp),
      ...(fortinet ? FORTICLIENT : {}),
      keepalive: 20_000,
      // Packets can only go in UDP from here, whatever the gateway would do: a NAT makes it so for both ends (RFC 7296 §2.23).
      fakeNat: ping !== undefined,
      retransmit: { first, factor: 2, most: 4 }, // 1, 2, 4, 8, 16: 31 of them
      initialContact: count === 1, // many clients of one identity would push each other out
      impair: values.all('impair'),
      ...claimsOf(values, from, token !== undefined),
      ...(token === undefined
        ? {}
        : {
            ztna: {
              ...{ number: numberOf(values, 'token-number') ?? TOKEN_NUMBER, token },
              when: when === 'after' || when === 'first-auth' ? when : 'in-auth',
            },
          }),
    }),
  };
}

const FORTICLIENT = {
  ...{ vendorIds: true, networkId: 0, requestAddresses: [], cpAttributes: fortiClientAttributes() },
} as const satisfies Partial<DialOptions>;

/** The first word that is none. */
function wrongWord(values: Values): string | undefined {
  for (const flag of ['gateway', 'ip', 'from']) {
    const address = values.one(flag);
    if (address !== undefined && addressOctets(address) === undefined)
      return `--${flag} '${printable(address, 64)}' is not an IPv4 or IPv6 address`;
  }
  const pings = pingOf(values);
  if (pings !== undefined && (addressOctets(pings.address) === undefined || !(pings.count >= 1 && pings.count <= MOST_PINGS)))
    return `--ping takes ADDR or ADDR,COUNT, 1 to ${MOST_PINGS}, not '${printable(values.one('ping') ?? '', 64)}'`;
  for (const [flag, form, takes] of FORMS) {
    const word = values.one(flag);
    if (word !== undefined && !form.test(word)) return `--${flag} takes ${takes}, not '${printable(word, 40)}'`;
  }
  for (const [flag, least, most, takes] of NUMBERS) {
    const number = numberOf(values, flag);
    if (number !== undefined && !(number >= least && number <= most)) return `--${flag} takes ${takes}, ${least} to ${most}`;
  }
  const group = values.all('dhgrp').find((word) => groupById(Number(word)) === undefined);
  if (group !== undefined) return `--dhgrp '${printable(group, 20)}' is no Diffie-Hellman group that we speak`;
  if (values.one('no-fortinet') !== undefined) {
    const fortinets = ['uid', 'host', 'ems-serial', 'ems-tenant', 'claims-in', 'tags-announced'];
    const claim = fortinets.find((flag) => values.one(flag) !== undefined);
    if (claim !== undefined) return `--${claim} is told in FORTICLIENT_CONNECT, and --no-fortinet leaves that out`;
  }
  const needsUid = ['ems-serial', 'ems-tenant', 'tags-announced', 'claims-in', 'host'].find((f) => values.one(f) !== undefined);
  return needsUid !== undefined && values.one('uid') === undefined ? `--${needsUid} needs --uid` : undefined;
}

const MOST_PINGS = 10_000;

function pingOf(values: Values): PingPlan | undefined {
  const [address, count = '4', more] = values.one('ping')?.split(',') ?? [];
  if (address === undefined) return undefined;
  const number = more === undefined && /^\d{1,5}$/.test(count) ? Number(count) : Number.NaN;
  return { address, count: number, leaves: values.one('stay') === undefined };
}

const FORMS: readonly (readonly [flag: string, form: RegExp, takes: string])[] = [
  ['uid', /^[0-9a-f]{32}$/i, '32 hexadecimal digits'],
  ['ems-tenant', /^[0-9a-f]{32}$/i, '32 hexadecimal digits'],
  ['stay', /^(forever|\d{1,7})$/, "seconds, or 'forever'"],
  ['host', /^[\x20-\x7e]{1,255}$/, 'a name'],
  ['ems-serial', /^[A-Za-z0-9]{1,32}$/, 'a serial number'],
];
const NUMBERS: readonly (readonly [flag: string, least: number, most: number, takes: string])[] = [
  ['token-number', 40_960, 65_535, 'a private status number'],
  ['success-notify', 40_960, 65_535, 'a private status number'],
  ['failure-notify', 8192, 65_535, 'a private number'],
  ['count', 1, DEFAULTS.most, 'how many clients'],
  ['give-up', 1, 600, 'seconds'],
];

function numberOf(values: Values, flag: string): number | undefined {
  const word = values.one(flag);
  if (word === undefined) return undefined;
  return /^\d{1,6}$/.test(word) ? Number(word) : Number.NaN;
}

type Proofs = Pick<DialOptions, 'auth' | 'gateway'>;

/** How the gateway proves who it is, and how we do. */
async function proofsOf(values: Values, id: Identity, environment: Readonly<Record<string, string | undefined>>) {
  const [psk, password] = [await secretOf(values, 'psk', environment), await secretOf(values, 'password', environment)];
  if (typeof psk === 'string') return psk;
  if (typeof password === 'string') return password;
  const anchors = await certificatesOf(values, 'ca');
  if (typeof anchors === 'string') return anchors;
  if (psk !== undefined && anchors !== undefined)
    return 'the gateway proves itself by --psk-file (or --psk-env) or by a certificate of --ca, not by both';
  let gateway: Proofs['gateway'];
  if (psk !== undefined) gateway = { kind: 'psk', psk };
  else if (anchors !== undefined)
    gateway = { kind: 'certificate', accepts: judgeOf(anchors, () => Date.now() / 1000), authorities: anchors };
  else return 'how does the gateway prove itself? By a pre-shared key: --psk-file or --psk-env; by a certificate: --ca';

  const [user, own] = [values.one('user'), await ownCertificate(values, id)];
  if (typeof own === 'string') return own;
  if (user !== undefined && own !== undefined) return '--user and --certificate exclude each other';
  if (user === undefined && password !== undefined) return 'a password without --user';
  if (user !== undefined) {
    if (password === undefined) return '--user needs --password-file or --password-env';
    return { gateway, auth: { kind: 'eap', user, password, methods: ['mschapv2'], id } } satisfies Proofs;
  }
  if (own !== undefined) return { gateway, auth: own } satisfies Proofs;
  if (psk === undefined) return 'how do we prove who we are? --user, or --certificate with --key';
  return { gateway, auth: { kind: 'psk', psk, id } } satisfies Proofs;
}

async function ownCertificate(values: Values, id: Identity) {
  const chain = await certificatesOf(values, 'certificate');
  const keyFile = values.one('key');
  if (typeof chain === 'string') return chain;
  if (chain === undefined && keyFile === undefined) return undefined;
  if (chain === undefined || keyFile === undefined) return '--certificate and --key go together';
  const read = await textOf(keyFile, 'key');
  if ('why' in read) return read.why;
  try {
    const key = loadPrivateKey(read.text);
    const leaf = chain.find((one) => belongsTo(one, key));
    if (leaf === undefined) return `--key ${keyFile} is not the key of a certificate in --certificate`;
    return { kind: 'certificate', chain: chainFor(leaf, chain), key, id } as const;
  } catch (error) {
    return `--key ${keyFile}: ${error instanceof Error ? error.message : 'unreadable'}`;
  }
}

async function certificatesOf(values: Values, flag: string): Promise<readonly Certificate[] | string | undefined> {
  const file = values.one(flag);
  if (file === undefined) return undefined;
  const read = await textOf(file, flag);
  if ('why' in read) return read.why;
  try {
    return readPem(read.text);
  } catch (error) {
    return `--${flag} ${file}: ${error instanceof Error ? error.message : 'unreadable'}`;
  }
}

/** FORTICLIENT_CONNECT; nothing without a UID. A FortiClient that has a token says so. */
function claimsOf(values: Values, from: string, token: boolean): Pick<DialOptions, 'claims' | 'claimsIn'> {
  const [uid, host, emssn, emsid] = ['uid', 'host', 'ems-serial', 'ems-tenant'].map((flag) => values.one(flag));
  if (uid === undefined) return {};
  const claims = fortiClientConnect({
    uid: uid.toUpperCase(),
    tags: token || values.one('tags-announced') !== undefined,
    user: values.one('user') ?? 'client',
    ip: values.one('ip') ?? from,
    ...(host === undefined ? {} : { host }),
    ...(emssn === undefined ? {} : { emssn }),
    ...(emsid === undefined ? {} : { emsid: emsid.toUpperCase() }),
  });
  return { claims, claimsIn: values.one('claims-in') === 'last' ? 'last' : 'first' };
}

/** Where tokens come from; undefined when there is none. */
function sourceOf(values: Values): TokenSource | string | undefined {
  const [file, ems, command, uid] = ['token-file', 'ems', 'token-command', 'uid'].map((flag) => values.one(flag));
  if ([file, ems, command].filter((one) => one !== undefined).length > 1)
    return '--token-file, --token-command and --ems exclude each other';
  if (command === undefined && values.words.length > 0) return `'${printable(values.words[0] ?? '', 40)}' is one word too many`;
  if (command !== undefined) return fromCommand(command, values.words);
  if (ems !== undefined) return uid === undefined ? '--ems needs --uid' : fromEms(ems, uid.toUpperCase());
  return file === undefined ? undefined : fromFile(file);
}

/** The address that the system would speak from to that one. */
async function localFor(address: string): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(9, address, () => resolve(socket.address().address)); // says nothing: it only asks for the way
    });
  } catch (error) {
    const code = codeOf(error);
    throw new EnvironmentRefused(code, `There is no way to ${address}: ${code}.`, 'See `ip route`, or choose with --from ADDR.');
  } finally {
    socket.close();
  }
}
