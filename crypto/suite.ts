// The registry: IANA transform ids (+ key length) to the measures of an algorithm. A new algorithm begins with a line here.
// AES-CBC RFC 3602, AES-GCM RFC 4106 and 5282, ChaCha20-Poly1305 RFC 7634, HMAC-SHA-2 RFC 4868, groups as noted.

export type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export type CipherSpec = {
  readonly name: string;
  readonly encr: number;
  readonly integ: number;
  readonly keyLength: number;
  readonly mode: 'cbc' | 'gcm' | 'chacha20-poly1305';
  /** Octets of the bare key, without the salt. */
  readonly keyOctets: number;
  readonly saltOctets: number;
  readonly ivOctets: number;
  readonly icvOctets: number;
  readonly blockOctets: number;
  readonly integKeyOctets: number;
  /** The hash of the HMAC; undefined for AEAD. */
  readonly hash: HashName | undefined;
};

export type PrfSpec = { readonly id: number; readonly name: string; readonly hash: HashName; readonly keyOctets: number };

export type GroupSpec = {
  readonly id: number;
  readonly name: string;
  readonly kind: 'modp' | 'ec' | 'montgomery';
  /** The name OpenSSL knows it by. */
  readonly openssl: string;
  readonly publicOctets: number;
  readonly privateOctets: number;
  readonly weak: boolean;
};

const AES_CBC = 12;
const AES_GCM_16 = 20;
const CHACHA20_POLY1305 = 28;

const integrities: readonly {
  readonly id: number;
  readonly name: string;
  readonly hash: HashName;
  readonly key: number;
  readonly icv: number;
}[] = [
  { id: 2, name: 'HMAC_SHA1_96', hash: 'sha1', key: 20, icv: 12 },
  { id: 12, name: 'HMAC_SHA2_256_128', hash: 'sha256', key: 32, icv: 16 },
  { id: 13, name: 'HMAC_SHA2_384_192', hash: 'sha384', key: 48, icv: 24 },
  { id: 14, name: 'HMAC_SHA2_512_256', hash: 'sha512', key: 64, icv: 32 },
];

/** Every cipher there is, strongest forms last in each family. */
export const cipherSpecs: readonly CipherSpec[] = [128, 192, 256]
  .flatMap((bits) => [...integrities.map((integrity) => cbc(bits, integrity)), aead('AES_GCM_16', AES_GCM_16, bits, bits, 'gcm')])
  .concat(
    // RFC 7634 §3 gives ChaCha20 no Key Length attribute; peers that send 256 all the same mean this one.
    aead('CHACHA20_POLY1305', CHACHA20_POLY1305, 0, 256, 'chacha20-poly1305'),
    aead('CHACHA20_POLY1305', CHACHA20_POLY1305, 256, 256, 'chacha20-poly1305'),
  );

export const prfSpecs: readonly PrfSpec[] = [
  { id: 2, name: 'PRF_HMAC_SHA1', hash: 'sha1', keyOctets: 20 },
  { id: 5, name: 'PRF_HMAC_SHA2_256', hash: 'sha256', keyOctets: 32 },
  { id: 6, name: 'PRF_HMAC_SHA2_384', hash: 'sha384', keyOctets: 48 },
  { id: 7, name: 'PRF_HMAC_SHA2_512', hash: 'sha512', keyOctets: 64 },
];

/** MODP: RFC 2409 (1, 2), RFC 3526 with its exponent sizes (§8); ECP: RFC 5903; brainpool: RFC 6932; the last two: RFC 8031. */
export const groupSpecs: readonly GroupSpec[] = [
  modp(1, 768, 20, true),
  modp(2, 1024, 20, true),
  modp(5, 1536, 30, true),
  modp(14, 2048, 40, false),
  modp(15, 3072, 53, false),
  modp(16, 4096, 60, false),
  modp(17, 6144, 68, false),
  modp(18, 8192, 78, false),
  ec(19, 'ECP256', 'prime256v1', 32),
  ec(20, 'ECP384', 'secp384r1', 48),
  ec(21, 'ECP521', 'secp521r1', 66),
  ec(28, 'BRAINPOOLP256R1', 'brainpoolP256r1', 32),
  ec(29, 'BRAINPOOLP384R1', 'brainpoolP384r1', 48),
  ec(30, 'BRAINPOOLP512R1', 'brainpoolP512r1', 64),
  { id: 31, name: 'CURVE25519', kind: 'montgomery', openssl: 'x25519', publicOctets: 32, privateOctets: 32, weak: false },
  { id: 32, name: 'CURVE448', kind: 'montgomery', openssl: 'x448', publicOctets: 56, privateOctets: 56, weak: false },
];

/** The measures of an encryption (+ integrity) transform; undefined when there is none, or the two do not go together. */
export function cipherSpec(encr: number, keyLength: number, integ: number): CipherSpec | undefined {
  return cipherSpecs.find((spec) => spec.encr === encr && spec.keyLength === keyLength && spec.integ === integ);
}

/** The fields of a Cipher that follow from its measures, for a backend to complete. */
export function describeCipher(spec: CipherSpec) {
  return {
    name: spec.name,
    encr: spec.encr,
    integ: spec.integ,
    keyLength: spec.keyLength,
    aead: spec.hash === undefined,
    encrKeyOctets: spec.keyOctets + spec.saltOctets,
    integKeyOctets: spec.integKeyOctets,
    ivOctets: spec.ivOctets,
    icvOctets: spec.icvOctets,
    blockOctets: spec.blockOctets,
  } as const;
}

/** Both backends refuse keys of a wrong length in the same words. */
export function checkKeys(spec: Omit<CipherSpec, 'mode'>, encrKey: Uint8Array, integKey: Uint8Array): void {
  if (encrKey.length !== spec.keyOctets + spec.saltOctets || integKey.length !== spec.integKeyOctets)
    throw new RangeError(`${spec.name} takes keys of ${spec.keyOctets + spec.saltOctets} and ${spec.integKeyOctets} octets`);
}

/** Both backends refuse a message that IV, ciphertext and ICV do not fill exactly. */
export function checkLengths(spec: CipherSpec, message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void {
  const { name, ivOctets, icvOctets, blockOctets } = spec;
  if (iv.length !== ivOctets) throw new RangeError(`${name} takes an IV of ${ivOctets} octets`);
  if (plaintext.length === 0 || plaintext.length % blockOctets !== 0)
    throw new RangeError(`${name} takes plaintext in multiples of ${blockOctets} octets`);
  if (message.length !== body + ivOctets + plaintext.length + icvOctets)
    throw new RangeError(`${name} needs ${ivOctets + plaintext.length + icvOctets} octets behind the header`);
}

/** True when message[body..end) can be IV, at least one block of ciphertext, and ICV. */
export function canOpen(spec: CipherSpec, message: Uint8Array, body: number): boolean {
  const inside = message.length - body - spec.ivOctets - spec.icvOctets;
  return body >= 0 && inside > 0 && inside % spec.blockOctets === 0;
}

/** Refuses a private value of another length than the group's; both backends say it so. */
export function checkPrivate({ name, privateOctets }: Pick<GroupSpec, 'name' | 'privateOctets'>, octets: Uint8Array): void {
  if (octets.length !== privateOctets) throw new RangeError(`a private value of ${name} has ${privateOctets} octets`);
}

function cbc(bits: number, integrity: (typeof integrities)[number]): CipherSpec {
  return {
    name: `AES_CBC_${bits}/${integrity.name}`,
    encr: AES_CBC,
    integ: integrity.id,
    keyLength: bits,
    mode: 'cbc',
    keyOctets: bits / 8,
    saltOctets: 0,
    ivOctets: 16,
    icvOctets: integrity.icv,
    blockOctets: 16,
    integKeyOctets: integrity.key,
    hash: integrity.hash,
  };
}

function aead(name: string, encr: number, keyLength: number, bits: number, mode: 'gcm' | 'chacha20-poly1305'): CipherSpec {
  return {
    name: mode === 'gcm' ? `${name}_${bits}` : name,
    encr,
    integ: 0,
    keyLength,
    mode,
    keyOctets: bits / 8,
    saltOctets: 4,
    ivOctets: 8,
    icvOctets: 16,
    blockOctets: 1,
    integKeyOctets: 0,
    hash: undefined,
  };
}

function modp(id: number, bits: number, privateOctets: number, weak: boolean): GroupSpec {
  return { id, name: `MODP${bits}`, kind: 'modp', openssl: `modp${id}`, publicOctets: bits / 8, privateOctets, weak };
}

function ec(id: number, name: string, openssl: string, octets: number): GroupSpec {
  return { id, name, kind: 'ec', openssl, publicOctets: 2 * octets, privateOctets: octets, weak: false };
}
