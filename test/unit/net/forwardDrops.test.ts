/** What is read of `nft -j list ruleset`: chains that drop what is forwarded, and nothing of what is not understood. */
import { describe, expect, it } from 'vitest';
import { droppingIn } from '../../../src/net/forwardDrops.ts';

/** As nftables 1.0.6 writes them. */
const base = (family: string, table: string, name: string, hook: string, policy: string) => ({
  chain: { family, table, name, handle: 1, type: 'filter', hook, prio: 0, policy },
});
const named = (family: string, table: string, chain: string, right: unknown) => ({
  rule: {
    ...{ family, table, chain, handle: 2 },
    expr: [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right } }, { accept: null }],
  },
});
const docker = base('ip', 'filter', 'FORWARD', 'forward', 'drop');
const read = (...listed: readonly object[]) =>
  droppingIn(JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6', json_schema_version: 1 } }, ...listed] }), 'postern');

describe('chains that drop what is forwarded', () => {
  it('are found in each family that has our packets', () => {
    const all = [docker, base('ip6', 'filter', 'FORWARD', 'forward', 'drop'), base('inet', 'fw', 'f', 'forward', 'drop')];
    expect(read({ table: { family: 'ip', name: 'filter', handle: 1 } }, ...all)).toEqual([
      'ip filter FORWARD',
      'ip6 filter FORWARD',
      'inet fw f',
    ]);
  });

  it.each([
    ['that accepts by itself', base('ip', 'filter', 'FORWARD', 'forward', 'accept')],
    ['of another hook', base('ip', 'filter', 'INPUT', 'input', 'drop')],
    ['of bridges', base('bridge', 'b', 'f', 'forward', 'drop')],
    ['that is called by others', { chain: { family: 'ip', table: 'filter', name: 'DOCKER', handle: 3 } }],
  ])('one %s is none', (_, chain) => {
    expect(read(chain)).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['with a star', 'postern*'],
    ['by itself', 'postern0'],
    ['in a set', { set: ['eth0', 'postern0'] }],
  ])('are left out where a rule of the same table names our device %s, in whichever chain', (_, right) => {
    expect(read(docker, named('ip', 'filter', 'DOCKER-USER', right))).toEqual([]);
  });

  it('are not left out for a rule of another table, or about another device', () => {
    const all = [docker, named('ip6', 'filter', 'FORWARD', 'postern*'), named('ip', 'nat', 'x', 'postern*')];
    expect(read(...all, named('ip', 'filter', 'FORWARD', 'docker0'))).toEqual(['ip filter FORWARD']);
  });
});

it.each([
  '',
  'nft: command not found',
  '{}',
  '[]',
  'null',
  '{"nftables":[null]}',
  '{"nftables":{"chain":1}}',
  '{"nftables":[{"chain":1}]}',
])('what is no ruleset says nothing: %s', (text) => {
  expect(droppingIn(text, 'postern')).toEqual([]);
});
