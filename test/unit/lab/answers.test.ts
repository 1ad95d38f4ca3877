import { describe, expect, it } from 'vitest';
import { selector } from '../../../src/lab/index.ts';
import { describePayloads, hex, notify, type Payload } from '../../../src/wire/index.ts';
import { CLIENT, type FakeGateway, GATEWAY, view } from './fakeGateway.ts';
import { prfPlus } from './fakeKeys.ts';
import { askIkeRekey, askRekey, D, D_IKE, type IkeHalf, spiText, takeIkeRekey } from './gatewayAsks.ts';
import { connected, type Scene } from './scene.ts';

const CREATE_CHILD_SA = 36;
const INFORMATIONAL = 37;

describe('Requests of the gateway', () => {
  it('liveness is answered with nothing', () => {
    const s = connected();
    s.hears((g) => g.request([]));
    expect(s.gateway.heard.at(-1)).toMatchObject({ header: { response: true, initiator: true, messageId: 0 }, payloads: [] });
  });

  it('said twice is answered twice alike and done once (§2.1)', () => {
    const s = connected();
    s.hears((g) => g.request([]));
    const asked = s.net.passages.findLast((p) => p.from.address === GATEWAY);
    const answered = s.net.passages.findLast((p) => p.from.address === CLIENT);
    if (asked === undefined) throw new Error('nothing asked');
    s.net.inject(asked);
    s.rest();
    expect(s.net.passages.findLast((p) => p.from.address === CLIENT)?.octets).toEqual(answered?.octets);
    s.hears((g) => g.request([]));
    expect(s.gateway.heard.at(-1)?.header.messageId).toBe(1);
  });

  it('with a message ID from anywhere else is dropped', () => {
    const s = connected();
    s.gateway.sa.nextId = 5;
    s.hears((g) => g.request([]));
    expect(s.status.drops).toEqual(['message ID 5 where 0 is expected']);
  });

  it('that is changed on the way is dropped', () => {
    const s = connected();
    s.gateway.request([]);
    s.net.collect();
    const asked = s.net.passages.at(-1);
    if (asked === undefined) throw new Error('nothing asked');
    s.net.filter = () => false;
    s.rest();
    const octets = asked.octets.slice();
    octets[40] = (octets[40] ?? 0) ^ 1;
    s.client.datagram(octets, s.clock.now, { from: asked.from, to: asked.to });
    expect(s.status.drops).toContain('integrity check failed');
  });

  it.each<[string, number, readonly Payload[], string]>([
    [
      'a critical payload of an unknown type',
      INFORMATIONAL,
      [{ kind: 'UNKNOWN', type: 99, critical: true, data: new Uint8Array(1) }],
      'N(UNSUPPORTED_CRITICAL_PAYLOAD)',
    ],
    [
      'a status that nobody knows',
      INFORMATIONAL,
      [{ kind: 'N', name: 'UNKNOWN', type: 61700, protocol: 0, spi: new Uint8Array(0), data: new Uint8Array(4) }],
      '',
    ],
    [
      'a rekey of a child that is not there',
      CREATE_CHILD_SA,
      [notify('REKEY_SA', undefined, { protocol: 3, spi: new Uint8Array(4) })],
      'N(CHILD_SA_NOT_FOUND)',
    ],
    ['a Delete of a child that is not there', INFORMATIONAL, [D(new Uint8Array(4))], ''],
    ['another IKE_AUTH', 35, [], 'N(INVALID_SYNTAX)'],
  ])('%s is answered as the RFC says', (_, exchange, payloads, answer) => {
    const s = connected();
    s.hears((g) => g.request(payloads, exchange));
    const heard = s.gateway.heard.at(-1);
    expect(heard?.header).toMatchObject({ response: true, exchange });
    expect(describePayloads(heard?.payloads ?? [])).toBe(answer);
    expect(s.status.at).toBe('established');
  });

  it('that are wrong without end fill no memory', () => {
    const s = connected();
    for (let n = 0; n < 300; n++) s.hears((g) => g.request([notify('TS_UNACCEPTABLE')]));
    expect(s.status.violations).toEqual(Array.from({ length: 64 }, () => 'error TS_UNACCEPTABLE in a request (§2.21.3)'));
    expect(s.status.notifies).toHaveLength(256);
    for (let n = 0; n < 300; n++) s.client.datagram(new Uint8Array(3), s.clock.now);
    expect(s.status).toMatchObject({ at: 'established', drops: { length: 64 }, counters: { dropped: 300 } });
  });

  it('malformed is the end of the IKE SA (§2.21.3)', () => {
    const s = connected();
    s.hears((g) => g.request([{ kind: 'UNKNOWN', type: 33, critical: false, data: new Uint8Array(3) }]));
    expect(describePayloads(s.gateway.heard.at(-1)?.payloads ?? [])).toBe('N(INVALID_SYNTAX)');
    expect(s.status).toMatchObject({ at: 'closed', children: [] });
  });

  it('with more padding than there is plaintext is malformed (§3.14)', () => {
    const s = connected();
    s.gateway.script = { pad: 1 };
    s.hears((g) => g.request([]));
    expect(describePayloads(s.gateway.heard.at(-1)?.payloads ?? [])).toBe('N(INVALID_SYNTAX)');
    expect(s.status).toMatchObject({ at: 'closed', why: 'malformed request: more padding than plaintext' });
  });

  it('Delete of a child is answered with the other half (§1.4.1)', () => {
    const s = connected();
    const [child] = s.gateway.children;
    s.hears((g) => g.request([D(child?.spiIn ?? new Uint8Array(0))]));
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([D(child?.spiOut ?? new Uint8Array(0))]);
    expect(s.status).toMatchObject({ at: 'established', children: [] });
  });

  it('Delete of the IKE SA is answered, again if the answer is lost, and ends it', () => {
    const s = connected();
    s.hears((g) => g.request([D_IKE]));
    expect(s.gateway.heard.at(-1)).toMatchObject({ header: { response: true }, payloads: [] });
    expect(s.status).toMatchObject({ at: 'closed', why: 'deleted by the gateway', children: [], ikeSas: [] });
    const asked = s.net.passages.findLast((p) => p.from.address === GATEWAY);
    if (asked === undefined) throw new Error('nothing asked');
    const before = s.gateway.heard.length;
    s.net.inject(asked);
    s.rest();
    expect(s.gateway.heard.length).toBe(before + 1);
  });

  it('a rekey of a child is done, with keys that fit', () => {
    const s = connected();
    const none = new Uint8Array(0);
    let asked: Uint8Array = none;
    s.hears((g) => {
      asked = askRekey(g, s.status.children[0]);
    });
    const { NONCE, SA } = view(s.gateway.last(CREATE_CHILD_SA).payloads);
    expect(s.status.children.map((c) => [c.state, c.madeBy])).toEqual([
      ['replaced', 'us'],
      ['installed', 'gateway'],
    ]);
    const made = s.status.children[1];
    expect([spiText(made?.spiOut), spiText(made?.spiIn)]).toEqual(['66010203', hex(SA?.proposals[0]?.spi ?? none)]);
    const keymat = prfPlus(s.gateway.sa.keys.SK_d, new Uint8Array([...asked, ...(NONCE?.data ?? none)]), 72);
    expect(hex(made?.keys.in.encr ?? none) + hex(made?.keys.out.encr ?? none)).toBe(hex(keymat));
    s.hears((g) => g.request([D(g.children[0]?.spiIn ?? none)]));
    expect(s.status.children).toHaveLength(1);
  });

  it.each<[string, (g: FakeGateway, s: Scene) => void, number]>([
    ['a child', (g, s) => askRekey(g, s.status.children[0], undefined, { group: 19, says: 31 }), 19],
    ['the IKE SA', (g) => askIkeRekey(g, undefined, 19), 31],
  ])('a rekey of %s with a public value of another group is refused, and the right one named', (_, ask, group) => {
    const s = connected();
    s.hears((g) => ask(g, s));
    expect(s.gateway.answers.at(-1)?.payloads).toMatchObject([{ name: 'INVALID_KE_PAYLOAD', data: group }]);
    expect(s.status.at).toBe('established');
  });

  it('a rekey of a child with PFS is done', () => {
    const s = connected();
    s.hears((g) => askRekey(g, s.status.children[0], undefined, { group: 19, says: 19 }));
    expect(describePayloads(s.gateway.answers.at(-1)?.payloads ?? [])).toBe('SA NONCE KE TSi TSr');
    expect(s.status.children.at(-1)).toMatchObject({ state: 'installed', suite: { group: 19 } });
  });

  it('a rekey to more than there was is refused', () => {
    const s = connected({}, { TSr: [selector('10.1.0.0/16')] });
    const wide = { kind: 'TSi', selectors: [selector('10.0.0.0/8')] } as const;
    s.hears((g) => {
      const request = g.request.bind(g);
      g.request = (payloads, ...rest) =>
        request(
          payloads.map((p) => (p.kind === 'TSi' ? wide : p)),
          ...rest,
        );
      askRekey(g, s.status.children[0]);
    });
    expect(describePayloads(s.gateway.heard.at(-1)?.payloads ?? [])).toBe('N(TS_UNACCEPTABLE)');
  });

  it('a rekey of the IKE SA is done, and the client is its responder', () => {
    const s = connected();
    let half: IkeHalf | undefined;
    s.hears((g) => {
      half = askIkeRekey(g);
    });
    if (half !== undefined) takeIkeRekey(s.gateway, half);
    expect(s.status.ikeSas).toMatchObject([{ standing: 'replaced' }, { standing: 'live', initiator: false }]);
    const [old] = s.gateway.sas;
    s.hears((g) => g.request([D_IKE], INFORMATIONAL, old));
    expect(s.status.ikeSas).toHaveLength(1);
    s.hears((g) => g.request([], INFORMATIONAL, old));
    expect(s.status.drops).toEqual(['a request on an SA that has ended']);
    expect(s.status).toMatchObject({ at: 'established', children: [{ state: 'installed' }] });
    expect(s.does((c, now) => c.liveness(now)).outcomes.at(-1)).toEqual({ verb: 'liveness', ok: true, why: '' });
    expect(s.gateway.heard.at(-1)?.header).toMatchObject({ initiator: false, messageId: 0, SPIi: half?.SPIi });
    s.hears((g) => g.request([]));
    expect(s.gateway.heard.at(-1)?.header).toMatchObject({ response: true, initiator: false });
  });
});
