import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { gateway, told } from './text.ts';

const policy = (...lines: string[]) =>
  `config firewall policy
edit 1
set srcintf "any"
set dstintf "any"
set srcaddr "all"
set dstaddr "all"
set service "ALL"
set schedule "always"
${lines.join('\n')}
next
end
`;

describe('policies', () => {
  it('are read', () => {
    const { config } = loadConfig(policy('set action accept', 'set name "web"', 'set groups "staff"', 'set users "eve"'));
    expect(config.policies).toMatchObject([
      {
        id: 1,
        name: 'web',
        enabled: true,
        accept: true,
        srcintf: ['any'],
        srcaddr: ['all'],
        service: ['ALL'],
        groups: ['staff'],
        users: ['eve'],
        line: 2,
      },
    ]);
  });
  it('of what is built in are known', () => {
    expect(told(policy('set service "all"') + policy('set service "HTTPS" "PING"'))).toEqual([]);
  });
  it.each([
    ['set schedule "none"', "lets nothing through: schedule 'none' is not served"],
    ['set service-negate enable', "lets nothing through: 'service-negate' is not served"],
    ['unset dstaddr', 'lets nothing through: it names no addresses on one side'],
    [
      'set service "H323"',
      'lets nothing through: an address, service or tag in it is not defined, or of a kind that packets do not show',
    ],
  ])('that cannot be told what they are about grant nothing, which is told: %s', (line, words) => {
    const text = policy('set action accept', line);
    expect(told(text)).toContain(`warning later: policy 1 ${words}`);
    expect(loadConfig(text).config.rules).toMatchObject([{ accept: false, from: [], to: [], services: [] }]);
    const deny = policy('set action deny', line);
    const refuses = words.replace('lets nothing through', 'refuses everything on its interfaces');
    expect(told(deny)).toContain(`warning later: policy 1 ${refuses}`);
    expect(loadConfig(deny).config.rules).toMatchObject([{ accept: false, tags: [] }]);
    const elsewhere = text.replaceAll('"any"', '"wan"');
    expect(told(elsewhere).filter((finding) => finding.includes(words))).toEqual([]);
  });
  it('that rely on a FortiGate’s interfaces alone are told: beyond the tunnel there is one network', () => {
    const wide = (src: string, dst: string, ...more: readonly string[]) => {
      const text = policy('set action accept', `set srcintf "${src}"`, `set dstintf "${dst}"`, 'set service "ALL"', ...more);
      return told(gateway([], text)).filter((finding) => finding.startsWith('warning open'));
    };
    expect(wide('dialup', 'lan')).toEqual([
      "warning open: policy 1 is not narrowed by dstintf 'lan': dstaddr alone says what is beyond the tunnel, " +
        'and that is everything; name the networks',
    ]);
    expect(wide('lan', 'dialup')).toMatchObject([
      expect.stringMatching(/^warning open: policy 1 is not narrowed by srcintf 'lan': srcaddr/),
    ]);
    for (const [src, dst, ...more] of [
      ['dialup', 'any'],
      ['dialup', 'dialup'],
      ['wan', 'lan'],
      ['dialup', 'lan', 'set status disable'],
      ['dialup', 'lan', 'set action deny'],
    ] as const)
      expect(wide(src, dst, ...more), `${src} to ${dst}`).toEqual([]);
  });
  it.each([
    ['srcintf', 'wan9', 'interface', 'system interface'],
    ['dstaddr', 'server', 'address', 'firewall address'],
    ['dstaddr6', 'server6', 'address', 'firewall address'],
    ['service', 'odd', 'service', 'firewall service custom'],
    ['schedule', 'night', 'schedule', 'firewall schedule recurring'],
    ['groups', 'staff', 'user group', 'user group'],
    ['users', 'eve', 'user', 'user local'],
  ])('%s "%s" that is not defined is told', (word, name, what, home) => {
    expect(told(policy(`set ${word} "${name}"`))).toContain(
      `warning reference: ${what} '${name}' is not defined: add it under 'config ${home}'`,
    );
  });
  it('a name that is missing in many places is told once, at the first', () => {
    const text = policy('set srcintf "wan9"', 'set dstintf "wan9"') + policy('set srcintf "wan9"').replace('edit 1', 'edit 2');
    expect(loadConfig(text).findings.filter(({ code }) => code === 'reference')).toMatchObject([{ line: 9 }]);
  });
  it('may name gateways, zones and schedules of blocks that are passed over', () => {
    const zone = 'config system zone\nedit "inside"\nnext\nend\nconfig firewall schedule recurring\nedit "night"\nnext\nend\n';
    const found = told(gateway([], zone) + policy('set srcintf "dialup"', 'set dstintf "inside"', 'set schedule "night"'));
    expect(found.filter((one) => one.includes('reference'))).toEqual([]);
  });
  it('without interfaces are told', () => {
    expect(told('config firewall policy\nedit 3\nset dstintf "any"\nnext\nend')).toEqual([
      'warning missing: policy 3 has no srcintf: set srcintf "NAME", or "any"',
      'warning later: policy 3 refuses everything on its interfaces: it names no addresses on one side',
    ]);
  });
});

describe('what waits for its part', () => {
  it('is checked word by word all the same', () => {
    expect(told('config firewall vip\nedit "x"\nset type access-prox\nset extprt 443\nnext\nend')).toEqual([
      'warning later: firewall vip: the access proxy is not served yet',
      expect.stringMatching(/^error value: type: 'access-prox' is not allowed: /),
      "error unknown-word: firewall vip has no setting 'extprt'",
    ]);
  });
  it('refers to objects, and missing ones are told', () => {
    expect(told('config firewall access-proxy\nedit "x"\nset vip "y"\nnext\nend')).toContain(
      "warning reference: virtual IP 'y' is not defined: add it under 'config firewall vip'",
    );
  });
  it('fctems are read, by name or by number', () => {
    const text = `config endpoint-control fctems
edit 1
set status enable
set name "ems"
set server "10.0.0.5"
set serial-number "FCTEMS8825007278"
next
edit "old"
set https-port 8443
next
end`;
    expect(loadConfig(text).config.fctems).toMatchObject([
      { key: '1', name: 'ems', enabled: true, server: '10.0.0.5', port: 443, serialNumber: 'FCTEMS8825007278' },
      { key: 'old', name: 'old', enabled: false, port: 8443 },
    ]);
    expect(told(text)).toEqual([]);
  });
});

describe('the gateway itself', () => {
  it('has the ports and limits that are set', () => {
    const text = `config system global\nset hostname "gate"\nend\nconfig system settings\nset ike-port 5500\nend
config postern settings
set natt-port 5545
set half-open-cookie-threshold 0
set half-open-per-address 3
set half-open-max 100
set sa-max 7
set quiet-auth-failures enable
set eap-gtc-with-psk enable
set eap-methods gtc
set replay-window 4096
set lease-linger 0
end`;
    const { config, findings } = loadConfig(text);
    expect(findings).toEqual([]);
    expect(config.system).toMatchObject({ hostname: 'gate', ikePort: 5500, nattPort: 5545 });
    expect(config.settings).toEqual({
      halfOpenCookie: 0,
      halfOpenPerAddress: 3,
      halfOpenMax: 100,
      saMax: 7,
      quietAuthFailures: true,
      eapGtcWithPsk: true,
      eapMethods: ['gtc'],
      replayWindow: 4096,
      leaseLinger: 0,
    });
  });
  it("takes FortiOS' word for the NAT-T port, ours goes before it", () => {
    const settings = 'config system settings\nset ike-natt-port 5500\nend\n';
    expect(loadConfig(settings).config.system.nattPort).toBe(5500);
    expect(loadConfig(`${settings}config postern settings\nset natt-port 5501\nend`).config.system.nattPort).toBe(5501);
  });
  it('tells clients the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    }; // our own file
    expect(loadConfig('').config.system.version).toBe(`Postern v${version}`);
  });
});
