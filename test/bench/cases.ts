/**
 * What is measured: one gateway configuration, the client that fits it, and what OpenSSL must do at least for one of their
 * handshakes. Configurations are FortiOS text, as the daemon reads it.
 */
import {
  type Certificate,
  type Group,
  type Issued,
  issueCertificate,
  type KeyPair,
  type KeyType,
  loadPrivateKey,
  randomOctets,
  readPem,
} from '../../crypto/index.ts';
import { Secret } from '../../crypto/secret.ts';
import { identity, type LabOptions } from '../../src/lab/index.ts';
import { CfgAttribute, NO_OCTETS } from '../../src/wire/index.ts';
import type { Primitives } from './primitives.ts';

export type Case = {
  readonly name: string;
  /** The most that the gateway may cost, in units of the primitives alone; undefined: no limit was set. */
  readonly most: number | undefined;
  readonly config: string;
  readonly primitives: Primitives;
  /** Options of the client with this number; addresses and ports are the driver's. */
  client(n: number): Omit<LabOptions, 'local' | 'remote' | 'nattPorts'>;
};

type Suite = {
  readonly phase1: string;
  readonly phase2: string;
  /** Of the IANA registry. */
  readonly group: number;
  readonly dh: Primitives['dh'];
  readonly cipher: Primitives['cipher'];
  /** HMACs of SKEYSEED, of the seven SK_* and of a child's KEYMAT, as many as their octets need. */
  readonly hmacs: number;
};

const gcm = {
  phase1: 'aes256gcm-prfsha256',
  phase2: 'aes256gcm',
  cipher: 'aes-256-gcm',
  hmacs: 1 + 6 + 3,
} as const;
const suites = {
  'AES-256-GCM, X25519': { ...gcm, group: 31, dh: 'x25519' },
  'AES-256-GCM, P-256': { ...gcm, group: 19, dh: 'prime256v1' },
  'AES-256-GCM, P-384': { ...gcm, group: 20, dh: 'secp384r1' },
  'AES-256-GCM, P-521': { ...gcm, group: 21, dh: 'secp521r1' },
  'AES-256-CBC, SHA-256, MODP-2048': {
    phase1: 'aes256-sha256',
    phase2: 'aes256-sha256',
    group: 14,
    dh: 'modp14',
    cipher: 'aes-256-cbc',
    hmacs: 1 + 7 + 4,
  },
  'ChaCha20-Poly1305, X25519': {
    ...gcm,
    phase1: 'chacha20poly1305-prfsha256',
    phase2: 'chacha20poly1305',
    group: 31,
    dh: 'x25519',
    cipher: 'chacha20-poly1305',
  },
} satisfies Record<string, Suite>;
type SuiteName = keyof typeof suites;

/** Who proves what, and how: lines of the phase1-interface, tables before it, the client's side, and the work it makes. */
type Shape = {
  readonly tables?: string;
  readonly lines: string;
  client(n: number): Pick<LabOptions, 'auth' | 'gateway'>;
  readonly primitives: Pick<Primitives, 'exchanges' | 'signature' | 'mschapv2'> & { readonly hmacs: number };
};

const GATEWAY = identity('vpn.bench.test');
/** Clients with certificates that come back again and again: a gateway remembers what it has validated. */
const CLIENTS = 256;
const psk = 'kiesel-und-moos-am-bach';
const password = 'wunder-land-7';
const utf8 = (text: string) => Secret.utf8(text);

/** AUTH of one end with a shared key: prf(secret, pad), prf(SK_p, ID), prf(that, octets). */
const AUTH = 3;

function shapes() {
  return {
    PSK: {
      lines: `set peertype any\nset psksecret ${psk}`,
      client: (n) => ({
        auth: { kind: 'psk', psk: utf8(psk), id: identity(`client-${n}.bench.test`) },
        gateway: { kind: 'psk', psk: utf8(psk) },
      }),
      primitives: { exchanges: 1, signature: undefined, mschapv2: false, hmacs: 2 * AUTH },
    },
    'EAP-MSCHAPv2, PSK gateway': {
      tables: [
        `config user local\nedit "alice"\nset type password\nset passwd ${password}\nnext\nend`,
        'config user group\nedit "people"\nset member "alice"\nnext\nend',
      ].join('\n'),
      lines: `set peertype any\nset psksecret ${psk}\nset eap enable\nset eap-identity send-request\nset authusrgrp "people"`,
      client: (n) => ({
        auth: {
          kind: 'eap',
          user: 'alice',
          password: utf8(password),
          methods: ['mschapv2'],
          id: identity(`client-${n}.bench.test`),
        },
        gateway: { kind: 'psk', psk: utf8(psk) },
      }),
      primitives: { exchanges: 5, signature: undefined, mschapv2: true, hmacs: 3 * AUTH },
    },
    'RSA-2048 both sides': certificates('rsa2048', CLIENTS),
    'RSA-2048 both sides, first visit': certificates('rsa2048', Number.POSITIVE_INFINITY),
    'ECDSA P-256 both sides': certificates('p256', CLIENTS),
  } satisfies Record<string, Shape>;
}

/** One root; the gateway and so many clients below it. The clients share one key: their certificates differ. */
function certificates(kind: KeyType, clients: number): Shape {
  const now = Math.floor(Date.now() / 1000);
  const dates = { notBefore: now - 86_400, notAfter: now + 30 * 86_400 };
  const root = issueCertificate({ ...dates, subject: [['CN', 'Bench root']], key: kind, ca: {} });
  const issue = (name: string, key: KeyType | { readonly pem: string }, eku: string): Issued =>
    issueCertificate({ ...dates, subject: [['CN', name]], issuer: root, key, dns: [name], eku: [eku] });
  const gateway = issue('vpn.bench.test', kind, 'serverAuth');
  const pem = issue('client.bench.test', kind, 'clientAuth').key;
  const key = loadPrivateKey(pem);
  const chains = new Map<number, readonly Certificate[]>();
  const chain = (n: number) => {
    const made = chains.get(n) ?? readPem(issue(`client-${n}.bench.test`, { pem }, 'clientAuth').certificate);
    if (clients < Number.POSITIVE_INFINITY) chains.set(n, made);
    return made;
  };
  const accepts = readPem(gateway.certificate);
  return {
    tables: [
      `config vpn certificate ca\nedit "root"\nset ca "${root.certificate.trim()}"\nnext\nend`,
      'config vpn certificate local\nedit "gateway"',
      `set private-key "${gateway.key.trim()}"\nset certificate "${gateway.certificate.trim()}"\nnext\nend`,
      'config user peer\nedit "clients"\nset ca "root"\nnext\nend',
    ].join('\n'),
    lines: 'set authmethod signature\nset certificate "gateway"\nset peertype peer\nset peer "clients"',
    client: (n) => ({
      auth: { kind: 'certificate', chain: chain(n % clients), key, id: identity(`client-${n % clients}.bench.test`) },
      gateway: { kind: 'certificate', accepts },
    }),
    primitives: { exchanges: 1, signature: kind === 'p256' ? 'p256' : 'rsa2048', mschapv2: false, hmacs: 2 },
  };
}

/** All cases in the order of the report. `most` are the limits of the project. */
export function cases(): readonly Case[] {
  const all = shapes();
  const make = (suite: SuiteName, shape: keyof typeof all, most?: number): Case =>
    build(`${shape}; ${suite}`, suites[suite], all[shape], most);
  return [
    make('AES-256-GCM, X25519', 'PSK', 4),
    make('AES-256-GCM, P-384', 'PSK', 1.5),
    make('AES-256-GCM, X25519', 'RSA-2048 both sides', 2.3),
    make('AES-256-GCM, X25519', 'EAP-MSCHAPv2, PSK gateway', 4.5),
    make('AES-256-GCM, X25519', 'RSA-2048 both sides, first visit'),
    make('AES-256-GCM, P-256', 'ECDSA P-256 both sides'),
    make('ChaCha20-Poly1305, X25519', 'PSK'),
    make('AES-256-CBC, SHA-256, MODP-2048', 'PSK'),
    make('AES-256-GCM, P-521', 'PSK'),
  ];
}

function build(name: string, suite: Suite, shape: Shape, most: number | undefined): Case {
  const { exchanges, signature, mschapv2, hmacs } = shape.primitives;
  const pair = reused();
  return {
    name,
    most,
    config: configText(suite, shape),
    primitives: { dh: suite.dh, cipher: suite.cipher, hmacs: suite.hmacs + hmacs, exchanges, signature, mschapv2 },
    client: (n) => ({
      ...shape.client(n),
      gatewayId: GATEWAY,
      ikeProposals: [suite.phase1],
      groups: [suite.group],
      espProposals: [suite.phase2],
      cpAttributes: [{ type: CfgAttribute.INTERNAL_IP4_DNS, value: NO_OCTETS }],
      random: randomOctets,
      keyPair: pair,
    }),
  };
}

/** The client's public value is made once: its CPU time is nobody's question, and half of it is saved. */
function reused(): (group: Group) => KeyPair {
  const pairs = new Map<number, KeyPair>();
  return (group) => {
    const pair = pairs.get(group.id) ?? group.generate();
    pairs.set(group.id, pair);
    return pair;
  };
}

/** All clients come from one address, hence the limits; they vanish without a word, hence no dead peer detection. */
function configText(suite: Suite, shape: Shape): string {
  return `
config postern settings
    set half-open-cookie-threshold 1000000
    set half-open-per-address 1000000
    set half-open-max 1000000
    set sa-max 1000000
end
config system interface
    edit "wan"
    next
end
${shape.tables ?? ''}
config vpn ipsec phase1-interface
    edit "bench"
        set type dynamic
        set interface "wan"
        set ike-version 2
        set net-device disable
        set mode-cfg enable
        set ipv4-start-ip 10.64.0.1
        set ipv4-end-ip 10.65.255.254
        set ipv4-netmask 255.255.255.255
        set dns-mode manual
        set ipv4-dns-server1 10.50.0.53
        set dpd disable
        set localid "vpn.bench.test"
        set proposal ${suite.phase1}
        set dhgrp ${suite.group}
        ${shape.lines}
    next
end
config vpn ipsec phase2-interface
    edit "bench"
        set phase1name "bench"
        set proposal ${suite.phase2}
        set pfs disable
    next
end
`;
}
