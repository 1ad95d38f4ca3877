import { describe, expect, it } from 'vitest';
import { encodePayloads, PayloadType as P, type Payload, type TrafficSelector, unhex } from '../../../src/wire/index.ts';
import { count, expectMalformed, expectPair, read, written } from './chain.ts';

describe('short payloads (RFC 7296 §3.4 to §3.9)', () => {
  it.each<[string, number, string, Payload]>([
    ['KE', P.KE, '001f 0000 010203', { kind: 'KE', group: 31, data: count(3) }],
    ['IDi', P.IDi, '02000000 6469616c757031', { kind: 'IDi', idType: 2, data: new TextEncoder().encode('dialup1') }],
    ['IDr as FortiOS sends it', P.IDr, '01000000 0ac7c701', { kind: 'IDr', idType: 1, data: unhex('0ac7c701') }],
    ['an ID without data', P.IDr, '0d000000', { kind: 'IDr', idType: 13, data: unhex('') }],
    ['CERT', P.CERT, '04 308201', { kind: 'CERT', encoding: 4, data: unhex('308201') }],
    ['CERTREQ', P.CERTREQ, '04 0102', { kind: 'CERTREQ', encoding: 4, data: count(2) }],
    ['an empty CERTREQ', P.CERTREQ, '04', { kind: 'CERTREQ', encoding: 4, data: unhex('') }],
    ['AUTH', P.AUTH, '02000000 010203', { kind: 'AUTH', method: 2, data: count(3) }],
    ['Nonce of 16', P.NONCE, '0102030405060708090a0b0c0d0e0f10', { kind: 'NONCE', data: count(16) }],
    ['V', P.V, '4c53427b', { kind: 'V', data: unhex('4c53427b') }],
    ['an empty V', P.V, '', { kind: 'V', data: unhex('') }],
    ['EAP', P.EAP, '01540005 01', { kind: 'EAP', data: unhex('0154000501') }],
  ])('%s', (_, type, body, payload) => {
    expectPair(type, body, payload);
  });

  it.each([
    ['KE', P.KE, '001fffff0102', '001f00000102'],
    ['ID', P.IDi, '02ffffff61', '0200000061'],
    ['AUTH', P.AUTH, '02ffffff61', '0200000061'],
    ['TS', P.TSi, '01ffffff 07000010 0000ffff 00000000 ffffffff', '01000000070000100000ffff00000000ffffffff'],
    ['CP', P.CP, '01ffffff', '01000000'],
  ])('%s: reserved octets are ignored and written as zero', (_, type, body, clean) => {
    expect(written(read(type, body))).toBe(clean);
  });

  it.each([
    ['KE without its reserved octets', P.KE, '001f00'],
    ['ID without its reserved octets', P.IDi, '0200'],
    ['AUTH of nothing', P.AUTH, ''],
    ['CERT of nothing', P.CERT, ''],
    ['CERTREQ of nothing', P.CERTREQ, ''],
    ['nonce of 15 octets', P.NONCE, '00'.repeat(15)],
    ['nonce of 257 octets', P.NONCE, '00'.repeat(257)],
  ])('%s is Malformed', (_, type, body) => {
    expectMalformed(type, body);
  });

  it('a nonce may have 256 octets (§3.9)', () => {
    expect(read(P.NONCE, '00'.repeat(256))).toEqual({ kind: 'NONCE', data: new Uint8Array(256) });
  });
});

describe('Delete payload (RFC 7296 §3.11)', () => {
  it('an IKE SA is deleted without SPI', () => {
    expectPair(P.D, '01 00 0000', { kind: 'D', protocol: 1, spiSize: 0, spis: [] });
  });

  it('a number of SPIs of no octets says nothing', () => {
    expect(read(P.D, '01 00 ffff')).toEqual({ kind: 'D', protocol: 1, spiSize: 0, spis: [] });
  });

  it('child SAs by SPIs of 4 octets', () => {
    expectPair(P.D, '03 04 0002 33fd7e58 78d64ca1', {
      kind: 'D',
      protocol: 3,
      spiSize: 4,
      spis: [unhex('33fd7e58'), unhex('78d64ca1')],
    });
  });

  it.each([
    ['fewer SPIs than counted', '03 04 0002 33fd7e58'],
    ['more SPIs than counted', '03 04 0001 33fd7e58 78d64ca1'],
    ['an ESP SPI of 8 octets', '03 08 0001 0102030405060708'],
    ['an AH SPI of none', '02 00 0000'],
    ['octets behind an IKE delete', '01 00 0001 00'],
    ['a head that is cut', '03 04 00'],
  ])('%s is Malformed', (_, body) => {
    expectMalformed(P.D, body);
  });

  it('256 SPIs are read, one more is not', () => {
    const deletion = (n: number): Payload => ({
      kind: 'D',
      protocol: 3,
      spiSize: 4,
      spis: Array.from({ length: n }, () => count(4)),
    });
    expect(read(P.D, written(deletion(256)))).toEqual(deletion(256));
    expectMalformed(P.D, written(deletion(257)));
  });

  it('SPIs of another size than announced are our bug', () => {
    expect(() => encodePayloads([{ kind: 'D', protocol: 3, spiSize: 4, spis: [count(3)] }])).toThrow(RangeError);
  });
});

describe('Traffic Selector payloads (RFC 7296 §3.13)', () => {
  const any: TrafficSelector = {
    type: 7,
    protocol: 0,
    startPort: 0,
    endPort: 65535,
    start: unhex('00000000'),
    end: unhex('ffffffff'),
  };

  it('IPv4: what FortiClient asks for, everything', () => {
    expectPair(P.TSi, '01000000 07 00 0010 0000 ffff 00000000 ffffffff', { kind: 'TSi', selectors: [any] });
  });

  it('IPv4 and IPv6 side by side, with protocol and ports', () => {
    expectPair(
      P.TSr,
      `02000000 07 06 0010 01bb 01bb c0000200 c00002ff
       08 11 0028 0000 ffff 20010db8000000000000000000000000 20010db8ffffffffffffffffffffffff`,
      {
        kind: 'TSr',
        selectors: [
          { type: 7, protocol: 6, startPort: 443, endPort: 443, start: unhex('c0000200'), end: unhex('c00002ff') },
          {
            type: 8,
            protocol: 17,
            startPort: 0,
            endPort: 65535,
            start: unhex('20010db8000000000000000000000000'),
            end: unhex('20010db8ffffffffffffffffffffffff'),
          },
        ],
      },
    );
  });

  it('OPAQUE ports (65535 to 0) stay as they are', () => {
    const selectors = [{ ...any, startPort: 65535, endPort: 0 }];
    expectPair(P.TSi, '01000000 07 00 0010 ffff 0000 00000000 ffffffff', { kind: 'TSi', selectors });
  });

  it('an empty address range is for negotiation to refuse', () => {
    const selectors = [{ ...any, start: unhex('0a000002'), end: unhex('0a000001') }];
    expectPair(P.TSi, '01000000 07 00 0010 0000 ffff 0a000002 0a000001', { kind: 'TSi', selectors });
  });

  it('selector types that nobody knows are kept', () => {
    const selectors: TrafficSelector[] = [{ type: 'other', number: 10, protocol: 5, data: unhex('0102') }, any];
    expectPair(P.TSr, '02000000 0a 05 0006 0102 07 00 0010 0000 ffff 00000000 ffffffff', { kind: 'TSr', selectors });
  });

  it.each([
    ['no selector (§3.13: one or more)', '00000000'],
    ['fewer selectors than counted', '02000000 07000010 0000ffff 00000000 ffffffff'],
    ['more selectors than counted', '01000000 07000010 0000ffff 00000000 ffffffff 07000010 0000ffff 00000000 ffffffff'],
    ['a selector shorter than its head', '01000000 0a000003'],
    ['a selector longer than the payload', '01000000 0a000005'],
    ['IPv4 with the length of IPv6', `01000000 07000028 0000ffff${'00'.repeat(32)}`],
    ['IPv6 with the length of IPv4', '01000000 08000010 0000ffff 00000000 ffffffff'],
    ['IPv4 with an octet too many', '01000000 07000011 0000ffff 00000000 ffffffff 00'],
  ])('%s is Malformed', (_, body) => {
    expectMalformed(P.TSi, body);
  });

  it('255 selectors fit, more are our bug', () => {
    const payload = (n: number): Payload => ({ kind: 'TSi', selectors: Array.from({ length: n }, () => any) });
    expect(read(P.TSi, written(payload(255)))).toEqual(payload(255));
    expect(() => encodePayloads([payload(256)])).toThrow(RangeError);
  });

  it('addresses of the wrong family are our bug', () => {
    const encode = (ts: TrafficSelector) => encodePayloads([{ kind: 'TSi', selectors: [ts] }]);
    expect(() => encode({ ...any, type: 8 })).toThrow(RangeError);
    expect(() => encode({ ...any, start: new Uint8Array(16) })).toThrow(RangeError);
    expect(() => encode({ ...any, end: new Uint8Array(16) })).toThrow(RangeError);
  });
});

describe('Configuration payload (RFC 7296 §3.15)', () => {
  it('reads what FortiClient 7.4.8 asks for: 16 empty attributes in 72 octets', () => {
    const types = [1, 2, 7, 3, 4, 13, 8, 10, 11, 15, 25, 21516, 28678, 21514, 21515, 28673];
    const body = `01000000${types.map((type) => `${type.toString(16).padStart(4, '0')}0000`).join('')}`;
    expect(body.length / 2 + 4).toBe(72);
    expectPair(P.CP, body, { kind: 'CP', cfgType: 1, attributes: types.map((type) => ({ type, value: unhex('') })) });
  });

  it('writes a reply of FortiOS: address, split-include, save-password', () => {
    expectPair(P.CP, '02000000 00010004 0a0a0101 000d0008 c0a81e00ffffff00 70010002 0001', {
      kind: 'CP',
      cfgType: 2,
      attributes: [
        { type: 1, value: unhex('0a0a0101') },
        { type: 13, value: unhex('c0a81e00ffffff00') },
        { type: 28673, value: unhex('0001') },
      ],
    });
  });

  it('ignores the reserved bit of an attribute type', () => {
    expect(read(P.CP, '01000000 80010000')).toEqual({ kind: 'CP', cfgType: 1, attributes: [{ type: 1, value: unhex('') }] });
  });

  it('has no attribute types beyond 32767', () => {
    expect(() => encodePayloads([{ kind: 'CP', cfgType: 1, attributes: [{ type: 0x8001, value: unhex('') }] }])).toThrow(
      RangeError,
    );
  });

  it.each([
    ['nothing', ''],
    ['a cut attribute head', '01000000 000100'],
    ['a value beyond the payload', '01000000 00010004 0a0a01'],
  ])('%s is Malformed', (_, body) => {
    expectMalformed(P.CP, body);
  });

  it.each([
    ['request', 1, 64],
    ['reply, which carries one for every split-include prefix', 2, 512],
  ])('a %s: type %i has at most %i attributes', (_, cfgType, most) => {
    const body = (n: number) => `0${cfgType}000000${'000d0000'.repeat(n)}`;
    expect(read(P.CP, body(most))).toMatchObject({ attributes: { length: most } });
    expectMalformed(P.CP, body(most + 1));
  });
});
