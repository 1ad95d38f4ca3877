import { describe, expect, it } from 'vitest';
import { type EspProposal, type IkeProposal, parseEspProposal, parseIkeProposal } from '../../../crypto/index.ts';
import { fortiName, fortiTransform } from '../../../src/ike/names.ts';
import { type ChildWanted, chooseChild, chooseIke } from '../../../src/ike/negotiate.ts';
import { type Proposal, Protocol, type Transform, TransformType } from '../../../src/wire/index.ts';
import { timed } from '../../support/cpu.ts';

const { ENCR, PRF, INTEG, DH, ESN } = TransformType;
const t = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });
const [AES128, AES256, GCM256, CHACHA] = [t(ENCR, 12, 128), t(ENCR, 12, 256), t(ENCR, 20, 256), t(ENCR, 28)];
const [SHA256, SHA384, NO_INTEG] = [t(INTEG, 12), t(INTEG, 13), t(INTEG, 0)];
const [PRF256, PRF384] = [t(PRF, 5), t(PRF, 6)];
const [MODP2048, ECP384, X25519, NO_DH] = [t(DH, 14), t(DH, 20), t(DH, 31), t(DH, 0)];
const [NO_ESN, WITH_ESN] = [t(ESN, 0), t(ESN, 1)];

const ike = (number: number, ...transforms: readonly Transform[]): Proposal => ({
  number,
  protocol: Protocol.IKE,
  spi: new Uint8Array(0),
  transforms,
});
const esp = (number: number, ...transforms: readonly Transform[]): Proposal => ({
  number,
  protocol: Protocol.ESP,
  spi: Uint8Array.of(0xc0, 0xff, 0xee, number),
  transforms,
});

function ikeWords(...words: readonly string[]): readonly IkeProposal[] {
  return words.map((word) => {
    const proposal = parseIkeProposal(word);
    if (proposal === undefined || 'unserved' in proposal) throw new Error(`${word} is not served`);
    return proposal;
  });
}

function espWords(...words: readonly string[]): readonly EspProposal[] {
  return words.map((word) => {
    const proposal = parseEspProposal(word);
    if (proposal === undefined || 'unserved' in proposal) throw new Error(`${word} is not served`);
    return proposal;
  });
}

const child = (words: readonly string[], more: Partial<ChildWanted> = {}): ChildWanted => ({
  proposals: espWords(...words),
  groups: [20],
  pfs: true,
  esn: 'disable',
  keGroup: 20,
  inAuth: false,
  ...more,
});

describe('choosing an IKE proposal (RFC 7296 §2.7, §3.3)', () => {
  const wanted = { proposals: ikeWords('aes128-sha256', 'aes256-sha256'), groups: [20, 31] };

  it("goes by the initiator's order of proposals, not by ours", () => {
    const offered = [ike(1, AES256, SHA256, PRF256, ECP384), ike(2, AES128, SHA256, PRF256, ECP384)];
    expect(chooseIke(offered, wanted, 20)).toMatchObject({ kind: 'chosen', encr: 12, keyLength: 256, proposal: { number: 1 } });
  });

  it('lets our order decide inside one proposal', () => {
    const offered = [ike(1, AES256, AES128, SHA256, PRF256, ECP384)];
    expect(chooseIke(offered, wanted, 20)).toMatchObject({ keyLength: 128 });
    const turned = { ...wanted, proposals: wanted.proposals.toReversed() };
    expect(chooseIke(offered, turned, 20)).toMatchObject({ keyLength: 256 });
  });

  it('answers with the number of the offer, one transform of each type and no SPI', () => {
    const rekey = { ...ike(7, PRF384, PRF256, X25519, ECP384, SHA384, SHA256, AES256, AES128), spi: new Uint8Array(8).fill(9) };
    const choice = chooseIke([rekey], wanted, 31);
    expect(choice).toMatchObject({ kind: 'chosen', group: 31, integ: 12, prf: 5, offered: rekey });
    expect(choice.kind === 'chosen' && choice.proposal).toEqual({
      number: 7,
      protocol: Protocol.IKE,
      spi: new Uint8Array(0),
      transforms: [AES128, PRF256, SHA256, X25519],
    });
  });

  it('brings the algorithms along', () => {
    const choice = chooseIke([ike(1, GCM256, PRF384, ECP384)], { proposals: ikeWords('aes256gcm-prfsha384'), groups: [20] }, 20);
    expect(choice).toMatchObject({ cipher: { name: 'AES_GCM_16_256', aead: true }, prfAlgorithm: { name: 'PRF_HMAC_SHA2_384' } });
  });

  it.each([
    { name: 'no ENCR', transforms: [SHA256, PRF256, ECP384] },
    { name: 'no PRF', transforms: [AES128, SHA256, ECP384] },
    { name: 'no INTEG beside AES-CBC', transforms: [AES128, PRF256, ECP384] },
    { name: 'INTEG NONE beside AES-CBC', transforms: [AES128, NO_INTEG, PRF256, ECP384] },
    { name: 'no group', transforms: [AES128, SHA256, PRF256] },
    { name: 'group NONE', transforms: [AES128, SHA256, PRF256, NO_DH] },
    { name: 'another key length', transforms: [t(ENCR, 12, 192), SHA256, PRF256, ECP384] },
    { name: 'AES without a key length', transforms: [t(ENCR, 12), SHA256, PRF256, ECP384] },
    { name: 'a key length on the PRF', transforms: [AES128, SHA256, t(PRF, 5, 256), ECP384] },
    { name: 'a key length on INTEG', transforms: [AES128, t(INTEG, 12, 256), PRF256, ECP384] },
    { name: 'a transform type that is not known', transforms: [AES128, SHA256, PRF256, ECP384, t(6, 35)] },
    { name: 'ESN, which IKE does not have', transforms: [AES128, SHA256, PRF256, ECP384, NO_ESN] },
    { name: 'nothing at all', transforms: [] },
  ])('passes over a proposal with $name and takes the next', ({ transforms }) => {
    const good = ike(2, AES128, SHA256, PRF256, ECP384);
    expect(chooseIke([ike(1, ...transforms)], wanted, 20)).toEqual({ kind: 'none' });
    expect(chooseIke([ike(1, ...transforms), good], wanted, 20)).toMatchObject({ kind: 'chosen', proposal: { number: 2 } });
  });

  it('passes over a proposal for another protocol', () => {
    expect(chooseIke([{ ...ike(1, AES128, SHA256, PRF256, ECP384), protocol: Protocol.ESP }], wanted, 20)).toEqual({
      kind: 'none',
    });
  });

  it('passes over a transform with an attribute that is not known, and over that transform alone (§3.3.6)', () => {
    const strange: Transform = { ...AES128, unknown: [{ type: 99, short: true, value: Uint8Array.of(0, 1) }] };
    expect(chooseIke([ike(1, strange, SHA256, PRF256, ECP384)], wanted, 20)).toEqual({ kind: 'none' });
    expect(chooseIke([ike(1, strange, AES256, SHA256, PRF256, ECP384)], wanted, 20)).toMatchObject({ keyLength: 256 });
    expect(chooseIke([ike(1, strange, AES128, SHA256, PRF256, ECP384)], wanted, 20)).toMatchObject({ keyLength: 128 });
  });

  it('takes AEAD with INTEG NONE, echoing it, and without INTEG, but not beside a real one (RFC 5282 §8)', () => {
    const gcm = { proposals: ikeWords('aes256gcm-prfsha256'), groups: [31] };
    const bare = chooseIke([ike(1, GCM256, PRF256, X25519)], gcm, 31);
    expect(bare.kind === 'chosen' && bare.proposal.transforms).toEqual([GCM256, PRF256, X25519]);
    const none = chooseIke([ike(1, GCM256, NO_INTEG, PRF256, X25519)], gcm, 31);
    expect(none.kind === 'chosen' && none.proposal.transforms).toEqual([GCM256, PRF256, NO_INTEG, X25519]);
    expect(none).toMatchObject({ integ: 0 });
    expect(chooseIke([ike(1, GCM256, SHA256, PRF256, X25519)], gcm, 31)).toEqual({ kind: 'none' });
  });

  it('takes ChaCha20-Poly1305 without a key length and with 256, and writes what the peer wrote', () => {
    const chacha = { proposals: ikeWords('chacha20poly1305-prfsha256'), groups: [31] };
    for (const bits of [0, 256]) {
      const choice = chooseIke([ike(1, t(ENCR, 28, bits), PRF256, X25519)], chacha, 31);
      expect(choice).toMatchObject({ kind: 'chosen', keyLength: bits, cipher: { aead: true } });
      expect(choice.kind === 'chosen' && choice.proposal.transforms[0]).toEqual(t(ENCR, 28, bits));
    }
    expect(chooseIke([ike(1, t(ENCR, 28, 128), PRF256, X25519)], chacha, 31)).toEqual({ kind: 'none' });
  });

  it("takes Android's order of groups with one round trip more, FortiClient's with none", () => {
    const android = [ike(1, GCM256, PRF256, t(DH, 16), X25519, t(DH, 15), MODP2048)];
    const gcm = { proposals: ikeWords('aes256gcm-prfsha256'), groups: [20, 14, 31] };
    expect(chooseIke(android, gcm, 16)).toMatchObject({ kind: 'invalid-ke', group: 14 });
    expect(chooseIke(android, gcm, 31)).toMatchObject({ kind: 'chosen', group: 31 });
    const forti = [20, 21].flatMap((group, i) => [ike(2 * i + 1, SHA256, AES128, t(DH, group), t(PRF, 4), PRF256)]);
    expect(chooseIke(forti, { proposals: ikeWords('aes128-sha256'), groups: [21, 20] }, 20)).toMatchObject({
      kind: 'chosen',
      group: 20,
    });
    expect(chooseIke(forti, { proposals: ikeWords('aes128-sha256'), groups: [21] }, 20)).toMatchObject({
      kind: 'invalid-ke',
      group: 21,
      proposal: { number: 3 },
    });
  });

  it('does not agree to a group that is offered and not configured, whatever the KE payload says', () => {
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, MODP2048)], wanted, 14)).toEqual({ kind: 'none' });
  });

  it('does not agree to a group of the KE payload that the proposal does not have', () => {
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, ECP384)], wanted, 31)).toMatchObject({ kind: 'invalid-ke', group: 20 });
  });

  it('does not agree to what is configured and cannot be done', () => {
    const strange = { proposals: [{ word: 'xcbc', encr: 12, keyLength: 128, integ: 5, prf: 4 }], groups: [20] };
    expect(chooseIke([ike(1, AES128, t(INTEG, 5), t(PRF, 4), ECP384)], strange, 20)).toEqual({ kind: 'none' });
    const group22 = { proposals: ikeWords('aes128-sha256'), groups: [22] };
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, t(DH, 22))], group22, 22)).toEqual({ kind: 'none' });
  });

  it('without a KE payload to look at takes the first of our groups', () => {
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, X25519, ECP384)], wanted)).toMatchObject({ kind: 'chosen', group: 20 });
  });

  it('chooses from what a strongSwan of Debian 12 offers', () => {
    const groups = [31, 32, 19, 20, 21, 28, 29, 30, 15, 16, 17, 18, 14].map((id) => t(DH, id));
    const prfs = [5, 6, 7, 4, 8, 2].map((id) => t(PRF, id));
    const cbc = [128, 192, 256].flatMap((bits) => [t(ENCR, 12, bits), t(ENCR, 13, bits), t(ENCR, 23, bits), t(ENCR, 24, bits)]);
    const integs = [12, 13, 14, 5, 8, 2].map((id) => t(INTEG, id));
    const aead = [16, 20, 28, 27, 14, 15, 18, 19].flatMap((id) => (id === 28 ? [CHACHA] : [t(ENCR, id, 128), t(ENCR, id, 256)]));
    const offered = [ike(1, ...cbc, t(ENCR, 3), ...prfs, ...integs, ...groups), ike(2, ...aead, ...prfs, ...groups)];
    const words = ['aes128-sha256', 'aes256-sha512', 'aes256gcm-prfsha384', 'chacha20poly1305-prfsha256'];
    for (const [i, word] of words.entries()) {
      const choice = chooseIke(offered, { proposals: ikeWords(word), groups: [31] }, 31);
      expect(choice).toMatchObject({ kind: 'chosen', proposal: { number: i < 2 ? 1 : 2 } });
    }
  });

  it('finds nothing in no proposals, and nothing to want', () => {
    expect(chooseIke([], wanted, 20)).toEqual({ kind: 'none' });
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, ECP384)], { proposals: [], groups: [20] }, 20)).toEqual({ kind: 'none' });
    expect(chooseIke([ike(1, AES128, SHA256, PRF256, ECP384)], { ...wanted, groups: [] }, 20)).toEqual({ kind: 'none' });
  });

  it('goes through the largest offer that can be decoded in milliseconds', () => {
    const bulk = Array.from({ length: 124 }, (_, i) => t(ENCR, 1000 + i, i));
    const offered = Array.from({ length: 64 }, (_, i) => ike(i + 1, ...bulk, SHA256, PRF256, ECP384));
    const many = {
      proposals: ikeWords('aes128-sha256', 'aes256-sha256', 'aes128gcm-prfsha256', 'aes256gcm-prfsha384'),
      groups: [20, 21, 31],
    };
    const { value, ms } = timed(() => chooseIke(offered, many, 20));
    expect(value).toEqual({ kind: 'none' });
    expect(ms).toBeLessThan(2500);
  });
});

describe('choosing a child proposal (RFC 7296 §3.3, §1.3)', () => {
  it('takes number, SPI and algorithms of the offer', () => {
    const choice = chooseChild([esp(3, AES256, SHA256, ECP384, NO_ESN)], child(['aes256-sha256']));
    expect(choice).toMatchObject({ kind: 'chosen', spi: 0xc0ffee03, encr: 12, keyLength: 256, integ: 12, esn: false, group: 20 });
    expect(choice.kind === 'chosen' && choice.proposal).toEqual({
      number: 3,
      protocol: Protocol.ESP,
      spi: new Uint8Array(0),
      transforms: [AES256, SHA256, ECP384, NO_ESN],
    });
  });

  it.each([
    { name: 'AH', proposal: { ...esp(1, SHA256, NO_ESN), protocol: Protocol.AH } },
    { name: 'an SPI of 8 octets', proposal: { ...esp(1, AES256, SHA256, ECP384, NO_ESN), spi: new Uint8Array(8).fill(1) } },
    { name: 'SPI 255', proposal: { ...esp(1, AES256, SHA256, ECP384, NO_ESN), spi: Uint8Array.of(0, 0, 0, 255) } },
    { name: 'SPI 0', proposal: { ...esp(1, AES256, SHA256, ECP384, NO_ESN), spi: new Uint8Array(4) } },
    { name: 'a PRF', proposal: esp(1, AES256, SHA256, PRF256, ECP384, NO_ESN) },
    { name: 'no ENCR', proposal: esp(1, SHA256, ECP384, NO_ESN) },
    { name: 'no INTEG beside AES-CBC', proposal: esp(1, AES256, ECP384, NO_ESN) },
  ])('passes over $name', ({ proposal }) => {
    expect(chooseChild([proposal], child(['aes256-sha256']))).toEqual({ kind: 'none' });
    expect(chooseChild([proposal, esp(2, AES256, SHA256, ECP384, NO_ESN)], child(['aes256-sha256']))).toMatchObject({
      spi: 0xc0ffee02,
    });
  });

  it('accepts SPI 256, the first that is not reserved', () => {
    const proposal = { ...esp(1, AES256, SHA256, ECP384, NO_ESN), spi: Uint8Array.of(0, 0, 1, 0) };
    expect(chooseChild([proposal], child(['aes256-sha256']))).toMatchObject({ kind: 'chosen', spi: 256 });
  });

  it('in IKE_AUTH passes over groups, for there is no KE payload (§1.2)', () => {
    const auth = child(['aes256-sha256'], { keGroup: undefined, inAuth: true });
    const bare = chooseChild([esp(1, AES256, SHA256, NO_ESN)], auth);
    expect(bare).toMatchObject({ kind: 'chosen', group: undefined });
    const groups = chooseChild([esp(1, AES256, SHA256, MODP2048, ECP384, NO_ESN)], auth);
    expect(groups.kind === 'chosen' && groups.proposal.transforms).toEqual([AES256, SHA256, NO_ESN]);
    const none = chooseChild([esp(1, AES256, SHA256, NO_DH, NO_ESN)], auth);
    expect(none.kind === 'chosen' && none.proposal.transforms).toEqual([AES256, SHA256, NO_DH, NO_ESN]);
  });

  it('with PFS wants a group, and the KE payload for it', () => {
    const offer = esp(1, AES256, SHA256, MODP2048, ECP384, NO_ESN);
    expect(chooseChild([offer], child(['aes256-sha256']))).toMatchObject({ kind: 'chosen', group: 20 });
    expect(chooseChild([offer], child(['aes256-sha256'], { keGroup: 14 }))).toMatchObject({ kind: 'invalid-ke', group: 20 });
    expect(chooseChild([offer], child(['aes256-sha256'], { keGroup: undefined }))).toMatchObject({
      kind: 'invalid-ke',
      group: 20,
    });
    expect(chooseChild([offer], child(['aes256-sha256'], { keGroup: 14, groups: [20, 14] }))).toMatchObject({
      kind: 'chosen',
      group: 14,
    });
    for (const transforms of [[], [NO_DH], [MODP2048]])
      expect(chooseChild([esp(1, AES256, SHA256, ...transforms, NO_ESN)], child(['aes256-sha256']))).toEqual({ kind: 'none' });
  });

  it('without PFS takes a rekey without KE, and NONE among groups, but no peer that insists on one', () => {
    const off = child(['aes256-sha256'], { pfs: false, keGroup: undefined });
    expect(chooseChild([esp(1, AES256, SHA256, NO_ESN)], off)).toMatchObject({ kind: 'chosen', group: undefined });
    const either = chooseChild([esp(1, AES256, SHA256, ECP384, NO_DH, NO_ESN)], { ...off, keGroup: 20 });
    expect(either).toMatchObject({ kind: 'chosen', group: undefined });
    expect(either.kind === 'chosen' && either.proposal.transforms).toContainEqual(NO_DH);
    expect(chooseChild([esp(1, AES256, SHA256, ECP384, NO_ESN)], { ...off, keGroup: 20 })).toEqual({ kind: 'none' });
  });

  it.each([
    { policy: 'require', offered: [NO_ESN, WITH_ESN], esn: true },
    { policy: 'require', offered: [WITH_ESN], esn: true },
    { policy: 'require', offered: [NO_ESN], esn: undefined },
    { policy: 'require', offered: [], esn: undefined },
    { policy: 'allow', offered: [NO_ESN, WITH_ESN], esn: true },
    { policy: 'allow', offered: [WITH_ESN], esn: true },
    { policy: 'allow', offered: [NO_ESN], esn: false },
    { policy: 'allow', offered: [], esn: false },
    { policy: 'disable', offered: [NO_ESN, WITH_ESN], esn: false },
    { policy: 'disable', offered: [WITH_ESN], esn: undefined },
    { policy: 'disable', offered: [NO_ESN], esn: false },
    { policy: 'disable', offered: [], esn: false },
    { policy: 'allow', offered: [t(ESN, 2)], esn: undefined },
  ] as const)('ESN $policy against $offered.length offered is $esn', ({ policy, offered, esn }) => {
    const choice = chooseChild([esp(1, AES256, SHA256, ECP384, ...offered)], child(['aes256-sha256'], { esn: policy }));
    if (esn === undefined) return expect(choice).toEqual({ kind: 'none' });
    expect(choice).toMatchObject({ kind: 'chosen', esn });
    const answered = choice.kind === 'chosen' ? choice.proposal.transforms.filter(({ type }) => type === ESN) : [];
    expect(answered).toEqual(offered.length === 0 ? [] : [esn ? WITH_ESN : NO_ESN]);
  });

  it('takes AES-GCM and ChaCha20-Poly1305 without INTEG', () => {
    const auth = { keGroup: undefined, inAuth: true };
    expect(chooseChild([esp(1, GCM256, NO_ESN)], child(['aes256gcm'], auth))).toMatchObject({
      kind: 'chosen',
      encr: 20,
      integ: 0,
    });
    expect(chooseChild([esp(1, t(ENCR, 28, 256), NO_ESN)], child(['chacha20poly1305'], auth))).toMatchObject({
      encr: 28,
      keyLength: 256,
    });
  });
});

describe("FortiOS' names of transforms", () => {
  it.each([
    [AES256, Protocol.IKE, 'ENCR', 'AES_CBC (key_len = 256)'],
    [GCM256, Protocol.ESP, 'ENCR', 'AES_GCM_16 (key_len = 256)'],
    [CHACHA, Protocol.IKE, 'ENCR', 'CHACHA20_POLY1305 (key_len = 256)'],
    [t(ENCR, 28, 256), Protocol.IKE, 'ENCR', 'CHACHA20_POLY1305 (key_len = 256)'],
    [t(ENCR, 3), Protocol.IKE, 'ENCR', '3DES_CBC'],
    [t(ENCR, 2), Protocol.IKE, 'ENCR', 'DES_CBC'],
    [t(ENCR, 11), Protocol.ESP, 'ENCR', 'ENCR_NULL'],
    [t(INTEG, 2), Protocol.IKE, 'INTEGR', 'AUTH_HMAC_SHA_96'],
    [SHA256, Protocol.IKE, 'INTEGR', 'AUTH_HMAC_SHA2_256_128'],
    [SHA384, Protocol.IKE, 'INTEGR', 'AUTH_HMAC_SHA2_384_192'],
    [t(INTEG, 1), Protocol.IKE, 'INTEGR', 'AUTH_HMAC_MD5_96'],
    [NO_INTEG, Protocol.IKE, 'INTEGR', 'AUTH_NONE'],
    [t(INTEG, 2), Protocol.ESP, 'INTEGR', 'SHA'],
    [SHA256, Protocol.ESP, 'INTEGR', 'SHA256'],
    [NO_INTEG, Protocol.ESP, 'INTEGR', 'NONE'],
    [t(PRF, 2), Protocol.IKE, 'PRF', 'PRF_HMAC_SHA'],
    [PRF256, Protocol.IKE, 'PRF', 'PRF_HMAC_SHA2_256'],
    [t(DH, 5), Protocol.IKE, 'DH_GROUP', 'MODP1536.'],
    [t(DH, 21), Protocol.IKE, 'DH_GROUP', 'ECP521.'],
    [MODP2048, Protocol.ESP, 'DH_GROUP', 'MODP2048'],
    [X25519, Protocol.ESP, 'DH_GROUP', 'CURVE25519'],
    [NO_ESN, Protocol.ESP, 'ESN', 'NO'],
    [WITH_ESN, Protocol.ESP, 'ESN', 'YES'],
  ] as const)('%o of protocol %i is %s %s', (transform, protocol, type, value) => {
    expect(fortiTransform(transform, protocol)).toEqual({ type, value });
  });

  it('names what FortiOS has no name for, and what nobody has', () => {
    expect(fortiName(ENCR, 13, 256)).toBe('AES_CTR (key_len = 256)');
    expect(fortiName(ENCR, 65535, 0)).toBe('65535');
    expect(fortiTransform(t(250, 9), Protocol.IKE)).toEqual({ type: '250', value: '9' });
    expect(fortiName(DH, 28, 0)).toBe('BRAINPOOL_P256R1');
    expect(fortiName(ESN, 7, 0)).toBe('7');
  });
});
