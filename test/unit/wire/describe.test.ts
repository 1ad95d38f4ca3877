import { describe, expect, it } from 'vitest';
import {
  boundedHex,
  concat,
  describeIdentity,
  describePayloads,
  distinguishedNameText,
  IdType,
  notify,
  type Payload,
  plainText,
  printable,
  unhex,
} from '../../../src/wire/index.ts';

const octets = (text: string) => new TextEncoder().encode(text);

describe('printable', () => {
  it.each([
    ['plain text', 'CORP\\bob (x)', 'CORP\\bob (x)'],
    ['other scripts', 'Jürgen 東京', 'Jürgen 東京'],
    ['control characters', 'a\0b\nc\x1b[0m\x7f\x9b', 'a\\x00b\\x0ac\\x1b[0m\\x7f\\x9b'],
    ['direction marks and separators', 'a\u202eb\u2028c\u200bd\ufeff', 'a\\u{202e}b\\u{2028}c\\u{200b}d\\u{feff}'],
    ['half a surrogate pair', 'a\ud800', 'a\\u{d800}'],
  ])('%s', (_, text, shown) => {
    expect(printable(text, 100)).toBe(shown);
  });

  it('octets are UTF-8, or shown octet by octet', () => {
    expect(printable(octets('Jürgen\n'), 100)).toBe('Jürgen\\x0a');
    expect(printable(unhex('4a fc 72 00'), 100)).toBe('J\\xfcr\\x00');
    expect(printable(octets('ü').subarray(0, 1), 100)).toBe('\\xc3');
  });

  it('never has more than `max` characters, and says that it was cut', () => {
    expect(printable('abcdef', 6)).toBe('abcdef');
    expect(printable('abcdefg', 6)).toBe('abcde…');
    expect(printable(octets('ü'.repeat(1000)), 6)).toBe('üüüüü…');
    expect(printable('\n'.repeat(1000), 10)).toBe('\\x0a\\x0a\\…');
    expect(printable(new Uint8Array(100000), 10)).toHaveLength(10);
    expect(printable('abc', 1)).toBe('…');
  });

  it('does not cut a character in two', () => {
    expect(printable('ab😀😀', 4)).toBe('ab…');
    expect(printable('a😀😀', 4)).toBe('a😀…');
    for (let n = 0; n < 4; n++) expect(printable(octets(`${'a'.repeat(n)}${'😀'.repeat(100)}`), 8)).toMatch(/^a*(😀)+…$/u);
  });

  it('plain text is all of it or nothing', () => {
    expect(plainText(octets('dialup1'))).toBe('dialup1');
    expect(plainText(octets('dialup1\n'))).toBeUndefined();
    expect(plainText(unhex('ff'))).toBeUndefined();
  });

  it('hex digits are bounded', () => {
    expect(boundedHex(unhex('0102'), 4)).toBe('0102');
    expect(boundedHex(unhex('010203'), 4)).toBe('01…');
    expect(boundedHex(new Uint8Array(100), 9)).toBe('00000000…');
  });
});

/** DER: C = CA, O = Example Ltd, CN = laptop, CN = x */
const name = unhex(
  `30 40 31 0b 30 09 06 03 550406 13 02 4341
         31 14 30 12 06 03 55040a 0c 0b 4578616d706c65204c7464
         31 0f 30 0d 06 03 550403 0c 06 6c6170746f70
         310a 3008 06 03 550403 16 01 78`,
);

describe('distinguished names', () => {
  it('are shown attribute by attribute, as FortiOS shows them', () => {
    expect(distinguishedNameText(name)).toBe('C = CA, O = Example Ltd, CN = laptop, CN = x');
  });

  it('several attributes in one set, unknown types, two-octet characters', () => {
    const email = '3016 06092a864886f70d010901 16 09 6140622e74657374 2e'; // a@b.test.
    const foreign = '300b 06032a0304 1e04 00fc0041';
    const set = `31 25 ${email} ${foreign}`;
    expect(distinguishedNameText(unhex(`30 27 ${set}`))).toBe('emailAddress = a@b.test., OID 2a0304 = üA');
  });

  it('an empty name is empty', () => {
    expect(distinguishedNameText(unhex('3000'))).toBe('');
  });

  it.each([
    ['nothing', ''],
    ['no name', '0c0141'],
    ['octets behind it', '300000'],
    ['an indefinite length', '3080 0000'],
    ['a length beyond the octets', '3001'],
    ['a set of something else', '3004 31023000'],
    ['an octet behind an attribute', '300d 310b 3008 0603550403 0c0141 00'],
    ['an octet behind a set', '300d 310a 3008 0603550403 0c0141 00'],
    ['an attribute without value', '3009 3107 3005 0603550403'],
  ])('%s is none', (_, digits) => {
    expect(distinguishedNameText(unhex(digits))).toBeUndefined();
  });

  it('more than 32 attributes are not read', () => {
    const attribute = unhex('310a 3008 0603550403 0c0141');
    const names = (n: number) => {
      const content = concat(...Array.from({ length: n }, () => attribute));
      return concat(Uint8Array.of(0x30, 0x82, content.length >> 8, content.length & 0xff), content);
    };
    expect(distinguishedNameText(names(32))?.split(', ')).toHaveLength(32);
    expect(distinguishedNameText(names(33))).toBeUndefined();
  });

  it('values cannot break the line', () => {
    expect(distinguishedNameText(unhex('300e 310c 300a 0603550403 0c03 410a42'))).toBe('CN = A\\x0aB');
  });
});

describe('identities (RFC 7296 §3.5)', () => {
  it.each([
    [IdType.IPV4_ADDR, unhex('0a1504b5'), { type: 'IPV4_ADDR', text: '10.21.4.181' }],
    [IdType.FQDN, octets('dialup1'), { type: 'FQDN', text: 'dialup1' }],
    [IdType.RFC822_ADDR, octets('a@example.com'), { type: 'USER_FQDN', text: 'a@example.com' }],
    [IdType.IPV6_ADDR, unhex('20010db8000000000000000000000001'), { type: 'IPV6_ADDR', text: '2001:db8::1' }],
    [IdType.DER_ASN1_DN, name, { type: 'DER_ASN1_DN', text: 'C = CA, O = Example Ltd, CN = laptop, CN = x' }],
    [IdType.KEY_ID, octets('key 1'), { type: 'KEY_ID', text: 'key 1' }],
    [IdType.KEY_ID, unhex('00ff'), { type: 'KEY_ID', text: '00ff' }],
    [IdType.NULL, unhex(''), { type: 'NULL', text: '' }],
    [77, octets('x'), { type: '77', text: 'x' }],
  ])('type %i', (idType, data, shown) => {
    expect(describeIdentity(idType, data)).toEqual(shown);
  });

  it.each([
    ['an IPv4 address of 5 octets', IdType.IPV4_ADDR, unhex('0102030405'), '0102030405'],
    ['an IPv6 address of 4 octets', IdType.IPV6_ADDR, unhex('01020304'), '01020304'],
    ['a name that is no DER', IdType.DER_ASN1_DN, unhex('0102'), '0102'],
    ['a name with line ends', IdType.FQDN, octets('a\nike V=root:0: x'), 'a\\x0aike V=root:0: x'],
  ])('%s is shown for what it is', (_, idType, data, text) => {
    expect(describeIdentity(idType, data).text).toBe(text);
  });

  it('are bounded', () => {
    for (const idType of [1, 2, 3, 5, 9, 10, 11, 13, 200]) {
      expect(describeIdentity(idType, new Uint8Array(60000).fill(0x41)).text.length).toBeLessThanOrEqual(512);
    }
  });
});

describe('payloads in a line', () => {
  it('known and unknown ones', () => {
    const payloads: readonly Payload[] = [
      { kind: 'IDi', idType: 1, data: unhex('0a000001') },
      notify('INITIAL_CONTACT'),
      { kind: 'N', name: 'UNKNOWN', type: 40960, protocol: 0, spi: unhex(''), data: octets('x\ny') },
      { kind: 'UNKNOWN', type: 200, critical: true, data: octets('x') },
      { kind: 'UNKNOWN', type: 54, critical: false, data: octets('x') },
      { kind: 'CP', cfgType: 1, attributes: [] },
    ];
    expect(describePayloads(payloads)).toBe('IDi N(INITIAL_CONTACT) N(40960) TYPE(200) TYPE(PS) CP');
    expect(describePayloads([])).toBe('');
  });

  it('at most 64', () => {
    const words = (n: number) => describePayloads(Array.from({ length: n }, () => notify('INITIAL_CONTACT'))).split(' ');
    expect(words(64)).toHaveLength(64);
    expect(words(64)).not.toContain('…');
    expect(words(100)).toHaveLength(65);
    expect(words(100)[64]).toBe('…');
  });
});
