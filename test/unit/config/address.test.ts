import { describe, expect, it } from 'vitest';
import {
  available,
  lastOf,
  lengthOfMask,
  masked,
  maskOfLength,
  overlap,
  prefixesOf,
  rangeOf,
  sizeOf,
} from '../../../src/config/address.ts';
import { addressOctets, addressText } from '../../../src/wire/index.ts';

const octets = (text: string): Uint8Array => addressOctets(text) ?? new Uint8Array();
const range = (start: string, end = start) => ({ start: octets(start), end: octets(end) });
const prefix = (text: string) => ({ address: octets(text.split('/')[0] ?? ''), length: Number(text.split('/')[1]) });

describe('masks', () => {
  it.each([0, 1, 7, 8, 9, 16, 23, 31, 32])('of %i ones', (length) => {
    expect(lengthOfMask(maskOfLength(length))).toBe(length);
  });
  it('with a hole are none', () => expect(lengthOfMask(octets('255.0.255.0'))).toBeUndefined());
  it('clear what is beyond them', () => expect(addressText(masked(octets('10.1.255.255'), 17))).toBe('10.1.128.0'));
  it('leave the last address', () => expect(addressText(lastOf(prefix('10.1.128.0/17')))).toBe('10.1.255.255'));
  it('of IPv6', () => expect(addressText(lastOf(prefix('2001:db8::/33')))).toBe('2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'));
});

describe('ranges', () => {
  it('have both ends', () => expect(sizeOf(range('10.0.0.250', '10.0.1.5'))).toBe(12n));
  it('of a prefix are all of it', () => expect(rangeOf(prefix('10.0.0.77/24'))).toEqual(range('10.0.0.0', '10.0.0.255')));
  it.each([
    ['10.0.0.1', '10.0.0.9', '10.0.0.9', '10.0.0.20', true],
    ['10.0.0.1', '10.0.0.9', '10.0.0.10', '10.0.0.20', false],
    ['10.0.0.1', '10.0.0.90', '10.0.0.10', '10.0.0.20', true],
  ])('%s-%s and %s-%s overlap: %s', (a, b, c, d, yes) => {
    expect(overlap(range(a, b), range(c, d))).toBe(yes);
    expect(overlap(range(c, d), range(a, b))).toBe(yes);
  });
  it('of two families never overlap', () =>
    expect(overlap(range('0.0.0.0', '255.255.255.255'), range('::', 'ff::'))).toBe(false));
  it.each([
    ['without holes', [range('10.0.0.1', '10.0.0.10')], [], 10n],
    ['that overlap count once', [range('10.0.0.1', '10.0.0.10'), range('10.0.0.5', '10.0.0.12')], [], 12n],
    ['with a hole in the middle', [range('10.0.0.1', '10.0.0.10')], [range('10.0.0.3', '10.0.0.4')], 8n],
    [
      'with holes over both ends',
      [range('10.0.0.1', '10.0.0.10')],
      [range('10.0.0.0', '10.0.0.1'), range('10.0.0.10', '10.0.0.99')],
      8n,
    ],
    [
      'with one hole over two of them',
      [range('10.0.0.1', '10.0.0.4'), range('10.0.0.8', '10.0.0.10')],
      [range('10.0.0.4', '10.0.0.8')],
      5n,
    ],
    ['that are all hole', [range('10.0.0.1', '10.0.0.10')], [range('10.0.0.0', '10.0.0.255')], 0n],
  ])('%s', (_, ranges, holes, count) => expect(available(ranges, holes)).toBe(count));
});

describe('prefixes of a range', () => {
  const cover = (start: string, end: string) =>
    prefixesOf(range(start, end)).map(({ address, length }) => `${addressText(address)}/${length}`);
  it.each([
    ['10.0.0.0', '10.0.0.255', ['10.0.0.0/24']],
    ['10.0.0.7', '10.0.0.7', ['10.0.0.7/32']],
    ['10.0.0.1', '10.0.0.6', ['10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/31', '10.0.0.6/32']],
    ['0.0.0.0', '255.255.255.255', ['0.0.0.0/0']],
    ['2001:db8::', '2001:db8::ffff', ['2001:db8::/112']],
    ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['::/0']],
  ])('%s-%s', (start, end, expected) => expect(cover(start, end)).toEqual(expected));
});
