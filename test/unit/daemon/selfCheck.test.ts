import { describe, expect, it } from 'vitest';
import { knownAnswers, nodeBackend } from '../../../crypto/index.ts';
import { chooseCrypto, selfCheck } from '../../../src/daemon/selfCheck.ts';
import { openJournal } from '../../../src/log/index.ts';

const bench = () => {
  const lines: { level: string; missing?: string }[] = [];
  return { lines, journal: openJournal({ stream: { write: (text: string) => void lines.push(JSON.parse(text)) } }) };
};
// A few of the known answers are enough here: all of them run against all backends in the tests of crypto.
const answers = knownAnswers.filter((a) => a.kind === 'derive' || (a.kind === 'cipher' && a.encr === 20));

describe('the self-check at start', () => {
  it('says nothing when all is well', () => {
    const { journal, lines } = bench();
    selfCheck(journal, nodeBackend, answers);
    expect(lines).toEqual([]);
    expect(answers.length).toBeGreaterThan(3);
  });

  it('an algorithm that is missing is said, and the gateway starts', () => {
    const { journal, lines } = bench();
    selfCheck(journal, { ...nodeBackend, cipher: () => undefined }, answers);
    expect(lines).toMatchObject([{ level: 'warn', missing: expect.stringMatching(/GCM/i) }]);
  });

  it('an algorithm that lies is a reason not to start', () => {
    const { journal } = bench();
    const liar: typeof nodeBackend = {
      ...nodeBackend,
      prf: (id) => {
        const prf = nodeBackend.prf(id);
        return prf && { ...prf, mac: () => new Uint8Array(prf.keyOctets) };
      },
    };
    expect(() => selfCheck(journal, liar, answers)).toThrow(/wrong answers: .*wrong extracted key/);
  });

  it('says in one line who does the work, and why not libcrypto', async () => {
    const { journal, lines } = bench();
    await chooseCrypto(journal, async () => ({ name: 'libcrypto', why: undefined }));
    await chooseCrypto(journal, async () => ({ name: 'node:crypto', why: 'Cannot find package koffi' }));
    expect(lines).toMatchObject([
      { level: 'info', msg: 'cryptography by libcrypto' },
      { level: 'info', msg: 'cryptography by node:crypto', why: 'Cannot find package koffi' },
    ]);
  });
});
