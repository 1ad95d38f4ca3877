/** All tables that are known, in the order in which `show` prints them, and `postern settings`, which is ours. */
import { accessProxy, address, address6, addrgrp, addrgrp6, policy, service, serviceGroup, vip } from './schemaFirewall.ts';
import { phase1 } from './schemaPhase1.ts';
import { phase2 } from './schemaPhase2.ts';
import { systemDns, systemGlobal, systemInterface, systemSettings } from './schemaSystem.ts';
import { certificateCa, certificateLocal, fctems, userGroup, userLocal, userPeer, userPeerGroup } from './schemaUser.ts';
import { integer, options, served, toggle } from './setting.ts';
import { type Table, table } from './table.ts';

export const posternSettings = table({
  path: 'postern settings',
  help: 'what FortiOS has no words for',
  key: 'none',
  words: {
    'natt-port': served(integer(1, 65535, 0, [0]), 'UDP port of NAT traversal; 0: the ike-natt-port of system settings'),
    'half-open-cookie-threshold': served(
      integer(0, 1000000, 30),
      'half-open IKE SAs from which on a new client must return a cookie; 0 is always',
    ),
    'half-open-per-address': served(integer(1, 1000000, 64), 'half-open IKE SAs that one address may have'),
    'half-open-max': served(integer(1, 1000000, 10000), 'half-open IKE SAs in all'),
    'sa-max': served(integer(1, 10000000, 100000), 'IKE SAs in all'),
    'quiet-auth-failures': served(toggle('disable'), 'do not answer an IKE_AUTH that is refused, as FortiOS does'),
    'eap-gtc-with-psk': served(
      toggle('disable'),
      'let EAP-GTC send passwords to a gateway that proves itself by a pre-shared key',
    ),
    'eap-methods': served(options(['mschapv2', 'gtc'], ['mschapv2', 'gtc']), 'EAP methods, the preferred first'),
    'lease-linger': served(
      integer(0, 2592000, 86400),
      'seconds for which an address is kept for the identity that had it, while others are free',
    ),
  },
});

export const tables: readonly Table[] = [
  ...[systemGlobal, systemSettings, systemInterface, systemDns, posternSettings, certificateCa, certificateLocal],
  ...[userLocal, userPeer, userPeerGroup, userGroup, address, address6, addrgrp, addrgrp6, service, serviceGroup],
  ...[phase1, phase2, vip, accessProxy, policy, fctems],
];

export const tableAt: ReadonlyMap<string, Table> = new Map(tables.map((one) => [one.path, one]));

/** Every word that holds a secret, in any table: what stands after it must not be shown. */
export const secretWords: ReadonlySet<string> = new Set(
  tables.flatMap(({ words }) => Object.entries(words).flatMap(([word, { secret }]) => (secret ? [word] : []))),
);

/** Every word that is read and holds no secret. */
export const openWords: ReadonlySet<string> = new Set(
  tables.flatMap(({ words }) => Object.keys(words).filter((word) => !secretWords.has(word))),
);
