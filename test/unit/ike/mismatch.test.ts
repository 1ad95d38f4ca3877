import { describe, expect, it } from 'vitest';
import {
  type EspProposal,
  type IkeProposal,
  parseEspProposal,
  parseIkeProposal,
  type UnservedWord,
} from '../../../crypto/index.ts';
import {
  childMismatches,
  explain,
  explainChild,
  isWindows,
  mismatches,
  type WantedChild,
  type WantedIke,
} from '../../../src/ike/mismatch.ts';
import { type Proposal, Protocol, type Transform, TransformType, unhex } from '../../../src/wire/index.ts';
import { timed } from '../../support/cpu.ts';

const { ENCR, PRF, INTEG, DH, ESN } = TransformType;
const t = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });
const [AES128, AES256, SHA256, PRF256] = [t(ENCR, 12, 128), t(ENCR, 12, 256), t(INTEG, 12), t(PRF, 5)];
const [MODP1024, ECP384, NO_ESN] = [t(DH, 2), t(DH, 20), t(ESN, 0)];

const ike = (number: number, ...transforms: readonly Transform[]): Proposal => ({
  number,
  protocol: Protocol.IKE,
  spi: new Uint8Array(0),
  transforms,
});
const esp = (number: number, ...transforms: readonly Transform[]): Proposal => ({
  number,
  protocol: Protocol.ESP,
  spi: Uint8Array.of(1, 2, 3, 4),
  transforms,
});

function served<P extends { readonly encr: number }>(proposal: P | UnservedWord | undefined): P {
  if (proposal === undefined || 'unserved' in proposal) throw new Error('not a word that is served');
  return proposal;
}
const profile = (name: string, words: readonly string[], groups: readonly number[] = [20, 21, 31]): WantedIke => ({
  name,
  proposals: words.map((word): IkeProposal => served<IkeProposal>(parseIkeProposal(word))),
  groups,
});
const phase2 = (words: readonly string[], more: Partial<WantedChild> = {}): WantedChild => ({
  name: 'DY',
  proposals: words.map((word): EspProposal => served<EspProposal>(parseEspProposal(word))),
  groups: [20],
  pfs: true,
  ...more,
});

const WINDOWS = unhex('1e2b516905991c7d7c96fcbfb587e46100000009');
const STRONGSWAN = unhex('882fe56d6fd20dbc2251613b2ebe5beb');

describe('why an IKE proposal was not chosen', () => {
  const dialup = profile('dialup', ['aes128-sha256', 'aes256-sha256']);

  it('names the first transform type without common ground and the nearest configured proposal', () => {
    expect(explain([ike(1, AES256, SHA256, PRF256, MODP1024)], [dialup], [])).toEqual([
      'proposal 1: DH_GROUP: peer offers MODP1024, dialup accepts ECP384 ECP521 CURVE25519; nearest: aes256-sha256',
    ]);
    expect(explain([ike(1, t(ENCR, 3), SHA256, PRF256, MODP1024)], [dialup], [])).toEqual([
      'proposal 1: ENCR: peer offers 3DES_CBC, dialup accepts AES_CBC_128 AES_CBC_256; nearest: aes128-sha256',
    ]);
  });

  it('gives the same as data', () => {
    expect(mismatches([ike(4, AES256, SHA256, PRF256, MODP1024)], [dialup])).toMatchObject([
      {
        proposal: 4,
        kind: 'type',
        type: DH,
        offered: [MODP1024],
        accepted: [t(DH, 20), t(DH, 21), t(DH, 31)],
        nearest: { word: 'aes256-sha256', name: 'dialup' },
      },
    ]);
  });

  it('has one record for each received proposal, in their order', () => {
    const offered = [
      ike(1, AES256, SHA256, PRF256, MODP1024),
      ike(2, AES256, t(INTEG, 2), PRF256, ECP384),
      ike(3, AES256, SHA256, t(PRF, 2), ECP384),
    ];
    expect(mismatches(offered, [dialup]).map(({ proposal, type }) => [proposal, type])).toEqual([
      [1, DH],
      [2, INTEG],
      [3, PRF],
    ]);
  });

  it('says what is missing', () => {
    const [found] = mismatches([ike(1, AES256, SHA256, PRF256)], [dialup]);
    expect(found).toMatchObject({ kind: 'missing', type: DH });
    expect(found?.text).toBe(
      'proposal 1: DH_GROUP: peer offers none, dialup accepts ECP384 ECP521 CURVE25519; nearest: aes256-sha256',
    );
  });

  it('says when a value fits elsewhere, but not with the rest of the proposal', () => {
    const mixed = profile('dialup', ['aes128-sha256', 'aes256-sha1']);
    const [found] = mismatches([ike(1, AES256, SHA256, PRF256, ECP384)], [mixed]);
    expect(found).toMatchObject({ kind: 'together', type: INTEG, nearest: { word: 'aes128-sha256' } });
    expect(found?.text).toBe(
      'proposal 1: INTEGR: peer offers AUTH_HMAC_SHA2_256_128, ' +
        'with the rest of it dialup accepts AUTH_HMAC_SHA_96; nearest: aes128-sha256',
    );
  });

  it('says why a proposal is not looked into', () => {
    expect(explain([{ ...ike(1, AES256), protocol: Protocol.ESP }], [dialup], [])).toEqual([
      'proposal 1: it is for ESP, not for IKE',
    ]);
    expect(explain([ike(2, AES256, SHA256, PRF256, ECP384, t(6, 36))], [dialup], [])).toEqual([
      'proposal 2: transform type 6 is not known in a proposal for IKE',
    ]);
  });

  it('marks transforms that have an attribute which is not known', () => {
    const strange = { ...AES256, unknown: [{ type: 99, short: true, value: Uint8Array.of(0, 1) }] };
    expect(explain([ike(1, strange, SHA256, PRF256, ECP384)], [dialup], [])[0]).toContain(
      'peer offers AES_CBC_256(unknown attribute)',
    );
  });

  it('shows AES without a key length as what it is', () => {
    expect(explain([ike(1, t(ENCR, 12), SHA256, PRF256, ECP384)], [dialup], [])[0]).toContain(
      'peer offers AES_CBC, dialup accepts',
    );
  });

  it('searches the nearest proposal in all gateways that were asked', () => {
    const legacy = profile('legacy', ['aes256-sha1'], [14]);
    expect(explain([ike(1, AES256, t(INTEG, 2), t(PRF, 2), MODP1024)], [dialup, legacy], [])).toEqual([
      'proposal 1: DH_GROUP: peer offers MODP1024, 2 gateways accept MODP2048; nearest: aes256-sha1 of legacy',
    ]);
  });

  it('says so when there is nothing to compare', () => {
    expect(explain([], [dialup], [])).toEqual(['the peer offers no proposal']);
    expect(explain([ike(1, AES256)], [], [])).toEqual(['proposal 1: no proposal is configured']);
  });

  it('has no record for a proposal in which all fits, and words for the case that no backend has it', () => {
    expect(mismatches([ike(1, AES128, SHA256, PRF256, ECP384)], [dialup])).toEqual([]);
    expect(explain([ike(1, AES128, SHA256, PRF256, ECP384)], [dialup], [])).toEqual([
      'the algorithms that both ends name are not in this build',
    ]);
  });

  it('stays short and quick whatever is offered', () => {
    const bulk = Array.from({ length: 127 }, (_, i) => t(ENCR, 1000 + i, i));
    const offered = Array.from({ length: 64 }, (_, i) => ike(i + 1, ...bulk, ECP384));
    const profiles = Array.from({ length: 50 }, (_, i) => profile(`gateway${i}`, ['aes128-sha256', 'aes256gcm-prfsha384']));
    const { value: lines, ms } = timed(() => explain(offered, profiles, []));
    expect(ms).toBeLessThan(2500);
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toBe('and 56 more proposals');
    expect(lines[0]).toContain(' and 119 more, 50 gateways accept ');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(400);
  });
});

describe('the fix for Windows by name', () => {
  const offered = [ike(1, AES256, SHA256, PRF256, MODP1024), ike(2, AES256, t(INTEG, 13), t(PRF, 6), MODP1024)];
  const hint = (groups: readonly number[], vendorIds: readonly Uint8Array[], proposals: readonly Proposal[] = offered) =>
    explain(proposals, [profile('dialup', ['aes256-sha256'], groups)], vendorIds).find((line) => line.includes('Windows'));

  it('is the registry value and PowerShell when group 14 is configured', () => {
    expect(hint([14, 20], [WINDOWS])).toBe(
      'this Windows client offers MODP1024 alone, as it does by default; on the client set the DWORD value ' +
        'NegotiateDH2048_AES256 to 1 in HKLM\\SYSTEM\\CurrentControlSet\\Services\\RasMan\\Parameters, or run ' +
        'Set-VpnConnectionIPsecConfiguration with -DHGroup Group14 or ECP384',
    );
  });

  it('is PowerShell when a curve that Windows knows is configured, and dhgrp when none of its groups is', () => {
    expect(hint([20, 21], [WINDOWS])).toContain(
      'run Set-VpnConnectionIPsecConfiguration with -DHGroup ECP384 (its registry value',
    );
    expect(hint([19], [WINDOWS])).toContain('-DHGroup ECP256');
    expect(hint([31], [WINDOWS])).toContain('add 14, 19 or 20 to dhgrp here');
  });

  it('is for nobody else: not for another client, nor for a Windows that offers more', () => {
    expect(hint([14], [])).toBeUndefined();
    expect(hint([14], [STRONGSWAN])).toBeUndefined();
    expect(hint([20], [WINDOWS], [...offered, ike(3, AES256, SHA256, PRF256, t(DH, 14))])).toBeUndefined();
    expect(hint([20], [WINDOWS], [ike(1, AES256, SHA256, PRF256)])).toBeUndefined();
  });

  it('knows Windows by any of its vendor IDs, with and without a version behind', () => {
    for (const id of [
      '214ca4faffa7f32d6748e5303395ae83',
      'e3a5966a76379fe707228231e5ce8652',
      '01528bbbc00696121849ab9a1c5b2a5100000002',
    ])
      expect(isWindows([STRONGSWAN, unhex(id)])).toBe(true);
    expect(isWindows([WINDOWS.subarray(0, 16)])).toBe(true);
    expect(isWindows([WINDOWS.subarray(0, 15)])).toBe(false);
    expect(isWindows([])).toBe(false);
  });
});

describe('why a child proposal was not chosen', () => {
  it("uses FortiOS' names for ESP", () => {
    expect(explainChild([esp(1, AES256, t(INTEG, 2), NO_ESN)], phase2(['aes256-sha256', 'aes256gcm']), 'disable', true)).toEqual([
      'proposal 1: INTEGR: peer offers SHA, DY accepts SHA256; nearest: aes256-sha256',
    ]);
  });

  it('asks for a group only with PFS, outside IKE_AUTH', () => {
    const offered = [esp(1, AES256, SHA256, NO_ESN)];
    const wanted = phase2(['aes256-sha256']);
    expect(childMismatches(offered, wanted, 'disable', false)).toMatchObject([{ kind: 'missing', type: DH, accepted: [ECP384] }]);
    expect(childMismatches(offered, wanted, 'disable', true)).toEqual([]);
    expect(childMismatches(offered, { ...wanted, pfs: false }, 'disable', false)).toEqual([]);
    expect(explainChild([esp(1, AES256, SHA256, ECP384, NO_ESN)], { ...wanted, pfs: false }, 'disable', false)).toEqual([
      'proposal 1: DH_GROUP: peer offers ECP384, DY accepts NONE; nearest: aes256-sha256',
    ]);
  });

  it('speaks of ESN last', () => {
    const wanted = phase2(['aes256-sha256'], { pfs: false });
    expect(explainChild([esp(1, AES256, SHA256, NO_ESN)], wanted, 'require', true)).toEqual([
      'proposal 1: ESN: peer offers NO, DY accepts YES; nearest: aes256-sha256',
    ]);
    expect(childMismatches([esp(1, AES256, SHA256)], wanted, 'require', true)).toMatchObject([{ kind: 'missing', type: ESN }]);
    expect(childMismatches([esp(1, AES256, SHA256)], wanted, 'allow', true)).toEqual([]);
    expect(childMismatches([esp(1, AES256, SHA256, t(ESN, 1))], wanted, 'disable', true)).toMatchObject([
      { kind: 'type', type: ESN },
    ]);
  });

  it('says why a proposal is not looked into', () => {
    const wanted = phase2(['aes256-sha256']);
    expect(explainChild([{ ...esp(1, SHA256, NO_ESN), protocol: Protocol.AH }], wanted, 'disable', true)).toEqual([
      'proposal 1: it is for AH, not for ESP',
    ]);
    expect(explainChild([{ ...esp(1, AES256, SHA256), spi: Uint8Array.of(0, 0, 0, 7) }], wanted, 'disable', true)).toEqual([
      'proposal 1: its SPI is a reserved one',
    ]);
  });
});
