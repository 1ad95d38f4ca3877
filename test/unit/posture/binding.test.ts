/** Whose device it is: what ties the claimed UID to the one who dials in. */
import { describe, expect, it } from 'vitest';
import type { DeviceClaim, EmsReport, Evidence, GateRule } from '../../../src/posture/index.ts';
import {
  A,
  accountOf,
  device,
  evidence,
  IP,
  judged,
  known,
  record,
  rule,
  silent,
  stale,
  TOKENS,
  token,
  UID,
  unknown,
} from './evidence.ts';

const zeros = (serial: string) => `000${serial}`;
const own = { cn: UID, serial: 'AB12' };
const users = { cn: 'alice@example.com', serial: '77' };

describe('a device is taken for the one that it says', () => {
  const of = (claim: DeviceClaim, more: Partial<GateRule> = {}, reports: readonly EmsReport[] = [known([A])]) =>
    judged(rule([A], more), evidence(reports, TOKENS.none, { device: claim }));
  const strict = { uidBinding: 'certificate' } as const;
  const lax = { uidBinding: 'warn' } as const;

  it.each<readonly [string, DeviceClaim, Partial<GateRule>, string]>([
    ['by an address that EMS knows of it', device(), {}, 'ems ems-tag'],
    ['not by another address', device({ ip: '10.9.9.9' }), {}, 'deny unbound'],
    ['not by a part of one', device({ ip: '10.1.2' }), {}, 'deny unbound'],
    ['not without an address', device({ ip: undefined }), {}, 'deny unbound'],
    ['by its certificate, wherever it is', device({ ip: '10.9.9.9', certificate: own }), {}, 'ems ems-tag'],
    ['by its certificate, without an address', device({ ip: undefined, certificate: own }), {}, 'ems ems-tag'],
    ['by its address, with its user’s certificate', device({ certificate: users }), {}, 'ems ems-tag'],
    ['not by its user’s certificate', device({ ip: '10.9.9.9', certificate: users }), {}, 'deny unbound'],
    ['by the certificate when that is demanded', device({ certificate: own }), strict, 'ems ems-tag'],
    ['not by an address when the certificate is demanded', device(), strict, 'deny unbound'],
    ['not by its user’s certificate when its own is demanded', device({ certificate: users }), strict, 'deny unbound'],
    ['with a warning where that is enough', device({ ip: '10.9.9.9' }), lax, 'ems ems-tag'],
    ['with a warning where that is enough, without an address', device({ ip: undefined }), lax, 'ems ems-tag'],
    ['by the address that it was found by', { by: 'id-address', address: IP }, {}, 'ems ems-tag'],
    ['by the address that it comes from', { by: 'source-address', address: IP }, {}, 'ems ems-tag'],
    ['by its address, certificate or not: it claims no UID', { by: 'id-address', address: IP }, strict, 'ems ems-tag'],
    ['not when nobody can tell', { by: 'nothing', why: 'NAT' }, {}, 'deny no-device'],
  ])('%s', (_, claim, more, expected) => expect(of(claim, more)).toBe(expected));

  it('by an address that any EMS knows of it', () => {
    const elsewhere = known([A], { addresses: ['10.7.7.7'] });
    expect(of(device(), {}, [elsewhere])).toBe('deny unbound');
    expect(of(device(), {}, [elsewhere, known([], {}, 3)])).toBe('ems ems-tag');
  });
  it('not by an address that EMS knew once', () => {
    expect(
      of(device({ ip: '10.9.9.9' }), {}, [known([A], { addresses: [] }), stale(known([], { addresses: ['10.9.9.9'] }, 3))]),
    ).toBe('deny unbound');
  });
  it('a warning stands in the account, a certificate needs none', () => {
    const told = (claim: DeviceClaim) => accountOf(rule([A], lax), evidence([known([A])], TOKENS.none, { device: claim }));
    expect(told(device({ ip: '1.2.3.4' })).unchecked).toEqual([
      'the claimed device: EMS does not know 1.2.3.4 as an address of this device',
    ]);
    expect(told(device({ ip: undefined })).unchecked).toEqual(['the claimed device: it tells no IP, and no certificate']);
    expect(told(device({ ip: '1.2.3.4', certificate: own })).unchecked).toEqual([]);
  });
  it('a quarantine is told before it', () => {
    expect(of(device({ ip: '10.9.9.9' }), {}, [known([A], { quarantined: true })])).toBe('deny quarantined');
  });
  it.each<readonly [DeviceClaim, string]>([
    [device(), `uid ${UID}`],
    [{ by: 'id-address', address: IP }, `id-address ${IP}`],
    [{ by: 'source-address', address: IP }, `source-address ${IP}`],
    [{ by: 'nothing', why: 'NAT' }, 'nothing: NAT'],
  ])('and the account says how it was found: %o', (claim, words) => {
    expect(accountOf(rule([A]), evidence([known([A])], TOKENS.none, { device: claim })).device).toBe(words);
  });
});

describe('while EMS is silent', () => {
  const of = (claim: DeviceClaim, presented: Evidence['token'], report = silent(), more: Partial<GateRule> = {}) =>
    judged(rule([A], more), evidence([report], presented, { device: claim }));

  it('a token for the claimed UID is what ties it', () => {
    expect(of(device({ ip: '10.9.9.9' }), token([A]))).toBe('token token-tag');
    expect(of(device({ ip: undefined }), token([A]))).toBe('token token-tag');
  });
  it('a certificate that is demanded is still demanded', () => {
    expect(of(device(), token([A]), silent(), { uidBinding: 'certificate' })).toBe('deny unbound');
  });
  it('another EMS that answers still says whose address it is', () => {
    const told = evidence([silent(), known([], {}, 3)], token([A]), { device: device({ ip: '10.9.9.9' }) });
    expect(judged(rule([A]), told)).toBe('deny unbound');
  });
  it('a device found by its address has no token', () => {
    const found: DeviceClaim = { by: 'id-address', address: IP };
    expect(of(found, TOKENS.none)).toBe('deny no-token');
    expect(of(found, token([A]))).toBe('deny token-other-device');
  });
  it('the token names the certificate that the device has proven', () => {
    const claim = device({ certificate: own });
    expect(of(claim, token([A], { certSn: 'AB12' }))).toBe('token token-tag');
    expect(of(claim, token([A], { certSn: 'CD34' }))).toBe('deny token-certificate');
    expect(of(claim, token([A], { certSn: '' }))).toBe('deny token-certificate');
    expect(of(claim, token([A], { certSn: 'AB12' }), silent(record([], { certSn: 'CD34' })))).toBe('token token-tag');
  });
  it('else the one that EMS last knew; its user’s certificate does not count', () => {
    const claim = device({ certificate: users });
    expect(of(claim, token([A], { certSn: 'AB12' }), silent(record([], { certSn: 'AB12' })))).toBe('token token-tag');
    expect(of(claim, token([A], { certSn: 'CD34' }), silent(record([], { certSn: 'AB12' })))).toBe('deny token-certificate');
    expect(of(claim, token([A], { certSn: users.serial }), silent(record([], { certSn: 'AB12' })))).toBe(
      'deny token-certificate',
    );
    expect(of(claim, token([A], { certSn: 'AB12' }))).toBe('token token-tag');
  });
  it('zeros before a serial number are nothing', () => {
    expect(of(device({ certificate: { cn: UID, serial: zeros('AB12') } }), token([A]))).toBe('token token-tag');
    expect(of(device(), token([A], { certSn: zeros('AB12') }), silent(record([], { certSn: 'AB12' })))).toBe('token token-tag');
    expect(of(device(), token([A], { certSn: 'AB120' }), silent(record([], { certSn: 'AB12' })))).toBe('deny token-certificate');
  });
});

describe('before that', () => {
  it('a second SA of another user is denied, by name', () => {
    expect(judged(rule([A]), evidence([known([A])]), { user: 'bob' })).toBe('deny rival');
    expect(accountOf(rule([A]), evidence([known([A])]), { user: 'bob' }).why).toContain('"bob"');
    expect(judged(rule([A]), evidence([silent()], token([A])), { user: 'bob' })).toBe('deny rival');
  });
  it.each<readonly [Evidence['home'], string]>([
    [{ ems: 1 }, 'ems ems-tag'],
    [{ unknown: 'EMSSN X' }, 'deny ems-serial'],
    [undefined, 'deny ems-serial'],
  ])('ems-sn-check: %o', (home, expected) => {
    const told = evidence([known([A])], TOKENS.none, { home });
    expect(judged(rule([A], { emsSnCheck: true }), told)).toBe(expected);
    expect(judged(rule([A]), told)).toBe('ems ems-tag');
    if (home !== undefined && 'unknown' in home)
      expect(accountOf(rule([A], { emsSnCheck: true }), told).why).toContain('EMSSN X');
  });
  it('an unknown device is bound to nothing, and denied as unknown', () => {
    expect(judged(rule([A]), evidence([unknown()], TOKENS.none, { device: device({ ip: '10.9.9.9' }) }))).toBe(
      'deny unknown-device',
    );
  });
});
