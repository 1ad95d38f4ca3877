import { describe, expect, it } from 'vitest';
import type { LabOptions } from '../../../src/lab/index.ts';
import { describePayloads, notify } from '../../../src/wire/index.ts';
import { SeededRandom } from '../../support/random.ts';
import { CLIENT } from './fakeGateway.ts';
import { askIkeRekey, askRekey, D, D_IKE, takeIkeRekey } from './gatewayAsks.ts';
import { type Scene, scene } from './scene.ts';

const nonce = (octet: number) => new Uint8Array(32).fill(octet);
const [LOW, MIDDLE, HIGH] = [nonce(0), nonce(0x80), nonce(0xff)];

/** Each of the four nonces as the lowest: the client's (its request, its answer), the gateway's (its answer, its request). */
const POSITIONS = [
  { of: 'that of our request', ours: [LOW, MIDDLE], theirs: [HIGH, MIDDLE], loser: 'the client' },
  { of: 'that of the answer to it', ours: [HIGH, MIDDLE], theirs: [LOW, MIDDLE], loser: 'the client' },
  { of: 'that of the gateway’s request', ours: [MIDDLE, HIGH], theirs: [MIDDLE, LOW], loser: 'the gateway' },
  { of: 'that of our answer', ours: [MIDDLE, LOW], theirs: [MIDDLE, HIGH], loser: 'the gateway' },
] as const;

/** A connected client whose next nonces are these. */
function withNonces(...nonces: readonly Uint8Array[]): Scene {
  const chance = new SeededRandom('nonces');
  let left: Uint8Array[] = [];
  const random: LabOptions['random'] = (n) => (n === 32 ? left.shift() : undefined) ?? chance.octets(n);
  const s = scene({}, { random });
  expect(s.connect().at).toBe('established');
  left = [...nonces];
  return s;
}

const answers = (s: Scene) => s.gateway.answers.map((a) => describePayloads(a.payloads));
/** Loses what the client asks, not what it answers. */
const deafTo = (s: Scene) => {
  s.net.filter = (d) => d.from.address !== CLIENT || ((d.octets[19] ?? 0) & 0x20) !== 0;
};

describe('Rekeys of one child that cross (RFC 7296 §2.8.1)', () => {
  // The first nonce is that of the client's request, the second that of its answer.
  it('ours has the lowest nonce: we delete what we made, the gateway deletes the old one', () => {
    const s = withNonces(LOW, HIGH);
    const [old] = s.gateway.children;
    s.client.rekeyChild(s.clock.now);
    s.hears((g) => askRekey(g, s.status.children[0]));
    expect(s.status.children.map((c) => [c.madeBy, c.state])).toEqual([
      ['us', 'replaced'],
      ['gateway', 'installed'],
    ]);
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([D(s.gateway.children[1]?.spiOut ?? LOW)]);
    s.hears((g) => g.request([D(old?.spiIn ?? LOW)]));
    expect(s.status).toMatchObject({ at: 'established', children: [{ madeBy: 'gateway', state: 'installed' }], violations: [] });
  });

  it('the gateway’s has it: we delete the old one, the gateway what it made', () => {
    const s = withNonces(HIGH, LOW);
    const [old] = s.gateway.children;
    s.client.rekeyChild(s.clock.now);
    s.hears((g) => askRekey(g, s.status.children[0]));
    expect(s.gateway.heard.at(-1)?.payloads).toEqual([D(old?.spiOut ?? LOW)]);
    s.hears((g) => g.request([D(Uint8Array.of(0x66, 1, 2, 3))]));
    expect(s.status).toMatchObject({ at: 'established', children: [{ madeBy: 'us', state: 'installed' }], violations: [] });
  });

  // Who made the exchange with the lowest of the four loses it, wherever that nonce stands.
  it.each(POSITIONS)('the lowest nonce is $of: $loser deletes what it made', ({ ours, theirs, loser }) => {
    const s = withNonces(...ours);
    s.gateway.script = { nonce: theirs[0] };
    s.client.rekeyChild(s.clock.now);
    s.hears((g) => askRekey(g, s.status.children[0], theirs[1]));
    const standing = s.status.children.find((c) => c.state === 'installed');
    expect(standing?.madeBy).toBe(loser === 'the client' ? 'gateway' : 'us');
  });

  it('ours comes too late: CHILD_SA_NOT_FOUND, and the gateway’s stands', () => {
    const s = withNonces();
    const [old] = s.gateway.children;
    deafTo(s);
    s.client.rekeyChild(s.clock.now);
    s.gateway.request([]);
    s.rest(20);
    askRekey(s.gateway, s.status.children[0]);
    s.rest(20);
    s.gateway.request([D(old?.spiIn ?? LOW)]);
    s.rest(20);
    s.net.filter = () => true;
    s.gateway.script = { edit: () => [notify('CHILD_SA_NOT_FOUND')] };
    s.rest();
    expect(s.status).toMatchObject({ at: 'established', children: [{ madeBy: 'gateway', state: 'installed' }], violations: [] });
    expect(s.status.outcomes.at(-1)).toEqual({ verb: 'rekey-child', ok: false, why: 'CHILD_SA_NOT_FOUND' });
  });
});

describe('Rekeys of the IKE SA that cross (RFC 7296 §2.8.2)', () => {
  it('ours has the lowest nonce: we delete what we made, the gateway deletes the old one', () => {
    const s = withNonces(LOW, HIGH);
    s.client.rekeyIke(s.clock.now);
    const [old] = s.gateway.sas;
    s.hears((g) => {
      const half = askIkeRekey(g);
      s.net.run({ until: () => g.answers.length > 0 });
      takeIkeRekey(g, half, old);
    });
    expect(s.status.ikeSas.map((sa) => [sa.initiator, sa.standing])).toEqual([
      [true, 'replaced'],
      [false, 'live'],
    ]);
    s.hears((g) => g.request([D_IKE], 37, old));
    expect(s.status).toMatchObject({ at: 'established', ikeSas: [{ initiator: false, standing: 'live' }], violations: [] });
    expect(s.does((c, now) => c.rekeyChild(now)).outcomes.filter((o) => o.verb === 'rekey-child')).toMatchObject([{ ok: true }]);
  });

  it('the gateway’s has it: we delete the old one, the gateway what it made', () => {
    const s = withNonces(HIGH, LOW);
    s.client.rekeyIke(s.clock.now);
    const [old] = s.gateway.sas;
    s.hears((g) => {
      const half = askIkeRekey(g);
      s.net.run({ until: () => g.answers.length > 0 });
      takeIkeRekey(g, half, old);
    });
    expect(s.status.ikeSas.map((sa) => [sa.initiator, sa.standing])).toEqual([
      [false, 'replaced'],
      [true, 'live'],
    ]);
    s.hears((g) => g.request([D_IKE]));
    expect(s.status).toMatchObject({ at: 'established', ikeSas: [{ initiator: true, standing: 'live' }], violations: [] });
    expect(s.does((c, now) => c.liveness(now)).outcomes.at(-1)).toMatchObject({ verb: 'liveness', ok: true });
  });

  it.each(POSITIONS)('the lowest nonce is $of: $loser deletes what it made', ({ ours, theirs, loser }) => {
    const s = withNonces(...ours);
    s.gateway.script = { nonce: theirs[0] };
    s.client.rekeyIke(s.clock.now);
    s.hears((g) => askIkeRekey(g, theirs[1]));
    const standing = s.status.ikeSas.find((sa) => sa.standing === 'live');
    expect(standing?.initiator).toBe(loser === 'the gateway');
  });

  it('ours is never heard: the gateway ends the old SA, and its own stands', () => {
    const s = withNonces();
    deafTo(s);
    s.client.rekeyIke(s.clock.now);
    const [old] = s.gateway.sas;
    const half = askIkeRekey(s.gateway);
    s.rest(50);
    takeIkeRekey(s.gateway, half, old);
    s.gateway.request([D_IKE], 37, old);
    s.rest(50);
    s.net.filter = () => true;
    expect(s.status).toMatchObject({ at: 'established', ikeSas: [{ initiator: false, standing: 'live' }], busy: false });
    expect(s.does((c, now) => c.liveness(now)).outcomes.at(-1)).toMatchObject({ verb: 'liveness', ok: true });
  });

  it('ours is refused: the gateway’s stands', () => {
    const s = withNonces();
    s.gateway.script = { edit: (ps, { exchange }) => (exchange === 36 ? [notify('TEMPORARY_FAILURE')] : ps) };
    s.client.rekeyIke(s.clock.now);
    const [old] = s.gateway.sas;
    s.hears((g) => {
      const half = askIkeRekey(g);
      s.net.run({ until: () => g.answers.length > 0 });
      takeIkeRekey(g, half, old);
    });
    s.hears((g) => g.request([D_IKE], 37, old));
    expect(s.status).toMatchObject({ at: 'established', ikeSas: [{ initiator: false, standing: 'live' }] });
  });
});

describe('Requests that do not go together (RFC 7296 §2.25)', () => {
  it.each<[string, (s: Scene) => void, (s: Scene) => void, string]>([
    [
      'a child rekey while we rekey the IKE SA',
      (s) => s.client.rekeyIke(s.clock.now),
      (s) => askRekey(s.gateway, s.status.children[0]),
      'N(TEMPORARY_FAILURE)',
    ],
    [
      'a rekey of the IKE SA while we make a child',
      (s) => s.client.createChild(s.clock.now),
      (s) => askIkeRekey(s.gateway),
      'N(TEMPORARY_FAILURE)',
    ],
    [
      'a rekey of the IKE SA while we delete a child',
      (s) => s.client.deleteChild(s.clock.now),
      (s) => askIkeRekey(s.gateway),
      'N(TEMPORARY_FAILURE)',
    ],
    [
      'a rekey of the IKE SA while we delete it',
      (s) => s.client.deleteIke(s.clock.now),
      (s) => askIkeRekey(s.gateway),
      'N(TEMPORARY_FAILURE)',
    ],
    [
      'a rekey of a child that we delete',
      (s) => s.client.deleteChild(s.clock.now),
      (s) => askRekey(s.gateway, s.status.children[0]),
      'N(TEMPORARY_FAILURE)',
    ],
    [
      'a Delete of a child that we delete',
      (s) => s.client.deleteChild(s.clock.now),
      (s) => s.gateway.request([D(s.gateway.children[0]?.spiIn ?? LOW)]),
      '',
    ],
    [
      'a Delete of a child that we rekey',
      (s) => s.client.rekeyChild(s.clock.now),
      (s) => s.gateway.request([D(s.gateway.children[0]?.spiIn ?? LOW)]),
      'D',
    ],
    [
      'a rekey of the IKE SA while we check liveness',
      (s) => s.client.liveness(s.clock.now),
      (s) => askIkeRekey(s.gateway),
      'SA NONCE KE',
    ],
  ])('%s', (_, ours, theirs, answer) => {
    const s = withNonces();
    deafTo(s);
    ours(s);
    s.net.collect();
    theirs(s);
    s.rest(50);
    expect(answers(s)).toEqual([answer]);
    expect(s.status).toMatchObject({ at: 'established', violations: [] });
  });

  it('Delete of the IKE SA while we delete it: both are answered, and it is over', () => {
    const s = withNonces();
    s.client.deleteIke(s.clock.now);
    s.hears((g) => g.request([D_IKE]));
    expect(answers(s)).toEqual(['']);
    expect(s.status).toMatchObject({ at: 'closed', ikeSas: [] });
  });
});
