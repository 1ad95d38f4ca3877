/**
 * Public values that nobody may accept (RFC 6989, RFC 7748 §6), in every family of groups and in each of the three exchanges that
 * carry one: 0, 1, p-1, p, beyond, too short, too long, a bit off.
 */
import { describe, expect, it } from 'vitest';
import { Scene } from '../story/support/scene.ts';
import { configOf } from '../support/configs.ts';

const values = ['zero', 'one', 'p-1', 'p', 'ones', 'short', 'long', 'flip', 'empty'] as const;
type Value = (typeof values)[number];

/** Values that a group cannot refuse: they are good ones, and the two ends do not have the same secret. */
const good: Readonly<Record<number, readonly Value[]>> = {
  14: ['flip'],
  15: ['flip'],
  31: ['p-1', 'p', 'ones', 'flip'], // RFC 7748 §5: non-canonical values are taken modulo p
  32: ['p-1', 'p', 'ones', 'flip'],
};
/** MODP-2048 and -3072, the three NIST curves, a brainpool curve, and the two Montgomery curves. */
const groups = [14, 15, 19, 20, 21, 28, 31, 32];

describe.each(groups)('group %i', (group) => {
  const config = configOf({ profiles: [{ phase1: { dhgrp: `${group}` }, phase2: { pfs: 'enable', dhgrp: `${group}` } }] });
  const scene = () => new Scene({ config });

  it.each(values)('IKE_SA_INIT with %s', async (value) => {
    const s = scene();
    const client = s.client({
      groups: [group],
      impair: `ke:${value}@IKE_SA_INIT`,
      retransmit: { first: 1000, factor: 1, most: 1 },
    });
    client.start(s.now);
    await s.run({ until: () => client.at === 'failed' });
    if (good[group]?.includes(value)) {
      expect(client.status.why).toBe('no answer to IKE_AUTH');
      expect(s.gateway.count('drop-integrity')).toBeGreaterThan(0);
    } else {
      expect(client.status.why).toBe('the gateway says INVALID_SYNTAX');
      expect(s.gateway.told('init-refused')).toMatchObject([{ reason: 'syntax', why: expect.stringContaining('is refused') }]);
      expect(s.gateway.count('sas')).toBe(0);
    }
    expect(s.gateway.told('established')).toEqual([]);
    await s.end();
  });

  it.each(values.filter((value) => !good[group]?.includes(value)))('a rekey of the IKE SA with %s ends it', async (value) => {
    const s = scene();
    const client = await s.connected({ groups: [group], impair: `ke:${value}@CREATE_CHILD_SA` });
    s.forgive(client);
    client.rekeyIke(s.now);
    await s.settle();
    expect(client.status.why).toBe('the gateway says INVALID_SYNTAX');
    expect(s.gateway.told('closed')).toMatchObject([{ reason: 'syntax' }]);
    expect(s.gateway.told('ike-rekeyed')).toEqual([]);
    await s.end();
  });
});
