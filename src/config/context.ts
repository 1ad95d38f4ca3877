/** What every builder needs: the objects, where to tell, and what has been built before it. */
import type { Certificates } from './buildCertificates.ts';
import type { Findings } from './findings.ts';
import type { Store } from './interpret.ts';
import type { EapMethod, Users } from './model.ts';
import type { phase1 } from './schemaPhase1.ts';
import type { Entry } from './table.ts';

export type Context = {
  readonly store: Store;
  readonly findings: Findings;
  readonly certificates: Certificates;
  readonly users: Users;
  /** User groups of the firewall policies in force, by source interface. */
  readonly policyGroups: ReadonlyMap<string, ReadonlySet<string>>;
  readonly eap: { readonly methods: readonly EapMethod[]; readonly gtcWithPsk: boolean };
};

export type Phase1Entry = Entry<(typeof phase1)['words']>;
