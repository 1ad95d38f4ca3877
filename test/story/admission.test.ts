/** IKE_SA_INIT: cookies and limits (§2.6), another group (§1.2), no common proposal and its explanation, wrong versions. */
import { describe, expect, it } from 'vitest';
import {
  decodeHeader,
  decodeMessage,
  hex,
  ikeSpi,
  notifyType,
  notifyTypeName,
  type Payload,
  unhex,
} from '../../src/wire/index.ts';
import { GATEWAY } from '../support/configs.ts';
import { expectAgreement } from './support/agree.ts';
import { firstMessage } from './support/forge.ts';
import { asPsk, asUser, messages, type Scene, story } from './support/scene.ts';

describe('stateless cookies (§2.6)', () => {
  it(
    'at a threshold of 0 everybody must show one, and the gateway keeps nothing before that',
    story({ settings: { 'half-open-cookie-threshold': '0' } }, async (s) => {
      const client = s.client();
      client.start(s.now);
      // HDR, SAi1, KEi, Ni  -->
      //                     <--  HDR, N(COOKIE)
      await s.run({ until: () => client.status.notifyNames.includes('COOKIE') });
      expect(s.gateway.engine.counters()).toMatchObject({ sas: 0, 'half-open': 0, timers: 0 });
      // HDR, N(COOKIE), SAi1, KEi, Ni  -->
      //                                <--  HDR, SAr1, KEr, Nr
      await s.run({ until: () => client.at === 'established' });
      expectAgreement(s.gateway, client);
      expect(s.gateway.said).toContain('0 half-open SAs, asking for a cookie');
    }),
  );

  it(
    'below the threshold nobody is asked, from it on everybody is',
    story({ settings: { 'half-open-cookie-threshold': '2' } }, async (s) => {
      s.net.filter = ({ octets }) => octets[18] !== 35; // nobody gets further than half-open
      const clients = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) => s.client({ address }));
      for (const client of clients) {
        client.start(s.now);
        await s.run({ ms: 100 });
      }
      expect(clients.map((c) => c.status.notifyNames.includes('COOKIE'))).toEqual([false, false, true]);
      expect(s.gateway.count('half-open')).toBe(3);
      for (const client of clients) client.deleteIke(s.now);
    }),
  );

  it(
    'one address must show a cookie once it has half of what it may have, and gets no more than that',
    story({ settings: { 'half-open-cookie-threshold': '1000', 'half-open-per-address': '4' } }, async (s) => {
      s.net.filter = ({ octets }) => octets[18] !== 35;
      const clients = [500, 501, 502, 503, 504].map((port) => s.client({ address: '198.51.100.1', local: at(port) }));
      const asked: boolean[] = [];
      for (const client of clients) {
        // one host, five ports: the network would give every answer to the first client
        client.start(s.now);
        const [datagram] = client.take();
        if (datagram !== undefined) s.net.inject(datagram);
        const before = s.gateway.sent.length;
        await s.run({ ms: 100 });
        const answer = s.gateway.sent[before];
        asked.push(answer !== undefined && namesIn(answer.octets).includes('COOKIE'));
        if (answer !== undefined) await bringCookieBack(s, client, answer);
        s.forgive(client);
      }
      expect(asked).toEqual([false, false, true, true, false]);
      expect(s.gateway.count('half-open')).toBe(4);
      expect(s.gateway.said).toContain('IKE_SA_INIT dropped: 4 half-open SAs of this address, the limit');
    }),
  );

  it(
    'a cookie is good for its address, SPI and nonce alone, and not for ever',
    story({ settings: { 'half-open-cookie-threshold': '0' } }, async (s) => {
      const request = (cookie: Uint8Array | undefined, o: { spi?: number; nonce?: number } = {}): Uint8Array =>
        firstMessage([...(cookie === undefined ? [] : [cookieOf(cookie)]), ...offer(o.nonce ?? 7)], {
          SPIi: ikeSpi(new Uint8Array(8).fill(o.spi ?? 1)),
        });
      const say = async (octets: Uint8Array, address = '198.51.100.1'): Promise<readonly string[]> => {
        const before = s.gateway.sent.length;
        s.net.inject({ from: { address, port: 500 }, to: { address: GATEWAY, port: 500 }, octets });
        await s.run({ ms: 50 });
        return s.gateway.sent.slice(before).flatMap((sent) => namesIn(sent.octets));
      };
      await say(request(undefined));
      const cookie = cookieIn(s.gateway.sent[0]?.octets);
      expect(cookie.length).toBeLessThanOrEqual(64);
      expect(await say(request(cookie), '198.51.100.2')).toEqual(['COOKIE']);
      expect(await say(request(cookie, { spi: 2 }))).toEqual(['COOKIE']);
      expect(await say(request(cookie, { nonce: 8 }))).toEqual(['COOKIE']);
      expect(await say(request(cookie.map((o, i) => (i === 5 ? o ^ 1 : o))))).toEqual(['COOKIE']);
      expect(await say(request(cookie))).not.toContain('COOKIE'); // a good one is answered with SA, KE and nonce
      expect(s.gateway.count('half-open')).toBe(1);
      await s.run({ ms: 5 * 60_000 });
      expect(await say(request(cookie))).toEqual(['COOKIE']);
    }),
  );

  it(
    'a cookie and then another group cost a client two more round trips, with the cookie kept (§2.6.1)',
    story({ settings: { 'half-open-cookie-threshold': '0' } }, async (s) => {
      // HDR, SAi1, KEi (19) --> N(COOKIE)  · N(COOKIE), KEi (19) --> N(INVALID_KE_PAYLOAD)  · N(COOKIE), KEi (31) --> SAr1
      const client = await s.connected({ groups: [19, 31] });
      const inInit = client.status.notifies.filter(({ exchange }) => exchange === 34).map(({ notify }) => notify.name);
      expect(inInit.slice(0, 2)).toEqual(['COOKIE', 'INVALID_KE_PAYLOAD']);
      expect(messages(s.net.passages, '198.51.100.1').filter((o) => o[18] === 34)).toHaveLength(3);
    }),
  );

  it(
    'the half-open limit of the whole gateway is kept, and clients get in again when others have given up',
    story({ settings: { 'half-open-max': '2', 'half-open-cookie-threshold': '1000' } }, async (s) => {
      const hanging = (d: { octets: Uint8Array }) => d.octets[18] !== 35;
      s.net.filter = hanging;
      for (const address of ['198.51.100.1', '198.51.100.2']) s.client({ address }).start(s.now);
      await s.run({ ms: 100 });
      const third = s.client({ address: '198.51.100.3', retransmit: { first: 5000, factor: 1, most: 20 } });
      third.start(s.now);
      await s.run({ ms: 1000 });
      expect(third.at).toBe('init');
      expect(s.gateway.count('half-open')).toBe(2);
      s.net.filter = (d) => hanging(d) || d.from.address === third.status.path.local.address || d.to.address === '198.51.100.3';
      expect(await s.run({ until: () => third.at === 'established', ms: 60_000 })).toBe(true); // negotiate-timeout frees them
    }),
  );

  it(
    'sa-max holds',
    story({ settings: { 'sa-max': '2' } }, async (s) => {
      await s.connected({ auth: asPsk('one.lab.test') });
      await s.refused({ auth: asUser('alice') }); // what is over does not count
      await s.connected({ auth: asPsk('two.lab.test') });
      const third = s.client({ address: '198.51.100.9' });
      third.start(s.now);
      await s.run({ ms: 500 });
      expect(s.gateway.views).toHaveLength(2);
      expect(third.at).toBe('init');
      third.deleteIke(s.now);
    }),
  );
});

describe('another group (§1.2)', () => {
  it(
    'INVALID_KE_PAYLOAD names the group, and nothing is kept of the first try',
    story({ profiles: [{ phase1: { dhgrp: '19 31' } }] }, async (s) => {
      // HDR, SAi1, KEi (20), Ni  -->
      //                          <--  HDR, N(INVALID_KE_PAYLOAD: 19)
      const client = await s.connected({ groups: [20, 19] });
      expect(client.status.suite?.group).toBe(19);
      expect(client.status.notifies[0]?.notify).toMatchObject({ name: 'INVALID_KE_PAYLOAD', data: 19 });
      expect(s.gateway.said).toContain('KE group 20 is not acceptable, asking for group 19 (INVALID_KE_PAYLOAD)');
      expect(s.gateway.told('init-refused')).toEqual([]); // a question, no refusal
    }),
  );

  it(
    'the group of the KE payload is taken when it may be, whatever comes first in dhgrp',
    story({ profiles: [{ phase1: { dhgrp: '19 31' } }] }, async (s) => {
      const client = await s.connected({ groups: [31, 19] });
      expect(client.status.suite?.group).toBe(31);
      expect(client.status.notifyNames).not.toContain('INVALID_KE_PAYLOAD');
    }),
  );
});

describe('no common proposal', () => {
  it(
    'is answered with the 36 octets of a FortiGate, and explained by what is wrong and what comes nearest',
    story({ profiles: [{ phase1: { proposal: 'aes256-sha256 aes256gcm-prfsha384', dhgrp: '14 20' } }] }, async (s) => {
      const why = await s.refused({ ikeProposals: ['aes128-sha256', 'aes256-sha512'], groups: [14] });
      expect(why).toBe('the gateway says NO_PROPOSAL_CHOSEN');
      const [request] = messages(s.net.passages, '198.51.100.1');
      const [answer] = s.gateway.sent;
      // Next Payload 41 (N), version 2.0, exchange 34, flags 0x20 (response), ID 0, 36 octets; N of 8 octets, type 14
      const SPIi = hex(request?.subarray(0, 8) ?? new Uint8Array(0));
      expect(hex(answer?.octets ?? new Uint8Array(0))).toBe(
        `${SPIi}000000000000000029202220000000000000002400000008${'0000000e'}`,
      );
      expect(s.gateway.said).toEqual(expect.arrayContaining(['my proposal, gw ra:', 'no proposal chosen, send error response']));
      const explained = s.gateway.said.filter((line) => /^proposal \d: /.test(line));
      expect(explained).toEqual([
        'proposal 1: ENCR: peer offers AES_CBC_128, ra accepts AES_CBC_256 AES_GCM_16_256; nearest: aes256-sha256',
        expect.stringMatching(
          /^proposal 2: INTEGR: peer offers AUTH_HMAC_SHA2_512_256, .*AUTH_HMAC_SHA2_256_128.*; nearest: aes256-sha256$/,
        ),
      ]);
      expect(s.gateway.told('init-refused')).toMatchObject([{ reason: 'no-proposal', remote: '198.51.100.1' }]);
      expect(s.gateway.count('sas')).toBe(0);
    }),
  );

  it(
    'a Windows client that offers MODP-1024 alone gets the fix by name',
    story({ profiles: [{ phase1: { proposal: 'aes256-sha256', dhgrp: '14 20' } }] }, async (s) => {
      const vendor: Payload = { kind: 'V', data: unhex('1e2b516905991c7d7c96fcbfb587e46100000009') };
      const octets = firstMessage([...offer(7, 2), vendor]);
      s.net.inject({ from: { address: '198.51.100.1', port: 500 }, to: { address: GATEWAY, port: 500 }, octets });
      await s.run({ ms: 50 });
      const [hint] = s.gateway.said.filter((line) => line.includes('Windows'));
      expect(hint).toMatch(/offers MODP1024 alone.*NegotiateDH2048_AES256 to 1.*Set-VpnConnectionIPsecConfiguration/);
      expect(s.gateway.told('init-refused')[0]?.why).toContain('NegotiateDH2048_AES256');
    }),
  );

  it(
    'no profile at this address is told apart from no common proposal',
    story({ profiles: [{ phase1: { 'local-gw': '192.0.2.99' } }] }, async (s) => {
      expect(await s.refused()).toBe('the gateway says NO_PROPOSAL_CHOSEN');
      expect(s.gateway.told('init-refused')).toMatchObject([{ reason: 'no-gateway', why: 'ra: it has local-gw 192.0.2.99' }]);
    }),
  );
});

describe('what belongs to no SA', () => {
  it(
    'version 3 is answered with INVALID_MAJOR_VERSION, version 2.1 is taken for 2.0, version 1 gets nothing (§2.5)',
    story({}, async (s) => {
      const three = await s.connect({ impair: 'version:major@IKE_SA_INIT', retransmit: { first: 100, factor: 1, most: 1 } });
      expect(three.at).toBe('failed');
      expect(s.gateway.sent.every((sent) => namesIn(sent.octets).join() === 'INVALID_MAJOR_VERSION')).toBe(true);
      expect(s.gateway.sent.length).toBeGreaterThan(0);
      const sent = s.gateway.sent.length;
      const one = firstMessage(offer(7));
      one[17] = 0x10;
      s.net.inject({ from: { address: '198.51.100.7', port: 500 }, to: { address: GATEWAY, port: 500 }, octets: one });
      await s.run({ ms: 50 });
      expect(s.gateway.sent.length).toBe(sent);
      await s.connected({ impair: 'version:minor' });
    }),
  );

  it(
    'answers that anybody can ask for are 50 in a second and no more',
    story({}, async (s) => {
      const stray = firstMessage([], { exchange: 37, SPIr: ikeSpi(new Uint8Array(8).fill(9)) });
      const flood = async (n: number) => {
        const before = s.gateway.sent.length;
        for (let i = 0; i < n; i++)
          s.net.inject({ from: { address: '198.51.100.7', port: 500 }, to: { address: GATEWAY, port: 500 }, octets: stray });
        await s.run({ ms: 10 });
        return s.gateway.sent.length - before;
      };
      expect(await flood(200)).toBe(50);
      await s.run({ ms: 1000 });
      expect(await flood(10)).toBe(10);
      expect(namesIn(s.gateway.sent[0]?.octets ?? stray)).toEqual(['INVALID_IKE_SPI']);
    }),
  );

  it(
    'a stray response, a keepalive and junk are answered by nothing',
    story({}, async (s) => {
      const response = firstMessage([], { exchange: 37, response: true, SPIr: ikeSpi(new Uint8Array(8).fill(9)) });
      const inits = [
        { response: true },
        { messageId: 1 },
        { SPIr: ikeSpi(new Uint8Array(8).fill(9)) },
        { SPIi: ikeSpi(new Uint8Array(8)) },
      ];
      const octets = [
        response,
        Uint8Array.of(0xff),
        new Uint8Array(0),
        new Uint8Array(27),
        ...inits.map((o) => firstMessage(offer(7), o)),
      ];
      for (const port of [500, 4500])
        for (const one of octets)
          s.net.inject({ from: { address: '198.51.100.7', port }, to: { address: GATEWAY, port }, octets: one });
      await s.run({ ms: 50 });
      expect(s.gateway.sent).toEqual([]);
      expect(s.gateway.count('sas')).toBe(0);
    }),
  );
});

const at = (port: number) => ({ address: '198.51.100.1', port });
const cookieOf = (data: Uint8Array): Payload => ({ kind: 'N', name: 'COOKIE', data, protocol: 0, spi: new Uint8Array(0) });

/** AES-CBC-128 with SHA-256 in group 31 unless said, and a nonce of one octet repeated. */
function offer(nonce: number, group = 31): readonly Payload[] {
  const transforms = [
    { type: 1, id: 12, keyLength: 128 },
    { type: 2, id: 5, keyLength: 0 },
    { type: 3, id: 12, keyLength: 0 },
    { type: 4, id: group, keyLength: 0 },
  ];
  const value = new Uint8Array(group === 31 ? 32 : 128).fill(9);
  return [
    { kind: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms }] },
    { kind: 'KE', group, data: value },
    { kind: 'NONCE', data: new Uint8Array(32).fill(nonce) },
  ];
}

function clearPayloads(octets: Uint8Array): readonly Payload[] {
  return decodeMessage(octets, decodeHeader(octets)).payloads;
}

const namesIn = (octets: Uint8Array): readonly string[] =>
  clearPayloads(octets).flatMap((p) => (p.kind === 'N' ? [notifyTypeName(notifyType(p))] : []));

function cookieIn(octets: Uint8Array | undefined): Uint8Array {
  const found = octets && clearPayloads(octets).find((p) => p.kind === 'N' && p.name === 'COOKIE');
  if (found?.kind !== 'N' || found.name !== 'COOKIE') throw new Error('no cookie');
  return found.data;
}

/** Hands an answer to a client that is one of several on one host, and its next datagram to the gateway. */
async function bringCookieBack(s: Scene, client: Scene['clients'][number], answer: { octets: Uint8Array }): Promise<void> {
  if (!namesIn(answer.octets).includes('COOKIE')) return;
  client.datagram(answer.octets, s.now);
  for (const datagram of client.take()) s.net.inject(datagram);
  await s.run({ ms: 100 });
}
