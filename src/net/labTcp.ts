/**
 * A small, honest TCP (RFC 9293) that gives back what it gets, for the lab host: handshake, data in order, ACK, FIN, RST. It has
 * no clock: a segment that was lost is said again when the peer asks for it, by a third duplicate ACK (RFC 5681 §3.2), by saying
 * something again itself, or by a probe. Connections are bounded, and so is what each of them holds.
 */
import { get16, get32, put16, put32 } from './octets.ts';
import { ACK, FIN, PSH, RST, SYN, TCP_HEADER } from './transport.ts';

/** Octets that one connection holds at most: what is not echoed yet, or not acknowledged. The window shows the rest. */
const ROOM = 32_768;

export type Segment = {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  /** Of the option; undefined: none. */
  readonly mss: number | undefined;
  readonly data: Uint8Array;
};

type Reply = (segment: Uint8Array) => void;

type Connection = {
  /** What the peer has acknowledged, what we say next. */
  una: number;
  nxt: number;
  /** What we expect. */
  rcv: number;
  window: number;
  readonly mss: number;
  /** Octets from `una` on (behind our SYN); `held` of them are there. */
  readonly buffer: Uint8Array;
  held: number;
  /** The end of the window that the peer knows of. */
  edge: number;
  handshake: boolean;
  /** The peer has said all; so have we, when `finSent`. */
  finHeard: boolean;
  finSent: boolean;
  duplicates: number;
};

/** Reads a segment whose checksum is right; undefined: it is none. */
export function readSegment(o: Uint8Array): Segment | undefined {
  const offset = ((o[12] ?? 0) >>> 4) * 4;
  if (o.length < TCP_HEADER || offset < TCP_HEADER || offset > o.length) return undefined;
  let mss: number | undefined;
  for (let at = TCP_HEADER; at < offset; ) {
    const kind = o[at] ?? 0;
    if (kind === 0) break;
    const octets = kind === 1 ? 1 : (o[at + 1] ?? 0);
    if (octets === 0 || at + octets > offset || (kind !== 1 && octets < 2)) return undefined;
    if (kind === 2 && octets === 4) mss = get16(o, at + 2);
    at += octets;
  }
  const [sourcePort, destinationPort] = [get16(o, 0), get16(o, 2)];
  return {
    ...{ sourcePort, destinationPort, seq: get32(o, 4), ack: get32(o, 8), flags: o[13] ?? 0, window: get16(o, 14), mss },
    data: o.subarray(offset),
  };
}

export class TcpEcho {
  readonly #most: number;
  readonly #all = new Map<string, Connection>();
  /** Near the end of all numbers: whoever cannot count across it finds out at once. */
  #isn = 0xffff_f000;

  constructor(connections: number) {
    this.#most = connections;
  }

  get connections(): number {
    return this.#all.size;
  }

  /**
   * Takes a segment to an address of ours.
   *
   * @param ends tells the two addresses
   * @param served whether something listens on its port; else it is reset
   * @param most what a segment of ours may carry
   * @param reply takes our segments, their checksum still to come
   */
  take(ends: string, s: Segment, served: boolean, most: number, reply: Reply): void {
    const key = `${ends} ${s.sourcePort} ${s.destinationPort}`;
    const known = this.#all.get(key);
    if (known === undefined) {
      if ((s.flags & RST) !== 0) return;
      if (!served || (s.flags & (SYN | ACK | FIN)) !== SYN) return reset(s, reply);
      return this.#open(key, s, most, reply);
    }
    // The one that was quiet for longest stands first.
    this.#all.delete(key);
    if (!this.#heard(known, s, reply)) return;
    this.#all.set(key, known);
  }

  clear(): void {
    this.#all.clear();
  }

  #open(key: string, s: Segment, most: number, reply: Reply): void {
    if (this.#most < 1) return reset(s, reply);
    const [oldest] = this.#all.keys();
    if (this.#all.size >= this.#most && oldest !== undefined) this.#all.delete(oldest);
    this.#isn = (this.#isn + 64_021) >>> 0;
    const c: Connection = {
      ...{ una: this.#isn, nxt: (this.#isn + 1) >>> 0, rcv: (s.seq + 1) >>> 0, window: s.window },
      mss: Math.max(LEAST_MSS, Math.min(most, s.mss ?? DEFAULT_MSS)),
      ...{
        buffer: new Uint8Array(ROOM),
        held: 0,
        edge: (s.seq + 1 + ROOM) >>> 0,
        handshake: true,
        finHeard: false,
        finSent: false,
        duplicates: 0,
      },
    };
    this.#all.set(key, c);
    synAck(c, s, most, reply);
  }

  /** False: the connection is over. */
  #heard(c: Connection, s: Segment, reply: Reply): boolean {
    const ahead = distance(s.seq, c.rcv);
    if ((s.flags & RST) !== 0) return ahead !== 0; // RFC 5961 §3.2: exactly the number that comes next, or it is a forgery
    if ((s.flags & SYN) !== 0) {
      if (c.handshake && ahead === -1) synAck(c, s, c.mss, reply);
      else say(c, s, ACK, c.nxt, NOTHING, reply); // RFC 5961 §4.2
      return true;
    }
    if ((s.flags & ACK) === 0) return true;
    if (distance(s.ack, c.nxt) > 0) {
      if (c.handshake) reset(s, reply);
      else say(c, s, ACK, c.nxt, NOTHING, reply);
      return true;
    }
    const repeated = this.#acknowledged(c, s);
    if (c.finSent && c.una === c.nxt && c.finHeard) return false;
    if (c.handshake) return true;
    const owed = this.#received(c, s, ahead);
    if (repeated || owed === 'again') resend(c, s, reply);
    if (!output(c, s, reply) && (owed !== 'nothing' || wider(c))) say(c, s, ACK, c.nxt, NOTHING, reply);
    return true;
  }

  /** Takes back what has arrived; true when the peer says for the third time that something is missing. */
  #acknowledged(c: Connection, s: Segment): boolean {
    const acked = distance(s.ack, c.una);
    if (acked < 0) return false;
    if (acked === 0) {
      const same = s.data.length === 0 && s.window === c.window && c.una !== c.nxt && (s.flags & FIN) === 0;
      c.window = s.window;
      if (!same) return false;
      c.duplicates += 1;
      return c.duplicates === 3;
    }
    // Of what is acknowledged, SYN and FIN have a number and no octet.
    const octets = Math.min(c.held, c.handshake ? acked - 1 : acked);
    c.buffer.copyWithin(0, octets, c.held);
    c.held -= octets;
    c.una = s.ack;
    c.handshake = false;
    c.duplicates = 0;
    c.window = s.window;
    return false;
  }

  /** Takes what comes next, as much as there is room for; says what the peer is owed for it. */
  #received(c: Connection, s: Segment, ahead: number): 'nothing' | 'ack' | 'again' {
    const { data, flags } = s;
    const fin = (flags & FIN) !== 0 ? 1 : 0;
    // A probe, or something that we have heard: our answer to it may be lost.
    if (ahead < 0 && ahead + data.length + fin <= 0) return 'again';
    if (data.length + fin === 0) return ahead === 0 ? 'nothing' : 'ack';
    if (ahead > 0 || c.finHeard) return 'ack';
    const fresh = data.subarray(-ahead);
    const taken = Math.min(fresh.length, ROOM - c.held);
    c.buffer.set(fresh.subarray(0, taken), c.held);
    c.held += taken;
    c.rcv = (c.rcv + taken) >>> 0;
    if (fin === 1 && taken === fresh.length) {
      c.finHeard = true;
      c.rcv = (c.rcv + 1) >>> 0;
    }
    return 'ack';
  }
}

const LEAST_MSS = 64;
const DEFAULT_MSS = 536;
const NOTHING = new Uint8Array(0);

/** How far one number is behind another, in a circle of 2^32. */
const distance = (a: number, b: number): number => (a - b) | 0;

/** Says what was not said yet and fits into the peer's window; false when that is nothing. */
function output(c: Connection, s: Segment, reply: Reply): boolean {
  let said = false;
  if (c.finSent) return false;
  for (;;) {
    const sent = distance(c.nxt, c.una);
    const octets = Math.min(c.held - sent, c.mss, c.window - sent);
    if (octets <= 0) break;
    say(c, s, ACK | PSH, c.nxt, c.buffer.subarray(sent, sent + octets), reply);
    c.nxt = (c.nxt + octets) >>> 0;
    said = true;
  }
  if (!c.finHeard || distance(c.nxt, c.una) !== c.held) return said;
  say(c, s, ACK | FIN, c.nxt, NOTHING, reply);
  c.nxt = (c.nxt + 1) >>> 0;
  c.finSent = true;
  return true;
}

/** The first segment that is not acknowledged. */
function resend(c: Connection, s: Segment, reply: Reply): void {
  const sent = distance(c.nxt, c.una) - (c.finSent ? 1 : 0);
  const octets = Math.min(sent, c.mss);
  if (octets > 0) say(c, s, ACK | PSH, c.una, c.buffer.subarray(0, octets), reply);
  else if (c.finSent) say(c, s, ACK | FIN, c.una, NOTHING, reply);
}

/** Is the window so much wider than the peer knows that it must be told (RFC 9293 §3.8.6.2.2)? */
const wider = (c: Connection): boolean => distance(c.rcv + ROOM - c.held, c.edge) >= Math.min(ROOM / 2, 2 * c.mss);

function say(c: Connection, s: Segment, flags: number, seq: number, data: Uint8Array, reply: Reply): void {
  c.edge = (c.rcv + ROOM - c.held) >>> 0;
  reply(segment(s, { seq, ack: c.rcv, flags, window: ROOM - c.held, data }));
}

function synAck(c: Connection, s: Segment, most: number, reply: Reply): void {
  reply(segment(s, { seq: c.una, ack: c.rcv, flags: SYN | ACK, window: ROOM, data: NOTHING, mss: most }));
}

/** RFC 9293 §3.10.7.1: there is no such connection. */
function reset(s: Segment, reply: Reply): void {
  const octets = s.data.length + ((s.flags & SYN) === 0 ? 0 : 1) + ((s.flags & FIN) === 0 ? 0 : 1);
  const answer =
    (s.flags & ACK) === 0 ? { seq: 0, ack: (s.seq + octets) >>> 0, flags: RST | ACK } : { seq: s.ack, ack: 0, flags: RST };
  reply(segment(s, { ...answer, window: 0, data: NOTHING }));
}

type Words = Pick<Segment, 'seq' | 'ack' | 'flags' | 'window' | 'data'> & { readonly mss?: number };

/** An answer to a segment, without a checksum. */
function segment(to: Segment, { seq, ack, flags, window, data, mss }: Words): Uint8Array {
  const header = TCP_HEADER + (mss === undefined ? 0 : 4);
  const o = new Uint8Array(header + data.length);
  put16(o, 0, to.destinationPort);
  put16(o, 2, to.sourcePort);
  put32(o, 4, seq);
  put32(o, 8, ack);
  o[12] = (header / 4) << 4;
  o[13] = flags;
  put16(o, 14, window);
  if (mss !== undefined) {
    put16(o, 20, 0x0204);
    put16(o, 22, mss);
  }
  o.set(data, header);
  return o;
}
