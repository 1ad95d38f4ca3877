import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { constantTimeEqual, randomOctets, Secret } from '../../../crypto/index.ts';

const word = 'correct horse battery staple';
const secret = () => Secret.utf8(word);

describe('Secret', () => {
  it('gives its octets only when asked to', () => {
    expect(new TextDecoder().decode(secret().expose())).toBe(word);
    expect(Secret.of(Uint8Array.of(1, 2)).expose()).toEqual(Uint8Array.of(1, 2));
    expect(secret().length).toBe(word.length);
  });

  it.each([
    ['String()', () => secret().toString()],
    ['JSON', () => JSON.stringify({ psk: secret() })],
    ['the debugger', () => inspect({ deep: { psk: secret() } }, { depth: 9, showHidden: true })],
    ['an array joined', () => inspect([secret()])],
  ])('%s shows how long it is and nothing else', (_, show) => {
    expect(show()).toContain('[secret 28 octets]');
    expect(show()).not.toMatch(/correct|horse|99, *111|636f7272/);
  });

  it('has no property that holds the octets', () => {
    expect(Reflect.ownKeys(secret())).toEqual([]);
  });

  it('does not become part of a text', () => {
    // What the compiler would not forbid in untyped hands.
    expect(() => `psk ${secret()}`).toThrow(TypeError);
    expect(() => `psk ${secret()}`).not.toThrow(word);
    expect(() => Number(secret())).toThrow(TypeError);
  });

  it('equals the same octets, in a secret or bare', () => {
    expect(secret().equals(secret())).toBe(true);
    expect(secret().equals(new TextEncoder().encode(word))).toBe(true);
    expect(secret().equals(Secret.utf8(`${word}.`))).toBe(false);
    expect(secret().equals(Secret.utf8(word.replace('c', 'd')))).toBe(false);
    expect(Secret.utf8('').equals(new Uint8Array())).toBe(true);
  });

  it('is zeros after wiping, in the very memory it was given', () => {
    const octets = Uint8Array.of(1, 2, 3);
    Secret.of(octets).wipe();
    expect(octets).toEqual(new Uint8Array(3));
  });
});

describe('constantTimeEqual', () => {
  it('compares octets, and lengths first', () => {
    expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(constantTimeEqual(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
    expect(constantTimeEqual(new Uint8Array(), new Uint8Array())).toBe(true);
  });
});

describe('randomOctets', () => {
  it.each([0, 1, 8, 32, 2047, 2048, 2049, 70_000])('gives %i octets', (n) => {
    expect(randomOctets(n)).toHaveLength(n);
  });

  it('never hands out the same octets twice, across its pages', () => {
    const drawn = Array.from({ length: 1000 }, () => Buffer.from(randomOctets(16)).toString('hex'));
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it('hands out memory of its own: writing into one leaves the next alone', () => {
    const [first, second] = [randomOctets(16), randomOctets(16)];
    const before = second.slice();
    first.fill(0);
    expect(second).toEqual(before);
    expect(first.buffer).not.toBe(second.buffer);
  });

  it('draws every bit', () => {
    const ever = new Uint8Array(32);
    const always = new Uint8Array(32).fill(255);
    for (let round = 0; round < 64; round++) {
      randomOctets(32).forEach((octet, at) => {
        ever[at] = (ever[at] ?? 0) | octet;
        always[at] = (always[at] ?? 0) & octet;
      });
    }
    expect(ever).toEqual(new Uint8Array(32).fill(255));
    expect(always).toEqual(new Uint8Array(32));
  });
});
