/**
 * IKE_AUTH from the initiator's end (RFC 7296 §1.2, §2.15, §2.16, §2.19, §2.21.2).
 *
 *   HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, [CP,] SAi2, TSi, TSr}  -->
 *                                        <--  HDR, SK {IDr, [CERT,] AUTH, [CP,] SAr2, TSi, TSr}
 *   with EAP: the request without AUTH   -->
 *                                        <--  HDR, SK {IDr, [CERT,] AUTH, EAP}
 *   HDR, SK {EAP}                        -->
 *                                        <--  HDR, SK {EAP} | {EAP (Success)}
 *   HDR, SK {AUTH}                       -->
 *                                        <--  HDR, SK {AUTH, [CP,] SAr2, TSi, TSr}
 *
 * The gateway proves itself first: nobody who has not gets a user name or an answer to a challenge.
 */
import { chooseSignature, constantTimeEqual, makeSignature } from '../../crypto/index.ts';
import { AuthMethod, CertEncoding, CfgType, concat, Exchange, type Notify, notify, type Payload } from '../wire/index.ts';
import { errorIn, install, judgeChildAnswer, saPayload, transportWish } from './child.ts';
import {
  type Core,
  type EapEnd,
  type Ending,
  end,
  formFault,
  type IkeSa,
  type Intro,
  notifyName,
  refusedBy,
  request,
  violation,
  whenFree,
} from './core.ts';
import { deleteChildren } from './create.ts';
import { answerEap, beginEap, type EapPeer } from './eap.ts';
import { tokenNotify, withNul } from './fortinet.ts';
import { judgeGateway } from './gateway.ts';
import { authOctets, sharedKeyAuth } from './keys.ts';
import { notifyOf, one } from './octets.ts';

/** Sends the first IKE_AUTH request. */
export function beginAuth(core: Core, sa: IkeSa, intro: Intro): void {
  const { o } = core;
  const { id } = o.auth;
  const own = o.auth.kind === 'eap' ? undefined : ownAuth(core, sa, intro);
  if (own !== undefined && 'why' in own) return end(core, 'failed', own.why);
  const chain = o.auth.kind === 'certificate' ? o.auth.chain : [];
  const payloads: readonly Payload[] = [
    { kind: 'IDi', ...id },
    ...chain.map(({ der }): Payload => ({ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data: der })),
    ...(o.initialContact ? [notify('INITIAL_CONTACT')] : []),
    ...told(core, 'first'),
    ...certificateRequest(core),
    ...(o.gatewayId === undefined ? [] : [{ kind: 'IDr', ...o.gatewayId } as const]),
    ...(own === undefined ? [] : [own]),
    ...(o.cpRequest.length === 0 ? [] : [{ kind: 'CP', cfgType: CfgType.CFG_REQUEST, attributes: o.cpRequest } as const]),
    ...childPayloads(core, intro),
  ];
  core.stage = { at: 'auth', intro, eap: undefined };
  request(core, sa, Exchange.IKE_AUTH, payloads, { kind: 'auth', step: 'first' });
}

function childPayloads(core: Core, { offer }: Intro): readonly Payload[] {
  if (offer === undefined) return [];
  const { TSi, TSr } = offer;
  return [...transportWish(core), saPayload(offer.proposals), { kind: 'TSi', selectors: TSi }, { kind: 'TSr', selectors: TSr }];
}

/** What a FortiClient tells of itself in the first request, or in the last; with a shared key or a certificate they are one. */
function told({ o }: Core, request: 'first' | 'last'): readonly Payload[] {
  const only = o.auth.kind !== 'eap';
  const claims = o.claims !== undefined && (only || o.claimsIn === request);
  const token =
    o.ztna !== undefined && o.ztna.when !== 'after' && (only || (o.ztna.when === 'first-auth') === (request === 'first'));
  return [
    ...(claims && o.claims !== undefined ? [notify('FORTICLIENT_CONNECT', withNul(o.claims))] : []),
    ...(token && o.ztna !== undefined ? [tokenNotify(o.ztna.number, o.ztna.token, o.ztna.nul)] : []),
  ];
}

function certificateRequest({ o }: Core): readonly Payload[] {
  const authorities = o.gateway.kind === 'certificate' ? (o.gateway.authorities ?? []) : [];
  if (authorities.length === 0) return [];
  const data = concat(...authorities.map((a) => a.keyHash));
  return [{ kind: 'CERTREQ', encoding: CertEncoding.X509_SIGNATURE, data }];
}

/** Our AUTH: by pre-shared key or signature at once, after EAP by its key, or by SK_pi when it made none (§2.16). */
function ownAuth(
  core: Core,
  sa: IkeSa,
  intro: Intro,
  eap?: EapEnd,
): Extract<Payload, { kind: 'AUTH' }> | { readonly why: string } {
  const { auth, signatureHashes, rsaFormat } = core.o;
  const octets = authOctets(sa.prf, intro.message1, intro.Nr, sa.keys.SK_pi, auth.id);
  const byKey = (secret: Uint8Array) => ({ kind: 'AUTH', method: 2, data: sharedKeyAuth(sa.prf, secret, octets) }) as const;
  if (auth.kind === 'psk') return byKey(auth.psk.expose());
  if (auth.kind === 'eap') return byKey(eap?.msk?.expose() ?? sa.keys.SK_pi);
  const hashes = signatureHashes.length === 0 ? DEFAULT_HASHES : signatureHashes;
  const choice = chooseSignature(auth.key, intro.hashes, { hashes, rsaFormat });
  if ('why' in choice) return choice;
  return { kind: 'AUTH', method: choice.method, data: makeSignature(choice, auth.key, octets) };
}
const DEFAULT_HASHES = [2, 3, 4] as const;

/** An IKE_AUTH response. */
export function authAnswer(core: Core, sa: IkeSa, step: 'first' | 'eap' | 'final', payloads: readonly Payload[]): void {
  const { stage } = core;
  const fault = formFault(payloads);
  if (fault !== undefined) return failAndTell(core, sa, `IKE_AUTH response: ${fault.why}`);
  const fatal = fatalIn(payloads);
  if (fatal !== undefined) return end(core, 'failed', `the gateway says ${notifyName(fatal)}`, refusedBy(fatal));
  if (stage.at === 'eap' && step === 'eap') return eapRound(core, sa, stage.intro, stage.peer, payloads);
  if (stage.at !== 'auth') return;
  if (step === 'final') return finalAnswer(core, sa, stage.intro, stage.eap, payloads);
  const why = judgeGateway(core, sa, stage.intro, payloads);
  if (why !== undefined) return failAndTell(core, sa, why);
  if (core.o.auth.kind === 'eap') return eapRound(core, sa, stage.intro, beginEap, payloads);
  if (one(payloads, 'EAP') !== undefined) violation(core, 'EAP for a client that has sent AUTH');
  establish(core, sa, stage.intro, payloads);
}

/** What ends the IKE SA without a Delete (§2.21.2); an error without AUTH beside it can only mean the whole (§3.10.1). */
function fatalIn(payloads: readonly Payload[]): Notify | undefined {
  const fatal =
    notifyOf(payloads, 'AUTHENTICATION_FAILED') ??
    notifyOf(payloads, 'INVALID_SYNTAX') ??
    notifyOf(payloads, 'UNSUPPORTED_CRITICAL_PAYLOAD');
  return fatal ?? (one(payloads, 'AUTH') === undefined ? errorIn(payloads) : undefined);
}

function eapRound(core: Core, sa: IkeSa, intro: Intro, peer: EapPeer, payloads: readonly Payload[]): void {
  const { auth, random } = core.o;
  const EAP = one(payloads, 'EAP');
  if (auth.kind !== 'eap') return;
  if (EAP === undefined) return failAndTell(core, sa, 'IKE_AUTH response without EAP');
  if (one(payloads, 'SA') !== undefined) violation(core, 'SA before the end of EAP');
  const answer = answerEap(auth, peer, EAP.data, random);
  switch (answer.kind) {
    case 'answer':
      core.stage = { at: 'eap', intro, peer: answer.peer };
      return request(core, sa, Exchange.IKE_AUTH, [{ kind: 'EAP', data: answer.packet }], { kind: 'auth', step: 'eap' });
    case 'success': {
      core.stage = { at: 'auth', intro, eap: answer };
      const own = ownAuth(core, sa, intro, answer);
      if ('why' in own) return end(core, 'failed', own.why);
      return request(core, sa, Exchange.IKE_AUTH, [own, ...told(core, 'last')], { kind: 'auth', step: 'final' });
    }
    case 'failure':
      return end(core, 'failed', `EAP: ${answer.why}`, refusedBy());
    case 'broken':
      return failAndTell(core, sa, `EAP: ${answer.why}`);
  }
}

/** The gateway's second AUTH, by the key that EAP made, over the identity it showed first. */
function finalAnswer(core: Core, sa: IkeSa, intro: Intro, eap: EapEnd | undefined, payloads: readonly Payload[]): void {
  const [AUTH, IDr] = [one(payloads, 'AUTH'), one(payloads, 'IDr')];
  const id = core.gatewayId;
  if (AUTH === undefined || id === undefined) return failAndTell(core, sa, 'the last IKE_AUTH response is without AUTH');
  if (IDr !== undefined && !sameId(IDr, id)) return failAndTell(core, sa, 'the gateway changed its identity during EAP');
  const octets = authOctets(sa.prf, intro.message2, intro.Ni, sa.keys.SK_pr, id);
  const expected = sharedKeyAuth(sa.prf, eap?.msk?.expose() ?? sa.keys.SK_pr, octets);
  if (AUTH.method !== AuthMethod.SHARED_KEY || !constantTimeEqual(AUTH.data, expected))
    return failAndTell(core, sa, 'the AUTH of the gateway after EAP is wrong');
  eap?.msk?.wipe();
  establish(core, sa, intro, payloads);
}

type Id = { readonly idType: number; readonly data: Uint8Array };
const sameId = (a: Id, b: Id): boolean => a.idType === b.idType && constantTimeEqual(a.data, b.data);

/** Both are authenticated: the IKE SA stands, whatever becomes of address and child (§2.21.2). */
function establish(core: Core, sa: IkeSa, intro: Intro, payloads: readonly Payload[]): void {
  const error = errorIn(payloads);
  if (error !== undefined && !CHILD_ERRORS.has(notifyName(error)))
    return failAndTell(core, sa, `the gateway says ${notifyName(error)}`, refusedBy(error));
  core.stage = { at: 'established' };
  takeConfiguration(core, payloads);
  const { ztna } = core.o;
  if (ztna?.when === 'after')
    whenFree(core, () => {
      if (core.ike === undefined) return;
      const notify = tokenNotify(ztna.number, ztna.token, ztna.nul);
      request(core, core.ike, Exchange.INFORMATIONAL, [notify], { kind: 'token' });
    });
  if (intro.offer === undefined) {
    if (one(payloads, 'SA') !== undefined) violation(core, 'SA for a client that asked for no child');
    return;
  }
  if (error !== undefined) {
    if (one(payloads, 'SA') !== undefined) violation(core, `SA beside ${notifyName(error)}`);
    return;
  }
  const answer = judgeChildAnswer(core, intro.offer, payloads);
  if ('why' in answer) {
    violation(core, `first child: ${answer.why}`);
    // The gateway may have a child now that we do not: it has to go (§2.21).
    if (one(payloads, 'SA') !== undefined) deleteChildren(core, [intro.offer.spiIn]);
    return;
  }
  install(core, sa, intro.offer.spiIn, answer, { Ni: intro.Ni, Nr: intro.Nr, madeBy: 'us' });
}

/** Errors that leave the IKE SA as it is (§1.2, §2.21.2). */
const CHILD_ERRORS: ReadonlySet<string> = new Set([
  'NO_PROPOSAL_CHOSEN',
  'SINGLE_PAIR_REQUIRED',
  'NO_ADDITIONAL_SAS',
  'INTERNAL_ADDRESS_FAILURE',
  'FAILED_CP_REQUIRED',
  'TS_UNACCEPTABLE',
  'INVALID_SELECTORS',
  'TEMPORARY_FAILURE',
]);

/** §2.19, §3.15. */
function takeConfiguration(core: Core, payloads: readonly Payload[]): void {
  const CP = one(payloads, 'CP');
  if (CP === undefined) {
    const wanted = core.o.requestAddresses.length > 0 && one(payloads, 'SA') !== undefined;
    if (wanted) violation(core, 'a child without the address that was asked for');
    return;
  }
  if (core.o.cpRequest.length === 0) return violation(core, 'CP for a client that has not asked (§2.19)');
  if (CP.cfgType !== CfgType.CFG_REPLY) return violation(core, `CP of type ${CP.cfgType} instead of a CFG_REPLY`);
  const [at, sa] = [payloads.indexOf(CP), payloads.findIndex((p) => p.kind === 'SA')];
  if (sa >= 0 && at > sa) violation(core, 'CP behind SA (§2.19)');
  for (const { type, value } of CP.attributes) {
    const lengths = LENGTHS[type];
    if (lengths !== undefined && !lengths.includes(value.length))
      violation(core, `configuration attribute ${type} of ${value.length} octets (§3.15.1)`);
  }
  core.cfg = CP.attributes.map(({ type, value }) => ({ type, value: value.slice() }));
}

/** What values of a reply may measure. */
const LENGTHS: Readonly<Record<number, readonly number[]>> = {
  1: [4],
  2: [4],
  3: [4],
  4: [4],
  6: [4],
  8: [17],
  10: [16],
  12: [16],
  13: [8],
  15: [17],
};

/** We do not believe the gateway: it is told so in an exchange of its own (§2.21.2), and for us it is over. */
export function failAndTell(core: Core, sa: IkeSa, why: string, ending: Ending = { by: 'distrust' }): void {
  end(core, 'failed', why, ending);
  core.sas.set(sa.own, sa);
  request(core, sa, Exchange.INFORMATIONAL, [notify('AUTHENTICATION_FAILED')], { kind: 'farewell' });
}
