import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { addressOctets, IdType } from '../../../src/wire/index.ts';
import { gateway, places, profileOf, told, users } from './text.ts';

const octets = (text: string): Uint8Array => addressOctets(text) ?? new Uint8Array();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a dial-up gateway', () => {
  it('has the defaults of FortiOS', () => {
    expect(profileOf(gateway())).toMatchObject({
      name: 'dialup',
      interface: 'wan1',
      ipVersion: 4,
      localGw: undefined,
      localAddresses: ['192.0.2.1'],
      peer: { kind: 'any' },
      certIdValidation: true,
      groups: [20],
      keylife: 86400,
      negotiateTimeout: 30,
      rekey: true,
      dpd: { mode: 'on-demand', retryCount: 3, retryInterval: 20_000 },
      nattraversal: 'enable',
      keepalive: 10,
      fragmentation: true,
      fragmentationMtu: 1200,
      localId: undefined,
      enforceUniqueId: 'disable',
      networkId: undefined,
      esn: 'disable',
      childless: false,
      match: { kind: 'any' },
      match6: { kind: 'any' },
      modeCfg: undefined,
      line: 8,
    });
  });
  it("without proposals has those of FortiOS' wizard", () => {
    expect(profileOf(gateway()).proposals.map(({ word }) => word)).toEqual([
      'aes128-sha256',
      'aes256-sha256',
      'aes128gcm-prfsha256',
      'aes256gcm-prfsha384',
      'chacha20poly1305-prfsha256',
    ]);
  });
  it('has what is set', () => {
    const lines = [
      'set dpd on-idle',
      'set dpd-retryinterval 5.250',
      'set nattraversal forced',
      'set esn require',
      'set childless-ike enable',
    ];
    expect(
      profileOf(
        gateway([
          ...lines,
          'set network-overlay enable',
          'set network-id 7',
          'set enforce-unique-id keep-new',
          'set rekey disable',
        ]),
      ),
    ).toMatchObject({
      dpd: { mode: 'on-idle', retryInterval: 5_250 },
      nattraversal: 'forced',
      esn: 'require',
      childless: true,
      networkId: 7,
      enforceUniqueId: 'keep-new',
      rekey: false,
    });
  });
  it('heeds network-id only with network-overlay', () =>
    expect(profileOf(gateway(['set network-id 7'])).networkId).toBeUndefined());
});

describe('tunnels that are not served', () => {
  it.each([
    [
      'unset type',
      "warning later: 'dialup' is left out: type static is a tunnel to another gateway; for dial-up clients set type dynamic",
    ],
    [
      'set type ddns',
      "warning later: 'dialup' is left out: type ddns is a tunnel to another gateway; for dial-up clients set type dynamic",
    ],
    ['unset ike-version', "warning later: 'dialup' is left out: IKE version 1 is not served; set ike-version 2"],
    ['set ike-version 1', "warning later: 'dialup' is left out: IKE version 1 is not served; set ike-version 2"],
  ])('%s: left out with one warning, whatever else they hold', (line, message) => {
    const text = gateway([
      line,
      'set psksecret ENC abc',
      'set npu-offload disable',
      'set interface "nowhere"',
      'set authmethod signature',
    ]);
    expect(told(text)).toEqual([message]);
    expect(loadConfig(text).config.profiles).toEqual([]);
  });
  it.each(['set type dynamc', 'set type statc', 'set ike-version v2'])(
    '%s: the typo is told, and not what it would mean',
    (line) => expect(told(gateway([line, 'set interface "nowhere"']))).toEqual([expect.stringMatching(/^error value: /)]),
  );
});

describe('where it answers', () => {
  it('is on every address of its interface', () => {
    const more = `config system interface
edit "wan1"
set secondary-IP enable
config secondaryip
edit 1
set ip 192.0.2.7 255.255.255.0
next
end
config ipv6
set ip6-address 2001:db8::1/64
end
next
end`;
    expect(profileOf(gateway([], more)).localAddresses).toEqual(['192.0.2.1', '192.0.2.7']);
    expect(profileOf(gateway(['set ip-version 6'], more)).localAddresses).toEqual(['2001:db8::1']);
  });
  it('is everywhere when the interface learns its address', () => {
    const text = gateway().replace('set ip 192.0.2.1 255.255.255.0', 'set mode dhcp');
    expect(profileOf(text).localAddresses).toBeUndefined();
    expect(told(text)).toEqual([]);
  });
  it('is everywhere when the interface is not defined, with a warning', () => {
    const text = gateway(['set interface "p9"']);
    expect(profileOf(text).localAddresses).toBeUndefined();
    expect(told(text)).toEqual([
      "warning reference: interface 'p9' of 'dialup' is not defined under 'config system interface': every local address answers",
    ]);
  });
  it('is one address with local-gw', () => {
    expect(profileOf(gateway(['set local-gw 192.0.2.1'])).localGw).toBe('192.0.2.1');
    expect(told(gateway(['set local-gw 192.0.2.9']))).toEqual([
      "warning conflict: 192.0.2.9 of 'dialup' is no address of interface 'wan1' (192.0.2.1): it answers nowhere",
    ]);
  });
  it('local-gw6 counts with ip-version 6 only', () => {
    expect(profileOf(gateway(['set local-gw6 2001:db8::9'])).localGw).toBeUndefined();
    expect(profileOf(gateway(['set local-gw6 2001:db8::9', 'set ip-version 6'])).localGw).toBe('2001:db8::9');
  });
});

describe('algorithms', () => {
  it('that are not served are left out with the reason', () => {
    const text = gateway(['set proposal 3des-sha1 aes256-sha256']);
    expect(profileOf(text).proposals.map(({ word }) => word)).toEqual(['aes256-sha256']);
    expect(told(text)).toEqual([
      "warning weak: proposal 3des-sha1 of phase1-interface 'dialup' is left out: 3DES is retired: 64-bit blocks (Sweet32)",
    ]);
  });
  it('none of which is served are an error', () => {
    expect(told(gateway(['set proposal des-md5']))).toContain(
      "error value: phase1-interface 'dialup' has no proposal that is served: add for example aes256-sha256",
    );
  });
  it('beyond FortiOS are told to be ours', () => {
    const text = gateway(['set proposal aes192gcm-prfsha256', 'set dhgrp 31 19 20 21']);
    expect(profileOf(text)).toMatchObject({ proposals: [{ keyLength: 192 }], groups: [31, 19, 20, 21] });
    expect(told(text)).toEqual([
      "warning ours: proposal aes192gcm-prfsha256 of phase1-interface 'dialup' is ours: a FortiGate does not have it",
      "warning ours: phase1-interface 'dialup' has 4 groups, which is ours: a FortiGate takes 3",
    ]);
  });
  it.each(['1', '2', '5'])('group %s is served by name, with a warning', (group) => {
    const text = gateway([`set dhgrp ${group}`]);
    expect(profileOf(text).groups).toEqual([Number(group)]);
    expect(told(text)).toEqual([
      expect.stringMatching(/^warning weak: dhgrp \d of phase1-interface 'dialup' \(\d+-bit MODP\) can be broken/),
    ]);
  });
  it('group 27 is not served', () => {
    expect(told(gateway(['set dhgrp 27']))).toEqual([
      "error value: phase1-interface 'dialup' has no group that is served: set dhgrp 20",
      "warning weak: dhgrp 27 of phase1-interface 'dialup' is left out: brainpoolP224r1 is too short",
    ]);
  });
});

describe('pre-shared keys', () => {
  it('of both sides are one, unless they differ', () => {
    const both = profileOf(gateway());
    expect(
      both.localAuth.kind === 'psk' && both.remoteAuth.kind === 'psk' && both.localAuth.psk.equals(both.remoteAuth.psk),
    ).toBe(true);
    const { remoteAuth } = profileOf(gateway(['set psksecret-remote "another horse"']));
    expect(remoteAuth.kind === 'psk' && remoteAuth.psk.equals(utf8('another horse'))).toBe(true);
  });
  it('that are missing are an error with the fix', () => {
    expect(told(gateway(['unset psksecret']))).toEqual([`error missing: 'dialup' has no pre-shared key: set psksecret "..."`]);
  });
  it('that are encrypted are an error with the fix', () => {
    expect(told(gateway(['set psksecret ENC c2VjcmV0']))).toEqual([
      'error encrypted: psksecret is encrypted (ENC), which only its FortiGate can read: paste the clear text secret',
    ]);
  });
  it('that are short are told to be weak', () => {
    expect(told(gateway(['set psksecret 12345']))).toEqual([
      'warning weak: psksecret of dialup is shorter than 6 characters: a FortiGate refuses it, and it can be guessed',
    ]);
  });
});

describe('EAP', () => {
  const eap = (...lines: string[]) => gateway(['set eap enable', ...lines], users);
  it('takes the users of authusrgrp', () => {
    expect(profileOf(eap('set authusrgrp "staff"')).remoteAuth).toEqual({
      kind: 'eap',
      identity: 'id-payload',
      groups: ['staff'],
      methods: ['mschapv2'],
    });
  });
  it('asks for an identity with send-request', () => {
    expect(profileOf(eap('set authusrgrp "staff"', 'set eap-identity send-request')).remoteAuth).toMatchObject({
      identity: 'request',
    });
  });
  const policy = (...lines: string[]) =>
    `config firewall policy
edit 1
set action accept
set srcintf "dialup"
set dstintf "any"
set groups "staff"
${lines.join('\n')}
next
end
`;
  it('without authusrgrp takes the groups of the policies from this gateway', () => {
    expect(profileOf(eap() + policy()).remoteAuth).toMatchObject({ groups: ['staff'] });
  });
  it.each(['set status disable', 'set action deny', 'set srcintf "wan1"'])('a policy with %s gives none', (line) => {
    expect(told(eap() + policy(line))).toContain(
      `error missing: 'dialup' asks for users and has no group of them: set authusrgrp "NAME", or groups in a policy from it`,
    );
  });
  it('a group that nobody is asked for is told: it keeps no one out', () => {
    expect(told(gateway(['set authusrgrp "staff"'], users))).toContain(
      "warning conflict: nobody is asked for a user by 'dialup': authusrgrp counts only with set eap enable",
    );
  });
  it('with both goes by authusrgrp, and says so', () => {
    expect(told(eap('set authusrgrp "staff"') + policy())).toContain(
      "warning conflict: 'dialup' has authusrgrp, so the groups of its firewall policies (staff) are not asked",
    );
  });
  it('of a group that is not defined is an error', () => {
    expect(told(eap('set authusrgrp "stuff"'))).toEqual([
      "error reference: user group 'stuff' of 'dialup' is not defined: add it under 'config user group'",
    ]);
  });
  it('gives GTC passwords to a gateway with a pre-shared key only when it is told to', () => {
    const settings = 'config postern settings\nset eap-gtc-with-psk enable\nend\n';
    expect(profileOf(eap('set authusrgrp "staff"') + settings).remoteAuth).toMatchObject({ methods: ['mschapv2', 'gtc'] });
  });
  it('has the methods in the order of eap-methods, and never none', () => {
    const settings = 'config postern settings\nset eap-methods gtc mschapv2\nset eap-gtc-with-psk enable\nend\n';
    expect(profileOf(eap('set authusrgrp "staff"') + settings).remoteAuth).toMatchObject({ methods: ['gtc', 'mschapv2'] });
    expect(told(`${eap('set authusrgrp "staff"')}config postern settings\nset eap-methods gtc\nend\n`)).toEqual([
      expect.stringMatching(/^error conflict: 'dialup' has no EAP method left/),
    ]);
  });
});

describe('which peers are taken', () => {
  it.each([
    ['any, by default: without certificates there is nothing to compare', [], { kind: 'any' }],
    ['any', ['set peertype any'], { kind: 'any' }],
    ['one', ['set peertype one', 'set peerid "laptop.example"'], { kind: 'one', id: 'laptop.example' }],
    ['dialup', ['set peertype dialup', 'set usrgrp "staff"'], { kind: 'dialup', group: 'staff' }],
  ])('%s', (_, lines, peer) => expect(profileOf(gateway(lines, users)).peer).toEqual(peer));
  it.each([
    ['one', 'peerid'],
    ['dialup', 'usrgrp'],
  ])('%s needs %s', (type, word) => {
    expect(told(gateway([`set peertype ${type}`]))).toEqual([
      `error missing: 'dialup' has peertype ${type} and no ${word}: set ${word} "...", or peertype any`,
    ]);
  });
  it('a restriction to certificates without certificates is an error, not taken for any', () => {
    expect(told(gateway(['set peertype peer', 'set peer "ann"']))).toEqual([
      "error conflict: peer of 'dialup' needs certificates of clients: set authmethod-remote signature, or unset peer",
    ]);
  });
});

describe('localid', () => {
  it.each([
    ['a host name', 'vpn.example.com', 'auto', { idType: IdType.FQDN, data: utf8('vpn.example.com') }],
    ['a mail address', 'vpn@example.com', 'auto', { idType: IdType.RFC822_ADDR, data: utf8('vpn@example.com') }],
    ['an IPv4 address', '192.0.2.1', 'auto', { idType: IdType.IPV4_ADDR, data: octets('192.0.2.1') }],
    ['an IPv6 address', '2001:db8::1', 'auto', { idType: IdType.IPV6_ADDR, data: octets('2001:db8::1') }],
    ['a key id', '192.0.2.1', 'keyid', { idType: IdType.KEY_ID, data: utf8('192.0.2.1') }],
    ['a host name by force', 'vpn@example.com', 'fqdn', { idType: IdType.FQDN, data: utf8('vpn@example.com') }],
  ])('%s', (_, id, type, localId) => {
    expect(profileOf(gateway([`set localid "${id}"`, `set localid-type ${type}`])).localId).toEqual(localId);
  });
  it('of type address must be one', () => {
    expect(told(gateway(['set localid "vpn"', 'set localid-type address']))).toEqual([
      "error value: localid 'vpn' is no address, and localid-type is address",
    ]);
  });
  it('of type asn1dn needs a certificate', () => {
    expect(told(gateway(['set localid-type asn1dn']))).toEqual([
      "error conflict: localid-type asn1dn of 'dialup' is a certificate's subject: set authmethod signature, or another type",
    ]);
  });
  it('that is missing is an error when its type is given', () => {
    expect(told(gateway(['set localid-type fqdn']))).toEqual([
      `error missing: localid-type fqdn of 'dialup' needs localid "..."`,
    ]);
  });
});

describe('remote-gw-match', () => {
  it('ipmask and iprange are ranges', () => {
    expect(profileOf(gateway(['set remote-gw-match ipmask', 'set remote-gw-subnet 198.51.100.0/24'])).match).toEqual({
      kind: 'ranges',
      ranges: [{ start: octets('198.51.100.0'), end: octets('198.51.100.255') }],
    });
    expect(
      profileOf(
        gateway(['set remote-gw-match iprange', 'set remote-gw-start-ip 198.51.100.5', 'set remote-gw-end-ip 198.51.100.9']),
      ).match,
    ).toEqual({
      kind: 'ranges',
      ranges: [{ start: octets('198.51.100.5'), end: octets('198.51.100.9') }],
    });
  });
  it('of IPv6 is told apart', () => {
    expect(profileOf(gateway(['set remote-gw6-match ipprefix', 'set remote-gw6-subnet 2001:db8::/112']))).toMatchObject({
      match: { kind: 'any' },
      match6: { kind: 'ranges', ranges: [{ start: octets('2001:db8::'), end: octets('2001:db8::ffff') }] },
    });
  });
  it('without addresses is an error: it would take everybody', () => {
    expect(told(gateway(['set remote-gw-match ipmask']))).toEqual([
      "error missing: remote-gw-match of 'dialup' names no addresses: set remote-gw-subnet …",
    ]);
  });
  it('by country refuses everybody, and says so', () => {
    const text = gateway(['set remote-gw-match geography', 'set remote-gw-country "CH"']);
    expect(profileOf(text).match).toEqual({ kind: 'geography', country: 'CH' });
    expect(told(text)).toEqual([
      expect.stringMatching(/^warning missing: 'dialup' refuses every client, since nothing tells countries: set geoip-database/),
    ]);
  });
  it('by country with a database is served, for capital letters', () => {
    const database = 'config postern posture\nset geoip-database /var/lib/countries.mmdb\nend\n';
    const by = (...more: readonly string[]) => told(database + gateway(['set remote-gw-match geography', ...more]));
    expect(by('set remote-gw-country CH')).toEqual([]);
    expect(by()).toEqual(["error missing: 'dialup' matches by country and names none: set remote-gw-country CH"]);
    expect(by('set remote-gw-country "ch"')).toEqual([
      "error value: remote-gw-country: 'ch' is no country: two capital letters of ISO 3166, such as CH",
    ]);
    expect(told(database + gateway(['set ip-version 6', 'set remote-gw6-match geography', 'set remote-gw6-country 1']))).toEqual([
      "error value: remote-gw6-country: '1' is no country: two capital letters of ISO 3166, such as CH",
    ]);
  });
  it('ztna holds the rule with its tags in order, and says that no EMS is there', () => {
    const text = gateway([
      'set remote-gw-match ztna',
      'set remote-gw-ztna-tags "EMS1_ZTNA_b" "EMS3_CLASS_Low"',
      'set ems-sn-check enable',
    ]);
    expect(profileOf(text).match).toEqual({
      kind: 'ztna',
      rule: {
        tags: [
          { ems: 1, type: 'ZTNA', name: 'b' },
          { ems: 3, type: 'CLASS', name: 'Low' },
        ],
        emsSnCheck: true,
        unknownDevice: 'deny',
        uidBinding: 'address',
      },
      lost: { do: 'delete' },
    });
    expect(told(text)).toEqual([
      expect.stringMatching("^warning missing: 'dialup' refuses every client, since no EMS is enabled"),
    ]);
  });
  it('ztna without tags is an error', () => {
    expect(told(gateway(['set remote-gw-match ztna']))).toContain(
      `error missing: 'dialup' asks for posture tags and names none: set remote-gw-ztna-tags "EMS1_ZTNA_name"`,
    );
  });
  it('tags without ztna do nothing, and that is told', () => {
    expect(told(gateway(['set remote-gw-ztna-tags "EMS1_ZTNA_b"']))).toEqual([
      "warning conflict: the posture tags of 'dialup' do nothing: set remote-gw-match ztna",
    ]);
  });
});

describe('transport', () => {
  it.each(['udp', 'auto'])('%s is fine', (value) => expect(told(gateway([`set transport ${value}`]))).toEqual([]));
  it.each(['tcp', 'udp-fallback-tcp'])('%s is not served yet', (value) => {
    expect(told(gateway([`set transport ${value}`]))).toEqual([
      `warning later: transport ${value} of 'dialup' is not served yet: clients reach it by UDP only`,
    ]);
  });
});

describe('nattraversal', () => {
  it.each(['enable', 'forced'])('%s is fine', (value) => expect(told(gateway([`set nattraversal ${value}`]))).toEqual([]));
  it('disable is told, with its place: ESP goes in UDP only', () => {
    const text = gateway(['set nattraversal disable']);
    expect(told(text)).toEqual([
      "warning conflict: 'dialup' keeps its clients on the IKE port, and ESP is carried in UDP on the NAT-T port only: " +
        'their child SAs are refused, no traffic passes; set nattraversal enable',
    ]);
    expect(places(text)).toEqual(['13:26 disable']);
  });
  it('disable of a tunnel that is left out is not told', () => {
    const text = gateway(['set nattraversal disable']).replace('set type dynamic', 'set type static');
    expect(told(text).filter((line) => line.includes('NAT-T'))).toEqual([]);
  });
});
