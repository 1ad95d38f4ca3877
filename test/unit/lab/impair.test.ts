import { describe, expect, it } from 'vitest';
import { group as groupOf } from '../../../crypto/index.ts';
import { impairments, impairmentText, type LabOptions, parseImpairment } from '../../../src/lab/index.ts';
import {
  addressText,
  decodeHeader,
  decodeMessage,
  type Header,
  hex,
  Malformed,
  PayloadType,
  payloadName,
  Reader,
  type Sealed,
} from '../../../src/wire/index.ts';
import { CLIENT } from './fakeGateway.ts';
import { type Scene, scene } from './scene.ts';

/** One payload of a chain, whatever its form. */
type Link = { readonly name: string; readonly critical: boolean; readonly body: Uint8Array };
type Sent = {
  readonly octets: Uint8Array;
  readonly header: Header | undefined;
  readonly sealed: Sealed | undefined;
  /** In front of SK. */
  readonly clear: readonly Link[];
  /** Inside SK, or the whole message; undefined when it does not open. */
  readonly links: readonly Link[] | undefined;
};

/** What the client sends first in an exchange (34 or 35) under this impairment, read octet by octet. */
function sends(impair: LabOptions['impair'], exchange = 35, more: Partial<LabOptions> = {}): readonly Sent[] {
  const s = scene(
    { fragmentation: true },
    { retransmit: { first: 100, factor: 1, most: 0 }, ...more, ...(impair && { impair }) },
  );
  s.client.start(0);
  if (exchange === 34) s.net.filter = () => false;
  s.net.run({ until: () => s.client.at === 'auth' || exchange === 34 });
  const heard = s.net.passages.findLastIndex((p) => p.from.address !== CLIENT);
  return s.net.passages.slice(heard + 1).map(({ octets }) => read(s, octets));
}

function read(s: Scene, octets: Uint8Array): Sent {
  try {
    const header = decodeHeader(octets);
    if (header.exchange === 34)
      return { octets, header, sealed: undefined, clear: [], links: chain(header.next, octets.subarray(28)) };
    const { sealed } = decodeMessage(octets, header);
    if (sealed === undefined) return { octets, header, sealed, clear: [], links: undefined };
    const plain = s.gateway.sa.keys.ends.i.opener.open(octets, sealed.body);
    const links = plain && sealed.kind === 'SK' ? chain(sealed.first, plain.subarray(0, plain.length - 1)) : undefined;
    return { octets, header, sealed, clear: chain(header.next, octets.subarray(28), true), links };
  } catch (error) {
    if (error instanceof Malformed) return { octets, header: undefined, sealed: undefined, clear: [], links: undefined };
    throw error;
  }
}

function chain(first: number, octets: Uint8Array, untilSealed = false): readonly Link[] {
  const r = new Reader(octets);
  const links: Link[] = [];
  for (let type = first; type !== 0 && !(untilSealed && (type === PayloadType.SK || type === PayloadType.SKF)); ) {
    const [next, flags, length] = [r.u8(), r.u8(), r.u16()];
    links.push({ name: payloadName(type), critical: flags === 0x80, body: r.take(length - 4) });
    type = next;
  }
  return links;
}

const names = (links: readonly Link[] | undefined) => (links ?? []).map((l) => l.name).join(' ');
const body = (sent: Sent | undefined, name: string) => sent?.links?.find((l) => l.name === name)?.body ?? new Uint8Array(0);
const only = (all: readonly Sent[]): Sent => {
  const [sent, second] = all;
  if (sent === undefined || second !== undefined) throw new Error(`${all.length} datagrams`);
  return sent;
};

const SOUND = 'IDi N AUTH SA TSi TSr';
const sound = only(sends(undefined));
const soundInit = only(sends(undefined, 34));
const bits = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length ? a.reduce((n, octet, i) => n + (octet ^ (b[i] ?? 0)).toString(2).replaceAll('0', '').length, 0) : -1;

/** For every impairment at least one case. */
const cases: Readonly<Record<string, readonly (readonly [text: string, check: (name: string) => void])[]>> = {
  omit: [['omit:AUTH', (i) => expect(names(only(sends(i)).links)).toBe('IDi N SA TSi TSr')]],
  duplicate: [['duplicate:SA', (i) => expect(names(only(sends(i)).links)).toBe('IDi N AUTH SA SA TSi TSr')]],
  many: [['many:N@IKE_AUTH', (i) => expect(only(sends(i)).links?.filter((l) => l.name === 'N')).toHaveLength(70)]],
  empty: [['empty:AUTH', (i) => expect([names(only(sends(i)).links), body(only(sends(i)), 'AUTH').length]).toEqual([SOUND, 0])]],
  zero: [['zero:AUTH', (i) => expect(body(only(sends(i)), 'AUTH')).toEqual(new Uint8Array(36))]],
  short: [['short:TSi', (i) => expect(body(only(sends(i)), 'TSi')).toEqual(body(sound, 'TSi').subarray(0, -1))]],
  half: [['half:IDi', (i) => expect(body(only(sends(i)), 'IDi')).toEqual(body(sound, 'IDi').subarray(0, 9))]],
  long: [['long:IDi', (i) => expect(hex(body(only(sends(i)), 'IDi'))).toBe(`${hex(body(sound, 'IDi'))}00`)]],
  huge: [
    ['huge:IDi', (i) => expect(body(only(sends(i, 35, { mtu: 20_000 })), 'IDi').length).toBe(body(sound, 'IDi').length + 8000)],
  ],
  flip: [
    ['flip:AUTH', (i) => expect(bits(body(only(sends(i)), 'AUTH'), body(sound, 'AUTH'))).toBe(1)],
    ['flip:SK', (i) => expect([bits(only(sends(i)).octets, sound.octets), only(sends(i)).links]).toEqual([1, undefined])],
    [
      'flip:ICV',
      (i) =>
        expect([bits(only(sends(i)).octets.subarray(-1), sound.octets.subarray(-1)), only(sends(i)).links]).toEqual([
          1,
          undefined,
        ]),
    ],
    ['flip:HEADER@IKE_AUTH', (i) => expect(bits(only(sends(i)).octets.subarray(0, 8), sound.octets.subarray(0, 8))).toBe(1)],
  ],
  ke: [
    ['ke:zero', (i) => expect(body(only(sends(i, 34)), 'KE').subarray(4)).toEqual(new Uint8Array(32))],
    ['ke:one', (i) => expect(hex(body(only(sends(i, 34)), 'KE').subarray(4))).toBe(`01${'00'.repeat(31)}`)],
    ['ke:one', (i) => expect(hex(body(only(sends(i, 34, { groups: [14] })), 'KE').subarray(4))).toBe(`${'00'.repeat(255)}01`)],
    ['ke:ones', (i) => expect(hex(body(only(sends(i, 34)), 'KE').subarray(4))).toBe('ff'.repeat(32))],
    ['ke:short', (i) => expect(body(only(sends(i, 34)), 'KE').length).toBe(4 + 31)],
    ['ke:long', (i) => expect(body(only(sends(i, 34)), 'KE').length).toBe(4 + 33)],
    ['ke:empty', (i) => expect(hex(body(only(sends(i, 34)), 'KE'))).toBe('001f0000')],
    ['ke:flip', (i) => expect(bits(body(only(sends(i, 34)), 'KE'), body(soundInit, 'KE'))).toBe(1)],
    ['ke:p', (i) => expect(refused(only(sends(i, 34, { groups: [14] })), 14)).toBe(true)],
    ['ke:p-1', (i) => expect(refused(only(sends(i, 34, { groups: [14] })), 14)).toBe(true)],
    ['ke:p', (i) => expect(refused(only(sends(i, 34, { groups: [19] })), 19)).toBe(true)],
  ],
  group: [['group', (i) => expect(hex(body(only(sends(i, 34)), 'KE').subarray(0, 4))).toBe('000e0000')]],
  split: [
    ['split:TS', (i) => expect([ranges(i, 'TSi'), ranges(i, 'TSr')]).toEqual([HALVES, HALVES])],
    ['split:TSi', (i) => expect([ranges(i, 'TSi'), ranges(i, 'TSr')]).toEqual([HALVES, ['0.0.0.0-255.255.255.255']])],
  ],
  backwards: [
    [
      'backwards:TSr',
      (i) => expect([ranges(i, 'TSi'), ranges(i, 'TSr')]).toEqual([['0.0.0.0-255.255.255.255'], ['255.255.255.255-0.0.0.0']]),
    ],
  ],
  reorder: [['reorder', (i) => expect(names(only(sends(i)).links)).toBe('TSr TSi SA AUTH N IDi')]],
  unknown: [['unknown', (i) => expect(only(sends(i)).links?.[0]).toMatchObject({ name: '200', critical: false })]],
  'critical-unknown': [
    ['critical-unknown', (i) => expect(only(sends(i)).links?.at(-1)).toMatchObject({ name: '200', critical: true })],
  ],
  clear: [
    ['clear', (i) => expect([names(only(sends(i)).clear), names(only(sends(i)).links)]).toEqual(['V', SOUND])],
    [
      'clear',
      (i) =>
        expect(sends(i, 35, { mtu: 200 }).map((f) => [names(f.clear), f.sealed?.kind, f.sealed?.fragment])).toEqual([
          ['V', 'SKF', 1],
          ['', 'SKF', 2],
        ]),
    ],
  ],
  exchange: [['exchange:INFORMATIONAL@IKE_AUTH', (i) => expect(only(sends(i)).header?.exchange).toBe(37)]],
  'mid+1': [['mid+1', (i) => expect(only(sends(i)).header?.messageId).toBe(2)]],
  'mid-1': [
    ['mid-1', (i) => expect(only(sends(i)).header?.messageId).toBe(0)],
    ['mid-1', (i) => expect(only(sends(i, 34)).header?.messageId).toBe(0xffffffff)],
  ],
  'wrong-spi': [
    [
      'wrong-spi:SPIi@IKE_AUTH',
      (i) => expect(bits(only(sends(i)).octets.subarray(0, 16), sound.octets.subarray(0, 16))).toBe(64),
    ],
    ['wrong-spi:SPIr', (i) => expect(only(sends(i, 34)).header?.SPIr).toBe('f'.repeat(16))],
  ],
  flag: [
    ['flag:initiator@IKE_AUTH', (i) => expect(only(sends(i)).header).toMatchObject({ initiator: false, response: false })],
    ['flag:response@IKE_AUTH', (i) => expect(only(sends(i)).header).toMatchObject({ initiator: true, response: true })],
  ],
  version: [
    [
      'version:major@IKE_AUTH',
      (i) => expect(only(sends(i))).toMatchObject({ header: { major: 3, minor: 0 }, links: expect.anything() }),
    ],
    [
      'version:minor@IKE_AUTH',
      (i) => expect(only(sends(i))).toMatchObject({ header: { major: 2, minor: 1 }, links: expect.anything() }),
    ],
  ],
  reserved: [
    ['reserved@IKE_AUTH', (i) => expect([only(sends(i)).octets[19], names(only(sends(i)).links)]).toEqual([0xcf, SOUND])],
  ],
  length: [
    ['length:long@IKE_AUTH', (i) => expect((only(sends(i)).octets[27] ?? 0) - (sound.octets[27] ?? 0)).toBe(1)],
    ['length:short@IKE_AUTH', (i) => expect((only(sends(i)).octets[27] ?? 0) - (sound.octets[27] ?? 0)).toBe(-1)],
  ],
  fragment: [
    [
      'fragment:zero',
      (i) =>
        expect(numbers(i)).toEqual([
          [0, 2],
          [0, 2],
        ]),
    ],
    [
      'fragment:beyond',
      (i) =>
        expect(numbers(i)).toEqual([
          [3, 2],
          [3, 2],
        ]),
    ],
    [
      'fragment:total-zero',
      (i) =>
        expect(numbers(i)).toEqual([
          [1, 0],
          [2, 0],
        ]),
    ],
    [
      'fragment:total-huge',
      (i) =>
        expect(numbers(i)).toEqual([
          [1, 0xffff],
          [2, 0xffff],
        ]),
    ],
    [
      'fragment:total-grows',
      (i) =>
        expect(numbers(i)).toEqual([
          [1, 2],
          [2, 3],
        ]),
    ],
  ],
  fragments: [
    [
      'fragments:reverse',
      (i) =>
        expect(numbers(i)).toEqual([
          [2, 2],
          [1, 2],
        ]),
    ],
    [
      'fragments:twice',
      (i) =>
        expect(numbers(i)).toEqual([
          [1, 2],
          [1, 2],
          [2, 2],
          [2, 2],
        ]),
    ],
    ['fragments:without-last', (i) => expect(numbers(i)).toEqual([[1, 2]])],
    ['fragments:last-only', (i) => expect(numbers(i)).toEqual([[2, 2]])],
    ['fragments:last-only', (i) => expect(names(only(sends(i)).links)).toBe(SOUND)],
  ],
  truncate: [['truncate@IKE_AUTH', (i) => expect(hex(only(sends(i)).octets)).toBe(hex(sound.octets).slice(0, -10))]],
  trail: [['trail@IKE_AUTH', (i) => expect(hex(only(sends(i)).octets)).toBe(`${hex(sound.octets)}0000000000`)]],
  twice: [['twice@IKE_AUTH', (i) => expect(sends(i).map((x) => hex(x.octets))).toEqual([hex(sound.octets), hex(sound.octets)])]],
  replay: [['replay', (i) => expect(sends(i).map((x) => hex(x.octets))).toEqual([hex(sound.octets), hex(soundInit.octets)])]],
};

const HALVES = ['0.0.0.0-127.255.255.255', '128.0.0.0-255.255.255.255'];

/** The ranges in a TS payload of IKE_AUTH. */
function ranges(impair: string, kind: 'TSi' | 'TSr'): readonly string[] {
  const r = new Reader(body(only(sends(impair)), kind));
  const count = r.u8();
  r.skip(3);
  return Array.from({ length: count }, () => {
    r.skip(8);
    return `${addressText(r.take(4))}-${addressText(r.take(4))}`;
  });
}

/** Fragment number and total of all that goes out, as it stands there. */
function numbers(impair: string): readonly (readonly number[])[] {
  return sends(impair, 35, { mtu: 200 }).map(({ octets }) => {
    const r = new Reader(octets, 32);
    return [r.u16(), r.u16()];
  });
}

/** Nobody agrees with this public value. */
function refused(sent: Sent, id: number): boolean {
  const KE = body(sent, 'KE').subarray(4);
  const found = groupOf(id);
  return found !== undefined && KE.length === found.publicOctets && found.generate().agree(KE) === undefined;
}

describe('Impairments', () => {
  it('sound messages are sound', () => {
    expect(names(sound.links)).toBe(SOUND);
    expect(sound.header).toMatchObject({ messageId: 1, initiator: true, response: false, major: 2, minor: 0 });
  });

  it('all have a test here', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(impairments));
  });

  const flat = Object.values(cases).flat();
  it.each(flat)('%s (%#)', (text, check) => check(text));

  it('strike where they are told to: an exchange, the nth message of it', () => {
    expect(hex(only(sends('omit:AUTH@IKE_SA_INIT')).octets)).toBe(hex(sound.octets));
    expect(hex(only(sends('omit:AUTH#2')).octets)).toBe(hex(sound.octets));
    expect(names(only(sends('omit:AUTH@IKE_AUTH#1')).links)).toBe('IDi N SA TSi TSr');
  });

  it('go together', () => {
    expect(names(only(sends(['omit:AUTH', 'reorder', 'unknown'])).links)).toBe('200 TSr TSi SA N IDi');
  });

  it('are not repeated by another name: a repetition is the same octets', () => {
    const s = scene({ deaf: 1 }, { impair: 'flip:NONCE#1', retransmit: { first: 100, factor: 1, most: 1 } });
    s.connect();
    const [first, second] = s.net.passages.filter((p) => p.from.address === CLIENT);
    expect(second?.octets).toEqual(first?.octets);
  });

  // What the RFC lets everybody do.
  it.each([
    'version:minor',
    'reserved',
    'unknown',
    'reorder',
    'split:TS',
    'twice',
    'replay',
    'fragments:reverse',
    'fragments:twice',
  ])('%s: a gateway that is in order connects all the same', (impair) => {
    expect(scene({ fragmentation: true }, { impair, mtu: 250 }).connect().at).toBe('established');
  });

  // AUTH covers what was said, not what was meant.
  it('of IDi breaks AUTH, of IKE_SA_INIT does not', () => {
    const other = scene({}, { impair: 'flip:IDi' });
    other.connect();
    expect(other.gateway.auth.clientProven).toBe(false);
    const added = scene({}, { impair: 'unknown@IKE_SA_INIT' });
    added.connect();
    expect(added.gateway.auth.clientProven).toBe(true);
  });
});

describe('The words of an impairment', () => {
  it.each(['omit:AUTH', 'flip:SK', 'mid+1@INFORMATIONAL#2', 'ke:p-1', 'critical-unknown', 'exchange:IKE_AUTH@CREATE_CHILD_SA'])(
    '%s goes there and back',
    (text) => {
      expect(impairmentText(parseImpairment(text))).toBe(text);
    },
  );

  it.each([
    ['omit', /takes .*AUTH.* behind a colon, not ''/],
    ['omit:NOTHING', /takes .*, not 'NOTHING'/],
    ['reorder:SA', /takes nothing behind a colon/],
    ['break', /no impairment 'break'; there are omit, /],
    ['omit:AUTH@IKE_MAGIC', /no exchange 'IKE_MAGIC'/],
    ['', /no impairment/],
    ['toString', /no impairment/],
    ['omit:AUTH#x', /no impairment/],
  ])("'%s' is refused with the words that there are", (text, why) => {
    expect(() => parseImpairment(text)).toThrow(why);
  });
});
