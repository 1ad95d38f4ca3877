/** What the doctor says of machines: one that has everything, and others that lack one thing each. */
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/index.ts';
import { examine, type Finding, type Instruments } from '../../../src/daemon/doctor.ts';
import { EnvironmentRefused } from '../../../src/net/index.ts';

const good: Instruments = {
  node: '26.1.0',
  unix: () => 1_795_000_000,
  cryptography: () => Promise.resolve({ wrong: [], name: 'libcrypto' }),
  ports: () => Promise.resolve(),
  tun: () => Promise.resolve('postern0'),
  native: () => Promise.resolve(undefined),
  lacks: () => Promise.resolve([]),
  notForwarding: () => Promise.resolve([]),
  forwardDrops: () => Promise.resolve([]),
  setting: () => Promise.resolve(8 * 1024 * 1024),
  program: () => Promise.resolve(true),
  directory: () => Promise.resolve(undefined),
};
const patient = { config: undefined, listen: [], ikePort: 500, nattPort: 4500, state: '/var/lib/postern' };
const masquerading = { rules: [{ accept: true, nat: true }] } as unknown as Config;
const refused = () => Promise.reject(new EnvironmentRefused('EPERM', 'No right.', 'Be root.'));
const bad = (found: readonly Finding[]) => found.filter(({ state }) => state !== 'fine');

describe('a machine', () => {
  it('that has everything is fine, and nothing has to be done', async () => {
    const found = await examine({ ...patient, config: masquerading }, good);
    expect(bad(found)).toEqual([]);
    expect(found.filter(({ fix }) => fix !== undefined)).toEqual([]);
    expect(found.map(({ about }) => about)).toEqual([
      ...['Node.js', 'clock', 'cryptography', 'UDP ports', 'state directory', 'traffic', 'masquerade', 'UDP in runs'],
      ...['socket buffers', 'forwarding'],
    ]);
  });

  it.each<[string, Partial<Instruments>, string, Finding['state'], RegExp]>([
    ['with an old Node', { node: '20.20.2' }, 'Node.js', 'wrong', /too old/],
    ['whose clock was never set', { unix: () => 1000 }, 'clock', 'wrong', /1970/],
    [
      'whose cryptography is wrong',
      { cryptography: () => Promise.resolve({ wrong: ['AES'], name: 'node:crypto' }) },
      'cryptography',
      'wrong',
      /AES/,
    ],
    [
      'without libcrypto',
      { cryptography: () => Promise.resolve({ wrong: [], name: 'node:crypto', why: 'koffi is not installed' }) },
      'cryptography',
      'warning',
      /koffi/,
    ],
    ['whose ports are taken', { ports: refused }, 'UDP ports', 'wrong', /No right/],
    ['that may make no device', { tun: refused }, 'traffic', 'warning', /No right/],
    ['with an old kernel', { lacks: () => Promise.resolve(['UDP_GRO']) }, 'UDP in runs', 'warning', /UDP_GRO/],
    ['with small buffers', { setting: () => Promise.resolve(212_992) }, 'socket buffers', 'warning', /rmem_max and .*wmem_max/],
    ['that keeps packets', { notForwarding: () => Promise.resolve(['a.b']) }, 'forwarding', 'warning', /a\.b is 0/],
    [
      'whose firewall drops what it forwards',
      { forwardDrops: (prefix) => Promise.resolve([`ip filter ${prefix}`]) },
      'forwarding firewall',
      'warning',
      /ip filter postern, and no rule there names postern\*/,
    ],
    ['without nft', { program: () => Promise.resolve(false) }, 'masquerade', 'warning', /nft is not installed/],
    [
      'with a file in its place',
      { directory: () => Promise.resolve('is no directory') },
      'state directory',
      'wrong',
      /no directory/,
    ],
  ])('%s is told that, and what to do', async (_, lacks, about, state, says) => {
    const found = bad(await examine({ ...patient, config: masquerading }, { ...good, ...lacks }));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ about, state });
    expect(found[0]?.says).toMatch(says);
    expect(found[0]?.fix).toBeTruthy();
  });

  it('without koffi is told that where it looks at traffic and at UDP, and the kernel is not blamed', async () => {
    const lacks = () => Promise.reject(new TypeError('it cannot be asked'));
    const found = bad(await examine(patient, { ...good, native: () => Promise.resolve('koffi is not installed'), lacks }));
    expect(found.map(({ about, says }) => [about, says])).toEqual([
      ['traffic', 'off: koffi is not installed'],
      ['UDP in runs', 'not here: koffi is not installed'],
    ]);
    for (const { fix } of found) expect(fix).toMatch(/needs koffi/);
  });

  it.each<[string, string | undefined, Finding['state'], string]>([
    ['may be written', undefined, 'fine', 'will be made'],
    ['may not', 'cannot be used: EACCES', 'wrong', 'is not there and cannot be made: /var cannot be used: EACCES'],
  ])('whose state directory is missing, and what is there above it %s', async (_, above, state, says) => {
    const directory = (path: string) => Promise.resolve(path === '/var' ? above : 'is not there');
    const found = await examine(patient, { ...good, directory });
    expect(found.find(({ about }) => about === 'state directory')).toMatchObject({ state, says: `/var/lib/postern ${says}` });
  });

  it('whose firewall has two such chains is told of both at once, with every rule that mends it', async () => {
    const forwardDrops = () => Promise.resolve(['ip filter FORWARD', 'inet firewalld filter_FORWARD']);
    const found = bad(await examine(patient, { ...good, forwardDrops }));
    expect(found.map(({ about }) => about)).toEqual(['forwarding firewall']);
    expect(found[0]?.fix?.split(/: |; /).slice(1)).toEqual([
      `nft insert rule ip filter FORWARD 'iifname "postern*" accept'`,
      `nft insert rule ip filter FORWARD 'oifname "postern*" accept'`,
      `nft insert rule inet firewalld filter_FORWARD 'iifname "postern*" accept'`,
      `nft insert rule inet firewalld filter_FORWARD 'oifname "postern*" accept'`,
    ]);
  });

  it('without /proc says nothing of its buffers', async () => {
    expect(bad(await examine(patient, { ...good, setting: () => Promise.resolve(undefined) }))).toEqual([]);
  });

  it('and a fault of ours is not taken for the machine', async () => {
    await expect(examine(patient, { ...good, ports: () => Promise.reject(new TypeError('x')) })).rejects.toThrow(TypeError);
  });
});
