/**
 * The other end of the EAP server: makes a client's packets by hand, from RFC 3748 §4 and the MS-CHAPv2 packet pictures.
 * It shares the hash primitives with the server (they have vectors of their own) and nothing else.
 */
import { ntPasswordHash, ntResponse } from '../../../crypto/index.ts';
import { Secret } from '../../../crypto/secret.ts';
import type { EapPolicy, EapUser } from '../../../src/eap/index.ts';

export const TYPE = { identity: 1, notification: 2, nak: 3, md5: 4, gtc: 6, tls: 13, mschapv2: 26, expanded: 254 } as const;

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** A response packet of a client. */
export function response(id: number, type: number, ...data: readonly (Uint8Array | number)[]): Uint8Array {
  return raw(2, id, type, ...data);
}

/** A packet of any code, with a true length. */
export function raw(code: number, id: number, ...data: readonly (Uint8Array | number)[]): Uint8Array {
  const body = data.flatMap((part) => (typeof part === 'number' ? [part] : [...part]));
  const length = 4 + body.length;
  return Uint8Array.of(code, id, length >> 8, length & 0xff, ...body);
}

/** The data of an MSCHAPv2 response (after the type octet) to this request packet. */
export function msChapAnswer(
  request: Uint8Array,
  name: string,
  password: string,
  change: Partial<MsChapFields> = {},
): Uint8Array {
  const challenge = request.subarray(10, 26);
  const peerChallenge = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
  const userName = text(name.slice(name.lastIndexOf('\\') + 1));
  const round = { authenticatorChallenge: challenge, peerChallenge, userName };
  const fields: MsChapFields = {
    opCode: 2,
    id: request[6] ?? 0,
    length: 54 + text(name).length,
    valueSize: 49,
    ntResponse: ntResponse(round, ntPasswordHash(Secret.utf8(password))),
    name: text(name),
    ...change,
  };
  return Uint8Array.of(
    ...[fields.opCode, fields.id, fields.length >> 8, fields.length & 0xff, fields.valueSize],
    ...[...peerChallenge, ...new Uint8Array(8), ...fields.ntResponse, 0, ...fields.name],
  );
}

type MsChapFields = {
  readonly opCode: number;
  readonly id: number;
  readonly length: number;
  readonly valueSize: number;
  readonly ntResponse: Uint8Array;
  readonly name: Uint8Array;
};

export const ALICE: EapUser = { name: 'alice', password: Secret.utf8('correct horse'), group: 'staff' };
export const NOBODY: EapUser = { name: 'nobody', password: Secret.utf8(''), group: 'staff' };

/** A policy with one user and octets that count up, so that every run is the same. */
export function policy(change: Partial<EapPolicy> = {}): EapPolicy {
  let next = 0x40;
  return {
    methods: ['mschapv2', 'gtc'],
    find: (name) => [ALICE, NOBODY].find((user) => user.name === name),
    random: (octets) => Uint8Array.from({ length: octets }, () => next++ & 0xff),
    ...change,
  };
}
