import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bitString, context, DerReader, der, integer, octetString, oid, sequence, Tag } from '../../../crypto/asn1.ts';
import { belongsTo, certificateMatches, chainFor, loadPrivateKey, readCertificate, readPem } from '../../../crypto/index.ts';
import { concat, hex, unhex } from '../../../src/wire/index.ts';
import { damaged, family, issue } from '../../support/pki.ts';

const text = (s: string) => new TextEncoder().encode(s);

describe('reading certificates (RFC 5280 §4)', () => {
  const full = issue({
    subject: [
      ['C', 'CA'],
      ['ST', 'Ontario'],
      ['O', 'Example, Inc.'],
      ['CN', 'laptop'],
    ],
    cn: '',
    dns: ['VPN.lab.test', 'b.test'],
    emails: ['alice@lab.test'],
    addresses: [unhex('0a000001'), unhex('20010db8000000000000000000000001')],
    uris: ['https://lab.test/'],
    eku: ['serverAuth', 'clientAuth'],
    serial: unhex('00c0ffee'),
  }).cert;

  it('gives every field', () => {
    expect(full).toMatchObject({
      subject: 'C = CA, ST = Ontario, O = "Example, Inc.", CN = laptop',
      issuer: 'C = CA, ST = Ontario, O = "Example, Inc.", CN = laptop',
      cn: 'laptop',
      dns: ['VPN.lab.test', 'b.test'],
      emails: ['alice@lab.test'],
      keyKind: 'ecdsa',
      serial: '00c0ffee',
      isCa: false,
      eku: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
    });
    expect(full.addresses.map(hex)).toEqual(['0a000001', '20010db8000000000000000000000001']);
  });

  it('agrees with OpenSSL', () => {
    for (const { cert } of [family('p256').root, family('p256').server, family('ed25519').client]) {
      const other = new X509Certificate(cert.der);
      expect(cert.isCa).toBe(other.ca);
      expect(cert.notBefore * 1000).toBe(Date.parse(other.validFrom));
      expect(cert.notAfter * 1000).toBe(Date.parse(other.validTo));
      expect(cert.serial.toUpperCase()).toBe(other.serialNumber);
      expect(cert.eku).toEqual(other.keyUsage ?? []);
      const spki = other.publicKey.export({ type: 'spki', format: 'der' });
      expect(hex(cert.keyHash)).toBe(createHash('sha1').update(spki).digest('hex'));
    }
  });

  it('the same octets give the same object: what was known about them stays known', () => {
    expect(readCertificate(full.der.slice())).toBe(readCertificate(full.der));
  });

  it('keeps its own copy of the octets', () => {
    const octets = issue({ cn: 'copy' }).cert.der.slice();
    const cert = readCertificate(octets);
    octets.fill(0);
    expect(cert.der[0]).toBe(0x30);
  });

  it('reads versions without extensions', () => {
    const old = rebuilt(full.der, (fields) => fields.filter(({ tag }) => tag !== context(0) && tag !== context(3)));
    expect(readCertificate(old)).toMatchObject({ isCa: false, dns: [], cn: 'laptop' });
  });

  it.each([
    ['nothing', new Uint8Array(0), 'ends too early'],
    ['a tail', concat(full.der, Uint8Array.of(0)), 'octets behind the last element'],
    ['a cut', full.der.subarray(0, -1), 'ends too early'],
    ['no certificate', unhex('3003020101'), 'tag 2 where 48 should be'],
    [
      'extensions in version 1',
      rebuilt(full.der, (fields) => fields.filter(({ tag }) => tag !== context(0))),
      'extensions in a certificate that is not version 3',
    ],
    [
      'two algorithms',
      rebuilt(full.der, (fields) => fields, sequence(oid('1.2.840.10045.4.3.3'))),
      'two different signature algorithms',
    ],
    [
      'an extension twice',
      extended(['2.5.29.17', sequence()], ['2.5.29.17', sequence()]),
      'extension 2.5.29.17 stands there twice',
    ],
    ['broken basic constraints', extended(['2.5.29.19', sequence(integer(0), integer(0))]), 'octets behind the last element'],
    ['broken key usage', extended(['2.5.29.15', Uint8Array.of(3, 2, 9, 0x80)]), 'a broken keyUsage'],
    [
      'a broken alternative name',
      extended(['2.5.29.17', sequence(der(0x82, Uint8Array.of(0xff)))]),
      'a string that is not ASCII or too long',
    ],
    ['an address of five octets', extended(['2.5.29.17', sequence(der(0x87, new Uint8Array(5)))]), 'an address of 5 octets'],
    [
      'constraints with a maximum',
      extended(['2.5.29.30', sequence(der(context(0), sequence(der(0x82, text('a')), der(0x81, Uint8Array.of(1)))))]),
      'octets behind the last element',
    ],
    [
      '65 extensions',
      extended(...Array.from({ length: 65 }, (_, i) => [`1.3.9999.${i}`, Uint8Array.of(5, 0)] as const)),
      'more than 64 elements',
    ],
  ])('refuses %s', (_, octets, words) => {
    expect(() => readCertificate(octets)).toThrow(new Error(`not a usable X.509 certificate: ${words}`));
  });

  it('refuses more than 16 kB unread', () => {
    expect(() => readCertificate(new Uint8Array(16_385))).toThrow('a certificate of 16385 octets is too long (16384 at most)');
  });

  it('refuses a key that OpenSSL cannot read', () => {
    const at = Buffer.from(full.der).indexOf(Buffer.from(unhex('2a8648ce3d030107'))); // the curve
    expect(() => readCertificate(damaged(full.der, at + 7))).toThrow('not a usable X.509 certificate: OpenSSL cannot read it');
  });

  it('marks a key that may not be used here', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    expect(issue({ cn: 'weak', key: { pem: weak } }).cert.keyKind).toBe('other');
  });
});

describe('PEM', () => {
  const { root, server } = family('p256');

  it('is read in order, with text around and other blocks between', () => {
    const bundle = `subject=CN = x\n${server.certificate}\n${server.key}\r\n${root.certificate.replaceAll('\n', '\r\n')}`;
    expect(readPem(bundle).map(({ cn }) => cn)).toEqual(['vpn.lab.test', 'Root p256']);
  });

  it.each([
    ['nothing', '', 'no certificate in PEM format'],
    ['a key', server.key, 'no certificate in PEM format'],
    [
      'damage',
      `${root.certificate}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n`,
      'certificate 2 of 2: not a usable X.509 certificate: ends too early',
    ],
    ['a flood', 'x'.repeat(4_194_305), 'a text of 4194305 characters is too long for certificates'],
  ])('with %s is refused in plain words', (_, pem, words) => {
    expect(() => readPem(pem)).toThrow(new Error(words));
  });
});

describe('text from certificates is safe to print', () => {
  const evil = 'a\u001b[2J\r\nike 0: authenticated\u202e\0"x", CN = admin\\';
  const cert = issue({ subject: [['CN', evil]], cn: '', dns: ['ok.test', 'a\nb.test', 'nul\0.test'], emails: ['a\rb@c'] }).cert;

  it('in the subject: escaped and quoted, so that it cannot look like two values', () => {
    expect(cert.subject).toBe('CN = "a\\u{1b}[2J\\u{d}\\u{a}ike 0: authenticated\\u{202e}\\u{0}\\"x\\", CN = admin\\\\"');
  });

  it('elsewhere: names that cannot be printed are not there', () => {
    expect([cert.cn, cert.dns, cert.emails]).toEqual([undefined, ['ok.test'], []]);
  });

  it('long subjects are cut', () => {
    const long = issue({ subject: Array.from({ length: 30 }, () => ['OU', 'x'.repeat(60)] as const), cn: '' }).cert;
    expect(long.subject.length).toBe(512);
    expect(long.subject.endsWith('…')).toBe(true);
  });

  it('several values in one part are joined by a plus', () => {
    const { cert } = issue({
      subject: [
        ['CN', 'a'],
        ['+OU', 'b'],
        ['O', ' c'],
      ],
      cn: '',
    });
    expect(cert.subject).toBe('CN = a + OU = b, O = " c"');
  });

  it('two common names are no common name', () => {
    expect(
      issue({
        subject: [
          ['CN', 'a'],
          ['CN', 'b'],
        ],
        cn: '',
      }).cert.cn,
    ).toBeUndefined();
  });
});

describe('certificates and IKE identities (§3.5, RFC 4945 §3.1)', () => {
  const ID = { ipv4: 1, fqdn: 2, email: 3, ipv6: 5, dn: 9, keyId: 11 } as const;
  const cert = issue({
    cn: 'laptop.lab.test',
    dns: ['vpn.lab.test'],
    emails: ['Alice@lab.test'],
    addresses: [unhex('0a000001'), unhex('20010db8000000000000000000000001')],
  }).cert;
  const bare = issue({ cn: 'laptop.lab.test' }).cert;
  const mail = issue({
    subject: [
      ['CN', 'x'],
      ['emailAddress', 'bob@lab.test'],
    ],
    cn: '',
  }).cert;

  it.each([
    ['a host name', cert, ID.fqdn, 'vpn.lab.test', true],
    ['a host name in another case', cert, ID.fqdn, 'VPN.Lab.Test', true],
    ['a host name with a final dot', cert, ID.fqdn, 'vpn.lab.test.', true],
    ['another host name', cert, ID.fqdn, 'vpn2.lab.test', false],
    ['a longer host name', cert, ID.fqdn, 'vpn.lab.test.evil', false],
    ['a host name and more behind a zero', cert, ID.fqdn, 'vpn.lab.test\0.evil', false],
    ['no host name', bare, ID.fqdn, '', false],
    ['the common name beside alternative names', cert, ID.fqdn, 'laptop.lab.test', false],
    ['the common name without any', bare, ID.fqdn, 'laptop.lab.test', true],
    ['a mail address', cert, ID.email, 'Alice@LAB.test', true],
    ['a mail address with another local part', cert, ID.email, 'alice@lab.test', false],
    ['a mail address of the subject', mail, ID.email, 'bob@lab.test', true],
    ['no mail address', bare, ID.email, 'laptop.lab.test', false],
    ['a host name as a mail address', cert, ID.fqdn, 'Alice@lab.test', false],
    ['a key id', bare, ID.keyId, 'laptop.lab.test', false],
    ['an unknown kind', bare, 99, 'laptop.lab.test', false],
  ])('%s', (_, certificate, type, id, matches) => {
    expect(certificateMatches(certificate, type, text(id))).toBe(matches);
  });

  it('addresses, octet for octet and of their own kind', () => {
    const match = (type: number, digits: string) => certificateMatches(cert, type, unhex(digits));
    expect(match(ID.ipv4, '0a000001')).toBe(true);
    expect(match(ID.ipv4, '0a000002')).toBe(false);
    expect(match(ID.ipv6, '0a000001')).toBe(false);
    expect(match(ID.ipv6, '20010db8000000000000000000000001')).toBe(true);
    expect(match(ID.ipv4, '20010db8000000000000000000000001')).toBe(false);
  });

  it('a distinguished name, whatever string types and spaces it is written in', () => {
    const name = (cn: string, tag: number = Tag.utf8String) =>
      sequence(
        der(Tag.set, sequence(oid('2.5.4.10'), der(tag, text('Lab')))),
        der(Tag.set, sequence(oid('2.5.4.3'), der(tag, text(cn)))),
      );
    const match = (data: Uint8Array) => certificateMatches(bare, ID.dn, data);
    expect(match(bare.subjectDer)).toBe(true);
    expect(match(name('laptop.lab.test', Tag.printableString))).toBe(true);
    expect(match(name('  LAPTOP.lab.test '))).toBe(true);
    expect(match(name('laptop.lab.tes'))).toBe(false);
    expect(match(sequence(der(Tag.set, sequence(oid('2.5.4.3'), der(Tag.utf8String, text('laptop.lab.test'))))))).toBe(false);
    expect(match(concat(bare.subjectDer, Uint8Array.of(0)))).toBe(false);
    expect(match(sequence())).toBe(false);
    expect(match(new Uint8Array(0))).toBe(false);
  });

  it('an empty subject is nobody', () => {
    const empty = issue({ subject: [], cn: '' }).cert;
    expect(certificateMatches(empty, ID.dn, empty.subjectDer)).toBe(false);
    expect(certificateMatches(empty, ID.fqdn, new Uint8Array(0))).toBe(false);
  });

  it('an identity beyond 4096 octets is not looked at', () => {
    expect(certificateMatches(bare, ID.fqdn, new Uint8Array(4097))).toBe(false);
  });
});

describe('chains to send (§3.6)', () => {
  const { root, intermediate, server } = family('p256');

  it('are the leaf and its intermediates in order, without the root and without strangers', () => {
    const pool = [family('p384').intermediate, root, intermediate, server].map(({ cert }) => cert);
    expect(chainFor(server.cert, pool)).toEqual([server.cert, intermediate.cert]);
    expect(chainFor(server.cert, [])).toEqual([server.cert]);
    expect(chainFor(root.cert, pool)).toEqual([root.cert]);
  });

  it('end even where authorities certify each other', () => {
    const [a, b] = [issue({ cn: 'A', ca: {} }), issue({ cn: 'B', ca: {} })];
    const crossA = issue({ cn: 'A', ca: {}, key: { pem: a.key }, issuer: b });
    const crossB = issue({ cn: 'B', ca: {}, key: { pem: b.key }, issuer: a });
    const leaf = issue({ cn: 'leaf', issuer: a });
    expect(chainFor(leaf.cert, [crossA.cert, crossB.cert])).toEqual([leaf.cert, crossA.cert, crossB.cert]);
  });

  it('belong to their key', () => {
    expect(belongsTo(server.cert, loadPrivateKey(server.key))).toBe(true);
    expect(belongsTo(server.cert, loadPrivateKey(root.key))).toBe(false);
  });
});

type Field = { readonly tag: number; readonly whole: Uint8Array };
const only1 = (octets: Uint8Array): Field => ({ tag: octets[0] ?? 0, whole: octets });

/** The same certificate with other fields in its tbsCertificate; its signature is no longer right, and reading does not ask. */
function rebuilt(octets: Uint8Array, change: (fields: readonly Field[]) => readonly Field[], algorithm?: Uint8Array): Uint8Array {
  const outer = DerReader.only(octets, Tag.sequence);
  const fields = outer.enter(Tag.sequence).rest(20);
  const [own] = [outer.next().whole];
  return sequence(sequence(...change(fields).map(({ whole }) => whole)), algorithm ?? own, bitString(new Uint8Array(64)));
}

/** A certificate with exactly these extensions. */
function extended(...extensions: readonly (readonly [id: string, value: Uint8Array])[]): Uint8Array {
  const block = sequence(...extensions.map(([id, value]) => sequence(oid(id), octetString(value))));
  return rebuilt(family('p256').server.cert.der, (fields) =>
    fields.map((field) => (field.tag === context(3) ? only1(der(context(3), block)) : field)),
  );
}
