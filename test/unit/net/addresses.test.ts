import { describe, expect, it } from 'vitest';
import { isLinkLocal, type LocalAddress, listenPlan, localAddresses, localNetworks } from '../../../src/net/addresses.ts';
import { EnvironmentRefused } from '../../../src/net/refusal.ts';

const local: readonly LocalAddress[] = [
  { name: 'lo', address: '127.0.0.1', family: 4 },
  { name: 'eth0', address: '192.0.2.1', family: 4 },
  { name: 'lo', address: '::1', family: 6 },
  { name: 'eth0', address: '2001:db8::1', family: 6 },
];
const texts = (wanted: readonly string[]) => listenPlan(wanted, local).addresses.map((a) => a.address);

describe('where to listen', () => {
  it('no wish means every address of both families', () => {
    expect(texts([])).toEqual(['127.0.0.1', '192.0.2.1', '::1', '2001:db8::1']);
    expect(listenPlan([], local).wildcard).toEqual([4, 6]);
  });

  it('a wildcard stands for its own family alone', () => {
    expect(texts(['0.0.0.0'])).toEqual(['127.0.0.1', '192.0.2.1']);
    expect(texts(['::'])).toEqual(['::1', '2001:db8::1']);
  });

  it('an address is canonical, named once, and stays when a wildcard covers it too', () => {
    expect(texts(['2001:DB8:0:0::1', '2001:db8::1'])).toEqual(['2001:db8::1']);
    expect(listenPlan(['192.0.2.1', '0.0.0.0'], local)).toMatchObject({ fixed: ['192.0.2.1'], wildcard: [4] });
    expect(texts(['192.0.2.1', '0.0.0.0'])).toEqual(['192.0.2.1', '127.0.0.1']);
  });

  it('an address that no interface has is left to the kernel to refuse', () => {
    expect(listenPlan(['198.51.100.7'], local).addresses).toEqual([{ name: '', address: '198.51.100.7', family: 4 }]);
  });

  it.each(['fe80::1', 'fe80::1%eth0', '169.254.3.4', 'localhost', '1', '10.0.0.256', '10.0.0', '', '::g', '10.0.0.1:500'])(
    '%s is refused, with the local addresses for a choice',
    (text) => {
      expect(() => listenPlan([text], local)).toThrow(EnvironmentRefused);
      expect(catching(() => listenPlan([text], local)).fix).toContain('192.0.2.1 (eth0)');
    },
  );

  it('a machine without addresses is told so, not served by nobody', () => {
    expect(catching(() => listenPlan([], [])).message).toContain('No interface');
  });

  it('link-local addresses and doubles do not come from the interfaces', () => {
    const entry = { netmask: '', mac: '', internal: false, cidr: null };
    expect(
      localAddresses({
        eth0: [
          { ...entry, address: '192.0.2.1', family: 'IPv4' },
          { ...entry, address: '169.254.1.1', family: 'IPv4' },
          { ...entry, address: 'fe80::1', family: 'IPv6', scopeid: 2 },
          { ...entry, address: '2001:db8::1', family: 'IPv6', scopeid: 0 },
        ],
        eth1: [{ ...entry, address: '192.0.2.1', family: 'IPv4' }],
      }),
    ).toEqual([
      { name: 'eth0', address: '192.0.2.1', family: 4 },
      { name: 'eth0', address: '2001:db8::1', family: 6 },
    ]);
    expect(['fe80::1', 'FEBF::1', 'fec0::1', '169.254.0.1', '169.25.4.1'].map(isLinkLocal)).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('networks of this machine', () => {
  const rest = { mac: '', internal: false };
  const interfaces = {
    lo: [{ ...rest, address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4' as const, cidr: '127.0.0.1/8' }],
    eth0: [
      { ...rest, address: '192.0.2.130', netmask: '255.255.255.128', family: 'IPv4' as const, cidr: '192.0.2.130/25' },
      { ...rest, address: '2001:db8::1', netmask: 'ffff:ffff:ffff:ffff::', family: 'IPv6' as const, cidr: null, scopeid: 0 },
    ],
    postern0: [{ ...rest, address: '10.10.1.254', netmask: '255.255.255.0', family: 'IPv4' as const, cidr: null }],
  };

  it('are whole, and without those of the device that is left out', () => {
    const texts = localNetworks('postern0', interfaces).map(({ start, end }) => `${start.join('.')}-${end.join('.')}`);
    expect(texts).toEqual([
      '127.0.0.0-127.255.255.255',
      '192.0.2.128-192.0.2.255',
      `32.1.13.184.${'0.'.repeat(11)}0-32.1.13.184.0.0.0.0${'.255'.repeat(8)}`,
    ]);
    expect(localNetworks(undefined, interfaces)).toHaveLength(4);
  });
});

function catching(run: () => unknown): EnvironmentRefused {
  try {
    run();
  } catch (error) {
    if (error instanceof EnvironmentRefused) return error;
  }
  throw new Error('nothing was refused');
}
