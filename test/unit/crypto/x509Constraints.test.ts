import { describe, expect, it } from 'vitest';
import { context, der, sequence } from '../../../crypto/asn1.ts';
import { type CertificateOrder, validatePath } from '../../../crypto/index.ts';
import { unhex } from '../../../src/wire/index.ts';
import { issue, NOW } from '../../support/pki.ts';

type Names = Pick<CertificateOrder, 'dns' | 'emails' | 'addresses' | 'uris' | 'subject'>;
type Rule = Pick<CertificateOrder, 'permitted' | 'excluded' | 'extensions'>;

const root = issue({ cn: 'Root', ca: {} });

/** Does an authority under this rule vouch for these names? 'ok' or why not. */
async function judge(rule: Rule, names: Partial<Names>): Promise<string> {
  const authority = issue({ cn: 'Authority', ca: {}, issuer: root, ...rule });
  const leaf = issue({ cn: 'leaf', issuer: authority, ...names });
  const verdict = await validatePath(leaf.cert, [authority.cert], [root.cert], NOW);
  return verdict.ok ? 'ok' : verdict.why;
}

/** A nameConstraints extension by hand, for bases that the order does not know. */
const handmade = (n: 0 | 1, base: Uint8Array): Rule => ({
  extensions: [{ id: '2.5.29.30', critical: true, value: sequence(der(context(n), sequence(base))) }],
});
const text = (s: string) => new TextEncoder().encode(s);

describe('name constraints (RFC 5280 §4.2.1.10)', () => {
  const lab = { permitted: { dns: ['lab.test'] } };
  const notEvil = { excluded: { dns: ['evil.test'] } };

  it.each<readonly [string, Rule, Partial<Names>, boolean]>([
    ['the permitted name', lab, { dns: ['lab.test'] }, true],
    ['a name below the permitted one', lab, { dns: ['a.b.lab.test'] }, true],
    ['a name below it in another case', lab, { dns: ['VPN.LAB.Test'] }, true],
    ['a name that only ends like it', lab, { dns: ['evillab.test'] }, false],
    ['another name', lab, { dns: ['lab.test.evil'] }, false],
    ['one good and one bad name', lab, { dns: ['a.lab.test', 'b.test'] }, false],
    ['no name of that form', lab, { emails: ['a@b.test'] }, true],
    ['a common name that reads like a host', lab, { subject: [['CN', 'vpn.evil.test']] }, false],
    ['a common name that is below the permitted one', lab, { subject: [['CN', 'vpn.lab.test']] }, true],
    ['a common name beside names that count', lab, { subject: [['CN', 'x.evil.test']], dns: ['a.lab.test'] }, true],
    ['the excluded name', notEvil, { dns: ['evil.test'] }, false],
    ['the excluded name in another case', notEvil, { dns: ['EVIL.Test'] }, false],
    ['the excluded name with a final dot', notEvil, { dns: ['evil.test.'] }, false],
    ['a name below the excluded one', notEvil, { dns: ['a.EVIL.test'] }, false],
    ['a name that is not excluded', notEvil, { dns: ['notevil.test'] }, true],
    ['an excluded common name', notEvil, { subject: [['CN', 'vpn.Evil.test']] }, false],
    ['any name where none is permitted', { excluded: { dns: [''] } }, { dns: ['a.test'] }, false],
    ['a punycode name in another case', { excluded: { dns: ['xn--bcher-kva.test'] } }, { dns: ['XN--BCHER-KVA.test'] }, false],
    ['a mailbox', { permitted: { emails: ['alice@lab.test'] } }, { emails: ['alice@LAB.test'] }, true],
    ['another mailbox', { permitted: { emails: ['alice@lab.test'] } }, { emails: ['bob@lab.test'] }, false],
    ['a mailbox on the host', { permitted: { emails: ['lab.test'] } }, { emails: ['bob@lab.test'] }, true],
    ['a mailbox on a host below', { permitted: { emails: ['lab.test'] } }, { emails: ['bob@a.lab.test'] }, false],
    ['a mailbox in the domain', { permitted: { emails: ['.lab.test'] } }, { emails: ['bob@a.lab.test'] }, true],
    [
      'a mailbox on an excluded host in another case',
      { excluded: { emails: ['lab.test'] } },
      { emails: ['bob@LAB.test'] },
      false,
    ],
    [
      'an excluded mail address in the subject',
      { excluded: { emails: ['lab.test'] } },
      {
        subject: [
          ['CN', 'x'],
          ['emailAddress', 'a@lab.test'],
        ],
      },
      false,
    ],
    [
      'an excluded mail address as common name',
      { excluded: { emails: ['lab.test'] } },
      { subject: [['CN', 'a@lab.test']] },
      false,
    ],
    [
      'an address in the net',
      { permitted: { addresses: [unhex('0a000000ff000000')] } },
      { addresses: [unhex('0a010203')] },
      true,
    ],
    ['an address outside', { permitted: { addresses: [unhex('0a000000ff000000')] } }, { addresses: [unhex('0b010203')] }, false],
    [
      'an address of the other family',
      { permitted: { addresses: [unhex('0a000000ff000000')] } },
      { addresses: [new Uint8Array(16)] },
      false,
    ],
    [
      'an excluded IPv6 address',
      { excluded: { addresses: [unhex(`2001${'00'.repeat(14)}ffff${'00'.repeat(14)}`)] } },
      { addresses: [unhex(`20010db8${'00'.repeat(12)}`)] },
      false,
    ],
    ['a URI on the host', handmade(0, der(0x86, text('lab.test'))), { uris: ['https://lab.test:8443/x'] }, true],
    ['a URI on a host below', handmade(0, der(0x86, text('.lab.test'))), { uris: ['https://u@a.LAB.test/x'] }, true],
    ['a URI elsewhere', handmade(0, der(0x86, text('lab.test'))), { uris: ['https://evil.test/lab.test'] }, false],
    ['a URI without a host', handmade(1, der(0x86, text('lab.test'))), { uris: ['urn:lab.test'] }, false],
    ['a URI with an address for a host', handmade(1, der(0x86, text('lab.test'))), { uris: ['https://10.0.0.1/'] }, false],
    [
      'a subject below the permitted directory',
      handmade(0, directory('Lab')),
      {
        subject: [
          ['O', 'LAB'],
          ['CN', 'x'],
        ],
      },
      true,
    ],
    [
      'a subject outside the permitted directory',
      handmade(0, directory('Lab')),
      {
        subject: [
          ['O', 'Other'],
          ['CN', 'x'],
        ],
      },
      false,
    ],
    [
      'a subject below the excluded directory, in another case',
      handmade(1, directory('Lab')),
      {
        subject: [
          ['O', 'lAB'],
          ['CN', 'x'],
        ],
      },
      false,
    ],
    [
      'a subject whose first part says more than the permitted directory',
      handmade(0, directory('Lab')),
      {
        subject: [
          ['O', 'Lab'],
          ['+OU', 'behind it in the set'],
          ['CN', 'x'],
        ],
      },
      false,
    ],
    ['a name of a form that nobody here reads', handmade(1, der(0x88, Uint8Array.of(0x2a))), { dns: ['a.test'] }, true],
  ])('%s', async (_, rule, names, passes) => {
    const verdict = await judge(rule, names);
    if (passes) expect(verdict).toBe('ok');
    else expect(verdict).toMatch(/breaks the name constraints of 'O = Lab, CN = Authority'/);
  });

  it('a name of an unreadable form that is constrained is refused', async () => {
    const names = { extensions: [{ id: '2.5.29.17', critical: false, value: sequence(der(0x88, Uint8Array.of(0x2a))) }] };
    const authority = issue({ cn: 'Authority', ca: {}, issuer: root, ...handmade(0, der(0x88, Uint8Array.of(0x2a))) });
    const leaf = issue({ cn: 'leaf', issuer: authority, ...names });
    const verdict = await validatePath(leaf.cert, [authority.cert], [root.cert], NOW);
    expect(verdict.ok ? 'ok' : verdict.why).toContain('a name with tag 136 is not permitted');
  });

  it('bind every certificate further down, not only the next', async () => {
    const top = issue({ cn: 'Top', ca: {}, permitted: { dns: ['lab.test'] } });
    const middle = issue({ cn: 'Middle', ca: {}, issuer: top });
    const leaf = issue({ cn: 'leaf', issuer: middle, dns: ['evil.test'] });
    const verdict = await validatePath(leaf.cert, [middle.cert], [top.cert], NOW);
    expect(verdict.ok ? 'ok' : verdict.why).toBe(
      "'O = Lab, CN = leaf' breaks the name constraints of 'O = Lab, CN = Top': 'evil.test' is not permitted",
    );
  });
});

function directory(organisation: string): Uint8Array {
  const value = der(0x13, text(organisation));
  return der(0xa4, sequence(der(0x31, sequence(der(0x06, Uint8Array.of(0x55, 4, 10)), value))));
}
