/**
 * What holds for all octets and all values on the wire (RFC 7296 §3): writing and reading undo one another, damage is
 * Malformed or reads as something that is written and read again the same, and printing never throws nor lets a control
 * character through.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressOctets,
  addressText,
  classify,
  decodeEap,
  decodeHeader,
  decodeMessage,
  decodePayloads,
  describeIdentity,
  describePayloads,
  type EapPacket,
  encodeEap,
  encodeMessage,
  encodePayloads,
  frame,
  ikeSpi,
  Malformed,
  type Notify,
  notify,
  type Payload,
  type Proposal,
  parseClientClaims,
  payloadType,
  printable,
  type TrafficSelector,
  type Transform,
} from '../../src/wire/index.ts';

const fixed = { seed: 7296, numRuns: 200 };

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const octets = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const data = octets(0, 40);

const attribute = fc.oneof(
  fc.record({ type: fc.integer({ min: 15, max: 0x7fff }), short: fc.constant(true), value: octets(2) }),
  fc.record({ type: fc.nat(0x7fff), short: fc.constant(false), value: octets(0, 6) }),
);
const transform: fc.Arbitrary<Transform> = fc.oneof(
  fc.record({ type: u8, id: u16, keyLength: fc.oneof(fc.constant(0), u16) }),
  fc.record({ type: u8, id: u16, keyLength: u16, unknown: fc.array(attribute, { minLength: 1, maxLength: 8 }) }),
);
const proposal: fc.Arbitrary<Proposal> = fc
  .tuple(
    fc.oneof(
      fc.record({ protocol: fc.constant(1), spi: fc.oneof(octets(0), octets(8)) }),
      fc.record({ protocol: fc.constantFrom(2, 3), spi: octets(4) }),
      fc.record({ protocol: fc.integer({ min: 4, max: 255 }), spi: octets(0, 9) }),
    ),
    fc.record({ number: u8, transforms: fc.array(transform, { maxLength: 6 }) }),
  )
  .map(([head, rest]) => ({ ...head, ...rest }));

const selector: fc.Arbitrary<TrafficSelector> = fc.oneof(
  range(7, 4),
  range(8, 16),
  fc.record({
    type: is('other'),
    number: u8.filter((n) => n !== 7 && n !== 8),
    protocol: u8,
    data,
  }),
);

const deletion = fc.oneof(
  fc.record({
    kind: is('D'),
    protocol: fc.constantFrom(2, 3),
    spiSize: fc.constant(4),
    spis: fc.array(octets(4), { maxLength: 5 }),
  }),
  fc.record({ kind: is('D'), protocol: fc.constant(1), spiSize: fc.constant(0), spis: fc.constant([]) }),
);

const target = fc.record({ protocol: u8, spi: octets(0, 8) });
const notification: fc.Arbitrary<Notify> = fc.oneof(
  target.map((t) => notify('INITIAL_CONTACT', undefined, t)),
  fc.tuple(u16, target).map(([group, t]) => notify('INVALID_KE_PAYLOAD', group, t)),
  fc.tuple(u8, target).map(([id, t]) => notify('VPN_NETWORK_ID', id, t)),
  fc.tuple(u32, target).map(([size, t]) => notify('SET_WINDOW_SIZE', size, t)),
  fc.tuple(fc.array(u16, { maxLength: 64 }), target).map(([hashes, t]) => notify('SIGNATURE_HASH_ALGORITHMS', hashes, t)),
  octets(1, 64).map((cookie) => notify('COOKIE', cookie)),
  data.map((claims) => notify('FORTICLIENT_CONNECT', claims)),
  fc.record({
    kind: is('N'),
    name: is('UNKNOWN'),
    type: fc.oneof(fc.integer({ min: 8192, max: 16383 }), fc.integer({ min: 40960, max: 61000 })),
    protocol: u8,
    spi: octets(0, 20),
    data,
  }),
);

/** one arbitrary for every kind of payload: a new kind that is missing here does not compile */
const kinds: { readonly [K in Payload['kind']]: fc.Arbitrary<Extract<Payload, { kind: K }>> } = {
  SA: fc.record({ kind: is('SA'), proposals: fc.array(proposal, { minLength: 1, maxLength: 4 }) }),
  KE: fc.record({ kind: is('KE'), group: u16, data }),
  NONCE: fc.record({ kind: is('NONCE'), data: octets(16, 64) }),
  IDi: fc.record({ kind: is('IDi'), idType: u8, data }),
  IDr: fc.record({ kind: is('IDr'), idType: u8, data }),
  CERT: fc.record({ kind: is('CERT'), encoding: u8, data }),
  CERTREQ: fc.record({ kind: is('CERTREQ'), encoding: u8, data }),
  AUTH: fc.record({ kind: is('AUTH'), method: u8, data }),
  N: notification,
  D: deletion,
  V: fc.record({ kind: is('V'), data }),
  TSi: fc.record({ kind: is('TSi'), selectors: fc.array(selector, { minLength: 1, maxLength: 5 }) }),
  TSr: fc.record({ kind: is('TSr'), selectors: fc.array(selector, { minLength: 1, maxLength: 5 }) }),
  CP: fc.record({
    kind: is('CP'),
    cfgType: u8,
    attributes: fc.array(fc.record({ type: fc.nat(0x7fff), value: data }), { maxLength: 10 }),
  }),
  EAP: fc.record({ kind: is('EAP'), data }),
  UNKNOWN: fc.record({
    kind: is('UNKNOWN'),
    type: fc.oneof(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 54, max: 255 })),
    critical: fc.boolean(),
    data,
  }),
};
const payloads = fc.array(fc.oneof(...Object.values<fc.Arbitrary<Payload>>(kinds)), { maxLength: 8 });

const spi = octets(8).map(ikeSpi);
const envelope = fc.record({
  SPIi: spi,
  SPIr: spi,
  exchange: u8,
  initiator: fc.boolean(),
  response: fc.boolean(),
  messageId: u32,
});

describe('writing and reading', () => {
  it.each(Object.entries<fc.Arbitrary<Payload>>(kinds))('%s: what is written is read', (_, payload) => {
    fc.assert(
      fc.property(payload, (value) => {
        const { first, octets } = encodePayloads([value]);
        expect(first).toBe(payloadType(value));
        expect(decodePayloads(first, octets)).toEqual([value]);
      }),
      fixed,
    );
  });

  it('a message: what is written is read', () => {
    fc.assert(
      fc.property(envelope, payloads, (head, values) => {
        const octets = encodeMessage(head, values);
        const header = decodeHeader(octets);
        expect(header).toMatchObject({ ...head, major: 2, minor: 0, length: octets.length });
        expect(decodeMessage(octets, header)).toEqual({ header, payloads: values, sealed: undefined });
      }),
      fixed,
    );
  });

  it('a frame: what is framed is found', () => {
    const fragment = fc
      .tuple(fc.integer({ min: 1, max: 255 }), fc.nat(254))
      .map(([total, n]) => ({ number: 1 + (n % total), total }));
    fc.assert(
      fc.property(envelope, u8, fc.nat(2000), fc.option(fragment, { nil: undefined }), (head, first, length, part) => {
        const { octets, body } = frame(head, first, length, part);
        expect(octets.length).toBe(body + length);
        expect(octets.subarray(body)).toEqual(new Uint8Array(length));
        expect(decodeMessage(octets, decodeHeader(octets)).sealed).toEqual({
          kind: part === undefined ? 'SK' : 'SKF',
          first: part !== undefined && part.number > 1 ? 0 : first,
          body,
          fragment: part?.number ?? 0,
          fragments: part?.total ?? 0,
        });
      }),
      fixed,
    );
  });

  it('an EAP packet: what is written is read', () => {
    const packet: fc.Arbitrary<EapPacket> = fc.oneof(
      fc.record({ code: fc.constantFrom(1, 2), id: u8, type: u8, data }),
      fc.record({ code: fc.constantFrom(3, 4), id: u8 }),
    );
    fc.assert(
      fc.property(packet, (value) => {
        expect(decodeEap(encodeEap(value))).toEqual(value);
      }),
      fixed,
    );
  });

  it('an address: its text is read as the same octets', () => {
    const zeros = fc.array(fc.constantFrom(0, 0, 1, 0xff), { minLength: 16, maxLength: 16 }).map((a) => Uint8Array.from(a));
    fc.assert(
      fc.property(fc.oneof(octets(4), octets(16), zeros), (address) => {
        expect(addressOctets(addressText(address))).toEqual(address);
      }),
      fixed,
    );
  });
});

describe('damage', () => {
  it('every cut of a chain is Malformed', () => {
    fc.assert(
      fc.property(payloads, (values) => {
        const { first, octets } = encodePayloads(values);
        for (let length = 0; length < octets.length; length++) {
          if (onlyMalformed(() => decodePayloads(first, octets.subarray(0, length))) !== undefined)
            expect.fail(`cut at ${length}`);
        }
      }),
      { ...fixed, numRuns: 60 },
    );
  });

  it.each(Object.entries<fc.Arbitrary<Payload>>(kinds))(
    '%s: every flipped bit is Malformed, or reads as something stable',
    (_, payload) => {
      fc.assert(
        fc.property(payload, (value) => {
          const { first, octets } = encodePayloads([value]);
          for (let bit = 0; bit < 8 * octets.length; bit++) {
            const damaged = octets.slice();
            damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
            expectStable(first, damaged);
          }
        }),
        { ...fixed, numRuns: 15 },
      );
    },
  );

  it('a chain with many wrong octets is Malformed, or reads as something stable', () => {
    const wrongs = fc.array(fc.tuple(fc.nat(400), u8), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(payloads, wrongs, (values, places) => {
        const { first, octets } = encodePayloads(values);
        for (const [at, octet] of places) if (octets.length > 0) octets[at % octets.length] = octet;
        expectStable(first, octets);
      }),
      { ...fixed, numRuns: 1000 },
    );
  });

  it('any octets under any payload type are Malformed, or read as something stable', () => {
    fc.assert(
      fc.property(u8, octets(0, 60), (type, body) => {
        const length = body.length + 4;
        expectStable(type, Uint8Array.of(0, 0, length >> 8, length & 0xff, ...body));
      }),
      { ...fixed, numRuns: 3000 },
    );
  });

  it('any octets as a datagram: nothing but Malformed is thrown', () => {
    fc.assert(
      fc.property(octets(0, 80), fc.boolean(), (datagram, natt) => {
        const found = classify(datagram, natt);
        if (found.kind !== 'ike') return;
        onlyMalformed(() => decodeHeader(found.octets));
        found.octets.set([0, 0, 0, found.octets.length], 24); // let it pass the length check
        onlyMalformed(() => decodeMessage(found.octets, decodeHeader(found.octets)));
      }),
      { ...fixed, numRuns: 1000 },
    );
  });

  it('any octets as EAP: nothing but Malformed is thrown', () => {
    fc.assert(
      fc.property(octets(0, 20), (packet) => {
        onlyMalformed(() => decodeEap(packet));
      }),
      { ...fixed, numRuns: 1000 },
    );
  });
});

describe('printing what a peer sent', () => {
  const clean = /^\P{C}*$/u;
  const text = fc.oneof(
    octets(0, 400),
    fc.string({ unit: 'binary' }).map((s) => new TextEncoder().encode(s)),
  );

  it('any identity: one bounded line', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(1, 2, 3, 5, 9, 10, 11, 13), u16), text, (idType, value) => {
        const shown = describeIdentity(idType, value);
        expect(shown.type).toMatch(/^[A-Z0-9_]+$/);
        expect(shown.text).toMatch(clean);
        expect(shown.text.length).toBeLessThanOrEqual(512);
      }),
      { ...fixed, numRuns: 500 },
    );
  });

  it('any payloads: one line', () => {
    fc.assert(
      fc.property(payloads, (values) => {
        const line = describePayloads(values);
        expect(line).toMatch(/^[A-Za-z0-9_() ]*$/);
        expect(line === '' ? 0 : line.split(' ').length).toBe(values.length);
      }),
      fixed,
    );
  });

  it('any text: bounded, without control characters', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), fc.integer({ min: 1, max: 60 }), (value, max) => {
        const shown = printable(value, max);
        expect(shown).toMatch(clean);
        expect(shown.length).toBeLessThanOrEqual(max);
      }),
      { ...fixed, numRuns: 1000 },
    );
  });

  it('any claims: every field is one bounded line', () => {
    const line = fc.oneof(
      fc.tuple(fc.constantFrom('UID', 'HOST', 'X', 'ike V=root'), fc.string({ unit: 'binary' })).map((kv) => kv.join('=')),
      fc.string(),
    );
    const claims = fc.array(line, { maxLength: 50 }).map((lines) => new TextEncoder().encode(lines.join('\n')));
    fc.assert(
      fc.property(fc.oneof(claims, text), (value) => {
        const { fields, raw } = parseClientClaims(value);
        for (const [key, field] of fields) {
          expect(key).toMatch(/^[A-Z][A-Z0-9_]{0,31}$/);
          expect(field).toMatch(clean);
          expect(field.length).toBeLessThanOrEqual(256);
        }
        for (const shown of raw === '' ? [] : raw.split('\n')) {
          expect(shown).toMatch(/^(\? |[A-Z][A-Z0-9_]{0,31}=)/);
          expect(shown).toMatch(clean);
        }
      }),
      { ...fixed, numRuns: 500 },
    );
  });
});

/** What is read, if it can be read, is written in a form that reads the same, and can be printed. */
function expectStable(first: number, octets: Uint8Array): void {
  const values = onlyMalformed(() => decodePayloads(first, octets));
  if (values === undefined) return;
  const again = encodePayloads(values);
  if (again.first !== first) expect.fail(`first payload ${again.first} for ${first}`);
  const reread = decodePayloads(again.first, again.octets);
  if (!isDeepStrictEqual(reread, values)) expect(reread).toEqual(values); // the matcher is slow, and needed for its words only
  describePayloads(values);
}

/** undefined when the step throws Malformed; anything else thrown is a failure */
function onlyMalformed<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function range(type: 7 | 8, size: number): fc.Arbitrary<TrafficSelector> {
  const address = octets(size);
  return fc.record({ type: is(type), protocol: u8, startPort: u16, endPort: u16, start: address, end: address });
}

function is<K extends string | number>(value: K): fc.Arbitrary<K> {
  return fc.constant(value);
}
