import { describe, expect, it } from 'vitest';
import { type CryptoBackend, type KnownAnswer, knownAnswers, nodeBackend, selfTest } from '../../../crypto/index.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { cipherSpecs, groupSpecs, prfSpecs } from '../../../crypto/suite.ts';

const refused: KnownAnswer = { kind: 'refuse', name: 'group 31: zero', group: 31, peer: '00'.repeat(32) };
const digest: KnownAnswer = {
  kind: 'sha1',
  name: 'SHA-1 of nothing',
  data: '',
  digest: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
};
const stream: KnownAnswer = { kind: 'plus', name: 'prf+', prf: 5, key: '01', seed: '02', okm: '' };
const small = [...knownAnswers.filter((one) => one.kind !== 'exchange' || one.group >= 19), refused, digest];

describe('The self-test', () => {
  it('passes with what we serve', () => {
    expect(selfTest(nodeBackend, [...knownAnswers, refused, digest, stream])).toEqual([]);
  });

  it('passes with the second implementation, which made the answers', () => {
    expect(selfTest(nobleBackend, [...small.filter(({ kind }) => kind !== 'exchange'), stream])).toEqual([]);
  });

  it('knows an answer of every algorithm of the registry', () => {
    const ciphers = knownAnswers
      .filter((one) => one.kind === 'cipher')
      .map(({ encr, keyLength, integ }) => [encr, keyLength, integ]);
    expect(ciphers).toEqual(cipherSpecs.map(({ encr, keyLength, integ }) => [encr, keyLength, integ]));
    for (const kind of ['mac', 'derive'] as const) {
      expect(knownAnswers.filter((one) => one.kind === kind).map((one) => 'prf' in one && one.prf)).toEqual(
        prfSpecs.map(({ id }) => id),
      );
    }
    expect(knownAnswers.filter((one) => one.kind === 'exchange').map(({ group }) => group)).toEqual(
      groupSpecs.map(({ id }) => id),
    );
  });

  it('says what is wrong and where, one sentence each', () => {
    const lies: CryptoBackend = {
      ...nodeBackend,
      name: 'liar',
      prf(id) {
        const prf = nodeBackend.prf(id);
        return prf && { ...prf, mac: (key, ...data) => prf.mac(key, ...data, Uint8Array.of(1)) };
      },
      sha1: () => new Uint8Array(20),
    };
    expect(selfTest(lies, [digest])).toEqual(['liar: SHA-1 of nothing: wrong digest']);
    expect(
      selfTest(
        lies,
        knownAnswers.filter((one) => one.kind === 'mac' && one.prf === 5),
      ),
    ).toEqual(['liar: PRF 5: wrong MAC']);
  });

  it.each(small.map((answer) => [`${answer.kind} ${answer.name}`, answer] as const))(
    'notices when there is no %s',
    (_, answer) => {
      const empty: CryptoBackend = {
        name: 'empty',
        cipher: () => undefined,
        prf: () => undefined,
        group: () => undefined,
        sha1: () => new Uint8Array(),
      };
      expect(selfTest(empty, [answer]).length).toBeGreaterThan(0);
    },
  );

  it.each(small.map((answer) => [`${answer.kind} ${answer.name}`, answer] as const))(
    'notices a wrong answer: %s',
    (_, answer) => {
      if (answer.kind === 'refuse')
        return expect(selfTest(nodeBackend, [{ ...answer, peer: `09${'00'.repeat(31)}` }])).toHaveLength(1);
      return expect(selfTest(nodeBackend, [spoiled(answer)]).length).toBeGreaterThan(0);
    },
  );

  it('notices an opener that lets forgeries pass', () => {
    const answer = small.filter((one) => one.kind === 'cipher').slice(0, 1);
    const blind: CryptoBackend = {
      ...nodeBackend,
      name: 'blind',
      cipher(encr, keyLength, integ) {
        const cipher = nodeBackend.cipher(encr, keyLength, integ);
        const plaintext = Uint8Array.from({ length: 32 }, (_, at) => 0x80 + at);
        return cipher && { ...cipher, opener: () => ({ open: () => plaintext, wipe: () => undefined }) };
      },
    };
    expect(selfTest(blind, answer)).toEqual([`blind: ${answer[0]?.name}: a forged message was opened`]);
  });

  it('reports a backend that throws, and throws nothing itself', () => {
    const broken: CryptoBackend = { ...nodeBackend, name: 'broken', sha1: () => raise(new Error('no SHA-1 today')) };
    const odd: CryptoBackend = { ...nodeBackend, name: 'odd', sha1: () => raise('a string') };
    expect(selfTest(broken, [digest])).toEqual(['broken: SHA-1 of nothing: no SHA-1 today']);
    expect(selfTest(odd, [digest])).toEqual(['odd: SHA-1 of nothing: failed']);
  });
});

/** The answer with its last octet changed, in the field that is compared last. */
function spoiled(answer: KnownAnswer): KnownAnswer {
  const change = (hex: string) => hex.slice(0, -2) + (hex.endsWith('00') ? '01' : '00');
  switch (answer.kind) {
    case 'cipher':
      return { ...answer, icv: change(answer.icv ?? '') };
    case 'mac':
      return { ...answer, mac: change(answer.mac) };
    case 'derive':
    case 'plus':
      return { ...answer, okm: change(answer.okm) };
    case 'group':
      return { ...answer, shared: change(answer.shared) };
    case 'exchange':
    case 'sha1':
      return { ...answer, digest: change(answer.digest) };
    case 'refuse':
      return answer;
  }
}

function raise(what: unknown): never {
  throw what;
}
