/**
 * IANA registries of IKEv2 and EAP as constants. Keys are IANA's labels without the prefix that the object's own name says
 * (Encr.AES_CBC is ENCR_AES_CBC). The …Name functions give the label back, or the number as text: they never throw.
 */
export const Exchange = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_SESSION_RESUME: 38, // RFC 5723
  GSA_AUTH: 39,
  GSA_REGISTRATION: 40,
  GSA_REKEY: 41,
  IKE_INTERMEDIATE: 43, // RFC 9242
  IKE_FOLLOWUP_KE: 44, // RFC 9370
} as const;

/** §3.2 */
export const PayloadType = {
  SA: 33,
  KE: 34,
  IDi: 35,
  IDr: 36,
  CERT: 37,
  CERTREQ: 38,
  AUTH: 39,
  NONCE: 40,
  N: 41,
  D: 42,
  V: 43,
  TSi: 44,
  TSr: 45,
  SK: 46,
  CP: 47,
  EAP: 48,
  GSPM: 49, // RFC 6467
  SKF: 53, // RFC 7383
  PS: 54, // RFC 8019
} as const;

/** §3.3.1 */
export const Protocol = { IKE: 1, AH: 2, ESP: 3 } as const;

/** §3.3.2; 6 to 12 are the additional key exchanges of RFC 9370 */
export const TransformType = {
  ENCR: 1,
  PRF: 2,
  INTEG: 3,
  DH: 4,
  ESN: 5,
  ADDKE1: 6,
  ADDKE2: 7,
  ADDKE3: 8,
  ADDKE4: 9,
  ADDKE5: 10,
  ADDKE6: 11,
  ADDKE7: 12,
} as const;

export const Encr = {
  DES_IV64: 1,
  DES: 2,
  '3DES': 3,
  RC5: 4,
  IDEA: 5,
  CAST: 6,
  BLOWFISH: 7,
  '3IDEA': 8,
  DES_IV32: 9,
  NULL: 11,
  AES_CBC: 12,
  AES_CTR: 13,
  AES_CCM_8: 14,
  AES_CCM_12: 15,
  AES_CCM_16: 16,
  AES_GCM_8: 18,
  AES_GCM_12: 19,
  AES_GCM_16: 20,
  NULL_AUTH_AES_GMAC: 21,
  CAMELLIA_CBC: 23,
  CAMELLIA_CTR: 24,
  CAMELLIA_CCM_8: 25,
  CAMELLIA_CCM_12: 26,
  CAMELLIA_CCM_16: 27,
  CHACHA20_POLY1305: 28,
  AES_CCM_8_IIV: 29,
  AES_GCM_16_IIV: 30,
  CHACHA20_POLY1305_IIV: 31,
} as const;

export const Prf = {
  HMAC_MD5: 1,
  HMAC_SHA1: 2,
  HMAC_TIGER: 3,
  AES128_XCBC: 4,
  HMAC_SHA2_256: 5,
  HMAC_SHA2_384: 6,
  HMAC_SHA2_512: 7,
  AES128_CMAC: 8,
} as const;

export const Integ = {
  NONE: 0,
  HMAC_MD5_96: 1,
  HMAC_SHA1_96: 2,
  DES_MAC: 3,
  KPDK_MD5: 4,
  AES_XCBC_96: 5,
  HMAC_MD5_128: 6,
  HMAC_SHA1_160: 7,
  AES_CMAC_96: 8,
  AES_128_GMAC: 9,
  AES_192_GMAC: 10,
  AES_256_GMAC: 11,
  HMAC_SHA2_256_128: 12,
  HMAC_SHA2_384_192: 13,
  HMAC_SHA2_512_256: 14,
} as const;

/** Transform type 4, "Key Exchange Method" since RFC 9370 */
export const DhGroup = {
  NONE: 0,
  MODP_768: 1,
  MODP_1024: 2,
  MODP_1536: 5,
  MODP_2048: 14,
  MODP_3072: 15,
  MODP_4096: 16,
  MODP_6144: 17,
  MODP_8192: 18,
  ECP_256: 19,
  ECP_384: 20,
  ECP_521: 21,
  MODP_1024_160: 22,
  MODP_2048_224: 23,
  MODP_2048_256: 24,
  ECP_192: 25,
  ECP_224: 26,
  BRAINPOOL_P224R1: 27,
  BRAINPOOL_P256R1: 28,
  BRAINPOOL_P384R1: 29,
  BRAINPOOL_P512R1: 30,
  CURVE25519: 31,
  CURVE448: 32,
  ML_KEM_512: 35,
  ML_KEM_768: 36,
  ML_KEM_1024: 37,
} as const;

export const Esn = { NO_ESN: 0, ESN: 1 } as const;

/** §3.5 */
export const IdType = {
  IPV4_ADDR: 1,
  FQDN: 2,
  RFC822_ADDR: 3,
  IPV6_ADDR: 5,
  DER_ASN1_DN: 9,
  DER_ASN1_GN: 10,
  KEY_ID: 11,
  FC_NAME: 12,
  NULL: 13, // RFC 7619
} as const;

/** §3.8, RFC 4754, 7427, 7619 */
export const AuthMethod = {
  RSA: 1,
  SHARED_KEY: 2,
  DSS: 3,
  ECDSA_256: 9,
  ECDSA_384: 10,
  ECDSA_512: 11,
  GSPM: 12,
  NULL: 13,
  DIGITAL_SIGNATURE: 14,
} as const;

/** RFC 7427 §7; IDENTITY is RFC 8420 */
export const HashAlgorithm = { SHA1: 1, SHA2_256: 2, SHA2_384: 3, SHA2_512: 4, IDENTITY: 5 } as const;

/** §3.6 */
export const CertEncoding = {
  PKCS7: 1,
  PGP: 2,
  DNS_SIGNED_KEY: 3,
  X509_SIGNATURE: 4,
  KERBEROS_TOKEN: 6,
  CRL: 7,
  ARL: 8,
  SPKI: 9,
  X509_ATTRIBUTE: 10,
  RAW_RSA_KEY: 11,
  HASH_AND_URL_X509: 12,
  HASH_AND_URL_BUNDLE: 13,
  OCSP_CONTENT: 14,
  RAW_PUBLIC_KEY: 15,
} as const;

/** §3.15 */
export const CfgType = { CFG_REQUEST: 1, CFG_REPLY: 2, CFG_SET: 3, CFG_ACK: 4 } as const;

/** §3.15.1; the private ones as FortiOS and FortiClient use them */
export const CfgAttribute = {
  INTERNAL_IP4_ADDRESS: 1,
  INTERNAL_IP4_NETMASK: 2,
  INTERNAL_IP4_DNS: 3,
  INTERNAL_IP4_NBNS: 4,
  INTERNAL_IP4_DHCP: 6,
  APPLICATION_VERSION: 7,
  INTERNAL_IP6_ADDRESS: 8,
  INTERNAL_IP6_DNS: 10,
  INTERNAL_IP6_NBNS: 11, // of RFC 4306 only
  INTERNAL_IP6_DHCP: 12,
  INTERNAL_IP4_SUBNET: 13,
  SUPPORTED_ATTRIBUTES: 14,
  INTERNAL_IP6_SUBNET: 15,
  MIP6_HOME_PREFIX: 16,
  INTERNAL_IP6_LINK: 17,
  INTERNAL_IP6_PREFIX: 18,
  INTERNAL_DNS_DOMAIN: 25, // RFC 8598
  INTERNAL_DNSSEC_TA: 26,
  FORTINET_AUTO_NEGOTIATE: 21514,
  FORTINET_KEEP_ALIVE: 21515,
  FORTINET_21516: 21516, // FortiClient 7.4.8 asks for it; meaning not public
  UNITY_BANNER: 28672,
  UNITY_SAVE_PASSWD: 28673,
  UNITY_DEF_DOMAIN: 28674,
  UNITY_SPLIT_DNS: 28675,
  UNITY_SPLIT_INCLUDE: 28676,
  UNITY_LOCAL_LAN: 28678,
} as const;

/** §3.13.1 */
export const TsType = { IPV4_ADDR_RANGE: 7, IPV6_ADDR_RANGE: 8 } as const;

/** RFC 3748 §4 */
export const EapCode = { REQUEST: 1, RESPONSE: 2, SUCCESS: 3, FAILURE: 4 } as const;

/** RFC 3748 §5 and the methods in use */
export const EapType = {
  IDENTITY: 1,
  NOTIFICATION: 2,
  NAK: 3,
  MD5_CHALLENGE: 4,
  OTP: 5,
  GTC: 6,
  TLS: 13,
  TTLS: 21,
  PEAP: 25,
  MSCHAPV2: 26,
  EXPANDED: 254,
} as const;

export const exchangeName = namer(Exchange);
export const payloadName = namer(PayloadType);
export const protocolName = namer(Protocol);
export const transformTypeName = namer(TransformType);
export const encrName = namer(Encr);
export const prfName = namer(Prf);
export const integName = namer(Integ);
export const dhGroupName = namer(DhGroup);
export const esnName = namer(Esn);
export const idTypeName = namer(IdType);
export const authMethodName = namer(AuthMethod);
export const hashAlgorithmName = namer(HashAlgorithm);
export const certEncodingName = namer(CertEncoding);
export const cfgTypeName = namer(CfgType);
export const cfgAttributeName = namer(CfgAttribute);
export const eapCodeName = namer(EapCode);
export const eapTypeName = namer(EapType);

/** label of a transform ID, which depends on the type it stands under */
export function transformName(type: number, id: number): string {
  switch (type) {
    case TransformType.ENCR:
      return encrName(id);
    case TransformType.PRF:
      return prfName(id);
    case TransformType.INTEG:
      return integName(id);
    case TransformType.ESN:
      return esnName(id);
    default:
      return type >= TransformType.DH && type <= TransformType.ADDKE7 ? dhGroupName(id) : `${id}`;
  }
}

function namer(registry: Readonly<Record<string, number>>): (n: number) => string {
  const labels = new Map(Object.entries(registry).map(([label, n]) => [n, label]));
  return (n) => labels.get(n) ?? `${n}`;
}
