/** AlgorithmIdentifiers of AUTH method 14: RFC 7427 appendix A and RFC 8420 appendix A. */
import { expect } from 'vitest';
import { algorithmIdentifier, readAlgorithmIdentifier, schemeName } from '../../crypto/scheme.ts';
import { hex, unhex } from '../../src/wire/index.ts';

export const file = 'rfc7427-algorithm-identifiers.json';

type Row = { readonly name: string; readonly octets: string; readonly ours: boolean };

export function run(data: { readonly identifiers: readonly Row[] }): void {
  for (const { name, octets, ours } of data.identifiers) {
    const scheme = readAlgorithmIdentifier(unhex(octets));
    if ('why' in scheme) throw new Error(`${name}: ${scheme.why}`);
    expect(schemeName(scheme)).toBe(name);
    expect([name, hex(algorithmIdentifier(scheme)) === octets]).toEqual([name, ours]);
  }
}
