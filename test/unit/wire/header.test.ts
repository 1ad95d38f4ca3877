import { describe, expect, it } from 'vitest';
import {
  classify,
  concat,
  decodeHeader,
  encodeMessage,
  hex,
  ikeSpi,
  isEsp,
  Malformed,
  unhex,
  withMarker,
} from '../../../src/wire/index.ts';

const SPIi = ikeSpi(unhex('bfe7d806646696e2'));
const SPIr = ikeSpi(unhex('93dbd0898c44cc88'));
const empty = 'bfe7d806646696e2 93dbd0898c44cc88 00 20 25 08 00000001 0000001c'; // INFORMATIONAL request without payloads

/** the empty message with octets replaced */
function patched(at: number, digits: string): Uint8Array {
  const octets = unhex(empty);
  octets.set(unhex(digits), at);
  return octets;
}

describe('IKE header (RFC 7296 §3.1)', () => {
  it('is read field by field', () => {
    expect(decodeHeader(unhex(empty))).toEqual({
      SPIi,
      SPIr,
      next: 0,
      major: 2,
      minor: 0,
      exchange: 37,
      initiator: true,
      response: false,
      messageId: 1,
      length: 28,
    });
  });

  it('is written with version 2.0, the flags asked for and no others', () => {
    const envelope = { SPIi, SPIr, exchange: 37, initiator: true, response: false, messageId: 1 };
    expect(hex(encodeMessage(envelope, []))).toBe(hex(unhex(empty)));
    const response = encodeMessage({ ...envelope, initiator: false, response: true, messageId: 0xfffffffe }, []);
    expect(hex(response.subarray(19, 24))).toBe('20fffffffe');
  });

  it('tells versions without judging them', () => {
    expect(decodeHeader(patched(17, '10'))).toMatchObject({ major: 1, minor: 0 });
    expect(decodeHeader(patched(17, '3f'))).toMatchObject({ major: 3, minor: 15 });
  });

  it('ignores V and the reserved flags', () => {
    expect(decodeHeader(patched(19, 'd7'))).toMatchObject({ initiator: false, response: false });
    expect(decodeHeader(patched(19, 'ff'))).toMatchObject({ initiator: true, response: true });
  });

  it.each([
    ['one octet short', unhex(empty).subarray(0, 27)],
    ['empty', new Uint8Array(0)],
    ['a length below the datagram', patched(24, '0000001b')],
    ['a length beyond the datagram', patched(24, '0000001d')],
    ['a length of 0', patched(24, '00000000')],
    ['a huge length', patched(24, 'ffffffff')],
  ])('refuses %s', (_, octets) => {
    expect(() => decodeHeader(octets)).toThrow(Malformed);
  });

  it('refuses messages of more than 16384 octets', () => {
    const most = concat(patched(24, '00004000'), new Uint8Array(16384 - 28));
    expect(decodeHeader(most).length).toBe(16384);
    const more = concat(patched(24, '00004001'), new Uint8Array(16385 - 28));
    expect(() => decodeHeader(more)).toThrow(Malformed);
  });
});

describe('what a datagram is (RFC 3948 §2)', () => {
  const ike = unhex(empty);

  it('port 500: IKE as it is', () => {
    expect(classify(ike, false)).toEqual({ kind: 'ike', octets: ike });
  });

  it('NAT-T port: IKE behind four zero octets, which are taken off', () => {
    expect(hex(withMarker(ike))).toBe(`00000000${hex(ike)}`);
    expect(classify(withMarker(ike), true)).toEqual({ kind: 'ike', octets: ike });
  });

  it('NAT-T port: anything else in front is an ESP SPI', () => {
    expect(classify(ike, true)).toEqual({ kind: 'esp', spi: 0xbfe7d806 });
    expect(classify(unhex('00000100 00000001'), true)).toEqual({ kind: 'esp', spi: 256 });
  });

  it('isEsp says so of the same datagrams, wherever they lie', () => {
    for (const text of [
      '',
      'ff',
      '00000100',
      '00000100 00000001',
      '000000ff 00000001',
      '00000000 00000001',
      '01000000 00000001',
    ]) {
      const b = unhex(text);
      expect(isEsp(unhex(`aaaaaa${text}bb`), 3, b.length)).toBe(classify(b, true).kind === 'esp');
    }
  });

  it('the SPIs 1 to 255 are reserved (RFC 4303 §2.1)', () => {
    expect(classify(unhex('000000ff 00000001'), true).kind).toBe('junk');
  });

  it.each([true, false])('one octet FF is a keepalive, one of anything else is not (NAT-T port: %s)', (natt) => {
    expect(classify(unhex('ff'), natt)).toEqual({ kind: 'keepalive' });
    expect(classify(unhex('fe'), natt).kind).toBe('junk');
    expect(classify(unhex('ffff'), natt).kind).toBe('junk');
  });

  it.each([
    ['nothing', '', false],
    ['nothing', '', true],
    ['a marker and no message', '00000000', true],
    ['a marker and 27 octets', `00000000${'11'.repeat(27)}`, true],
    ['27 octets', '11'.repeat(27), false],
    ['7 octets of ESP', '11223344556677', true],
  ] as const)('%s is junk (%s, NAT-T port: %s)', (_, digits, natt) => {
    expect(classify(unhex(digits), natt).kind).toBe('junk');
  });
});
