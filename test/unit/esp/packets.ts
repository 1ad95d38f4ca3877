/** Inner packets made by hand, with checksums that hold, and a way to check those of others. */
import { fold, sum16 } from '../../../src/esp/ip.ts';

export const v4 = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));
/** Eight groups, none left out. */
export const v6 = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':').flatMap((g) => [Number.parseInt(g, 16) >> 8, Number.parseInt(g, 16) & 255]));

type Frame = {
  readonly id?: number;
  readonly df?: boolean;
  readonly more?: boolean;
  readonly offset?: number;
  readonly ttl?: number;
};

export function ip4(from: string, to: string, protocol: number, body: Uint8Array, frame: Frame = {}): Uint8Array {
  const { id = 7, df = false, more = false, offset = 0, ttl = 64 } = frame;
  const out = new Uint8Array(20 + body.length);
  const view = new DataView(out.buffer);
  out[0] = 0x45;
  view.setUint16(2, out.length);
  view.setUint16(4, id);
  view.setUint16(6, (df ? 0x4000 : 0) | (more ? 0x2000 : 0) | (offset / 8));
  out[8] = ttl;
  out[9] = protocol;
  out.set(v4(from), 12);
  out.set(v4(to), 16);
  view.setUint16(10, fold(sum16(out, 0, 20)));
  out.set(body, 20);
  return out;
}

export function ip6(from: string, to: string, next: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(40 + body.length);
  out[0] = 0x60;
  new DataView(out.buffer).setUint16(4, body.length);
  out[6] = next;
  out[7] = 64;
  out.set(v6(from), 8);
  out.set(v6(to), 24);
  out.set(body, 40);
  return out;
}

export function udp(sport: number, dport: number, octets = 16): Uint8Array {
  const out = new Uint8Array(8 + octets).fill(0x55, 8);
  const view = new DataView(out.buffer);
  view.setUint16(0, sport);
  view.setUint16(2, dport);
  view.setUint16(4, out.length);
  return out;
}

export function echo(type: 0 | 8, id: number): Uint8Array {
  const out = new Uint8Array(16);
  out[0] = type;
  new DataView(out.buffer).setUint16(4, id);
  new DataView(out.buffer).setUint16(2, fold(sum16(out, 0, 16)));
  return out;
}

/** A SYN whose MSS option lies behind `before` no-operations. */
export function syn(mss: number, before = 0): Uint8Array {
  const options = Math.ceil((before + 4) / 4) * 4;
  const out = new Uint8Array(20 + options);
  const view = new DataView(out.buffer);
  view.setUint16(0, 40000);
  view.setUint16(2, 443);
  out[12] = ((20 + options) / 4) << 4;
  out[13] = 2;
  out.fill(1, 20, 20 + before);
  out[20 + before] = 2;
  out[21 + before] = 4;
  view.setUint16(22 + before, mss);
  return out;
}

/** The sum over pseudo header and upper layer: 0 when the checksum in it is right. */
export function upperSum(packet: Uint8Array): number {
  const four = (packet[0] ?? 0) >>> 4 === 4;
  const head = four ? ((packet[0] ?? 0) & 15) * 4 : 40;
  const protocol = packet[four ? 9 : 6] ?? 0;
  const octets = packet.length - head;
  const ends = sum16(packet, four ? 12 : 8, four ? 8 : 32);
  return fold(sum16(packet, head, octets, ends) + protocol + octets);
}
