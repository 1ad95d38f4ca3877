/**
 * What holds for every offer of proposals (RFC 7296 §2.7, §3.3.6): an answer is one transform of each offered type, taken from
 * one offered proposal and allowed by one configured; nothing is chosen exactly when every proposal has its reason.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type EspProposal,
  espProposalWords,
  type IkeProposal,
  ikeProposalWords,
  parseEspProposal,
  parseIkeProposal,
} from '../../crypto/index.ts';
import { childMismatches, explain, explainChild, mismatches } from '../../src/ike/mismatch.ts';
import { chooseChild, chooseIke } from '../../src/ike/negotiate.ts';
import { type Proposal, Protocol, type Transform, TransformType } from '../../src/wire/index.ts';

const fixed = { seed: 7296, numRuns: 500 };

const { ENCR, PRF, INTEG, DH, ESN } = TransformType;
const t = (type: number, id: number, keyLength = 0): Transform => ({ type, id, keyLength });

const servedIke = ikeProposalWords.flatMap((word): readonly IkeProposal[] => {
  const proposal = parseIkeProposal(word);
  return proposal === undefined || 'unserved' in proposal ? [] : [proposal];
});
const servedEsp = espProposalWords.flatMap((word): readonly EspProposal[] => {
  const proposal = parseEspProposal(word);
  return proposal === undefined || 'unserved' in proposal ? [] : [proposal];
});

const encr = fc.constantFrom(
  t(ENCR, 12, 128),
  t(ENCR, 12, 256),
  t(ENCR, 20, 256),
  t(ENCR, 28),
  t(ENCR, 28, 256),
  t(ENCR, 12),
  t(ENCR, 3),
);
const integ = fc.constantFrom(t(INTEG, 0), t(INTEG, 2), t(INTEG, 12), t(INTEG, 13));
const prf = fc.constantFrom(t(PRF, 2), t(PRF, 5), t(PRF, 6), t(PRF, 4));
const dh = fc.constantFrom(t(DH, 0), t(DH, 2), t(DH, 14), t(DH, 20), t(DH, 31), t(DH, 1031));
const esn = fc.constantFrom(t(ESN, 0), t(ESN, 1));
const strange = fc.constantFrom<Transform>(t(6, 36), {
  ...t(ENCR, 12, 128),
  unknown: [{ type: 9, short: true, value: new Uint8Array(2) }],
});

/** Mostly some of each type; now and then none of one, or something strange among them; in any order. */
function transforms(...types: readonly fc.Arbitrary<Transform>[]): fc.Arbitrary<readonly Transform[]> {
  const none = fc.constant<readonly Transform[]>([]);
  const each = types.map((type) =>
    fc.oneof({ weight: 7, arbitrary: fc.array(type, { minLength: 1, maxLength: 4 }) }, { weight: 1, arbitrary: none }),
  );
  const rare = fc.oneof({ weight: 9, arbitrary: none }, { weight: 1, arbitrary: fc.array(strange, { maxLength: 1 }) });
  return fc.tuple(...each, rare).chain((lists) => fc.shuffledSubarray(lists.flat(), { minLength: lists.flat().length }));
}
const proposalOf = (protocol: number, spi: number, list: fc.Arbitrary<readonly Transform[]>): fc.Arbitrary<Proposal> =>
  fc.record({
    number: fc.integer({ min: 1, max: 255 }),
    protocol: fc.oneof({ weight: 9, arbitrary: fc.constant(protocol) }, { weight: 1, arbitrary: fc.constantFrom(1, 2, 3) }),
    spi: fc.uint8Array({ minLength: spi, maxLength: spi }),
    transforms: list,
  });
const ikeOffer = fc.array(proposalOf(Protocol.IKE, 0, transforms(encr, integ, prf, dh)), { maxLength: 8, size: 'max' });
const espOffer = fc.array(proposalOf(Protocol.ESP, 4, transforms(encr, integ, dh, esn)), { maxLength: 8, size: 'max' });
const groups = fc.uniqueArray(fc.constantFrom(2, 14, 20, 31), { minLength: 1, maxLength: 3 });
const keGroup = fc.constantFrom(2, 14, 20, 31);
const ikeWanted = fc.record({ proposals: fc.shuffledSubarray([...servedIke], { minLength: 3, maxLength: 8 }), groups });
const espWanted = fc.record({
  proposals: fc.shuffledSubarray([...servedEsp], { minLength: 2, maxLength: 6 }),
  groups,
  pfs: fc.boolean(),
  esn: fc.constantFrom('require' as const, 'allow' as const, 'disable' as const),
  keGroup: fc.option(keGroup, { nil: undefined }),
  inAuth: fc.boolean(),
});

/** The rule of §2.7 for an answer, without a look at how it was found. */
function expectFair(answer: Proposal, offered: Proposal, passedOver: readonly number[] = []): void {
  expect(answer).toMatchObject({ number: offered.number, protocol: offered.protocol });
  expect(answer.spi).toHaveLength(0);
  const types = answer.transforms.map(({ type }) => type);
  expect(new Set(types).size).toBe(types.length);
  for (const transform of answer.transforms) {
    expect(offered.transforms).toContainEqual(transform);
    expect(transform.unknown).toBeUndefined();
  }
  for (const { type } of offered.transforms) if (!passedOver.includes(type)) expect(types).toContain(type);
}

const bits = (id: number, keyLength: number) => (id === 28 ? 256 : keyLength);

describe('these offers', () => {
  it('end in every way often enough to be judged by', () => {
    const ends = new Map<string, number>();
    const count = (end: string) => ends.set(end, (ends.get(end) ?? 0) + 1);
    fc.assert(
      fc.property(
        ikeOffer,
        ikeWanted,
        keGroup,
        (offered, wanted, ke) => void count(`ike ${chooseIke(offered, wanted, ke).kind}`),
      ),
      fixed,
    );
    fc.assert(
      fc.property(espOffer, espWanted, (offered, wanted) => void count(`child ${chooseChild(offered, wanted).kind}`)),
      fixed,
    );
    const least = ['chosen', 'invalid-ke', 'none'].flatMap((kind) => [
      ends.get(`ike ${kind}`) ?? 0,
      ends.get(`child ${kind}`) ?? 0,
    ]);
    expect(Math.min(...least)).toBeGreaterThan(fixed.numRuns / 20);
  });
});

describe('an IKE proposal that is chosen', () => {
  it('is one that was offered and one that is configured', () => {
    fc.assert(
      fc.property(ikeOffer, ikeWanted, keGroup, (offered, wanted, ke) => {
        const choice = chooseIke(offered, wanted, ke);
        if (choice.kind === 'none') return;
        expect(offered).toContain(choice.offered);
        expectFair(choice.proposal, choice.offered);
        const { encr: id, keyLength, integ: integrity, prf: prfId, group } = choice;
        const configured = wanted.proposals.some(
          (p) => p.encr === id && bits(id, p.keyLength) === bits(id, keyLength) && p.integ === integrity && p.prf === prfId,
        );
        expect(configured).toBe(true);
        expect(wanted.groups).toContain(group);
        expect(choice.proposal.transforms).toContainEqual(t(DH, group));
        expect(choice.kind === 'chosen').toBe(group === ke);
        expect([choice.cipher.encr, choice.cipher.keyLength, choice.cipher.integ, choice.prfAlgorithm.id]).toEqual([
          id,
          keyLength,
          integrity,
          prfId,
        ]);
      }),
      fixed,
    );
  });

  it('is chosen again with the KE payload that INVALID_KE_PAYLOAD asked for', () => {
    fc.assert(
      fc.property(ikeOffer, ikeWanted, keGroup, (offered, wanted, ke) => {
        const choice = chooseIke(offered, wanted, ke);
        if (choice.kind !== 'invalid-ke') return;
        expect(chooseIke(offered, wanted, choice.group)).toMatchObject({
          kind: 'chosen',
          group: choice.group,
          proposal: choice.proposal,
        });
      }),
      fixed,
    );
  });

  it('comes of the transforms, not of their order', () => {
    fc.assert(
      fc.property(ikeOffer, ikeWanted, keGroup, (offered, wanted, ke) => {
        const turned = offered.map((proposal) => ({ ...proposal, transforms: proposal.transforms.toReversed() }));
        const [a, b] = [chooseIke(offered, wanted, ke), chooseIke(turned, wanted, ke)];
        expect(b.kind === 'none' ? b : { ...b, offered: undefined }).toEqual(
          a.kind === 'none' ? a : { ...a, offered: undefined },
        );
      }),
      fixed,
    );
  });

  it('is none exactly when each one has its reason', () => {
    fc.assert(
      fc.property(ikeOffer, ikeWanted, keGroup, (offered, wanted, ke) => {
        const none = chooseIke(offered, wanted, ke).kind === 'none';
        expect(mismatches(offered, [{ name: 'ra', ...wanted }]).length === offered.length).toBe(none);
        if (none) expect(explain(offered, [{ name: 'ra', ...wanted }], []).length).toBe(Math.max(1, offered.length));
      }),
      fixed,
    );
  });
});

describe('a child proposal that is chosen', () => {
  it('is one that was offered and one that is configured', () => {
    fc.assert(
      fc.property(espOffer, espWanted, (offered, wanted) => {
        const choice = chooseChild(offered, wanted);
        if (choice.kind === 'none') return;
        expect(offered).toContain(choice.offered);
        expectFair(choice.proposal, choice.offered, wanted.inAuth ? [DH] : []);
        const { encr: id, keyLength, integ: integrity, group, spi } = choice;
        const configured = (p: EspProposal) =>
          p.encr === id && bits(id, p.keyLength) === bits(id, keyLength) && p.integ === integrity;
        expect(wanted.proposals.some(configured)).toBe(true);
        expect(group !== undefined).toBe(wanted.pfs && !wanted.inAuth);
        if (group !== undefined) expect(wanted.groups).toContain(group);
        expect(choice.kind === 'chosen').toBe(group === undefined || group === wanted.keGroup);
        expect(choice.esn ? 'disable' : 'require').not.toBe(wanted.esn);
        expect([...choice.offered.spi]).toEqual([spi >>> 24, (spi >>> 16) & 255, (spi >>> 8) & 255, spi & 255]);
      }),
      fixed,
    );
  });

  it('is none exactly when each one has its reason', () => {
    fc.assert(
      fc.property(espOffer, espWanted, (offered, wanted) => {
        const none = chooseChild(offered, wanted).kind === 'none';
        const found = childMismatches(offered, { name: 'DY', ...wanted }, wanted.esn, wanted.inAuth);
        expect(found.length === offered.length).toBe(none);
        if (none)
          expect(
            explainChild(offered, { name: 'DY', ...wanted }, wanted.esn, wanted.inAuth).every((line) => line.length < 300),
          ).toBe(true);
      }),
      fixed,
    );
  });
});
