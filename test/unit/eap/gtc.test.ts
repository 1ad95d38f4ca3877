import { describe, expect, it } from 'vitest';
import { beginEap, respondEap } from '../../../src/eap/index.ts';
import { ALICE, policy, response, TYPE, text } from './peer.ts';

const rules = policy({ methods: ['gtc'] });

function login(identity: string, password: Uint8Array) {
  const { session } = beginEap(rules, identity);
  return respondEap(rules, session, response(session.id, TYPE.gtc, password));
}

describe('EAP-GTC server (RFC 3748 §5.6)', () => {
  it('prompts for the password', () => {
    const { packet } = beginEap(rules, 'alice');
    expect(String.fromCharCode(...packet.subarray(5))).toBe('Password: ');
    expect(packet[4]).toBe(TYPE.gtc);
  });

  it('passes the right password and makes no key', () => {
    const step = login('alice', text('correct horse'));
    expect(step).toMatchObject({ kind: 'success', user: 'alice', group: 'staff', method: 'gtc', msk: undefined });
  });

  it.each([
    ['another password', 'correct horsE', 'wrong password'],
    ['the beginning of the password', 'correct hors', 'wrong password'],
    ['the password and a terminator', 'correct horse\0', 'wrong password'],
    ['nothing', '', 'wrong password'],
  ])('refuses %s', (_, password, why) => {
    expect(login('alice', text(password))).toMatchObject({ kind: 'failure', user: 'alice', why });
  });

  it('refuses who is not a user, and a user without a password', () => {
    expect(login('mallory', text('correct horse'))).toMatchObject({ kind: 'failure', why: 'no such user here' });
    expect(login('nobody', text(''))).toMatchObject({ kind: 'failure', why: 'no such user here' });
  });

  it('refuses an answer beyond 1024 octets unread', () => {
    let asked = 0;
    const find = () => {
      asked++;
      return ALICE;
    };
    const counting = policy({ methods: ['gtc'], find });
    const { session } = beginEap(counting, 'alice');
    const step = respondEap(counting, session, response(session.id, TYPE.gtc, new Uint8Array(1025)));
    expect(step).toMatchObject({ kind: 'failure', why: 'GTC answer of 1025 octets' });
    expect(asked).toBe(0);
  });

  it('tells the client nothing more than Failure', () => {
    const packets = [login('alice', text('x')), login('mallory', text('x'))].map(
      (step) => 'packet' in step && [...step.packet.slice(2)],
    );
    expect(packets).toEqual([
      [0, 4],
      [0, 4],
    ]);
  });
});
