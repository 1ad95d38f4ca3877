/**
 * Key schedule of the scripted gateway, by hand from RFC 7296 §2.13 to §2.18 on bare HMAC-SHA-256, for one suite alone:
 * AES-GCM-16 with 256 bits and PRF_HMAC_SHA2_256. It shares nothing with the client's.
 */
import { createHmac } from 'node:crypto';
import { cipher, type Opener, type Sealer } from '../../../crypto/index.ts';
import { type IkeSpi, unhex } from '../../../src/wire/index.ts';

export const hmac = (key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array => {
  const h = createHmac('sha256', key);
  for (const d of data) h.update(d);
  return new Uint8Array(h.digest());
};

export const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export function prfPlus(key: Uint8Array, seed: Uint8Array, octets: number): Uint8Array {
  let [out, last] = [new Uint8Array(0), new Uint8Array(0)];
  for (let n = 1; out.length < octets; n++) {
    last = new Uint8Array(hmac(key, last, seed, Uint8Array.of(n)));
    out = new Uint8Array(join(out, last));
  }
  return out.slice(0, octets);
}

export type FakeKeys = {
  readonly SK_d: Uint8Array;
  readonly SK_pi: Uint8Array;
  readonly SK_pr: Uint8Array;
  /** For what the initiator of the SA sends, and the responder. */
  readonly ends: { readonly i: End; readonly r: End };
};
type End = { readonly sealer: Sealer; readonly opener: Opener };

/** `seed`: SKEYSEED. */
export function fakeKeys(seed: Uint8Array, Ni: Uint8Array, Nr: Uint8Array, SPIi: IkeSpi, SPIr: IkeSpi): FakeKeys {
  const stream = prfPlus(seed, join(Ni, Nr, unhex(SPIi), unhex(SPIr)), 32 + 36 + 36 + 32 + 32);
  const end = (at: number): End => {
    const gcm = cipher(20, 256, 0);
    if (gcm === undefined) throw new Error('no AES-GCM');
    const key = stream.slice(at, at + 36);
    return { sealer: gcm.sealer(key, new Uint8Array(0)), opener: gcm.opener(key, new Uint8Array(0)) };
  };
  return {
    SK_d: stream.slice(0, 32),
    SK_pi: stream.slice(104, 136),
    SK_pr: stream.slice(136, 168),
    ends: { i: end(32), r: end(68) },
  };
}

/** What AUTH covers, and the AUTH of a secret over it. */
export function signedOctets(
  message: Uint8Array,
  nonce: Uint8Array,
  SK_p: Uint8Array,
  id: { idType: number; data: Uint8Array },
): Uint8Array {
  return join(message, nonce, hmac(SK_p, Uint8Array.of(id.idType, 0, 0, 0), id.data));
}
export const macOf = (secret: Uint8Array, octets: Uint8Array): Uint8Array =>
  hmac(hmac(secret, new TextEncoder().encode('Key Pad for IKEv2')), octets);
