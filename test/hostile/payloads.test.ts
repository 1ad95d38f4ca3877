/**
 * Every payload of every message of a first exchange, damaged in every way that the lab client knows: what comes of it, as a
 * table. Whatever comes of it, nothing breaks, nothing is left over, and nobody is let in who has not proven who he is.
 */
import { describe, expect, it } from 'vitest';
import { identity } from '../../src/lab/index.ts';
import { expectAgreement } from '../story/support/agree.ts';
import { asCertificate, asPsk, asUser, byCertificate, Scene, type Wish } from '../story/support/scene.ts';
import { configOf, GATEWAY_NAME, type Shape } from '../support/configs.ts';

/**
 * in: established with a child, and both ends agree · bare: established without one · mute: no answer, the client gives up ·
 * syn: INVALID_SYNTAX · fail: AUTHENTICATION_FAILED · none: NO_PROPOSAL_CHOSEN · eap: EAP says no
 */
const table = `
message payload          | omit | duplicate | many | empty | zero | short | half | long | huge | flip
IKE_SA_INIT SA           | mute | mute      | mute | mute  | mute | mute  | mute | mute | mute | none
IKE_SA_INIT KE           | mute | mute      | mute | mute  | mute | syn   | syn  | syn  | syn  | mute
IKE_SA_INIT NONCE        | mute | mute      | mute | mute  | mute | mute  | mute | mute | mute | mute
IKE_SA_INIT V            | in   | in        | mute | in    | in   | in    | in   | in   | mute | in
IKE_SA_INIT N            | in   | in        | mute | mute  | in   | mute  | mute | mute | mute | in
psk IKE_AUTH IDi         | syn  | syn       | syn  | syn   | fail | fail  | fail | fail | fail | fail
psk IKE_AUTH IDr         | in   | syn       | syn  | syn   | in   | in    | in   | in   | in   | in
psk IKE_AUTH AUTH        | fail | syn       | syn  | syn   | fail | fail  | fail | fail | fail | fail
psk IKE_AUTH CP          | bare | syn       | syn  | syn   | bare | syn   | bare | syn  | syn  | syn
psk IKE_AUTH SA          | syn  | syn       | syn  | syn   | syn  | syn   | syn  | syn  | syn  | bare
psk IKE_AUTH TSi         | syn  | syn       | syn  | syn   | syn  | syn   | syn  | syn  | syn  | in
psk IKE_AUTH TSr         | syn  | syn       | syn  | syn   | syn  | syn   | syn  | syn  | syn  | in
psk IKE_AUTH N           | in   | in        | syn  | syn   | in   | syn   | syn  | in   | in   | syn
certificate IKE_AUTH IDi | syn  | syn       | syn  | syn   | fail | fail  | fail | fail | fail | fail
certificate IKE_AUTH CERT | fail | in       | mute | syn   | fail | fail  | fail | fail | mute | fail
certificate IKE_AUTH CERTREQ | in | in      | syn  | syn   | in   | in    | in   | in   | in   | in
certificate IKE_AUTH AUTH | fail | syn      | syn  | syn   | fail | fail  | fail | fail | fail | fail
eap IKE_AUTH#1 IDi       | syn  | syn       | syn  | syn   | fail | fail  | fail | fail | fail | fail
eap IKE_AUTH#1 CP        | bare | syn       | syn  | syn   | bare | syn   | bare | syn  | syn  | syn
eap IKE_AUTH#1 SA        | syn  | syn       | syn  | syn   | syn  | syn   | syn  | syn  | syn  | bare
eap IKE_AUTH#1 TSi       | syn  | syn       | syn  | syn   | syn  | syn   | syn  | syn  | syn  | in
eap IKE_AUTH#1 N         | in   | in        | syn  | syn   | in   | syn   | syn  | in   | in   | syn
eap IKE_AUTH#2 EAP       | syn  | syn       | syn  | syn   | syn  | syn   | syn  | in   | in   | eap
eap IKE_AUTH#3 EAP       | syn  | syn       | syn  | syn   | syn  | syn   | syn  | in   | in   | eap
eap IKE_AUTH#4 EAP       | syn  | syn       | syn  | syn   | syn  | syn   | syn  | in   | in   | eap
eap IKE_AUTH#5 AUTH      | syn  | syn       | syn  | syn   | fail | fail  | fail | fail | fail | fail
`;
const psk = configOf();
const certificate = configOf({ profiles: [{ shape: 'certificate' satisfies Shape }] });
const eap = configOf({ profiles: [{ shape: 'psk-eap' satisfies Shape }] });
const ways = {
  IKE_SA_INIT: { config: psk, wish: (): Wish => ({ auth: asPsk(), vendorIds: true }) },
  psk: { config: psk, wish: (): Wish => ({ auth: asPsk(), gatewayId: identity(GATEWAY_NAME), claims: 'VER=1\n' }) },
  certificate: { config: certificate, wish: (): Wish => ({ auth: asCertificate(), gateway: byCertificate() }) },
  eap: { config: eap, wish: (): Wish => ({ auth: asUser('alice'), claims: 'VER=1\n' }) },
} as const;

const [head = [], ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const cases = rows.map(([name = '', ...words]) => {
  const [first = '', ...rest] = name.split(' ');
  const way = first in ways ? ways[first as keyof typeof ways] : ways.psk; // `in` has looked
  const [message = '', kind = ''] = rest.length === 2 ? rest : [first, rest[0]];
  return { name, way, message, kind, cells: words.map((word, i) => [head[i + 1] ?? '', word] as const) };
});

describe.each(cases)('$name', ({ way, message, kind, cells }) => {
  for (const [change, word] of cells) {
    it(`${change}: ${word}`, async () => {
      const s = new Scene({ config: way.config });
      const impair = `${change}:${kind}@${message}`;
      const client = s.client({ ...way.wish(), impair, retransmit: { first: 1000, factor: 1, most: 1 } });
      s.forgive(client);
      client.start(s.now);
      await s.run({ until: () => client.at === 'established' || client.at === 'failed' });
      expect(wordFor(client.status)).toBe(word);
      if (word === 'in') expectAgreement(s.gateway, client);
      else expect(s.gateway.everInstalled).toEqual([]);
      if (word !== 'in' && word !== 'bare') expect(s.gateway.told('established')).toEqual([]);
      // and the next one does not notice
      const next = await s.connect({ ...way.wish(), address: '203.0.113.5' });
      expect(next.at).toBe('established');
      await s.end();
    });
  }
});

function wordFor({ at, why, children }: { at: string; why: string; children: readonly unknown[] }): string {
  if (at === 'established') return children.length === 1 ? 'in' : 'bare';
  if (why.startsWith('no answer')) return 'mute';
  if (why.startsWith('EAP: ')) return 'eap';
  const said = why.replace('the gateway says ', '');
  return { INVALID_SYNTAX: 'syn', AUTHENTICATION_FAILED: 'fail', NO_PROPOSAL_CHOSEN: 'none' }[said] ?? why;
}
