/**
 * A zero-trust token that a real EMS signed. Its key is not public: the token itself is read and refused; its claims under
 * a signature of ours say what the real gateway took from them.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { expect } from 'vitest';
import { strictJson } from '../../src/ems/strictJson.ts';
import { readTokenKeys, TokenVerifier } from '../../src/ems/token.ts';
import { tokenText } from '../../src/ike/tokenText.ts';
import { shortPostureTag } from '../../src/posture/index.ts';

export const file = 'fortinet/token.json';

type Vector = {
  readonly token: string;
  readonly octets: number;
  readonly sha256: string;
  readonly header: object;
  readonly claims: {
    readonly endpoint: { readonly uid: string; readonly ztna_cert_sn: string };
    readonly exp: number;
    readonly iat: number;
  };
  readonly signatureOctets: number;
  readonly matched: string;
};

export async function run({ token, octets, sha256, header, claims, signatureOctets, matched }: Vector): Promise<void> {
  const sent = new TextEncoder().encode(`${token}\0`);
  expect(sent).toHaveLength(octets);
  const [head = '', body = '', signature = ''] = token.split('.');
  expect(strictJson(Buffer.from(head, 'base64url'))).toEqual(header);
  expect(strictJson(Buffer.from(body, 'base64url'))).toEqual(claims);
  expect(Buffer.from(signature, 'base64url')).toHaveLength(signatureOctets);

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 8 * signatureOctets });
  const keys = await readTokenKeys(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const verifier = new TokenVerifier();
  const judged = (what: Uint8Array, now: number) => verifier.verify(what, [{ ems: 1, keys }], now);
  const { exp, iat, endpoint } = claims;
  expect(await judged(sent, iat)).toEqual({ kind: 'bad', why: 'no configured EMS signed it' });
  expect(await judged(sent, exp)).toEqual({ kind: 'bad', why: 'no configured EMS signed it' });

  const ours = sign('sha256', Buffer.from(`${head}.${body}`), privateKey).toString('base64url');
  const resigned = new TextEncoder().encode(`${head}.${body}.${ours}\0`);
  const report = await judged(resigned, iat);
  expect(report).toMatchObject({ kind: 'valid', uid: endpoint.uid, certSn: endpoint.ztna_cert_sn, issued: iat, until: exp });
  expect(report.kind === 'valid' && report.tags.map(shortPostureTag)).toContain(matched);
  expect((await judged(resigned, exp - 1)).kind).toBe('valid');
  expect(await judged(resigned, exp)).toEqual({ kind: 'bad', why: 'expired' });

  expect(tokenText(sent)).toBe(`${JSON.stringify(claims)} sha256 ${sha256.slice(0, 16)}`);
}
