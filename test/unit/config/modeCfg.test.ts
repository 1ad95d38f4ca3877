import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { addressOctets, addressText } from '../../../src/wire/index.ts';
import { gateway, profileOf, told } from './text.ts';

const octets = (text: string): Uint8Array => addressOctets(text) ?? new Uint8Array();
const range = (start: string, end: string) => ({ start: octets(start), end: octets(end) });
const pool = ['set mode-cfg enable', 'set ipv4-start-ip 10.1.1.2', 'set ipv4-end-ip 10.1.1.20'];
const modeCfg = (lines: readonly string[], more = '') => profileOf(gateway([...pool, ...lines], more)).modeCfg;

const addresses = `config firewall address
    edit "office"
        set subnet 10.20.0.0 255.255.0.0
    next
    edit "lab"
        set type iprange
        set start-ip 10.30.0.1
        set end-ip 10.30.0.2
    next
    edit "pool"
        set type iprange
        set start-ip 10.40.0.10
        set end-ip 10.40.0.99
    next
    edit "net"
        set subnet 10.50.0.0 255.255.255.0
    next
    edit "host name"
        set type fqdn
        set fqdn "www.example.com"
    next
end
config firewall addrgrp
    edit "inside"
        set member "office" "lab"
    next
    edit "circle"
        set member "inside" "circle"
    next
end
`;

describe('mode-cfg', () => {
  it('is nothing when it is disabled, and settings of it are told', () => {
    const text = gateway(['set ipv4-start-ip 10.1.1.2']);
    expect(profileOf(text).modeCfg).toBeUndefined();
    expect(told(text)).toEqual(["warning conflict: ipv4-start-ip of 'dialup' does nothing without mode-cfg enable"]);
  });
  it('has the defaults of FortiOS', () => {
    expect(modeCfg([])).toEqual({
      assign: true,
      ipv4: { ranges: [range('10.1.1.2', '10.1.1.20')], exclude: [], prefix: 32 },
      ipv6: undefined,
      dns4: [],
      dns6: [],
      wins4: [],
      splitInclude4: undefined,
      splitInclude6: undefined,
      domains: [],
      defaultDomain: undefined,
      banner: undefined,
      savePassword: false,
      autoNegotiate: false,
      keepAlive: false,
      unity: true,
      includeLocalLan: false,
      allowClientSelector: false,
    });
  });
  it('has what is set', () => {
    const lines = [
      'set banner "Hello\nthere"',
      'set domain "example.com"',
      'set internal-domain-list "a.example" "b.example"',
      'set save-password enable',
    ];
    expect(
      modeCfg([
        ...lines,
        'set client-auto-negotiate enable',
        'set client-keep-alive enable',
        'set unity-support disable',
        'set ipv4-netmask 255.255.255.0',
      ]),
    ).toMatchObject({
      banner: 'Hello\nthere',
      defaultDomain: 'example.com',
      domains: ['a.example', 'b.example'],
      savePassword: true,
      autoNegotiate: true,
      keepAlive: true,
      unity: false,
      ipv4: { prefix: 24 },
    });
  });
});

describe('addresses to give', () => {
  it('may be of both families, with holes', () => {
    const lines = ['set ipv6-start-ip 2001:db8::10', 'set ipv6-end-ip 2001:db8::20', 'set ipv6-prefix 64'];
    const holes = ['config ipv4-exclude-range', 'edit 1', 'set start-ip 10.1.1.5', 'set end-ip 10.1.1.7', 'next', 'end'];
    expect(modeCfg([...lines, ...holes])).toMatchObject({
      ipv4: { exclude: [range('10.1.1.5', '10.1.1.7')] },
      ipv6: { ranges: [range('2001:db8::10', '2001:db8::20')], prefix: 64 },
    });
  });
  it('may come from a named range', () => {
    expect(modeCfg(['set assign-ip-from name', 'set ipv4-name "pool"'], addresses)?.ipv4?.ranges).toEqual([
      { ...range('10.40.0.10', '10.40.0.99') },
    ]);
  });
  it('of a named network leave out its first and last', () => {
    expect(modeCfg(['set assign-ip-from name', 'set ipv4-name "net"'], addresses)?.ipv4?.ranges).toEqual([
      range('10.50.0.1', '10.50.0.254'),
    ]);
  });
  it('of a named group are those of its members', () => {
    const ranges = modeCfg(['set assign-ip-from name', 'set ipv4-name "inside"'], addresses)?.ipv4?.ranges ?? [];
    expect(ranges.map(({ start }) => addressText(start)).sort()).toEqual(['10.20.0.1', '10.30.0.1']);
  });
  it.each([
    [
      'missing altogether',
      ['unset ipv4-start-ip', 'unset ipv4-end-ip'],
      "error missing: 'dialup' gives addresses and has none to give: set ipv4-start-ip and ipv4-end-ip, or assign-ip disable",
    ],
    [
      'missing a name',
      ['set assign-ip-from name'],
      `error missing: 'dialup' gives addresses and has none to give: set ipv4-name "NAME", or assign-ip disable`,
    ],
    ['missing one end', ['unset ipv4-end-ip'], "error missing: 'dialup' has ipv4-start-ip and no ipv4-end-ip: set both"],
    [
      'backwards',
      ['set ipv4-end-ip 10.1.1.1'],
      "error value: the addresses of 'dialup' end before they begin: ipv4-end-ip comes before ipv4-start-ip",
    ],
    [
      'too many',
      ['set ipv4-end-ip 10.255.255.255'],
      "error limit: the IPv4 addresses of 'dialup' are 16711422, at most 1048576 can be given",
    ],
    [
      'of a name that is not defined',
      ['set assign-ip-from name', 'set ipv4-name "poole"'],
      "error reference: ipv4-name of dialup: the address 'poole' is not defined: add it under 'config firewall address'",
    ],
    [
      'all excluded',
      ['config ipv4-exclude-range', 'edit 1', 'set start-ip 10.1.1.0', 'set end-ip 10.1.1.255', 'next', 'end'],
      "error value: 'dialup' gives addresses, and ipv4-exclude-range leaves none of them",
    ],
    [
      'with a hole that runs backwards',
      ['config ipv4-exclude-range', 'edit 1', 'set start-ip 10.1.1.9', 'set end-ip 10.1.1.5', 'next', 'end'],
      "error value: an ipv4-exclude-range of 'dialup' ends before it begins",
    ],
  ])('%s: an error', (_, lines, message) => {
    expect(told(gateway([...pool, ...lines], addresses))).toEqual([message]);
  });
  it.each(['usrgrp', 'dhcp'])('from %s are not served yet: there are none', (from) => {
    const text = gateway([...pool, `set assign-ip-from ${from}`]);
    expect(profileOf(text).modeCfg).toMatchObject({ assign: true, ipv4: undefined });
    expect(told(text)).toEqual([
      `warning later: assign-ip-from ${from} is not served yet: clients of 'dialup' get no address; range and name are served`,
    ]);
  });
  it('are not needed with assign-ip disable', () => {
    expect(told(gateway(['set mode-cfg enable', 'set assign-ip disable']))).toEqual([]);
  });
  it('of two gateways must not overlap', () => {
    const second = (start: string, end: string) => `config vpn ipsec phase1-interface
edit "second"
set type dynamic
set ike-version 2
set interface "wan1"
set psksecret "correct horse"
set mode-cfg enable
set ipv4-start-ip ${start}
set ipv4-end-ip ${end}
next
end
config vpn ipsec phase2-interface
edit "second"
set phase1name "second"
next
end
`;
    expect(told(gateway(pool) + second('10.1.1.21', '10.1.1.30'))).toEqual([]);
    expect(told(gateway(pool) + second('10.1.1.20', '10.1.1.30'))).toEqual([
      "warning conflict: 'second' and 'dialup' share addresses: each is leased once, to whoever comes first",
    ]);
    expect(told(gateway(pool) + second('10.1.1.5', '10.1.1.6'))).toHaveLength(1);
  });
});

describe('DNS', () => {
  const auto = [...pool, 'set dns-mode auto'];
  it('by hand is at most three servers of each family', () => {
    const lines = [
      'set ipv4-dns-server1 10.0.0.53',
      'set ipv4-dns-server3 10.0.0.54',
      'set ipv6-dns-server2 2001:db8::53',
      'set ipv4-wins-server1 10.0.0.1',
    ];
    expect(modeCfg(lines)).toMatchObject({
      dns4: [octets('10.0.0.53'), octets('10.0.0.54')],
      dns6: [octets('2001:db8::53')],
      wins4: [octets('10.0.0.1')],
    });
  });
  it('auto is that of system dns', () => {
    const dns = 'config system dns\nset primary 9.9.9.9\nset ip6-primary 2620:fe::9\nend\n';
    expect(profileOf(gateway(auto, dns)).modeCfg).toMatchObject({ dns4: [octets('9.9.9.9')], dns6: [octets('2620:fe::9')] });
  });
  it('auto without system dns is none, and that is told', () => {
    expect(told(gateway(auto))).toEqual([
      "warning reference: dns-mode auto of 'dialup' takes the servers of 'config system dns', and there are none",
    ]);
  });
});

describe('split tunnels', () => {
  const split = (name: string) =>
    modeCfg([`set ipv4-split-include "${name}"`], addresses)?.splitInclude4?.map(
      ({ address, length }) => `${addressText(address)}/${length}`,
    );
  it.each(['', 'all'])('%j is everything', (name) => expect(split(name)).toBeUndefined());
  it('a network is itself, a range the prefixes that make it', () => {
    expect(split('office')).toEqual(['10.20.0.0/16']);
    expect(split('lab')).toEqual(['10.30.0.1/32', '10.30.0.2/32']);
  });
  it('a group is its members, even when it holds itself', () =>
    expect(split('circle')?.sort()).toEqual(['10.20.0.0/16', '10.30.0.1/32', '10.30.0.2/32']));
  it('what is not defined is an error, never everything', () => {
    expect(told(gateway([...pool, 'set ipv4-split-include "x"']))).toEqual([
      "error reference: ipv4-split-include of dialup: the address 'x' is not defined: add it under 'config firewall address'",
    ]);
  });
  it('host names are not served yet; nothing else left is an error', () => {
    expect(told(gateway([...pool, 'set ipv4-split-include "host name"'], addresses))).toEqual([
      "error value: ipv4-split-include of 'dialup': 'host name' holds no network that clients can be told",
      "warning later: ipv4-split-include of dialup: the address 'host name' is left out: type fqdn is not served here yet",
    ]);
  });
  it('of IPv6 have objects of their own', () => {
    const more = 'config firewall address6\nedit "office"\nset ip6 2001:db8:20::/48\nnext\nend\n';
    expect(modeCfg(['set ipv6-split-include "office"'], more)?.splitInclude6).toEqual([
      { address: octets('2001:db8:20::'), length: 48 },
    ]);
  });
  it('of more prefixes than fit into an answer are an error', () => {
    const many = Array.from(
      { length: 300 },
      (_, i) => `edit "n${i}"\nset subnet 10.${Math.floor(i / 200)}.${i % 200}.0/24\nnext\n`,
    ).join('');
    const names = Array.from({ length: 300 }, (_, i) => `"n${i}"`).join(' ');
    const more = `config firewall address\n${many}end\nconfig firewall addrgrp\nedit "many"\nset member ${names}\nnext\nend\n`;
    expect(told(gateway([...pool, 'set ipv4-split-include "many"'], more))).toEqual([
      "error limit: ipv4-split-include of 'dialup' makes 300 prefixes, at most 250 fit into an answer",
    ]);
  });
});

describe('addresses', () => {
  it('that run backwards are an error even when nobody uses them', () => {
    const { findings } = loadConfig(
      'config firewall address\nedit "x"\nset type iprange\nset start-ip 10.0.0.9\nset end-ip 10.0.0.1\nnext\nend',
    );
    expect(findings).toMatchObject([
      { level: 'error', line: 5, message: "the address 'x' ends before it begins: end-ip comes before start-ip" },
    ]);
  });
});
