import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginEap, type EapSession, respondEap } from '../../src/eap/index.ts';
import { msChapAnswer, policy, raw, response, TYPE, text } from '../unit/eap/peer.ts';

const seed = 20260117;

/** A move of a client that does not know the password; it knows the outstanding request, as every client does. */
const move = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((octets) => () => octets),
  fc.tuple(fc.nat(6), fc.uint8Array({ maxLength: 70 })).map(
    ([code, data]) =>
      (id: number) =>
        raw(code, id, data),
  ),
  fc.tuple(fc.constantFrom(1, 2, 3, 4, 6, 13, 26, 254), fc.uint8Array({ maxLength: 70 })).map(
    ([type, data]) =>
      (id: number) =>
        response(id, type, data),
  ),
  fc.constantFrom(TYPE.gtc, TYPE.mschapv2).map((wanted) => (id: number) => response(id, TYPE.nak, wanted)),
  fc.constantFrom(1, 2, 3, 4, 7).map((opCode) => (id: number) => response(id, TYPE.mschapv2, opCode)),
  fc.constantFrom('alice', 'nobody', 'mallory', '').map((name) => (id: number) => response(id, TYPE.identity, text(name))),
  fc.tuple(fc.constantFrom('alice', 'nobody', ''), fc.constantFrom('', 'alice', 'correct hors')).map(
    ([name, password]) =>
      (id: number, request: Uint8Array) =>
        response(id, TYPE.mschapv2, msChapAnswer(request, name, password)),
  ),
  fc.constantFrom('', 'alice', 'correct hors').map((password) => (id: number) => response(id, TYPE.gtc, text(password))),
);

describe('EAP server, whatever the client does', () => {
  it('never succeeds for a client that does not know the password, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(undefined, 'alice', 'nobody', ''), fc.array(move, { maxLength: 12 }), (identity, moves) => {
        const rules = policy();
        let { session, packet }: { session: EapSession; packet: Uint8Array } = beginEap(rules, identity);
        for (const make of moves) {
          const step = respondEap(rules, session, make(session.id, packet));
          expect(step.kind).not.toBe('success');
          if (step.kind === 'failure') break;
          if (step.kind === 'request' || step.kind === 'rejecting') ({ session, packet } = step);
        }
      }),
      { seed, numRuns: 500 },
    );
  });

  it('ends after at most five requests, counting the identity round', () => {
    fc.assert(
      fc.property(fc.array(move, { minLength: 30, maxLength: 60 }), (moves) => {
        const rules = policy();
        let { session, packet }: { session: EapSession; packet: Uint8Array } = beginEap(rules, undefined);
        let requests = 1;
        for (const make of moves) {
          const step = respondEap(rules, session, make(session.id, packet));
          if (step.kind === 'failure') break;
          if (step.kind !== 'request' && step.kind !== 'rejecting') continue;
          ({ session, packet } = step);
          requests++;
        }
        expect(requests).toBeLessThanOrEqual(5);
      }),
      { seed, numRuns: 200 },
    );
  });

  it('a flipped bit anywhere in the proving response never succeeds at once, and only outside the proof goes on', () => {
    const rules = policy();
    const { session, packet } = beginEap(rules, 'alice');
    const right = response(session.id, TYPE.mschapv2, msChapAnswer(packet, 'alice', 'correct horse'));
    const goesOn = new Set<number>();
    for (let bit = 0; bit < right.length * 8; bit++) {
      const octets = right.slice();
      octets[bit >> 3] = (octets[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { kind } = respondEap(rules, session, octets);
      expect(kind).not.toBe('success');
      if (kind === 'request') goesOn.add(bit >> 3);
    }
    // The MS-CHAPv2-ID, which is echoed; the reserved octets and the flags, which nobody reads.
    expect([...goesOn].sort((a, b) => a - b)).toEqual([6, 26, 27, 28, 29, 30, 31, 32, 33, 58]);
  });
});
