import { describe, expect, it } from 'vitest';
import {
  bitOctets,
  booleanValue,
  type Der,
  DerReader,
  der,
  integer,
  NotDer,
  oid,
  oidText,
  sequence,
  smallInteger,
  Tag,
  timeValue,
} from '../../../crypto/asn1.ts';
import { hex, unhex } from '../../../src/wire/index.ts';

const element = (digits: string): Der => new DerReader(unhex(digits)).next();

describe('DER reader (X.690 §10)', () => {
  it('reads an element and knows where it ends', () => {
    const reader = new DerReader(unhex('0203010203 0500'));
    const first = reader.next();
    expect([first.tag, hex(first.value), hex(first.whole)]).toEqual([2, '010203', '0203010203']);
    expect(hex(reader.next().whole)).toBe('0500');
    expect(reader.done).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length beyond the octets', '3002aa'],
    ['an indefinite length', '30800000'],
    ['a length of lengths beyond the octets', '3082ff'],
    ['a length in four octets', '308400000001aa'],
    ['a length that fits in one octet', '308101aa'],
    ['a length with a zero in front', `30820081${'00'.repeat(0x81)}`],
    ['a tag of several octets', '3f8101aa'],
  ])('refuses %s', (_, digits) => {
    expect(() => element(digits)).toThrow(NotDer);
  });

  it.each([0, 1, 127, 128, 255, 256, 65535, 65536])('reads what the maker wrote around %i octets', (length) => {
    const octets = der(Tag.octetString, new Uint8Array(length).fill(7));
    const { tag, value, whole } = new DerReader(octets).next();
    expect([tag, value.length, whole.length]).toEqual([Tag.octetString, length, octets.length]);
  });

  it('wants exactly one element where only one may stand', () => {
    expect(() => DerReader.only(unhex('30000500'), Tag.sequence)).toThrow('octets behind the last element');
    expect(() => DerReader.only(unhex('3100'), Tag.sequence)).toThrow('tag 49 where 48 should be');
    expect(DerReader.only(unhex('3000'), Tag.sequence).done).toBe(true);
  });

  it('takes an optional element only when its tag is next', () => {
    const reader = new DerReader(unhex('0101ff'));
    expect(reader.optional(Tag.integer)).toBeUndefined();
    expect(reader.optional(Tag.boolean)?.tag).toBe(Tag.boolean);
    expect(reader.optional(Tag.boolean)).toBeUndefined();
  });

  it('counts what it is told to bound', () => {
    expect(new DerReader(unhex('05000500')).rest(2).length).toBe(2);
    expect(() => new DerReader(unhex('050005000500')).rest(2)).toThrow('more than 2 elements');
  });
});

describe('DER values', () => {
  it.each(['1.2.840.113549.1.1.11', '2.5.29.37.0', '0.9.2342.19200300.100.1.25', '2.999.1', '1.39.0'])(
    'object identifier %s',
    (text) => {
      expect(oidText(new DerReader(oid(text)).next())).toBe(text);
    },
  );

  it.each(['0600', '06018a', `0641${'01'.repeat(65)}`, '060a01ffffffffffffffff7f'])(
    'refuses the object identifier %s',
    (digits) => {
      expect(() => oidText(element(digits))).toThrow(NotDer);
    },
  );

  it.each([0, 1, 127, 128, 255, 256, 65537, 0x7fffffff])('integer %i', (n) => {
    expect(smallInteger(new DerReader(integer(n)).next())).toBe(n);
  });

  it.each(['0200', '020180', '0202007f', '02050100000000'])('refuses the integer %s', (digits) => {
    expect(() => smallInteger(element(digits))).toThrow(NotDer);
  });

  it('writes integers from octets without spare zeros and never negative', () => {
    expect([[0, 0, 5], [0x80], [0, 0]].map((octets) => hex(integer(Uint8Array.from(octets))))).toEqual([
      '020105',
      '02020080',
      '020100',
    ]);
  });

  it('booleans: one octet, zero is false', () => {
    expect([booleanValue(element('010100')), booleanValue(element('0101ff')), booleanValue(element('010101'))]).toEqual([
      false,
      true,
      true,
    ]);
    expect(() => booleanValue(element('0100'))).toThrow(NotDer);
  });

  it('bit strings of whole octets only', () => {
    expect(hex(bitOctets(element('030300aabb')))).toBe('aabb');
    expect(() => bitOctets(element('030304aab0'))).toThrow(NotDer);
    expect(() => bitOctets(element('0300'))).toThrow(NotDer);
  });

  const at = (tag: number, text: string) => timeValue(new DerReader(der(tag, new TextEncoder().encode(text))).next());

  it.each([
    [Tag.utcTime, '700101000000Z', 0],
    [Tag.utcTime, '491231235959Z', Date.UTC(2049, 11, 31, 23, 59, 59) / 1000],
    [Tag.utcTime, '500101000000Z', Date.UTC(1950, 0, 1) / 1000],
    [Tag.generalizedTime, '20500101000000Z', Date.UTC(2050, 0, 1) / 1000],
    [Tag.generalizedTime, '99991231235959Z', Date.UTC(9999, 11, 31, 23, 59, 59) / 1000],
    [Tag.utcTime, '240229120000Z', Date.UTC(2024, 1, 29, 12) / 1000],
  ])('time %i %s', (tag, text, seconds) => {
    expect(at(tag, text)).toBe(seconds);
  });

  it.each([
    [Tag.utcTime, '7001010000Z'],
    [Tag.utcTime, '700101000000+0100'],
    [Tag.utcTime, '20700101000000Z'],
    [Tag.generalizedTime, '20500101000000'],
    [Tag.generalizedTime, '20500101000000.5Z'],
    [Tag.utcTime, '230229120000Z'],
    [Tag.utcTime, '230001120000Z'],
    [Tag.utcTime, '230101240000Z'],
    [Tag.octetString, '700101000000Z'],
    [Tag.utcTime, `700101000000Z${'0'.repeat(100)}`],
  ])('refuses the time %i %s', (tag, text) => {
    expect(() => at(tag, text)).toThrow(NotDer);
  });

  it('makers nest', () => {
    expect(hex(sequence(sequence(integer(1)), oid('2.5.4.3')))).toBe('300a30030201010603550403');
  });
});
