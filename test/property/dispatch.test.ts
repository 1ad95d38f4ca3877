import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchanges } from '../../src/ike/exchange/index.ts';
import { type At, find } from '../../src/ike/exchange.ts';
import type { Payload } from '../../src/wire/index.ts';

const empty = new Uint8Array(0);
const samples: readonly Payload[] = [
  { kind: 'SA', proposals: [] },
  { kind: 'KE', group: 31, data: empty },
  { kind: 'NONCE', data: empty },
  { kind: 'IDi', idType: 2, data: empty },
  { kind: 'IDr', idType: 2, data: empty },
  { kind: 'CERT', encoding: 4, data: empty },
  { kind: 'AUTH', method: 2, data: empty },
  { kind: 'EAP', data: empty },
  { kind: 'TSi', selectors: [] },
  { kind: 'TSr', selectors: [] },
  { kind: 'CP', cfgType: 1, attributes: [] },
  { kind: 'D', protocol: 1, spiSize: 0, spis: [] },
  { kind: 'V', data: empty },
];
const states: readonly At[] = ['half-open', 'eap', 'eap-proven', 'at-certificate', 'at-gate', 'established', 'closed'];
const types = [34, 35, 36, 37, 38, 43, 44, 0, 255];

describe('dispatch', () => {
  it('never finds two exchanges for one message', () => {
    fc.assert(
      fc.property(fc.constantFrom(...states), fc.constantFrom(...types), fc.subarray([...samples]), (at, type, payloads) => {
        const fitting = exchanges.filter((x) => find([x], at, { exchange: type, payloads }) !== undefined);
        expect(fitting.length).toBeLessThanOrEqual(1);
      }),
      { seed: 5, numRuns: 3000 },
    );
  });

  it('gives every declared exchange a message of its own', () => {
    for (const x of exchanges) {
      const payloads = samples.filter((p) => (x.requires as readonly string[]).includes(p.kind));
      for (const at of x.from) expect(find(exchanges, at, { exchange: x.type, payloads })?.story).toBe(x.story);
    }
  });

  it('lets a waiting SA take nothing: its request is still being worked on', () => {
    for (const at of ['at-certificate', 'at-gate'] as const)
      for (const type of types) expect(find(exchanges, at, { exchange: type, payloads: samples })).toBeUndefined();
  });
});
