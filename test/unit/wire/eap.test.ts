import { describe, expect, it } from 'vitest';
import { decodeEap, type EapPacket, encodeEap, hex, Malformed, unhex } from '../../../src/wire/index.ts';

describe('EAP packets (RFC 3748 §4)', () => {
  it.each<[string, string, EapPacket]>([
    ['request for an identity, as FortiOS sends it', '0154000501', { code: 1, id: 0x54, type: 1, data: unhex('') }],
    ['response with data', '0254000901 75736572', { code: 2, id: 0x54, type: 1, data: unhex('75736572') }],
    ['acknowledgement in MSCHAPv2', '02070006 1a03', { code: 2, id: 7, type: 26, data: unhex('03') }],
    ['expanded type', '02070008 fe000137', { code: 2, id: 7, type: 254, data: unhex('000137') }],
    ['success', '03ff0004', { code: 3, id: 255 }],
    ['failure', '04000004', { code: 4, id: 0 }],
  ])('%s', (_, digits, packet) => {
    expect(decodeEap(unhex(digits))).toEqual(packet);
    expect(hex(encodeEap(packet))).toBe(hex(unhex(digits)));
  });

  it('octets behind the length are padding (RFC 3748 §4.1)', () => {
    expect(decodeEap(unhex('0154000501 ffff'))).toEqual({ code: 1, id: 0x54, type: 1, data: unhex('') });
  });

  it('FortiOS announces another method by an octet in a Success', () => {
    expect(decodeEap(unhex('03ff0005 06'))).toEqual({ code: 3, id: 255 });
  });

  it.each([
    ['nothing', ''],
    ['a cut head', '015400'],
    ['a length below the head', '0154000301'],
    ['a length beyond the octets', '0154000601'],
    ['a request without type', '01540004'],
    ['a response without type', '02540004'],
    ['code 0', '0054000501'],
    ['code 5', '0554000501'],
  ])('%s is Malformed', (_, digits) => {
    expect(() => decodeEap(unhex(digits))).toThrow(Malformed);
  });

  it('a packet that does not fit its length field is our bug', () => {
    expect(() => encodeEap({ code: 1, id: 1, type: 6, data: new Uint8Array(65531) })).toThrow(RangeError);
  });
});
