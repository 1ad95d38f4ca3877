import { describe, expect, it } from 'vitest';
import { type Certificate, chooseSignature, loadPrivateKey, type SignatureChoice } from '../../../crypto/index.ts';
import {
  fortiClientAttributes,
  fortiClientConnect,
  identity,
  type LabOptions,
  selector,
  selectorText,
} from '../../../src/lab/index.ts';
import { describePayloads, hex, notify, type Payload } from '../../../src/wire/index.ts';
import { family, type Pair } from '../../support/pki.ts';
import { FakeAuth, type FakeAuthScript, FQDN } from './fakeAuth.ts';
import { CLIENT, type Edit, type Script } from './fakeGateway.ts';
import { type Scene, scene } from './scene.ts';

const IKE_AUTH = 35;
const INFORMATIONAL = 37;

const auth =
  (change: (payloads: readonly Payload[]) => readonly Payload[]): Edit =>
  (payloads, { exchange }) =>
    exchange === IKE_AUTH ? change(payloads) : payloads;
const without = (...kinds: Payload['kind'][]) => auth((ps) => ps.filter((p) => !kinds.includes(p.kind)));
const mapped = (change: (payload: Payload) => Payload) => auth((ps) => ps.map(change));

/** The first IKE_AUTH request. */
const asked = (s: Scene) => s.gateway.heard.find((h) => h.header.exchange === IKE_AUTH)?.payloads ?? [];

/** Both ends must have the same child: SPIs crossed, and one KEYMAT. */
function expectSameChild(s: Scene): void {
  const ours = s.status.children.at(-1);
  const theirs = s.gateway.children.at(-1);
  const { in: into, out } = ours?.keys ?? { in: undefined, out: undefined };
  expect(hex(out?.encr ?? new Uint8Array(0)) + hex(into?.encr ?? new Uint8Array(0))).toBe(
    hex(theirs?.keymat ?? new Uint8Array(0)),
  );
  expect(ours?.spiIn.toString(16).padStart(8, '0')).toBe(hex(theirs?.spiOut ?? new Uint8Array(0)));
  expect(ours?.spiOut.toString(16).padStart(8, '0')).toBe(hex(theirs?.spiIn ?? new Uint8Array(0)));
}

describe('IKE_AUTH with pre-shared keys (RFC 7296 §1.2, §2.15)', () => {
  it('makes an IKE SA and a child that both ends agree on', () => {
    const s = scene();
    expect(s.connect()).toMatchObject({ at: 'established', gatewayId: FQDN, gatewayProof: 'pre-shared key', violations: [] });
    expect(s.gateway.auth.clientProven).toBe(true);
    expect(hex(s.status.keys?.SK_d ?? new Uint8Array(0))).toBe(hex(s.gateway.sa.keys.SK_d));
    expectSameChild(s);
  });

  it('says what it wants in the order of the RFC', () => {
    const s = scene({}, { requestAddresses: [4, 6], gatewayId: identity('vpn.lab.test'), transport: true });
    s.connect();
    expect(describePayloads(asked(s))).toBe('IDi N(INITIAL_CONTACT) IDr AUTH CP N(USE_TRANSPORT_MODE) SA TSi TSr');
  });

  it('believes no gateway with another secret, and says so once', () => {
    const s = scene({ psk: 'another' });
    expect(s.connect()).toMatchObject({ at: 'failed', why: expect.stringMatching(/AUTH of the gateway is wrong/), ikeSas: [] });
    const farewell = s.gateway.last(INFORMATIONAL);
    expect(describePayloads(farewell.payloads)).toBe('N(AUTHENTICATION_FAILED)');
    expect(s.client.deadline()).toBeUndefined();
  });

  it('gives up saying so in the end', () => {
    const s = scene({ psk: 'another' }, { retransmit: { first: 100, factor: 1, most: 2 } });
    s.client.start(0);
    s.net.run({ until: () => s.client.at === 'auth' });
    s.net.filter = (d) => d.from.address === CLIENT || d.octets[18] === IKE_AUTH;
    s.rest();
    expect(s.status).toMatchObject({ at: 'failed', ikeSas: [], counters: { repeated: 2 } });
  });

  it('ends with what the gateway says of our secret', () => {
    const s = scene({ edit: auth(() => [notify('AUTHENTICATION_FAILED')]) });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'the gateway says AUTHENTICATION_FAILED' });
  });

  it('wants the identity that it was told to want', () => {
    expect(scene({}, { gatewayId: identity('vpn.lab.test') }).connect().at).toBe('established');
    const status = scene({}, { gatewayId: identity('other.lab.test') }).connect();
    expect(status).toMatchObject({ at: 'failed', why: "the gateway is 'vpn.lab.test', another one than expected" });
  });

  it.each<[string, Edit, RegExp]>([
    ['without AUTH', without('AUTH'), /without IDr or AUTH/],
    ['without IDr', without('IDr'), /without IDr or AUTH/],
    ['with another method', mapped((p) => (p.kind === 'AUTH' ? { ...p, method: 1 } : p)), /AUTH method 1 instead of/],
    [
      'with another IDr than it signed',
      mapped((p) => (p.kind === 'IDr' ? { ...p, data: Uint8Array.of(0x41) } : p)),
      /AUTH of the gateway is wrong/,
    ],
    ['with two AUTH', auth((ps) => ps.flatMap((p): Payload[] => (p.kind === 'AUTH' ? [p, p] : [p]))), /two AUTH/],
    [
      'with a critical stranger',
      auth((ps) => [...ps, { kind: 'UNKNOWN', type: 99, critical: true, data: new Uint8Array(0) }]),
      /critical/,
    ],
  ])('fails on an answer %s', (_, edit, why) => {
    const status = scene({ edit }).connect();
    expect(status.at).toBe('failed');
    expect(status.why).toMatch(why);
  });

  it('answers no request before the gateway has proven itself', () => {
    const s = scene({ edit: auth((ps) => ps) });
    s.client.start(0);
    s.net.run({ until: () => s.client.at === 'auth' });
    s.net.filter = (d) => d.from.address === CLIENT || d.octets[18] !== IKE_AUTH;
    s.rest(50);
    s.gateway.request([]);
    s.rest(50);
    expect(s.status.drops).toEqual(['a request before the gateway has proven itself']);
  });
});

describe('IKE_AUTH: what is not part of the authentication (§2.21.2)', () => {
  const noChild = (name: 'TS_UNACCEPTABLE' | 'NO_PROPOSAL_CHOSEN' | 'INTERNAL_ADDRESS_FAILURE' | 'FAILED_CP_REQUIRED') =>
    auth((ps) => [...ps.filter((p) => !['SA', 'TSi', 'TSr', 'CP'].includes(p.kind)), notify(name)]);

  it.each(['TS_UNACCEPTABLE', 'NO_PROPOSAL_CHOSEN', 'INTERNAL_ADDRESS_FAILURE', 'FAILED_CP_REQUIRED'] as const)(
    '%s leaves the IKE SA, without a child',
    (name) => {
      const status = scene({ edit: noChild(name) }, { requestAddresses: [4] }).connect();
      expect(status).toMatchObject({ at: 'established', children: [], violations: [] });
      expect(status.notifyNames).toContain(name);
    },
  );

  it('an error that nobody knows ends all (§3.10.1)', () => {
    const unknown: Payload = {
      kind: 'N',
      name: 'UNKNOWN',
      type: 9000,
      protocol: 0,
      spi: new Uint8Array(0),
      data: new Uint8Array(0),
    };
    expect(scene({ edit: auth((ps) => [...ps, unknown]) }).connect()).toMatchObject({
      at: 'failed',
      why: 'the gateway says 9000',
    });
  });

  it('neither child nor reason is told', () => {
    expect(scene({ edit: without('SA', 'TSi', 'TSr') }).connect().violations).toEqual(['first child: SA, TSi or TSr is missing']);
  });

  const any4 = [selector('0.0.0.0/0')];
  it.each<[string, Edit, Partial<LabOptions>, RegExp]>([
    [
      'selectors outside the offer',
      mapped((p) => (p.kind === 'TSi' ? { ...p, selectors: any4 } : p)),
      { TSi: [selector('10.0.0.0/8')] },
      /outside/,
    ],
    [
      'selectors of the gateway outside the offer',
      mapped((p) => (p.kind === 'TSr' ? { ...p, selectors: any4 } : p)),
      { TSr: [selector('10.0.0.0/8')] },
      /outside/,
    ],
    [
      'a reserved SPI',
      mapped((p) =>
        p.kind === 'SA' ? { ...p, proposals: p.proposals.map((q) => ({ ...q, spi: Uint8Array.of(0, 0, 0, 9) })) } : p,
      ),
      {},
      /SPI 9 is reserved/,
    ],
    ['transport mode that nobody asked for', auth((ps) => [...ps, notify('USE_TRANSPORT_MODE')]), {}, /USE_TRANSPORT_MODE/],
    [
      'ESN that was not offered',
      mapped((p) =>
        p.kind === 'SA'
          ? {
              ...p,
              proposals: p.proposals.map((q) => ({
                ...q,
                transforms: q.transforms.map((t) => (t.type === 5 ? { ...t, id: 1 } : t)),
              })),
            }
          : p,
      ),
      {},
      /type 5 ID 1 was not offered/,
    ],
  ])('a child with %s is not installed, and deleted on the other end', (_, edit, more, why) => {
    const s = scene({ edit }, more);
    const status = s.connect();
    expect(status).toMatchObject({ at: 'established', children: [], violations: [expect.stringMatching(why)] });
    expect(s.gateway.last(INFORMATIONAL).payloads).toMatchObject([
      { kind: 'D', protocol: 3, spis: [s.gateway.children[0]?.spiOut] },
    ]);
  });

  it('narrowed selectors are taken, across two that touch', () => {
    const narrow = [selector('10.0.0.0/8')];
    const TSi = [selector('10.0.0.0/9'), selector('10.128.0.0/9')];
    const [child] = scene({ narrow }, { TSi }).connect().children;
    expect(child?.TSi.map(selectorText)).toEqual(['10.0.0.0-10.255.255.255']);
  });

  it('childless: without SA and selectors, if the gateway can (RFC 6023)', () => {
    const able = scene({ initExtras: [notify('CHILDLESS_IKEV2_SUPPORTED')] }, { childless: true });
    expect(able.connect()).toMatchObject({ at: 'established', children: [], violations: [] });
    expect(describePayloads(asked(able))).toBe('IDi N(INITIAL_CONTACT) AUTH');
    expect(scene({}, { childless: true }).connect().children).toHaveLength(1);
  });
});

describe('The configuration payload (§2.19, §3.15)', () => {
  const reply = (...attributes: [number, string][]): Payload => ({
    kind: 'CP',
    cfgType: 2,
    attributes: attributes.map(([type, text]) => ({ type, value: new Uint8Array(Buffer.from(text, 'hex')) })),
  });
  const answering = (cp: Payload): Script => ({ auth: new FakeAuth({ psk: 'sesame', extras: [cp] }) });

  it('gives addresses of both families', () => {
    const status = scene(answering(reply([1, '0a0a0101'], [8, `fd10${'00'.repeat(13)}0540`], [3, '0a320035'])), {
      requestAddresses: [4, 6],
    }).connect();
    expect(status).toMatchObject({ assigned: ['10.10.1.1', 'fd10::5'], violations: [] });
    expect(status.cfg.map((a) => a.type)).toEqual([1, 8, 3]);
  });

  it('asks for what FortiClient asks for, attribute 25 twice', () => {
    const s = scene({}, { cpAttributes: fortiClientAttributes() });
    s.connect();
    const CP = asked(s).find((p) => p.kind === 'CP');
    expect(CP?.kind === 'CP' && CP.attributes.map((a) => a.type)).toEqual([
      7, 1, 2, 3, 4, 13, 25, 8, 15, 10, 11, 28673, 21514, 21515, 28672, 28678, 25,
    ]);
  });

  it.each<[string, Script, Partial<LabOptions>, string]>([
    ['nobody asked', answering(reply([1, '0a0a0101'])), {}, 'CP for a client that has not asked (§2.19)'],
    [
      'it is no reply',
      answering({ kind: 'CP', cfgType: 1, attributes: [] }),
      { requestAddresses: [4] },
      'CP of type 1 instead of a CFG_REPLY',
    ],
    [
      'an address has five octets',
      answering(reply([1, '0a0a010101'])),
      { requestAddresses: [4] },
      'configuration attribute 1 of 5 octets (§3.15.1)',
    ],
    ['there is none', {}, { requestAddresses: [4] }, 'a child without the address that was asked for'],
    [
      'it stands behind SA',
      {
        ...answering(reply([1, '0a0a0101'])),
        edit: auth((ps) => [...ps.filter((p) => p.kind !== 'CP'), ...ps.filter((p) => p.kind === 'CP')]),
      },
      { requestAddresses: [4] },
      'CP behind SA (§2.19)',
    ],
  ])('is found wrong when %s', (_, script, more, why) => {
    expect(scene(script, more).connect()).toMatchObject({ at: 'established', violations: [why] });
  });
});

describe('FORTICLIENT_CONNECT', () => {
  it('goes behind INITIAL_CONTACT, text with one NUL, octets as they are', () => {
    const claims = fortiClientConnect({ uid: 'A'.repeat(32), ip: CLIENT, user: 'alice', tags: true });
    const s = scene({}, { claims });
    s.connect();
    expect(describePayloads(asked(s))).toMatch(/^IDi N\(INITIAL_CONTACT\) N\(FORTICLIENT_CONNECT\) AUTH/);
    const sent = asked(s).find((p) => p.kind === 'N' && p.name === 'FORTICLIENT_CONNECT');
    expect(sent?.kind === 'N' && sent.name === 'FORTICLIENT_CONNECT' && Buffer.from(sent.data).toString()).toBe(`${claims}\0`);
    expect(claims).toMatch(
      /^VER=1\nFCTVER=7\.4\.5\.1949\nUID=A{32}\nIP=.*\nMAC=.*\nHOST=.*\nUSER=alice\nOSVER=.*\nREG_STATUS=0\nFCTTAGS=1\n$/,
    );
  });
});

describe('IKE_AUTH with certificates (§2.15, RFC 7427)', () => {
  const [rsa, p256] = [family('rsa2048'), family('p256')];
  const chosen = (pair: Pair, offered: readonly number[] | 'none'): SignatureChoice => {
    const choice = chooseSignature(loadPrivateKey(pair.key), offered === 'none' ? undefined : offered, {
      hashes: [2, 3, 4],
      rsaFormat: 'pkcs1',
    });
    if ('why' in choice) throw new Error(choice.why);
    return choice;
  };
  const proving = (
    leaf: Pair,
    chain: readonly Pair[],
    offered: readonly number[] | 'none' = [2, 3, 4],
    more: Partial<FakeAuthScript> = {},
  ) => ({
    auth: new FakeAuth({ psk: 'sesame', certificate: { chain: [leaf, ...chain], choice: chosen(leaf, offered) }, ...more }),
  });
  const taking = (...accepts: readonly Certificate[]): Partial<LabOptions> => ({ gateway: { kind: 'certificate', accepts } });

  it('takes a gateway with a certificate that it knows, RSA and ECDSA', () => {
    const status = scene(proving(rsa.server, [rsa.intermediate]), taking(rsa.server.cert)).connect();
    expect(status).toMatchObject({ at: 'established', gatewayProof: 'RSA with SHA-256', violations: [] });
    expect(status.certificates.map((c) => c.cn)).toEqual(['vpn.lab.test', 'Intermediate rsa2048']);
    expect(scene(proving(p256.server, []), taking(p256.server.cert)).connect().gatewayProof).toMatch(/ECDSA.*SHA-256/);
  });

  it('asks a judge when it has one, and names the authorities it wants', () => {
    const seen: string[] = [];
    const accepts = (leaf: Certificate, intermediates: readonly Certificate[]) => {
      seen.push(leaf.subject, ...intermediates.map((i) => i.subject));
      return seen.length > 2 ? 'I have seen this before' : undefined;
    };
    const gateway = { kind: 'certificate', accepts, authorities: [rsa.root.cert] } as const;
    const s = scene(proving(rsa.server, [rsa.intermediate]), { gateway });
    expect(s.connect().at).toBe('established');
    expect(seen).toEqual([rsa.server.cert.subject, rsa.intermediate.cert.subject]);
    expect(asked(s).find((p) => p.kind === 'CERTREQ')).toMatchObject({ encoding: 4, data: rsa.root.cert.keyHash });
    expect(scene(proving(rsa.server, []), { gateway }).connect().why).toBe(
      'the certificate of the gateway: I have seen this before',
    );
  });

  it('without a hash list takes the classic methods only', () => {
    const silent = { ...taking(rsa.server.cert), signatureHashes: [] };
    expect(scene(proving(rsa.server, [], 'none'), silent).connect()).toMatchObject({ gatewayProof: 'RSA with SHA-1' });
    expect(scene(proving(rsa.server, []), silent).connect().why).toMatch(/method 14, and we sent no SIGNATURE_HASH_ALGORITHMS/);
  });

  it.each<[string, Script, Partial<LabOptions>, RegExp]>([
    ['a certificate that it does not know', proving(rsa.server, []), taking(p256.server.cert), /none that we know/],
    ['no certificate', { ...proving(rsa.server, []), edit: without('CERT') }, taking(rsa.server.cert), /sent no certificate/],
    ['a certificate for another name', proving(rsa.client, []), taking(rsa.client.cert), /not for its IDr/],
    [
      'the right certificate and another key',
      {
        auth: new FakeAuth({
          psk: '',
          certificate: { chain: [{ ...rsa.server, key: rsa.client.key }], choice: chosen(rsa.client, [2]) },
        }),
      },
      taking(rsa.server.cert),
      /signature is wrong/,
    ],
    [
      'a hash that was not offered',
      proving(rsa.server, [], [2]),
      { ...taking(rsa.server.cert), signatureHashes: [4] },
      /which we did not offer/,
    ],
    ['a pre-shared key instead', {}, taking(rsa.server.cert), /no certificate/],
    [
      'octets that are no certificate',
      { ...proving(rsa.server, []), edit: mapped((p) => (p.kind === 'CERT' ? { ...p, data: p.data.subarray(9) } : p)) },
      taking(rsa.server.cert),
      /certificate of the gateway/,
    ],
  ])('refuses a gateway with %s', (_, script, more, why) => {
    const status = scene(script, more).connect();
    expect(status).toMatchObject({ at: 'failed', gatewayProof: undefined });
    expect(status.why).toMatch(why);
  });

  it.each([
    ['the hashes that the gateway wants', [notify('SIGNATURE_HASH_ALGORITHMS', [4])], 14, 'rsa2048'],
    ['the classic method', [], 1, 'rsa2048'],
    ['the classic method of its curve', [], 9, 'p256'],
  ] as const)('signs for itself with %s', (_, initExtras, method, kind) => {
    const { client, intermediate } = family(kind);
    const chain = [client.cert, intermediate.cert];
    const own = { kind: 'certificate', chain, key: loadPrivateKey(client.key), id: identity('client.lab.test') } as const;
    const s = scene({ initExtras }, { auth: own });
    expect(s.connect().at).toBe('established');
    expect(asked(s).find((p) => p.kind === 'AUTH')).toMatchObject({ method });
    expect(
      asked(s)
        .filter((p) => p.kind === 'CERT')
        .map((p) => hex(p.data)),
    ).toEqual(chain.map((c) => hex(c.der)));
  });

  it('says why it cannot sign', () => {
    const { client } = family('ed25519');
    const own = {
      kind: 'certificate',
      chain: [client.cert],
      key: loadPrivateKey(client.key),
      id: identity('client.lab.test'),
    } as const;
    expect(scene({}, { auth: own }).connect()).toMatchObject({ at: 'failed', why: expect.stringMatching(/Ed25519/) });
  });
});
