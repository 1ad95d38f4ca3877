import { describe, expect, it } from 'vitest';
import { loadConfig, showConfig } from '../../../src/config/index.ts';
import { addressOctets } from '../../../src/wire/index.ts';
import { gateway, profileOf, told } from './text.ts';

const octets = (text: string): Uint8Array => addressOctets(text) ?? new Uint8Array();
const any = { start: octets('0.0.0.0'), end: octets('255.255.255.255'), protocol: 0, startPort: 0, endPort: 65535 };
const second = (lines: readonly string[]) =>
  gateway().replace('set phase1name "dialup"\n', `set phase1name "dialup"\n${lines.join('\n')}\n`);
const phase2 = (...lines: string[]) => profileOf(second(lines)).phase2[0];

const objects = `config firewall address
edit "a"
set subnet 10.1.0.0/16
next
edit "b"
set type iprange
set start-ip 10.2.0.1
set end-ip 10.2.0.9
next
end
config firewall addrgrp
edit "both"
set member "a" "b"
next
end
`;

describe('a phase 2', () => {
  it('has the defaults of FortiOS: everything, from and to', () => {
    expect(phase2()).toEqual({
      name: 'all',
      proposals: expect.any(Array),
      pfs: true,
      groups: [20],
      keylife: 43200,
      keylifeKb: undefined,
      replay: true,
      transport: false,
      addRoute: true,
      src: [any],
      dst: [any],
      line: 17,
    });
    expect(phase2()?.proposals.map(({ word }) => word)).toEqual([
      'aes128-sha1',
      'aes256-sha1',
      'aes128-sha256',
      'aes256-sha256',
      'aes128gcm',
      'aes256gcm',
      'chacha20poly1305',
    ]);
  });
  it('has what is set', () => {
    expect(
      phase2(
        'set pfs disable',
        'set keylifeseconds 600',
        'set replay disable',
        'set encapsulation transport-mode',
        'set proposal aes256gcm',
      ),
    ).toMatchObject({
      pfs: false,
      groups: [],
      keylife: 600,
      replay: false,
      transport: true,
      proposals: [{ word: 'aes256gcm' }],
    });
  });
  it('counts octets only when it is told to', () => {
    expect(phase2('set keylifekbs 6000')?.keylifeKb).toBeUndefined();
    expect(phase2('set keylife-type both', 'set keylifekbs 6000')?.keylifeKb).toBe(6000);
    expect(told(second(['set keylife-type both']))).toEqual([]);
  });
  it.each([
    [undefined, undefined, true],
    ['disable', undefined, false],
    ['disable', 'enable', true],
    ['enable', 'disable', false],
  ])('routes as phase 1 says (add-route %s) unless it says something itself (%s)', (first, own, routed) => {
    const set = (value: string | undefined) => (value === undefined ? '' : `set add-route ${value}\n`);
    const text = gateway(first === undefined ? [] : [set(first)]);
    const both = text.replace('set phase1name "dialup"\n', `set phase1name "dialup"\n${set(own)}`);
    expect(told(both)).toEqual([]);
    expect(profileOf(both).phase2[0]?.addRoute).toBe(routed);
    expect(profileOf(showConfig(loadConfig(both), { secrets: true })).phase2[0]?.addRoute).toBe(routed);
  });
  it('several of one phase 1 keep their order', () => {
    const more = 'config vpn ipsec phase2-interface\nedit "more"\nset phase1name "dialup"\nnext\nend\n';
    expect(profileOf(gateway() + more).phase2.map(({ name }) => name)).toEqual(['all', 'more']);
  });
});

describe('selectors', () => {
  it.each([
    [['set src-subnet 10.1.0.0/16'], '10.1.0.0', '10.1.255.255'],
    [['set src-addr-type range', 'set src-start-ip 10.1.0.1', 'set src-end-ip 10.1.0.9'], '10.1.0.1', '10.1.0.9'],
    [['set src-addr-type ip', 'set src-start-ip 10.1.0.1'], '10.1.0.1', '10.1.0.1'],
  ])('%j', (lines, start, end) => expect(phase2(...lines)?.src).toEqual([{ ...any, start: octets(start), end: octets(end) }]));
  it.each([
    [['set TYPE subnet6', 'set dst-subnet6 2001:db8::/112'], '2001:db8::', '2001:db8::ffff'],
    [['set TYPE range6', 'set dst-start-ip6 2001:db8::1', 'set dst-end-ip6 2001:db8::9'], '2001:db8::1', '2001:db8::9'],
    [['set TYPE ip6', 'set dst-start-ip6 2001:db8::1'], '2001:db8::1', '2001:db8::1'],
  ])('%j', (lines, start, end) => {
    const both = [...lines.map((line) => line.replace('TYPE', 'dst-addr-type')), 'set src-addr-type subnet6'];
    expect(phase2(...both)?.dst).toEqual([{ ...any, start: octets(start), end: octets(end) }]);
  });
  it('by name are those of the object or of all members of the group', () => {
    const text = second(['set src-addr-type name', 'set src-name "both"']) + objects;
    const starts = profileOf(text).phase2[0]?.src.map(({ start }) => [...start].join('.'));
    expect(starts?.sort()).toEqual(['10.1.0.0', '10.2.0.1']);
  });
  it('have protocol and ports', () => {
    expect(phase2('set protocol 6', 'set src-port 443')).toMatchObject({
      src: [{ protocol: 6, startPort: 443, endPort: 443 }],
      dst: [{ protocol: 6, startPort: 0, endPort: 65535 }],
    });
  });
  it.each([
    [
      'backwards',
      ['set src-addr-type range', 'set src-start-ip 10.0.0.9', 'set src-end-ip 10.0.0.1'],
      "error value: a selector of phase2-interface 'all' ends before it begins",
    ],
    [
      'without a name',
      ['set src-addr-type name'],
      `error missing: phase2-interface 'all' gives a side by name and has no src-name: set src-name "NAME"`,
    ],
    [
      'with a name that is not defined',
      ['set dst-addr-type name', 'set dst-name "x"'],
      "error reference: dst-name of all: the address 'x' is not defined: add it under 'config firewall address'",
    ],
    [
      'with a name that holds nothing',
      ['set dst-addr-type name', 'set dst-name "none"'],
      "error value: dst-name of 'all': 'none' holds no address",
    ],
    [
      'of two families',
      ['set dst-addr-type subnet6'],
      "error conflict: phase2-interface 'all' has IPv4 on one side and IPv6 on the other: make one phase 2 for each",
    ],
  ])('%s: an error', (_, lines, message) => expect(told(second(lines))).toEqual([message]));
});

describe('what belongs together', () => {
  it('a phase 2 without phase 1 is an error', () => {
    expect(told('config vpn ipsec phase2-interface\nedit "x"\nnext\nend')).toEqual([
      `error missing: phase2-interface 'x' belongs to no phase 1: set phase1name "NAME"`,
    ]);
  });
  it('a phase 2 of a phase 1 that is not defined is an error', () => {
    expect(told('config vpn ipsec phase2-interface\nedit "x"\nset phase1name "y"\nnext\nend')).toEqual([
      "error reference: phase1-interface 'y' of phase2-interface 'x' is not defined",
    ]);
  });
  it('a phase 2 of a phase 1 that is left out is left out with it', () => {
    expect(
      told(gateway(['set type static']).replace('set phase1name "dialup"', 'set phase1name "dialup"\nset auto-negotiate enable')),
    ).toHaveLength(1);
  });
  it('a phase 1 without phase 2 is told', () => {
    expect(told(gateway().split('config vpn ipsec phase2')[0] ?? '')).toEqual([
      `warning missing: 'dialup' has no phase2-interface, so nothing can go through it: add one with phase1name "dialup"`,
    ]);
  });
});
