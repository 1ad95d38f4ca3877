/** All tables that are known, in the order in which `show` prints them; those of `postern` are ours. */
import { accessProxy, address, address6, addrgrp, addrgrp6, policy, service, serviceGroup, vip } from './schemaFirewall.ts';
import { phase1 } from './schemaPhase1.ts';
import { phase2 } from './schemaPhase2.ts';
import { posternEms, posternPosture, posternProfile, posternSettings } from './schemaPostern.ts';
import { systemDns, systemGlobal, systemInterface, systemSettings } from './schemaSystem.ts';
import { certificateCa, certificateLocal, fctems, userGroup, userLocal, userPeer, userPeerGroup } from './schemaUser.ts';
import type { Table } from './table.ts';

export const tables: readonly Table[] = [
  ...[systemGlobal, systemSettings, systemInterface, systemDns, posternSettings, certificateCa, certificateLocal],
  ...[userLocal, userPeer, userPeerGroup, userGroup, address, address6, addrgrp, addrgrp6, service, serviceGroup],
  ...[phase1, phase2, vip, accessProxy, policy, fctems, posternPosture, posternEms, posternProfile],
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
