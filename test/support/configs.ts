/**
 * Gateway configurations for tests in virtual time: FortiOS' CLI text out of a few words, with as many profiles on one address as
 * a test wants. What is not said has the defaults below; every text goes through `loadConfig`, so that nothing here is possible
 * that an operator could not write.
 */
import type { KeyType } from '../../crypto/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { family } from './pki.ts';

/** `set` lines: keyword → words as they stand in the file; undefined takes a default back. */
export type Words = Readonly<Record<string, string | undefined>>;
/** How the gateway proves itself, and how the client does when it does otherwise. */
export type Shape = 'psk' | 'psk-eap' | 'certificate-eap' | 'certificate';
export type ProfileText = {
  readonly name?: string;
  readonly shape?: Shape;
  readonly phase1?: Words;
  /** One phase 2 with these words, or several by name. */
  readonly phase2?: Words;
  readonly phase2s?: Readonly<Record<string, Words>>;
};
export type ConfigText = {
  readonly profiles?: readonly ProfileText[];
  /** `config postern settings`. */
  readonly settings?: Words;
  /** Whole blocks, in front of the profiles. */
  readonly more?: string;
  /** The kind of keys in the lab's PKI; P-256 unless said. */
  readonly keys?: KeyType;
};

/** What no line, event or datagram in the clear may ever show. */
export const secrets = { psk: 'kiesel-und-moos', alice: 'wunder-land-7', bob: 'bau-meister-9', carol: 'dritte-im-bund' } as const;

export const GATEWAY = '192.0.2.1';
export const GATEWAY6 = '2001:db8::1';
export const GATEWAY_NAME = 'vpn.lab.test';

/** The configuration of a text. Throws for one with errors: that is a mistake of the test. */
export function configOf(o: ConfigText = {}): Config {
  return loaded(configText(o));
}

export function loaded(text: string): Config {
  const { config, findings } = loadConfig(text);
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ line, message }) => `line ${line}: ${message}`).join('\n'));
  return config;
}

export function configText({ profiles = [{}], settings, more = '', keys = 'p256' }: ConfigText): string {
  const shapes = profiles.map(({ shape = 'psk' }) => shape);
  return [
    table('system interface', 'wan', { ip: `${GATEWAY} 255.255.255.0` }, [
      'config ipv6',
      `    set ip6-address ${GATEWAY6}/64`,
      'end',
    ]),
    ...(settings === undefined ? [] : [table('postern settings', undefined, settings)]),
    ...(shapes.some((shape) => shape.startsWith('certificate')) ? [pki(keys)] : []),
    table('user local', 'alice', { type: 'password', passwd: secrets.alice }),
    table('user local', 'bob', { type: 'password', passwd: secrets.bob }),
    table('user local', 'carol', { type: 'password', passwd: secrets.carol }),
    table('user group', 'staff', { member: '"alice" "bob"' }),
    table('user group', 'guests', { member: '"carol"' }),
    more,
    ...profiles.map((profile, i) => profileText(profile, i + 1)),
  ].join('');
}

/** Root and intermediate of the lab's PKI, and the gateway's certificate below them. */
function pki(keys: KeyType): string {
  const { root, intermediate, server } = family(keys);
  return [
    table('vpn certificate ca', 'lab-root', { ca: quoted(root.certificate) }),
    table('vpn certificate ca', 'lab-intermediate', { ca: quoted(intermediate.certificate) }),
    table('vpn certificate local', 'gateway', {
      'private-key': quoted(server.key),
      certificate: quoted(server.certificate),
    }),
    table('user peer', 'lab-clients', { ca: '"lab-root"' }),
  ].join('');
}

/** The profile's pool is 10.10.n.1 to 10.10.n.20. */
function profileText({ name = 'ra', shape = 'psk', phase1 = {}, phase2 = {}, phase2s }: ProfileText, n: number): string {
  const byName = phase2s ?? { [name]: phase2 };
  return [
    table('vpn ipsec phase1-interface', name, { ...phase1Of(shape, n), ...phase1 }),
    ...Object.entries(byName).map(([entry, words]) =>
      table('vpn ipsec phase2-interface', entry, { ...phase2Of(name), ...words }),
    ),
  ].join('');
}

function phase1Of(shape: Shape, n: number): Words {
  return {
    type: 'dynamic',
    interface: '"wan"',
    'ike-version': '2',
    'net-device': 'disable',
    'mode-cfg': 'enable',
    'ipv4-start-ip': `10.10.${n}.1`,
    'ipv4-end-ip': `10.10.${n}.20`,
    proposal: 'aes128gcm-prfsha256 aes128-sha256',
    dhgrp: '31',
    dpd: 'disable',
    localid: GATEWAY_NAME,
    ...(shape === 'certificate' ? { peertype: 'peer', peer: '"lab-clients"' } : { peertype: 'any' }),
    ...(shape.startsWith('psk') ? { psksecret: secrets.psk } : { authmethod: 'signature', certificate: '"gateway"' }),
    ...(shape.endsWith('eap') ? { eap: 'enable', 'eap-identity': 'send-request', authusrgrp: '"staff"' } : {}),
  };
}

const phase2Of = (phase1name: string): Words => ({
  phase1name: quoted(phase1name),
  proposal: 'aes128gcm aes128-sha256',
  pfs: 'disable',
  'src-subnet': '10.50.0.0 255.255.255.0',
});

/** One table with one entry, or with none, as it would be pasted; `inside` are lines of blocks within the entry. */
export function table(path: string, entry: string | undefined, words: Words, inside: readonly string[] = []): string {
  const sets = Object.entries(words).flatMap(([word, value]) => (value === undefined ? [] : [`set ${word} ${value}`]));
  const lines = entry === undefined ? sets : [`edit ${quoted(entry)}`, ...[...sets, ...inside].map((l) => `    ${l}`), 'next'];
  return [`config ${path}`, ...lines.map((line) => `    ${line}`), 'end', ''].join('\n');
}

const quoted = (text: string): string => `"${text.trim()}"`;
