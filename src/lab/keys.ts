/**
 * The key schedule, our own reading of it: SKEYSEED and the seven keys (RFC 7296 §2.14, §2.18), KEYMAT (§2.17), and the octets
 * that AUTH covers (§2.15). The gateway has another one; tests hold the two against each other.
 */
import type { Cipher, EspSizes, Prf } from '../../crypto/index.ts';
import { concat, type IkeSpi, spiOctets } from '../wire/index.ts';

export type IkeKeys = {
  readonly SK_d: Uint8Array;
  readonly SK_ai: Uint8Array;
  readonly SK_ar: Uint8Array;
  readonly SK_ei: Uint8Array;
  readonly SK_er: Uint8Array;
  readonly SK_pi: Uint8Array;
  readonly SK_pr: Uint8Array;
};
export type ChildKeys = { readonly encr: Uint8Array; readonly integ: Uint8Array };

type Spis = { readonly SPIi: IkeSpi; readonly SPIr: IkeSpi };
type Nonces = { readonly Ni: Uint8Array; readonly Nr: Uint8Array };
/** What a rekey takes over from the SA before: its own PRF makes SKEYSEED (§2.18). */
export type Before = { readonly prf: Prf; readonly SK_d: Uint8Array };

export function ikeKeys(
  prf: Prf,
  cipher: Cipher,
  shared: Uint8Array,
  { Ni, Nr }: Nonces,
  { SPIi, SPIr }: Spis,
  before?: Before,
): IkeKeys {
  const sizes = [prf.keyOctets, ...twice(cipher.integKeyOctets), ...twice(cipher.encrKeyOctets), ...twice(prf.keyOctets)];
  const octets = sizes.reduce((sum, n) => sum + n);
  const info = concat(Ni, Nr, spiOctets(SPIi), spiOctets(SPIr));
  const stream =
    before === undefined
      ? prf.derive(concat(Ni, Nr), shared, info, octets)
      : prf.plus(before.prf.mac(before.SK_d, shared, Ni, Nr), info, octets);
  const [SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr] = cut(stream, sizes);
  return { SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr };
}

/** Keys of a child: `initiator` protects what the initiator of the exchange sends. `shared` is g^ir with PFS, else empty. */
export function childKeys(
  prf: Prf,
  SK_d: Uint8Array,
  shared: Uint8Array,
  { Ni, Nr }: Nonces,
  { encrKeyOctets: encr, integKeyOctets: integ }: Pick<EspSizes, 'encrKeyOctets' | 'integKeyOctets'>,
): { readonly initiator: ChildKeys; readonly responder: ChildKeys } {
  const cuts = [encr, integ, encr, integ];
  const [encrI, integI, encrR, integR] = cut(prf.plus(SK_d, concat(shared, Ni, Nr), 2 * (encr + integ)), cuts);
  return { initiator: { encr: encrI, integ: integI }, responder: { encr: encrR, integ: integR } };
}

/** message | nonce | prf(SK_p, ID payload without its generic header): what a signature or a MAC of AUTH is made over. */
export function authOctets(prf: Prf, message: Uint8Array, nonce: Uint8Array, SK_p: Uint8Array, id: IdBody): Uint8Array {
  return concat(message, nonce, prf.mac(SK_p, idBody(id)));
}

/** AUTH data of method 2. */
export function sharedKeyAuth(prf: Prf, secret: Uint8Array, octets: Uint8Array): Uint8Array {
  return prf.mac(prf.mac(secret, KEY_PAD), octets);
}

type IdBody = { readonly idType: number; readonly data: Uint8Array };

const KEY_PAD = new TextEncoder().encode('Key Pad for IKEv2');

const idBody = ({ idType, data }: IdBody): Uint8Array => concat(Uint8Array.of(idType, 0, 0, 0), data);

const twice = (n: number): readonly [number, number] => [n, n];

type Seven = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];

function cut(stream: Uint8Array, sizes: readonly number[]): Seven {
  let at = 0;
  const pieces = sizes.map((size) => {
    at += size;
    return stream.slice(at - size, at);
  });
  const [a, b, c, d, e, f, g] = pieces;
  return [a ?? NONE, b ?? NONE, c ?? NONE, d ?? NONE, e ?? NONE, f ?? NONE, g ?? NONE];
}
const NONE = new Uint8Array(0);
