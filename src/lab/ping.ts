/** What a person tries a tunnel with: ping, and echo by UDP and TCP (RFC 792, RFC 4443 §4, RFC 862), over any tunnel. */
import { addressOctets } from '../wire/index.ts';
import { IpProtocol, makeInner, readInner, setWord, sound, word } from './inner.ts';
import { compare } from './octets.ts';
import type { World } from './world.ts';

/** A dialled client is one. */
export type Tunnel = {
  readonly world: Pick<World, 'now' | 'after'>;
  /** Our inner addresses. */
  readonly status: { readonly assigned: readonly string[] };
  inner(packet: Uint8Array): boolean;
  onInner(listener: (packet: Uint8Array) => void): () => void;
};

export type Reply = { readonly seq: number; readonly ms: number };
export type Pinged = { readonly sent: number; readonly received: number; readonly replies: readonly Reply[] };
export type PingOptions = {
  /** 4 */
  readonly count?: number;
  /** Octets behind the ICMP header, 56. */
  readonly size?: number;
  /** ms between two, 1000; after the last one, 2000. */
  readonly interval?: number;
  readonly wait?: number;
  readonly onReply?: (reply: Reply) => void;
  /** No more of it, when this says so. */
  readonly until?: () => boolean;
};

/**
 * Pings an address through the tunnel. A reply counts when it is whole, from there, and says what we said; once each. What the
 * tunnel does not take is sent all the same, as far as the count goes.
 *
 * @throws RangeError for a text that is no address, or one of a family that we have no inner address of
 */
export async function ping(tunnel: Tunnel, destination: string, o: PingOptions = {}): Promise<Pinged> {
  const { count = 4, size = 56, interval = 1000, wait = 2000, until = () => false } = o;
  const ends = endsOf(tunnel, destination);
  const protocol = ends.source.length === 4 ? IpProtocol.ICMP : IpProtocol.ICMPv6;
  const [request, reply] = protocol === IpProtocol.ICMP ? [8, 0] : [128, 129];
  const { world } = tunnel;
  identifier = (identifier + 1) & 0xffff;
  const id = identifier;
  const sentAt: number[] = [];
  const replies: Reply[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const over = () => until() || replies.length === count;

  const leave = tunnel.onInner((octets) => {
    const p = readInner(octets);
    if (p === undefined || p.fragment || p.protocol !== protocol || !sound(p)) return;
    if (compare(p.source, ends.destination) !== 0 || compare(p.destination, ends.source) !== 0) return;
    const seq = word(p.payload, 6);
    const at = sentAt[seq];
    if (p.payload[0] !== reply || word(p.payload, 4) !== id || p.payload.length !== 8 + size || at === undefined) return;
    if (replies.some((r) => r.seq === seq) || p.payload.subarray(8).some((octet, i) => octet !== (i & 0xff))) return;
    const heard = { seq, ms: world.now() - at };
    replies.push(heard);
    o.onReply?.(heard);
    if (over()) resolve();
  });
  let cancel: () => void = () => undefined;
  const next = () => {
    if (over()) return resolve();
    if (sentAt.length === count) return resolve(); // the last of them has been waited for
    const echo = new Uint8Array(8 + size);
    echo[0] = request;
    setWord(echo, 4, id);
    setWord(echo, 6, sentAt.length);
    for (let i = 0; i < size; i += 1) echo[8 + i] = i;
    sentAt.push(world.now());
    cancel = world.after(sentAt.length === count ? wait : interval, next);
    tunnel.inner(makeInner({ ...ends, protocol }, echo, 2));
  };
  next();
  await promise;
  cancel();
  leave();
  return { sent: sentAt.length, received: replies.length, replies };
}

/** Of ping, and the ports of the echoes: two at a time do not hear each other. */
let identifier = 0;
export const freshPort = (): number => {
  identifier = (identifier + 1) & 0xffff;
  return 0xc000 + (identifier & 0x3fff);
};

export type EchoOptions = { readonly port?: number; readonly wait?: number };

/** Says something by UDP; gives what came back, undefined when nothing did. Throws as `ping` does. */
export async function udpEcho(
  tunnel: Tunnel,
  destination: string,
  data: Uint8Array,
  { port = 7, wait = 2000 }: EchoOptions = {},
): Promise<Uint8Array | undefined> {
  const ends = endsOf(tunnel, destination);
  const own = freshPort();
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const leave = tunnel.onInner((octets) => {
    const p = readInner(octets);
    if (p === undefined || p.fragment || p.protocol !== IpProtocol.UDP || !sound(p)) return;
    if (compare(p.source, ends.destination) !== 0 || word(p.payload, 0) !== port || word(p.payload, 2) !== own) return;
    resolve(p.payload.slice(8, word(p.payload, 4)));
  });
  const cancel = tunnel.world.after(wait, () => resolve(undefined));
  const datagram = new Uint8Array(8 + data.length);
  for (const [i, value] of [own, port, datagram.length].entries()) setWord(datagram, 2 * i, value);
  datagram.set(data, 8);
  tunnel.inner(makeInner({ ...ends, protocol: IpProtocol.UDP }, datagram, 6));
  const heard = await promise;
  cancel();
  leave();
  return heard;
}

/** Our inner address of the family, and the other one. */
export function endsOf({ status }: Tunnel, text: string): { readonly source: Uint8Array; readonly destination: Uint8Array } {
  const destination = addressOctets(text);
  if (destination === undefined) throw new RangeError(`'${text}' is no address`);
  const source = status.assigned.map(addressOctets).find((own) => own?.length === destination.length);
  if (source === undefined) throw new RangeError(`the tunnel has no address to speak to ${text} from`);
  return { source, destination };
}
