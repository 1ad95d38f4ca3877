/**
 * Fragments against the rules (RFC 7383 §2.6): numbers that cannot be, totals that change, sets that never become whole. Every
 * fragment here is authentic: what a client with good keys can do to our memory.
 */
import { describe, expect, it } from 'vitest';
import { Exchange, encodePayloads, type Payload } from '../../src/wire/index.ts';
import { open, type Pen, penOf, seal } from '../story/support/forge.ts';
import { messages, Scene } from '../story/support/scene.ts';
import { configOf, GATEWAY } from '../support/configs.ts';

const config = configOf();
const ME = { address: '198.51.100.1', port: 500 };

async function up(fragmentation = true) {
  const s = new Scene({ config });
  const client = await s.connected({ address: ME.address, fragmentation });
  s.forgive(client);
  return { s, pen: penOf(client), client };
}

type Piece = { readonly number: number; readonly total: number; readonly octets?: Uint8Array; readonly messageId?: number };

/** Says one fragment; gives what is answered. */
function say(
  s: Scene,
  pen: Pen,
  { number, total, octets = new Uint8Array(0), messageId = 2 }: Piece,
  clear: readonly Payload[] = [],
) {
  const before = s.gateway.sent.length;
  const inner = { first: first(octets), octets };
  const fragment = { number, total };
  const sealed = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId, inner, fragment, clear });
  s.gateway.datagram({ from: ME, to: { address: GATEWAY, port: 500 }, octets: sealed });
  const [answer] = messages(s.gateway.sent.slice(before));
  return answer && open(pen, answer);
}
/** Vendor IDs are passed over: a chain of one in as many octets as wanted, to be cut at will. */
const chain = (octets: number): Uint8Array => encodePayloads([{ kind: 'V', data: new Uint8Array(octets - 4) }]).octets;
const first = (octets: Uint8Array): number => (octets.length === 0 ? 0 : 43);
const drops = (s: Scene) => s.gateway.count('drop-fragment') + s.gateway.count('drop-malformed');

describe('numbers that cannot be', () => {
  it.each([
    ['number 0', 0, 2],
    ['number 0 of 0', 0, 0],
    ['number 1 of 0', 1, 0],
    ['a number beyond the total', 3, 2],
    ['a total of 65535', 1, 65_535],
    ['a number and total of 65535', 65_535, 65_535],
    ['more fragments than are taken', 1, 65],
    ['more fragments than are read', 1, 256],
  ])('%s: dropped, counted, and the SA goes on', async (_, number, total) => {
    const { s, pen } = await up();
    expect(say(s, pen, { number, total })).toBeUndefined();
    expect(drops(s)).toBe(1);
    expect(say(s, pen, { number: 1, total: 1 })).toEqual([]);
    expect(s.gateway.view.at).toBe('established');
    await s.end();
  });

  it('one of one is a whole message', async () => {
    const { s, pen } = await up();
    expect(say(s, pen, { number: 1, total: 1, octets: chain(40) })).toEqual([]);
    await s.end();
  });

  it('as many as are taken make a message', async () => {
    const { s, pen } = await up();
    const whole = chain(64 * 10);
    for (let n = 64; n > 1; n--)
      expect(say(s, pen, { number: n, total: 64, octets: whole.subarray((n - 1) * 10, n * 10) })).toBeUndefined();
    expect(say(s, pen, { number: 1, total: 64, octets: whole.subarray(0, 10) })).toEqual([]);
    await s.end();
  });
});

describe('sets that do not fit together', () => {
  it('the same fragment again, and again with other octets: the first one counts', async () => {
    const { s, pen } = await up();
    const whole = chain(60);
    say(s, pen, { number: 1, total: 2, octets: whole.subarray(0, 30) });
    for (let i = 0; i < 100; i++)
      expect(say(s, pen, { number: 1, total: 2, octets: new Uint8Array(30).fill(i) })).toBeUndefined();
    expect(drops(s)).toBe(100);
    expect(say(s, pen, { number: 2, total: 2, octets: whole.subarray(30) })).toEqual([]);
    await s.end();
  });

  it('a larger total begins anew; a smaller one is of an earlier try', async () => {
    const { s, pen } = await up();
    const whole = chain(60);
    say(s, pen, { number: 1, total: 2, octets: new Uint8Array(30).fill(0xee) });
    say(s, pen, { number: 1, total: 3, octets: whole.subarray(0, 20) });
    say(s, pen, { number: 2, total: 3, octets: whole.subarray(20, 40) });
    expect(say(s, pen, { number: 2, total: 2, octets: new Uint8Array(30).fill(0xee) })).toBeUndefined();
    expect(drops(s)).toBe(1);
    expect(say(s, pen, { number: 3, total: 3, octets: whole.subarray(40) })).toEqual([]);
    await s.end();
  });

  it('a total that grows for ever holds one set at a time', async () => {
    const { s, pen } = await up();
    for (let total = 2; total <= 64; total++)
      expect(say(s, pen, { number: 1, total, octets: new Uint8Array(900) })).toBeUndefined();
    expect(say(s, pen, { number: 1, total: 1 })).toBeUndefined(); // a single one is a smaller total still
    await s.run({ ms: 11_000 });
    expect(say(s, pen, { number: 1, total: 1 })).toEqual([]);
    await s.end();
  });

  it('two partial sets, of this message and of the next: the window knows one', async () => {
    const { s, pen } = await up();
    const whole = chain(60);
    say(s, pen, { number: 1, total: 2, octets: whole.subarray(0, 30) });
    say(s, pen, { number: 1, total: 2, octets: whole.subarray(0, 30), messageId: 3 });
    expect(s.gateway.count('drop-ahead')).toBe(1);
    expect(say(s, pen, { number: 2, total: 2, octets: whole.subarray(30) })).toEqual([]);
    await s.end();
  });

  it('a whole message instead of the missing part takes its place', async () => {
    const { s, pen } = await up();
    say(s, pen, { number: 1, total: 2, octets: chain(60).subarray(0, 30) });
    const octets = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 2 });
    s.gateway.datagram({ from: ME, to: { address: GATEWAY, port: 500 }, octets });
    expect(s.gateway.count('INFORMATIONAL')).toBe(1);
    expect(say(s, pen, { number: 2, total: 2, octets: chain(60).subarray(30) })).toBeUndefined(); // a retransmission by now
    expect(s.gateway.count('INFORMATIONAL')).toBe(1);
    await s.end();
  });

  it('parts of which one never comes are given up after a while, and the message can come again', async () => {
    const { s, pen } = await up();
    const whole = chain(60);
    say(s, pen, { number: 1, total: 2, octets: new Uint8Array(30).fill(0xee) });
    await s.run({ ms: 11_000 });
    say(s, pen, { number: 1, total: 2, octets: whole.subarray(0, 30) });
    expect(say(s, pen, { number: 2, total: 2, octets: whole.subarray(30) })).toEqual([]);
    await s.end();
  });

  it('parts that make no sense together are INVALID_SYNTAX, like any authentic nonsense', async () => {
    const { s, pen } = await up();
    say(s, pen, { number: 1, total: 2, octets: new Uint8Array(30).fill(0xee) });
    expect(say(s, pen, { number: 2, total: 2, octets: new Uint8Array(30).fill(0xee) })).toMatchObject([
      { name: 'INVALID_SYNTAX' },
    ]);
    await s.end();
  });
});

describe('memory', () => {
  it('more than a message may have is not kept', async () => {
    const { s, pen } = await up();
    for (let number = 1; number <= 64; number++) say(s, pen, { number, total: 64, octets: new Uint8Array(1200) });
    expect(s.gateway.count('INFORMATIONAL')).toBe(0);
    expect(drops(s)).toBeGreaterThan(0);
    expect(s.gateway.view.at).toBe('established');
    await s.run({ ms: 11_000 });
    expect(say(s, pen, { number: 1, total: 1 })).toEqual([]);
    await s.end();
  });

  it('empty fragments count like others', async () => {
    const { s, pen } = await up();
    for (let number = 2; number <= 64; number++) expect(say(s, pen, { number, total: 64 })).toBeUndefined();
    expect(say(s, pen, { number: 1, total: 64 })).toEqual([]);
    await s.end();
  });
});

describe('where none belong', () => {
  it('without an agreement they are dropped', async () => {
    const { s, pen } = await up(false);
    expect(say(s, pen, { number: 1, total: 1 })).toBeUndefined();
    expect(drops(s)).toBe(1);
    await s.end();
  });

  it('payloads in the clear in front of one change nothing, however many', async () => {
    const { s, pen } = await up();
    const vendor: Payload = { kind: 'V', data: new Uint8Array(8) };
    const D: Payload = { kind: 'D', protocol: 1, spiSize: 0, spis: [] };
    for (const clear of [[vendor], [D], new Array<Payload>(62).fill(vendor)])
      expect(say(s, pen, { number: 1, total: 1, messageId: 2 + s.gateway.count('INFORMATIONAL') }, clear)).toEqual([]);
    expect(say(s, pen, { number: 1, total: 1, messageId: 5 }, new Array<Payload>(65).fill(vendor))).toBeUndefined();
    expect(s.gateway.view.at).toBe('established');
    await s.end();
  });

  it('an answer in fragments to nothing is dropped', async () => {
    const { s, pen } = await up();
    const fragment = { number: 1, total: 2 };
    const octets = seal(pen, { exchange: Exchange.INFORMATIONAL, messageId: 0, response: true, fragment });
    s.gateway.datagram({ from: ME, to: { address: GATEWAY, port: 500 }, octets });
    expect(s.gateway.count('drop-stray-response')).toBe(1);
    await s.end();
  });
});
