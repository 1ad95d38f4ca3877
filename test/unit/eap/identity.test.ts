import { describe, expect, it } from 'vitest';
import { beginEap, respondEap } from '../../../src/eap/index.ts';
import { ALICE, msChapAnswer, policy, response, TYPE, text } from './peer.ts';

describe('EAP identity (RFC 3748 §5.1)', () => {
  it('is asked for with a random identifier and no text', () => {
    const { session, packet } = beginEap(policy({ random: () => Uint8Array.of(0x9c) }), undefined);
    expect(session).toEqual({ at: 'identity', id: 0x9c });
    expect([...packet]).toEqual([1, 0x9c, 0, 5, 1]);
  });

  it('is not asked for when IDi is the user', () => {
    const { session } = beginEap(policy(), 'alice');
    expect(session).toMatchObject({ at: 'offered', user: 'alice' });
  });

  it('the identifier of the next request goes round after 255', () => {
    const rules = policy({ random: (n) => new Uint8Array(n).fill(0xff) });
    const { session } = beginEap(rules, undefined);
    const step = respondEap(rules, session, response(0xff, TYPE.identity, text('alice')));
    expect(step.kind === 'request' && step.session.id).toBe(0);
  });

  it('that is empty falls back to IDi', () => {
    const rules = policy({ fallbackIdentity: 'alice' });
    const { session } = beginEap(rules, undefined);
    const step = respondEap(rules, session, response(session.id, TYPE.identity));
    expect(step).toMatchObject({ kind: 'request', user: 'alice' });
  });

  it('that is given wins over IDi', () => {
    const rules = policy({ fallbackIdentity: '10.1.1.7' });
    const { session } = beginEap(rules, undefined);
    const step = respondEap(rules, session, response(session.id, TYPE.identity, text('alice')));
    expect(step).toMatchObject({ kind: 'request', user: 'alice' });
  });

  it.each([
    ['empty and without a fallback', new Uint8Array(0)],
    ['longer than 256 octets', new Uint8Array(257).fill(0x61)],
    ['no UTF-8', Uint8Array.of(0x61, 0xff)],
  ])('that is %s belongs to nobody, and the client is not told before its password', (_, identity) => {
    const seen: string[] = [];
    const find = (name: string) => {
      seen.push(name);
      return name === '' ? undefined : ALICE;
    };
    const rules = policy({ find });
    const { session } = beginEap(rules, undefined);
    const step = respondEap(rules, session, response(session.id, TYPE.identity, identity));
    if (step.kind !== 'request') throw new Error(step.kind);
    expect(step.user).toBe('');
    const answer = response(step.session.id, TYPE.mschapv2, msChapAnswer(step.packet, '', 'correct horse'));
    expect(respondEap(rules, step.session, answer)).toMatchObject({ kind: 'rejecting', why: 'no such user here' });
    expect(new Set(seen)).toEqual(new Set(['']));
  });

  it('is shown without control characters', () => {
    const rules = policy();
    const { session } = beginEap(rules, undefined);
    const step = respondEap(rules, session, response(session.id, TYPE.identity, text('a\r\n\u001b[2Jb')));
    expect(step.kind === 'request' && step.user).toMatch(/^[\x20-\x7e]+$/);
  });

  it('with no method allowed ends in Failure', () => {
    const rules = policy({ methods: [] });
    for (const known of ['alice', undefined]) {
      const { session } = beginEap(rules, known);
      const step = respondEap(rules, session, response(session.id, TYPE.identity, text('alice')));
      expect(step).toMatchObject({ kind: 'failure', why: 'no EAP method is allowed here' });
    }
  });
});

describe('EAP Nak (RFC 3748 §5.3)', () => {
  it('names in the reason what the client wants instead', () => {
    const rules = policy({ methods: ['mschapv2'] });
    const { session } = beginEap(rules, 'alice');
    const wants = (...types: number[]) => respondEap(rules, session, response(session.id, TYPE.nak, ...types));
    expect(wants(13, 21)).toMatchObject({ kind: 'failure', why: 'the client refuses mschapv2 and wants EAP type TLS, TTLS' });
    expect(wants(0)).toMatchObject({ kind: 'failure', why: 'the client refuses mschapv2 and wants no other method' });
    expect(wants(TYPE.gtc)).toMatchObject({ kind: 'failure', why: 'the client refuses mschapv2 and wants EAP type GTC' });
  });

  it('does not repeat more than sixteen wishes', () => {
    const rules = policy({ methods: ['mschapv2'] });
    const { session } = beginEap(rules, 'alice');
    const step = respondEap(rules, session, response(session.id, TYPE.nak, new Uint8Array(1000).fill(99)));
    expect(step.kind === 'failure' && step.why.split(',').length).toBe(16);
  });

  it('is followed by the first method of its list that is allowed', () => {
    const rules = policy({ methods: ['gtc', 'mschapv2'] });
    const { session, packet } = beginEap(rules, 'alice');
    expect(packet[4]).toBe(TYPE.gtc);
    const step = respondEap(rules, session, response(session.id, TYPE.nak, TYPE.tls, TYPE.mschapv2, TYPE.gtc));
    expect(step.kind === 'request' && step.packet[4]).toBe(TYPE.mschapv2);
  });
});
