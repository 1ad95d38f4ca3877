/** MS-CHAPv2 and MPPE keys: RFC 2759 §9.2 and RFC 3079 §3.5.3. */
import { expect } from 'vitest';
import { authenticatorResponse, challengeHash, md4, msk, ntPasswordHash, ntResponse } from '../../crypto/index.ts';
import { Secret } from '../../crypto/secret.ts';
import { hex, unhex } from '../../src/wire/index.ts';

export const file = 'rfc2759-mschapv2.json';

type Data = Readonly<
  Record<
    | 'userName'
    | 'password'
    | 'authenticatorChallenge'
    | 'peerChallenge'
    | 'challenge'
    | 'passwordHash'
    | 'passwordHashHash'
    | 'ntResponse'
    | 'authenticatorResponse'
    | 'sendStartKey128',
    string
  >
>;

export function run(data: Data): void {
  const round = {
    authenticatorChallenge: unhex(data.authenticatorChallenge),
    peerChallenge: unhex(data.peerChallenge),
    userName: new TextEncoder().encode(data.userName),
  };
  const passwordHash = ntPasswordHash(Secret.utf8(data.password));
  const response = ntResponse(round, passwordHash);
  const same = (octets: Uint8Array, digits: string) => expect(hex(octets)).toBe(digits.toLowerCase());

  same(challengeHash(round), data.challenge);
  same(passwordHash.expose(), data.passwordHash);
  same(md4(passwordHash.expose()), data.passwordHashHash);
  same(response, data.ntResponse);
  expect(authenticatorResponse(round, passwordHash, response)).toBe(data.authenticatorResponse);
  const key = msk(passwordHash, response).expose();
  same(key.subarray(16, 32), data.sendStartKey128);
  same(key.subarray(32), '00'.repeat(32));
}
