/** EAP inside IKE_AUTH (§2.16, RFC 3748): methods and Nak, failures of every kind, and what a client says before it is over. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../crypto/secret.ts';
import { identity } from '../../src/lab/index.ts';
import { decodeEap, Exchange, encodeEap, notify, type Payload } from '../../src/wire/index.ts';
import { secrets } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { framed, open, type Pen, penOf, seal } from './support/forge.ts';
import { asUser, byCertificate, messages, type Scene, story } from './support/scene.ts';

const psk = { profiles: [{ shape: 'psk-eap' as const }] };
const cert = { profiles: [{ shape: 'certificate-eap' as const }] };
const CLIENT = '198.51.100.1';

describe('MSCHAPv2', () => {
  it(
    'a wrong password: the EAP-Failure alone, no notify, and nothing was taken',
    story(psk, async (s) => {
      // … SK {EAP: failure E=691}  -->  SK {EAP: ack}  -->  <--  HDR, SK {EAP (Failure)}
      const why = await s.refused({ auth: asUser('alice', { password: 'guess' }) });
      expect(why).toMatch(/^EAP: E=691 R=0 C=0{32} V=3 M=FAILED$/);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'eap-failed', why: 'EAP of "alice": wrong password' },
      ]);
      expect(s.gateway.said).toEqual(
        expect.arrayContaining(['EAP failed for user "alice"', 'connection expiring due to EAP failure', 'going to be deleted']),
      );
      expect(s.gateway.leased).toBe(0);
      // until its last answer is forgotten a failure counts against the address that it came from
      expect(s.gateway.count('half-open')).toBe(1);
      await s.run({ ms: 13_000 });
      expect(s.gateway.leftovers()).toEqual([]);
    }),
  );

  it(
    'a user that does not exist cannot be told from a wrong password',
    story(psk, async (s) => {
      const [wrong, nobody] = [
        await s.refused({ auth: asUser('alice', { password: 'guess' }) }),
        await s.refused({ auth: asUser('mallory', { password: 'guess' }) }),
      ];
      expect(nobody).toBe(wrong);
      const legs = (from: number, to: number) =>
        messages(s.net.passages.slice(from, to), '192.0.2.1').map((o) => `${o[18]} ${o.length}`);
      const half = s.net.passages.length / 2;
      expect(legs(half, 2 * half)).toEqual(legs(0, half));
    }),
  );

  it(
    'an empty EAP identity: IDi says who it is, as Android has it',
    story(psk, async (s) => {
      const client = s.client({ auth: asUser('', { password: secrets.alice, id: 'alice' }) });
      s.forgive(client);
      client.start(s.now);
      await s.run({ until: () => client.at === 'established' || client.at === 'failed' });
      expect(s.gateway.said).toContain('EAP user "alice"');
    }),
  );

  it(
    'the user is who EAP says, not who IDi says',
    story(psk, async (s) => {
      const client = await s.connected({ auth: asUser('bob', { id: 'alice' }) });
      expect(s.gateway.view).toMatchObject({ user: 'bob', peerId: 'alice', group: 'staff' });
      expectAgreement(s.gateway, client);
    }),
  );
});

describe('methods', () => {
  it(
    'GTC goes to a certificate gateway when the client will have nothing else (Nak), and makes no key: AUTH goes by SK_pi',
    story(cert, async (s) => {
      const client = await s.connected({ auth: asUser('alice', { methods: ['gtc'] }), gateway: byCertificate() });
      expect(s.gateway.view).toMatchObject({ user: 'alice', group: 'staff' });
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'GTC with a wrong password',
    story(cert, async (s) => {
      const why = await s.refused({ auth: asUser('alice', { methods: ['gtc'], password: 'guess' }), gateway: byCertificate() });
      expect(why).toBe('EAP: EAP-Failure');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'eap-failed' }]);
    }),
  );

  it(
    'GTC behind a group key would hand passwords to whoever has it: a Nak for it is a failure',
    story(psk, async (s) => {
      const why = await s.refused({ auth: asUser('alice', { methods: ['gtc'] }) });
      expect(why).toBe('EAP: EAP-Failure');
      expect(s.gateway.told('negotiation-failed')[0]?.why).toMatch(/the client refuses mschapv2 and wants EAP type GTC/i);
    }),
  );

  it(
    'unless an operator allows it (eap-gtc-with-psk)',
    story({ ...psk, settings: { 'eap-gtc-with-psk': 'enable' } }, async (s) => {
      expectAgreement(s.gateway, await s.connected({ auth: asUser('alice', { methods: ['gtc'] }) }));
    }),
  );

  it(
    'GTC first, and a client that wants MSCHAPv2 gets it',
    story({ ...cert, settings: { 'eap-methods': 'gtc mschapv2' } }, async (s) => {
      expectAgreement(s.gateway, await s.connected({ auth: asUser('alice'), gateway: byCertificate() }));
    }),
  );

  it(
    'a client that wants a method nobody has here',
    story(psk, async (s) => {
      const { pen, next } = await begun(s);
      const asked = await next(identityAnswer('alice'));
      // HDR, SK {EAP-Response/Nak (TLS)}  -->  <--  HDR, SK {EAP-Failure}
      const [answer] = await next(response(asked, 3, Uint8Array.of(13)));
      expect(answer?.kind === 'EAP' && decodeEap(answer.data)).toMatchObject({ code: 4 });
      expect(pen).toBeDefined();
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'eap-failed' }]);
    }),
  );
});

describe('a client that does not follow the method', () => {
  it.each([
    ['an answer with another identifier', (asked: Asked) => response(asked, 26, new Uint8Array(60), 1)],
    ['an answer of another type', (asked: Asked) => response(asked, 4, new Uint8Array(17))],
    ['a request of its own', (asked: Asked) => eap({ code: 1, id: asked.id, type: 1, data: new Uint8Array(0) })],
    ['an EAP-Success of its own', (asked: Asked) => eap({ code: 3, id: asked.id })],
    ['an empty EAP payload', (): Payload => ({ kind: 'EAP', data: new Uint8Array(0) })],
    ['a packet whose length lies', (): Payload => ({ kind: 'EAP', data: Uint8Array.of(2, 1, 0, 99, 26) })],
  ])('%s never becomes a tunnel', async (_, answer) => {
    await story(psk, async (s) => {
      const { next } = await begun(s);
      const asked = await next(identityAnswer('alice'));
      const [first] = await next(answer(askedIn(asked)));
      expect(first).toMatchObject({ kind: 'N', name: 'INVALID_SYNTAX' });
      expect(s.gateway.told('established')).toEqual([]);
      expect(s.gateway.told('negotiation-failed')).toHaveLength(1);
    })();
  });

  it.each([
    ['success instead of a response (opcode 3)', Uint8Array.of(3)],
    ['failure instead of a response (opcode 4)', Uint8Array.of(4)],
    ['a challenge (opcode 1)', new Uint8Array(30).fill(1)],
    ['nothing', new Uint8Array(0)],
    ['a response that is cut short', Uint8Array.of(2, 1, 0, 9, 49, 1, 2, 3, 4)],
    ['a response of zeros', msChapResponse(new Uint8Array(24), 'alice')],
    ['the response of another user', msChapResponse(new Uint8Array(24), 'bob')],
  ])('MSCHAPv2: %s never becomes a tunnel', async (_, data) => {
    await story(psk, async (s) => {
      const { next } = await begun(s);
      const asked = await next(identityAnswer('alice'));
      let answer = await next(response(asked, 26, data));
      for (let i = 0; i < 3 && answer[0]?.kind === 'EAP' && decodeEap(answer[0].data).code === 1; i++)
        answer = await next(response(answer, 26, Uint8Array.of(3))); // "I believe that I succeeded"
      const [last] = answer;
      expect(last?.kind === 'EAP' && decodeEap(last.data).code).toBe(4);
      expect(s.gateway.told('established')).toEqual([]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason: 'eap-failed' }]);
    })();
  });

  it(
    'AUTH before EAP has succeeded is refused',
    story(psk, async (s) => {
      const { next } = await begun(s);
      await next(identityAnswer('alice'));
      const [answer] = await next({ kind: 'AUTH', method: 2, data: new Uint8Array(32) });
      expect(answer).toMatchObject({ name: 'INVALID_SYNTAX' });
      expect(s.gateway.told('established')).toEqual([]);
    }),
  );

  it(
    'an AUTH that does not fit the key of EAP is refused, and no address was taken',
    story(psk, async (s) => {
      const client = await s.connect({ auth: asUser('alice'), impair: 'flip:AUTH@IKE_AUTH' });
      expect(client.status.why).toContain('AUTHENTICATION_FAILED');
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'auth-failed', why: 'AUTH of "alice" does not match the key that EAP made' },
      ]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'EAP and AUTH in one message fit nothing',
    story(psk, async (s) => {
      const { nextAll } = await begun(s);
      const [answer] = await nextAll([identityAnswer('alice')([]), { kind: 'AUTH', method: 2, data: new Uint8Array(32) }]);
      expect(answer).toMatchObject({ name: 'INVALID_SYNTAX' });
    }),
  );
});

describe('a client that gives up', () => {
  it(
    'AUTHENTICATION_FAILED in an INFORMATIONAL: it does not believe our AUTH, and the operator hears why (§2.21.2)',
    story(psk, async (s) => {
      const client = await s.connect({ auth: asUser('alice'), gateway: { kind: 'psk', psk: Secret.utf8('another key') } });
      expect(client.status.why).toContain('another pre-shared key');
      await s.run({ ms: 100 });
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'peer-refused-us', why: expect.stringContaining('probable pre-shared key mismatch') },
      ]);
      expect(s.gateway.said).toContain('peer says AUTHENTICATION_FAILED');
      expect(s.gateway.views).toEqual([]); // at once, not after negotiate-timeout
    }),
  );

  it.each<readonly [string, Payload, string]>([
    ['Delete', { kind: 'D', protocol: 1, spiSize: 0, spis: [] }, 'peer-deleted'],
    ['another error', notify('NO_PROPOSAL_CHOSEN'), 'peer-refused-us'],
  ])('%s before it is established ends it', async (_, payload, reason) => {
    await story(psk, async (s) => {
      const { nextAll } = await begun(s);
      expect(await nextAll([payload], Exchange.INFORMATIONAL)).toEqual([]);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([{ reason }]);
    })();
  });

  it(
    'a liveness check in the middle of EAP is answered, and EAP goes on',
    story(psk, async (s) => {
      const { next, nextAll } = await begun(s);
      expect(await nextAll([], Exchange.INFORMATIONAL)).toEqual([]);
      const [answer] = await next(identityAnswer('alice'));
      expect(answer?.kind === 'EAP' && decodeEap(answer.data)).toMatchObject({ code: 1, type: 26 });
    }),
  );

  it(
    'one that goes away after it has read the refusal need not wait for the EAP-Failure',
    story(psk, async (s) => {
      const { next, nextAll } = await begun(s);
      const asked = await next(identityAnswer('alice'));
      await next(response(asked, 26, msChapResponse(new Uint8Array(24), 'alice')));
      await nextAll([notify('AUTHENTICATION_FAILED')], Exchange.INFORMATIONAL);
      expect(s.gateway.told('negotiation-failed')).toMatchObject([
        { reason: 'eap-failed', why: 'EAP of "alice": wrong password' },
      ]);
    }),
  );
});

type Asked = { readonly id: number };
type Say = (answer: Payload | ((asked: readonly Payload[]) => Payload)) => Promise<readonly Payload[]>;

/** A client that has sent its first IKE_AUTH, and is then played by the test. */
async function begun(s: Scene): Promise<{
  readonly pen: Pen;
  readonly next: Say;
  readonly nextAll: (payloads: readonly Payload[], exchange?: number) => Promise<readonly Payload[]>;
}> {
  const client = s.client({ auth: asUser('alice', { id: '10.9.8.7' }), gatewayId: identity('vpn.lab.test') });
  s.forgive(client);
  s.net.filter = (d) => d.to.address !== CLIENT || d.octets[18] !== Exchange.IKE_AUTH;
  client.start(s.now);
  await s.run({ until: () => s.gateway.views[0]?.at === 'eap' });
  const pen = penOf(client);
  s.net.filter = (d) => d.to.address !== CLIENT;
  client.deleteIke(s.now); // it says nothing more by itself
  let last = (messages(s.gateway.sent).at(-1) && open(pen, messages(s.gateway.sent).at(-1) ?? new Uint8Array(0))) ?? [];
  let messageId = 1;
  const nextAll = async (payloads: readonly Payload[], exchange: number = Exchange.IKE_AUTH) => {
    messageId += 1;
    const before = s.gateway.sent.length;
    const octets = framed(seal(pen, { exchange, messageId, payloads }), false);
    s.net.inject({ from: { address: CLIENT, port: 500 }, to: { address: '192.0.2.1', port: 500 }, octets });
    await s.run({ ms: 20 });
    const [answer] = messages(s.gateway.sent.slice(before));
    const said = (answer && open(pen, answer)) ?? [];
    if (exchange === Exchange.IKE_AUTH) last = said;
    return said;
  };
  return { pen, nextAll, next: (answer) => nextAll([typeof answer === 'function' ? answer(last) : answer]) };
}

function askedIn(payloads: readonly Payload[]): { readonly id: number } {
  const EAP = payloads.find((p) => p.kind === 'EAP');
  return { id: EAP?.kind === 'EAP' ? (EAP.data[1] ?? 0) : 0 };
}
const eap = (packet: Parameters<typeof encodeEap>[0]): Payload => ({ kind: 'EAP', data: encodeEap(packet) });
const response = (asked: readonly Payload[] | Asked, type: number, data: Uint8Array, off = 0): Payload =>
  eap({ code: 2, id: (('id' in asked ? asked.id : askedIn(asked).id) + off) & 0xff, type, data });
const identityAnswer =
  (name: string) =>
  (asked: readonly Payload[]): Payload =>
    response(asked, 1, new TextEncoder().encode(name));

/** MSCHAPv2 Response: peer challenge of zeros, this NT-Response. */
function msChapResponse(nt: Uint8Array, name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  const length = 54 + text.length;
  return Uint8Array.of(2, 1, length >>> 8, length & 0xff, 49, ...new Uint8Array(24), ...nt, 0, ...text);
}
