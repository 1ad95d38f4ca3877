import { describe, expect, it } from 'vitest';
import { loadConfig, renderFindings, showConfig } from '../../../src/config/index.ts';
import { gateway, profileOf, short, told } from './text.ts';

const server = (name: string, ...lines: readonly string[]) =>
  [
    'config endpoint-control fctems',
    `edit "${name}"`,
    'set status enable',
    'set server ems.example.net',
    ...lines,
    'next\nend\n',
  ].join('\n');
const idle = (name: string, ...lines: readonly string[]) => server(name, 'set status disable', ...lines);
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
      "warning missing: the server 'a' has no number, by its place it is EMS 2 (EMS2_ZTNA_…): set ems-id 2",
      "warning missing: the server 'c' has no number, by its place it is EMS 3 (EMS3_ZTNA_…): set ems-id 3",
    ]);
  });
  it('is given to the enabled ones first', () => {
    expect(numbers(idle('old') + server('a') + idle('2'))).toEqual(['old 3', 'a 1', '2 2']);
    expect(loadConfig(idle('old') + server('a')).findings).toMatchObject([{ line: 9, column: 6, word: 'a' }]);
    expect(told(idle('old'))).toEqual([]);
  });
  it('is 7 at most', () => {
    expect(told(server('8'))).toEqual([
      "warning limit: '8' is no number of an EMS (1-7), by its place it is EMS 1 (EMS1_ZTNA_…): set ems-id 1",
    ]);
    expect(told(server('8', 'set ems-id 7'))).toEqual([]);
    expect(told(server('a', 'set ems-id 8'))).toEqual(["error value: ems-id: '8' is not allowed: a number, 1-7"]);
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
  it('in the cloud needs its address, too', () => {
    const text = server(
      '1',
      'set fortinetone-cloud-authentication enable',
      'set cloud-authentication-access-key x',
      'unset server',
    );
    expect(told(text)).toEqual([
      "error missing: EMS Cloud '1' needs its address too, as nobody here looks it up at the vendor's: set server NAME",
    ]);
  });
  it('with an encrypted access key is an error only where the key is needed', () => {
    const key = 'set cloud-authentication-access-key ENC AAAA';
    expect(told(server('1', key))).toEqual([]);
    expect(told(idle('1', 'set fortinetone-cloud-authentication enable', key))).toEqual([]);
    expect(told(server('1', 'set fortinetone-cloud-authentication enable', key))).toEqual([
      expect.stringMatching(/^error encrypted: cloud-authentication-access-key is encrypted/),
    ]);
  });
  it('is trusted by an authority of vpn certificate ca, which one that is not asked may lack', () => {
    const place = "config vpn certificate ca\nedit 'ems-ca'\nnext\nend\n";
    const [finding] = loadConfig(place + server('1', 'set verifying-ca "ems-c"')).findings.filter(
      ({ code }) => code === 'reference',
    );
    expect(finding).toMatchObject({ level: 'error', word: 'ems-c' });
    expect(told(idle('1', 'set verifying-ca "ems-c"'))).toEqual([]);
  });
  it('has words that do nothing here, and says so', () => {
    expect(told(server('1', 'set pull-avatars disable', 'set trust-ca-cn disable', 'set capabilities websocket'))).toEqual([
      "warning inert: 'pull-avatars' does nothing here: no such thing is fetched from EMS",
      "warning inert: 'trust-ca-cn' does nothing here: an authority counts by its key, never by its name alone",
    ]);
  });
  it('without pull-tags says nothing of anybody, and that is told', () => {
    expect(told(server('1', 'set pull-tags disable'))).toEqual([
      'warning conflict: without pull-tags EMS 1 says nothing of any device: its tags never match',
    ]);
  });
});

describe('postern ems', () => {
  const pem = '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----';
  const jwk = '{"kty":"RSA","n":"AQ","e":"AQAB"}';
  const quoted = (text: string) => `"${text.replaceAll('"', '\\"')}"`;
  const more = (...lines: readonly string[]) => `config postern ems\nedit "1"\n${lines.join('\n')}\nnext\nend\n`;
  it('adds token keys, several, over several lines, by set and append', () => {
    const text = server('1') + more(`set token-key ${quoted(pem)}`, `append token-key ${quoted(jwk)}`);
    expect(loadConfig(text).config.fctems).toMatchObject([{ driver: 'native', tokenKeys: [pem, jwk] }]);
    expect(told(text)).toEqual([]);
    expect(showConfig(loadConfig(text))).toContain(`set token-key ${quoted(pem)} ${quoted(jwk)}\n`);
  });
  it('takes a JWK set and a certificate', () => {
    const certificate = pem.replaceAll('PUBLIC KEY', 'CERTIFICATE');
    expect(told(server('1') + more(`set token-key ${quoted(`{"keys":[${jwk}]}`)} ${quoted(certificate)}`))).toEqual([]);
  });
  it.each(['abc', '{}', '[]', '{"keys":[]}', '{"kty":"EC"}', '"RSA"', 'null', pem.slice(0, 40)])('%s is no token key', (text) => {
    const found = loadConfig(server('1') + more(`set token-key ${quoted(pem)} ${quoted(text)}`)).findings;
    expect(found.map(short)).toEqual([
      expect.stringMatching(/^error value: token-key number 2 of postern ems '1' is no public key: PEM/),
    ]);
  });
  it.each([jwk.replace('"e"', '"d":"geheim","e"'), '-----BEGIN RSA PRIVATE KEY-----\ngeheim'])(
    'a private key is refused, and not repeated',
    (text) => {
      const whole = server('1') + more(`set token-key ${quoted(text)}`);
      const { findings } = loadConfig(whole);
      expect(findings.map(short)).toEqual([
        "error value: token-key number 1 of postern ems '1' is a private key, which belongs to EMS alone: set its public key",
      ]);
      expect(JSON.stringify(findings) + renderFindings(findings, 'x', whole)).not.toContain('geheim');
    },
  );
  it('names our certificate, which must be there', () => {
    expect(told(server('1') + more('set certificate "us"'))).toEqual([expect.stringMatching(/^error reference: .*'us'/)]);
  });
  it('knows two APIs', () => {
    const text = server('1') + more('set driver fortios');
    expect(loadConfig(text).config.fctems).toMatchObject([{ driver: 'fortios' }]);
    expect(told(text)).toEqual([]);
  });
  it('of a server that is not there is an error, with what was meant', () => {
    expect(loadConfig(server('eins', 'set ems-id 1') + more().replace('"1"', '"ein"')).findings).toMatchObject([
      {
        code: 'reference',
        message: "postern ems: no server 'ein' is defined under 'config endpoint-control fctems'",
        suggestion: 'eins',
      },
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
    ['set tags-success-notify 8200', "error value: tags-success-notify: '8200' is not allowed: a number, 0, or 40960-65535"],
    ['set lookup-wait 99', "error value: lookup-wait: '99' is not allowed: a number, 100-10000"],
    ['set probation 601', "error value: probation: '601' is not allowed: a number, 1-600"],
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
  it('may leave nothing to reach in quarantine', () => {
    expect(told(gated + more('set posture-lost quarantine'))).toEqual([]);
    expect(profileOf(gated + more('set posture-lost quarantine')).match).toMatchObject({ lost: { do: 'quarantine', to: [] } });
  });
  it('has no quarantine without posture-lost quarantine, and names addresses that are there', () => {
    expect(told(gated + more('set quarantine-destination "all"'))).toEqual([
      "warning conflict: the quarantine-destination of 'dialup' does nothing: set posture-lost quarantine",
    ]);
    expect(told(gated + more('set posture-lost quarantine', 'set quarantine-destination "nowhere"'))).toEqual([
      expect.stringMatching(/^error reference: .*'nowhere'/),
    ]);
  });
  it('does nothing for a profile that asks for no tags', () => {
    expect(told(gateway() + more('set posture-lost log'))).toEqual([
      "warning conflict: postern profile 'dialup' does nothing: 'dialup' asks for no posture tags, set remote-gw-match ztna",
    ]);
  });
  it('of a profile that is not there is an error, with what was meant', () => {
    expect(loadConfig(gated + more().replace('"dialup"', '"dialupp"')).findings).toMatchObject([
      { level: 'error', code: 'reference', suggestion: 'dialup' },
    ]);
  });
});

describe('the tags of a profile', () => {
  const wanted = (...tags: readonly string[]) =>
    gateway(['set remote-gw-match ztna', `set remote-gw-ztna-tags ${tags.map((tag) => `"${tag}"`).join(' ')}`]);
  const ztna = wanted('EMS1_ZTNA_a', 'EMS3_ZTNA_b', 'EMS2_CLASS_Low');
  it('without any EMS refuse everybody', () => {
    const nobody = "warning missing: 'dialup' refuses every client, since no EMS is enabled that could tell of tags: ";
    expect(told(ztna)).toEqual([`${nobody}add EMS 1 under 'config endpoint-control fctems'`]);
    expect(told(ztna + idle('x', 'set ems-id 3'))).toEqual([
      `${nobody}set status enable for 'x' under 'config endpoint-control fctems'`,
    ]);
  });
  it('that nobody can show are told one by one', () => {
    const { findings } = loadConfig(ztna + server('1') + idle('zwei', 'set ems-id 2'));
    expect(findings.map(short)).toEqual([
      "warning reference: no client of 'dialup' passes by EMS3_ZTNA_b: no server has the number 3, set ems-id 3",
      "warning reference: no client of 'dialup' passes by EMS2_CLASS_Low: 'zwei' has status disable, set status enable",
    ]);
    expect(findings.map(({ word }) => word)).toEqual(['EMS3_ZTNA_b', 'EMS2_CLASS_Low']);
  });
  it('are fine with an EMS for each', () => {
    expect(told(ztna + server('1') + server('2') + server('3'))).toEqual([]);
  });
});
