/**
 * A network behind the gateway that is made of nothing: every address of some ranges answers echo, by ICMP, by UDP and TCP on
 * port 7 (RFC 862). Answers come while `send` runs. It needs no rights, so a tunnel can be tried out to its end.
 */
import type { InnerNetwork } from './inner.ts';
import { type LabPacket, Protocol, readPacket, sign, sound, writePacket } from './labPacket.ts';
import { readSegment, TcpEcho } from './labTcp.ts';
import { get16, put16 } from './octets.ts';
import type { AddressRange } from './prefixes.ts';

export type LabHostOptions = {
  /** The addresses that answer, of both families. */
  readonly prefixes: readonly AddressRange[];
  /** Takes an answer: a buffer of its own, with room before and behind the packet. */
  readonly onPacket: (octets: Uint8Array, at: number, length: number) => void;
  readonly name?: string;
  readonly mtu?: number;
  /** TCP connections at a time; one more ends the one that was quiet for longest. */
  readonly connections?: number;
  readonly headroom?: number;
  readonly tailroom?: number;
};

const ECHO = 7;

/** Makes it; it never refuses. Its counters: `labReceived` and so on, what became of each packet. */
export function labHost({
  prefixes,
  onPacket,
  name = 'the lab host',
  mtu = 1500,
  connections = 1024,
  headroom = 24,
  tailroom = 64,
}: LabHostOptions): InnerNetwork {
  const count = {
    ...{ received: 0, sent: 0, icmp: 0, udp: 0, tcp: 0 },
    ...{ malformed: 0, checksum: 0, fragment: 0, elsewhere: 0, unserved: 0 },
  };
  const tcp = new TcpEcho(connections);
  let open = true;

  const answer = (p: LabPacket, payload: Uint8Array, checksumAt: number) => {
    const back = { source: p.destination, destination: p.source, protocol: p.protocol, payload };
    sign(back, checksumAt);
    const { buffer, length } = writePacket(back, headroom, tailroom);
    count.sent += 1;
    onPacket(buffer, headroom, length);
  };

  const icmp = (p: LabPacket) => {
    const [request, reply] = p.protocol === Protocol.ICMP ? [8, 0] : [128, 129];
    if (p.payload.length < 8) return 'malformed';
    if (!sound(p)) return 'checksum';
    if (p.payload[0] !== request || p.payload[1] !== 0) return 'unserved';
    p.payload[0] = reply;
    answer(p, p.payload, 2);
    return 'icmp';
  };

  const udp = (p: LabPacket) => {
    const length = get16(p.payload, 4);
    if (p.payload.length < 8 || length < 8 || length > p.payload.length) return 'malformed';
    const datagram = { ...p, payload: p.payload.slice(0, length) };
    const [from, to] = [get16(datagram.payload, 0), get16(datagram.payload, 2)];
    const none = get16(datagram.payload, 6) === 0 && p.source.length === 4; // only IPv4 may do without
    if (!none && (get16(datagram.payload, 6) === 0 || !sound(datagram))) return 'checksum';
    // Two echoes would talk to each other for ever (RFC 862 says nothing of it; everybody learned it).
    if (to !== ECHO || from === ECHO || from === 0) return 'unserved';
    put16(datagram.payload, 0, to);
    put16(datagram.payload, 2, from);
    answer(p, datagram.payload, 6);
    return 'udp';
  };

  const segment = (p: LabPacket) => {
    if (p.payload.length < 20) return 'malformed';
    if (!sound(p)) return 'checksum';
    const read = readSegment(p.payload);
    if (read === undefined) return 'malformed';
    const served = read.destinationPort === ECHO && read.sourcePort !== 0;
    const most = mtu - (p.source.length === 4 ? 40 : 60);
    tcp.take(`${p.source} ${p.destination}`, read, served, most, (out) => answer(p, out, 16));
    return served ? 'tcp' : 'unserved';
  };

  const take = (octets: Uint8Array, at: number, length: number): Exclude<keyof typeof count, 'received' | 'sent'> => {
    if (length > mtu) return 'malformed';
    const p = readPacket(octets, at, length);
    if (typeof p === 'string') return p;
    if (!prefixes.some((range) => inside(p.destination, range)) || !oneHost(p.source)) return 'elsewhere';
    switch (p.protocol) {
      case Protocol.ICMP:
        return p.source.length === 4 ? icmp(p) : 'unserved';
      case Protocol.ICMPv6:
        return p.source.length === 16 ? icmp(p) : 'unserved';
      case Protocol.UDP:
        return udp(p);
      case Protocol.TCP:
        return segment(p);
      default:
        return 'unserved';
    }
  };

  return {
    ...{ name, mtu },
    send(octets, at, length) {
      if (!open) return false;
      count.received += 1;
      count[take(octets, at, length)] += 1;
      return true;
    },
    counters: () => ({
      ...Object.fromEntries(
        Object.entries(count).map(([what, n]) => [`lab${what.charAt(0).toUpperCase()}${what.slice(1)}`, n] as const),
      ),
      labConnections: tcp.connections,
    }),
    become: () => Promise.resolve(),
    routes: () => Promise.resolve([]),
    close() {
      open = false;
      tcp.clear();
      return Promise.resolve();
    },
  };
}

function inside(address: Uint8Array, { start, end }: AddressRange): boolean {
  return address.length === start.length && !before(address, start) && !before(end, address);
}

function before(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Not everybody, nobody or a group: nobody is answered in their name. */
function oneHost(a: Uint8Array): boolean {
  const first = a[0] ?? 0;
  return a.length === 4 ? first !== 0 && first < 224 : first !== 0xff && a.some((octet) => octet !== 0);
}
