/** Tokens: a good one, and every way to forge one that is known. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign as signOctets } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { strictJson } from '../../../src/ems/strictJson.ts';
import { readTokenKeys, TokenVerifier } from '../../../src/ems/token.ts';

const NOW = 1_800_000_000;
const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const [ours, others] = [pair(), pair()];
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const keys = await readTokenKeys(pem(ours.publicKey));
const rings = [{ ems: 3, keys }];

const b64 = (value: string | object) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const claims = (more: object = {}, endpoint: object = {}) => ({
  endpoint: { uid: UID, tags: [{ name: 'a', type: 1, levl: null }], nwifs: null, ztna_cert_sn: '00AB', owner: null, ...endpoint },
  ...{ exp: NOW + 3000, iat: NOW - 600 },
  ...more,
});
const HEADER = { alg: 'RS256', typ: 'JWT' };
/** Signed as RS256 whatever the header says. */
const signed = (payload: string | object, header: string | object = HEADER, key: KeyObject = ours.privateKey) => {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${signOctets('sha256', Buffer.from(input), key).toString('base64url')}`;
};
const octets = (text: string) => new TextEncoder().encode(text);
const judged = (token: string | Uint8Array, now = NOW) =>
  new TokenVerifier().verify(typeof token === 'string' ? octets(token) : token, rings, now);
const why = async (token: string | Uint8Array, now = NOW) => {
  const report = await judged(token, now);
  return report.kind === 'bad' ? report.why : report.kind;
};

describe('a token', () => {
  it('of an EMS whose key is pinned says what EMS knows', async () => {
    const tags = [
      { name: 'a', type: 1, levl: null },
      { name: 'Low', type: 3, levl: 'x' },
      { name: 'out', type: 2 },
      { name: 'f', type: 4 },
    ];
    expect(await judged(signed(claims({}, { tags })))).toEqual({
      ...{ kind: 'valid', ems: 3, uid: UID, certSn: 'AB', issued: NOW - 600, until: NOW + 3000 },
      tags: [
        { ems: 3, type: 'ZTNA', name: 'a' },
        { ems: 3, type: 'CLASS', name: 'Low' },
      ],
    });
  });
  it('may end in NULs, and its UID may be in small letters', async () => {
    expect(await judged(octets(`${signed(claims())}\0\0`))).toMatchObject({ kind: 'valid' });
    expect(await judged(signed(claims({}, { uid: UID.toLowerCase() })))).toMatchObject({ uid: UID });
  });
  it('is dead at its hour, and not born more than a minute ahead', async () => {
    const token = signed(claims({ exp: NOW + 10, iat: NOW }));
    expect([await why(token, NOW + 9), await why(token, NOW + 10)]).toEqual(['valid', 'expired']);
    expect(await why(signed(claims({ iat: NOW + 60 })))).toBe('valid');
    expect(await why(signed(claims({ iat: NOW + 61 })))).toBe('issued in the future');
  });
  it('is judged by the clock each time, remembered or not', async () => {
    const verifier = new TokenVerifier();
    const token = octets(signed(claims({ exp: NOW + 10 })));
    expect((await verifier.verify(token, rings, NOW)).kind).toBe('valid');
    expect((await verifier.verify(token, rings, NOW + 10)).kind).toBe('bad');
    expect((await verifier.verify(token, [{ ems: 3, keys: [] }], NOW)).kind).toBe('bad');
    expect(await verifier.verify(token, [{ ems: 4, keys }], NOW)).toMatchObject({ kind: 'valid', ems: 4 });
  });
  it('is of the EMS whose key signed it, wherever that one stands', async () => {
    const two = [
      { ems: 1, keys: await readTokenKeys(pem(others.publicKey)) },
      { ems: 2, keys: [] },
      { ems: 3, keys },
    ];
    expect(await new TokenVerifier().verify(octets(signed(claims())), two, NOW)).toMatchObject({ ems: 3, tags: [{ ems: 3 }] });
  });
  it('may carry a hint at a key, and is verified without it', async () => {
    expect(await judged(signed(claims(), { ...HEADER, kid: 'nobody knows' }))).toMatchObject({ kind: 'valid' });
  });
  it('that is not valid yet is not (RFC 7519 §4.1.5)', async () => {
    expect(await why(signed(claims({ nbf: NOW + 60 })))).toBe('valid');
    expect(await why(signed(claims({ nbf: NOW + 61 })))).toBe('not valid yet');
    expect(await why(signed(claims({ nbf: 'soon' })))).toMatch(/nbf/);
  });
  it.each([
    ['none', null, ''],
    ['absent', undefined, ''],
    ['with colons, small letters and leading zeros', '00:0a:bc', 'ABC'],
  ])('has a certificate serial number: %s', async (_, serial, read) => {
    expect(await judged(signed(claims({}, { ztna_cert_sn: serial })))).toMatchObject({ certSn: read });
  });
  it('has a level of each tag, which is not looked at', async () => {
    const tags = [null, undefined, 3, 'Low'].map((levl, i) => ({ name: `a${i}`, type: 1, levl }));
    expect(await judged(signed(claims({}, { tags })))).toMatchObject({
      tags: [{ name: 'a0' }, { name: 'a1' }, { name: 'a2' }, { name: 'a3' }],
    });
  });
  it('has at most 256 tags and 16384 octets', async () => {
    const tags = (count: number) => signed(claims({}, { tags: Array(count).fill({ name: 'a', type: 1 }) }));
    expect([await why(tags(256)), await why(tags(257))]).toEqual(['valid', expect.stringContaining('too many')]);
    expect([await why('x'.repeat(16_384)), await why('x'.repeat(16_385))]).toEqual([
      expect.stringContaining('segments'),
      'too large',
    ]);
  });
  it('with odd tag names keeps those that a profile could want', async () => {
    const odd = [' a', 'a ', '', 'a\nb', 'a\0', '\u0085', 'x'.repeat(200), 'Telemetry Connected', 'ä'];
    const tags = odd.map((name) => ({ name, type: 1, levl: null }));
    expect(await judged(signed(claims({}, { tags })))).toMatchObject({ tags: [{ name: 'Telemetry Connected' }, { name: 'ä' }] });
  });
});

const good = signed(claims());
const [head = '', body = '', signature = ''] = good.split('.');
const hs256 = () => {
  const input = `${b64({ alg: 'HS256', typ: 'JWT' })}.${body}`;
  return `${input}.${createHmac('sha256', pem(ours.publicKey)).update(input).digest('base64url')}`;
};
/** What the header says, truly signed so. */
const honest = (header: object, sign: (input: Buffer) => Buffer) => {
  const input = `${b64(header)}.${body}`;
  return `${input}.${sign(Buffer.from(input)).toString('base64url')}`;
};
const pss = (input: Buffer) =>
  signOctets('sha256', input, { key: ours.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
const curve = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const ecdsa = (input: Buffer) => signOctets('sha256', input, { key: curve.privateKey, dsaEncoding: 'ieee-p1363' });
/** The same octets in another spelling: bits that base64url does not use. */
const respelled = () => {
  const last = good.at(-1) ?? '';
  return `${good.slice(0, -1)}${String.fromCharCode(last.charCodeAt(0) + 1)}`;
};
const jwk = () => others.publicKey.export({ format: 'jwk' });
const other = (header: object) => signed(claims(), header, others.privateKey);
const flipped = () => {
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  return `${head}.${body}.${bytes.toString('base64url')}`;
};

describe('an attack', () => {
  it.each<readonly [string, () => string | Uint8Array, RegExp]>([
    ['alg none', () => `${b64({ alg: 'none' })}.${body}.`, /segments/],
    ['alg none with a signature', () => `${b64({ alg: 'none' })}.${body}.${signature}`, /RS256/],
    ['HS256 with the public key as its secret', hs256, /RS256/],
    ['RS384', () => honest({ alg: 'RS384' }, (input) => signOctets('sha384', input, ours.privateKey)), /RS256/],
    ['PS256', () => honest({ alg: 'PS256' }, pss), /RS256/],
    ['PS256 that says RS256', () => honest(HEADER, pss), /no configured EMS/],
    ['SHA-384 that says RS256', () => honest(HEADER, (i) => signOctets('sha384', i, ours.privateKey)), /no configured EMS/],
    ['ES256', () => honest({ alg: 'ES256' }, ecdsa), /RS256/],
    ['no algorithm', () => signed(claims(), { typ: 'JWT' }), /RS256/],
    ['a list of algorithms', () => signed(claims(), { alg: ['RS256'] }), /RS256/],
    ['a header that is a list', () => signed(claims(), ['RS256']), /no JSON object/],
    ['a header that inherits', () => signed(claims(), '{"__proto__":{"alg":"RS256"}}'), /RS256/],
    ['rs256', () => signed(claims(), { alg: 'rs256' }), /RS256/],
    ['two algorithms', () => signed(claims(), '{"alg":"RS256","alg":"none"}'), /no JSON object/],
    ['its own key in the header', () => other({ ...HEADER, jwk: jwk() }), /'jwk'/],
    ['a key elsewhere', () => other({ ...HEADER, jku: 'https://evil.example' }), /'jku'/],
    ['a certificate in the header', () => other({ ...HEADER, x5c: ['AA'] }), /'x5c'/],
    ['a certificate elsewhere', () => other({ ...HEADER, x5u: 'https://evil.example' }), /'x5u'/],
    ['a key in a header that we signed ourselves', () => signed(claims(), { ...HEADER, jwk: jwk() }), /'jwk'/],
    ['a payload outside', () => signed(claims(), { ...HEADER, b64: false }), /'b64'/],
    ['critical extensions', () => signed(claims(), { ...HEADER, crit: ['b64'], b64: false }), /'crit'/],
    ['kid: a path', () => other({ ...HEADER, kid: '../../../dev/null' }), /no configured EMS/],
    ['kid: SQL', () => other({ ...HEADER, kid: "x' UNION SELECT" }), /no configured EMS/],
    ['kid: that of our key', () => other({ ...HEADER, kid: keys[0]?.id }), /no configured EMS/],
    ['another EMS’ key', () => signed(claims(), HEADER, others.privateKey), /no configured EMS/],
    ['a flipped bit in the signature', flipped, /no configured EMS/],
    ['a short signature', () => good.slice(0, -4), /no configured EMS|segments/],
    [
      'other claims under a good signature',
      () => `${head}.${b64(claims({ exp: NOW + 9_000_000 }))}.${signature}`,
      /no configured EMS/,
    ],
    ['claims that say something twice', () => signed(`{"exp":${NOW + 10},"exp":${NOW + 9999},"iat":1}`), /twice/],
    ['claims that say it twice in another spelling', () => signed('{"e\\u0078p":1,"exp":2}'), /twice/],
    ['60 kB', () => octets(`${head}.${'A'.repeat(60_000)}.${signature}`), /too large/],
    ['a bomb of brackets', () => signed(`${'['.repeat(4000)}${']'.repeat(4000)}`), /too deep/],
    ['white space around it', () => ` ${good} `, /segments/],
    ['a line break in it', () => `${head}\n.${body}.${signature}`, /segments/],
    ['another spelling of base64url', respelled, /segments/],
    ['plain base64', () => signed(claims({}, { x: '\u00fb\u00ff\u00fe???' })).replaceAll('_', '/'), /segments/],
    ['a NUL within', () => octets(`${head}.${body}\0.${signature}`), /segments/],
    ['octets that are no text', () => Uint8Array.from({ length: 300 }, (_, i) => i & 255), /segments/],
    ['claims that are not UTF-8', () => `${head}.${Buffer.of(0x22, 0xff, 0x22).toString('base64url')}.${signature}`, /no JSON/],
    ['padding', () => `${head}.${body}=.${signature}`, /segments/],
    ['a mark of byte order', () => signed(`\uFEFF${JSON.stringify(claims())}`), /no JSON/],
    ['four segments', () => `${good}.${signature}`, /segments/],
    ['nothing', () => '', /segments/],
    ['no UID', () => signed(claims({}, { uid: null })), /uid/],
    ['a short UID', () => signed(claims({}, { uid: 'AB' })), /uid/],
    ['a UID in other digits', () => signed(claims({}, { uid: '０'.repeat(32) })), /uid/],
    ['a beginning with a fraction', () => signed(claims({ iat: NOW - 0.5 })), /iat/],
    ['an end beyond all time', () => signed(`{"endpoint":{},"exp":1e400,"iat":1}`), /uid|exp/],
    ['no claims', () => signed('null'), /claims of the wrong type/],
    ['no endpoint', () => signed(claims({ endpoint: [] })), /claims of the wrong type/],
    ['no end', () => signed(claims({ exp: undefined })), /exp/],
    ['an end in words', () => signed(claims({ exp: '1800003600' })), /exp/],
    ['an end before its beginning', () => signed(claims({ exp: NOW - 700 })), /exp/],
    ['tags that are no list', () => signed(claims({}, { tags: { a: 1 } })), /tags/],
    ['tags without end', () => signed(claims({}, { tags: Array(300).fill({ name: 'a', type: 1 }) })), /tags/],
    ['a tag that is a text', () => signed(claims({}, { tags: ['a'] })), /tag/],
    ['a type with a fraction', () => signed(claims({}, { tags: [{ name: 'a', type: 1.5 }] })), /tag/],
    ['a type in words', () => signed(claims({}, { tags: [{ name: 'a', type: '1' }] })), /tag/],
    ['a level that is an object', () => signed(claims({}, { tags: [{ name: 'a', type: 1, levl: {} }] })), /tag/],
    ['a tag without a type', () => signed(claims({}, { tags: [{ name: 'a' }] })), /tag/],
    ['a serial number that is none', () => signed(claims({}, { ztna_cert_sn: 'x y' })), /ztna_cert_sn/],
  ])('%s is a bad token', async (_, token, reason) => expect(await why(token())).toMatch(reason));

  it('cut or flipped anywhere is bad', async () => {
    const bytes = octets(good);
    const verifier = new TokenVerifier();
    for (let at = 0; at < bytes.length; at += 37) {
      const bad = bytes.slice();
      bad[at] = (bad[at] ?? 0) ^ 2;
      expect([
        (await verifier.verify(bad, rings, NOW)).kind,
        (await verifier.verify(bytes.subarray(0, at), rings, NOW)).kind,
      ]).toEqual(['bad', 'bad']);
    }
  });
});

describe('what is remembered', () => {
  // Another key under the same name verifies nothing: valid is only what is still remembered.
  const blind = async () => {
    const [{ id } = { id: '' }] = keys;
    return [{ ems: 3, keys: (await readTokenKeys(pem(others.publicKey))).map((key) => ({ ...key, id })) }];
  };
  it('costs no signature any more', async () => {
    const verifier = new TokenVerifier();
    expect((await verifier.verify(octets(good), await blind(), NOW)).kind).toBe('bad');
    expect((await verifier.verify(octets(good), rings, NOW)).kind).toBe('valid');
    expect((await verifier.verify(octets(good), await blind(), NOW)).kind).toBe('valid');
  });
  it('has a bound: the token longest not seen is forgotten', async () => {
    const verifier = new TokenVerifier(2);
    const [first, second, third] = [1, 2, 3].map((jti) => octets(signed(claims({ jti }))));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were made');
    for (const token of [first, second, first, third]) await verifier.verify(token, rings, NOW);
    const left = [first, second, third].map(async (token) => (await verifier.verify(token, await blind(), NOW)).kind);
    expect(await Promise.all(left)).toEqual(['valid', 'bad', 'valid']);
  });
});

describe('strict JSON', () => {
  it('takes what JSON is', () => {
    expect(strictJson(octets('{"a":{"b":[1,{"a":2}]},"c":"{\\"a\\":1,\\"a\\":2}"}'))).toEqual({
      a: { b: [1, { a: 2 }] },
      c: '{"a":1,"a":2}',
    });
  });
  it.each([1, 8])('%i deep', (deep) => expect(strictJson(octets('['.repeat(deep) + ']'.repeat(deep)))).toBeDefined());
  it('not 9 deep', () => expect(strictJson(octets('['.repeat(9) + ']'.repeat(9)))).toBeUndefined());
  it.each(['{"a":1,"a":2}', '[{"x":{"b":1,"b":1}}]', '{"":1,"":1}', '{"a":1,}', '{"\\"":1,"\\u0022":2}', '', '\u00ff'])(
    'not %s',
    (text) => {
      expect(strictJson(text === '\u00ff' ? Uint8Array.of(0x22, 0xff, 0x22) : octets(text))).toBeUndefined();
    },
  );
});
