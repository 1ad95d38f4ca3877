/**
 * The other end of an echo by TCP (RFC 9293): sends, takes in order what comes back, says again what is not acknowledged, and
 * hangs up. Go-back-N without options but MSS: enough to show that a tunnel carries a stream.
 */

import { IpProtocol, makeInner, readInner, setWord, sound, word } from './inner.ts';
import { fromU32, u32 } from './octets.ts';
import { type EchoOptions, endsOf, freshPort, type Tunnel } from './ping.ts';

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
const HALF = 2 ** 32;
const WINDOW = 0xffff;
/** ms without progress until something is said again, and how often. */
const AGAIN = 300;

/**
 * Sends octets to the echo service and gives what came back before both ends hung up; undefined when it was refused, or not
 * done within `wait` ms (20 s). Throws as `ping` does.
 */
export async function tcpEcho(
  tunnel: Tunnel,
  destination: string,
  data: Uint8Array,
  { port = 7, wait = 20_000, mss = 1200 }: EchoOptions & { readonly mss?: number } = {},
): Promise<Uint8Array | undefined> {
  const ends = endsOf(tunnel, destination);
  const [own, isn] = [freshPort(), 0xffff_fff0]; // every connection counts across the end of all numbers
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const back = new Uint8Array(data.length);
  // Numbers are counted from our SYN and from theirs: -1 has no place in them.
  let [una, nxt, rcv, window, theirs, most] = [0, 0, -1, 1, 0, mss];
  let [heard, finished] = [0, false];
  const end = 1 + data.length;

  const say = (seq: number, flags: number, octets: Uint8Array = new Uint8Array(0)) => {
    const option = flags === SYN ? 4 : 0;
    const o = new Uint8Array(20 + option + octets.length);
    setWord(o, 0, own);
    setWord(o, 2, port);
    o.set(u32((isn + seq) % HALF), 4);
    if (rcv >= 0) o.set(u32((theirs + rcv) % HALF), 8);
    o[12] = ((20 + option) / 4) << 4;
    o[13] = flags;
    setWord(o, 14, WINDOW);
    if (option > 0) o.set([2, 4, mss >>> 8, mss & 0xff], 20);
    o.set(octets, 20 + option);
    tunnel.inner(makeInner({ ...ends, protocol: IpProtocol.TCP }, o, 16));
  };
  const output = (): boolean => {
    let said = false;
    while (nxt < end && nxt < una + window) {
      const octets = data.subarray(nxt - 1, nxt - 1 + Math.min(most, una + window - nxt));
      say(nxt, ACK, octets);
      nxt += octets.length;
      said = true;
    }
    // When all has come back, that was all.
    if (nxt === end && heard === data.length) {
      say(nxt, ACK | FIN);
      nxt += 1;
      said = true;
    }
    return said;
  };
  const again = () => {
    cancelAgain = tunnel.world.after(AGAIN, again);
    if (rcv < 0) return say(0, SYN);
    if (nxt === una) return say(nxt - 1, ACK); // a number that has passed: whoever is there must answer
    nxt = Math.max(1, una);
    output();
  };

  /** Their SYN; false when this is none that answers ours. */
  const greeted = ({ seq, ack, flags, mss: theirMost }: Heard): boolean => {
    if ((flags & SYN) === 0 || ack !== (isn + 1) % HALF) return false;
    [theirs, rcv, una, nxt] = [seq, 1, 1, 1];
    most = Math.min(mss, theirMost ?? mss);
    return true;
  };
  const acknowledged = (ack: number) => {
    const acked = (ack - isn + HALF) % HALF;
    if (acked <= una || acked > end + 1) return;
    una = acked;
    nxt = Math.max(nxt, una);
    cancelAgain();
    cancelAgain = tunnel.world.after(AGAIN, again);
  };
  /** False: more than we said, which is no echo. */
  const taken = ({ seq, flags, data: octets }: Heard): boolean => {
    if ((flags & SYN) !== 0 || (seq - theirs + HALF) % HALF !== rcv) return true;
    if (heard + octets.length > data.length) return false;
    back.set(octets, heard);
    heard += octets.length;
    rcv += octets.length;
    if ((flags & FIN) !== 0) {
      rcv += 1;
      finished = true;
    }
    return true;
  };

  const leave = tunnel.onInner((octets) => {
    const s = segmentIn(octets, port, own);
    if (s === undefined) return;
    if ((s.flags & RST) !== 0) return resolve(undefined);
    if ((s.flags & ACK) === 0 || (rcv < 0 && !greeted(s))) return;
    acknowledged(s.ack);
    window = s.window;
    if (!taken(s)) return resolve(undefined);
    if (!output() && (s.data.length > 0 || (s.flags & (FIN | SYN)) !== 0)) say(nxt, ACK);
    if (finished && una === end + 1) resolve(back.slice(0, heard));
  });
  let cancelAgain = tunnel.world.after(AGAIN, again);
  const cancel = tunnel.world.after(wait, () => resolve(undefined));
  say(0, SYN);
  nxt = 1;
  const echoed = await promise;
  cancelAgain();
  cancel();
  leave();
  return echoed;
}

type Heard = {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly mss: number | undefined;
  readonly data: Uint8Array;
};

/** A segment between these ports; undefined: it is none, or not sound. */
function segmentIn(octets: Uint8Array, port: number, own: number): Heard | undefined {
  const p = readInner(octets);
  if (p === undefined || p.fragment || p.protocol !== IpProtocol.TCP || !sound(p)) return undefined;
  const { payload } = p;
  const header = ((payload[12] ?? 0) >>> 4) * 4;
  if (header < 20 || header > payload.length || word(payload, 0) !== port || word(payload, 2) !== own) return undefined;
  return {
    seq: fromU32(payload.subarray(4)),
    ack: fromU32(payload.subarray(8)),
    ...{ flags: payload[13] ?? 0, window: word(payload, 14) },
    mss: header >= 24 && payload[20] === 2 ? word(payload, 22) : undefined,
    data: payload.subarray(header),
  };
}
