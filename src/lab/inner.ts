/** Inner packets: made for ping and echo, and read as far as a client must look into what comes out of the tunnel. */

export const IpProtocol = { ICMP: 1, TCP: 6, UDP: 17, ICMPv6: 58 } as const;

export type InnerPacket = {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** Ports, of ICMP type and code as RFC 7296 §3.13.1 counts them; undefined where there are none. */
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
  readonly fragment: boolean;
  readonly payload: Uint8Array;
  /** Octets of all of it: what follows is padding of ESP. */
  readonly length: number;
};

/** Reads a packet; undefined: it is none. Checksums are looked at by `sound`, that of an IPv4 header here. */
export function readInner(o: Uint8Array): InnerPacket | undefined {
  const version = (o[0] ?? 0) >>> 4;
  if (version === 4) {
    const [header, length] = [((o[0] ?? 0) & 15) * 4, word(o, 2)];
    if (header < 20 || length < header || length > o.length || checksum(o.subarray(0, header)) !== 0) return undefined;
    const place = word(o, 6);
    const [source, destination] = [o.subarray(12, 16), o.subarray(16, 20)];
    return whole(
      { source, destination, protocol: o[9] ?? 0 },
      o.subarray(header, length),
      place & 0x3fff,
      place & 0x1fff,
      length,
    );
  }
  if (version !== 6 || o.length < 40) return undefined;
  const length = 40 + word(o, 4);
  if (length > o.length) return undefined;
  let [protocol, at, place, offset] = [o[6] ?? 0, 40, 0, 0];
  for (let headers = 0; protocol === 0 || protocol === 60 || protocol === 43 || protocol === 44; headers += 1) {
    const octets = protocol === 44 ? 8 : 8 * ((o[at + 1] ?? 0) + 1);
    if (headers === 8 || at + octets > length) return undefined;
    if (protocol === 44) {
      place = word(o, at + 2) & 0xfff9;
      offset = place & 0xfff8;
    }
    [protocol, at] = [o[at] ?? 0, at + octets];
    if (offset !== 0) break;
  }
  return whole(
    { source: o.subarray(8, 24), destination: o.subarray(24, 40), protocol },
    o.subarray(at, length),
    place,
    offset,
    length,
  );
}

type Ends = Pick<InnerPacket, 'source' | 'destination' | 'protocol'>;

function whole(ends: Ends, payload: Uint8Array, place: number, offset: number, length: number): InnerPacket {
  const { protocol } = ends;
  let ports: InnerPacket['ports'];
  if (offset === 0 && payload.length >= 4) {
    if (protocol === IpProtocol.ICMP || protocol === IpProtocol.ICMPv6)
      ports = { source: word(payload, 0), destination: word(payload, 0) };
    else if (WITH_PORTS.includes(protocol)) ports = { source: word(payload, 0), destination: word(payload, 2) };
  }
  return { ...ends, ports, fragment: place !== 0, payload, length };
}
const WITH_PORTS: readonly number[] = [6, 17, 33, 132, 136];

/** A packet around a payload, whose checksum is written at `at` in it. */
export function makeInner({ source, destination, protocol }: Ends, payload: Uint8Array, at: number): Uint8Array {
  const four = source.length === 4;
  const header = four ? 20 : 40;
  const o = new Uint8Array(header + payload.length);
  if (four) {
    o.set([0x45, 0, o.length >>> 8, o.length & 0xff, 0, 0, 0, 0, 64, protocol, 0, 0]);
    o.set(source, 12);
    o.set(destination, 16);
    setWord(o, 10, checksum(o.subarray(0, header)));
  } else {
    o.set([0x60, 0, 0, 0, payload.length >>> 8, payload.length & 0xff, protocol, 64]);
    o.set(source, 8);
    o.set(destination, 24);
  }
  o.set(payload, header);
  setWord(o, header + at, 0);
  const sum = checksum(covered({ source, destination, protocol }, o.subarray(header)));
  setWord(o, header + at, sum === 0 && protocol === IpProtocol.UDP ? 0xffff : sum);
  return o;
}

/** Is the checksum of what is inside right? */
export const sound = (p: InnerPacket): boolean => checksum(covered(p, p.payload)) === 0;

/** What a checksum covers: the pseudo header and the payload; ICMP of IPv4 the payload alone. */
function covered({ source, destination, protocol }: Ends, payload: Uint8Array): Uint8Array {
  if (protocol === IpProtocol.ICMP) return payload;
  const head = 2 * source.length + 8;
  const o = new Uint8Array(head + payload.length);
  o.set(source);
  o.set(destination, source.length);
  setWord(o, head - 6, payload.length);
  o[head - 1] = protocol;
  o.set(payload, head);
  return o;
}

function checksum(o: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < o.length; i += 1) sum += i % 2 === 0 ? (o[i] ?? 0) << 8 : (o[i] ?? 0);
  while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff);
  return sum ^ 0xffff;
}

export const word = (o: Uint8Array, at: number): number => ((o[at] ?? 0) << 8) | (o[at + 1] ?? 0);
export function setWord(o: Uint8Array, at: number, value: number): void {
  o[at] = value >>> 8;
  o[at + 1] = value;
}
