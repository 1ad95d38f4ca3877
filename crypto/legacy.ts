/**
 * What MS-CHAPv2 needs and OpenSSL 3 no longer gives: MD4 (RFC 1320) and single DES, and with them the primitives of
 * RFC 2759 §8 and the keys of RFC 3079 §3 that the EAP server and the lab client share.
 *
 * Nothing here is strong: a recorded MS-CHAPv2 exchange falls to a DES key search. It lives only inside a protected IKE SA.
 */
import { createCipheriv, hash } from 'node:crypto';
import { join, plain } from './octets.ts';
import { Secret } from './secret.ts';

/** One challenge and its answer: what both hashes of RFC 2759 are made over. */
export type MsChapRound = {
  /** 16 octets, ours (the server's). */
  readonly authenticatorChallenge: Uint8Array;
  /** 16 octets, the client's. */
  readonly peerChallenge: Uint8Array;
  /** The user name as the client sent it, without `DOMAIN\` (RFC 2759 §4). */
  readonly userName: Uint8Array;
};

/** MD4 of the password in UTF-16LE (RFC 2759 §8.3). The password is UTF-8; 16 octets, as good as the password itself. */
export function ntPasswordHash(password: Secret): Secret {
  const wide = utf16le(password.expose());
  const digest = md4(wide);
  wide.fill(0);
  return Secret.of(digest);
}

/** The 8 octets that DES encrypts (RFC 2759 §8.2). */
export function challengeHash(round: MsChapRound): Uint8Array {
  return sha1(round.peerChallenge, round.authenticatorChallenge, round.userName).subarray(0, 8);
}

/** NT-Response, 24 octets (RFC 2759 §8.1): the challenge under three DES keys cut from the password hash. */
export function ntResponse(round: MsChapRound, passwordHash: Secret): Uint8Array {
  const challenge = challengeHash(round);
  const keys = new Uint8Array(21); // RFC 2759 §8.5: the hash, padded with zeros to three keys of seven octets
  keys.set(passwordHash.expose());
  const response = new Uint8Array(24);
  for (let i = 0; i < 3; i++) response.set(desEncrypt(challenge, keys.subarray(7 * i, 7 * i + 7)), 8 * i);
  keys.fill(0);
  return response;
}

/** What the server proves itself with: `S=` and 40 hexadecimal digits in capitals (RFC 2759 §8.7). */
export function authenticatorResponse(round: MsChapRound, passwordHash: Secret, response: Uint8Array): string {
  const digest = sha1(md4(passwordHash.expose()), response, MAGIC.serverToClient);
  const octets = sha1(digest, challengeHash(round), MAGIC.iteration);
  return `S=${Array.from(octets, (o) => o.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()}`;
}

/**
 * The EAP MSK, 64 octets: the server's MPPE receive key, its send key (RFC 3079 §3.3, 16 octets each), then zeros.
 * The client computes the same value: the order is the server's on both ends.
 */
export function msk(passwordHash: Secret, response: Uint8Array): Secret {
  const master = sha1(md4(passwordHash.expose()), response, MAGIC.masterKey).subarray(0, 16);
  const startKey = (magic: Uint8Array) => sha1(master, PAD1, magic, PAD2).subarray(0, 16);
  const octets = new Uint8Array(64);
  octets.set(startKey(MAGIC.clientSends), 0);
  octets.set(startKey(MAGIC.clientReceives), 16);
  return Secret.of(octets);
}

/** MD4 (RFC 1320): 16 octets. Broken as a hash; MS-CHAPv2 has no other. */
export function md4(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, message.length << 3, true);
  view.setUint32(padded.length - 4, Math.floor(message.length / 0x2000_0000), true);

  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < padded.length; block += 64) {
    let [a = 0, b = 0, c = 0, d = 0] = state;
    for (let step = 0; step < 48; step++) {
      const round = step >> 4;
      const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      const word = view.getUint32(block + 4 * (WORD[step] ?? 0), true);
      const sum = (a + mixed + word + (ADDEND[round] ?? 0)) | 0;
      const turn = TURN[4 * round + (step & 3)] ?? 0;
      [a, d, c, b] = [d, c, b, (sum << turn) | (sum >>> (32 - turn))];
    }
    // The typed array takes the sums modulo 2³².
    state.set([a, b, c, d].map((word, i) => word + (state[i] ?? 0)));
  }
  padded.fill(0);
  const digest = new Uint8Array(16);
  state.forEach((word, i) => {
    new DataView(digest.buffer).setUint32(4 * i, word, true);
  });
  return digest;
}

const ADDEND = [0, 0x5a827999, 0x6ed9eba1] as const;
const TURN = [3, 7, 11, 19, 3, 5, 9, 13, 3, 9, 11, 15] as const;
/** Which of the block's 16 words a step adds: in order, then by columns, then bit-reversed. */
const WORD = [
  ...Array.from({ length: 16 }, (_, i) => i),
  ...Array.from({ length: 16 }, (_, i) => ((i & 3) << 2) | (i >> 2)),
  ...Array.from({ length: 16 }, (_, i) => ((i & 1) << 3) | ((i & 2) << 1) | ((i & 4) >> 1) | ((i & 8) >> 3)),
];

/** One block of DES under a key of 7 octets (RFC 2759 §8.6). OpenSSL 3 keeps only 3DES, which with K|K|K is DES. */
function desEncrypt(clear: Uint8Array, key: Uint8Array): Uint8Array {
  const triple = new Uint8Array(24);
  for (let i = 0; i < 8; i++) {
    // Seven bits to an octet; the eighth is parity, which nobody checks.
    const bits = ((key[i - 1] ?? 0) << (8 - i)) | ((key[i] ?? 0) >> i);
    triple[i] = triple[i + 8] = triple[i + 16] = bits & 0xfe;
  }
  const cipher = createCipheriv('des-ede3-ecb', triple, null).setAutoPadding(false);
  const out = cipher.update(clear);
  cipher.final();
  triple.fill(0);
  return out;
}

/** UTF-8 octets to UTF-16LE octets, without a string in between: a string of a password cannot be wiped. */
function utf16le(utf8: Uint8Array): Uint8Array {
  const out = new Uint8Array(utf8.length * 2); // UTF-16 never needs more units than UTF-8 has octets
  let length = 0;
  const put = (unit: number) => {
    out[length++] = unit & 0xff;
    out[length++] = unit >> 8;
  };
  for (let i = 0; i < utf8.length; ) {
    const lead = utf8[i++] ?? 0;
    const more = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    let point = more === 0 ? lead : lead & (0x3f >> more);
    for (let n = 0; n < more; n++) point = (point << 6) | ((utf8[i++] ?? 0) & 0x3f);
    if (point < 0x10000) put(point);
    else {
      put(0xd800 | ((point - 0x10000) >> 10));
      put(0xdc00 | (point & 0x3ff));
    }
  }
  return out.subarray(0, length);
}

const sha1 = (...parts: readonly Uint8Array[]): Uint8Array => plain(hash('sha1', join(parts), 'buffer'));

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The constants of RFC 2759 §8.7 and RFC 3079 §3.4 are sentences. */
const MAGIC = {
  serverToClient: ascii('Magic server to client signing constant'),
  iteration: ascii('Pad to make it do more than one iteration'),
  masterKey: ascii('This is the MPPE Master Key'),
  clientSends: ascii('On the client side, this is the send key; on the server side, it is the receive key.'),
  clientReceives: ascii('On the client side, this is the receive key; on the server side, it is the send key.'),
};
const PAD1 = new Uint8Array(40);
const PAD2 = new Uint8Array(40).fill(0xf2);
