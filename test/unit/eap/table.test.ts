import { describe, expect, it } from 'vitest';
import { beginEap, type EapSession, type EapStep, respondEap } from '../../../src/eap/index.ts';
import { msChapAnswer, policy, raw, response, TYPE, text } from './peer.ts';

type Scene = { readonly session: EapSession; readonly packet: Uint8Array };
const rules = policy();

/** Every state, reached as a client reaches it: the session and the request that is outstanding. */
const scenes = (() => {
  const identity = beginEap(rules, undefined);
  const offered = on(respondEap(rules, identity.session, response(identity.session.id, TYPE.identity, text('alice'))));
  const gtc = on(respondEap(rules, offered.session, response(offered.session.id, TYPE.nak, TYPE.gtc)));
  const answer = (password: string) =>
    response(offered.session.id, TYPE.mschapv2, msChapAnswer(offered.packet, 'alice', password));
  return {
    identity,
    offered,
    gtc,
    proven: on(respondEap(rules, offered.session, answer('correct horse'))),
    rejected: on(respondEap(rules, offered.session, answer('wrong'))),
  };
})();

function on(step: EapStep): Scene {
  if (step.kind !== 'request' && step.kind !== 'rejecting') throw new Error(`the conversation ended: ${step.kind}`);
  return step;
}

/** An expanded type of the IETF: its first octet is the type octet of a response. */
const ietf = (type: number) => Uint8Array.of(TYPE.expanded, 0, 0, 0, 0, 0, 0, type);

/** Every message a client can send, made for the outstanding request of a state. */
const messages = {
  'no octets': () => new Uint8Array(0),
  'three octets': () => Uint8Array.of(2, 0, 0),
  'a length beyond the packet': (s) => Uint8Array.of(2, s.session.id, 0, 7, TYPE.identity),
  'a length below the header': (s) => Uint8Array.of(2, s.session.id, 0, 3, TYPE.identity),
  'a response without a type': (s) => raw(2, s.session.id),
  'code 0': (s) => raw(0, s.session.id, TYPE.identity, text('alice')),
  'a request': (s) => raw(1, s.session.id, TYPE.identity, text('alice')),
  Success: (s) => raw(3, s.session.id),
  Failure: (s) => raw(4, s.session.id),
  'code 5': (s) => raw(5, s.session.id),
  'the right answer under another identifier': (s) => rightAnswer(s, (s.session.id + 1) & 0xff),
  'the right answer under the last identifier': (s) => rightAnswer(s, (s.session.id - 1) & 0xff),
  'the right answer': (s) => rightAnswer(s, s.session.id),
  'an identity': (s) => response(s.session.id, TYPE.identity, text('alice')),
  'no identity': (s) => response(s.session.id, TYPE.identity),
  'a notification': (s) => response(s.session.id, TYPE.notification),
  'Nak for GTC': (s) => response(s.session.id, TYPE.nak, TYPE.gtc),
  'Nak for MSCHAPv2': (s) => response(s.session.id, TYPE.nak, TYPE.mschapv2),
  'Nak for TLS': (s) => response(s.session.id, TYPE.nak, TYPE.tls),
  'Nak for TLS, then GTC': (s) => response(s.session.id, TYPE.nak, TYPE.tls, TYPE.gtc),
  'Nak without alternative': (s) => response(s.session.id, TYPE.nak, 0),
  'Nak that says nothing': (s) => response(s.session.id, TYPE.nak),
  'expanded Nak for GTC': (s) => raw(2, s.session.id, ietf(TYPE.nak), ietf(TYPE.gtc)),
  'expanded Nak without alternative': (s) => raw(2, s.session.id, ietf(TYPE.nak), ietf(0)),
  'expanded Nak for a vendor type': (s) => raw(2, s.session.id, ietf(TYPE.nak), TYPE.expanded, 0, 0, 20, 0, 0, 0, TYPE.gtc),
  'an expanded type that is no Nak': (s) => raw(2, s.session.id, ietf(TYPE.gtc)),
  'an expanded type cut short': (s) => response(s.session.id, TYPE.expanded, 0, 0),
  'an MD5 answer': (s) => response(s.session.id, TYPE.md5, 16, new Uint8Array(16)),
  'a TLS answer': (s) => response(s.session.id, TYPE.tls, 0),
  'a right MSCHAPv2 response': (s) =>
    response(s.session.id, TYPE.mschapv2, msChapAnswer(scenes.offered.packet, 'alice', 'correct horse')),
  'a wrong MSCHAPv2 response': (s) =>
    response(s.session.id, TYPE.mschapv2, msChapAnswer(scenes.offered.packet, 'alice', 'wrong')),
  'MSCHAPv2 without an opcode': (s) => response(s.session.id, TYPE.mschapv2),
  'MSCHAPv2 challenge': (s) => response(s.session.id, TYPE.mschapv2, scenes.offered.packet.subarray(5)),
  'MSCHAPv2 success': (s) => response(s.session.id, TYPE.mschapv2, 3),
  'MSCHAPv2 failure': (s) => response(s.session.id, TYPE.mschapv2, 4),
  'MSCHAPv2 change of password': (s) => response(s.session.id, TYPE.mschapv2, 7, new Uint8Array(585)),
  'MSCHAPv2 opcode 255': (s) => response(s.session.id, TYPE.mschapv2, 255),
  'the password': (s) => response(s.session.id, TYPE.gtc, text('correct horse')),
  'another password': (s) => response(s.session.id, TYPE.gtc, text('correct horsf')),
  'no password': (s) => response(s.session.id, TYPE.gtc),
} as const satisfies Record<string, (scene: Scene) => Uint8Array>;

function rightAnswer({ session, packet }: Scene, id: number): Uint8Array {
  if (session.at === 'identity') return response(id, TYPE.identity, text('alice'));
  if (session.at === 'rejected') return response(id, TYPE.mschapv2, 4);
  if (session.at === 'running') return response(id, TYPE.mschapv2, 3);
  if (session.state.method === 'gtc') return response(id, TYPE.gtc, text('correct horse'));
  return response(id, TYPE.mschapv2, msChapAnswer(packet, 'alice', 'correct horse'));
}

const D = 'discard';
const Q = 'request';
const R = 'rejecting';
const S = 'success';
const F = 'failure';

/** What each message does in: identity, offered (MSCHAPv2), gtc, proven, rejected. */
const expected: Record<keyof typeof messages, readonly EapStep['kind'][]> = {
  'no octets': [D, D, D, D, D],
  'three octets': [D, D, D, D, D],
  'a length beyond the packet': [D, D, D, D, D],
  'a length below the header': [D, D, D, D, D],
  'a response without a type': [D, D, D, D, D],
  'code 0': [D, D, D, D, D],
  'a request': [D, D, D, D, D],
  Success: [D, D, D, D, D],
  Failure: [D, D, D, D, D],
  'code 5': [D, D, D, D, D],
  'the right answer under another identifier': [D, D, D, D, D],
  'the right answer under the last identifier': [D, D, D, D, D],
  'the right answer': [Q, Q, S, S, F],
  'an identity': [Q, D, D, D, D],
  'no identity': [Q, D, D, D, D],
  'a notification': [D, D, D, D, D],
  'Nak for GTC': [D, Q, F, D, D],
  'Nak for MSCHAPv2': [D, F, F, D, D],
  'Nak for TLS': [D, F, F, D, D],
  'Nak for TLS, then GTC': [D, Q, F, D, D],
  'Nak without alternative': [D, F, F, D, D],
  'Nak that says nothing': [D, F, F, D, D],
  'expanded Nak for GTC': [D, Q, F, D, D],
  'expanded Nak without alternative': [D, F, F, D, D],
  'expanded Nak for a vendor type': [D, F, F, D, D],
  'an expanded type that is no Nak': [D, D, D, D, D],
  'an expanded type cut short': [D, D, D, D, D],
  'an MD5 answer': [D, D, D, D, D],
  'a TLS answer': [D, D, D, D, D],
  'a right MSCHAPv2 response': [D, Q, D, F, F],
  'a wrong MSCHAPv2 response': [D, R, D, F, F],
  'MSCHAPv2 without an opcode': [D, F, D, F, F],
  'MSCHAPv2 challenge': [D, F, D, F, F],
  'MSCHAPv2 success': [D, F, D, S, F],
  'MSCHAPv2 failure': [D, F, D, F, F],
  'MSCHAPv2 change of password': [D, F, D, F, F],
  'MSCHAPv2 opcode 255': [D, F, D, F, F],
  'the password': [D, D, S, D, D],
  'another password': [D, D, F, D, D],
  'no password': [D, D, F, D, D],
};

describe('EAP server: every message in every state (RFC 3748 §4)', () => {
  const cells = Object.entries(messages).flatMap(([name, make]) =>
    Object.entries(scenes).map(([state, scene], column) => ({ name, state, scene, make, column })),
  );

  it.each(cells)('$state: $name', ({ name, scene, make, column }) => {
    const step = respondEap(rules, scene.session, make(scene));
    expect(step.kind).toBe(expected[name as keyof typeof messages][column]); // a key of the same object
    if (step.kind === 'request' || step.kind === 'rejecting') {
      const id = (scene.session.id + 1) & 0xff;
      expect(step.session.id).toBe(id);
      expect([...step.packet.subarray(0, 2)]).toEqual([1, id]);
    }
    if (step.kind === 'success') expect([...step.packet]).toEqual([3, scene.session.id, 0, 4]);
    if (step.kind === 'failure') expect([...step.packet]).toEqual([4, scene.session.id, 0, 4]);
  });

  it('only the states after the identity round know a user', () => {
    expect(Object.values(scenes).map(({ session }) => ('user' in session ? session.user : undefined))).toEqual([
      undefined,
      ...new Array(4).fill('alice'),
    ]);
  });
});
