/**
 * EAP-MSCHAPv2, the server's side (draft-kamath-pppext-eap-mschapv2, over RFC 2759 and RFC 3079).
 *
 *   |    OpCode     |  MS-CHAPv2-ID |           MS-Length           |   MS-Length = octets from OpCode to the end
 *   Challenge (1)   ~ Value-Size 16 | challenge | server name ~
 *   Response (2)    ~ Value-Size 49 | peer challenge 16 | reserved 8 | NT-Response 24 | flags 1 | user name ~
 *   Success (3)     ~ "S=<40 HEX> M=OK" ~         answered by the octet 3 (or 4: the client does not believe us)
 *   Failure (4)     ~ "E=691 R=0 …" ~             answered by the octet 4
 *
 * The texts and the server name are those of FortiOS, which runs hostapd here. No retry (R=0), no change of password.
 */
import { authenticatorResponse, constantTimeEqual, msk as deriveMsk, ntPasswordHash, ntResponse } from '../../crypto/index.ts';
import { Secret } from '../../crypto/secret.ts';
import { Malformed, printable, Reader, Writer } from '../wire/index.ts';
import type { Bench, MethodStep } from './method.ts';
import { type EapUser, lookUp, MAX_NAME, readName, withoutDomain } from './users.ts';

export type MsChapState =
  | { readonly method: 'mschapv2'; readonly step: 'challenged'; readonly challenge: Uint8Array }
  /** The response was right; only `verify` makes this state. */
  | { readonly method: 'mschapv2'; readonly step: 'proven'; readonly user: EapUser; readonly msk: Secret };

/** The first request. `id` is that of its EAP packet, which the MS-CHAPv2-ID repeats. */
export function begin(bench: Bench, id: number): { readonly state: MsChapState; readonly data: Uint8Array } {
  const challenge = bench.random(16);
  const body = new Writer().u8(challenge.length).put(challenge).put(SERVER_NAME).finish();
  return { state: { method: 'mschapv2', step: 'challenged', challenge }, data: packet(OpCode.challenge, id, body) };
}

/** Answers the data of a response of type 26. */
export function respond(bench: Bench, state: MsChapState, data: Uint8Array): MethodStep<MsChapState> {
  switch (state.step) {
    case 'challenged': {
      const response = readResponse(data);
      return typeof response === 'string' ? { kind: 'fail', why: response } : verify(bench, state.challenge, response);
    }
    case 'proven':
      if (data[0] === OpCode.success) return { kind: 'pass', user: state.user, msk: state.msk };
      if (data[0] === OpCode.failure) return { kind: 'fail', why: 'the client does not accept our authenticator response' };
      return { kind: 'fail', why: `MSCHAPv2 opcode ${data[0] ?? 'missing'} where the client should confirm success` };
  }
}

type Response = {
  readonly id: number;
  readonly peerChallenge: Uint8Array;
  readonly ntResponse: Uint8Array;
  readonly name: Uint8Array;
};

/** The response, or what is wrong with it. The reserved octets and the flags are not judged, as FortiOS does not. */
function readResponse(data: Uint8Array): Response | string {
  try {
    const r = new Reader(data);
    const opCode = r.u8();
    if (opCode !== OpCode.response) return `MSCHAPv2 opcode ${opCode} where a response should be`;
    const id = r.u8();
    const length = r.u16();
    if (length !== data.length) return `MSCHAPv2 length ${length} in a response of ${data.length} octets`;
    const valueSize = r.u8();
    if (valueSize !== 49) return `MSCHAPv2 value of ${valueSize} octets, not 49`;
    const peerChallenge = r.take(16);
    r.take(8);
    const ntResponse = r.take(24);
    r.take(1);
    const name = r.rest();
    if (name.length > MAX_NAME) return `MSCHAPv2 user name of ${name.length} octets`;
    return { id, peerChallenge, ntResponse, name };
  } catch (error) {
    if (error instanceof Malformed) return `MSCHAPv2 response of ${data.length} octets is cut short`;
    throw error;
  }
}

/**
 * The one judgement. It takes the same steps for a user that does not exist, under a password nobody knows, so that
 * neither the answer nor the time it takes tells which names are users.
 */
function verify(bench: Bench, challenge: Uint8Array, response: Response): MethodStep<MsChapState> {
  const user = lookUp(bench.find, bench.identity);
  const name = readName(response.name);
  const sameUser = name !== undefined && withoutDomain(name) === withoutDomain(bench.identity);
  const round = {
    authenticatorChallenge: challenge,
    peerChallenge: response.peerChallenge,
    userName: response.name.subarray(response.name.lastIndexOf(BACKSLASH) + 1),
  };
  const passwordHash = ntPasswordHash(user?.password ?? unknowablePassword(bench));
  const rightAnswer = constantTimeEqual(ntResponse(round, passwordHash), response.ntResponse);
  const proof = authenticatorResponse(round, passwordHash, response.ntResponse);
  const msk = deriveMsk(passwordHash, response.ntResponse);
  passwordHash.wipe();

  if (user === undefined) return reject(response.id, 'no such user here');
  if (!sameUser)
    return reject(response.id, `the response names '${printable(response.name, 64)}', another user than the identity`);
  if (!rightAnswer) return reject(response.id, 'wrong password');
  const message = new TextEncoder().encode(`${proof} M=OK`);
  const state: MsChapState = { method: 'mschapv2', step: 'proven', user, msk };
  return { kind: 'ask', state, data: packet(OpCode.success, response.id, message) };
}

function reject(id: number, why: string): MethodStep<MsChapState> {
  return { kind: 'reject', data: packet(OpCode.failure, id, FAILED), why };
}

const unknowablePassword = (bench: Bench): Secret => Secret.of(bench.random(14).map((octet) => 0x20 + (octet & 0x3f)));

function packet(opCode: number, id: number, body: Uint8Array): Uint8Array {
  return new Writer()
    .u8(opCode)
    .u8(id)
    .u16(4 + body.length)
    .put(body)
    .finish();
}

const OpCode = { challenge: 1, response: 2, success: 3, failure: 4 } as const;
const BACKSLASH = 0x5c;
const SERVER_NAME = new TextEncoder().encode('hostapd');
/** RFC 2759 §6: authentication failure, no retry, and so a challenge that nobody will use. */
const FAILED = new TextEncoder().encode(`E=691 R=0 C=${'0'.repeat(32)} V=3 M=FAILED`);
