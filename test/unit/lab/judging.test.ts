import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identity, selector, selectorText } from '../../../src/lab/index.ts';
import { compare, lower } from '../../../src/lab/octets.ts';
import { type LabOptions, settle } from '../../../src/lab/options.ts';
import { choose, espSuite, ikeSuite, judgeChoice, withGroups } from '../../../src/lab/proposals.ts';
import { outside } from '../../../src/lab/selectors.ts';
import type { Proposal, SaPayload, Transform } from '../../../src/wire/index.ts';
import { SeededRandom } from '../../support/random.ts';
import { options } from './scene.ts';

const settled = (more: Partial<LabOptions>) => settle(options(new SeededRandom('options'), more));
const SA = (...proposals: readonly Proposal[]): SaPayload => ({ kind: 'SA', proposals });
const t = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });

describe('Selectors from text', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0-10.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0-255.255.255.255'],
    ['10.0.0.1', '10.0.0.1-10.0.0.1'],
    ['10.0.0.1/32', '10.0.0.1-10.0.0.1'],
    ['10.0.0.0/9', '10.0.0.0-10.127.255.255'],
    ['10.0.0.5-10.0.0.9', '10.0.0.5-10.0.0.9'],
    ['fd50::/64', 'fd50::-fd50::ffff:ffff:ffff:ffff'],
  ])('%s', (text, range) => expect(selectorText(selector(text))).toBe(range));

  it.each(['', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/x', '10.0.0.1-fd50::1', '10.0.0', '10.0.0.1-10.0.0.2/8'])(
    "'%s' is refused",
    (text) => {
      expect(() => selector(text)).toThrow(RangeError);
    },
  );

  it('say their protocol and ports when they have some', () => {
    expect(selectorText(selector('10.0.0.1', { protocol: 6, startPort: 80, endPort: 443 }))).toBe('10.0.0.1-10.0.0.1 6 80-443');
  });
});

describe('Identities from text (RFC 7296 §3.5)', () => {
  it.each([
    ['10.0.0.1', 1, 4],
    ['fd50::1', 5, 16],
    ['user@lab.test', 3, 13],
    ['vpn.lab.test', 2, 12],
  ])('%s', (text, idType, octets) => expect([identity(text).idType, identity(text).data.length]).toEqual([idType, octets]));
});

describe('Narrowing (RFC 7296 §2.9)', () => {
  const within = (chosen: string, ...offered: readonly string[]) =>
    outside(
      [selector(chosen)],
      offered.map((o) => selector(o)),
    ) === undefined;

  it.each<[string, readonly string[], boolean]>([
    ['10.0.0.0/8', ['0.0.0.0/0'], true],
    ['10.0.0.0/8', ['10.0.0.0/8'], true],
    ['10.0.0.0/8', ['10.0.0.0/9'], false],
    ['10.0.0.0/8', ['10.0.0.0/9', '10.128.0.0/9'], true],
    ['10.0.0.0/8', ['10.128.0.0/9', '10.0.0.0/9'], true],
    ['10.0.0.0/8', ['10.0.0.0/9', '10.129.0.0/16'], false],
    ['10.0.0.0/8', ['10.0.0.0-10.200.0.0', '10.100.0.0-10.255.255.255'], true],
    ['10.0.0.0-10.0.0.255', ['10.0.0.0-10.0.0.254'], false],
    ['10.0.0.0-10.0.1.0', ['10.0.0.0-10.0.0.255', '10.0.1.0'], true],
    ['fd50::/64', ['::/0'], true],
    ['fd50::/64', ['0.0.0.0/0'], false],
    ['255.255.255.255', ['0.0.0.0/0'], true],
    ['10.0.0.9-10.0.0.1', ['0.0.0.0/0'], false],
  ])('%s within %j: %s', (chosen, offered, is) => expect(within(chosen, ...offered)).toBe(is));

  it('minds protocols and ports', () => {
    const https = selector('10.0.0.1', { protocol: 6, startPort: 443, endPort: 443 });
    const tcp = selector('10.0.0.0/8', { protocol: 6 });
    const opaque = selector('10.0.0.1', { protocol: 6, startPort: 0xffff, endPort: 0 });
    expect(outside([https], [tcp])).toBeUndefined();
    expect(outside([tcp], [https])).toBeDefined();
    expect(outside([https], [selector('10.0.0.0/8', { protocol: 17 })])).toBeDefined();
    expect(outside([selector('10.0.0.1')], [tcp])).toBeDefined();
    expect(outside([opaque], [tcp])).toBeUndefined();
    expect(outside([opaque], [https])).toBeDefined();
    expect(outside([opaque], [opaque])).toBeUndefined();
    expect(outside([{ type: 'other', number: 9, protocol: 0, data: new Uint8Array(0) }], [tcp])).toBeDefined();
  });

  it('an address is within a union of ranges exactly when it is in one of them, and a range when all of it is', () => {
    const range = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    const text = ([a, b]: readonly [number, number]) => `10.0.0.${a}-10.0.0.${b}`;
    fc.assert(
      fc.property(range, fc.array(range, { maxLength: 4 }), ([a, b], offered) => {
        const covered = Array.from({ length: b - a + 1 }, (_, i) => a + i).every((n) =>
          offered.some(([x, y]) => x <= n && n <= y),
        );
        expect(within(text([a, b]), ...offered.map(text))).toBe(covered);
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('Nonces in order (RFC 7296 §2.8.1)', () => {
  it('octet by octet, and of two that begin alike the shorter is lower', () => {
    const of = (...o: readonly number[]) => Uint8Array.from(o);
    expect(compare(of(1, 9), of(2, 0))).toBeLessThan(0);
    expect(compare(of(1, 2, 3), of(1, 2))).toBeGreaterThan(0);
    expect(compare(of(1, 2), of(1, 2))).toBe(0);
    expect(lower(of(1, 2, 0), of(1, 2))).toEqual(of(1, 2));
  });
});

describe('Proposals (RFC 7296 §3.3)', () => {
  it('are made of FortiOS words, with all groups and ESN as wanted', () => {
    const o = settled({
      ikeProposals: ['aes256-sha512', 'aes128gcm-prfsha256'],
      groups: [31, 14],
      espProposals: ['aes256-sha256'],
      esn: 'both',
    });
    expect(o.ikeOffer).toMatchObject([
      { number: 1, protocol: 1, transforms: [t(1, 12, 256), t(2, 7), t(3, 14), t(4, 31), t(4, 14)] },
      { number: 2, protocol: 1, transforms: [t(1, 20, 128), t(2, 5), t(4, 31), t(4, 14)] },
    ]);
    expect(o.espOffer).toMatchObject([{ number: 1, protocol: 3, transforms: [t(1, 12, 256), t(3, 12), t(5, 1), t(5, 0)] }]);
    expect(withGroups(o.espOffer, [14])[0]?.transforms.map((x) => x.type)).toEqual([1, 3, 4, 5, 5]);
  });

  it('or of transforms as they stand, however strange', () => {
    const strange = [t(1, 3), t(9, 9)];
    expect(settled({ ikeProposals: [strange] }).ikeOffer[0]?.transforms).toBe(strange);
  });

  it.each([{ ikeProposals: ['aes1024-sha3'] }, { espProposals: ['des-md5'] }, { ikeProposals: ['3des-sha1'] }])(
    '%j is refused',
    (more) => {
      expect(() => settled(more)).toThrow(/is no phase/);
    },
  );

  const offer = settled({ ikeProposals: ['aes256-sha256'], groups: [31, 14] }).ikeOffer;

  it('what nobody can speak is no suite', () => {
    const unspoken = [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms: [t(1, 3), t(2, 5), t(3, 12), t(4, 14)] }];
    const choice = judgeChoice(unspoken, SA(...unspoken));
    expect('why' in choice ? choice : ikeSuite(choice)).toBeUndefined();
    expect(
      espSuite({
        proposal: { number: 1, protocol: 3, spi: new Uint8Array(4), transforms: [] },
        transforms: new Map([[1, t(1, 20, 256)]]),
      }),
    ).toBeUndefined();
  });

  it('the gateway’s are chosen in its order, by our lists', () => {
    const theirs = (groups: readonly number[]) =>
      SA({
        number: 3,
        protocol: 1,
        spi: new Uint8Array(8),
        transforms: [t(1, 12, 256), t(2, 5), t(3, 12), ...groups.map((g) => t(4, g))],
      });
    expect(choose(theirs([14, 31]), offer)?.transforms.get(4)).toEqual(t(4, 14));
    expect(choose(theirs([19]), offer)).toBeUndefined();
    expect(choose(theirs([]), offer)).toBeUndefined();
    expect(choose(SA({ number: 1, protocol: 3, spi: new Uint8Array(4), transforms: [] }), offer)).toBeUndefined();
  });

  it.each([
    ['another protocol', { protocol: 3, spi: new Uint8Array(4) }, 'protocol 3 was not offered'],
    ['an SPI where none was', { spi: new Uint8Array(8) }, 'an SPI of 8 octets'],
  ])('%s is not ours', (_, change, why) => {
    const transforms = (offer[0]?.transforms ?? []).filter((x) => x.id !== 14);
    const chosen = { number: 1, protocol: 1, spi: new Uint8Array(0), transforms };
    expect(judgeChoice(offer, SA(chosen))).toHaveProperty('proposal', chosen);
    expect(judgeChoice(offer, SA({ ...chosen, ...change }))).toEqual({ why });
  });

  it('a transform with attributes that we do not know is not ours', () => {
    const unknown = [{ type: 99, short: true, value: new Uint8Array(2) }];
    const [sound] = SA(...offer).proposals;
    const transforms = (sound?.transforms ?? []).filter((x) => x.id !== 14).map((x) => (x.type === 1 ? { ...x, unknown } : x));
    expect(judgeChoice(offer, SA({ number: 1, protocol: 1, spi: new Uint8Array(0), transforms }))).toEqual({
      why: 'transform type 1 ID 12 with 256 bits with other attributes was not offered',
    });
  });
});
