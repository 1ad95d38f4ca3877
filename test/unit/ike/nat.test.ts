import { describe, expect, it } from 'vitest';
import { detectNat, natHash, natNotifies } from '../../../src/ike/nat.ts';
import { addressOctets, hex, ikeSpi, NO_SPI, type Notify, notify, type Payload, unhex } from '../../../src/wire/index.ts';

const SPIi = ikeSpi(unhex('bfe7d806646696e2'));
const SPIr = ikeSpi(unhex('93dbd0898c44cc88'));
const gateway = { address: '10.199.199.1', port: 500 };
const client = { address: '10.9.12.25', port: 500 };
const path = { local: gateway, remote: client };

const octets = (address: string): Uint8Array => addressOctets(address) ?? new Uint8Array(0);
const request = { SPIi, SPIr: NO_SPI };
const source = (address: string, port: number): Notify =>
  asNotify(notify('NAT_DETECTION_SOURCE_IP', natHash(SPIi, NO_SPI, octets(address), port)));
const destination = (address: string, port: number): Notify =>
  asNotify(notify('NAT_DETECTION_DESTINATION_IP', natHash(SPIi, NO_SPI, octets(address), port)));

function asNotify(payload: Payload): Notify {
  if (payload.kind !== 'N') throw new Error('not a notify');
  return payload;
}
const dataOf = (payloads: readonly Payload[]): readonly string[] =>
  payloads.map((p) => (p.kind === 'N' && p.data instanceof Uint8Array ? `${p.name} ${hex(p.data)}` : p.kind));

describe('NAT detection hashes (RFC 7296 §2.23)', () => {
  it('are SHA-1 over SPIs, address and port, as a FortiGate computes them', () => {
    expect(hex(natHash(SPIi, SPIr, octets('10.199.199.1'), 500))).toBe('2a0e6e8d01e26b6d380c4c6077d46e98051222dd');
    expect(hex(natHash(SPIi, SPIr, octets('10.9.12.25'), 0))).toBe('dce45da983e41a9bf3d7c55e8fecd35617069223');
  });

  it('forced: the peer is hashed with port 0, ourselves as we are', () => {
    expect(dataOf(natNotifies({ SPIi, SPIr }, path, 'forced'))).toEqual([
      'NAT_DETECTION_SOURCE_IP 2a0e6e8d01e26b6d380c4c6077d46e98051222dd',
      'NAT_DETECTION_DESTINATION_IP dce45da983e41a9bf3d7c55e8fecd35617069223',
    ]);
  });

  it('enabled: both as they are; disabled: none', () => {
    expect(dataOf(natNotifies({ SPIi, SPIr }, path, 'enable'))).toEqual([
      'NAT_DETECTION_SOURCE_IP 2a0e6e8d01e26b6d380c4c6077d46e98051222dd',
      `NAT_DETECTION_DESTINATION_IP ${hex(natHash(SPIi, SPIr, octets('10.9.12.25'), 500))}`,
    ]);
    expect(natNotifies({ SPIi, SPIr }, path, 'disable')).toEqual([]);
  });

  it('hold for IPv6, and depend on each of their parts', () => {
    const address = octets('2001:db8::1');
    const hashes = [
      natHash(SPIi, SPIr, address, 500),
      natHash(SPIi, SPIr, address, 4500),
      natHash(SPIi, SPIr, octets('2001:db8::2'), 500),
      natHash(SPIr, SPIr, address, 500),
      natHash(SPIi, NO_SPI, address, 500),
    ].map(hex);
    expect(new Set(hashes).size).toBe(5);
    const six = { local: { address: '2001:db8::1', port: 500 }, remote: { address: '2001:db8::2', port: 500 } };
    expect(dataOf(natNotifies({ SPIi, SPIr }, six, 'enable'))[0]).toContain(hashes[0]);
  });
});

describe('who is behind a NAT', () => {
  const found = (notifies: readonly Notify[], mode: 'enable' | 'disable' | 'forced' = 'enable') =>
    detectNat(notifies, request, path, mode);

  it('nobody when both hashes fit', () => {
    expect(found([source('10.9.12.25', 500), destination('10.199.199.1', 500)])).toEqual({
      me: false,
      peer: false,
      supported: true,
    });
  });

  it('the peer when its source arrives differently: address or port', () => {
    expect(found([source('192.168.1.7', 500), destination('10.199.199.1', 500)])).toMatchObject({ me: false, peer: true });
    expect(found([source('10.9.12.25', 40_000), destination('10.199.199.1', 500)])).toMatchObject({ me: false, peer: true });
  });

  it('we when the peer sends to another address than ours', () => {
    expect(found([source('10.9.12.25', 500), destination('203.0.113.1', 500)])).toMatchObject({ me: true, peer: false });
  });

  it('one fitting source of several is enough (§2.23)', () => {
    const several = [source('192.168.1.7', 500), source('10.9.12.25', 500), source('172.16.0.7', 500)];
    expect(found([...several, destination('10.199.199.1', 500)])).toMatchObject({ peer: false });
  });

  it('is not known when a notify is missing, and then nobody floats', () => {
    const nothing = { me: false, peer: false, supported: false };
    expect(found([])).toEqual(nothing);
    expect(found([source('192.168.1.7', 500)])).toEqual(nothing);
    expect(found([destination('203.0.113.1', 500)])).toEqual(nothing);
    expect(found([], 'forced')).toEqual(nothing);
  });

  it('disabled: nobody looks', () => {
    const notifies = [source('192.168.1.7', 500), destination('203.0.113.1', 500)];
    expect(found(notifies, 'disable')).toEqual({ me: false, peer: false, supported: false });
  });

  it('forced: the peer, even when its hashes fit', () => {
    const notifies = [source('10.9.12.25', 500), destination('10.199.199.1', 500)];
    expect(found(notifies, 'forced')).toEqual({ me: false, peer: true, supported: true });
  });

  it('hashes of a wrong length fit nobody', () => {
    const short = (name: 'NAT_DETECTION_SOURCE_IP' | 'NAT_DETECTION_DESTINATION_IP', n: number) =>
      asNotify(notify(name, new Uint8Array(n)));
    const notifies = [short('NAT_DETECTION_SOURCE_IP', 0), short('NAT_DETECTION_DESTINATION_IP', 19)];
    expect(found(notifies)).toEqual({ me: true, peer: true, supported: true });
  });
});
