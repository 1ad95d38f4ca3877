import { describe, expect, it } from 'vitest';
import { authenticatorResponse, msk, ntPasswordHash, ntResponse } from '../../../crypto/index.ts';
import { beginEap, type EapPolicy, type EapStep, respondEap } from '../../../src/eap/index.ts';
import { hex } from '../../../src/wire/index.ts';
import { ALICE, msChapAnswer, policy, response, TYPE, text } from './peer.ts';

/** From the identity to the answer of the server to one MSCHAPv2 response. */
function login(
  rules: EapPolicy,
  identity: string,
  name: string,
  password: string,
  change: Parameters<typeof msChapAnswer>[3] = {},
): { challenge: Uint8Array; answer: Uint8Array; step: EapStep } {
  const { session, packet } = beginEap(rules, identity);
  const answer = response(session.id, TYPE.mschapv2, msChapAnswer(packet, name, password, change));
  return { challenge: packet, answer, step: respondEap(rules, session, answer) };
}

const ascii = (octets: Uint8Array) => String.fromCharCode(...octets);

describe('EAP-MSCHAPv2 server', () => {
  it('challenges as FortiOS does: 16 octets and the name hostapd', () => {
    const { session, packet } = beginEap(policy(), 'alice');
    const id = session.id;
    expect(packet.length).toBe(5 + 4 + 1 + 16 + 7);
    expect([...packet.subarray(0, 10)]).toEqual([1, id, 0, 33, 26, 1, id, 0, 28, 16]);
    expect(hex(packet.subarray(10, 26))).toBe('4142434445464748494a4b4c4d4e4f50');
    expect(ascii(packet.subarray(26))).toBe('hostapd');
  });

  it('proves itself to a client that proved itself, and gives the MSK only when that client agrees', () => {
    const rules = policy();
    const { challenge, answer, step } = login(rules, 'alice', 'alice', 'correct horse');
    if (step.kind !== 'request') throw new Error(step.kind);
    const round = {
      authenticatorChallenge: challenge.subarray(10, 26),
      peerChallenge: answer.subarray(10, 26),
      userName: text('alice'),
    };
    const passwordHash = ntPasswordHash(ALICE.password);
    const right = ntResponse(round, passwordHash);
    expect(ascii(step.packet.subarray(9))).toBe(`${authenticatorResponse(round, passwordHash, right)} M=OK`);
    expect([...step.packet.subarray(4, 9)]).toEqual([26, 3, challenge[6], 0, step.packet.length - 5]);
    expect('msk' in step).toBe(false);

    const last = respondEap(rules, step.session, response(step.session.id, TYPE.mschapv2, 3));
    if (last.kind !== 'success') throw new Error(last.kind);
    expect(last).toMatchObject({ user: 'alice', group: 'staff', method: 'mschapv2' });
    expect(last.msk?.equals(msk(passwordHash, right))).toBe(true);
    expect(last.msk?.length).toBe(64);
  });

  it('refuses a wrong password in the words of FortiOS and ends with Failure after the acknowledgement', () => {
    const rules = policy();
    const { step } = login(rules, 'alice', 'alice', 'wrong');
    if (step.kind !== 'rejecting') throw new Error(step.kind);
    expect(ascii(step.packet.subarray(9))).toBe('E=691 R=0 C=00000000000000000000000000000000 V=3 M=FAILED');
    expect([...step.packet.subarray(4, 6)]).toEqual([26, 4]);
    expect(step.why).toBe('wrong password');
    const last = respondEap(rules, step.session, response(step.session.id, TYPE.mschapv2, 4));
    expect(last).toMatchObject({ kind: 'failure', user: 'alice', why: 'wrong password' });
  });

  it('answers an unknown user octet for octet as a known one with a wrong password', () => {
    const told = (find: EapPolicy['find']) => {
      const { challenge, step } = login(policy({ find }), 'mallory', 'mallory', 'guess');
      if (step.kind !== 'rejecting') throw new Error(step.kind);
      return { octets: [hex(challenge), hex(step.packet)], why: step.why };
    };
    const unknown = told(() => undefined);
    const known = told(() => ALICE);
    expect(unknown.octets).toEqual(known.octets);
    expect([unknown.why, known.why]).toEqual(['no such user here', 'wrong password']);
  });

  it('keeps out an unknown user even when the password is the one made up for the comparison', () => {
    const zeros = policy({ find: () => undefined, random: (n) => new Uint8Array(n) });
    expect(login(zeros, 'mallory', 'mallory', ' '.repeat(14)).step).toMatchObject({
      kind: 'rejecting',
      why: 'no such user here',
    });
  });

  it('keeps out a user whose password is empty', () => {
    expect(login(policy(), 'nobody', 'nobody', '').step).toMatchObject({ kind: 'rejecting', why: 'no such user here' });
  });

  it.each([
    ['alice', 'CORP\\alice'],
    ['CORP\\alice', 'alice'],
    ['CORP\\alice', 'CORP\\alice'],
    ['CORP\\alice', 'OTHER\\alice'],
  ])('identity %s, response of %s: one user, whose name is hashed without its domain', (identity, name) => {
    const rules = policy();
    const { step } = login(rules, identity, name, 'correct horse');
    if (step.kind !== 'request') throw new Error(step.kind);
    const last = respondEap(rules, step.session, response(step.session.id, TYPE.mschapv2, 3));
    expect(last).toMatchObject({ kind: 'success', user: 'alice' });
  });

  it('does not let one user answer for the identity of another', () => {
    const bob = { ...ALICE, name: 'bob' };
    const rules = policy({ find: (name) => [ALICE, bob].find((user) => user.name === name) });
    const { step } = login(rules, 'alice', 'bob', 'correct horse');
    expect(step).toMatchObject({ kind: 'rejecting', user: 'alice' });
    expect(step.kind === 'rejecting' && step.why).toBe("the response names 'bob', another user than the identity");
  });

  it.each([
    ['in another case', text('Alice')],
    ['empty', new Uint8Array(0)],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe)],
    ['with a terminator', text('alice\0')],
  ])('a response name %s is another user', (_, name) => {
    const { step } = login(policy(), 'alice', 'alice', 'correct horse', { name, length: 54 + name.length });
    expect(step).toMatchObject({ kind: 'rejecting' });
  });

  it('judges the client by the password of this moment, not of the moment it said its name', () => {
    const rules = policy();
    const { session, packet } = beginEap(rules, 'alice');
    const gone = policy({ find: () => undefined });
    const answer = response(session.id, TYPE.mschapv2, msChapAnswer(packet, 'alice', 'correct horse'));
    expect(respondEap(gone, session, answer)).toMatchObject({ kind: 'rejecting', why: 'no such user here' });
  });

  it('takes of 65536 MS-Length fields the true one', () => {
    const rules = policy();
    const { session, packet } = beginEap(rules, 'alice');
    const answer = response(session.id, TYPE.mschapv2, msChapAnswer(packet, 'alice', 'correct horse'));
    const taken: number[] = [];
    for (let length = 0; length <= 0xffff; length++) {
      answer[7] = length >> 8;
      answer[8] = length & 0xff;
      const step = respondEap(rules, session, answer);
      if (step.kind !== 'failure') taken.push(length);
    }
    expect(taken).toEqual([54 + 5]);
  });

  it('takes of 65536 EAP length fields the true one', () => {
    const rules = policy();
    const { session, packet } = beginEap(rules, 'alice');
    const answer = response(session.id, TYPE.mschapv2, msChapAnswer(packet, 'alice', 'correct horse'));
    const taken: number[] = [];
    for (let length = 0; length <= 0xffff; length++) {
      answer[2] = length >> 8;
      answer[3] = length & 0xff;
      const { kind } = respondEap(rules, session, answer);
      if (kind !== 'failure' && kind !== 'discard') taken.push(length);
    }
    expect(taken).toEqual([answer.length]);
  });

  it('takes of 256 value sizes the 49 of the draft', () => {
    const sizes = Array.from({ length: 256 }, (_, valueSize) => valueSize).filter(
      (valueSize) => login(policy(), 'alice', 'alice', 'correct horse', { valueSize }).step.kind !== 'failure',
    );
    expect(sizes).toEqual([49]);
  });

  it('fails a response that is cut anywhere before its name', () => {
    const rules = policy();
    const { session, packet } = beginEap(rules, 'alice');
    const data = msChapAnswer(packet, 'alice', 'correct horse');
    for (let cut = 0; cut < 54; cut++) {
      const short = data.slice(0, cut);
      if (cut > 3) short[3] = cut;
      expect(respondEap(rules, session, response(session.id, TYPE.mschapv2, short))).toMatchObject({ kind: 'failure' });
    }
  });

  it('fails a user name of more than 256 octets', () => {
    const long = 'x'.repeat(257);
    const { step } = login(policy({ find: () => ALICE }), long, long, 'correct horse');
    expect(step).toMatchObject({ kind: 'failure', why: 'MSCHAPv2 user name of 257 octets' });
  });

  it('fails when the client does not believe our authenticator response', () => {
    const rules = policy();
    const { step } = login(rules, 'alice', 'alice', 'correct horse');
    if (step.kind !== 'request') throw new Error(step.kind);
    const last = respondEap(rules, step.session, response(step.session.id, TYPE.mschapv2, 4));
    expect(last).toMatchObject({ kind: 'failure', why: 'the client does not accept our authenticator response' });
  });

  it('echoes the MS-CHAPv2-ID of the response', () => {
    const { step } = login(policy(), 'alice', 'alice', 'correct horse', { id: 0x77 });
    expect(step.kind === 'request' && step.packet[6]).toBe(0x77);
  });
});
