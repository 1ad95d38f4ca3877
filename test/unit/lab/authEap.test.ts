import { describe, expect, it } from 'vitest';
import { chooseSignature, loadPrivateKey } from '../../../crypto/index.ts';
import { describePayloads, encodeEap, notify, type Payload } from '../../../src/wire/index.ts';
import { family } from '../../support/pki.ts';
import { eapRequest, FakeAuth, type FakeEap, msChapServer } from './fakeAuth.ts';
import type { Edit, Script } from './fakeGateway.ts';
import { eapUser, type Scene, scene } from './scene.ts';

const IKE_AUTH = 35;
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Sends these packets one after the other; the last one comes with the key. */
const says = (...packets: readonly Uint8Array[]): FakeEap => {
  const left = [...packets];
  return () => ({ packet: left.shift() ?? encodeEap({ code: 4, id: 0 }), key: 'none' });
};
const withEap = (eap: FakeEap, edit?: Edit): Script => ({ auth: new FakeAuth({ psk: 'sesame', eap }), ...(edit && { edit }) });
const asked = (s: Scene) =>
  s.gateway.heard.filter((h) => h.header.exchange === IKE_AUTH).map((h) => describePayloads(h.payloads));
/** Edits the nth answer to IKE_AUTH, by message ID. */
const nth =
  (messageId: number, change: (payloads: readonly Payload[]) => readonly Payload[]): Edit =>
  (payloads, to) =>
    to.exchange === IKE_AUTH && to.messageId === messageId ? change(payloads) : payloads;

const GTC = eapRequest(8, 6, utf8('Password'));
const SUCCESS = encodeEap({ code: 3, id: 9 });

describe('EAP in IKE_AUTH (RFC 7296 §2.16)', () => {
  it('goes through MSCHAPv2 to an AUTH of its key on both ends', () => {
    const s = scene(withEap(msChapServer('clientPass')), { auth: eapUser() });
    expect(s.connect()).toMatchObject({ at: 'established', why: '', violations: [] });
    expect(s.gateway.auth.clientProven).toBe(true);
    expect(asked(s)).toEqual(['IDi N(INITIAL_CONTACT) SA TSi TSr', 'EAP', 'EAP', 'EAP', 'AUTH']);
    expect(s.status.children).toHaveLength(1);
  });

  it('with a certificate of the gateway as well', () => {
    const { server } = family('rsa2048');
    const choice = chooseSignature(loadPrivateKey(server.key), [2], { hashes: [2], rsaFormat: 'pss' });
    if ('why' in choice) throw new Error(choice.why);
    const auth = new FakeAuth({ psk: '', eap: msChapServer('clientPass'), certificate: { chain: [server], choice } });
    const gateway = { kind: 'certificate', accepts: [server.cert] } as const;
    expect(scene({ auth }, { auth: eapUser(), gateway }).connect()).toMatchObject({
      at: 'established',
      gatewayProof: expect.stringMatching(/PSS/),
    });
  });

  it('makes AUTH of SK_pi and SK_pr where the method has no key', () => {
    const s = scene(withEap(says(GTC, SUCCESS)), { auth: eapUser('clientPass', ['gtc']) });
    expect(s.connect()).toMatchObject({ at: 'established', violations: [] });
    expect(s.gateway.auth.clientProven).toBe(true);
  });

  it('tells its name to nobody who has not proven himself', () => {
    const s = scene(
      withEap(
        msChapServer('clientPass'),
        nth(1, (ps) => ps.filter((p) => p.kind !== 'AUTH')),
      ),
      { auth: eapUser() },
    );
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'IKE_AUTH response without IDr or AUTH' });
    expect(asked(s)).toHaveLength(1);
    const other = scene({ auth: new FakeAuth({ psk: 'other', eap: msChapServer('clientPass') }) }, { auth: eapUser() });
    expect(other.connect().why).toMatch(/AUTH of the gateway is wrong/);
    expect(asked(other)).toHaveLength(1);
  });

  it('ends when EAP does, without a word', () => {
    const s = scene(withEap(says(encodeEap({ code: 4, id: 1 }))), { auth: eapUser() });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'EAP: EAP-Failure' });
    expect(s.gateway.heard.at(-1)?.header.exchange).toBe(IKE_AUTH);
  });

  it('believes no success that no method earned, and says so', () => {
    const s = scene(withEap(says(SUCCESS)), { auth: eapUser() });
    expect(s.connect()).toMatchObject({ at: 'failed', why: 'EAP: EAP-Success before a method succeeded' });
    expect(describePayloads(s.gateway.heard.at(-1)?.payloads ?? [])).toBe('N(AUTHENTICATION_FAILED)');
  });

  it('does not trust a server that has another password', () => {
    const s = scene(withEap(msChapServer('other')), { auth: eapUser() });
    expect(s.connect()).toMatchObject({ at: 'failed', why: expect.stringMatching(/does not know the password/) });
  });

  it.each<[string, Edit, RegExp]>([
    [
      'the second AUTH is wrong',
      nth(5, (ps) => ps.map((p) => (p.kind === 'AUTH' ? { ...p, data: p.data.map((o) => o ^ 1) } : p))),
      /after EAP is wrong/,
    ],
    [
      'the second AUTH is of another method',
      nth(5, (ps) => ps.map((p) => (p.kind === 'AUTH' ? { ...p, method: 14 } : p))),
      /after EAP is wrong/,
    ],
    ['the second AUTH is missing', nth(5, (ps) => ps.filter((p) => p.kind !== 'AUTH')), /without AUTH/],
    [
      'it is somebody else after EAP',
      nth(5, (ps) => [{ kind: 'IDr', idType: 2, data: utf8('x') }, ...ps]),
      /changed its identity/,
    ],
    ['EAP is missing in the middle', nth(2, () => []), /without EAP/],
    ['the gateway refuses in the middle', nth(2, () => [notify('AUTHENTICATION_FAILED')]), /AUTHENTICATION_FAILED/],
  ])('fails when %s', (_, edit, why) => {
    const status = scene(withEap(msChapServer('clientPass'), edit), { auth: eapUser() }).connect();
    expect(status.at).toBe('failed');
    expect(status.why).toMatch(why);
  });

  it('takes IDr once more if it is the same, as FortiOS sends it', () => {
    const again = nth(5, (ps) => [{ kind: 'IDr', idType: 2, data: utf8('vpn.lab.test') }, ...ps]);
    expect(scene(withEap(msChapServer('clientPass'), again), { auth: eapUser() }).connect()).toMatchObject({
      at: 'established',
      violations: [],
    });
  });
});
