/** Tokens: a good one, and every way to forge one that is known. */
import { createHmac, generateKeyPairSync, type KeyObject, sign as signOctets } from 'node:crypto';
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
  it('with odd tag names keeps those that a profile could want', async () => {
    const odd = [' a', 'a ', '', 'a\nb', 'x'.repeat(200), 'Telemetry Connected', 'ä'];
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
    ['RS384', () => signed(claims(), { alg: 'RS384' }), /RS256/],
    ['PS256', () => signed(claims(), { alg: 'PS256' }), /RS256/],
    ['rs256', () => signed(claims(), { alg: 'rs256' }), /RS256/],
    ['two algorithms', () => signed(claims(), '{"alg":"RS256","alg":"none"}'), /no JSON object/],
    ['its own key in the header', () => other({ ...HEADER, jwk: jwk() }), /'jwk'/],
    ['a key elsewhere', () => other({ ...HEADER, jku: 'https://evil.example' }), /'jku'/],
    ['a certificate in the header', () => other({ ...HEADER, x5c: ['AA'] }), /'x5c'/],
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
    ['padding', () => `${head}.${body}=.${signature}`, /segments/],
    ['a mark of byte order', () => signed(`\uFEFF${JSON.stringify(claims())}`), /no JSON/],
    ['four segments', () => `${good}.${signature}`, /segments/],
    ['nothing', () => '', /segments/],
    ['no UID', () => signed(claims({}, { uid: null })), /uid/],
    ['a short UID', () => signed(claims({}, { uid: 'AB' })), /uid/],
    ['no end', () => signed(claims({ exp: undefined })), /exp/],
    ['an end in words', () => signed(claims({ exp: '1800003600' })), /exp/],
    ['an end before its beginning', () => signed(claims({ exp: NOW - 700 })), /exp/],
    ['tags that are no list', () => signed(claims({}, { tags: { a: 1 } })), /tags/],
    ['tags without end', () => signed(claims({}, { tags: Array(300).fill({ name: 'a', type: 1 }) })), /tags/],
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

describe('keys', () => {
  it.each([
    ['PEM', pem(ours.publicKey)],
    ['a JWK', JSON.stringify(ours.publicKey.export({ format: 'jwk' }))],
    ['a JWK set', JSON.stringify({ keys: [ours.publicKey.export({ format: 'jwk' })] })],
  ])('are read from %s', async (_, text) => expect((await readTokenKeys(text)).map(({ id }) => id)).toEqual([keys[0]?.id]));
  it.each([
    ['short ones', () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /2048/],
    ['curves', () => pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey), /RSA/],
    ['a secret', () => JSON.stringify({ kty: 'oct', k: 'AAAA' }), /RSA/],
    ['words', () => 'no key', /PEM/],
  ])('are not %s', async (_, text, reason) => await expect(readTokenKeys(text())).rejects.toThrow(reason));
});

describe('strict JSON', () => {
  it('takes what JSON is', () => {
    expect(strictJson(octets('{"a":{"b":[1,{"a":2}]},"c":"{\\"a\\":1,\\"a\\":2}"}'))).toEqual({
      a: { b: [1, { a: 2 }] },
      c: '{"a":1,"a":2}',
    });
  });
  it.each(['{"a":1,"a":2}', '[{"x":{"b":1,"b":1}}]', '{"a":1,}', '\u00ff'])('not %s', (text) => {
    expect(strictJson(text === '\u00ff' ? Uint8Array.of(0x22, 0xff, 0x22) : octets(text))).toBeUndefined();
  });
});
