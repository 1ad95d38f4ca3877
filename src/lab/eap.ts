/**
 * The EAP peer (RFC 3748, RFC 7296 §2.16): Identity, Notification, Nak, MSCHAPv2 (draft-kamath-pppext-eap-mschapv2 over
 * RFC 2759) and GTC. A value machine: no packet is answered that does not fit where we are, and no Success is believed that
 * the method did not earn.
 *
 *   begun ──challenge──► challenged ──success──► proven ──EAP-Success──► (MSK)
 *     │ └──GTC──► told ────────────────────────────┘ (no MSK)
 *     └──────── challenged ──failure──► refused ──EAP-Failure──►
 */
import {
  authenticatorResponse,
  constantTimeEqual,
  type MsChapRound,
  msk,
  ntPasswordHash,
  ntResponse,
} from '../../crypto/index.ts';
import type { Secret } from '../../crypto/secret.ts';
import { decodeEap, EapCode, EapType, encodeEap, Malformed, printable, Reader, Writer } from '../wire/index.ts';
import type { EapMethod } from './options.ts';

export type EapAccount = { readonly user: string; readonly password: Secret; readonly methods: readonly EapMethod[] };

export type EapPeer =
  | { readonly at: 'begun'; readonly rounds: number }
  | { readonly at: 'challenged'; readonly rounds: number; readonly expected: string; readonly msk: Secret }
  | { readonly at: 'proven'; readonly rounds: number; readonly msk: Secret }
  | { readonly at: 'told'; readonly rounds: number }
  | { readonly at: 'refused'; readonly rounds: number; readonly why: string };

export type EapAnswer =
  | { readonly kind: 'answer'; readonly peer: EapPeer; readonly packet: Uint8Array }
  | { readonly kind: 'success'; readonly method: EapMethod; readonly msk: Secret | undefined }
  /** The server said no. */
  | { readonly kind: 'failure'; readonly why: string }
  /** The server did what it must not do. */
  | { readonly kind: 'broken'; readonly why: string };

export const beginEap: EapPeer = { at: 'begun', rounds: 0 };

const MOST_ROUNDS = 32; // §2.16 wants at least ten

/** Answers the packet of one EAP payload. */
export function answerEap(
  account: EapAccount,
  before: EapPeer,
  octets: Uint8Array,
  random: (n: number) => Uint8Array,
): EapAnswer {
  const peer = { ...before, rounds: before.rounds + 1 };
  if (peer.rounds > MOST_ROUNDS) return broken(`more than ${MOST_ROUNDS} EAP rounds`);
  let packet: ReturnType<typeof decodeEap>;
  try {
    packet = decodeEap(octets);
  } catch (error) {
    if (error instanceof Malformed) return broken(`EAP packet: ${error.message}`);
    throw error;
  }
  switch (packet.code) {
    case EapCode.SUCCESS:
      if (peer.at === 'proven') return { kind: 'success', method: 'mschapv2', msk: peer.msk };
      if (peer.at === 'told') return { kind: 'success', method: 'gtc', msk: undefined };
      return broken('EAP-Success before a method succeeded');
    case EapCode.FAILURE:
      return { kind: 'failure', why: peer.at === 'refused' ? peer.why : 'EAP-Failure' };
    case EapCode.RESPONSE:
      return broken('an EAP response from the server');
    case EapCode.REQUEST:
      return request(account, peer, packet, random);
  }
}

type Request = { readonly id: number; readonly type: number; readonly data: Uint8Array };

function request(account: EapAccount, peer: EapPeer, { id, type, data }: Request, random: (n: number) => Uint8Array): EapAnswer {
  const answer = (next: EapPeer, answered: Uint8Array, as = type): EapAnswer => ({
    kind: 'answer',
    peer: next,
    packet: encodeEap({ code: EapCode.RESPONSE, id, type: as, data: answered }),
  });
  if (type === EapType.NOTIFICATION) return answer(peer, NOTHING); // RFC 3748 §5.2
  if (type === EapType.IDENTITY)
    return peer.at === 'begun' ? answer(peer, utf8.encode(account.user)) : broken('EAP-Identity after the method began');
  const method = METHODS[type];
  if (method === undefined || !account.methods.includes(method)) {
    // RFC 3748 §5.3.1: only as the answer to the first request of a method.
    if (peer.at !== 'begun') return broken(`EAP type ${type} in the middle of another method`);
    return answer(
      peer,
      Uint8Array.from(account.methods, (m) => TYPES[m]),
      EapType.NAK,
    );
  }
  if (method === 'mschapv2') return msChap(account, peer, data, random, answer);
  if (peer.at !== 'begun') return broken('EAP-GTC in the middle of another method');
  return answer({ at: 'told', rounds: peer.rounds }, account.password.expose());
}

const METHODS: Readonly<Record<number, EapMethod>> = { [EapType.MSCHAPV2]: 'mschapv2', [EapType.GTC]: 'gtc' };
const TYPES = { mschapv2: EapType.MSCHAPV2, gtc: EapType.GTC } as const;

type Answerer = (next: EapPeer, answered: Uint8Array) => EapAnswer;

/**
 *   |    OpCode     |  MS-CHAPv2-ID |           MS-Length           |   Data...
 */
function msChap(
  account: EapAccount,
  peer: EapPeer,
  data: Uint8Array,
  random: (n: number) => Uint8Array,
  answer: Answerer,
): EapAnswer {
  const message = readMsChap(data);
  if (typeof message === 'string') return broken(message);
  switch (message.opCode) {
    case OP.challenge: {
      if (peer.at !== 'begun') return broken('a second MSCHAPv2 challenge');
      const [challenge, id] = [message.challenge, message.id];
      const name = utf8.encode(account.user);
      const round: MsChapRound = {
        authenticatorChallenge: challenge,
        peerChallenge: random(16),
        userName: name.subarray(name.lastIndexOf(BACKSLASH) + 1),
      };
      const hash = ntPasswordHash(account.password);
      const response = ntResponse(round, hash);
      const next: EapPeer = {
        at: 'challenged',
        rounds: peer.rounds,
        expected: authenticatorResponse(round, hash, response),
        msk: msk(hash, response),
      };
      hash.wipe();
      const w = new Writer()
        .u8(OP.response)
        .u8(id)
        .u16(RESPONSE_HEAD + name.length)
        .u8(VALUE);
      return answer(next, w.put(round.peerChallenge).zero(8).put(response).u8(0).put(name).finish());
    }
    case OP.success:
      if (peer.at !== 'challenged') return broken('MSCHAPv2 success without a response of ours');
      // RFC 2759 §5: the peer must end it when the authenticator does not prove that it knows the password.
      if (!sameText(message.text.slice(0, peer.expected.length), peer.expected))
        return broken('the authenticator response is wrong: the server does not know the password');
      return answer({ at: 'proven', rounds: peer.rounds, msk: peer.msk }, Uint8Array.of(OP.success));
    case OP.failure:
      if (peer.at !== 'challenged') return broken('MSCHAPv2 failure without a response of ours');
      return answer({ at: 'refused', rounds: peer.rounds, why: printable(message.text, 128) }, Uint8Array.of(OP.failure));
  }
}

type MsChapMessage =
  | { readonly opCode: 1; readonly id: number; readonly challenge: Uint8Array }
  | { readonly opCode: 3 | 4; readonly text: string };

function readMsChap(data: Uint8Array): MsChapMessage | string {
  try {
    const r = new Reader(data);
    const opCode = r.u8();
    const id = r.u8();
    const length = r.u16();
    if (length !== data.length) return `MSCHAPv2 length ${length} in a packet of ${data.length} octets`;
    if (opCode === OP.success || opCode === OP.failure) return { opCode, text: new TextDecoder().decode(r.rest()) };
    if (opCode !== OP.challenge) return `MSCHAPv2 opcode ${opCode} from a server`;
    const size = r.u8();
    return size === CHALLENGE ? { opCode, id, challenge: r.take(CHALLENGE).slice() } : `MSCHAPv2 challenge of ${size} octets`;
  } catch (error) {
    if (error instanceof Malformed) return `MSCHAPv2 packet of ${data.length} octets is cut short`;
    throw error;
  }
}

const broken = (why: string): EapAnswer => ({ kind: 'broken', why });

const sameText = (a: string, b: string): boolean => constantTimeEqual(utf8.encode(a), utf8.encode(b));

const utf8 = new TextEncoder();
const NOTHING = new Uint8Array(0);
const OP = { challenge: 1, response: 2, success: 3, failure: 4 } as const;
const CHALLENGE = 16;
const VALUE = 49; // peer challenge 16, reserved 8, NT-Response 24, flags 1
const RESPONSE_HEAD = 4 + 1 + VALUE;
const BACKSLASH = 0x5c;
