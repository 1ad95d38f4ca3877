/** Countries of addresses, out of an MMDB file made here. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentRefused, openGeography } from '../../../src/net/index.ts';
import { mmdb } from '../../support/mmdb.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-geo-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

const kept = async (octets: Uint8Array) => {
  const path = join(folder, 'countries.mmdb');
  await writeFile(path, octets);
  return path;
};
const whole = mmdb({
  '192.0.2.0/24': 'CH',
  '198.51.100.0/25': 'DE',
  '20010db8000000000000000000000000/32': 'NL',
  '203.0.113.0/24': 'xx',
});

describe('countries', () => {
  it.each<[string, string | undefined]>([
    ['192.0.2.1', 'CH'],
    ['192.0.3.1', undefined],
    ['198.51.100.127', 'DE'],
    ['198.51.100.128', undefined],
    ['2001:db8:1::9', 'NL'],
    ['2001:db9::9', undefined],
    ['203.0.113.9', undefined], // what stands there is no country's code
    ['no address', undefined],
  ])('%s is in %s', async (address, code) => {
    expect((await openGeography(await kept(whole)))(address)).toBe(code);
  });
});

describe('what is no database is refused with its name and what to do', () => {
  it.each<[string, Uint8Array]>([
    ['empty', new Uint8Array()],
    ['text', Buffer.from('country,CH\n')],
    ['the tree is cut', whole.subarray(300)],
  ])('%s', async (_, octets) => {
    const opening = openGeography(await kept(octets));
    await expect(opening).rejects.toThrow(/countries\.mmdb/);
    await expect(opening).rejects.toBeInstanceOf(EnvironmentRefused);
  });

  it('not there', async () => {
    await expect(openGeography(join(folder, 'none.mmdb'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('every flipped octet is refused, or tells a country, or nothing', async () => {
    for (let i = 0; i < whole.length; i += 7) {
      const octets = Buffer.from(whole);
      octets[i] = (octets[i] ?? 0) ^ 0xff;
      const said = await openGeography(await kept(octets)).then(
        (country) => country('192.0.2.1') ?? 'nothing',
        (error: unknown) => (error instanceof EnvironmentRefused ? 'refused' : String(error)),
      );
      expect(said).toMatch(/^([A-Z]{2}|nothing|refused)$/);
    }
  });
});
