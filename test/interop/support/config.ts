/**
 * Gateway configurations in FortiOS' CLI text: the four shapes, and whatever a test sets beside them.
 */
import type { Credential } from './pki.ts';

/** `set` lines: keyword → words as they stand in the file. */
export type Words = Readonly<Record<string, string | undefined>>;
export type Shape = 'psk' | 'psk-eap' | 'certificate-eap' | 'certificate';

export type GatewayConfig = {
  readonly shape: Shape;
  /** The gateway's own certificates by name, in the order of `set certificate`. */
  readonly certificates?: Readonly<Record<string, Credential>>;
  /** CA certificates by name: the clients' roots, and the intermediates of our own. */
  readonly authorities?: Readonly<Record<string, Credential>>;
  /** Certificate clients: the one CA (a name in `authorities`) and what else their `user peer` object demands. */
  readonly peer?: { readonly ca: string; readonly words?: Words };
  readonly phase1?: Words;
  readonly phase2?: Words;
  /** Ours: `config postern settings`. */
  readonly settings?: Words;
  /** Ours: `config postern posture`. */
  readonly posture?: Words;
  /** `endpoint-control fctems`: EMS by number. */
  readonly ems?: Readonly<Record<string, Words>>;
};

export const secrets = { psk: 'kiesel-und-moos', alice: 'wunder-land-7', bob: 'bau-meister-9' } as const;
export const profile = 'ra';
export const group = 'vpn-users';

/** A whole configuration file. */
export function gatewayConfig(o: GatewayConfig): string {
  return [
    table('system dns', undefined, { primary: '10.50.0.53', secondary: '10.50.0.54' }),
    table('system interface', 'wan', { ip: '10.97.0.1 255.255.255.0' }),
    ...(o.settings ? [table('postern settings', undefined, o.settings)] : []),
    ...(o.posture ? [table('postern posture', undefined, o.posture)] : []),
    ...Object.entries(o.authorities ?? {}).map(([name, ca]) => table('vpn certificate ca', name, { ca: quoted(ca.certificate) })),
    ...Object.entries(o.certificates ?? {}).map(([name, own]) =>
      table('vpn certificate local', name, { 'private-key': quoted(own.key), certificate: quoted(own.certificate) }),
    ),
    ...(o.peer ? [table('user peer', 'clients', { ca: quoted(o.peer.ca), ...o.peer.words })] : []),
    ...Object.entries(o.ems ?? {}).map(([number, words]) => table('endpoint-control fctems', number, words)),
    table('user local', 'alice', { type: 'password', passwd: secrets.alice }),
    table('user local', 'bob', { type: 'password', passwd: secrets.bob }),
    table('user group', group, { member: '"alice" "bob"' }),
    table('vpn ipsec phase1-interface', profile, { ...phase1(o), ...o.phase1 }),
    table('vpn ipsec phase2-interface', profile, {
      phase1name: quoted(profile),
      proposal: 'aes256gcm aes256-sha256 chacha20poly1305',
      pfs: 'disable',
      'src-subnet': '10.50.0.0 255.255.255.0',
      ...o.phase2,
    }),
  ].join('');
}

function phase1(o: GatewayConfig): Words {
  return {
    type: 'dynamic',
    interface: '"wan"',
    'ike-version': '2',
    'net-device': 'disable',
    'mode-cfg': 'enable',
    'ipv4-start-ip': '10.10.1.1',
    'ipv4-end-ip': '10.10.1.20',
    'ipv4-netmask': '255.255.255.255',
    'dns-mode': 'auto',
    proposal: 'aes256gcm-prfsha256 aes256-sha256 chacha20poly1305-prfsha384 aes256gcm-prfsha512',
    dhgrp: '31 14 20 21',
    ...(o.shape === 'certificate' ? { peertype: 'peer', peer: '"clients"' } : { peertype: 'any' }),
    ...(o.shape.startsWith('psk')
      ? { psksecret: secrets.psk, localid: 'vpn.lab.test' }
      : {
          authmethod: 'signature',
          certificate: Object.keys(o.certificates ?? {})
            .map(quoted)
            .join(' '),
          localid: 'vpn.lab.test',
        }),
    ...(o.shape.endsWith('eap') ? { eap: 'enable', 'eap-identity': 'send-request', authusrgrp: quoted(group) } : {}),
  };
}

/** One table with one entry (or none), as it would be pasted. */
function table(path: string, entry: string | undefined, words: Words): string {
  const sets = Object.entries(words).flatMap(([word, value]) => (value === undefined ? [] : [`set ${word} ${value}`]));
  const inside = entry === undefined ? sets : [`edit ${quoted(entry)}`, ...sets.map((line) => `    ${line}`), 'next'];
  return [`config ${path}`, ...inside.map((line) => `    ${line}`), 'end', ''].join('\n');
}

function quoted(text: string): string {
  return `"${text.trim()}"`;
}
