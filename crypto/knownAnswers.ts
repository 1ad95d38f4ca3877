// One known answer for every algorithm of the registry, small enough to run at each start of the daemon. The inputs are
// counting octets; the answers were made by the second implementation (noble.ts), which the published vectors hold, so they
// are no echo of OpenSSL.
import type { KnownAnswer } from './selftest.ts';
import { cipherSpec, groupSpecs } from './suite.ts';

/** Transform ids of encryption, key length in bits, id of integrity; ciphertext; ICV. */
const ciphers = [
  [12, 128, 2, 'fdb7798269c55753ed9c7bc7c92f23eac99161b6ee66f4d5775db95ca34f55ba', 'dca1495a768ea7b91285279f'],
  [12, 128, 12, 'fdb7798269c55753ed9c7bc7c92f23eac99161b6ee66f4d5775db95ca34f55ba', 'b972414430f7cb9faf3782f70a54d1bd'],
  [
    12,
    128,
    13,
    'fdb7798269c55753ed9c7bc7c92f23eac99161b6ee66f4d5775db95ca34f55ba',
    '276dc23e07831a944da38da2f46348999fdb3cf4e9a59ae2',
  ],
  [
    12,
    128,
    14,
    'fdb7798269c55753ed9c7bc7c92f23eac99161b6ee66f4d5775db95ca34f55ba',
    'ec1ade9315ac3a8c602a31163524506d71227a80232c99f7dc6d204b7e3044df',
  ],
  [20, 128, 0, 'e3eab5e44c89e4f66cdd46f1fba1d8f22cdf874a84a325a1c0d600ab882c3c6b', 'dad2b1031f10132e49c47c5d8bc9cc6f'],
  [12, 192, 2, 'a9233fa65668de7d1e9c880c03553d4b162288aa91afd17d71da0c4779a8730d', '88aa625dc016c2e3bd427012'],
  [12, 192, 12, 'a9233fa65668de7d1e9c880c03553d4b162288aa91afd17d71da0c4779a8730d', 'afdb0d3bc27831660cacd3af0fb01701'],
  [
    12,
    192,
    13,
    'a9233fa65668de7d1e9c880c03553d4b162288aa91afd17d71da0c4779a8730d',
    '0741a6c0b8040020be5e793db0b4eef22434b735a13b4de8',
  ],
  [
    12,
    192,
    14,
    'a9233fa65668de7d1e9c880c03553d4b162288aa91afd17d71da0c4779a8730d',
    '690c57f9cba1774424d1339292777de80c1086bc9e0e54ef0aac67c6c996ee2e',
  ],
  [20, 192, 0, '7c84167327f754e827045e54456a9b45560d7b276f6c567b24f562ae53ab5b4a', '9780a0fb5067b7477bc90b3e116ae126'],
  [12, 256, 2, '91ccf78209417c3eea9e9b5181e3debf98e19993f816e486969de4c93d73b9ed', '95fe51dc7d749887c972dd29'],
  [12, 256, 12, '91ccf78209417c3eea9e9b5181e3debf98e19993f816e486969de4c93d73b9ed', '5cc74d7fa34cb42298d7d0a83fac68d7'],
  [
    12,
    256,
    13,
    '91ccf78209417c3eea9e9b5181e3debf98e19993f816e486969de4c93d73b9ed',
    'b6954e65ea8890359466251f9ea7fbcba173acad798981b8',
  ],
  [
    12,
    256,
    14,
    '91ccf78209417c3eea9e9b5181e3debf98e19993f816e486969de4c93d73b9ed',
    '2fdfb3b3e8fd2535a46f4f52bea98db8205a9f170883d532a28c5100f6a7c3a3',
  ],
  [20, 256, 0, '7c1a8ac9d8348d5f489d2b7c86b33c353f7440bf7499e6453d9132997ab8bafa', '5d1ef9676fb85dd93d54264d44952f96'],
  [28, 0, 0, 'bb1f17921dcfffe083a5a4f393df9e3bfe76278132d4f1a64681cd9b0ba9dbd9', '21516f74e5aa04faab51f0a27d39e704'],
  [28, 256, 0, 'bb1f17921dcfffe083a5a4f393df9e3bfe76278132d4f1a64681cd9b0ba9dbd9', '21516f74e5aa04faab51f0a27d39e704'],
] as const;

/** Transform id; MAC; derived key. */
const prfs = [
  [
    2,
    '99e83706b0fd843bc01974af8c0edac195549918',
    long(
      '2d109bb8c570fc9f60accc8498f7533f65cf6b8fcda426865a10830d075e2eac805baf2f9d471a3371bd05da6815670fc50f',
      'd6c2438cc9936b9b697b26d0c10c27c78d7d811c3ea1ce24075577c184a48f4b7d8f74bb21395faea98c12e20dd54a058cdc',
    ),
  ],
  [
    5,
    '17510bbdbadc0ad3488ba53575b1376a480098e5976a0d88dc534a391c9482a1',
    long(
      'f7aa89f161111fb6081ad3bd5aca57254808c0f5f72eeec579808ff15e3a6723b8c3ae60cbf8c1dba603823342987f691d33',
      'dfd8fc5dc95f98e08e13d6a1c8fb6676817cf81d7ef030bf9da14bfcfdc3237a1c021aa37d1d753c1440b8042cd134148ed7',
    ),
  ],
  [
    6,
    'bd2b58ff24ef20b00d26cc3717a9d380780ce8b173e8f1f10428e11a2d87fb746a9d40de86d55b6880f4fe0951f68f41',
    long(
      'c253e4c2e2997f6c7ab3a66ce8cc2d7c082a3c62b5864b4789dc2d5b42da799436afb6d70e95210683468e5413f1317e822a',
      '35a730a67fc7d182c90a7dd5e8d2673d3b62ec69d57d06b412b96fcada80a5d58488dc9c532b13b57f0c6265ee12b8bc7911',
    ),
  ],
  [
    7,
    long(
      'ffa7c5ba8f76c6d95456c323391cceebff0fa6e1a28fe3fe8657de96e0fc34725d3476e7db409431a79bcfc0a1b319e6d709',
      '1e666e0e381a9b76944d5a66e54b',
    ),
    long(
      '93235643266f15d23700060b168a6b8eec584287271de3d44a9d18d6fe7d4a80eaace8c5875700fa8f14a12566c7d2d9d905',
      '18feaacbddbc4e958ce8a84ea375b7232dddb5f4aa99f4d79ee94935a291f108b5d7fa150a60e1ad663a9c5706f18ca47667',
    ),
  ],
] as const;

/** Transform id; digest of both public values and the secret. */
const groups = [
  [1, '2cdd78b0c4932abbc1d1dfeffbc3c617322918eb'],
  [2, '2290d7da416af6a57a0903142b20325250b727f2'],
  [5, '0774f9d34984ef05e65dd378b02c39b957443b8f'],
  [14, '53d726d38565d69f9940b3da4e3b4fab477b8546'],
  [15, '6c038f595cb84158e4cc12561ed0c00e7972128c'],
  [16, 'd3054491206b8cfc80e242d99b6ec2c0d06a462d'],
  [17, '5f7e14bb73204e08446ec45e62ef4d1f5f861e1c'],
  [18, '9d63fe9f8a3739c7b43738c33a4e50beb0584e3e'],
  [19, '8b2a09f002883a398b9373b92490063544f398bf'],
  [20, '5083867ea6ee71bb2cfbd9c4d6d99c0e483f4a77'],
  [21, '99f8d02b5d913c3985aa25786c02554c300fec01'],
  [28, '08ca628468f96c84d5c2553e70cc2be494be550e'],
  [29, '2e6f0f92d4b2434b810cc19028345c6ad1eb043c'],
  [30, '6f0d864aae5b879b5fd1646fdcf1c524245448af'],
  [31, 'ab1adc19b82799d5a5551c7c93c70d9b05fef60e'],
  [32, 'af3dea67e1767e20baef0a75c455fba575bd7d33'],
] as const;

/** What `selfTest` runs at start: 0.15 s, most of them for groups 17 and 18. */
export const knownAnswers: readonly KnownAnswer[] = [
  ...ciphers.map(([encr, keyLength, integ, ciphertext, icv]): KnownAnswer => {
    const spec = cipherSpec(encr, keyLength, integ);
    const { name = 'no such cipher', keyOctets = 0, saltOctets = 0, integKeyOctets = 0, ivOctets = 0 } = spec ?? {};
    const encrKey = counting(keyOctets + saltOctets, 0);
    const [integKey, plaintext] = [counting(integKeyOctets, 0x40), counting(32, 0x80)];
    const [aad, iv] = [counting(32, 0xa0), counting(ivOctets, 0xc0)];
    return { kind: 'cipher', name, encr, keyLength, integ, encrKey, integKey, aad, iv, plaintext, ciphertext, icv };
  }),
  ...prfs.flatMap(([prf, mac, okm]): readonly KnownAnswer[] => {
    const [key, data] = [counting(32, 0), counting(40, 0x40)];
    const name = `PRF ${prf}`;
    return [
      { kind: 'mac', name, prf, key, data, mac },
      { kind: 'derive', name, prf, salt: key, ikm: data, info: counting(48, 0x80), prk: mac, okm },
    ];
  }),
  ...groups.map(([group, digest]): KnownAnswer => {
    const octets = groupSpecs.find((spec) => spec.id === group)?.privateOctets ?? 0;
    return {
      kind: 'exchange',
      name: `group ${group}`,
      group,
      private: counting(octets, 1),
      peerPrivate: counting(octets, 101),
      digest,
    };
  }),
];

/** Digits that do not fit on a line. */
function long(...parts: readonly string[]): string {
  return parts.join('');
}

/** Octets that count up from `from`. */
function counting(octets: number, from: number): string {
  return Buffer.from(Array.from({ length: octets }, (_, at) => from + at)).toString('hex');
}
