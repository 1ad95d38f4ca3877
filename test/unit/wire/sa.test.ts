import { describe, expect, it } from 'vitest';
import { encodePayloads, type Payload, PayloadType, type Proposal, type Transform, unhex } from '../../../src/wire/index.ts';
import { expectMalformed, expectPair, read, written } from './chain.ts';

const NO_SPI_HERE = unhex('');
const transform = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });
const sa = (...proposals: Proposal[]): Payload => ({ kind: 'SA', proposals });
const ike = (...transforms: Transform[]): Payload => sa({ number: 1, protocol: 1, spi: NO_SPI_HERE, transforms });

describe('Security Association payload (RFC 7296 §3.3)', () => {
  it('reads and writes the example of §3.3: CBC with two integrity algorithms, then GCM', () => {
    expectPair(
      PayloadType.SA,
      `0200 0050 01 03 04 07 052357bb
         0300 000c 01 00 000c 800e0080   0300 000c 01 00 000c 800e00c0   0300 000c 01 00 000c 800e0100
         0300 0008 03 00 0002            0300 0008 03 00 0005
         0300 0008 05 00 0001            0000 0008 05 00 0000
       0000 0034 02 03 04 04 35a1d6f2
         0300 000c 01 00 0012 800e0080   0300 000c 01 00 0012 800e0100
         0300 0008 05 00 0001            0000 0008 05 00 0000`,
      sa(
        {
          number: 1,
          protocol: 3,
          spi: unhex('052357bb'),
          transforms: [
            transform(1, 12, 128),
            transform(1, 12, 192),
            transform(1, 12, 256),
            transform(3, 2),
            transform(3, 5),
            transform(5, 1),
            transform(5, 0),
          ],
        },
        {
          number: 2,
          protocol: 3,
          spi: unhex('35a1d6f2'),
          transforms: [transform(1, 18, 128), transform(1, 18, 256), transform(5, 1), transform(5, 0)],
        },
      ),
    );
  });

  it('reads the SPI of an IKE SA that is rekeyed (§3.3.1)', () => {
    const spi = unhex('0102030405060708');
    expectPair(PayloadType.SA, '0000 0018 01 01 08 01 0102030405060708 0000 0008 04 00 001f', {
      kind: 'SA',
      proposals: [{ number: 1, protocol: 1, spi, transforms: [transform(4, 31)] }],
    });
  });

  it('keeps transform types and IDs that nobody knows', () => {
    expectPair(PayloadType.SA, '0000 0010 01 01 00 01 0000 0008 f1 00 ffff', ike(transform(241, 65535)));
  });

  it('keeps foreign attributes in both forms, so that the transform can be passed over (§3.3.6)', () => {
    expectPair(PayloadType.SA, '0000 001d 01 01 00 01 0000 0015 01 00 000c 800e0100 8012abcd 00120001 77', {
      kind: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 1,
          spi: NO_SPI_HERE,
          transforms: [
            {
              type: 1,
              id: 12,
              keyLength: 256,
              unknown: [
                { type: 18, short: true, value: unhex('abcd') },
                { type: 18, short: false, value: unhex('77') },
              ],
            },
          ],
        },
      ],
    });
  });

  it.each([
    ['in the long form (§3.3.5: only TV)', '000e00020100', { type: 14, short: false, value: unhex('0100') }],
    ['of 0 bits', '800e0000', { type: 14, short: true, value: unhex('0000') }],
  ])('a Key Length %s is not understood', (_, attribute, unknown) => {
    const length = (8 + attribute.length / 2).toString(16).padStart(4, '0');
    const all = (16 + attribute.length / 2).toString(16).padStart(4, '0');
    expectPair(
      PayloadType.SA,
      `0000 ${all} 01 01 00 01 0000 ${length} 01 00 000c ${attribute}`,
      ike({ type: 1, id: 12, keyLength: 0, unknown: [unknown] }),
    );
  });

  it('a second Key Length is not understood: the transform does not say what it means', () => {
    expectPair(
      PayloadType.SA,
      '0000 0018 01 01 00 01 0000 0010 01 00 000c 800e0080 800e0100',
      ike({ type: 1, id: 12, keyLength: 128, unknown: [{ type: 14, short: true, value: unhex('0100') }] }),
    );
  });

  it('ignores reserved octets and writes them as zero', () => {
    const payload = read(PayloadType.SA, '00ff 0010 01 01 00 01 00ff 0008 01 ff 0014');
    expect(payload).toEqual(ike(transform(1, 20)));
    expect(written(payload)).toBe('00000010010100010000000801000014');
  });

  it('a proposal may have no transforms; negotiation refuses it', () => {
    expectPair(PayloadType.SA, '0000 0008 01 01 00 00', ike());
  });
});

describe('SA payloads that contradict themselves', () => {
  it.each([
    ['no proposal', ''],
    ['a proposal shorter than its head', '0000 0007 01 01 00 00'],
    ['a proposal of length 0', '0000 0000 01 01 00 00'],
    ['a proposal longer than the payload', '0000 0009 01 01 00 00'],
    ['octets behind the last proposal', '0000 0008 01 01 00 00 00'],
    ['a last proposal that promises more', '0200 0008 01 01 00 00'],
    ['more proposals behind the last', '0000 0008 01 01 00 00 0000 0008 02 01 00 00'],
    ['a mark that is neither last nor more', '0100 0008 01 01 00 00 0000 0008 02 01 00 00'],
    ['an SPI longer than the proposal', '0000 0008 01 03 04 00'],
    ['fewer transforms than counted', '0000 0010 01 01 00 02 0300 0008 01 00 0014'],
    ['more transforms than counted', '0000 0018 01 01 00 01 0300 0008 01 00 0014 0000 0008 02 00 0005'],
    ['a last transform that promises more', '0000 0010 01 01 00 01 0300 0008 01 00 0014'],
    ['a transform marked last that is not', '0000 0018 01 01 00 02 0000 0008 01 00 0014 0000 0008 02 00 0005'],
    ['an octet behind the last transform', '0000 0011 01 01 00 01 0000 0008 01 00 0014 00'],
    ['a transform mark of the wrong kind', '0000 0018 01 01 00 02 0200 0008 01 00 0014 0000 0008 02 00 0005'],
    ['a transform shorter than its head', '0000 0010 01 01 00 01 0000 0007 01 00 0014'],
    ['a transform longer than its proposal', '0000 0010 01 01 00 01 0000 0009 01 00 0014'],
    ['an attribute of one octet', '0000 0011 01 01 00 01 0000 0009 01 00 000c 80'],
    ['an attribute cut in its head', '0000 0012 01 01 00 01 0000 000a 01 00 000c 800e'],
    ['an attribute longer than its transform', '0000 0014 01 01 00 01 0000 000c 01 00 000c 00120001'],
    ['an IKE SPI of 4 octets', '0000 000c 01 01 04 00 01020304'],
    ['an ESP SPI of 8 octets', '0000 0010 01 03 08 00 0102030405060708'],
    ['an ESP proposal without SPI', '0000 0008 01 03 00 00'],
    ['an AH SPI of 3 octets', '0000 000b 01 02 03 00 010203'],
  ])('%s', (_, body) => {
    expectMalformed(PayloadType.SA, body);
  });

  it('the SPI of a protocol that nobody knows may have any size', () => {
    expect(read(PayloadType.SA, '0000 000b 01 77 03 00 010203')).toMatchObject({
      proposals: [{ protocol: 0x77, spi: unhex('010203') }],
    });
  });
});

describe('limits of SA payloads', () => {
  const proposals = (n: number) =>
    sa(...Array.from({ length: n }, (_, i) => ({ number: i + 1, protocol: 1, spi: NO_SPI_HERE, transforms: [] })));
  const transforms = (n: number) => ike(...Array.from({ length: n }, () => transform(1, 20)));
  const attributes = (n: number) =>
    ike({
      type: 1,
      id: 20,
      keyLength: 0,
      unknown: Array.from({ length: n }, () => ({ type: 9, short: false, value: NO_SPI_HERE })),
    });

  it.each([
    ['proposals', 64, proposals],
    ['transforms', 128, transforms],
    ['attributes of a transform', 8, attributes],
  ] as const)('%s: %i are read, one more is not', (_, most, make) => {
    const body = (n: number) => written(make(n));
    expect(read(PayloadType.SA, body(most))).toEqual(make(most));
    expectMalformed(PayloadType.SA, body(most + 1));
  });

  it('more transforms than the count octet holds are our bug, not a short payload', () => {
    expect(() => encodePayloads([transforms(256)])).toThrow(RangeError);
  });

  it('a TV attribute has a value of two octets', () => {
    const unknown = [{ type: 9, short: true, value: unhex('01') }];
    expect(() => encodePayloads([ike({ type: 1, id: 20, keyLength: 0, unknown })])).toThrow(RangeError);
  });
});
