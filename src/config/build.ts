/** Objects → Config: references resolved, defaults filled in, and everything told that does not fit together. */
import { checkAddresses } from './buildAddress.ts';
import { buildCertificates } from './buildCertificates.ts';
import { buildFctems } from './buildFctems.ts';
import { buildPolicies, checkFirewall, policyGroups } from './buildFirewall.ts';
import { type Built, checkOverlaps } from './buildModeCfg.ts';
import { phase2sByPhase1 } from './buildPhase2.ts';
import { buildPosture, checkPosture } from './buildPosture.ts';
import { buildProfile, leftOut } from './buildProfile.ts';
import { buildRules } from './buildRules.ts';
import { buildUsers } from './buildUsers.ts';
import type { Context } from './context.ts';
import type { Findings } from './findings.ts';
import { entriesOf, type Store, singleOf } from './interpret.ts';
import type { Config, Settings } from './model.ts';
import { phase1 } from './schemaPhase1.ts';
import { posternSettings } from './schemaPostern.ts';
import { systemGlobal, systemSettings } from './schemaSystem.ts';
import { tellStatuses } from './statuses.ts';
import { type Entry, get } from './table.ts';

/** What clients are told in APPLICATION_VERSION. */
export const VERSION = 'Postern v0.1.0';

export function buildConfig(store: Store, findings: Findings): Config {
  const settings = settingsOf(store);
  const policies = buildPolicies(store);
  const certificates = buildCertificates(store, findings);
  const servers = buildFctems({ store, certificates, findings });
  const context: Context = {
    store,
    findings,
    certificates,
    users: buildUsers(store, findings),
    policyGroups: policyGroups(policies),
    eap: { methods: settings.eapMethods, gtcWithPsk: settings.eapGtcWithPsk },
  };
  checkAddresses(store, findings);
  const { built, out } = buildProfiles(context);
  checkOverlaps(built, context);
  checkFirewall(store, findings);
  checkPosture(
    built.map(({ profile }) => profile),
    servers,
    store,
    findings,
  );
  tellStatuses(store, findings, out);
  return {
    profiles: built.map(({ profile }) => profile),
    users: context.users,
    system: systemOf(store),
    settings,
    policies,
    rules: buildRules(store, findings),
    fctems: servers,
    posture: buildPosture(store, findings),
  };
}

function buildProfiles(context: Context): { readonly built: readonly Built[]; readonly out: ReadonlySet<Entry> } {
  const entries = entriesOf(context.store, phase1);
  const phase2s = phase2sByPhase1(context.store, context.findings, new Set(entries.map(({ key }) => key.text)));
  const out = new Set<Entry>();
  const built: Built[] = [];
  for (const entry of entries) {
    const children = phase2s.get(entry.key.text) ?? [];
    if (leftOut(entry, context)) {
      for (const one of [entry, ...children]) out.add(one);
      continue;
    }
    const profile = buildProfile(entry, children, context);
    if (profile !== undefined) built.push({ profile, entry });
  }
  return { built, out };
}

function settingsOf(store: Store): Settings {
  const entry = singleOf(store, posternSettings);
  return {
    halfOpenCookie: get(entry, 'half-open-cookie-threshold'),
    halfOpenPerAddress: get(entry, 'half-open-per-address'),
    halfOpenMax: get(entry, 'half-open-max'),
    saMax: get(entry, 'sa-max'),
    quietAuthFailures: get(entry, 'quiet-auth-failures'),
    eapGtcWithPsk: get(entry, 'eap-gtc-with-psk'),
    eapMethods: get(entry, 'eap-methods'),
    replayWindow: get(entry, 'replay-window'),
    leaseLinger: get(entry, 'lease-linger'),
  };
}

function systemOf(store: Store): Config['system'] {
  const settings = singleOf(store, systemSettings);
  const own = singleOf(store, posternSettings);
  return {
    hostname: get(singleOf(store, systemGlobal), 'hostname'),
    version: VERSION,
    ikePort: get(settings, 'ike-port'),
    nattPort: get(own, 'natt-port') || get(settings, 'ike-natt-port'),
  };
}
