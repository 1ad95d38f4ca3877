import { describe, expect, it } from 'vitest';
import { issueCertificate, readPem } from '../../../crypto/index.ts';
import { answers } from '../../../src/daemon/answers.ts';

const [certificate] = readPem(
  issueCertificate({ subject: [['CN', 'ca']], key: 'p256', notBefore: 0, notAfter: 2_000_000_000, ca: {} }).certificate,
);
if (certificate === undefined) throw new Error('no certificate was made');
const posture = {
  about: 'posture',
  profile: 'dialup',
  rule: { tags: [], emsSnCheck: false, unknownDevice: 'deny', uidBinding: 'address' },
  device: { by: 'nothing', why: 'w' },
  named: undefined,
  token: undefined,
  announcedBy: undefined,
} as const;
const nobody = () => Promise.reject(new Error('nobody was to be asked about posture'));
const question = { about: 'certificate', leaf: certificate, intermediates: [], anchors: [] } as const;

describe('answers', () => {
  it('posture is answered by those who know it', async () => {
    const asked: unknown[] = [];
    const evidence = { device: { by: 'nothing', why: 'w' }, home: undefined, reports: [], token: { kind: 'none' } } as const;
    const answer = answers(
      (q) => {
        asked.push(q);
        return Promise.resolve(evidence);
      },
      () => 0,
    );
    expect(await answer(posture)).toEqual({ about: 'posture', evidence });
    expect(asked).toEqual([posture]);
  });

  it('a certificate is judged by the path validation, at the time that it is', async () => {
    const times: number[] = [];
    const answer = answers(
      nobody,
      () => 1234,
      (leaf, _intermediates, _anchors, at) => {
        times.push(at);
        return Promise.resolve({ ok: true, chain: [leaf] });
      },
    );
    expect(await answer(question)).toEqual({ about: 'certificate', verdict: { ok: true, chain: [certificate] } });
    expect(times).toEqual([1234]);
  });

  it('a path without an anchor is refused by the real one', async () => {
    expect(await answers(nobody, () => 1000)(question)).toMatchObject({ verdict: { ok: false } });
  });

  it('a validation that breaks refuses the certificate', async () => {
    const answer = answers(
      nobody,
      () => 0,
      () => Promise.reject(new Error('odd ASN.1')),
    );
    expect(await answer(question)).toEqual({
      about: 'certificate',
      verdict: { ok: false, why: 'path validation failed: odd ASN.1' },
    });
  });

  it('more than can be worked on is refused at once, and a finished one makes room', async () => {
    const { promise, resolve } = Promise.withResolvers<{ readonly ok: true; readonly chain: readonly [] }>();
    const answer = answers(
      nobody,
      () => 0,
      () => promise,
    );
    const working = Array.from({ length: 256 }, () => answer(question));
    expect(await answer(question)).toMatchObject({ verdict: { ok: false, why: expect.stringContaining('too many') } });
    resolve({ ok: true, chain: [] });
    await Promise.all(working);
    expect(await answer(question)).toMatchObject({ verdict: { ok: true } });
  });
});
