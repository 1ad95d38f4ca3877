/**
 * The gate's place in the protocol: after authentication, before address and child SA. Every profile passes it; one
 * without a tag rule is cleared by `not-required`. `establish` takes a Clearance or a Probation: skipping this file does
 * not compile.
 */
import type { Secret } from '../../crypto/index.ts';
import type { Config, Profile } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import {
  type DeviceClaim,
  type Evidence,
  formatPostureTag,
  type GateRule,
  judge,
  type PostureQuestion,
  type Rival,
  shortPostureTag,
  type Verdict,
} from '../posture/index.ts';
import { establish } from './establish.ts';
import { ask, type Env, refuse, type Step } from './exchange.ts';
import { sayToken } from './hear.ts';
import type { Authenticated, Basis, Device, Instant, Path, SaAt, Token } from './sa.ts';

type Asking = Omit<SaAt<'at-gate'>, 'at' | 'proof' | 'msk' | 'client' | 'token'>;

/** Nobody was asked, since nothing is wanted. */
export const NOTHING_ASKED: Evidence = {
  device: { by: 'nothing', why: 'nobody looked' },
  home: undefined,
  reports: [],
  token: { kind: 'none' },
};

/** Brings an authenticated peer before the gate: asks for evidence, or passes at once where no tag is wanted. */
export function toGate(asking: Asking, proof: Authenticated, msk: Secret | undefined, env: Env): Step {
  const claims = asking.told.claims?.given(proof);
  const token = asking.told.token?.given(proof);
  if (claims !== undefined) {
    // Acted on only now, as newer builds do: before authentication it is anybody's word.
    env.say('sa', phrases.processingNotify, 'FORTICLIENT_CONNECT');
    env.say('sa', phrases.connectData, claims.octets, claims.raw);
    env.say('sa', phrases.connectUid, claims.uid ?? '');
    env.say('sa', phrases.connectEms, claims.emsSn ?? '');
    env.say('sa', phrases.connectTenant, claims.emsId ?? '');
  }
  if (token !== undefined) sayToken(token, undefined, env);
  const client: Device | undefined =
    claims === undefined
      ? undefined
      : {
          uid: claims.uid?.toUpperCase(),
          emsSn: claims.emsSn,
          emsId: claims.emsId,
          ip: claims.ip,
          announcedBy: claims.tags ? env.unix + env.config.posture.probation : undefined,
        };
  const sa: SaAt<'at-gate'> = { at: 'at-gate', ...asking, proof, msk, client, token };
  const rule = ruleOf(sa.profile);
  if (rule === undefined) return afterGate(sa, NOTHING_ASKED, env);
  return ask(sa, { about: 'posture', profile: sa.profile.name, ...questionOf(sa, rule, env.path) });
}

/** The evidence is there: judge, then establish or refuse. */
export function afterGate(sa: SaAt<'at-gate'>, evidence: Evidence, env: Env): Step {
  const rule = ruleOf(sa.profile);
  const verdict = judge(rule, evidence, rivalOf(sa, Number.POSITIVE_INFINITY, env), env.unix);
  if (rule !== undefined) narrate(verdict, rule, env);
  if (verdict.kind === 'deny') return refuse('posture-denied', verdict.why);
  return establish(sa, verdict, env);
}

/** Who else claims the device of this peer, and did so first: two people do not share one. */
export function rivalOf({ client, proof }: Pick<Asked, 'client' | 'proof'>, before: Instant, env: Env): Rival | undefined {
  return client?.uid === undefined ? undefined : env.rival(client.uid, personOf(proof), before);
}

/** What is taken for the evidence when nobody has answered in time: every EMS is silent, and no token was verified. */
export function silenceAbout(sa: SaAt<'at-gate'>, path: Path, fctems: Config['fctems']): Evidence {
  const rule = ruleOf(sa.profile);
  if (rule === undefined) return NOTHING_ASKED;
  const { device, named, announcedBy } = questionOf(sa, rule, path);
  const own = fctems.find(({ serialNumber }) => serialNumber !== '' && serialNumber === named?.serial);
  const numbers = [...new Set(rule.tags.map(({ ems }) => ems))];
  const nameOf = (ems: number) => fctems.find(({ number }) => number === ems)?.name ?? '';
  return {
    device,
    home: own === undefined ? undefined : { ems: own.number },
    reports: numbers.map((ems) => {
      return { ems, name: nameOf(ems), kind: 'silent', why: 'nobody answered in time', last: undefined };
    }),
    token: announcedBy === undefined ? { kind: 'none' } : { kind: 'announced', by: announcedBy },
  };
}

/** What the profile demands, or undefined without a tag rule. */
export const ruleOf = ({ match }: Profile): GateRule | undefined => (match.kind === 'ztna' ? match.rule : undefined);

/** Who is behind an SA, when two claim one device. */
export const personOf = ({ user, idText }: Authenticated): string => user ?? idText;

type Asked = {
  readonly basis: Basis;
  readonly proof: Authenticated;
  readonly client: Device | undefined;
  readonly token: Token | undefined;
};

/** What must be found out about this peer. */
export function questionOf({ basis, proof, client, token }: Asked, rule: GateRule, path: Path): PostureQuestion {
  const serial = client?.emsSn;
  return {
    rule,
    device: deviceOf(basis, proof, client, path),
    named: serial === undefined ? undefined : { serial, tenant: client?.emsId },
    token: token?.octets,
    announcedBy: client?.announcedBy,
  };
}

const UID = /^[0-9A-F]{32}$/;

/** By the UID that it tells; without one by the address that is its identity; without that by where it comes from. */
function deviceOf({ natPeer, natMe }: Basis, proof: Authenticated, client: Device | undefined, { remote }: Path): DeviceClaim {
  if (client?.uid !== undefined) {
    if (!UID.test(client.uid)) return { by: 'nothing', why: 'its UID is not 32 hexadecimal digits' };
    return { by: 'uid', uid: client.uid, ip: client.ip, certificate: proof.certificate };
  }
  if (proof.idType === ID_IPV4_ADDR) return { by: 'id-address', address: proof.idText };
  if (!natPeer && !natMe) return { by: 'source-address', address: remote.address };
  return { by: 'nothing', why: 'no FORTICLIENT_CONNECT, no address as its identity, and a NAT between' };
}

const ID_IPV4_ADDR = 1;

/** FortiOS' lines of the verdict, and the event with the whole of it. */
function narrate(verdict: Verdict, rule: GateRule, env: Env): void {
  tellVerdict(verdict, env);
  const { rule: decided } = verdict.account;
  if (rule.emsSnCheck && decided !== 'ems-serial' && decided !== 'no-device') env.say('sa', phrases.emsSnPassed);
  switch (verdict.kind) {
    case 'clear':
      if (verdict.tag === undefined) return;
      env.say('sa', verdict.source === 'token' ? phrases.tokenTagsSuccess : phrases.emsTagsSuccess, shortPostureTag(verdict.tag));
      return;
    case 'probation':
      env.say('sa', phrases.postureWhy, 'EMS is silent, waiting for the token that the client announced');
      return;
    case 'deny':
      env.say('sa', phrases.postureWhy, verdict.why);
      env.say('sa', decided === 'ems-serial' ? phrases.emsSnFailed : phrases.emsTagsFailure);
      env.say('error', phrases.tagsCheckFailed);
      if (!env.config.settings.quietAuthFailures) env.say('sa', phrases.sendingTagsFailure);
  }
}

/** The audit record: who was asked, how old the answer was, what was wanted and held, which rule decided. */
export function tellVerdict(verdict: Verdict, env: Env): void {
  const { rule, why, device, asked, presented, wanted, held, unchecked } = verdict.account;
  env.tell({
    kind: 'posture',
    verdict: verdict.kind,
    source: verdict.kind === 'clear' ? verdict.source : 'none',
    rule,
    why,
    device,
    asked: asked
      .map(({ ems, name, said, age }) => `EMS ${ems} (${name}): ${said}${age === undefined ? '' : `, ${age} s old`}`)
      .join('; '),
    presented,
    wanted: wanted.join(', '),
    held: held.join(', '),
    ...(unchecked.length === 0 ? {} : { unchecked: unchecked.join(', ') }),
    ...(verdict.kind === 'clear' && verdict.tag !== undefined ? { tag: formatPostureTag(verdict.tag) } : {}),
    ...(verdict.kind === 'clear' && Number.isFinite(verdict.until) ? { until: verdict.until } : {}),
  });
}
