import { describe, expect, it } from 'vitest';
import { isErrorType, type Notify, notify, notifyType, notifyTypeName, PayloadType, unhex } from '../../../src/wire/index.ts';
import { count, expectMalformed, expectPair, read, written } from './chain.ts';

const N = PayloadType.N;
const none = unhex('');

describe('Notify payload (RFC 7296 §3.10)', () => {
  it.each<[string, string, Notify]>([
    ['without data', '0000 4000', notify('INITIAL_CONTACT')],
    ['with a group', '0000 0011 0013', notify('INVALID_KE_PAYLOAD', 19)],
    ['with an octet', '0000 0001 35', notify('UNSUPPORTED_CRITICAL_PAYLOAD', 53)],
    ['with 4 octets', '0000 4001 00000010', notify('SET_WINDOW_SIZE', 16)],
    ['with a list', '0000 402f 0001 0002 0005', notify('SIGNATURE_HASH_ALGORITHMS', [1, 2, 5])],
    ['with a cookie', '0000 4006 010203', notify('COOKIE', count(3))],
    ['about a child SA', '0304 4009 33fd7e58', notify('REKEY_SA', undefined, { protocol: 3, spi: unhex('33fd7e58') })],
    ['of RFC 7383', '0000 402e', notify('IKEV2_FRAGMENTATION_SUPPORTED')],
    ['of RFC 9242', '0000 4036', notify('INTERMEDIATE_EXCHANGE_SUPPORTED')],
  ])('%s', (_, body, payload) => {
    expectPair(N, body, payload);
  });

  it.each<[string, string, Notify]>([
    ['VPN_NETWORK_ID 0, as FortiClient sends it', '0000 f050 00', notify('VPN_NETWORK_ID', 0)],
    ['VPN_NETWORK_ID 254', '0000 f050 fe', notify('VPN_NETWORK_ID', 254)],
    ['INTERFACE_ADDR4 169.254.1.1', '0000 f0f9 a9fe0101', notify('INTERFACE_ADDR4', unhex('a9fe0101'))],
    ['FORTICLIENT_CONNECT', '0000 f100 5645523d310a00', notify('FORTICLIENT_CONNECT', unhex('5645523d310a00'))],
    ['EXCHANGE_INTF_IP', '0000 f101', notify('EXCHANGE_INTF_IP')],
  ])("Fortinet's %s", (_, body, payload) => {
    expectPair(N, body, payload);
  });

  it('the NAT detection hashes have 20 octets', () => {
    const data = unhex('2a0e6e8d01e26b6d380c4c6077d46e98051222dd');
    expectPair(N, '0000 4004 2a0e6e8d01e26b6d380c4c6077d46e98051222dd', notify('NAT_DETECTION_SOURCE_IP', data));
    expectMalformed(N, '0000 4004 2a0e6e8d01e26b6d380c4c6077d46e98051222');
    expectMalformed(N, '0000 4005 2a0e6e8d01e26b6d380c4c6077d46e98051222dd00');
  });

  it.each([
    ['UNSUPPORTED_CRITICAL_PAYLOAD', 1, 1, 1],
    ['INVALID_MESSAGE_ID', 9, 4, 4],
    ['INVALID_KE_PAYLOAD', 17, 2, 2],
    ['SET_WINDOW_SIZE', 16385, 4, 4],
    ['NAT_DETECTION_SOURCE_IP', 16388, 20, 20],
    ['NAT_DETECTION_DESTINATION_IP', 16389, 20, 20],
    ['COOKIE', 16390, 1, 64],
    ['ADDITIONAL_IP4_ADDRESS', 16397, 4, 4],
    ['ADDITIONAL_IP6_ADDRESS', 16398, 16, 16],
    ['COOKIE2', 16401, 8, 64],
    ['AUTH_LIFETIME', 16403, 4, 4],
  ])('%s (%i) has %i to %i octets of data', (name, type, least, most) => {
    const body = (n: number) => `0000 ${type.toString(16).padStart(4, '0')} ${'00'.repeat(n)}`;
    expect(read(N, body(least))).toMatchObject({ name });
    expect(read(N, body(most))).toMatchObject({ name });
    expectMalformed(N, body(least - 1));
    expectMalformed(N, body(most + 1));
  });

  it('types that nobody knows are kept, with SPI and data', () => {
    const payload: Notify = { kind: 'N', name: 'UNKNOWN', type: 45000, protocol: 9, spi: unhex('0102'), data: unhex('aabb') };
    expectPair(N, '0902 afc8 0102 aabb', payload);
    expect(notifyType(payload)).toBe(45000);
  });

  it('octets behind a notify that has no data are ignored (RFC 9242 §3.1 asks for it)', () => {
    expect(read(N, '0000 402e 0102')).toEqual(notify('IKEV2_FRAGMENTATION_SUPPORTED'));
    expect(written(read(N, '0000 4000 ff'))).toBe('00004000');
  });

  it.each([
    ['INVALID_KE_PAYLOAD with an octet', '0000 0011 13'],
    ['INVALID_KE_PAYLOAD with 3 octets', '0000 0011 001300'],
    ['COOKIE of nothing', '0000 4006'],
    ['COOKIE of 65 octets', `0000 4006 ${'00'.repeat(65)}`],
    ['SIGNATURE_HASH_ALGORITHMS of odd length', '0000 402f 000100'],
    ['SIGNATURE_HASH_ALGORITHMS of 65', `0000 402f ${'0001'.repeat(65)}`],
    ['SET_WINDOW_SIZE of 2 octets', '0000 4001 0010'],
    ['an SPI that is cut', '0304 4009 33fd7e'],
    ['a head that is cut', '0000 40'],
  ])('%s is Malformed', (_, body) => {
    expectMalformed(N, body);
  });

  it("a private type with data of another form is another vendor's", () => {
    expectPair(N, '0000 f050 0102', { kind: 'N', name: 'UNKNOWN', type: 61520, protocol: 0, spi: none, data: unhex('0102') });
    expectPair(N, '0000 f0f9', { kind: 'N', name: 'UNKNOWN', type: 61689, protocol: 0, spi: none, data: none });
  });

  it('gives names and numbers', () => {
    expect(notifyType(notify('TS_UNACCEPTABLE'))).toBe(38);
    expect(notifyTypeName(24)).toBe('AUTHENTICATION_FAILED');
    expect(notifyTypeName(45000)).toBe('45000');
  });

  it('errors end at 16383', () => {
    expect([0, 24, 16383, 16384, 61696].map(isErrorType)).toEqual([true, true, true, false, false]);
  });
});
