import { describe, expect, it } from 'vitest';
import { Secret } from '../../../crypto/secret.ts';
import { answerEap, beginEap, type EapAnswer, type EapPeer } from '../../../src/lab/eap.ts';
import { decodeEap, encodeEap, hex, unhex } from '../../../src/wire/index.ts';
import { eapRequest, msChapChallenge, msChapPacket } from './fakeAuth.ts';

// RFC 2759 §9.2
const challenge = unhex('5B5D7C7D7B3F2F3E3C2C602132262628');
const peerChallenge = unhex('21402324255E262A28295F2B3A337C7E');
const ntResponse = '82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df';
const proof = 'S=407A5589115FD0D6209F510FE9C04566932CDA56';

const account = (methods: readonly ('mschapv2' | 'gtc')[] = ['mschapv2'], user = 'User') => ({
  user,
  password: Secret.utf8('clientPass'),
  methods,
});
const utf8 = (text: string) => new TextEncoder().encode(text);
const random = () => peerChallenge.slice();
const ask = (packet: Uint8Array, peer: EapPeer = beginEap, who = account()) => answerEap(who, peer, packet, random);

/** The peer after this packet, which it must answer. */
function answered(packet: Uint8Array, peer?: EapPeer, who = account()): { readonly peer: EapPeer; readonly said: string } {
  const answer = ask(packet, peer, who);
  if (answer.kind !== 'answer') throw new Error(`${answer.kind}: ${'why' in answer ? answer.why : ''}`);
  return { peer: answer.peer, said: hex(answer.packet) };
}

const IDENTITY = eapRequest(7, 1, utf8('who?'));
const CHALLENGE = eapRequest(8, 26, msChapChallenge(0x42, challenge));
const SUCCESS_TEXT = eapRequest(9, 26, msChapPacket(3, 0x42, utf8(`${proof} M=Welcome`)));
const FAILURE_TEXT = eapRequest(9, 26, msChapPacket(4, 0x42, utf8('E=691 R=0 C=00 V=3 M=FAILED')));
const GTC = eapRequest(8, 6, utf8('Password'));
const SUCCESS = encodeEap({ code: 3, id: 9 });
const FAILURE = encodeEap({ code: 4, id: 9 });

const challenged = () => answered(CHALLENGE).peer;
const proven = () => answered(SUCCESS_TEXT, challenged()).peer;

describe('EAP-MSCHAPv2, the peer (RFC 2759 §9.2)', () => {
  it('answers the challenge of the RFC with its response', () => {
    const { said } = answered(CHALLENGE);
    expect(said).toBe(`0208003f1a02${'42'}003a31${hex(peerChallenge)}${'00'.repeat(8)}${ntResponse}00${hex(utf8('User'))}`);
  });

  it('hashes the name without its domain and sends it whole', () => {
    const { said } = answered(CHALLENGE, beginEap, account(['mschapv2'], 'LAB\\User'));
    expect(said).toContain(ntResponse);
    expect(said.endsWith(hex(utf8('LAB\\User')))).toBe(true);
  });

  it('believes the proof of the RFC, and only then EAP-Success', () => {
    expect(answered(SUCCESS_TEXT, challenged()).said).toBe('020900061a03');
    const end = ask(SUCCESS, proven());
    expect(end).toMatchObject({ kind: 'success', method: 'mschapv2' });
    if (end.kind !== 'success') return;
    expect(end.msk?.length).toBe(64);
    // RFC 3079 §3.5.3: what the server sends with, behind what it receives with
    expect(hex(end.msk?.expose().subarray(16, 32) ?? new Uint8Array(0))).toBe('8b7cdc149b993a1ba118cb153f56dccb');
    expect(hex(end.msk?.expose().subarray(32) ?? new Uint8Array(0))).toBe('00'.repeat(32));
  });

  it('does not believe a server that does not know the password', () => {
    const wrong = eapRequest(9, 26, msChapPacket(3, 0x42, utf8(`${proof.replace('407A', '407B')} M=OK`)));
    expect(ask(wrong, challenged())).toMatchObject({
      kind: 'broken',
      why: expect.stringContaining('does not know the password'),
    });
  });

  it('acknowledges a failure and keeps its text for the end', () => {
    const { peer, said } = answered(FAILURE_TEXT, challenged());
    expect(said).toBe('020900061a04');
    expect(ask(FAILURE, peer)).toEqual({ kind: 'failure', why: 'E=691 R=0 C=00 V=3 M=FAILED' });
  });
});

describe('EAP, the peer (RFC 3748)', () => {
  it('tells its name, more than once if asked', () => {
    const first = answered(IDENTITY);
    expect(first.said).toBe(`0207000901${hex(utf8('User'))}`);
    expect(answered(IDENTITY, first.peer).said).toBe(first.said);
  });

  it('acknowledges notifications anywhere (§5.2)', () => {
    const notification = eapRequest(8, 2, utf8('be patient'));
    for (const peer of [beginEap, challenged(), proven()]) expect(answered(notification, peer).said).toBe('0208000502');
  });

  it('answers a method that it does not take with all that it takes (§5.3.1)', () => {
    const md5 = eapRequest(8, 4, new Uint8Array(17));
    expect(answered(md5).said).toBe('02080006031a');
    expect(answered(md5, beginEap, account(['gtc', 'mschapv2'])).said).toBe('0208000703061a');
    expect(answered(GTC).said).toBe('02080006031a');
    expect(decodeEap(unhex(answered(CHALLENGE, beginEap, account(['gtc'])).said))).toMatchObject({
      type: 3,
      data: Uint8Array.of(6),
    });
  });

  it('gives its password to GTC only when it may, and has no key from it', () => {
    const { peer, said } = answered(GTC, beginEap, account(['gtc']));
    expect(said).toBe(`0208000f06${hex(utf8('clientPass'))}`);
    expect(ask(SUCCESS, peer)).toEqual({ kind: 'success', method: 'gtc', msk: undefined });
  });

  it('has patience for ten rounds and more, not for ever (§2.16 of RFC 7296)', () => {
    let peer = beginEap;
    for (let round = 0; round < 32; round++) peer = answered(IDENTITY, peer).peer;
    expect(ask(IDENTITY, peer).kind).toBe('broken');
  });
});

describe('A packet out of place', () => {
  const told = () => answered(GTC, beginEap, account(['gtc'])).peer;
  const refused = () => answered(FAILURE_TEXT, challenged()).peer;

  it.each<[what: string, packet: Uint8Array, where: () => EapPeer, what2: EapAnswer['kind']]>([
    ['EAP-Success at once', SUCCESS, () => beginEap, 'broken'],
    ['EAP-Success behind a challenge', SUCCESS, challenged, 'broken'],
    ['EAP-Success behind a failure', SUCCESS, refused, 'broken'],
    ['EAP-Failure at once', FAILURE, () => beginEap, 'failure'],
    ['EAP-Failure behind a proof', FAILURE, proven, 'failure'],
    ['Identity in the middle', IDENTITY, challenged, 'broken'],
    ['a second challenge', CHALLENGE, challenged, 'broken'],
    ['a challenge behind the proof', CHALLENGE, proven, 'broken'],
    ['a success without challenge', SUCCESS_TEXT, () => beginEap, 'broken'],
    ['a success said twice', SUCCESS_TEXT, proven, 'broken'],
    ['a failure without challenge', FAILURE_TEXT, () => beginEap, 'broken'],
    ['another method in the middle', GTC, challenged, 'broken'],
    ['MSCHAPv2 behind GTC', CHALLENGE, told, 'broken'],
    ['a response', encodeEap({ code: 2, id: 1, type: 1, data: new Uint8Array(0) }), () => beginEap, 'broken'],
    ['an unknown code', Uint8Array.of(9, 1, 0, 4), () => beginEap, 'broken'],
    ['a length that does not hold', Uint8Array.of(1, 1, 0, 9, 1), () => beginEap, 'broken'],
    ['nothing at all', new Uint8Array(0), () => beginEap, 'broken'],
    ['an opcode of clients', eapRequest(8, 26, msChapPacket(2, 1, new Uint8Array(60))), () => beginEap, 'broken'],
    ['a wrong MS-Length', eapRequest(8, 26, msChapChallenge(1, challenge).with(3, 99)), () => beginEap, 'broken'],
    ['a short challenge', eapRequest(8, 26, msChapPacket(1, 1, Uint8Array.of(8, 1, 2, 3))), () => beginEap, 'broken'],
    ['a challenge cut off', eapRequest(8, 26, msChapPacket(1, 1, Uint8Array.of(16, 1, 2, 3))), () => beginEap, 'broken'],
    ['an empty MSCHAPv2', eapRequest(8, 26, new Uint8Array(0)), () => beginEap, 'broken'],
  ])('%s', (_, packet, where, kind) => {
    expect(ask(packet, where(), account(['mschapv2', 'gtc'])).kind).toBe(kind);
  });
});
