import { describe, expect, it } from 'vitest';
import type { LabOptions, LabStatus } from '../../../src/lab/index.ts';
import { encodeEap, type Notify, notify, type Payload } from '../../../src/wire/index.ts';
import { FakeAuth, type FakeEap, msChapServer } from './fakeAuth.ts';
import type { Edit, Script } from './fakeGateway.ts';
import { D_IKE } from './gatewayAsks.ts';
import { connected, eapUser, type Scene, scene } from './scene.ts';

const [IKE_AUTH, INFORMATIONAL] = [35, 37];
const NUMBER = 61_702;
const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln';
const withEap = (eap: FakeEap = msChapServer('clientPass'), edit?: Edit): Script => ({
  auth: new FakeAuth({ psk: 'sesame', eap }),
  ...(edit && { edit }),
});
const privateNotify = (type: number, data = new Uint8Array(0)): Notify => ({
  ...{ kind: 'N', name: 'UNKNOWN', type, protocol: 0, spi: new Uint8Array(0), data },
});

/** What of ours stood in which request: 'auth 0: token', the token's text as it came. */
function told(s: Scene) {
  const names: string[] = [];
  const requests = s.gateway.heard.filter((h) => !h.header.response);
  const auths = requests.filter((h) => h.header.exchange === IKE_AUTH);
  for (const request of requests) {
    const where =
      request.header.exchange === IKE_AUTH ? `auth ${auths.indexOf(request) + 1} of ${auths.length}` : 'informational';
    for (const p of request.payloads) {
      if (p.kind !== 'N') continue;
      if (p.name === 'FORTICLIENT_CONNECT') names.push(`claims in ${where}`);
      if (p.name === 'UNKNOWN') names.push(`${p.type} ${JSON.stringify(new TextDecoder().decode(p.data))} in ${where}`);
    }
  }
  return names;
}

describe('a token', () => {
  const spoken = `${NUMBER} ${JSON.stringify(`${TOKEN}\0`)}`;
  const ztna = (when: 'first-auth' | 'in-auth' | 'after') => ({ number: NUMBER, token: TOKEN, when });

  it.each<[string, Script, Partial<LabOptions>, readonly string[]]>([
    ['after EAP', withEap(), { auth: eapUser(), ztna: ztna('after') }, [`${spoken} in informational`]],
    ['in the last request of EAP', withEap(), { auth: eapUser(), ztna: ztna('in-auth') }, [`${spoken} in auth 5 of 5`]],
    ['in the first request of EAP', withEap(), { auth: eapUser(), ztna: ztna('first-auth') }, [`${spoken} in auth 1 of 5`]],
    ['in the only request', {}, { ztna: ztna('in-auth') }, [`${spoken} in auth 1 of 1`]],
    ['after a pre-shared key', {}, { ztna: ztna('after') }, [`${spoken} in informational`]],
    ['without the NUL', {}, { ztna: { ...ztna('after'), nul: false } }, [`${NUMBER} ${JSON.stringify(TOKEN)} in informational`]],
    [
      'in octets, as they are',
      {},
      { ztna: { ...ztna('in-auth'), token: Uint8Array.of(0x41, 0, 0) } },
      [`${NUMBER} "A\\u0000\\u0000" in auth 1 of 1`],
    ],
  ])('%s', (_, script, options, said) => {
    const s = scene(script, options);
    expect(s.connect()).toMatchObject({ at: 'established', violations: [] });
    expect(told(s)).toEqual(said);
  });

  it.each<['first' | 'last', string]>([
    ['first', 'claims in auth 1 of 5'],
    ['last', 'claims in auth 5 of 5'],
  ])('claims in the %s request of EAP', (claimsIn, said) => {
    const s = scene(withEap(), { auth: eapUser(), claims: 'VER=1\n', claimsIn });
    expect(s.connect().at).toBe('established');
    expect(told(s)).toEqual([said]);
  });

  it('is sent again, in its own turn, and its answer told', () => {
    const s = connected({}, { ztna: ztna('after') });
    s.does((client, now) => {
      client.liveness(now);
      client.sendToken(now, 'eyJ.fresh.one');
      client.sendToken(now, 'eyJ.fresh.two', 50_000);
    });
    expect(told(s).slice(1)).toEqual([
      `${NUMBER} "eyJ.fresh.one\\u0000" in informational`,
      '50000 "eyJ.fresh.two\\u0000" in informational',
    ]);
    expect(s.status.outcomes.map((o) => o.verb)).toEqual(['token', 'liveness', 'token', 'token']);
    expect(s.status.outcomes.every((o) => o.ok)).toBe(true);
  });

  it('is not sent without a number, and not behind the end', () => {
    const s = connected();
    expect(() => s.client.sendToken(s.clock.now, TOKEN)).toThrow(RangeError);
    s.does((client, now) => client.deleteIke(now));
    s.client.sendToken(s.clock.now, TOKEN, NUMBER);
    expect(s.status.outcomes.at(-1)).toEqual({ verb: 'token', ok: false, why: 'the client has closed' });
  });
});

describe('what the gateway says', () => {
  it('in INFORMATIONAL, by number: in requests of its own and in answers', () => {
    const edit: Edit = (payloads, { exchange }) => (exchange === INFORMATIONAL ? [privateNotify(61_703)] : payloads);
    const s = connected({ edit });
    s.hears((g) => g.request([privateNotify(61_704)]));
    s.does((client, now) => client.sendToken(now, TOKEN, NUMBER));
    expect(s.status).toMatchObject({ at: 'established', informed: [61_704, 61_703], violations: [] });
  });

  it('keeps the last of very many, and counts them all', () => {
    const s = connected();
    const before = s.status.counters.notifies;
    for (let i = 0; i < 300; i++) s.hears((g) => g.request([privateNotify(45_000 + i)]));
    expect(s.status.informed).toHaveLength(256);
    expect(s.status.informed.at(-1)).toBe(45_299);
    expect(s.status.counters.notifies - before).toBe(300);
  });
});

describe('how it ends', () => {
  const inAuth =
    (...said: readonly Payload[]): Edit =>
    (payloads, { exchange }) =>
      exchange === IKE_AUTH ? said : payloads;
  const inInit =
    (...said: readonly Payload[]): Edit =>
    (payloads, { exchange }) =>
      exchange === 34 ? said : payloads;
  const failure = encodeEap({ code: 4, id: 1 });

  it.each<[string, () => LabStatus, LabStatus['ending']]>([
    ['not yet', () => connected().status, undefined],
    [
      'refused in IKE_SA_INIT',
      () => scene({ edit: inInit(notify('NO_PROPOSAL_CHOSEN')) }).connect(),
      { by: 'gateway', deleted: false, notify: 14 },
    ],
    [
      'refused in IKE_SA_INIT, and patient',
      () => scene({ edit: inInit(notify('NO_PROPOSAL_CHOSEN')) }, { patient: true }).connect(),
      { by: 'gateway', deleted: false, notify: 14 },
    ],
    ['another group than we have', () => scene({ wants: 14 }).connect(), { by: 'gateway', deleted: false, notify: 17 }],
    [
      'refused in IKE_AUTH by a notify that nobody has published',
      () => scene({ edit: inAuth(privateNotify(8192)) }).connect(),
      { by: 'gateway', deleted: false, notify: 8192 },
    ],
    [
      'EAP-Failure',
      () =>
        scene(
          withEap(() => ({ packet: failure, key: 'none' })),
          { auth: eapUser() },
        ).connect(),
      { by: 'gateway', deleted: false, notify: undefined },
    ],
    ['no answer at all', () => scene({ deaf: 99 }).connect(), { by: 'silence' }],
    [
      'no answer once it was up',
      () => {
        const s = connected();
        s.gateway.datagram = () => undefined;
        return s.does((client, now) => client.liveness(now));
      },
      { by: 'silence' },
    ],
    ['a gateway of another key', () => scene({ psk: 'other' }).connect(), { by: 'distrust' }],
    [
      'a nonsense of an answer',
      () => scene({ edit: inInit(notify('SIGNATURE_HASH_ALGORITHMS', [2])) }).connect(),
      { by: 'distrust' },
    ],
    [
      'deleted by the gateway',
      () => connected().hears((g) => g.request([D_IKE])),
      { by: 'gateway', deleted: true, notify: undefined },
    ],
    [
      'deleted by the gateway, with a reason beside it',
      () => connected().hears((g) => g.request([privateNotify(8192), D_IKE])),
      { by: 'gateway', deleted: true, notify: 8192 },
    ],
    [
      'AUTHENTICATION_FAILED later',
      () => connected().hears((g) => g.request([notify('AUTHENTICATION_FAILED')])),
      { by: 'gateway', deleted: false, notify: 24 },
    ],
    ['deleted by us', () => connected().does((client, now) => client.deleteIke(now)), { by: 'us' }],
  ])('%s', (_, play, ending) => {
    expect(play().ending).toEqual(ending);
  });
});
