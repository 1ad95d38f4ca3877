/** CREATE_CHILD_SA that the client begins (§1.3, §2.8, §2.18, §2.25): rekeys of both kinds, more children, refusals. */
import { describe, expect, it } from 'vitest';
import { selector } from '../../src/lab/index.ts';
import { Exchange, hex, type NotifyTarget, notify, type Payload } from '../../src/wire/index.ts';
import { expectAgreement } from './support/agree.ts';
import { framed, open, type Pen, penOf, seal } from './support/forge.ts';
import { asPsk, asUser, messages, type Scene, story } from './support/scene.ts';

const withPfs = { profiles: [{ phase2: { pfs: 'enable', dhgrp: '31 19' } }] };

/** Says something in the client's name, and gives the payloads of the answer. */
async function say(s: Scene, pen: Pen, messageId: number, payloads: readonly Payload[]): Promise<readonly Payload[]> {
  const before = s.gateway.sent.length;
  const { local: to, remote: from } = s.gateway.view;
  s.net.inject({ from, to, octets: framed(seal(pen, { exchange: Exchange.CREATE_CHILD_SA, messageId, payloads }), false) });
  await s.run({ ms: 20 });
  const [octets] = messages(s.gateway.sent.slice(before));
  return (octets && open(pen, octets)) ?? [];
}

describe('rekeying a child', () => {
  it(
    'gives new keys, and the old child goes when the client deletes it',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      const [old] = client.status.children;
      // HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}  -->  <--  HDR, SK {SA, Nr, TSi, TSr}
      // HDR, SK {D}                              -->  <--  HDR, SK {D}
      client.rekeyChild(s.now);
      await s.settle();
      expect(client.status.outcomes).toEqual([
        { verb: 'rekey-child', ok: true, why: '' },
        { verb: 'delete-child', ok: true, why: '' },
      ]);
      const [made, second] = client.status.children;
      expect(second).toBeUndefined();
      expect(made?.spiIn).not.toBe(old?.spiIn);
      expect(hex(made?.keys.in.encr ?? new Uint8Array(0))).not.toBe(hex(old?.keys.in.encr ?? new Uint8Array(0)));
      expectAgreement(s.gateway, client);
      expect(s.gateway.installed.size).toBe(1);
      expect(s.gateway.told('child-rekeyed')).toMatchObject([{ by: 'peer' }]);
      expect(s.gateway.told('child-down')).toMatchObject([{ reason: 'rekeyed' }]);
      expect(s.gateway.leased).toBe(1);
    }),
  );

  it(
    'keeps the old child installed until then: packets may still be under way',
    story({}, async (s) => {
      const client = await s.connected();
      s.net.filter = (d) => d.from.address !== '198.51.100.1' || messages([d])[0]?.[18] !== Exchange.INFORMATIONAL;
      client.rekeyChild(s.now);
      await s.run({ ms: 500 });
      expect(s.gateway.installed.size).toBe(2);
      expect(s.gateway.view.children.map((c) => c.state)).toEqual(['rekeyed', 'installed']);
      s.net.filter = () => true;
      await s.settle();
      expect(s.gateway.installed.size).toBe(1);
      expectAgreement(s.gateway, client);
    }),
  );

  it.each([31, 19])(
    'with perfect forward secrecy in group %i',
    async (group) =>
      await story(withPfs, async (s) => {
        const client = await s.connected({ groups: [31], childGroups: [group] });
        client.rekeyChild(s.now, { pfs: true });
        await s.settle();
        expect(client.status.children).toMatchObject([{ suite: { group } }]);
        expectAgreement(s.gateway, client);
        expect(s.gateway.said).toContain(`        PFS enabled, group=${group}`);
      })(),
  );

  it(
    'a guess of the wrong group is put right by INVALID_KE_PAYLOAD (§1.3.1)',
    story(withPfs, async (s) => {
      const client = await s.connected({ groups: [31], childGroups: [20, 19] });
      client.rekeyChild(s.now, { pfs: true });
      await s.settle();
      expect(client.status.notifies.at(-1)?.notify).toMatchObject({ name: 'INVALID_KE_PAYLOAD', data: 19 });
      expect(client.status.children).toMatchObject([{ suite: { group: 19 } }]);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'where PFS is wanted none is NO_PROPOSAL_CHOSEN, and the old child stays',
    story(withPfs, async (s) => {
      const client = await s.connected();
      client.rekeyChild(s.now);
      await s.settle();
      expect(client.status.outcomes).toEqual([{ verb: 'rekey-child', ok: false, why: 'NO_PROPOSAL_CHOSEN' }]);
      expect(s.gateway.told('child-refused')[0]?.why).toMatch(/DH_GROUP: peer offers none, ra accepts CURVE25519 ECP256/);
      expectAgreement(s.gateway, client);
    }),
  );

  it.each(['zero', 'p', 'short', 'long', 'empty'])(
    'with the public value %s: INVALID_SYNTAX, which ends the IKE SA at both ends (§2.21.3)',
    async (of) => {
      await story(withPfs, async (s) => {
        const client = await s.connected({ childGroups: [19], impair: `ke:${of}@CREATE_CHILD_SA` });
        client.rekeyChild(s.now, { pfs: true });
        await s.settle();
        expect(client.status.notifyNames.at(-1)).toBe('INVALID_SYNTAX');
        expect(client.at).toBe('closed');
        expect(s.gateway.told('child-rekeyed')).toEqual([]);
        expect(s.gateway.told('closed')).toMatchObject([{ reason: 'syntax' }]);
        expect(s.gateway.leased).toBe(0);
      })();
    },
  );

  it(
    'a child that is not there is CHILD_SA_NOT_FOUND, with the SPI that was asked for (§2.25)',
    story({}, async (s) => {
      const client = await s.connected();
      const spi = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
      expect(await say(s, penOf(client), 2, rekeyOf({ protocol: 3, spi }))).toMatchObject([
        { kind: 'N', name: 'CHILD_SA_NOT_FOUND', protocol: 3, spi },
      ]);
      s.forgive(client);
    }),
  );

  it.each([
    ['protocol 0', { protocol: 0, spi: new Uint8Array(0) }],
    ['protocol 1 and the SPI of an IKE SA', { protocol: 1, spi: new Uint8Array(8).fill(7) }],
    ['protocol 2', { protocol: 2, spi: new Uint8Array(4).fill(7) }],
    ['an SPI of 3 octets', { protocol: 3, spi: new Uint8Array(3).fill(7) }],
    ['an SPI of 255 octets', { protocol: 3, spi: new Uint8Array(255).fill(7) }],
  ])('REKEY_SA with %s names no child: nothing of it comes back unchecked', async (_, target) => {
    await story({}, async (s) => {
      const client = await s.connected();
      const answer = await say(s, penOf(client), 2, rekeyOf(target));
      expect(answer).toMatchObject([{ kind: 'N', name: 'CHILD_SA_NOT_FOUND', protocol: 0, spi: new Uint8Array(0) }]);
      expect(s.gateway.installed.size).toBe(1);
      s.forgive(client);
    })();
  });

  it(
    'our own inbound SPI is not the one that names it: the client names what it receives on (§1.3.3)',
    story({}, async (s) => {
      const client = await s.connected();
      const [child] = client.status.children;
      const spi = new Uint8Array(4);
      new DataView(spi.buffer).setUint32(0, child?.spiOut ?? 0);
      expect(await say(s, penOf(client), 2, rekeyOf({ protocol: 3, spi }))).toMatchObject([{ name: 'CHILD_SA_NOT_FOUND' }]);
      s.forgive(client);
    }),
  );
});

describe('rekeying the IKE SA', () => {
  it(
    'gives a new SA with the children, the address and the identity of the old one',
    story({ profiles: [{ shape: 'psk-eap' }] }, async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      const before = s.gateway.view;
      // HDR, SK {SA, Ni, KEi}  -->  <--  HDR, SK {SA, Nr, KEr}   · old SA: HDR, SK {D}  -->  <--  HDR, SK {}
      client.rekeyIke(s.now);
      await s.settle();
      const after = s.gateway.views.find((v) => v.at === 'established');
      expect([after?.SPIi, after?.SPIr]).not.toEqual([before.SPIi, before.SPIr]);
      const { name, assigned4, user, group, peerId } = before;
      expect(after).toMatchObject({ name, assigned4, user, group, peerId });
      expect(after?.children).toMatchObject(before.children.map(({ spiIn, spiOut }) => ({ spiIn, spiOut })));
      expectAgreement(s.gateway, client);
      expect(s.gateway.told('ike-rekeyed')).toMatchObject([{ by: 'peer', gateway: 'ra_0' }]);
      expect(s.gateway.told('closed')).toEqual([]); // the connection is the same one
      expect(s.gateway.told('child-down')).toEqual([]);
      expect(s.gateway.everInstalled).toHaveLength(1);
      // the old one is remembered for its last answer, and then forgotten
      await s.run({ ms: 31_000 });
      expect(s.gateway.views).toHaveLength(1);
    }),
  );

  it(
    'and everything works on the new one: message IDs begin at 0 (§2.2)',
    story({}, async (s) => {
      const client = await s.connected();
      for (let i = 0; i < 3; i++) {
        client.rekeyIke(s.now);
        client.liveness(s.now);
        client.rekeyChild(s.now);
        client.createChild(s.now);
        await s.settle();
        expectAgreement(s.gateway, client);
      }
      expect(client.status.outcomes.filter((o) => !o.ok)).toEqual([]);
      expect(client.installed).toBe(4);
      client.deleteIke(s.now);
      await s.settle();
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'peer-deleted' }]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'in another group than the SA has, after INVALID_KE_PAYLOAD when need be',
    story({ profiles: [{ phase1: { dhgrp: '31 19' } }] }, async (s) => {
      const client = await s.connected({ groups: [31, 19, 20] });
      client.rekeyIke(s.now, { group: 20 });
      await s.settle();
      expect(client.status.notifyNames).toContain('INVALID_KE_PAYLOAD');
      expect(client.status.suite?.group).toBe(31);
      client.rekeyIke(s.now, { group: 19 });
      await s.settle();
      expect(client.status.suite?.group).toBe(19);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'with nothing in common: NO_PROPOSAL_CHOSEN, and the SA stays as it is',
    story({}, async (s) => {
      const client = await s.connected();
      const transforms = [
        { type: 1, id: 12, keyLength: 256 },
        { type: 2, id: 5, keyLength: 0 },
        { type: 3, id: 12, keyLength: 0 },
        { type: 4, id: 31, keyLength: 0 },
      ];
      const answer = await say(s, penOf(client), 2, [
        { kind: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(8).fill(5), transforms }] },
        { kind: 'NONCE', data: new Uint8Array(32) },
        { kind: 'KE', group: 31, data: new Uint8Array(32).fill(9) },
      ]);
      expect(answer).toMatchObject([{ name: 'NO_PROPOSAL_CHOSEN' }]);
      expect(s.gateway.view.at).toBe('established');
      s.forgive(client);
    }),
  );

  it.each([
    ['no SPI', new Uint8Array(0)],
    ['an SPI of zeros', new Uint8Array(8)],
  ])('with %s: INVALID_SYNTAX', async (_, spi) => {
    await story({}, async (s) => {
      const client = await s.connected();
      const transforms = [
        { type: 1, id: 12, keyLength: 128 },
        { type: 2, id: 5, keyLength: 0 },
        { type: 3, id: 12, keyLength: 0 },
        { type: 4, id: 31, keyLength: 0 },
      ];
      const answer = await say(s, penOf(client), 2, [
        { kind: 'SA', proposals: [{ number: 1, protocol: 1, spi, transforms }] },
        { kind: 'NONCE', data: new Uint8Array(32) },
        { kind: 'KE', group: 31, data: new Uint8Array(32).fill(9) },
      ]);
      expect(answer).toMatchObject([{ name: 'INVALID_SYNTAX' }]);
      s.forgive(client);
    })();
  });
});

describe('further children', () => {
  it(
    'are made on the same IKE SA, with keys of their own, up to eight; then NO_ADDITIONAL_SAS (§1.3)',
    story({}, async (s) => {
      const client = await s.connected();
      for (let i = 1; i < 9; i++) client.createChild(s.now);
      await s.settle();
      expect(client.installed).toBe(8);
      expect(client.status.outcomes.map((o) => o.why)).toEqual([...new Array(7).fill(''), 'NO_ADDITIONAL_SAS']);
      expectAgreement(s.gateway, client);
      // a rekey is no further child: it passes at the bound
      client.rekeyChild(s.now);
      await s.settle();
      expect(client.installed).toBe(8);
      // and there is room again when one goes
      client.deleteChild(s.now, client.status.children[0]?.spiIn);
      client.createChild(s.now);
      await s.settle();
      expect(client.installed).toBe(8);
      expectAgreement(s.gateway, client);
    }),
  );

  it(
    'cannot be multiplied by rekeys that are never followed by a Delete',
    story({}, async (s) => {
      const client = await s.connected();
      const pen = penOf(client);
      const [child] = client.status.children;
      let spi = child?.spiIn ?? 0;
      const names: (string | undefined)[] = [];
      for (let messageId = 2; messageId < 40; messageId++) {
        const answer = await say(s, pen, messageId, childOffer(messageId + 4000, u32(spi)));
        const [refusal] = answer.filter((p) => p.kind === 'N');
        names.push(refusal?.kind === 'N' ? refusal.name : undefined);
        if (refusal === undefined) spi = messageId + 4000;
      }
      expect(names).toContain('NO_ADDITIONAL_SAS');
      expect(s.gateway.installed.size).toBeLessThanOrEqual(16);
      s.forgive(client);
    }),
  );

  it(
    'are refused without an address: no source could be theirs',
    story({ profiles: [{ phase1: { 'ipv4-end-ip': '10.10.1.1' } }] }, async (s) => {
      await s.connected();
      const second = await s.connect({ auth: asPsk('other.lab.test') });
      expect(second.status.notifyNames).toContain('INTERNAL_ADDRESS_FAILURE');
      second.createChild(s.now);
      await s.settle();
      expect(second.status.outcomes).toEqual([{ verb: 'create-child', ok: false, why: 'FAILED_CP_REQUIRED' }]);
      expect(second.installed).toBe(0);
      expect(s.gateway.installed.size).toBe(1);
    }),
  );

  it(
    'with selectors that nobody takes: TS_UNACCEPTABLE, and the rest stays',
    story({}, async (s) => {
      const client = await s.connected();
      client.createChild(s.now, {
        TSr: [selector('172.16.0.0/16')],
      });
      await s.settle();
      expect(client.status.outcomes).toEqual([{ verb: 'create-child', ok: false, why: 'TS_UNACCEPTABLE' }]);
      expect(s.gateway.told('child-refused')).toMatchObject([{ notify: 'TS_UNACCEPTABLE' }]);
      expectAgreement(s.gateway, client);
    }),
  );
});

const wide = selector('0.0.0.0/0');

/** A request for a child in the place of the one with this inbound SPI of the client's. */
function childOffer(spi: number, rekeys?: Uint8Array): readonly Payload[] {
  const transforms = [
    { type: 1, id: 12, keyLength: 128 },
    { type: 3, id: 12, keyLength: 0 },
    { type: 5, id: 0, keyLength: 0 },
  ];
  return [
    ...(rekeys === undefined ? [] : [notify('REKEY_SA', undefined, { protocol: 3, spi: rekeys })]),
    { kind: 'SA', proposals: [{ number: 1, protocol: 3, spi: u32(spi), transforms }] },
    { kind: 'NONCE', data: new Uint8Array(32).fill(spi & 0xff) },
    { kind: 'TSi', selectors: [wide] },
    { kind: 'TSr', selectors: [wide] },
  ];
}
const rekeyOf = (target: NotifyTarget): readonly Payload[] => [notify('REKEY_SA', undefined, target), ...childOffer(4000)];
const u32 = (n: number): Uint8Array => Uint8Array.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
