/**
 * Messages damaged on purpose: a table of impairments, each a small change at one stage of making a message. One is written
 * `name[:what][@EXCHANGE][#nth]`: `omit:AUTH@IKE_AUTH`, `flip:SK`, `mid+1@INFORMATIONAL#2`, `ke:p-1`.
 *
 *   payloads → clear (in front of SK) → envelope → header (as written, authenticated) → datagrams (after sealing)
 *
 * AUTH is made before: what it covers is what was meant to be said, or, for IKE_SA_INIT, what was said.
 */
import { getDiffieHellman } from 'node:crypto';
import {
  concat,
  type Envelope,
  Exchange,
  encodePayloads,
  exchangeName,
  type IkeSpi,
  ikeSpi,
  type Payload,
  PayloadType,
  payloadType,
  spiOctets,
  type TrafficSelector,
} from '../wire/index.ts';

export type Impairment = {
  readonly name: string;
  /** The part behind the colon; '' when there is none. */
  readonly of: string;
  /** Only messages of this exchange. */
  readonly exchange: number | undefined;
  /** Only the nth message that we make of those, from 1. */
  readonly nth: number | undefined;
};

/** One kind of damage. A stage that is not named leaves the message alone. */
type Rule = {
  readonly help: string;
  /** What may stand behind the colon: nothing, a kind of payload, or one of these words. */
  readonly of: 'nothing' | 'payload' | readonly string[];
  readonly payloads?: (payloads: readonly Payload[], of: string) => readonly Payload[];
  readonly clear?: () => readonly Payload[];
  readonly envelope?: (envelope: Envelope, of: string) => Envelope;
  /** Changes octets in front of `body`, the IV; protected messages are sealed afterwards. */
  readonly header?: (octets: Uint8Array, body: number, of: string) => void;
  readonly datagrams?: (datagrams: readonly Uint8Array[], earlier: readonly Uint8Array[], of: string) => readonly Uint8Array[];
};

const AGAIN = 70; // more than the payloads that anybody reads in one message
const FLOOD = 8000;
const UNKNOWN_TYPE = 200;

/** Every impairment there is. */
export const impairments: Readonly<Record<string, Rule>> = {
  omit: {
    help: 'leaves the payload out',
    of: 'payload',
    payloads: (payloads, kind) => payloads.filter((p) => p.kind !== kind),
  },
  duplicate: {
    help: 'sends the payload twice in one message',
    of: 'payload',
    payloads: (payloads, kind) => payloads.flatMap((p) => (p.kind === kind ? [p, p] : [p])),
  },
  many: {
    help: 'sends the payload seventy times in one message',
    of: 'payload',
    payloads: (payloads, kind) => payloads.flatMap((p) => (p.kind === kind ? Array.from({ length: AGAIN }, () => p) : [p])),
  },
  empty: { help: 'sends the payload without a body', of: 'payload', payloads: bodies(() => new Uint8Array(0)) },
  zero: {
    help: 'sends the payload with a body of zeros',
    of: 'payload',
    payloads: bodies((body) => new Uint8Array(body.length)),
  },
  short: { help: 'cuts the last octet off the payload', of: 'payload', payloads: bodies((body) => body.subarray(0, -1)) },
  half: { help: 'cuts the payload in half', of: 'payload', payloads: bodies((body) => body.subarray(0, body.length >>> 1)) },
  long: {
    help: 'adds an octet to the payload',
    of: 'payload',
    payloads: bodies((body) => concat(body, Uint8Array.of(0))),
  },
  huge: {
    help: 'adds 8000 octets to the payload',
    of: 'payload',
    payloads: bodies((body) => concat(body, new Uint8Array(FLOOD).fill(0x41))),
  },
  flip: {
    help: 'flips a bit: the last octet of the payload, or of the ciphertext (SK), the checksum (ICV) or the SPIs (HEADER)',
    of: 'payload',
    payloads: bodies((body) => flipped(body, body.length - 1)),
    datagrams: (datagrams, _, part) => datagrams.map((octets) => flipped(octets, FLIP_AT[part]?.(octets))),
  },
  ke: {
    help: 'sends a public value that nobody may accept',
    of: ['zero', 'one', 'p-1', 'p', 'ones', 'short', 'long', 'flip', 'empty'],
    payloads: (payloads, of) => payloads.map((p) => (p.kind === 'KE' ? { ...p, data: badValue(of, p.group, p.data) } : p)),
  },
  group: {
    help: 'says another Diffie-Hellman group than the public value has',
    of: 'nothing',
    payloads: (payloads) => payloads.map((p) => (p.kind === 'KE' ? { ...p, group: p.group === 14 ? 15 : 14 } : p)),
  },
  split: {
    help: 'sends every traffic selector as two that touch each other',
    of: ['TS', 'TSi', 'TSr'],
    payloads: (payloads, of) =>
      payloads.map((p) =>
        (p.kind === 'TSi' || p.kind === 'TSr') && p.kind.startsWith(of) ? { ...p, selectors: p.selectors.flatMap(halves) } : p,
      ),
  },
  backwards: {
    help: 'sends traffic selectors that end before they start',
    of: ['TS', 'TSi', 'TSr'],
    payloads: (payloads, of) =>
      payloads.map((p) =>
        (p.kind === 'TSi' || p.kind === 'TSr') && p.kind.startsWith(of) ? { ...p, selectors: p.selectors.map(turned) } : p,
      ),
  },
  reorder: { help: 'sends the payloads in reverse order', of: 'nothing', payloads: (payloads) => [...payloads].reverse() },
  unknown: {
    help: 'adds a payload of an unknown type, not critical: it must be ignored',
    of: 'nothing',
    payloads: (payloads) => [stranger(false), ...payloads],
  },
  'critical-unknown': {
    help: 'adds a payload of an unknown type marked critical: the message must be refused',
    of: 'nothing',
    payloads: (payloads) => [...payloads, stranger(true)],
  },
  clear: {
    help: 'puts a payload in the clear in front of SK',
    of: 'nothing',
    clear: () => [{ kind: 'V', data: new TextEncoder().encode('in the clear') }],
  },
  exchange: {
    help: 'says another exchange type',
    of: Object.keys(Exchange),
    // The parser admits only the keys of Exchange.
    envelope: (envelope, of) => ({ ...envelope, exchange: Exchange[of as keyof typeof Exchange] }),
  },
  'mid+1': { help: 'takes the next message ID', of: 'nothing', envelope: (e) => ({ ...e, messageId: e.messageId + 1 }) },
  'mid-1': {
    help: 'takes the message ID before',
    of: 'nothing',
    envelope: (e) => ({ ...e, messageId: (e.messageId - 1) >>> 0 }),
  },
  'wrong-spi': {
    help: 'says an SPI that is not there',
    of: ['SPIi', 'SPIr'],
    envelope: (e, of) => (of === 'SPIi' ? { ...e, SPIi: otherSpi(e.SPIi) } : { ...e, SPIr: otherSpi(e.SPIr) }),
  },
  flag: {
    help: 'turns a flag of the header round',
    of: ['initiator', 'response'],
    envelope: (e, of) => (of === 'initiator' ? { ...e, initiator: !e.initiator } : { ...e, response: !e.response }),
  },
  version: {
    help: 'says version 3.0 (major) or 2.1 (minor, which must be accepted)',
    of: ['major', 'minor'],
    header: (octets, _, of) => {
      octets[VERSION_AT] = of === 'major' ? 0x30 : 0x21;
    },
  },
  reserved: {
    help: 'sets the reserved flags of the header, which must be ignored',
    of: 'nothing',
    header: (octets) => {
      octets[FLAGS_AT] = (octets[FLAGS_AT] ?? 0) | 0xc7;
    },
  },
  length: {
    help: 'says a wrong length in the header',
    of: ['short', 'long'],
    header: (octets, _, of) => {
      octets[LENGTH_AT] = (octets[LENGTH_AT] ?? 0) + (of === 'long' ? 1 : -1);
    },
  },
  fragment: {
    help: 'writes impossible numbers into fragments',
    of: ['zero', 'beyond', 'total-zero', 'total-huge', 'total-grows'],
    header: (octets, body, of) => badFragment(octets, body, of),
  },
  fragments: {
    help: 'sends fragments in reverse order, twice each, without the last, or only the last',
    of: ['reverse', 'twice', 'without-last', 'last-only'],
    datagrams: (datagrams, _, of) => (datagrams.length < 2 ? datagrams : FRAGMENTS[of]?.(datagrams)) ?? datagrams,
  },
  truncate: {
    help: 'cuts the last octets off the datagram',
    of: 'nothing',
    datagrams: (datagrams) => datagrams.map((octets) => octets.subarray(0, octets.length - 5)),
  },
  trail: {
    help: 'adds octets behind the message',
    of: 'nothing',
    datagrams: (datagrams) => datagrams.map((octets) => concat(octets, new Uint8Array(5))),
  },
  twice: {
    help: 'sends every datagram twice',
    of: 'nothing',
    datagrams: (datagrams) => datagrams.flatMap((octets) => [octets, octets]),
  },
  replay: {
    help: 'sends everything from before once more behind each message',
    of: 'nothing',
    datagrams: (datagrams, earlier) => [...datagrams, ...earlier],
  },
};

/** The impairment of a text. Throws RangeError that says which words there are. */
export function parseImpairment(text: string): Impairment {
  const [, name = '', of = '', exchange, nth] = /^([a-z+\-1]+)(?::([^@#]+))?(?:@([A-Z_]+))?(?:#(\d+))?$/.exec(text) ?? [];
  const rule = impairments[name];
  if (rule === undefined) throw new RangeError(`no impairment '${text}'; there are ${Object.keys(impairments).join(', ')}`);
  const may = rule.of === 'nothing' ? [''] : rule.of === 'payload' ? PARTS : rule.of;
  if (!may.includes(of)) throw new RangeError(`'${name}' takes ${may.join(', ') || 'nothing'} behind a colon, not '${of}'`);
  const [, type] = Object.entries(Exchange).find(([label]) => label === exchange) ?? [];
  if (exchange !== undefined && type === undefined) throw new RangeError(`no exchange '${exchange}'`);
  return { name, of, exchange: type, nth: nth === undefined ? undefined : Number(nth) };
}

export function impairmentText({ name, of, exchange, nth }: Impairment): string {
  const where = exchange === undefined ? '' : `@${exchangeName(exchange)}`;
  return `${name}${of === '' ? '' : `:${of}`}${where}${nth === undefined ? '' : `#${nth}`}`;
}

/** Those that strike the message that is made next: one object for the life of a client, since it counts. */
export class Impairer {
  readonly #all: readonly Impairment[];
  readonly #made = new Map<number, number>();
  readonly #earlier: Uint8Array[] = [];

  constructor(all: readonly Impairment[]) {
    this.#all = all;
  }

  /** Called once for each message. */
  strike(exchange: number): Strike {
    if (this.#all.length === 0) return NO_STRIKE;
    const nth = (this.#made.get(exchange) ?? 0) + 1;
    this.#made.set(exchange, nth);
    const hits = this.#all.filter((i) => (i.exchange ?? exchange) === exchange && (i.nth ?? nth) === nth);
    return new Strike(hits, this.#earlier);
  }
}

const EARLIER = 16;

/** The impairments of one message, stage by stage. */
export class Strike {
  readonly #hits: readonly { readonly rule: Rule; readonly of: string }[];
  readonly #earlier: Uint8Array[];

  constructor(hits: readonly Impairment[], earlier: Uint8Array[]) {
    this.#hits = hits.flatMap(({ name, of }) => {
      const rule = impairments[name];
      return rule === undefined ? [] : [{ rule, of }];
    });
    this.#earlier = earlier;
  }

  payloads(payloads: readonly Payload[]): readonly Payload[] {
    return this.#hits.reduce((ps, { rule, of }) => rule.payloads?.(ps, of) ?? ps, payloads);
  }

  clear(): readonly Payload[] {
    return this.#hits.flatMap(({ rule }) => rule.clear?.() ?? []);
  }

  envelope(envelope: Envelope): Envelope {
    return this.#hits.reduce((e, { rule, of }) => rule.envelope?.(e, of) ?? e, envelope);
  }

  header(octets: Uint8Array, body: number): void {
    for (const { rule, of } of this.#hits) rule.header?.(octets, body, of);
  }

  datagrams(datagrams: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this === NO_STRIKE) return datagrams;
    const sent = this.#hits.reduce((ds, { rule, of }) => rule.datagrams?.(ds, [...this.#earlier], of) ?? ds, datagrams);
    this.#earlier.push(...datagrams);
    if (this.#earlier.length > EARLIER) this.#earlier.splice(0, this.#earlier.length - EARLIER);
    return sent;
  }
}

export const NO_STRIKE = new Strike([], []);

/** Kinds of payloads, and the parts of a sealed message that only `flip` can reach. */
const PARTS: readonly string[] = [...Object.keys(PayloadType).filter((kind) => kind !== 'SKF'), 'ICV', 'HEADER'];

const VERSION_AT = 17;
const FLAGS_AT = 19;
const LENGTH_AT = 27;
const FLIP_AT: Readonly<Record<string, (octets: Uint8Array) => number>> = {
  SK: (octets) => octets.length - 40, // inside the ciphertext, or the IV of the shortest messages
  ICV: (octets) => octets.length - 1,
  HEADER: () => 7,
};

/** Applies a change to the body of every payload of a kind; what comes out need not be well-formed. */
function bodies(change: (body: Uint8Array) => Uint8Array): (payloads: readonly Payload[], kind: string) => readonly Payload[] {
  return (payloads, kind) =>
    payloads.map((p) =>
      p.kind === kind
        ? { kind: 'UNKNOWN', type: payloadType(p), critical: false, data: change(encodePayloads([p]).octets.subarray(4)) }
        : p,
    );
}

function flipped(octets: Uint8Array, at: number | undefined): Uint8Array {
  if (at === undefined || at < 0 || at >= octets.length) return octets;
  const copy = octets.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function otherSpi(spi: IkeSpi): IkeSpi {
  return ikeSpi(spiOctets(spi).map((octet) => octet ^ 0xff));
}

function stranger(critical: boolean): Payload {
  return { kind: 'UNKNOWN', type: UNKNOWN_TYPE, critical, data: Uint8Array.of(1, 2, 3, 4) };
}

/** Group numbers whose prime OpenSSL tells. */
const MODP: Readonly<Record<number, string>> = {
  2: 'modp2',
  5: 'modp5',
  14: 'modp14',
  15: 'modp15',
  16: 'modp16',
  17: 'modp17',
  18: 'modp18',
};

/** A public value to refuse. For curves, `p` and `p-1` are coordinates of all ones; `one` is the little-endian 1 of X25519. */
function badValue(of: string, group: number, value: Uint8Array): Uint8Array {
  const filled = (octet: number) => new Uint8Array(value.length).fill(octet);
  switch (of) {
    case 'one': {
      const one = filled(0);
      one[group >= 31 ? 0 : one.length - 1] = 1;
      return one;
    }
    case 'p':
    case 'p-1': {
      const name = MODP[group];
      const prime = name === undefined ? filled(0xff) : new Uint8Array(getDiffieHellman(name).getPrime());
      return of === 'p' ? prime : flipped(prime, prime.length - 1); // an odd number less one
    }
    case 'ones':
      return filled(0xff);
    case 'short':
      return value.subarray(0, -1);
    case 'long':
      return concat(value, Uint8Array.of(0));
    case 'flip':
      return flipped(value, value.length - 1);
    case 'empty':
      return value.subarray(0, 0);
    default:
      return filled(0);
  }
}

/** The lower and the upper half of a range; a single address cannot be split and stays. */
function halves(ts: TrafficSelector): readonly TrafficSelector[] {
  if (ts.type === 'other') return [ts];
  const at = ts.start.findIndex((octet, i) => octet !== ts.end[i]);
  if (at < 0) return [ts];
  const middle = ((ts.start[at] ?? 0) + (ts.end[at] ?? 0) + 1) >>> 1;
  const after = (octet: number, rest: number) => (o: number, i: number) => (i < at ? o : i === at ? octet : rest);
  return [
    { ...ts, end: ts.end.map(after(middle - 1, 0xff)) },
    { ...ts, start: ts.start.map(after(middle, 0)) },
  ];
}

function turned(ts: TrafficSelector): TrafficSelector {
  return ts.type === 'other' ? ts : { ...ts, start: ts.end, end: ts.start };
}

function badFragment(octets: Uint8Array, body: number, of: string): void {
  if (octets[16] !== PayloadType.SKF) return;
  const view = new DataView(octets.buffer, octets.byteOffset);
  const [number, total] = [view.getUint16(body - 4), view.getUint16(body - 2)];
  if (of === 'zero') view.setUint16(body - 4, 0);
  if (of === 'beyond') view.setUint16(body - 4, total + 1);
  if (of === 'total-zero') view.setUint16(body - 2, 0);
  if (of === 'total-huge') view.setUint16(body - 2, 0xffff);
  if (of === 'total-grows') view.setUint16(body - 2, total + number - 1);
}

const FRAGMENTS: Readonly<Record<string, (datagrams: readonly Uint8Array[]) => readonly Uint8Array[]>> = {
  reverse: (datagrams) => [...datagrams].reverse(),
  twice: (datagrams) => datagrams.flatMap((octets) => [octets, octets]),
  'without-last': (datagrams) => datagrams.slice(0, -1),
  'last-only': (datagrams) => datagrams.slice(-1),
};
