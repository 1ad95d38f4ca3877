// The one interface of the algorithms. Two backends implement it: node:crypto (aead.ts, prf.ts, dh.ts, modp.ts) does the work,
// @noble with our own big-integer arithmetic (noble*.ts) is the second opinion that every vector and the property tests ask.

/** What an IKE SA or a child SA needs of its encryption: one shape for AEAD and for AES-CBC with HMAC (encrypt-then-MAC). */
export type Cipher = {
  readonly name: string;
  /** IANA transform ids; `integ` is 0 for AEAD. */
  readonly encr: number;
  readonly integ: number;
  /** Bits, as in the Key Length attribute; 0 where the transform has none. */
  readonly keyLength: number;
  readonly aead: boolean;
  /** Octets to take from the key stream, salt of the AEAD nonce included. */
  readonly encrKeyOctets: number;
  readonly integKeyOctets: number;
  /** Octets on the wire in front of and behind the ciphertext. */
  readonly ivOctets: number;
  readonly icvOctets: number;
  /** The padded plaintext is a multiple of this. */
  readonly blockOctets: number;
  /**
   * Looks at its keys whenever it is used: they are the caller's, to keep and to wipe. Throws RangeError when a key has another
   * length than the two fields above say.
   */
  sealer(encrKey: Uint8Array, integKey: Uint8Array): Sealer;
  /** As `sealer`. */
  opener(encrKey: Uint8Array, integKey: Uint8Array): Opener;
};

export type Sealer = {
  /**
   * Writes IV | ciphertext | ICV into message[body..end) and authenticates message[0..body) as well.
   * `plaintext` is padded already; `iv` must never repeat under one key (AEAD) and be unpredictable (CBC).
   * Throws RangeError when the lengths do not fill the message exactly: that is our fault, never a peer's.
   */
  seal(message: Uint8Array, body: number, plaintext: Uint8Array, iv: Uint8Array): void;
};

export type Opener = {
  /**
   * The padded plaintext in fresh octets; undefined when the ICV does not fit or the length cannot be. Never throws on any
   * octets.
   */
  open(message: Uint8Array, body: number): Uint8Array | undefined;
};

/** A pseudorandom function of RFC 7296 §2.13: HMAC, so a key may have any length. */
export type Prf = {
  readonly id: number;
  readonly name: string;
  /** Preferred key length, which is also the length of the output. */
  readonly keyOctets: number;
  /** prf(key, data | data | …). */
  mac(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;
  /** prf+(key, seed), its first `octets` octets. Throws RangeError beyond 255 blocks (§2.13). */
  plus(key: Uint8Array, seed: Uint8Array, octets: number): Uint8Array;
  /** prf+(prf(salt, ikm), info): SKEYSEED and all that follows from it in one call (§2.14). */
  derive(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, octets: number): Uint8Array;
};

/** A Diffie-Hellman group; public values and secrets are in the form the KE payload and §2.14 want. */
export type Group = {
  readonly id: number;
  readonly name: string;
  readonly publicOctets: number;
  /** Octets `fromPrivate` takes. */
  readonly privateOctets: number;
  /** Below the strength of RFC 8247 §2.4: to be served only to those who ask for it by name. */
  readonly weak: boolean;
  generate(): KeyPair;
  /**
   * The pair of a given private value (big-endian; X25519 and X448: RFC 7748 octets). For tests and replay.
   * Throws RangeError for another length, or a scalar that the group does not have.
   */
  fromPrivate(octets: Uint8Array): KeyPair;
};

export type KeyPair = {
  readonly publicValue: Uint8Array;
  /** The shared secret; undefined when `peer` has a wrong length, is out of range, off the curve, or of low order (RFC 6989). */
  agree(peer: Uint8Array): Uint8Array | undefined;
};

export type CryptoBackend = {
  readonly name: string;
  /** undefined: the backend does not have it. Look-ups never throw. */
  cipher(encr: number, keyLength: number, integ: number): Cipher | undefined;
  prf(id: number): Prf | undefined;
  group(id: number): Group | undefined;
  sha1(...parts: readonly Uint8Array[]): Uint8Array;
};
