import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EspBackend } from '../../../crypto/esp.ts';
import { nodeEsp } from '../../../crypto/espNode.ts';
import { BAD, ESP_HEADER, type EspTransform, espSizes } from '../../../crypto/index.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { cipherSpecs } from '../../../crypto/suite.ts';
import { libcryptoEsp } from '../../support/libcrypto.ts';

const NULL = 11;
const backends = [nodeEsp, libcryptoEsp];
const transforms = [...cipherSpecs, ...[2, 12, 13, 14].map((integ) => ({ encr: NULL, keyLength: 0, integ }))].flatMap(
  ({ encr, keyLength, integ }) =>
    [false, true].map((esn) => {
      const sizes = existing(espSizes(encr, keyLength, integ));
      return {
        title: `${sizes.name} (${keyLength})${esn ? ' with ESN' : ''}`,
        transform: { encr, keyLength, integ, esn },
        sizes,
      };
    }),
);

/** One packet and where it lies; lengths that the transform can have. */
const cases = fc.record({
  seed: fc.integer({ min: 1, max: 0xffff }),
  units: fc.integer({ min: 0, max: 90 }),
  packetAt: fc.integer({ min: 0, max: 19 }),
  plaintextAt: fc.integer({ min: 0, max: 19 }),
  high: fc.integer({ min: 0, max: 0xffffffff }),
  inPlace: fc.boolean(),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

describe.each(transforms)('$title', ({ transform, sizes }) => {
  const start = ESP_HEADER + sizes.ivOctets;
  const lengthOf = (c: Case) => c.units * Math.max(4, sizes.blockOctets) - (sizes.blockOctets === 1 ? c.units % 4 : 0);

  it('both backends make the same packet, packet after packet, which @noble makes too, and open it', () => {
    const keys = [octets(sizes.encrKeyOctets, 11), octets(sizes.integKeyOctets, 12)] as const;
    const ends = backends.map((backend) => ends2(backend, transform, keys));
    fc.assert(
      fc.property(cases, (c) => {
        const length = lengthOf(c);
        const plaintext = octets(length, c.seed);
        const packets = ends.map(({ sealer }) => sealed(sealer, start, c, plaintext));
        const [first] = packets;
        for (const packet of packets) expect(packet).toEqual(first);
        if (length > 0) expect(existing(first)).toEqual(byNoble(transform, keys, existing(first), start, plaintext, c.high));
        for (const { opener } of ends) {
          const memory = new Uint8Array(existing(first).length + 4000);
          memory.set(existing(first), c.packetAt);
          const to = c.inPlace ? c.packetAt + start : 3000 + c.plaintextAt;
          expect(opener.open(memory, c.packetAt, existing(first).length, c.high, memory, to)).toBe(length);
          expect(memory.subarray(to, to + length)).toEqual(plaintext);
        }
      }),
      { seed: 7, numRuns: 40 },
    );
    for (const { sealer, opener } of ends) {
      sealer.dispose();
      opener.dispose();
    }
  });

  it.each(backends)('$name refuses every flipped bit, and leaves no plaintext; what is good afterwards passes', (backend) => {
    const keys = [octets(sizes.encrKeyOctets, 21), octets(sizes.integKeyOctets, 22)] as const;
    const { sealer, opener } = ends2(backend, transform, keys);
    const length = 32;
    const plaintext = octets(length, 23);
    const good = sealed(sealer, start, { seed: 5, packetAt: 0, plaintextAt: 0, high: 9, inPlace: false }, plaintext);
    const output = new Uint8Array(length);
    for (let bit = 0; bit < 8 * good.length; bit += 1) {
      const forged = good.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(opener.open(forged, 0, forged.length, 9, output, 0), `bit ${bit}`).toBe(BAD);
      expect(output.every((octet) => octet === 0)).toBe(true);
    }
    expect(opener.open(good, 0, good.length, transform.esn ? 10 : 9, output, 0)).toBe(transform.esn ? BAD : length);
    for (let cut = 0; cut < good.length; cut++) expect(opener.open(good, 0, cut, 9, output, 0), `${cut} octets`).toBe(BAD);
    expect(opener.open(good, 0, good.length, 9, output, 0)).toBe(length);
    expect(output).toEqual(plaintext);
    const place = good.slice();
    place[good.length - 1] = (place[good.length - 1] ?? 0) ^ 1;
    expect(opener.open(place, 0, place.length, 9, place, start)).toBe(BAD);
    if (transform.encr !== NULL) expect(Buffer.from(place).includes(plaintext.subarray(0, 16))).toBe(false);
  });
});

describe.each(backends)('ESP by $name', (backend) => {
  const transform = { encr: 20, keyLength: 256, integ: 0, esn: false };
  const sizes = existing(espSizes(20, 256, 0));
  const keys = [octets(sizes.encrKeyOctets, 1), new Uint8Array()] as const;

  it('takes no region outside its buffer, and none that overlaps', () => {
    const { sealer, opener } = ends2(backend, transform, keys);
    const [small, packet] = [new Uint8Array(40), new Uint8Array(100)];
    const bad: [Uint8Array, number, number, Uint8Array, number][] = [
      [small, 0, 41, packet, 0],
      [small, 1, 40, packet, 0],
      [small, -1, 10, packet, 0],
      [small, 0, -1, packet, 0],
      [small, 0.5, 10, packet, 0],
      [small, Number.NaN, 10, packet, 0],
      [small, 0, 40, packet, 29],
      [small, 0, 40, packet, -1],
      [packet, 8, 40, packet, 0],
      [packet, 20, 40, packet, 0],
      [new Uint8Array(80_000), 0, 70_000, new Uint8Array(80_000), 0],
    ];
    for (const [input, at, length, to, toAt] of bad)
      expect(() => sealer.seal(input, at, length, to, toAt, 0)).toThrow(RangeError);
    expect(() => opener.open(packet, 0, 101, 0, packet, 16)).toThrow(RangeError);
    expect(() => opener.open(packet, 0, 100, 0, small, 0)).toThrow(RangeError);
    expect(() => opener.open(packet, 0, 100, 0, packet, 12)).toThrow(RangeError);
    const moved = new Uint8Array(100);
    moved.buffer.transfer();
    expect(() => sealer.seal(small, 0, 40, moved, 0, 0)).toThrow(RangeError);
  });

  it('has its keys to itself, and none after the end', () => {
    const own = [keys[0].slice(), new Uint8Array()] as const;
    const { sealer, opener } = ends2(backend, transform, own);
    own[0].fill(0);
    const packet = new Uint8Array(16 + 32 + 16);
    expect(sealer.seal(new Uint8Array(32), 0, 32, packet, 0, 0)).toBe(64);
    expect(ends2(backend, transform, keys).opener.open(packet, 0, 64, 0, new Uint8Array(32), 0)).toBe(32);
    for (const one of [sealer, opener, sealer, opener]) one.dispose();
    expect(() => sealer.seal(new Uint8Array(32), 0, 32, packet, 0, 0)).toThrow('after it was disposed of');
    expect(() => opener.open(packet, 0, 64, 0, packet, 16)).toThrow('after it was disposed of');
  });

  it('knows no other transforms, and no keys of another length', () => {
    expect(backend.sealer({ ...transform, encr: 3 }, ...keys)).toBeUndefined();
    expect(backend.opener({ ...transform, encr: NULL, keyLength: 0 }, ...keys)).toBeUndefined();
    expect(() => backend.sealer(transform, new Uint8Array(32), keys[1])).toThrow(RangeError);
  });

  it('makes the packet of RFC 7634, appendix A', () => {
    const { answers } = JSON.parse(
      readFileSync(new URL('../../../vectors/rfc7634-chacha20-poly1305.json', import.meta.url), 'utf8'),
    );
    const { encrKey, aad, iv, plaintext, ciphertext, icv } = answers[0];
    const chacha = { encr: 28, keyLength: 0, integ: 0, esn: false };
    const sealer = existing(backend.sealer(chacha, Buffer.from(encrKey, 'hex'), new Uint8Array()));
    const packet = new Uint8Array(120);
    packet.set(Buffer.from(aad + iv, 'hex'));
    expect(sealer.seal(Buffer.from(plaintext, 'hex'), 0, plaintext.length / 2, packet, 0, 0)).toBe(120);
    expect(Buffer.from(packet).toString('hex')).toBe(aad + iv + ciphertext + icv);
  });
});

function ends2(backend: EspBackend, transform: EspTransform, keys: readonly [Uint8Array, Uint8Array]) {
  return { sealer: existing(backend.sealer(transform, ...keys)), opener: existing(backend.opener(transform, ...keys)) };
}

/** A packet with a header and an IV of its own, sealed where `c` says. */
function sealed(
  sealer: ReturnType<typeof ends2>['sealer'],
  start: number,
  c: Omit<Case, 'units'>,
  plaintext: Uint8Array,
): Uint8Array {
  const memory = new Uint8Array(c.packetAt + start + plaintext.length + 64);
  memory.set(octets(start, c.seed + 1), c.packetAt);
  const input = c.inPlace ? memory : new Uint8Array(c.plaintextAt + plaintext.length);
  const from = c.inPlace ? c.packetAt + start : c.plaintextAt;
  input.set(plaintext, from);
  const whole = sealer.seal(input, from, plaintext.length, memory, c.packetAt, c.high);
  if (!c.inPlace) expect(input.subarray(from)).toEqual(plaintext);
  expect(memory.subarray(c.packetAt + whole).every((octet) => octet === 0)).toBe(true);
  return memory.slice(c.packetAt, c.packetAt + whole);
}

/** The same packet by the second implementation: through its IKE cipher, whose header may be any octets. */
function byNoble(
  { encr, keyLength, integ, esn }: EspTransform,
  keys: readonly [Uint8Array, Uint8Array],
  packet: Uint8Array,
  start: number,
  plaintext: Uint8Array,
  high: number,
): Uint8Array {
  const upper = esn ? Uint8Array.of(high >>> 24, high >>> 16, high >>> 8, high) : new Uint8Array();
  const [spi, low, iv] = [packet.subarray(0, 4), packet.subarray(4, 8), packet.subarray(8, start)];
  if (integ === 0) {
    const cipher = existing(nobleBackend.cipher(encr, keyLength, 0));
    const aad = 8 + upper.length;
    const message = new Uint8Array(aad + iv.length + plaintext.length + cipher.icvOctets);
    message.set([...spi, ...upper, ...low]);
    cipher.sealer(...keys).seal(message, aad, plaintext, iv);
    return Uint8Array.from([...spi, ...low, ...message.subarray(aad)]);
  }
  const shown = existing(nobleBackend.cipher(12, encr === NULL ? 128 : keyLength, integ));
  let ciphertext = plaintext;
  if (encr !== NULL) {
    const message = new Uint8Array(16 + plaintext.length + shown.icvOctets);
    shown.sealer(...keys).seal(message, 0, plaintext, iv);
    ciphertext = message.slice(16, 16 + plaintext.length);
  }
  const covered = Uint8Array.from([...packet.subarray(0, start), ...ciphertext]);
  const prf = existing(nobleBackend.prf(existing(prfOf.get(integ))));
  return Uint8Array.from([...covered, ...prf.mac(keys[1], covered, upper).subarray(0, shown.icvOctets)]);
}

/** The PRF with the hash of an integrity transform. */
const prfOf = new Map([
  [2, 2],
  [12, 5],
  [13, 6],
  [14, 7],
]);

/** Octets that look random and are the same in every run. */
function octets(n: number, seed: number): Uint8Array {
  let state = seed * 2654435761;
  return Uint8Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

function existing<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not there');
  return value;
}
