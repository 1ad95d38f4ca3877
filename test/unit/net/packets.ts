/** Packets of TCP and UDP for tests, with checksums made octet by octet as RFC 1071 §4.1 writes it. */
import { addressOctets } from '../../../src/net/sockaddr.ts';

export type Ip = {
  readonly six?: boolean;
  readonly payload?: Uint8Array;
  readonly port?: number;
  readonly id?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Flags and offset of an IPv4 fragment. */
  readonly fragment?: number;
  /** Addresses, from and to, as text. */
  readonly between?: readonly [string, string];
};
export type Tcp = Ip & {
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly flags?: number;
  readonly options?: readonly number[];
};
export const [FIN, SYN, PSH, ACK, URG, ECE, CWR] = [0x01, 0x02, 0x08, 0x10, 0x20, 0x40, 0x80];
const DF = 0x4000;

export function plainSum(b: Uint8Array, at: number, length: number, start = 0): number {
  let sum = start;
  for (let i = 0; i < length; i += 2) sum += ((b[at + i] ?? 0) << 8) + (i + 1 < length ? (b[at + i + 1] ?? 0) : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

export function tcp(o: Tcp = {}): Uint8Array {
  const { options = [] } = o;
  const { b, v, transport } = ip(6, 20 + options.length, o);
  v.setUint32(transport + 4, o.seq ?? 1);
  v.setUint32(transport + 8, o.ack ?? 7);
  v.setUint8(transport + 12, ((20 + options.length) / 4) << 4);
  v.setUint8(transport + 13, o.flags ?? ACK);
  v.setUint16(transport + 14, o.window ?? 500);
  b.set(options, transport + 20);
  v.setUint16(transport + 16, 0xffff - upperSum(b, transport));
  return b;
}

export function udp(o: Ip = {}): Uint8Array {
  const { b, v, transport } = ip(17, 8, o);
  v.setUint16(transport + 4, b.length - transport);
  v.setUint16(transport + 6, 0xffff - upperSum(b, transport) || 0xffff);
  return b;
}

/** An IP packet with its payload, and room for the header of a protocol before it, which has its ports already. */
function ip(protocol: number, header: number, o: Ip): { b: Uint8Array; v: DataView; transport: number } {
  const { six = false, payload = new Uint8Array() } = o;
  const transport = six ? 40 : 20;
  const addresses = o.between?.map((text) => addressOctets(text) ?? new Uint8Array());
  const b = new Uint8Array(transport + header + payload.length);
  const v = new DataView(b.buffer);
  if (six) {
    v.setUint32(0, 0x60000000 | ((o.tos ?? 0) << 20));
    v.setUint16(4, b.length - transport);
    b.set([protocol, o.ttl ?? 64], 6);
    b.set(addresses?.[0] ?? [0xfd, 0, 0, 1], 8);
    b.set(addresses?.[1] ?? [0xfd, 0, 0, 2], 24);
  } else {
    b.set([0x45, o.tos ?? 0]);
    v.setUint16(2, b.length);
    v.setUint16(4, o.id ?? 0);
    v.setUint16(6, o.fragment ?? DF);
    b.set([o.ttl ?? 64, protocol], 8);
    b.set(addresses?.flatMap((a) => [...a]) ?? [10, 10, 1, 1, 10, 50, 0, 7], 12);
    v.setUint16(10, 0xffff - plainSum(b, 0, 20));
  }
  v.setUint16(transport, o.port ?? 40_000);
  v.setUint16(transport + 2, 443);
  b.set(payload, transport + header);
  return { b, v, transport };
}

/** Over the segment, or datagram, with its pseudo header: 0xffff when the checksum in it is right. */
export function upperSum(b: Uint8Array, transport: number): number {
  const octets = b.length - transport;
  const addresses = transport === 40 ? plainSum(b, 8, 32) : plainSum(b, 12, 8);
  return plainSum(b, transport, octets, addresses + (b[transport === 40 ? 6 : 9] ?? 0) + octets);
}

export function octets(length: number, seed = 1): Uint8Array {
  let x = seed;
  return Uint8Array.from({ length }, () => {
    x = (x * 1_103_515_245 + 12_345) & 0x7fffffff;
    return x >>> 16;
  });
}

/** A stream of `length` octets in packets of `size`, one behind the other. */
export function stream(length: number, size: number, o: Tcp = {}): Uint8Array[] {
  const all = octets(length, o.port ?? 1);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < length; at += size) {
    const last = at + size >= length;
    packets.push(
      tcp({
        ...o,
        seq: ((o.seq ?? 1) + at) >>> 0,
        id: ((o.id ?? 0) + packets.length) & 0xffff,
        flags: last && o.flags !== undefined ? o.flags : ACK,
        payload: all.subarray(at, at + size),
      }),
    );
  }
  return packets;
}
