/**
 * Proposals that are no proposals: a transform type that is missing, there twice, NONE, or of numbers nobody knows (§3.3). None
 * may break anything, and none may be chosen that the gateway cannot do.
 */
import { describe, expect, it } from 'vitest';
import type { Transform } from '../../src/wire/index.ts';
import { expectAgreement } from '../story/support/agree.ts';
import { Scene } from '../story/support/scene.ts';
import { configOf } from '../support/configs.ts';

const config = configOf({
  profiles: [
    { phase1: { proposal: 'aes128-sha256 aes128gcm-prfsha256', dhgrp: '31' }, phase2: { proposal: 'aes128-sha256 aes128gcm' } },
  ],
});
const t = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });
const [ENCR, PRF, INTEG, DH, NO_ESN] = [t(1, 12, 128), t(2, 5), t(3, 12), t(4, 31), t(5, 0)];
const GCM = t(1, 20, 128);
const odd = (transform: Transform): Transform => ({
  ...transform,
  unknown: [{ type: 99, short: true, value: Uint8Array.of(0, 1) }],
});

const ike: readonly (readonly [string, readonly Transform[], 'in' | 'none'])[] = [
  ['as it should be', [ENCR, PRF, INTEG, DH], 'in'],
  ['in another order', [DH, INTEG, PRF, ENCR], 'in'],
  ['everything twice', [ENCR, ENCR, PRF, PRF, INTEG, INTEG, DH, DH], 'in'],
  ['AEAD with INTEG NONE', [GCM, PRF, t(3, 0), DH], 'in'],
  ['AEAD without INTEG', [GCM, PRF, DH], 'in'],
  ['a good one among strange ones', [t(1, 65_535, 65_535), ENCR, t(2, 0), PRF, INTEG, t(4, 65_535), DH], 'in'],
  ['nothing at all', [], 'none'],
  ['no ENCR', [PRF, INTEG, DH], 'none'],
  ['no PRF', [ENCR, INTEG, DH], 'none'],
  ['no INTEG', [ENCR, PRF, DH], 'none'],
  ['no DH', [ENCR, PRF, INTEG], 'none'],
  ['DH NONE', [ENCR, PRF, INTEG, t(4, 0)], 'none'],
  ['INTEG NONE without AEAD', [ENCR, PRF, t(3, 0), DH], 'none'],
  ['PRF 0', [ENCR, t(2, 0), INTEG, DH], 'none'],
  ['AEAD with INTEG', [GCM, PRF, INTEG, DH], 'none'],
  ['ENCR NULL', [t(1, 11), PRF, INTEG, DH], 'none'],
  ['a key length of 0', [t(1, 12, 0), PRF, INTEG, DH], 'none'],
  ['a key length of 1', [t(1, 12, 1), PRF, INTEG, DH], 'none'],
  ['a key length of 65528', [t(1, 12, 65_528), PRF, INTEG, DH], 'none'],
  ['a longer key than is configured', [t(1, 12, 256), PRF, INTEG, DH], 'none'],
  ['an attribute nobody knows (§3.3.6)', [odd(ENCR), PRF, INTEG, DH], 'none'],
  ['a transform type nobody knows (§3.3.6)', [ENCR, PRF, INTEG, DH, t(77, 1)], 'none'],
  ['ESN in a proposal for IKE', [ENCR, PRF, INTEG, DH, NO_ESN], 'none'],
];

describe('of an IKE SA', () => {
  it.each(ike)('%s', async (_, transforms, word) => {
    const s = new Scene({ config });
    const client = await s.connect({ ikeProposals: [transforms] });
    if (word === 'in') expectAgreement(s.gateway, client);
    else expect(client.status.why).toBe('the gateway says NO_PROPOSAL_CHOSEN');
    await s.end();
  });
});

/**
 * `theirs`: the gateway takes it, answers without that type, and the lab client, who misses a transform of it in the answer
 * (§2.7, §3.3.3), takes the child back. An absent ESN is read as none, for old initiators leave it out; a group in IKE_AUTH is
 * passed over, since the answer must not have one either (§1.2).
 */
const esp: readonly (readonly [string, readonly Transform[], 'in' | 'theirs' | 'none'])[] = [
  ['as it should be', [ENCR, INTEG, NO_ESN], 'in'],
  ['without ESN, as some leave it out', [ENCR, INTEG], 'theirs'],
  ['AEAD', [GCM, NO_ESN], 'in'],
  ['with a group, which has no meaning in IKE_AUTH', [ENCR, INTEG, DH, NO_ESN], 'theirs'],
  ['with group NONE', [ENCR, INTEG, t(4, 0), NO_ESN], 'in'],
  ['nothing at all', [], 'none'],
  ['no ENCR', [INTEG, NO_ESN], 'none'],
  ['no INTEG', [ENCR, NO_ESN], 'none'],
  ['ENCR NULL', [t(1, 11), INTEG, NO_ESN], 'none'],
  ['ENCR NULL without INTEG', [t(1, 11), NO_ESN], 'none'],
  ['ESN alone, which is not configured', [ENCR, INTEG, t(5, 1)], 'none'],
  ['an ESN of 2', [ENCR, INTEG, t(5, 2)], 'none'],
  ['a PRF in a proposal for ESP', [ENCR, INTEG, PRF, NO_ESN], 'none'],
  ['an attribute nobody knows', [odd(ENCR), INTEG, NO_ESN], 'none'],
];

describe('of a child SA', () => {
  it.each(esp)('%s', async (_, transforms, word) => {
    const s = new Scene({ config });
    const client = await s.connect({ espProposals: [transforms] });
    expect(client.at).toBe('established');
    if (word === 'in') {
      expect(client.installed).toBe(1);
      expectAgreement(s.gateway, client);
    } else if (word === 'theirs') {
      expect(s.gateway.everInstalled.map((keys) => keys.child.suite.esn)).toEqual([false]);
      expect(client.status.violations).toEqual([expect.stringMatching(/^first child: SA: /)]);
      s.forgive(client);
      await s.settle();
      expect(client.installed).toBe(0);
      expect(s.gateway.installed.size).toBe(0);
    } else {
      expect(s.gateway.everInstalled).toEqual([]);
      expect(client.installed).toBe(0);
      expect(client.status.notifyNames.at(-1)).toBe('NO_PROPOSAL_CHOSEN');
    }
    await s.end();
  });
});
