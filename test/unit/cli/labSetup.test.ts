import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPem, validatePath } from '../../../crypto/index.ts';
import { GATEWAY, type Lab, labIn } from '../../../src/cli/lab/setup.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { makeEmsCertificates } from '../../../src/lab/index.ts';

const ca = makeEmsCertificates({ serial: 'FCTEMS0000000001', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) }).ca
  .certificate;
const ems = { port: 8013, ca, tag: 'EMS1_ZTNA_healthy' };
let dir = '';
let lab: Lab;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-lab-'));
  lab = await labIn(join(dir, 'lab'), ems);
});
afterAll(() => rm(dir, { recursive: true }));

describe('the lab', () => {
  it('writes a configuration without a single finding: both profiles, both users', async () => {
    const { config, findings } = loadConfig(await readFile(lab.config, 'utf8'));
    expect(findings).toEqual([]);
    expect(config.profiles.map((p) => [p.name, p.localAuth.kind, p.remoteAuth.kind])).toEqual([
      ['lab-cert', 'certificate', 'eap'],
      ['lab', 'psk', 'eap'],
    ]);
    for (const { name } of lab.secrets.users) expect(config.users.find(name, ['lab-users'])?.name).toBe(name);
  });

  it("gives the gateway a certificate of its name, from the lab's own authority, good today", async () => {
    const { config } = loadConfig(await readFile(lab.config, 'utf8'));
    const auth = config.profiles[0]?.localAuth;
    const [leaf] = (auth?.kind === 'certificate' && auth.certificates[0]?.chain) || [];
    if (leaf === undefined) throw new Error('no certificate');
    expect(leaf.dns).toEqual([GATEWAY]);
    expect(await validatePath(leaf, [], readPem(await readFile(lab.ca, 'utf8')), Math.floor(Date.now() / 1000))).toMatchObject({
      ok: true,
    });
  });

  it('keeps its secrets to itself, and different from any other lab', async () => {
    const mode = async (name: string) => ((await stat(join(dir, 'lab', name))).mode & 0o777).toString(8);
    expect([await mode('.'), await mode('postern.conf'), await mode('secrets.json')]).toEqual(['700', '600', '600']);
    const all = [lab.secrets.psk, ...lab.secrets.users.map((u) => u.password)];
    expect(new Set(all).size).toBe(3);
    for (const one of all) expect(one).toMatch(/^[a-z2-9]{12,}$/);
  });

  it('is the same at the next start', async () => {
    expect(lab.fresh).toBe(true);
    const again = await labIn(join(dir, 'lab'), ems);
    expect(again).toEqual({ ...lab, fresh: false });
  });

  it('half of a lab, or a foreign file in its place, is refused in words', async () => {
    await writeFile(join(dir, 'secrets.json'), '{"psk": 7}');
    await expect(labIn(dir, ems)).rejects.toMatchObject({
      name: 'EnvironmentRefused',
      fix: expect.stringContaining('Remove it'),
    });
    await writeFile(join(dir, 'secrets.json'), 'not JSON');
    await expect(labIn(dir, ems)).rejects.toMatchObject({ name: 'EnvironmentRefused' });
    await writeFile(join(dir, 'secrets.json'), JSON.stringify(lab.secrets));
    await expect(labIn(dir, ems)).rejects.toMatchObject({
      name: 'EnvironmentRefused',
      fix: expect.stringContaining('start anew'),
    });
  });
});
