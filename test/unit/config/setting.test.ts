import { describe, expect, it } from 'vitest';
import { lex } from '../../../src/config/lexer.ts';
import {
  duration,
  integer,
  type Kind,
  names,
  option,
  options,
  password,
  psk,
  text,
  toggle,
} from '../../../src/config/setting.ts';
import { espProposals, ikeProposals, ipv4, ipv6, netmask, prefix6, subnet4, tags } from '../../../src/config/settingNet.ts';

function read<V>(kind: Kind<V>, values: string) {
  const [line] = lex(`x ${values}`).lines;
  return kind.read(line?.kind === 'words' ? line.words.slice(1) : []);
}
/** The canonical spelling, or what is wrong. */
function spelled<V>(kind: Kind<V>, values: string): string {
  const reading = read(kind, values);
  return reading.ok
    ? reading.canonical.join(' ')
    : `✗ ${reading.message}${reading.suggestion === undefined ? '' : ` → ${reading.suggestion}`}`;
}
const value = <V>(kind: Kind<V>, values: string): V | undefined => {
  const reading = read(kind, values);
  return reading.ok ? reading.value : undefined;
};

describe('an option', () => {
  const dpd = option(['disable', 'on-idle', 'on-demand'], 'on-demand');
  it('is one of its words', () => expect(value(dpd, 'on-idle')).toBe('on-idle'));
  it('names what is allowed, and the nearest', () =>
    expect(spelled(dpd, 'onidle')).toBe("✗ 'onidle' is not allowed: disable, on-idle or on-demand → on-idle"));
  it('takes one word', () => expect(spelled(dpd, 'disable on-idle')).toBe("✗ takes one value, and 'on-idle' is one too many"));
  it('explains a comment behind a value', () =>
    expect(spelled(dpd, 'disable # no dpd')).toBe(
      "✗ takes one value, and '#' is one too many (a comment stands on a line of its own)",
    ));
  it('enable is true', () =>
    expect([value(toggle('disable'), 'enable'), value(toggle('enable'), 'disable')]).toEqual([true, false]));
  it('a list keeps the order and holds each word once', () =>
    expect(value(options(['20', '21', '31']), '31 20 31 21')).toEqual(['31', '20', '21']));
});

describe('a number', () => {
  const keylife = integer(120, 172800, 86400);
  it.each(['120', '86400', '172800'])('%s is within its limits', (n) => expect(value(keylife, n)).toBe(Number(n)));
  it.each(['119', '172801', '-1', '1e3', '0x80', '12.5', '', '99999999999999999999'])('%j is not', (n) =>
    expect(spelled(keylife, `"${n}"`)).toBe(`✗ '${n}' is not allowed: a number, 120-172800`),
  );
  it('may have single values beyond its limits', () => {
    const port = integer(1024, 65535, 500, [500]);
    expect([value(port, '500'), value(port, '501'), value(port, '1024')]).toEqual([500, undefined, 1024]);
  });
  it('is printed without leading zeros', () => expect(spelled(keylife, '00300')).toBe('300'));
});

describe('a duration', () => {
  const interval = duration(3600, 20);
  it.each([
    ['20', 20_000],
    ['60', 60_000],
    ['1.500', 1_500],
    ['0.001', 1],
    ['3600', 3_600_000],
  ])('%s s is %i ms', (typed, ms) => expect(value(interval, typed)).toBe(ms));
  it.each(['0', '0.000', '3600.001', '5.5', '-1', 'soon'])('%s is none', (typed) =>
    expect(value(interval, typed)).toBeUndefined(),
  );
  it('is printed as short as it can be', () =>
    expect([spelled(interval, '05'), spelled(interval, '1.050')]).toEqual(['5', '1.050']));
});

describe('texts and names', () => {
  it('end at their longest', () => {
    expect(value(text(5), '"12345"')).toBe('12345');
    expect(spelled(text(5), '"123456"')).toBe('✗ this text has 6 characters, 5 are allowed');
    expect(spelled(names(3), 'abc abcd')).toBe("✗ the name 'abcd' is longer than 3 characters");
  });
  it('with blanks stand in quotes', () =>
    expect(spelled(text(20), 'two words')).toBe(
      "✗ takes one value, and 'words' is one too many (a text with blanks stands in quotes)",
    ));
});

describe('a secret', () => {
  it('is text', () => expect(value(psk, '"correct horse"')).toMatchObject({ kind: 'clear' }));
  it('as 0x and hexadecimal digits is these octets', () => {
    const secret = value(psk, '0x00ff10');
    expect(secret?.kind === 'clear' && [...secret.value.expose()]).toEqual([0, 255, 16]);
  });
  it('as a password is always text', () => {
    const secret = value(password, '0x00ff');
    expect(secret?.kind === 'clear' && new TextDecoder().decode(secret.value.expose())).toBe('0x00ff');
  });
  it('after the mark ENC is encrypted', () => expect(value(psk, 'ENC c2VjcmV0')).toEqual({ kind: 'encrypted' }));
  it('that only looks like the mark is text', () => expect(value(psk, '"ENC c2VjcmV0"')).toMatchObject({ kind: 'clear' }));
  it('in several words is refused without repeating them', () => {
    const message = spelled(psk, 'correct horse battery');
    expect(message).toBe('✗ takes one value: a secret with blanks stands in quotes');
  });
});

describe('addresses', () => {
  it.each(['10.0.0.1', '255.255.255.255', '0.0.0.0'])('%s', (typed) => expect(spelled(ipv4(), typed)).toBe(typed));
  it.each(['10.0.0', '10.0.0.256', '010.0.0.1', '2001:db8::1', 'gw'])('%s is no IPv4 address', (typed) =>
    expect(spelled(ipv4(), typed)).toBe(`✗ '${typed}' is not allowed: an IPv4 address such as 10.0.0.1`),
  );
  it('IPv6 is printed as RFC 5952 says', () => expect(spelled(ipv6, '2001:0DB8:0:0::1')).toBe('2001:db8::1'));
  it.each(['10.0.0.1', 'fe80::1%eth0', '::1::'])('%s is no IPv6 address', (typed) => expect(value(ipv6, typed)).toBeUndefined());
});

describe('networks', () => {
  it.each([
    ['10.1.2.3 255.255.255.0', '10.1.2.0 255.255.255.0'],
    ['10.1.2.0/24', '10.1.2.0 255.255.255.0'],
    ['10.1.2.3', '10.1.2.3 255.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0 0.0.0.0'],
  ])('%s is %s', (typed, canonical) => expect(spelled(subnet4(), typed)).toBe(canonical));
  it('of an interface keeps the address', () => expect(spelled(subnet4(true), '10.1.2.3/24')).toBe('10.1.2.3 255.255.255.0'));
  it.each(['10.0.0.0/33', '10.0.0.0 255.0.255.0', '10.0.0.0 24', 'net', '10.0.0.0/24 255.255.255.0', '10.0.0.0 255.0.0.0 x'])(
    '%s is none',
    (typed) => expect(value(subnet4(), typed)).toBeUndefined(),
  );
  it.each([
    ['2001:db8::1/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['::/0', '::/0'],
  ])('%s is %s', (typed, canonical) => expect(spelled(prefix6(), typed)).toBe(canonical));
  it.each(['2001:db8::/129', '10.0.0.0/8', '::/x'])('%s is none', (typed) => expect(value(prefix6(), typed)).toBeUndefined());
  it('a netmask is the number of its ones', () => {
    expect(value(netmask('255.255.255.255'), '255.255.254.0')).toBe(23);
    expect(value(netmask('255.255.255.255'), '255.0.255.0')).toBeUndefined();
  });
});

describe('posture tags', () => {
  it('may hold blanks', () =>
    expect(value(tags, '"EMS1_ZTNA_Antivirus running" EMS3_CLASS_Low')).toEqual([
      { ems: 1, type: 'ZTNA', name: 'Antivirus running' },
      { ems: 3, type: 'CLASS', name: 'Low' },
    ]));
  it('of hardware addresses are refused with the fix', () =>
    expect(spelled(tags, 'MAC_EMS1_ZTNA_a')).toBe(
      "✗ 'MAC_EMS1_ZTNA_a' names hardware addresses, which VPN clients do not show: use it without MAC_ → EMS1_ZTNA_a",
    ));
  it.each(['EMS8_ZTNA_a', 'EMS0_ZTNA_a', 'ZTNA_a', 'EMS1_a', 'EMS1_ZTNA_', 'FCTEMS8825007278_a'])('%s is none', (typed) =>
    expect(value(tags, typed)).toBeUndefined(),
  );
});

describe('proposals', () => {
  it('are words of FortiOS, and ours', () => {
    expect(value(ikeProposals(), 'aes128-sha256 aes192gcm-prfsha256')).toMatchObject([
      { encr: 12, keyLength: 128 },
      { encr: 20, keyLength: 192 },
    ]);
    expect(value(espProposals(), 'chacha20poly1305')).toMatchObject([{ encr: 28 }]);
  });
  it('that are not served are known', () =>
    expect(value(ikeProposals(), '3des-sha1')).toMatchObject([{ unserved: expect.any(String) }]));
  it('mistyped get the nearest', () =>
    expect(spelled(ikeProposals(), 'aes256_sha256')).toBe(
      "✗ 'aes256_sha256' is not allowed: a proposal is a word such as aes128-sha256 or aes256gcm-prfsha384 → aes256-sha256",
    ));
});
