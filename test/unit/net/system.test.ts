import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nftLines } from '../../../src/net/masquerade.ts';
import { prefixesOf } from '../../../src/net/prefixes.ts';
import { routeLines } from '../../../src/net/routes.ts';

const octets = (text: string) => Uint8Array.from(text.split('.').map(Number));
const range = (start: string, end = start) => ({ start: octets(start), end: octets(end) });
const all6 = { start: new Uint8Array(16), end: new Uint8Array(16).fill(255) };

describe('prefixes', () => {
  it.each([
    ['10.10.1.1', '10.10.1.1', ['10.10.1.1/32']],
    ['10.10.1.0', '10.10.1.255', ['10.10.1.0/24']],
    ['10.10.1.1', '10.10.1.6', ['10.10.1.1/32', '10.10.1.2/31', '10.10.1.4/31', '10.10.1.6/32']],
    ['0.0.0.0', '255.255.255.255', ['0.0.0.0/0']],
  ])('%s to %s', (start, end, wanted) => expect(prefixesOf(range(start, end))).toEqual(wanted));

  it('are the range, each address once, and the fewest', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 20), fc.nat(5000), (first, more) => {
        const of = (n: number) => Uint8Array.of(10, (n >> 16) & 255, (n >> 8) & 255, n & 255);
        const last = Math.min(first + more, 2 ** 24 - 1);
        let next = first;
        for (const prefix of prefixesOf({ start: of(first), end: of(last) })) {
          const [address = '', length = '0'] = prefix.split('/');
          const [, b = 0, c = 0, d = 0] = address.split('.').map(Number);
          expect((b << 16) | (c << 8) | d).toBe(next);
          expect(next % 2 ** (32 - Number(length))).toBe(0);
          next += 2 ** (32 - Number(length));
        }
        expect(next).toBe(last + 1);
      }),
    );
  });

  it('of IPv6', () => expect(prefixesOf(all6)).toEqual(['0000:0000:0000:0000:0000:0000:0000:0000/0']));
});

describe('what the machine is told', () => {
  it('routes that are added and never replace another, with our mark', () => {
    expect(routeLines('add', 'postern0', ['10.10.1.0/24', 'fd10::/64'])).toBe(
      'route add 10.10.1.0/24 dev postern0 proto 80\nroute add fd10::/64 dev postern0 proto 80\n',
    );
    expect(routeLines('del', 'postern0', ['10.10.1.0/24'])).toBe('route del 10.10.1.0/24 dev postern0 proto 80\n');
  });

  it('masquerade in the order of the policies, each family by itself', () => {
    const rules = [
      { masquerade: false, from: [range('10.10.1.0', '10.10.1.255')], to: [range('10.50.0.1')] },
      { masquerade: true, from: [range('10.10.1.0', '10.10.1.255'), all6], to: [range('0.0.0.0', '255.255.255.255')] },
    ];
    const text = nftLines('postern0', rules);
    expect(text.split('\n').filter((line) => line.includes('saddr'))).toEqual([
      '    ip saddr { 10.10.1.0/24 } ip daddr { 10.50.0.1/32 } return',
      '    ip saddr { 10.10.1.0/24 } ip daddr { 0.0.0.0/0 } masquerade',
    ]);
    expect(text.startsWith('add table inet postern_masquerade_postern0\ndelete table inet postern_masquerade_postern0\n')).toBe(
      true,
    );
  });

  it('nothing but the end of our table when no policy wants it', () => {
    expect(nftLines('postern0', [])).toBe(
      'add table inet postern_masquerade_postern0\ndelete table inet postern_masquerade_postern0\n',
    );
  });
});
