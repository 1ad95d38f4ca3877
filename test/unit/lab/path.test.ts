import { describe, expect, it } from 'vitest';
import { encodePayloads, hex, limits, notify, type Payload } from '../../../src/wire/index.ts';
import { CLIENT, type FakeGateway, GATEWAY } from './fakeGateway.ts';
import { type Scene, scene } from './scene.ts';

const long: Payload = { kind: 'V', data: new Uint8Array(900).fill(7) };
const sentBy = (s: Scene, address: string) => s.net.passages.filter((p) => p.from.address === address);
const nextPayload = (octets: Uint8Array) => octets[16];
const SKF = 53;

/** Sends payloads in fragments of so many octets; the order and the numbers are the test's. */
function inFragments(
  g: FakeGateway,
  payloads: readonly Payload[],
  size: number,
  change: (
    fragments: readonly { number: number; total: number; piece: Uint8Array }[],
  ) => readonly { number: number; total: number; piece: Uint8Array }[] = (f) => f,
): void {
  const { octets } = encodePayloads(payloads);
  const total = Math.ceil(octets.length / size);
  const fragments = Array.from({ length: total }, (_, i) => ({
    number: i + 1,
    total,
    piece: octets.slice(i * size, (i + 1) * size),
  }));
  const envelope = g.envelope(g.sa, 37, g.sa.nextId, false);
  for (const fragment of change(fragments)) g.send(g.sa, g.sealed(g.sa, envelope, payloads, fragment));
}

describe('IKE fragmentation (RFC 7383)', () => {
  const connected = (more = {}) => {
    const s = scene({ fragmentation: true }, more);
    expect(s.connect()).toMatchObject({ at: 'established', fragmentation: true });
    return s;
  };

  it('cuts what does not fit, and no datagram is larger than it may be', () => {
    const s = connected({ mtu: 400 });
    s.does((c, now) => c.informational(now, [long, long]));
    const fragments = sentBy(s, CLIENT).filter((p) => nextPayload(p.octets) === SKF);
    expect(fragments.length).toBeGreaterThan(5);
    expect(Math.max(...fragments.map((p) => p.octets.length + 28))).toBeLessThanOrEqual(400);
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([long, long]);
    expect(s.status.outcomes.at(-1)).toMatchObject({ ok: true });
  });

  it('leaves whole what fits, and everything that was not agreed on', () => {
    const s = connected();
    s.does((c, now) => c.informational(now, [long]));
    expect(sentBy(s, CLIENT).some((p) => nextPayload(p.octets) === SKF)).toBe(false);
    const alone = scene({}, { mtu: 400 });
    alone.connect();
    expect(alone.does((c, now) => c.informational(now, [long]))).toMatchObject({ fragmentation: false });
    expect(sentBy(alone, CLIENT).some((p) => nextPayload(p.octets) === SKF)).toBe(false);
  });

  it('refuses to make more fragments than anybody takes', () => {
    const s = connected({ mtu: 130 });
    expect(() =>
      s.client.informational(
        s.clock.now,
        Array.from({ length: 15 }, () => long),
      ),
    ).toThrow(/fragments/);
  });

  it.each<[string, Parameters<typeof inFragments>[3]]>([
    ['in order', (f) => f],
    ['backwards', (f) => [...f].reverse()],
    ['each twice', (f) => f.flatMap((one) => [one, one])],
  ])('puts together what comes %s, and answers once', (_, change) => {
    const s = connected();
    s.hears((g) => inFragments(g, [long], 200, change));
    expect(s.gateway.answers).toMatchObject([{ payloads: [], header: { messageId: 0 } }]);
    expect(s.status).toMatchObject({ at: 'established', violations: [] });
  });

  it('keeps each fragment once, and reads none twice', () => {
    const s = connected();
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(0, 2).flatMap((one) => [one, one])));
    expect(s.status.drops).toEqual(['fragment once more', 'fragment once more']);
  });

  it('waits for what is missing', () => {
    const s = connected();
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(1)));
    expect(s.gateway.answers).toEqual([]);
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(0, 1)));
    expect(s.gateway.answers).toHaveLength(1);
  });

  it('begins anew when the fragments become smaller, and ignores the larger ones from then on (§2.6)', () => {
    const s = connected();
    s.hears((g) => inFragments(g, [long], 300, (f) => f.slice(0, 1)));
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(0, 3)));
    s.hears((g) => inFragments(g, [long], 300, (f) => f.slice(1)));
    expect(s.gateway.answers).toEqual([]);
    expect(s.status.drops).toEqual(Array.from({ length: 3 }, () => 'fragment once more'));
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(3)));
    expect(s.gateway.answers).toHaveLength(1);
  });

  it('answers a fragment of an answered request only if it is the first (§2.6.1)', () => {
    const s = connected();
    s.hears((g) => inFragments(g, [long], 200));
    expect(s.gateway.answers).toHaveLength(1);
    s.hears((g) => inFragments(g, [long], 200, (f) => f.slice(1)));
    expect(s.gateway.answers).toHaveLength(1);
    s.hears((g) => inFragments(g, [long], 200));
    expect(s.gateway.answers).toHaveLength(2);
  });

  it('has an end: a message longer than any is not kept', () => {
    const s = connected();
    const piece = new Uint8Array(4000);
    s.hears((g) => inFragments(g, [long], 900, () => Array.from({ length: 5 }, (_, i) => ({ number: i + 1, total: 6, piece }))));
    expect(s.status.drops).toEqual(['fragments of a message that is too long']);
    expect(5 * piece.length).toBeGreaterThan(limits.message);
  });

  it('is not taken from a gateway that has not agreed', () => {
    const s = scene();
    s.connect();
    s.hears((g) => inFragments(g, [long], 200));
    expect(s.status.drops).toEqual(Array.from({ length: 5 }, () => 'fragment without agreement'));
    expect(s.gateway.answers).toEqual([]);
  });
});

describe('NAT traversal (RFC 7296 §2.23)', () => {
  /** A gateway that says what a gateway says of the way. */
  function honest(s: Scene, source = { address: GATEWAY, port: 500 }): Scene {
    s.gateway.nat = { source };
    return s;
  }

  it('without a NAT stays on its ports, without marker', () => {
    const s = honest(scene());
    expect(s.connect()).toMatchObject({ at: 'established', nat: { local: false, remote: false }, path: { natt: false } });
    expect(new Set(s.net.passages.map((p) => `${p.from.port} ${p.to.port}`))).toEqual(new Set(['500 500']));
  });

  it.each([
    ['we are behind one', true, { address: GATEWAY, port: 500 }, { local: true, remote: false }],
    ['the gateway is behind one', false, { address: '10.0.0.1', port: 500 }, { local: false, remote: true }],
  ])('when %s moves to 4500 with a marker', (_, natted, source, nat) => {
    const s = honest(scene(), source);
    if (natted) s.net.nat({ inside: [CLIENT], outside: '203.0.113.9' });
    expect(s.connect()).toMatchObject({ at: 'established', nat, path: { natt: true, local: { port: 4500 } }, violations: [] });
    const later = s.gateway.peer;
    expect(later?.to.port).toBe(4500);
    expect(later?.natt).toBe(true);
    expect(s.does((c, now) => c.rekeyIke(now)).violations).toEqual([]);
  });

  it('from 4500 at once has the marker on IKE_SA_INIT too', () => {
    const s = honest(scene({}, { natt: 'start4500' }), { address: GATEWAY, port: 4500 });
    expect(s.connect()).toMatchObject({ at: 'established', nat: { local: false, remote: false } });
    expect(sentBy(s, CLIENT).every((p) => p.to.port === 4500 && hex(p.octets.subarray(0, 4)) === '00000000')).toBe(true);
  });

  it('off: says nothing of it and stays', () => {
    const s = scene({}, { natt: 'off' });
    s.net.nat({ inside: [CLIENT], outside: '203.0.113.9' });
    expect(s.connect()).toMatchObject({ at: 'established', nat: undefined, path: { natt: false } });
    expect(s.gateway.heard[0]?.payloads.some((p) => p.kind === 'N' && p.name.startsWith('NAT_'))).toBe(false);
  });

  it('faked: moves although there is none', () => {
    const s = honest(scene({}, { fakeNat: true }));
    expect(s.connect()).toMatchObject({ at: 'established', nat: { local: false, remote: false }, path: { natt: true } });
  });

  it('keeps its mapping alive while nothing else is said, and stops when it ends', () => {
    const s = honest(scene({}, { keepalive: 20_000 }));
    s.net.nat({ inside: [CLIENT], outside: '203.0.113.9' });
    s.client.start(0);
    s.rest(65_000);
    const alive = () => sentBy(s, '203.0.113.9').filter((p) => hex(p.octets) === 'ff').length;
    expect(alive()).toBe(3);
    s.client.deleteIke(s.clock.now);
    s.rest();
    expect(alive()).toBe(3);
  });

  it('sends no keepalive for a while after anything else', () => {
    const s = honest(scene({}, { keepalive: 20_000 }));
    s.net.nat({ inside: [CLIENT], outside: '203.0.113.9' });
    s.client.start(0);
    s.rest(15_000);
    s.client.liveness(s.clock.now);
    s.rest(19_000);
    expect(sentBy(s, '203.0.113.9').filter((p) => hex(p.octets) === 'ff')).toEqual([]);
    s.rest(2000);
    expect(sentBy(s, '203.0.113.9').filter((p) => hex(p.octets) === 'ff')).toHaveLength(1);
  });

  it('ESP and keepalives of the gateway are not taken for IKE', () => {
    const s = honest(scene({}, { natt: 'start4500' }), { address: GATEWAY, port: 4500 });
    s.connect();
    const way = { from: { address: GATEWAY, port: 4500 }, to: { address: CLIENT, port: 4500 } };
    s.client.datagram(Uint8Array.of(0xff), 0, way);
    s.client.datagram(Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 1, 9), 0, way);
    expect(s.status).toMatchObject({ counters: { esp: 1, dropped: 0 } });
  });
});

describe('An unprotected word (RFC 7296 §2.21.4)', () => {
  it('changes nothing', () => {
    const s = scene();
    s.connect();
    s.client.liveness(s.clock.now);
    s.net.collect();
    const { SPIi, SPIr } = s.gateway.sa;
    s.gateway.plain({ SPIi, SPIr, exchange: 37, initiator: false, response: true, messageId: 2 }, [notify('INVALID_IKE_SPI')]);
    s.rest();
    expect(s.status).toMatchObject({ at: 'established', drops: ['not protected'], outcomes: [{ verb: 'liveness', ok: true }] });
  });
});
