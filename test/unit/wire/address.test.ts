import { describe, expect, it } from 'vitest';
import { addressOctets, addressText, hex, unhex } from '../../../src/wire/index.ts';

const octetsOf = (text: string) => {
  const octets = addressOctets(text);
  return octets === undefined ? undefined : hex(octets);
};

describe('IPv4 addresses', () => {
  it.each([
    ['0.0.0.0', '00000000'],
    ['10.199.199.1', '0ac7c701'],
    ['255.255.255.255', 'ffffffff'],
  ])('%s is %s and back', (text, octets) => {
    expect(octetsOf(text)).toBe(octets);
    expect(addressText(unhex(octets))).toBe(text);
  });

  it.each([
    '',
    '10',
    '10.1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '010.0.0.1',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.0x4',
    '1..3.4',
  ])('%j is no address', (text) => {
    expect(addressOctets(text)).toBeUndefined();
  });
});

describe('IPv6 addresses (RFC 5952)', () => {
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['fe80::', 'fe800000000000000000000000000000'],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'], // §4.2.3: the first of two runs of the same length
    ['2001:0:0:1::1', '20010000000000010000000000000001'], // the longer run
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'], // §4.2.2: one zero stays
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'], // §5
  ])('%s is written so, and read', (text, octets) => {
    expect(addressText(unhex(octets))).toBe(text);
    expect(octetsOf(text)).toBe(octets);
  });

  it.each([
    ['2001:DB8:0:0:0:0:0:1', '20010db8000000000000000000000001'],
    ['2001:0db8::0001', '20010db8000000000000000000000001'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:192.0.2.33', '000100020003000400050006c0000221'],
  ])('%s is read, though written otherwise', (text, octets) => {
    expect(octetsOf(text)).toBe(octets);
  });

  it.each([
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::12345',
    'fe80::1%eth0',
    '2001:db8::/32',
    '::1.2.3',
    '192.0.2.1::',
    '::192.0.2.1:1',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    'g::1',
  ])('%j is no address', (text) => {
    expect(addressOctets(text)).toBeUndefined();
  });
});

it('octets that are no address are told as hex digits, at most 16 of them', () => {
  expect(addressText(unhex('0a0b0c'))).toBe('0x0a0b0c');
  expect(addressText(new Uint8Array(1000))).toBe(`0x${'00'.repeat(16)}`);
});
