import { describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '../../../src/config/index.ts';
import { clientsOf, lanesOf, notShared, shareOf } from '../../../src/daemon/share.ts';
import { addressText } from '../../../src/wire/index.ts';

type Pool = { readonly first: string; readonly last: string; readonly name?: string; readonly more?: readonly string[] };

const configOf = (pools: readonly Pool[], after = ''): Config => {
  const blocks = pools.map(({ first, last, name = 'ra', more = [] }) =>
    [
      `edit "${name}"`,
      ...['set type dynamic', 'set ike-version 2', 'set interface "port1"', 'set peertype any', 'set psksecret kiesel'],
      ...['set proposal aes128gcm-prfsha256', 'set dhgrp 31', 'set mode-cfg enable', 'set assign-ip-from range'],
      ...[`set ipv4-start-ip ${first}`, `set ipv4-end-ip ${last}`, 'set ipv4-netmask 255.255.255.0', ...more, 'next'],
    ].join('\n'),
  );
  const phase2 = pools.map(({ name = 'ra' }) =>
    [`edit "${name}-p2"`, `set phase1name "${name}"`, 'set proposal aes128gcm', 'set dhgrp 31', 'next'].join('\n'),
  );
  const text = `config vpn ipsec phase1-interface\n${blocks.join('\n')}\nend
config vpn ipsec phase2-interface\n${phase2.join('\n')}\nend\n${after}`;
  const { config, findings } = loadConfig(text);
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  return config;
};

const rangesOf = (config: Config, name = 'ra', family: 'ipv4' | 'ipv6' = 'ipv4') =>
  (config.profiles.find((p) => p.name === name)?.modeCfg?.[family]?.ranges ?? []).map(
    ({ start, end }) => `${addressText(start)}-${addressText(end)}`,
  );
const parts = (config: Config, count: number, name?: string, family?: 'ipv4' | 'ipv6') =>
  lanesOf(count).map((lane) => rangesOf(shareOf(config, lane), name, family));

describe('the part of each worker', () => {
  it('is the whole for one alone', () => {
    const config = configOf([{ first: '10.0.0.1', last: '10.0.0.100' }]);
    expect(parts(config, 1)).toEqual([['10.0.0.1-10.0.0.100']]);
    expect(clientsOf(config)).toHaveLength(1);
  });

  it('covers the pool without a gap and without a meeting', () => {
    const config = configOf([{ first: '10.0.0.1', last: '10.0.0.100' }]);
    expect(parts(config, 2)).toEqual([['10.0.0.1-10.0.0.50'], ['10.0.0.51-10.0.0.100']]);
    expect(parts(config, 3)).toEqual([['10.0.0.1-10.0.0.33'], ['10.0.0.34-10.0.0.66'], ['10.0.0.67-10.0.0.100']]);
  });

  it('is cut at the same addresses in pools that overlap', () => {
    const config = configOf([
      { first: '10.0.0.1', last: '10.0.0.60', name: 'a' },
      { first: '10.0.0.41', last: '10.0.0.100', name: 'b' },
    ]);
    expect(parts(config, 2, 'a')).toEqual([['10.0.0.1-10.0.0.50'], ['10.0.0.51-10.0.0.60']]);
    expect(parts(config, 2, 'b')).toEqual([['10.0.0.41-10.0.0.50'], ['10.0.0.51-10.0.0.100']]);
  });

  it('is cut by itself in pools that only touch', () => {
    const config = configOf([
      { first: '10.0.0.0', last: '10.0.0.9', name: 'a' },
      { first: '10.0.0.10', last: '10.0.0.19', name: 'b' },
    ]);
    expect(parts(config, 2, 'a')).toEqual([['10.0.0.0-10.0.0.4'], ['10.0.0.5-10.0.0.9']]);
    expect(parts(config, 2, 'b')).toEqual([['10.0.0.10-10.0.0.14'], ['10.0.0.15-10.0.0.19']]);
  });

  it('has its share of an IPv6 pool too', () => {
    const more = ['set ipv6-start-ip fd00::', 'set ipv6-end-ip fd00::f:ffff', 'set ipv6-prefix 64'];
    const config = configOf([{ first: '10.0.0.1', last: '10.0.0.4', more }]);
    expect(parts(config, 2, 'ra', 'ipv6')).toEqual([['fd00::-fd00::7:ffff'], ['fd00::8:0-fd00::f:ffff']]);
  });

  it('has its share of the limits, rounded up', () => {
    const config = configOf([{ first: '10.0.0.1', last: '10.0.0.100' }]);
    const { settings } = shareOf(config, { index: 1, count: 3 });
    expect(settings.saMax).toBe(Math.ceil(config.settings.saMax / 3));
    expect(settings.halfOpenMax).toBe(Math.ceil(config.settings.halfOpenMax / 3));
    expect(settings.leaseLinger).toBe(config.settings.leaseLinger);
  });
});

describe('several workers cannot serve', () => {
  const policy = (to: string) => `config firewall policy
    edit 1
        set srcintf "ra"
        set dstintf "${to}"
        set srcaddr "all"
        set dstaddr "all"
        set service "ALL"
        set schedule "always"
        set action accept
    next
end
`;
  const pool = { first: '10.0.0.1', last: '10.0.0.100' };

  it.each([['ra'], ['any']])('a policy that lets clients reach each other (dstintf %s)', (to) => {
    expect(notShared(configOf([pool], policy(to)), 2)).toMatch('firewall policy 1 lets clients reach each other');
  });
  it('clients without an address of ours', () => {
    expect(notShared(configOf([{ ...pool, more: ['set mode-cfg disable'] }]), 2)).toMatch('gives its clients no address');
  });
  it('a pool with less than an address for each', () => {
    expect(notShared(configOf([{ first: '10.0.0.1', last: '10.0.0.3' }]), 4)).toBe(
      'the pool of phase1-interface "ra" is too small',
    );
    expect(notShared(configOf([{ first: '10.0.0.1', last: '10.0.0.4' }]), 4)).toBeUndefined();
  });
  it('a pool of which a worker has only what is left out', () => {
    const out = (last: number) => [1, last].map((n) => `edit ${n}\nset start-ip 10.0.0.${n}\nset end-ip 10.0.0.${n}\nnext`);
    const without = (last: number) =>
      configOf([{ first: '10.0.0.1', last: '10.0.0.4', more: ['config ipv4-exclude-range', ...out(last), 'end'] }]);
    expect(notShared(without(2), 2)).toBe('the pool of phase1-interface "ra" is too small');
    expect(notShared(without(3), 2)).toBeUndefined();
  });
  it('and can all else', () => {
    expect(notShared(configOf([pool], policy('port2')), 2)).toBeUndefined();
  });
});
