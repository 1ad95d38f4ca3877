import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Certificate, certificateMatches, readCertificate, validatePath, verifySignature } from '../../../crypto/index.ts';
import { algorithmIdentifier, readAlgorithmIdentifier } from '../../../crypto/scheme.ts';
import { family, issue, NOW } from '../../support/pki.ts';

const seed = 20260118;
const { root, intermediate } = family('p256');
const full = issue({
  cn: 'leaf',
  issuer: intermediate,
  dns: ['vpn.lab.test'],
  emails: ['alice@lab.test'],
  addresses: [new Uint8Array(4)],
  eku: ['clientAuth'],
  permitted: { dns: ['lab.test'] },
}).cert;

/** The certificate, or undefined when it was refused in the way that is promised. */
function read(octets: Uint8Array): Certificate | undefined {
  try {
    return readCertificate(octets);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toMatch(/^Error: (not a usable X\.509 certificate: |a certificate of \d+ octets)/);
    return undefined;
  }
}

describe('damaged certificates', () => {
  it('the undamaged one passes', async () => {
    expect((await validatePath(full, [intermediate.cert], [root.cert], NOW)).ok).toBe(true);
  });

  it('are refused or read, printable, and never pass validation', async () => {
    const damage = fc.array(fc.tuple(fc.nat(full.der.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const octets = full.der.slice();
        for (const [at, mask] of changes) octets[at] = (octets[at] ?? 0) ^ mask;
        fc.pre(Buffer.compare(octets, full.der) !== 0);
        const cert = read(octets);
        if (cert === undefined) return;
        expect(`${cert.subject}${cert.issuer}${cert.cn}${cert.dns}${cert.emails}`).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect((await validatePath(cert, [intermediate.cert], [root.cert], NOW)).ok).toBe(false);
      }),
      { seed, numRuns: 1500 },
    );
  });

  it('cut anywhere are refused', () => {
    for (let length = 0; length < full.der.length; length++) expect(read(full.der.subarray(0, length))).toBeUndefined();
  });

  it('made of noise are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        expect(read(octets)).toBeUndefined();
        expect(certificateMatches(full, 9, octets)).toBe(false);
      }),
      { seed, numRuns: 500 },
    );
  });
});

describe('noise as AUTH data', () => {
  it('is never a signature and never a fault', () => {
    const signed = new Uint8Array(100);
    const headed = fc
      .tuple(fc.nat(255), fc.uint8Array({ maxLength: 300 }))
      .map(([length, rest]) => Uint8Array.of(length, 0x30, Math.max(0, length - 2), ...rest));
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 9, 10, 11, 14), fc.oneof(fc.uint8Array({ maxLength: 600 }), headed), (method, data) => {
        const verdict = verifySignature(full, method, data, signed);
        expect(verdict.ok).toBe(false);
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('is never an AlgorithmIdentifier that throws', () => {
    const pss = algorithmIdentifier({ kind: 'rsa-pss', hash: 'sha256', salt: 32 });
    fc.assert(
      fc.property(fc.nat(pss.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(pss.length), (at, mask, cut) => {
        const octets = pss.slice(0, cut === 0 ? undefined : cut);
        octets[at] = (octets[at] ?? 0) ^ mask;
        const scheme = readAlgorithmIdentifier(octets);
        if (!('why' in scheme)) expect(['rsa-pss', 'rsa-pkcs1']).toContain(scheme.kind);
      }),
      { seed, numRuns: 2000 },
    );
  });
});
