import { describe, expect, it } from 'vitest';
import { describePayloads, type Exchange, hex, NO_SPI, notify, type Payload, VENDOR } from '../../../src/wire/index.ts';
import { CLIENT, type Edit, GATEWAY } from './fakeGateway.ts';
import { scene } from './scene.ts';

const IKE_SA_INIT: (typeof Exchange)['IKE_SA_INIT'] = 34;

/** Edits the answer to IKE_SA_INIT alone. */
const init =
  (change: (payloads: readonly Payload[]) => readonly Payload[]): Edit =>
  (payloads, { exchange }) =>
    exchange === IKE_SA_INIT ? change(payloads) : payloads;
const mapped = (change: (payload: Payload) => Payload) => init((payloads) => payloads.map(change));

describe('IKE_SA_INIT (RFC 7296 §1.2)', () => {
  it('says what a strongSwan says, in this order', () => {
    const s = scene();
    s.connect();
    const [first] = s.gateway.heard;
    expect(describePayloads(first?.payloads ?? [])).toBe(
      'SA KE NONCE N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) N(IKEV2_FRAGMENTATION_SUPPORTED) ' +
        'N(SIGNATURE_HASH_ALGORITHMS)',
    );
    expect(first?.header).toMatchObject({ SPIr: NO_SPI, initiator: true, response: false, messageId: 0 });
  });

  it('says what a FortiClient says, in this order', () => {
    const s = scene({}, { vendorIds: true, networkId: 0, fragmentation: false, signatureHashes: [] });
    s.connect();
    const payloads = s.gateway.heard[0]?.payloads ?? [];
    expect(describePayloads(payloads)).toBe(
      'SA KE NONCE V V V N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) N(VPN_NETWORK_ID)',
    );
    const vendors = payloads.flatMap((p) => (p.kind === 'V' ? [hex(p.data)] : []));
    expect(vendors).toEqual([VENDOR.connectLicense, VENDOR.endpointControl, VENDOR.eapExtension].map(hex));
  });

  it('says nothing before it is started, and starts once', () => {
    const s = scene();
    s.rest();
    expect(s.net.passages).toEqual([]);
    s.connect();
    expect(() => s.client.start(0)).toThrow(/already/);
  });
});

describe('Retransmission (RFC 7296 §2.4)', () => {
  const retransmit = { first: 500, factor: 2, most: 3 };

  it('says the same octets again with growing patience, then gives up', () => {
    const s = scene({ deaf: 99 }, { retransmit });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'no answer to IKE_SA_INIT' });
    expect(s.net.passages.map((p) => p.at)).toEqual([0, 500, 1500, 3500]);
    expect(new Set(s.net.passages.map((p) => hex(p.octets))).size).toBe(1);
    expect(s.clock.now).toBe(7500);
  });

  it('needs the answer only once', () => {
    const s = scene({ deaf: 3 }, { retransmit });
    expect(s.connect().at).toBe('established');
    expect(s.status.counters.repeated).toBe(3);
  });

  it('of a protected request ends the SA too', () => {
    const s = scene({}, { retransmit });
    s.connect();
    s.net.filter = () => false;
    expect(s.does((c, now) => c.liveness(now))).toMatchObject({
      at: 'closed',
      why: 'no answer to a liveness check',
      children: [],
    });
  });
});

describe('Cookies (RFC 7296 §2.6)', () => {
  it('go in front of the same request', () => {
    const s = scene({ cookies: 1 });
    expect(s.connect().at).toBe('established');
    const [first, second] = s.gateway.heard;
    expect(second?.payloads[0]).toMatchObject({ name: 'COOKIE', data: Uint8Array.of(0xc0, 1) });
    expect(second?.payloads.slice(1)).toEqual(first?.payloads);
    expect(second?.header.SPIi).toBe(first?.header.SPIi);
  });

  it('may be demanded again, but not for ever', () => {
    expect(scene({ cookies: 4 }).connect().at).toBe('established');
    expect(scene({ cookies: 5 }).connect()).toMatchObject({ at: 'failed', why: 'the gateway wanted a cookie 5 times' });
  });

  it('that come late once more are not answered once more', () => {
    const s = scene({ cookies: 1 });
    s.client.start(0);
    s.net.run({ until: () => s.net.passages.length === 3 });
    const cookie = s.net.passages[1];
    if (cookie !== undefined) s.net.inject(cookie);
    s.rest();
    expect(s.status).toMatchObject({ at: 'established', drops: ['the same cookie once more'] });
    expect(s.gateway.heard.filter((h) => h.header.exchange === IKE_SA_INIT)).toHaveLength(2);
  });

  it('that are the same again are no new demand', () => {
    const s = scene(
      { edit: init(() => [notify('COOKIE', Uint8Array.of(1))]) },
      { retransmit: { first: 100, factor: 1, most: 2 } },
    );
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'no answer to IKE_SA_INIT' });
    expect(s.status.drops).toEqual(Array.from({ length: 3 }, () => 'the same cookie once more'));
  });

  it('stay when the group changes (§2.6.1)', () => {
    const s = scene({ cookies: 1, wants: 19 }, { groups: [31, 19] });
    expect(s.connect()).toMatchObject({ at: 'established', suite: { group: 19 } });
    const requests = s.gateway.heard.filter((h) => h.header.exchange === IKE_SA_INIT);
    expect(requests.map((h) => describePayloads(h.payloads).split(' ').slice(0, 2).join(' '))).toEqual([
      'SA KE',
      'N(COOKIE) SA',
      'N(COOKIE) SA',
    ]);
  });
});

describe('INVALID_KE_PAYLOAD (RFC 7296 §1.2)', () => {
  it('leads to a new public value under the same SPI, with all proposals again (§2.7)', () => {
    const s = scene({ wants: 20 }, { groups: [31, 19, 20] });
    expect(s.connect().at).toBe('established');
    const [first, second] = s.gateway.heard;
    expect(second?.payloads.find((p) => p.kind === 'KE')).toMatchObject({ group: 20 });
    expect(second?.payloads.find((p) => p.kind === 'SA')).toEqual(first?.payloads.find((p) => p.kind === 'SA'));
    expect(second?.header.SPIi).toBe(first?.header.SPIi);
  });

  it('for a group that was not offered ends it', () => {
    expect(scene({ wants: 14 }).connect()).toMatchObject({
      at: 'failed',
      why: 'the gateway wants group 14, which was not offered',
    });
  });

  it('to and fro is not followed for ever', () => {
    const s = scene({}, { groups: [31, 19] });
    s.gateway.script = { edit: init(() => [notify('INVALID_KE_PAYLOAD', s.gateway.heard.length % 2 === 1 ? 19 : 31)]) };
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'the gateway wants group 31 again' });
  });

  it('for the group that was sent is not believed', () => {
    const s = scene({ edit: init(() => [notify('INVALID_KE_PAYLOAD', 31)]) }, { retransmit: { first: 100, factor: 1, most: 1 } });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'no answer to IKE_SA_INIT' });
  });
});

describe('An unprotected error (RFC 7296 §2.21.1)', () => {
  const edit = init(() => [notify('NO_PROPOSAL_CHOSEN')]);

  it('ends it, as with real clients', () => {
    expect(scene({ edit }).connect()).toMatchObject({ at: 'failed', why: 'the gateway says NO_PROPOSAL_CHOSEN' });
  });

  it('is only remembered by a patient client, which anything better overrules', () => {
    let honest = false;
    const change = init((payloads) => (honest ? payloads : [notify('NO_PROPOSAL_CHOSEN')]));
    const patient = { patient: true, retransmit: { first: 100, factor: 1, most: 4 } };
    expect(scene({ edit: change }, patient).connect()).toMatchObject({ at: 'failed', why: 'NO_PROPOSAL_CHOSEN' });
    const s = scene({ edit: change }, patient);
    s.client.start(0);
    s.rest(150);
    expect(s.status.at).toBe('init');
    honest = true;
    s.rest();
    expect(s.status.at).toBe('established');
  });
});

describe('What an answer to IKE_SA_INIT must not be', () => {
  const first = <K extends Payload['kind']>(kind: K, change: (p: Extract<Payload, { kind: K }>) => Payload) =>
    mapped((p) => (p.kind === kind ? change(p as Extract<Payload, { kind: K }>) : p)); // narrowed by kind

  it.each<[name: string, edit: Edit, why: RegExp]>([
    ['without a nonce', init((ps) => ps.filter((p) => p.kind !== 'NONCE')), /missing/],
    [
      'with a proposal number that was not offered',
      first('SA', (p) => ({ ...p, proposals: p.proposals.map((q) => ({ ...q, number: 7 })) })),
      /proposal 7/,
    ],
    ['with two proposals', first('SA', (p) => ({ ...p, proposals: [...p.proposals, ...p.proposals] })), /2 proposals/],
    [
      'with a transform that was not offered',
      first('SA', (p) => ({
        ...p,
        proposals: p.proposals.map((q) => ({
          ...q,
          transforms: q.transforms.map((t) => (t.type === 1 ? { ...t, keyLength: 128 } : t)),
        })),
      })),
      /transform type 1 ID 20 with 128 bits was not offered/,
    ],
    [
      'with two transforms of one type',
      first('SA', (p) => ({
        ...p,
        proposals: p.proposals.map((q) => ({ ...q, transforms: [...q.transforms, ...q.transforms.slice(0, 1)] })),
      })),
      /two transforms of type 1/,
    ],
    [
      'without a PRF',
      first('SA', (p) => ({
        ...p,
        proposals: p.proposals.map((q) => ({ ...q, transforms: q.transforms.filter((t) => t.type !== 2) })),
      })),
      /no transform of type 2/,
    ],
    [
      'with a public value of another group',
      first('KE', (p) => ({ ...p, group: 19 })),
      /group 31 chosen, public value of group 19/,
    ],
    ['with a public value of low order', first('KE', (p) => ({ ...p, data: new Uint8Array(32) })), /nobody may accept/],
    ['with a short public value', first('KE', (p) => ({ ...p, data: p.data.subarray(1) })), /nobody may accept/],
  ])('%s', (_, edit, why) => {
    const status = scene({ edit }).connect();
    expect(status.at).toBe('failed');
    expect(status.why).toMatch(why);
  });

  it('from a responder without SPI', () => {
    expect(scene({ header: { SPIr: NO_SPI } }).connect().why).toMatch(/chose no SPI/);
  });

  it('of another major version: dropped', () => {
    const s = scene({ deaf: 0 }, { retransmit: { first: 100, factor: 1, most: 0 } });
    s.client.start(0);
    s.net.run({ until: () => s.net.passages.length === 2 });
    const answer = s.net.passages[1];
    const octets = answer?.octets.slice() ?? new Uint8Array(0);
    octets[17] = 0x30;
    s.client.datagram(octets, s.clock.now);
    expect(s.status).toMatchObject({ at: 'init', drops: ['version 3'] });
  });

  it('with a nonce shorter than half the key of the PRF (§2.10)', () => {
    const edit = first('NONCE', (p) => ({ ...p, data: p.data.subarray(0, 16) }));
    const status = scene({ edit }, { ikeProposals: ['aes256gcm-prfsha384'] }).connect();
    expect(status).toMatchObject({ at: 'failed', why: expect.stringMatching(/nonce of 16 octets/) });
  });

  it.each([
    ['two nonces', init((ps) => ps.flatMap((p): Payload[] => (p.kind === 'NONCE' ? [p, p] : [p])))],
    [
      'a critical payload of an unknown type',
      init((ps) => [...ps, { kind: 'UNKNOWN', type: 99, critical: true, data: new Uint8Array(1) }]),
    ],
  ] as const)('with %s: dropped, anybody could have sent it', (_, edit) => {
    const s = scene({ edit }, { retransmit: { first: 100, factor: 1, most: 1 } });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'no answer to IKE_SA_INIT', counters: { dropped: 2 } });
  });

  it.each([
    ['another initiator SPI', { SPIi: '1111111111111111' }],
    ['the flag of an initiator', { initiator: true }],
    ['no flag of a response', { response: false }],
    ['another message ID', { messageId: 1 }],
  ] as const)('with %s: dropped', (_, header) => {
    // A brand made of text: the SPI is well-formed.
    const s = scene({ header: header as object }, { retransmit: { first: 100, factor: 1, most: 0 } });
    expect(s.connect()).toMatchObject({ at: 'failed', counters: { dropped: 1 } });
  });

  it.each([Uint8Array.of(), new Uint8Array(27), new Uint8Array(28), new Uint8Array(2000).fill(0xff)])(
    'junk: dropped (%#)',
    (octets) => {
      const s = scene({ deaf: 1 });
      s.client.start(0);
      s.net.inject({ from: { address: GATEWAY, port: 500 }, to: { address: CLIENT, port: 500 }, octets });
      s.rest();
      expect(s.status).toMatchObject({ at: 'established', counters: { dropped: 1 } });
    },
  );

  it('a payload of an unknown type that is not critical: ignored (§2.5)', () => {
    const edit = init((ps) => [{ kind: 'UNKNOWN', type: 99, critical: false, data: new Uint8Array(3) }, ...ps]);
    expect(scene({ edit }).connect().at).toBe('established');
  });

  it('other than the one before: it is told', () => {
    const s = scene({}, {}, { duplicate: 0 });
    s.connect();
    const answer = s.net.passages.find((p) => p.from.address === GATEWAY);
    const octets = answer?.octets.slice() ?? new Uint8Array(0);
    octets[octets.length - 1] = (octets.at(-1) ?? 0) ^ 1;
    s.net.inject({ from: { address: GATEWAY, port: 500 }, to: { address: CLIENT, port: 500 }, octets });
    s.rest();
    expect(s.status.violations).toEqual(['another answer to the same IKE_SA_INIT (§2.1)']);
  });
});

describe('Extensions', () => {
  it('that were not offered must not come back', () => {
    const extras = [
      notify('NAT_DETECTION_SOURCE_IP', new Uint8Array(20)),
      notify('NAT_DETECTION_DESTINATION_IP', new Uint8Array(20)),
    ];
    const s = scene({ fragmentation: true, initExtras: extras }, { fragmentation: false, natt: 'off' });
    expect(s.connect().violations).toEqual([
      'IKEV2_FRAGMENTATION_SUPPORTED, which was not offered',
      'NAT detection, which was not offered',
    ]);
    expect(s.status).toMatchObject({ fragmentation: false, nat: undefined, path: { natt: false } });
  });
});
