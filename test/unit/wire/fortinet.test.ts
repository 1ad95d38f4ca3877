import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat, parseClientClaims, unhex, VENDOR, vendorName } from '../../../src/wire/index.ts';

const octets = (text: string) => new TextEncoder().encode(text);

describe('vendor IDs of FortiClient', () => {
  it.each([
    [VENDOR.connectLicense, 'forticlient connect license'],
    [VENDOR.endpointControl, 'Fortinet Endpoint Control'],
    [VENDOR.eapExtension, 'Forticlient EAP Extension'],
  ])('%# is the MD5 of its name', (id, name) => {
    expect(createHash('md5').update(name).digest('hex')).toBe(Buffer.from(id).toString('hex'));
    expect(vendorName(id)).toBe(name);
  });

  it('FORTIGATE is recognized by its first 12 octets, whatever version follows', () => {
    const md5 = new Uint8Array(createHash('md5').update('FORTIGATE').digest());
    expect(vendorName(concat(md5.subarray(0, 12), unhex('00000000')))).toBe('FORTIGATE');
    expect(vendorName(concat(md5.subarray(0, 12), unhex('05040312')))).toBe('FORTIGATE');
    expect(vendorName(md5.subarray(0, 12))).toBeUndefined();
  });

  it('others have no name', () => {
    expect(vendorName(unhex('fb1de3cdf341b7ea16b7e5be0855f120'))).toBeUndefined();
    expect(vendorName(unhex(''))).toBeUndefined();
    expect(vendorName(concat(VENDOR.eapExtension, unhex('00')))).toBeUndefined();
  });
});

/** Fortinet's guide, debug output of FortiClient 7.4.5 with a ZTNA token; the guide says len = 309 */
const managed = [
  'VER=1',
  'FCTVER=7.4.5.1949',
  'UID=F8A6AFF3531843B4972CBDBEEEB30E3C',
  'IP=10.160.1.197',
  'MAC=00-0c-29-2c-4d-d7;00-0c-29-2c-4d-e1;00-0c-29-2c-4d-eb;',
  'HOST=DESKTOP-EMS-TAG-PH2',
  'USER=tester',
  'OSVER=Microsoft Windows 8.0 , 64-bit (build 9200)',
  'REG_STATUS=0',
  'EMSSN=FCTEMS8826000120',
  'EMSID=00000000000000000000000000000000',
  'FCTTAGS=1',
];

describe('FORTICLIENT_CONNECT data', () => {
  it('of a managed FortiClient 7.4.5 with a token', () => {
    const data = octets(`${managed.join('\n')}\n\0`);
    expect(data.length).toBe(309);
    const claims = parseClientClaims(data);
    expect(claims).toMatchObject({
      octets: 309,
      uid: 'F8A6AFF3531843B4972CBDBEEEB30E3C',
      emsSn: 'FCTEMS8826000120',
      emsId: '00000000000000000000000000000000',
      ip: '10.160.1.197',
      host: 'DESKTOP-EMS-TAG-PH2',
      user: 'tester',
      version: '7.4.5.1949',
      tags: true,
    });
    expect(claims.raw).toBe(managed.join('\n'));
    expect(claims.fields.get('OSVER')).toBe('Microsoft Windows 8.0 , 64-bit (build 9200)');
    expect([...claims.fields.keys()]).toEqual(managed.map((line) => line.slice(0, line.indexOf('='))));
  });

  it('without NUL, without MAC, with empty EMSSN, as another client sends it', () => {
    const claims = parseClientClaims(octets('VER=1\nFCTVER=7.4.0.1\nUID=AB\nEMSSN=\n'));
    expect(claims).toMatchObject({ uid: 'AB', version: '7.4.0.1', tags: false });
    expect(claims.emsSn).toBeUndefined();
    expect('emsSn' in claims).toBe(false);
    expect(claims.fields.get('EMSSN')).toBe('');
  });

  it('with CRLF', () => {
    expect(parseClientClaims(octets('UID=AB\r\nFCTTAGS=1\r\n'))).toMatchObject({ uid: 'AB', tags: true });
  });

  it('only FCTTAGS=1 announces a token', () => {
    expect(parseClientClaims(octets('FCTTAGS=0\n')).tags).toBe(false);
    expect(parseClientClaims(octets('FCTTAGS=11\n')).tags).toBe(false);
    expect(parseClientClaims(octets('UID=AB\n')).tags).toBe(false);
  });

  it('the first of two equal keys counts, and a value may hold an equals sign', () => {
    const claims = parseClientClaims(octets('UID=AB\nUID=CD\nHOST=a=b\n'));
    expect(claims).toMatchObject({ uid: 'AB', host: 'a=b' });
  });

  it('nothing counts behind the NUL', () => {
    expect(parseClientClaims(octets('UID=AB\n\0EMSSN=X\n')).fields.size).toBe(1);
  });

  it('nothing is nothing', () => {
    expect(parseClientClaims(unhex(''))).toEqual({ octets: 0, raw: '', fields: new Map(), tags: false });
  });

  it('the registration key is neither shown nor kept', () => {
    const claims = parseClientClaims(octets('UID=AB\nREG_PASSWD=hunter2\nFCTTAGS=1\n'));
    expect(claims.raw).toBe('UID=AB\nREG_PASSWD=(hidden)\nFCTTAGS=1');
    expect([...claims.fields.keys()]).toEqual(['UID', 'FCTTAGS']);
  });

  it('a line that is no field cannot pass for a line of the log', () => {
    const claims = parseClientClaims(octets('UID=AB\nike V=root:0:x:1: authentication succeeded\nuid=CD\n=x\nX\n'));
    expect(claims.raw).toBe('UID=AB\n? ike V=root:0:x:1: authentication succeeded\n? uid=CD\n? =x\n? X');
    expect(claims.fields).toEqual(new Map([['UID', 'AB']]));
  });

  it('no control character and no broken text survives', () => {
    const claims = parseClientClaims(concat(octets('HOST=a\x1b[2J\u202eb\rc\nUSER='), unhex('ff80'), octets('\n')));
    expect(claims.host).toBe('a\\x1b[2J\\u{202e}b\\x0dc');
    expect(claims.user).toBe('\ufffd\ufffd');
    expect(claims.raw).not.toMatch(/[^\P{C}\n]/u);
  });

  it('32 fields, no more', () => {
    const text = Array.from({ length: 40 }, (_, i) => `K${i}=v\n`).join('');
    const { fields, raw } = parseClientClaims(octets(text));
    expect(fields.size).toBe(32);
    expect(raw.split('\n')).toHaveLength(32);
  });

  it('a value of 256 characters is a field, one of 257 is shown cut and is none', () => {
    expect(parseClientClaims(octets(`UID=${'a'.repeat(256)}\n`)).uid).toBe('a'.repeat(256));
    const long = parseClientClaims(octets(`UID=${'a'.repeat(257)}\n`));
    expect(long.uid).toBeUndefined();
    expect(long.raw).toBe(`UID=${'a'.repeat(255)}…`);
  });

  it('a key of more than 32 characters is no field', () => {
    expect(parseClientClaims(octets(`${'K'.repeat(32)}=v\n`)).fields.size).toBe(1);
    expect(parseClientClaims(octets(`${'K'.repeat(33)}=v\n`)).fields.size).toBe(0);
  });

  it('what lies beyond 4096 octets is not looked at', () => {
    const padding = `PAD=${'x'.repeat(200)}\n`.repeat(20); // 4100 octets
    const claims = parseClientClaims(octets(`${padding}UID=AB\n`));
    expect(claims.uid).toBeUndefined();
    expect(claims.raw.length).toBeLessThan(4200);
  });
});
