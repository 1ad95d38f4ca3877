/**
 * IKE_SA_INIT (RFC 7296 §1.2, §2.6, §2.23): the one exchange without an SA before it.
 *   HDR, SAi1, KEi, Ni, [N(NAT_DETECTION_*)], [N(FRAGMENTATION_SUPPORTED)] …  -->
 *                                   <--  HDR, SAr1, KEr, Nr, [N(NAT_DETECTION_*)], [CERTREQ] …
 * Order of work: cheap refusals, then the cookie, then the proposal, and only then a Diffie-Hellman.
 */
import { type Group, group as groupOf, type KeyPair } from '../../../crypto/index.ts';
import type { Config, Profile } from '../../config/index.ts';
import type { Reason } from '../../log/events.ts';
import * as phrases from '../../log/phrases/index.ts';
import {
  addressOctets,
  decodePayloads,
  Encr,
  Exchange,
  encodeMessage,
  equal,
  type Header,
  hex,
  type IkeSpi,
  Malformed,
  NO_SPI,
  type Notify,
  notify,
  type Payload,
  type Proposal,
  VENDOR,
  vendorName,
} from '../../wire/index.ts';
import { anchorsOf, HASHES } from '../auth.ts';
import type { AdmissionControl, Cookies } from '../cookie.ts';
import { flawOf, type Where } from '../exchange.ts';
import { initialKeys, type KeyRing } from '../keys.ts';
import { explain, isWindows } from '../mismatch.ts';
import { sayChosen, sayOffer, sayOurs } from '../narrate.ts';
import { detectNat, natNotifies } from '../nat.ts';
import { chooseIke, type IkeChoice } from '../negotiate.ts';
import { profilesAt } from '../profiles.ts';
import type { Instant, Path, SaAt, Suite } from '../sa.ts';
import type { Slab } from '../slab.ts';

export type InitEnv = {
  readonly now: Instant;
  readonly config: Config;
  readonly debug: boolean;
  /** Every peer is to send its ESP in UDP. */
  readonly encapsulates: boolean;
  readonly admission: AdmissionControl;
  readonly cookies: Cookies;
  readonly slab: Slab;
  say<A extends readonly unknown[]>(where: Where | 'daemon', phrase: (...args: A) => phrases.Phrase, ...args: A): void;
  /** What the lines of this negotiation are called from here on. */
  rename(name: string): void;
  country(address: string): string | undefined;
  random(n: number): Uint8Array;
  keyPair(group: Group): KeyPair;
  ikeSpi(): IkeSpi;
  suite(choice: IkeChoice): Suite;
};

export type InitOutcome =
  | { readonly kind: 'drop'; readonly why: string }
  /** A stateless answer; `reason` is set when it is a refusal, not a question. */
  | { readonly kind: 'answer'; readonly tag: string; readonly octets: Uint8Array; readonly reason?: Reason; readonly why: string }
  | { readonly kind: 'open'; readonly sa: SaAt<'half-open'>; readonly response: Uint8Array };

export type InitRequest = {
  readonly header: Header;
  readonly octets: Uint8Array;
  readonly payloads: readonly Payload[];
  readonly path: Path;
  readonly id: number;
};

const NONCE_OCTETS = 32;

/**
 * Answers one IKE_SA_INIT request.
 *
 * @param id the number that the SA will have in the debug lines
 * @param payloads the decoded payloads of `octets`
 * @returns a half-open SA with its response, a stateless answer, or a drop
 */
export function saInit(request: InitRequest, env: InitEnv): InitOutcome {
  const { header, payloads, path, id } = request;
  env.say('sa', phrases.respondedInit);
  const sa = payloads.find((p) => p.kind === 'SA');
  const ke = payloads.find((p) => p.kind === 'KE');
  const nonce = payloads.find((p) => p.kind === 'NONCE');
  if (sa === undefined || ke === undefined || nonce === undefined)
    return { kind: 'drop', why: 'IKE_SA_INIT without SA, KE or Nonce' };
  const { length } = nonce.data;
  if (length < 16 || length > 256) return { kind: 'drop', why: `nonce of ${length} octets` }; // §2.10
  const answer = (n: Notify, why: string, reason?: Reason) => stateless(header, n, why, reason);
  const flaw = flawOf(payloads);
  if (flaw?.reason === 'unsupported-critical')
    return answer(notify('UNSUPPORTED_CRITICAL_PAYLOAD', flaw.data ?? 0), flaw.why, flaw.reason);
  if (flaw !== undefined) return { kind: 'drop', why: flaw.why };

  const notifies = payloads.filter((p) => p.kind === 'N');
  const admitted = admit(header, nonce.data, notifies, path, env);
  if (admitted !== undefined) return admitted.kind === 'drop' ? admitted : answer(admitted.notify, admitted.why);

  const vendorIds = payloads.filter((p) => p.kind === 'V').map((p) => p.data);
  sayGreeting(vendorIds, notifies, env);
  const networkId = data(notifies, 'VPN_NETWORK_ID');
  const { fit, why } = profilesAt(env.config.profiles, path, typeof networkId === 'number' ? networkId : undefined, (address) =>
    env.country(address),
  );
  const refused = (text: string, reason: Reason): InitOutcome => {
    env.say('sa', phrases.noProposalResponse);
    env.say('error', phrases.negotiateError, text);
    return answer(notify('NO_PROPOSAL_CHOSEN'), text, reason);
  };
  if (fit.length === 0) {
    env.say('sa', phrases.noGateway, `${path.local.address}:${path.local.port}`, why);
    return refused(why, 'no-gateway');
  }

  sayOffer(env, 'sa', sa.proposals, 'IKE');
  const choice = choose(sa.proposals, ke.group, fit);
  if (choice === undefined) {
    for (const profile of fit) sayOurs(env, 'sa', profile);
    const text = explain(sa.proposals, fit, vendorIds);
    for (const line of text) env.say('sa', phrases.mismatch, line);
    return refused(text.join('; '), 'no-proposal');
  }
  if (choice.kind === 'invalid-ke') {
    env.say('sa', phrases.invalidKe, ke.group, choice.group);
    const text = `KE for group ${ke.group}, group ${choice.group} wanted`;
    return answer(notify('INVALID_KE_PAYLOAD', choice.group), text); // §1.2
  }
  const [first] = choice.candidates;
  sayChosen(env, choice.proposal, first);
  env.rename(first.name);
  env.say({ bare: `${first.name}:${first.name}` }, phrases.createdConnection, id, {
    from: path.local.address,
    to: `${path.remote.address}:${path.remote.port}`,
  });

  return halfOpen(request, { Ni: nonce.data, ke: ke.data, notifies, vendorIds }, choice, env);
}

/** An answer without state, one notify in the clear. */
function stateless(header: Header, n: Notify, why: string, reason: Reason | undefined): InitOutcome {
  const octets = encodeMessage(envelope(header, NO_SPI), [n]);
  return { kind: 'answer', tag: n.name, octets, why, ...(reason === undefined ? {} : { reason }) };
}

type Opened = {
  readonly Ni: Uint8Array;
  readonly ke: Uint8Array;
  readonly notifies: readonly Notify[];
  readonly vendorIds: readonly Uint8Array[];
};

/** The proposal is chosen: Diffie-Hellman, NAT, keys, and the response. */
function halfOpen(
  { header, octets, path, id }: InitRequest,
  { Ni, ke, notifies, vendorIds }: Opened,
  choice: Chosen,
  env: InitEnv,
): InitOutcome {
  const group = groupOf(choice.group);
  // A fault of ours if it happens: what negotiate chooses, the backend has.
  if (group === undefined) throw new RangeError(`group ${choice.group} was chosen and is not there`);
  const pair = env.keyPair(group);
  const shared = pair.agree(ke);
  if (shared === undefined) {
    const text = `public value of group ${group.name} is refused (length, range, curve or low order)`; // RFC 6989
    return stateless(header, notify('INVALID_SYNTAX'), text, 'syntax');
  }
  const SPIr = env.ikeSpi();
  const Nr = env.random(NONCE_OCTETS);
  const suite = env.suite(choice);
  // Which profile it will be is known at IKE_AUTH: until then nothing is shut that one of them wants open.
  const modes = choice.candidates.map((p) => p.nattraversal);
  const natMode = modes.find((mode) => mode !== 'disable') ?? 'disable';
  const natFound = natMode === 'disable' || modes.every((mode) => mode === 'forced') ? natMode : 'enable';
  const spis = { SPIi: header.SPIi, SPIr: NO_SPI };
  const nat = detectNat(notifies, spis, path, natFound);
  sayNat(nat, env);
  if (vendorIds.some((v) => equal(v, VENDOR.eapExtension))) env.say('sa', phrases.eapExtension);
  sayKeyExchange(path, natMode, env);
  const fragmentation =
    choice.candidates.some((p) => p.fragmentation) && notifies.some((n) => n.name === 'IKEV2_FRAGMENTATION_SUPPORTED');
  const hashes = data(notifies, 'SIGNATURE_HASH_ALGORITHMS');
  const response = encodeMessage(envelope(header, SPIr), [
    { kind: 'SA', proposals: [choice.proposal] },
    { kind: 'KE', group: choice.group, data: pair.publicValue },
    { kind: 'NONCE', data: Nr },
    ...(nat.supported
      ? natNotifies({ SPIi: header.SPIi, SPIr }, path, natMode === 'enable' && env.encapsulates ? 'forced' : natMode)
      : []),
    ...certificateRequest(choice.candidates),
    ...(fragmentation ? [notify('IKEV2_FRAGMENTATION_SUPPORTED')] : []),
    ...(hashes !== undefined ? [notify('SIGNATURE_HASH_ALGORITHMS', HASHES)] : []),
    ...(choice.candidates.some((p) => p.childless) ? [notify('CHILDLESS_IKEV2_SUPPORTED')] : []), // RFC 6023 §3
  ]);
  const keys: KeyRing = initialKeys(suite, shared, { SPIi: header.SPIi, SPIr, Ni, Nr }, env.slab);
  env.say('sa', phrases.skeyseedDone, header.SPIi, SPIr, suite.text);
  return {
    kind: 'open',
    response,
    sa: {
      at: 'half-open',
      candidates: choice.candidates,
      basis: {
        SPIi: header.SPIi,
        SPIr,
        initiator: false,
        id,
        suite,
        keys,
        fragmentation,
        natMe: nat.me,
        natPeer: nat.peer,
        windows: isWindows(vendorIds),
        born: env.now,
      },
      opening: {
        Ni: Ni.slice(),
        Nr,
        request: octets.slice(),
        response,
        hashes: Array.isArray(hashes) ? hashes : undefined,
      },
    },
  };
}

/** Decodes the payloads of a request in the clear; undefined when they are malformed. */
export function initPayloads(header: Header, octets: Uint8Array): readonly Payload[] | string {
  try {
    return decodePayloads(header.next, octets.subarray(28));
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}

const envelope = ({ SPIi }: Header, SPIr: IkeSpi) => ({
  SPIi,
  SPIr,
  exchange: Exchange.IKE_SA_INIT,
  initiator: false,
  response: true,
  messageId: 0,
});

type Question = { readonly kind: 'ask'; readonly notify: Notify; readonly why: string };

/** §2.6: with many half-open SAs a peer must first show that it receives what is sent to its address. */
function admit(
  header: Header,
  Ni: Uint8Array,
  notifies: readonly Notify[],
  path: Path,
  env: InitEnv,
): { readonly kind: 'drop'; readonly why: string } | Question | undefined {
  const remote = addressOctets(path.remote.address);
  if (remote === undefined) return { kind: 'drop', why: 'source address cannot be read' };
  const verdict = env.admission.judge(remote);
  if (verdict === 'admit') return undefined;
  if (typeof verdict === 'object') {
    env.say('sa', phrases.initDropped, verdict.drop);
    return { kind: 'drop', why: verdict.drop };
  }
  const shown = data(notifies, 'COOKIE');
  if (shown instanceof Uint8Array && env.cookies.check(shown, Ni, remote, header.SPIi, env.now)) return undefined;
  env.say('sa', phrases.cookieRequired, env.admission.halfOpen);
  return { kind: 'ask', notify: notify('COOKIE', env.cookies.make(Ni, remote, header.SPIi, env.now)), why: 'cookie' };
}

type Chosen = IkeChoice & { readonly candidates: readonly [Profile, ...Profile[]] };

/** The first profile with common ground decides; the others stay candidates when they would accept the same suite. */
function choose(
  offered: readonly Proposal[],
  keGroup: number,
  fit: readonly Profile[],
): (Chosen & { readonly kind: 'chosen' }) | { readonly kind: 'invalid-ke'; readonly group: number } | undefined {
  let other: { readonly kind: 'invalid-ke'; readonly group: number } | undefined;
  for (const profile of fit) {
    const choice = chooseIke(offered, profile, keGroup);
    if (choice.kind === 'none') continue;
    if (choice.kind === 'invalid-ke') {
      other ??= { kind: 'invalid-ke', group: choice.group };
      continue;
    }
    const bits = choice.encr === Encr.CHACHA20_POLY1305 ? 0 : choice.keyLength; // some peers write its 256 bits (RFC 7634)
    const accepts = (p: Profile) =>
      p !== profile &&
      p.groups.includes(choice.group) &&
      p.proposals.some((w) => w.encr === choice.encr && w.keyLength === bits && w.integ === choice.integ && w.prf === choice.prf);
    return { ...choice, candidates: [profile, ...fit.filter(accepts)] };
  }
  return other;
}

/** §3.7: the authorities whose certificates we would accept, when a candidate wants certificates at all. */
function certificateRequest(candidates: readonly Profile[]): readonly Payload[] {
  const hashes = new Map<string, Uint8Array>();
  for (const profile of candidates) for (const { keyHash } of anchorsOf(profile)) hashes.set(hex(keyHash), keyHash);
  if (hashes.size === 0) return [];
  const all = new Uint8Array(hashes.size * 20);
  for (const [i, hash] of [...hashes.values()].entries()) all.set(hash, i * 20);
  return [{ kind: 'CERTREQ', encoding: 4, data: all }];
}

function data(notifies: readonly Notify[], name: Notify['name']): unknown {
  return notifies.find((n) => n.name === name)?.data;
}

function sayGreeting(vendorIds: readonly Uint8Array[], notifies: readonly Notify[], env: InitEnv): void {
  if (!env.debug) return;
  for (const id of vendorIds) {
    const name = vendorName(id);
    if (name === undefined) env.say('sa', phrases.vendorIdUnknown, id.length, hex(id.subarray(0, 32)).toUpperCase());
    else env.say('sa', phrases.vendorId, name, hex(id).toUpperCase());
  }
  for (const n of notifies) {
    env.say('sa', phrases.receivedNotify, n.name === 'UNKNOWN' ? `${n.type}` : n.name);
    if (n.name === 'VPN_NETWORK_ID') env.say('sa', phrases.networkId, n.data);
  }
}

function sayNat(nat: { me: boolean; peer: boolean; supported: boolean }, env: InitEnv): void {
  if (!nat.supported) return;
  env.say('sa', phrases.processingNotify, 'NAT_DETECTION_SOURCE_IP');
  env.say('sa', phrases.processingNatD);
  env.say('sa', phrases.processingNotify, 'NAT_DETECTION_DESTINATION_IP');
  env.say('sa', phrases.processingNatD);
  env.say('sa', phrases.natDetected, nat.me, nat.peer);
  env.say('sa', phrases.processNatD);
}

/** FortiOS works in three passes here and says so each time. */
function sayKeyExchange({ local, remote }: Path, mode: Profile['nattraversal'], env: InitEnv): void {
  if (!env.debug) return;
  env.say('sa', phrases.preparingInit);
  env.say('sa', phrases.dhPublicQueued);
  env.say('sa', phrases.preparingInit);
  env.say('sa', phrases.dhSharedQueued);
  env.say('sa', phrases.preparingInit);
  if (mode !== 'disable')
    env.say('sa', phrases.natHash, `${local.address}/${local.port}`, `${remote.address}/${mode === 'forced' ? 0 : remote.port}`);
}
