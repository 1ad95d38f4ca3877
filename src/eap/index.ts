/**
 * The EAP server (RFC 3748) as a value and two functions. It knows nothing of IKE: packets in, packets out.
 *
 *   identity ──► offered ──► running ──► success        offered: the method's first request is out; a Nak may change the method
 *                 │  ▲ └───► rejected ──► failure       running: the client is proven, rejected: it is told that it failed
 *                 └──┘ Nak
 *
 * An authenticator discards what does not answer its outstanding request (RFC 3748 §4.1); what answers it wrongly ends in
 * Failure. There are no retries: an IKE SA is worth one attempt.
 */
import type { Secret } from '../../crypto/secret.ts';
import {
  decodeEap,
  EapCode,
  type EapPacket,
  EapType,
  eapCodeName,
  eapTypeName,
  encodeEap,
  equal,
  Malformed,
  printable,
} from '../wire/index.ts';
import * as gtc from './gtc.ts';
import * as identity from './identity.ts';
import type { Bench, MethodStep } from './method.ts';
import * as mschapv2 from './mschapv2.ts';
import { type FindUser, MAX_NAME } from './users.ts';

export type { EapUser, FindUser } from './users.ts';

export type EapMethodName = 'mschapv2' | 'gtc';

export type EapPolicy = {
  /** Allowed methods, the preferred one first. */
  readonly methods: readonly EapMethodName[];
  readonly find: FindUser;
  /** Who the client is when it answers the identity request with nothing: the text of IDi. */
  readonly fallbackIdentity?: string | undefined;
  /** That many random octets: identifiers, challenges. */
  random(octets: number): Uint8Array;
};

type MethodState = mschapv2.MsChapState | gtc.GtcState;

/** `id` is that of the outstanding request; `user` is what the client claims. */
export type EapSession =
  | { readonly at: 'identity'; readonly id: number }
  | {
      readonly at: 'offered';
      readonly id: number;
      readonly user: string;
      readonly state: MethodState;
      /** Methods offered so far, this one included: none is offered twice. */
      readonly offered: readonly EapMethodName[];
    }
  | { readonly at: 'running'; readonly id: number; readonly user: string; readonly state: MethodState }
  | { readonly at: 'rejected'; readonly id: number; readonly user: string; readonly type: number; readonly why: string };

export type EapStep =
  /** Another request. `user` is printable. */
  | { readonly kind: 'request'; readonly session: EapSession; readonly packet: Uint8Array; readonly user: string | undefined }
  /** The client failed and is being told so; `failure` follows its next response. */
  | {
      readonly kind: 'rejecting';
      readonly session: EapSession;
      readonly packet: Uint8Array;
      readonly user: string;
      readonly why: string;
    }
  /** `user` and `group` are those of the configuration. GTC makes no key. */
  | {
      readonly kind: 'success';
      readonly packet: Uint8Array;
      readonly msk: Secret | undefined;
      readonly user: string;
      readonly group: string;
      readonly method: EapMethodName;
    }
  | { readonly kind: 'failure'; readonly packet: Uint8Array; readonly user: string; readonly why: string }
  /** Not an answer to what was asked: nothing has changed. */
  | { readonly kind: 'discard'; readonly why: string };

/** The first packet. With an `identity` (`eap-identity use-id-payload`) the identity round is left out. */
export function beginEap(policy: EapPolicy, identityOf: string | undefined): { session: EapSession; packet: Uint8Array } {
  const id = policy.random(1)[0] ?? 0;
  const [method] = policy.methods;
  if (identityOf !== undefined && method !== undefined) return offer(policy, id, identityOf, method, []);
  return { session: { at: 'identity', id }, packet: request(id, EapType.IDENTITY, identity.REQUEST) };
}

/** The answer to one packet of the client. Never throws for what a client sent. */
export function respondEap(policy: EapPolicy, session: EapSession, packet: Uint8Array): EapStep {
  const response = readResponse(packet);
  if (typeof response === 'string') return discard(response);
  if (response.id !== session.id) return discard(`EAP identifier ${response.id}, not ${session.id}`);

  const wanted = readNak(response);
  if (wanted !== undefined) return nak(policy, session, wanted);
  const type =
    session.at === 'identity' ? EapType.IDENTITY : session.at === 'rejected' ? session.type : types[session.state.method];
  if (response.type !== type) return discard(`EAP ${eapTypeName(response.type)} in answer to ${eapTypeName(type)}`);

  switch (session.at) {
    case 'identity': {
      const user = identity.readIdentity(response.data, policy.fallbackIdentity);
      const [method] = policy.methods;
      if (method === undefined) return failure(session.id, user, 'no EAP method is allowed here');
      return { kind: 'request', ...offer(policy, next(session.id), user, method, []), user: shown(user) };
    }
    case 'offered':
    case 'running':
      return carryOut(session, judge(policy, session, response.data));
    case 'rejected':
      return failure(session.id, session.user, session.why);
  }
}

type Response = Extract<EapPacket, { code: 1 | 2 }>;

function readResponse(octets: Uint8Array): Response | string {
  try {
    const packet = decodeEap(octets);
    return packet.code === EapCode.RESPONSE ? packet : `EAP ${eapCodeName(packet.code)} from a client`;
  } catch (error) {
    if (error instanceof Malformed) return `malformed EAP packet: ${error.message}`;
    throw error;
  }
}

/**
 * The types that a Nak asks for: legacy (RFC 3748 §5.3.1, an octet each) or expanded (§5.3.2 there, eight octets each, of
 * which we know those of the IETF). Zero, "no alternative", is not among them.
 */
function readNak({ type, data }: Response): readonly number[] | undefined {
  if (type === EapType.NAK) return Array.from(data.subarray(0, MAX_WANTED)).filter((wanted) => wanted !== 0);
  if (type !== EapType.EXPANDED || !equal(data.subarray(0, 7), EXPANDED_NAK)) return undefined;
  const wanted: number[] = [];
  for (let at = 7; at + 8 <= data.length && at < 7 + 8 * MAX_WANTED; at += 8) {
    const last = data[at + 7] ?? 0;
    if (equal(data.subarray(at, at + 7), EXPANDED_IETF) && last !== 0) wanted.push(last);
  }
  return wanted;
}

/** The client wants another method: the first of its wishes that is allowed here and was not offered yet. */
function nak(policy: EapPolicy, session: EapSession, wanted: readonly number[]): EapStep {
  if (session.at !== 'offered') return discard(`EAP Nak in state ${session.at}`); // RFC 3748 §4.1
  const { id, user, offered } = session;
  const method = wanted
    .map((type) => policy.methods.find((name) => types[name] === type))
    .find((name) => name !== undefined && !offered.includes(name));
  if (method !== undefined) return { kind: 'request', ...offer(policy, next(id), user, method, offered), user: shown(user) };
  const wish = wanted.length === 0 ? 'no other method' : `EAP type ${wanted.map(eapTypeName).join(', ')}`;
  return failure(id, user, `the client refuses ${offered.at(-1)} and wants ${wish}`);
}

function offer(policy: EapPolicy, id: number, user: string, method: EapMethodName, before: readonly EapMethodName[]) {
  const { state, data } = method === 'gtc' ? gtc.begin() : mschapv2.begin(bench(policy, user), id);
  const session: EapSession = { at: 'offered', id, user, state, offered: [...before, method] };
  return { session, packet: request(id, types[method], data) };
}

function judge(policy: EapPolicy, session: InMethod, data: Uint8Array): MethodStep<MethodState> {
  const { state, user } = session;
  return state.method === 'gtc' ? gtc.respond(bench(policy, user), data) : mschapv2.respond(bench(policy, user), state, data);
}

type InMethod = Extract<EapSession, { at: 'offered' | 'running' }>;

function carryOut(session: InMethod, step: MethodStep<MethodState>): EapStep {
  const { user, state } = session;
  const type = types[state.method];
  const id = next(session.id);
  switch (step.kind) {
    case 'ask': {
      const to: EapSession = { at: 'running', id, user, state: step.state };
      return { kind: 'request', session: to, packet: request(id, type, step.data), user: shown(user) };
    }
    case 'reject': {
      const to: EapSession = { at: 'rejected', id, user, type, why: step.why };
      return { kind: 'rejecting', session: to, packet: request(id, type, step.data), user: shown(user), why: step.why };
    }
    case 'pass': {
      const { name, group } = step.user;
      const packet = encodeEap({ code: EapCode.SUCCESS, id: session.id });
      return { kind: 'success', packet, msk: step.msk, user: name, group, method: state.method };
    }
    case 'fail':
      return failure(session.id, user, step.why);
  }
}

/** RFC 3748 §4.2: Success and Failure carry the identifier of the response that they answer. */
const failure = (id: number, user: string, why: string): EapStep => ({
  kind: 'failure',
  packet: encodeEap({ code: EapCode.FAILURE, id }),
  user: shown(user),
  why,
});
const discard = (why: string): EapStep => ({ kind: 'discard', why });
const request = (id: number, type: number, data: Uint8Array): Uint8Array => encodeEap({ code: EapCode.REQUEST, id, type, data });
const next = (id: number): number => (id + 1) & 0xff;
const shown = (user: string): string => printable(user, MAX_NAME);
const bench = (policy: EapPolicy, user: string): Bench => ({
  identity: user,
  find: (name) => policy.find(name),
  random: (octets) => policy.random(octets),
});

const types: Readonly<Record<EapMethodName, number>> = { mschapv2: EapType.MSCHAPV2, gtc: EapType.GTC };
/** Vendor-Id 0, Vendor-Type 3; and the head of an entry for a type of the IETF that fits in an octet. */
const EXPANDED_NAK = Uint8Array.of(0, 0, 0, 0, 0, 0, EapType.NAK);
const EXPANDED_IETF = Uint8Array.of(EapType.EXPANDED, 0, 0, 0, 0, 0, 0);
/** A Nak names a handful of methods; more than this is noise. */
const MAX_WANTED = 16;
