/**
 * Authentic requests at the edges: identities of any length and content, selectors by the hundred, Deletes by the hundred,
 * lists and texts of every size. What is well-formed is answered by the rules, the rest is INVALID_SYNTAX, and nothing of it
 * breaks anything.
 */
import { describe, expect, it } from 'vitest';
import { selector } from '../../src/lab/index.ts';
import { Exchange, type Payload, type TrafficSelector } from '../../src/wire/index.ts';
import { open, type Pen, penOf, seal } from '../story/support/forge.ts';
import { asPsk, asUser, messages, Scene, type Wish } from '../story/support/scene.ts';
import { configOf, GATEWAY } from '../support/configs.ts';

const config = configOf();
const ME = { address: '198.51.100.1', port: 500 };
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Dials; gives the scene and how it ended. The scene is over afterwards. */
async function dial(wish: Wish, use = config) {
  const s = new Scene({ config: use });
  const client = await s.connect({ ...wish, retransmit: { first: 1000, factor: 1, most: 1 } });
  s.forgive(client);
  const { at, why, notifyNames, children } = client.status;
  await s.end();
  return { s, at, why, last: notifyNames.at(-1), children };
}

async function up() {
  const s = new Scene({ config });
  const client = await s.connected({ address: ME.address });
  s.forgive(client);
  let messageId = 1;
  const pen: Pen = penOf(client);
  const say = (exchange: number, payloads: readonly Payload[]) => {
    messageId += 1;
    const before = s.gateway.sent.length;
    const octets = seal(pen, { exchange, messageId, payloads });
    s.gateway.datagram({ from: ME, to: { address: GATEWAY, port: 500 }, octets });
    const [answer] = messages(s.gateway.sent.slice(before));
    return answer && open(pen, answer);
  };
  return { s, client, say };
}

describe('identities', () => {
  it.each([0, 1, 64, 255, 4096, 12_000])('an ID of %i octets is an identity like any other', async (n) => {
    const id = { idType: 11, data: new Uint8Array(n).fill(0x61) };
    const { at, s } = await dial({ auth: { ...asPsk(), id }, mtu: 16_000 });
    expect(at).toBe('established');
    for (const line of s.gateway.narrative) expect(line.length).toBeLessThan(1000);
    expect(JSON.stringify(s.gateway.told('established')).length).toBeLessThan(1500);
  });

  it('an ID of 65 kB is more than a message may have', async () => {
    const id = { idType: 11, data: new Uint8Array(65_000) };
    const { at, s } = await dial({ auth: { ...asPsk(), id }, mtu: 65_535 });
    expect(at).toBe('failed');
    expect(s.gateway.told('established')).toEqual([]);
  });

  it.each([
    ['IPv4 address', 1, 0],
    ['IPv4 address', 1, 3],
    ['IPv4 address', 1, 5],
    ['IPv6 address', 5, 15],
    ['IPv6 address', 5, 4],
    ['distinguished name', 9, 0],
    ['distinguished name', 9, 40],
    ['type 0', 0, 4],
    ['type 255', 255, 4],
  ])('an %s (type %i) of %i octets is told in harmless words, and harms nobody', async (_, idType, n) => {
    const { s } = await dial({ auth: { ...asPsk(), id: { idType, data: new Uint8Array(n).fill(0xff) } } });
    expect(s.gateway.told('fault')).toEqual([]);
    for (const line of s.gateway.narrative) expect(line).toMatch(/^[^\p{Cc}]*$/u);
  });

  it.each([
    '$(reboot)',
    '`id`;rm -rf /',
    "' OR 1=1 --",
    '../../etc/passwd',
    'a\nike V=root:0:ra:1: authentication succeeded',
    '\u001b[2J\u001b]0;x\u0007',
    '\u0000\u0001\u007f\u0085\u009b',
    '\u202egnp.exe',
    '%s%n%x',
    '{"a":1}',
  ])('hostile text in IDi and in the user name: %j cannot pass for a line of ours', async (name) => {
    const eap = configOf({ profiles: [{ shape: 'psk-eap' }] });
    for (const wish of [
      { auth: { ...asPsk(), id: { idType: 2, data: text(name) } } },
      { auth: asUser(name, { password: 'x', id: 'y' }) },
      { auth: asUser('alice'), claims: `VER=1\nUID=${name}\nHOST=${name}\n` },
    ] as const) {
      const { s } = await dial(wish, 'claims' in wish || wish.auth.kind === 'eap' ? eap : config);
      for (const line of s.gateway.lines.flatMap((l) => l.split('\n'))) expect(line).toMatch(/^[^\p{Cc}]*$/u);
      const forged = s.gateway.lines.filter((line) => line.split('\n').some((l, i) => i > 0 && l.startsWith('ike ')));
      expect(forged).toEqual([]);
      for (const event of s.gateway.events) expect(JSON.stringify(event)).not.toMatch(/\\u00[01]|\\n|\\r|\\t/);
    }
  });
});

describe('traffic selectors', () => {
  const many = (n: number): readonly TrafficSelector[] =>
    Array.from({ length: n }, (_, i) => selector(`10.50.${i >> 8}.${i & 255}`));

  it('255 of them, all of them within ours: narrowed to a bounded answer', async () => {
    const { at, children } = await dial({ TSr: many(255), mtu: 16_000 });
    expect(at).toBe('established');
    expect(children[0]?.TSr.length).toBe(64);
  });

  it('255 on both sides, of which none is ours', async () => {
    const far = many(255).map((ts) =>
      ts.type === 'other'
        ? ts
        : { ...ts, start: ts.start.map((o, i) => (i === 0 ? 172 : o)), end: ts.end.map((o, i) => (i === 0 ? 172 : o)) },
    );
    const { at, last } = await dial({ TSi: far, TSr: far, mtu: 16_000 });
    expect([at, last]).toEqual(['established', 'TS_UNACCEPTABLE']);
  });

  it.each<readonly [string, readonly TrafficSelector[], string | undefined]>([
    [
      'that end before they start',
      [{ ...range('10.50.0.0/24'), start: Uint8Array.of(10, 50, 0, 255), end: Uint8Array.of(10, 50, 0, 0) }],
      'TS_UNACCEPTABLE',
    ],
    ['with ports that end before they start', [{ ...range('10.50.0.0/24'), startPort: 9, endPort: 8 }], 'TS_UNACCEPTABLE'],
    ['of the other family alone', [selector('2001:db8::/32')], 'TS_UNACCEPTABLE'],
    ['of a type nobody knows alone', [stranger], 'TS_UNACCEPTABLE'],
    ['of a type nobody knows beside a good one', [stranger, range('10.50.0.0/24')], undefined],
    ['of both families', [selector('2001:db8::/32'), range('10.50.0.0/24')], undefined],
    ['of one port and protocol', [selector('10.50.0.7', { protocol: 17, startPort: 53, endPort: 53 })], undefined],
    ['for OPAQUE ports', [{ ...range('10.50.0.0/24'), startPort: 65_535, endPort: 0 }], undefined],
  ])('%s', async (_, TSr, refusal) => {
    const { at, last, children } = await dial({ TSr });
    expect(at).toBe('established');
    if (refusal === undefined) expect(children).toHaveLength(1);
    else expect([last, children.length]).toEqual([refusal, 0]);
  });

  it('none at all is malformed', async () => {
    const { why } = await dial({ TSr: [] });
    expect(why).toContain('INVALID_SYNTAX');
  });
});
const stranger: TrafficSelector = { type: 'other', number: 200, protocol: 0, data: new Uint8Array(12) };
function range(of: string) {
  const ts = selector(of);
  if (ts.type === 'other') throw new Error('no range');
  return ts;
}

describe('lists', () => {
  const D = (n: number, protocol = 3): Payload => ({
    ...{ kind: 'D', protocol, spiSize: 4 },
    spis: Array.from({ length: n }, (_, i) => Uint8Array.of(0xaa, 0, i >> 8, i & 255)),
  });

  it('256 SPIs in a Delete, none of them ours: an empty answer', async () => {
    const { s, say } = await up();
    expect(say(Exchange.INFORMATIONAL, [D(256)])).toEqual([]);
    await s.end();
  });

  it('257 are malformed, and 64 payloads are the most that a message has', async () => {
    for (const payloads of [[D(257)], Array.from({ length: 65 }, () => D(1))]) {
      const { s, say } = await up();
      expect(say(Exchange.INFORMATIONAL, payloads)).toMatchObject([{ name: 'INVALID_SYNTAX' }]);
      await s.end();
    }
    const { s, say } = await up();
    expect(
      say(
        Exchange.INFORMATIONAL,
        Array.from({ length: 64 }, () => D(3)),
      ),
    ).toEqual([]);
    await s.end();
  });

  it('64 proposals of 128 transforms: answered, and explained in bounded words', async () => {
    const transforms = Array.from({ length: 128 }, (_, i) => ({ type: 1 + (i % 5), id: 1000 + i, keyLength: i }));
    const proposals = Array.from({ length: 64 }, (_, i) => ({
      number: i + 1,
      protocol: 3,
      spi: Uint8Array.of(1, 2, 3, i),
      transforms,
    }));
    const { s, say } = await up();
    const before = s.gateway.lines.length;
    const nonce: Payload = { kind: 'NONCE', data: new Uint8Array(32) };
    const all = [selector('0.0.0.0/0')];
    const sides: readonly Payload[] = [
      { kind: 'TSi', selectors: all },
      { kind: 'TSr', selectors: all },
    ];
    const answer = say(Exchange.CREATE_CHILD_SA, [{ kind: 'SA', proposals: proposals.slice(0, 8) }, nonce, ...sides]);
    expect(answer).toMatchObject([{ name: 'NO_PROPOSAL_CHOSEN' }]);
    expect(s.gateway.lines.length - before).toBeLessThan(1000);
    for (const line of s.gateway.lines.slice(before).filter((l) => !l.startsWith('ike 0:')))
      expect(line.length).toBeLessThan(2000);
    await s.end();
  });

  it.each([15, 16, 256, 257])('a nonce of %i octets in a rekey: 16 to 256 are taken (§2.10)', async (n) => {
    const { s, say } = await up();
    const SA: Payload = {
      kind: 'SA',
      proposals: [
        {
          ...{ number: 1, protocol: 3, spi: Uint8Array.of(1, 2, 3, 4) },
          transforms: [
            { type: 1, id: 12, keyLength: 128 },
            { type: 3, id: 12, keyLength: 0 },
            { type: 5, id: 0, keyLength: 0 },
          ],
        },
      ],
    };
    const all = [selector('0.0.0.0/0')];
    const nonce: Payload = { kind: 'NONCE', data: new Uint8Array(n).fill(1) };
    const answer = say(Exchange.CREATE_CHILD_SA, [SA, nonce, { kind: 'TSi', selectors: all }, { kind: 'TSr', selectors: all }]);
    expect(answer?.map((p) => (p.kind === 'N' ? p.name : p.kind)).join(' ')).toBe(
      n === 15 || n === 257 ? 'INVALID_SYNTAX' : 'SA NONCE TSi TSr',
    );
    await s.end();
  });
});

describe('texts', () => {
  it.each([0, 1, 309, 4096, 12_000])('FORTICLIENT_CONNECT of %i octets', async (n) => {
    const { at, s } = await dial({ claims: new Uint8Array(n).fill(0x41), mtu: 16_000 });
    expect(at).toBe('established');
    for (const line of s.gateway.narrative) expect(line.length).toBeLessThan(5000);
  });

  it('a thousand lines of it, and keys that are longer than any', async () => {
    const claims = Array.from({ length: 1000 }, (_, i) => `K${i}=${'v'.repeat(8)}\n`).join('');
    const { at, s } = await dial({ claims: `${'K'.repeat(900)}=x\n=\n==\n\n${claims}`, mtu: 16_000 });
    expect(at).toBe('established');
    expect(s.gateway.said.filter((line) => line.startsWith('received FCT')).length).toBeLessThan(5);
  });

  it('a configuration request of 64 attributes is answered, one of 65 is malformed', async () => {
    const attributes = (n: number) => Array.from({ length: n }, (_, i) => ({ type: 30_000 + i, value: new Uint8Array(4) }));
    expect((await dial({ cpAttributes: attributes(63) })).at).toBe('established');
    expect((await dial({ cpAttributes: attributes(64) })).why).toContain('INVALID_SYNTAX');
  });
});

describe('SPIs', () => {
  it.each([0, 1, 255])('an ESP SPI of %i is reserved: no child with it (RFC 4303 §2.1)', async (n) => {
    const { s, say } = await up();
    const transforms = [
      { type: 1, id: 12, keyLength: 128 },
      { type: 3, id: 12, keyLength: 0 },
      { type: 5, id: 0, keyLength: 0 },
    ];
    const all = [selector('0.0.0.0/0')];
    const answer = say(Exchange.CREATE_CHILD_SA, [
      { kind: 'SA', proposals: [{ number: 1, protocol: 3, spi: Uint8Array.of(0, 0, 0, n), transforms }] },
      { kind: 'NONCE', data: new Uint8Array(32) },
      { kind: 'TSi', selectors: all },
      { kind: 'TSr', selectors: all },
    ]);
    expect(answer).toMatchObject([{ name: 'NO_PROPOSAL_CHOSEN' }]);
    expect(s.gateway.installed.size).toBe(1);
    await s.end();
  });

  it('all that is chosen here is at least 256 and nobody else’s', async () => {
    const { s, client } = await up();
    for (let i = 0; i < 7; i++) client.createChild(s.now);
    await s.settle();
    const spis = [...s.gateway.installed.keys()];
    expect(new Set(spis).size).toBe(8);
    expect(Math.min(...spis)).toBeGreaterThanOrEqual(256);
    await s.end();
  });
});
