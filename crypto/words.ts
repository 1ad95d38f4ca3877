// FortiOS' proposal words, `set proposal aes128-sha256 aes256gcm-prfsha384`: every word that FortiOS 7.6 knows, those of them
// that we serve, and a few of ours that FortiOS lacks (AES-GCM with 192 bits).

/** `integ` is 0 with AEAD; `keyLength` in bits, 0 where the transform has no Key Length attribute. */
export type IkeProposal = {
  readonly word: string;
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
  readonly prf: number;
};
export type EspProposal = { readonly word: string; readonly encr: number; readonly keyLength: number; readonly integ: number };
/** A word of FortiOS that we know and do not serve, and why. Tell it from a proposal by `'unserved' in word`. */
export type UnservedWord = { readonly word: string; readonly unserved: string };

type Encryption = { readonly encr: number; readonly keyLength: number } | string;
type Hash = { readonly integ: number; readonly prf: number } | string;

/** Encryption words that go with a hash; a string says why it is not served. */
const encryptions: Readonly<Record<string, Encryption>> = {
  null: { encr: 11, keyLength: 0 }, // ESP's alone
  des: 'DES is broken: 56-bit keys',
  '3des': '3DES is retired: 64-bit blocks (Sweet32)',
  aes128: { encr: 12, keyLength: 128 },
  aes192: { encr: 12, keyLength: 192 },
  aes256: { encr: 12, keyLength: 256 },
  aria128: 'ARIA is not built in',
  aria192: 'ARIA is not built in',
  aria256: 'ARIA is not built in',
  seed: 'SEED is not built in',
};

const hashes: Readonly<Record<string, Hash>> = {
  null: 'it does not authenticate',
  md5: 'MD5 is broken',
  sha1: { integ: 2, prf: 2 },
  sha256: { integ: 12, prf: 5 },
  sha384: { integ: 13, prf: 6 },
  sha512: { integ: 14, prf: 7 },
};

const combined = {
  aes128gcm: { encr: 20, keyLength: 128 },
  aes192gcm: { encr: 20, keyLength: 192 }, // ours
  aes256gcm: { encr: 20, keyLength: 256 },
  chacha20poly1305: { encr: 28, keyLength: 0 }, // RFC 7634 §3: no Key Length attribute
};

const prfs = { prfsha1: 2, prfsha256: 5, prfsha384: 6, prfsha512: 7 };

const ike: ReadonlyMap<string, IkeProposal | UnservedWord> = new Map([
  ...Object.keys(encryptions)
    .filter((name) => name !== 'null')
    .flatMap((name) =>
      pairs(
        name,
        Object.keys(hashes).filter((hash) => hash !== 'null'),
      ),
    ),
  ...Object.entries(combined).flatMap(([name, aead]) =>
    Object.entries(prfs).map(([prfName, prf]) => {
      const word = `${name}-${prfName}`;
      return [word, { word, ...aead, integ: 0, prf }] as const;
    }),
  ),
]);

const esp: ReadonlyMap<string, EspProposal | UnservedWord> = new Map([
  ...Object.keys(encryptions).flatMap((name) =>
    pairs(
      name,
      Object.keys(hashes).filter((hash) => hash !== 'null' || name !== 'null'),
    ).map(([word, both]) => [word, withoutPrf(both)] as const),
  ),
  ...Object.entries(combined).map(([word, aead]) => [word, { word, ...aead, integ: 0 }] as const),
]);

/** Every phase 1 word, served or not, in FortiOS' order. */
export const ikeProposalWords: readonly string[] = [...ike.keys()];
/** Every phase 2 word, served or not, in FortiOS' order. */
export const espProposalWords: readonly string[] = [...esp.keys()];

/** What a phase 1 word means; undefined when it is no such word. Words are lower case, as FortiOS has them. */
export function parseIkeProposal(word: string): IkeProposal | UnservedWord | undefined {
  return ike.get(word);
}

/** What a phase 2 word means; undefined when it is no such word. */
export function parseEspProposal(word: string): EspProposal | UnservedWord | undefined {
  return esp.get(word);
}

/** The words of one encryption with each of these hashes: AES-CBC takes the PRF of the same hash. */
function pairs(name: string, hashNames: readonly string[]): readonly (readonly [string, IkeProposal | UnservedWord])[] {
  const encryption = encryptions[name] ?? '';
  return hashNames.map((hashName) => {
    const word = `${name}-${hashName}`;
    const hash = hashes[hashName] ?? '';
    if (typeof encryption === 'string') return [word, { word, unserved: encryption }];
    if (typeof hash === 'string') return [word, { word, unserved: hash }];
    return [word, { word, ...encryption, ...hash }];
  });
}

function withoutPrf(both: IkeProposal | UnservedWord): EspProposal | UnservedWord {
  if ('unserved' in both) return both;
  const { word, encr, keyLength, integ } = both;
  return { word, encr, keyLength, integ };
}
