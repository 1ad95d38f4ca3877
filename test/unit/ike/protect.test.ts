import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyRing } from '../../../src/ike/keys.ts';
import { type Channel, FRAGMENTS_MAX, payloadsOf, protect, unprotect } from '../../../src/ike/protect.ts';
import type { Basis } from '../../../src/ike/sa.ts';
import { Suites } from '../../../src/ike/world.ts';
import { decodeHeader, decodeMessage, ikeSpi, notify, type Payload } from '../../../src/wire/index.ts';

const suites = new Suites();
const gcm = suites.ike({ encr: 20, keyLength: 256, integ: 0, prf: 5, group: 31 });
const cbc = suites.ike({ encr: 12, keyLength: 256, integ: 12, prf: 5, group: 31 });
const chacha = suites.ike({ encr: 28, keyLength: 0, integ: 0, prf: 6, group: 31 });

const slot = Uint8Array.from({ length: 512 }, (_, i) => (i * 7 + 3) & 0xff);
const basis = (suite: Basis['suite'], initiator: boolean, fragmentation = true): Basis => ({
  SPIi: ikeSpi(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
  SPIr: ikeSpi(Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1)),
  initiator,
  id: 1,
  suite,
  keys: new KeyRing(slot.slice(), suite),
  fragmentation,
  natMe: false,
  natPeer: false,
  windows: false,
  born: 0,
});
const channel = (): Channel => ({ iv: 0, reassembly: undefined, answers: undefined });
const random = (n: number) => Uint8Array.from({ length: n }, (_, i) => 0xa0 + i);
const blob = (octets: number): readonly Payload[] => [
  { kind: 'V', data: Uint8Array.from({ length: octets }, (_, i) => i & 0xff) },
];

const seal = (suite: Basis['suite'], payloads: readonly Payload[], most = 0, messageId = 1, fragmentation = true) => {
  const { SPIi, SPIr } = basis(suite, true);
  const envelope = { SPIi, SPIr, exchange: 35, initiator: true, response: false, messageId };
  return protect(basis(suite, true, fragmentation), channel(), envelope, payloads, most, random);
};
const open = (suite: Basis['suite'], octets: Uint8Array, on: Channel = channel(), fragmentation = true, now = 0) => {
  const message = decodeMessage(octets, decodeHeader(octets));
  if (message.sealed === undefined) throw new Error('nothing sealed in there');
  return unprotect(basis(suite, false, fragmentation), on, octets, message, message.sealed, now);
};
const whole = (suite: Basis['suite'], datagrams: readonly Uint8Array[], on: Channel = channel()) => {
  const opened = datagrams.map((octets) => open(suite, octets, on)).at(-1);
  return opened?.kind === 'verified' ? payloadsOf(opened) : opened;
};

describe('SK payload (RFC 7296 §3.14)', () => {
  for (const [name, suite] of Object.entries({ gcm, cbc, chacha })) {
    it(`${name}: what one end seals the other opens`, () => {
      const payloads = [notify('INITIAL_CONTACT'), ...blob(77)];
      expect(whole(suite, seal(suite, payloads))).toEqual(payloads);
      expect(whole(suite, seal(suite, []))).toEqual([]);
    });

    it(`${name}: a message with any one bit flipped behind the SPIs is not opened`, () => {
      const [sealed] = seal(suite, blob(9));
      if (sealed === undefined) throw new Error('nothing');
      for (let at = 16 * 8; at < sealed.length * 8; at++) {
        const bent = sealed.slice();
        bent[at >> 3] = (bent[at >> 3] ?? 0) ^ (0x80 >> (at & 7));
        let verdict: string;
        try {
          verdict = open(suite, bent).kind;
        } catch {
          verdict = 'drop'; // the header or the chain no longer decodes: hop 7 drops it as well
        }
        expect(verdict, `bit ${at}`).toBe('drop');
      }
    });
  }

  it('never uses an IV twice: AEAD suites count', () => {
    const on = channel();
    const ends = basis(gcm, true);
    const envelope = { SPIi: ends.SPIi, SPIr: ends.SPIr, exchange: 37, initiator: true, response: false, messageId: 1 };
    const ivs = Array.from({ length: 5 }, () => protect(ends, on, envelope, blob(4000), 600, random))
      .flat()
      .map((octets) => Buffer.from(octets.subarray(octets[16] === 53 ? 36 : 32).subarray(0, 8)).toString('hex'));
    expect(new Set(ivs).size).toBe(ivs.length);
    expect(ivs.length).toBeGreaterThan(30);
  });

  it('does not open what was sealed with the keys of the other direction', () => {
    const ends = basis(gcm, false);
    const envelope = { SPIi: ends.SPIi, SPIr: ends.SPIr, exchange: 35, initiator: false, response: true, messageId: 1 };
    const [reply] = protect(ends, channel(), envelope, blob(10), 0, random);
    expect(open(gcm, reply ?? new Uint8Array(0)).kind).toBe('drop');
  });
});

describe('IKE fragmentation (RFC 7383)', () => {
  const big = blob(5000);

  it('keeps every datagram within the given size and gives back the message', () => {
    fc.assert(
      fc.property(fc.integer({ min: 120, max: 1500 }), fc.integer({ min: 1, max: 3000 }), (most, octets) => {
        const datagrams = seal(gcm, blob(octets), most);
        for (const d of datagrams) expect(d.length).toBeLessThanOrEqual(most);
        if (datagrams.length <= FRAGMENTS_MAX) expect(whole(gcm, datagrams)).toEqual(blob(octets));
      }),
      { seed: 7383, numRuns: 40 },
    );
  });

  it('does not split what fits, nor what a peer without fragmentation would get', () => {
    expect(seal(cbc, blob(100), 1172)).toHaveLength(1);
    expect(seal(cbc, big, 1172, 1, false)).toHaveLength(1);
  });

  it('takes fragments in any order, and each of them once', () => {
    const datagrams = seal(cbc, big, 1172);
    const on = channel();
    const backwards = [...datagrams].reverse();
    expect(backwards.slice(0, -1).map((d) => open(cbc, d, on).kind)).toEqual(backwards.slice(1).map(() => 'fragment'));
    expect(open(cbc, backwards[0] ?? new Uint8Array(0), on)).toMatchObject({
      kind: 'drop',
      why: `fragment ${datagrams.length} came twice`,
    });
    expect(open(cbc, backwards.at(-1) ?? new Uint8Array(0), on).kind).toBe('verified');
  });

  it('starts anew for a finer split of the message and passes over a coarser one (§2.6)', () => {
    const [coarse, fine] = [seal(gcm, big, 1400), seal(gcm, big, 700)];
    const on = channel();
    expect(open(gcm, coarse[0] ?? new Uint8Array(0), on).kind).toBe('fragment');
    expect(open(gcm, fine[0] ?? new Uint8Array(0), on).kind).toBe('fragment');
    expect(open(gcm, coarse[1] ?? new Uint8Array(0), on)).toMatchObject({ kind: 'drop' });
    expect(whole(gcm, fine.slice(1), on)).toEqual(big);
  });

  it('keeps at most one message: fragments of the next one replace it', () => {
    const [one, two] = [seal(gcm, big, 1400, 1), seal(gcm, big, 1400, 2)];
    const on = channel();
    open(gcm, one[0] ?? new Uint8Array(0), on);
    open(gcm, two[0] ?? new Uint8Array(0), on);
    expect(on.reassembly).toMatchObject({ messageId: 2, have: 1 });
  });

  it('forgets parts that do not become a message within ten seconds (§2.6)', () => {
    const datagrams = seal(gcm, big, 1400);
    const on = channel();
    const none = new Uint8Array(0);
    expect(open(gcm, datagrams[0] ?? none, on, true, 0).kind).toBe('fragment');
    for (const d of datagrams.slice(1)) expect(open(gcm, d, on, true, 10_000).kind).toBe('fragment');
    expect(open(gcm, datagrams[0] ?? none, on, true, 10_000).kind).toBe('verified');
  });

  it('takes no more octets than a message may have', () => {
    const on = channel();
    const kinds = seal(gcm, blob(16_384), 900).map((d) => open(gcm, d, on).kind);
    expect(kinds.at(-1)).not.toBe('verified');
    expect(kinds).toContain('drop');
  });

  it(`refuses more than ${FRAGMENTS_MAX} fragments, and fragments that nobody negotiated`, () => {
    const many = seal(gcm, blob(9000), 150);
    expect(many.length).toBeGreaterThan(FRAGMENTS_MAX);
    const on = channel();
    expect(open(gcm, many[0] ?? new Uint8Array(0), on)).toMatchObject({ kind: 'drop' });
    expect(on.reassembly).toBeUndefined();
    expect(open(gcm, seal(gcm, big, 1400)[0] ?? new Uint8Array(0), channel(), false)).toMatchObject({ kind: 'drop' });
  });
});
