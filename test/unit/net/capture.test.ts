import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCapture } from '../../../src/net/capture.ts';
import { keyTableLine, openKeyTable } from '../../../src/net/keyTable.ts';
import { checksum, pcapRecord } from '../../../src/net/pcap.ts';
import { addressOctets } from '../../../src/net/sockaddr.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-capture-'));
});
afterAll(() => rm(dir, { recursive: true }));

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
const end = (address: string, port: number) => ({ address: addressOctets(address) ?? new Uint8Array(), port });

describe('pcap records', () => {
  it('an IPv4 record has the headers that the kernel kept, with right checksums', () => {
    const record = pcapRecord(end('10.0.0.1', 500), end('10.0.0.2', 4500), Uint8Array.of(1, 2, 3), 1_700_000_000_123.456);
    const view = new DataView(record.buffer);
    expect([view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]).toEqual([
      1_700_000_000, 123_456, 31, 31,
    ]);
    const packet = record.subarray(16);
    expect(hex(packet.subarray(0, 10))).toBe('4500001f000000004011');
    expect(hex(packet.subarray(12, 26))).toBe('0a0000010a00000201f41194000b');
    expect(checksum(packet.subarray(0, 20), 0)).toBe(0); // a right header sums to zero
    expect(udpSum(packet, 20, 12, 4)).toBe(0);
  });

  it('an IPv6 record likewise; there the UDP checksum is mandatory', () => {
    const packet = pcapRecord(end('2001:db8::1', 4500), end('fd00:1:2:3:4:5:6:7', 4500), new Uint8Array(5), 0).subarray(16);
    expect(hex(packet.subarray(0, 40))).toBe(
      '60000000000d1140' + '20010db8000000000000000000000001' + 'fd000001000200030004000500060007',
    );
    expect(udpSum(packet, 40, 8, 16)).toBe(0);
  });

  it('a checksum of zero is sent as all ones (RFC 768)', () => {
    // Choose the datagram so that the sum comes out as zero: its two octets are the checksum of the rest.
    const plain = pcapRecord(end('10.0.0.1', 500), end('10.0.0.2', 500), new Uint8Array(2), 0);
    const record = pcapRecord(end('10.0.0.1', 500), end('10.0.0.2', 500), plain.subarray(16 + 26, 16 + 28), 0);
    expect(hex(record.subarray(16 + 26, 16 + 28))).toBe('ffff');
  });

  it.each([
    ['0.0.0.0', '00000000'],
    ['255.1.2.3', 'ff010203'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['2001:db8::', `20010db8${'00'.repeat(12)}`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
  ])('%s is read', (text, octets) => expect(hex(addressOctets(text) ?? new Uint8Array())).toBe(octets));
  it.each(['1.2.3', '1.2.3.256', 'a.b.c.d', ':::', 'fe80::1%eth0', ''])('%s is no address', (text) =>
    expect(addressOctets(text)).toBeUndefined(),
  );
});

describe('the capture file', () => {
  it('is for its owner alone, whatever its mode was, and holds what was given in order', async () => {
    const path = join(dir, 'a.pcap');
    await writeFile(path, 'old', { mode: 0o644 });
    const capture = await openCapture(path);
    const [a, b] = [
      { address: '10.0.0.1', port: 500 },
      { address: '10.0.0.2', port: 500 },
    ];
    capture.packet(a, b, Uint8Array.of(1), 1000);
    capture.packet(b, a, Uint8Array.of(2), 2000);
    await capture.close();
    expect(await mode(path)).toBe('600');
    const octets = await readFile(path);
    expect(octets.subarray(0, 24).toString('hex')).toBe('a1b2c3d4000200040000000000000000' + '0000ffff00000065');
    expect(octets.length).toBe(24 + 2 * (16 + 29));
    expect([octets[24 + 44], octets[24 + 45 + 44]]).toEqual([1, 2]);
    expect(capture.dropped).toBe(0);
  });

  it('drops and counts what the disk is too slow for, and what passes its limit', async () => {
    const a = { address: '10.0.0.1', port: 500 };
    const slow = await openCapture(join(dir, 'slow.pcap'), { queue: 24 + 45 });
    for (let i = 0; i < 5; i++) slow.packet(a, a, Uint8Array.of(i), 0);
    expect(slow.dropped).toBe(4);
    await slow.close();
    const full = await openCapture(join(dir, 'full.pcap'), { limit: 24 + 2 * 45 });
    for (let i = 0; i < 5; i++) full.packet(a, a, Uint8Array.of(i), 0);
    await full.close();
    expect(full.dropped).toBe(3);
    expect((await stat(join(dir, 'full.pcap'))).size).toBe(24 + 2 * 45);
  });

  it('does not follow a symbolic link, and says so', async () => {
    await symlink(join(dir, 'target'), join(dir, 'link'));
    await expect(openCapture(join(dir, 'link'))).rejects.toThrow('it is a symbolic link');
    await expect(openCapture(join(dir, 'no', 'where'))).rejects.toMatchObject({ name: 'EnvironmentRefused', code: 'ENOENT' });
  });
});

describe("Wireshark's key table", () => {
  const keys = {
    SPIi: '0011223344556677',
    SPIr: '8899aabbccddeeff',
    SK_ei: Uint8Array.of(0xe1),
    SK_er: Uint8Array.of(0xe2),
    SK_ai: Uint8Array.of(0xa1),
    SK_ar: Uint8Array.of(0xa2),
  };
  const line = (encr: number, keyLength: number, integ: number) => keyTableLine({ ...keys, encr, keyLength, integ });

  it.each([
    [12, 128, 2, 'e1,e2,"AES-CBC-128 [RFC3602]",a1,a2,"HMAC_SHA1_96 [RFC2404]"'],
    [12, 192, 12, 'e1,e2,"AES-CBC-192 [RFC3602]",a1,a2,"HMAC_SHA2_256_128 [RFC4868]"'],
    [12, 256, 13, 'e1,e2,"AES-CBC-256 [RFC3602]",a1,a2,"HMAC_SHA2_384_192 [RFC4868]"'],
    [12, 256, 14, 'e1,e2,"AES-CBC-256 [RFC3602]",a1,a2,"HMAC_SHA2_512_256 [RFC4868]"'],
    [20, 128, 0, 'e1,e2,"AES-GCM-128 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"'],
    [20, 256, 0, 'e1,e2,"AES-GCM-256 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"'],
  ])('encr %i with %i bits and integ %i has its name', (encr, bits, integ, rest) => {
    expect(line(encr, bits, integ)).toBe(`0011223344556677,8899aabbccddeeff,${rest}\n`);
  });

  it.each([
    ['ChaCha20-Poly1305', 28, 256, 0],
    ['an unknown integrity', 12, 128, 5],
    ['CBC without integrity', 12, 128, 0],
    ['GCM with integrity', 20, 128, 12],
    ['an odd key length', 12, 160, 12],
  ])('%s gets no line: a wrong one would spoil the table', (_name, encr, bits, integ) => {
    expect(line(encr, bits, integ)).toBeUndefined();
  });

  it('is added to, private, in a private directory', async () => {
    const folder = join(dir, 'keys');
    for (let i = 0; i < 2; i++) {
      const table = await openKeyTable(folder);
      expect(table.add({ ...keys, encr: 20, keyLength: 128, integ: 0 })).toBe(true);
      expect(table.add({ ...keys, encr: 28, keyLength: 256, integ: 0 })).toBe(false);
      await table.close();
    }
    expect([await mode(folder), await mode(join(folder, 'ikev2_decryption_table'))]).toEqual(['700', '600']);
    expect((await readFile(join(folder, 'ikev2_decryption_table'), 'utf8')).split('\n')).toHaveLength(3);
  });
});

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');

/** The sum over pseudo header and UDP of a right packet is zero. */
function udpSum(packet: Uint8Array, ip: number, addresses: number, size: number): number {
  const udp = packet.subarray(ip);
  const pseudo = Uint8Array.of(...packet.subarray(addresses, addresses + 2 * size), 0, 17, udp.length >> 8, udp.length & 255);
  return checksum(Uint8Array.of(...pseudo, ...udp), 0);
}
