/**
 * pcap records of UDP datagrams (the classic libpcap format, link type 101 = raw IP): the IP and UDP headers that the kernel
 * kept for itself are made again, with right checksums (RFC 791, RFC 768, RFC 8200 §8.1). Pure.
 */

export type PcapEndpoint = { readonly address: Uint8Array; readonly port: number };

/** The file header: microseconds, snap length 64 KiB, LINKTYPE_RAW. */
export function pcapHeader(): Uint8Array {
  const octets = new Uint8Array(24);
  const view = new DataView(octets.buffer);
  view.setUint32(0, 0xa1b2c3d4);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 65535);
  view.setUint32(20, 101);
  return octets;
}

/**
 * One record: packet header, IP header, UDP header, datagram.
 *
 * @param from sender; 4 or 16 octets of address, of the same family as `to`
 * @param at unix time in ms, fractions welcome
 */
export function pcapRecord(from: PcapEndpoint, to: PcapEndpoint, octets: Uint8Array, at: number): Uint8Array {
  const six = from.address.length === 16;
  const ip = six ? 40 : 20;
  const record = new Uint8Array(16 + ip + 8 + octets.length);
  const view = new DataView(record.buffer);
  const micros = Math.round(at * 1000);
  view.setUint32(0, Math.floor(micros / 1e6));
  view.setUint32(4, micros % 1e6);
  view.setUint32(8, ip + 8 + octets.length);
  view.setUint32(12, ip + 8 + octets.length);
  const packet = record.subarray(16);
  if (six) writeIp6(packet, from.address, to.address);
  else writeIp4(packet, from.address, to.address);
  const udp = packet.subarray(ip);
  const header = new DataView(udp.buffer, udp.byteOffset, 8);
  header.setUint16(0, from.port);
  header.setUint16(2, to.port);
  header.setUint16(4, udp.length);
  udp.set(octets, 8);
  // The pseudo header: both addresses, the length and the protocol number. A sum of zero is sent as all ones (RFC 768).
  const sum = checksum(udp, addUp(from.address, addUp(to.address, 17 + udp.length)));
  header.setUint16(6, sum === 0 ? 0xffff : sum);
  return record;
}

function writeIp4(packet: Uint8Array, from: Uint8Array, to: Uint8Array): void {
  const view = new DataView(packet.buffer, packet.byteOffset, 20);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint8(8, 64);
  view.setUint8(9, 17);
  packet.set(from, 12);
  packet.set(to, 16);
  view.setUint16(10, checksum(packet.subarray(0, 20), 0));
}

function writeIp6(packet: Uint8Array, from: Uint8Array, to: Uint8Array): void {
  const view = new DataView(packet.buffer, packet.byteOffset, 40);
  view.setUint8(0, 0x60);
  view.setUint16(4, packet.length - 40);
  view.setUint8(6, 17);
  view.setUint8(7, 64);
  packet.set(from, 8);
  packet.set(to, 24);
}

/** The Internet checksum (RFC 1071) over octets and a sum that stands already. */
export function checksum(octets: Uint8Array, sum: number): number {
  let total = addUp(octets, sum);
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return ~total & 0xffff;
}

function addUp(octets: Uint8Array, sum: number): number {
  let total = sum;
  for (let i = 0; i < octets.length; i += 2) total += ((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0);
  return total;
}
