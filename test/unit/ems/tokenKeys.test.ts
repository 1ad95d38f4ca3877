/** Public keys of tokens: which are taken, and in which words the others are refused. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readTokenKeys } from '../../../src/ems/token.ts';
import { issue } from '../../support/pki.ts';

const rsa = (modulusLength = 2048, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey;
const [ours, other] = [rsa(), rsa()];
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const jwk = (key: KeyObject) => key.export({ format: 'jwk' });
const text = (...keys: readonly object[]) => JSON.stringify(keys.length === 1 ? keys[0] : { keys });
const certificate = issue({ cn: 'EMS', key: 'rsa2048' });
const idOf = (key: KeyObject) =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
/** A modulus of so many bits, of which nobody knows the factors: good enough to be measured. */
const modulus = (bits: number) => Buffer.alloc(bits / 8, 0xff).toString('base64url');

describe('a key of tokens is read from', () => {
  it.each([
    ['PEM', pem(ours), [ours]],
    ['PEM with words around it, and a second one', `EMS 1\n${pem(ours)}\nEMS 1, old\n${pem(other)}`, [ours, other]],
    ['a certificate', certificate.certificate, [createPublicKey(certificate.certificate)]],
    ['both at once', pem(ours) + certificate.certificate, [ours, createPublicKey(certificate.certificate)]],
    ['a JWK', text(jwk(ours)), [ours]],
    ['a JWK with its purpose', text({ ...jwk(ours), alg: 'RS256', use: 'sig', kid: 'x' }), [ours]],
    ['a JWK set', text(jwk(ours), jwk(other)), [ours, other]],
  ])('%s', async (_, from, keys) => expect((await readTokenKeys(from)).map(({ id }) => id)).toEqual(keys.map(idOf)));
  it('lengths from 2048 to 8192 bits, and an exponent of 3', async () => {
    for (const key of [pem(rsa(2048, 3)), text({ kty: 'RSA', n: modulus(8192), e: 'AQAB' })])
      expect(await readTokenKeys(key)).toHaveLength(1);
  });
});

describe('refused is', () => {
  it.each<readonly [string, () => string, RegExp]>([
    ['a short key', () => pem(rsa(1024)), /2048 to 8192 bits, this one 1024/],
    ['one of 2040 bits', () => text({ kty: 'RSA', n: modulus(2040), e: 'AQAB' }), /this one 2040/],
    ['an endless key', () => text({ kty: 'RSA', n: modulus(8200), e: 'AQAB' }), /this one 8200|cannot be read/],
    ['an exponent of 1', () => text({ kty: 'RSA', n: modulus(2048), e: 'AQ' }), /exponent|cannot be read/],
    ['an even exponent', () => text({ kty: 'RSA', n: modulus(2048), e: 'AQAA' }), /exponent|cannot be read/],
    ['an elliptic curve', () => pem(curve.publicKey), /no RSA key/],
    ['a certificate of an elliptic curve', () => issue({ cn: 'EMS' }).certificate, /no RSA key/],
    ['an elliptic curve as a JWK', () => text(jwk(curve.publicKey)), /must be RSA/],
    ['RSA for PSS alone', () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), /no RSA key/],
    ['a secret', () => text({ kty: 'oct', k: 'AAAA' }), /must be RSA/],
    ['a private key', () => pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /private key/],
    ['a private key of the older form', () => pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), /private key/],
    ['a private key as a JWK', () => text(jwk(pair.privateKey)), /private key/],
    [
      'a private key behind a public one',
      () => pem(ours) + pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      /private key/,
    ],
    ['a public key of the older form', () => ours.export({ type: 'pkcs1', format: 'pem' }).toString(), /not 'RSA PUBLIC KEY'/],
    ['a JWK for another algorithm', () => text({ ...jwk(ours), alg: 'PS256' }), /RS256 signatures/],
    ['a JWK for encryption', () => text({ ...jwk(ours), use: 'enc' }), /RS256 signatures/],
    ['a JWK without a modulus', () => text({ kty: 'RSA', e: 'AQAB' }), /cannot be read/],
    ['a JWK that says something twice', () => `{"kty":"RSA",${text(jwk(ours)).slice(1)}`, /PEM .* or a JWK/],
    ['a good one in a set with a bad one', () => text(jwk(ours), jwk(curve.publicKey)), /must be RSA/],
    ['an empty set', () => '{"keys":[]}', /no token key/],
    ['too many', () => pem(ours).repeat(17), /more than 16/],
    ['a cut one', () => pem(ours).slice(0, -40), /is cut/],
    ['a damaged one', () => pem(ours).replace('MII', 'AAA'), /cannot be read/],
    ['words', () => 'no key', /PEM .* or a JWK/],
    ['nothing', () => '', /PEM .* or a JWK/],
    ['null', () => 'null', /PEM .* or a JWK/],
  ])('%s', async (_, from, reason) => await expect(readTokenKeys(from())).rejects.toThrow(reason));
  it('never with the key in the error', async () => {
    const { d = '' } = jwk(pair.privateKey);
    const body = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const from of [body, text(jwk(pair.privateKey)), d]) {
      const told = await readTokenKeys(from).catch(String);
      expect(told).toEqual(expect.stringMatching(/^Error: /));
      expect(told).not.toContain(d.slice(0, 16));
      expect(told).not.toContain(body.slice(100, 116));
    }
  });
});
