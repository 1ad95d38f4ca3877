/**
 * What OpenSSL must do at least for one handshake, through the cheapest calls that node:crypto has: keys are KeyObjects made
 * beforehand, nothing is encoded or decoded, and all HMACs of a handshake are blocks of one HKDF.
 *
 *   Diffie-Hellman   a fresh pair, and the agreement with a public value that has been imported already
 *   random           nonce and SPIs, 44 octets, cut from a page
 *   NAT detection    four SHA-1
 *   PRF              SKEYSEED, SK_*, KEYMAT, AUTH of both ends
 *   SK payloads      one decryption and one encryption for each exchange after IKE_SA_INIT, with their HMACs for CBC
 *   signatures       ours is made, the peer's is verified; the chain behind it counts as known
 *   MS-CHAPv2        three DES, six SHA-1 (MD4 is not in OpenSSL 3)
 *
 * Left out: Delete, retransmissions, and whatever is no cryptography.
 */
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellmanGroup,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  randomFillSync,
  sign,
  verify,
} from 'node:crypto';

export type Primitives = {
  readonly dh: 'x25519' | 'prime256v1' | 'secp384r1' | 'secp521r1' | 'modp14';
  readonly cipher: 'aes-256-gcm' | 'chacha20-poly1305' | 'aes-256-cbc';
  readonly hmacs: number;
  /** Request and response after IKE_SA_INIT. */
  readonly exchanges: number;
  readonly signature: 'rsa2048' | 'p256' | undefined;
  readonly mschapv2: boolean;
};

/** One handshake in two parts, each to be run again and again. `publicKey`: Diffie-Hellman and signatures. */
export type Work = { readonly publicKey: () => void; readonly symmetric: () => void };

export function primitives(p: Primitives): Work {
  const [dh, signature] = [dhWork(p.dh), signatureWork(p.signature)];
  const sealed = p.cipher === 'aes-256-cbc' ? cbcWork() : aeadWork(p.cipher);
  // A page of random octets is good for 40 handshakes: nonce and SPIs are 44 each.
  const page = new Uint8Array(40 * 44);
  let drawn = 0;
  const small = new Uint8Array(64).fill(7);
  const octets = Math.max(1, p.hmacs - 1) * 32; // extract is the first HMAC, every block of expand one more
  return {
    publicKey() {
      dh();
      signature();
    },
    symmetric() {
      if (drawn % 40 === 0) randomFillSync(page);
      drawn += 1;
      hkdfSync('sha256', small, small, small, octets);
      for (let i = 0; i < 4; i++) hash('sha1', small, 'latin1');
      for (let i = 0; i < p.exchanges; i++) sealed();
      if (p.mschapv2) mschapv2(small);
    },
  };
}

function dhWork(name: Primitives['dh']): () => void {
  if (name === 'modp14') {
    const theirs = createDiffieHellmanGroup(name).generateKeys();
    return () => {
      const ours = createDiffieHellmanGroup(name);
      ours.generateKeys();
      ours.computeSecret(theirs);
    };
  }
  const generate = name === 'x25519' ? () => generateKeyPairSync(name) : () => generateKeyPairSync('ec', { namedCurve: name });
  const { publicKey } = generate();
  return () => void diffieHellman({ privateKey: generate().privateKey, publicKey });
}

/** About what AUTH covers: IKE_SA_INIT of one end, the other's nonce, a MAC. */
const SIGNED = new Uint8Array(500).fill(5);

function signatureWork(kind: Primitives['signature']): () => void {
  if (kind === undefined) return () => undefined;
  const pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =
    kind === 'p256'
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const theirs = sign('sha256', SIGNED, pair.privateKey);
  return () => {
    sign('sha256', SIGNED, pair.privateKey);
    verify('sha256', SIGNED, pair.publicKey, theirs);
  };
}

const key = new Uint8Array(32).fill(1);
const header = new Uint8Array(32).fill(2);
/** About one IKE_AUTH of a client with a shared key. */
const inside = new Uint8Array(256).fill(3);

function aeadWork(name: 'aes-256-gcm' | 'chacha20-poly1305'): () => void {
  const nonce = new Uint8Array(12).fill(4);
  const tag = name === 'chacha20-poly1305' ? { authTagLength: 16 } : undefined;
  // The typings have an overload for each mode; both of ours are used alike.
  const seal = () => {
    const cipher = createCipheriv(name as 'aes-256-gcm', key, nonce, tag);
    cipher.setAAD(header);
    const ciphertext = cipher.update(inside);
    cipher.final();
    return { ciphertext, tag: cipher.getAuthTag() };
  };
  const theirs = seal();
  return () => {
    const decipher = createDecipheriv(name as 'aes-256-gcm', key, nonce, tag);
    decipher.setAAD(header);
    decipher.setAuthTag(theirs.tag);
    decipher.update(theirs.ciphertext);
    decipher.final();
    seal();
  };
}

function cbcWork(): () => void {
  const iv = new Uint8Array(16).fill(4);
  return () => {
    createHmac('sha256', key).update(inside).digest();
    createDecipheriv('aes-256-cbc', key, iv).setAutoPadding(false).update(inside);
    createCipheriv('aes-256-cbc', key, iv).update(inside);
    createHmac('sha256', key).update(inside).digest();
  };
}

/** RFC 2759 §8.1, §8.7 and RFC 3079 §3.4: ChallengeHash, NT-Response, authenticator response, three keys. */
function mschapv2(small: Uint8Array): void {
  for (let i = 0; i < 3; i++) createCipheriv('des-ede3-ecb', small.subarray(0, 24), null).update(small.subarray(0, 8));
  for (let i = 0; i < 6; i++) hash('sha1', small, 'latin1');
}
