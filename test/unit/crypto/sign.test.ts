import { constants, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  chooseSignature,
  type KeyType,
  loadPrivateKey,
  makeSignature,
  type SignatureChoice,
  verifySignature,
} from '../../../crypto/index.ts';
import { algorithmIdentifier, type Scheme } from '../../../crypto/scheme.ts';
import { concat, unhex } from '../../../src/wire/index.ts';
import { damaged, family, issue } from '../../support/pki.ts';

const octets = new TextEncoder().encode('the signed octets of section 2.15');
const all = { hashes: [4, 3, 2, 1], rsaFormat: 'pkcs1' } as const;

const keyOf = (type: KeyType) => loadPrivateKey(family(type).server.key);
const certOf = (type: KeyType) => family(type).server.cert;

function chosen(choice: SignatureChoice | { readonly why: string }): SignatureChoice {
  if ('why' in choice) throw new Error(choice.why);
  return choice;
}

/** AUTH data of method 14 by hand. */
function method14(identifier: Uint8Array, signature: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(identifier.length), identifier, signature);
}

describe('the choice of a signature (RFC 7427 §4)', () => {
  it.each([
    ['rsa2048', undefined, 'pkcs1', 1, 'RSA with SHA-1'],
    ['p256', undefined, 'pkcs1', 9, 'ECDSA with SHA-256'],
    ['p384', undefined, 'pkcs1', 10, 'ECDSA with SHA-384'],
    ['p521', undefined, 'pkcs1', 11, 'ECDSA with SHA-512'],
    ['rsa2048', [2, 3, 4, 5], 'pkcs1', 14, 'RSA with SHA-512'],
    ['rsa2048', [2, 3], 'pss', 14, 'RSA-PSS with SHA-384'],
    ['rsa2048', [1, 2], 'pkcs1', 14, 'RSA with SHA-256'],
    ['rsa2048', [1], 'pss', 14, 'RSA-PSS with SHA-1'],
    ['p256', [1, 2, 3, 4], 'pkcs1', 14, 'ECDSA with SHA-256'],
    ['p384', [1, 2, 3, 4], 'pkcs1', 14, 'ECDSA with SHA-384'],
    ['p521', [1, 2, 3, 4], 'pkcs1', 14, 'ECDSA with SHA-512'],
    ['p521', [2], 'pkcs1', 14, 'ECDSA with SHA-256'],
    ['ed25519', [2, 5], 'pkcs1', 14, 'Ed25519'],
    ['ed448', [5], 'pkcs1', 14, 'Ed448'],
    // nothing in common
    ['rsa2048', [5], 'pkcs1', 1, 'RSA with SHA-1'],
    ['rsa2048', [], 'pss', 1, 'RSA with SHA-1'],
    ['p256', [99], 'pkcs1', 9, 'ECDSA with SHA-256'],
  ] as const)('%s, peer offers %j, %s: method %i', (type, offered, rsaFormat, method, name) => {
    expect(chooseSignature(keyOf(type), offered, { ...all, rsaFormat })).toMatchObject({ method, name });
  });

  it('follows the order of our wish, SHA-1 last', () => {
    const name = (hashes: readonly number[]) => chosen(chooseSignature(keyOf('rsa2048'), [1, 2, 3, 4], { ...all, hashes })).name;
    expect([name([2, 4]), name([4, 2]), name([1, 3])]).toEqual(['RSA with SHA-256', 'RSA with SHA-512', 'RSA with SHA-384']);
  });

  it('never gives an EdDSA signature to a peer without the Identity hash (RFC 8420 §2)', () => {
    expect(chooseSignature(keyOf('ed25519'), undefined, all)).toEqual({
      why: 'the peer sent no SIGNATURE_HASH_ALGORITHMS, so our Ed25519 key cannot sign for it: use an RSA or ECDSA certificate',
    });
    expect(chooseSignature(keyOf('ed25519'), [2, 3, 4], all)).toEqual({
      why: 'the peer sent a hash list without Identity, so our Ed25519 key cannot sign for it: use an RSA or ECDSA certificate',
    });
  });

  it('Identity alone in our wish is no hash for RSA', () => {
    expect(chooseSignature(keyOf('rsa2048'), [5], { ...all, hashes: [5] })).toMatchObject({ method: 1 });
  });
});

describe('signatures that we make', () => {
  const makers: readonly (readonly [KeyType, readonly number[] | undefined, 'pkcs1' | 'pss'])[] = [
    ['rsa2048', undefined, 'pkcs1'],
    ...([1, 2, 3, 4] as const).flatMap((hash) => [
      ['rsa2048', [hash], 'pkcs1'] as const,
      ['rsa2048', [hash], 'pss'] as const,
      ['p256', [hash], 'pkcs1'] as const,
      ['p521', [hash], 'pkcs1'] as const,
    ]),
    ['p256', undefined, 'pkcs1'],
    ['p384', undefined, 'pkcs1'],
    ['p521', undefined, 'pkcs1'],
    ['ed25519', [5], 'pkcs1'],
    ['ed448', [5], 'pkcs1'],
  ];

  it.each(makers)('%s %j %s: verify, and fail when anything about them changes', (type, offered, rsaFormat) => {
    const choice = chosen(chooseSignature(keyOf(type), offered, { ...all, rsaFormat }));
    const data = makeSignature(choice, keyOf(type), octets);
    const verify = (d: Uint8Array, o: Uint8Array = octets) => verifySignature(certOf(type), choice.method, d, o).ok;
    expect(verifySignature(certOf(type), choice.method, data, octets)).toEqual({ ok: true, name: choice.name });
    expect(verify(data, damaged(octets, 0))).toBe(false);
    expect(verify(damaged(data, -1))).toBe(false);
    expect(verify(damaged(data, choice.prefix.length + 8))).toBe(false);
    expect(verify(data.subarray(0, -1))).toBe(false);
    expect(verify(concat(data, Uint8Array.of(0)))).toBe(false);
    expect(verify(new Uint8Array(0))).toBe(false);
    expect(verify(data.subarray(0, choice.prefix.length))).toBe(false);
  });

  it('the classic ECDSA methods give r and s as long as the curve', () => {
    const lengths = (['p256', 'p384', 'p521'] as const).map(
      (type) => makeSignature(chosen(chooseSignature(keyOf(type), undefined, all)), keyOf(type), octets).length,
    );
    expect(lengths).toEqual([64, 96, 132]);
  });
});

describe('signatures that we refuse', () => {
  const rsa = createPrivateKey(family('rsa2048').server.key);
  const pkcs1: Scheme = { kind: 'rsa-pkcs1', hash: 'sha256' };
  const valid = new Uint8Array(sign('sha256', octets, rsa));

  const why = (type: KeyType, method: number, data: Uint8Array, offered?: readonly number[]) => {
    const verdict = verifySignature(certOf(type), method, data, octets, offered);
    return verdict.ok ? 'ok' : verdict.why;
  };
  const by = (scheme: Scheme, signature: Uint8Array) => method14(algorithmIdentifier(scheme), signature);

  it.each([0, 2, 3, 8, 12, 13, 15, 255])('AUTH method %i is no signature', (method) => {
    expect(why('rsa2048', method, valid)).toBe(`AUTH method ${method} is no signature that we know`);
  });

  it('methods and keys that do not belong together', () => {
    expect(why('p256', 1, valid)).toBe('RSA with SHA-1 by a certificate whose key is P-256');
    expect(why('rsa2048', 9, valid)).toBe('ECDSA with SHA-256 by a certificate whose key is RSA-2048');
    expect(why('p384', 9, new Uint8Array(64))).toBe('AUTH method 9 by a certificate whose key is P-384');
    expect(why('p256', 14, by(pkcs1, valid))).toBe('RSA with SHA-256 by a certificate whose key is P-256');
    expect(why('ed25519', 14, by({ kind: 'eddsa', curve: 'ed448' }, valid))).toBe('Ed448 by a certificate whose key is Ed25519');
  });

  it('a right signature under another hash than it was made with', () => {
    expect(why('rsa2048', 14, by({ kind: 'rsa-pkcs1', hash: 'sha384' }, valid))).toBe('RSA with SHA-384: the signature is wrong');
    expect(why('rsa2048', 14, by({ kind: 'rsa-pss', hash: 'sha256', salt: 32 }, valid))).toBe(
      'RSA-PSS with SHA-256: the signature is wrong',
    );
  });

  it('method 1 with another hash than SHA-1', () => {
    expect(why('rsa2048', 1, valid)).toBe('RSA with SHA-1: the signature is wrong');
  });

  it('a hash that we did not offer (RFC 7427 §4)', () => {
    expect(why('rsa2048', 14, by(pkcs1, valid), [2, 3])).toBe('ok');
    expect(why('rsa2048', 14, by(pkcs1, valid), [3, 4])).toBe('RSA with SHA-256, which we did not offer');
    const ed = new Uint8Array(sign(null, octets, family('ed25519').server.key));
    expect(why('ed25519', 14, by({ kind: 'eddsa', curve: 'ed25519' }, ed), [2, 3, 4])).toBe('Ed25519, which we did not offer');
    expect(why('ed25519', 14, by({ kind: 'eddsa', curve: 'ed25519' }, ed), [5])).toBe('ok');
  });

  it('a bare signature under method 14, and says whose fault it is', () => {
    const der = new Uint8Array(sign('sha256', octets, family('p256').server.key));
    const raw = new Uint8Array(sign('sha256', octets, { key: family('p256').server.key, dsaEncoding: 'ieee-p1363' }));
    for (const [type, data] of [
      ['rsa2048', valid],
      ['p256', der],
      ['p256', raw],
    ] as const) {
      expect(why(type, 14, data)).toContain('a fault of FortiClient 7.4.4 and 7.4.5');
    }
    expect(why('rsa2048', 14, new Uint8Array(200))).not.toContain('FortiClient');
  });

  it.each([
    ['no data', '', 'AlgorithmIdentifier of 0 octets in 0 octets of AUTH data'],
    ['a length of zero', '00', 'AlgorithmIdentifier of 0 octets in 1 octets of AUTH data'],
    ['a length beyond the data', 'ff3003', 'AlgorithmIdentifier of 255 octets in 3 octets of AUTH data'],
    ['no signature behind it', '07300506032b6570', 'AlgorithmIdentifier of 7 octets in 8 octets of AUTH data'],
    ['no sequence', '020500aa', 'broken AlgorithmIdentifier: tag 5 where 48 should be'],
    ['an unknown algorithm', '07300506032b6572aa', 'signature algorithm 1.3.101.114 is not known here'],
    ['MD5', '0f300d06092a864886f70d0101040500aa', 'signature algorithm 1.2.840.113549.1.1.4 is not known here'],
    ['octets behind the identifier', '08300506032b657000aa', 'broken AlgorithmIdentifier: octets behind the last element'],
    ['parameters for EdDSA', '0a300806032b6570020100aa', 'signature algorithm 1.3.101.112 with parameters'],
  ])('method 14 with %s', (_, data, words) => {
    expect(why('rsa2048', 14, unhex(data))).toBe(words);
  });

  it.each([
    ['no parameters', '300b06092a864886f70d01010a', 'RSA-PSS without parameters'],
    ['two hashes', pssOf('sha256', 'sha384', 32), 'RSA-PSS with two different hashes'],
    [
      'an unknown hash',
      pssOf('sha256', 'sha256', 32).replaceAll('608648016503040201', '608648016503040206'),
      'RSA-PSS with a hash or mask function that is not known here',
    ],
    ['another trailer', pssOf('sha256', 'sha256', 32, 2), 'RSA-PSS with another trailer than 1'],
    ['a salt beyond the modulus', pssOf('sha256', 'sha256', 223), 'RSA-PSS with a salt of 223 octets, too long for RSA-2048'],
    ['a salt beyond every modulus', pssOf('sha256', 'sha256', 2000), 'RSA-PSS with a salt of 2000 octets'],
    ['a negative salt', pssOf('sha256', 'sha256', 0x80), 'broken AlgorithmIdentifier: an integer out of bounds'],
  ])('RSA-PSS with %s', (_, identifier, words) => {
    expect(why('rsa2048', 14, method14(unhex(identifier), valid))).toBe(words);
  });

  it.each([0, 20, 32, 222])('takes RSA-PSS with a salt of %i octets and a trailer written out, as FortiOS does', (salt) => {
    const signature = sign('sha256', octets, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt });
    expect(why('rsa2048', 14, method14(unhex(pssOf('sha256', 'sha256', salt, 1, salt === 222)), new Uint8Array(signature)))).toBe(
      'ok',
    );
  });

  it('takes RSA with its NULL parameter left out, and ECDSA with one', () => {
    expect(why('rsa2048', 14, method14(unhex('300b06092a864886f70d01010b'), valid))).toBe('ok');
    const ecdsa = new Uint8Array(sign('sha256', octets, family('p256').server.key));
    expect(why('p256', 14, method14(unhex('300c06082a8648ce3d0403020500'), ecdsa))).toBe('ok');
  });

  it('keys that are too weak or too strange', () => {
    const certOfKey = (key: ReturnType<typeof createPrivateKey>) =>
      issue({ cn: 'odd', key: { pem: key.export({ type: 'pkcs8', format: 'pem' }).toString() } }).cert;
    const refusal = (key: ReturnType<typeof createPrivateKey>) => {
      const verdict = verifySignature(certOfKey(key), 14, by(pkcs1, valid), octets);
      return verdict.ok ? 'ok' : verdict.why;
    };
    expect(refusal(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)).toBe(
      'the key of the certificate is refused: RSA key of 1024 bits, fewer than 2048',
    );
    expect(refusal(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey)).toBe(
      'the key of the certificate is refused: RSA key with public exponent 3, less than 65537',
    );
    expect(refusal(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey)).toBe(
      'the key of the certificate is refused: key on curve secp256k1, which is none of P-256, P-384, P-521',
    );
  });

  it('an ECDSA signature whose DER has another length form, zeros or a tail', () => {
    const scheme: Scheme = { kind: 'ecdsa', hash: 'sha256', form: 'der' };
    const der = new Uint8Array(sign('sha256', octets, family('p256').server.key));
    const body = der.subarray(2);
    const forms = [concat(Uint8Array.of(0x30, 0x81, body.length), body), concat(der, Uint8Array.of(0)), padded(der)];
    expect(why('p256', 14, by(scheme, der))).toBe('ok');
    for (const form of forms) expect(why('p256', 14, by(scheme, form))).toBe('ECDSA with SHA-256: the signature is wrong');
  });

  it('r and s of zero', () => {
    expect(why('p256', 9, new Uint8Array(64))).toBe('ECDSA with SHA-256: the signature is wrong');
  });
});

describe('private keys', () => {
  const rsa = createPrivateKey(family('rsa2048').server.key);
  const encrypted = rsa.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' }).toString();

  it('are read in each of their PEM forms', () => {
    expect(loadPrivateKey(rsa.export({ type: 'pkcs1', format: 'pem' }).toString())).toMatchObject({ kind: 'rsa', bits: 2048 });
    const ec = createPrivateKey(family('p384').server.key);
    expect(loadPrivateKey(ec.export({ type: 'sec1', format: 'pem' }).toString())).toMatchObject({ kind: 'ecdsa', bits: 384 });
    expect(loadPrivateKey(family('ed25519').server.key)).toMatchObject({ kind: 'ed25519' });
    expect(loadPrivateKey(encrypted, 'open sesame')).toMatchObject({ kind: 'rsa', bits: 2048 });
  });

  it.each([
    ['nothing', '', undefined, 'no private key in PEM format'],
    ['a certificate', family('p256').server.certificate, undefined, 'a private key is wanted here, this is a certificate'],
    ['an encrypted key without a password', encrypted, undefined, 'the private key is encrypted and no password is given'],
    ['a wrong password', encrypted, 'sesame', 'the password does not open the private key'],
    [
      'damage',
      '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n',
      undefined,
      'the private key is damaged or of an unknown kind',
    ],
    ['a novel', 'x'.repeat(40_000), undefined, 'a private key of 40000 characters is not plausible'],
  ])('%s: refused in plain words', (_, pem, password, words) => {
    expect(() => loadPrivateKey(pem, password)).toThrow(new Error(words));
  });

  it('too weak: refused in plain words', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    expect(() => loadPrivateKey(weak)).toThrow('this private key cannot be used: RSA key of 1024 bits, fewer than 2048');
  });
});

/** RSASSA-PSS parameters with everything written out, in hexadecimal; `long` for salts of two octets. */
function pssOf(hash: 'sha256' | 'sha384', mask: 'sha256' | 'sha384', salt: number, trailer = 1, long = false): string {
  const oids = { sha256: '300d06096086480165030402010500', sha384: '300d06096086480165030402020500' };
  const number =
    salt > 255
      ? `0202${salt.toString(16).padStart(4, '0')}`
      : long || salt === 223
        ? `020200${salt.toString(16)}`
        : `0201${salt.toString(16).padStart(2, '0')}`;
  const tlv = (tag: string, body: string) => `${tag}${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
  const fields = [
    tlv('a0', oids[hash]),
    tlv('a1', tlv('30', `06092a864886f70d010108${oids[mask]}`)),
    tlv('a2', number),
    tlv('a3', `0201${trailer.toString(16).padStart(2, '0')}`),
  ];
  return tlv('30', `06092a864886f70d01010a${tlv('30', fields.join(''))}`);
}

/** The same signature with a zero in front of r. */
function padded(der: Uint8Array): Uint8Array {
  const rLength = der[3] ?? 0;
  const r = der.subarray(4, 4 + rLength);
  const rest = der.subarray(4 + rLength);
  return concat(Uint8Array.of(0x30, der.length - 1, 0x02, rLength + 1, 0), r, rest);
}
