import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { gateway, profileOf, told } from './text.ts';

const server = (name: string, ...lines: readonly string[]) =>
  [
    'config endpoint-control fctems',
    `edit "${name}"`,
    'set status enable',
    'set server ems.example.net',
    ...lines,
    'next\nend\n',
  ].join('\n');
const posture = (...lines: readonly string[]) => `config postern posture\n${lines.join('\n')}\nend\n`;
const numbers = (text: string) => loadConfig(text).config.fctems.map(({ key, number }) => `${key} ${number}`);

describe('the number of an EMS', () => {
  it('is its ems-id, else the number it is edited by', () => {
    const text = server('one', 'set ems-id 3') + server('2');
    expect(numbers(text)).toEqual(['one 3', '2 2']);
    expect(told(text)).toEqual([]);
  });
  it('is its place in the file without either, past the numbers that are taken, with a warning', () => {
    const text = server('a') + server('b', 'set ems-id 1') + server('c');
    expect(numbers(text)).toEqual(['a 2', 'b 1', 'c 3']);
    expect(told(text)).toEqual([
      "warning missing: the server 'a' has no number: by its place in the file it is EMS 2 (EMS2_ZTNA_…)",
      "warning missing: the server 'c' has no number: by its place in the file it is EMS 3 (EMS3_ZTNA_…)",
    ]);
  });
  it('twice is a conflict', () => {
    expect(told(server('a', 'set ems-id 4') + server('4'))).toEqual(["error conflict: 'a' and '4' are both EMS number 4"]);
  });
  it('there are seven', () => {
    const text = Array.from({ length: 8 }, (_, i) => server(`s${i}`, `set ems-id ${Math.min(7, i + 1)}`)).join('');
    expect(told(text)).toEqual(["error limit: the server 's7' is one too many: 7 EMS servers are served"]);
    expect(loadConfig(text).config.fctems).toHaveLength(7);
  });
});

describe('an EMS server', () => {
  it('has its bounds and its way', () => {
    const text = server(
      '1',
      'set https-port 8443',
      'set call-timeout 5',
      'set out-of-sync-threshold 30',
      'set source-ip 192.0.2.9',
      'set websocket-override enable',
    );
    expect(loadConfig(text).config.fctems).toMatchObject([
      {
        port: 8443,
        callTimeout: 5,
        outOfSync: 30,
        sourceIp: '192.0.2.9',
        websocket: false,
        accessKey: undefined,
        driver: 'native',
      },
    ]);
  });
  it('that is to be asked needs an address', () => {
    expect(told('config endpoint-control fctems\nedit 1\nset status enable\nnext\nend\n')).toEqual([
      "error missing: '1' has no address: set server NAME",
    ]);
  });
  it('in the cloud needs its access key, which stays a secret', () => {
    const cloud = 'set fortinetone-cloud-authentication enable';
    expect(told(server('1', cloud))).toEqual([
      "error missing: EMS Cloud '1' needs its access key: set cloud-authentication-access-key",
    ]);
    const { config } = loadConfig(server('1', cloud, 'set cloud-authentication-access-key geheim-und-lang'));
    expect(JSON.stringify(config.fctems)).not.toContain('geheim');
    expect(config.fctems[0]?.accessKey).toBeDefined();
  });
  it('without pull-tags says nothing of anybody, and that is told', () => {
    expect(told(server('1', 'set pull-tags disable'))).toEqual([
      'warning conflict: without pull-tags EMS 1 says nothing of any device: its tags never match',
    ]);
  });
  it('has more under postern ems, by its name', () => {
    const more = 'config postern ems\nedit "1"\nset driver fortios\nset token-key "-----BEGIN PUBLIC KEY-----" "{}"\nnext\nend\n';
    expect(loadConfig(server('1') + more).config.fctems).toMatchObject([
      { driver: 'fortios', tokenKeys: ['-----BEGIN PUBLIC KEY-----', '{}'] },
    ]);
    expect(told(server('eins', 'set ems-id 1') + more.replace('"1"', '"ein"'))).toEqual([
      "error reference: postern ems: no server 'ein' is defined under 'config endpoint-control fctems'",
    ]);
  });
});

describe('postern posture', () => {
  it('has defaults: a second, ten seconds, learn mode, no numbers', () => {
    expect(loadConfig('').config.posture).toEqual({
      ...{ lookupWait: 1000, probation: 10, learn: true, geoip: undefined, serialNumber: undefined },
      ...{ ztnaTagNotify: undefined, successNotify: undefined, failureNotify: undefined },
    });
  });
  it('pins the private numbers', () => {
    const text = posture('set ztna-tag-notify 61702', 'set tags-success-notify 61703', 'set tags-failure-notify 8200');
    expect(loadConfig(text).config.posture).toMatchObject({ ztnaTagNotify: 61702, successNotify: 61703, failureNotify: 8200 });
    expect(told(text)).toEqual([]);
  });
  it.each([
    ['set ztna-tag-notify 61696', 'error value: ztna-tag-notify: 61696 is the number of another Fortinet notify'],
    [
      'set tags-failure-notify 20000',
      'error value: tags-failure-notify: 20000 is not for private use: 8192-16383 or 40960-65535',
    ],
    [
      'set ztna-tag-notify 61702\nset tags-success-notify 61702',
      'error conflict: tags-success-notify and ztna-tag-notify have one number, 61702',
    ],
    ['set serial-number "a b"', 'error value: a serial number is made of letters, digits, dots and lines'],
  ])('%s is refused', (line, finding) => {
    expect(told(posture(line))).toEqual([finding]);
  });
});

describe('postern profile', () => {
  const gated = gateway(['set remote-gw-match ztna', 'set remote-gw-ztna-tags "EMS1_ZTNA_a"']) + server('1');
  const more = (...lines: readonly string[]) => `config postern profile\nedit "dialup"\n${lines.join('\n')}\nnext\nend\n`;
  it('softens or sharpens the rule', () => {
    const text = gated + more('set unknown-device token', 'set uid-binding certificate', 'set posture-lost log');
    expect(profileOf(text).match).toMatchObject({
      rule: { unknownDevice: 'token', uidBinding: 'certificate' },
      lost: { do: 'log' },
    });
    expect(told(text)).toEqual([]);
  });
  it('names what a tunnel in quarantine may reach', () => {
    const address = 'config firewall address\nedit "mend"\nset subnet 10.9.0.0/24\nnext\nend\n';
    const text = gated + address + more('set posture-lost quarantine', 'set quarantine-destination "mend"');
    expect(profileOf(text).match).toMatchObject({ lost: { do: 'quarantine', to: [{ start: Uint8Array.of(10, 9, 0, 0) }] } });
  });
  it('of a profile that is not there is an error, with what was meant', () => {
    expect(loadConfig(gated + more().replace('"dialup"', '"dialupp"')).findings).toMatchObject([
      { level: 'error', code: 'reference', suggestion: 'dialup' },
    ]);
  });
});
