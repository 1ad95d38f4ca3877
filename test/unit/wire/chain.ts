/** Helpers of the wire tests: one payload as octets and back. */
import { expect } from 'vitest';
import { concat, decodePayloads, encodePayloads, hex, Malformed, type Payload, unhex } from '../../../src/wire/index.ts';

/** a chain of one payload: generic header, then the body given as hex digits */
export function chainOf(body: string): Uint8Array {
  const octets = unhex(body);
  const length = octets.length + 4;
  return concat(Uint8Array.of(0, 0, length >> 8, length & 0xff), octets);
}

/** the payload of this type whose body is given as hex digits */
export function read(type: number, body: string): Payload {
  const [payload] = decodePayloads(type, chainOf(body));
  if (payload === undefined) throw new Error('no payload');
  return payload;
}

/** hex digits of a payload's body */
export function written(payload: Payload): string {
  return hex(encodePayloads([payload]).octets.subarray(4));
}

/** The two are one another's encoding. */
export function expectPair(type: number, body: string, payload: Payload): void {
  expect(read(type, body)).toEqual(payload);
  expect(written(payload)).toBe(hex(unhex(body)));
  expect(encodePayloads([payload]).first).toBe(type);
}

export function expectMalformed(type: number, body: string): void {
  expect(() => read(type, body)).toThrow(Malformed);
}

/** n octets: 1, 2, 3, … */
export function count(n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => i + 1);
}
