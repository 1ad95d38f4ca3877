/** Networks that clients bring with them: which are routed, for how long, and what is refused. */
import { describe, expect, it } from 'vitest';
import { ClientRoutes } from '../../../src/daemon/clientRoutes.ts';
import { insideOf } from '../../../src/daemon/traffic.ts';
import { EnvironmentRefused, type RouteRefused } from '../../../src/net/index.ts';
import { addressOctets, type TrafficSelector, TsType } from '../../../src/wire/index.ts';
import { configOf } from '../../support/configs.ts';

const octets = (text: string) => addressOctets(text) ?? expect.fail(text);
/** 'A-B' or 'A' */
const range = (text: string) => {
  const [start = '', end = start] = text.split('-');
  return { start: octets(start), end: octets(end) };
};
const ts = (text: string): TrafficSelector => ({
  type: text.includes(':') ? TsType.IPV6_ADDR_RANGE : TsType.IPV4_ADDR_RANGE,
  ...{ ...range(text), protocol: 0, startPort: 0, endPort: 65535 },
});
const branch = '192.168.7.0-192.168.7.255';
const turn = () => new Promise((resolve) => setImmediate(resolve));

function scene(o: { readonly pools?: readonly string[]; readonly networks?: readonly string[] } = {}) {
  const put: string[][] = [];
  const notes: { why: string; fix: string }[] = [];
  const says: { answer: () => Promise<readonly RouteRefused[]> } = { answer: () => Promise.resolve([]) };
  const pools = (o.pools ?? []).map(range);
  const routes = new ClientRoutes(pools, {
    put: (prefixes) => {
      put.push([...prefixes]);
      return says.answer();
    },
    networks: () => (o.networks ?? []).map(range),
    note: (why, fix) => void notes.push({ why, fix }),
  });
  const install = (spi: number, TSi: readonly string[], more: Partial<Wish> = {}) => {
    const wish: Wish = { gateway: 'ra_0', at: '198.51.100.1', leases: [], addRoute: true, ...more };
    routes.install(spi, {
      child: {
        child: { TSi: TSi.map(ts), phase2: { name: 'all', addRoute: wish.addRoute } },
        ...{ gateway: wish.gateway, path: { remote: { address: wish.at } } },
      },
      owner: { profile: 'ra', leases: wish.leases.map(octets) },
    });
  };
  const up = (spi: number, TSi: readonly string[], more: Partial<Wish> = {}) => {
    install(spi, TSi, more);
    routes.clear(spi);
  };
  return { routes, put, notes, says, install, up, pools };
}
type Wish = {
  readonly gateway: string;
  readonly at: string;
  readonly leases: readonly string[];
  readonly addRoute: boolean;
};

describe('a network behind a client', () => {
  it('is routed from when its child has passed the gate until the last child with it is gone', async () => {
    const { routes, put, install } = scene();
    install(1, [branch]);
    await turn();
    expect(put).toEqual([]);
    routes.clear(1);
    await turn();
    expect(put).toEqual([['192.168.7.0/24']]);
    routes.remove(1);
    await turn();
    expect(put.at(-1)).toEqual([]);
  });

  it('has no gap in a rekey, whichever end is quick', async () => {
    const { routes, put, up } = scene();
    up(1, [branch]);
    await turn();
    up(2, [branch]);
    await turn();
    routes.remove(1);
    await turn();
    expect(new Set(put.map((all) => all.join()))).toEqual(new Set(['192.168.7.0/24']));
    routes.remove(2);
    routes.remove(2);
    await turn();
    expect(put.at(-1)).toEqual([]);
  });

  it('is the prefixes of its range, of either family', async () => {
    const { put, up } = scene();
    up(1, ['192.168.7.1-192.168.7.3', '2001:db8:7::-2001:db8:7::ff']);
    await turn();
    expect(put).toEqual([['192.168.7.1/32', '192.168.7.2/31', '2001:0db8:0007:0000:0000:0000:0000:0000/120']]);
  });

  it.each<[string, readonly string[], Partial<Wish>]>([
    ['without add-route', [branch], { addRoute: false }],
    ['of a client with a lease: it may not send from there', ['10.10.1.1', branch], { leases: ['10.10.1.1'] }],
    ['within the pools, which are routed as a whole', ['10.10.1.7'], {}],
  ])('is not routed %s', async (_, TSi, wish) => {
    const { put, notes, up } = scene({ pools: ['10.10.1.1-10.10.1.20'] });
    up(1, TSi, wish);
    await turn();
    expect([put.flat(), notes]).toEqual([[], []]);
  });

  it('what changes while `ip` is at work is taken together', async () => {
    const { put, up, says, routes } = scene();
    const ends: (() => void)[] = [];
    says.answer = () => new Promise((resolve) => ends.push(() => resolve([])));
    const one = (i: number) => up(i, [`192.168.${i}.0-192.168.${i}.255`], { gateway: `ra_${i}` });
    one(1);
    await turn();
    for (const i of [2, 3, 4, 5]) one(i);
    routes.remove(1);
    ends.shift()?.();
    await turn();
    expect(put).toEqual([['192.168.1.0/24'], [2, 3, 4, 5].map((i) => `192.168.${i}.0/24`)]);
  });
});

describe('never routed', () => {
  it.each([
    ['0.0.0.0-255.255.255.255', 'a range so wide is a default route'],
    ['::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'a range so wide is a default route'],
    ['128.0.0.0-255.255.255.255', 'a range so wide is a default route'],
    ['9.0.0.1-12.0.0.0', 'a range so wide is a default route'],
    ['127.0.0.1', 'addresses that no client has'],
    ['169.254.169.254', 'addresses that no client has'],
    ['224.0.0.1', 'addresses that no client has'],
    ['fe80::1', 'addresses that no client has'],
    ['::1', 'addresses that no client has'],
    ['192.0.2.0-192.0.2.255', 'this machine is itself in 192.0.2.0-192.0.2.127'],
    ['192.0.2.8-192.0.2.15', 'this machine is itself in 192.0.2.0-192.0.2.127'],
    ['198.51.100.0-198.51.100.1', 'ra_0 is reached at 198.51.100.1'],
    ['198.51.100.2', 'ra_9 is reached at 198.51.100.2'],
  ])('%s: %s, said once, and the rest is', async (wide, why) => {
    const { put, notes, up, routes } = scene({ networks: ['192.0.2.0-192.0.2.127'] });
    up(9, ['10.10.1.1'], { gateway: 'ra_9', at: '198.51.100.2', leases: ['10.10.1.1'] });
    up(1, [wide, branch]);
    up(2, [wide, branch]);
    routes.remove(1);
    await turn();
    expect(new Set(put.flat())).toEqual(new Set(['192.168.7.0/24']));
    expect(notes).toEqual([
      {
        why: `add-route of phase2-interface "all": a network of ra_0 is not routed, ${wide}: ${why}.`,
        fix: 'Name the networks of its clients by dst-subnet of "all", or set add-route disable there.',
      },
    ]);
  });

  it('a /8 can be a network of somebody', async () => {
    const { put, notes, up } = scene();
    up(1, ['10.0.0.0-10.255.255.255', 'fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']);
    await turn();
    expect([put.flat().length, notes]).toEqual([2, []]);
  });

  it.each<[string, (s: ReturnType<typeof scene>) => void]>([
    ['a client that comes', (s) => s.up(2, [], { gateway: 'ra_1', at: '192.168.7.9' })],
    ['the client that moves', (s) => s.routes.move(1, '192.168.7.9')],
  ])('no longer, once %s is reached through it', async (_, play) => {
    const s = scene();
    s.up(1, [branch, '192.168.8.1']);
    await turn();
    play(s);
    await turn();
    expect(s.put.at(-1)).toEqual(['192.168.8.1/32']);
    expect(s.notes).toMatchObject([
      { why: expect.stringMatching(/^192\.168\.7\.0\/24 .*ra_[01] is reached at 192\.168\.7\.9\.$/) },
    ]);
  });

  it('more than 64 prefixes of one client, over all its children', async () => {
    const { put, notes, up, routes } = scene();
    const hosts = (third: number, n: number) => Array.from({ length: n }, (_, i) => `192.168.${third}.${2 * i}`);
    up(1, hosts(1, 60));
    up(2, hosts(1, 60)); // the same: a rekey
    up(3, hosts(2, 10));
    await turn();
    expect(put.at(-1)).toHaveLength(64);
    expect(notes).toMatchObject([{ why: expect.stringContaining('more than 64 prefixes of one client') }]);
    routes.remove(1);
    routes.remove(2);
    routes.remove(3);
    await turn();
    expect(put.at(-1)).toEqual([]);
  });

  it('more than 4096 prefixes of all clients', async () => {
    const { put, notes, up } = scene();
    for (let i = 0; i < 65; i++) {
      const hosts = Array.from({ length: 64 }, (_, n) => `10.1.${i}.${2 * n}`);
      up(i, hosts, { gateway: `ra_${i}` });
    }
    await turn();
    expect(put.at(-1)).toHaveLength(4096);
    expect(notes).toMatchObject([{ why: expect.stringMatching(/of ra_64 .*more than 4096 prefixes of all clients/) }]);
  });
});

describe('what the machine refuses', () => {
  const inTheWay = (prefix: string): RouteRefused => ({ prefix, why: `${prefix} is routed already.`, fix: 'See `ip route`.' });

  it('is one line, is not asked for again, and has another chance with the next configuration', async () => {
    const { put, notes, up, says, routes } = scene();
    says.answer = () => Promise.resolve([inTheWay('192.168.7.0/24'), inTheWay('192.168.8.0/24')]);
    up(1, [branch, '192.168.8.0-192.168.8.255', '192.168.9.0-192.168.9.255']);
    await turn();
    expect(notes).toEqual([
      {
        why: 'add-route: a network of a client is not routed: 192.168.7.0/24 is routed already. So is 1 more.',
        fix: 'See `ip route`.',
      },
    ]);
    says.answer = () => Promise.resolve([]);
    up(2, [branch]);
    await turn();
    expect(put.at(-1)).toEqual(['192.168.9.0/24']);
    routes.reload([], [{ name: 'ra', phase2: [{ name: 'all', addRoute: true }] }]);
    await turn();
    expect(put.at(-1)).toHaveLength(3);
  });

  it.each([new EnvironmentRefused('ENOENT', 'ip is not installed.', 'Install iproute2.'), new Error('oops')])(
    'with %s it is told, and the next change is tried',
    async (error) => {
      const { put, notes, up, says } = scene();
      says.answer = () => Promise.reject(error);
      up(1, [branch]);
      await turn();
      expect(notes).toMatchObject([{ why: expect.stringContaining(error.message) }]);
      up(2, ['192.168.8.1']);
      await turn();
      expect(put.at(-1)).toEqual(['192.168.7.0/24', '192.168.8.1/32']);
      expect(notes).toHaveLength(1);
    },
  );
});

describe('another configuration', () => {
  const under = (addRoute: boolean, name = 'all') => [{ name: 'ra', phase2: [{ name, addRoute }] }];

  it('keeps what stays, without a gap', async () => {
    const { put, up, routes } = scene();
    up(1, [branch]);
    up(2, ['192.168.8.1'], { gateway: 'ra_1' });
    await turn();
    routes.reload([], under(true));
    await turn();
    const both = ['192.168.7.0/24', '192.168.8.1/32'];
    expect(put).toEqual([both, both]);
    routes.remove(1);
    routes.remove(2);
    await turn();
    expect(put.at(-1)).toEqual([]);
  });

  it.each([
    ['with add-route disable', under(false)],
    ['without its phase 2', under(true, 'other')],
    ['without its profile', []],
  ])('%s takes the route back', async (_, profiles) => {
    const { put, up, routes } = scene();
    up(1, [branch]);
    routes.reload([], profiles);
    await turn();
    expect(put.at(-1)).toEqual([]);
  });

  it('with add-route enable brings the route; in a pool it needs none', async () => {
    const { put, up, routes } = scene();
    up(1, [branch], { addRoute: false });
    routes.reload([], under(true));
    await turn();
    expect(put.at(-1)).toEqual(['192.168.7.0/24']);
    routes.reload([range('192.168.0.0-192.168.255.255')], under(true));
    await turn();
    expect(put.at(-1)).toEqual([]);
  });
});

describe('the pool of a profile', () => {
  const pools = (phase1: string, ...phase2s: readonly string[]) =>
    insideOf(
      configOf({
        profiles: [
          {
            phase1: { 'add-route': phase1 },
            phase2s: Object.fromEntries(phase2s.map((word, i) => [`p${i}`, { 'add-route': word }])),
          },
        ],
      }),
    ).routes.length;

  it('is routed unless add-route is disabled for all that goes through', () => {
    expect(pools('enable', 'phase1')).toBe(1);
    expect(pools('disable', 'phase1')).toBe(0);
    expect(pools('disable', 'phase1', 'enable')).toBe(1);
    expect(pools('enable', 'disable', 'disable')).toBe(0);
    expect(pools('enable', 'disable', 'phase1')).toBe(1);
  });
});
