import { describe, expect, it } from 'vitest';
import {
  concat,
  decodeHeader,
  decodeMessage,
  decodePayloads,
  describePayloads,
  encodeMessage,
  encodePayloads,
  frame,
  hex,
  ikeSpi,
  Malformed,
  NO_SPI,
  notify,
  PayloadType as P,
  type Payload,
  payloadType,
  unhex,
} from '../../../src/wire/index.ts';
import { count } from './chain.ts';

const decode = (first: number, digits: string) => decodePayloads(first, unhex(digits));
const envelope = {
  SPIi: ikeSpi(unhex('bfe7d806646696e2')),
  SPIr: ikeSpi(unhex('93dbd0898c44cc88')),
  exchange: 35,
  initiator: true,
  response: false,
  messageId: 1,
};

describe('chain of payloads (RFC 7296 §3.2)', () => {
  it("reads the head of FortiOS' first IKE_AUTH response: IDr AUTH EAP", () => {
    const mic = 'a5'.repeat(32);
    const octets = unhex(`2700000c 01000000 0ac7c701 30000028 02000000 ${mic} 00000009 0154000501`);
    const payloads: readonly Payload[] = [
      { kind: 'IDr', idType: 1, data: unhex('0ac7c701') },
      { kind: 'AUTH', method: 2, data: unhex(mic) },
      { kind: 'EAP', data: unhex('0154000501') },
    ];
    expect(decodePayloads(P.IDr, octets)).toEqual(payloads);
    expect(encodePayloads(payloads)).toEqual({ first: P.IDr, octets });
  });

  it('may be empty', () => {
    expect(decode(0, '')).toEqual([]);
    expect(encodePayloads([])).toEqual({ first: 0, octets: unhex('') });
  });

  it('keeps payloads that nobody knows, with their critical bit (§2.5)', () => {
    const payloads: readonly Payload[] = [
      { kind: 'UNKNOWN', type: 200, critical: true, data: unhex('0102') },
      { kind: 'UNKNOWN', type: 54, critical: false, data: unhex('') },
    ];
    const octets = unhex('3680 0006 0102 00000004');
    expect(decodePayloads(200, octets)).toEqual(payloads);
    expect(encodePayloads(payloads)).toEqual({ first: 200, octets });
    expect(payloads.map(payloadType)).toEqual([200, 54]);
  });

  it('ignores the critical bit of known payloads and the reserved bits of all', () => {
    const payloads = decode(P.V, '00ff 0005 01');
    expect(payloads).toEqual([{ kind: 'V', data: unhex('01') }]);
    expect(hex(encodePayloads(payloads).octets)).toBe('0000000501');
    expect(decode(200, '007f 0004')).toEqual([{ kind: 'UNKNOWN', type: 200, critical: false, data: unhex('') }]);
  });

  it.each([
    ['length 0', P.V, '00000000'],
    ['length 1', P.V, '00000001'],
    ['length 2', P.V, '00000002'],
    ['length 3', P.V, '00000003'],
    ['length beyond the end', P.V, '00000005'],
    ['length 65535', P.V, '0000ffff'],
    ['a head that is cut', P.V, '000000'],
    ['a next payload that is not there', P.V, '2b000004'],
    ['octets behind the last payload', P.V, '00000004 00'],
    ['octets though the chain is empty', 0, '00'],
    ['a first payload and no octets', P.V, ''],
    ['an Encrypted payload inside (§3.14)', P.SK, '00000004'],
    ['an Encrypted payload at its end', P.V, '2e000004 00000004'],
    ['a fragment inside', P.SKF, '00000008 00010001'],
  ])('%s is Malformed', (_, first, digits) => {
    expect(() => decode(first, digits)).toThrow(Malformed);
  });

  it('64 payloads are read, one more is not', () => {
    const chain = (n: number) => encodePayloads(Array.from({ length: n }, (): Payload => ({ kind: 'V', data: count(1) })));
    expect(decodePayloads(P.V, chain(64).octets)).toHaveLength(64);
    expect(() => decodePayloads(P.V, chain(65).octets)).toThrow(Malformed);
  });

  it('16384 octets are read, one more is not', () => {
    const chain = (n: number) => encodePayloads([{ kind: 'V', data: new Uint8Array(n - 4) }]).octets;
    expect(decodePayloads(P.V, chain(16384))).toHaveLength(1);
    expect(() => decodePayloads(P.V, chain(16385))).toThrow(Malformed);
  });

  it('a payload that does not fit its length field is our bug', () => {
    expect(() => encodePayloads([{ kind: 'V', data: new Uint8Array(65535 - 4) }])).not.toThrow();
    expect(() => encodePayloads([{ kind: 'V', data: new Uint8Array(65536 - 4) }])).toThrow(RangeError);
  });
});

describe('messages', () => {
  const payloads: readonly Payload[] = [{ kind: 'NONCE', data: count(16) }, notify('VPN_NETWORK_ID', 0)];
  const init = { ...envelope, SPIr: NO_SPI, exchange: 34, messageId: 0 };

  it('in the clear are header and chain, as long as the header says', () => {
    const octets = encodeMessage(init, payloads);
    expect(hex(octets)).toBe(
      'bfe7d806646696e20000000000000000282022080000000000000039' + // Ni next, 57 octets
        '290000140102030405060708090a0b0c0d0e0f10' +
        '000000090000f05000',
    );
    const header = decodeHeader(octets);
    expect(header).toMatchObject(init);
    expect(decodeMessage(octets, header)).toEqual({ header, payloads, sealed: undefined });
  });

  it('octets behind the chain are Malformed', () => {
    const octets = concat(encodeMessage(init, payloads), unhex('00'));
    octets[27] = octets.length;
    expect(() => decodeMessage(octets, decodeHeader(octets))).toThrow(Malformed);
  });

  it('views are of the datagram', () => {
    const octets = encodeMessage(init, payloads);
    const [nonce] = decodeMessage(octets, decodeHeader(octets)).payloads;
    octets[32] = 0xee;
    expect(nonce).toEqual({ kind: 'NONCE', data: concat(unhex('ee'), count(16).subarray(1)) });
  });

  it("FortiClient's IKE_SA_INIT shows its payloads in FortiClient's order", () => {
    const hash = new Uint8Array(20);
    const all: readonly Payload[] = [
      { kind: 'SA', proposals: [{ number: 1, protocol: 1, spi: unhex(''), transforms: [{ type: 4, id: 5, keyLength: 0 }] }] },
      { kind: 'KE', group: 5, data: new Uint8Array(192) },
      { kind: 'NONCE', data: count(16) },
      { kind: 'V', data: unhex('4c53427b6d465d1b337bb755a37a7fef') },
      { kind: 'V', data: unhex('b4f01ca951e9da8d0bafbbd34ad3044e') },
      { kind: 'V', data: unhex('c1dc4350476b98a429b91781914ca43e') },
      notify('NAT_DETECTION_SOURCE_IP', hash),
      notify('NAT_DETECTION_DESTINATION_IP', hash),
      notify('VPN_NETWORK_ID', 0),
    ];
    const octets = encodeMessage(init, all);
    const message = decodeMessage(octets, decodeHeader(octets));
    expect(message.payloads).toEqual(all);
    expect(describePayloads(message.payloads)).toBe(
      'SA KE NONCE V V V N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) N(VPN_NETWORK_ID)',
    );
  });
});

describe('frame of the Encrypted payload (RFC 7296 §3.14)', () => {
  it('is header and SK header, and zeros for the sealer', () => {
    const { octets, body } = frame(envelope, P.IDi, 20);
    expect(hex(octets)).toBe(`bfe7d806646696e293dbd0898c44cc882e2023080000000100000034${'23000018'}${'00'.repeat(20)}`);
    expect(body).toBe(32);
  });

  it('holds nothing of what was encoded before', () => {
    encodeMessage(envelope, [{ kind: 'V', data: new Uint8Array(400).fill(0xaa) }]);
    const { octets, body } = frame(envelope, P.IDi, 300);
    expect(octets.subarray(body).every((octet) => octet === 0)).toBe(true);
  });

  it('is read back: where the body begins, what comes first inside', () => {
    const { octets, body } = frame(envelope, P.IDi, 20);
    const header = decodeHeader(octets);
    const sealed = { kind: 'SK', first: P.IDi, body, fragment: 0, fragments: 0 };
    expect(decodeMessage(octets, header)).toEqual({ header, payloads: [], sealed });
  });

  it('payloads in front of it are in the clear', () => {
    const octets = concat(encodeMessage(envelope, [notify('COOKIE', count(8))]), unhex('23000018'), count(20));
    octets[27] = octets.length;
    octets[28] = P.SK; // what comes after the cookie
    const message = decodeMessage(octets, decodeHeader(octets));
    expect(message.payloads).toEqual([notify('COOKIE', count(8))]);
    expect(message.sealed).toEqual({ kind: 'SK', first: P.IDi, body: 48, fragment: 0, fragments: 0 });
  });

  it.each([
    ['less than the rest of the message', 23],
    ['more than the rest of the message', 25],
    ['nothing', 0],
  ])('a length of %s is Malformed', (_, length) => {
    const { octets } = frame(envelope, P.IDi, 20);
    octets[31] = length;
    expect(() => decodeMessage(octets, decodeHeader(octets))).toThrow(Malformed);
  });

  it('a header that is cut is Malformed', () => {
    const { octets } = frame(envelope, P.IDi, 0);
    const cut = octets.slice(0, 30);
    cut[27] = 30;
    expect(() => decodeMessage(cut, decodeHeader(cut))).toThrow(Malformed);
  });
});

describe('frame of a fragment (RFC 7383 §2.5)', () => {
  it('says which of how many; the first names the first payload inside', () => {
    const { octets, body } = frame(envelope, P.IDi, 20, { number: 1, total: 3 });
    expect(hex(octets.subarray(16, 36))).toBe('352023080000000100000038' + '2300001c00010003');
    expect(body).toBe(36);
    const sealed = { kind: 'SKF', first: P.IDi, body, fragment: 1, fragments: 3 };
    expect(decodeMessage(octets, decodeHeader(octets)).sealed).toEqual(sealed);
  });

  it('the others name none', () => {
    const { octets } = frame(envelope, P.IDi, 20, { number: 2, total: 3 });
    expect(decodeMessage(octets, decodeHeader(octets)).sealed).toMatchObject({ first: 0, fragment: 2, fragments: 3 });
  });

  it.each([
    ['number 0', 0, 1],
    ['total 0', 0, 0],
    ['a number beyond the total', 3, 2],
    ['more than 255', 1, 256],
  ])('%s is Malformed', (_, number, total) => {
    const { octets } = frame(envelope, P.IDi, 20, { number, total });
    expect(() => decodeMessage(octets, decodeHeader(octets))).toThrow(Malformed);
  });

  it('255 fragments are accepted', () => {
    const { octets } = frame(envelope, P.IDi, 20, { number: 255, total: 255 });
    expect(decodeMessage(octets, decodeHeader(octets)).sealed).toMatchObject({ fragment: 255, fragments: 255 });
  });
});
