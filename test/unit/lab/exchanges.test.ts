import { describe, expect, it } from 'vitest';
import { selector } from '../../../src/lab/index.ts';
import { describePayloads, hex, notify, type Payload, unhex } from '../../../src/wire/index.ts';
import type { Edit } from './fakeGateway.ts';
import { D, D_IKE, spiText } from './gatewayAsks.ts';
import { connected, type Scene, scene } from './scene.ts';

const CREATE_CHILD_SA = 36;
const INFORMATIONAL = 37;

const create =
  (change: (payloads: readonly Payload[]) => readonly Payload[]): Edit =>
  (payloads, { exchange }) =>
    exchange === CREATE_CHILD_SA ? change(payloads) : payloads;

/** What was heard of these exchanges since the connection stood. */
const said = (s: Scene, ...exchanges: readonly number[]) =>
  s.gateway.heard.filter((h) => exchanges.includes(h.header.exchange)).map((h) => describePayloads(h.payloads));

/** The client's last child must be the gateway's child number `nth`, in SPIs and keys. */
function expectChild(s: Scene, nth: number): void {
  const [ours, theirs] = [s.status.children.at(-1), s.gateway.children[nth]];
  const none = new Uint8Array(0);
  expect([spiText(ours?.spiIn), spiText(ours?.spiOut)]).toEqual([hex(theirs?.spiOut ?? none), hex(theirs?.spiIn ?? none)]);
  const [into, out] = [ours?.keys.in.encr ?? none, ours?.keys.out.encr ?? none];
  expect(hex(out) + hex(into)).toBe(hex(theirs?.keymat ?? none));
}

describe('CREATE_CHILD_SA for a child (RFC 7296 §1.3.1, §1.3.3)', () => {
  it('adds a child, with selectors of its own', () => {
    const s = connected();
    const TSr = [selector('10.1.0.0/16')];
    expect(s.does((c, now) => c.createChild(now, { TSr }))).toMatchObject({
      outcomes: [{ verb: 'create-child', ok: true }],
      violations: [],
    });
    expect(s.status.children.map((c) => c.state)).toEqual(['installed', 'installed']);
    expect(s.status.children[1]?.TSr).toEqual(TSr);
    expectChild(s, 1);
    expect(said(s, CREATE_CHILD_SA)).toEqual(['SA NONCE TSi TSr']);
  });

  it.each([
    [false, 'N(REKEY_SA) SA NONCE TSi TSr', 0],
    [true, 'N(REKEY_SA) SA NONCE KE TSi TSr', 31],
    [19, 'N(REKEY_SA) SA NONCE KE TSi TSr', 19],
  ] as const)('rekeys a child with PFS %s, and deletes the old one', (pfs, request, group) => {
    const s = connected();
    const [old] = s.status.children;
    expect(s.does((c, now) => c.rekeyChild(now, { pfs })).violations).toEqual([]);
    expect(said(s, CREATE_CHILD_SA)).toEqual([request]);
    expect(s.gateway.last(CREATE_CHILD_SA).payloads[0]).toMatchObject({
      name: 'REKEY_SA',
      protocol: 3,
      spi: unhex(spiText(old?.spiIn)),
    });
    expect(s.status.children).toMatchObject([{ state: 'installed', madeBy: 'us', suite: { group } }]);
    expect(s.status.outcomes.map((o) => o.verb)).toEqual(['rekey-child', 'delete-child']);
    expectChild(s, 1);
  });

  it('follows INVALID_KE_PAYLOAD to a group that it offered, once', () => {
    const s = connected();
    s.gateway.script = { wants: 19 };
    expect(s.does((c, now) => c.rekeyChild(now, { pfs: true }))).toMatchObject({
      children: [{ suite: { group: 19 } }],
      violations: [],
    });
    expectChild(s, 1);
    s.gateway.script = { wants: 14 };
    expect(s.does((c, now) => c.rekeyChild(now, { pfs: true })).outcomes.at(-1)).toMatchObject({
      ok: false,
      why: 'INVALID_KE_PAYLOAD',
    });
    expect(s.status).toMatchObject({ at: 'established', busy: false });
  });

  it('does not follow INVALID_KE_PAYLOAD in a circle', () => {
    const s = connected({ edit: create(() => [notify('INVALID_KE_PAYLOAD', 31)]) });
    expect(s.does((c, now) => c.rekeyChild(now, { pfs: true })).outcomes).toMatchObject([
      { ok: false, why: 'INVALID_KE_PAYLOAD' },
    ]);
    expect(said(s, CREATE_CHILD_SA)).toHaveLength(1);
  });

  it.each(['TEMPORARY_FAILURE', 'NO_ADDITIONAL_SAS', 'TS_UNACCEPTABLE', 'NO_PROPOSAL_CHOSEN'] as const)(
    'lives with %s',
    (name) => {
      const s = connected({ edit: create(() => [notify(name)]) });
      const status = s.does((c, now) => c.rekeyChild(now));
      expect(status).toMatchObject({ at: 'established', outcomes: [{ verb: 'rekey-child', ok: false, why: name }] });
      expect(status.children).toMatchObject([{ state: 'installed' }]);
    },
  );

  it('forgets a child that the gateway does not have (§2.25)', () => {
    const s = connected({ edit: create(() => [notify('CHILD_SA_NOT_FOUND')]) });
    expect(s.does((c, now) => c.rekeyChild(now)).children).toEqual([]);
  });

  it.each<[string, Edit, RegExp]>([
    ['without a nonce', create((ps) => ps.filter((p) => p.kind !== 'NONCE')), /no nonce/],
    ['without the public value', create((ps) => ps.filter((p) => p.kind !== 'KE')), /no public value/],
    [
      'with a public value of another group',
      create((ps) => ps.map((p) => (p.kind === 'KE' ? { ...p, group: 14 } : p))),
      /public value of group 14/,
    ],
    [
      'with a public value of low order',
      create((ps) => ps.map((p) => (p.kind === 'KE' ? { ...p, data: new Uint8Array(32) } : p))),
      /nobody may accept/,
    ],
    [
      'without a group',
      create((ps) =>
        ps.map((p) =>
          p.kind === 'SA'
            ? { ...p, proposals: p.proposals.map((q) => ({ ...q, transforms: q.transforms.filter((t) => t.type !== 4) })) }
            : p,
        ),
      ),
      /no transform of type 4/,
    ],
    ['with two SA payloads', create((ps) => [...ps, ...ps.filter((p) => p.kind === 'SA')]), /two SA/],
  ])('installs nothing from an answer %s, and deletes it over there', (_, edit, why) => {
    const s = connected({ edit });
    const status = s.does((c, now) => c.createChild(now, { pfs: true }));
    expect(status.violations).toEqual([expect.stringMatching(why)]);
    expect(status.children).toHaveLength(1);
    expect(said(s, INFORMATIONAL)).toEqual(['D']);
  });

  it('installs no child whose SPI is in use', () => {
    const s = connected();
    const [first] = s.gateway.children;
    const same = (p: Payload): Payload =>
      p.kind === 'SA' ? { ...p, proposals: p.proposals.map((q) => ({ ...q, spi: first?.spiIn ?? q.spi })) } : p;
    s.gateway.script = { edit: create((ps) => ps.map(same)) };
    const status = s.does((c, now) => c.createChild(now));
    expect(status).toMatchObject({
      children: [{ state: 'installed' }],
      outcomes: [{ verb: 'create-child', ok: false, why: expect.stringMatching(/in use/) }, {}],
    });
  });

  it('tells when a rekeyed child carries less than before (§2.9.2)', () => {
    const s = connected();
    s.gateway.script = { narrow: [selector('10.0.0.0/8')] };
    expect(s.does((c, now) => c.rekeyChild(now)).violations).toEqual([expect.stringMatching(/rekeyed to less.*§2\.9\.2/)]);
  });
});

describe('CREATE_CHILD_SA for the IKE SA (RFC 7296 §1.3.2, §2.18)', () => {
  it('moves everything to the new SA and deletes the old one', () => {
    const s = connected();
    const before = s.status.SPIi;
    expect(s.does((c, now) => c.rekeyIke(now))).toMatchObject({ outcomes: [{ verb: 'rekey-ike', ok: true }], violations: [] });
    expect(s.status.ikeSas).toMatchObject([{ standing: 'live', initiator: true, SPIi: s.gateway.sa.SPIi }]);
    expect(s.status.SPIi).not.toBe(before);
    expect(hex(s.status.keys?.SK_d ?? new Uint8Array(0))).toBe(hex(s.gateway.sa.keys.SK_d));
    expect(s.status.children).toMatchObject([{ state: 'installed' }]);
    s.does((c, now) => c.rekeyChild(now));
    expect(s.gateway.last(CREATE_CHILD_SA).header).toMatchObject({ messageId: 0, SPIi: s.status.SPIi });
    expectChild(s, 1);
  });

  it('keeps the old one when the gateway does not want it', () => {
    const s = connected({ edit: create(() => [notify('TEMPORARY_FAILURE')]) });
    const { SPIi } = s.status;
    expect(s.does((c, now) => c.rekeyIke(now))).toMatchObject({ SPIi, outcomes: [{ ok: false, why: 'TEMPORARY_FAILURE' }] });
    expect(s.does((c, now) => c.liveness(now)).outcomes.at(-1)).toMatchObject({ verb: 'liveness', ok: true });
  });

  it('is not moved to an SA without SPI', () => {
    const zero = create((ps) =>
      ps.map((p) => (p.kind === 'SA' ? { ...p, proposals: p.proposals.map((q) => ({ ...q, spi: new Uint8Array(8) })) } : p)),
    );
    const s = connected({ edit: zero });
    const { SPIi } = s.status;
    expect(s.does((c, now) => c.rekeyIke(now))).toMatchObject({ SPIi, violations: ['rekey-ike: the responder chose no SPI'] });
  });

  it('follows INVALID_KE_PAYLOAD', () => {
    const s = connected();
    s.gateway.script = { wants: 19 };
    expect(s.does((c, now) => c.rekeyIke(now))).toMatchObject({ suite: { group: 19 }, violations: [] });
  });
});

describe('Deleting (RFC 7296 §1.4.1)', () => {
  it('a child takes its other half along', () => {
    const s = connected();
    expect(s.does((c, now) => c.deleteChild(now))).toMatchObject({ at: 'established', children: [], violations: [] });
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([D(s.gateway.children[0]?.spiOut ?? new Uint8Array(0))]);
    expect(s.does((c, now) => c.deleteChild(now)).outcomes.at(-1)).toMatchObject({ ok: false, why: 'no such child' });
  });

  it('a gateway that keeps its half is told of', () => {
    const s = connected({ edit: (ps, { exchange }) => (exchange === INFORMATIONAL ? [] : ps) });
    expect(s.does((c, now) => c.deleteChild(now))).toMatchObject({
      children: [],
      violations: ['the answer to a Delete does not delete the other half (§1.4.1)'],
    });
  });

  it('a gateway that deletes what nobody asked for is told of', () => {
    const s = connected();
    s.gateway.script = { edit: (ps) => [...ps, D(Uint8Array.of(9, 9, 9, 9))] };
    expect(s.does((c, now) => c.deleteChild(now)).violations).toEqual([
      'Delete of a child that was not asked for in the answer to a Delete',
    ]);
  });

  it('the IKE SA ends everything', () => {
    const s = connected();
    expect(s.does((c, now) => c.deleteIke(now))).toMatchObject({ at: 'closed', why: 'deleted by us', children: [], busy: false });
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([D_IKE]);
    expect(s.does((c, now) => c.liveness(now)).outcomes.at(-1)).toMatchObject({ ok: false, why: 'the client has closed' });
  });

  it('before there is anything just ends', () => {
    const s = scene({ deaf: 9 });
    s.client.start(0);
    s.client.deleteIke(0);
    expect(s.status).toMatchObject({ at: 'closed', why: 'given up' });
    expect(s.client.deadline()).toBeUndefined();
  });
});

describe('One request at a time (RFC 7296 §2.3)', () => {
  it('what is asked meanwhile waits in order; a replaced child is deleted first', () => {
    const s = connected();
    s.client.liveness(s.clock.now);
    s.client.rekeyChild(s.clock.now);
    s.client.rekeyIke(s.clock.now);
    s.client.liveness(s.clock.now);
    s.rest();
    expect(s.status.outcomes.map((o) => o.verb)).toEqual(['liveness', 'rekey-child', 'delete-child', 'rekey-ike', 'liveness']);
    expect(s.status).toMatchObject({ violations: [], busy: false });
  });

  it('before it is established too', () => {
    const s = scene();
    s.client.start(0);
    s.client.liveness(0);
    s.rest();
    expect(s.status.outcomes).toEqual([{ verb: 'liveness', ok: true, why: '' }]);
  });

  it('not without end', () => {
    const s = connected();
    s.net.filter = () => false;
    for (let n = 0; n < 65; n++) s.client.liveness(s.clock.now);
    expect(() => s.client.liveness(s.clock.now)).toThrow(/too many/);
  });
});

describe('Answers', () => {
  it('with INVALID_SYNTAX end the IKE SA on both ends (§2.21.3)', () => {
    const s = connected({ edit: create(() => [notify('INVALID_SYNTAX')]) });
    expect(s.does((c, now) => c.rekeyChild(now))).toMatchObject({ at: 'closed', why: 'the gateway says INVALID_SYNTAX' });
  });

  it('to liveness must be empty', () => {
    const s = connected({ edit: (ps, { exchange }) => (exchange === INFORMATIONAL ? [notify('MOBIKE_SUPPORTED')] : ps) });
    expect(s.does((c, now) => c.liveness(now)).violations).toEqual(['an answer to liveness that is not empty']);
  });

  it('of another exchange are no answers', () => {
    const s = connected({}, { retransmit: { first: 100, factor: 1, most: 0 } });
    s.gateway.script = { header: { exchange: CREATE_CHILD_SA } };
    expect(s.does((c, now) => c.liveness(now))).toMatchObject({ at: 'closed', drops: ['exchange 36 in an answer'] });
  });

  it('with payloads in the clear are told of', () => {
    const s = connected();
    s.gateway.script = { clear: [{ kind: 'V', data: new Uint8Array(4) }] };
    expect(s.does((c, now) => c.liveness(now))).toMatchObject({
      violations: ['payloads in the clear in front of SK'],
      outcomes: [{ ok: true }],
    });
    s.hears((g) => g.request([]));
    expect(s.status.violations).toHaveLength(2);
  });

  it('malformed close the IKE SA (§2.21)', () => {
    const broken: Payload = { kind: 'UNKNOWN', type: 33, critical: false, data: new Uint8Array(2) };
    const s = connected({ edit: create(() => [broken]) });
    expect(s.does((c, now) => c.rekeyChild(now))).toMatchObject({
      at: 'closed',
      why: expect.stringMatching(/malformed answer to CREATE_CHILD_SA/),
    });
  });

  it('under an IV that was used before give the key away', () => {
    const s = connected();
    s.gateway.sa.ivs -= 1;
    expect(s.does((c, now) => c.liveness(now)).violations).toEqual(['one IV for two messages']);
  });

  it('that differ from what was answered before are told of (§2.1)', () => {
    const s = connected();
    s.does((c, now) => c.liveness(now));
    const { header } = s.gateway.last(INFORMATIONAL);
    s.gateway.answer(s.gateway.sa, header, [notify('MOBIKE_SUPPORTED')]);
    s.rest();
    expect(s.status.violations).toEqual(['another answer to the same request (§2.1)']);
  });
});
