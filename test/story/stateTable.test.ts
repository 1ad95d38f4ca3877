/** State × exchange: every cell of `support/stateTable.ts`, played against the engine. */
import { describe, expect, it } from 'vitest';
import { prf } from '../../crypto/index.ts';
import type { Config } from '../../src/config/index.ts';
import { identity, type LabClient, selector } from '../../src/lab/index.ts';
import { authOctets, sharedKeyAuth } from '../../src/lab/keys.ts';
import {
  decodeEap,
  decodeHeader,
  decodeMessage,
  Exchange,
  encodeEap,
  equal,
  ikeSpi,
  notify,
  notifyType,
  notifyTypeName,
  type Payload,
} from '../../src/wire/index.ts';
import { type ConfigText, configOf, GATEWAY, secrets } from '../support/configs.ts';
import { firstMessage, naked, open, type Pen, penOf, type Said, seal } from './support/forge.ts';
import { asCertificate, asPsk, asUser, byCertificate, messages, Scene, type Wish } from './support/scene.ts';
import { cells, outcomes, type State, states } from './support/stateTable.ts';

const ME = { address: '198.51.100.1', port: 500 };
const HERE = { address: GATEWAY, port: 500 };

/** An SA in some state, and all that it takes to speak on it. */
type Standing = {
  readonly s: Scene;
  readonly client: LabClient;
  readonly pen: Pen;
  /** The message ID of the next request. */
  readonly next: number;
  /** The client's IKE_SA_INIT as it was sent, and the nonce of the answer. */
  readonly init: Uint8Array;
  readonly Nr: Uint8Array;
  /** SK_pi, for AUTH. */
  readonly SK_pi: Uint8Array;
  /** What the last answer said. */
  readonly last: readonly Payload[];
};

// ------------------------------------------------------------------------------------------------ the states

const two: ConfigText = {
  profiles: [
    { name: 'eap', shape: 'psk-eap' },
    { name: 'psk', shape: 'psk' },
  ],
};
const ways: Readonly<Record<State, { readonly text: ConfigText; readonly wish: Wish; readonly upTo: number }>> = {
  none: { text: two, wish: { auth: asPsk() }, upTo: 9 },
  'half-open': { text: two, wish: { auth: asPsk() }, upTo: 0 },
  eap: { text: two, wish: { auth: asUser('alice') }, upTo: 1 },
  proven: { text: two, wish: { auth: asUser('alice') }, upTo: 4 },
  cert: { text: { profiles: [{ shape: 'certificate' }] }, wish: { auth: asCertificate(), gateway: byCertificate() }, upTo: 9 },
  gate: {
    text: { profiles: [{ phase1: { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS1_ZTNA_a"' } }] },
    wish: { auth: asPsk() },
    upTo: 9,
  },
  up: { text: two, wish: { auth: asPsk() }, upTo: 9 },
  waiting: {
    text: { profiles: [{ phase1: { dpd: 'on-idle', 'dpd-retryinterval': '20' } }] },
    wish: { auth: asPsk() },
    upTo: 9,
  },
  closed: { text: two, wish: { auth: asPsk() }, upTo: 9 },
};
const at: Readonly<Record<State, string | undefined>> = {
  ...{ none: undefined, 'half-open': 'half-open', eap: 'eap', proven: 'eap-proven', cert: 'at-certificate', gate: 'at-gate' },
  ...{ up: 'established', waiting: 'established', closed: undefined },
};
const configs = new Map<State, Config>();
function configFor(state: State): Config {
  const config = configs.get(state) ?? configOf(ways[state].text);
  configs.set(state, config);
  return config;
}

/** Brings an SA into a state; from there on the client neither hears nor says anything. */
async function enter(state: State): Promise<Standing> {
  const { wish, upTo } = ways[state];
  const s = new Scene({ config: configFor(state), script: () => undefined, debug: false });
  const client = s.client({ ...wish, address: ME.address });
  s.forgive(client);
  s.net.filter = ({ from, octets }) =>
    from.address !== ME.address || octets[18] !== Exchange.IKE_AUTH || (octets[23] ?? 0) <= upTo;
  client.start(s.now);
  await s.run({ ms: 100 });
  const { keys } = client.status;
  const pen = penOf(client);
  const [init = new Uint8Array(28)] = messages(s.net.passages, ME.address);
  const Nr = nonceIn(messages(s.gateway.sent)[0]);
  if (state === 'none' || state === 'closed') {
    client.deleteIke(s.now);
    await s.run({ ms: state === 'none' ? 31_000 : 50 });
  }
  s.net.filter = (d) => d.to.address !== ME.address && d.from.address !== ME.address;
  if (state === 'waiting') await s.run({ until: () => s.gateway.sent.some((d) => d.octets[18] === Exchange.INFORMATIONAL) });
  const next =
    1 +
    Math.max(
      ...messages(
        s.net.passages.filter((p) => !p.lost),
        ME.address,
      ).map((o) => o[23] ?? 0),
    );
  const answer = messages(s.gateway.sent).findLast((o) => ((o[19] ?? 0) & 0x20) !== 0);
  expect(s.gateway.views.map((v) => v.at)).toEqual(at[state] === undefined ? [] : [at[state]]);
  const last = (answer && answer[18] !== Exchange.IKE_SA_INIT && open(pen, answer)) || [];
  return { s, client, pen, next, init, Nr, SK_pi: keys?.SK_pi ?? new Uint8Array(0), last };
}

function nonceIn(octets: Uint8Array | undefined): Uint8Array {
  const found = octets && decodeMessage(octets, decodeHeader(octets)).payloads.find((p) => p.kind === 'NONCE');
  return found?.kind === 'NONCE' ? found.data : new Uint8Array(0);
}

// ---------------------------------------------------------------------------------------------- the messages

const EVERYTHING = [selector('0.0.0.0/0')];
const sides: readonly Payload[] = [
  { kind: 'TSi', selectors: EVERYTHING },
  { kind: 'TSr', selectors: EVERYTHING },
];
const spi4 = (n: number): Uint8Array => Uint8Array.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
const NONCE: Payload = { kind: 'NONCE', data: new Uint8Array(32).fill(7) };
const KE: Payload = { kind: 'KE', group: 31, data: new Uint8Array(32).fill(9) };
const IDi: Payload = { kind: 'IDi', ...identity('laptop.lab.test') };
const CP: Payload = { kind: 'CP', cfgType: 1, attributes: [{ type: 1, value: new Uint8Array(0) }] };
const D: Payload = { kind: 'D', protocol: 1, spiSize: 0, spis: [] };
const esp: Payload = {
  kind: 'SA',
  proposals: [
    {
      ...{ number: 1, protocol: 3, spi: spi4(0x4321_0001) },
      transforms: [
        { type: 1, id: 12, keyLength: 128 },
        { type: 3, id: 12, keyLength: 0 },
        { type: 5, id: 0, keyLength: 0 },
      ],
    },
  ],
};
const ike = (spi: Uint8Array): Payload => ({
  kind: 'SA',
  proposals: [
    {
      ...{ number: 1, protocol: 1, spi },
      transforms: [
        { type: 1, id: 12, keyLength: 128 },
        { type: 2, id: 5, keyLength: 0 },
        { type: 3, id: 12, keyLength: 0 },
        { type: 4, id: 31, keyLength: 0 },
      ],
    },
  ],
});
const wrongAuth: Payload = { kind: 'AUTH', method: 2, data: new Uint8Array(32).fill(1) };

/** AUTH by the group key, as it should be. */
function rightAuth({ client, init, Nr, SK_pi }: Standing): Payload {
  const random = prf(client.status.suite?.prf ?? 5);
  if (random === undefined) throw new Error('no PRF');
  const octets = authOctets(random, init, Nr, SK_pi, identity('laptop.lab.test'));
  return { kind: 'AUTH', method: 2, data: sharedKeyAuth(random, new TextEncoder().encode(secrets.psk), octets) };
}

/** The answer to the identity request that is open. */
function identityAnswer({ last }: Standing): Payload {
  const asked = last.find((p) => p.kind === 'EAP');
  const id = asked?.kind === 'EAP' ? decodeEap(asked.data).id : 0;
  return { kind: 'EAP', data: encodeEap({ code: 2, id, type: 1, data: new TextEncoder().encode('alice') }) };
}

type Maker = (x: Standing) => Uint8Array;
const sealed =
  (exchange: number, payloads: readonly Payload[] | ((x: Standing) => readonly Payload[]), more: Partial<Said> = {}): Maker =>
  (x) =>
    seal(x.pen, { exchange, messageId: x.next, payloads: typeof payloads === 'function' ? payloads(x) : payloads, ...more });
const plain =
  (exchange: number, payloads: readonly Payload[]): Maker =>
  (x) =>
    naked(x.pen, { exchange, messageId: x.next, payloads });
const withId =
  (off: number): Maker =>
  (x) =>
    seal(x.pen, { exchange: Exchange.INFORMATIONAL, messageId: (x.next + off) >>> 0, payloads: [D] });
const { IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_SESSION_RESUME, IKE_INTERMEDIATE, IKE_FOLLOWUP_KE } = Exchange;
const childOf = (x: Standing): number => x.client.status.children[0]?.spiIn ?? 0x1234_5678;

const makers: Readonly<Record<string, Maker>> = {
  'IKE_SA_INIT, a new one': () => firstMessage([ike(new Uint8Array(0)), KE, NONCE]),
  'IKE_SA_INIT, the same again': (x) => x.init,
  'IKE_AUTH {IDi SA TSi TSr}': sealed(IKE_AUTH, [IDi, esp, ...sides]),
  'IKE_AUTH {IDi AUTH CP SA TSi TSr}': sealed(IKE_AUTH, (x) => [IDi, rightAuth(x), CP, esp, ...sides]),
  'IKE_AUTH {IDi AUTH}, AUTH is wrong': sealed(IKE_AUTH, [IDi, wrongAuth]),
  'IKE_AUTH {EAP}': sealed(IKE_AUTH, (x) => [identityAnswer(x)]),
  'IKE_AUTH {AUTH}, AUTH is wrong': sealed(IKE_AUTH, [wrongAuth]),
  'IKE_AUTH {}': sealed(IKE_AUTH, []),
  'CREATE_CHILD_SA, a child': sealed(CREATE_CHILD_SA, [esp, NONCE, ...sides]),
  'CREATE_CHILD_SA, rekey of a child': sealed(CREATE_CHILD_SA, (x) => [
    notify('REKEY_SA', undefined, { protocol: 3, spi: spi4(childOf(x)) }),
    ...[esp, NONCE, ...sides],
  ]),
  'CREATE_CHILD_SA, rekey of the IKE SA': sealed(CREATE_CHILD_SA, [ike(new Uint8Array(8).fill(6)), NONCE, KE]),
  'CREATE_CHILD_SA {}': sealed(CREATE_CHILD_SA, []),
  'INFORMATIONAL {}': sealed(INFORMATIONAL, []),
  'INFORMATIONAL {D of the IKE SA}': sealed(INFORMATIONAL, [D]),
  'INFORMATIONAL {D of a child}': sealed(INFORMATIONAL, (x) => [
    { kind: 'D', protocol: 3, spiSize: 4, spis: [spi4(childOf(x))] },
  ]),
  'INFORMATIONAL {AUTHENTICATION_FAILED}': sealed(INFORMATIONAL, [notify('AUTHENTICATION_FAILED')]),
  'INFORMATIONAL {NO_PROPOSAL_CHOSEN}': sealed(INFORMATIONAL, [notify('NO_PROPOSAL_CHOSEN')]),
  'INFORMATIONAL {unknown notify}': sealed(INFORMATIONAL, [
    { kind: 'N', name: 'UNKNOWN', type: 40_500, protocol: 0, spi: new Uint8Array(0), data: new Uint8Array(3) },
  ]),
  'INFORMATIONAL {two SA}': sealed(INFORMATIONAL, [esp, esp]),
  'INFORMATIONAL {critical unknown}': sealed(INFORMATIONAL, [
    { kind: 'UNKNOWN', type: 200, critical: true, data: new Uint8Array(3) },
  ]),
  'INFORMATIONAL {broken chain}': sealed(INFORMATIONAL, [], { inner: { first: 41, octets: new Uint8Array(5).fill(0xff) } }),
  'IKE_SESSION_RESUME {}': sealed(IKE_SESSION_RESUME, []),
  'IKE_INTERMEDIATE {KE}': sealed(IKE_INTERMEDIATE, [KE]),
  'IKE_FOLLOWUP_KE {KE}': sealed(IKE_FOLLOWUP_KE, [KE]),
  ...Object.fromEntries([0, 33, 39, 240, 255].map((type) => [`exchange ${type} {}`, sealed(type, [])])),
  'in the clear: IKE_AUTH': plain(IKE_AUTH, [IDi, esp, ...sides]),
  'in the clear: CREATE_CHILD_SA': plain(CREATE_CHILD_SA, [esp, NONCE, ...sides]),
  'in the clear: INFORMATIONAL': plain(INFORMATIONAL, [D]),
  'in the clear: IKE_SESSION_RESUME': plain(IKE_SESSION_RESUME, [NONCE]),
  'in the clear: IKE_INTERMEDIATE': plain(IKE_INTERMEDIATE, [KE]),
  'in the clear: IKE_FOLLOWUP_KE': plain(IKE_FOLLOWUP_KE, [KE]),
  'in the clear: exchange 240': plain(240, [D]),
  'response: IKE_SA_INIT': (x) => firstMessage([ike(new Uint8Array(0)), KE, NONCE], { response: true, SPIi: x.pen.SPIi }),
  'response: IKE_AUTH': sealed(IKE_AUTH, [IDi], { response: true }),
  'response: CREATE_CHILD_SA': sealed(CREATE_CHILD_SA, [esp, NONCE, ...sides], { response: true }),
  'response: INFORMATIONAL': sealed(INFORMATIONAL, [D], { response: true }),
  'response: INFORMATIONAL, ID 0': sealed(INFORMATIONAL, [D], { response: true, messageId: 0 }),
  'message ID one less': withId(-1),
  'message ID two less': withId(-2),
  'message ID one more': withId(1),
  'message ID 2^32 - 1': (x) => seal(x.pen, { exchange: INFORMATIONAL, messageId: 0xffff_ffff, payloads: [D] }),
  'sealed with other keys': (x) => {
    const encr = x.pen.out.encr.map((o) => o ^ 1);
    return seal(
      { ...x.pen, out: { encr, integ: x.pen.out.integ.map((o) => o ^ 1) } },
      { exchange: INFORMATIONAL, messageId: x.next, payloads: [D] },
    );
  },
  "in the gateway's own voice": (x) =>
    seal({ ...x.pen, out: x.pen.back }, { exchange: INFORMATIONAL, messageId: x.next, payloads: [D] }),
  'without the Initiator flag': (x) =>
    seal({ ...x.pen, initiator: false }, { exchange: INFORMATIONAL, messageId: x.next, payloads: [D] }),
  'another SPIi': sealed(INFORMATIONAL, [D], { SPIi: ikeSpi(new Uint8Array(8).fill(0x77)) }),
};

// ------------------------------------------------------------------------------------------------- the cells

/** Says it, and tells what happened in the words of an `Outcome`. */
function observe(x: Standing, octets: Uint8Array) {
  const { s, pen } = x;
  const before = messages(s.gateway.sent);
  const was = s.gateway.views;
  s.gateway.datagram({ from: ME, to: HERE, octets });
  const said = messages(s.gateway.sent).slice(before.length);
  const now = s.gateway.views;
  const own = (v: { SPIi: string; SPIr: string }) => v.SPIi === pen.SPIi && v.SPIr === pen.SPIr;
  expect(said.length).toBeLessThanOrEqual(1);
  const [answer] = said;
  const again = answer !== undefined && before.some((o) => equal(o, answer));
  const sealedAnswer = answer && open(pen, answer);
  const clear = answer !== undefined && !again && sealedAnswer === undefined;
  const payloads = sealedAnswer ?? (answer === undefined ? undefined : decodeMessage(answer, decodeHeader(answer)).payloads);
  return {
    answer: again ? undefined : payloads && textOf(payloads),
    ...{ clear, again },
    from: was.find(own)?.at,
    to: now.find(own)?.at ?? 'over',
    beside: now.filter((v) => !own(v)).map((v) => v.at)[0],
  };
}

/** Payloads of an answer; of IKE_SA_INIT only what carries the choice. */
function textOf(payloads: readonly Payload[]): string {
  const inInit = payloads.some((p) => p.kind === 'SA') && payloads.some((p) => p.kind === 'N' || p.kind === 'CERTREQ');
  return payloads
    .filter((p) => !(inInit && (p.kind === 'N' || p.kind === 'CERTREQ')))
    .map((p) => (p.kind === 'N' ? notifyTypeName(notifyType(p)) : p.kind))
    .join(' ');
}

describe.each([...cells()])('%s', (message, row) => {
  it.each([...row])('in %s: %s', async (state, word) => {
    const maker = makers[message];
    const expected = outcomes[word];
    if (maker === undefined || expected === undefined) throw new Error(`the table says '${message}' and '${word}'`);
    const x = await enter(state);
    const seen = observe(x, maker(x));
    expect(seen).toEqual({
      answer: expected.answer,
      ...{ clear: expected.clear === true, again: expected.again === true },
      from: at[state],
      to: expected.to ?? at[state] ?? 'over',
      beside: expected.beside,
    });
    if (expected.to === undefined && expected.answer === undefined)
      expect(x.s.gateway.told('closed').length).toBe(state === 'none' || state === 'closed' ? 1 : 0);
    for (const { ticket } of [...x.s.gateway.open])
      x.s.gateway.answer(ticket, { about: 'certificate', verdict: { ok: false, why: 'the test is over' } });
    await x.s.end();
  });
});

describe('the table', () => {
  it('has a cell for every message in every state', () => {
    expect([...cells().keys()].sort()).toEqual(Object.keys(makers).sort());
    for (const row of cells().values()) expect([...row.keys()]).toEqual(Object.keys(states));
  });

  it('uses every word', () => {
    const used = new Set([...cells().values()].flatMap((row) => [...row.values()]));
    expect([...used].sort()).toEqual(Object.keys(outcomes).sort());
  });
});
