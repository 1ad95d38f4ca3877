/** Blocks of FortiOS guides, unchanged: what a user pastes. Every word is known, and no value is wrong. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig, showConfig } from '../../../src/config/index.ts';
import { gateway, places, profileOf } from './text.ts';

const read = (name: string): string => readFileSync(new URL(`../../fixtures/config/${name}.conf`, import.meta.url), 'utf8');
const all = ['guideExample1', 'guideExample2', 'postureTags', 'accessProxy', 'ems'];
const codes = (text: string) => [...new Set(loadConfig(text).findings.map(({ code }) => code))].sort();

describe('blocks of the guides', () => {
  it.each(all)('%s: nothing is said but what is not defined and what is not served yet', (name) => {
    expect(codes(read(name)).filter((code) => !['reference', 'later', 'missing', 'open'].includes(code))).toEqual([]);
  });
  it.each(all)('%s: show gives back a text that loads the same', (name) => {
    const once = showConfig(loadConfig(read(name)), { secrets: true });
    expect(showConfig(loadConfig(once), { secrets: true })).toBe(once);
    expect(once).not.toBe('');
  });

  it('example 1: users, addresses and the EMS are missing', () => {
    expect(places(read('guideExample1'))).toEqual([
      '11:23 port1',
      '19:24 local-group',
      '23:22 auto',
      '24:32 dialup_split',
      '28:33 EMS1_ZTNA_all_registered_clients',
    ]);
    const [profile] = loadConfig(read('guideExample1')).config.profiles;
    expect(profile).toMatchObject({
      name: 'dialup',
      localAuth: { kind: 'psk' },
      remoteAuth: { kind: 'eap', identity: 'request', groups: ['local-group'] },
      match: { kind: 'ztna', rule: { tags: [{ ems: 1, type: 'ZTNA', name: 'all_registered_clients' }], emsSnCheck: true } },
      modeCfg: { savePassword: true },
      phase2: [{ name: 'DY' }],
    });
    expect(profile?.modeCfg?.ipv4?.ranges.map(({ start, end }) => [[...start], [...end]])).toEqual([
      [
        [10, 212, 134, 200],
        [10, 212, 134, 254],
      ],
    ]);
  });
  it('example 1 with what it refers to is usable', () => {
    const more = `config system interface
edit "port1"
set ip 192.0.2.1/24
next
end
config user group
edit "local-group"
next
end
config firewall address\nedit "dialup_split"\nset subnet 10.0.0.0/8\nnext\nend\nconfig system dns\nset primary 10.0.0.53\nend\n`;
    expect(profileOf(read('guideExample1') + more)).toMatchObject({
      localAddresses: ['192.0.2.1'],
      modeCfg: { splitInclude4: [{ length: 8 }] },
    });
  });
  it('example 2: the tag of the third EMS, two groups, dead peer detection each minute', () => {
    expect(places(read('guideExample2'))).toEqual([
      '4:27 vlan160',
      '14:28 local_group',
      '19:26 auto',
      '24:37 EMS3_ZTNA_a',
      '38:25 mgmt1',
      '38:25 mgmt1', // not defined; and not looked at, with all addresses
    ]);
    expect(loadConfig(read('guideExample2')).config).toMatchObject({
      profiles: [
        {
          name: 'FCT_EMS_TAG_ph2',
          groups: [20, 21],
          dpd: { mode: 'on-idle', retryInterval: 60_000 },
          match: { rule: { tags: [{ ems: 3, type: 'ZTNA', name: 'a' }] } },
          modeCfg: { splitInclude4: undefined },
          phase2: [{ name: 'FCT_EMS_TAG_ph2', groups: [20, 21] }],
        },
      ],
      policies: [{ id: 14, srcintf: ['FCT_EMS_TAG_ph2'], accept: true }],
    });
  });
  it('the posture tags continue a dial-up profile of that name, before or after it', () => {
    const base = gateway().replaceAll('"dialup"', '"RA-VPN"');
    for (const text of [base + read('postureTags'), read('postureTags') + base]) {
      expect(profileOf(text)).toMatchObject({
        name: 'RA-VPN',
        interface: 'wan1',
        match: {
          kind: 'ztna',
          rule: {
            tags: [
              { ems: 1, type: 'ZTNA', name: 'Antivirus running' },
              { ems: 1, type: 'ZTNA', name: 'Telemetry Connected' },
            ],
          },
        },
      });
      expect(codes(text)).toEqual(['missing']); // no EMS is there
    }
  });
  it('the access proxy, its virtual IP and its policy wait for their parts', () => {
    expect(places(read('accessProxy'))).toEqual([
      '1:8 firewall',
      '7:13 port3',
      '9:21 mylabfound-wildcard',
      '12:8 firewall',
      '20:13 ws1.mylabfound.com',
      '29:6 9',
    ]);
  });
  it('the EMS servers: only the certificates that they name are missing', () => {
    expect(places(read('ems'))).toEqual(['4:25 EMS_server', '12:25 EMS_Cloud_server']);
    expect(loadConfig(read('ems')).config.fctems.map(({ key, server }) => [key, server])).toEqual([
      ['EMS', '172.16.1.10'],
      ['EMS_Cloud', ''],
    ]);
  });
});
