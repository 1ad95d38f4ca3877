import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bitString, DerReader, sequence, Tag } from '../../../crypto/asn1.ts';
import { type Certificate, type KeyType, readCertificate, validatePath } from '../../../crypto/index.ts';
import { DAY, damaged, family, issue, NOW, type Pair } from '../../support/pki.ts';

const certs = (...pairs: readonly Pair[]): readonly Certificate[] => pairs.map(({ cert }) => cert);

/** 'ok' or why not. */
async function judge(leaf: Pair, intermediates: readonly Pair[], anchors: readonly Pair[], at = NOW): Promise<string> {
  const verdict = await validatePath(leaf.cert, certs(...intermediates), certs(...anchors), at);
  return verdict.ok ? 'ok' : verdict.why;
}

const root = issue({ cn: 'Root', ca: {} });
const intermediate = issue({ cn: 'Intermediate', ca: { pathLength: 0 }, issuer: root });
const leaf = issue({ cn: 'leaf', issuer: intermediate });

describe('a good chain', () => {
  it.each<KeyType>(['rsa2048', 'p256', 'p384', 'p521', 'ed25519', 'ed448'])(
    'of %s keys passes, and is returned from leaf to root',
    async (key) => {
      const { root, intermediate, server } = family(key);
      const verdict = await validatePath(server.cert, [intermediate.cert], [root.cert], NOW);
      expect(verdict).toEqual({ ok: true, chain: [server.cert, intermediate.cert, root.cert] });
    },
  );

  it('may mix kinds of keys and be signed with RSA-PSS', async () => {
    const rsa = issue({ cn: 'RSA root', key: 'rsa2048', ca: {} });
    const middle = issue({
      cn: 'middle',
      key: 'ed25519',
      ca: {},
      issuer: rsa,
      scheme: { kind: 'rsa-pss', hash: 'sha384', salt: 48 },
    });
    const end = issue({ cn: 'end', key: 'p521', issuer: middle });
    expect(await judge(end, [middle], [rsa])).toBe('ok');
  });

  it('is found whatever else was sent, in whatever order', async () => {
    const strangers = [family('p384').intermediate, family('p521').root, leaf, root];
    expect(await judge(leaf, [...strangers, intermediate], [family('p384').root, root])).toBe('ok');
  });

  it('may end at an intermediate that is trusted itself', async () => {
    expect(await judge(leaf, [], [intermediate])).toBe('ok');
  });

  it('may be one self-signed certificate that is trusted itself', async () => {
    const own = issue({ cn: 'own', ca: {}, keyUsage: 0 });
    expect(await judge(own, [], [own])).toBe('ok');
    expect(await judge(own, [], [root])).toBe("nobody here knows the issuer 'O = Lab, CN = own' of 'O = Lab, CN = own'");
  });

  it('is found beside an authority of the same name with another key', async () => {
    const namesake = issue({ cn: 'Root', ca: {} });
    expect(await judge(leaf, [intermediate], [namesake, root])).toBe('ok');
  });

  it('is found beside an expired certificate of the same authority', async () => {
    const old = issue({
      cn: 'Intermediate',
      key: { pem: intermediate.key },
      ca: {},
      issuer: root,
      notBefore: NOW - 9 * DAY,
      notAfter: NOW - DAY,
    });
    expect(await judge(leaf, [old, intermediate], [root])).toBe('ok');
    expect(await judge(leaf, [old], [root])).toContain('expired on');
  });
});

describe('a chain that leads nowhere', () => {
  it('because nothing is trusted', async () => {
    expect(await judge(leaf, [intermediate], [])).toBe('no authority is trusted here');
  });

  it('because a link is missing, which is named', async () => {
    expect(await judge(leaf, [], [root])).toBe(
      "nobody here knows the issuer 'O = Lab, CN = Intermediate' of 'O = Lab, CN = leaf'",
    );
    expect(await judge(leaf, [intermediate], [family('p256').root])).toBe(
      "nobody here knows the issuer 'O = Lab, CN = Root' of 'O = Lab, CN = Intermediate'",
    );
  });

  it('because an authority of that name did not sign', async () => {
    const liar = issue({ cn: 'Root', ca: {}, key: 'p384' });
    const forged = issue({ cn: 'Intermediate', ca: {}, issuer: { certificate: liar.certificate, key: liar.key } });
    const below = issue({ cn: 'below', issuer: forged });
    // The authority key identifier would tell them apart at once: without one, the signature does.
    const anonymous = withoutExtensions(below.cert);
    expect(await judge(below, [intermediate], [root])).toContain('nobody here knows the issuer');
    expect(await judge({ ...below, cert: anonymous }, [intermediate], [root])).toBe(
      "'O = Lab, CN = below' is not signed by 'O = Lab, CN = Intermediate'",
    );
  });

  it('because a signature is damaged', async () => {
    const broken = { ...leaf, cert: readCertificate(damaged(leaf.cert.der, -1)) };
    expect(await judge(broken, [intermediate], [root])).toBe(
      "'O = Lab, CN = leaf' is not signed by 'O = Lab, CN = Intermediate'",
    );
  });

  it('because what was signed was changed', async () => {
    const at = Buffer.from(leaf.cert.der).indexOf('leaf');
    const renamed = { ...leaf, cert: readCertificate(damaged(leaf.cert.der, at)) };
    expect(renamed.cert.cn).not.toBe('leaf');
    expect(await judge(renamed, [intermediate], [root])).toContain('is not signed by');
  });

  it('because authorities certify each other in a circle', async () => {
    const [a, b] = [issue({ cn: 'A', ca: {} }), issue({ cn: 'B', ca: {} })];
    const crossA = issue({ cn: 'A', ca: {}, key: { pem: a.key }, issuer: b });
    const crossB = issue({ cn: 'B', ca: {}, key: { pem: b.key }, issuer: a });
    const below = issue({ cn: 'below', issuer: a });
    expect(await judge(below, [crossA, crossB], [root])).toContain('nobody here knows the issuer');
  });

  it('because it has more than eight certificates', async () => {
    const long = [issue({ cn: 'CA 0', ca: {} })];
    for (let n = 1; n <= 8; n++) long.push(issue({ cn: `CA ${n}`, ca: {}, ...issuerOf(long.at(-1)) }));
    const [top, ...others] = long;
    if (top === undefined) throw new Error('no chain');
    expect(await judge(issue({ cn: 'ok', ...issuerOf(long[6]) }), others.slice(0, 6), [top])).toBe('ok');
    expect(await judge(issue({ cn: 'too long', ...issuerOf(long[7]) }), others.slice(0, 7), [top])).toBe(
      'a chain of more than 8 certificates',
    );
    expect(await judge(leaf, [...others, intermediate], [root])).toBe('9 intermediate certificates, more than 8');
  });

  it('because more than sixteen signatures would have to be tried', async () => {
    const namesakes = Array.from({ length: 16 }, () => ({
      ...root,
      cert: withoutExtensions(issue({ cn: 'Root', ca: {} }).cert),
    }));
    const direct = issue({ cn: 'direct', issuer: root });
    expect(await judge(direct, [], [...namesakes.slice(0, 15), root])).toBe('ok');
    expect(await judge(direct, namesakes.slice(0, 8), [root])).toBe('ok');
    const again = issue({ cn: 'again', issuer: root });
    expect(await judge(again, [], [...namesakes, root])).toBe("'O = Lab, CN = again' is not signed by 'O = Lab, CN = Root'");
  });

  it('because it is signed in a way that nobody here accepts', async () => {
    const md5 = readCertificate(
      resigned(leaf.cert, sequence(Uint8Array.from([6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4]))),
    );
    expect(await judge({ ...leaf, cert: md5 }, [intermediate], [root])).toBe(
      "'O = Lab, CN = leaf' is signed in a way that is not accepted: signature algorithm 1.2.840.113549.1.1.4 is not known here",
    );
  });
});

describe('a certificate that may not be in a chain', () => {
  it('is not valid yet, or not any more, to the second', async () => {
    const short = issue({ cn: 'short', issuer: intermediate, notBefore: NOW, notAfter: NOW + 60 });
    expect(await judge(short, [intermediate], [root], NOW - 1)).toBe(
      "'O = Lab, CN = short' is not valid before 2027-01-15T08:00:00Z",
    );
    expect(await judge(short, [intermediate], [root], NOW)).toBe('ok');
    expect(await judge(short, [intermediate], [root], NOW + 60)).toBe('ok');
    expect(await judge(short, [intermediate], [root], NOW + 61)).toBe("'O = Lab, CN = short' expired on 2027-01-15T08:01:00Z");
  });

  it('is an expired intermediate or root', async () => {
    const old = issue({ cn: 'old', ca: {}, issuer: root, notAfter: NOW - 1 });
    expect(await judge(issue({ cn: 'x', issuer: old }), [old], [root])).toContain("'O = Lab, CN = old' expired on");
    const oldRoot = issue({ cn: 'old root', ca: {}, notAfter: NOW - 1 });
    expect(await judge(issue({ cn: 'x', issuer: oldRoot }), [], [oldRoot])).toContain("'O = Lab, CN = old root' expired on");
  });

  it('is no authority and signs all the same', async () => {
    const user = issue({ cn: 'user', issuer: root, keyUsage: 0 });
    expect(await judge(issue({ cn: 'x', issuer: user }), [user], [root])).toBe(
      "'O = Lab, CN = user' is not a certificate authority",
    );
  });

  it('is an authority without the right to sign certificates', async () => {
    const mute = issue({ cn: 'mute', ca: {}, issuer: root, keyUsage: 0x8000 });
    expect(await judge(issue({ cn: 'x', issuer: mute }), [mute], [root])).toContain('its key usage has no keyCertSign');
  });

  it('has more authorities below it than it allows', async () => {
    const second = issue({ cn: 'second', ca: {}, issuer: intermediate });
    expect(await judge(issue({ cn: 'x', issuer: second }), [second, intermediate], [root])).toBe(
      "'O = Lab, CN = Intermediate' allows 0 intermediate certificates, there are 1",
    );
  });

  it('does not count a new key of the same authority (self-issued)', async () => {
    const renewed = issue({ cn: 'Intermediate', ca: {}, issuer: intermediate });
    expect(await judge(issue({ cn: 'x', issuer: renewed }), [renewed, intermediate], [root])).toBe('ok');
  });

  it('is a leaf whose key may not sign', async () => {
    const exchange = issue({ cn: 'exchange', issuer: root, keyUsage: 0x2000 });
    expect(await judge(exchange, [], [root])).toContain('its key usage has neither digitalSignature nor nonRepudiation');
    expect(await judge(issue({ cn: 'nr', issuer: root, keyUsage: 0x4000 }), [], [root])).toBe('ok');
    expect(await judge(issue({ cn: 'any', issuer: root, keyUsage: 0 }), [], [root])).toBe('ok');
  });

  it('has a critical extension that nobody understands, wherever it stands', async () => {
    const strange = { id: '1.3.9999.1', critical: true, value: Uint8Array.of(5, 0) };
    const why = 'has a critical extension that is not known here: 1.3.9999.1';
    expect(await judge(issue({ cn: 'x', issuer: root, extensions: [strange] }), [], [root])).toContain(why);
    const ca = issue({ cn: 'strange', ca: {}, issuer: root, extensions: [strange] });
    expect(await judge(issue({ cn: 'x', issuer: ca }), [ca], [root])).toContain(why);
    const mild = issue({ cn: 'x', issuer: root, extensions: [{ ...strange, critical: false }] });
    expect(await judge(mild, [], [root])).toBe('ok');
  });

  it('is meant for something else, and critically so', async () => {
    const purpose = (critical: boolean) => {
      const value = sequence(Uint8Array.of(6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3)); // codeSigning
      return issue({ cn: 'coder', issuer: root, extensions: [{ id: '2.5.29.37', critical, value }] });
    };
    expect(await judge(purpose(true), [], [root])).toContain('its extended key usage is critical and for something else');
    expect(await judge(purpose(false), [], [root])).toBe('ok');
  });

  it('has a weak key', async () => {
    const pem = (bits: number) =>
      generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const weak = issue({ cn: 'weak', issuer: root, key: { pem: pem(1024) } });
    expect(await judge(weak, [], [root])).toContain('has an unusable key: RSA key of 1024 bits, fewer than 2048');
    const weakRoot = issue({ cn: 'weak root', ca: {}, key: { pem: pem(1024) } });
    expect(await judge(issue({ cn: 'x', issuer: weakRoot }), [], [weakRoot])).toContain(
      "CN = weak root' has an unusable key: RSA key",
    );
  });

  it('is signed with SHA-1', async () => {
    const old = issue({ cn: 'old', issuer: root, scheme: { kind: 'ecdsa', hash: 'sha1', form: 'der' } });
    expect(await judge(old, [], [root])).toBe(
      "'O = Lab, CN = old' is signed with ECDSA with SHA-1, which proves nothing any more",
    );
    const oldRoot = issue({ cn: 'old root', ca: {}, scheme: { kind: 'ecdsa', hash: 'sha1', form: 'der' } });
    expect(await judge(issue({ cn: 'x', issuer: oldRoot }), [], [oldRoot])).toBe('ok');
  });

  it('demands a policy that nobody has: what pkijs alone checks', async () => {
    const explicit = { id: '2.5.29.36', critical: true, value: sequence(Uint8Array.of(0x80, 1, 0)) }; // requireExplicitPolicy 0
    const strict = issue({ cn: 'strict', ca: {}, issuer: root, extensions: [explicit] });
    const verdict = await judge(issue({ cn: 'x', issuer: strict }), [strict], [root]);
    expect(verdict).toMatch(/^the chain of 'O = Lab, CN = x' is refused: /);
  });
});

describe('a verdict that is remembered', () => {
  const short = issue({ cn: 'short', issuer: intermediate, notAfter: NOW + 60 });

  it('ends with the first certificate of its chain', async () => {
    expect(await judge(short, [intermediate], [root], NOW)).toBe('ok');
    expect(await judge(short, [intermediate], [root], NOW + 61)).toContain('expired');
  });

  it('is worth nothing under other authorities, or when a link was not sent again', async () => {
    expect(await judge(short, [intermediate], [root])).toBe('ok');
    expect(await judge(short, [intermediate], [family('p256').root])).toContain('nobody here knows the issuer');
    expect(await judge(short, [], [root])).toContain('nobody here knows the issuer');
  });

  it('gives the same chain again', async () => {
    const [first, second] = await Promise.all([0, 1].map(() => validatePath(short.cert, [intermediate.cert], [root.cert], NOW)));
    expect(second).toEqual(first);
    expect(first).toEqual({ ok: true, chain: certs(short, intermediate, root) });
  });
});

function issuerOf(issuer: Pair | undefined): { readonly issuer: Pair } {
  if (issuer === undefined) throw new Error('no issuer');
  return { issuer };
}

/** The same names and key, with no extension and a meaningless signature. */
function withoutExtensions(cert: Certificate): Certificate {
  const outer = DerReader.only(cert.der, Tag.sequence);
  const fields = outer.enter(Tag.sequence).rest(20);
  const kept = fields.filter(({ tag }) => tag !== 0xa0 && tag !== 0xa3).map(({ whole }) => whole);
  return readCertificate(sequence(sequence(...kept), outer.next().whole, bitString(new Uint8Array(70))));
}

/** The same certificate under another AlgorithmIdentifier. */
function resigned(cert: Certificate, algorithm: Uint8Array): Uint8Array {
  const [version, serial, , ...others] = DerReader.only(cert.der, Tag.sequence).enter(Tag.sequence).rest(20);
  if (version === undefined || serial === undefined) throw new Error('no certificate');
  const tbs = sequence(version.whole, serial.whole, algorithm, ...others.map(({ whole }) => whole));
  return sequence(tbs, algorithm, bitString(new Uint8Array(70)));
}
