import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseBackend, espTest, serving } from '../../../crypto/choice.ts';
import type { EspBackend } from '../../../crypto/esp.ts';
import { nodeEsp } from '../../../crypto/espNode.ts';
import { espOpener, espSealer } from '../../../crypto/index.ts';
import { knownAnswers } from '../../../crypto/knownAnswers.ts';
import { openLibcrypto } from '../../../crypto/libcrypto.ts';
import { nobleBackend } from '../../../crypto/noble.ts';
import { nodeBackend } from '../../../crypto/node.ts';
import { cipherSpecs, prfSpecs } from '../../../crypto/suite.ts';
import { libcrypto, libcryptoBackend } from '../../support/libcrypto.ts';

const answers = knownAnswers.filter(({ kind }) => kind === 'cipher' || kind === 'derive');

describe('Which backend serves', () => {
  it('libcrypto, when it passes', async () => {
    expect(await chooseBackend(openLibcrypto, answers)).toEqual({ name: 'libcrypto', why: undefined });
    expect(serving.esp.name).toBe('libcrypto');
  });

  it('an SA goes on with the one that it began with, and each opens what the other sealed', async () => {
    const transform = { encr: 20, keyLength: 128, integ: 0, esn: true };
    const keys = [Uint8Array.from({ length: 20 }, (_, i) => i), new Uint8Array()] as const;
    await chooseBackend(openLibcrypto, answers);
    const sealer = espSealer(transform, ...keys);
    await chooseBackend(async () => 'not wanted');
    const opener = espOpener(transform, ...keys);
    const packet = new Uint8Array(16 + 8 + 16);
    expect(sealer?.seal(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]), 0, 8, packet, 0, 1)).toBe(40);
    expect(opener?.open(packet, 0, 40, 1, packet, 16)).toBe(8);
    expect(packet.subarray(16, 24)).toEqual(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]));
    sealer?.dispose();
    opener?.dispose();
  });

  it('node:crypto, when koffi is not there, and the reason is told in a line', async () => {
    const open = () => openLibcrypto(() => Promise.reject(new Error('Cannot find package koffi\nsome stack')));
    expect(await chooseBackend(open)).toEqual({ name: 'node:crypto', why: 'Cannot find package koffi' });
    expect([serving.backend.name, serving.esp.name]).toEqual(['node:crypto', 'node:crypto']);
  });

  it('node:crypto, when libcrypto gives a wrong answer', async () => {
    const lying = answers.map((answer) => (answer.kind === 'derive' ? { ...answer, okm: `00${answer.okm.slice(2)}` } : answer));
    const { name, why } = await chooseBackend(openLibcrypto, lying);
    expect(name).toBe('node:crypto');
    expect(why).toContain('wrong prf+');
  });

  it('node:crypto, when a function fails', async () => {
    const call = { ...libcrypto.call, EVP_MAC_final: () => 0 };
    const { name, why } = await chooseBackend(async () => ({ ...libcrypto, call }), answers);
    expect(name).toBe('node:crypto');
    expect(why).toContain('OpenSSL refuses a MAC');
  });

  it('ESP is judged too', () => {
    const liar: EspBackend = {
      ...nodeEsp,
      name: 'liar',
      sealer: (transform, ...keys) => nodeEsp.sealer({ ...transform, esn: false }, ...keys),
    };
    expect(espTest(nodeEsp, nodeEsp)).toEqual([]);
    expect(espTest(liar, nodeEsp)).toHaveLength(cipherSpecs.length + 4);
  });
});

describe('libcrypto, node:crypto and @noble agree octet for octet', () => {
  const octets = (maxLength: number) => fc.uint8Array({ maxLength });
  const backends = [nodeBackend, libcryptoBackend, nobleBackend];
  const same = (results: readonly unknown[]) => {
    for (const result of results) expect(result).toEqual(results[0]);
  };

  it.each(prfSpecs)('$name, with keys and data of any length', ({ id }) => {
    fc.assert(
      fc.property(octets(200), octets(200), octets(200), fc.nat(300), (key, a, b, length) => {
        const prfs = backends.map((backend) => backend.prf(id));
        same(prfs.map((prf) => prf?.mac(key, a, b)));
        same(prfs.map((prf) => prf?.plus(key, a, length)));
        same(prfs.map((prf) => prf?.derive(key, a, b, length)));
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  it.each(cipherSpecs)('$name ($keyLength), at any place of a buffer', (spec) => {
    const { encr, keyLength, integ, keyOctets, saltOctets, integKeyOctets, ivOctets, icvOctets, blockOctets } = spec;
    const exactly = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
    fc.assert(
      fc.property(
        exactly(keyOctets + saltOctets),
        exactly(integKeyOctets),
        exactly(ivOctets),
        octets(40),
        fc.integer({ min: 1, max: 40 }).chain((units) => exactly(units * blockOctets)),
        fc.nat(7),
        (encrKey, integKey, iv, header, plaintext, offset) => {
          const ciphers = backends.map((backend) => backend.cipher(encr, keyLength, integ));
          const length = header.length + ivOctets + plaintext.length + icvOctets;
          const messages = ciphers.map((cipher) => {
            const message = new Uint8Array(new ArrayBuffer(length + 8), offset, length);
            message.set(header);
            cipher?.sealer(encrKey, integKey).seal(message, header.length, plaintext, iv);
            return message;
          });
          same(messages);
          for (const cipher of ciphers)
            expect(cipher?.opener(encrKey, integKey).open(messages[0] ?? header, header.length)).toEqual(plaintext);
        },
      ),
      { seed: 5, numRuns: 40 },
    );
  });

  it('messages and data beyond the scratch memory', () => {
    const long = new Uint8Array(150_000).fill(7);
    same(backends.map((backend) => backend.sha1(long, long)));
    same(backends.map((backend) => backend.prf(5)?.mac(long.subarray(0, 60), long, long)));
    same(backends.map((backend) => backend.prf(5)?.plus(long.subarray(0, 60), long, 100)));
    const [ours, theirs] = [libcryptoBackend, nodeBackend].map((backend) => backend.cipher(20, 256, 0));
    const key = new Uint8Array(36);
    const message = new Uint8Array(8 + 100_000 + 16);
    ours?.sealer(key, long.subarray(0, 0)).seal(message, 0, long.subarray(0, 100_000), key.subarray(0, 8));
    expect(theirs?.opener(key, long.subarray(0, 0)).open(message, 0)).toEqual(long.subarray(0, 100_000));
    expect(ours?.opener(key, long.subarray(0, 0)).open(message, 0)).toEqual(long.subarray(0, 100_000));
  });

  it('no secret stays in the scratch memory', () => {
    const key = Uint8Array.from({ length: 36 }, (_, i) => 0xa0 + i);
    const secret = Buffer.from('a secret that is longer than a block or two');
    const { octets: memory } = libcrypto.memory;
    const cipher = libcryptoBackend.cipher(20, 256, 0);
    const message = new Uint8Array(8 + secret.length + 16);
    cipher?.sealer(key, new Uint8Array()).seal(message, 0, secret, Buffer.from('iv, iv, '));
    expect(cipher?.opener(key, new Uint8Array()).open(message, 0)).toHaveLength(secret.length);
    libcryptoBackend.prf(5)?.mac(key, secret);
    libcryptoBackend.prf(5)?.derive(key, secret, key, 100);
    const pair = libcryptoBackend.group(31)?.fromPrivate(key.subarray(0, 32));
    pair?.agree(libcryptoBackend.group(31)?.generate().publicValue ?? key);
    const there = Buffer.from(memory);
    const traces = [key, secret].flatMap((octets) => Array.from(octets.subarray(3), (_, i) => octets.subarray(i, i + 4)));
    expect(traces.filter((octets) => there.includes(octets))).toEqual([]);
  });
});
