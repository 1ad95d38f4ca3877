/** The two implementations are held against each other: what one does, the other undoes, on octets nobody chose. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Group, nodeBackend } from '../../crypto/index.ts';
import { nobleBackend } from '../../crypto/noble.ts';
import { cipherSpecs, groupSpecs, prfSpecs } from '../../crypto/suite.ts';

const seed = 20260731;
const octets = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });

describe.each(cipherSpecs)('$name ($keyLength)', ({ encr, keyLength, integ }) => {
  const [node, noble] = [
    existing(nodeBackend.cipher(encr, keyLength, integ)),
    existing(nobleBackend.cipher(encr, keyLength, integ)),
  ];
  const keys = fc.tuple(octets(node.encrKeyOctets), octets(node.integKeyOctets));

  it('is sealed and opened the same by both', () => {
    const given = [keys, octets(0, 60), octets(node.ivOctets), fc.integer({ min: 1, max: 12 })] as const;
    fc.assert(
      fc.property(...given, octets(256), (key, header, iv, blocks, text) => {
        const plaintext = text.subarray(0, blocks * node.blockOctets);
        const messages = [node, noble].map((cipher) => {
          const message = new Uint8Array(header.length + node.ivOctets + plaintext.length + node.icvOctets);
          message.set(header);
          cipher.sealer(...key).seal(message, header.length, plaintext, iv);
          return message;
        });
        expect(messages[0]).toEqual(messages[1]);
        for (const cipher of [node, noble]) {
          expect(cipher.opener(...key).open(existing(messages[0]), header.length)).toEqual(Uint8Array.from(plaintext));
        }
      }),
      { seed, numRuns: 40 },
    );
  });

  it('random octets are refused by both, and neither throws', () => {
    fc.assert(
      fc.property(keys, octets(0, 120), fc.integer({ min: 0, max: 40 }), (key, message, body) => {
        expect(node.opener(...key).open(message, body)).toBeUndefined();
        expect(noble.opener(...key).open(message, body)).toBeUndefined();
      }),
      { seed, numRuns: 60 },
    );
  });
});

describe.each(prfSpecs)('$name', ({ id, keyOctets }) => {
  const [node, noble] = [existing(nodeBackend.prf(id)), existing(nobleBackend.prf(id))];

  it('is the same in both: MAC, prf+ and derivation', () => {
    fc.assert(
      fc.property(
        octets(0, 200),
        octets(0, 300),
        octets(0, 1200),
        fc.integer({ min: 0, max: 6 * keyOctets }),
        (key, data, info, length) => {
          expect(node.mac(key, data, info)).toEqual(noble.mac(key, data, info));
          expect(node.plus(key, data, length)).toEqual(noble.plus(key, data, length));
          expect(node.derive(key, data, info, length)).toEqual(noble.derive(key, data, info, length));
        },
      ),
      { seed, numRuns: 40 },
    );
  });
});

describe.each(groupSpecs)('Group $id, $name', ({ id, kind, publicOctets }) => {
  const [node, noble] = [existing(nodeBackend.group(id)), existing(nobleBackend.group(id))];
  // Big integers in JavaScript take their time: a long MODP secret is some 100 ms.
  const numRuns = publicOctets > 512 ? 1 : kind === 'montgomery' ? 8 : 3;

  it('has the same public values and secrets in both', () => {
    fc.assert(
      fc.property(privateValue(node), privateValue(node), (ours, theirs) => {
        const [a, b] = [node.fromPrivate(ours), noble.fromPrivate(theirs)];
        const secret = a.agree(b.publicValue);
        expect(secret).toBeDefined();
        expect(secret).toEqual(b.agree(a.publicValue));
        const generated = node.generate();
        expect(generated.agree(b.publicValue)).toEqual(b.agree(generated.publicValue));
      }),
      { seed, numRuns },
    );
  });

  it('takes and refuses the same of what a peer may send', () => {
    const near = privateValue(node).map((octets) => node.fromPrivate(octets).publicValue);
    const damaged = fc
      .tuple(near, fc.nat())
      .map(([value, bit]) => value.map((octet, at) => (at === (bit >> 3) % value.length ? octet ^ (1 << (bit & 7)) : octet)));
    fc.assert(
      fc.property(privateValue(node), fc.oneof(octets(publicOctets), octets(0, publicOctets + 1), damaged), (ours, peer) => {
        expect(node.fromPrivate(ours).agree(peer)).toEqual(noble.fromPrivate(ours).agree(peer));
      }),
      { seed, numRuns: numRuns * 3 },
    );
  });
});

describe('SHA-1', () => {
  it('is the same in both, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(octets(0, 90), { maxLength: 5 }), (parts) => {
        expect(nodeBackend.sha1(...parts)).toEqual(nobleBackend.sha1(...parts));
      }),
      { seed },
    );
  });
});

/** Any octets but the few that are no secret: 0, and with MODP 1. */
function privateValue({ privateOctets }: Group): fc.Arbitrary<Uint8Array> {
  return octets(privateOctets).filter((value) => value.subarray(0, -1).some((octet) => octet !== 0));
}

function existing<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the registry lacks it');
  return value;
}
