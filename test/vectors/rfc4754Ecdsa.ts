/** ECDSA of AUTH methods 9 to 11: RFC 4754 §8. The certificate is made around the key of the RFC. */
import { createPrivateKey } from 'node:crypto';
import { expect } from 'vitest';
import { issueCertificate, readPem, verifySignature } from '../../crypto/index.ts';
import { unhex } from '../../src/wire/index.ts';

export const file = 'rfc4754-ecdsa.json';

type Row = Readonly<Record<'curve' | 'privateKey' | 'x' | 'y' | 'message' | 'signature', string>> & { readonly method: number };

export function run(data: { readonly signatures: readonly Row[] }): void {
  for (const row of data.signatures) {
    const [cert] = readPem(
      issueCertificate({ subject: [['CN', row.curve]], key: { pem: pem(row) }, notBefore: 0, notAfter: 1 }).certificate,
    );
    if (cert === undefined) throw new Error('no certificate');
    const verify = (signature: string) => verifySignature(cert, row.method, unhex(signature), unhex(row.message)).ok;
    expect([row.curve, verify(row.signature)]).toEqual([row.curve, true]);
    expect([row.curve, verify(swapped(row.signature))]).toEqual([row.curve, false]);
  }
}

const swapped = (signature: string): string => signature.slice(signature.length / 2) + signature.slice(0, signature.length / 2);

function pem({ curve, privateKey, x, y }: Row): string {
  const number = (digits: string) => Buffer.from(digits, 'hex').toString('base64url');
  const jwk = { kty: 'EC', crv: curve, d: number(privateKey), x: number(x), y: number(y) };
  const key = createPrivateKey({ format: 'jwk', key: jwk });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
