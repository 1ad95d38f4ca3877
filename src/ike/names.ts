/**
 * FortiOS' names of transforms, as its ike debug prints them (7.2 to 7.6). Where FortiOS has none, IANA's label stands. The
 * words of INTEGR differ between IKE and ESP; a group in an IKE proposal ends in a dot.
 */
import { Protocol, type Transform, TransformType, transformName } from '../wire/index.ts';

/** 'ENCR', 'INTEGR', 'PRF', 'DH_GROUP', 'ESN'; another transform type as its number. Never throws. */
export function fortiTypeName(type: number): string {
  return typeNames.get(type) ?? `${type}`;
}

/**
 * Value of a transform, e.g. 'AES_CBC (key_len = 256)', 'AUTH_HMAC_SHA2_256_128' (in ESP 'SHA256'), 'ECP384'. Never throws.
 *
 * @param keyLength bits, 0 when there is no Key Length attribute
 * @param protocol Protocol.IKE or Protocol.ESP
 */
export function fortiName(type: number, id: number, keyLength: number, protocol: number = Protocol.IKE): string {
  switch (type) {
    case TransformType.ENCR:
      return encryption(id, keyLength);
    case TransformType.INTEG:
      return (protocol === Protocol.IKE ? ikeIntegrity : espIntegrity).get(id) ?? transformName(type, id);
    case TransformType.PRF:
      return prfs.get(id) ?? transformName(type, id);
    case TransformType.DH:
      return transformName(type, id).replace(/^(MODP|ECP)_(?=\d+$)/, '$1');
    case TransformType.ESN:
      return id === 0 ? 'NO' : id === 1 ? 'YES' : `${id}`;
    default:
      return transformName(type, id);
  }
}

/** Both halves of the line `type=…, val=…`, with the dot behind a group of an IKE proposal. */
export function fortiTransform(
  { type, id, keyLength }: Transform,
  protocol: number,
): { readonly type: string; readonly value: string } {
  const dot = type === TransformType.DH && protocol === Protocol.IKE ? '.' : '';
  return { type: fortiTypeName(type), value: fortiName(type, id, keyLength, protocol) + dot };
}

const typeNames = new Map<number, string>([
  [TransformType.ENCR, 'ENCR'],
  [TransformType.PRF, 'PRF'],
  [TransformType.INTEG, 'INTEGR'],
  [TransformType.DH, 'DH_GROUP'],
  [TransformType.ESN, 'ESN'],
]);

const ciphers = new Map([
  [2, 'DES_CBC'],
  [3, '3DES_CBC'],
  [11, 'ENCR_NULL'],
]);

const ikeIntegrity = new Map([
  [0, 'AUTH_NONE'],
  [1, 'AUTH_HMAC_MD5_96'],
  [2, 'AUTH_HMAC_SHA_96'],
  [5, 'AUTH_AES_XCBC_96'],
  [12, 'AUTH_HMAC_SHA2_256_128'],
  [13, 'AUTH_HMAC_SHA2_384_192'],
  [14, 'AUTH_HMAC_SHA2_512_256'],
]);

const espIntegrity = new Map([
  [0, 'NONE'],
  [1, 'MD5'],
  [2, 'SHA'],
  [12, 'SHA256'],
  [13, 'SHA384'],
  [14, 'SHA512'],
]);

const prfs = new Map([
  [1, 'PRF_HMAC_MD5'],
  [2, 'PRF_HMAC_SHA'],
  [4, 'PRF_AES128_XCBC'],
  [5, 'PRF_HMAC_SHA2_256'],
  [6, 'PRF_HMAC_SHA2_384'],
  [7, 'PRF_HMAC_SHA2_512'],
]);

const CHACHA20_POLY1305 = 28;

function encryption(id: number, keyLength: number): string {
  const name = ciphers.get(id) ?? transformName(TransformType.ENCR, id);
  const bits = id === CHACHA20_POLY1305 && keyLength === 0 ? 256 : keyLength; // FortiOS prints the key that RFC 7634 implies
  return bits === 0 ? name : `${name} (key_len = ${bits})`;
}
