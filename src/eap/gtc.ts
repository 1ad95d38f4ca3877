/**
 * EAP-GTC, Generic Token Card, the server's side (RFC 3748 §5.6): a prompt, and the password in the clear as its answer.
 * It makes no key, so nothing binds it to the tunnel that carries it: fit only behind a gateway that has proven itself by
 * certificate (§2.16).
 */
import { constantTimeEqual } from '../../crypto/index.ts';
import { Secret } from '../../crypto/secret.ts';
import type { Bench, MethodStep } from './method.ts';
import { lookUp } from './users.ts';

export type GtcState = { readonly method: 'gtc' };

/** The first and only request. */
export function begin(): { readonly state: GtcState; readonly data: Uint8Array } {
  return { state: { method: 'gtc' }, data: PROMPT };
}

/** Judges the data of a response of type 6, which is the password. */
export function respond(bench: Bench, data: Uint8Array): MethodStep<GtcState> {
  if (data.length > MAX_PASSWORD) return { kind: 'fail', why: `GTC answer of ${data.length} octets` };
  const user = lookUp(bench.find, bench.identity);
  // A user that does not exist has a password too, one that nobody knows: both names cost one comparison.
  const password = user?.password ?? Secret.of(bench.random(14));
  const [given, expected] = [roomFor(data), roomFor(password.expose())];
  const rightAnswer = constantTimeEqual(given, expected);
  for (const room of [given, expected]) room.fill(0);
  if (user === undefined) return { kind: 'fail', why: 'no such user here' };
  if (!rightAnswer) return { kind: 'fail', why: 'wrong password' };
  return { kind: 'pass', user, msk: undefined };
}

/** Every password in as much room, so that the comparison takes as long whatever its length. */
function roomFor(password: Uint8Array): Uint8Array {
  const room = new Uint8Array(MAX_PASSWORD + 2);
  room.set(password.subarray(0, MAX_PASSWORD));
  room[MAX_PASSWORD] = password.length >> 8;
  room[MAX_PASSWORD + 1] = password.length & 0xff;
  return room;
}

/** 256 characters in UTF-8. */
const MAX_PASSWORD = 1024;
const PROMPT = new TextEncoder().encode('Password: ');
